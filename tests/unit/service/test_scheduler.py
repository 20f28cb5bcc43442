"""Which frames are analysed: newest, fair, at the camera's rate; and none is lost from the books."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.domain import DropReason
from footfall.vision.pixels import DrawnImage
from service.clock import SystemClock
from service.frames import CapturedFrame, FrameLedger, NewestFrame
from service.scheduler import Scheduler

START = datetime(2026, 3, 1, tzinfo=UTC)
BLACK = DrawnImage(4, 4, lambda: np.zeros((4, 4, 3), dtype=np.uint8))


class ManualClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.is_set()


class Source:
    """A camera whose frames the test sends."""

    def __init__(
        self, name: str, scheduler: Scheduler, clock: ManualClock, target_fps: float = 5.0, priority: int = 1
    ) -> None:
        self.name, self.clock = name, clock
        self.ledger = FrameLedger(name)
        self.slot = NewestFrame(self.ledger, scheduler.arrived)
        self.sequence = 0
        scheduler.add(name, self.slot, target_fps, priority)

    def send(self) -> None:
        self.ledger.receive()
        self.slot.put(CapturedFrame(self.name, self.sequence, self.clock.now(), self.clock.now_s, BLACK))
        self.sequence += 1


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def make(clock: ManualClock, max_batch: int = 4) -> Scheduler:
    return Scheduler(max_batch=max_batch, max_age_s=0.5, clock=clock)


@pytest.mark.parametrize(("sent_fps", "target_fps"), [(10, 5), (25, 5), (12.5, 5), (7, 5), (30, 10), (5, 5), (3, 5)])
def test_a_camera_is_analysed_at_its_rate_evenly(clock: ManualClock, sent_fps: float, target_fps: float) -> None:
    scheduler = make(clock)
    camera = Source("gate", scheduler, clock, target_fps)
    random = np.random.default_rng(3)
    taken_s = []
    for index in range(int(20 * sent_fps)):
        clock.now_s = 100 + index / sent_fps + random.uniform(0, 0.1 / sent_fps)
        camera.send()
        for scheduled in scheduler.next_batch(0):
            taken_s.append(scheduled.frame.received_s)
            scheduled.ledger.analyse()
    wanted = min(sent_fps, target_fps)
    assert len(taken_s) == pytest.approx(20 * wanted, abs=2)
    assert max(np.diff(taken_s)) <= 1 / target_fps + 1.3 / sent_fps
    counts = camera.ledger.counts()
    assert counts.dropped[DropReason.RATE] == counts.received - counts.analysed


def test_a_frame_that_comes_too_early_wakes_nobody(clock: ManualClock) -> None:
    scheduler = make(clock)
    woken: list[float] = []
    ledger = FrameLedger("gate")
    slot = NewestFrame(ledger, lambda: woken.append(clock.now_s))
    scheduler.add("gate", slot, 5.0)
    for step in range(4):
        clock.now_s = 100.0 + step / 10
        ledger.receive()
        slot.put(CapturedFrame("gate", step, clock.now(), clock.now_s, BLACK))
        for scheduled in scheduler.next_batch(0):
            scheduled.ledger.analyse()
    assert woken == [100.0, 100.2]
    assert (ledger.counts().analysed, ledger.counts().dropped[DropReason.RATE]) == (2, 2)
    scheduler.set_rate("gate", 10.0)
    clock.now_s = 100.4
    ledger.receive()
    slot.put(CapturedFrame("gate", 4, clock.now(), clock.now_s, BLACK))
    assert woken[-1] == 100.4


def test_of_several_waiting_frames_the_newest_is_taken(clock: ManualClock) -> None:
    scheduler = make(clock)
    camera = Source("gate", scheduler, clock)
    for _ in range(3):
        camera.send()
    (scheduled,) = scheduler.next_batch(0)
    assert scheduled.frame.sequence == 2
    assert camera.ledger.counts().dropped[DropReason.SUPERSEDED] == 2


def test_a_frame_older_than_the_limit_is_dropped_as_stale(clock: ManualClock) -> None:
    scheduler = make(clock)
    camera = Source("gate", scheduler, clock)
    camera.send()
    clock.now_s += 0.6
    assert scheduler.next_batch(0) == []
    assert camera.ledger.counts().dropped[DropReason.STALE] == 1


def test_nobody_starves_when_there_is_too_much_to_do(clock: ManualClock) -> None:
    scheduler = make(clock, max_batch=1)
    cameras = [Source(f"cam{number}", scheduler, clock) for number in range(5)]
    for _ in range(100):
        clock.now_s += 0.2
        for camera in cameras:
            camera.send()
        for scheduled in scheduler.next_batch(0):
            scheduled.ledger.analyse()
    assert [camera.ledger.counts().analysed for camera in cameras] == [20] * 5


def overloaded(clock: ManualClock, wanted: dict[str, tuple[float, int]], *, fps: float) -> dict[str, float]:
    """Analyse `fps` frames a second for a minute of cameras that ask for more; rate of each ÷ rate asked for."""
    scheduler = make(clock, max_batch=1)
    cameras = {name: Source(name, scheduler, clock, rate, priority) for name, (rate, priority) in wanted.items()}
    for _ in range(round(60 * fps)):
        clock.now_s += 1 / fps
        for camera in cameras.values():
            camera.send()
        for scheduled in scheduler.next_batch(0):
            scheduled.ledger.analyse()
    return {name: camera.ledger.counts().analysed / 60 / wanted[name][0] for name, camera in cameras.items()}


def test_where_there_is_too_much_to_do_each_camera_keeps_the_same_share_of_its_rate(clock: ManualClock) -> None:
    shares = overloaded(clock, {"slow": (2, 1), "usual": (5, 1), "other": (5, 1), "quick": (10, 1)}, fps=11)
    assert shares == {name: pytest.approx(0.5, abs=0.08) for name in shares}


def test_a_camera_of_higher_priority_loses_less(clock: ManualClock) -> None:
    shares = overloaded(clock, {"door": (5, 5), "hall": (5, 1), "stairs": (5, 1)}, fps=9)
    assert shares["door"] > 0.8
    assert shares["hall"] == pytest.approx(shares["stairs"], abs=0.05)
    assert 0.3 < shares["hall"] < 0.6


def test_a_changed_priority_is_heeded_from_the_next_frame_on(clock: ManualClock) -> None:
    scheduler = make(clock, max_batch=1)
    first, second = Source("first", scheduler, clock), Source("second", scheduler, clock)
    for camera in (first, second):
        camera.send()
    for _ in range(2):
        (done,) = scheduler.next_batch(0)
        done.ledger.analyse()
    scheduler.set_rate("second", 5, priority=3)
    clock.now_s += 0.4
    first.send()
    second.send()
    assert [scheduled.frame.camera_id for scheduled in scheduler.next_batch(0)] == ["second"]


def test_a_batch_has_one_frame_of_each_camera_at_most_and_not_more_than_allowed(clock: ManualClock) -> None:
    scheduler = make(clock, max_batch=3)
    cameras = [Source(f"cam{number}", scheduler, clock) for number in range(5)]
    for camera in cameras:
        camera.send()
    first, second = scheduler.next_batch(0), scheduler.next_batch(0)
    assert (len(first), len(second)) == (3, 2)
    assert len({scheduled.frame.camera_id for scheduled in [*first, *second]}) == 5


def test_nothing_is_taken_of_a_camera_whose_last_frame_is_in_work(clock: ManualClock) -> None:
    scheduler = make(clock)
    slow, quick = Source("slow", scheduler, clock), Source("quick", scheduler, clock)
    slow.send()
    (in_work,) = scheduler.next_batch(0)
    clock.now_s += 0.2
    slow.send()
    quick.send()
    assert [scheduled.frame.camera_id for scheduled in scheduler.next_batch(0)] == ["quick"]
    in_work.ledger.analyse()
    assert [scheduled.frame.sequence for scheduled in scheduler.next_batch(0)] == [1]


def test_frames_of_a_closed_camera_are_dropped_as_stopped(clock: ManualClock) -> None:
    scheduler = make(clock)
    camera = Source("gate", scheduler, clock)
    camera.send()
    scheduler.remove("gate")
    camera.slot.close()
    camera.send()
    assert scheduler.next_batch(0) == []
    assert camera.ledger.counts().dropped[DropReason.STOPPED] == 2


def test_a_waiting_scheduler_wakes_when_a_frame_comes() -> None:
    clock = SystemClock()
    scheduler = Scheduler(max_batch=1, max_age_s=5, clock=clock)
    ledger = FrameLedger("gate")
    slot = NewestFrame(ledger, scheduler.arrived)
    scheduler.add("gate", slot, 5)
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.extend(s.frame.sequence for s in scheduler.next_batch(10)))
    thread.start()
    ledger.receive()
    slot.put(CapturedFrame("gate", 7, clock.now(), clock.monotonic(), BLACK))
    thread.join(5)
    assert found == [7]


def test_of_several_who_wait_one_looks_for_a_frame_that_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler(max_batch=1, max_age_s=5.0, clock=SystemClock())
    looks: list[str] = []
    take = scheduler._take_due

    def look() -> list[tuple[NewestFrame, CapturedFrame]]:
        looks.append(threading.current_thread().name)
        return take()

    monkeypatch.setattr(scheduler, "_take_due", look)
    ledger = FrameLedger("gate")
    slot = NewestFrame(ledger, scheduler.arrived)
    scheduler.add("gate", slot, 5.0)
    batches: list[int] = []
    waiting = [threading.Thread(target=lambda: batches.append(len(scheduler.next_batch(1.5)))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    deadline_s = time.monotonic() + 2.0
    # Who has looked may not wait yet, and nothing public tells who does.
    while len(scheduler._condition._waiters) < 3 and time.monotonic() < deadline_s:  # type: ignore[attr-defined]
        time.sleep(0.01)
    assert len(looks) == 3
    ledger.receive()
    slot.put(CapturedFrame("gate", 0, START, time.monotonic(), BLACK))
    time.sleep(0.3)
    assert (len(looks), batches) == (4, [1])
    scheduler.wake()
    for thread in waiting:
        thread.join(5.0)
    assert sorted(batches) == [0, 0, 1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["send", "batch", "wait", "close"]), st.integers(0, 2)),
        max_size=60,
    )
)
def test_whatever_happens_the_books_balance(steps: list[tuple[str, int]]) -> None:
    clock = ManualClock()
    scheduler = make(clock, max_batch=2)
    cameras = [Source(f"cam{number}", scheduler, clock) for number in range(3)]
    for what, which in steps:
        if what == "send":
            cameras[which].send()
        elif what == "batch":
            for index, scheduled in enumerate(scheduler.next_batch(0)):
                if (index + which) % 2:
                    scheduled.ledger.analyse()
                else:
                    scheduled.ledger.drop(DropReason.ERROR)
        elif what == "wait":
            clock.now_s += 0.15 * (which + 1)
        else:
            cameras[which].slot.close()
        for camera in cameras:
            counts = camera.ledger.counts()
            assert counts.is_balanced
            assert counts.pending in {0, 1}
