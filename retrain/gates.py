"""Decides whether a challenger may follow the champion: pure functions over saved predictions; asks no model.

Every gate either passes, fails, or cannot be measured and says what is missing. A challenger that fails one is
rejected, which is a success of the system.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from retrain.predictions import (
    CHALLENGER,
    CHAMPION,
    HEIGHT_BANDS_PX,
    clusters_of,
    height_name,
    ranked,
    slices_of,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from retrain.predictions import Judged, Ranked, Tally

RESAMPLES: Final = 2000
_SEED: Final = 20_260_101
_Z: Final = 1.6448536269514722  # one side, 95 %
_MOST_LEVELS: Final = 256
"""Of confidence, at which a model is cut; between two of them the counts are taken to grow evenly."""
_MANY_TIMES: Final = 100
"""A test that would have to be so many times as large says that nothing can be told."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a challenger is held against; shares, not points.

    Attributes:
        may_lose: F1 on old frames, at the lower end of the interval.
        precision_target, precision_margin: the lower bound of precision must not be below target - margin; where the
            champion is no measure of that, precision must not have fallen by more than the margin (`gate_precision`).
        useful_recall: a champion that finds fewer, on old frames or on new ones, is precise because it finds hardly
            anybody.
        slice_may_lose: F1 on any part of the test.
        stress_may_lose: mean F1 over degradations.
        slower: how many times the champion's CPU time is allowed.
        most_ms: CPU time of a picture that must not be exceeded; None for any.
        quantised_may_lose: F1 of the 8-bit artefact against the one with floats.
    """

    may_lose: float = 0.005
    precision_target: float = 0.95
    precision_margin: float = 0.05
    useful_recall: float = 0.5
    slice_may_lose: float = 0.02
    stress_may_lose: float = 0.01
    slower: float = 1.1
    most_ms: float | None = None
    quantised_may_lose: float = 0.01


@dataclass(frozen=True, slots=True)
class Gate:
    """What a gate says.

    Attributes:
        passed: None where it cannot be measured.
        value, bound: that were compared; None where there is nothing to compare.
        n: frames, finds or clips that it rests on.
        detail: one line for people.
    """

    name: str
    title: str
    passed: bool | None
    value: float | None
    bound: float | None
    n: int
    detail: str


@dataclass(frozen=True, slots=True)
class Stress:
    """F1 of both on frames that were made worse on purpose."""

    kind: str
    severity: int
    champion: float
    challenger: float


@dataclass(frozen=True, slots=True)
class CountedClip:
    """People who crossed a line in a clip: what somebody counted, and what each model makes of it."""

    clip_id: str
    line: str
    truth: tuple[int, int]
    champion: tuple[int, int]
    challenger: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the gates look at.

    Attributes:
        champion_ms, challenger_ms: CPU time of each picture, asked in turns in one run; of the same length.
        quantised: F1 of floats and of 8 bits on the same frames, each at its own threshold; None where 8 bits were
            not chosen.
        fell_back: 8 bits lost too much of it: all else here is of the artefact with floats.
    """

    judged: Sequence[Judged]
    stress: Sequence[Stress] = ()
    clips: Sequence[CountedClip] = ()
    champion_ms: Sequence[float] = ()
    challenger_ms: Sequence[float] = ()
    quantised: tuple[float, float] | None = None
    fell_back: bool = False


def judge(evidence: Evidence, bounds: Bounds) -> tuple[Gate, ...]:
    """Return what all gates say, G1 first."""
    champion, challenger = tally(evidence.judged, CHAMPION), tally(evidence.judged, CHALLENGER)
    return (
        *gates_of_the_test(evidence.judged, champion, challenger, bounds),
        gate_precision(evidence.judged, champion, challenger, bounds),
        gate_slices(evidence.judged, champion, challenger, bounds),
        gate_stress(evidence.stress, bounds),
        gate_latency(evidence.champion_ms, evidence.challenger_ms, bounds),
        gate_export(evidence.quantised, bounds, fell_back=evidence.fell_back),
        gate_counts(evidence.clips),
    )


