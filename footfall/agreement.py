"""What several reviewers say together of the same samples; knows no store and no page."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from footfall.domain import SampleLabel, Verdict


def newest_verdicts(labels: Iterable[SampleLabel]) -> dict[str, dict[str, Verdict]]:
    """Return sample → reviewer → verdict: of each reviewer the newest that was not taken back.

    Args:
        labels: in the order they were given; those without a verdict are passed over.
    """
    verdicts: dict[str, dict[str, Verdict]] = {}
    for label in labels:
        if label.undone_at is None and "verdict" in label.content:
            verdicts.setdefault(label.sample_id, {})[label.reviewer] = label.content["verdict"]
    return verdicts


def together(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return what reviewers of one sample say together; None without any.

    Who is unsure leaves it to the others; those who are sure and differ make it unsure.

    >>> together(["right", "unsure"]), together(["right", "wrong"]), together([])
    ('right', 'unsure', None)
    """
    said = set(verdicts)
    if not said:
        return None
    sure = said - {"unsure"}
    return sure.pop() if len(sure) == 1 else "unsure"


def drawn_for_two(frames: Iterable[str], share: float, *, seed: str) -> tuple[str, ...]:
    """Draw the frames of a batch that two people label: a share of them, rounded up, the same ones for the same seed.

    Which ones does not hang on the order or on what is on them: each frame's place is the digest of seed and id.

    Args:
        frames: ids.
        share: in [0, 1].

    >>> drawn_for_two(["a", "b", "c", "d"], 0.3, seed="1"), drawn_for_two(["a"], 0.0, seed="1")
    (('a', 'd'), ())
    """
    known = sorted(set(frames), key=lambda frame: hashlib.sha256(f"{seed}/{frame}".encode()).digest())
    return tuple(sorted(known[: math.ceil(round(share * len(known), 6))]))


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Agreement of two reviewers on the same items beyond chance: 1 full, 0 chance; None without items.

    Source: Cohen 1960. Two who give everything the same verdict agree fully.

    >>> cohens_kappa(["y", "y", "n", "n"], ["y", "n", "n", "n"])
    0.5
    """
    if not first:
        return None
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    labels = {*first, *second}
    chance = sum(first.count(label) * second.count(label) for label in labels) / len(first) ** 2
    return 1.0 if chance == 1 else (agreed - chance) / (1 - chance)
