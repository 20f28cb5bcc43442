"""Folders that retrainings leave: what must go from them when pictures are deleted; trains nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

_LISTS: Final = (("split/manifest.json", ("frames",)), ("02-collect.json", ("frames", "unlabelled")))
"""Files of a run that list frames, and under which keys."""
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
        for file, sheet in _SHEETS:
            content = _read(run / file)
            if content is not None and wanted & set(content.get("sheet_frames", ())):
                (run / sheet).unlink(missing_ok=True)
        touched += known
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
    if changed:
        unfinished = path.with_name(f".unfinished-{path.name}")
        unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
        unfinished.replace(path)
    return changed


def _read(path: Path) -> dict[str, Any] | None:
    """None where there is nothing, or what is there is no artefact."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
