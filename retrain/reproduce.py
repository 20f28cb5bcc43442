"""Does a run again from its record and compares, within a stated tolerance; promotes nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from footfall.errors import TrainingError, UnknownRecordError
from retrain.collect import draw, picture_file
from retrain.frames import LabelledFrame, frame_from_json, read_manifest
from retrain.run import Run, Stage
from retrain.stages import MANIFEST, record_of, stages_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from footfall.stores.blobs import BlobStore
    from retrain.run import Artefact
    from retrain.stages import Workshop

TOLERANCE: Final = 0.02
"""F1 on old and on new frames may differ by so much: the order of additions differs between machines and libraries. On
the same machine with the same number of threads the weights are the same to the last bit."""
_TAKEN_OVER: Final = ("plan", "labels", "split")
_MOST: Final = 99


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a run and its repetition differ.

    Attributes:
        is_same_model: their weights are the same to the last bit.
        is_same_code: so are the sources that made them.
        differences: part of the test → F1 of the repetition minus that of the run; 1 where only one of them has any.
        libraries: those that have other versions now.
    """

    is_same_model: bool
    is_same_code: bool
    differences: Mapping[str, float]
    libraries: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether anything was compared, and every difference is within the tolerance."""
        return bool(self.differences) and all(abs(each) <= TOLERANCE for each in self.differences.values())


def reproduce(first: Run, workshop: Workshop) -> Comparison:
    """Do it again with the same frames, labels, split, options and model to begin with.

    Args:
        workshop: with the job and options of the run, and the model it began with.

    Raises:
        TrainingError: the run is not over, or pictures of it were deleted since, or are not what they were.
    """
    if first.outcome() is None or first.artefact("gates", _number(workshop, first, "gates")) is None:
        raise TrainingError(f"run {first.folder.name}: was not judged; there is nothing to compare with")
    # Whether 8 bits were fast enough hangs on the machine's mood; what was decided then holds.
    exported = first.artefact("export", _number(workshop, first, "export")) or {}
    options = dataclasses.replace(
        workshop.options, with_int8=exported.get("artefact") == "int8", int8_time_ratio=float("inf")
    )
    again = Run(_free(first.folder), tell=lambda line: first.say("reproduce", f"{line['stage']}: {line['what']}"))
    again.folder.mkdir(parents=True)
    stages = stages_of(
        dataclasses.replace(workshop, options=options, candidates={}, promote=lambda *_: _COMPARED), again
    )
    for number, stage in enumerate(stages, start=1):
        name = f"{number:02}-{stage.name}.json"
        if stage.name in _TAKEN_OVER:
            shutil.copyfile(first.folder / name, again.folder / name)
            if first.part(stage.name).is_dir():
                shutil.copytree(first.part(stage.name), again.part(stage.name))
    manifest = {each.id: each for each in read_manifest(first.part("split") / MANIFEST)}

    def fetch(done: Mapping[str, Artefact], scratch: Path) -> Artefact:  # noqa: ARG001
        artefact = json.loads((first.folder / "02-collect.json").read_text(encoding="utf-8"))
        every = [frame_from_json(each) for each in artefact["frames"] + artefact["unlabelled"]]
        _fetch([each for each in every if each.id in manifest], workshop.blobs, scratch)
        told: Artefact = artefact
        return told

    again.go([Stage("collect", fetch) if each.name == "collect" else each for each in stages])
    again.drop("collect")
    return _compared(first, again, workshop)


_COMPARED: Final[dict[str, Any]] = {"outcome": "rejected", "note": "a repetition, to be compared only"}


def _number(workshop: Workshop, run: Run, name: str) -> int:
    return next(n for n, each in enumerate(stages_of(workshop, run), start=1) if each.name == name)


def _free(folder: Path) -> Path:
    for number in range(1, _MOST):
        path = folder.parent / f"reproduced-{number}"
        if not path.exists():
            return path
    raise TrainingError(f"run {folder.name}: was reproduced {_MOST} times; remove some of the folders beside it")


def _fetch(frames: Sequence[LabelledFrame], blobs: BlobStore, folder: Path) -> None:
    """Fetch the same pictures again, each compared with its digest."""
    gone = []
    for frame in [each for each in frames if not each.is_drawn]:
        try:
            content = blobs.get(frame.picture)
        except UnknownRecordError:
            gone.append(frame.id)
            continue
        if hashlib.sha256(content).hexdigest() != frame.sha256:
            raise TrainingError(
                f"frame {frame.id}: its picture is not the one that was trained on; nothing is compared"
            )
        picture_file(folder, frame.id).write_bytes(content)
    if gone:
        raise TrainingError(
            f"pictures: {len(gone)} of {len(frames)} were deleted since, such as {gone[0]}; the run cannot be "
            "reproduced"
        )
    drawn = [each for each in frames if each.is_drawn]
    for frame in draw(folder, len(drawn)):
        expected = next((each.sha256 for each in drawn if each.id == frame.id), None)
        if frame.sha256 != expected:
            raise TrainingError(f"frame {frame.id}: is drawn otherwise by this version; nothing is compared")


def _compared(first: Run, again: Run, workshop: Workshop) -> Comparison:
    def artefact(run: Run, name: str) -> Artefact:
        found = run.artefact(name, _number(workshop, run, name))
        if found is None:
            raise TrainingError(f"run {run.folder.name}: has no artefact {name!r}")
        return found

    parts = [artefact(run, "evaluate")["figures"]["challenger"]["parts"] for run in (first, again)]
    before, now = artefact(first, "plan")["record"], record_of(workshop)
    return Comparison(
        artefact(first, "train")["sha256"] == artefact(again, "train")["sha256"],
        before.get("code") == now["code"],
        differences_of(*parts),
        tuple(sorted(set(now["packages"]) - set(before["packages"]))),
    )


def differences_of(first: Mapping[str, Any], again: Mapping[str, Any]) -> dict[str, float]:
    """Compare F1 of the same parts of the test.

    >>> differences_of({"all": {"f1": 0.9}, "new": {"f1": 0.8}}, {"all": {"f1": 0.91}, "new": {"f1": None}})
    {'all': 0.01, 'new': 1.0}
    """
    found: dict[str, float] = {}
    for name in ("all", "old", "new"):
        one, other = (each.get(name, {}).get("f1") for each in (first, again))
        if one is not None and other is not None:
            found[name] = round(other - one, 4)
        elif one is not other:
            found[name] = 1.0
    return found
