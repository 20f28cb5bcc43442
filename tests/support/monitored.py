"""Runs the real `footfall-monitor run` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.served import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def monitored(data_dir: Path) -> Iterator[str]:
    """A monitor of the database in a folder, checking every second; gives the host:port of its metrics."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    environment |= {"FOOTFALL_DATA_DIR": str(data_dir), "FOOTFALL_MONITOR_INTERVAL_S": "1"}
    command = [sys.executable, "-m", "monitoring", "run", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = json.loads(process.stderr.readline())["metrics"]
            yield address.removeprefix("http://").removesuffix("/metrics")
        finally:
            process.terminate()
            assert process.wait(15) == 0
