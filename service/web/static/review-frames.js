// Frames: a box around everybody, by mouse or by keys alone; boxes are pixels of the stored picture.
import { loadPicture, shape } from "./review-stage.js";

const HANDLE_PX = 5; // half a handle, on screen
const GRAB_PX = 9;
const LEAST_DRAG_PX = 4; // less is a click
const LEAST_SIZE = 2;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CORNERS = [["x0", "y0"], ["x1", "y0"], ["x1", "y1"], ["x0", "y1"]];

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
const area = (box) => (box.x1 - box.x0) * (box.y1 - box.y0);
const people = (count) => (count === 1 ? "1 person" : `${count} people`);

export class Frames {
  constructor({ summary, onSay }) {
    Object.assign(this, { summary, onSay });
    this.ahead = 6; // whole pictures are large
    this.overlay = shape("svg", {
      id: "boxes", class: "review-edit", tabindex: 0, role: "group",
      "aria-label": "Boxes. Tab goes from one to the next, a adds one, arrow keys move it, Alt and arrow keys resize it, d deletes it, Enter saves all.",
    });
    this.item = null;
    this.works = new Map(); // sample → {boxes, history}: what was drawn stays when somebody goes on and comes back
    this.selected = -1;
    this.drag = null;
    this.overlay.addEventListener("pointerdown", (event) => this.down(event));
    this.overlay.addEventListener("pointermove", (event) => this.move(event));
    this.overlay.addEventListener("pointerup", () => this.drop());
    this.overlay.addEventListener("pointercancel", () => this.drop());
    // Another queue begins with nothing on the stage, which is a change of size as well.
    new ResizeObserver(() => { if (this.item && this.work) this.draw(); }).observe(this.overlay);
  }

  load(item) { return loadPicture(item, "What the camera saw, heads pixelated"); }

  text({ boxes }) { return people(boxes.length); }

  show(item, said) {
    this.item = item;
    if (!this.works.has(item.id)) {
      const offered = said ? said.boxes : item.detail.boxes || [];
      const boxes = offered.map(([x0, y0, x1, y1]) => this.inside({ x0, y0, x1, y1, isOffered: !said }))
        .filter((box) => box.x1 - box.x0 >= LEAST_SIZE && box.y1 - box.y0 >= LEAST_SIZE);
      this.works.set(item.id, { boxes, history: [] });
    }
    this.selected = -1;
    this.drag = null;
    this.overlay.setAttribute("viewBox", `0 0 ${item.width_px} ${item.height_px}`);
    this.draw();
    this.overlay.focus({ preventScroll: true });
  }

  get work() { return this.works.get(this.item.id); }

  inside({ x0, y0, x1, y1, ...rest }) {
    const { width_px: width, height_px: height } = this.item;
    return { x0: clamp(x0, 0, width), y0: clamp(y0, 0, height), x1: clamp(x1, 0, width), y1: clamp(y1, 0, height), ...rest };
  }

  // Changes; each can be taken back

  /** Remember how it is now; changes that follow one another under the same `name` are one. */
  remember(name = "") {
    const { boxes, history } = this.work;
    if (name && history.at(-1)?.name === name) return;
    history.push({ boxes: boxes.map((box) => ({ ...box })), selected: this.selected, name });
  }

  undoEdit() {
    const before = this.work.history.pop();
    if (!before) return false;
    this.work.boxes = before.boxes;
    this.select(before.selected);
    return true;
  }

  add(box) {
    this.work.boxes.push(box);
    this.select(this.work.boxes.length - 1);
  }

  addInTheMiddle() {
    const { width_px: width, height_px: height } = this.item;
    const [halfWidth, halfHeight] = [Math.round(width / 24), Math.round(height / 8)];
    const [x, y] = [Math.round(width / 2), Math.round(height / 2)];
    this.remember();
    this.add({ x0: x - halfWidth, y0: y - halfHeight, x1: x + halfWidth, y1: y + halfHeight, isOffered: false });
  }

