"""A frame between capture and analysis: where the newest one waits, and the books that lose none; no I/O."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from footfall.domain import DropReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from footfall.domain import Image


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame:
    """A decoded frame whose pixels are made only if somebody wants them.

    Attributes:
        sequence: number of the frame since the camera was started, from 0.
        received_at: when it was decoded; aware UTC.
        received_s: the same moment on the monotonic clock; seconds.
    """

    camera_id: str
    sequence: int
    received_at: datetime
    received_s: float
    image: Image


class FrameObserver(Protocol):
    """Told about every frame, for metrics; called under a lock, so it must be quick and call nothing back."""

    def received(self, camera_id: str) -> None:
        """One more frame came out of the decoder."""

    def analysed(self, camera_id: str) -> None:
        """One more frame was analysed."""

    def dropped(self, camera_id: str, reason: DropReason) -> None:
        """One more frame will never be analysed."""


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """The books of one camera at one moment; `received == analysed + sum(dropped.values()) + pending` always."""

    received: int
    analysed: int
    dropped: Mapping[DropReason, int]
    pending: int

    @property
    def is_balanced(self) -> bool:
        """Whether every received frame is accounted for."""
        return self.received == self.analysed + sum(self.dropped.values()) + self.pending and self.pending >= 0


class FrameLedger:
    """The books of one camera: received = analysed + dropped by reason + pending. Safe to use from any thread."""

    def __init__(self, camera_id: str, observer: FrameObserver | None = None) -> None:
        self._camera_id = camera_id
        self._observer = observer
        self._lock = threading.Lock()
        self._received = 0
        self._analysed = 0
        self._dropped = dict.fromkeys(DropReason, 0)
        self._pending = 0

    def receive(self) -> None:
        """Enter a frame that came out of the decoder; it is pending until `analyse` or `drop`."""
        with self._lock:
            self._received += 1
            self._pending += 1
            if self._observer:
                self._observer.received(self._camera_id)

    def analyse(self) -> None:
        """A pending frame was analysed."""
        with self._lock:
            self._analysed += 1
            self._pending -= 1
            if self._observer:
                self._observer.analysed(self._camera_id)

    def drop(self, reason: DropReason) -> None:
        """A pending frame will never be analysed."""
        with self._lock:
            self._dropped[reason] += 1
            self._pending -= 1
            if self._observer:
                self._observer.dropped(self._camera_id, reason)

    @property
    def pending(self) -> int:
        """Frames that were received and are neither analysed nor dropped yet."""
        return self._pending

    def counts(self) -> FrameCounts:
        """Return the books, all read at one moment."""
        with self._lock:
            return FrameCounts(self._received, self._analysed, dict(self._dropped), self._pending)


class NewestFrame:
    """Holds at most one frame: a newer one takes its place and the older is dropped as superseded.

    Args:
        on_arrival: called without a lock after a frame was put; wakes the scheduler.
    """

    def __init__(self, ledger: FrameLedger, on_arrival: Callable[[], None]) -> None:
        self.ledger = ledger
        self._on_arrival = on_arrival
        self._lock = threading.Lock()
        self._frame: CapturedFrame | None = None
        self._closed = False
        self._wanted_from_s = float("-inf")

    def want_from(self, moment_s: float) -> None:
        """Frames received before `moment_s` (monotonic) are more than the camera's rate asks for: they wake nobody."""
        self._wanted_from_s = moment_s

    def put(self, frame: CapturedFrame) -> None:
        """Offer a frame that the ledger has received already; after `close` it is dropped as stopped."""
        with self._lock:
            if self._closed:
                self.ledger.drop(DropReason.STOPPED)
                return
            if frame.received_s < self._wanted_from_s:
                self.ledger.drop(DropReason.RATE)
                return
            if self._frame is not None:
                self.ledger.drop(DropReason.SUPERSEDED)
            self._frame = frame
        self._on_arrival()

    def peek(self) -> CapturedFrame | None:
        """Return the waiting frame and leave it there; None when there is none."""
        with self._lock:
            return self._frame

    @property
    def is_in_work(self) -> bool:
        """Whether a frame that was taken is neither analysed nor dropped yet: the next one must wait for it."""
        with self._lock:
            return self.ledger.pending > (self._frame is not None)

    def take(self) -> CapturedFrame | None:
        """Return the waiting frame and remove it; whoever takes it must `analyse` or `drop` it in the ledger."""
        with self._lock:
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Drop the waiting frame and every later one as stopped."""
        with self._lock:
            self._closed = True
            if self._frame is not None:
                self._frame = None
                self.ledger.drop(DropReason.STOPPED)
