"""From which distance on a window is unusual, by what the camera's own days differ from each other; knows no tiers."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_SCORE: Final = 0.2
"""Nearer than a fifth of the usual spread is the same to the detector, however regular a camera's days are."""
_USUAL_LOG: Final = (-0.7, 0.6)
"""Mean and standard deviation of the logarithm of distances between days of one camera, before its own are known:
from simulated weeks (benchmarks/drift_null.py, drift_weeks.py)."""
_LEAST_OWN: Final = 0.1
"""Days that are nearer to each other than this are alike; how near says nothing of what tomorrow's rain will do."""
_PRIOR_DAYS: Final = 8
_PERSISTENCE: Final = (30.0, 300.0)
"""So many windows may be over the threshold for one episode, by the same simulation: an episode takes three in a row
(`tiers`), and once two weeks are known, most of those that are over it look like an accepted one (`known`)."""
_KNOWING_DAYS: Final = (7.0, 14.0)
"""Accepted days from which on that begins to help, and helps fully."""


def threshold(own: Sequence[float], *, features: int, alarms_a_day: float, known_days: float = 0.0) -> float:
    """Return the distance that windows of a camera pass so rarely that all its features keep the alarm budget.

    Distances are about log-normal; mean and spread of the camera's own (each day against the others) are shrunk towards
    the usual ones as if these were of some more days, so that a camera with three days is neither quick to alarm nor
    deaf. The quantile is that of `alarms_a_day` ÷ (24 windows × features), times what persistence forgives.

    Args:
        own: distances of each reference day's windows from the other days; may be empty.
        features: statistics that are looked at.
        alarms_a_day: episodes a camera may cause in a day without a drift.
        known_days: accepted days whose windows of other hours may explain one that is unusual.

    >>> threshold([], features=20, alarms_a_day=0.02) > threshold([0.2] * 14, features=20, alarms_a_day=0.02)
    True
    """
    usual_mean, usual_spread = _USUAL_LOG
    found = np.log(np.maximum([score for score in own if math.isfinite(score)], _LEAST_OWN))
    count = len(found)
    mean, variance = usual_mean, usual_spread**2
    if count:
        weight = count / (count + _PRIOR_DAYS)
        mean = weight * float(found.mean()) + (1 - weight) * usual_mean
        between = weight * (1 - weight) * (float(found.mean()) - usual_mean) ** 2
        variance = weight * float(found.var()) + (1 - weight) * usual_spread**2 + min(between, usual_spread**2) / 2
    forgiven = float(np.interp(known_days, _KNOWING_DAYS, _PERSISTENCE))
    rare = min(0.05, forgiven * alarms_a_day / (24 * max(features, 1)))
    reach = NormalDist().inv_cdf(1 - rare) * math.sqrt(1 + 1 / (count + _PRIOR_DAYS))
    return max(LEAST_SCORE, math.exp(mean + reach * math.sqrt(variance)))
