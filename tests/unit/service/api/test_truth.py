"""Counted beside true, of drawn cameras only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from footfall.domain import Camera, Crossing, Direction, Line
from service.api.truth import compare
from service.simulated import SceneTruth, TrueCrossing

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def true(seconds: float, direction: Direction = "in", line: str = "door") -> TrueCrossing:
    return TrueCrossing(line, direction, at(seconds))


def found(seconds: float, direction: Direction = "in", line: str = "door") -> Crossing:
    return Crossing(f"{line}{seconds}", "gate", line, direction, at(seconds), 1)


def truth(*crossings: TrueCrossing, until: float = 60.0) -> SceneTruth:
    return SceneTruth(START, at(until), crossings)


def test_misses_and_false_counts_of_one_direction_cancel_in_the_accuracy_but_not_in_the_events() -> None:
    happened = truth(true(10), true(20), true(30), true(40, "out"))
    answer = compare("gate", happened, [found(10), found(20.4), found(50), found(40, "out")], ["door"])
    assert (answer.truth, answer.found, answer.accuracy) == (4, 4, 1.0)
    assert (answer.event_precision, answer.event_recall) == (0.75, 0.75)


def test_what_may_not_have_been_counted_yet_is_left_out_of_both() -> None:
    answer = compare("gate", truth(true(10), true(57.5), true(59)), [found(10), found(58), found(59.5)], ["door"])
    assert answer.until == at(57)
    assert (answer.truth, answer.found, answer.accuracy) == (1, 1, 1.0)


def test_a_count_late_enough_to_be_left_out_still_stands_for_its_crossing() -> None:
    answer = compare("gate", truth(true(56.8)), [found(57.3)], ["door"])
    assert (answer.truth, answer.found) == (1, 1)
    answer = compare("gate", truth(true(57.1)), [found(56.9)], ["door"])
    assert (answer.truth, answer.found) == (0, 0)


def test_lines_and_directions_do_not_make_up_for_each_other() -> None:
    counted = [found(10, "out"), found(30, line="far"), found(40, line="far")]
    answer = compare("gate", truth(true(10), true(20, line="far")), counted, ["door", "far"])
    assert answer.accuracy == 1 - 3 / 2
    assert [(each.line, each.truth["in"], each.found["in"], each.found["out"]) for each in answer.lines] == [
        ("door", 1, 0, 1),
        ("far", 1, 2, 0),
    ]


def test_where_nobody_crossed_there_is_no_accuracy() -> None:
    answer = compare("gate", truth(), [], ["door"])
    assert (answer.truth, answer.accuracy, answer.event_precision, answer.event_recall) == (0, None, None, None)


def test_a_drawn_camera_is_compared_and_a_real_one_has_no_truth(client: TestClient, world: Any) -> None:
    for camera_id, url in (("drawn", "sim:mall"), ("gate", "rtsp://10.0.0.7/main")):
        world.database.stored[camera_id] = Camera(camera_id, url, lines=(Line("door", (0, 0.5), (1, 0.5)),))
    world.fleet.truths["drawn"] = truth(true(10), true(20))
    world.database.log = [
        Crossing("e1", "drawn", "door", "in", at(10), 1),
        Crossing("e2", "other", "door", "in", at(20), 1),
    ]
    answer = client.get("/api/v1/cameras/drawn/truth").json()
    assert (answer["truth"], answer["found"], answer["accuracy"]) == (2, 1, 0.5)
    real = client.get("/api/v1/cameras/gate/truth")
    assert real.status_code == 404
    assert "only sim: cameras that showed a picture do" in real.json()["detail"]
    assert client.get("/api/v1/cameras/nobody/truth").status_code == 404
