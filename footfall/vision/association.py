"""Which find is whom: ByteTrack for everybody on a camera at once, by overlap, motion and clothes; knows no pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from footfall.vision.appearance import LOOKS, unlikeness
from footfall.vision.boxes import grown, pairwise_iou

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.vision.tracking import TrackingSettings

NOBODY: Final = -1
"""In place of an id, a find that nobody is known for yet."""
_MEASURED: Final = 0.1
"""Variance of a box's corner as it was found; pixels squared, as the next two."""
_FIRST: Final = 1.0
_PER_STEP: Final = 0.01
_NOMINAL_S: Final = 0.004
"""A frame that comes this little too early or too late came in time."""
_LEFT_ALONE: Final = 2
"""Somebody without an id is given up at this many misses in a row."""


class Association:
    """Follows the people of one camera by ids of its own.

    Source: ByteTrack (ECCV 2022) with a Kalman filter of constant speed for each corner of a box, on true timestamps,
    as Roboflow's `trackers` 2.6 has it: the same matches (tests/unit/footfall/vision/test_association.py). Differs: all
    people are one set of arrays, a fifth of the cost; boxes are grown before their overlap is taken (C-BIoU, WACV
    2023); clothes weigh against the overlap.

    The four sides of a box are filtered alike and apart from each other, so that one 2x2 covariance does for them.

    Args:
        target_fps: nominal rate; one period is a step of the filter.
    """

    def __init__(self, settings: TrackingSettings, *, target_fps: float) -> None:
        self._settings = settings
        self._fps = target_fps
        self._last_s: float | None = None
        self._next_id = 0
        self._ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._boxes: NDArray[np.float64] = np.empty((0, 4))
        self._speeds: NDArray[np.float64] = np.empty((0, 4))  # pixels a step
        self._spread: NDArray[np.float64] = np.empty((3, 0))  # variance of place, of both, of speed
        self._lost_s: NDArray[np.float64] = np.empty(0)
        self._misses: NDArray[np.int64] = np.empty(0, np.int64)
        self._looks: NDArray[np.float32] = np.empty((0, LOOKS), np.float32)
        self._is_known: NDArray[np.bool_] = np.empty(0, bool)  # whose clothes

    def update(
        self,
        boxes_px: NDArray[np.float32],
        scores: NDArray[np.float32],
        now_s: float,
        *,
        threshold: float,
        looks: NDArray[np.float32] | None = None,
        shares: NDArray[np.float32] | None = None,
    ) -> NDArray[np.int64]:
        """Follow everybody one frame on.

        Args:
            boxes_px: (N, 4); N may be 0.
            scores: (N,).
            now_s: later than that of the frame before.
            threshold: of the model.
            looks: (N, LOOKS) clothes; None where they do not count.
            shares: (N,) how much is learnt of each of them; with `looks` only.

        Returns:
            (N,) ids from 0 up, or NOBODY: a find is somebody from its second sighting on.
        """
        ids = np.full(len(boxes_px), NOBODY, np.int64)
        elapsed_s = 1 / self._fps if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        if not len(self._ids) and not len(ids):
            return ids
        found = boxes_px.astype(np.float64)
        surest = threshold + self._settings.sure_share * (1 - threshold)
        sure = scores >= surest
        if len(self._ids):
            self._predict(elapsed_s)
            self._misses += 1
            self._lost_s += elapsed_s
            self._keep(self._lost_s <= self._settings.keep_lost_s)
            columns = np.flatnonzero(sure)
            rows, matched = self._matches(np.arange(len(self._ids)), found, columns, looks)
            if looks is not None and shares is not None:
                self._learn(rows, looks[matched], shares[matched])
            weak = np.flatnonzero(~sure)
            if len(weak):
                left = np.setdiff1d(np.arange(len(self._ids)), rows, assume_unique=True)
                more_rows, more = self._matches(left, found, weak, None)
                rows, matched = np.concatenate([rows, more_rows]), np.concatenate([matched, more])
            if len(rows):
                self._correct(rows, found[matched])
                for row in rows[self._ids[rows] == NOBODY]:
                    self._ids[row], self._next_id = self._next_id, self._next_id + 1
                ids[matched] = self._ids[rows]
                sure[matched] = False
            self._keep((self._ids != NOBODY) | (self._misses < _LEFT_ALONE))
        starting = threshold + self._settings.start_share * (1 - threshold)
        self._begin(found, np.flatnonzero(sure & (scores >= starting)), looks)
        return ids

    def _predict(self, elapsed_s: float) -> None:
        step = elapsed_s * self._fps
        place, both, speed = self._spread
        if abs(step - 1) <= _NOMINAL_S * self._fps:
            noise = _PER_STEP, 0.0, _PER_STEP
        else:  # an acceleration of unknown strength over the whole gap
            noise = _PER_STEP * step**4 / 4, _PER_STEP * step**3 / 2, _PER_STEP * step**2
        self._boxes += step * self._speeds
        place += 2 * step * both + step * step * speed + noise[0]
        both += step * speed + noise[1]
        speed += noise[2]

    def _correct(self, rows: NDArray[np.intp], found: NDArray[np.float64]) -> None:
        """Take in what was found of some people."""
        place, both, _ = self._spread[:, rows]
        gain, gain_of_speed = place / (place + _MEASURED), both / (place + _MEASURED)
        surprise = found - self._boxes[rows]
        self._boxes[rows] += gain[:, None] * surprise
        self._speeds[rows] += gain_of_speed[:, None] * surprise
        self._spread[2, rows] -= gain_of_speed * both
        self._spread[0, rows] = (1 - gain) * place
        self._spread[1, rows] = (1 - gain) * both
        self._misses[rows] = 0
        self._lost_s[rows] = 0.0

    def _matches(
        self,
        people: NDArray[np.intp],
        found: NDArray[np.float64],
        columns: NDArray[np.intp],
        looks: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pair some people with some of the finds: rows and the finds that are theirs."""
        if not len(people) or not len(columns):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        settings = self._settings
        overlap = pairwise_iou(
            grown(self._boxes[people], settings.buffer_ratio), grown(found[columns], settings.buffer_ratio)
        )
        fits = overlap >= settings.least_overlap
        worth = overlap
        if looks is not None:
            # Whose clothes are not known yet looks like everybody.
            apart = unlikeness(self._looks[people], looks[columns]) / settings.looks_apart
            apart = np.minimum(apart, 2.0) * self._is_known[people, None]
            # One more for every match: clothes choose among those who may be meant, and never leave somebody alone.
            worth = np.where(fits, overlap - settings.looks_weight * apart + 1.0, 0.0)
        rows, chosen = linear_sum_assignment(worth, maximize=True)
        good = fits[rows, chosen]
        return people[rows[good]], columns[chosen[good]]

    def _learn(self, rows: NDArray[np.intp], looks: NDArray[np.float32], shares: NDArray[np.float32]) -> None:
        before = self._looks[rows]
        share = np.where(self._is_known[rows], shares, np.float32(1))[:, None]
        self._looks[rows] = before + share * (looks - before)
        self._is_known[rows] = True

    def _begin(self, found: NDArray[np.float64], starting: NDArray[np.intp], looks: NDArray[np.float32] | None) -> None:
        """Begin to follow finds that are nobody yet."""
        new = len(starting)
        if not new:
            return
        self._ids = np.concatenate([self._ids, np.full(new, NOBODY, np.int64)])
        self._boxes = np.concatenate([self._boxes, found[starting]])
        self._speeds = np.concatenate([self._speeds, np.zeros((new, 4))])
        self._spread = np.concatenate([self._spread, np.tile([[_FIRST], [0.0], [_FIRST]], new)], axis=1)
        self._lost_s = np.concatenate([self._lost_s, np.zeros(new)])
        self._misses = np.concatenate([self._misses, np.zeros(new, np.int64)])
        worn = np.zeros((new, LOOKS), np.float32) if looks is None else looks[starting]
        self._looks = np.concatenate([self._looks, worn])
        self._is_known = np.concatenate([self._is_known, np.full(new, looks is not None)])

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        if kept.all():
            return
        self._ids, self._boxes, self._speeds = self._ids[kept], self._boxes[kept], self._speeds[kept]
        self._spread = np.ascontiguousarray(self._spread[:, kept])
        self._lost_s, self._misses = self._lost_s[kept], self._misses[kept]
        self._looks, self._is_known = self._looks[kept], self._is_known[kept]
