"""What several people marked on the same frames: how they agree, and what holds; knows no store and no page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from footfall.agreement import cohens_kappa
from footfall.vision.boxes import pairwise_iou

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from footfall.domain import SampleLabel

SAME_IOU: Final = 0.5
"""Boxes of two people that share so much are around the same person."""
APART_IOU: Final = 0.2
"""Boxes that share less are of different people, or of nobody."""

Standing = Literal["first", "second", "third", "settled"]
"""Of a frame set aside for two people: whose word it waits for, if anybody's."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two reviewers of the same frames agree.

    Attributes:
        frames: that both labelled.
        kappa: on whether somebody is at a place, beyond chance; None where nothing was asked.
        f1: of the boxes of one against the other's, IoU 0.5; None without a box.
    """

    first: str
    second: str
    frames: int
    kappa: float | None
    f1: float | None


def marks_of(labels: Iterable[SampleLabel]) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Return frame → reviewer → (N, 4) boxes: of each reviewer the newest word, who spoke last standing last.

    Args:
        labels: in the order they were given; those that were taken back, or have no boxes, are passed over.
    """
    marks: dict[str, dict[str, NDArray[np.float32]]] = {}
    for label in labels:
        if label.undone_at is None and "boxes" in label.content:
            said = marks.setdefault(label.sample_id, {})
            said.pop(label.reviewer, None)
            said[label.reviewer] = np.array([box[:4] for box in label.content["boxes"]], np.float32).reshape(-1, 4)
    return marks


def settled(marks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """Return what holds on a frame: whoever more than half of the people marked, as the last of these did.

    Of one that is all of it; of two only where each marked whom the other did; three always settle it.

    Args:
        marks: (N, 4) boxes of each, who spoke last standing last.

    Returns:
        (N, 4) float32; None where nobody has spoken, or two have and differ.

    >>> one, other = np.array([[0, 0, 4, 9]], np.float32), np.array([[20, 0, 24, 9]], np.float32)
    >>> settled([one, other]) is None
    True
    >>> settled([one, other, np.concatenate([one, other]) + 0.5])
    array([[ 0.5,  0.5,  4.5,  9.5],
           [20.5,  0.5, 24.5,  9.5]], dtype=float32)
    """
    if not marks:
        return None
    places, votes = np.empty((0, 4), np.float32), np.empty(0, np.int64)
    for boxes in reversed(marks):
        pairs = paired(places, boxes)
        votes[[place for place, _ in pairs]] += 1
        others = np.delete(boxes, [box for _, box in pairs], axis=0)
        places = np.concatenate([places, others])
        votes = np.concatenate([votes, np.ones(len(others), np.int64)])
    if len(marks) == 2 and (votes < 2).any():
        return None
    return places[2 * votes > len(marks)]


def standing(marks: Sequence[NDArray[np.float32]]) -> Standing:
    """Tell whose word a frame that was set aside for two people waits for; `marks` as in `settled`."""
    if len(marks) < 2:
        return "second" if marks else "first"
    return "third" if settled(marks) is None else "settled"


def in_dispute(labels: Iterable[SampleLabel], set_aside: Collection[str]) -> set[str]:
    """Return the frames set aside for two people on which two differ: until a third has spoken none of it is used."""
    return {
        frame
        for frame, said in marks_of(label for label in labels if label.sample_id in set_aside).items()
        if standing(list(said.values())) == "third"
    }


def agreement(
    first: tuple[str, Mapping[str, NDArray[np.float32]]],
    second: tuple[str, Mapping[str, NDArray[np.float32]]],
    candidates: Mapping[str, NDArray[np.float32]],
) -> Agreement:
    """Compare two reviewers on the frames that both labelled.

    Whether somebody stands at a place is what they are asked; the places are those where either of them or a model,
    even with little confidence, sees somebody. Without the model's places both would say yes at most of them and κ
    would be of nothing.

    Args:
        first, second: name, and frame → (N, 4) boxes.
        candidates: frame → (N, 4) boxes of a model's finds, weak ones included.
    """
    shared = sorted(first[1].keys() & second[1].keys())
    answers: tuple[list[str], list[str]] = ([], [])
    matched = total = 0
    for frame_id in shared:
        mine, other = first[1][frame_id], second[1][frame_id]
        pairs = paired(mine, other)
        matched += len(pairs)
        total += len(mine) + len(other)
        lone = np.delete(other, [column for _, column in pairs], axis=0)
        places = np.concatenate([mine, lone])
        weak = candidates.get(frame_id, np.empty((0, 4), np.float32))
        if len(weak):
            free = pairwise_iou(weak, places).max(axis=1) < APART_IOU if len(places) else np.ones(len(weak), bool)
            places = np.concatenate([places, weak[free]])
        for boxes, said in zip((mine, other), answers, strict=True):
            yes = {place for place, _ in paired(places, boxes)}
            said += ["y" if index in yes else "n" for index in range(len(places))]
    return Agreement(
        first[0], second[0], len(shared), cohens_kappa(answers[0], answers[1]), 2 * matched / total if total else None
    )


def paired(first: NDArray[np.float32], second: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return which boxes of (N, 4) and (M, 4) are around the same person, each in one pair at most."""
    overlaps = pairwise_iou(first, second)
    rows, columns = linear_sum_assignment(-np.where(overlaps >= SAME_IOU, overlaps, 0.0))
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if overlaps[int(row), int(column)] >= SAME_IOU
    ]
