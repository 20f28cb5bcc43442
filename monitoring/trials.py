"""Watches models that are new in service, and takes those back that break; `canary` decides, this does it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from footfall.errors import PromotionError
from monitoring.canary import Worth, judge
from monitoring.estimates import Window, sample_estimates
from monitoring.evidence import Evidence, read_evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from footfall.domain import ModelAliases, ModelChange
    from footfall.stores.database import Database
    from footfall.stores.registry import Registry
    from footfall.stores.samples import SampleStore
    from monitoring.canary import TrialDecision, TrialSettings

_log = structlog.get_logger(__name__)
ACTOR: Final = "monitor"
_SETTLING: Final = timedelta(minutes=2)
"""Services take a model up within seconds; minutes in which both looked say nothing about speed."""
_LOG_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class _Trial:
    """A model that is watched, against the one before, on some cameras.

    Attributes:
        since: when it was promoted, or its canaries were last chosen.
        evidence_since: samples of periods that begin from then on are of this trial and of no earlier one.
    """

    model: str
    before: str
    since: datetime
    evidence_since: datetime
    cameras: tuple[str, ...]
    is_challenger: bool


class TrialWatch:
    """Judges the challenger on its canaries, and a new champion for a while.

    Args:
        watched_for: how long after its promotion a champion may still be taken back.
        window: how old samples may be.
        least: verdicts or people from which on a figure is known.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        samples: SampleStore,
        *,
        settings: TrialSettings,
        watched_for: timedelta,
        window: timedelta,
        least: int,
    ) -> None:
        self._database = database
        self._registry = registry
        self._samples = samples
        self._settings = settings
        self._watched_for = watched_for
        self._window = window
        self._least = least

    def turn(self, now: datetime) -> TrialDecision | None:
        """Judge what is on trial at `now` (aware UTC), and act; returns the first decision that changed something.

        Raises:
            StoreError: the database does not answer; nothing was changed.
        """
        log = self._registry.log(limit=_LOG_ROWS)
        if not log:
            return None
        aliases = log[0].aliases  # asked for by themselves they could be newer than the log
        for trial in self._trials(aliases, log, now):
            since = trial.since
            seen = {camera: [(since + _SETTLING, now)] for camera in trial.cameras}
            # The new model may have looked at some of these cameras before: as a canary, or until it was taken back.
            seen_before = {
                camera: looked_at(log, trial.before, camera, since=since - self._watched_for, until=since)
                for camera in trial.cameras
            }
            decision = judge(
                self._worth(trial.model, trial.evidence_since, seen, now),
                self._worth(trial.before, None, seen_before, now),
                refusal=self._registry.model(trial.model).refusal,
                lasted=now - since,
                may_be_promoted=trial.is_challenger,
                settings=self._settings,
            )
            if decision.action != "hold" and self._act(trial, decision, aliases, now):
                return decision
        return None

    def _trials(self, aliases: ModelAliases, log: Sequence[ModelChange], now: datetime) -> list[_Trial]:
        found = []
        if aliases.challenger is not None and aliases.champion is not None:
            began = _newest(log, "canary", aliases.challenger)
            if began is not None:
                evidence_since = evidence_begins(log, aliases.challenger, challenger_since(log, aliases.challenger))
                found.append(
                    _Trial(
                        aliases.challenger,
                        aliases.champion,
                        began.at,
                        evidence_since,
                        aliases.canaries,
                        is_challenger=True,
                    )
                )
        if aliases.champion is not None and aliases.previous is not None:
            began = _newest(log, "promoted", aliases.champion)
            if began is not None and now - began.at <= self._watched_for:
                others = tuple(
                    camera.id for camera in self._database.cameras() if camera.id not in set(aliases.canaries)
                )
                evidence_since = evidence_begins(log, aliases.champion, began)
                found.append(
                    _Trial(aliases.champion, aliases.previous, began.at, evidence_since, others, is_challenger=False)
                )
        return found

    def _worth(
        self,
        model: str,
        evidence_since: datetime | None,
        seen: Mapping[str, Sequence[tuple[datetime, datetime]]],
        now: datetime,
    ) -> Worth:
        # Whole hours: a population is of an hour, and its samples must be all in or all out.
        window_since = _hour_of(now - self._window)
        since = window_since if evidence_since is None else max(window_since, evidence_since)
        evidence = read_evidence(self._samples, since=since, until=now, model=model[:12])
        of_these = {camera: found for camera, found in evidence.cameras.items() if camera in seen}
        rows = sample_estimates(Evidence(evidence.model, of_these), [], Window(now, since, now), least=self._least)
        watched = [
            self._database.watched(camera, since=begin, until=end)
            for camera, times in seen.items()
            for begin, end in times
        ]
        return Worth(
            {row.measure: row for row in rows if row.scope == "site"},
            sum(seconds for seconds, _ in watched),
            sum(analysed for _, analysed in watched),
        )

    def _act(self, trial: _Trial, decision: TrialDecision, aliases: ModelAliases, now: datetime) -> bool:
        about: dict[str, Any] = {"actor": ACTOR, "why": decision.why, "at": now, "seen": aliases.number}
        try:
            if decision.action == "promote":
                self._registry.promote(trial.model, **about)
            elif trial.is_challenger:
                self._registry.withdraw(**about)
            else:
                self._registry.rollback(**about, canaries_first=False)
        except PromotionError as error:
            _log.info("somebody changed the models meanwhile; judged again at the next turn", error=str(error))
            return False
        _log.warning("a model on trial was judged", model=trial.model[:12], action=decision.action, why=decision.why)
        return True


def _newest(log: Sequence[ModelChange], action: str, model: str) -> ModelChange | None:
    return next((each for each in log if each.action == action and each.model == model), None)


def challenger_since(log: Sequence[ModelChange], model: str) -> ModelChange:
    """Return the change since which the challenger is tried out without a break, whatever its canaries were.

    Args:
        log: newest first; in the newest state the model is the challenger.
    """
    return [*itertools.takewhile(lambda each: each.aliases.challenger == model, log)][-1]


def evidence_begins(log: Sequence[ModelChange], model: str, began: ModelChange) -> datetime:
    """Return the begin of the periods whose samples are of a trial alone.

    A population is of a whole hour (or of what a site has instead). The hour in which the trial began is all of the
    trial, unless the model was in service earlier in it: then that time's people are among them, and it is left out.

    Args:
        log: newest first.
    """
    hour = _hour_of(began.at)
    for change in log[log.index(began) + 1 :]:
        if model in {change.aliases.champion, change.aliases.challenger}:
            return began.at
        if change.at <= hour:
            break
    return hour


def looked_at(
    log: Sequence[ModelChange], model: str, camera: str, *, since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the stretches of [since, until) in which a camera was looked at with a model, newest first.

    Args:
        log: newest first; before its oldest change nobody knows.
    """
    found = []
    for change in log:
        begin = max(change.at, since)
        now = change.aliases
        if begin < until:
            if (now.challenger if camera in now.canaries else now.champion) == model:
                # Services take a model up within seconds.
                found.append((begin if begin == since else begin + _SETTLING, until))
            until = begin
        if change.at <= since:
            break
    return [each for each in found if each[0] < each[1]]


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
