"""Reads what is known of drifting cameras and asks for a retraining when the policy says so; decides nothing itself."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from footfall.domain import RetrainRequest
from footfall.vision.labelling import in_dispute
from monitoring.policy import Harm, decide

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from footfall.domain import DriftEpisode, RetrainAnswer
    from footfall.stores.database import Database
    from footfall.stores.drift import DriftStore
    from footfall.stores.quality import QualityStore
    from footfall.stores.retrains import RetrainStore
    from footfall.stores.samples import SampleStore
    from monitoring.policy import Decision, PolicySettings

_log = structlog.get_logger(__name__)


class DriftAsker:
    """Asks for a better model on behalf of the policy.

    Args:
        site: name of the site.
        champion: first 12 digits of the sha256 of the model in use; empty when it is not known.
        cooldown: since the end of the site's last retraining.
    """

    def __init__(
        self,
        database: Database,
        *,
        drift: DriftStore,
        quality: QualityStore,
        samples: SampleStore,
        retrains: RetrainStore,
        settings: PolicySettings,
        site: Callable[[], str],
        champion: Callable[[], str],
        cooldown: timedelta,
    ) -> None:
        self._database = database
        self._drift = drift
        self._quality = quality
        self._samples = samples
        self._retrains = retrains
        self._settings = settings
        self._site = site
        self._champion = champion
        self._cooldown = cooldown
        self._said = ""

    def consider(self, now: datetime) -> tuple[Decision, RetrainAnswer | None]:
        """Decide as of `now` (aware UTC) and ask; returns what was decided, and what became of asking.

        Raises:
            StoreError: the database does not answer.
        """
        episodes = self._drift.open_episodes()
        cameras = [camera.id for camera in self._database.cameras() if camera.enabled]
        since = now - self._settings.estimate_for - timedelta(hours=2)
        harm = Harm(
            [each for each in self._quality.newest(since=since) if each.measure == "precision_reviewed"],
            {camera_id: self._quality.history("precision_estimated", camera_id, since=since) for camera_id in episodes},
        )
        labels = {each.camera_id: self._labelled(each, now) for each in episodes.values()}
        decision = decide(episodes, len(cameras), labels, harm, self._settings, now=now)
        if decision.reason != self._said:
            self._said = decision.reason
            _log.info("retraining considered", cause=decision.cause, reason=decision.reason)
        if decision.cause is None:
            return decision, None
        request = RetrainRequest(
            id=uuid.uuid4().hex,
            site=self._site(),
            cause=decision.cause,
            slice=",".join(decision.cameras),
            champion=self._champion(),
            reason=decision.reason[:500],
            source="policy",
            asked_by="drift policy",
            at=now,
        )
        found, answer = self._retrains.ask(request, cooldown=self._cooldown)
        if answer == "created":
            _log.warning("a retraining was asked for", request=found.id, cause=found.cause, cameras=found.slice)
        return decision, answer

    def _labelled(self, episode: DriftEpisode, now: datetime) -> int:
        """Frames of the camera since it drifts that a person or an import labelled."""
        frames = self._samples.samples(since=episode.since_at, until=now, unit="frame", camera_ids=[episode.camera_id])
        labels = self._samples.labels([frame.id for frame in frames])
        return len({label.sample_id for label in labels} - in_dispute(labels, self._retrains.for_two()))
