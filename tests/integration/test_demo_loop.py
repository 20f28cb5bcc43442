"""`make demo-loop`: from fog to a better champion and back from a bad one, by the real programs, touched by nobody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(2700)
@pytest.mark.skipif(
    not os.environ.get("FOOTFALL_TEST_FIGURES"),
    reason="takes 18 minutes, and how much is learned differs; FOOTFALL_TEST_FIGURES=1 asks for it",
)
def test_the_loop_closes_and_bad_models_are_stopped(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL_", "DEMO_"))}
    ended = subprocess.run(
        [sys.executable, "scripts/demo_loop.py"],
        cwd=ROOT,
        env=environment | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT), "DEMO_SECONDS": "2400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=2600,
    )
    told = ended.stdout
    assert ended.returncode == 0, told + ended.stderr
    course = (
        r"EPISODE: fog, a whitish veil",
        r"RETRAINING \w{8} (?:waiting|running); asked for by drift policy: fog on ",
        r"MODELS canary: fog-\w+ on \w+, by footfall-retrain: passed its gates",
        r"MODELS promoted: fog-\w+, by monitor: held for",
        r"MODELS promoted: fog-\w+, by somebody in a hurry: the gates are too strict",
        r"MODELS rolled_back: fog-\w+, by monitor: recall on audited frames fell to",
    )
    places = [re.search(each, told) for each in course]
    assert None not in places, told
    begins = [each.start() for each in places if each is not None]
    assert begins == sorted(begins), told
    assert re.search(r"RETRAINING \w{8} promoted; exit status 0: promoted: fog-\w+ is tried out on \w+", told), told
    assert re.search(r"RETRAINING \w{8} rejected; exit status 42: rejected: G", told), told
    assert len(re.findall(r"^  true  ", told, re.MULTILINE)) == 3
    assert "everything came true" in told
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
