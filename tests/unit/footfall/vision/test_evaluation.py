"""Scores against cases worked out by hand and against a second, slower implementation."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from footfall.domain import Crossing, Detections, Line, Tracks, ZoneVisit
from footfall.errors import EvaluationError
from footfall.vision.evaluation import (
    TrueEvent,
    TrueLine,
    TrueVisit,
    counting_scores,
    detection_scores,
    match_events,
    read_sequence,
    tracking_scores,
    visit_scores,
)

START = datetime(1970, 1, 1, tzinfo=UTC)
A, B, C = [0, 0, 10, 20], [30, 0, 40, 20], [60, 0, 70, 20]


def boxes(*each: list[int]) -> np.ndarray:
    return np.array(each, dtype=np.float32).reshape(-1, 4)


def detections(*each: tuple[list[int], float]) -> Detections:
    return Detections(boxes(*(box for box, _ in each)), np.array([score for _, score in each], dtype=np.float32))


def test_who_is_to_be_ignored_is_neither_right_nor_wrong_to_find() -> None:
    found = [detections((A, 0.9), (B, 0.8), (C, 0.7))]
    scores = detection_scores([boxes(A)], found, threshold=0.5, ignored=[boxes(B)])
    assert (scores["precision"], scores["recall"]) == (0.5, 1.0)
    assert detection_scores([boxes(A)], found, threshold=0.5)["precision"] == pytest.approx(1 / 3)


def test_tracks_of_ignored_people_cost_nothing_and_those_of_true_people_stay() -> None:
    truth = [(np.array([1]), boxes(A))] * 4
    followed = [Tracks(np.array([7, 8]), boxes(A, B), np.ones(2, np.float32))] * 4
    assert tracking_scores(truth, followed)["mota"] == pytest.approx(0.0)
    assert tracking_scores(truth, followed, ignored=[boxes(B)] * 4)["mota"] == pytest.approx(1.0)
    # An ignored box right on a true one takes no track away from it.
    assert tracking_scores(truth, followed, ignored=[boxes(A, B)] * 4)["mota"] == pytest.approx(1.0)


def test_detection_scores_of_a_case_worked_out_by_hand() -> None:
    # Strongest first: A right, C false, B right, A again false, and one true box of three is never found.
    truth = [boxes(A, B), boxes(C)]
    found = [detections((A, 0.9), (C, 0.8), (B, 0.6), (A, 0.5)), detections()]
    scores = detection_scores(truth, found, threshold=0.55)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["ap50"] == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)


def test_nothing_to_find_and_nothing_found_has_no_ratio() -> None:
    scores = detection_scores([boxes()], [detections()], threshold=0.5)
    assert (scores["precision"], scores["recall"], scores["ap50"]) == (None, None, None)


def tracks(*each: tuple[int, list[int]]) -> Tracks:
    return Tracks(
        np.array([identity for identity, _ in each], dtype=np.int64),
        boxes(*(box for _, box in each)),
        np.ones(len(each), np.float32),
    )


# Two people, four frames; the tracker swaps their ids half way, misses one box and invents one.
TRUTH = [(np.array([1, 2]), boxes(A, B))] * 4
FOUND = [
    tracks((7, A), (8, B)),
    tracks((7, A), (8, B)),
    tracks((8, A), (7, B)),
    tracks((8, A), (9, C)),
]


def second_hota() -> float:
    """HOTA at one threshold by its definition (Luiten et al., IJCV 2021), with loops; boxes match exactly or not."""
    matches = [
        (int(i), int(j))
        for (true_ids, true_boxes), found in zip(TRUTH, FOUND, strict=True)
        for i, a in zip(true_ids, true_boxes, strict=True)
        for j, b in zip(found.ids, found.boxes_px, strict=True)
        if (a == b).all()
    ]
    true_total = [int(i) for ids, _ in TRUTH for i in ids]
    found_total = [int(j) for each in FOUND for j in each.ids]
    missed, false = len(true_total) - len(matches), len(found_total) - len(matches)
    association = sum(
        matches.count((i, j)) / (true_total.count(i) + found_total.count(j) - matches.count((i, j))) for i, j in matches
    )
    return float(np.sqrt(association / (len(matches) + missed + false)))


def second_idf1() -> float:
    """IDF1 by trying every assignment of true to found ids."""
    true_ids, found_ids = [1, 2], [7, 8, 9]
    best = 0
    for chosen in itertools.permutations(found_ids, len(true_ids)):
        pairing = dict(zip(true_ids, chosen, strict=True))
        best = max(
            best,
            sum(
                any(j == pairing[int(i)] and (a == b).all() for j, b in zip(found.ids, found.boxes_px, strict=True))
                for (ids, true_boxes), found in zip(TRUTH, FOUND, strict=True)
                for i, a in zip(ids, true_boxes, strict=True)
            ),
        )
    total = sum(len(ids) for ids, _ in TRUTH) + sum(len(each.ids) for each in FOUND)
    return 2 * best / total


def test_tracking_scores_agree_with_a_second_implementation() -> None:
    scores = tracking_scores(TRUTH, FOUND)
    assert scores["hota"] == pytest.approx(second_hota(), abs=1e-6)
    assert scores["idf1"] == pytest.approx(second_idf1(), abs=1e-6)
    # 8 true boxes: 1 missed, 1 false, and both people change their id once.
    assert scores["mota"] == pytest.approx(1 - (1 + 1 + 2) / 8)


def events(*each: tuple[float, str]) -> list[TrueEvent]:
    return [TrueEvent(at_s, direction) for at_s, direction in each]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("truth", "found", "pairs"),
    [
        pytest.param(events((1, "in")), events((1.9, "in")), 1, id="within a second"),
        pytest.param(events((1, "in")), events((2.1, "in")), 0, id="too late"),
        pytest.param(events((1, "in")), events((1, "out")), 0, id="other direction"),
        pytest.param(events((1, "in")), events((1, "in"), (1.1, "in")), 1, id="counted twice"),
        pytest.param(events((1, "in"), (2, "in")), events((1.9, "in"), (0.2, "in")), 2, id="most pairs, not nearest"),
        pytest.param([], events((1, "in")), 0, id="nothing true"),
        pytest.param(events((1, "in")), [], 0, id="nothing found"),
    ],
)
def test_events_are_paired_by_direction_and_time(truth: list[TrueEvent], found: list[TrueEvent], pairs: int) -> None:
    assert len(match_events(truth, found)) == pairs


def crossing(at_s: float, direction: str, line: str = "gate") -> Crossing:
    return Crossing(f"{line}{at_s}", "camera", line, direction, START + timedelta(seconds=at_s), 1)  # type: ignore[arg-type]


def test_counting_scores_of_a_case_worked_out_by_hand() -> None:
    line = TrueLine(Line("gate", (0, 0), (1, 1)), tuple(events((1, "in"), (5, "in"), (9, "out"), (12, "out"))))
    found = {"gate": [crossing(1.2, "in"), crossing(7, "in"), crossing(9, "out")]}
    scores = counting_scores([line], found, START)
    assert scores["accuracy"] == pytest.approx(1 - 1 / 4)  # the miss at 5 and the false one at 7 cancel
    assert scores["event_precision"] == pytest.approx(2 / 3)
    assert scores["event_recall"] == pytest.approx(2 / 4)
    assert scores["event_f1"] == pytest.approx(2 * 2 / 7)
    (report,) = scores["lines"]
    assert report["truth"] == {"in": 2, "out": 2}
    assert report["found"] == {"in": 2, "out": 1}
    assert [each["t_s"] for each in report["missed"]] == [5, 12]
    assert [each["t_s"] for each in report["false"]] == [7]


def visit(entered_s: float, left_s: float) -> ZoneVisit:
    return ZoneVisit(
        id=str(entered_s),
        camera_id="camera",
        zone="picture",
        entered_at=START + timedelta(seconds=entered_s),
        left_at=START + timedelta(seconds=left_s),
        dwell_s=left_s - entered_s,
        outcome="left",
        track_id=1,
    )


def test_visits_are_paired_by_the_time_they_share() -> None:
    scores = visit_scores([TrueVisit(0, 10), TrueVisit(20, 30)], [visit(21, 29.5), visit(40, 50)], START)
    assert (scores["truth"], scores["found"], scores["matched"]) == (2, 2, 1)
    assert scores["worst_dwell_error_s"] == pytest.approx(1.5)


def test_no_visits_have_no_error() -> None:
    assert visit_scores([], [], START)["worst_dwell_error_s"] is None
    assert visit_scores([TrueVisit(0, 1)], [], START)["matched"] == 0


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    (tmp_path / "gt").mkdir()
    (tmp_path / "video.mp4").touch()
    (tmp_path / "seqinfo.ini").write_text(
        "[Sequence]\nname=x\nframeRate=10\nseqLength=2\nimWidth=100\nimHeight=50\n", encoding="utf-8"
    )
    return tmp_path


def test_absent_truth_is_left_out(sequence: Path) -> None:
    read = read_sequence(sequence)
    assert (read.boxes, read.lines, read.visits) == (None, None, None)


def test_truth_is_read(sequence: Path) -> None:
    (sequence / "gt" / "gt.txt").write_text("1,4,10,5,20,40,1,1,1\n2,4,11,5,20,40,0,1,1\n", encoding="utf-8")
    (sequence / "gt" / "crossings.json").write_text(
        json.dumps({"lines": [{"line": "v", "a": [50, 0], "b": [50, 50], "events": [[11, 4, "in"]]}]}), encoding="utf-8"
    )
    (sequence / "gt" / "visits.json").write_text(
        json.dumps({"fps": 10, "visits": [{"enter_frame": 1, "leave_frame": 21}]}), encoding="utf-8"
    )
    read = read_sequence(sequence)
    assert read.boxes_at(0)[1].tolist() == [[10, 5, 30, 45]]
    assert read.boxes_at(1)[0].tolist() == []  # an entry that MOT marks as to be ignored
    assert read.lines == (TrueLine(Line("v", (0.5, 0.0), (0.5, 1.0)), (TrueEvent(1.0, "in", 4),)),)
    assert read.visits == (TrueVisit(0.0, 2.0),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("seqinfo.ini", "[Sequence]\nframeRate=10\n", r"seqinfo.ini is not understood", id="seqinfo"),
        pytest.param("gt/gt.txt", "1,4,10\n", r"line 1 is \['1', '4', '10'\]; expected frame,id,x,y,w,h", id="gt"),
        pytest.param("gt/crossings.json", "{}", r"crossings.json: not understood", id="crossings"),
        pytest.param("gt/visits.json", "[]", r"visits.json: not understood", id="visits"),
    ],
)
def test_broken_truth_is_an_error_that_names_the_place(sequence: Path, name: str, content: str, message: str) -> None:
    (sequence / name).write_text(content, encoding="utf-8")
    with pytest.raises(EvaluationError, match=message):
        read_sequence(sequence)


def test_a_folder_without_a_film_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"has no video\.mp4"):
        read_sequence(tmp_path)
