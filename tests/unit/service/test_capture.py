"""How long a camera is left alone, when it counts as degraded, and how films are paced; by a clock of our own."""

from __future__ import annotations

import random
import threading

import pytest
from support.clocks import HandClock

from footfall.domain import Camera, CameraState
from service.backoff import QUICK_FOR_S, QUICK_MOST_S, Backoff
from service.capture import CameraReader, CaptureSettings, CorruptShare, _Pacer
from service.frames import FrameLedger, NewestFrame


class Highest(random.Random):
    """Draws the upper end always, so that the ladder's steps are seen."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def _backoff(rng: random.Random) -> Backoff:
    return Backoff(first_s=1.0, most_s=30.0, auth_ladder_s=(60.0, 300.0, 1800.0), rng=rng)


def test_steps_double_to_six_seconds_and_to_thirty_after_five_minutes() -> None:
    backoff = _backoff(Highest())
    assert [backoff.after_failure(0.0) for _ in range(5)] == [1.0, 2.0, 4.0, QUICK_MOST_S, QUICK_MOST_S]
    assert backoff.after_failure(QUICK_FOR_S - 1) == QUICK_MOST_S
    assert backoff.after_failure(QUICK_FOR_S) == 30.0


def test_waits_are_spread_over_the_whole_step() -> None:
    waits_s = []
    for seed in range(400):
        backoff = _backoff(random.Random(seed))
        for _ in range(3):
            backoff.after_failure(0.0)
        waits_s.append(backoff.after_failure(0.0))
    assert min(waits_s) >= 0.2
    assert max(waits_s) <= QUICK_MOST_S
    quarters = [sum(low <= wait_s < low + 1.5 for wait_s in waits_s) for low in (0.0, 1.5, 3.0, 4.5)]
    assert min(quarters) > 60


def test_only_a_stable_life_starts_the_ladder_again() -> None:
    backoff = _backoff(Highest())
    for _ in range(4):
        backoff.after_failure(0.0)
    backoff.succeeded(59.0)
    assert backoff.after_failure(100.0) == QUICK_MOST_S
    backoff.succeeded(60.0)
    assert backoff.after_failure(200.0) == 1.0


def test_refused_passwords_have_a_slow_ladder_of_their_own() -> None:
    steps_s = [60.0, 300.0, 1800.0, 1800.0]
    backoff = _backoff(Highest())
    assert [backoff.after_refused_password() for _ in steps_s] == pytest.approx([1.1 * step_s for step_s in steps_s])
    assert backoff.after_failure(0.0) == 1.0
    assert backoff.after_refused_password() == pytest.approx(66.0)


def test_many_broken_pictures_degrade_and_eight_clean_seconds_cure() -> None:
    share = CorruptShare()
    for number in range(100):
        assert not share.add(number / 10, is_corrupt=number % 20 == 19)  # exactly 5 %
    assert share.add(10.0, is_corrupt=True)
    assert share.add(17.9, is_corrupt=False)
    assert not share.add(18.0, is_corrupt=False)


def test_first_broken_picture_is_no_verdict() -> None:
    assert not CorruptShare().add(0.0, is_corrupt=True)


def test_broken_pictures_are_forgotten_after_a_minute() -> None:
    share = CorruptShare()
    for number in range(19):
        share.add(number / 100, is_corrupt=True)
    assert not share.add(61.0, is_corrupt=False)


def test_film_is_paced_by_its_own_times() -> None:
    clock = HandClock()
    pacer = _Pacer(clock, threading.Event())
    for position_s in (0.0, 0.1, 0.2, 0.7, 0.6, 900.0):
        assert pacer.wait_for(position_s, 10.0)
    assert clock.waits_s == pytest.approx([0.0, 0.1, 0.1, 0.5, 0.0, 2.0])  # a step back is none, a leap is cut


def test_film_without_times_plays_at_its_announced_rate_over_the_seam() -> None:
    clock = HandClock()
    pacer = _Pacer(clock, threading.Event())
    for _ in range(3):
        pacer.wait_for(None, 25.0)
    pacer.rewind()
    pacer.wait_for(0.0, 25.0)
    assert clock.waits_s == pytest.approx([0.0, 0.04, 0.04, 0.04])


def test_late_film_does_not_hurry_to_catch_up() -> None:
    clock = HandClock()
    pacer = _Pacer(clock, threading.Event())
    pacer.wait_for(0.0, 10.0)
    clock.now_s += 60.0
    pacer.wait_for(0.1, 10.0)
    pacer.wait_for(0.2, 10.0)
    assert clock.waits_s == pytest.approx([0.0, 0.0, 0.1])


class ImpatientClock(HandClock):
    """Sets what is waited for after ten retries."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if threading.current_thread().name.startswith("watchdog"):
            return event.wait(0.01)
        super().wait(event, timeout_s)
        if len(self.waits_s) == 10:
            event.set()
        return event.is_set()


def test_reader_tells_a_lasting_fault_once_and_counts_each_retry() -> None:
    changes, reconnects = [], []
    clock = ImpatientClock()
    reader = CameraReader(
        Camera("gate", "gopher://nothing"),
        NewestFrame(FrameLedger("gate"), lambda: None),
        settings=CaptureSettings(),
        on_state=changes.append,
        on_reconnect=lambda camera_id, reason: reconnects.append((camera_id, reason)),
        on_frame_at=lambda *_: None,
        rng=Highest(),
        clock=clock,
    )
    reader.start()
    assert reader.join(3600.0)  # of this clock, which the retries move on
    assert [change.state for change in changes] == [CameraState.CONNECTING, CameraState.OFFLINE]
    assert reconnects == [("gate", "error")] * 9
    assert clock.waits_s[:5] == [1.0, 2.0, 4.0, 6.0, 6.0]