  remove() {
    if (this.selected < 0) return;
    this.remember();
    this.work.boxes.splice(this.selected, 1);
    this.select(Math.min(this.selected, this.work.boxes.length - 1));
  }

  moveBy([dx, dy], box = this.work.boxes[this.selected]) {
    const { width_px: width, height_px: height } = this.item;
    const [x, y] = [clamp(dx, -box.x0, width - box.x1), clamp(dy, -box.y0, height - box.y1)];
    Object.assign(box, { x0: box.x0 + x, x1: box.x1 + x, y0: box.y0 + y, y1: box.y1 + y, isOffered: false });
  }

  /** Put the lower right corner elsewhere. */
  resizeBy([dx, dy]) {
    const box = this.work.boxes[this.selected];
    box.x1 = clamp(box.x1 + dx, box.x0 + LEAST_SIZE, this.item.width_px);
    box.y1 = clamp(box.y1 + dy, box.y0 + LEAST_SIZE, this.item.height_px);
    box.isOffered = false;
  }

  select(index) {
    const hadFocus = this.overlay.contains(document.activeElement) || document.activeElement === document.body;
    this.selected = index;
    this.draw();
    if (hadFocus) (this.rectangles[index] || this.overlay).focus({ preventScroll: true });
  }

  save() {
    const tenth = (value) => Math.round(value * 10) / 10;
    const boxes = this.work.boxes.map(({ x0, y0, x1, y1 }) => [x0, y0, x1, y1].map(tenth));
    this.work.history = [];
    for (const box of this.work.boxes) box.isOffered = false;
    this.onSay({ boxes });
  }

  // Keys

  key({ key, shiftKey, altKey }) {
    const way = ARROWS[key]?.map((step) => step * (shiftKey ? 10 : 1));
    if (way && this.selected >= 0) {
      this.remember(`${altKey ? "resize" : "move"} ${this.selected}`);
      if (altKey) this.resizeBy(way);
      else this.moveBy(way);
      this.draw();
    } else if (altKey) return false;
    else if (key === "a") this.addInTheMiddle();
    else if (key === "d" || key === "Delete" || key === "Backspace") this.remove();
    else if (key === "Escape") this.select(-1);
    else if (key === "Enter") this.save();
    else return false;
    return true;
  }

  // Pointer

  /** Pixels of the picture for one on screen. */
  get scale() { return 1 / (this.overlay.getScreenCTM()?.a || 1); }

