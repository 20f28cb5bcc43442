"""Tells which model never saw which frame: only such a one can doubt its label; knows no store and asks no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from footfall.errors import TrainingError
from retrain.frames import read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from retrain.frames import LabelledFrame

MANIFEST: Final = "split/manifest.json"
"""Of a run's folder: which frames it trained on."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A model in use, or one that it was learned on from.

    Attributes:
        folder: of the model.
        trained_on: ids of frames that it or one of its own ancestors trained on, as far as that is known.
        unknown_until: frames taken up to then may be among them as well, because the record of a run is gone; None: all
            is known.
    """

    folder: Path
    trained_on: frozenset[str] = frozenset()
    unknown_until: datetime | None = None

    def never_saw(self, frame: LabelledFrame) -> bool:
        """Whether it surely did not train on a frame; on drawn ones anybody may have."""
        if frame.is_drawn or frame.id in self.trained_on:
            return False
        return self.unknown_until is None or frame.taken_at > self.unknown_until


@dataclass(frozen=True, slots=True)
class Step:
    """One model of a line, before it is known what its ancestors trained on.

    Attributes:
        run: folder of the retraining that made it; None where none did: then it trained on no frame of the site.
        added_at: when it was made known; aware UTC.
    """

    folder: Path
    run: Path | None
    added_at: datetime


def ancestors(line: Sequence[Step], *, is_whole: bool) -> tuple[Ancestor, ...]:
    """Read what each model of a line trained on; newest first, as the line is.

    A model has learned what those before it had: a run's manifest tells what was added, and a run whose manifest is
    gone may have trained on anything that there was.

    Args:
        is_whole: the oldest one is no retraining's; else it is not known what that one began with.
    """
    found: list[Ancestor] = []
    trained_on: frozenset[str] = frozenset()
    unknown_until = None if is_whole or not line else line[-1].added_at
    for step in reversed(line):
        if step.run is not None:
            try:
                trained_on |= {each.id for each in read_manifest(step.run / MANIFEST) if each.split == "train"}
            except TrainingError:
                unknown_until = step.added_at
        found.append(Ancestor(step.folder, trained_on, unknown_until))
    return tuple(reversed(found))


def judges(frames: Iterable[LabelledFrame], line: Sequence[Ancestor]) -> Mapping[str, Ancestor]:
    """Name for each frame the newest model that never saw it; frames that every one may have seen are left out."""
    found: dict[str, Ancestor] = {}
    for frame in frames:
        judge = next((each for each in line if each.never_saw(frame)), None)
        if judge is not None:
            found[frame.id] = judge
    return found
