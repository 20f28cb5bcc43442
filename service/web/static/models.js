// The models page: who serves, who is tried out, what its gates found, who did what; a change names what was seen.
import { Problem, api, make, percent, repeat } from "./common.js";
import { openReport, openedReport } from "./models-report.js";

const element = (id) => document.getElementById(id);
const NAME_KEY = "footfall-reviewer"; // the same name as on the review page
const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
const short = (sha256) => sha256.slice(0, 12);
const FIGURES = 12; // of a gate report, so many lines are shown

let seen = 0;
let names = new Map();
let trying = null;
let drawn = "";
let wanted = new URLSearchParams(location.search).get("report"); // of a model, by its sha256

element("by").value = localStorage.getItem(NAME_KEY) || "";

const nameOf = (sha256) => (sha256 === null ? "nobody" : names.get(sha256) || short(sha256));

function tell(id, message) {
  for (const other of ["problem", "done"]) element(other).hidden = true;
  element(id).textContent = message;
  element(id).hidden = !message;
}

async function change(what, body) {
  if (!element("who").reportValidity()) return;
  const by = element("by").value.trim();
  localStorage.setItem(NAME_KEY, by);
  try {
    const made = await api(`/api/v1/models/${what}`, { method: "POST", body: { by, why: element("why").value.trim(), seen, ...body } });
    element("why").value = "";
    tell("done", made.outcome === "unchanged" ? "It is so already; nothing was changed." : `Change ${made.number}: ${sentence(made)}`);
  } catch (error) {
    tell("problem", error instanceof Problem ? error.message : "The service does not answer; nothing is known to have changed.");
  }
  await show().catch(() => null); // the next turn shows it
}

function sentence({ action, before, model, canaries }) {
  if (action === "canary") return `${nameOf(model)} is tried out on ${canaries.join(", ") || "no camera"}`;
  if (action === "withdrawn") return `${nameOf(before)} is tried out no more`;
  return `${nameOf(model)} is the champion${action === "rolled_back" ? ", back again" : ""}, after ${nameOf(before)}`;
}

function roleOf(model, state) {
  if (model.sha256 === state.champion) return "Champion";
  if (model.sha256 === state.challenger) return "Challenger";
  return model.sha256 === state.previous ? "Previous" : "";
}

function runsHere(model, { running }) {
  if (model.sha256 === running.champion) return running.canaries.length ? `all cameras but ${running.canaries.join(", ")}` : "all cameras";
  if (model.sha256 === running.challenger) return running.canaries.join(", ") || "no camera";
  return "not running";
}

/** One line of a gate report, whatever its shape: a gate's own verdict if it has one, else what it holds. */
function gateRows(gates) {
  const found = Array.isArray(gates.gates) ? gates.gates.map((gate) => [gate.name || gate.gate || "", gate]) : Object.entries(gates);
  return found.slice(0, FIGURES).map(([name, value]) => {
    const isObject = value !== null && typeof value === "object";
    const passed = isObject ? value.passed : value === "passed" ? true : value === "failed" ? false : undefined;
    const said = isObject ? value.why || value.detail || value.summary || (passed === undefined ? JSON.stringify(value) : "") : passed === undefined ? String(value) : "";
    return make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: passed === false ? "models-bad" : passed ? "models-good" : null },
      passed === undefined ? "" : passed ? "passed" : "failed"), make("td", {}, said));
  });
}

/** How far the challenger agrees on frames that it sees beside the champion. */
function shadowText({ frames, both, champion, challenger, agreement }) {
  if (agreement === null) return `${frames} frames looked at, nobody on them yet`;
  return `${percent(agreement)} on ${frames} frames: ${both} people by both, ${challenger} only by it, ${champion} only by the champion`;
}

function figure(label, value) {
  return make("div", {}, make("dt", {}, label), make("dd", {}, value));
}

/** F1 of the champion of that time and of this one, on new and old frames of the test. */
function comparedText({ compared }) {
  const parts = ["new", "old"].filter((part) => compared[part] && compared[part].champion !== null && compared[part].challenger !== null);
  return parts.map((part) => `${compared[part].champion.toFixed(3)} → ${compared[part].challenger.toFixed(3)} on ${part} frames`).join(", ");
}

function report(model) {
  openReport(model, nameOf).catch((error) => tell("problem", error instanceof Problem ? error.message : "The service does not answer."));
}

