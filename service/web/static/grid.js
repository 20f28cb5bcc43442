// The grid: states and counts of all cameras; pictures only of tiles that can be seen.
import { api, countText, isWatched, localMidnight, percent, qualityText, repeat, showCoverage, showState, sinceText, truthText } from "./common.js";
import { agoText, invalidText } from "./drift-words.js";

const PICTURE_MS = 500;
const tiles = new Map();
const visible = new Set();
const text = (id, value) => { document.getElementById(id).textContent = value; };

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const id = entry.target.dataset.camera;
    if (entry.isIntersecting) visible.add(id);
    else visible.delete(id);
  }
}, { rootMargin: "100px" });

for (const element of document.querySelectorAll(".tile")) {
  const find = (selector) => element.querySelector(selector);
  tiles.set(element.dataset.camera, {
    element, image: find("img"), empty: find("[data-empty]"), pill: find(".pill"), detail: find("[data-detail]"),
    idText: find("[data-detail]").textContent, in: find("[data-in]"), out: find("[data-out]"), now: find("[data-now]"),
    bar: find("[data-bar]"), coverage: find("[data-coverage]"), state: "connecting", sequence: null, shown: null,
  });
  watcher.observe(element);
}
text("since", `counted ${sinceText()}`);

repeat(async () => {
  const cameras = await api("/api/v1/live");
  let live = 0;
  for (const camera of cameras) {
    if (isWatched(camera.state)) live += 1;
    const tile = tiles.get(camera.camera);
    if (!tile) continue;
    tile.state = camera.state;
    tile.sequence = camera.sequence;
    showState(tile.pill, camera.state, camera.detail);
    tile.now.textContent = camera.people === null ? "–" : camera.people;
    tile.detail.textContent = isWatched(camera.state) || !camera.detail ? tile.idText : camera.detail;
    tile.detail.title = tile.detail.textContent;
    if (!isWatched(camera.state)) {
      tile.image.hidden = true;
      tile.empty.hidden = false;
      tile.empty.textContent = camera.detail || "No picture";
      tile.shown = null;
    }
  }
  text("total-live", `${live} / ${cameras.length}`);
}, 1000);

repeat(async () => {
  const { rows, invalid } = await api(`/api/v1/counts?bucket=day&since=${localMidnight().toISOString()}`, { timeoutMs: 30000 });
  const sums = new Map();
  for (const row of rows) {
    const sum = sums.get(row.camera) || { in: 0, out: 0, buckets: new Map() };
    sum.in += row.in;
    sum.out += row.out;
    sum.buckets.set(row.bucket_at, row); // coverage belongs to the camera: every line repeats it
    sums.set(row.camera, sum);
  }
  let all = { in: 0, out: 0, watched: 0, seconds: 0 };
  for (const [id, sum] of sums) {
    let watched = 0, seconds = 0;
    for (const row of sum.buckets.values()) { watched += row.watched_s; seconds += row.seconds; }
    all = { in: all.in + sum.in, out: all.out + sum.out, watched: all.watched + watched, seconds: all.seconds + seconds };
    const tile = tiles.get(id);
    if (!tile) continue;
    tile.in.textContent = countText(sum.in, watched);
    tile.out.textContent = countText(sum.out, watched);
    showCoverage(tile.bar, tile.coverage, watched, seconds);
  }
  const elsewhere = new Map();
  for (const span of invalid) elsewhere.set(span.camera, [...(elsewhere.get(span.camera) || []), span]);
  for (const [id, tile] of tiles) {
    const note = tile.element.querySelector("[data-invalid]");
    note.hidden = !elsewhere.has(id);
    if (elsewhere.has(id)) note.textContent = invalidText(elsewhere.get(id));
  }
  document.getElementById("total-invalid").hidden = elsewhere.size === 0;
  text("total-invalid", `These totals hold counts of ${elsewhere.size === 1 ? "one camera" : `${elsewhere.size} cameras`} that looked elsewhere today: ${[...elsewhere.keys()].join(", ")}. They are counted, and mean something else.`);
  text("total-in", countText(all.in, all.watched));
  text("total-out", countText(all.out, all.watched));
  text("total-coverage", all.seconds > 0 ? percent(Math.min(1, all.watched / all.seconds)) : "–");
}, 3000);

// Whether the machine is large enough for its cameras.
const STAGES = { decode: "decoding", detect: "the detector", count: "tracking and counting", other: "records and pages" };
repeat(async () => {
  const { capacity } = await api("/api/v1/system");
  text("total-capacity", capacity === null ? "–" : percent(capacity.ratio));
  text("total-capacity-about", capacity === null ? "" : capacity.ratio > 1
    ? `too small: ${capacity.available_fps.toFixed(0)} of ${capacity.needed_fps.toFixed(0)} analyses a second; most goes into ${STAGES[capacity.limiting_stage]}`
    : `room for ${capacity.cameras_possible} such cameras in all`);
}, 5000);

