// The drift page: which cameras have changed, and one camera's view with what to do about it. The windows are drawn by
// drift-timeline.js, the statistics by drift-plots.js; what can be done is in drift-say.js.
import { api, make, repeat } from "./common.js";
import { FIRST, ordered, plot } from "./drift-plots.js";
import { actionsOf, buttons, confirmed } from "./drift-say.js";
import { Timeline, describe } from "./drift-timeline.js";
import {
  ENDS, TIERS, agoText, evidenceText, invalidText, momentText, referenceText, remedyText,
} from "./drift-words.js";

const LOOK_AGAIN_MS = 15000;
const SHORT_MS = 10 * 60000;
const STALE_MS = 3 * 3600000;
const COMMON_SHARE = 0.2;
const COMMON_LEAST = 3;
const DAY_MS = 86400000;
const WIDE = matchMedia("(min-width: 981px)");

const byId = (id) => document.getElementById(id);
const nameOf = ({ camera, name }) => name || camera;
let overview = { cameras: [], statistics: {}, learning_days: 0, batch_h: 0 };
let chosen = null; // id of the camera that is shown
let one = null; // what is known of it
let showsAll = false; // statistics
let turn = 0; // of choices: what was asked for before is of no use after

const timeline = new Timeline(byId("windows"), showWindow);

// Which cameras have changed

function groupOf({ enabled, episode, verdict }) {
  if (episode) return "look";
  if (!enabled || !verdict || verdict.state === "insufficient" || verdict.state === "suppressed") return "silent";
  return verdict.tier === "calm" ? "calm" : "watch";
}

function lineOf(camera) {
  const { episode, verdict, enabled } = camera;
  if (episode) return `${episode.cause.name} for ${agoText(episode.since_at)} · ${episode.cause.next_step}`;
  if (!enabled) return "switched off";
  if (!verdict) return "no window was judged yet";
  if (groupOf(camera) === "watch") return verdict.cause ? `${verdict.cause.name}, not for long` : "unusual, not for long";
  if (groupOf(camera) === "silent") return verdict.note || "too little is known";
  return camera.learning_until ? `learns what is usual until ${momentText(camera.learning_until)}` : "";
}

function row(camera) {
  const parts = [make("strong", {}, nameOf(camera))];
  if (!camera.counts_valid) parts.push(make("span", { class: "tag tag-bad" }, "counts invalid"));
  const line = lineOf(camera);
  if (line) parts.push(make("span", { class: "muted drift-line" }, line));
  const link = make("a", { href: address(camera.camera), "data-camera": camera.camera }, ...parts);
  if (camera.camera === chosen) link.setAttribute("aria-current", "true");
  return make("li", {}, link);
}

function showList() {
  const wanted = byId("find").value.trim().toLowerCase();
  const isWanted = ({ camera, name }) => !wanted || camera.toLowerCase().includes(wanted) || name.toLowerCase().includes(wanted);
  const groups = { look: [], watch: [], silent: [], calm: [] };
  for (const camera of overview.cameras) if (isWanted(camera)) groups[groupOf(camera)].push(camera);
  // A camera whose counts mean something else comes first, then the one that has been so for longest.
  groups.look.sort((a, b) => Number(a.counts_valid) - Number(b.counts_valid) || a.episode.since_at.localeCompare(b.episode.since_at));
  const focused = document.activeElement?.closest?.("#list-title ~ * [data-camera]")?.dataset.camera;
  for (const element of document.querySelectorAll("[data-group]")) {
    const cameras = groups[element.dataset.group];
    element.hidden = cameras.length === 0;
    element.querySelector("[data-number]").textContent = String(cameras.length);
    element.querySelector("ul").replaceChildren(...cameras.map(row));
    if (wanted && element.tagName === "DETAILS") element.open = cameras.length > 0;
  }
  if (focused) document.querySelector(`.drift-list [data-camera="${CSS.escape(focused)}"]`)?.focus();
  byId("nothing").hidden = Boolean(wanted) || groups.look.length + groups.watch.length > 0 || overview.cameras.length === 0;
}

