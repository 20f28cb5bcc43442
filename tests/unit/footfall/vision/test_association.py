"""Followed all at once, people get the ids that Roboflow's ByteTrack gives them one by one."""

from __future__ import annotations

import numpy as np
import pytest
import supervision as sv
from numpy.typing import NDArray
from trackers import BIoU, ByteTrackTracker

from footfall.vision.association import Association
from footfall.vision.tracking import TrackingSettings

FRAMES = 150


def walks(seed: int, people: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Boxes and scores of people who walk through each other, come, go for three seconds, and are missed often."""
    rng = np.random.default_rng(seed)
    at = rng.uniform((50, 100), (600, 300), (people, 2))
    speed = rng.normal(0, 9, (people, 2))
    height = rng.uniform(40, 120, people)
    begins, ends = rng.integers(0, FRAMES // 2, people), rng.integers(FRAMES // 2, FRAMES, people)
    gone = rng.integers(FRAMES // 3, FRAMES // 2, people)
    film = []
    for frame in range(FRAMES):
        at = at + speed + rng.normal(0, 1.5, at.shape)
        there = (
            (begins <= frame) & (frame < ends) & (rng.random(people) > 0.15) & ~((gone <= frame) & (frame < gone + 15))
        )
        size = np.column_stack([0.4 * height, height]) * rng.normal(1, 0.05, (people, 2))
        boxes = np.concatenate([at - size / 2, at + size / 2], axis=1)[there]
        film.append((boxes.astype(np.float32), rng.uniform(0.3, 1, int(there.sum())).astype(np.float32)))
    return film


@pytest.mark.parametrize(
    ("settings", "jitter_s"),
    [
        pytest.param(TrackingSettings(), 0.001, id="on time"),
        pytest.param(TrackingSettings(), 0.06, id="frames too early and too late"),
        pytest.param(TrackingSettings(sure_share=0.4, start_share=0.6), 0.02, id="weak finds only continue somebody"),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_ids_are_those_of_the_library(settings: TrackingSettings, jitter_s: float, seed: int) -> None:
    fps, threshold = 5.0, 0.3
    reference = ByteTrackTracker(
        lost_track_buffer=round(settings.keep_lost_s * 30),
        frame_rate=fps,
        minimum_consecutive_frames=1,
        minimum_iou_threshold=settings.least_overlap,
        high_conf_det_threshold=threshold + settings.sure_share * (1 - threshold),
        track_activation_threshold=threshold + settings.start_share * (1 - threshold),
        iou=BIoU(settings.buffer_ratio),
    )
    association = Association(settings, target_fps=fps)
    rng = np.random.default_rng(100 + seed)
    told = 0
    for frame, (boxes, scores) in enumerate(walks(seed, 12)):
        now_s = frame / fps + rng.uniform(-jitter_s, jitter_s)
        theirs = reference.update(
            sv.Detections(xyxy=boxes, confidence=scores, class_id=np.arange(len(boxes))), timestamp=now_s
        )
        expected = np.full(len(boxes), -1)
        assert theirs.class_id is not None or not len(theirs)
        expected[[] if theirs.class_id is None else theirs.class_id] = theirs.tracker_id
        assert association.update(boxes, scores, now_s, threshold=threshold).tolist() == expected.tolist(), frame
        told = max(told, int(expected.max(initial=-1)))
    assert told > 12


def test_nobody_is_followed_where_nobody_was_found() -> None:
    association = Association(TrackingSettings(), target_fps=5)
    nobody = np.empty((0, 4), np.float32), np.empty(0, np.float32)
    somebody = np.array([[10, 10, 30, 60]], np.float32), np.array([0.9], np.float32)
    assert [
        association.update(boxes, scores, frame / 5, threshold=0.3).tolist()
        for frame, (boxes, scores) in enumerate([nobody, somebody, nobody, nobody, somebody, somebody])
    ] == [[], [-1], [], [], [-1], [0]]
