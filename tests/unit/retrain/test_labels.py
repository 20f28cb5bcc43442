"""Labels are looked at: planted errors are found, right ones mostly left alone, duplicates told from quiet scenes."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from footfall.domain import Detections
from footfall.simulation import parse_simulation_url
from footfall.vision.simulator import Simulator
from retrain.frames import LabelledFrame
from retrain.labels import contact_sheet, duplicates, look_at, missing_labels, suspects

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PEOPLE = np.array([[100, 100, 140, 220], [300, 90, 345, 215], [500, 120, 540, 240]], np.float32)


def frame(boxes: NDArray[np.float32], number: int = 0, **changes: Any) -> LabelledFrame:
    rows = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in boxes)
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "camera_id": "gate",
        "taken_at": NOON + timedelta(minutes=number),
        "is_new": True,
        "width_px": 640,
        "height_px": 360,
        "boxes": rows,
        "labelled_by": "reviewer",
        "picture": "samples/gate.jpg",
        "sha256": "0" * 64,
    }
    return LabelledFrame(**(values | changes))


def seen(boxes: NDArray[np.float32], scores: list[float]) -> Detections:
    return Detections(boxes, np.array(scores, np.float32), 0.3)


SURE = [0.9, 0.8, 0.7]
SHIFTED = PEOPLE + np.array([[18, 0, 18, 0], [0] * 4, [0] * 4], np.float32)


@pytest.mark.parametrize(
    ("labels", "found", "told"),
    [
        pytest.param(PEOPLE, seen(PEOPLE + 3, SURE), [], id="all right"),
        pytest.param(PEOPLE[1:], seen(PEOPLE, SURE), [("missed", 100.0)], id="somebody was missed"),
        pytest.param(PEOPLE[1:], seen(PEOPLE, [0.5, 0.8, 0.7]), [], id="the model is not sure of the missed one"),
        pytest.param(SHIFTED, seen(PEOPLE, SURE), [("badly placed", 118.0)], id="a box beside somebody"),
        pytest.param(PEOPLE, seen(PEOPLE[:2], SURE[:2]), [("spurious", 500.0)], id="nobody is in a box"),
        pytest.param(PEOPLE, seen(PEOPLE, [0.9, 0.8, 0.12]), [], id="a weak find speaks for the label"),
        pytest.param(PEOPLE[:0], seen(PEOPLE[:0], []), [], id="nobody at all"),
    ],
)
def test_doubtful_labels_are_named(
    labels: NDArray[np.float32], found: Detections, told: list[tuple[str, float]]
) -> None:
    assert [(each.fault, each.box[0]) for each in suspects(frame(labels), found)] == told


def test_the_same_picture_twice_is_a_duplicate_and_a_quiet_scene_is_not() -> None:
    shown = list(
        itertools.islice(Simulator(parse_simulation_url("sim:mall?seed=4&people=3&fps=0.2&size=640x360")).frames(), 8)
    )
    frames = [frame(each.people.boxes_px, number) for number, each in enumerate(shown)]
    looks = [look_at(each.picture) for each in shown]
    assert duplicates(frames, looks) == []
    again = shown[3].picture.astype(np.int16) + np.random.default_rng(1).normal(0, 3, shown[3].picture.shape)
    frames.append(replace(frames[3], id="f" * 32, taken_at=NOON + timedelta(hours=1)))
    looks.append(look_at(again.clip(0, 255).astype(np.uint8)))
    assert duplicates(frames, looks) == [(3, 8)]
    elsewhere = [*frames[:8], replace(frames[8], camera_id="door")]
    assert duplicates(elsewhere, looks) == []


def test_only_what_people_said_of_new_frames_counts_for_the_floor() -> None:
    frames = [frame(PEOPLE, number) for number in range(10)]
    frames += [frame(PEOPLE, 20, labelled_by="teacher"), frame(PEOPLE, 21, is_new=False)]
    assert missing_labels(frames, least=12) == 2
    assert missing_labels(frames, least=10) == 0


def test_the_contact_sheet_shows_labels_white_and_doubts_in_colour() -> None:
    picture = np.full((360, 640, 3), 90, np.uint8)
    labelled = frame(PEOPLE[1:])
    doubtful = suspects(labelled, seen(PEOPLE, SURE))
    sheet = contact_sheet([(picture, labelled.boxes_px, doubtful)] * 6)
    assert sheet.shape == (360, 1600, 3)
    assert (sheet[100, 150] == 255).all()  # left edge of the second person, at half size
    assert sheet[100, 50].tolist() == [0, 80, 255]
    assert sheet[200, 1500].tolist() == [40, 40, 40]
    assert contact_sheet([]).shape == (180, 1600, 3)
