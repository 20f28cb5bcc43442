// The review page: who judges, what is next, what was said and how far all is. How one kind is judged is in
// review-tracks.js, review-frames.js and review-clips.js; review-outbox.js sends it.
import { api, make } from "./common.js";
import { Clips } from "./review-clips.js";
import { Frames } from "./review-frames.js";
import { Outbox } from "./review-outbox.js";
import { Tracks } from "./review-tracks.js";

const LEAST = 60; // items, before more are asked for
const ASK_FOR = 100;
const MOST = 1000; // that the API gives at once
const LOOK_AGAIN_MS = 60000;
const SLOW_MS = 300;
const NAME = "footfall-reviewer";
const BATCH = "batch:";
const REASONS = {
  drifted: "the camera is not as it was", uncertain: "found doubtfully", short: "seen for a moment only",
  disagreeing: "a stronger model sees something else",
};
const DONE = { track: "judged", frame: "marked", clip: "counted" };

const byId = (id) => document.getElementById(id);
const stage = byId("stage");
const cameras = new Map();
let reviewer = "";
let unit = "track";
let batches = new Map(); // request → how far its batch is

// The queue of one reviewer, unit and camera; all of it begins anew with `begin`.
let items = [];
let at = 0;
let turn = 0; // of beginnings: what was asked for before is of no use after
let known = new Set(); // samples that were given
let kept = new Set(); // of these, those of which the service has a word
let loading = null;
let exhausted = false;
let said = new Map(); // sample → what was said of it here, newest last
let spoken = []; // {id, key}: samples in the order in which something was said of them
let shownId = null; // what is on the stage: nothing else can be judged
let pictures = new Map();

const outbox = new Outbox({
  onChange: showUnsent,
  onRefused: (why) => problem(`Not done: ${why}`),
  onEmpty: () => Promise.all([overview(), listBatches()]).catch(() => null),
});
const parts = { onSay: say, onUndo: undo, onProblem: problem };
const views = {
  track: new Tracks(parts),
  frame: new Frames({ ...parts, summary: byId("frame-summary") }),
  clip: new Clips({
    ...parts, summary: byId("clip-summary"), timeline: byId("timeline"), comparison: byId("comparison"), onGoOn: () => step(1),
  }),
};

// What is next

function prefetch() {
  const view = views[unit];
  const wanted = items.slice(at, at + view.ahead + 1);
  for (const item of wanted) if (!pictures.has(item.id)) pictures.set(item.id, view.load(item));
  const near = new Set([...items.slice(Math.max(0, at - view.ahead), at), ...wanted].map((item) => item.id));
  for (const [id, loaded] of pictures) {
    if (!near.has(id)) {
      loaded.drop();
      pictures.delete(id);
    }
  }
  if (items.length - at <= LEAST && !exhausted && !loading) {
    const asked = more().catch((error) => problem(error.message)).finally(() => { if (loading === asked) loading = null; });
    loading = asked;
  }
}

async function more() {
  const mine = turn;
  const camera = byId("camera").value;
  // What was skipped or is still on its way is given again.
  const limit = Math.min(MOST, ASK_FOR + known.size - kept.size);
  const query = new URLSearchParams({ reviewer, unit, limit });
  if (batchId()) query.set("batch", batchId());
  else query.set("queue", byId("queue").value);
  if (camera) query.set("camera", camera);
  const found = await api(`/api/v1/review/next?${query}`);
  if (mine !== turn) return;
  const fresh = found.filter((item) => !known.has(item.id) && !outbox.has(item.id));
  exhausted = fresh.length === 0;
  for (const item of fresh) known.add(item.id);
  items.push(...fresh);
  if (fresh.length) prefetch();
  tellLeft();
}

