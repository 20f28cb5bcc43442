// Clips: somebody counts who crosses the line while the film plays; only then the system's count is shown beside it.
import { make } from "./common.js";
import { pictureUrl, shape } from "./review-stage.js";

const SPEEDS = [0.5, 1, 1.5, 2, 3, 4];
const STEP_S = 0.1; // until the film told how long its frames are
const DIRECTIONS = { i: "in", o: "out" };
const TIMELINE = { width: 600, height: 58 };

const count = (marks, direction) => marks.filter((mark) => mark.direction === direction).length;
const seconds = (value) => `${value.toFixed(1)} s`;

export class Clips {
  constructor({ summary, timeline, comparison, onSay, onGoOn, onProblem }) {
    Object.assign(this, { summary, timeline, comparison, onSay, onGoOn, onProblem });
    this.ahead = 3; // films are large
    this.overlay = shape("svg", { id: "boxes", "aria-hidden": "true" });
    this.item = null;
    this.video = null;
    this.speed = 1;
    this.works = new Map(); // sample → {presses, furthest, answer, isSaid}
    this.timeline.addEventListener("pointerdown", (event) => this.seekTo(event));
  }

  // As a whole in memory: it can be stepped through both ways, whatever the service lets one ask for.
  load(item) {
    const element = make("video", { playsinline: "", preload: "auto", "aria-label": "Film to count in" });
    element.muted = true;
    const asked = new AbortController();
    const loaded = { element, isReady: false };
    loaded.ready = fetch(pictureUrl(item), { signal: asked.signal }).then(async (answer) => {
      if (!answer.ok) return false;
      loaded.url = URL.createObjectURL(await answer.blob());
      const isThere = new Promise((done) => {
        element.addEventListener("loadeddata", () => done(true), { once: true });
        element.addEventListener("error", () => done(false), { once: true });
      });
      element.src = loaded.url;
      loaded.isReady = await isThere;
      return loaded.isReady;
    }).catch(() => false);
    loaded.drop = () => {
      asked.abort();
      element.pause();
      if (loaded.url) URL.revokeObjectURL(loaded.url);
    };
    return loaded;
  }

  text({ presses }) { return `${count(presses, "in")} in, ${count(presses, "out")} out`; }

  show(item, said, video) {
    this.item = item;
    this.video = video;
    if (!this.works.has(item.id)) {
      this.works.set(item.id, { presses: [...(said?.presses || [])], furthest: 0, answer: null, isSaid: Boolean(said) });
    }
    this.stepS = item.detail.fps ? 1 / item.detail.fps : STEP_S;
    this.lastFrame = null;
    video.playbackRate = this.speed;
    video.currentTime = 0;
    video.onplay = video.onpause = video.onended = video.onseeked = video.ontimeupdate = () => this.tell();
    this.watchFrames(video);
    this.drawLine();
    this.tell();
  }

  hide() { this.video?.pause(); }

  get work() { return this.works.get(this.item.id); }

  get duration() { return this.video.duration || this.item.detail.seconds || 1; }

  get isOver() { return this.work.furthest >= this.duration - this.stepS - 0.05; }

  // Playing

  watchFrames(video) {
    if (!video.requestVideoFrameCallback) return;
    const next = (_, { mediaTime }) => {
      const step = Math.abs(mediaTime - (this.lastFrame ?? mediaTime));
      if (step > 0.001) this.stepS = Math.min(this.stepS, step);
      this.lastFrame = mediaTime;
      if (this.video === video) {
        this.tell();
        video.requestVideoFrameCallback(next);
      }
    };
    video.requestVideoFrameCallback(next);
  }

  play() {
    if (this.video.paused) this.video.play().catch((error) => this.onProblem(error.message));
    else this.video.pause();
  }

  step(frames) {
    this.video.pause();
    // To the middle of a frame: its beginning is sometimes still the one before.
    const now = this.lastFrame ?? this.video.currentTime;
    this.video.currentTime = Math.min(this.duration, Math.max(0, now + (frames + 0.5) * this.stepS));
  }

