"""Chooses which waiting frames are analysed next: newest only, fair between cameras, at each camera's rate; no I/O."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from footfall.domain import DropReason, Frame

if TYPE_CHECKING:
    from service.clock import Clock
    from service.frames import CapturedFrame, FrameLedger, NewestFrame

_EARLY_SHARE = 0.25
"""A frame may come this share of the period before it is due: cameras jitter, and their rate may not divide evenly."""


@dataclass(frozen=True, slots=True, eq=False)
class ScheduledFrame:
    """A frame to analyse; whoever has it must `analyse` or `drop` it in the ledger, once."""

    frame: Frame
    ledger: FrameLedger


@dataclass(slots=True)
class _Turn:
    slot: NewestFrame
    period_s: float
    priority: int
    due_s: float = float("-inf")

    @property
    def wanted_from_s(self) -> float:
        """Frames received earlier are more than the rate asks for."""
        return self.due_s - _EARLY_SHARE * self.period_s

    def urgency(self, now_s: float) -> float:
        """Periods it is late, by priority: with too much to do, every camera keeps the same share of its rate."""
        return self.priority * (now_s - self.due_s) / self.period_s


class Scheduler:
    """Forms batches from the cameras' newest frames; one for all cameras, safe to use from any thread.

    Of a camera whose last frame is still in work nothing is taken: its frames stay in order, however many analyse.

    Args:
        max_batch: most frames in a batch.
        max_age_s: an older frame is dropped as stale when its turn comes.
    """

    def __init__(self, *, max_batch: int, max_age_s: float, clock: Clock) -> None:
        self._max_batch = max_batch
        self._max_age_s = max_age_s
        self._clock = clock
        self._turns: dict[str, _Turn] = {}
        self._condition = threading.Condition()
        self._arrivals = 0

    def add(self, camera_id: str, slot: NewestFrame, target_fps: float, priority: int = 1) -> None:
        """Take frames from `slot`, at most `target_fps` a second; replaces what was there for the camera."""
        with self._condition:
            self._turns[camera_id] = _Turn(slot, 1 / target_fps, priority)

    def set_rate(self, camera_id: str, target_fps: float, priority: int = 1) -> None:
        """Change a camera's rate and priority from its next frame on."""
        with self._condition:
            turn = self._turns[camera_id]
            turn.period_s, turn.priority = 1 / target_fps, priority
            turn.due_s = min(turn.due_s, self._clock.monotonic() + turn.period_s)
            turn.slot.want_from(turn.wanted_from_s)

    def remove(self, camera_id: str) -> None:
        """Take no more frames from a camera."""
        with self._condition:
            self._turns.pop(camera_id, None)

    def wake(self) -> None:
        """Let everybody who waits look again; called when the pipeline is to stop or to change."""
        with self._condition:
            self._arrivals += 1
            self._condition.notify_all()

    def arrived(self) -> None:
        """A frame has arrived: one of those who wait looks for it; a second would find nothing."""
        with self._condition:
            self._arrivals += 1
            self._condition.notify()

    def next_batch(self, timeout_s: float) -> list[ScheduledFrame]:
        """Wait for frames that are due.

        Returns:
            At most one frame of each camera, the most urgent camera first; empty when none came in time.
        """
        deadline_s = self._clock.monotonic() + timeout_s
        while True:
            with self._condition:
                seen = self._arrivals
                taken = self._take_due()
            if taken:
                return [_scheduled(slot, frame) for slot, frame in taken]
            with self._condition:
                left_s = deadline_s - self._clock.monotonic()
                if left_s <= 0:
                    return []
                if not self._condition.wait_for(lambda: self._arrivals != seen, left_s):  # noqa: B023  used at once
                    return []

    def _take_due(self) -> list[tuple[NewestFrame, CapturedFrame]]:
        now_s = self._clock.monotonic()
        taken: list[tuple[NewestFrame, CapturedFrame]] = []
        for turn in sorted(self._turns.values(), key=lambda each: -each.urgency(now_s)):
            if len(taken) == self._max_batch:
                break
            waiting = turn.slot.peek()
            if waiting is None or turn.slot.is_in_work:
                continue
            # Between peek and take a newer frame may have come: only the taken one is judged.
            frame = turn.slot.take()
            if frame is None:
                continue
            if now_s - frame.received_s > self._max_age_s:
                turn.slot.ledger.drop(DropReason.STALE)
            elif frame.received_s < turn.wanted_from_s:
                turn.slot.ledger.drop(DropReason.RATE)
            else:
                on_time = frame.received_s < turn.due_s + turn.period_s
                # Keeping the phase makes 5 of 12.5 frames a second really 5; a late camera does not catch up.
                turn.due_s = (turn.due_s if on_time else frame.received_s) + turn.period_s
                turn.slot.want_from(turn.wanted_from_s)
                taken.append((turn.slot, frame))
        return taken


def _scheduled(slot: NewestFrame, captured: CapturedFrame) -> ScheduledFrame:
    return ScheduledFrame(
        Frame(captured.camera_id, captured.sequence, captured.image, captured.received_at, captured.received_s),
        slot.ledger,
    )
