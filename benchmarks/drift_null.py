"""How often a healthy camera alarms, and how soon a drift is noticed: simulated weeks of statistics, no pictures.

Each camera has a daily curve, other weekends, weather that lasts six hours and noise that lasts minutes. Two weeks are
the reference, two weeks are healthy, then a step of so many spreads. Prints a table and, last, one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from monitoring.distance import FeatureReference, distance, feature_reference
from monitoring.thresholds import threshold
from monitoring.tiers import TierState, after, state_of

ROWS = 360  # an hour, every ten seconds
REFERENCE, HEALTHY, DRIFTED = 14, 14, 4
FEATURES = 12
BUDGET = 0.02
Weeks = NDArray[np.float64]
"""(days, 24, ROWS) of one statistic."""


@dataclass
class Told:
    """What became of one camera."""

    episodes: int = 0
    days: int = 0
    delay: int | None = None


def weeks(rng: np.random.Generator, days: int) -> Weeks:
    """Statistic of a healthy camera; the first day is a Monday."""
    hours = np.arange(24)
    daily = rng.uniform(0.5, 3) * np.sin((hours - rng.uniform(0, 24)) / 24 * 2 * np.pi)
    weekend = rng.normal(0, 0.7)
    weather = np.repeat(rng.normal(0, rng.uniform(0.2, 0.6), days * 4), 6).reshape(days, 24)
    level = daily[None, :] + weather + np.where(np.arange(days) % 7 >= 5, weekend, 0)[:, None]
    white = rng.normal(0, 1, days * 24 * ROWS)
    noise = lfilter([np.sqrt(1 - 0.99**2)], [1, -0.99], white).reshape(days, 24, ROWS)
    return level[..., None] + noise


def bucket_days(day: int) -> list[int]:
    """The reference days that are like this one: weekdays, or days of the weekend."""
    return [each for each in range(REFERENCE) if (each % 7 >= 5) == (day % 7 >= 5)]


def near(statistic: Weeks, days: list[int], hour: int) -> NDArray[np.float64]:
    """Rows of these days, an hour before and after too."""
    return np.concatenate([statistic[day, (hour + shift) % 24] for day in days for shift in (-1, 0, 1)])


def limits(statistic: Weeks, days: list[int], hour: int) -> tuple[FeatureReference, list[float]]:
    """What is usual then, and how far each of the days is from the others."""
    own = []
    for day in days:
        others = feature_reference(near(statistic, [each for each in days if each != day], hour))
        assert others is not None
        found = distance(others, statistic[day, hour])
        assert found is not None
        own.append(found.score)
    usual = feature_reference(near(statistic, days, hour))
    assert usual is not None
    return usual, own


def watch(rng: np.random.Generator, step: float, nulls: list[float]) -> Told:
    """Two weeks of reference, two healthy ones, some days with a step in one statistic."""
    days = REFERENCE + HEALTHY + DRIFTED
    statistics = [weeks(rng, days) for _ in range(FEATURES)]
    told, state = Told(days=HEALTHY), TierState()
    begin = REFERENCE + HEALTHY
    known: dict[tuple[bool, int, int], tuple[FeatureReference, float]] = {}
    for day in range(REFERENCE, days):
        for hour in range(24):
            if day == begin and hour == 0:
                told.episodes, state = state.episodes, TierState()
            ratios = []
            for number, statistic in enumerate(statistics):
                key = day % 7 >= 5, hour, number
                if key not in known:
                    usual, own = limits(statistic, bucket_days(day), hour)
                    nulls += own
                    known[key] = usual, threshold(own, features=FEATURES, alarms_a_day=BUDGET)
                usual, limit = known[key]
                values = statistic[day, hour] + (step * usual.spread if day >= begin and number == 0 else 0)
                found = distance(usual, values)
                assert found is not None
                ratios.append(found.score / limit)
            state = after(state, state_of(max(ratios)))
            if day >= begin and told.delay is None and state.tier == "investigate":
                told.delay = (day - begin) * 24 + hour + 1
    return told


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=20)
    options = parser.parse_args()
    nulls: list[float] = []
    figures = {}
    begin_s = time.process_time()
    for step in (1.0, 2.0, 3.0):
        rng = np.random.Generator(np.random.PCG64(11))
        found = [watch(rng, step, nulls) for _ in range(options.cameras)]
        episodes, days = sum(each.episodes for each in found), sum(each.days for each in found)
        delays = sorted(each.delay for each in found if each.delay is not None)
        half = delays[len(delays) // 2] if delays else None
        print(
            f"step {step:g} spreads: found {len(delays)} of {len(found)}, median delay {half} windows; "
            f"{episodes} false episodes in {days} camera-days ({episodes / days:.3f} a day)"
        )
        figures[f"step {step:g}"] = {"found": len(delays), "of": len(found), "delay": half, "false": episodes / days}
    logs = np.log(np.maximum(nulls, 1e-3))
    print(f"distances between days: log mean {logs.mean():.2f}, sd {logs.std():.2f}")
    print(f"{time.process_time() - begin_s:.0f} CPU-seconds")
    print(json.dumps({"benchmark": "drift_null", **figures}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
