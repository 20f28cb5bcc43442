"""How long a camera was watched, minute by minute; knows only the times of its analysed frames."""

from __future__ import annotations

from datetime import datetime, timedelta

from footfall.domain import Coverage

_MINUTE = timedelta(minutes=1)


class CoverageMeter:
    """Adds up the seconds between analysed frames of one camera; a longer gap than allowed was not watched.

    Args:
        longest_gap_s: two frames no farther apart than this were watched through.
    """

    def __init__(self, camera_id: str, *, longest_gap_s: float) -> None:
        self._camera_id = camera_id
        self.longest_gap_s = longest_gap_s
        self._last: tuple[datetime, float] | None = None
        self._watched: dict[datetime, list[float]] = {}  # minute → seconds, frames

    def add(self, at: datetime, now_s: float) -> None:
        """A frame received at `at` (aware UTC) and `now_s` (monotonic) was analysed."""
        self._entry(_minute(at))[1] += 1
        if self._last is not None:
            gap_s = now_s - self._last[1]
            if 0 < gap_s <= self.longest_gap_s:
                self._split(at - timedelta(seconds=gap_s), at)
        self._last = (at, now_s)

    def interrupt(self) -> None:
        """What comes next does not continue what was before."""
        self._last = None

    def take(self) -> list[Coverage]:
        """Return what came together since the last call, and begin anew."""
        taken = [
            Coverage(self._camera_id, minute, watched_s, int(analysed))
            for minute, (watched_s, analysed) in self._watched.items()
        ]
        self._watched = {}
        return taken

    def _split(self, start: datetime, end: datetime) -> None:
        while start < end:
            minute = _minute(start)
            until = min(end, minute + _MINUTE)
            self._entry(minute)[0] += (until - start).total_seconds()
            start = until

    def _entry(self, minute: datetime) -> list[float]:
        return self._watched.setdefault(minute, [0.0, 0.0])


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