let showing = 0;
async function show() {
  const mine = ++showing;
  const item = items[at];
  shownId = null;
  views[unit].hide?.();
  if (!item && loading) {
    await loading;
    if (mine === showing) show();
    return;
  }
  if (!item) {
    tellEmpty();
    return;
  }
  prefetch();
  tellLeft();
  const loaded = pictures.get(item.id);
  let isThere = loaded.isReady;
  if (!isThere) {
    const slow = setTimeout(() => { if (mine === showing) message("Fetching it…"); }, SLOW_MS);
    isThere = await loaded.ready;
    clearTimeout(slow);
  }
  if (mine !== showing) return; // gone on meanwhile
  tellAbout(item);
  if (!isThere) {
    message(`Its ${unit === "clip" ? "film" : "picture"} cannot be shown; skip it with →.`);
    return;
  }
  const before = (said.get(item.id) || []).at(-1);
  if (before) announce(`You said: ${views[unit].text(before)}`);
  message("");
  loaded.element.id = "sheet";
  stage.replaceChildren(loaded.element, views[unit].overlay);
  stage.hidden = false;
  stage.dataset.sample = item.id;
  byId("controls").disabled = false;
  shownId = item.id;
  views[unit].show(item, before, loaded.element);
}

/** Of the retraining whose batch is labelled; empty for a queue. */
const batchId = () => (byId("queue").value.startsWith(BATCH) ? byId("queue").value.slice(BATCH.length) : "");

/** Batches that wait for labels, as further queues; `wanted`, or else the chosen one, is there whatever is left of it. */
async function listBatches(wanted = batchId()) {
  const found = await api("/api/v1/review/batches");
  for (const option of byId("queue").querySelectorAll(`[value^="${BATCH}"]`)) if (option.value !== byId("queue").value) option.remove();
  batches = new Map(found.map((each) => [each.request, each]));
  for (const batch of found.filter((each) => each.waiting + each.second + each.third > 0 || each.request === wanted)) {
    const value = BATCH + batch.request;
    const option = byId("queue").querySelector(`[value="${value}"]`) || byId("queue").appendChild(make("option", { value }));
    const again = batch.second + batch.third;
    option.textContent = `retraining for ${batch.cause}: ${batch.labelled} of ${batch.frames}${again ? ` + ${again}` : ""}`;
  }
  if (reviewer && batchId() && !items[at] && !loading) tellEmpty(); // it may wait for other people by now
}

/** What of the batch waits for other people, who do not see what was marked before. */
function others() {
  const { second = 0, third = 0 } = batches.get(batchId()) || {};
  const frames = (number) => `${number} ${number === 1 ? "frame" : "frames"}`;
  const told = [];
  if (second) told.push(`${frames(second)} for a second person, drawn to tell how people agree`);
  if (third) told.push(`${frames(third)} for a third person, as two differ, and unused until then`);
  return told.length ? ` Still waiting: ${told.join("; ")}.` : "";
}

function message(...texts) {
  byId("message").replaceChildren(make("span", {}, ...texts));
  const isEmpty = texts.join("") === "";
  byId("message").hidden = isEmpty;
  if (!isEmpty) {
    stage.hidden = true;
    byId("controls").disabled = true;
  }
}

function announce(text) { byId("said").textContent = text; }

function tellAbout(item) {
  const camera = cameras.get(item.camera);
  byId("about").textContent = `${camera?.name || item.camera} · ${new Date(item.taken_at).toLocaleString()}`;
  const why = item.reason ? ` Drawn because: ${REASONS[item.reason] || item.reason}.` : "";
  byId("purpose").textContent = camera?.sampling ? `Kept for: ${camera.sampling.purpose.replace(/\.$/, "")}.${why}` : "";
}

function tellLeft() {
  const left = items.length - at;
  byId("left").textContent = reviewer && left > 0 ? `${left}${exhausted ? "" : " or more"} to go` : "";
}

// Nothing on the stage, and why.
function tellEmpty() {
  byId("about").textContent = "";
  byId("purpose").textContent = "";
  byId("left").textContent = "";
  const camera = cameras.get(byId("camera").value);
  const asked = camera ? [camera] : [...cameras.values()];
  const skipped = items.filter((item) => !said.get(item.id)?.length).length;
  const leave = [
    " Allow it, with the purpose, in the settings: ", make("code", {}, "cameras[].sampling"), " (",
    make("a", { href: "/api/v1/openapi.json" }, "or over the API"), "; docs/sampling.md tells how).",
  ];
  if (!reviewer) message("Enter your name to begin. It is kept beside what you say.");
  else if (skipped) message(`That was all, but for ${skipped} that you skipped: ← goes back to them.`);
  else if (batchId()) {
    message("Every frame of this batch is labelled that still has a picture. Ask for the retraining again on ", make("a", { href: "/models" }, "Models"), ".", others());
  } else if (items.length) message(`You have ${DONE[unit]} all there is. An hour’s samples come when the hour is over.`);
  else if (!cameras.size) message("There is no camera yet, so there is nothing to judge.");
  else if (!asked.some((each) => each.sampling)) {
    message(camera ? "This camera has no leave to keep pictures for review, so there is nothing to judge."
      : "No camera has leave to keep pictures for review, so there is nothing to judge.", ...leave);
  } else message(`Nothing is waiting: you have ${DONE[unit]} all there is, or nothing was drawn yet. An hour’s samples come when the hour is over.`);
}

