"""Chooses how to train, by how much new there is and how much it differs from the old; trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.stats import rankdata

from footfall.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Technique = Literal["frozen", "full", "distil"]
"""Only the head learns; everything learns a little; a stronger model labels more frames and everything learns."""
TECHNIQUES: Final[tuple[Technique, ...]] = ("frozen", "full", "distil")

MANY_FRAMES: Final = 1000
"""From so many new frames on, training everything does not learn them by heart."""
DIFFERENT_AUC: Final = 0.8
"""From here on a look at a picture mostly tells whether it is new: the early layers see something else, too."""
LEAST_REPLAY: Final = 0.5
"""Of the pictures trained on, so many at least are of what must not be forgotten."""
_PASSES: Final = 12.0
"""How often each new frame is seen, with few of them."""
_LEAST_STEPS, _MOST_STEPS = 60, 20_000
_SMALL_BATCH, _BATCH = 8, 16
"""Pictures of a step, with few new frames and with many: of the same number of pictures more steps learn more."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the choice rests on.

    Attributes:
        new_frames, old_frames: that people labelled, for training.
        taught_frames: that a stronger model labelled, new ones, for training.
        auc: of a classifier that tells new from old pictures by their looks, each camera's piece of time held out in
            turn: 0.5 not at all, 1 always; None without old ones.
        has_teacher: a stronger model is at hand.
    """

    new_frames: int
    old_frames: int
    taught_frames: int
    auc: float | None
    has_teacher: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """How to train.

    Attributes:
        alternative: what would have been chosen by other numbers, to be tried by hand.
        frozen_share: of the network's layers, from the picture on, so many do not learn.
        learning_rate: at its highest.
        replay_share: of the pictures trained on that are old.
        steps: of `batch` pictures.
        why: the rule and its numbers, in one line.
        is_forced: somebody chose it.
    """

    technique: Technique
    alternative: Technique
    frozen_share: float
    learning_rate: float
    replay_share: float
    batch: int
    steps: int
    why: str
    is_forced: bool = False


_FROZEN_SHARE: Final[dict[Technique, float]] = {"frozen": 0.45, "full": 0.0, "distil": 0.0}
"""The backbone of YOLO11 is eleven of its 24 layers."""
_LEARNING_RATE: Final[dict[Technique, float]] = {"frozen": 5e-4, "full": 5e-4, "distil": 3e-4}
_LOW_RATE: Final = 2e-4
"""For everything, with many frames: there are steps enough."""


def choose(situation: Situation, *, forced: Technique | None = None, steps: int | None = None) -> Choice:
    """Choose by one rule.

    | new frames | looks like before (AUC < 0.8) | looks different |
    |---|---|---|
    | fewer than 1000 | frozen | distil with a teacher and its labels, else full |
    | 1000 and more | full, at a low rate | full, at a low rate |

    Few frames are learned in smaller batches: of 240 steps of 8 and 120 of 16 pictures, the first regained more.

    Args:
        forced: what somebody wants instead.
        steps: exact number instead of by the number of frames.

    Raises:
        SettingsError: `distil` is wanted without anything that a teacher labelled.
    """
    is_different = situation.auc is not None and situation.auc >= DIFFERENT_AUC
    is_small = situation.new_frames < MANY_FRAMES
    can_distil = situation.has_teacher and situation.taught_frames > 0
    auc = "no old frames to compare with" if situation.auc is None else f"AUC {situation.auc:.2f}"
    numbers = (
        f"{situation.new_frames} new frames ({'few' if is_small else 'many'}, bound {MANY_FRAMES}), {auc} "
        f"({'different' if is_different else 'alike'}, bound {DIFFERENT_AUC:g}), {situation.taught_frames} frames by a "
        "teacher"
    )
    chosen: Technique
    alternative: Technique
    if is_small and not is_different:
        chosen, alternative = "frozen", "full"
    elif is_small and can_distil:
        chosen, alternative = "distil", "full"
    elif is_small:
        chosen, alternative = "full", "frozen"
    else:
        chosen, alternative = "full", "distil" if can_distil else "frozen"
    why = f"{numbers}: {chosen}"
    if forced == "distil" and not can_distil:
        raise SettingsError(
            "--technique distil: there is no frame that a teacher labelled; expected FOOTFALL_TEACHER_MODEL and its "
            "labels, or --technique full"
        )
    if forced is not None and forced != chosen:
        why = f"{numbers}: the rule says {chosen}, somebody wants {forced}"
        chosen, alternative = forced, chosen
    batch = _SMALL_BATCH if is_small else _BATCH
    learned = situation.new_frames + (situation.taught_frames if chosen == "distil" else 0)
    by_frames = round(_PASSES * learned / (1 - LEAST_REPLAY) / batch)
    return Choice(
        technique=chosen,
        alternative=alternative,
        frozen_share=_FROZEN_SHARE[chosen],
        learning_rate=_LOW_RATE if chosen == "full" and not is_small else _LEARNING_RATE[chosen],
        replay_share=LEAST_REPLAY,
        batch=batch,
        steps=steps if steps is not None else min(max(by_frames, _LEAST_STEPS), _MOST_STEPS),
        why=why,
        is_forced=forced is not None,
    )


def domain_auc(
    old: NDArray[np.float64], new: NDArray[np.float64], old_groups: Sequence[str], new_groups: Sequence[str]
) -> float | None:
    """How well new pictures are told from old ones by their features, on pieces of time that were held out.

    Args:
        old, new: (N, features) and (M, features); N, M may be 0.
        old_groups, new_groups: of each row: what is of one group is held out together, because neighbours are alike.

    Returns:
        Area under the ROC curve in [0, 1]; None without both kinds in two groups each.

    Source: classifier two-sample test (Lopez-Paz and Oquab 2017). Differs: a linear discriminant, shrunk, as there may
    be fewer pictures than features.
    """
    if len(set(old_groups)) < 2 or len(set(new_groups)) < 2:
        return None
    features = np.concatenate([old, new])
    is_new = np.r_[np.zeros(len(old), bool), np.ones(len(new), bool)]
    groups = [*(f"old {each}" for each in old_groups), *(f"new {each}" for each in new_groups)]
    ordered = {"old": sorted(set(old_groups)), "new": sorted(set(new_groups))}
    folds = max(2, min(5, len(ordered["old"]), len(ordered["new"])))
    fold_of = {f"{kind} {name}": index % folds for kind, names in ordered.items() for index, name in enumerate(names)}
    fold = np.array([fold_of[each] for each in groups])
    areas = []
    for number in range(folds):
        held = fold == number
        scores = _discriminant(features[~held], is_new[~held]) @ features[held].T
        areas.append(_area(scores, is_new[held]))
    return float(np.mean(areas))


def _discriminant(features: NDArray[np.float64], is_new: NDArray[np.bool_]) -> NDArray[np.float64]:
    scale = features.std(axis=0)
    scale[scale < 1e-9] = np.inf  # a feature that never changes tells nothing
    centred = [(features[mask] - features[mask].mean(axis=0)) / scale for mask in (is_new, ~is_new)]
    spread = sum(each.T @ each for each in centred) / max(1, len(features) - 2)
    size = spread.shape[0]
    shrunk = 0.7 * spread + 0.3 * np.eye(size)
    apart = (features[is_new].mean(axis=0) - features[~is_new].mean(axis=0)) / scale
    return np.asarray(np.linalg.solve(shrunk, apart) / scale, np.float64)


def _area(scores: NDArray[np.float64], is_new: NDArray[np.bool_]) -> float:
    positive, negative = int(is_new.sum()), int((~is_new).sum())
    ranks = rankdata(scores)
    return float((ranks[is_new].sum() - positive * (positive + 1) / 2) / (positive * negative))
