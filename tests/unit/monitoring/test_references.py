"""What a camera is compared with: like days of its own that were accepted, its first day, or cameras like it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from footfall.domain import DriftAcceptance, FrameStatistics
from footfall.stores.blobs import BlobStore
from footfall.vision.statistics import STATISTIC_NAMES
from monitoring.distance import distance
from monitoring.references import Accepted, References, accepted_from
from monitoring.windows import LEAST_SPREADS, MOST_ROWS, Bucket, Reference, Window, make_reference, window_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=BERLIN).astimezone(UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALWAYS = Accepted(MONDAY - DAY, MONDAY + 1000 * DAY)
RNG = np.random.Generator(np.random.PCG64(4))


def window(begin: datetime, *, camera: str = "gate", level: float = 100.0, rows: int = 120) -> Window:
    noise = RNG.normal(level, 10, rows)
    return window_of(
        camera,
        begin,
        begin + HOUR,
        [
            FrameStatistics(
                camera,
                begin + timedelta(seconds=30 * n),
                {"luminance": float(noise[n]), "noise": 2.0},
                (float(noise[n]), 1.0, 2.0),
            )
            for n in range(rows)
        ],
        fps=5.0,
    )


@pytest.fixture
def references(tmp_path: Path) -> References:
    return References(BlobStore(str(tmp_path)), length=HOUR, zone=BERLIN)


def keep_days(references: References, days: int, *, hours: tuple[int, ...] = (0,), camera: str = "gate") -> None:
    """Nine o'clock (and so many hours later) of days from Monday on; weekends are darker."""
    for day in range(days):
        for hour in hours:
            begin = MONDAY + day * DAY + hour * HOUR
            level = 60.0 if begin.astimezone(BERLIN).weekday() >= 5 else 100.0
            references.keep(window(begin, level=level, camera=camera))


def test_hours_are_compared_with_the_same_hour_of_like_days_by_the_clock_on_the_wall() -> None:
    weekday = Bucket.of(MONDAY, BERLIN)
    assert weekday == Bucket(is_weekend=False, hour=9)
    assert str(weekday) == "weekday-09h"
    assert weekday.holds(MONDAY + timedelta(days=1, hours=1), BERLIN)
    assert not weekday.holds(MONDAY + timedelta(days=1, hours=2), BERLIN)
    assert not weekday.holds(MONDAY + timedelta(days=5), BERLIN)
    summer = datetime(2026, 4, 1, 9, 30, tzinfo=BERLIN)
    assert Bucket.of(summer.astimezone(UTC), BERLIN) == weekday
    midnight = Bucket.of(datetime(2026, 3, 3, 0, 30, tzinfo=BERLIN), BERLIN)
    assert midnight.holds(datetime(2026, 3, 2, 23, 30, tzinfo=BERLIN), BERLIN)
    assert not midnight.holds(datetime(2026, 3, 7, 0, 30, tzinfo=BERLIN), BERLIN)


def test_a_window_comes_back_from_bytes_as_it_was_and_keeps_so_many_rows() -> None:
    made = window(MONDAY, rows=1000)
    assert (made.rows, len(made.columns["luminance"])) == (1000, MOST_ROWS)
    read = Window.from_bytes(made.to_bytes())
    assert (read.camera_id, read.begin_at, read.end_at, read.rows, read.fps) == ("gate", MONDAY, MONDAY + HOUR, 1000, 5)
    assert np.allclose(read.columns["luminance"], made.columns["luminance"], rtol=1e-3)
    assert np.allclose(read.layout, made.layout, rtol=1e-3)
    assert read.layout.shape == (MOST_ROWS, 3)
    with pytest.raises(ValueError, match="no window of a camera"):
        Window.from_bytes(b"something else")
    with pytest.raises(ValueError, match="no reference of a camera"):
        Reference.from_bytes(made.to_bytes())


def test_a_statistic_that_a_row_lacks_is_missing_there() -> None:
    rows = [FrameStatistics("gate", MONDAY, {"noise": 1.0}), FrameStatistics("gate", MONDAY, {"confidence_mean": 0.5})]
    columns = window_of("gate", MONDAY, MONDAY + HOUR, rows).columns
    assert np.array_equal(columns["noise"], [1.0, np.nan], equal_nan=True)
    assert window_of("gate", MONDAY, MONDAY + HOUR, []).columns == {}