  point(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.overlay.getScreenCTM().inverse());
    return [clamp(at.x, 0, this.item.width_px), clamp(at.y, 0, this.item.height_px)];
  }

  corner([x, y]) {
    const box = this.work.boxes[this.selected];
    const reach = GRAB_PX * this.scale;
    return box && CORNERS.find(([left, top]) => Math.abs(box[left] - x) <= reach && Math.abs(box[top] - y) <= reach);
  }

  /** The smallest box around a point: one inside another can be reached. */
  at([x, y]) {
    const { boxes } = this.work;
    let found = -1;
    boxes.forEach((box, index) => {
      const isInside = box.x0 <= x && x <= box.x1 && box.y0 <= y && y <= box.y1;
      if (isInside && (found < 0 || area(box) < area(boxes[found]))) found = index;
    });
    return found;
  }

  down(event) {
    if (event.button !== 0 || !this.item) return;
    event.preventDefault();
    this.overlay.setPointerCapture(event.pointerId);
    const from = this.point(event);
    const corner = this.corner(from);
    // Shift draws a new one also where there is one.
    const index = event.shiftKey ? -1 : this.at(from);
    this.drag = { from, last: from, corner, kind: "new", isMoving: false };
    if (corner) this.drag.kind = "corner";
    else if (index >= 0) {
      this.drag.kind = "move";
      this.selected = index;
      this.draw();
    }
    (this.rectangles[this.selected] || this.overlay).focus({ preventScroll: true });
  }

  move(event) {
    if (!this.item) return;
    const to = this.point(event);
    if (!this.drag) {
      const corner = this.corner(to);
      const isFalling = corner && (corner[0] === "x0") === (corner[1] === "y0");
      const overBox = !event.shiftKey && this.at(to) >= 0 ? "move" : "crosshair";
      this.overlay.style.cursor = corner ? `${isFalling ? "nwse" : "nesw"}-resize` : overBox;
      return;
    }
    const { from, last, corner, kind } = this.drag;
    if (!this.drag.isMoving) {
      if (Math.hypot(to[0] - from[0], to[1] - from[1]) < LEAST_DRAG_PX * this.scale) return;
      this.drag.isMoving = true;
      this.remember();
      if (kind === "new") {
        const [x, y] = from;
        this.add({ x0: x, y0: y, x1: x, y1: y, isOffered: false });
      }
    }
    const box = this.work.boxes[this.selected];
    if (kind === "move") this.moveBy([to[0] - last[0], to[1] - last[1]], box);
    else if (kind === "corner") this.pull(box, corner, to);
    else {
      const [x0, x1] = [from[0], to[0]].sort((a, b) => a - b);
      const [y0, y1] = [from[1], to[1]].sort((a, b) => a - b);
      Object.assign(box, { x0, y0, x1, y1 });
    }
    this.drag.last = to;
    this.draw();
  }

  pull(box, [left, top], [x, y]) {
    const { width_px: width, height_px: height } = this.item;
    box[left] = left === "x0" ? clamp(x, 0, box.x1 - LEAST_SIZE) : clamp(x, box.x0 + LEAST_SIZE, width);
    box[top] = top === "y0" ? clamp(y, 0, box.y1 - LEAST_SIZE) : clamp(y, box.y0 + LEAST_SIZE, height);
    box.isOffered = false;
  }

  drop() {
    if (!this.drag) return;
    const { kind, isMoving } = this.drag;
    this.drag = null;
    const box = this.work.boxes[this.selected];
    if (kind === "new" && !isMoving) this.select(-1); // a click beside all of them
    else if (kind === "new" && (box.x1 - box.x0 < LEAST_SIZE || box.y1 - box.y0 < LEAST_SIZE)) this.undoEdit();
  }

  // Drawing

  draw() {
    const { boxes } = this.work;
    const focused = this.rectangles?.indexOf(document.activeElement) ?? -1;
    const halos = boxes.map((box) => shape("rect", { ...this.place(box), class: "review-halo" }));
    this.rectangles = boxes.map((box, index) => this.rectangle(box, index));
    this.overlay.replaceChildren(...halos, ...this.rectangles, ...this.handles());
    if (focused >= 0) (this.rectangles[this.selected] || this.overlay).focus({ preventScroll: true });
    const offered = boxes.filter((box) => box.isOffered).length;
    this.summary.textContent = `${people(boxes.length)} marked${offered ? `, ${offered} as the system offered (dashed)` : ""}`;
  }

  place({ x0, y0, x1, y1 }) { return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 }; }

  rectangle(box, index) {
    const { x, y, width, height } = this.place(box);
    const where = `${Math.round(width)} by ${Math.round(height)} pixels at ${Math.round(x)}, ${Math.round(y)}`;
    const kind = `${box.isOffered ? " offered" : ""}${index === this.selected ? " selected" : ""}`;
    const rectangle = shape("rect", {
      x, y, width, height, class: `review-box${kind}`, tabindex: 0, role: "button", "data-box": index,
      "aria-label": `Box ${index + 1} of ${this.work.boxes.length}, ${where}${box.isOffered ? ", offered by the system" : ""}`,
    });
    rectangle.addEventListener("focus", () => { if (this.selected !== index && !this.drag) this.select(index); });
    return rectangle;
  }

  handles() {
    const box = this.work.boxes[this.selected];
    if (!box) return [];
    const half = HANDLE_PX * this.scale;
    return CORNERS.map(([left, top]) => shape("rect", {
      x: box[left] - half, y: box[top] - half, width: 2 * half, height: 2 * half, class: "review-handle",
    }));
  }
}
