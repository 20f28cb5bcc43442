"""How often a healthy site would be retrained for nothing: simulated months of fifty cameras, with the real policy.

The cameras are those of `drift_weeks.py`, drawn with replacement, each with the verdicts of its four weeks without a
fault. A retraining asks for harm besides, and harm is measured with errors: reviewed precision by so many random
tracks a day, estimated precision with a bias of each camera and a wander from hour to hour. Labels are taken to be
there at once, which is the worst case. Run by `drift_weeks.py`; alone it does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from footfall.config import Settings
from footfall.domain import DriftEpisode, QualityEstimate
from monitoring.policy import Harm, PolicySettings, decide
from monitoring.quality import ReviewedTrack, reviewed_precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from footfall.domain import DriftCause, QualityMeasure

CAMERAS: Final = 50
SITES: Final = 200
TRACKS_A_DAY: Final = 40
REVIEWED_DAYS: Final = 7
BIAS, WANDER = 0.01, 0.01
"""Of an estimated precision: spread between cameras, and of its hours; assumed."""
START: Final = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Episode:
    """A false one.

    Attributes:
        begin, end: hours; `end` is the first without it.
    """

    begin: int
    end: int
    cause: DriftCause


def requests(cameras: Sequence[Sequence[Episode]], hours: int, *, precision: float, sites: int = SITES) -> list[int]:
    """Return how many retrainings each simulated site asks for in so many hours.

    Args:
        cameras: false episodes of each; sites are drawn from them.
        precision: true one of every camera; the target is FOOTFALL_PRECISION_TARGET's default.
    """
    settings = Settings()
    policy = PolicySettings(
        settings.precision_target,
        timedelta(hours=settings.drift_estimate_h),
        settings.drift_fleet_share,
        timedelta(hours=settings.drift_fleet_h),
        settings.drift_least_labels,
    )
    cooldown = timedelta(hours=settings.retrain_cooldown_h)
    found = []
    for site in range(sites):
        random = np.random.default_rng([site, round(1000 * precision)])
        drawn = [cameras[place] for place in random.integers(0, len(cameras), CAMERAS)]
        bias = random.normal(0, BIAS, CAMERAS)
        count, free_at = 0, START
        for hour in range(hours):
            now = START + timedelta(hours=hour)
            open_now = {
                f"{place:02d}": _episode(place, episode)
                for place, episodes in enumerate(drawn)
                for episode in episodes
                if episode.begin <= hour < episode.end
            }
            if not open_now or now < free_at:
                continue
            harm = Harm(
                [each for name in open_now if (each := _reviewed(name, now, precision, site)) is not None],
                {name: _estimated(name, now, precision + bias[int(name)], policy, site) for name in open_now},
            )
            labels = dict.fromkeys(open_now, policy.least_labels)
            if decide(open_now, CAMERAS, labels, harm, policy, now=now).cause is not None:
                count, free_at = count + 1, now + cooldown
        found.append(count)
    return found


def _episode(place: int, episode: Episode) -> DriftEpisode:
    since = START + timedelta(hours=episode.begin)
    return DriftEpisode(
        id=f"{place:02d}-{episode.begin}",
        camera_id=f"{place:02d}",
        cause=episode.cause,
        since_at=since,
        opened_at=since,
        last_at=since,
    )


def _reviewed(camera_id: str, now: datetime, precision: float, site: int) -> QualityEstimate | None:
    """Of the last days; the days of a camera are the same whenever they are looked at."""
    day = (now - START).days
    right = np.concatenate(
        [
            np.random.default_rng([site, int(camera_id), each]).random(TRACKS_A_DAY) < precision
            for each in range(day, day + REVIEWED_DAYS)
        ]
    )
    estimate = reviewed_precision([ReviewedTrack(bool(each)) for each in right], {("", ""): 100 * len(right)})
    assert estimate is not None
    return _told("precision_reviewed", camera_id, now, estimate.value, (estimate.lower, estimate.upper))


def _estimated(
    camera_id: str, now: datetime, precision: float, policy: PolicySettings, site: int
) -> list[QualityEstimate]:
    hours = round(policy.estimate_for / timedelta(hours=1)) + 2
    begin = round((now - START) / timedelta(hours=1))
    return [
        _told(
            "precision_estimated",
            camera_id,
            now - timedelta(hours=hours - each),
            precision + WANDER * np.random.default_rng([site, int(camera_id), 1, begin + each]).normal(),
        )
        for each in range(1, hours + 1)
    ]


def _told(
    measure: QualityMeasure,
    camera_id: str,
    at: datetime,
    value: float | None,
    bounds: tuple[float | None, float | None] = (None, None),
) -> QualityEstimate:
    return QualityEstimate(
        measure=measure,
        scope="camera",
        camera_id=camera_id,
        line="",
        model="",
        at=at,
        since=at - timedelta(days=REVIEWED_DAYS),
        until=at,
        newest_at=at,
        value=value,
        lower=bounds[0],
        upper=bounds[1],
        n=TRACKS_A_DAY * REVIEWED_DAYS,
        missing=0,
        population=None,
        definition="",
    )
