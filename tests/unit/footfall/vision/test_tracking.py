"""Who is who when people meet: overlap and motion, and clothes where frames are far apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from footfall.domain import Detections
from footfall.vision.tracking import PersonTracker, TrackingSettings

RED, BLUE, GREY = (40, 40, 200), (200, 60, 40), (120, 120, 120)  # BGR
WIDTH_PX, HEIGHT_PX = 640, 360


def box(x: float) -> list[float]:
    return [x - 20, 150, x + 20, 250]


def picture_of(red_x: float, blue_x: float) -> NDArray[np.uint8]:
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), GREY, np.uint8)
    for x, shirt in ((red_x, RED), (blue_x, BLUE)):
        x0, y0, x1, y1 = (int(v) for v in box(x))
        picture[y0:y1, x0:x1] = shirt
    return picture


def ids_after_meeting(
    fps: float, *, seen: bool, settings: TrackingSettings | None = None
) -> tuple[list[int], list[int]]:
    """Two people walk up to each other, meet for a moment and turn back: ids of red and blue, before and after."""
    tracker = PersonTracker(target_fps=fps, settings=settings)
    pace_px = 120 / fps  # somebody 100 px high
    away = [*np.arange(100, 10, -pace_px), *np.arange(10, 110, pace_px)]
    ids: list[list[int]] = []
    for index, far in enumerate(away):
        red_x, blue_x = 320 - far, 320 + far
        detections = Detections(np.array([box(red_x), box(blue_x)], np.float32), np.array([0.9, 0.8], np.float32))
        picture = picture_of(red_x, blue_x) if seen else None
        found = tracker.update(detections, index / fps, size_px=(WIDTH_PX, HEIGHT_PX), image=picture).now
        middle = {
            float(x0 + x1) / 2: identity for identity, (x0, _, x1, _) in zip(found.ids, found.boxes_px, strict=True)
        }
        if len(middle) == 2:
            ids.append([int(middle[x]) for x in sorted(middle)])
    return ids[0], ids[-1]


def test_two_who_meet_and_turn_back_keep_their_ids_by_their_clothes() -> None:
    before, after = ids_after_meeting(5, seen=True)
    assert after == before


def test_without_a_picture_motion_takes_them_for_having_passed_each_other() -> None:
    """What clothes are looked at for; were this not so, the test above could not fail."""
    before, after = ids_after_meeting(5, seen=False)
    assert after == before[::-1]


def test_clothes_are_not_looked_at_while_frames_are_close() -> None:
    blind = TrackingSettings(looks_after_s=10.0)
    assert ids_after_meeting(5, seen=True, settings=blind) == ids_after_meeting(5, seen=False)


def test_weak_finds_continue_somebody_whose_clothes_are_known() -> None:
    tracker = PersonTracker(target_fps=5, settings=TrackingSettings(sure_share=0.5))
    boxes, picture = np.array([box(100), box(500)], np.float32), picture_of(100, 500)
    for index, weak in enumerate([0.9, 0.8, 0.3, 0.3, 0.8]):
        found = tracker.update(Detections(boxes, np.array([0.9, weak], np.float32)), index / 5, image=picture).now
    assert sorted(found.ids.tolist()) == [1, 2]
