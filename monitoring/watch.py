"""Judges every finished window of every camera, once, and follows what lasts; knows no page, no label, no training."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog

from footfall.causes import ABOUT
from footfall.domain import CameraState, DriftAcceptance, DriftEpisode, DriftVerdict, FeatureDrift
from monitoring.causes import StreamHealth, name_cause
from monitoring.distance import LEAST_ROWS, distance
from monitoring.known import layout_within, sketch_of
from monitoring.references import Accepted, accepted_from
from monitoring.separability import separability
from monitoring.thresholds import threshold
from monitoring.tiers import DEFAULT_RULES, TierRules, TierState, after, state_of
from monitoring.windows import LAYOUT, window_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from footfall.domain import Camera, DriftCause
    from footfall.stores.database import Database
    from footfall.stores.drift import DriftStore
    from monitoring.drift import EvidenceWriter
    from monitoring.known import Seen
    from monitoring.metrics import MonitorMetrics
    from monitoring.references import References
    from monitoring.windows import Reference, Window

_log = structlog.get_logger(__name__)

AT_ONCE: Final[frozenset[DriftCause]] = frozenset({"moved"})
"""Causes that are looked into after one window: counts over lines that lie elsewhere now are wrong from then on."""
_GRACE: Final = timedelta(seconds=10)
"""Rows of a window may be committed a little after its end."""
_MOST_WINDOWS: Final = 72
"""Of a camera in one turn: a monitor that was away catches up over several."""
_TO_EXPLAIN: Final = 0.7
"""Share of its threshold beyond which an accepted window must show a statistic as well, to be like this one."""
_ROWS_A_WINDOW: Final = 400
_SOME_RUN: Final = 500
_NAMESPACE: Final = uuid.UUID("5f5c9a0e-6a1b-5d0e-9c55-64726966740a")


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How cameras are watched.

    Attributes:
        length: of a window.
        alarms_a_day: episodes that a camera may cause in a day without a drift.
        learning: how long a new camera's days are accepted by themselves.
        batch: how long pictures are drawn for labels once a camera drifts.
        keep: how long windows and verdicts are kept.
        rules: when a camera's tier changes.
    """

    length: timedelta
    alarms_a_day: float
    learning: timedelta
    batch: timedelta
    keep: timedelta
    rules: TierRules = DEFAULT_RULES


