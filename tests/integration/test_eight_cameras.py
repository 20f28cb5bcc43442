"""Eight real RTSP streams into the real service: exact counts, and one sick camera harms no other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.figures import walk, write_film
from support.served import ROOT, Served

WIDTH_PX, HEIGHT_PX = 320, 176
LOOP_S = 10.0
LOOP_FRAMES = 100
LINE = {"name": "door", "start": [0.5, 0.0], "end": [0.5, 1.0]}
PASSWORD = "p@:/%?#é"


def write_street(path: Path, number: int) -> tuple[Path, dict[str, int]]:
    """A film of `LOOP_S` in which number // 2 + 1 people walk to the right and number % 3 to the left."""
    to_right, to_left = number // 2 + 1, number % 3
    figures = [
        walk((20, 80 + 24 * n), (300, 80 + 24 * n), begins_s=0.8 + 0.9 * n, lasts_s=4.5) for n in range(to_right)
    ]
    figures += [
        walk((300, 72 + 30 * n), (20, 72 + 30 * n), begins_s=5.2 + 0.4 * n, lasts_s=4.0) for n in range(to_left)
    ]
    write_film(path, figures, lasts_s=LOOP_S, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    return path, {"out": to_right, "in": to_left}  # the line points down: its right is the screen's left


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, dict[str, int]]]:
    folder = tmp_path_factory.mktemp("streets")
    return [write_street(folder / f"street{number}.mp4", number) for number in range(8)]


def count_film(film: Path, model: Path) -> dict[str, int]:
    command = [sys.executable, "-m", "service", "count", str(film), "--model", str(model), "--fps", "5"]
    answer = subprocess.run(
        [*command, "--line", "door:0.5,0,0.5,1", "--json"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "FOOTFALL_INPUT_SIZE": "320", "FOOTFALL_DATA_DIR": str(film.parent)},
    )
    (line,) = json.loads(answer.stdout)["lines"]
    return {"in": line["in"], "out": line["out"]}


@pytest.fixture
def served(
    tmp_path: Path,
    figure_model: Path,
    streets: list[tuple[Path, dict[str, int]]],
    rtsp_server: Callable[..., Any],
) -> Iterator[tuple[Served, Any]]:
    """Seven cameras on one server, and the one that will be sick on its own, with a password."""
    healthy = rtsp_server([(f"/cam{number}", streets[number][0]) for number in range(1, 8)])
    sick = rtsp_server([("/cam0", streets[0][0])])
    sick.protect("/cam0", "operator", PASSWORD)
    cameras = [
        {
            "id": f"cam{number}",
            "url": sick.url("/cam0", "operator", PASSWORD) if number == 0 else healthy.url(f"/cam{number}"),
            "lines": [LINE],
        }
        for number in range(8)
    ]
    settings = {"input_size": 320, "stall_timeout_s": 3, "open_timeout_s": 3, "auth_retry_s": 2}
    with Served(tmp_path / "service", cameras, figure_model, **settings) as service:
        yield service, sick


def totals(service: Served, camera: str) -> dict[str, int]:
    events = service.get(f"/api/v1/events?limit=1000&camera={camera}")["events"]
    return {way: sum(event["direction"] == way for event in events) for way in ("in", "out")}


def dropped(service: Served, camera: str) -> int:
    """Frames lost for another reason than the chosen rate."""
    reasons = service.live(camera)["frames"]["dropped"]
    return sum(count for reason, count in reasons.items() if reason not in {"rate", "superseded"})