function showCommon() {
  const causes = new Map();
  for (const { episode } of overview.cameras) {
    if (episode) causes.set(episode.cause.name, (causes.get(episode.cause.name) || 0) + 1);
  }
  const [cause, number] = [...causes].sort((a, b) => b[1] - a[1])[0] || [null, 0];
  const isCommon = number >= COMMON_LEAST && number >= COMMON_SHARE * overview.cameras.length;
  byId("common").hidden = !isCommon;
  byId("common").textContent = isCommon ? `${number} of ${overview.cameras.length} cameras: ${cause}. `
    + "One cause on many cameras speaks for weather, light, season or recorder rather than for one camera." : "";
}

function showStale() {
  const { checked_at: checked } = overview;
  const isStale = !checked || Date.now() - new Date(checked) > STALE_MS;
  byId("checked").textContent = checked ? `judged ${agoText(checked)} ago` : "";
  byId("stale").hidden = !isStale || overview.cameras.length === 0;
  byId("stale").textContent = checked ? `No window was judged for ${agoText(checked)}: is footfall-monitor run up?`
    : "No monitor has judged a camera yet: footfall-monitor run does, an hour after it started.";
}

async function refresh() {
  overview = await api("/api/v1/drift");
  showList();
  showCommon();
  showStale();
  const now = overview.cameras.find(({ camera }) => camera === chosen);
  if (now && one && JSON.stringify(now) !== JSON.stringify(one.camera)) await load();
}

// One camera

const address = (camera) => `/drift?${new URLSearchParams({ camera, days: byId("days").value })}`;

async function choose(camera, { isByHand = true } = {}) {
  chosen = camera;
  one = null;
  showsAll = false;
  byId("done").textContent = "";
  hideReport();
  history.replaceState(null, "", address(camera));
  showList();
  await load();
  if (isByHand && one) {
    byId("one-title").focus({ preventScroll: true });
    byId("one").scrollIntoView({ block: WIDE.matches ? "nearest" : "start" });
  }
}

async function load() {
  const mine = ++turn;
  const camera = overview.cameras.find((each) => each.camera === chosen);
  problem("");
  if (!camera) {
    for (const element of document.querySelectorAll("#one > .card")) element.hidden = element.id !== "choose";
    byId("choose").firstElementChild.textContent = `There is no camera ${chosen}.`;
    return;
  }
  const until = new Date();
  const since = new Date(until.getTime() - Number(byId("days").value) * DAY_MS);
  const of = (values) => new URLSearchParams({ camera: chosen, ...values });
  try {
    const [verdicts, episodes, acceptances, detail] = await Promise.all([
      api(`/api/v1/drift/verdicts?${of({ since: since.toISOString(), until: until.toISOString() })}`, { timeoutMs: 30000 }),
      api(`/api/v1/drift/episodes?${of({})}`),
      api(`/api/v1/drift/cameras/${encodeURIComponent(chosen)}/acceptances`),
      camera.episode ? api(`/api/v1/drift/episodes/${camera.episode.id}`) : null,
    ]);
    if (mine !== turn) return;
    one = { camera, verdicts, episodes, acceptances, detail, since, until };
  } catch (error) {
    if (mine === turn) problem(error.message);
    return;
  }
  for (const element of document.querySelectorAll("#one > .card")) element.hidden = element.id === "choose";
  showSummary();
  showPictures();
  showTrail();
  timeline.show(one); // tells the window, and with it the statistics
}

