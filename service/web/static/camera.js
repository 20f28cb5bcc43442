// One camera: its stream, totals, people now and events; the editor is in editor.js.
import { api, clockText, countText, isWatched, localMidnight, make, percent, qualityText, repeat, showCoverage, showState, sinceText, stateText } from "./common.js";
import { agoText, invalidText, momentText } from "./drift-words.js";
import { Editor } from "./editor.js";

const MAX_EVENTS = 30;
const byId = (id) => document.getElementById(id);
const cameraId = byId("camera").dataset.camera;
const base = `/api/v1/cameras/${cameraId}`;
const picture = byId("picture");
const message = byId("stage-message");
let state = "connecting";
byId("since").textContent = sinceText();

// It was just added, and the machine is too small for it.
const admitted = sessionStorage.getItem(`admitted ${cameraId}`);
sessionStorage.removeItem(`admitted ${cameraId}`);
byId("admitted").hidden = !admitted;
byId("admitted").textContent = admitted || "";

// Picture
const openStream = () => { picture.src = `${base}/stream.mjpg?width=1280&t=${Date.now()}`; };
picture.addEventListener("error", () => { setTimeout(openStream, 2000); });
openStream();

repeat(async () => {
  const now = await api(`${base}/live`);
  state = now.state;
  showState(byId("state"), now.state, now.detail);
  byId("rate").textContent = isWatched(now.state) ? `· ${now.fps.toFixed(1)} analyses a second · ${now.detail}` : "";
  byId("people").textContent = now.people ?? "–";
  const hasPicture = picture.naturalWidth > 0;
  picture.classList.toggle("shown", hasPicture);
  message.hidden = isWatched(state) && hasPicture;
  message.textContent = isWatched(state) ? "Waiting for a picture"
    : `${stateText(state)}${now.detail ? `: ${now.detail}` : ""}`;
  const zones = Object.entries(now.people_in_zone || {});
  byId("zones").replaceChildren(...zones.map(([zone, people]) => make("div", {}, make("dt", {}, zone), make("dd", {}, String(people)))));
}, 1000);

// Totals
async function showTotals() {
  const query = `bucket=day&camera=${cameraId}&since=${localMidnight().toISOString()}`;
  const { rows, invalid } = await api(`/api/v1/counts?${query}`);
  byId("invalid").hidden = invalid.length === 0;
  if (invalid.length) byId("invalid").textContent = invalidText(invalid);
  const lines = new Map();
  const buckets = new Map();
  for (const row of rows) {
    const sum = lines.get(row.line) || { in: 0, out: 0, effectiveIn: 0, effectiveOut: 0 };
    sum.in += row.in;
    sum.out += row.out;
    sum.effectiveIn += row.effective_in;
    sum.effectiveOut += row.effective_out;
    lines.set(row.line, sum);
    buckets.set(row.bucket_at, row);
  }
  let watched = 0, seconds = 0;
  for (const row of buckets.values()) { watched += row.watched_s; seconds += row.seconds; }
  byId("lines").replaceChildren(...[...lines].map(([name, sum]) => make("tr", { "data-line": name },
    make("td", {}, name),
    make("td", { class: "strong" }, countText(sum.in, watched)),
    make("td", { class: "strong" }, countText(sum.out, watched)),
    make("td", { title: "In and out without people who turned back" }, `${countText(sum.effectiveIn, watched)} / ${countText(sum.effectiveOut, watched)}`))));
  byId("no-lines").hidden = lines.size > 0;
  byId("lines").parentElement.hidden = lines.size === 0;
  if (lines.size) showCoverage(byId("coverage-bar"), byId("coverage"), watched, seconds);
  byId("coverage").parentElement.hidden = lines.size === 0;
}
repeat(showTotals, 3000);

// A drawn camera knows the truth.
if (byId("camera").dataset.simulated !== undefined) {
  repeat(async () => {
    const truth = await api(`${base}/truth`).catch(() => null); // none before its first picture
    if (!truth) return;
    byId("truth-since").textContent = `since ${clockText(truth.since)}`;
    byId("truth-found").textContent = String(truth.found);
    byId("truth-true").textContent = String(truth.truth);
    byId("truth-accuracy").textContent = truth.accuracy === null ? "–" : percent(Math.max(0, truth.accuracy));
  }, 3000);
}

// How right the counting is: figures with their intervals, or how much is missing.
const MEASURES = {
  precision_reviewed: "Precision, reviewed", recall_audited: "Recall, audited", count_accuracy_audited: "Count accuracy, audited",
  precision_estimated: "Precision, estimated", precision_assisted: "Precision, with a teacher's help",
  teacher_agreement: "Agreement with a teacher", count_balance_error: "In against out, yesterday",
};

