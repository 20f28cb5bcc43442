"""Runs one command within limits and writes down how it ended: `python -m monitoring.supervise FOLDER COMMAND…`.

It belongs to no other process: whoever started it may end, and whoever comes later reads the folder. There
`job.json` says the limits, `lock` is held while it runs, `started.json`, `log` and `ended.json` are written, and a file
`cancel` ends it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import psutil

JOB, LOCK, STARTED, ENDED, LOG, CANCEL = "job.json", "lock", "started.json", "ended.json", "log", "cancel"
_LOOK_S: Final = 0.5
_GRACE_S: Final = 10.0
MB: Final = 1_000_000


def main(arguments: list[str]) -> int:
    """Run and return 0; 1 when another one runs or ran here already."""
    folder, command = Path(arguments[0]), arguments[1:]
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    lock = (folder / LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 1
    if (folder / STARTED).exists():
        return 1
    os.nice(int(job["nice"]))
    with (folder / LOG).open("wb") as log:
        try:
            child = subprocess.Popen(  # noqa: S603  the operator's own command
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            _write(folder / STARTED, {"pid": None})
            _write(folder / ENDED, {"status": None, "why": f"{command[0]} cannot be run ({error.strerror})"})
            return 0
        _write(folder / STARTED, {"pid": child.pid})
        why = _watch(child, folder, deadline_s=float(job["deadline_s"]), memory_mb=float(job["memory_mb"]))
        _write(folder / ENDED, {"status": child.returncode, "why": why})
    return 0


def _watch(child: subprocess.Popen[bytes], folder: Path, *, deadline_s: float, memory_mb: float) -> str:
    """Wait for the end, or make one; returns why, empty when it ended by itself."""
    begin_s = time.monotonic()
    while child.poll() is None:
        why = ""
        if (folder / CANCEL).exists():
            why = "cancelled"
        elif time.monotonic() - begin_s > deadline_s:
            why = f"took longer than {deadline_s:g} s"
        elif (used_mb := _memory_mb(child.pid)) > memory_mb:
            why = f"took {used_mb:.0f} MB of memory; {memory_mb:.0f} MB are allowed"
        if why:
            _end(child)
            return why
        time.sleep(_LOOK_S)
    return ""


def _memory_mb(pid: int) -> float:
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.Error:  # one of them ended meanwhile
        pass
    return total / MB


def _end(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)  # it leads a group of its own
        try:
            child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _write(path: Path, content: dict[str, Any]) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(content), encoding="utf-8")
    unfinished.replace(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
