"""Gates: what they let through and what not, against independent references and by drawing many tests."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from footfall.domain import Detections
from retrain.gates import (
    Bounds,
    CountedClip,
    Evidence,
    Gate,
    Stress,
    bootstrap_at_like_recall,
    design_effect,
    frames_needed,
    gate_counts,
    gate_export,
    gate_latency,
    gate_precision,
    gate_slices,
    gate_stress,
    gates_of_the_test,
    judge,
    paired_bootstrap,
    precision_at,
    verdict,
    wanted_precision,
    wilson_lower,
)
from retrain.predictions import (
    CHALLENGER,
    CHAMPION,
    Judged,
    Tally,
    clusters_of,
    ranked,
    read_predictions,
    tally,
    write_predictions,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
THRESHOLD = 0.3


def finds(truth: NDArray[np.float32], found: NDArray[np.bool_], false: int = 0) -> Detections:
    """Detections of some of the people, and of nobody `false` times, far to the right."""
    ghosts = np.array([[5000 + 100 * n, 0, 5030 + 100 * n, 80] for n in range(false)], np.float32).reshape(-1, 4)
    boxes = np.concatenate([truth[found], ghosts])
    return Detections(boxes, np.full(len(boxes), 0.9, np.float32), THRESHOLD)


def frames(
    rng: np.random.Generator,
    recalls: tuple[float, float],
    *,
    count: int = 120,
    cameras: int = 6,
    people: int = 4,
    new: bool = True,
    false_rate: float = 0.0,
) -> list[Judged]:
    """Frames of cameras over hours, on which two models find each person by chance, an hour's luck in common."""
    judged = []
    truth = np.array([[100 * n, 10, 100 * n + 40, 110] for n in range(people)], np.float32)
    luck: dict[str, float] = {}
    for number in range(count):
        camera, hour = f"c{number % cameras}", number // cameras // 4
        shift = luck.setdefault(f"{camera}/{hour}/{new}", float(rng.normal(0, 0.05)))
        found = {}
        for model, recall in zip((CHAMPION, CHALLENGER), recalls, strict=True):
            seen = rng.random(people) < np.clip(recall + shift, 0, 1)
            found[model] = finds(truth, seen, int(rng.random() < false_rate))
        at = NOON + timedelta(hours=hour, minutes=number % 60)
        judged.append(Judged(f"{new}{number}", camera, at, new, truth, found))
    return judged


def of(judged: list[Judged]) -> tuple[Tally, Tally]:
    return tally(judged, CHAMPION), tally(judged, CHALLENGER)


def test_finds_are_told_apart_from_misses_by_overlap_and_threshold() -> None:
    truth = np.array([[0, 0, 40, 100], [100, 0, 140, 100], [200, 0, 220, 40]], np.float32)
    boxes = np.array([[2, 0, 42, 100], [3, 0, 43, 100], [100, 0, 140, 100], [204, 0, 224, 40]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.8, 0.2, 0.4], np.float32), THRESHOLD)
    judged = [Judged("a", "gate", NOON, True, truth, {CHAMPION: found})]
    whole = tally(judged, CHAMPION)
    assert (whole.right.tolist(), whole.wrong.tolist(), whole.missed.tolist()) == ([2], [1], [1])
    assert (whole.precision, whole.recall, whole.f1) == (2 / 3, 2 / 3, 2 / 3)
    far = tally(judged, CHAMPION, heights_px=(0, 48))
    assert (far.right.tolist(), far.wrong.tolist(), far.missed.tolist()) == ([1], [0], [0])


def test_an_empty_frame_without_finds_has_no_f1() -> None:
    nobody = np.empty((0, 4), np.float32)
    judged = [Judged("a", "gate", NOON, True, nobody, {CHAMPION: finds(nobody, np.empty(0, bool))})]
    assert tally(judged, CHAMPION).f1 is None
    assert tally(judged, CHAMPION).precision is None


