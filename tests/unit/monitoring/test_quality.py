"""The figures about quality: right where truth is known, absent where too little is; intervals keep their word."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import pytest

from footfall.agreement import cohens_kappa
from monitoring.quality import (
    AuditedClip,
    AuditedFrame,
    Estimate,
    ReviewedTrack,
    assisted_precision,
    audited_count_accuracy,
    audited_recall,
    balance_error,
    calibrate,
    reviewed_precision,
    wilson,
)


@pytest.mark.parametrize(
    ("n", "lower", "upper"), [(100, 0.888, 0.978), (200, 0.910, 0.973), (500, 0.927, 0.966), (1000, 0.935, 0.962)]
)
def test_wilson_agrees_with_published_figures(n: int, lower: float, upper: float) -> None:
    assert [round(bound, 3) for bound in wilson(0.95, n)] == [lower, upper]


Parts = dict[tuple[str, str], tuple[int, int, int]]


def precision_of(parts: Parts, **options: Any) -> Estimate | None:
    """Of (pool, stratum) → population, decided, right."""
    tracks = [
        ReviewedTrack(number < right, stratum, pool, population / decided)
        for (pool, stratum), (population, decided, right) in parts.items()
        for number in range(decided)
    ]
    return reviewed_precision(tracks, {key: each[0] for key, each in parts.items()}, **options)


def test_a_stratum_stands_for_its_population_not_for_its_sample() -> None:
    estimate = precision_of({("gate", "4"): (900, 50, 50), ("gate", "2"): (100, 50, 25)})
    assert estimate is not None
    assert estimate.value == pytest.approx(0.95)
    assert estimate.n == 100


def test_a_track_of_a_busy_hour_stands_for_more_and_costs_certainty() -> None:
    busy = [ReviewedTrack(right=True, weight=9.0)] * 50
    quiet = [ReviewedTrack(right=False, weight=1.0)] * 50
    estimate = reviewed_precision(busy + quiet, {("", ""): 10_000})
    assert estimate is not None
    assert estimate.value == pytest.approx(0.9)
    alike = reviewed_precision([ReviewedTrack(right=n < 90) for n in range(100)], {("", ""): 10_000})
    assert alike is not None
    kish = (9 + 1) ** 2 / (2 * (9**2 + 1))  # of 100 tracks so many are left
    assert estimate.n_effective == pytest.approx(kish * alike.n_effective, rel=0.1)


def test_with_too_few_verdicts_there_is_no_figure() -> None:
    assert precision_of({("gate", "4"): (1000, 29, 29)}) is None
    assert precision_of({}) is None
    assert precision_of({("gate", "4"): (1000, 30, 30)}) is not None


def test_no_error_seen_is_not_no_error() -> None:
    estimate = precision_of({("gate", "4"): (10_000, 100, 100)})
    assert estimate is not None
    assert estimate.value == 1.0
    assert 0.95 < estimate.lower < 0.98


def test_when_everybody_was_reviewed_nothing_is_left_to_doubt() -> None:
    estimate = precision_of({("gate", "4"): (60, 60, 57), ("gate", "3"): (40, 40, 36)})
    assert estimate is not None
    assert estimate.value == pytest.approx(0.93)
    assert estimate.upper - estimate.lower < 0.01


def test_strata_of_which_hardly_anybody_was_drawn_count_with_their_pool() -> None:
    thin = {("door", "1"): (50, 5, 0), ("door", "2"): (50, 5, 5), ("door", "3"): (100, 0, 0)}
    estimate = precision_of({("gate", "4"): (100, 40, 40), **thin})
    assert estimate is not None
    assert estimate.value == pytest.approx((100 * 1.0 + 200 * 0.5) / 300)
    # A camera with one decided track counts like the largest stratum there is.
    alone = precision_of({("gate", "4"): (100, 40, 40), ("door", "1"): (100, 1, 0)})
    assert alone is not None
    assert 0.5 < alone.value < 1.0


def test_a_track_from_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="pool 'gate', stratum '9': there is no population"):
        reviewed_precision([ReviewedTrack(right=True, stratum="9", pool="gate")], {("gate", "4"): 9})


BANDS = ((8, 3.0), (14, 1.2), (25, 0.4))
"""Tracks an hour in each band of confidence, and how much more often than usual they are wrong."""


def fleet(rng: np.random.Generator, error: float, drawn: int) -> tuple[list[ReviewedTrack], dict[Any, int], float]:
    """Eight cameras, twelve hours, three bands; errors cluster by camera and hour, and busy hours are worse.

    Every camera-hour gives the same number of tracks, however many there were: chances differ by hour, as in service.

    Returns:
        Sample, populations and truth.
    """
    hours, slots = 12, drawn / (8 * 12)
    tracks, populations, right = [], dict[Any, int](), 0
    for camera in range(8):
        worse_camera = rng.gamma(1.0, 1.0)
        start = rng.random()
        for hour in range(hours):
            busy = rng.gamma(2.0, 0.5)
            worse_hour = rng.gamma(2.0, 0.5) * (0.7 + 0.3 * busy)
            candidates = []
            for band, (usual, worse_band) in enumerate(BANDS):
                size = int(rng.poisson(usual * busy))
                wrong = rng.random(size) < min(0.9, error * worse_camera * worse_hour * worse_band)
                candidates += [(str(band), not each) for each in wrong]
                key = f"camera {camera}", str(band)
                populations[key] = populations.get(key, 0) + size
                right += size - int(wrong.sum())
            take = min(len(candidates), int(slots * (hour + 1) + start) - int(slots * hour + start))
            whole, part = int(slots), slots - int(slots)
            for index in rng.choice(len(candidates), take, replace=False) if take else ():
                band_name, is_right = candidates[index]
                odds = (1 - part) * min(1, whole / len(candidates)) + part * min(1, (whole + 1) / len(candidates))
                tracks.append(ReviewedTrack(is_right, band_name, f"camera {camera}", 1 / odds))
    return tracks, populations, right / sum(populations.values())


@pytest.mark.parametrize("drawn", [100, 300])
@pytest.mark.parametrize("error", [0.02, 0.05, 0.10])
def test_intervals_of_reviewed_precision_keep_their_word_over_2000_fleets(error: float, drawn: int) -> None:
    rng = np.random.Generator(np.random.PCG64(17))
    hits, differences, widths = 0, [], []
    for _ in range(2000):
        tracks, populations, truth = fleet(rng, error, drawn)
        estimate = reviewed_precision(tracks, populations)
        assert estimate is not None
        hits += estimate.lower <= truth <= estimate.upper
        differences.append(estimate.value - truth)
        widths.append(estimate.upper - estimate.lower)
    assert 0.93 <= hits / 2000 <= 0.97
    assert abs(np.mean(differences)) < 0.05 * np.mean(widths)


def test_recall_takes_in_frames_where_nobody_was_seen() -> None:
    frames = [AuditedFrame(2, 2, 1.0, f"hour {n}") for n in range(10)]
    missed = [AuditedFrame(2, 0, 1.0, f"hour {n}") for n in range(10)]
    both = audited_recall(frames + missed)
    assert both is not None
    assert both.value == 0.5
    assert audited_recall(frames) is None  # 20 people are too few


def test_recall_weighs_frames_by_what_they_stand_for() -> None:
    frames = [AuditedFrame(10, 10, 9.0, f"busy {n}") for n in range(5)]
    frames += [AuditedFrame(10, 0, 1.0, f"quiet {n}") for n in range(5)]
    estimate = audited_recall(frames)
    assert estimate is not None
    assert estimate.value == pytest.approx(0.9)


def test_frames_that_are_wrong_together_widen_the_interval() -> None:
    alone = [AuditedFrame(5, 5 if n % 4 else 0, 1.0, str(n)) for n in range(80)]
    together = [AuditedFrame(5, 5 if (n // 10) % 4 else 0, 1.0, str(n // 10)) for n in range(80)]
    narrow, wide = audited_recall(alone), audited_recall(together)
    assert narrow is not None
    assert wide is not None
    assert narrow.value == wide.value == 0.75
    assert wide.upper - wide.lower > 2 * (narrow.upper - narrow.lower)


@pytest.mark.parametrize("hours", [10, 30, 80])
@pytest.mark.parametrize(("recall", "alike"), [(0.9, 0.09), (0.97, 0.03), (0.8, 0.17)])
def test_intervals_of_audited_recall_keep_their_word_over_2000_fleets(recall: float, alike: float, hours: int) -> None:
    """`alike`: share of the variance that is between camera-hours, as of a beta distribution."""
    rng = np.random.Generator(np.random.PCG64(3))
    strength = 1 / alike - 1
    hits, widths = 0, []
    for _ in range(2000):
        chances = rng.beta(recall * strength, (1 - recall) * strength, hours)
        frames = []
        for hour, chance in enumerate(chances):
            there = rng.poisson(4 * rng.gamma(4, 1 / 4), 3).tolist()
            frames += [AuditedFrame(people, int(rng.binomial(people, chance)), 1.0, str(hour)) for people in there]
        estimate = audited_recall(frames)
        assert estimate is not None
        hits += estimate.lower <= recall <= estimate.upper
        widths.append(estimate.upper - estimate.lower)
    tell("recall", recall, hours, hits / 2000, widths)
    assert 0.93 <= hits / 2000 <= (0.985 if hours < 30 else 0.97)


@pytest.mark.parametrize("count", [10, 30, 80])
@pytest.mark.parametrize(("missed", "invented"), [(0.03, 0.01), (0.1, 0.03)])
def test_intervals_of_audited_counts_keep_their_word_over_2000_lines(
    missed: float, invented: float, count: int
) -> None:
    rng = np.random.Generator(np.random.PCG64(5))

    def clips(number: int) -> list[AuditedClip]:
        busy = 6 * rng.gamma(3, 1 / 3, number)
        hard = rng.gamma(4, 1 / 4, number)  # clips differ in how hard they are
        found = []
        for people, factor in zip(busy, hard, strict=True):
            truth = rng.poisson(people, 2)
            seen = rng.binomial(truth, 1 - min(0.9, missed * factor)) + rng.poisson(invented * factor * people, 2)
            found.append(AuditedClip((int(truth[0]), int(truth[1])), (int(seen[0]), int(seen[1]))))
        return found

    many = clips(100_000)
    errors = sum(abs(a - b) for clip in many for a, b in zip(clip.truth, clip.counted, strict=True))
    accuracy = 1 - errors / sum(sum(clip.truth) for clip in many)
    hits, widths = 0, []
    for _ in range(2000):
        estimate = audited_count_accuracy(clips(count))
        assert estimate is not None
        hits += estimate.lower <= accuracy <= estimate.upper
        widths.append(estimate.upper - estimate.lower)
    tell("count accuracy", accuracy, count, hits / 2000, widths)
    # Errors of one clip cancel in part, so few clips are worth a little more than is claimed: never too narrow.
    assert 0.93 <= hits / 2000 <= (0.995 if count < 30 else 0.98)


@pytest.mark.parametrize("teacher", [0.9, 0.97])
def test_intervals_with_a_teachers_help_keep_their_word_over_2000_samples(teacher: float) -> None:
    rng = np.random.Generator(np.random.PCG64(7))
    hits, widths = 0, []
    for _ in range(2000):
        right = rng.random(1000) < 0.95
        opinion = np.where(rng.random(1000) < teacher, right, ~right).astype(float)
        weights = rng.choice([1.0, 2.0], 1000)
        estimate = assisted_precision(
            right[:200], opinion[:200], opinion[200:], weights=weights[:200], weights_on_all=weights[200:]
        )
        assert estimate is not None
        hits += estimate.lower <= 0.95 <= estimate.upper
        widths.append(estimate.upper - estimate.lower)
    tell("precision assisted", teacher, 200, hits / 2000, widths)
    assert 0.93 <= hits / 2000 <= 0.97


def test_without_an_error_the_interval_has_a_width() -> None:
    frames = [AuditedFrame(4, 4, 1.0, f"hour {n}") for n in range(10)]
    estimate = audited_recall(frames)
    assert estimate is not None
    assert (estimate.value, estimate.upper) == (1.0, 1.0)
    assert 0.8 < estimate.lower < 0.95
    clips = [AuditedClip((4, 4), (4, 4)) for _ in range(10)]
    counted = audited_count_accuracy(clips)
    assert counted is not None
    assert 0.85 < counted.lower < 0.95


def test_somebody_counted_where_nobody_was_is_an_error_too() -> None:
    clips = [AuditedClip((4, 4), (4, 4)) for _ in range(9)]
    estimate = audited_count_accuracy([*clips, AuditedClip((0, 0), (3, 0))])
    assert estimate is not None
    assert estimate.value == pytest.approx(1 - 3 / 72)


def tell(*figures: Any) -> None:
    """For docs/precision.md: seen with `-s`."""
    if os.environ.get("FOOTFALL_TEST_FIGURES"):
        *about, widths = figures
        sys.stderr.write(f"\n{about}, mean width {100 * float(np.mean(widths)):.1f} points\n")


def test_count_accuracy_lets_errors_cancel_within_a_clip_and_direction_only() -> None:
    right = [AuditedClip((5, 5), (5, 5))] * 3
    assert audited_count_accuracy(right) is None  # three clips are too few
    clips = [*right, AuditedClip((5, 5), (6, 4)), AuditedClip((5, 5), (4, 6))]
    estimate = audited_count_accuracy(clips)
    assert estimate is not None
    assert estimate.value == pytest.approx(1 - 4 / 50)
    assert estimate.lower < estimate.value < estimate.upper
    assert estimate.n == 50


def test_balance_error_needs_somebody() -> None:
    assert balance_error(0, 0) is None
    assert balance_error(50, 50) == 0.0


def test_calibration_learns_what_confidences_are_worth() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    scores = rng.random(4000)
    right = rng.random(4000) < scores**2
    calibration = calibrate(scores, right)
    assert calibration is not None
    asked = np.array([0.2, 0.5, 0.9])
    assert calibration.apply(asked) == pytest.approx(asked**2, abs=0.07)
    assert (np.diff(calibration.shares) >= -1e-12).all()
    assert calibrate(scores[:49], right[:49]) is None


def test_equal_confidences_have_one_worth() -> None:
    scores = np.repeat([0.3, 0.8], 50)
    right = np.array([True, False] * 25 + [True] * 50)
    calibration = calibrate(scores, right)
    assert calibration is not None
    assert calibration.apply(np.array([0.3, 0.8])) == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize(("agreement", "narrows"), [(0.97, True), (0.5, False)])
def test_a_teacher_helps_as_far_as_it_agrees(agreement: float, *, narrows: bool) -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    truth = rng.random(5000) < 0.9
    teacher = np.where(rng.random(5000) < agreement, truth, ~truth).astype(float)
    alone = precision_of({("gate", "4"): (5000, 300, int(truth[:300].sum()))})
    assisted = assisted_precision(truth[:300], teacher[:300], teacher[300:])
    assert alone is not None
    assert assisted is not None
    assert assisted.lower <= truth.mean() <= assisted.upper
    ratio = (assisted.upper - assisted.lower) / (alone.upper - alone.lower)
    assert ratio < 0.85 if narrows else ratio < 1.1


def test_kappa_of_known_cases() -> None:
    assert cohens_kappa([], []) is None
    assert cohens_kappa(["y"] * 5, ["y"] * 5) == 1.0
    # Cohen's own way of counting: agreed 0.7, by chance 0.5.
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohens_kappa(first, second) == pytest.approx(0.4)