class DriftWatch:
    """Watches a site's cameras by the statistics of their pictures.

    Two may look at one database: of each window the first verdict counts, and what follows from a verdict can be done
    twice without harm.
    """

    def __init__(
        self,
        database: Database,
        store: DriftStore,
        references: References,
        metrics: MonitorMetrics,
        *,
        settings: WatchSettings,
        evidence: EvidenceWriter | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._references = references
        self._metrics = metrics
        self._settings = settings
        self._evidence = evidence
        self._swept_on: date | None = None
        self._to_report: list[tuple[DriftVerdict, Window, Reference]] = []

    def check(self, now: datetime) -> list[DriftVerdict]:
        """Judge what has ended since the last time, as of `now` (aware UTC); returns the new verdicts, oldest first.

        Raises:
            StoreError: the database or the blobs do not answer; what was judged so far stays.
        """
        cameras = [camera for camera in self._database.cameras() if camera.enabled]
        accepted = {camera.id: self._accepted(camera.id, now) for camera in cameras}
        found: list[DriftVerdict] = []
        for camera in cameras:
            found += self._check_camera(camera, accepted, now)
        last = {camera.id: self._store.last_verdict(camera.id) for camera in cameras}
        for camera in cameras:
            # Read again: a new camera began to be learned meanwhile.
            self._follow(camera, last[camera.id], self._accepted(camera.id, now), now)
        self._end_of_removed({camera.id for camera in cameras}, now)
        self._metrics.show_drift(
            [verdict for verdict in last.values() if verdict is not None],
            self._store.open_episodes(),
            [camera.id for camera in cameras],
        )
        # Last: a report takes seconds, and the pulse does not wait for it.
        while self._to_report:
            self._report(*self._to_report.pop(0))
        return found

    def turn(self, now: datetime) -> None:
        """Check, and once a day delete what is too old; a failure is counted.

        Raises:
            StoreError: see `check`.
        """
        try:
            self.check(now)
            if self._swept_on != now.date():
                self._store.delete_before(now - self._settings.keep)
                self._sweep_references(now)
                if self._evidence is not None:
                    self._evidence.tidy(now)
                self._swept_on = now.date()
        except Exception:
            self._metrics.drift_check_failures.inc()
            raise

    def _sweep_references(self, now: datetime) -> None:
        cameras = [camera.id for camera in self._database.cameras()]
        accepted = {each: known.until_at for each in cameras if (known := self._accepted(each, now))}
        for camera_id in accepted:
            last = self._store.last_verdict(camera_id)
            if last is not None:
                self._references.remember(camera_id, last.end_at)
        self._references.forget_before(now - self._settings.keep, accepted)

    def _accepted(self, camera_id: str, now: datetime) -> Accepted | None:
        trail = self._store.acceptances(camera_id)
        if not trail:
            return None
        # What was unusual and was not accepted is no reference.
        spans = [
            (each.since_at, each.closed_at or now)
            for each in self._store.episodes(since=trail[-1].at, camera_ids=[camera_id])
            if each.end != "accepted"
        ]
        return accepted_from(trail, spans)

    def _check_camera(
        self, camera: Camera, accepted: Mapping[str, Accepted | None], now: datetime
    ) -> list[DriftVerdict]:
        length = self._settings.length
        last = self._store.last_verdict(camera.id)
        end = now - _GRACE
        if last is not None and last.end_at - last.begin_at == length:
            begin = last.end_at
        else:
            first = self._database.first_statistics_at(camera.id, since=now - _MOST_WINDOWS * length)
            if first is None:
                return []
            begin = _floor(first, length)
        found: list[DriftVerdict] = []
        mine = accepted[camera.id]
        while begin + length <= end and len(found) < _MOST_WINDOWS:
            if mine is None:
                mine = self._begin_learning(camera.id, begin, now)
            others = [(each, known) for each, known in accepted.items() if known is not None and each != camera.id]
            verdict = self._judge(camera, begin, last, accepted=mine, others=others, now=now)
            found.append(verdict)
            last = verdict
            begin += length
        return found

    def _begin_learning(self, camera_id: str, begin_at: datetime, now: datetime) -> Accepted:
        until = begin_at + self._settings.learning
        self._store.accept(DriftAcceptance(camera_id, begin_at, until, now, "monitor", "a new camera: it is learned"))
        return Accepted(begin_at, until)

    def _judge(
        self,
        camera: Camera,
        begin: datetime,
        last: DriftVerdict | None,
        *,
        accepted: Accepted,
        others: Sequence[tuple[str, Accepted]],
        now: datetime,
    ) -> DriftVerdict:
        end = begin + self._settings.length
        rows = self._database.statistics(camera.id, since=begin, until=end, most=_ROWS_A_WINDOW)
        watched_s, analysed = self._database.watched(camera.id, since=begin, until=end)
        fps = analysed / watched_s if watched_s > 0 else None
        window = window_of(camera.id, begin, end, rows, fps=fps)
        reference = None
        # What it showed before somebody accepted it anew is compared with nothing, or it would be told once more.
        is_of_before = begin < accepted.begins_at
        if len(rows) >= LEAST_ROWS and not is_of_before:
            reference = self._references.reference(window, accepted, others)
        health = StreamHealth(
            fps=fps,
            target_fps=None if reference is None else reference.fps,
            degraded_share=self._degraded_share(camera.id, begin, end),
        )
        drifts = {} if reference is None else self._drifts(window, reference, accepted)
        finding = name_cause(drifts, health)
        ratio = max((each.score / each.threshold for each in drifts.values()), default=None)
        state = state_of(ratio, is_faulty=health.is_faulty, rules=self._settings.rules)
        seen = None
        if reference is not None and state == "unusual":
            seen = self._seen_before(window, accepted, drifts, reference)
        if seen is not None:
            state, finding = "between", None
        # What came before somebody accepted the camera anew is of another camera, as it were.
        before = TierState()
        if last is not None and last.end_at > accepted.begins_at:
            before = TierState(last.tier, last.recent, last.calm_for, last.episode)
        cause = None if finding is None else finding.cause
        tier = after(before, state, ratio=ratio, at_once=cause in AT_ONCE, rules=self._settings.rules)
        verdict = DriftVerdict(
            camera_id=camera.id,
            begin_at=begin,
            end_at=end,
            at=now,
            rows=len(rows),
            state=state,
            tier=tier.tier,
            reference="none" if reference is None else reference.kind,
            recent=tier.recent,
            calm_for=tier.calm_for,
            episode=tier.episodes,
            features=drifts,
            cause=cause,
            evidence=() if finding is None else finding.evidence,
            others=() if finding is None else finding.others,
            note=_note(len(rows), reference, health, is_of_before=is_of_before) + _like(seen),
        )
        # The window first: whoever finds the verdict finds it too. Those of a faulty stream are no reference.
        if len(rows) >= LEAST_ROWS and state != "suppressed":
            self._references.keep(window)
        if self._store.put_verdict(verdict):
            self._metrics.drift_windows.labels(state).inc()
            if reference is not None and drifts and self._is_report_due(verdict):
                self._to_report.append((verdict, window, reference))
            return verdict
        return self._store.verdict(camera.id, begin)

    def _is_report_due(self, verdict: DriftVerdict) -> bool:
        if self._evidence is None:
            return False
        is_unusual = verdict.state == "unusual"
        waiting = {each.state == "unusual" for each, _, _ in self._to_report if each.camera_id == verdict.camera_id}
        if waiting and (True in waiting or not is_unusual):
            return False
        return self._evidence.is_due(verdict.camera_id, verdict.end_at, is_unusual=is_unusual)

    def _report(self, verdict: DriftVerdict, window: Window, reference: Reference) -> None:
        """Have Evidently report; what it cannot do keeps no verdict back."""
        assert self._evidence is not None
        try:
            written = self._evidence.write(
                window,
                reference.features,
                {name: drift.threshold for name, drift in verdict.features.items()},
                reason="alarm" if verdict.state == "unusual" else "daily",
                against=verdict.note,
                cause=verdict.cause,
            )
        except Exception as error:  # noqa: BLE001  a library's fault must not stop the watch
            self._metrics.drift_report_failures.inc()
            _log.error(
                "no report on a window", camera=verdict.camera_id, error=f"{type(error).__name__}: {error}"[:300]
            )
            return
        if written is not None:
            self._store.attach_report(verdict.camera_id, verdict.begin_at, written.html_key.removesuffix(".html.gz"))

    def _drifts(self, window: Window, reference: Reference, accepted: Accepted) -> dict[str, FeatureDrift]:
        drifts = {}
        known_days = (min(accepted.until_at, window.begin_at) - accepted.begins_at) / timedelta(days=1)
        budget = self._settings.alarms_a_day
        for name, usual in reference.features.items():
            values = window.columns.get(name)
            far = None if values is None else distance(usual, values)
            if values is None or far is None:
                continue
            limit = threshold(
                reference.own[name],
                features=len(reference.features),
                alarms_a_day=budget,
                known_days=known_days,
            )
            drifts[name] = FeatureDrift(far.score, limit, far.shift, usual.mean, float(np.nanmean(values)))
        apart = separability(reference.layout, window.layout)
        if apart is not None:
            limit = threshold(
                reference.own[LAYOUT], features=len(drifts) + 1, alarms_a_day=budget, known_days=known_days
            )
            drifts[LAYOUT] = FeatureDrift(apart.distance, limit, apart.distance, 0.5, apart.auc)
        return drifts

    def _seen_before(
        self, window: Window, accepted: Accepted, drifts: Mapping[str, FeatureDrift], reference: Reference
    ) -> Seen | None:
        """An accepted window of another hour that shows all that is unusual in this one, and what comes near it."""
        spreads = {name: each.spread for name, each in reference.features.items()}
        within = to_explain(drifts, spreads)
        if LAYOUT in drifts and _is_to_explain(drifts[LAYOUT]):
            within |= layout_within(reference.layout, drifts[LAYOUT].threshold)
        seen = self._references.known(window, accepted).nearest(sketch_of(window), within)
        return seen if seen is not None and seen.ratio <= 1 else None

    def _degraded_share(self, camera_id: str, begin: datetime, end: datetime) -> float:
        """Share of the window in which pictures came but many were broken."""
        state, at, broken_s = self._database.state_at(camera_id, begin), begin, 0.0
        for change in [*self._database.states(camera_id, since=begin, until=end), None]:
            until = end if change is None else change.at
            if state is CameraState.DEGRADED:
                broken_s += (until - at).total_seconds()
            if change is not None:
                state, at = change.state, until
        return broken_s / (end - begin).total_seconds()

    def _end_of_removed(self, cameras: set[str], now: datetime) -> None:
        """Of a camera that is watched no more no window can clear its episode."""
        for camera_id, episode in self._store.open_episodes().items():
            if camera_id not in cameras:
                self._store.end_episode(
                    episode.id, "ignored", at=now, by="monitor", note="the camera is watched no more"
                )

    def _follow(self, camera: Camera, last: DriftVerdict | None, accepted: Accepted | None, now: datetime) -> None:
        """Open, follow or close the episode that the newest verdicts tell of; can be done again without harm."""
        if last is None or accepted is None:
            return
        episode = self._store.open_episodes().get(camera.id)
        if last.tier != "investigate":
            if episode is not None and episode.since_at < last.begin_at:
                self._store.end_episode(episode.id, "cleared", at=last.end_at, by="monitor")
            return
        run = self._run(camera.id, last)
        unusual = [each for each in run if each.state == "unusual"]
        cause = episode_cause([each.cause for each in unusual])
        is_moved = cause in AT_ONCE
        until = now + self._settings.batch
        wants_labels = camera.sampling is not None and ABOUT[cause].remedy != "camera"
        if episode is None:
            made = DriftEpisode(
                # The same episode also for another monitor and after a restart, and when somebody has ended it.
                id=uuid.uuid5(_NAMESPACE, f"{camera.id}/{accepted.begins_at.isoformat()}/{last.episode}").hex,
                camera_id=camera.id,
                cause=cause,
                since_at=unusual[0].begin_at,
                opened_at=now,
                last_at=last.end_at,
                invalidates=is_moved,
                batch_until=until if wants_labels else None,
            )
            if self._store.open_episode(made):
                self._metrics.drift_episodes.labels(cause).inc()
                _log.warning("a camera drifts", camera=camera.id, cause=cause, since=made.since_at.isoformat())
            return
        self._store.follow_episode(
            episode.id,
            cause=cause,
            last_at=last.end_at,
            invalidates=episode.invalidates or is_moved,
            batch_until=until if wants_labels and episode.batch_until is None else None,
        )

    def _run(self, camera_id: str, last: DriftVerdict) -> list[DriftVerdict]:
        """Verdicts that led to this tier and those since, oldest first."""
        length = last.end_at - last.begin_at
        verdicts = self._store.verdicts(
            since=last.begin_at - _SOME_RUN * length, until=last.end_at, camera_ids=[camera_id]
        )
        begin = len(verdicts)
        while begin and verdicts[begin - 1].tier == "investigate" and verdicts[begin - 1].episode == last.episode:
            begin -= 1
        # The unusual ones that made it so: no farther back than the tiers look.
        lead = begin
        while lead and begin - lead < len(verdicts[begin].recent) - 1 and verdicts[lead - 1].tier != "investigate":
            lead -= 1
        return verdicts[lead:]


def episode_cause(causes: Sequence[DriftCause | None]) -> DriftCause:
    """Return what an episode is called by the causes of its unusual windows, oldest first.

    What the newest six say most; but what is looked into at once holds until somebody has looked.
    """
    for cause in causes:
        if cause in AT_ONCE:
            return cause
    said = Counter(cause for cause in causes[-6:] if cause is not None)
    return said.most_common(1)[0][0] if said else "unknown"


def to_explain(drifts: Mapping[str, FeatureDrift], spreads: Mapping[str, float]) -> dict[str, float]:
    """Return in which statistics an accepted window must be like one that is unusual, and by how much it may differ.

    Args:
        spreads: statistic → the unit of its score; those without one are left out.
    """
    return {
        name: drift.threshold * spreads[name]
        for name, drift in drifts.items()
        if name in spreads and _is_to_explain(drift)
    }


def _is_to_explain(drift: FeatureDrift) -> bool:
    return drift.score > _TO_EXPLAIN * drift.threshold


def _floor(at: datetime, length: timedelta) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // length * length


def _like(seen: Seen | None) -> str:
    if seen is None:
        return ""
    return f"; unlike these, but like the window of {seen.begin_at:%Y-%m-%d %H:%M} UTC, which was accepted"


def _note(rows: int, reference: Reference | None, health: StreamHealth, *, is_of_before: bool) -> str:
    if health.is_faulty:
        return f"the stream is faulty: {health.problem}"
    if rows < LEAST_ROWS:
        return f"{rows} rows, {LEAST_ROWS} are needed"
    if is_of_before:
        return "its new view was accepted in this window or after it: nothing to compare with yet"
    if reference is None:
        return "nothing to compare with yet: its first windows are still to come"
    count = len(reference.groups)
    return {
        "own": f"compared with {count} like days of its own",
        "first-day": f"a young camera: compared with {count} windows of its first day",
        "fleet": f"a young camera: compared with {count} cameras like it ({', '.join(reference.groups)})",
        "none": "",
    }[reference.kind]