def test_a_reference_comes_back_from_bytes_as_it_was() -> None:
    made = make_reference("gate", "own", {str(n): [window(MONDAY + n * DAY)] for n in range(4)}, stamp="x")
    assert made is not None
    read = Reference.from_bytes(made.to_bytes())
    assert (read.camera_id, read.kind, read.groups, read.fps, read.stamp) == ("gate", "own", tuple("0123"), 5.0, "x")
    assert read.own == made.own
    assert len(read.own["layout"]) == 4
    assert np.array_equal(read.layout, made.layout)
    far, again = (distance(each.features["luminance"], RNG.normal(115, 10, 360)) for each in (made, read))
    assert far is not None
    assert again is not None
    assert again.score == pytest.approx(far.score, abs=0.2)


def test_own_days_are_like_days_with_an_hour_before_and_after(references: References) -> None:
    keep_days(references, 12, hours=(-2, -1, 0, 1, 2))
    thursday = window(MONDAY + 10 * DAY)
    found = references.reference(thursday, ALWAYS, [])
    assert found is not None
    assert found.kind == "own"
    assert [day[-2:] for day in found.groups] == ["02", "03", "04", "05", "06", "09", "10", "11"]
    assert found.features["luminance"].mean == pytest.approx(100, abs=1)
    assert len(found.own["luminance"]) == 8
    assert found.fps == 5.0
    saturday = references.reference(window(MONDAY + 12 * DAY), ALWAYS, [])
    assert saturday is None or saturday.kind != "own"  # two days of a weekend are too few


def test_a_frozen_reference_stays_until_somebody_accepts_newer_days(references: References) -> None:
    keep_days(references, 5)
    frozen = Accepted(MONDAY - DAY, MONDAY + 5 * DAY)
    first = references.reference(window(MONDAY + 7 * DAY), frozen, [])
    for day in (7, 8, 9):
        references.keep(window(MONDAY + day * DAY, level=150))
    later = references.reference(window(MONDAY + 10 * DAY), frozen, [])
    assert first is not None
    assert later is not None
    assert later.groups == first.groups
    advanced = references.reference(window(MONDAY + 10 * DAY), Accepted(MONDAY - DAY, MONDAY + 10 * DAY), [])
    assert advanced is not None
    assert len(advanced.groups) == 8
    assert advanced.features["luminance"].mean > later.features["luminance"].mean + 10


def test_a_frozen_reference_outlives_the_windows_it_was_made_of(references: References) -> None:
    keep_days(references, 5)
    frozen = Accepted(MONDAY - DAY, MONDAY + 5 * DAY)
    first = references.reference(window(MONDAY + 7 * DAY), frozen, [])
    assert references.forget_before(MONDAY + 5 * DAY, {"gate": frozen.until_at}) == 5
    again = references.reference(window(MONDAY + 8 * DAY), frozen, [])
    assert first is not None
    assert again is not None
    assert again.groups == first.groups
    assert references.reference(window(MONDAY + 8 * DAY + 5 * HOUR), frozen, []) is None


def test_what_was_unusual_and_not_accepted_is_no_reference(references: References) -> None:
    keep_days(references, 5)
    bad_day = (MONDAY + 2 * DAY - HOUR, MONDAY + 2 * DAY + 5 * HOUR)
    found = references.reference(window(MONDAY + 7 * DAY), Accepted(MONDAY - DAY, MONDAY + 9 * DAY, (bad_day,)), [])
    assert found is not None
    assert [day[-2:] for day in found.groups] == ["02", "03", "05", "06"]


def test_a_young_camera_is_compared_with_its_first_day_whatever_the_hour(references: References) -> None:
    young = Accepted(MONDAY - 20 * timedelta(minutes=1), MONDAY + 14 * DAY)  # somebody said so within an hour
    keep_days(references, 1, hours=tuple(range(10)))
    assert references.reference(window(MONDAY + 24 * HOUR), young, []) is None  # less than half of a day
    keep_days(references, 1, hours=tuple(range(23)))
    assert references.reference(window(MONDAY + 23 * HOUR), young, []) is None  # its evening is still to come
    found = references.reference(window(MONDAY + 24 * HOUR), young, [])
    assert found is not None
    assert (found.kind, len(found.groups)) == ("first-day", 23)
    references.keep(window(MONDAY + 24 * HOUR, level=500))
    later = references.reference(window(MONDAY + 25 * HOUR), young, [])
    assert later is not None
    assert later.groups == found.groups  # what comes later does not change it


