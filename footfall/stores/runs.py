"""What retrainings leave of pictures, and what must go of it when those are deleted; trains nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from footfall.errors import UnknownRecordError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

    from footfall.stores.blobs import BlobStore

_RETRAINS: Final = "retrains"
_EXAMPLES: Final = "examples.json"

_LISTS: Final = (("split/manifest.json", ("frames",)), ("02-collect.json", ("frames", "unlabelled", "in_dispute")))
"""Files of a run that list frames, and under which keys."""
_DOUBTS: Final = "03-labels.json"
"""Where doubtful labels are listed, each with its frame and box, under `suspects`."""
_PREDICTIONS: Final = "evaluate/predictions.jsonl"
"""A line for each frame of the test, with its id as `frame` and everybody's boxes."""
_SHEETS: Final = (("03-labels.json", "labels/contact-sheet.jpg"), ("06-augment.json", "augment/samples.jpg"))
"""Artefact that tells whose pictures are on a sheet, and the sheet."""


def forget_pictures(runs: Path, sample_ids: Collection[str], *, at: datetime) -> int:
    """Remove copies of deleted pictures, sheets that show them and their labels; digests stay, marked as deleted.

    A run that is at work goes on without them or fails; it may be taken up again.

    Args:
        runs: holds a folder for each request, with folders of runs in it; need not be there.

    Returns:
        How many runs knew any of them.
    """
    wanted = frozenset(sample_ids)
    touched = 0
    for run in sorted(runs.glob("*/*")) if wanted else []:
        known = False
        for name in wanted:
            copy = run / "collect" / f"{name}.jpg"
            known |= copy.exists()
            copy.unlink(missing_ok=True)
        for file, keys in _LISTS:
            known |= _forget_in(run / file, keys, wanted, at)
        known |= _forget_doubts(run / _DOUBTS, wanted)
        known |= _forget_lines(run / _PREDICTIONS, wanted)
        for file, sheet in _SHEETS:
            content = _read(run / file)
            if content is not None and wanted & set(content.get("sheet_frames", ())):
                (run / sheet).unlink(missing_ok=True)
        touched += known
    return touched


def examples_key(run: str) -> str:
    """Where a run's examples are among the blobs: frames of its test on which champion and challenger differ."""
    return f"{_RETRAINS}/{run}/{_EXAMPLES}"


def read_examples(blobs: BlobStore, run: str) -> list[dict[str, Any]]:
    """Return a run's examples, as `retrain.examples.differing` made them; empty where there are none.

    Raises:
        StoreError: the blobs cannot be read.
    """
    try:
        found: list[dict[str, Any]] = json.loads(blobs.get(examples_key(run)))
    except UnknownRecordError:
        return []
    return found


def forget_examples(blobs: BlobStore, sample_ids: Collection[str]) -> int:
    """Remove what is known of deleted pictures from the examples of every run; tells of how many runs that was.

    Raises:
        StoreError: the blobs cannot be read or written.
    """
    wanted = frozenset(sample_ids)
    touched = 0
    for blob in list(blobs.blobs(_RETRAINS)) if wanted else []:
        if not blob.key.endswith(f"/{_EXAMPLES}"):
            continue
        known = json.loads(blobs.get(blob.key))
        kept = [each for each in known if each["sample"] not in wanted]
        if len(kept) < len(known):
            blobs.put(blob.key, json.dumps(kept).encode())
            touched += 1
    return touched


def _forget_in(path: Path, keys: Collection[str], wanted: frozenset[str], at: datetime) -> bool:
    content = _read(path)
    if content is None:
        return False
    changed = False
    for key in keys:
        for frame in content.get(key, ()):
            if frame["id"] in wanted and not frame.get("deleted_at"):
                frame |= {"deleted_at": at.isoformat(), "boxes": []}
                changed = True
    for labelled in content.get("by_reviewer", {}).values():
        for name in wanted & labelled.keys():
            del labelled[name]
    for name in wanted & content.get("for_two", {}).keys():
        del content["for_two"][name]
    if changed:
        _write(path, json.dumps(content, indent=1))
    return changed


def _forget_doubts(path: Path, wanted: Collection[str]) -> bool:
    content = _read(path)
    if content is None:
        return False
    before = content.get("suspects", [])
    content["suspects"] = [each for each in before if each["frame_id"] not in wanted]
    if len(content["suspects"]) == len(before):
        return False
    _write(path, json.dumps(content, indent=1))
    return True


def _forget_lines(path: Path, wanted: Collection[str]) -> bool:
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError:
        return False
    kept = [line for line in lines if json.loads(line)["frame"] not in wanted]
    if len(kept) == len(lines):
        return False
    _write(path, "".join(kept))
    return True


def _write(path: Path, text: str) -> None:
    """Put a file in place whole or not at all."""
    unfinished = path.with_name(f".unfinished-{path.name}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    """None where there is nothing, or what is there is no artefact."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
