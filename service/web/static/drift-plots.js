// Statistics of one camera over time: what each shows beside what is usual, and how far that is.
import { make } from "./common.js";
import { shape } from "./drift-timeline.js";
import { numberText, statisticText } from "./drift-words.js";

const WIDTH = 300, VALUES = 58, BARS = 26, GAP = 6;
const MOST = 4;
export const FIRST = 6;

/** Names, those that belong to the cause first, then by how far they are; of the window given. */
export function ordered(verdict) {
  const ratio = ({ score, threshold }) => (threshold > 0 ? score / threshold : 0);
  const all = Object.entries(verdict.statistics || {}).sort(([, a], [, b]) => ratio(b) - ratio(a)).map(([name]) => name);
  const first = verdict.evidence.filter((name) => all.includes(name));
  return [...first, ...all.filter((name) => !first.includes(name))];
}

/** One plot; `verdicts` oldest first, between `since` and `until`, with `verdict` the one that is chosen. */
export function plot(name, { verdicts, verdict, words, since, until }) {
  const points = verdicts.flatMap((each) => {
    const found = each.statistics?.[name];
    return found ? [{ ...found, begin: Date.parse(each.begin_at), end: Date.parse(each.end_at) }] : [];
  });
  const { score, threshold, usual, now } = verdict.statistics[name];
  const x = (ms) => ((ms - since) / (until - since)) * WIDTH;
  const all = points.flatMap((each) => [each.usual, each.now]);
  // Two spreads at least, or the noise of what never changes would look like news.
  const spread = Math.max(...points.map((each) => (each.shift ? Math.abs((each.now - each.usual) / each.shift) : 0)));
  const low = Math.min(...all, usual - 2 * spread), high = Math.max(...all, usual + 2 * spread);
  const y = (value) => (high > low ? VALUES - 4 - ((value - low) / (high - low)) * (VALUES - 8) : VALUES / 2);
  const svg = shape("svg", {
    viewBox: `0 0 ${WIDTH} ${VALUES + GAP + BARS}`, preserveAspectRatio: "none", class: "plot", role: "img",
    "aria-label": `${statisticText(name, words)}: usually ${numberText(usual)}, now ${numberText(now)}`,
  });
  svg.append(shape("path", { d: path(points, (each) => y(each.usual), x), class: "plot-usual" }));
  svg.append(shape("path", { d: path(points, (each) => y(each.now), x), class: "plot-now" }));
  for (const each of points) {
    const ratio = each.threshold > 0 ? Math.min(MOST, each.score / each.threshold) : 0;
    const height = (ratio / MOST) * BARS;
    svg.append(shape("rect", {
      x: x(each.begin), width: Math.max(0.6, x(each.end) - x(each.begin)), y: VALUES + GAP + BARS - height, height,
      class: ratio > 1 ? "bar-unusual" : "bar-usual",
    }));
  }
  const line = VALUES + GAP + BARS - BARS / MOST;
  svg.append(shape("line", { x1: 0, x2: WIDTH, y1: line, y2: line, class: "threshold" }));
  const at = x((Date.parse(verdict.begin_at) + Date.parse(verdict.end_at)) / 2);
  svg.append(shape("line", { x1: at, x2: at, y1: 0, y2: VALUES + GAP + BARS, class: "plot-at" }));
  const ratio = threshold > 0 ? score / threshold : 0;
  return make("figure", { "data-statistic": name, class: verdict.evidence.includes(name) ? "is-evidence" : "" },
    make("figcaption", {}, make("strong", {}, statisticText(name, words)),
      make("span", { class: ratio > 1 ? "far" : "muted" }, `${ratio.toFixed(1)}×`)),
    svg,
    make("p", { class: "muted" }, `usually ${numberText(usual)}, now ${numberText(now)}`));
}

/** A line with a gap wherever a window is missing. */
function path(points, y, x) {
  let d = "";
  let last = null;
  for (const each of points) {
    const isNext = last !== null && each.begin - last < 1.5 * (each.end - each.begin);
    d += `${isNext ? "L" : "M"}${x(each.begin).toFixed(1)} ${y(each).toFixed(1)}L${x(each.end).toFixed(1)} ${y(each).toFixed(1)}`;
    last = each.end;
  }
  return d;
}
