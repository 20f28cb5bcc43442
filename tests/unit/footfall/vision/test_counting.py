"""What counts as a crossing and as a visit, on walks whose truth is exact."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.domain import Detections, Line, Tracks, Zone
from footfall.vision.counting import CountingSettings, LineCounter, LineEvent, VisitEvent, ZoneCounter
from footfall.vision.stitching import TrackStitcher
from footfall.vision.tracking import PersonTracker

WIDTH_PX, HEIGHT_PX = 640, 480
BODY_W_PX, BODY_H_PX = 40, 100
FPS = 10
GATE = Line("gate", (0.5, 0.0), (0.5, 1.0))  # downwards: `in` is towards the left

Foot = tuple[float, float]


def box(foot: Foot) -> list[float]:
    x, y = foot
    return [x - BODY_W_PX / 2, y - BODY_H_PX, x + BODY_W_PX / 2, y]


def tracks(*people: tuple[int, Foot]) -> Tracks:
    return Tracks(
        np.array([identity for identity, _ in people], dtype=np.int64),
        np.array([box(foot) for _, foot in people], dtype=np.float32).reshape(-1, 4),
        np.ones(len(people), dtype=np.float32),
    )


def counter(line: Line = GATE, **settings: float) -> LineCounter:
    return LineCounter(
        line,
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        settings=CountingSettings(**settings),  # type: ignore[arg-type]
        numbers=itertools.count(),
    )


def count(feet: Iterable[Foot | None], line: Line = GATE, fps: float = FPS, **settings: float) -> list[LineEvent]:
    """Walk one person, who keeps one id, through a line counter."""
    gate = counter(line, **settings)
    events = []
    for index, foot in enumerate(feet):
        events += gate.update(tracks() if foot is None else tracks((1, foot)), index / fps)
    return events


def count_tracked(feet: Iterable[Foot | None], line: Line = GATE, fps: float = FPS) -> list[LineEvent]:
    """The same through the real tracker, which gives the ids."""
    gate, tracker = counter(line), PersonTracker(target_fps=fps)
    events = []
    for index, foot in enumerate(feet):
        boxes = np.array([box(foot)] if foot else [], dtype=np.float32).reshape(-1, 4)
        found = tracker.update(Detections(boxes, np.full(len(boxes), 0.9, np.float32)), index / fps)
        events += gate.update(found.before, found.before_s)
        events += gate.update(found.now, index / fps)
    return events


def across(begin_px: float = 200, end_px: float = 440, step_px: float = 15, y: float = 300) -> list[Foot]:
    xs = (
        np.arange(begin_px, end_px + 1e-9, step_px)
        if begin_px < end_px
        else np.arange(begin_px, end_px - 1e-9, -step_px)
    )
    return [(float(x), y) for x in xs]


@pytest.mark.parametrize(
    ("xs_px", "directions"),
    [
        pytest.param([250, 300, 340, 400], ["out"], id="walks to the right"),
        pytest.param([400, 340, 300, 250], ["in"], id="walks to the left"),
        pytest.param([250, 310, 322, 310, 250], [], id="hesitates on the line, turns back"),
        pytest.param([250, 310, 322, 318, 325, 319, 330, 400], ["out"], id="dithers on the line, then goes on"),
        pytest.param([250, 400, 410], ["out"], id="is seen only before and after"),
        pytest.param([250, 240, 400, 250, 240], [], id="one box is beyond the line"),
        pytest.param([400, 250], [], id="is gone after one box beyond the line"),
        pytest.param([250, 290], [], id="never reaches the line"),
        pytest.param([322, 318, 321], [], id="is first seen on the line and stays"),
        pytest.param([250, 400, 410, 250, 240], ["out", "in"], id="comes back"),
        pytest.param([], [], id="nobody"),
    ],
)
def test_person_counts_once_after_clearing_the_line(xs_px: list[float], directions: list[str]) -> None:
    assert [event.direction for event in count(((x, 300.0) for x in xs_px), fps=2)] == directions


@pytest.mark.parametrize(
    ("second", "followed"),
    [
        pytest.param([305, 205, 335, 255], 1, id="upper body"),
        pytest.param([302, 250, 338, 300], 1, id="legs"),
        pytest.param([301, 205, 325, 299], 2, id="somebody as high, behind"),
        pytest.param([290, 240, 315, 300], 2, id="a child beside"),
    ],
)
def test_part_of_a_person_is_not_a_second_person(second: list[float], followed: int) -> None:
    tracker = PersonTracker(target_fps=FPS)
    boxes = np.array([[300, 200, 340, 300], second], np.float32)
    for index in range(5):
        found = tracker.update(Detections(boxes, np.array([0.9, 0.6], np.float32)), index / FPS)
    assert len(found.now.ids) == followed


@pytest.mark.parametrize("fps", [2.5, 5, 10, 25])
def test_boxes_that_end_at_the_knees_now_and_then_are_no_crossing(fps: float) -> None:
    """Who walks along behind a bench is half hidden in every third box: the foot point jumps 0.4 heights up."""
    along = Line("along", (0.0, 0.5), (1.0, 0.5))
    feet = [
        (100 + 400 * share, 258.0 - (40 if index % 3 == 1 else 0)) for index, share in enumerate(np.linspace(0, 1, 40))
    ]
    assert count(feet, along, fps=fps) == []


@pytest.mark.parametrize("fps", [2.5, 5, 10, 25])
@pytest.mark.parametrize(
    ("last_px", "directions"),
    [
        pytest.param([326, 327, 328, 329, 330, 331, 332, 333], ["out"], id="walks on behind a pillar beyond it"),
        pytest.param([326, 327, 328, 324, 320, 316, 312, 311], [], id="turned back before"),
        pytest.param([310, 310, 310, 310, 310, 310, 310, 327], [], id="one sighting beyond it"),
        pytest.param([322, 323, 321, 322, 323, 324, 323, 322], [], id="hardly beyond it"),
    ],
)
def test_who_is_lost_on_the_line_has_crossed_it_when_seen_beyond_it(
    last_px: list[float], directions: list[str], fps: float
) -> None:
    feet: list[Foot | None] = [(250.0, 300.0), *((x, 300.0) for x in last_px)]
    nobody = [None] * int(3 * fps)
    assert count([*feet, *nobody[:-1]], fps=fps) == []
    assert [event.direction for event in count([*feet, *nobody, None], fps=fps)] == directions
    # Whoever is found again meanwhile goes on, and is counted once.
    assert [event.direction for event in count([*feet, *nobody[:-2], (420, 300), (430, 300)], fps=fps)] == ["out"]
    events = count([*feet, *nobody, None, (250, 300), (240, 300)], fps=fps)
    assert [event.direction for event in events] == [*directions, *["in"] * len(directions)]
    assert [event.undoes for event in events[1:]] == [event.number for event in events[:1]]


def test_event_time_is_the_interpolated_moment_of_crossing_not_of_leaving_the_band() -> None:
    (event,) = count(across(step_px=4), fps=10)
    assert event.at_s == pytest.approx((320 - 200) / 4 / 10)


def test_crossing_beyond_the_end_of_the_segment_is_nothing() -> None:
    short = Line("door", (0.5, 0.0), (0.5, 0.5))  # ends at y = 240
    assert count(across(y=300), short) == []
    assert len(count(across(y=230), short)) == 1


def test_walking_round_the_end_and_back_over_the_line_counts_the_way_back_only() -> None:
    short = Line("door", (0.5, 0.0), (0.5, 0.5))
    round_the_end = [*across(y=300), *across(440, 200, y=200)]
    assert [event.direction for event in count(round_the_end, short)] == ["in"]


def test_u_turns_count_gross_but_not_effective() -> None:
    feet = [foot for _ in range(20) for foot in (*across(), *across(440, 200))]
    events = count(feet)
    assert [event.direction for event in events] == ["out", "in"] * 20
    undone = {event.undoes for event in events if event.undoes is not None}
    effective = [event for event in events if event.undoes is None and event.number not in undone]
    assert effective == []


def test_coming_back_after_the_u_turn_window_is_effective() -> None:
    there, back = across(), across(440, 200)
    wait = [there[-1]] * int(12 * FPS)
    assert [event.undoes for event in count([*there, *wait, *back])] == [None, None]


@pytest.mark.parametrize("lost_frames", [3, 5, 8])
@pytest.mark.parametrize("fps", [5.0, 10.0])
def test_losing_the_person_anywhere_on_the_walk_still_counts_once(lost_frames: int, fps: float) -> None:
    step_px = 15 * 10 / fps if fps < 10 else 15
    walked = across(100, 560, step_px=step_px)
    starts = range(2, len(walked) - lost_frames - 1)
    right = 0
    for begin in starts:
        seen: list[Foot | None] = list(walked)
        seen[begin : begin + lost_frames] = [None] * lost_frames
        right += [event.direction for event in count_tracked(seen, fps=fps)] == ["out"]
    assert right / len(starts) >= 0.95


def test_standing_on_the_line_for_a_minute_with_jitter_is_nothing() -> None:
    random = np.random.default_rng(7)
    feet = [(320 + dx, 300 + dy) for dx, dy in random.normal(0, 5, (60 * FPS, 2))]
    assert count_tracked(feet) == []
    assert count(feet) == []


def test_walking_onto_the_line_standing_there_and_going_on_counts_once() -> None:
    random = np.random.default_rng(7)
    stand = [(320 + dx, 300.0) for dx in random.normal(0, 4, 60 * FPS)]
    assert [e.direction for e in count_tracked([*across(200, 320), *stand, *across(320, 440)])] == ["out"]


def test_an_id_switch_at_the_line_counts_once() -> None:
    """The tracker loses the person and gives another id; places of the switch are swept over the walk."""
    walked = across(step_px=8)
    for switch in range(2, len(walked) - 2):
        gate, stitcher = counter(), TrackStitcher()
        events = []
        for index, foot in enumerate(walked):
            found = stitcher.update(tracks((1 if index < switch else 2, foot)), index / FPS)
            events += gate.update(found.now, index / FPS)
        assert [event.direction for event in events] == ["out"], f"switch at {walked[switch]}"


@pytest.mark.parametrize(
    ("lost_at", "comes_at", "gap_s", "is_same"),
    [
        pytest.param((60, 300), (16, 300), 1.0, False, id="comes in at the edge, was lost inside"),
        pytest.param((60, 300), (30, 300), 1.0, True, id="turns up beside where he was lost"),
        pytest.param((22, 300), (16, 300), 1.0, True, id="was at the edge before"),
        pytest.param((60, 300), (26, 300), 0.3, True, id="walks out of the picture"),
    ],
)
@pytest.mark.parametrize("same_track", [True, False], ids=["found again by the tracker", "another track"])
def test_who_comes_in_at_the_edge_is_not_the_one_who_was_lost_inside(
    lost_at: Foot, comes_at: Foot, gap_s: float, *, is_same: bool, same_track: bool
) -> None:
    stitcher = TrackStitcher()
    ids = []
    for second, track, foot in ((0.0, 1, lost_at), (0.1, 1, lost_at), (0.1 + gap_s, 1 if same_track else 2, comes_at)):
        found = stitcher.update(tracks((track, foot)), second, size_px=(WIDTH_PX, HEIGHT_PX))
        ids += found.now.ids.tolist()
    assert (ids[-1] == ids[0]) is is_same


def test_two_headings_over_a_diagonal_line_count_the_same_direction() -> None:
    diagonal = Line("diagonal", (0.2, 0.2), (0.8, 0.8))
    to_the_right = [(250.0 + 10 * n, 300.0) for n in range(40)]
    upwards = [(400.0, 460.0 - 10 * n) for n in range(40)]
    directions = {event.direction for feet in (to_the_right, upwards) for event in count(feet, diagonal)}
    assert len(directions) == 1
    assert sum(len(count(feet, diagonal)) for feet in (to_the_right, upwards)) == 2


def test_direction_is_told_by_the_side_right_of_start_to_end() -> None:
    upwards = Line("up", (0.5, 1.0), (0.5, 0.0))
    assert [event.direction for event in count(across(), upwards)] == ["in"]


def test_memory_dies_with_the_person() -> None:
    gate = counter(forget_after_s=5.0)
    for identity in range(1000):
        gate.update(tracks((identity, (200.0, 300.0))), identity * 0.1)
    assert len(gate._people) <= 51


@given(
    st.lists(st.tuples(st.floats(0, 640), st.floats(0, 480)), max_size=40),
    st.floats(0.02, 0.3),
)
def test_nobody_is_counted_in_the_same_direction_twice_in_a_row(feet: list[Foot], band: float) -> None:
    whole = Line("whole", (0.5, 0.0), (0.5, 1.0))
    directions = [event.direction for event in count(feet, whole, band_heights=band)]
    assert all(first != second for first, second in itertools.pairwise(directions))


@given(st.lists(st.tuples(st.floats(0, 640), st.floats(0, 480)), max_size=40))
def test_turning_the_line_round_swaps_the_directions(feet: list[Foot]) -> None:
    there, back = Line("l", (0.3, 0.1), (0.6, 0.9)), Line("l", (0.6, 0.9), (0.3, 0.1))
    swap = {"in": "out", "out": "in"}
    found = [(event.direction, round(event.at_s, 6)) for event in count(feet, there)]
    turned = [(swap[event.direction], round(event.at_s, 6)) for event in count(feet, back)]
    # A foot point exactly on the line lies on the `in` side of both; random points do not.
    assert found == turned


ROOM = Zone("room", ((0.25, 0.25), (0.75, 0.25), (0.75, 1.0), (0.25, 1.0)))


def visits(
    feet: Iterable[Foot | None], zone: Zone = ROOM, fps: float = FPS, *, close: bool = False
) -> tuple[list[VisitEvent], int]:
    room = ZoneCounter(
        zone, width_px=WIDTH_PX, height_px=HEIGHT_PX, settings=CountingSettings(), numbers=itertools.count()
    )
    ended, now = [], 0
    for index, foot in enumerate(feet):
        ended += room.update(tracks() if foot is None else tracks((1, foot)), index / fps)
        now = room.people_now
    if close:
        ended += room.close()
    return ended, now


def test_a_visit_lasts_from_entering_to_leaving() -> None:
    ended, now = visits(across(60, 580, step_px=10))
    assert [(v.outcome, round(v.entered_s, 2), round(v.left_s, 2)) for v in ended] == [("left", 1.0, 4.2)]
    assert now == 0


def test_somebody_inside_is_present_and_has_no_visit_yet() -> None:
    assert visits(across(60, 320)) == ([], 1)


def test_somebody_who_vanishes_inside_is_lost_and_was_there_until_last_seen() -> None:
    nobody: list[Foot | None] = [None] * 40
    ended, now = visits([*across(60, 320, step_px=10), *nobody])
    assert [(v.outcome, round(v.left_s, 2)) for v in ended] == [("lost", 2.6)]
    assert now == 0


def test_somebody_who_vanishes_at_the_edge_of_the_picture_has_left() -> None:
    whole = Zone("whole", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    nobody: list[Foot | None] = [None] * 40
    ended, _ = visits([*across(300, 620, step_px=10), *nobody], whole)
    assert [(v.outcome, v.entered_s) for v in ended] == [("left", 0.0)]


def test_a_short_absence_does_not_end_a_visit() -> None:
    feet: list[Foot | None] = list(across(60, 580, step_px=10))
    feet[15:25] = [None] * 10
    assert len(visits(feet)[0]) == 1


def test_dithering_on_the_border_is_one_visit() -> None:
    dither = [(160.0 + dx, 300.0) for dx in (-4, 4, -3, 5, -4, 4)]
    ended, _ = visits([*across(60, 160, step_px=10), *dither, *across(170, 580, step_px=10)])
    assert len(ended) == 1


def test_a_stay_shorter_than_the_minimum_is_no_visit() -> None:
    quick = Zone("room", ROOM.polygon, min_inside_s=5.0)
    assert visits(across(60, 580, step_px=10), quick)[0] == []


def test_closing_ends_open_visits() -> None:
    ended, _ = visits(across(60, 320), close=True)
    assert [v.outcome for v in ended] == ["lost"]


@pytest.mark.parametrize("make", [counter, PersonTracker])
def test_empty_frames_are_nothing(make: Callable[[], LineCounter | PersonTracker]) -> None:
    each = make()
    if isinstance(each, LineCounter):
        assert each.update(tracks(), 0.0) == []
    else:
        nobody = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))
        assert len(each.update(nobody, 0.0).now.ids) == 0
        assert len(each.update(nobody, 0.1).now.ids) == 0
