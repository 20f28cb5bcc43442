// What a retraining found out about one model, beside the champion that it was judged against.
import { api, make } from "./common.js";
import { pictureUrl, shape } from "./review-stage.js";

const MODELS = ["champion", "challenger"];
const SIDE = 240, EDGE = 34; // of a chart, in its own units
const SEEN_LOSS = 0.005, LOST = -0.02; // differences of F1 that get a colour: beyond chance in no case, but worth a look
const LOSSES = [ // parts of the loss, what they are of, how they are drawn
  ["box", "box: overlap of boxes", "is-box"], ["cls", "cls: who is a person", "is-cls"], ["dfl", "dfl: where edges are", "is-dfl"],
];
const GROUPS = [
  ["Whole test", (part) => ["all", "old", "new"].includes(part)],
  ["Camera", (part) => part.startsWith("camera ")],
  ["Time of day", (part) => part.startsWith("hours ")],
  ["Crowding", (part) => part.endsWith("crowded")],
  ["Height of people", (part) => part.startsWith("people of ")],
];

const element = (id) => document.getElementById(id);
const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
const tone = (difference) => (difference <= LOST ? "models-bad" : difference >= SEEN_LOSS ? "models-good" : null);
const errors = (count) => `${count} ${count === 1 ? "error" : "errors"}`;

let shown = null; // sha256 of the model whose report is open
let asked = 0;

/** Open the report of a model; what came for another one meanwhile is let go. */
export async function openReport(model, nameOf) {
  const mine = ++asked;
  shown = model.sha256;
  history.replaceState(null, "", `?report=${model.sha256}`);
  const told = await api(`/api/v1/models/${model.sha256}/report`);
  if (mine !== asked) return;
  draw(told, nameOf);
  element("report").hidden = false;
  element("report-title").focus({ preventScroll: true });
  element("report").scrollIntoView({ block: "start" });
}

export function closeReport() {
  asked += 1;
  shown = null;
  history.replaceState(null, "", location.pathname);
  element("report").hidden = true;
}

export const openedReport = () => shown;

function draw({ name, run, report, examples }, nameOf) {
  const champion = report?.champion ? nameOf(report.champion) : "the champion of that time";
  element("report-title").textContent = name;
  element("report-about").textContent = `beside ${champion}${run ? `, run ${run.slice(0, 12)}` : ""}`;
  const { figures, stress, training } = report || {};
  element("report-charts").replaceChildren(
    ...(figures ? [curveCard(figures, name, champion)] : []),
    ...(training?.curve?.length ? [lossCard(training)] : []),
    ...(report?.baselines?.length ? [baselinesCard(report.baselines)] : []),
    ...(stress?.length ? [stressCard(stress)] : []),
  );
  element("report-parts").replaceChildren(...(figures ? partRows(figures) : []));
  element("report-parts-card").hidden = !figures;
  element("report-none").hidden = Boolean(figures);
  drawExamples(examples, name, champion);
}

// Charts

function chart(label, { x, y }) {
  const svg = shape("svg", { viewBox: `0 0 ${SIDE + 2 * EDGE} ${SIDE + 2 * EDGE}`, class: "report-chart", role: "img", "aria-label": label });
  const place = (value, [low, high]) => (high > low ? (value - low) / (high - low) : 0.5) * SIDE;
  const at = (point) => [EDGE + place(point[0], x.range), EDGE + SIDE - place(point[1], y.range)];
  for (const step of [0, 0.25, 0.5, 0.75, 1]) {
    const along = EDGE + step * SIDE, down = EDGE + SIDE - step * SIDE;
    svg.append(
      shape("line", { x1: EDGE, x2: EDGE + SIDE, y1: down, y2: down, class: "rule" }),
      shape("text", { x: EDGE - 5, y: down + 4, class: "axis axis-y" }, y.text(y.range[0] + step * (y.range[1] - y.range[0]))),
      shape("text", { x: along, y: EDGE + SIDE + 15, class: "axis axis-x" }, x.text(x.range[0] + step * (x.range[1] - x.range[0]))),
    );
  }
  svg.append(shape("text", { x: EDGE + SIDE / 2, y: SIDE + 2 * EDGE - 4, class: "axis axis-x" }, x.name), shape("text", { x: EDGE, y: EDGE - 12, class: "axis" }, y.name));
  return { svg, at };
}