setInterval(() => {
  if (!reviewer || document.hidden || items[at] || loading) return;
  exhausted = false;
  prefetch();
  show();
}, LOOK_AGAIN_MS);

// What is said

/** Resolves to the answer of the service; the page does not wait for it. */
function say(content) {
  const item = items[at];
  said.set(item.id, [...(said.get(item.id) || []), content]);
  const mine = turn;
  const { key, answered } = outbox.label({ sample: item.id, reviewer, ...content });
  spoken.push({ id: item.id, key });
  answered.then((answer) => { if (answer && mine === turn) kept.add(item.id); });
  problem("");
  announce(`Kept: ${views[unit].text(content)}. z takes it back.`);
  if (unit !== "clip") { // of a clip the comparison is shown first
    at += 1;
    show();
  }
  return answered;
}

async function undo() {
  if (shownId && views[unit].undoEdit()) return;
  const last = spoken.pop();
  if (!last) {
    undoEarlier().catch((error) => problem(error.message));
    return;
  }
  const { id, key } = last;
  said.get(id).pop();
  const mine = turn;
  outbox.undo(reviewer, key).then(() => { if (mine === turn && !said.get(id).length) kept.delete(id); });
  views[unit].reopen?.(id);
  announce("Taken back.");
  at = items.findIndex((item) => item.id === id);
  show();
}

/** What was said before this page was opened, or of another kind, is not on this page: ask first. */
async function undoEarlier() {
  if (outbox.messages.length) {
    problem("Some of what was said is still on its way; try again when it is there.");
    return;
  }
  if (!confirm("Nothing was said here yet. Take back what you said last before, of whatever it was?")) return;
  // Not sent again by itself: without an answer nobody knows which is the newest.
  const undone = await api("/api/v1/review/undo", { method: "POST", body: { reviewer } });
  await begin();
  await loading;
  const index = items.findIndex((item) => item.id === undone.sample);
  if (index >= 0) {
    at = index;
    await show();
  }
  announce("Taken back; it waits to be judged again.");
}

function step(by) {
  const to = at + by;
  if (to < 0 || to > items.length) return;
  at = to;
  problem("");
  announce("");
  show();
}

function showUnsent(waiting, fault) {
  byId("away").hidden = !fault;
  if (fault) byId("away").textContent = `${waiting} not sent yet, trying again: ${fault}. Nothing is lost; leave this page open.`;
  byId("unsent").textContent = waiting > 3 && !fault ? `${waiting} on their way` : "";
}

// Not the banner: that one tells whether the service answers.
function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

// How far, and how reviewers agree

async function overview() {
  const rows = await api("/api/v1/review/progress");
  byId("progress").replaceChildren(...rows.map((row) => make("tr", { "data-camera": row.camera },
    make("th", { scope: "row" }, cameras.get(row.camera)?.name || row.camera),
    ...["right", "wrong", "unsure", "open"].map((name) => make("td", {}, String(row[name]))),
    make("td", { class: row.missing ? "muted" : "strong" }, row.missing ? `after ${row.missing} more` : "can be told"))));
  byId("progress").parentElement.hidden = rows.length === 0;
  byId("no-progress").hidden = rows.length > 0;
  const { pairs, conflicts, frames, disputes } = await api("/api/v1/review/agreement");
  const shown = (value) => (value === null ? "–" : value.toFixed(2));
  const both = ({ first, second }, number, what) => `${first} and ${second}, ${number} ${what}${number === 1 ? "" : "s"}`;
  byId("agreement").replaceChildren(
    ...pairs.map((pair) => make("div", {}, make("dt", {}, both(pair, pair.samples, "sample")), make("dd", {}, `κ ${shown(pair.kappa)}`))),
    ...frames.map((pair) => make("div", {}, make("dt", {}, both(pair, pair.frames, "frame")),
      make("dd", {}, `κ ${shown(pair.kappa)}, boxes ${shown(pair.f1)}`))),
  );
  byId("no-agreement").hidden = pairs.length + frames.length > 0;
  const differ = conflicts.length + disputes.length;
  byId("conflicts").textContent = differ ? `${differ} in conflict` : "";
}

