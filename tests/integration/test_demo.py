"""`make demo` as a newcomer runs it: the detector that ships, drawn cameras, and a film of one's own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from support.figures import walk, write_film

from service.commands.demo import CAMERAS, Row, clean_accuracy, demo_site

ROOT = Path(__file__).resolve().parents[2]


def environment(scratch: Path, **more: str) -> dict[str, str]:
    scratch.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FOOTFALL_", "DEMO_"))}
    return kept | {"FOOTFALL_PORT": "0", "FOOTFALL_LOG_LEVEL": "warning", "TMPDIR": str(scratch), **more}


def run_demo(scratch: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["scripts/demo.sh"],
        cwd=ROOT,
        env=environment(scratch, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


def cells(output: str, camera: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if re.match(rf"│ {camera} ", line)]
    return [cell.strip() for cell in line.strip("│").split("│")]


@pytest.mark.slow
def test_the_demo_tells_how_right_it_counted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = run_demo(tmp_path / "scratch", DEMO_SECONDS="60")
    assert re.search(r"^Footfall is at http://127\.0\.0\.1:\d+$", ended.stdout, re.MULTILINE), ended.stderr
    assert re.search(r"^Detector: embedded ", ended.stdout, re.MULTILINE)
    for camera in CAMERAS:
        _, counted, true, _, coverage, rate, happened = cells(ended.stdout, camera.id)
        assert int(true) >= 2
        assert int(counted) >= 1
        assert float(rate) > 2
        assert happened == (camera.trouble or "nothing")
        share = float(coverage.rstrip("%"))
        assert share > 90 if camera.id != "plaza" else 40 < share < 85
    right = re.search(
        r"^Undisturbed cameras: counted ([\d.]+)% right \(at least 95% expected\)$", ended.stdout, re.MULTILINE
    )
    assert right is not None, ended.stdout
    assert ended.returncode == (0 if float(right[1]) >= 95 else 1)
    # Ten a second are asked for; a machine that is too busy for that says nothing about the counting.
    keeps_up = all(float(cells(ended.stdout, camera.id)[5]) >= 8 for camera in CAMERAS if not camera.trouble)
    assert float(right[1]) >= (95 if keeps_up else 60), ended.stdout
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_demo_that_counts_badly_says_so_and_ones_own_film_is_counted_beside(
    tmp_path: Path, figure_model: Path
) -> None:
    figure = walk((40, 300), (600, 300), begins_s=0.5, lasts_s=4)
    film = write_film(tmp_path / "a film & more.mp4", [figure], lasts_s=5)
    # A detector of red boxes finds none of the drawn people.
    ended = run_demo(tmp_path / "scratch", DEMO_SECONDS="25", DEMO_SOURCE=str(film), FOOTFALL_MODEL=str(figure_model))
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Undisturbed cameras: counted " in ended.stdout
    _, counted, true, accuracy, *_ = cells(ended.stdout, "own")
    assert int(counted) >= 2
    assert (true, accuracy) == ("unknown", "–")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_ctrl_c_stops_everything(tmp_path: Path, figure_model: Path) -> None:
    scratch = tmp_path / "scratch"
    process = subprocess.Popen(
        ["scripts/demo.sh"],
        cwd=ROOT,
        env=environment(scratch, FOOTFALL_MODEL=str(figure_model)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        url = next(line.split()[-1] for line in process.stdout if line.startswith("Footfall is at"))
        deadline_s = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{url}/api/v1/live", timeout=5) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "counted" not in output  # no summary of half a run
    assert list(scratch.iterdir()) == []
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=5)


def test_a_source_of_ones_own_that_is_none_is_named_without_its_password(tmp_path: Path) -> None:
    ended = run_demo(tmp_path / "scratch", DEMO_SOURCE="ftp://user:geheim@10.0.0.1/film")
    assert ended.returncode == 2
    assert ended.stderr.startswith("footfall: DEMO_SOURCE: ")
    assert "scheme 'ftp' is not supported; expected one of rtsp:" in ended.stderr
    assert "geheim" not in ended.stdout + ended.stderr
    assert list((tmp_path / "scratch").iterdir()) == []


def test_every_camera_of_the_demo_counts_at_a_line_of_its_scene() -> None:
    cameras = [camera.to_domain() for camera in demo_site().cameras]
    assert [camera.id for camera in cameras] == [camera.id for camera in CAMERAS]
    assert all(len(camera.lines) == 1 for camera in cameras)
    assert len([camera for camera in CAMERAS if camera.trouble]) == 2


def row(camera: str, found: int, truth: int | None, errors: int | None, trouble: str = "") -> Row:
    return Row(camera, trouble, found, truth, errors, coverage=1.0, fps=5.0)


def test_only_undisturbed_cameras_with_a_truth_are_judged() -> None:
    rows = [row("a", 19, 20, 1), row("b", 20, 20, 0), row("c", 0, 9, 9, "dark"), row("own", 5, None, None)]
    assert clean_accuracy(rows) == 1 - 1 / 40
    assert [each.accuracy for each in rows] == [0.95, 1.0, 0.0, None]
    assert clean_accuracy(rows[2:]) is None
