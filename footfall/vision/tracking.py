"""Follows people from frame to frame by boxes, true time and clothes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from footfall.domain import Tracks
from footfall.vision.appearance import looks_of
from footfall.vision.association import Association
from footfall.vision.boxes import areas, grown, intersections, pairwise_iou
from footfall.vision.stitching import NOBODY, Followed, StitchSettings, TrackStitcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.domain import Detections, Image


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """How people are followed; the defaults were chosen on development footage, docs/decisions/0003.

    Attributes:
        sure_share: detections this far from the model's threshold towards 1 are matched first; weaker ones only
            continue somebody. Below the threshold nothing is looked at.
        start_share: only detections this far from the threshold towards 1 start a new track.
        buffer_ratio: boxes grow by this share of their size on each side before their overlap is taken, so that
            people who moved far between two frames still meet themselves.
        least_overlap: of the grown boxes, for a match.
        keep_lost_s: how long the tracker itself looks for somebody it lost; seconds.
        part_share: a find that lies in a surer one with this much of its area is a part of that person,
        part_height: if it is not higher than this share of that person either.
        looks_after_s, looks_until_s: between frames that are nearer or farther in time overlap alone decides; seconds.
        looks_weight: overlap that people lose who look as different as `looks_apart`; at most twice as much.
        looks_apart: difference of clothes (`appearance.unlikeness`) that is beyond what one person changes.
        looks_share: how much of a new sighting goes into what is known of somebody's clothes.
        looks_share_covered: the same of somebody who is covered by another.
    """

    sure_share: float = 0.0
    start_share: float = 0.0
    buffer_ratio: float = 0.3
    least_overlap: float = 0.1
    keep_lost_s: float = 2.0
    part_share: float = 0.85
    part_height: float = 0.9
    looks_after_s: float = 0.15
    looks_until_s: float = 0.3
    looks_weight: float = 0.4
    looks_apart: float = 12.0
    looks_share: float = 0.2
    looks_share_covered: float = 0.06


class PersonTracker:
    """Follows the people of one camera.

    Finds are told apart by `association`; lost people are found again by `stitching`.

    Args:
        target_fps: nominal rate of the frames that will come; real distances come from the timestamps.
    """

    def __init__(
        self,
        *,
        target_fps: float = 5.0,
        settings: TrackingSettings | None = None,
        stitch_settings: StitchSettings | None = None,
    ) -> None:
        self._settings = settings or TrackingSettings()
        self._association = Association(self._settings, target_fps=target_fps)
        self._stitcher = TrackStitcher(stitch_settings)
        self._last_s: float | None = None
        self._doubtful = NOBODY  # finds of the last frame that nobody was known for yet
        self._newest_id = -1

    def update(
        self,
        detections: Detections,
        now_s: float,
        *,
        size_px: tuple[int, int] | None = None,
        image: NDArray[np.uint8] | Image | None = None,
    ) -> Followed:
        """Follow everybody one frame on.

        Args:
            detections: of this frame.
            now_s: time of the frame in seconds; a frame that is not later than the one before gives nobody.
            size_px: width and height of the picture, to know who comes in at its edge.
            image: (H, W, 3) uint8 BGR or what gives one; without it nobody's clothes are looked at. Nothing of it is
                kept but a few mean colours of who is followed.

        Returns:
            The people seen on this frame; an occluded person is absent, not guessed. Somebody is followed from the
            second sighting on, and then the first one is told too.
        """
        if self._last_s is not None and now_s <= self._last_s:
            return Followed(NOBODY, NOBODY, now_s)
        before_s, self._last_s = self._last_s if self._last_s is not None else now_s, now_s
        likely = detections.scores >= detections.threshold
        boxes, scores = detections.boxes_px[likely], detections.scores[likely]
        shared = intersections(boxes, boxes)
        whole = ~_is_part(boxes, shared, self._settings)
        if not whole.all():
            boxes, scores, shared = boxes[whole], scores[whole], shared[np.ix_(whole, whole)]
        looks = shares = None
        if image is not None and self._is_far(before_s, now_s):
            looks = looks_of(image, boxes)
            covered = _is_covered(boxes, shared)
            shares = np.where(covered, self._settings.looks_share_covered, self._settings.looks_share)
        ids = self._association.update(boxes, scores, now_s, threshold=detections.threshold, looks=looks, shares=shares)
        tracks = Tracks(ids, boxes, scores)
        known = _select(tracks, ids >= 0)
        before = self._first_sightings(known)
        self._doubtful = _select(tracks, ids < 0)
        return self._stitcher.update(known, now_s, before, before_s, size_px=size_px)

    def _is_far(self, before_s: float, now_s: float) -> bool:
        return self._settings.looks_after_s <= now_s - before_s <= self._settings.looks_until_s

    def _first_sightings(self, tracks: Tracks) -> Tracks:
        """Where the tracks that are new now were on the last frame, where they were not known yet."""
        new = np.flatnonzero(tracks.ids > self._newest_id)
        if not len(new):
            return NOBODY
        self._newest_id = int(tracks.ids.max())
        if not len(self._doubtful.ids):
            return NOBODY
        ratio = self._settings.buffer_ratio
        overlap = pairwise_iou(grown(tracks.boxes_px[new], ratio), grown(self._doubtful.boxes_px, ratio))
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        fits = overlap[rows, columns] >= self._settings.least_overlap
        rows, columns = rows[fits], columns[fits]
        return Tracks(tracks.ids[new[rows]], self._doubtful.boxes_px[columns], self._doubtful.scores[columns])


def _is_covered(boxes_px: NDArray[np.float32], shared: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Tell who is covered by somebody in front, whose box ends lower, by a sixth or more: (N, 4), (N, N) → (N,)."""
    in_front = boxes_px[None, :, 3] > boxes_px[:, None, 3]
    covered = shared * in_front >= areas(boxes_px)[:, None] / 6
    return np.asarray(covered.any(axis=1))


def _is_part(
    boxes_px: NDArray[np.float32], shared: NDArray[np.floating[Any]], settings: TrackingSettings
) -> NDArray[np.bool_]:
    """Tell which boxes, surest first, are a part of somebody who was found whole: (N, 4), (N, N) → (N,).

    Detectors find the legs or the upper body of somebody as a second person; suppression by overlap keeps those, as
    they are much smaller. Somebody behind, whose box lies in another's, is as high as he more often than not.
    """
    heights = boxes_px[:, 3] - boxes_px[:, 1]
    lies_in = shared >= settings.part_share * np.maximum(areas(boxes_px), 1e-9)[:, None]
    is_lower = heights[:, None] <= settings.part_height * heights[None]
    parts: NDArray[np.bool_] = np.tril(lies_in & is_lower, -1).any(axis=1)
    return parts


def _select(tracks: Tracks, chosen: NDArray[np.bool_]) -> Tracks:
    return Tracks(tracks.ids[chosen], tracks.boxes_px[chosen], tracks.scores[chosen])
