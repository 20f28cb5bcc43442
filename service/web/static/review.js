// Judging tracks by keys: the next one is there at once, what was said is sent behind it, in order.
import { Problem, api, make } from "/static/common.js";

const AHEAD = 12; // pictures
const LEAST = 60; // items, before more are asked for
const ASK_FOR = 100;
const MOST = 1000; // that the API gives at once
const RETRY_MS = 2000;
const VERDICTS = { y: "right", n: "wrong", u: "unsure" };

const byId = (id) => document.getElementById(id);
const cameras = new Map();
let reviewer = "";
let items = [];
let at = 0;
let known = new Set();
let kept = new Set(); // of these, those of which the service has a word
let loading = null;
let exhausted = false;
let said = new Map(); // sample → what was said of it here, newest last
let spoken = []; // samples in the order in which something was said of them
const pictures = new Map();
const outbox = [];
let sending = false;

// What is next

function picture(item) {
  if (!pictures.has(item.id)) {
    const image = new Image();
    image.src = `/api/v1/samples/${item.id}/picture`;
    image.ready = image.decode().then(() => true, () => false);
    pictures.set(item.id, image);
  }
  return pictures.get(item.id);
}

function prefetch() {
  for (const item of items.slice(at, at + AHEAD)) picture(item);
  for (const item of items.slice(0, Math.max(0, at - AHEAD))) pictures.delete(item.id);
  if (items.length - at <= LEAST && !exhausted && !loading) {
    loading = more().finally(() => { loading = null; });
  }
}

async function more() {
  const camera = byId("camera").value;
  // What was skipped or is still on its way is given again.
  const limit = Math.min(MOST, ASK_FOR + known.size - kept.size);
  const query = new URLSearchParams({ reviewer, unit: "track", queue: "random", limit });
  if (camera) query.set("camera", camera);
  const asked = reviewer;
  const found = await api(`/api/v1/review/next?${query}`);
  if (asked !== reviewer || camera !== byId("camera").value) return;
  const fresh = found.filter((item) => !known.has(item.id));
  exhausted = fresh.length === 0;
  for (const item of fresh) known.add(item.id);
  items.push(...fresh);
  prefetch();
}

let shown = 0;
async function show() {
  const turn = ++shown;
  const item = items[at];
  if (!item && loading) {
    await loading.catch(() => null);
    if (turn === shown) show();
    return;
  }
  byId("stage").hidden = !item;
  byId("message").hidden = Boolean(item);
  byId("said").textContent = "";
  if (!item) {
    byId("about").textContent = "";
    byId("message").textContent = emptyText();
    return;
  }
  prefetch();
  const image = picture(item);
  const isThere = image.complete && image.naturalWidth > 0 ? true : await image.ready;
  if (turn !== shown) return; // gone on meanwhile
  byId("stage").hidden = !isThere;
  byId("message").hidden = isThere;
  if (!isThere) byId("message").textContent = "Its picture cannot be shown; skip it.";
  image.id = "sheet";
  image.alt = "Up to three moments of somebody who was followed, the box around each";
  byId("sheet").replaceWith(image);
  const overlay = byId("boxes");
  overlay.setAttribute("viewBox", `0 0 ${item.width_px} ${item.height_px}`);
  overlay.replaceChildren(...item.detail.views.map(({ box: [x0, y0, x1, y1] }) => {
    const rectangle = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 })) {
      rectangle.setAttribute(name, value);
    }
    return rectangle;
  }));
  const camera = cameras.get(item.camera);
  const purpose = camera?.sampling ? ` · ${camera.sampling.purpose}` : "";
  byId("about").textContent = `${camera?.name || item.camera} · ${new Date(item.taken_at).toLocaleString()}${purpose}`;
  const before = (said.get(item.id) || []).at(-1);
  byId("said").textContent = before ? `You said: ${before}` : "";
  byId("stage").dataset.sample = item.id;
}

function emptyText() {
  if (!reviewer) return "Enter your name to begin.";
  const allowed = [...cameras.values()].some((camera) => camera.sampling);
  if (!allowed) {
    return "No camera has leave to keep pictures for review, so there is nothing to judge. Set cameras[].sampling with its purpose; see docs/sampling.md.";
  }
  return "You have judged all there is. An hour's samples come when the hour is over.";
}