// Keys and buttons

const KEYS = { z: undo, ArrowLeft: () => step(-1), ArrowRight: () => step(1) };

function press(event) {
  if (!reviewer) return false;
  if (shownId && views[unit].key(event)) return true;
  const isOurs = KEYS[event.key] && !event.altKey && !event.shiftKey && !event.repeat;
  // Also of a sample that cannot be shown, and at the end, the newest word can be taken back.
  if (isOurs) KEYS[event.key]();
  else if (event.key === "Backspace" && unit === "track" && !event.repeat) undo();
  else return false;
  return true;
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) return;
  if ((event.key === "Enter" || event.key === " ") && event.target.closest("button, a, summary")) return;
  if (press(event)) event.preventDefault();
});
for (const button of document.querySelectorAll("[data-key]")) {
  button.addEventListener("click", (event) => {
    if (event.detail) button.blur(); // pressed by mouse: the space key shall not press it again
    press({ key: button.dataset.key });
  });
}

// Beginning

async function begin() {
  turn += 1;
  if (batchId()) unit = "frame"; // a batch has no others
  items = []; at = 0; known = new Set(); kept = new Set(); exhausted = false; said = new Map(); spoken = []; loading = null;
  for (const loaded of pictures.values()) loaded.drop();
  pictures = new Map();
  for (const view of Object.values(views)) view.works?.clear();
  for (const element of document.querySelectorAll("[data-for]")) element.hidden = element.dataset.for !== unit;
  for (const button of document.querySelectorAll("[data-unit]")) button.setAttribute("aria-pressed", String(button.dataset.unit === unit));
  byId("review").dataset.unit = unit;
  const place = new URLSearchParams();
  if (unit !== "track") place.set("unit", unit);
  if (byId("camera").value) place.set("camera", byId("camera").value);
  if (batchId()) place.set("batch", batchId());
  else if (byId("queue").value !== "random") place.set("queue", byId("queue").value);
  history.replaceState(null, "", `${location.pathname}${place.size ? `?${place}` : ""}`);
  byId("comparison").hidden = true;
  problem("");
  announce("");
  stage.hidden = true;
  if (reviewer) prefetch();
  await show();
}

function rename(name) {
  reviewer = name;
  byId("as").textContent = name;
  byId("asking").hidden = Boolean(name);
  byId("asked").hidden = !name;
}

byId("who").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("reviewer").value.trim();
  if (!name) {
    byId("reviewer").focus();
    return;
  }
  localStorage.setItem(NAME, name);
  byId("reviewer").blur();
  rename(name);
  begin();
});
byId("change").addEventListener("click", () => {
  rename("");
  begin();
  byId("reviewer").focus();
  byId("reviewer").select();
});
for (const id of ["camera", "queue"]) byId(id).addEventListener("change", () => { byId(id).blur(); begin(); });
for (const button of document.querySelectorAll("[data-unit]")) {
  button.addEventListener("click", (event) => {
    if (event.detail) button.blur();
    unit = button.dataset.unit;
    if (batchId() && unit !== "frame") byId("queue").value = "random";
    begin();
  });
}

const place = new URLSearchParams(location.search);
byId("camera").value = place.get("camera") || "";
if (byId("camera").selectedIndex < 0) byId("camera").value = "";
if (place.get("queue") === "targeted") byId("queue").value = "targeted";
if (views[place.get("unit")]) unit = place.get("unit");
byId("reviewer").value = localStorage.getItem(NAME) || "";
rename(byId("reviewer").value);
const listed = api("/api/v1/cameras").then((found) => { for (const camera of found) cameras.set(camera.id, camera); });
await listed.catch((error) => problem(error.message));
const batch = place.get("batch") || "";
await listBatches(batch).catch((error) => problem(error.message));
if (batch && byId("queue").querySelector(`[value="${BATCH}${CSS.escape(batch)}"]`)) byId("queue").value = BATCH + batch;
outbox.flush();
overview().catch((error) => problem(error.message));
await begin();