  changeSpeed(by) {
    const index = SPEEDS.indexOf(this.speed) + by;
    this.speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, index))];
    this.video.playbackRate = this.speed;
    this.tell();
  }

  /** Where the timeline was clicked; while counting, no further than was watched. */
  seekTo(event) {
    if (!this.video) return;
    const box = this.timeline.getBoundingClientRect();
    const wanted = ((event.clientX - box.left) / box.width) * this.duration;
    this.video.currentTime = Math.min(Math.max(0, wanted), this.work.isSaid ? this.duration : this.work.furthest);
  }

  // Counting

  press(direction) {
    if (this.work.isSaid) return;
    this.work.presses.push({ at_s: Math.round(this.video.currentTime * 1000) / 1000, direction });
    this.tell();
  }

  /** Also what the key z does first. */
  undoEdit() {
    const { work } = this;
    if (work.isSaid || !work.presses.length) return false;
    work.presses.pop();
    this.tell();
    return true;
  }

  enter() {
    const { work, item } = this;
    if (work.isSaid) {
      this.onGoOn();
      return;
    }
    if (!this.isOver) {
      this.onProblem(`Watch it to the end first: ${seconds(this.duration - work.furthest)} are left.`);
      return;
    }
    work.isSaid = true;
    this.video.pause();
    const presses = [...work.presses].sort((a, b) => a.at_s - b.at_s);
    this.onSay({ presses }).then((answer) => {
      if (answer) work.answer = answer;
      else work.isSaid = false; // refused
      if (this.item === item) this.tell();
    });
    this.tell();
  }

  key({ key, repeat }) {
    if (key === "," || key === ".") this.step(key === "." ? 1 : -1);
    else if (repeat) return key === " ";
    else if (DIRECTIONS[key]) this.press(DIRECTIONS[key]);
    else if (key === " ") this.play();
    else if (key === "[" || key === "]") this.changeSpeed(key === "]" ? 1 : -1);
    else if (key === "Backspace") { if (!this.work.isSaid) this.undoEdit(); }
    else if (key === "Enter") this.enter();
    else return false;
    return true;
  }

  /** The newest word of a clip was taken back: its presses stay to be corrected. */
  reopen(id) {
    const work = this.works.get(id);
    if (work) Object.assign(work, { isSaid: false, answer: null });
  }

  // Drawing

  drawLine() {
    const { width_px: width, height_px: height, detail } = this.item;
    this.overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const [ax, ay] = [detail.start[0] * width, detail.start[1] * height];
    const [bx, by] = [detail.end[0] * width, detail.end[1] * height];
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const [nx, ny] = [-(by - ay) / length, (bx - ax) / length]; // to the right of start→end on screen: in
    const size = Math.max(width, height) / 22;
    const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
    const [tx, ty] = [mx + nx * size, my + ny * size];
    const part = size / 4;
    const head = [[tx + nx * part, ty + ny * part], [tx - ny * part, ty + nx * part], [tx + ny * part, ty - nx * part]];
    const label = shape("text", {
      x: tx + nx * size * 0.7, y: ty + ny * size * 0.7, class: "review-label", "text-anchor": "middle",
      "dominant-baseline": "middle", "font-size": size * 0.55,
    });
    label.textContent = "in";
    const line = { x1: ax, y1: ay, x2: bx, y2: by };
    this.overlay.replaceChildren(
      shape("line", { ...line, class: "review-halo" }), shape("line", { ...line, class: "review-line" }),
      shape("line", { x1: mx, y1: my, x2: tx, y2: ty, class: "review-arrow" }),
      shape("polygon", { points: head.map((point) => point.join(",")).join(" "), class: "review-head" }), label,
    );
  }

  tell() {
    const { work, video } = this;
    work.furthest = Math.max(work.furthest, video.ended ? this.duration : video.currentTime);
    const parts = [
      `Line ${this.item.detail.line}`, `${seconds(video.currentTime)} of ${seconds(this.duration)}`,
      `speed ${this.speed}`, `you: ${this.text(work)}`,
    ];
    let next = video.paused ? "space plays" : "";
    if (work.isSaid) next = work.answer ? "Enter goes on" : "sending";
    else if (this.isOver) next = "Enter ends the count";
    this.summary.textContent = [...parts, next].filter(Boolean).join(" · ");
    this.drawTimeline();
    this.compare();
  }

  drawTimeline() {
    const { presses, answer } = this.work;
    const { width, height } = TIMELINE;
    const x = (atS) => (Math.min(atS, this.duration) / this.duration) * width;
    const rows = [["yours", presses, 4], ["the system’s", answer?.crossings || [], 32]];
    const marks = rows.flatMap(([, found, y]) => found.map(({ at_s: atS, direction }) => {
      const at = x(atS);
      // In points down, out points up: colour is not all that tells them apart.
      const [base, tip] = direction === "in" ? [y, y + 22] : [y + 22, y];
      const mark = shape("polygon", { points: `${at - 6},${base} ${at + 6},${base} ${at},${tip}`, class: `mark-${direction}` });
      const title = shape("title");
      title.textContent = `${direction} at ${seconds(atS)}`;
      mark.append(title);
      return mark;
    }));
    this.timeline.setAttribute("viewBox", `-8 0 ${width + 16} ${height}`);
    this.timeline.setAttribute("aria-label", rows.map(([whose, found]) => `${whose}: ${
      found.map((mark) => `${mark.direction} at ${seconds(mark.at_s)}`).join(", ") || "none"}`).join("; "));
    this.timeline.replaceChildren(
      ...rows.map(([, , y]) => shape("rect", { x: 0, y, width, height: 22, class: "mark-row" })),
      shape("rect", { x: 0, y: 27, width: x(this.work.furthest), height: 4, class: "mark-watched" }),
      ...marks, shape("line", { x1: x(this.video.currentTime), x2: x(this.video.currentTime), y1: 0, y2: height, class: "mark-now" }),
    );
  }

  compare() {
    const { presses, answer } = this.work;
    this.comparison.hidden = !answer;
    if (!answer) return;
    const rows = ["in", "out"].map((direction) => {
      const [yours, systems] = [count(presses, direction), answer.counted[direction]];
      const difference = systems - yours;
      return make("tr", { "data-direction": direction }, make("th", { scope: "row" }, direction === "in" ? "In" : "Out"),
        ...[yours, systems, difference > 0 ? `+${difference}` : difference].map((value) => make("td", {}, String(value))));
    });
    this.comparison.querySelector("tbody").replaceChildren(...rows);
  }
}
