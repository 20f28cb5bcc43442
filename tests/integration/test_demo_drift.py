"""`make demo-drift`: from pictures in fog to one retraining, by the real programs, nobody touching anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fog_is_noticed_named_labelled_and_asked_about_once(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL_", "DEMO_"))}
    ended = subprocess.run(
        [sys.executable, "scripts/demo_drift.py"],
        cwd=ROOT,
        env=environment | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT), "DEMO_SECONDS": "540"},
        capture_output=True,
        text=True,
        check=False,
        timeout=590,
    )
    told = ended.stdout
    assert ended.returncode == 0, told + ended.stderr
    for camera in ("entrance", "passage"):
        states = re.findall(rf"{camera}\s+(\w+)\s+(\S+)\s+(\w+)", told)
        before, after = states[: states.index(next(each for each in states if each[1] == "fog"))], states
        assert before[0][0] == "insufficient"  # nothing to compare with yet, and not "no drift"
        assert "investigate" not in {tier for _, _, tier in before}
        assert ("unusual", "fog", "investigate") in after
        assert re.search(rf"{camera}\s+EPISODE: fog, a whitish veil", told)
    assert re.search(r"\d+ frames were drawn and labelled", told)
    assert "RETRAINING" in told
    assert "1 request in all, as it should be" in told
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
