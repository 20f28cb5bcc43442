// What every page needs: asking the API, making elements from text, times and the header.

export class Problem extends Error {
  constructor(status, content) {
    super(content.detail || `the service answered ${status}`);
    this.status = status;
    this.errors = content.errors || [];
  }
}

/** Ask the API; resolves to the JSON of the answer (null for 204) or throws a Problem. */
export async function api(path, { method = "GET", body, timeoutMs = 10000 } = {}) {
  const options = { method, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(timeoutMs) };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  if (answer.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  }
  if (!answer.ok) {
    throw new Problem(answer.status, await answer.json().catch(() => ({})));
  }
  return answer.status === 204 ? null : answer.json();
}

/** Make an element; texts become text nodes, so nothing that was stored can become markup. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const localMidnight = () => {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  return day;
};

export const sinceText = () => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
  return `since midnight, ${zone}`;
};

export const clockText = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const percent = (share) => {
  if (share >= 0.9995) return "100 %";
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
};

/** A figure about quality with its interval, or how much is missing until it is known. */
export const qualityText = ({ value, lower, upper, missing }) => {
  if (value === null) return `${missing} more needed`;
  return percent(value) + (lower === null ? "" : ` (${percent(lower)} to ${percent(upper)})`);
};

const STATES = {
  connecting: "Connecting", live: "Live", degraded: "Degraded", stalled: "Stalled", offline: "Offline",
  auth_failed: "Login refused", not_found: "Not found", disabled: "Paused", ended: "Ended",
};
// Of a drawn camera: what was counted beside what happened.
export const truthText = ({ truth, found, accuracy }) => (accuracy === null ? "Truth: nobody crossed yet"
  : `Truth: ${found} counted of ${truth}, accuracy ${percent(Math.max(0, accuracy))}`);

export const stateText = (state) => STATES[state] || state;
export const isWatched = (state) => state === "live" || state === "degraded";

export function showState(pill, state, detail) {
  pill.dataset.state = state;
  pill.querySelector("[data-state-text]").textContent = stateText(state);
  pill.title = detail || "";
}

/** A count as text; of a camera that was never watched it is unknown, not zero. */
export const countText = (count, watched) => (watched > 0 || count > 0 ? count.toLocaleString() : "–");

/** Show a share of 1 as a bar with words. */
export function showCoverage(fill, label, watched, seconds) {
  const share = seconds > 0 ? Math.min(1, watched / seconds) : 0;
  fill.style.width = `${share * 100}%`;
  fill.classList.toggle("low", share < 0.95);
  if (watched <= 0) label.textContent = "not watched today";
  else if (share >= 0.01) label.textContent = `watched ${percent(share)} of today`;
  else label.textContent = watched < 90 ? `watched ${Math.round(watched)} s today` : `watched ${Math.round(watched / 60)} min today`;
}

/** Run `job` now and again, `pauseMs` after it ended; rests while the page is hidden. */
export function repeat(job, pauseMs) {
  const run = async () => {
    if (!document.hidden) {
      try {
        await job();
        reachable(true);
      } catch (error) {
        if (!(error instanceof Problem)) reachable(false);
      }
    }
    setTimeout(run, pauseMs);
  };
  run();
}

function reachable(yes) {
  const banner = document.getElementById("banner");
  banner.hidden = yes;
  if (!yes) banner.textContent = "The service does not answer. What you see is not current; trying again.";
}

/** Who looks at the page: an operator or a viewer; resolves to null where nobody answers. */
export const role = api("/api/v1/session").then((session) => session.role, () => null);
role.then((mine) => {
  // What a viewer may not press is not there; the service refuses it all the same.
  if (mine === "viewer") document.body.dataset.role = "viewer";
});

repeat(async () => {
  const system = await api("/api/v1/system");
  const model = document.getElementById("model");
  model.textContent = `${system.model.name} · ${system.model.runtime}`;
  model.title = `sha256 ${system.model.sha256}, threshold ${system.model.threshold}, ${system.model.licence}`;
}, 15000);

document.getElementById("logout")?.addEventListener("click", async () => {
  await api("/logout", { method: "POST" }).catch(() => null);
  location.assign("/login");
});
