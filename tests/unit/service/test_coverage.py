"""Which seconds count as watched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.coverage import CoverageMeter

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def watch(*at_s: float, meter: CoverageMeter | None = None) -> dict[int, float]:
    """Seconds watched, by minute after noon, of frames analysed at these seconds after noon."""
    meter = meter or CoverageMeter("gate", longest_gap_s=1.0)
    for each in at_s:
        meter.add(NOON + timedelta(seconds=each), 1000 + each)
    return {round((row.minute_at - NOON).total_seconds() / 60): pytest.approx(row.watched_s) for row in meter.take()}


def test_the_time_between_frames_is_watched() -> None:
    assert watch(0, 0.2, 0.4, 0.6) == {0: 0.6}


def test_a_gap_longer_than_allowed_is_not() -> None:
    assert watch(0, 0.5, 10, 10.5) == {0: 1.0}


def test_seconds_fall_into_their_minutes() -> None:
    assert watch(59.5, 60.3) == {0: 0.5, 1: 0.3}


def test_one_frame_alone_covers_nothing_but_is_counted() -> None:
    meter = CoverageMeter("gate", longest_gap_s=1.0)
    meter.add(NOON, 0)
    (row,) = meter.take()
    assert (row.watched_s, row.analysed) == (0.0, 1)


def test_what_was_taken_is_not_given_again() -> None:
    meter = CoverageMeter("gate", longest_gap_s=1.0)
    assert watch(0, 0.5, meter=meter) == {0: 0.5}
    assert meter.take() == []
    assert watch(1.0, meter=meter) == {0: 0.5}


def test_after_an_interruption_the_time_before_does_not_count() -> None:
    meter = CoverageMeter("gate", longest_gap_s=1.0)
    watch(0, 0.5, meter=meter)
    meter.interrupt()
    assert watch(0.9, 1.1, meter=meter) == {0: 0.2}


def test_a_wall_clock_that_steps_does_not_change_how_long_was_watched() -> None:
    meter = CoverageMeter("gate", longest_gap_s=1.0)
    meter.add(NOON, 1000.0)
    meter.add(NOON - timedelta(hours=1), 1000.4)
    assert sum(row.watched_s for row in meter.take()) == pytest.approx(0.4)
