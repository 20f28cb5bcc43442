"""Follows people from frame to frame by their boxes and the true time; the only file that knows `trackers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import supervision as sv
from scipy.optimize import linear_sum_assignment
from trackers import BIoU, ByteTrackTracker

from footfall.domain import Tracks
from footfall.vision.stitching import NOBODY, Followed, StitchSettings, TrackStitcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.domain import Detections


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
    """

    sure_share: float = 0.0
    start_share: float = 0.0
    buffer_ratio: float = 0.3
    least_overlap: float = 0.1
    keep_lost_s: float = 2.0
    part_share: float = 0.85
    part_height: float = 0.9


class PersonTracker:
    """Follows the people of one camera.

    Source: ByteTrack (ECCV 2022) from Roboflow `trackers`, on true timestamps. Differs: overlap of buffered boxes
    (C-BIoU, WACV 2023), and lost tracks are stitched to new ones.

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
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(self._settings.keep_lost_s * 30),  # the library counts frames at 30 fps
            frame_rate=target_fps,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=self._settings.least_overlap,
            iou=BIoU(self._settings.buffer_ratio),
        )
        self._stitcher = TrackStitcher(stitch_settings)
        self._last_s: float | None = None
        self._doubtful = NOBODY  # finds of the last frame that nobody was known for yet
        self._newest_id = -1

    def update(self, detections: Detections, now_s: float, *, size_px: tuple[int, int] | None = None) -> Followed:
        """Follow everybody one frame on.

        Args:
            detections: of this frame.
            now_s: time of the frame in seconds; a frame that is not later than the one before gives nobody.
            size_px: width and height of the picture, to know who comes in at its edge.

        Returns:
            The people seen on this frame; an occluded person is absent, not guessed. Somebody is followed from the
            second sighting on, and then the first one is told too.
        """
        if self._last_s is not None and now_s <= self._last_s:
            return Followed(NOBODY, NOBODY, now_s)
        before_s, self._last_s = self._last_s if self._last_s is not None else now_s, now_s
        threshold = detections.threshold
        self._tracker.high_conf_det_threshold = threshold + self._settings.sure_share * (1 - threshold)
        self._tracker.track_activation_threshold = threshold + self._settings.start_share * (1 - threshold)
        likely = np.flatnonzero(detections.scores >= threshold)
        likely = likely[~_is_part(detections.boxes_px[likely], self._settings)]
        found = self._tracker.update(
            sv.Detections(
                xyxy=detections.boxes_px[likely],
                confidence=detections.scores[likely],
                class_id=np.zeros(len(likely), dtype=np.int64),
            ),
            timestamp=now_s,
        )
        tracks = NOBODY
        if found.tracker_id is not None and found.confidence is not None and len(found.tracker_id):
            tracks = Tracks(
                found.tracker_id.astype(np.int64), found.xyxy.astype(np.float32), found.confidence.astype(np.float32)
            )
        known = _select(tracks, tracks.ids >= 0)
        before = self._first_sightings(known)
        self._doubtful = _select(tracks, tracks.ids < 0)
        return self._stitcher.update(known, now_s, before, before_s, size_px=size_px)

    def _first_sightings(self, tracks: Tracks) -> Tracks:
        """Where the tracks that are new now were on the last frame, where they were not known yet."""
        new = np.flatnonzero(tracks.ids > self._newest_id)
        if not len(new):
            return NOBODY
        self._newest_id = int(tracks.ids.max())
        if not len(self._doubtful.ids):
            return NOBODY
        grown = BIoU(self._settings.buffer_ratio).compute(tracks.boxes_px[new], self._doubtful.boxes_px)
        rows, columns = linear_sum_assignment(grown, maximize=True)
        fits = grown[rows, columns] >= self._settings.least_overlap
        rows, columns = rows[fits], columns[fits]
        return Tracks(tracks.ids[new[rows]], self._doubtful.boxes_px[columns], self._doubtful.scores[columns])


def _is_part(boxes_px: NDArray[np.float32], settings: TrackingSettings) -> NDArray[np.bool_]:
    """Tell which boxes, surest first, are a part of somebody who was found whole: (N, 4) → (N,).

    Detectors find the legs or the upper body of somebody as a second person; suppression by overlap keeps those, as
    they are much smaller. Somebody behind, whose box lies in another's, is as high as he more often than not.
    """
    left_top = np.maximum(boxes_px[:, None, :2], boxes_px[None, :, :2])
    right_bottom = np.minimum(boxes_px[:, None, 2:], boxes_px[None, :, 2:])
    shared = (right_bottom - left_top).clip(min=0).prod(axis=2)
    size = boxes_px[:, 2:] - boxes_px[:, :2]
    lies_in = shared >= settings.part_share * np.maximum(size.prod(axis=1), 1e-9)[:, None]
    is_lower = size[:, None, 1] <= settings.part_height * size[None, :, 1]
    parts: NDArray[np.bool_] = np.tril(lies_in & is_lower, -1).any(axis=1)
    return parts


def _select(tracks: Tracks, chosen: NDArray[np.bool_]) -> Tracks:
    return Tracks(tracks.ids[chosen], tracks.boxes_px[chosen], tracks.scores[chosen])
