"""Runs one retraining as a row of stages; whoever comes after a crash goes on behind the last one that is done.

A stage is done when its artefact was renamed into place. One process at a time holds the run's lock; a run that has an
outcome is over for ever. Knows no stage's insides.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from footfall.errors import InsufficientLabelsError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from footfall.domain import RetrainOutcome

LOCK: Final = "lock"
OUTCOME: Final = "outcome.json"
PROGRESS: Final = "progress.jsonl"
_UNFINISHED: Final = ".unfinished-"

Artefact = dict[str, Any]
"""What a stage tells those after it; JSON can hold it. A key `outcome` ends the run."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        do: gets the artefacts of those before it by name, and an empty folder that becomes `folder(name)` when it is
            done; returns its own artefact.
    """

    name: str
    do: Callable[[Mapping[str, Artefact], Path], Artefact]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    outcome: RetrainOutcome
    note: str


Told = dict[str, Any]
"""A line of progress."""


class Run:
    """The folder of one run.

    Args:
        tell: shows a line of progress to whoever looks on.
    """

    def __init__(self, folder: Path, *, tell: Callable[[Told], None]) -> None:
        self.folder = folder
        self._tell = tell

    def go(self, stages: Sequence[Stage]) -> Outcome:
        """Do what is left to be done, and return the outcome; one that is over tells it again.

        Raises:
            TrainingError: another process is at it, or a stage failed; the run may be taken up again.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            ended = self.outcome()
            if ended is not None:
                self.say("run", "is over", outcome=ended.outcome)
                return ended
            self._clear()
            done: dict[str, Artefact] = {}
            for number, stage in enumerate(stages, start=1):
                artefact = self.artefact(stage.name, number)
                if artefact is None:
                    try:
                        artefact = self._do(stage, number, done, of=len(stages))
                    except InsufficientLabelsError as error:
                        artefact = {"outcome": "insufficient_labels", "note": str(error)}
                        self._write(self._path(stage.name, number), artefact)
                done[stage.name] = artefact
                if "outcome" in artefact:
                    ended = Outcome(cast("RetrainOutcome", artefact["outcome"]), str(artefact.get("note", "")))
                    self._write(self.folder / OUTCOME, {"outcome": ended.outcome, "note": ended.note})
                    self.say("run", "ended", outcome=ended.outcome, note=ended.note)
                    return ended
        raise TrainingError(f"run {self.folder.name}: its last stage {stages[-1].name!r} told no outcome")

    def outcome(self) -> Outcome | None:
        """How it ended; None while it has not."""
        content = _read(self.folder / OUTCOME)
        return None if content is None else Outcome(content["outcome"], content["note"])

    def artefact(self, name: str, number: int) -> Artefact | None:
        """Return what a stage told; None before it is done."""
        return _read(self._path(name, number))

    def part(self, name: str) -> Path:
        """Folder with the files of a stage that is done."""
        return self.folder / name

    def drop(self, name: str) -> None:
        """Remove the files of a stage once the run is over; its artefact stays."""
        if self.outcome() is not None:
            shutil.rmtree(self.part(name), ignore_errors=True)

    def say(self, stage: str, what: str, **more: Any) -> None:  # noqa: ANN401  whatever JSON can hold
        """Note and show progress."""
        line: Told = {"at": round(time.time(), 3), "stage": stage, "what": what, **more}
        with (self.folder / PROGRESS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        self._tell(line)

    def _do(self, stage: Stage, number: int, done: Mapping[str, Artefact], *, of: int) -> Artefact:
        self.say(stage.name, "begins", number=number, of=of)
        started = time.monotonic()
        scratch = self.folder / f"{_UNFINISHED}{stage.name}"
        scratch.mkdir()
        artefact = stage.do(done, scratch)
        # The folder first: with its artefact everything of a stage is there.
        if any(scratch.iterdir()):
            scratch.replace(self.part(stage.name))
        else:
            scratch.rmdir()
        self._write(self._path(stage.name, number), artefact)
        self.say(stage.name, "is done", seconds=round(time.monotonic() - started, 1))
        return artefact

    def _clear(self) -> None:
        """Remove what a process that was killed left half done."""
        for path in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        # A folder that was put in place without its artefact is of a stage that is done anew.
        told = {path.stem.partition("-")[2] for path in self.folder.glob("[0-9][0-9]-*.json")}
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in told:
                shutil.rmtree(path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / LOCK).open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(
                    f"run {self.folder.name}: another process is at it; this one ends, and that one goes on"
                ) from None
            yield  # the lock goes with the process, however it ends

    def _path(self, name: str, number: int) -> Path:
        return self.folder / f"{number:02}-{name}.json"

    def _write(self, path: Path, content: Artefact) -> None:
        unfinished = path.with_name(f"{_UNFINISHED}{path.name}")
        with unfinished.open("w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)


def begun_with(folder: Path) -> str | None:
    """Digest of the model that a run began with, by its folder; None where its plan is gone or cannot be read."""
    try:
        plan = _read(folder / "01-plan.json")
    except TrainingError:
        return None
    champion = ((plan or {}).get("record") or {}).get("champion")
    return None if champion is None else str(champion)


def _read(path: Path) -> Artefact | None:
    try:
        content: Artefact = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path.name}: cannot be read ({type(error).__name__}); remove the run's folder") from None
    return content
