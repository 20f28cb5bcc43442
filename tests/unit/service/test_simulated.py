"""A drawn camera plays in real time, goes on while nobody is connected, and knows the truth of it all."""

from __future__ import annotations

import pytest
from support.clocks import HandClock

from footfall.domain import Line
from footfall.errors import SourceError
from service.preflight import UnreachableError
from service.simulated import SimulatedCamera

MAX_PIXELS = 1 << 24
PASSAGE = Line("passage", (0.0, 0.6), (1.0, 0.6))


def camera(extra: str = "", *lines: Line) -> tuple[SimulatedCamera, HandClock]:
    clock = HandClock()
    return SimulatedCamera(f"sim:corridor?people=8&seed=3&fps=5&size=160x120{extra}", lines, clock=clock), clock


def test_pictures_come_when_they_are_due() -> None:
    drawn, clock = camera()
    with drawn.open(max_pixels=MAX_PIXELS) as source:
        pictures = source.pictures()
        started_s = clock.monotonic()
        received = [(next(pictures), clock.monotonic() - started_s) for _ in range(6)]
    assert [round(at_s, 3) for _, at_s in received] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert [picture.position_s for picture, _ in received if picture] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    first = received[0][0]
    assert first is not None
    assert first.image.bgr().shape == (120, 160, 3)
    assert (source.codec, source.announced_fps, source.is_paced) == ("sim", 5.0, False)


def test_a_reader_that_waits_long_is_given_the_chance_to_stop() -> None:
    clock = HandClock()
    drawn = SimulatedCamera("sim:corridor?fps=0.5&people=1&size=160x120", clock=clock)
    with drawn.open(max_pixels=MAX_PIXELS) as source:
        pictures = source.pictures()
        assert next(pictures) is not None
        waited = [next(pictures) for _ in range(5)]
        assert waited == [None] * 5
        assert max(clock.waits_s) <= 0.2


def test_the_scene_goes_on_while_the_camera_is_cut_off() -> None:
    drawn, clock = camera("&disconnected=1&at=1&until=3")
    with drawn.open(max_pixels=MAX_PIXELS) as source, pytest.raises(UnreachableError, match="cut off") as cut:
        for _ in source.pictures():
            pass
    assert cut.value.reason == "refused"
    with pytest.raises(UnreachableError, match="does not answer"):
        drawn.open(max_pixels=MAX_PIXELS)
    clock.now_s += 2.1
    with drawn.open(max_pixels=MAX_PIXELS) as source:
        picture = next(iter(source.pictures()))
    assert picture is not None
    assert picture.position_s == pytest.approx(3.2, abs=0.21)


def test_truth_counts_at_the_cameras_lines_also_while_nobody_looks() -> None:
    drawn, clock = camera("", PASSAGE)
    assert drawn.truth() is None
    drawn.open(max_pixels=MAX_PIXELS)
    clock.now_s += 60.0
    drawn.open(max_pixels=MAX_PIXELS)
    truth = drawn.truth()
    assert truth is not None
    assert len(truth.crossings) >= 5
    assert {crossing.direction for crossing in truth.crossings} == {"in", "out"}
    assert (truth.until - truth.since).total_seconds() == pytest.approx(60.0, abs=0.5)
    assert all(truth.since <= crossing.at <= truth.until for crossing in truth.crossings)


def test_other_lines_begin_a_new_count_and_the_same_lines_do_not() -> None:
    drawn, clock = camera("", PASSAGE)
    drawn.open(max_pixels=MAX_PIXELS)
    clock.now_s += 30.0
    drawn.open(max_pixels=MAX_PIXELS)
    before = drawn.truth()
    drawn.watch((PASSAGE,))
    assert drawn.truth() == before
    drawn.watch((Line("far", (0.0, 0.5), (1.0, 0.5)),))
    clock.now_s += 90.0
    drawn.open(max_pixels=MAX_PIXELS)
    after = drawn.truth()
    assert before is not None
    assert after is not None
    assert after.since >= before.until
    assert {crossing.line for crossing in after.crossings} == {"far"}


def test_pictures_that_depend_on_others_are_drawn_at_once() -> None:
    drawn, _ = camera("&frozen=5&at=0.5")
    with drawn.open(max_pixels=MAX_PIXELS) as source:
        pictures = source.pictures()
        shown = [picture for picture in (next(pictures) for _ in range(8)) if picture]
    assert (shown[-1].image.bgr() == shown[-2].image.bgr()).all()
    assert (shown[0].image.bgr() != shown[1].image.bgr()).any()


def test_too_large_a_picture_is_refused() -> None:
    drawn, _ = camera()
    with pytest.raises(SourceError, match=r"160×120 have more than 1000 pixels \(max_pixels\); choose a smaller size="):
        drawn.open(max_pixels=1000)
