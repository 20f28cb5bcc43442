"""A camera's statistics in a stretch of time, and what it is compared with; reads and writes bytes, but no store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self, TypeVar

import numpy as np

from monitoring.distance import LEAST_ROWS, FeatureReference, distance, feature_reference
from monitoring.packing import pack, unpacked
from monitoring.separability import separability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

    from footfall.domain import DriftReference, FrameStatistics

MOST_ROWS: Final = 360
"""Of a window: neighbouring rows say the same, so that a few are as good, and no window weighs more than another."""
LEAST_SPREADS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "luminance": 2.0,
        "contrast": 1.0,
        "saturation": 2.0,
        "haze": 2.0,
        "noise": 0.2,
        "blockiness": 0.02,
        "dark_share": 0.01,
        "clipped_share": 0.01,
        "bright_blob_share": 0.003,
        "persistent_edge_share": 0.01,
        "red_ratio": 0.005,
        "blue_ratio": 0.005,
        "still_share": 0.005,
        "view_match": 0.02,
        "faint_share": 0.01,
        "light_unevenness": 0.01,
        "detections": 0.2,
        "confidence_mean": 0.02,
        "low_confidence_share": 0.05,
        "box_height_median": 0.01,
        "box_height_by_row": 0.02,
        "edge_touching_share": 0.05,
        "people_brightness": 0.03,
        "people_saturation": 2.0,
    }
)
"""In the statistics' own units. A share that is nearly always 0 has next to no spread, and the first sunny afternoon
would be a hundred of it: a change that no detector feels. Each is about a fifth of what `causes` asks for."""
LEAST_GROUPS: Final = 3
"""With fewer days (or cameras) they cannot be told apart from one odd day."""
LAYOUT: Final = "layout"
_SATURDAY: Final = 5
_Number = TypeVar("_Number", np.float32, np.float64)


def _no_layout() -> NDArray[np.float32]:
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Hours that are alike: the same hour of weekdays, or of the weekend, by the site's clock."""

    is_weekend: bool
    hour: int

    @classmethod
    def of(cls, at: datetime, zone: ZoneInfo) -> Self:
        """Return the bucket of a moment; summer time moves with the clock on the wall, as people do.

        >>> from datetime import UTC
        >>> from zoneinfo import ZoneInfo
        >>> Bucket.of(datetime(2026, 3, 28, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"))  # Sunday there
        Bucket(is_weekend=True, hour=0)
        """
        local = at.astimezone(zone)
        return cls(local.weekday() >= _SATURDAY, local.hour)

    def holds(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether a moment is in this hour or in the one before or after, on a day of this kind."""
        local = at.astimezone(zone)
        near = (local.hour - self.hour + 12) % 24 - 12
        # An hour across midnight belongs to the day it is next to.
        day = local + timedelta(hours=-near)
        return abs(near) <= 1 and (day.weekday() >= _SATURDAY) == self.is_weekend

    def __str__(self) -> str:
        return f"{'weekend' if self.is_weekend else 'weekday'}-{self.hour:02}h"


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What a camera's pictures looked like in a stretch of time.

    Attributes:
        rows: statistics rows there were; `columns` hold at most `MOST_ROWS` of them, evenly taken.
        fps: analyses a second while it was watched; None: it was not.
        columns: statistic → (K,) float32, in order of time; NaN where a row has none.
        layout: (K, D) float32; what only means something together; K is 0 where rows have none.
    """

    camera_id: str
    begin_at: datetime
    end_at: datetime
    rows: int
    fps: float | None
    columns: Mapping[str, NDArray[np.float32]]
    layout: NDArray[np.float32] = field(default_factory=_no_layout)

    def to_bytes(self) -> bytes:
        """Return all of it, for a blob; no pickle is in it."""
        about = {
            "camera": self.camera_id,
            "begin": self.begin_at.isoformat(),
            "end": self.end_at.isoformat(),
            "rows": self.rows,
            "fps": self.fps,
        }
        # Half the digits: windows are most of what is kept, and no distance depends on the fourth digit.
        return pack(
            about, {name: each.astype(np.float16) for name, each in (*self.columns.items(), (LAYOUT, self.layout))}
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        with unpacked(content, "window of a camera") as (about, arrays):
            columns = {name: each.astype(np.float32) for name, each in arrays.items()}
            layout = columns.pop(LAYOUT)
            begin, end = (datetime.fromisoformat(about[name]) for name in ("begin", "end"))
            return cls(about["camera"], begin, end, about["rows"], about["fps"], columns, layout)


def window_of(
    camera_id: str, begin_at: datetime, end_at: datetime, rows: Sequence[FrameStatistics], *, fps: float | None = None
) -> Window:
    """Return the window that these rows make, in order of time; N may be 0."""
    kept: Sequence[FrameStatistics] = rows
    if len(rows) > MOST_ROWS:
        kept = [rows[place] for place in np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]
    names = sorted({name for row in kept for name in row.values})
    columns = {name: np.array([row.values.get(name, np.nan) for row in kept], np.float32) for name in names}
    layouts = [row.layout for row in kept if row.layout]
    # Of one length: a window in which that changed has rows of two versions of the program.
    alike = [each for each in layouts if len(each) == len(layouts[-1])]
    layout = np.array(alike, np.float32) if alike else _no_layout()
    return Window(camera_id, begin_at, end_at, len(rows), fps, columns, layout)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a camera usually looks like.

    Attributes:
        kind: whose windows these are.
        groups: names of what they were put together from, oldest first: days, windows of a day, or cameras.
        features: statistic → what is usual.
        own: statistic (and `layout`) → distances of each group from the others, for the threshold.
        layout: (K, D) float32, group by group; K may be 0.
        fps: usual analyses a second; None where it is not known.
        stamp: what it was made for, so that it is known when it must be made anew.
    """

    camera_id: str
    kind: DriftReference
    groups: tuple[str, ...]
    features: Mapping[str, FeatureReference]
    own: Mapping[str, tuple[float, ...]]
    fps: float | None = None
    stamp: str = ""
    layout: NDArray[np.float32] = field(default_factory=_no_layout)

    def to_bytes(self) -> bytes:
        """Return all of it, for a blob; no pickle is in it."""
        about = {
            "camera": self.camera_id,
            "kind": self.kind,
            "groups": self.groups,
            "own": {name: list(values) for name, values in self.own.items()},
            "features": {
                name: [feature.lower, feature.upper, feature.mean, feature.spread]
                for name, feature in self.features.items()
            },
            "fps": self.fps,
            "stamp": self.stamp,
        }
        arrays = {name: feature.values.astype(np.float32) for name, feature in self.features.items()}
        return pack(about, {**arrays, LAYOUT: self.layout})

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        with unpacked(content, "reference of a camera") as (about, arrays):
            features = {
                name: FeatureReference(arrays[name].astype(np.float64), *numbers)
                for name, numbers in about["features"].items()
            }
            own = {name: tuple(values) for name, values in about["own"].items()}
            groups = tuple(str(each) for each in about["groups"])
            rest = about["fps"], about["stamp"], arrays[LAYOUT]
            return cls(about["camera"], about["kind"], groups, features, own, *rest)


def make_reference(
    camera_id: str,
    kind: DriftReference,
    groups: Mapping[str, Sequence[Window]],
    *,
    least: int = LEAST_GROUPS,
    stamp: str = "",
) -> Reference | None:
    """Return the reference that groups of windows make; None with fewer than `least` that have rows enough.

    Args:
        groups: name → windows, oldest first: days for a camera's own, windows of its first day, or cameras.
    """
    told = {name: windows for name, windows in groups.items() if _rows_kept(windows) >= LEAST_ROWS}
    if len(told) < least:
        return None
    names = sorted({name for windows in told.values() for window in windows for name in window.columns})
    features, own = {}, {}
    for name in names:
        values = {group: _thinned(_column(windows, name)) for group, windows in told.items()}
        usual = feature_reference(np.concatenate(list(values.values())), least_spread=LEAST_SPREADS.get(name, 0.0))
        if usual is None:
            continue
        features[name] = usual
        own[name] = tuple(_between(name, told, values))
    layouts = [_layout_of(windows) for windows in told.values()]
    far = [
        separability(np.concatenate([each for each in layouts if each is not mine]), mine)
        for mine in layouts
        if len(mine)
    ]
    own[LAYOUT] = tuple(each.distance for each in far if each is not None)
    rates = [window.fps for windows in told.values() for window in windows if window.fps is not None]
    fps = float(np.median(rates)) if rates else None
    return Reference(camera_id, kind, tuple(told), features, own, fps, stamp, _thinned(np.concatenate(layouts)))


def _rows_kept(windows: Sequence[Window]) -> int:
    return sum(min(window.rows, MOST_ROWS) for window in windows)


def _layout_of(windows: Sequence[Window]) -> NDArray[np.float32]:
    parts = [window.layout for window in windows if len(window.layout)]
    # Of the newest length, see `window_of`.
    parts = [each for each in parts if each.shape[1] == parts[-1].shape[1]]
    return _thinned(np.concatenate(parts)) if parts else _no_layout()


def _column(windows: Sequence[Window], name: str) -> NDArray[np.float64]:
    parts = [window.columns[name] for window in windows if name in window.columns]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def _between(
    name: str, groups: Mapping[str, Sequence[Window]], values: Mapping[str, NDArray[np.float64]]
) -> list[float]:
    """How far each group's oddest window is from the other groups: windows are judged, not days, and differ more."""
    least_spread = LEAST_SPREADS.get(name, 0.0)
    found = []
    for group, windows in groups.items():
        rest = np.concatenate([each for other, each in values.items() if other != group])
        others = feature_reference(rest, least_spread=least_spread)
        if others is None:
            continue
        parts = [window.columns[name] for window in windows if name in window.columns]
        far = [distance(others, part) for part in parts]
        scores = [each.score for each in far if each is not None]
        # Windows that are too short to be judged by themselves are judged together.
        together = None if scores else distance(others, values[group])
        found += [max(scores)] if scores else [] if together is None else [together.score]
    return found


def _thinned(values: NDArray[_Number]) -> NDArray[_Number]:
    """No group weighs more than another."""
    if len(values) <= MOST_ROWS:
        return values
    return values[np.linspace(0, len(values) - 1, MOST_ROWS).astype(np.int64)]