def verdict(gates: Sequence[Gate]) -> bool:
    """Whether the challenger may be promoted: no gate fails, and the new frames were measured."""
    return all(each.passed is not False for each in gates) and any(
        each.name == "G1 new" and each.passed for each in gates
    )


def gates_as_json(gates: Sequence[Gate], bounds: Bounds) -> dict[str, Any]:
    """Return the gate report."""
    return {"promote": verdict(gates), "bounds": asdict(bounds), "gates": [asdict(each) for each in gates]}


# G1


def gates_of_the_test(
    judged: Sequence[Judged], champion: Tally, challenger: Tally, bounds: Bounds
) -> tuple[Gate, Gate]:
    """Nothing that was known is lost on old frames, and something is won on new ones; both by their intervals.

    One that fails for want of evidence alone says so, and how many frames like these would be enough.
    """
    is_new = np.array([each.is_new for each in judged], bool)
    gates = []
    for name, title, mask, bound in (
        ("G1 old", "nothing forgotten: F1 on old frames, lower end", ~is_new, -bounds.may_lose),
        ("G1 new", "something learned: F1 on new frames, lower end", is_new, 0.0),
    ):
        chosen = [each for each, wanted in zip(judged, mask.tolist(), strict=True) if wanted]
        first, second = champion.at(mask), challenger.at(mask)
        if not chosen or first.f1 is None or second.f1 is None:
            gates.append(Gate(name, title, None, None, bound, len(chosen), "no such frame with people in the test"))
            continue
        clusters, what = clusters_of(chosen)
        differences = paired_bootstrap(first, second, clusters)
        lower = float(np.quantile(differences, 0.05))
        # At exactly nothing it is still not better.
        passed = lower > bound
        difference = second.f1 - first.f1
        detail = (
            f"F1 {first.f1:.3f} -> {second.f1:.3f}, difference {difference:+.3f}, 95 % sure of "
            f"{lower:+.3f} or more; {len(set(clusters.tolist()))} {what}"
        )
        if not passed and difference > bound:
            detail += f"; {_too_few(len(chosen), frames_needed(len(chosen), difference, lower, bound))}"
        gates.append(Gate(name, title, passed, lower, bound, len(chosen), detail))
    return gates[0], gates[1]


def frames_needed(frames: int, difference: float, lower: float, bound: float) -> int | None:
    """How many frames would show a difference to be over the bound, were it the same on them and they as varied.

    An interval is as wide as 1 / sqrt(frames), so nothing else need be known of it.

    Args:
        lower: lower end of the difference's interval on `frames` frames.

    Returns:
        None where it is not over the bound, or so little that more than a hundred times as many would be needed.

    >>> frames_needed(28, difference=0.016, lower=-0.009, bound=-0.005)
    40
    """
    if difference <= bound:
        return None
    times = ((difference - lower) / (difference - bound)) ** 2
    return math.ceil(frames * times) if times <= _MANY_TIMES else None


def _too_few(frames: int, needed: int | None) -> str:
    if needed is None:
        return f"only evidence is wanting, and {_MANY_TIMES} times as many frames would not be enough"
    # Just enough would be refused every second time.
    return f"only evidence is wanting: {frames} frames of the test cannot prove it, about {needed} could"


def paired_bootstrap(
    first: Tally,
    second: Tally,
    clusters: NDArray[np.int64],
    *,
    of: Literal["f1", "precision", "errors"] = "f1",
    resamples: int = RESAMPLES,
    seed: int = _SEED,
) -> NDArray[np.float64]:
    """What `second` is better by than `first` when the clusters are drawn anew, both models on the same ones.

    Args:
        clusters: (F,) of each frame; frames of one are drawn together.
        of: by F1, by precision, or by errors: false finds and missed people together, for each person there is.

    Returns:
        (resamples,) differences; a draw without anybody gives 0. Widened by sqrt(C / (C - 1)) for C clusters, as the
        bootstrap is too narrow with few.

    Source: Efron and Tibshirani 1993, paired and by clusters.
    """
    count = int(clusters.max()) + 1 if len(clusters) else 0
    sums = np.zeros((2, 3, count))
    for number, each in enumerate((first, second)):
        for row, values in enumerate((each.right, each.wrong, each.missed)):
            sums[number, row] = np.bincount(clusters, weights=values, minlength=count)
    drawn = np.einsum("rc,mkc->mkr", _draws(count, resamples, seed), sums)
    right, wrong, missed = drawn[:, 0], drawn[:, 1], drawn[:, 2]
    part, whole = {
        "f1": (2 * right, 2 * right + wrong + missed),
        "precision": (right, right + wrong),
        "errors": (-(wrong + missed), right + missed),
    }[of]
    scores = _ratio(part, whole)
    return _widened(scores[1] - scores[0], count)