@pytest.mark.slow
def test_counts_of_live_cameras_equal_those_of_the_film(
    served: tuple[Served, Any], streets: list[tuple[Path, dict[str, int]]], figure_model: Path
) -> None:
    service, _ = served
    films = [count_film(film, figure_model) for film, _ in streets]
    assert films == [truth for _, truth in streets]
    service.wait_for(lambda: all(service.live(f"cam{n}")["frames"]["received"] > 215 for n in range(8)), 60)
    for number, truth in enumerate(films):
        least = service.live(f"cam{number}")["frames"]["received"] // LOOP_FRAMES
        found = totals(service, f"cam{number}")
        most = -(-service.live(f"cam{number}")["frames"]["received"] // LOOP_FRAMES)
        # Everybody passes once a loop; each stream began somewhere in its first seconds and may have cut one walk.
        for way in ("in", "out"):
            assert least * truth[way] - 1 <= found[way] <= most * truth[way], (number, way, found, truth, least, most)
        frames = service.live(f"cam{number}")["frames"]
        assert frames["received"] == frames["analysed"] + sum(frames["dropped"].values()) + frames["pending"]
        assert frames["analysed"] >= 0.45 * frames["received"]
    assert "footfall_frames_unaccounted 0.0" in service.get_text("/metrics")
    assert service.terminate() == 0


def _lock_out(camera: Any) -> None:
    camera.protect("/cam0", "operator", "another")
    camera.drop()


def _take_away(camera: Any) -> None:
    camera.remove("/cam0")
    camera.drop()


def _start_again(camera: Any) -> None:
    camera.start()
    camera.protect("/cam0", "operator", PASSWORD)


FAULTS: dict[str, Callable[[Any], None]] = {
    "frozen": lambda camera: camera.freeze("/cam0"),
    "process stopped": lambda camera: camera.pause(),
    "killed": lambda camera: camera.kill(),
    "404": _take_away,
    "401": _lock_out,
    "corrupt": lambda camera: camera.corrupt("/cam0"),
}
CURES: dict[str, Callable[[Any], None]] = {
    "frozen": lambda camera: camera.resume("/cam0"),
    "process stopped": lambda camera: camera.proceed(),
    "killed": _start_again,
    "404": lambda camera: camera.restore("/cam0"),
    "401": lambda camera: camera.protect("/cam0", "operator", PASSWORD),
    "corrupt": lambda camera: camera.heal("/cam0"),
}
STATES = {
    "frozen": "stalled",
    "process stopped": "stalled",
    "killed": "offline",
    "404": "not_found",
    "401": "auth_failed",
    "corrupt": "degraded",
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_sick_camera_shows_its_state_comes_back_and_harms_no_other(served: tuple[Served, Any], fault: str) -> None:
    service, sick = served
    state = STATES[fault]
    others = [f"cam{number}" for number in range(1, 8)]
    service.wait_for(lambda: all(service.live(f"cam{n}")["state"] == "live" for n in range(8)), 20)
    time.sleep(2)
    lost_before = {camera: dropped(service, camera) for camera in others}
    received_before = {camera: service.live(camera)["frames"]["received"] for camera in others}
    begin_s = time.monotonic()

    FAULTS[fault](sick)
    service.wait_for(lambda: service.live("cam0")["state"] == state, 25)
    dark_since = datetime.now(UTC)
    time.sleep(4)
    shown = service.live("cam0")
    if state != "degraded":
        assert shown["people"] is None
        assert shown["sequence"] is None

    CURES[fault](sick)
    back_s = service.wait_for(lambda: service.live("cam0")["state"] == "live", 20)
    assert back_s <= 10

    elapsed_s = time.monotonic() - begin_s
    for camera in others:
        assert dropped(service, camera) == lost_before[camera], camera
        received = service.live(camera)["frames"]["received"] - received_before[camera]
        assert received >= 10 * elapsed_s * 0.95 - 5, (camera, received, elapsed_s)
        assert service.live(camera)["state"] == "live"
    time.sleep(1.5)  # coverage is handed over once a second
    if state != "degraded":
        (row,) = [
            row
            for row in service.get("/api/v1/counts?bucket=day&camera=cam0")["rows"]
            if row["bucket_at"].startswith(f"{datetime.now(UTC):%Y-%m-%d}")
        ]
        (other,) = [
            row
            for row in service.get("/api/v1/counts?bucket=day&camera=cam1")["rows"]
            if row["bucket_at"].startswith(f"{datetime.now(UTC):%Y-%m-%d}")
        ]
        dark_s = (datetime.now(UTC) - dark_since).total_seconds() - 1.5 - back_s
        assert row["watched_s"] <= other["watched_s"] - 0.8 * dark_s
        states = [change["state"] for change in service.get("/api/v1/cameras/cam0/states")]
        assert state in states
    everything = (
        "\n".join(service.log)
        + service.get_text("/metrics")
        + service.get_text("/")
        + service.get_text("/api/v1/cameras")
    )
    for secret in (PASSWORD, "p%40%3A%2F%25%3F%23%C3%A9"):
        assert secret not in everything
    arguments = Path(f"/proc/{service.process.pid}/cmdline").read_bytes()  # type: ignore[union-attr]
    assert PASSWORD.encode() not in arguments
