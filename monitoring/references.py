"""Finds what a camera's window is compared with: like days of its own, its first day, or cameras like it; in blobs.

A reference is put together from windows that were kept, once, and then stays as it is: with the camera's own days it
advances only by what somebody accepts, or a slow drift would teach the monitor to sleep.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from footfall.errors import UnknownRecordError
from monitoring.distance import distance, feature_reference
from monitoring.known import HOURS_NEAR, Known, is_near, only, sketch_of
from monitoring.windows import LEAST_GROUPS, Bucket, Reference, Window, make_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from footfall.domain import DriftAcceptance
    from footfall.stores.blobs import BlobStore

MOST_DAYS: Final = 28
_LIKE: Final = 5
"""Cameras that a young one is compared with: those that look most like it."""
_DAY: Final = timedelta(days=1)
_STAMP: Final = "%Y%m%dT%H%M%S"
"""In blob keys; UTC."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Which windows of a camera show it as it should be: those in [begins_at, until_at), but for what is left out.

    Attributes:
        left_out: begin and end of what was unusual and was not accepted.
    """

    begins_at: datetime
    until_at: datetime
    left_out: tuple[tuple[datetime, datetime], ...] = ()

    def holds(self, begin_at: datetime) -> bool:
        """Whether the window that begins then is one of them."""
        if not self.begins_at <= begin_at < self.until_at:
            return False
        return not any(since <= begin_at < until for since, until in self.left_out)


def accepted_from(acceptances: Sequence[DriftAcceptance], left_out: Sequence[tuple[datetime, datetime]]) -> Accepted:
    """Return what holds now.

    Args:
        acceptances: of one camera, newest first; at least one, of which one has a begin.

    Raises:
        ValueError: none has a begin.
    """
    begins = [each.begins_at for each in acceptances if each.begins_at is not None]
    if not begins:
        raise ValueError("acceptances of a camera: none tells from when on it is as it should be")
    return Accepted(begins[0], acceptances[0].until_at, tuple(left_out))


class References:
    """Windows and references of cameras, as blobs.

    Args:
        length: of a window.
        zone: of the site: its hours and weekends are what days have in common.
        first: windows that are a first day; half of them must be there.
        hours_near: how much earlier or later a window may have begun that is `known` at an hour.
    """

    def __init__(
        self,
        blobs: BlobStore,
        *,
        length: timedelta,
        zone: ZoneInfo,
        first: int = 24,
        hours_near: int = HOURS_NEAR,
    ) -> None:
        self._blobs = blobs
        self._length = length
        self._zone = zone
        self._first = first
        self._near = timedelta(hours=hours_near)

    def keep(self, window: Window) -> None:
        """Keep a window.

        Raises:
            StoreError: it could not be written.
        """
        self._blobs.put(_window_key(window.camera_id, window.begin_at), window.to_bytes())

    def forget_before(self, at: datetime, accepted: Mapping[str, datetime]) -> int:
        """Delete windows that began before; tells how many.

        References that were made of them stay, and so does what was `remember`ed of the days that are compared with.

        Args:
            accepted: camera → end of what was accepted of it; of one that is not in it nothing older stays.
        """
        gone = [
            blob.key
            for blob in self._blobs.blobs("windows")
            if (begin := _begin_of(blob.key)) is not None and begin < at
        ]
        for blob in self._blobs.blobs("known"):
            _, camera_id, _ = blob.key.split("/")
            day_at = _begin_of(blob.key)
            until = accepted.get(camera_id)
            last = at if until is None else min(at, until - MOST_DAYS * _DAY)
            if day_at is not None and day_at + _DAY <= last:
                gone.append(blob.key)
        return sum(self._blobs.delete(key) for key in gone)

    def reference(self, window: Window, accepted: Accepted, others: Sequence[tuple[str, Accepted]]) -> Reference | None:
        """Return what the window is compared with; None while nothing is known.

        Args:
            others: cameras of the site that are not in an episode, with what was accepted of them.

        Raises:
            StoreError: blobs cannot be read.
        """
        return self._own(window, accepted) or self._first_day(window, accepted) or self._fleet(window, others)

    def known(self, window: Window, accepted: Accepted) -> Known:
        """Return the accepted windows of about this hour, on days of either kind; there may be none.

        None of the last day is among them: while days are still being accepted, a fault would explain itself.

        Raises:
            StoreError: blobs cannot be read.
        """
        at = window.begin_at
        kept = cache(self._kept)
        day = _midnight(min(at - _DAY, accepted.until_at))
        days: list[Known] = []
        while day + _DAY > accepted.begins_at and len(days) < MOST_DAYS:
            days.append(self._known_day(window.camera_id, day, at, kept))
            day -= _DAY
        return only(
            days,
            lambda begin: begin <= at - _DAY and accepted.holds(begin) and is_near(begin, at, self._near, self._zone),
        )

    def remember(self, camera_id: str, judged_until: datetime) -> None:
        """Sum up the day before the one until which windows were kept, or the first alarm has to read weeks of them.

        Raises:
            StoreError: blobs cannot be read or written.
        """
        self._known_day(camera_id, _midnight(judged_until) - _DAY, judged_until, self._kept)

    def _known_day(
        self, camera_id: str, day_at: datetime, judged_until: datetime, kept: Callable[[str], list[datetime]]
    ) -> Known:
        """Sketches of a UTC day's windows; kept for ever once the day is over."""
        key = _known_key(camera_id, day_at)
        try:
            return Known.from_bytes(self._blobs.get(key))
        except (UnknownRecordError, ValueError):
            begins = [each for each in kept(camera_id) if day_at <= each < min(day_at + _DAY, judged_until)]
        windows = [window for window in (self._window(camera_id, begin) for begin in begins) if window is not None]
        known = Known.of({window.begin_at: sketch_of(window) for window in windows})
        if windows and day_at + _DAY <= judged_until:
            self._blobs.put(key, known.to_bytes())
        return known

    def _kept(self, camera_id: str) -> list[datetime]:
        """Begins of the windows that are there."""
        begins = (_begin_of(blob.key) for blob in self._blobs.blobs(f"windows/{camera_id}"))
        return [begin for begin in begins if begin is not None]

    def _own(self, window: Window, accepted: Accepted) -> Reference | None:
        bucket = Bucket.of(window.begin_at, self._zone)
        key = f"references/{window.camera_id}/{bucket}.npz"
        today = window.begin_at.astimezone(self._zone).date()
        # While days are still being accepted, each adds to it; afterwards it is the same for ever.
        made_on = "" if accepted.until_at <= window.begin_at else today.isoformat()
        stamp = f"{accepted.begins_at.isoformat()} {accepted.until_at.isoformat()} {made_on}"
        stored = self._stored(key)
        if stored is not None and stored.stamp == stamp:
            return stored
        days: dict[str, list[Window]] = {}
        day = min(today - _DAY, accepted.until_at.astimezone(self._zone).date())
        first = accepted.begins_at.astimezone(self._zone).date()
        while day >= first and len(days) < MOST_DAYS:
            noon = datetime(day.year, day.month, day.day, bucket.hour, tzinfo=self._zone)
            if Bucket.of(noon, self._zone).is_weekend == bucket.is_weekend:
                found = list(self._around(window, noon.astimezone(UTC), accepted))
                if found:
                    days[day.isoformat()] = found
            day -= _DAY
        made = make_reference(window.camera_id, "own", dict(sorted(days.items())), stamp=stamp)
        if made is not None:
            self._blobs.put(key, made.to_bytes())
        return made

    def _around(self, window: Window, hour_at: datetime, accepted: Accepted) -> Iterator[Window]:
        """Windows of an hour, of the one before and of the one after."""
        # On the grid of the windows, whatever the hour of the zone is to it.
        late = (window.begin_at - hour_at) % self._length
        at, until = hour_at - timedelta(hours=1) + late, hour_at + timedelta(hours=2)
        while at < until:
            if accepted.holds(at) and at < window.begin_at:
                found = self._window(window.camera_id, at)
                if found is not None:
                    yield found
            at += self._length

    def _first_day(self, window: Window, accepted: Accepted) -> Reference | None:
        # On the grid of the windows, whenever somebody accepted it.
        begins_at = accepted.begins_at + (window.begin_at - accepted.begins_at) % self._length
        until = begins_at + self._first * self._length
        if window.begin_at < until:
            return None  # it is not over: the evening would be unusual for who knows a morning only
        key = f"references/{window.camera_id}/first-day.npz"
        stamp = until.isoformat()
        stored = self._stored(key)
        if stored is not None and stored.stamp == stamp:
            return stored
        groups: dict[str, list[Window]] = {}
        for start in (begins_at + n * self._length for n in range(self._first)):
            found = self._window(window.camera_id, start) if accepted.holds(start) else None
            if found is not None:
                groups[start.isoformat()] = [found]
        made = make_reference(
            window.camera_id, "first-day", groups, least=max(LEAST_GROUPS, self._first // 2), stamp=stamp
        )
        if made is not None:
            self._blobs.put(key, made.to_bytes())
        return made

    def _fleet(self, window: Window, others: Sequence[tuple[str, Accepted]]) -> Reference | None:
        """Cameras that look most like it, at the same time of today and of yesterday."""
        known: dict[str, list[Window]] = {}
        for camera_id, accepted in others:
            at = (window.begin_at - self._length, window.begin_at, window.begin_at - _DAY)
            found = [self._window(camera_id, each) for each in at if accepted.holds(each)]
            windows = [each for each in found if each is not None]
            if windows:
                known[camera_id] = windows
        near = sorted(known, key=lambda camera_id: _unlikeness(known[camera_id], window))[:_LIKE]
        return make_reference(window.camera_id, "fleet", {name: known[name] for name in sorted(near)})

    def _window(self, camera_id: str, begin_at: datetime) -> Window | None:
        try:
            return Window.from_bytes(self._blobs.get(_window_key(camera_id, begin_at)))
        except (UnknownRecordError, ValueError):
            return None

    def _stored(self, key: str) -> Reference | None:
        try:
            return Reference.from_bytes(self._blobs.get(key))
        except (UnknownRecordError, ValueError):
            return None


def _unlikeness(windows: Sequence[Window], young: Window) -> float:
    """Mean distance over statistics, each capped: one that is far must not outweigh many that are near."""
    scores = []
    for name, mine in young.columns.items():
        parts = [window.columns[name] for window in windows if name in window.columns]
        usual = feature_reference(np.concatenate(parts)) if parts else None
        far = None if usual is None else distance(usual, mine)
        if far is not None:
            scores.append(min(far.score, 3.0))
    return float(np.mean(scores)) if scores else float("inf")


def _midnight(at: datetime) -> datetime:
    """Begin of the UTC day."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _window_key(camera_id: str, begin_at: datetime) -> str:
    return f"windows/{camera_id}/{begin_at.astimezone(UTC):{_STAMP}}.npz"


def _known_key(camera_id: str, day_at: datetime) -> str:
    return f"known/{camera_id}/{day_at:{_STAMP}}.npz"


def _begin_of(key: str) -> datetime | None:
    """Of the window, or the day, that a blob holds; None for a key of something else."""
    try:
        return datetime.strptime(key.rpartition("/")[2], f"{_STAMP}.npz").replace(tzinfo=UTC)
    except ValueError:
        return None
