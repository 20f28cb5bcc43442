// What somebody can do about a camera: each is asked once more, with a name that is kept beside it.
import { api, make } from "./common.js";
import { momentText } from "./drift-words.js";

const NAME = "footfall-reviewer"; // as on the review page
const RETRAIN = ["dark", "glare", "fog", "noise", "bitrate", "colour", "appearance", "unknown"];
const byId = (id) => document.getElementById(id);

/** Everything that can be done about a camera now; `isFirst` is what to do first. */
export function actionsOf({ camera, name, episode, can_sample: canSample, learning_days: days, batch_h: batchHours }) {
  const who = name || camera;
  const isElsewhere = Boolean(episode?.invalidates_counts);
  const accept = (kind) => (by, note) => api(`/api/v1/drift/cameras/${camera}/accept`, { method: "POST", body: { kind, by, note } });
  const anew = {
    id: "accept-anew", label: "Accept the new view", title: `Accept what ${who} shows from now on`,
    text: `Only what it shows from now on is taken as usual. It learns that for ${days} days, and its frozen view within a minute.`,
    warning: isElsewhere ? "Do its lines and zones still lie where people walk? Open the camera and look first; if not, draw them anew instead." : "",
    run: accept("anew"), done: () => "Accepted. The view is learned anew.",
  };
  const acceptDays = {
    id: "accept-days", label: "Accept these days", title: `Accept what ${who} showed until now`,
    text: "What it showed until now is taken as usual, so that days like these raise no alarm any more. For what is known and comes again: a feast, a season.",
    run: accept("days"), done: () => "Accepted: these days are usual from now on.",
  };
  if (isElsewhere) return [{ id: "redraw", label: "Draw lines anew", href: `/cameras/${encodeURIComponent(camera)}#edit`, isFirst: true }, anew];
  if (!episode) return [acceptDays, anew];
  const batch = {
    id: "batch", label: "Open a label batch", title: `Draw pictures of ${who} for labels`,
    text: `For ${batchHours} hours pictures are drawn of what it shows now, heads pixelated. Labelled, they teach the next model; they never count for precision.`,
    blocked: canSample ? "" : "It has no leave to keep pictures for labels: allow sampling first.",
    run: (by, note) => api(`/api/v1/drift/episodes/${episode.id}/batch`, { method: "POST", body: { by, note } }),
    done: ({ batch_until: until }) => `Pictures are drawn until ${momentText(until)}.`,
  };
  const ignore = {
    id: "ignore", label: "Ignore", title: `Ignore what happened to ${who}`,
    text: "The episode ends and nothing is learned. While it goes on without a break it is not told again; after one it is.",
    run: (by, note) => api(`/api/v1/drift/episodes/${episode.id}/ignore`, { method: "POST", body: { by, note } }), done: () => "Ignored.",
  };
  const retrain = retrainOf(camera, who, episode);
  // A camera that somebody mends looks as usual again, and its episode ends by itself: no labels, no retraining.
  if (episode.cause.remedy === "camera") return [anew, acceptDays, ignore];
  if (episode.cause.remedy === "model") return [{ ...batch, isFirst: true }, retrain, acceptDays, anew, ignore];
  return [{ ...acceptDays, isFirst: true }, batch, retrain, anew, ignore];
}

function retrainOf(camera, who, episode) {
  return {
    id: "retrain", label: "Ask for retraining", title: `Ask for a model that knows ${who}`,
    text: `A retraining for ${episode.cause.name} on this camera is asked for, once. It helps only with checked labels of what the camera shows now: open a label batch first.`,
    run: (by, note) => api("/api/v1/retrains", {
      method: "POST",
      body: {
        reason: note || `${who}: ${episode.cause.name} since ${momentText(episode.since_at)}`, asked_by: by, cameras: [camera],
        cause: RETRAIN.includes(episode.cause.name) ? episode.cause.name : "asked",
      },
    }),
    done: ({ answer }) => (answer === "duplicate" ? "The same was asked for before; it is not asked for twice." : "Asked. What became of it: /api/v1/retrains."),
  };
}

/** Ask once more in the dialog; resolves to what to tell, or null when nothing was done. */
export function confirmed(action) {
  const dialog = byId("say");
  const form = byId("say-form");
  const problem = (text) => { byId("say-problem").textContent = text; byId("say-problem").hidden = !text; };
  byId("say-title").textContent = action.title;
  byId("say-text").textContent = action.text;
  byId("say-warning").textContent = action.warning || "";
  byId("say-warning").hidden = !action.warning;
  byId("say-confirm").textContent = action.label;
  form.elements.by.value = localStorage.getItem(NAME) || "";
  form.elements.note.value = "";
  problem("");
  return new Promise((resolve) => {
    let told = null;
    byId("say-cancel").onclick = () => dialog.close();
    dialog.onclose = () => resolve(told);
    form.onsubmit = async (event) => {
      event.preventDefault();
      const by = form.elements.by.value.trim();
      if (!by) {
        problem("Your name is kept beside what is done; enter it first.");
        form.elements.by.focus();
        return;
      }
      localStorage.setItem(NAME, by);
      byId("say-confirm").disabled = true;
      try {
        told = action.done(await action.run(by, form.elements.note.value.trim()));
        dialog.close();
      } catch (error) {
        problem(`Not done: ${error.message}`);
      }
      byId("say-confirm").disabled = false;
    };
    dialog.showModal();
    (form.elements.by.value ? form.elements.note : form.elements.by).focus();
  });
}

/** Buttons for the actions; `onPress` gets the action. */
export function buttons(actions, onPress) {
  return actions.map((action) => {
    const look = { class: action.isFirst ? "primary button" : "button", "data-action": action.id, title: action.blocked || null };
    if (action.href) return make("a", { href: action.href, ...look }, action.label);
    const button = make("button", { type: "button", "data-changes": "", ...look, onclick: () => onPress(action) }, action.label);
    button.disabled = Boolean(action.blocked);
    return button;
  });
}
