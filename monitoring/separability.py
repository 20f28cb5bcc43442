"""Whether two sets of vectors can be told apart, by a classifier that tries; knows no camera, time or cause.

It sees what no single statistic shows: numbers that each stay in their range while they no longer go together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_VECTORS: Final = 60
_SHRINK: Final = 0.1
"""Of the covariance towards equal variances: some numbers hardly vary, and neighbouring frames are alike."""
_MOST_AUC: Final = 0.9999


@dataclass(frozen=True, slots=True)
class Separability:
    """How well a classifier tells them apart.

    Attributes:
        auc: area under its ROC curve on what it did not learn from; 0.5 where it cannot, and never below.
        distance: the distance of two normal distributions of spread one that gives this area: √2 · Φ⁻¹(auc); 0 to 5.3.
            Unlike the area it does not run into a wall where days of one camera differ.
    """

    auc: float
    distance: float


def separability(usual: NDArray[np.floating], now: NDArray[np.floating]) -> Separability | None:
    """Return how well they can be told apart; None with fewer than `LEAST_VECTORS` of either, or of unlike length.

    Source: classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017), with a linear discriminant. Differs: learned
    on one half in time and tried on the other, both ways: halves drawn at random would share neighbouring frames.

    Args:
        usual: (N, D), in order of time.
        now: (M, D), in order of time.

    >>> rng = np.random.Generator(np.random.PCG64(1))
    >>> same, other = rng.normal(0, 1, (2, 400, 3))
    >>> far = separability(same, other + (2, 0, 0))
    >>> separability(same, other).auc < 0.56, 1.7 < far.distance < 2.3, separability(same[:10], other)
    (True, True, None)
    """
    if min(len(usual), len(now)) < LEAST_VECTORS or usual.shape[1] != now.shape[1]:
        return None
    scale = np.maximum(usual.std(axis=0, dtype=np.float64), 1e-6)
    known, new = ((each.astype(np.float64) - usual.mean(axis=0)) / scale for each in (usual, now))
    halves = [(known[: len(known) // 2], new[: len(new) // 2]), (known[len(known) // 2 :], new[len(new) // 2 :])]
    auc = float(np.mean([_auc(halves[this], halves[1 - this]) for this in (0, 1)]))
    auc = min(max(auc, 0.5), _MOST_AUC)
    return Separability(auc, math.sqrt(2) * NormalDist().inv_cdf(auc))


Two = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def _auc(learned: Two, tried: Two) -> float:
    within = np.mean([np.atleast_2d(np.cov(each, rowvar=False)) for each in learned], axis=0)
    size = len(within)
    within = (1 - _SHRINK) * within + _SHRINK * np.trace(within) / size * np.eye(size) + 1e-9 * np.eye(size)
    direction = np.linalg.solve(within, learned[1].mean(axis=0) - learned[0].mean(axis=0))
    known, new = (each @ direction for each in tried)
    ranks = rankdata(np.concatenate([known, new]))
    # Mann and Whitney's U is the area.
    above = ranks[len(known) :].sum() - len(new) * (len(new) + 1) / 2
    return float(above / (len(known) * len(new)))
