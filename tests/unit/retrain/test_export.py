"""The confidence that is deployed is chosen by F1 among those that are precise enough."""

from __future__ import annotations

import numpy as np
import pytest

from footfall.domain import Detections
from retrain.export import best_threshold

PERSON = [10.0, 10.0, 40.0, 90.0]
NOBODY = [200.0, 10.0, 230.0, 90.0]
TRUTH = [np.array([PERSON], np.float32)] * 4


def finds(score: float, wrong: float | None = None) -> Detections:
    rows = [(PERSON, score)] + ([] if wrong is None else [(NOBODY, wrong)])
    rows.sort(key=lambda row: -row[1])
    return Detections(
        np.array([box for box, _ in rows], np.float32), np.array([score for _, score in rows], np.float32), 0.25
    )


FOUND = [finds(0.605), finds(0.605), finds(0.305, wrong=0.305), finds(0.305, wrong=0.305)]
"""Down to 0.30 all four and two wrong ones (F1 0.8); from 0.31 on two of four, and nothing wrong (F1 0.667)."""


@pytest.mark.parametrize(
    ("least", "threshold", "f1"),
    [
        pytest.param(0.0, 0.15, 0.8, id="by F1 alone"),
        pytest.param(0.66, 0.15, 0.8, id="precise enough"),
        pytest.param(0.9, 0.15, 0.8, id="not at the price of 13 points"),
    ],
)
def test_of_the_precise_ones_the_best_f1_is_taken(least: float, threshold: float, f1: float) -> None:
    assert best_threshold(TRUTH, FOUND, least_precision=least) == (threshold, pytest.approx(f1))


def test_a_little_f1_is_given_for_the_precision_that_is_asked_for() -> None:
    """At 0.15 all twenty and a wrong one (F1 0.976, precision 0.952), from 0.31 on nineteen (F1 0.974)."""
    truth, found = [TRUTH[0]] * 20, [finds(0.605)] * 19 + [finds(0.305, wrong=0.305)]
    assert best_threshold(truth, found, least_precision=0.95) == (0.15, pytest.approx(40 / 41))
    assert best_threshold(truth, found, least_precision=0.96) == (0.31, pytest.approx(38 / 39))


def test_where_nothing_is_precise_enough_the_best_f1_is_taken() -> None:
    wrong = [finds(0.5, wrong=0.6)] * 4
    threshold, f1 = best_threshold(TRUTH, wrong, least_precision=0.9)
    assert (threshold, f1) == (0.15, pytest.approx(2 / 3))
    assert best_threshold(TRUTH, [Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.25)] * 4) == (
        0.25,
        0.0,
    )
