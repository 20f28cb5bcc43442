"""Runs every benchmark of this folder, one after the other: two at once would measure each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LONG = {"counting.py", "soak.py"}
"""Take half an hour each and say nothing about speed: run them by themselves."""


def main() -> int:
    """Run each in a process of its own; return 0 when all could be run, whatever they measured."""
    status = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name not in {Path(__file__).name, *LONG}:
            status |= subprocess.run([sys.executable, str(path), *sys.argv[1:]], check=False).returncode
    return 1 if status else 0


if __name__ == "__main__":
    raise SystemExit(main())