repeat(async () => {
  const { checked_at: checkedAt, estimates } = await api("/api/v1/quality");
  const order = Object.keys(MEASURES);
  const mine = estimates.filter((each) => each.camera === cameraId)
    .sort((a, b) => order.indexOf(a.measure) - order.indexOf(b.measure));
  byId("quality").replaceChildren(...mine.map((each) => make("div", { title: `${each.definition}; n = ${each.n}` },
    make("dt", {}, MEASURES[each.measure] + (each.line ? `, ${each.line}` : "")),
    make("dd", each.value === null ? { class: "muted" } : {}, qualityText(each)))));
  byId("quality-since").textContent = checkedAt ? `checked ${clockText(checkedAt)}` : "";
  const why = checkedAt ? "Nothing is known yet: allow sampling for this camera and review what was drawn."
    : "No monitor has checked within a day: start footfall-monitor run.";
  byId("quality-hint").textContent = mine.length ? "" : why;
  byId("quality-hint").hidden = mine.length > 0;
}, 30000);

// Whether it looks as it usually does.
repeat(async () => {
  const { cameras } = await api("/api/v1/drift");
  const mine = cameras.find(({ camera }) => camera === cameraId);
  if (!mine) return;
  const { episode, verdict } = mine;
  let text = "No window was judged yet.";
  if (episode) text = `${episode.cause.name} for ${agoText(episode.since_at)}: ${episode.cause.means}. Next: ${episode.cause.next_step}.`;
  else if (verdict?.ratio === null) text = `Nothing can be told${verdict.note ? `: ${verdict.note}` : ""}.`;
  else if (verdict) text = `${verdict.tier === "calm" ? "As usual" : "Unusual a moment ago"}, window until ${momentText(verdict.end_at)}.`;
  byId("drift").textContent = text;
  byId("drift").classList.toggle("hint", !episode);
}, 30000);

// Events
const list = byId("events");
const known = new Set();

function row(event) {
  const time = (iso) => make("time", { datetime: iso, title: new Date(iso).toLocaleString() }, clockText(iso));
  if (event.type === "crossing") {
    const turned = event.undoes ? " (turned back)" : "";
    return make("li", {}, make("span", { class: `tag tag-${event.direction}` }, event.direction),
      make("span", {}, `${event.line}${turned}`), time(event.at));
  }
  if (event.type === "visit") {
    const outcome = event.outcome === "left" ? "left" : "lost from view";
    return make("li", {}, make("span", { class: "tag tag-zone" }, "zone"),
      make("span", {}, `${event.zone}: ${event.dwell_s.toFixed(0)} s, ${outcome}`), time(event.left_at));
  }
  return make("li", {}, make("span", { class: "tag tag-state" }, "state"), make("span", {}, stateText(event.state)), time(event.at));
}

function add(event) {
  if (event.id) {
    if (known.has(event.id)) return;
    known.add(event.id);
  }
  list.prepend(row(event));
  while (list.children.length > MAX_EVENTS) list.lastElementChild.remove();
  byId("no-events").hidden = true;
}

const loadEvents = async () => { for (const event of (await api(`${base}/events?limit=20`)).reverse()) add(event); };

let waitMs = 500;
function listen() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/api/v1/events/live?camera=${cameraId}`);
  socket.addEventListener("open", () => {
    waitMs = 500;
    byId("socket-state").textContent = "live";
    loadEvents().catch(() => null); // what came while nobody listened
  });
  socket.addEventListener("message", (received) => {
    const event = JSON.parse(received.data);
    add(event);
    if (event.type === "crossing") showTotals().catch(() => null);
  });
  socket.addEventListener("close", () => {
    byId("socket-state").textContent = "reconnecting";
    setTimeout(listen, waitMs);
    waitMs = Math.min(waitMs * 2, 15000);
  });
}
listen();

// Pause and remove
byId("enable").addEventListener("click", async (event) => {
  const enabled = event.target.dataset.enabled !== "true";
  await api(base, { method: "PATCH", body: { enabled } });
  event.target.dataset.enabled = String(enabled);
  event.target.textContent = enabled ? "Pause" : "Resume";
});
byId("remove").addEventListener("click", async () => {
  if (!confirm("Remove this camera? Its counts stay.")) return;
  await api(base, { method: "DELETE" });
  location.assign("/");
});

// Editor
const editor = new Editor({
  stage: byId("stage"), picture, overlay: byId("overlay"), panel: byId("editor"), list: byId("shapes"), help: byId("editor-help"),
  problem: byId("editor-problem"), drawLine: byId("draw-line"), drawZone: byId("draw-zone"), cancel: byId("editor-cancel"),
  save: byId("editor-save"),
  onSave: async (lines, zones) => {
    const by = localStorage.getItem("footfall-reviewer"); // as on the review page
    await api(by ? `${base}?${new URLSearchParams({ by })}` : base, { method: "PATCH", body: { lines, zones } });
    await showTotals();
  },
  onClose: () => { byId("edit").setAttribute("aria-expanded", "false"); byId("edit").focus(); },
});

async function edit() {
  const camera = await api(base);
  byId("edit").setAttribute("aria-expanded", "true");
  editor.open(camera.lines, camera.zones);
  const { cameras } = await api("/api/v1/drift");
  byId("editor-moved").hidden = cameras.find((each) => each.camera === cameraId)?.counts_valid !== false;
}
byId("edit").addEventListener("click", () => { if (byId("editor").hidden) edit(); else editor.close(); });
if (location.hash === "#edit") edit();
