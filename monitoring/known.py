"""Whether a window looks like one that was accepted at another hour: weather that no like hour had is nothing new.

A reference of like hours knows few of them, and two weeks may have had rain on none. What was seen at ten on a Sunday
and accepted is no drift at noon on a Tuesday. Of each window so many quantiles of each statistic are enough to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from monitoring.distance import LEAST_ROWS
from monitoring.packing import pack, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

    from monitoring.windows import Window

QUANTILES: Final = 32
HOURS_NEAR: Final = 4
"""By the clock: at an hour much earlier or later a lamp that failed would look like the usual night. With three some
cameras had none that was wet; tuned on benchmarks/drift_weeks.py."""
_LAYOUT: Final = "layout/"
_LEVELS: Final = (np.arange(QUANTILES) + 0.5) / QUANTILES

Sketch = dict[str, "NDArray[np.float32]"]
"""Statistic (or `layout/PLACE`) → (QUANTILES,) of its values in a window."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An accepted window that a new one is like.

    Attributes:
        ratio: largest difference ÷ what is allowed, over the statistics that were asked for; ≥ 0.
    """

    begin_at: datetime
    ratio: float


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Sketches of windows.

    Attributes:
        begins: of the windows, aware UTC; W of them, W may be 0.
        names: of statistics.
        values: (W, S, QUANTILES) float32; NaN where a window has too few values.
    """

    begins: tuple[datetime, ...]
    names: tuple[str, ...]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, sketches: Mapping[datetime, Sketch]) -> Self:
        """Put sketches together, by the begin of their windows."""
        names = tuple(sorted({name for each in sketches.values() for name in each}))
        values = np.full((len(sketches), len(names), QUANTILES), np.nan, np.float32)
        for window, each in enumerate(sketches.values()):
            for place, name in enumerate(names):
                if name in each:
                    values[window, place] = each[name]
        return cls(tuple(sketches), names, values)

    def sketches(self, is_wanted: Callable[[datetime], bool]) -> dict[datetime, Sketch]:
        """Return what `of` was given, of the windows that are wanted by their begin."""
        found: dict[datetime, Sketch] = {}
        for begin, values in zip(self.begins, self.values, strict=True):
            if is_wanted(begin):
                each = zip(self.names, values, strict=True)
                found[begin] = {name: quantiles for name, quantiles in each if not np.isnan(quantiles[0])}
        return found

    def nearest(self, sketch: Sketch, within: Mapping[str, float]) -> Seen | None:
        """Return the window that is most like one; None where no window can be compared.

        Between quantiles the mean difference is the Wasserstein distance (Vallender, 1974), as far as so many tell.

        Args:
            within: statistic (or `layout/PLACE`) → difference that is allowed, in its unit, > 0. One window must be
                alike in all of them: what was seen of each on another day explains nothing.
        """
        places = [self.names.index(name) for name in within if name in self.names and name in sketch]
        if not self.begins or not within or len(places) < len(within):
            return None
        new = np.array([sketch[name] for name in within])
        allowed = np.array(list(within.values()))
        far = (np.abs(self.values[:, places] - new).mean(axis=2) / allowed).max(axis=1)
        if np.isnan(far).all():
            return None
        best = int(np.nanargmin(far))
        return Seen(self.begins[best], float(far[best]))

    def to_bytes(self) -> bytes:
        """Return all of it, for a blob; no pickle is in it."""
        about = {"begins": [each.isoformat() for each in self.begins], "names": self.names}
        # Half the digits, as windows are kept.
        return pack(about, {"values": self.values.astype(np.float16)})

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        with unpacked(content, "sketches of windows") as (about, arrays):
            begins = tuple(datetime.fromisoformat(each).astimezone(UTC) for each in about["begins"])
            return cls(begins, tuple(about["names"]), arrays["values"].astype(np.float32))


def sketch_of(window: Window) -> Sketch:
    """Return the quantiles of all that the window has values enough of."""
    columns = dict(window.columns)
    columns |= {f"{_LAYOUT}{place}": values for place, values in enumerate(window.layout.T)}
    found = {}
    for name, values in columns.items():
        finite = values[np.isfinite(values)]
        if len(finite) >= LEAST_ROWS:
            found[name] = np.quantile(finite, _LEVELS).astype(np.float32)
    return found


def layout_within(layout: NDArray[np.float32], limit: float) -> dict[str, float]:
    """Return what `nearest` may allow each number of a layout, (K, D), K ≥ 1: `limit` of its spreads."""
    spreads = np.maximum(layout.std(axis=0, dtype=np.float64), 1e-6)
    return {f"{_LAYOUT}{place}": limit * float(spread) for place, spread in enumerate(spreads)}


def is_near(begin_at: datetime, at: datetime, apart: timedelta, zone: ZoneInfo) -> bool:
    """Tell whether two windows begin at most so far apart by the clock of the site, on whatever days.

    >>> from zoneinfo import ZoneInfo
    >>> late, early = datetime(2026, 3, 2, 23, tzinfo=UTC), datetime(2026, 3, 8, 2, tzinfo=UTC)
    >>> [is_near(late, early, timedelta(hours=hours), ZoneInfo("UTC")) for hours in (2, 3)]
    [False, True]
    """
    clocks = [
        timedelta(hours=each.hour, minutes=each.minute) for each in (begin_at.astimezone(zone), at.astimezone(zone))
    ]
    between = abs(clocks[0] - clocks[1])
    return min(between, timedelta(days=1) - between) <= apart


def only(parts: Sequence[Known], is_wanted: Callable[[datetime], bool]) -> Known:
    """Put those windows of several together that are wanted by their begin."""
    found = [(begin, sketch) for each in parts for begin, sketch in each.sketches(is_wanted).items()]
    return Known.of(dict(found))
