"""Runs retrainings on this machine: a process of its own with little priority, a deadline and a bound on memory."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from monitoring.launchers import Ended, LaunchError, ended_with, told_of
from monitoring.supervise import CANCEL, ENDED, JOB, LOCK, LOG, STARTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from footfall.domain import RetrainRequest

REQUEST: Final = "request.json"
NICE: Final = 15
_START_S: Final = 60.0
_TAIL: Final = 300


class ProcessLauncher:
    """Gives each request a folder and a supervisor, which goes on when this program ends (`monitoring.supervise`).

    Args:
        folder: holds a folder for each request.
        command: of the retraining; gets `--request FILE` after it, and writes what it has to say into the log.
    """

    def __init__(self, folder: Path, command: Sequence[str], *, deadline_s: float, memory_mb: float) -> None:
        self._folder = folder
        self._command = list(command)
        self._supervisors: list[subprocess.Popen[bytes]] = []
        self._limits = {"deadline_s": deadline_s, "memory_mb": memory_mb, "nice": NICE}

    def launch(self, request: RetrainRequest) -> Mapping[str, Any]:
        """Start the supervisor; one that runs or ran already lets a second one end at once."""
        folder = self._folder / request.id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / JOB).write_text(json.dumps(self._limits), encoding="utf-8")
            (folder / REQUEST).write_text(json.dumps(told_of(request)), encoding="utf-8")
            command = [*self._command, "--request", str(folder / REQUEST)]
            supervisor = subprocess.Popen(  # noqa: S603  the operator's own command
                [sys.executable, "-m", "monitoring.supervise", str(folder), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise LaunchError(f"retraining {request.id}: could not be started ({error.strerror})") from None
        self._supervisors.append(supervisor)
        return {"folder": str(folder)}

    def poll(self, request: RetrainRequest) -> Ended | None:
        """Read what the supervisor wrote; one that is gone without a word has failed."""
        # Those that ended are buried by asking.
        self._supervisors = [each for each in self._supervisors if each.poll() is None]
        folder = self._folder / request.id
        try:
            if (folder / ENDED).exists():
                return _read_end(folder)
            if not (folder / STARTED).exists():
                # To look at its lock now could be what makes a supervisor that begins find it taken.
                is_late = time.time() - (folder / JOB).stat().st_mtime > _START_S
                return Ended("failed", "its supervisor did not begin in time") if is_late else None
            if _is_locked(folder / LOCK):
                return None
            if (folder / ENDED).exists():  # between the two looks
                return _read_end(folder)
            return Ended("failed", "its supervisor is gone; the machine or somebody ended it")
        except OSError as error:
            raise LaunchError(f"retraining {request.id}: its folder cannot be read ({error.strerror})") from None

    def cancel(self, request: RetrainRequest) -> None:
        """Let the supervisor end it."""
        try:
            (self._folder / request.id / CANCEL).touch()
        except OSError as error:
            raise LaunchError(f"retraining {request.id}: could not be cancelled ({error.strerror})") from None


def _read_end(folder: Path) -> Ended:
    end = json.loads((folder / ENDED).read_text(encoding="utf-8"))
    if end["why"] == "cancelled":
        return Ended("cancelled", "as somebody wanted")
    if end["why"]:
        return Ended("failed", end["why"])
    status = int(end["status"])
    log = (folder / LOG).read_text(encoding="utf-8", errors="replace").strip()
    last = log.splitlines()[-1][:_TAIL] if log else ""
    return ended_with(status, f"exit status {status}: {last}" if last else "")


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
