// Lines and zones drawn on the picture, by mouse, touch or keyboard; points are shares of the picture.
import { make } from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
const CLOSE_PX = 12;
const HELP = {
  idle: "Drag a point to move it, or reach it with Tab and use the arrow keys.",
  line: "Click where the line starts, then where it ends. The green arrow shows which side is “in”.",
  zone: "Click each corner; a double click or Enter closes the zone.",
};

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
const clamp = (value) => Math.min(1, Math.max(0, value));
const rounded = ([x, y]) => [Math.round(x * 1e4) / 1e4, Math.round(y * 1e4) / 1e4];

export class Editor {
  constructor(parts) {
    Object.assign(this, parts);
    this.shapes = [];
    this.draft = null; // {kind, points} while drawing
    this.cross = [0.5, 0.5];
    this.usesKeys = false;
    this.dragged = null; // [shape, index]
    this.selected = null;
    this.drawLine.addEventListener("click", (event) => this.start("line", event.detail === 0));
    this.drawZone.addEventListener("click", (event) => this.start("zone", event.detail === 0));
    this.cancel.addEventListener("click", () => this.close());
    this.save.addEventListener("click", () => this.store());
    this.overlay.addEventListener("pointerdown", (event) => this.down(event));
    this.overlay.addEventListener("pointermove", (event) => this.move(event));
    this.overlay.addEventListener("pointerup", () => { this.dragged = null; });
    this.overlay.addEventListener("pointercancel", () => { this.dragged = null; });
    this.overlay.addEventListener("dblclick", (event) => { event.preventDefault(); this.finishZone(); });
    this.overlay.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.picture);
  }

  open(lines, zones) {
    this.shapes = [
      ...lines.map((line) => ({ kind: "line", name: line.name, points: [line.start, line.end] })),
      ...zones.map((zone) => ({ kind: "zone", name: zone.name, points: zone.polygon, minInside: zone.min_inside_s })),
    ];
    this.panel.hidden = false;
    this.overlay.toggleAttribute("hidden", false);
    this.say("");
    this.stop();
    this.rows();
    if (!this.shapes.length) this.start("line", false);
  }

  close() {
    this.draft = null;
    this.panel.hidden = true;
    this.overlay.toggleAttribute("hidden", true);
    this.onClose();
  }

  async store() {
    if (this.draft?.points.length) {
      this.say(`Finish the ${this.draft.kind} first, or press Escape to leave it out.`);
      return;
    }
    this.save.disabled = true;
    try {
      await this.onSave(
        this.shapes.filter((each) => each.kind === "line")
          .map(({ name, points }) => ({ name: name.trim(), start: rounded(points[0]), end: rounded(points[1]) })),
        this.shapes.filter((each) => each.kind === "zone")
          .map(({ name, points, minInside }) => ({ name: name.trim(), polygon: points.map(rounded), min_inside_s: minInside })),
      );
      this.close();
    } catch (error) {
      this.say(error.message);
    } finally {
      this.save.disabled = false;
    }
  }

  say(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
  }

  start(kind, byKey) {
    // Pressed again, it begins again: an editor without shapes opens drawing, and people press the button all the same.
    this.draft = { kind, points: [] };
    this.cross = [0.5, 0.5];
    this.usesKeys = byKey;
    this.overlay.setAttribute("tabindex", "0");
    this.overlay.classList.add("drawing");
    this.mode(kind);
    this.draw();
    if (byKey) this.overlay.focus();
  }

  stop() {
    this.draft = null;
    this.overlay.setAttribute("tabindex", "-1");
    this.overlay.classList.remove("drawing");
    this.mode("idle");
    this.draw();
  }

  mode(kind) {
    this.help.textContent = HELP[kind];
    this.drawLine.setAttribute("aria-pressed", String(kind === "line"));
    this.drawZone.setAttribute("aria-pressed", String(kind === "zone"));
  }

  freeName(kind) {
    const taken = new Set(this.shapes.filter((each) => each.kind === kind).map((each) => each.name));
    for (let number = 1; ; number += 1) {
      if (!taken.has(`${kind}-${number}`)) return `${kind}-${number}`;
    }
  }

  place(point) {
    this.draft.points.push(point);
    if (this.draft.kind === "line" && this.draft.points.length === 2) {
      const [a, b] = this.draft.points;
      if (this.distance(a, b) < 4) this.draft.points.pop();
      else this.take();
    }
    this.draw();
  }

  finishZone() {
    if (this.draft?.kind !== "zone") return;
    // A double click sets the same corner twice.
    const corners = this.draft.points.filter((point, index, all) => index === 0 || this.distance(point, all[index - 1]) > 4);
    if (corners.length < 3) { this.say("A zone needs at least three corners."); return; }
    this.draft.points = corners;
    this.take();
  }

  take() {
    const added = { ...this.draft, name: this.freeName(this.draft.kind), minInside: 0 };
    this.shapes.push(added);
    this.selected = added;
    this.say("");
    this.stop();
    this.rows();
    const input = this.list.lastElementChild.querySelector("input");
    input.focus({ preventScroll: true }); // the picture stays in view
    input.select();
  }

  // Pointer and keys

  share(event) {
    const box = this.overlay.getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  }

  pixels([x, y]) { return [x * this.width, y * this.height]; }

  distance(a, b) {
    const [ax, ay] = this.pixels(a);
    const [bx, by] = this.pixels(b);
    return Math.hypot(ax - bx, ay - by);
  }

  down(event) {
    if (event.button !== 0) return;
    if (this.draft) {
      event.preventDefault();
      this.usesKeys = false;
      const point = this.share(event);
      const first = this.draft.points[0];
      if (this.draft.kind === "zone" && this.draft.points.length >= 3 && this.distance(point, first) < CLOSE_PX) this.finishZone();
      else this.place(point);
      return;
    }
    const { shape: index, point } = event.target.dataset;
    if (index === undefined) return;
    this.select(this.shapes[Number(index)]);
    if (point !== undefined) {
      this.overlay.setPointerCapture(event.pointerId);
      this.dragged = [this.shapes[Number(index)], Number(point)];
    }
  }

  move(event) {
    if (this.draft) {
      this.cross = this.share(event);
      this.draw();
    } else if (this.dragged) {
      const [moved, index] = this.dragged;
      moved.points = moved.points.map((point, each) => (each === index ? this.share(event) : point));
      this.draw();
    }
  }

  key(event) {
    const step = event.shiftKey ? 0.002 : 0.02;
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    const { shape: index, point } = event.target.dataset;
    if (this.draft) {
      if (way) {
        this.usesKeys = true;
        this.cross = [clamp(this.cross[0] + way[0]), clamp(this.cross[1] + way[1])];
      } else if (event.key === " " || (event.key === "Enter" && this.draft.kind === "line")) this.place([...this.cross]);
      else if (event.key === "Enter") this.finishZone();
      else if (event.key === "Escape") this.stop();
      else return;
    } else if (way && point !== undefined) {
      const moved = this.shapes[Number(index)];
      moved.points = moved.points.map(([x, y], each) => (each === Number(point) ? [clamp(x + way[0]), clamp(y + way[1])] : [x, y]));
    } else return;
    event.preventDefault();
    this.draw();
  }

  select(chosen) {
    this.selected = chosen;
    [...this.list.children].forEach((item, index) => item.classList.toggle("selected", this.shapes[index] === chosen));
    this.draw();
  }

  // Drawing

  draw() {
    if (this.overlay.hasAttribute("hidden")) return;
    // The overlay lies exactly on the picture, whatever room the stage leaves around it.
    const stage = this.stage.getBoundingClientRect();
    const box = this.picture.getBoundingClientRect();
    const natural = this.picture.naturalWidth ? this.picture.naturalWidth / this.picture.naturalHeight : box.width / box.height;
    this.width = Math.min(box.width, box.height * natural);
    this.height = this.width / natural;
    const { style } = this.overlay;
    style.left = `${box.left - stage.left + (box.width - this.width) / 2}px`;
    style.top = `${box.top - stage.top + (box.height - this.height) / 2}px`;
    style.width = `${this.width}px`;
    style.height = `${this.height}px`;
    this.overlay.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const focused = document.activeElement?.dataset?.key;
    this.overlay.replaceChildren(...this.shapes.flatMap((each, index) => this.drawn(each, index)), ...this.drawnDraft());
    if (focused) this.overlay.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  drawn({ kind, name, points }, index) {
    const path = points.map((point) => this.pixels(point).join(",")).join(" ");
    const tag = kind === "line" ? "polyline" : "polygon";
    const parts = [
      shape(tag, { points: path, class: "shape-halo" }),
      shape(tag, { points: path, class: `shape-${kind}` }),
      shape(tag, { points: path, class: "shape-hit", "data-shape": index }),
    ];
    if (kind === "line") parts.push(...this.arrow(points));
    const [x, y] = this.pixels(points[0]);
    const label = shape("text", { x: x + 10, y: y + (y < 30 ? 24 : -10), class: "shape-text" });
    label.textContent = name;
    parts.push(label);
    points.forEach((point, each) => {
      const [cx, cy] = this.pixels(point);
      const what = kind === "line" ? ["start", "end"][each] : `corner ${each + 1}`;
      parts.push(shape("circle", {
        cx, cy, r: 7, class: "shape-handle", tabindex: 0, role: "button", "aria-label": `${what} of ${kind} ${name}; arrow keys move it`,
        "data-shape": index, "data-point": each, "data-key": `${index}-${each}`,
      }));
    });
    return parts;
  }

  /** The arrow to the side that is “in”: to the right of start→end on screen. */
  arrow(points) {
    const [[ax, ay], [bx, by]] = points.map((point) => this.pixels(point));
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const [nx, ny] = [-(by - ay) / length, (bx - ax) / length];
    const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
    const [tx, ty] = [mx + nx * 38, my + ny * 38];
    const head = [[tx + nx * 10, ty + ny * 10], [tx - ny * 7, ty + nx * 7], [tx + ny * 7, ty - nx * 7]];
    const label = shape("text", { x: tx + nx * 20 - 6, y: ty + ny * 20 + 4, class: "shape-text" });
    label.textContent = "in";
    return [
      shape("line", { x1: mx, y1: my, x2: tx, y2: ty, class: "shape-arrow" }),
      shape("polygon", { points: head.map((point) => point.join(",")).join(" "), class: "shape-head" }),
      label,
    ];
  }

  drawnDraft() {
    if (!this.draft) return [];
    const points = [...this.draft.points, this.cross];
    const path = points.map((point) => this.pixels(point).join(",")).join(" ");
    const parts = [];
    if (this.draft.points.length) {
      parts.push(shape("polyline", { points: path, class: "shape-halo" }));
      parts.push(shape(this.draft.kind === "zone" && points.length > 2 ? "polygon" : "polyline", { points: path, class: `shape-${this.draft.kind} draft` }));
      if (this.draft.kind === "line" && this.distance(...points) > 20) parts.push(...this.arrow(points));
    }
    for (const point of this.draft.points) {
      const [cx, cy] = this.pixels(point);
      parts.push(shape("circle", { cx, cy, r: 6, class: "shape-handle" }));
    }
    if (this.usesKeys) {
      const [x, y] = this.pixels(this.cross);
      parts.push(shape("line", { x1: x - 14, x2: x + 14, y1: y, y2: y, class: "cross" }));
      parts.push(shape("line", { x1: x, x2: x, y1: y - 14, y2: y + 14, class: "cross" }));
    }
    return parts;
  }

  rows() {
    this.list.replaceChildren(...this.shapes.map((each) => this.row(each)));
    if (this.selected) this.select(this.selected);
  }

  row(each) {
    const name = make("input", { value: each.name, maxlength: "64", "aria-label": `Name of the ${each.kind}`, spellcheck: "false" });
    name.addEventListener("input", () => { each.name = name.value; this.draw(); });
    name.addEventListener("keydown", (event) => { if (event.key === "Enter") this.store(); });
    const item = make("li", {}, make("span", { class: "kind" }, each.kind === "line" ? "Line" : "Zone"), make("label", { class: "shape-name" }, name));
    item.addEventListener("focusin", () => this.select(each));
    if (each.kind === "line") {
      item.append(make("button", { type: "button", onclick: () => { each.points = [...each.points].reverse(); this.draw(); } }, "Swap in and out"));
    } else {
      const least = make("input", { type: "number", min: "0", max: "86400", step: "0.5", value: String(each.minInside ?? 0) });
      least.addEventListener("input", () => { each.minInside = Number(least.value) || 0; });
      item.append(make("label", {}, "Least stay, s", least));
    }
    item.append(make("span", { class: "grow" }), make("button", {
      type: "button", class: "danger", "aria-label": `Delete ${each.kind} ${each.name}`,
      onclick: () => { this.shapes = this.shapes.filter((other) => other !== each); this.selected = null; this.rows(); this.draw(); },
    }, "Delete"));
    return item;
  }
}