def test_equal_models_are_hardly_ever_taken_for_better_and_better_ones_mostly_are() -> None:
    rng = np.random.default_rng(5)

    def passes(recalls: tuple[float, float]) -> int:
        passed = 0
        for _ in range(80):
            judged = frames(rng, recalls)
            passed += bool(gates_of_the_test(judged, *of(judged), Bounds())[1].passed)
        return passed

    assert passes((0.8, 0.8)) <= 10  # 5 % of 80 are 4; more than 10 have a chance of 0.2 %
    assert passes((0.7, 0.85)) >= 76


def test_the_bootstrap_is_as_wide_as_the_spread_of_tests_drawn_anew() -> None:
    rng = np.random.default_rng(6)
    differences, widths = [], []
    for _ in range(80):
        judged = frames(rng, (0.7, 0.8))
        champion, challenger = of(judged)
        assert champion.f1 is not None
        assert challenger.f1 is not None
        differences.append(challenger.f1 - champion.f1)
        clusters, what = clusters_of(judged)
        assert what == "camera-hours"
        widths.append(paired_bootstrap(champion, challenger, clusters, resamples=500).std())
    assert np.mean(widths) == pytest.approx(np.std(differences), rel=0.25)


def test_few_camera_hours_are_cut_into_shorter_stretches() -> None:
    rng = np.random.default_rng(7)
    judged = frames(rng, (0.8, 0.8), count=40, cameras=2)[:8]
    _, what = clusters_of(judged)
    assert what == "minutes of a camera"


@pytest.mark.parametrize(
    ("recalls", "old_passes"),
    [
        pytest.param((0.8, 0.8), False, id="as good, but a small test cannot tell by half a point"),
        pytest.param((0.6, 0.9), True, id="better"),
        pytest.param((0.9, 0.7), False, id="forgotten"),
    ],
)
def test_old_frames_must_not_be_forgotten(recalls: tuple[float, float], old_passes: bool) -> None:  # noqa: FBT001
    judged = frames(np.random.default_rng(8), recalls, new=False)
    old, new = gates_of_the_test(judged, *of(judged), Bounds())
    assert old.passed is old_passes
    assert new.passed is None
    assert new.detail == "no such frame with people in the test"


def test_the_same_predictions_lose_nothing_and_win_nothing() -> None:
    judged = frames(np.random.default_rng(9), (0.8, 0.8))
    judged += [replace(each, frame_id="o" + each.frame_id, is_new=False) for each in judged]
    judged = [replace(each, found=dict.fromkeys((CHAMPION, CHALLENGER), each.found[CHAMPION])) for each in judged]
    old, new = gates_of_the_test(judged, *of(judged), Bounds())
    assert (old.passed, old.value) == (True, 0.0)
    assert (new.passed, new.value) == (False, 0.0)


def test_what_only_lacks_evidence_says_how_many_frames_would_do_and_what_is_lost_does_not() -> None:
    judged = frames(np.random.default_rng(8), (0.8, 0.81), count=200, new=False)
    few, _ = gates_of_the_test(judged[:40], *of(judged[:40]), Bounds())
    assert few.passed is False
    told = re.search(r"only evidence is wanting: 40 frames of the test cannot prove it, about (\d+) could$", few.detail)
    assert told is not None
    assert few.value is not None
    champion, challenger = (each.f1 for each in of(judged[:40]))
    assert champion is not None
    assert challenger is not None
    difference = challenger - champion
    assert int(told[1]) == frames_needed(40, difference, few.value, -0.005)
    # So many like these, and the interval just reaches the bound.
    times = int(told[1]) / 40
    assert difference - (difference - few.value) / math.sqrt(times) == pytest.approx(-0.005, abs=2e-4)
    worse = frames(np.random.default_rng(8), (0.9, 0.7), new=False)
    assert "evidence" not in gates_of_the_test(worse, *of(worse), Bounds())[0].detail


