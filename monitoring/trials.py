"""Watches models that are new in service, and takes those back that break; `canary` decides, this does it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from footfall.errors import PromotionError
from monitoring.canary import Worth, judge
from monitoring.estimates import Window, sample_estimates
from monitoring.evidence import Evidence, read_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    """A model that is watched, against the one before, on some cameras."""

    model: str
    before: str
    since: datetime
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
        aliases = self._registry.aliases()
        for trial in self._trials(aliases, now):
            decision = judge(
                self._worth(trial.model, trial.cameras, trial.since + _SETTLING, now, now),
                self._worth(trial.before, trial.cameras, trial.since - self._watched_for, trial.since, now),
                refusal=self._registry.model(trial.model).refusal,
                lasted=now - trial.since,
                may_be_promoted=trial.is_challenger,
                settings=self._settings,
            )
            if decision.action != "hold" and self._act(trial, decision, aliases, now):
                return decision
        return None

    def _trials(self, aliases: ModelAliases, now: datetime) -> list[_Trial]:
        log = self._registry.log(limit=_LOG_ROWS)
        found = []
        if aliases.challenger is not None and aliases.champion is not None:
            began = _newest(log, "canary", aliases.challenger)
            if began is not None:
                found.append(
                    _Trial(aliases.challenger, aliases.champion, began.at, aliases.canaries, is_challenger=True)
                )
        if aliases.champion is not None and aliases.previous is not None:
            began = _newest(log, "promoted", aliases.champion)
            if began is not None and now - began.at <= self._watched_for:
                others = tuple(
                    camera.id for camera in self._database.cameras() if camera.id not in set(aliases.canaries)
                )
                found.append(_Trial(aliases.champion, aliases.previous, began.at, others, is_challenger=False))
        return found

    def _worth(self, model: str, cameras: Sequence[str], since: datetime, until: datetime, now: datetime) -> Worth:
        # Whole hours: a population is of an hour, and its samples must be all in or all out.
        window_since = (now - self._window).replace(minute=0, second=0, microsecond=0)
        evidence = read_evidence(self._samples, since=window_since, until=now, model=model[:12])
        of_these = {camera: found for camera, found in evidence.cameras.items() if camera in set(cameras)}
        rows = sample_estimates(
            Evidence(evidence.model, of_these), [], Window(now, window_since, now), least=self._least
        )
        watched = [self._database.watched(camera, since=since, until=until) for camera in cameras]
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
