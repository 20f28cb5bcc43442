// Words, times and numbers of the drift pages; asks nothing and draws nothing.
export const TIERS = { calm: "as usual", watch: "unusual a moment ago", investigate: "has changed" };
export const STATES = {
  usual: "usual", unusual: "unusual", between: "in between", insufficient: "nothing can be told", suppressed: "nothing can be told",
};
export const ENDS = { cleared: "it looks as usual again", accepted: "accepted", redrawn: "lines drawn anew", ignored: "ignored" };
const REFERENCES = {
  own: "the same hour of like days of this camera", "first-day": "its first day: it is young", fleet: "cameras like it: it is young",
  none: "nothing yet",
};
const REMEDIES = { camera: "Somebody at the camera can mend it.", model: "A model that knows it can mend it.", none: "" };

export const referenceText = (reference) => REFERENCES[reference] || reference;
export const remedyText = (remedy) => REMEDIES[remedy] || "";
export const statisticText = (name, words) => words[name] || name.replaceAll("_", " ");
export const momentText = (iso) => new Date(iso).toLocaleString([], { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const hourText = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
export const windowText = ({ begin_at: begin, end_at: end }) => `${momentText(begin)} to ${hourText(end)}`;
/** Three digits are as many as anybody compares. */
export const numberText = (value) => Number(value.toPrecision(3)).toLocaleString(undefined, { maximumSignificantDigits: 3 });
export const timesText = (ratio) => `${ratio.toFixed(1)} × its threshold`;

export function agoText(iso, now = Date.now()) {
  const minutes = Math.max(0, Math.round((now - new Date(iso)) / 60000));
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

/** "contrast fell from 52 to 21, 3.4 × its threshold". */
export function evidenceText(name, { score, threshold, usual, now }, words) {
  const way = now < usual ? "fell" : "rose";
  const far = threshold > 0 ? `, ${timesText(score / threshold)}` : "";
  return `${statisticText(name, words)} ${way} from ${numberText(usual)} to ${numberText(now)}${far}`;
}

/** "Counts since 12:00 mean something else than they say: it looks elsewhere." Spans as the counts API has them, oldest first. */
export function invalidText(spans) {
  const text = (iso) => (new Date(iso).toDateString() === new Date().toDateString() ? hourText(iso) : momentText(iso));
  const times = spans.map(({ since, until }) => (until ? `from ${text(since)} to ${text(until)}` : `since ${text(since)}`));
  return `Counts ${times.join(" and ")} mean something else than they say: ${spans.at(-1).means}.`;
}
