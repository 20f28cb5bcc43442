"""Chooses frames of the test on which two models differ, for people to look at; asks no model, holds no picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from footfall.domain import Detections
from footfall.vision.evaluation import hits
from retrain.predictions import CHALLENGER, CHAMPION, IOU, tally

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from retrain.predictions import Judged

MOST: Final = 24


def differing(judged: Sequence[Judged], *, known: Collection[str], most: int = MOST) -> list[dict[str, Any]]:
    """Return frames on which one model errs more often than the other, those with the largest difference first.

    Args:
        known: ids of frames whose picture is still there; others are left out.
        most: half of them are such on which the challenger is better, as far as there are so many, and half the others.

    Returns:
        Of each frame its id (`sample`), camera, time, everybody on it (`truth`), and of each model its sure finds
        with score and whether they are right, and how often it errs: wrong finds and people missed. JSON can hold it.
    """
    errors = {}
    for model in (CHAMPION, CHALLENGER):
        found = tally(judged, model)
        errors[model] = (found.wrong + found.missed).tolist()
    rows = [
        (before - after, each)
        for before, after, each in zip(errors[CHAMPION], errors[CHALLENGER], judged, strict=True)
        if before != after and each.frame_id in known
    ]
    rows.sort(key=lambda row: (-abs(row[0]), row[1].frame_id))
    better = [row for row in rows if row[0] > 0]
    worse = [row for row in rows if row[0] < 0]
    half = most // 2
    first = better[: max(half, most - len(worse))]
    chosen = first + worse[: most - len(first)]
    chosen.sort(key=lambda row: (-abs(row[0]), row[1].frame_id))
    numbers = {each.frame_id: number for number, each in enumerate(judged)}
    return [
        {
            "sample": each.frame_id,
            "camera": each.camera_id,
            "at": each.taken_at.isoformat(),
            "new": each.is_new,
            "truth": each.truth.round(1).tolist(),
            **{
                model: {"errors": errors[model][numbers[each.frame_id]], "finds": _finds(each, model)}
                for model in (CHAMPION, CHALLENGER)
            },
        }
        for _, each in chosen
    ]


def _finds(judged: Judged, model: str) -> list[dict[str, Any]]:
    """Sure finds of a model, each with whether somebody is there."""
    found = judged.found[model]
    sure = found.scores >= found.threshold
    found = Detections(found.boxes_px[sure], found.scores[sure], found.threshold)
    is_right = np.asarray(hits(judged.truth, found, IOU) >= 0).tolist()
    return [
        {"box": box, "score": round(score, 3), "right": right}
        for box, score, right in zip(found.boxes_px.round(1).tolist(), found.scores.tolist(), is_right, strict=True)
    ]