// How right it is, as far as somebody has looked.
repeat(async () => {
  const { checked_at: checkedAt, estimates } = await api("/api/v1/quality");
  const reviewed = estimates.filter((each) => each.measure === "precision_reviewed");
  const site = reviewed.find((each) => each.scope === "site");
  const isKnown = site && site.value !== null;
  text("total-precision", isKnown ? percent(site.value) : "–");
  let about = "no monitor has checked within a day";
  if (isKnown) about = `${percent(site.lower)} to ${percent(site.upper)}, ${site.n} verdicts`;
  else if (checkedAt) about = `${site ? qualityText(site) : "not reviewed"}`;
  text("total-precision-about", about);
  for (const each of reviewed.filter(({ scope }) => scope === "camera")) {
    const element = tiles.get(each.camera)?.element.querySelector("[data-precision]");
    if (!element) continue;
    element.hidden = false;
    element.textContent = `Precision ${each.value === null ? `– verdicts: ${qualityText(each)}` : qualityText(each)}`;
    element.title = `${each.definition}; n = ${each.n}`;
  }
}, 30000);

// Which have changed.
repeat(async () => {
  for (const { camera, episode } of (await api("/api/v1/drift")).cameras) {
    const line = tiles.get(camera)?.element.querySelector("[data-drift]");
    if (!line) continue;
    line.hidden = !episode;
    if (episode) line.firstElementChild.textContent = `Has changed: ${episode.cause.name} for ${agoText(episode.since_at)}`;
  }
}, 30000);

// Drawn cameras know the truth.
repeat(async () => {
  for (const element of document.querySelectorAll("[data-simulated] [data-truth]")) {
    const id = element.closest("[data-camera]").dataset.camera;
    // Before its first picture a scene has no truth yet.
    const truth = await api(`/api/v1/cameras/${id}/truth`).catch(() => null);
    if (truth) element.textContent = truthText(truth);
  }
}, 3000);

// At most three pictures on their way at once: browsers allow six connections, and the figures need theirs.
async function refresh(tile) {
  try {
    const width = Math.min(960, Math.ceil(tile.element.clientWidth * Math.min(devicePixelRatio, 2)));
    const sequence = tile.sequence;
    const answer = await fetch(`/api/v1/cameras/${tile.element.dataset.camera}/snapshot.jpg?width=${width}`,
      { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) return;
    const address = URL.createObjectURL(await answer.blob());
    const old = tile.image.src;
    tile.image.src = address;
    await tile.image.decode().catch(() => null);
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
    tile.shown = sequence;
    tile.image.hidden = !isWatched(tile.state);
    tile.empty.hidden = isWatched(tile.state);
  } catch { /* the next round tries again; the banner tells when the service is away */ }
}

async function pictures() {
  for (;;) {
    const started = performance.now();
    const queue = document.hidden ? [] : [...visible].map((id) => tiles.get(id)).filter((tile) => isWatched(tile.state));
    await Promise.all([0, 1, 2].map(async () => {
      while (queue.length) await refresh(queue.shift());
    }));
    await new Promise((done) => { setTimeout(done, Math.max(50, PICTURE_MS - (performance.now() - started))); });
  }
}
pictures();

// Adding a camera
const dialog = document.getElementById("add-dialog");
const form = document.getElementById("add-form");
const problem = document.getElementById("add-problem");
const probeAnswer = document.getElementById("probe-answer");
const show = (element, message) => { element.textContent = message; element.hidden = !message; };

const cost = document.getElementById("add-cost");
let asked = 0;

// What one more camera would cost, before it is added.
async function showCost() {
  asked += 1;
  const mine = asked;
  const { target_fps: fps } = form.elements;
  const told = fps.checkValidity() && fps.value
    ? await api(`/api/v1/admission?target_fps=${Number(fps.value)}`).catch(() => undefined) : undefined;
  if (mine !== asked) return; // another rate was typed meanwhile
  cost.classList.toggle("warning", told ? !told.fits : false);
  show(cost, told ? told.summary : told === null ? "What it costs is known when a camera has run for some seconds." : "");
}
form.elements.target_fps.addEventListener("input", showCost);

document.getElementById("add").addEventListener("click", () => {
  show(problem, "");
  show(probeAnswer, "");
  showCost();
  dialog.showModal();
});
document.getElementById("add-cancel").addEventListener("click", () => dialog.close());

document.getElementById("probe").addEventListener("click", async (event) => {
  show(problem, "");
  show(probeAnswer, "Opening the stream…");
  event.target.disabled = true;
  try {
    const found = await api("/api/v1/cameras/probe", {
      method: "POST", timeoutMs: 30000,
      body: { url: form.elements.url.value.trim(), transport: form.elements.transport.value },
    });
    show(probeAnswer, found.ok ? `It works: ${found.summary}` : "");
    if (!found.ok) show(problem, found.summary);
  } catch (error) {
    show(probeAnswer, "");
    show(problem, error.message);
  }
  event.target.disabled = false;
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  show(problem, "");
  const { url, id, name, transport, target_fps: fps, loop } = form.elements;
  try {
    const camera = await api("/api/v1/cameras", {
      method: "POST",
      body: {
        url: url.value.trim(), id: id.value.trim(), name: name.value.trim(), transport: transport.value,
        target_fps: Number(fps.value), loop: loop.checked,
      },
    });
    if (camera.admission && !camera.admission.fits) sessionStorage.setItem(`admitted ${camera.id}`, camera.admission.summary);
    location.assign(`/cameras/${camera.id}#edit`);
  } catch (error) {
    show(problem, error.message);
    form.elements[error.errors?.[0]?.field]?.focus();
  }
});