function showSummary() {
  const { camera } = one;
  const { episode, verdict } = camera;
  const group = groupOf(camera);
  byId("one-title").textContent = nameOf(camera);
  byId("open-camera").href = `/cameras/${encodeURIComponent(camera.camera)}`;
  const tier = episode ? "investigate" : group === "silent" ? "silent" : verdict.tier === "investigate" ? "watch" : verdict.tier;
  byId("tier").dataset.tier = tier;
  byId("tier").textContent = TIERS[tier] || "nothing can be told";
  const cause = episode?.cause || (group === "watch" ? verdict.cause : null);
  byId("what").replaceChildren();
  if (cause) byId("what").append(make("strong", {}, cause.name), `: ${cause.means}`);
  if (episode) byId("what").append(`, since ${momentText(episode.since_at)} (${agoText(episode.since_at)})`);
  if (!cause) byId("what").textContent = lineOf(camera) || "It looks as it usually does at this hour.";
  const others = cause && verdict?.others.length ? verdict.others : [];
  if (others.length) byId("what").append(`. Could also be: ${others.join(", ")}`);
  byId("invalid").hidden = camera.counts_valid;
  if (!camera.counts_valid) byId("invalid").textContent = invalidText([{ since: episode.since_at, until: null, means: cause.means }]);
  byId("next").hidden = !cause;
  byId("next-step").textContent = cause ? `${cause.next_step}.` : "";
  byId("remedy").textContent = cause ? remedyText(cause.remedy) : "";
  const learning = camera.learning_until ? ` It learns what is usual until ${momentText(camera.learning_until)}.` : "";
  byId("compared").textContent = verdict ? `Compared with ${referenceText(verdict.reference)}.${learning}` : "";
  const isDrawing = episode?.batch_until && new Date(episode.batch_until) > new Date();
  byId("batch").hidden = !episode?.batch_until;
  const labelled = { href: `/review?${new URLSearchParams({ unit: "frame", queue: "targeted", camera: camera.camera })}` };
  if (episode?.batch_until) {
    byId("batch").replaceChildren(`Pictures for labels ${isDrawing ? "are" : "were"} drawn until ${momentText(episode.batch_until)}: `, make("a", labelled, "label them"), ".");
  }
  byId("actions").replaceChildren(...buttons(actionsOf({ ...camera, learning_days: overview.learning_days, batch_h: overview.batch_h }), act));
}

async function act(action) {
  const told = await confirmed(action);
  if (told === null) return;
  await refresh();
  await load();
  byId("done").textContent = told;
  byId("one-title").focus();
}

// What a window told

function showWindow(verdict) {
  if (!one) return;
  byId("window").textContent = verdict ? [describe(verdict), verdict.note].filter(Boolean).join("; ") : "No window of this time was judged.";
  const statistics = verdict?.statistics || {};
  byId("evidence").replaceChildren(...(verdict?.state === "unusual" || verdict?.state === "between" ? verdict.evidence : [])
    .filter((name) => statistics[name]).map((name) => make("li", {}, evidenceText(name, statistics[name], overview.statistics))));
  showStatistics(verdict);
  byId("report-line").hidden = !verdict?.has_report;
  if (verdict?.has_report) byId("report-json").href = `${reportOf(verdict)}?format=json`;
  if (byId("report").dataset.of !== reportOf(verdict)) hideReport();
}

function showStatistics(verdict) {
  const names = verdict ? ordered(verdict) : [];
  byId("statistics").hidden = names.length === 0;
  const [since, until] = [one.since.getTime(), one.until.getTime()];
  byId("plots").replaceChildren(...names.slice(0, showsAll ? undefined : FIRST).map((name) => plot(name, {
    verdicts: one.verdicts, verdict, words: overview.statistics, since, until,
  })));
  byId("more").hidden = names.length <= FIRST;
  byId("more").textContent = showsAll ? "Show the first only" : `Show all ${names.length}`;
}

const reportOf = (verdict) => (verdict ? `/api/v1/drift/reports/${encodeURIComponent(verdict.camera)}/${encodeURIComponent(verdict.begin_at)}` : "");

function hideReport() {
  byId("report").replaceChildren();
  byId("report").hidden = true;
  delete byId("report").dataset.of;
  byId("show-report").setAttribute("aria-expanded", "false");
  byId("show-report").textContent = "Show the report";
}

