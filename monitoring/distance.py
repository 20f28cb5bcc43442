"""How far a window of one statistic is from its reference, in the reference's own spread; knows no camera or cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import wasserstein_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ROWS: Final = 60
"""With fewer values nothing is said."""
MOST_VALUES: Final = 1000
"""Of a reference, by rank: that many tell its distribution to a thousandth, and a fleet's references stay small."""
_TAIL: Final = 0.005
"""Of a reference, as much at either end is cut off, and what is beyond it counts as being there: one odd frame must not
stretch the scale, nor tell a drift by itself."""
_ROOM: Final = 10
"""Spreads beyond the reference's range up to which farther is farther. With fewer, a camera whose own days
differ much has a threshold that nothing can pass; one odd row of an hour's 360 still adds no more than 0.04 spreads."""
_LEAST_SPREAD: Final = 0.01
"""A statistic that hardly ever changes is measured in shares of its mean, or every flicker would be a drift."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureReference:
    """What one statistic of a camera usually is.

    Attributes:
        values: (K,) float64, sorted, cut to [lower, upper].
        spread: standard deviation of these, > 0; the unit of all distances.
    """

    values: NDArray[np.float64]
    lower: float
    upper: float
    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a window is from the reference.

    Attributes:
        score: Wasserstein-1 distance of the cut values, in spreads; ≥ 0.
        shift: difference of the means, in spreads; its sign tells which way.
        n: values in the window.
    """

    score: float
    shift: float
    n: int


def feature_reference(values: NDArray[np.floating], *, least_spread: float = 0.0) -> FeatureReference | None:
    """Return what is usual; None with fewer than `LEAST_ROWS` finite values.

    Args:
        least_spread: in the statistic's unit; what varies by less is measured as if it varied by this.
        values: (N,); NaN is passed over. Of more than `MOST_VALUES` as many are kept, evenly by rank.
    """
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    if len(found) < LEAST_ROWS:
        return None
    lower, upper = (float(bound) for bound in np.quantile(found, (_TAIL, 1 - _TAIL)))
    cut = np.sort(np.clip(found, lower, upper))
    if len(cut) > MOST_VALUES:
        cut = cut[np.linspace(0, len(cut) - 1, MOST_VALUES).astype(np.int64)]
    mean = float(cut.mean())
    spread = max(float(cut.std()), _LEAST_SPREAD * abs(mean), least_spread, 1e-6)
    return FeatureReference(cut, lower, upper, mean, spread)


def distance(reference: FeatureReference, values: NDArray[np.floating]) -> Distance | None:
    """Return how far a window is; None with fewer than `LEAST_ROWS` finite values: too little is no sameness.

    Source: normalised Wasserstein distance, as Evidently has it, on values cut to the reference's range.

    >>> usual = feature_reference(np.linspace(0, 1, 1000))
    >>> far = distance(usual, np.linspace(0, 1, 500) + 0.3)
    >>> round(far.shift, 1), distance(usual, np.array([])) is None
    (1.0, True)
    """
    cut = cut_window(reference, values)
    if len(cut) < LEAST_ROWS:
        return None
    score = float(wasserstein_distance(reference.values, cut)) / reference.spread
    return Distance(score, (float(cut.mean()) - reference.mean) / reference.spread, len(cut))


def cut_window(reference: FeatureReference, values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the finite values of a window, (N,), N may be 0, with those far beyond the reference's range cut."""
    found = np.asarray(values, np.float64)
    room = _ROOM * reference.spread
    return np.clip(found[np.isfinite(found)], reference.lower - room, reference.upper + room)