const line = (points, at, className) => shape("polyline", { points: points.map((point) => at(point).map((value) => value.toFixed(1)).join(",")).join(" "), class: className });

function curveCard(figures, name, champion) {
  const share = { range: [0, 1], text: (value) => value.toFixed(2) };
  const { svg, at } = chart("Precision against recall", { x: { ...share, name: "recall" }, y: { ...share, name: "precision" } });
  for (const model of MODELS) {
    const { curve, parts } = figures[model];
    const points = curve.filter((point) => point.precision !== null && point.recall !== null).map((point) => [point.recall, point.precision]);
    svg.append(line(points, at, `report-line is-${model}`));
    const { precision, recall } = parts.all;
    if (precision !== null && recall !== null) {
      const [cx, cy] = at([recall, precision]);
      svg.append(shape("circle", { cx, cy, r: 5, class: `report-point is-${model}` }));
    }
  }
  return make("section", { class: "card report-card" }, make("h3", {}, "Precision and recall"), svg, make("ul", { class: "report-legend" },
    ...MODELS.map((model) => make("li", {}, make("span", { class: `report-key is-${model}` }),
      `${model === "champion" ? champion : name}: precision ${score(figures[model].parts.all.precision)}, recall ${score(figures[model].parts.all.recall)}, AP ${score(figures[model].parts.all.ap50)}`))),
  make("p", { class: "hint" }, "The dots are where each is used, at its own threshold. IoU 0.5."));
}

function lossCard({ curve, steps, seconds, device }) {
  const most = Math.max(...curve.map(({ loss }) => loss));
  const { svg, at } = chart("Loss by step of training", {
    x: { range: [0, Math.max(steps, 1)], text: (value) => String(Math.round(value)), name: "step" },
    y: { range: [0, most], text: (value) => value.toFixed(most < 10 ? 1 : 0), name: "loss" },
  });
  const parts = LOSSES.filter(([part]) => curve.every((point) => part in point)); // older runs kept the sum alone
  for (const [part, , className] of parts) svg.append(line(curve.map((point) => [point.step, point[part]]), at, `report-line ${className}`));
  svg.append(line(curve.map(({ step, loss }) => [step, loss]), at, "report-line is-challenger"));
  return make("section", { class: "card report-card" }, make("h3", {}, "Training"), svg,
    make("ul", { class: "report-legend" }, ...(parts.length ? [["loss", "all of the loss", "is-challenger"], ...parts] : []).map(([, text, className]) =>
      make("li", {}, make("span", { class: `report-key ${className}` }), text))),
    make("p", { class: "hint" }, `${steps} steps in ${Math.round(seconds)} s on ${device}.`));
}

/** Models at hand, compared on the same frames: perhaps another one would have done. */
function baselinesCard(candidates) {
  const columns = [["F1", (each) => score(each.f1)], ["AP", (each) => score(each.ap50)], ["CPU ms", (each) => each.cpu_ms.toFixed(1)],
    ["streams a core", (each) => String(each.streams_per_core)], ["MB", (each) => each.memory_mb.toFixed(0)], ["licence", (each) => each.licence]];
  return make("section", { class: "card report-card" }, make("h3", {}, "Models at hand"), make("div", { class: "report-scroll" }, make("table", { class: "lines" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "model"), ...columns.map(([title]) => make("th", { scope: "col" }, title)))),
    make("tbody", {}, ...candidates.map((each) => make("tr", {}, make("th", { scope: "row" }, each.name + (each.is_best_for_its_cost ? " ●" : "")),
      ...columns.map(([, text]) => make("td", {}, text(each)))))))),
  make("p", { class: "hint" }, "On frames of the test, each at a threshold chosen on others. ● No other one is as right for less."));
}