@pytest.mark.parametrize(
    ("difference", "lower", "needed"),
    [
        pytest.param(0.016, -0.009, 40, id="better, as measured on film"),
        pytest.param(0.0, -0.01, 112, id="as good"),
        pytest.param(-0.0049, -0.05, None, id="at the edge: no test is large enough"),
        pytest.param(-0.02, -0.05, None, id="worse"),
    ],
)
def test_how_many_frames_a_test_needs(difference: float, lower: float, needed: int | None) -> None:
    assert frames_needed(28, difference, lower, -0.005) == needed


def test_wilsons_bound_is_scipys() -> None:
    for right, n in ((95, 100), (3, 7), (300, 300), (0, 12)):
        two_sided = binomtest(right, n).proportion_ci(0.9, "wilson")
        assert wilson_lower(right / n, n) == pytest.approx(two_sided.low, abs=1e-12)


def test_finds_that_come_in_clusters_count_less() -> None:
    rng = np.random.default_rng(10)
    right = rng.random(400) < 0.9
    each_alone = Tally(right.astype(int), (~right).astype(int), np.zeros(400, int))
    alone = design_effect(each_alone, np.arange(400))
    assert alone == pytest.approx(1.0, abs=0.1)
    tenfold = Tally(each_alone.right.repeat(10), each_alone.wrong.repeat(10), each_alone.missed.repeat(10))
    assert design_effect(tenfold, np.arange(400).repeat(10)) == pytest.approx(10 * alone, rel=0.05)


def test_a_camera_that_gets_much_worse_is_named_and_chance_is_not() -> None:
    rng = np.random.default_rng(11)
    chance = [frames(rng, (0.85, 0.85), count=240) for _ in range(12)]
    assert sum(gate_slices(judged, *of(judged), Bounds()).passed is False for judged in chance) <= 3
    judged = chance[0]
    spoiled = [
        replace(each, found={**each.found, CHALLENGER: finds(each.truth, np.array([True, False, False, False]))})
        if each.camera_id == "c2"
        else each
        for each in judged
    ]
    gate = gate_slices(spoiled, *of(spoiled), Bounds())
    assert gate.passed is False
    assert "worse: camera c2 -0." in gate.detail


def test_precision_of_a_champion_below_target_is_the_bar() -> None:
    rng = np.random.default_rng(12)
    low = frames(rng, (0.8, 0.8), count=240, false_rate=0.9)  # precision about 0.78
    same = judge(Evidence(low), Bounds())
    assert gate(same, "G2").passed is True
    high = frames(rng, (0.8, 0.8), count=240)
    worse = [replace(each, found={**each.found, CHALLENGER: finds(each.truth, np.ones(4, bool), 1)}) for each in high]
    spoiled = gate(judge(Evidence(worse), Bounds()), "G2")
    assert spoiled.passed is False
    assert "precision 1.000 -> 0.800" in spoiled.detail
    assert "bound 0.950 - 0.05" in spoiled.detail


def test_a_camera_that_is_hard_for_both_says_nothing_against_the_challenger_and_lost_precision_does() -> None:
    """Three cameras of twenty frames each, one hour: on one of them every second find of both is wrong."""
    truth = np.array([[100 * n, 10, 100 * n + 40, 110] for n in range(4)], np.float32)

    def judged(false: int) -> list[Judged]:
        found = {CHAMPION: [0, 1, 4], CHALLENGER: [false, 1 + false, 4 + false]}
        return [
            Judged(
                f"{camera}{number}",
                f"c{camera}",
                NOON + timedelta(hours=number),
                True,
                truth,
                {model: finds(truth, np.ones(4, bool), wrong[camera]) for model, wrong in found.items()},
            )
            for camera in range(3)
            for number in range(3)
        ]

    assert gate(judge(Evidence(judged(0)), Bounds()), "G2").passed is True  # by Wilson alone it would be refused
    lost = gate(judge(Evidence(judged(1)), Bounds()), "G2")
    assert (lost.passed, lost.bound) == (False, -0.05)
    assert "precision 0.706 -> 0.600, 95 % sure of -0.1" in lost.detail


