// Requests for a better model on the models page: how far the one that runs is, and what became of the others.
import { Problem, api, make, percent, repeat } from "./common.js";

const SHOWN = 10;
const OUTCOMES = {
  promoted: "promoted", rejected: "rejected by its gates", insufficient_labels: "too few labels", failed: "failed", cancelled: "cancelled",
};
const element = (id) => document.getElementById(id);
const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
let drawn = "";

/** Seconds in words; a guess is not told to the second. */
export function aboutText(seconds) {
  if (seconds < 60) return "less than a minute";
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${(seconds / 3600).toFixed(1)} h`;
}

const isOver = ({ state }) => state === "ended";
const whereText = ({ cameras }) => cameras.join(", ") || "all";

function outcome(request) {
  if (!isOver(request)) return request.cancel_at ? "is being cancelled" : request.state;
  return OUTCOMES[request.outcome] || request.outcome;
}

/** The loss and what it is made of. */
function lossText({ loss, losses }) {
  const parts = Object.entries(losses).map(([part, value]) => `${part} ${value.toFixed(2)}`);
  return loss.toFixed(3) + (parts.length ? ` (${parts.join(", ")})` : "");
}

function showNow(request) {
  const card = element("retrain-now");
  card.hidden = !request;
  if (!request) return;
  const { progress } = request;
  const fill = make("span", { class: "bar-fill" });
  fill.style.width = `${(progress?.done || 0) * 100}%`;
  const facts = [];
  if (!progress) facts.push(request.state === "waiting" ? "waits to be started" : `started ${when(request.launched_at)}; its run told nothing yet`);
  else {
    facts.push(`stage ${progress.number} of ${progress.stages}, ${progress.stage}: ${progress.what}`);
    if (progress.epoch !== null) facts.push(`epoch ${progress.epoch.toFixed(1)} of ${progress.epochs.toFixed(0)}`);
    if (progress.loss !== null) facts.push(`loss ${lossText(progress)}`);
    if (progress.left_s !== null && !progress.stale) facts.push(`${aboutText(progress.left_s)} left`);
  }
  const cancel = make("button", { type: "button", "data-changes": "", class: "quiet", onclick: () => stop(request) }, "Cancel");
  cancel.disabled = request.cancel_at !== null;
  card.replaceChildren(
    make("div", { class: "heading small" }, make("strong", {}, `${request.cause}: ${request.reason}`), make("span", { class: "grow" }), cancel),
    make("div", { class: "retrain-bar", role: "progressbar", "aria-label": "How far the retraining is", "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-valuenow": progress?.done === null || !progress ? null : Math.round(progress.done * 100) },
      make("span", { class: "bar" }, fill), make("span", { class: "muted" }, progress?.done === null || !progress ? "not planned yet" : percent(progress.done))),
    make("p", {}, facts.join(" · ")),
    ...(progress?.stale ? [make("p", { class: "error", role: "alert" }, `It told nothing since ${when(progress.at)}: it may be gone. What is shown is of that time.`)] : []),
  );
}

async function stop(request) {
  if (!window.confirm("End this retraining? What it has done so far is lost.")) return;
  await act(() => api(`/api/v1/retrains/${request.id}/cancel`, { method: "POST" }), "The service does not answer; the retraining may go on.");
}

async function act(wanted, unanswered) {
  const problem = element("problem");
  try {
    await wanted();
    problem.hidden = true;
  } catch (error) {
    problem.textContent = error instanceof Problem ? error.message : unanswered;
    problem.hidden = false;
  }
  await show().catch(() => null); // the next turn shows it
}

/** What somebody can do about an end: label what was missing, ask again. */
function remedies(request) {
  const found = [];
  if (request.outcome === "insufficient_labels") {
    found.push(make("a", { href: `/review?unit=frame&batch=${request.id}`, "data-changes": "" }, "Label the frames"));
  }
  if (request.outcome === "insufficient_labels" || request.outcome === "failed") {
    found.push(make("button", { type: "button", class: "quiet", "data-changes": "", onclick: () => askAgain(request) }, "Ask again"));
  }
  return found;
}

async function askAgain({ cause, cameras, reason }) {
  if (!element("by").reportValidity()) return;
  const body = { cause, cameras, reason, asked_by: element("by").value.trim(), force: true };
  await act(() => api("/api/v1/retrains", { method: "POST", body }), "The service does not answer; it may have been asked.");
}

function row(request) {
  return make("tr", { "data-request": request.id }, make("td", {}, when(request.asked_at)), make("td", {}, request.asked_by),
    make("td", {}, `${request.cause}: ${request.reason}`), make("td", {}, whereText(request)),
    make("td", { class: request.outcome === "failed" ? "models-bad" : request.outcome === "promoted" ? "models-good" : null }, outcome(request)),
    make("td", {}, request.note, ...remedies(request).flatMap((each) => [" ", each])));
}

async function show() {
  const found = await api(`/api/v1/retrains?limit=${SHOWN}`);
  const text = JSON.stringify(found);
  if (text === drawn) return;
  drawn = text;
  const active = found.find((request) => !isOver(request));
  showNow(active);
  element("retrains-summary").textContent = active ? (active.state === "running" ? "one runs" : "one waits") : "";
  element("retrains").replaceChildren(...found.map(row));
  element("no-retrains").hidden = found.length > 0;
}

repeat(show, 3000);
