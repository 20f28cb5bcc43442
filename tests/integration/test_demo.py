"""`make demo` as a newcomer runs it, on a film and with a detector of our own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from support.figures import walk, write_film

ROOT = Path(__file__).resolve().parents[2]


def test_demo_counts_on_a_film_tells_its_page_and_leaves_nothing_behind(tmp_path: Path, figure_model: Path) -> None:
    figure = walk((40, 300), (600, 300), begins_s=0.5, lasts_s=4)
    film = write_film(tmp_path / "a film & more.mp4", [figure], lasts_s=5)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FOOTFALL_")}
    environment |= {
        "DEMO_SOURCE": str(film),
        "DEMO_SECONDS": "9",
        "FOOTFALL_MODEL": str(figure_model),
        "FOOTFALL_PORT": "0",
        "FOOTFALL_LOG_LEVEL": "info",
        "TMPDIR": str(scratch),
    }
    ended = subprocess.run(
        ["scripts/demo.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^Footfall is at http://127\.0\.0\.1:\d+$", ended.stdout, re.MULTILINE)
    assert '"state": "live"' in ended.stderr
    assert list(scratch.iterdir()) == []
