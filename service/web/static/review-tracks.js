// Tracks: up to three moments of somebody who was followed; one key says whether it is a person, all along.
import { loadPicture, shape } from "./review-stage.js";

const VERDICTS = { y: "right", n: "wrong", u: "unsure" };

export class Tracks {
  constructor({ onSay, onUndo }) {
    Object.assign(this, { onSay, onUndo });
    this.ahead = 12;
    this.overlay = shape("svg", { id: "boxes", "aria-hidden": "true" });
  }

  load(item) { return loadPicture(item, "Up to three moments of somebody who was followed, the box around each"); }

  text({ verdict }) { return verdict; }

  show(item) {
    this.overlay.setAttribute("viewBox", `0 0 ${item.width_px} ${item.height_px}`);
    this.overlay.replaceChildren(...(item.detail.views || []).flatMap(({ box: [x0, y0, x1, y1] }) => {
      const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
      return [shape("rect", { ...place, class: "review-halo" }), shape("rect", { ...place, class: "review-box" })];
    }));
  }

  key({ key, repeat }) {
    if (repeat) return false; // a key held down is one word
    if (VERDICTS[key]) this.onSay({ verdict: VERDICTS[key] });
    else if (key === "Backspace") this.onUndo();
    else return false;
    return true;
  }

  undoEdit() { return false; }
}
