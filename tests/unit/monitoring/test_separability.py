"""Two sets of vectors are told apart where they differ, also where no single number of them does."""

from __future__ import annotations

import numpy as np
import pytest

from monitoring.separability import LEAST_VECTORS, separability

RNG = np.random.Generator(np.random.PCG64(8))


def test_the_same_cannot_be_told_apart_and_what_is_far_can() -> None:
    same = separability(RNG.normal(0, 1, (1000, 12)), RNG.normal(0, 1, (360, 12)))
    far = separability(RNG.normal(0, 1, (1000, 12)), RNG.normal(3, 1, (360, 12)))
    assert same is not None
    assert far is not None
    assert (same.auc < 0.58, same.distance < 0.3) == (True, True)
    assert (far.auc > 0.999, far.distance > 5) == (True, True)


def test_it_sees_what_no_single_number_shows() -> None:
    """Two numbers that went together and now do not: each has the same mean and spread."""
    both = RNG.normal(0, 1, (1000, 1))
    usual = np.hstack([both, both + RNG.normal(0, 0.1, (1000, 1)), RNG.normal(0, 1, (1000, 1))])
    other = RNG.normal(0, 1, (360, 1)) + 0.8
    now = np.hstack([other, other - 0.5 + RNG.normal(0, 0.1, (360, 1)), RNG.normal(0, 1, (360, 1))])
    found = separability(usual, now)
    alone = separability(usual[:, 1:], now[:, 1:])
    assert found is not None
    assert alone is not None
    assert found.distance > 2 * alone.distance


@pytest.mark.parametrize(
    ("usual", "now"),
    [
        (np.zeros((0, 0)), np.zeros((0, 0))),
        (np.zeros((500, 12)), np.zeros((LEAST_VECTORS - 1, 12))),
        (np.zeros((500, 12)), np.zeros((500, 9))),
    ],
)
def test_too_few_or_unlike_vectors_tell_nothing(usual: np.ndarray, now: np.ndarray) -> None:
    assert separability(usual, now) is None


def test_what_never_changes_cannot_be_told_apart_and_breaks_nothing() -> None:
    found = separability(np.full((500, 12), 7.0), np.full((100, 12), 7.0))
    assert found is not None
    assert found.auc == 0.5
