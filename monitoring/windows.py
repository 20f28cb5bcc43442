"""Which rows a camera is compared with: its own, at the same hour of like days, on days that were accepted."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from monitoring.distance import LEAST_ROWS, FeatureReference, distance, feature_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

    from footfall.domain import FrameStatistics

LEAST_DAYS: Final = 3
"""With fewer like days, they cannot be told apart from one odd day."""
MOST_DAYS: Final = 28
_ROWS_A_DAY: Final = 360
_SATURDAY: Final = 5


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


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a camera usually looks like in a bucket; frozen, until somebody accepts newer days.

    Attributes:
        days: of the site's calendar, oldest first.
        features: statistic → what is usual.
        own: statistic → distances of each day from the others, for the threshold.
    """

    camera_id: str
    bucket: Bucket
    days: tuple[date, ...]
    features: Mapping[str, FeatureReference]
    own: Mapping[str, tuple[float, ...]]

    def to_bytes(self) -> bytes:
        """Return all of it, for a blob; no pickle is in it."""
        file = io.BytesIO()
        about = {
            "camera": self.camera_id,
            "is_weekend": self.bucket.is_weekend,
            "hour": self.bucket.hour,
            "days": [day.isoformat() for day in self.days],
            "own": {name: list(values) for name, values in self.own.items()},
            "features": {
                name: [feature.lower, feature.upper, feature.mean, feature.spread]
                for name, feature in self.features.items()
            },
        }
        arrays: dict[str, NDArray[np.float32]] = {
            name: feature.values.astype(np.float32) for name, feature in self.features.items()
        }
        np.savez_compressed(file, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                features = {
                    name: FeatureReference(stored[name].astype(np.float64), *numbers)
                    for name, numbers in about["features"].items()
                }
            return cls(
                about["camera"],
                Bucket(about["is_weekend"], about["hour"]),
                tuple(date.fromisoformat(day) for day in about["days"]),
                features,
                {name: tuple(values) for name, values in about["own"].items()},
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no reference of a camera ({type(error).__name__})") from None


def make_reference(
    camera_id: str, bucket: Bucket, rows: Iterable[FrameStatistics], accepted: Iterable[date], zone: ZoneInfo
) -> Reference | None:
    """Return the reference from the newest accepted days; None with fewer than `LEAST_DAYS` like days with rows.

    Args:
        rows: of this camera, in order of time; those of other hours and days are passed over.
        accepted: days on which the camera was as it should be; at most the newest `MOST_DAYS` are used.
    """
    newest = set(sorted(accepted)[-MOST_DAYS:])
    by_day: dict[date, list[FrameStatistics]] = {}
    for row in rows:
        day = row.at.astimezone(zone).date()
        if day in newest and bucket.holds(row.at, zone):
            by_day.setdefault(day, []).append(row)
    days = sorted(day for day, found in by_day.items() if len(found) >= LEAST_ROWS)
    if len(days) < LEAST_DAYS:
        return None
    names = sorted({name for day in days for row in by_day[day] for name in row.values})
    features, own = {}, {}
    for name in names:
        values = {day: _thinned(column(by_day[day], name)) for day in days}
        usual = feature_reference(np.concatenate(list(values.values())))
        if usual is None:
            continue
        features[name] = usual
        own[name] = tuple(_between(values))
    return Reference(camera_id, bucket, tuple(days), features, own)


def column(rows: Sequence[FrameStatistics], name: str) -> NDArray[np.float64]:
    """Values of one statistic, (N,); NaN where a row has none."""
    return np.array([row.values.get(name, np.nan) for row in rows], np.float64)


def _between(values: Mapping[date, NDArray[np.float64]]) -> list[float]:
    found = []
    for day, mine in values.items():
        others = feature_reference(np.concatenate([each for other, each in values.items() if other != day]))
        far = None if others is None else distance(others, mine)
        if far is not None:
            found.append(far.score)
    return found


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Neighbouring rows say the same: a few of a day are as good, and no day weighs more than another."""
    if len(values) <= _ROWS_A_DAY:
        return values
    return values[np.linspace(0, len(values) - 1, _ROWS_A_DAY).astype(np.int64)]