def _draws(count: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each cluster is in each draw, (resamples, count)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _widened(differences: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    if count < 2:
        return differences
    middle = differences.mean()
    return np.asarray(middle + (differences - middle) * math.sqrt(count / (count - 1)), np.float64)


# G2

_PRECISION: Final = "precision at the deployed threshold, lower bound"


def gate_precision(judged: Sequence[Judged], champion: Tally, challenger: Tally, bounds: Bounds) -> Gate:
    """Precision at the threshold that is deployed does not fall short, by its lower bound.

    A challenger whose own lower bound reaches target - margin passes. Where the champion is a measure of that, reaching
    the target and finding a useful share of the people, nothing less will do. Where it is none, both are compared on
    the same frames, as what makes a camera hard for one makes it hard for the other. To a count, one missed is as bad
    as one too many, and so one of these will do:

    - precision fell by no more than the margin, and false finds and missed people together did not surely become more;
    - precision fell by more, but for people who were missed before: cut at the confidence where it finds as many as the
      champion, the challenger's precision is not lower by more than the margin; and at the threshold that is deployed,
      false finds and missed people together surely became fewer.

    Sure is 95 %. As there are two ways, one at the edge of both passes by chance in up to 10 % of tests.
    """
    found = int(challenger.right.sum() + challenger.wrong.sum())
    if not found or challenger.precision is None:
        return Gate("G2", _PRECISION, False, None, None, 0, "the challenger finds nobody")
    bound = bounds.precision_target - bounds.precision_margin
    clusters, what = clusters_of(judged)
    effect = design_effect(challenger, clusters)
    lower = wilson_lower(challenger.precision, found / effect)
    why_not = why_no_measure(champion, np.array([each.is_new for each in judged], bool), bounds)
    if why_not is not None and lower < bound:
        return _gate_beside(judged, champion, challenger, bounds, why_not)
    detail = (
        f"precision {_shown(champion.precision)} -> {_shown(challenger.precision)}, at least {lower:.3f} by Wilson for "
        f"{found} finds in {what} (design effect {effect:.1f}); bound {bounds.precision_target:.3f} - "
        f"{bounds.precision_margin:g}"
    )
    return Gate("G2", _PRECISION, lower >= bound, lower, bound, found, detail)


def _gate_beside(judged: Sequence[Judged], champion: Tally, challenger: Tally, bounds: Bounds, why_not: str) -> Gate:
    """G2 beside a champion that is no measure of the target; `why_not` says why."""
    margin = bounds.precision_margin
    clusters, what = clusters_of(judged)
    fell = _sure_of(paired_bootstrap(champion, challenger, clusters, of="precision"))
    spared = paired_bootstrap(champion, challenger, clusters, of="errors")
    fewest, most = (float(np.quantile(spared, share)) for share in (0.05, 0.95))
    was = _shown(champion.precision)
    detail = f"precision {was} -> {_shown(challenger.precision)}"
    detail += (
        f"; the champion {why_not}"
        if champion.precision is None
        else f", 95 % sure of {fell:+.3f} or more against the champion, which {why_not}"
    )
    has_kept = champion.precision is not None and fell >= -margin
    passed = has_kept and most >= 0
    value, bound = (most, 0.0) if has_kept and not passed else (fell, -margin)
    if not has_kept and challenger.right.sum() > champion.right.sum():
        finds = ranked(judged, CHALLENGER)
        alike = _sure_of(bootstrap_at_like_recall(champion, finds, clusters))
        cut = precision_at(finds, int(champion.right.sum()))
        if cut is not None:
            detail += f"; cut at its recall (confidence {cut[0]:.2f}) {was} -> {cut[1]:.3f}, sure of {alike:+.3f}"
        passed = alike >= -margin and fewest > 0
        value, bound = (alike, -margin) if alike < -margin else (fewest, 0.0)
    errors = " -> ".join(str(int(each.wrong.sum() + each.missed.sum())) for each in (champion, challenger))
    detail += (
        f"; false and missed together {errors}, {fewest:+.3f} to {most:+.3f} spared for each person; "
        f"{len(set(clusters.tolist()))} {what}; bounds {-margin:g} and 0"
    )
    found = int(challenger.right.sum() + challenger.wrong.sum())
    return Gate("G2", _PRECISION, passed, value, bound, found, detail)


def _shown(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def why_no_measure(champion: Tally, is_new: NDArray[np.bool_], bounds: Bounds) -> str | None:
    """Tell why a champion's precision binds nobody to the target; None where it does.

    Args:
        is_new: (F,) of each frame; what is useful on old ones may find hardly anybody on new ones.
    """
    if champion.precision is None:
        return "finds nobody"
    if champion.precision < bounds.precision_target:
        return f"is under the target {bounds.precision_target:.3f}"
    for name, mask in (("old", ~is_new), ("new", is_new)):
        recall = champion.at(mask).recall
        if recall is not None and recall < bounds.useful_recall:
            return f"finds {100 * recall:.0f} % of the people on {name} frames"
    return None


def wanted_precision(champion: Tally, is_new: NDArray[np.bool_], bounds: Bounds) -> float:
    """Return the precision that a threshold should reach to pass G2; its margin is for the chances of the test.

    The target, or a useful champion's own where that is lower; 0.0 where the champion finds hardly anybody: G2 asks for
    fewer errors then, and for F1 given away there would be nothing in return.
    """
    useless = why_no_measure(champion, is_new, replace(bounds, precision_target=0.0)) is not None
    if useless or champion.precision is None:
        return 0.0
    return min(bounds.precision_target, champion.precision)


def precision_at(finds: Ranked, people: int) -> tuple[float, float] | None:
    """Return the highest confidence at which so many people are found, and the precision there.

    Returns:
        None where nobody need be found, or where there are not so many.
    """
    rights = np.cumsum(finds.right)
    if not people or not len(rights) or rights[-1] < people:
        return None
    cut = float(finds.scores[int(np.searchsorted(rights, people))])
    return cut, float(finds.right[finds.scores >= cut].mean())


def bootstrap_at_like_recall(
    champion: Tally, finds: Ranked, clusters: NDArray[np.int64], *, resamples: int = RESAMPLES, seed: int = _SEED
) -> NDArray[np.float64]:
    """Challenger's precision minus the champion's, at the champion's recall, when the clusters are drawn anew.

    The challenger is cut anew in every draw, so that the choice of the cut is among the chances. Where it finds fewer
    people than the champion, it is not cut.

    Args:
        finds: of the challenger.
        clusters: (F,) of each frame; frames of one are drawn together.

    Returns:
        (resamples,) differences; a draw in which either finds nobody gives 0. Widened as by `paired_bootstrap`.
    """
    if not len(finds.scores):
        return np.zeros(resamples)
    count = int(clusters.max()) + 1
    draws = _draws(count, resamples, seed)
    right, wrong = (
        draws @ np.bincount(clusters, weights=each, minlength=count) for each in (champion.right, champion.wrong)
    )
    cuts = np.unique(finds.scores)[::-1]
    if len(cuts) > _MOST_LEVELS:
        cuts = cuts[np.linspace(0, len(cuts) - 1, _MOST_LEVELS).round().astype(int)]
    # A find belongs to the first cut that is not above it.
    level = np.searchsorted(-cuts, -finds.scores)
    place = level * count + clusters[finds.frames]
    rights, wrongs = (
        np.cumsum(draws @ np.bincount(place, weights=each, minlength=len(cuts) * count).reshape(-1, count).T, axis=1)
        for each in (finds.right, ~finds.right)
    )
    rights, wrongs = (np.concatenate([np.zeros((resamples, 1)), each], axis=1) for each in (rights, wrongs))
    wanted = np.minimum(right, rights[:, -1])
    above = np.maximum((rights < wanted[:, None]).sum(axis=1), 1)
    rows = np.arange(resamples)
    gained = rights[rows, above] - rights[rows, above - 1]
    share = _ratio(wanted - rights[rows, above - 1], gained)
    false = wrongs[rows, above - 1] + share * (wrongs[rows, above] - wrongs[rows, above - 1])
    differences = np.where(wanted > 0, _ratio(wanted, wanted + false) - _ratio(right, right + wrong), 0.0)
    return _widened(differences, count)


def _sure_of(differences: NDArray[np.float64]) -> float:
    return float(np.quantile(differences, 0.05))


def wilson_lower(share: float, n: float) -> float:
    """Lower bound of a share seen in `n` draws, 95 % on one side; n > 0 need not be whole.

    Source: Wilson, JASA 1927.

    >>> round(wilson_lower(0.97, 280), 3)
    0.948
    """
    centre = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z / (1 + _Z * _Z / n) * math.sqrt(max(0.0, share * (1 - share) / n + _Z * _Z / (4 * n * n)))
    return max(0.0, centre - half)


def design_effect(of: Tally, clusters: NDArray[np.int64]) -> float:
    """How many times as many finds as independent ones are needed for the same certainty; at least 1.

    Source: the variance of a ratio over clusters (Cochran 1977, 6.4) against that of as many single draws.
    """
    found = np.bincount(clusters, weights=of.right + of.wrong)
    right = np.bincount(clusters, weights=of.right)
    clusters_with = int((found > 0).sum())
    total = float(found.sum())
    if clusters_with < 2 or not total:
        return 1.0
    share = float(right.sum()) / total
    single = share * (1 - share) / total
    if single == 0:
        return 1.0
    residuals = right - share * found
    together = clusters_with / (clusters_with - 1) * float((residuals**2).sum()) / total**2
    return max(1.0, together / single)


# G3


def gate_slices(judged: Sequence[Judged], champion: Tally, challenger: Tally, bounds: Bounds) -> Gate:
    """No part of the test gets worse by more than is allowed, so far as can be told (Holm over all parts)."""
    title = "no camera, time, height or crowd gets worse"
    drops: dict[str, tuple[float, float]] = {}
    parts: list[tuple[str, Tally, Tally, NDArray[np.bool_]]] = [
        (name, champion, challenger, mask) for name, mask in slices_of(judged).items()
    ]
    every = np.ones(len(judged), bool)
    for low, high in HEIGHT_BANDS_PX:
        name = height_name(low, high)
        first, second = (tally(judged, model, heights_px=(low, high)) for model in (CHAMPION, CHALLENGER))
        parts.append((name, first, second, every))
    for name, first, second, mask in parts:
        before, after = first.at(mask), second.at(mask)
        if before.f1 is None or after.f1 is None:
            continue
        chosen = [each for each, wanted in zip(judged, mask.tolist(), strict=True) if wanted]
        clusters, _ = clusters_of(chosen)
        differences = paired_bootstrap(before, after, clusters, resamples=1000)
        # How often the drop would be within what is allowed, were it drawn again.
        chance = (1 + float((differences >= -bounds.slice_may_lose).sum())) / (1 + len(differences))
        drops[name] = (after.f1 - before.f1, chance)
    if not drops:
        return Gate("G3", title, None, None, -bounds.slice_may_lose, 0, "no part of the test has people")
    adjusted = holm([chance for _, chance in drops.values()])
    failed = [
        f"{name} {difference:+.3f}"
        for (name, (difference, _)), chance in zip(drops.items(), adjusted, strict=True)
        if chance < 0.05
    ]
    worst_name, (worst, _) = min(drops.items(), key=lambda item: item[1][0])
    detail = f"worse: {', '.join(failed)}" if failed else f"the worst is {worst_name} {worst:+.3f}"
    return Gate(
        "G3", title, not failed, worst, -bounds.slice_may_lose, len(drops), f"{detail}; {len(drops)} parts, Holm 5 %"
    )


def holm(chances: Sequence[float]) -> list[float]:
    """Chances that hold for all tests together.

    Source: Holm 1979.

    >>> [round(chance, 3) for chance in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(chances)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(chances)), key=lambda index: chances[index])):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[index]))
        adjusted[index] = highest
    return adjusted


# G4 to G7


def gate_stress(stress: Sequence[Stress], bounds: Bounds) -> Gate:
    """On frames made worse on purpose the challenger holds out as well."""
    title = "mean F1 over degradations and severities"
    if not stress:
        return Gate("G4", title, None, None, -bounds.stress_may_lose, 0, "nothing was degraded")
    before = float(np.mean([each.champion for each in stress]))
    after = float(np.mean([each.challenger for each in stress]))
    worst = min(stress, key=lambda each: each.challenger - each.champion)
    detail = (
        f"mean F1 {before:.3f} -> {after:.3f}; the worst is {worst.kind} {worst.severity}: {worst.champion:.3f} -> "
        f"{worst.challenger:.3f}"
    )
    # A hair's breadth beside the bound is arithmetic, not a loss.
    passed = after - before >= -bounds.stress_may_lose - 1e-9
    return Gate("G4", title, passed, after - before, -bounds.stress_may_lose, len(stress), detail)


def gate_latency(champion_ms: Sequence[float], challenger_ms: Sequence[float], bounds: Bounds) -> Gate:
    """The challenger needs no more CPU time than the machine was planned for."""
    title = "CPU time of a picture, against the champion's"
    if not champion_ms or not challenger_ms:
        return Gate("G5", title, None, None, bounds.slower, 0, "no time was measured")
    ratio = float(np.median(challenger_ms) / np.median(champion_ms))
    slow = float(np.quantile(challenger_ms, 0.95))
    is_late = bounds.most_ms is not None and slow > bounds.most_ms
    within = "" if bounds.most_ms is None else f", allowed {bounds.most_ms:g} ms"
    medians = f"median {np.median(champion_ms):.1f} ms -> {np.median(challenger_ms):.1f} ms"
    detail = f"{medians}, 95 % within {slow:.1f} ms{within}"
    return Gate("G5", title, ratio <= bounds.slower and not is_late, ratio, bounds.slower, len(challenger_ms), detail)


def gate_export(quantised: tuple[float, float] | None, bounds: Bounds, *, fell_back: bool = False) -> Gate:
    """What 8 bits lose is little, their threshold chosen again; where it is not, floats are judged in their place."""
    title = "F1 of 8 bits against floats"
    if quantised is None:
        return Gate("G6", title, None, None, -bounds.quantised_may_lose, 0, "the artefact has floats")
    floats, bits = quantised
    detail = f"F1 {floats:.3f} with floats, {bits:.3f} with 8 bits"
    if fell_back:
        detail += ": too much is lost, and the artefact with floats is judged and goes on"
    passed = None if fell_back else not loses_too_much(quantised, bounds)
    return Gate("G6", title, passed, bits - floats, -bounds.quantised_may_lose, 1, detail)


def loses_too_much(quantised: tuple[float, float], bounds: Bounds) -> bool:
    """Whether 8 bits (second) lose more F1 against floats (first) than is given for speed."""
    floats, bits = quantised
    # A hair's breadth beside the bound is arithmetic, not a loss.
    return bits - floats < -bounds.quantised_may_lose - 1e-9


def gate_counts(clips: Sequence[CountedClip]) -> Gate:
    """On clips that somebody counted, the challenger is not further from the truth."""
    title = "count error on labelled clips, against the champion's"
    if not clips:
        return Gate("G7", title, None, None, 0.0, 0, "nobody counted a clip")
    people = sum(sum(each.truth) for each in clips)
    before, after = (
        sum(abs(found - true) for each in clips for found, true in zip(getattr(each, model), each.truth, strict=True))
        for model in (CHAMPION, CHALLENGER)
    )
    detail = f"{people} people crossed; off by {before} -> {after} in {len(clips)} clips"
    return Gate("G7", title, after <= before, float(after - before), 0.0, len(clips), detail)