function card(model, state) {
  const role = roleOf(model, state);
  const chips = [];
  if (role) chips.push(make("span", { class: "models-role" }, role));
  if (model.rejected) chips.push(make("span", { class: "models-trouble" }, "rejected by its gates"));
  if (model.refused_at) chips.push(make("span", { class: "models-trouble" }, "refused"));
  const figures = make("dl", { class: "models-figures" },
    figure("Looks at", runsHere(model, state)),
    ...(role === "Challenger" && state.running.shadow ? [figure("Agrees", shadowText(state.running.shadow))] : []),
    ...(comparedText(model) ? [figure("F1", comparedText(model))] : []),
    figure("Threshold", model.threshold.toFixed(2)),
    figure("Size", `${(model.size_bytes / 1e6).toFixed(1)} MB`),
    figure("From", model.run ? `${model.origin}, run ${short(model.run)}` : model.origin),
    figure("Added", `${when(model.added_at)} by ${model.added_by}`),
    figure("Licence", model.licence),
    figure("sha256", make("code", { title: model.sha256 }, short(model.sha256))),
  );
  const buttons = make("div", { class: "actions" });
  const changing = (attributes, text) => make("button", { type: "button", "data-changes": "", ...attributes }, text);
  if (model.files_deleted_at) chips.push(make("span", { class: "models-trouble" }, `files removed on ${when(model.files_deleted_at)}`));
  if (role !== "Champion" && !model.files_deleted_at) {
    buttons.append(changing({ class: role === "Challenger" ? "primary" : null, onclick: () => promote(model) }, "Promote"));
    buttons.append(changing({ onclick: () => open(model, state) }, role === "Challenger" ? "Other cameras" : "Try out"));
  }
  if (role === "Challenger") buttons.append(changing({ class: "quiet", onclick: () => change("withdraw", {}) }, "Withdraw"));
  if (model.gates) buttons.append(make("button", { type: "button", class: "quiet", onclick: () => report(model) }, "Report"));
  const parts = [make("div", { class: "heading small" }, make("h2", {}, model.name), ...chips)];
  if (model.description) parts.push(make("p", { class: "hint" }, model.description));
  if (model.refusal) parts.push(make("p", { class: "error" }, model.refusal));
  parts.push(figures);
  if (model.gates) parts.push(make("table", { class: "models-gates" }, make("caption", {}, "Gates"), make("tbody", {}, ...gateRows(model.gates))));
  else parts.push(make("p", { class: "muted" }, "No gate report."));
  parts.push(buttons);
  return make("section", { class: "card models-card", "data-model": model.name, "data-role": role.toLowerCase() }, ...parts);
}

function promote(model) {
  const asks = model.rejected ? `The gates have rejected ${model.name}. Promote it all the same?` : `Make ${model.name} the champion of all cameras?`;
  if (element("who").reportValidity() && window.confirm(asks)) change("promote", { model: model.sha256, force: model.rejected });
}

function open(model, state) {
  if (!element("who").reportValidity()) return;
  trying = model;
  element("try-title").textContent = `Try out ${model.name}`;
  for (const box of element("cameras").querySelectorAll("input")) box.checked = model.sha256 === state.challenger && state.canaries.includes(box.value);
  element("try-out").showModal();
}

element("try-cancel").addEventListener("click", () => element("try-out").close());
element("try-form").addEventListener("submit", () => {
  const cameras = [...element("cameras").querySelectorAll("input:checked")].map((box) => box.value);
  change("canary", { model: trying.sha256, cameras, force: trying.rejected });
});
element("who").addEventListener("submit", (event) => event.preventDefault());
element("rollback").addEventListener("click", () => {
  if (element("who").reportValidity() && window.confirm(`${element("rollback").title}?`)) change("rollback", {});
});

function showBanners(state) {
  const pinned = element("pinned");
  pinned.hidden = state.running.pinned === null;
  pinned.textContent = `FOOTFALL_MODEL pins ${state.running.pinned}: it serves, whatever is promoted here.`;
  element("refused").hidden = state.running.follows;
  element("refused").textContent = "A model that is wanted was refused; the one that ran before goes on. See below why.";
}

async function show() {
  const state = await api("/api/v1/models");
  const text = JSON.stringify(state);
  if (text === drawn) return; // nothing under the pointer is replaced without need
  drawn = text;
  seen = state.number;
  names = new Map(state.models.map((model) => [model.sha256, model.name]));
  const order = { Champion: 0, Challenger: 1, Previous: 2, "": 3 };
  const sorted = [...state.models].sort((a, b) => order[roleOf(a, state)] - order[roleOf(b, state)]);
  element("models").replaceChildren(...sorted.map((model) => card(model, state)));
  element("summary").textContent = `champion ${nameOf(state.champion)}${state.challenger ? `, ${nameOf(state.challenger)} tried out on ${state.canaries.join(", ") || "no camera"}` : ""}`;
  element("log").replaceChildren(...state.log.map((entry) => make("tr", {}, make("td", {}, String(entry.number)), make("td", {}, when(entry.at)),
    make("td", {}, entry.actor), make("td", {}, sentence(entry)), make("td", {}, entry.why))));
  element("no-log").hidden = state.log.length > 0;
  const rollback = element("rollback");
  rollback.disabled = !state.canaries.length && state.previous === null;
  rollback.title = state.canaries.length ? `End the try-out of ${nameOf(state.challenger)}` : `Let ${nameOf(state.previous)} serve again`;
  showBanners(state);
  if (wanted) {
    const model = state.models.find(({ sha256 }) => sha256 === wanted);
    wanted = null;
    if (model && !openedReport()) report(model);
  }
}

repeat(show, 3000);