function stressCard(stress) {
  const severities = [...new Set(stress.map(({ severity }) => severity))].sort((a, b) => a - b);
  const kinds = [...new Set(stress.map(({ kind }) => kind))];
  const cell = (kind, severity) => {
    const found = stress.find((each) => each.kind === kind && each.severity === severity);
    return make("td", { class: found ? tone(found.challenger - found.champion) : null }, found ? `${score(found.champion)} → ${score(found.challenger)}` : "–");
  };
  return make("section", { class: "card report-card" }, make("h3", {}, "Worsened on purpose"), make("div", { class: "report-scroll" }, make("table", { class: "lines" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "F1"), ...severities.map((severity) => make("th", { scope: "col" }, `severity ${severity}`)))),
    make("tbody", {}, ...kinds.map((kind) => make("tr", {}, make("th", { scope: "row" }, kind), ...severities.map((severity) => cell(kind, severity))))))));
}

// Parts of the test

function partRows(figures) {
  const names = Object.keys(figures.challenger.parts).filter((part) => figures.champion.parts[part]);
  return GROUPS.flatMap(([title, belongs]) => {
    const members = names.filter(belongs);
    if (!members.length) return [];
    return [make("tr", { class: "report-group" }, make("th", { scope: "rowgroup", colspan: 6 }, title)), ...members.map((part) => {
      const [before, after] = MODELS.map((model) => figures[model].parts[part]);
      const difference = before.f1 === null || after.f1 === null ? null : after.f1 - before.f1;
      return make("tr", { "data-part": part }, make("th", { scope: "row" }, part), make("td", {}, String(after.frames)), make("td", {}, String(after.people)),
        make("td", {}, score(before.f1)), make("td", {}, score(after.f1)),
        make("td", { class: difference === null ? null : tone(difference) }, difference === null ? "–" : signed(difference)));
    })];
  });
}

// Frames

function drawExamples(examples, name, champion) {
  element("report-examples-card").hidden = examples.length === 0;
  element("report-examples").replaceChildren(...examples.map((example) => exampleFigure(example, name, champion)));
  element("is-champion-name").textContent = champion;
  element("is-challenger-name").textContent = name;
}

const box = ([x0, y0, x1, y1], className) => shape("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: className });

function exampleFigure(example, name, champion) {
  const { width_px: width, height_px: height } = example;
  const overlay = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "report-boxes", "aria-hidden": "true" });
  overlay.append(shape("g", { class: "of-truth" }, ...example.truth.map((each) => box(each, "report-box is-truth"))));
  for (const model of MODELS) {
    overlay.append(shape("g", { class: `of-${model}` }, ...example[model].finds.map((find) => box(find.box, `report-box is-${model}${find.right ? "" : " is-wrong"}`))));
  }
  const picture = make("img", { src: pictureUrl({ id: example.sample }), width, height, loading: "lazy", alt: `${example.camera}, ${when(example.taken_at)}` });
  const stage = make("div", { class: "report-stage" }, picture, overlay);
  picture.addEventListener("error", () => stage.replaceChildren(make("div", { class: "drift-no-picture" }, "The picture cannot be shown.")));
  const is = example.challenger.errors < example.champion.errors ? "models-good" : "models-bad";
  return make("figure", { "data-sample": example.sample }, stage, make("figcaption", {},
    make("span", {}, `${example.camera}, ${when(example.taken_at)}, ${example.new ? "new" : "old"}`),
    make("span", { class: is }, `${champion} ${errors(example.champion.errors)}, ${name} ${errors(example.challenger.errors)}`)));
}

for (const toggle of document.querySelectorAll("[data-shows]")) {
  toggle.addEventListener("change", () => element("report-examples").classList.toggle(`hides-${toggle.dataset.shows}`, !toggle.checked));
}
element("report-close").addEventListener("click", closeReport);
