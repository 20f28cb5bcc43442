"""Removes what retrainings left and nothing needs any more: weights in folders of old runs, files of unused models.

What tells how a model came to be stays: plans, manifests, figures, gate reports, the log of promotions.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from footfall.errors import TrainingError
from retrain.frames import read_manifest
from retrain.lineage import MANIFEST
from retrain.quantise import INT8
from retrain.run import LOCK, OUTCOME, begun_with

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import timedelta
    from pathlib import Path

    from footfall.domain import ModelAliases, RegisteredModel
    from footfall.stores.registry import Registry

_HEAVY: Final = ("collect", "train", "export")
"""Folders of a run with pictures and weights; the registry has its own copy of what came out."""
_RUN, _REPEATED = "run", "reproduced-*"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed.

    Attributes:
        models: names; runs: ids of requests whose folders became smaller.
        freed_bytes: of both.
    """

    models: tuple[str, ...]
    runs: tuple[str, ...]
    freed_bytes: int


def clean(
    runs: Path, registry: Registry, models_dir: Path, *, now: datetime, keep: timedelta, is_tried: bool = False
) -> Cleaned:
    """Remove what is older than `keep` and not needed. A run that somebody is at is left alone.

    Args:
        runs: holds a folder for each request; need not be there.
        is_tried: tell only what would be removed.

    Raises:
        StoreError: the records or blobs do not answer.
    """
    freed = 0
    smaller = []
    needed = set()
    for folder in sorted(runs.glob("*")):
        begun_with = _needs(folder / _RUN, now - keep)
        if begun_with is not None:
            needed.add(begun_with)
        heavy = [
            part
            for run in (folder / _RUN, *folder.glob(_REPEATED))
            if run.is_dir() and _last_change(run) < now - keep
            for part in ([run / name for name in _HEAVY] if run.name == _RUN else [run])
            if part.is_dir()
        ]
        if not heavy:
            continue
        with _unless_at_work(folder / _RUN) as is_free:
            if is_free:
                freed += sum(_size(each) for each in heavy)
                smaller.append(folder.name)
                for each in heavy if not is_tried else ():
                    shutil.rmtree(each)
    gone = []
    for model in removable(registry.models(), registry.aliases(), needed, before=now - keep):
        if is_tried or registry.remove_files(model.sha256, models_dir, at=now):
            gone.append(model.name)
            freed += model.size_bytes
    return Cleaned(tuple(gone), tuple(smaller), freed)


def removable(
    models: Sequence[RegisteredModel], aliases: ModelAliases, needed: Collection[str], *, before: datetime
) -> list[RegisteredModel]:
    """Choose models whose files may go: made by a retraining, older than `before`, and of no use any more.

    Champion, challenger and previous stay, and with 8 bits the one with floats that it was made of.

    Args:
        needed: digests of models that runs begin with which can still be reproduced.
    """
    used = {aliases.champion, aliases.challenger, aliases.previous, *needed}
    floats = {each.name.removesuffix(INT8) for each in models if each.sha256 in used and each.name.endswith(INT8)}
    return [
        each
        for each in models
        if each.origin == "retrained"
        and each.files_deleted_at is None
        and each.added_at < before
        and each.sha256 not in used
        and each.name not in floats
    ]


def _needs(run: Path, old: datetime) -> str | None:
    """Digest of the model that a run begins with, while it may be gone on with or be reproduced."""
    champion = begun_with(run)
    if champion is None:
        return None
    if not (run / OUTCOME).exists():
        return champion if _last_change(run) >= old else None
    try:
        frames = read_manifest(run / MANIFEST)
    except TrainingError:  # ended before it had one
        return None
    # Deleted pictures have left it: without a single one left there is nothing to train on again.
    return champion if any(not each.is_drawn for each in frames) else None


def _last_change(run: Path) -> datetime:
    """When its newest artefact was written; of a run without any, when the folder was made."""
    newest = max((each.stat().st_mtime for each in run.glob("*.json")), default=run.stat().st_mtime)
    return datetime.fromtimestamp(newest, UTC)


@contextlib.contextmanager
def _unless_at_work(run: Path) -> Iterator[bool]:
    """Hold a run's lock, so that nobody begins meanwhile; False where somebody else holds it."""
    try:
        lock = (run / LOCK).open("w", encoding="utf-8")
    except OSError:  # there never was a run
        yield True
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