def blind(
    recall: float,
    false: float,
    *,
    scores: tuple[float, float] = (0.3, 0.55),
    was: tuple[float, float] = (0.16, 0.0),
    old: tuple[float, float] = (0.9, 0.2),
    seed: int = 16,
) -> list[Judged]:
    """Old and new frames in equal parts, six people on each, twenty camera-hours.

    Args:
        recall, false: of the challenger: share of the people that it finds, and false finds of a frame; on all frames.
        scores: between which false finds of the challenger are sure; right ones are from 0.35 to 0.95.
        was: recall and false finds of a frame of the champion on new frames; `old`: on old ones.
    """
    rng = np.random.default_rng(seed)
    truth = np.array([[100 * n, 10, 100 * n + 40, 110] for n in range(6)], np.float32)

    def found(share: float, ghosts: float, sure: tuple[float, float]) -> Detections:
        plain = finds(truth, rng.random(6) < share, int(rng.poisson(ghosts)))
        right = int((plain.boxes_px[:, 0] < 5000).sum())
        drawn = [rng.uniform(0.35, 0.95, right), rng.uniform(*sure, len(plain.scores) - right)]
        marks = np.concatenate(drawn).astype(np.float32)
        order = np.argsort(-marks)
        return Detections(plain.boxes_px[order], marks[order], THRESHOLD)

    judged = []
    for number in range(160):
        is_new = bool(number % 2)
        at = NOON + timedelta(hours=number // 8, minutes=number % 8)
        models = {
            CHAMPION: found(*(was if is_new else old), (0.3, 0.55)),
            CHALLENGER: found(recall, false, scores),
        }
        judged.append(Judged(f"f{number}", "c0", at, is_new, truth, models))
    return judged


@pytest.mark.parametrize(
    ("judged", "passed", "why"),
    [
        pytest.param(blind(0.9, 0.65), True, "cut at its recall", id="the blind one is right because it is blind"),
        pytest.param(blind(0.9, 0.65, scores=(0.6, 0.95)), False, "cut at its recall", id="surest where it is wrong"),
        pytest.param(blind(0.9, 3.0), False, "spared for each person", id="false finds for the people it finds"),
        pytest.param(blind(0.1, 5.0), False, "false and missed together", id="learned heads for people"),
        pytest.param(blind(0.6, 0.6), False, "cut at its recall", id="hardly more people, and less precise"),
        pytest.param(blind(0.9, 0.1, old=(0.9, 0.5)), True, "by Wilson", id="reaches the target by itself"),
        pytest.param(
            blind(0.9, 0.65, old=(0.9, 0.0)), True, "19 % of the people on new", id="meets the target blindly"
        ),
        pytest.param(blind(0.9, 0.65, was=(0.6, 0.0), old=(0.9, 0.1)), False, "by Wilson", id="a useful one binds"),
        pytest.param(blind(0.9, 0.65, was=(0, 0), old=(0, 0)), True, "finds nobody", id="who finds nobody binds none"),
        pytest.param(blind(0.5, 3.5, was=(0, 0), old=(0, 0)), False, "finds nobody", id="and yet not at any price"),
        pytest.param(
            blind(0.5, 4.5, was=(0.1, 1.2), old=(0.1, 1.2)),
            False,
            "false and missed together",
            id="as imprecise, louder",
        ),
    ],
)
def test_people_found_anew_may_cost_precision_and_false_ones_may_not_be_bought(
    judged: list[Judged],
    passed: bool,  # noqa: FBT001
    why: str,
) -> None:
    said = gate_precision(judged, *of(judged), Bounds())
    assert (said.passed, why in said.detail) == (passed, True), said.detail


def test_a_champion_that_finds_hardly_anybody_is_not_taken_for_precise() -> None:
    """Film in the dark, severity 5: F1 0.278 -> 0.880 on new frames at a precision of 0.924 -> 0.898 over all."""
    judged = blind(0.9, 0.61, old=(0.9, 0.55), seed=3)
    new = [each for each in judged if each.is_new]
    champion, challenger = of(new)
    assert champion.f1 == pytest.approx(0.278, abs=0.03)
    assert challenger.f1 == pytest.approx(0.89, abs=0.02)
    champion, challenger = of(judged)
    assert champion.precision == pytest.approx(0.924, abs=0.01)
    assert challenger.precision == pytest.approx(0.898, abs=0.01)
    clusters, _ = clusters_of(judged)
    assert np.quantile(paired_bootstrap(champion, challenger, clusters, of="precision"), 0.05) < -0.05
    gates = judge(Evidence(judged), Bounds())
    assert (gate(gates, "G1 new").passed, gate(gates, "G2").passed) == (True, True)


def test_cut_higher_the_surer_finds_are_as_right_as_before() -> None:
    judged = blind(0.9, 1.0, scores=(0.3, 0.9))
    finds = ranked(judged, CHALLENGER)
    assert (np.diff(finds.scores) <= 0).all()
    for cut in (THRESHOLD, 0.45, 0.7):
        found = [replace(each.found[CHALLENGER], threshold=cut) for each in judged]
        higher = [replace(each, found={CHALLENGER: mine}) for each, mine in zip(judged, found, strict=True)]
        sure = finds.scores >= cut
        whole = tally(higher, CHALLENGER)
        assert np.array_equal(np.bincount(finds.frames[sure & finds.right], minlength=160), whole.right)
        assert np.array_equal(np.bincount(finds.frames[sure & ~finds.right], minlength=160), whole.wrong)
    people = int(finds.right[finds.scores >= 0.7].sum())
    assert precision_at(finds, people) == (
        pytest.approx(finds.scores[finds.right][people - 1]),
        pytest.approx(finds.right[finds.scores >= finds.scores[finds.right][people - 1]].mean()),
    )
    assert precision_at(finds, 0) is None
    assert precision_at(finds, 10_000) is None


def test_the_bootstrap_at_like_recall_is_as_wide_as_the_spread_of_tests_drawn_anew() -> None:
    differences, widths, middles = [], [], []
    for seed in range(80):
        judged = blind(0.9, 1.0, scores=(0.3, 0.95), seed=100 + seed)
        champion, finds = tally(judged, CHAMPION), ranked(judged, CHALLENGER)
        cut = precision_at(finds, int(champion.right.sum()))
        assert cut is not None
        assert champion.precision is not None
        differences.append(cut[1] - champion.precision)
        drawn = bootstrap_at_like_recall(champion, finds, clusters_of(judged)[0], resamples=500)
        widths.append(drawn.std())
        middles.append(drawn.mean())
    assert np.mean(widths) == pytest.approx(np.std(differences), rel=0.25)
    assert np.mean(middles) == pytest.approx(np.mean(differences), abs=0.005)


def test_a_challenger_at_the_edge_passes_seldom() -> None:
    """The people it finds anew cost as many false finds: no error is spared, and precision falls by twelve points."""
    passed = [
        gate_precision(judged, *of(judged), Bounds()).passed
        for judged in (blind(0.9, 2.32, old=(0.9, 0.1), scores=(0.3, 0.35), seed=seed) for seed in range(60))
    ]
    assert sum(bool(each) for each in passed) <= 9  # 10 % of 60 are 6; more than 9 have a chance of 7 % at most


@pytest.mark.parametrize(
    ("was", "old", "wanted"),
    [
        pytest.param((0.9, 0.0), (0.9, 0.0), 0.95, id="useful and precise: the target"),
        pytest.param((0.9, 1.35), (0.9, 1.35), 0.8, id="useful and under the target: its own precision"),
        pytest.param((0.1, 0.15), (0.1, 0.15), 0.0, id="finds hardly anybody: fewest errors"),
        pytest.param((0.1, 0.0), (0.9, 1.35), 0.0, id="finds hardly anybody on new frames: fewest errors"),
        pytest.param((0.0, 0.0), (0.0, 0.0), 0.0, id="finds nobody: fewest errors"),
    ],
)
def test_a_threshold_is_chosen_for_what_g2_will_ask_for(
    was: tuple[float, float], old: tuple[float, float], wanted: float
) -> None:
    judged = blind(0.9, 0.5, was=was, old=old)
    is_new = np.array([each.is_new for each in judged])
    assert wanted_precision(tally(judged, CHAMPION), is_new, Bounds()) == pytest.approx(wanted, abs=0.02)


def gate(gates: tuple[Gate, ...], name: str) -> Gate:
    return next(each for each in gates if each.name == name)


@pytest.mark.parametrize(
    ("gate", "passed", "value"),
    [
        pytest.param(gate_stress([Stress("fog", 3, 0.5, 0.49)], Bounds()), True, -0.01, id="a point under stress"),
        pytest.param(gate_stress([Stress("fog", 3, 0.5, 0.48)], Bounds()), False, -0.02, id="two points under stress"),
        pytest.param(gate_stress([], Bounds()), None, None, id="no stress"),
        pytest.param(gate_latency([10, 10, 10], [11, 11, 11], Bounds()), True, 1.1, id="a tenth slower"),
        pytest.param(gate_latency([10, 10, 10], [11.2, 11.2, 11.2], Bounds()), False, 1.12, id="slower than that"),
        pytest.param(gate_latency([10] * 9, [9] * 9, Bounds(most_ms=8)), False, 0.9, id="quicker, but over the budget"),
        pytest.param(gate_latency([], [], Bounds()), None, None, id="no time"),
        pytest.param(gate_export((0.90, 0.89), Bounds()), True, -0.01, id="8 bits lose a point"),
        pytest.param(gate_export((0.90, 0.885), Bounds()), False, -0.015, id="8 bits lose more"),
        pytest.param(gate_export(None, Bounds()), None, None, id="floats"),
        pytest.param(gate_export((0.90, 0.885), Bounds(), fell_back=True), None, -0.015, id="8 bits lost more, left"),
        pytest.param(
            gate_counts([CountedClip("a", "door", (3, 2), (3, 1), (2, 2))]), True, 0.0, id="another one missed"
        ),
        pytest.param(gate_counts([CountedClip("a", "door", (3, 2), (3, 2), (3, 3))]), False, 1.0, id="one too many"),
        pytest.param(gate_counts([]), None, None, id="no clip"),
    ],
)
def test_bounds_of_the_other_gates(gate: Gate, passed: bool | None, value: float | None) -> None:  # noqa: FBT001
    assert gate.passed is passed
    assert gate.value == (None if value is None else pytest.approx(value))


def test_what_was_not_measured_promotes_nothing() -> None:
    old_only = frames(np.random.default_rng(13), (0.5, 0.9), new=False)
    assert not verdict(judge(Evidence(old_only), Bounds()))
    both = [*old_only, *frames(np.random.default_rng(14), (0.5, 0.9))]
    assert verdict(judge(Evidence(both), Bounds()))
    assert not verdict(judge(Evidence(both, stress=[Stress("dark", 5, 0.4, 0.1)]), Bounds()))


def test_saved_predictions_are_judged_alike(tmp_path: Path) -> None:
    judged = frames(np.random.default_rng(15), (0.7, 0.8), count=30, false_rate=0.5)
    write_predictions(tmp_path / "predictions.jsonl", judged)
    again = read_predictions(tmp_path / "predictions.jsonl")
    assert judge(Evidence(again), Bounds()) == judge(Evidence(judged), Bounds())
