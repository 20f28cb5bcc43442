"""Frames on which two models differ: the right ones, both ways, with what each finds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from footfall.domain import Detections
from retrain.evaluate import figures
from retrain.examples import differing
from retrain.predictions import CHALLENGER, CHAMPION, Judged

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def boxes(*lefts: float, height: float = 60.0) -> Any:
    return np.array([[left, 10.0, left + 30.0, 10.0 + height] for left in lefts], np.float32).reshape(-1, 4)


def finds(*lefts: float, score: float = 0.9) -> Detections:
    return Detections(boxes(*lefts), np.full(len(lefts), score, np.float32), 0.5)


def frame(name: str, truth: Any, champion: Detections, challenger: Detections) -> Judged:
    return Judged(name, "gate", NOON, True, truth, {CHAMPION: champion, CHALLENGER: challenger})


BETTER = frame("better", boxes(0, 100, 200), finds(0), finds(0, 100, 200))
WORSE = frame("worse", boxes(0), finds(0), finds(0, 300))
ALIKE = frame("alike", boxes(0, 100), finds(0), finds(100))


def test_where_one_errs_more_often_is_shown_with_what_each_finds() -> None:
    found = differing([ALIKE, WORSE, BETTER], known={"alike", "worse", "better"})
    assert [each["sample"] for each in found] == ["better", "worse"]
    better, worse = found
    assert (better["champion"]["errors"], better["challenger"]["errors"]) == (2, 0)
    assert worse["challenger"]["finds"] == [
        {"box": [0.0, 10.0, 30.0, 70.0], "score": 0.9, "right": True},
        {"box": [300.0, 10.0, 330.0, 70.0], "score": 0.9, "right": False},
    ]
    assert (worse["camera"], worse["at"], worse["new"]) == ("gate", NOON.isoformat(), True)
    assert worse["truth"] == [[0.0, 10.0, 30.0, 70.0]]


def test_unsure_finds_are_no_finds() -> None:
    unsure = frame("unsure", boxes(0), finds(0), Detections(boxes(0), np.array([0.4], np.float32), 0.5))
    assert differing([unsure], known={"unsure"})[0]["challenger"] == {"errors": 1, "finds": []}


def test_what_was_deleted_meanwhile_is_left_out() -> None:
    assert differing([WORSE], known=()) == []
    assert differing([], known=()) == []


def test_both_ways_have_their_half_and_one_takes_what_the_other_leaves() -> None:
    def many(kind: Judged, count: int) -> list[Judged]:
        return [
            frame(f"{kind.frame_id}{n}", kind.truth, kind.found[CHAMPION], kind.found[CHALLENGER]) for n in range(count)
        ]

    for better, worse, expected in ((9, 9, (3, 3)), (9, 1, (5, 1)), (1, 9, (1, 5)), (2, 0, (2, 0))):
        judged = many(BETTER, better) + many(WORSE, worse)
        found = differing(judged, known={each.frame_id for each in judged}, most=6)
        names = [each["sample"].rstrip("0123456789") for each in found]
        assert (names.count("better"), names.count("worse")) == expected


def test_figures_tell_every_height_of_people_apart() -> None:
    near = frame(
        "near", boxes(0, height=120.0), finds(), Detections(boxes(0, height=120.0), np.ones(1, np.float32), 0.5)
    )
    parts = {model: figures([BETTER, near])[model]["parts"] for model in (CHAMPION, CHALLENGER)}
    heights = {name: each for name, each in parts[CHALLENGER].items() if name.startswith("people of")}
    assert {name: (each["people"], each["frames"], each["f1"]) for name, each in heights.items()} == {
        "people of 0 to 48 px": (0, 0, None),
        "people of 48 to 96 px": (3, 1, 1.0),
        "people of 96 px and more": (1, 1, 1.0),
    }
    assert parts[CHAMPION]["people of 96 px and more"]["recall"] == 0.0
    assert parts[CHAMPION]["people of 48 to 96 px"]["recall"] == 0.3333
