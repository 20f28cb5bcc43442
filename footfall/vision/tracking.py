"""Follows people from frame to frame by boxes, true time and clothes; the only file that knows `trackers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import supervision as sv
from scipy.optimize import linear_sum_assignment
from trackers import BIoU, ByteTrackTracker

from footfall.domain import Tracks
from footfall.vision.appearance import looks_of, unlikeness
from footfall.vision.stitching import NOBODY, Followed, StitchSettings, TrackStitcher

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from trackers.core.bytetrack.tracklet import ByteTrackTracklet

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

    Source: ByteTrack (ECCV 2022) from Roboflow `trackers`, on true timestamps. Differs: overlap of buffered boxes
    (C-BIoU, WACV 2023), clothes beside the overlap where frames are far apart, and lost tracks are stitched to new
    ones.

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
        self._tracker = _LookingTracker(
            self._settings,
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
        threshold = detections.threshold
        self._tracker.high_conf_det_threshold = threshold + self._settings.sure_share * (1 - threshold)
        self._tracker.track_activation_threshold = threshold + self._settings.start_share * (1 - threshold)
        likely = np.flatnonzero(detections.scores >= threshold)
        likely = likely[~_is_part(detections.boxes_px[likely], self._settings)]
        boxes = detections.boxes_px[likely]
        looks = looks_of(image, boxes) if image is not None and self._is_far(before_s, now_s) else None
        found = self._tracker.follow(
            sv.Detections(
                xyxy=boxes, confidence=detections.scores[likely], class_id=np.zeros(len(likely), dtype=np.int64)
            ),
            now_s,
            looks,
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
        grown = BIoU(self._settings.buffer_ratio).compute(tracks.boxes_px[new], self._doubtful.boxes_px)
        rows, columns = linear_sum_assignment(grown, maximize=True)
        fits = grown[rows, columns] >= self._settings.least_overlap
        rows, columns = rows[fits], columns[fits]
        return Tracks(tracks.ids[new[rows]], self._doubtful.boxes_px[columns], self._doubtful.scores[columns])


class _LookingTracker(ByteTrackTracker):
    """ByteTrack whose matches depend on clothes too; the same as the library's where nobody's are known.

    The library asks `_get_associated_indices` for the matches of the sure finds with all tracks, then once more for
    those of the weak finds with the tracks that are left: the first answer is ours.
    """

    search_space: ClassVar[dict[str, Any]] = {}  # the library's tuner would look for its options by name

    def __init__(self, settings: TrackingSettings, **options: Any) -> None:  # noqa: ANN401  the library's
        super().__init__(**options)
        self._settings = settings
        self._looks_of_track: dict[ByteTrackTracklet, NDArray[np.float32]] = {}
        self._looks: NDArray[np.float32] | None = None  # of the sure finds of this frame; None where they do not count
        self._is_asked = False  # for matches of this frame
        self._shares: NDArray[np.float32] = np.empty(0, np.float32)  # how much is learnt of each of them

    def follow(self, found: sv.Detections, now_s: float, looks: NDArray[np.float32] | None) -> sv.Detections:
        """Follow everybody one frame on; `looks` is (N, LOOKS), or None for a frame on which they do not count."""
        self._looks, self._is_asked = None, False
        if looks is not None:
            sure = np.asarray(found.confidence) >= self.high_conf_det_threshold
            settings = self._settings
            shares = np.where(
                _is_covered(found.xyxy.astype(np.float32)), settings.looks_share_covered, settings.looks_share
            )
            self._looks, self._shares = looks[sure], shares[sure].astype(np.float32)
        followed = self.update(found, timestamp=now_s)
        self._looks_of_track = {t: self._looks_of_track[t] for t in self.tracks if t in self._looks_of_track}
        return followed

    def _get_associated_indices(
        self, similarity_matrix: NDArray[np.float64], min_similarity_thresh: float
    ) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        looks, self._is_asked = None if self._is_asked else self._looks, True
        if looks is None or not similarity_matrix.size:
            answer: tuple[list[tuple[int, int]], list[int], list[int]] = super()._get_associated_indices(
                similarity_matrix, min_similarity_thresh
            )
            return answer
        settings = self._settings
        # Whose clothes are not known yet looks like everybody.
        known = np.array([t in self._looks_of_track for t in self.tracks])
        remembered = np.array([self._looks_of_track.get(t, looks[0]) for t in self.tracks])
        apart = np.minimum(unlikeness(remembered, looks) / settings.looks_apart, 2.0) * known[:, None]
        fits = similarity_matrix >= min_similarity_thresh
        # One more for every match: clothes choose among those who may be meant, and never leave somebody alone.
        worth = np.where(fits, similarity_matrix - settings.looks_weight * apart + 1.0, 0.0)
        rows, columns = linear_sum_assignment(worth, maximize=True)
        matches = [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if fits[r, c]]
        for row, column in matches:
            self._learn(self.tracks[row], looks[column], self._shares[column])
        taken_rows, taken_columns = {r for r, _ in matches}, {c for _, c in matches}
        return (
            matches,
            [r for r in range(len(similarity_matrix)) if r not in taken_rows],
            [c for c in range(similarity_matrix.shape[1]) if c not in taken_columns],
        )

    def _spawn_new_tracks(  # noqa: PLR0917  the library's
        self,
        detection_boxes: NDArray[np.float32],
        confidences: NDArray[np.float32],
        unmatched_high_local: list[int],
        high_indices: NDArray[np.intp],
        out_det_indices: list[int],
        out_tracker_ids: list[int],
    ) -> None:
        before = len(self.tracks)
        super()._spawn_new_tracks(
            detection_boxes, confidences, unmatched_high_local, high_indices, out_det_indices, out_tracker_ids
        )
        if self._looks is not None:
            surest = [
                c for c in unmatched_high_local if confidences[high_indices[c]] >= self.track_activation_threshold
            ]
            self._looks_of_track.update(zip(self.tracks[before:], self._looks[surest], strict=True))

    def _learn(self, track: ByteTrackTracklet, looks: NDArray[np.float32], share: np.float32) -> None:
        before = self._looks_of_track.get(track)
        self._looks_of_track[track] = looks if before is None else before + share * (looks - before)


def _is_covered(boxes_px: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell who is covered by somebody in front, whose box ends lower, by a sixth or more: (N, 4) → (N,)."""
    left_top = np.maximum(boxes_px[:, None, :2], boxes_px[None, :, :2])
    right_bottom = np.minimum(boxes_px[:, None, 2:], boxes_px[None, :, 2:])
    shared = (right_bottom - left_top).clip(min=0).prod(axis=2)
    in_front = boxes_px[None, :, 3] > boxes_px[:, None, 3]
    area = (boxes_px[:, 2:] - boxes_px[:, :2]).prod(axis=1)
    covered: NDArray[np.bool_] = (shared * in_front >= area[:, None] / 6).any(axis=1)
    return covered


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
