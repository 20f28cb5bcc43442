"""Noticing that a camera is not what it was: far enough, for long enough, and not because of one odd frame."""

from __future__ import annotations

import numpy as np
import pytest

from monitoring.distance import LEAST_ROWS, MOST_VALUES, distance, feature_reference
from monitoring.thresholds import LEAST_SCORE, threshold
from monitoring.tiers import DEFAULT_RULES, TierRules, TierState, after, state_of

RNG = np.random.Generator(np.random.PCG64(3))
USUAL = RNG.normal(100, 10, 4000)


def far(values: object) -> float:
    reference = feature_reference(USUAL)
    assert reference is not None
    found = distance(reference, np.asarray(values, np.float64))
    assert found is not None
    return found.score


def test_the_same_is_near_and_a_shift_is_as_far_as_it_is_wide() -> None:
    assert far(RNG.normal(100, 10, 360)) < 0.2
    assert far(RNG.normal(110, 10, 360)) == pytest.approx(1.0, abs=0.15)
    assert far(RNG.normal(100, 20, 360)) > 0.5  # another spread, the same mean


def test_the_sign_tells_which_way() -> None:
    reference = feature_reference(USUAL)
    assert reference is not None
    for shift in (-15.0, 15.0):
        found = distance(reference, USUAL[:500] + shift)
        assert found is not None
        assert found.shift == pytest.approx(shift / 10, abs=0.1)


def test_one_odd_frame_changes_neither_the_window_nor_the_reference() -> None:
    window = RNG.normal(100, 10, 360)
    assert abs(far(np.append(window, 1e9)) - far(window)) < 0.05
    with_outlier = feature_reference(np.append(USUAL, 1e9))
    assert with_outlier is not None
    found = distance(with_outlier, RNG.normal(110, 10, 360))
    assert found is not None
    assert found.score == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("values", [[], [np.nan] * 500, [1.0] * (LEAST_ROWS - 1)])
def test_too_little_is_no_sameness(values: list[float]) -> None:
    reference = feature_reference(USUAL)
    assert reference is not None
    assert distance(reference, np.array(values)) is None
    assert feature_reference(np.array(values)) is None


def test_what_never_changed_is_measured_by_its_mean() -> None:
    constant = feature_reference(np.full(500, 50.0))
    assert constant is not None
    flicker, change = (distance(constant, np.full(200, 50.0 + by)) for by in (0.1, 5.0))
    assert flicker is not None
    assert change is not None
    assert flicker.score == pytest.approx(0.2)
    assert change.score > 2


def test_the_threshold_follows_the_cameras_own_days_the_more_there_are() -> None:
    quiet = [threshold([0.1] * days, features=12, alarms_a_day=0.02) for days in (0, 3, 10, 100)]
    assert quiet == sorted(quiet, reverse=True)
    assert quiet[-1] < 0.5
    assert quiet[0] > 1
    restless = threshold(list(np.exp(RNG.normal(0, 0.5, 14))), features=12, alarms_a_day=0.02)
    assert restless > 1.5 * quiet[2]


def test_fewer_alarms_and_more_statistics_ask_for_more() -> None:
    own = list(np.exp(RNG.normal(-1, 0.5, 10)))
    assert threshold(own, features=12, alarms_a_day=0.2) < threshold(own, features=12, alarms_a_day=0.02)
    assert threshold(own, features=2, alarms_a_day=0.02) < threshold(own, features=40, alarms_a_day=0.02)


def test_a_camera_whose_weeks_are_known_is_watched_more_closely() -> None:
    own = list(np.exp(RNG.normal(-1, 0.5, 10)))
    young, older, known = (
        threshold(own, features=24, alarms_a_day=0.02, known_days=days) for days in (3.0, 10.0, 14.0)
    )
    assert young > older > known
    assert threshold(own, features=24, alarms_a_day=0.02, known_days=28.0) == known


def test_a_tiny_change_of_a_regular_camera_is_none() -> None:
    assert threshold([0.001] * 50, features=12, alarms_a_day=0.02) >= LEAST_SCORE


