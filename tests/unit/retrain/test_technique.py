"""The technique: one rule, told with its numbers; how alike pictures are is measured on times held out."""

from __future__ import annotations

import numpy as np
import pytest

from footfall.errors import SettingsError
from retrain.technique import Situation, choose, domain_auc


def situation(new: int = 400, auc: float | None = 0.6, taught: int = 0) -> Situation:
    return Situation(new, 300, taught, auc, has_teacher=taught > 0)


@pytest.mark.parametrize(
    ("given", "technique", "alternative"),
    [
        pytest.param(situation(), "frozen", "full", id="few, alike"),
        pytest.param(situation(auc=0.95), "full", "frozen", id="few, different, nobody to teach"),
        pytest.param(situation(auc=0.95, taught=2000), "distil", "full", id="few, different, a teacher"),
        pytest.param(situation(new=5000), "full", "frozen", id="many, alike"),
        pytest.param(situation(new=5000, auc=0.99, taught=9000), "full", "distil", id="many, different"),
        pytest.param(situation(auc=None), "frozen", "full", id="few, nothing to compare with"),
    ],
)
def test_the_rule(given: Situation, technique: str, alternative: str) -> None:
    chosen = choose(given)
    assert (chosen.technique, chosen.alternative, chosen.is_forced) == (technique, alternative, False)
    assert chosen.replay_share >= 0.5
    assert (chosen.frozen_share > 0) == (technique == "frozen")


def test_the_numbers_are_told_and_somebody_may_choose_otherwise() -> None:
    assert choose(situation()).why == (
        "400 new frames (few, bound 1000), AUC 0.60 (alike, bound 0.8), 0 frames by a teacher: frozen"
    )
    forced = choose(situation(), forced="full", steps=7)
    assert (forced.technique, forced.alternative, forced.steps, forced.is_forced) == ("full", "frozen", 7, True)
    assert forced.why.endswith("the rule says frozen, somebody wants full")
    with pytest.raises(SettingsError, match="there is no frame that a teacher labelled"):
        choose(situation(), forced="distil")


def test_few_frames_are_learned_in_small_batches_and_many_at_a_low_rate() -> None:
    few, many = choose(situation(auc=0.95)), choose(situation(new=5000))
    assert (few.batch, few.steps) == (8, 12 * 400 / 0.5 / 8)
    assert (many.batch, many.steps) == (16, 12 * 5000 / 0.5 / 16)
    assert few.learning_rate > many.learning_rate


def test_new_pictures_are_told_from_old_ones_only_if_they_differ() -> None:
    rng = np.random.default_rng(1)
    groups = [f"g{n // 10}" for n in range(100)]
    old, new = rng.normal(size=(100, 6)), rng.normal(size=(100, 6))
    assert domain_auc(old, new, groups, groups) == pytest.approx(0.5, abs=0.12)
    assert (domain_auc(old, new + 3, groups, groups) or 0) > 0.98
    assert domain_auc(old, new, ["one"] * 100, groups) is None
    assert domain_auc(old[:0], new, [], groups) is None


def test_pictures_of_a_time_that_only_that_time_has_are_not_taken_for_a_difference() -> None:
    """Every group has looks of its own; knowing its neighbours must not help, as it would if rows were drawn singly."""
    rng = np.random.default_rng(2)
    areas = []
    for _ in range(20):
        old, new = (rng.normal(size=(10, 8)).repeat(20, axis=0) + rng.normal(0, 0.1, (200, 8)) for _ in range(2))
        groups = [f"g{n // 20}" for n in range(200)]
        area = domain_auc(old, new, groups, groups)
        assert area is not None
        areas.append(area)
    assert np.mean(areas) == pytest.approx(0.5, abs=0.1)


def test_a_feature_that_never_changes_is_no_trouble() -> None:
    rng = np.random.default_rng(3)
    old, new = rng.normal(size=(60, 3)), rng.normal(2, 1, size=(60, 3))
    old[:, 1] = new[:, 1] = 5.0
    groups = [f"g{n // 6}" for n in range(60)]
    assert (domain_auc(old, new, groups, groups) or 0) > 0.9
