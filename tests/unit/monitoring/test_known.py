"""What was accepted at another hour is nothing new: weather that no like hour had opens no episode, a fault does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from footfall.domain import FrameStatistics
from footfall.stores.blobs import BlobStore
from monitoring.known import QUANTILES, Known, layout_within, sketch_of
from monitoring.references import Accepted, References
from monitoring.windows import Window, window_of

if TYPE_CHECKING:
    from pathlib import Path

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALWAYS = Accepted(MONDAY - DAY, MONDAY + 1000 * DAY)
DRY, WET = (100.0, 55.0), (80.0, 40.0)
RNG = np.random.Generator(np.random.PCG64(6))


def window(begin: datetime, look: tuple[float, float] = DRY, *, rows: int = 120) -> Window:
    """Brightness and contrast, and a layout that follows brightness."""
    values = RNG.normal(look, 2, (rows, 2))
    return window_of(
        "gate",
        begin,
        begin + HOUR,
        [
            FrameStatistics("gate", begin + n * HOUR / rows, {"luminance": light, "contrast": contrast}, (light, 1.0))
            for n, (light, contrast) in enumerate(values.tolist())
        ],
    )


def known(*windows: Window) -> Known:
    return Known.of({each.begin_at: sketch_of(each) for each in windows})


@pytest.fixture
def references(tmp_path: Path) -> References:
    return References(BlobStore(str(tmp_path)), length=HOUR, zone=ZoneInfo("UTC"))


def test_the_difference_of_two_sketches_is_the_wasserstein_distance() -> None:
    one, other = window(MONDAY, rows=360), window(MONDAY + HOUR, WET, rows=360)
    seen = known(one).nearest(sketch_of(other), {"luminance": 1.0})
    assert seen is not None
    true = wasserstein_distance(one.columns["luminance"], other.columns["luminance"])
    assert seen.ratio == pytest.approx(true, rel=0.01)


def test_one_window_must_be_alike_in_everything_that_is_asked() -> None:
    rain = window(MONDAY + DAY, WET)
    dry, dull, flat = window(MONDAY), window(MONDAY + HOUR, (80.0, 55.0)), window(MONDAY + 2 * HOUR, (100.0, 40.0))
    within = {"luminance": 5.0, "contrast": 5.0}
    seen = known(dry, window(MONDAY + 3 * HOUR, WET)).nearest(sketch_of(rain), within)
    assert seen is not None
    assert seen.begin_at == MONDAY + 3 * HOUR
    assert seen.ratio < 0.5
    # Each was seen, though never together.
    apart = known(dry, dull, flat).nearest(sketch_of(rain), within)
    assert apart is not None
    assert apart.ratio > 2


def test_what_a_window_lacks_explains_nothing() -> None:
    rain = sketch_of(window(MONDAY, WET))
    assert Known.of({}).nearest(rain, {"luminance": 5.0}) is None
    assert known(window(MONDAY, WET)).nearest(rain, {}) is None
    assert known(window(MONDAY, WET)).nearest(rain, {"noise": 5.0}) is None
    assert known(window(MONDAY, WET, rows=20)).nearest(rain, {"luminance": 5.0}) is None  # too few values
    mixed = Known.of({MONDAY: {"luminance": rain["luminance"]}, MONDAY + HOUR: rain})
    seen = mixed.nearest(rain, {"luminance": 5.0, "contrast": 5.0})
    assert seen is not None
    assert seen.begin_at == MONDAY + HOUR


def test_a_layout_is_alike_when_each_of_its_numbers_is() -> None:
    usual = window(MONDAY)
    within = layout_within(usual.layout, 1.0)
    near, far = (known(window(MONDAY, look)).nearest(sketch_of(usual), within) for look in (DRY, WET))
    assert near is not None
    assert far is not None
    assert near.ratio < 1 < far.ratio


def test_sketches_come_back_from_bytes_as_they_were() -> None:
    made = known(window(MONDAY), window(MONDAY + HOUR, WET))
    read = Known.from_bytes(made.to_bytes())
    assert (read.begins, read.names) == (made.begins, made.names)
    assert read.values.shape == (2, 4, QUANTILES)
    assert np.allclose(read.values, made.values, rtol=1e-3)
    for other in (b"something else", window(MONDAY).to_bytes()):
        with pytest.raises(ValueError, match="no sketches of windows"):
            Known.from_bytes(other)


def test_hours_near_on_days_of_either_kind_are_known_and_nothing_of_the_last_day(references: References) -> None:
    saturday = MONDAY + 5 * DAY
    for begin in (MONDAY, saturday - 4 * HOUR, saturday + 4 * HOUR, saturday + 5 * HOUR, saturday - 5 * HOUR):
        references.keep(window(begin))
    today = MONDAY + 7 * DAY
    references.keep(window(today - HOUR))
    found = references.known(window(today), ALWAYS)
    assert sorted(found.begins) == [MONDAY, saturday - 4 * HOUR, saturday + 4 * HOUR]
    assert references.known(window(today), Accepted(today, today + 14 * DAY)).begins == ()


def test_what_was_unusual_and_was_not_accepted_is_not_known(references: References) -> None:
    references.keep(window(MONDAY))
    references.keep(window(MONDAY + HOUR))
    left_out = Accepted(MONDAY - DAY, MONDAY + 9 * DAY, ((MONDAY + HOUR, MONDAY + 2 * HOUR),))
    assert references.known(window(MONDAY + 3 * DAY), left_out).begins == (MONDAY,)


def test_what_was_remembered_of_accepted_days_outlives_its_windows(references: References) -> None:
    for day in range(40):
        references.keep(window(MONDAY + day * DAY))
        references.remember("gate", MONDAY + (day + 1) * DAY)
    until = MONDAY + 35 * DAY
    frozen = Accepted(MONDAY - DAY, until)
    late = window(MONDAY + 100 * DAY)
    before = references.known(late, frozen).begins
    assert len(before) == 27  # of 28 days, the last of which ended before its nine o'clock
    references.forget_before(MONDAY + 60 * DAY, {"gate": until})
    assert references.known(late, frozen).begins == before
    references.forget_before(MONDAY + 60 * DAY, {})  # of a camera that is gone nothing stays
    assert references.known(late, frozen).begins == ()
