// One camera's windows as bars, its episodes as bands: chosen by mouse, touch or arrow keys.
import { windowText, STATES, timesText } from "./drift-words.js";

const HEIGHT = 190;
const TOP = 22, BOTTOM = 24, LEFT = 34, RIGHT = 8;
const MOST = 5; // × threshold: whatever is beyond reaches the top
const DAY_MS = 86400000;

export const shape = (tag, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

export class Timeline {
  /** `onChoose` is told the chosen window whenever it is another one. */
  constructor(host, onChoose) {
    this.host = host;
    this.onChoose = onChoose;
    this.verdicts = [];
    this.chosen = -1;
    this.svg = shape("svg", { role: "slider", tabindex: 0, "aria-label": "Windows, oldest first; arrow keys choose one", class: "timeline" });
    host.append(this.svg);
    this.svg.addEventListener("pointerdown", (event) => this.at(event));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(host);
  }

  /** Show windows, oldest first; the one that was chosen stays so, else the newest is. */
  show({ verdicts, episodes, acceptances, since, until }) {
    const before = this.verdicts[this.chosen]?.begin_at;
    Object.assign(this, { verdicts, episodes, acceptances, since: since.getTime(), until: until.getTime() });
    const again = verdicts.findIndex((each) => each.begin_at === before);
    this.choose(again >= 0 ? again : verdicts.length - 1, true);
  }

  choose(index, isNew = false) {
    const to = Math.max(0, Math.min(this.verdicts.length - 1, index));
    if (!this.verdicts.length) this.chosen = -1;
    else if (to === this.chosen && !isNew) return;
    else this.chosen = to;
    this.draw();
    this.onChoose(this.verdicts[this.chosen] || null);
  }

  at(event) {
    if (!this.verdicts.length) return;
    const at = this.since + ((event.offsetX - LEFT) / (this.width - LEFT - RIGHT)) * (this.until - this.since);
    const far = ({ begin_at: begin, end_at: end }) => Math.abs((Date.parse(begin) + Date.parse(end)) / 2 - at);
    this.choose(this.verdicts.reduce((best, each, index) => (far(each) < far(this.verdicts[best]) ? index : best), 0));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageUp: -24, PageDown: 24, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.choose(this.chosen + steps[event.key]);
  }

  x(iso) { return LEFT + ((Date.parse(iso) - this.since) / (this.until - this.since)) * (this.width - LEFT - RIGHT); }

  within(from, to) {
    const begin = Math.max(LEFT, this.x(from));
    return { x: begin, width: Math.max(0, Math.min(this.width - RIGHT, this.x(to)) - begin) };
  }

  draw() {
    this.width = this.host.clientWidth;
    if (!this.width || !this.since) return;
    const largest = Math.max(1.5, ...this.verdicts.map(({ ratio }) => Math.min(MOST, ratio ?? 0)));
    this.y = (ratio) => HEIGHT - BOTTOM - (Math.min(ratio, largest) / largest) * (HEIGHT - TOP - BOTTOM);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.svg.setAttribute("height", HEIGHT);
    const now = this.verdicts[this.chosen];
    const bounds = { "aria-valuemin": 0, "aria-valuemax": Math.max(0, this.verdicts.length - 1), "aria-valuenow": Math.max(0, this.chosen) };
    for (const [name, value] of Object.entries(bounds)) this.svg.setAttribute(name, value);
    this.svg.setAttribute("aria-valuetext", now ? describe(now) : "no window");
    this.svg.replaceChildren(...this.bands(), ...this.grid(largest), ...this.verdicts.flatMap((each, index) => this.bar(each, index)), ...this.marks());
  }

  bands() {
    return this.episodes.flatMap((episode) => {
      const { x, width } = this.within(episode.since_at, episode.closed_at || new Date(this.until).toISOString());
      if (width <= 0) return [];
      const band = shape("rect", { x, y: 0, width, height: HEIGHT - BOTTOM, class: `band${episode.invalidates_counts ? " band-invalid" : ""}` });
      const title = shape("text", { x: x + 4, y: 14, class: "band-text" }, episode.cause.name);
      return width > 9 * episode.cause.name.length ? [band, title] : [band];
    });
  }

  grid(largest) {
    const parts = [];
    for (const ratio of [1, ...[2, 3, 4, 5].filter((each) => each < largest)]) {
      const y = this.y(ratio);
      parts.push(shape("line", { x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y, class: ratio === 1 ? "threshold" : "rule" }));
      parts.push(shape("text", { x: LEFT - 6, y: y + 4, class: "axis axis-y" }, `${ratio}×`));
    }
    const span = this.until - this.since;
    const hours = span <= DAY_MS / 4 ? 0.5 : 6;
    const stepMs = span <= 2 * DAY_MS ? hours * 3600000 : Math.ceil(span / DAY_MS / Math.max(2, Math.floor(this.width / 90))) * DAY_MS;
    const first = new Date(this.since);
    first.setHours(0, 0, 0, 0);
    for (let at = first.getTime(); at < this.until; at += stepMs) {
      const day = new Date(at);
      if (at < this.since) continue;
      const x = this.x(day.toISOString());
      const words = stepMs < DAY_MS ? { hour: "2-digit", minute: "2-digit" } : { weekday: "short", day: "numeric" };
      const text = day.toLocaleString([], words);
      parts.push(shape("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: "rule" }));
      if (x < this.width - 52) parts.push(shape("text", { x: x + 3, y: HEIGHT - 8, class: "axis" }, text));
    }
    parts.push(shape("line", { x1: LEFT, x2: this.width - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: "base" }));
    return parts;
  }

  bar(verdict, index) {
    const { x, width } = this.within(verdict.begin_at, verdict.end_at);
    if (width <= 0) return [];
    const gap = width > 4 ? 1 : 0;
    const isTold = verdict.ratio !== null && verdict.state in { usual: 1, between: 1, unusual: 1 };
    const top = isTold ? this.y(verdict.ratio) : HEIGHT - BOTTOM - 7;
    const bar = shape("rect", {
      x, width: Math.max(1, width - gap), y: Math.min(top, HEIGHT - BOTTOM - 2), height: Math.max(2, HEIGHT - BOTTOM - top),
      class: isTold ? `bar-${verdict.state}` : "bar-blank", "data-begin": verdict.begin_at,
    });
    if (index !== this.chosen) return [bar];
    const middle = x + width / 2;
    return [bar, shape("path", { d: `M${middle - 6} ${HEIGHT - BOTTOM + 9} l6 -8 l6 8 z`, class: "chosen" })];
  }

  marks() {
    return this.acceptances.filter(({ at }) => Date.parse(at) >= this.since).map(({ at }) => {
      const x = this.x(at);
      return shape("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: "accepted" });
    });
  }
}

/** What a window told, in one line. */
export function describe(verdict) {
  const parts = [STATES[verdict.state]];
  if (verdict.ratio !== null) parts.push(timesText(verdict.ratio));
  if (verdict.cause) parts.push(verdict.cause.name);
  return `${windowText(verdict)}: ${parts.join(", ")}`;
}