def test_before_its_first_day_it_is_compared_with_cameras_that_look_like_it(references: References) -> None:
    young = Accepted(MONDAY, MONDAY + 14 * DAY)
    levels = {"a": 100, "b": 101, "c": 99, "d": 102, "e": 98, "night-1": 10, "night-2": 12}
    for camera, level in levels.items():
        references.keep(window(MONDAY, camera=camera, level=float(level)))
    others = [(camera, ALWAYS) for camera in levels]
    found = references.reference(window(MONDAY), young, others)
    assert found is not None
    assert (found.kind, found.groups) == ("fleet", ("a", "b", "c", "d", "e"))
    assert references.reference(window(MONDAY), young, others[:2]) is None


def test_the_newest_acceptance_holds_and_an_earlier_begin_stays() -> None:
    learned = DriftAcceptance("gate", MONDAY, MONDAY + 14 * DAY, MONDAY, "monitor")
    days = DriftAcceptance("gate", None, MONDAY + 40 * DAY, MONDAY + 40 * DAY, "ada")
    anew = DriftAcceptance("gate", MONDAY + 50 * DAY, MONDAY + 64 * DAY, MONDAY + 51 * DAY, "ada")
    assert accepted_from([learned], []) == Accepted(MONDAY, MONDAY + 14 * DAY)
    assert accepted_from([days, learned], []) == Accepted(MONDAY, MONDAY + 40 * DAY)
    assert accepted_from([anew, days, learned], []) == Accepted(MONDAY + 50 * DAY, MONDAY + 64 * DAY)
    with pytest.raises(ValueError, match="from when on"):
        accepted_from([days], [])


def test_too_few_rows_are_no_group() -> None:
    groups = {str(n): [window(MONDAY + n * DAY, rows=120 if n else 5)] for n in range(4)}
    made = make_reference("gate", "own", groups)
    assert made is not None
    assert made.groups == ("1", "2", "3")
    assert make_reference("gate", "own", dict(list(groups.items())[:3])) is None


def test_a_day_is_as_odd_as_its_oddest_hour() -> None:
    levels = (95.0, 100.0, 105.0)
    hours = {
        str(n): [window(MONDAY + n * DAY + place * HOUR, level=level) for place, level in enumerate(levels)]
        for n in range(6)
    }
    days = {
        name: [Window("gate", MONDAY, MONDAY + HOUR, 360, None, {"luminance": together(windows)})]
        for name, windows in hours.items()
    }
    by_hour, by_day = (make_reference("gate", "own", groups) for groups in (hours, days))
    assert by_hour is not None
    assert by_day is not None
    # Taken together the days are alike; but what is judged is an hour.
    assert max(by_day.own["luminance"]) < 0.3
    assert min(by_hour.own["luminance"]) > 0.3


def together(windows: list[Window]) -> NDArray[np.float32]:
    return np.concatenate([each.columns["luminance"] for each in windows])


def test_windows_too_short_to_be_judged_alone_are_judged_together() -> None:
    groups = {str(n): [window(MONDAY + n * DAY + place * HOUR, rows=40) for place in range(3)] for n in range(4)}
    made = make_reference("gate", "own", groups)
    assert made is not None
    assert len(made.own["luminance"]) == 4


def test_a_share_that_is_nearly_always_nothing_is_not_measured_by_its_flicker() -> None:
    def of_share(begin: datetime, share: float) -> Window:
        values = np.abs(RNG.normal(share, 0.0005, 120)).astype(np.float32)
        return Window("gate", begin, begin + HOUR, 120, None, {"clipped_share": values})

    made = make_reference("gate", "own", {str(n): [of_share(MONDAY + n * DAY, 0.0)] for n in range(6)})
    assert made is not None
    usual = made.features["clipped_share"]
    sunny, glare = (distance(usual, of_share(MONDAY, share).columns["clipped_share"]) for share in (0.005, 0.1))
    assert sunny is not None
    assert glare is not None
    assert sunny.score < 1
    assert glare.score > 5
    assert set(LEAST_SPREADS) <= set(STATISTIC_NAMES)