def run(*ratios: float | None) -> list[str]:
    state, tiers = TierState(), []
    for ratio in ratios:
        state = after(state, state_of(ratio), ratio=ratio)
        tiers.append(state.tier)
    return tiers


def test_one_unusual_window_is_watched_and_three_in_a_row_are_looked_into() -> None:
    assert run(0.5, 1.5, 0.5) == ["calm", "watch", "calm"]
    assert run(1.5, 1.5, 1.5) == ["watch", "watch", "investigate"]
    assert run(1.5, 1.5, 0.9, 1.5, 1.5, 0.9, 1.5, 1.5)[-2:] == ["watch", "investigate"]  # six of eight


def test_the_second_window_is_enough_where_it_is_far() -> None:
    assert run(1.1, DEFAULT_RULES.far) == ["watch", "investigate"]
    assert run(DEFAULT_RULES.far, 1.1) == ["watch", "watch"]
    assert run(0.5, 9.0) == ["calm", "watch"]  # one is never enough
    assert run(9.0, 0.5, 9.0) == ["watch", "calm", "watch"]
    assert after(TierState("watch", (True,)), "unusual").tier == "watch"  # nobody knows how far


def test_it_is_over_after_six_usual_windows_and_does_not_flicker() -> None:
    assert run(1.5, 1.5, 1.5, *[0.5] * 6)[3:] == ["investigate"] * 5 + ["calm"]
    assert set(run(1.5, 1.5, 1.5, *[0.5, 0.5, 0.9] * 6)[2:]) == {"investigate"}  # it hovers under the threshold
    assert run(1.5, 1.5, 1.5, *[0.5] * 6, 1.5)[-1] == "watch"


def test_when_a_tier_changes_is_a_matter_of_rules() -> None:
    patient = TierRules(consecutive=4, most=5, last=6, far=10, clear_below=0.5, clear_after=2)

    def tiers(*ratios: float) -> list[str]:
        state, found = TierState(), []
        for ratio in ratios:
            state = after(state, state_of(ratio, rules=patient), ratio=ratio, rules=patient)
            found.append(state.tier)
        return found

    assert tiers(3, 3, 3, 3) == ["watch"] * 3 + ["investigate"]
    assert tiers(3, 3, 11)[-1] == "investigate"
    assert tiers(3, 3, 0.9, 3, 3, 3)[-1] == "investigate"  # five of six
    assert tiers(3, 3, 3, 3, 0.6, 0.6)[-1] == "investigate"  # it hovers
    assert tiers(3, 3, 3, 3, 0.4, 0.4)[-1] == "calm"
    quick = TierRules(consecutive=1)
    assert after(TierState(), "unusual", ratio=9.0, rules=quick).tier == "investigate"


def test_windows_that_tell_nothing_neither_confirm_nor_clear() -> None:
    assert run(1.5, None, 1.5, None, 1.5)[-1] == "investigate"
    assert run(1.5, 1.5, 1.5, *[None] * 9)[-1] == "investigate"
    state = after(TierState(), state_of(5.0, is_faulty=True))
    assert state == TierState()


def test_episodes_are_counted() -> None:
    state = TierState()
    for ratio in [*[1.5] * 5, *[0.5] * 6, *[1.5] * 3]:
        state = after(state, state_of(ratio))
    assert state.episodes == 2


def test_what_cannot_wait_is_looked_into_after_one_window() -> None:
    assert after(TierState(), "unusual", at_once=True).tier == "investigate"
    assert after(TierState(), "usual", at_once=True).tier == "calm"
    assert after(TierState(), "insufficient", at_once=True) == TierState()


def test_a_reference_keeps_its_distribution_in_a_thousand_values() -> None:
    many = feature_reference(RNG.normal(100, 10, 50_000))
    assert many is not None
    assert len(many.values) == MOST_VALUES
    found = distance(many, RNG.normal(105, 10, 5000))
    assert found is not None
    assert found.score == pytest.approx(0.5, abs=0.05)
