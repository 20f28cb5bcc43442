"""Runs the real `footfall-monitor run` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from support.served import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def start(data_dir: Path, port: int = 0, **settings: object) -> tuple[subprocess.Popen[str], str]:
    """Start a monitor of the database in a folder, checking every second; the process and the host:port it is at.

    Args:
        settings: FOOTFALL_* without the prefix.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    environment |= {"FOOTFALL_DATA_DIR": str(data_dir), "FOOTFALL_MONITOR_INTERVAL_S": "1"}
    environment |= {f"FOOTFALL_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "monitoring", "run", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    log = process.stderr
    address = json.loads(log.readline())["metrics"]
    threading.Thread(target=_read_on, args=(log,), daemon=True).start()
    return process, address.removeprefix("http://").removesuffix("/metrics")


def _read_on(log: IO[str]) -> None:
    """A program whose log nobody reads would wait for somebody who does."""
    with log:
        for _ in log:
            pass


@contextmanager
def monitored(data_dir: Path) -> Iterator[str]:
    """A monitor until the end of the block, where it must end in order; gives the host:port of its metrics."""
    process, address = start(data_dir)
    with process:
        try:
            yield address
        finally:
            process.terminate()
            assert process.wait(15) == 0
