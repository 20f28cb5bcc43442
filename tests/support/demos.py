"""Runs a demo of `scripts/` as its make target does, with a folder of its own for what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def told_by(script: str, scratch: Path, *, seconds: int, timeout_s: int) -> str:
    """Return what a demo printed; it must end well, in time, and leave nothing behind.

    Args:
        seconds: after which it gives up by itself.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL_", "DEMO_"))}
    ended = subprocess.run(
        [sys.executable, f"scripts/{script}"],
        cwd=ROOT,
        env=environment | {"TMPDIR": str(scratch), "PYTHONPATH": str(ROOT), "DEMO_SECONDS": str(seconds)},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert list(scratch.iterdir()) == []
    return ended.stdout
