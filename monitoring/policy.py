"""Decides whether drifting cameras are worth a retraining: measured harm, labels to learn from, and no camera fault.

A pure function over what is known; asking is left to whoever calls it. Every number is a setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from footfall.causes import ABOUT
from footfall.domain import RetrainCause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from footfall.domain import DriftCause, DriftEpisode, QualityEstimate

_CAUSES: Final[tuple[RetrainCause, ...]] = get_args(RetrainCause)


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """When a drift is worth a retraining.

    Attributes:
        target: precision that is promised.
        estimate_for: an estimate must have been under the target for so long.
        fleet_share: of the cameras, with one and the same cause.
        fleet_for: for so long.
        least_labels: frames that somebody labelled, of the drifting cameras since they drift.
    """

    target: float
    estimate_for: timedelta
    fleet_share: float
    fleet_for: timedelta
    least_labels: int


@dataclass(frozen=True, slots=True)
class Harm:
    """How far drifting cameras are known to be less right than promised.

    Attributes:
        reviewed: estimates of `precision_reviewed`, newest of each camera and of the site.
        estimated: camera → its hourly `precision_estimated`, oldest first, of `estimate_for` at least.
    """

    reviewed: Sequence[QualityEstimate]
    estimated: Mapping[str, Sequence[QualityEstimate]]


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows.

    Attributes:
        cause, cameras: of the retraining to ask for; None and empty where there is none.
        reason: one line for people; without a retraining, what is missing.
    """

    cause: RetrainCause | None
    cameras: tuple[str, ...]
    reason: str


def decide(
    episodes: Mapping[str, DriftEpisode],
    cameras: int,
    labels: Mapping[str, int],
    harm: Harm,
    settings: PolicySettings,
    *,
    now: datetime,
) -> Decision:
    """Say whether to ask for a retraining, for which cause and cameras.

    Args:
        episodes: the open one of each camera that has one.
        cameras: how many the site has.
        labels: camera → frames that people labelled since its episode began.

    Returns:
        Of several causes the one with most cameras; a camera that somebody must mend, or of which nobody knows what
        happened to it, is in none.
    """
    by_cause: dict[DriftCause, list[DriftEpisode]] = {}
    for episode in episodes.values():
        if ABOUT[episode.cause].remedy == "model" and episode.cause in _CAUSES:
            by_cause.setdefault(episode.cause, []).append(episode)
    if not by_cause:
        return Decision(None, (), "no camera has drifted in a way that a model can learn")
    said = []
    for cause, found in sorted(by_cause.items(), key=lambda item: (-len(item[1]), item[0])):
        harmed = _harm(found, cameras, harm, settings, now)
        said.append(_of_cause(cause, found, harmed, sum(labels.get(each.camera_id, 0) for each in found), settings))
    return next((each for each in said if each.cause is not None), said[0])


def _of_cause(
    cause: DriftCause, episodes: Sequence[DriftEpisode], harmed: str, labels: int, settings: PolicySettings
) -> Decision:
    ids = tuple(sorted(each.camera_id for each in episodes))
    named = f"{cause} on {', '.join(ids)}"
    if not harmed:
        return Decision(None, (), f"{named}: nothing says that counting suffers")
    if labels < settings.least_labels:
        return Decision(None, (), f"{named}: {harmed}; {labels} of {settings.least_labels} labelled frames")
    return Decision(next(each for each in _CAUSES if each == cause), ids, f"{named}: {harmed}")


def _harm(episodes: Sequence[DriftEpisode], cameras: int, harm: Harm, settings: PolicySettings, now: datetime) -> str:
    """What says that counting suffers; empty when nothing does."""
    ids = {each.camera_id for each in episodes}
    for estimate in harm.reviewed:
        if estimate.camera_id in ids and estimate.upper is not None and estimate.upper < settings.target:
            return f"reviewed precision of {estimate.camera_id} is at most {estimate.upper:.1%}"
    for camera_id in sorted(ids):
        rows = [each for each in harm.estimated.get(camera_id, ()) if each.value is not None]
        if not rows or rows[-1].at - rows[0].at < settings.estimate_for:
            continue
        lately = [each for each in rows if each.at >= now - settings.estimate_for]
        if lately and all(each.value is not None and each.value < settings.target for each in lately):
            hours = settings.estimate_for.total_seconds() / 3600
            return f"estimated precision of {camera_id} is under the target for {hours:g} h"
    long = [each for each in episodes if now - each.since_at >= settings.fleet_for]
    if cameras > 1 and len(long) >= settings.fleet_share * cameras and len(long) > 1:
        hours = settings.fleet_for.total_seconds() / 3600
        return f"{len(long)} of {cameras} cameras show it for {hours:g} h"
    return ""