// What is said

function judge(verdict) {
  const item = items[at];
  if (!item || !reviewer || byId("stage").hidden) return;
  said.set(item.id, [...(said.get(item.id) || []), verdict]);
  spoken.push(item.id);
  send({ path: "/api/v1/review/labels", body: { sample: item.id, reviewer, verdict } });
  at += 1;
  show();
}

function undo() {
  const id = spoken.pop();
  if (id === undefined) return;
  said.get(id).pop();
  send({ path: "/api/v1/review/undo", body: { reviewer } });
  at = items.findIndex((item) => item.id === id);
  show();
}

function step(by) {
  const to = at + by;
  if (to < 0 || to > items.length) return;
  at = to;
  show();
}

function send(message) {
  outbox.push(message);
  flush();
}

async function flush() {
  if (sending) return;
  sending = true;
  while (outbox.length) {
    byId("unsent").textContent = outbox.length > 3 ? `${outbox.length} on their way` : "";
    try {
      const { sample, undone_at: undoneAt } = await api(outbox[0].path, { method: "POST", body: outbox[0].body });
      if (undoneAt) kept.delete(sample); else kept.add(sample);
      outbox.shift();
    } catch (error) {
      if (error instanceof Problem && error.status < 500 && ![401, 408, 429].includes(error.status)) {
        outbox.shift(); // it will never be taken: somebody deleted the sample
        problem(`Not kept: ${error.message}`);
      } else {
        byId("unsent").textContent = `${outbox.length} not sent yet, trying again: ${error.message}`;
        await new Promise((done) => { setTimeout(done, RETRY_MS); });
      }
    }
  }
  byId("unsent").textContent = "";
  sending = false;
  overview().catch(() => null);
}

// Not the banner: that one tells whether the service answers.
function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

addEventListener("beforeunload", (event) => { if (outbox.length) event.preventDefault(); });

// How far, and how reviewers agree

async function overview() {
  const rows = await api("/api/v1/review/progress");
  byId("progress").replaceChildren(...rows.map((row) => make("tr", {},
    make("th", { scope: "row" }, row.camera),
    ...["right", "wrong", "unsure", "open", "missing"].map((name) => make("td", {}, String(row[name]))))));
  const { pairs, conflicts } = await api("/api/v1/review/agreement");
  byId("agreement").replaceChildren(...pairs.map((pair) => make("div", {},
    make("dt", {}, `${pair.first} and ${pair.second}, ${pair.samples} samples`),
    make("dd", {}, `κ ${pair.kappa.toFixed(2)}`))));
  byId("no-agreement").hidden = pairs.length > 0;
  byId("conflicts").textContent = conflicts.length ? `${conflicts.length} differ` : "";
}

// Keys, buttons, beginning

const KEYS = {
  y: () => judge(VERDICTS.y), n: () => judge(VERDICTS.n), u: () => judge(VERDICTS.u),
  z: undo, Backspace: undo, ArrowLeft: () => step(-1), ArrowRight: () => step(1),
};

addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, select, textarea");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
for (const button of document.querySelectorAll("[data-key]")) {
  button.addEventListener("click", () => KEYS[button.dataset.key]());
}

async function begin() {
  reviewer = byId("reviewer").value.trim();
  if (!reviewer) {
    byId("reviewer").focus();
    return;
  }
  localStorage.setItem("footfall-reviewer", reviewer);
  items = []; at = 0; known = new Set(); kept = new Set(); exhausted = false; said = new Map(); spoken = [];
  byId("reviewer").blur();
  loading = more().catch((error) => problem(error.message)).finally(() => { loading = null; });
  await show();
}

byId("who").addEventListener("submit", (event) => { event.preventDefault(); begin(); });
byId("camera").addEventListener("change", () => { if (reviewer) { byId("camera").blur(); begin(); } });

byId("camera").value = new URLSearchParams(location.search).get("camera") || "";
byId("reviewer").value = localStorage.getItem("footfall-reviewer") || "";
for (const camera of await api("/api/v1/cameras")) cameras.set(camera.id, camera);
overview().catch((error) => problem(error.message));
if (reviewer) await show(); // somebody was quicker than the list of cameras
else if (byId("reviewer").value) await begin();
else await show();