byId("show-report").addEventListener("click", () => {
  if (!byId("report").hidden) {
    hideReport();
    return;
  }
  const verdict = timeline.verdicts[timeline.chosen];
  // Neither the origin nor the rights of this page: it runs the scripts of a library, over values that came from cameras.
  byId("report").replaceChildren(make("iframe", { src: reportOf(verdict), sandbox: "allow-scripts", title: `Evidently’s report, ${describe(verdict)}` }));
  byId("report").dataset.of = reportOf(verdict);
  byId("report").hidden = false;
  byId("show-report").setAttribute("aria-expanded", "true");
  byId("show-report").textContent = "Hide the report";
});
byId("more").addEventListener("click", () => {
  showsAll = !showsAll;
  showStatistics(timeline.verdicts[timeline.chosen]);
});

// Before and since

function showPictures() {
  const { detail, camera } = one;
  byId("pictures").hidden = !detail;
  if (!detail) return;
  const figure = (what, found) => make("figure", { "data-picture": what },
    found ? make("img", {
      src: `/api/v1/samples/${found.sample}/picture`, width: found.width_px, height: found.height_px, loading: "lazy",
      alt: `${nameOf(camera)} ${what === "before" ? "before it changed" : "since it changed"}`,
    }) : make("div", { class: "drift-no-picture" }, "no picture"),
    make("figcaption", { class: "muted" }, `${what === "before" ? "Before" : "Since"}${found ? `, ${momentText(found.taken_at)}` : ""}`));
  byId("pair").replaceChildren(...["before", "after"].map((what) => figure(what, detail[what])));
  byId("pair").hidden = !detail.before && !detail.after;
  byId("no-pictures").hidden = Boolean(detail.before && detail.after);
  byId("no-pictures").textContent = camera.can_sample ? "Sampled frames come when their hour is over and go when their time is over."
    : "No picture of it is kept: sampling is off for this camera.";
}

// What happened before

function showTrail() {
  const { episodes, acceptances } = one;
  const entries = [
    ...episodes.map((each) => ({ at: each.since_at, element: [
      make("strong", {}, each.cause.name), ` ${each.closed_at ? `for ${agoText(each.since_at, new Date(each.closed_at))}` : "still"}`,
      each.end ? `, ended ${momentText(each.closed_at)}: ${ENDS[each.end]}` : "",
      each.closed_by && each.end !== "cleared" ? ` by ${each.closed_by}` : "", each.note ? ` – ${each.note}` : "",
    ] })),
    ...acceptances.map((each) => ({ at: each.at, element: [
      `${each.by === "monitor" ? "it began to be learned" : each.begins_at ? "its new view accepted" : "days accepted"}, by ${each.by}`, each.note ? ` – ${each.note}` : "",
    ] })),
  ].sort((a, b) => b.at.localeCompare(a.at));
  byId("trail-list").replaceChildren(...entries.map(({ at, element }) => make("li", {}, make("time", { datetime: at }, momentText(at)), make("span", {}, ...element))));
  byId("no-trail").hidden = entries.length > 0;
}

function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
  if (text) byId("course").hidden = false;
}

// Beginning

document.querySelector(".drift-list").addEventListener("click", (event) => {
  const link = event.target.closest("a[data-camera]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choose(link.dataset.camera);
});
byId("find").addEventListener("input", showList);
byId("days").addEventListener("change", () => { history.replaceState(null, "", address(chosen)); load(); });

const place = new URLSearchParams(location.search);
byId("days").value = place.get("days") || "7";
if (byId("days").selectedIndex < 0) byId("days").value = "7";
let isFirst = true;
repeat(async () => {
  await refresh();
  if (!isFirst) return;
  isFirst = false;
  // A demonstration has windows of seconds: a week of them is a line.
  const lengths = overview.cameras.flatMap(({ verdict }) => (verdict ? [new Date(verdict.end_at) - new Date(verdict.begin_at)] : []));
  if (!place.get("days") && lengths.length && Math.min(...lengths) < SHORT_MS) byId("days").value = "0.125";
  const first = overview.cameras.find(({ camera }) => camera === document.querySelector("[data-group=look] [data-camera]")?.dataset.camera);
  const wanted = place.get("camera") || (WIDE.matches ? first?.camera : null);
  if (wanted) await choose(wanted, { isByHand: false });
}, LOOK_AGAIN_MS);
