"""The time that threads live by, as an argument; tests bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading


class Clock(Protocol):
    """Wall time for events, monotonic time for durations, and waiting that can be woken."""

    def now(self) -> datetime:
        """Return the wall time; aware UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps; its zero means nothing."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until `event` is set or `timeout_s` is over; tell whether it is set. A timeout ≤ 0 only looks."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the wall time; aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on the system's monotonic clock."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until `event` is set or `timeout_s` is over; tell whether it is set."""
        return event.wait(max(timeout_s, 0.0))
