"""A drawn scene is a camera like any other: in the service itself, and as a film behind a real RTSP server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.served import ROOT, Served

from footfall.config import Settings
from footfall.simulation import parse_simulation_url
from footfall.vision.simulator.truth import export_scene
from service.probe import probe

SCENE = "sim:corridor?people=8&seed=3&fps=10&size=320x180"
PASSAGE = {"name": "passage", "start": [0.0, 0.6], "end": [1.0, 0.6]}


def test_a_drawn_scene_can_be_served_over_rtsp(tmp_path: Path, rtsp_server: Callable[..., Any]) -> None:
    written = export_scene(parse_simulation_url(SCENE), tmp_path / "corridor", seconds=6)
    assert written.frames == 60
    server = rtsp_server([("/corridor", tmp_path / "corridor/video.mp4")])
    report = probe(server.url("/corridor"), Settings())
    assert (report.ok, report.codec, report.width_px, report.height_px) == (True, "h264", 320, 180)
    assert report.measured_fps == pytest.approx(10, abs=2)


def test_a_probe_tells_what_a_drawn_scene_sends() -> None:
    report = probe(SCENE, Settings())
    assert (report.ok, report.codec, report.width_px, report.height_px) == (True, "sim", 320, 180)
    assert report.announced_fps == 10
    assert report.measured_fps == pytest.approx(10, abs=2)
    assert "scene 'street' is not known" in probe("sim:street", Settings()).problem
    refused = probe(f"{SCENE}&disconnected=1", Settings())
    assert not refused.ok
    assert "does not answer" in refused.problem


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_the_service_shows_counts_beside_the_truth(tmp_path: Path, figure_model: Path) -> None:
    cameras = [
        {"id": "drawn", "url": SCENE, "lines": [PASSAGE]},
        {"id": "lost", "url": f"{SCENE}&disconnected=1&at=2&until=5", "lines": [PASSAGE]},
    ]
    with Served(tmp_path, cameras, figure_model) as served:
        states = set()
        deadline_s = time.monotonic() + 40
        while True:
            states.add(get(f"{served.url}/api/v1/cameras/lost/live")["state"])
            truth = get(f"{served.url}/api/v1/cameras/drawn/truth") if "live" in states else {"truth": 0}
            if (
                truth["truth"] >= 2
                and "offline" in states
                and get(f"{served.url}/api/v1/cameras/lost/live")["state"] == "live"
            ):
                break
            assert time.monotonic() < deadline_s, (truth, states)
            time.sleep(0.2)
        # The tiny detector finds no drawn people: everything true was missed.
        assert (truth["found"], truth["accuracy"]) == (0, 0.0)
        assert truth["lines"][0]["line"] == "passage"
        live = get(f"{served.url}/api/v1/cameras/drawn/live")
        frames = live["frames"]
        assert frames["received"] == frames["analysed"] + sum(frames["dropped"].values()) + frames["pending"]
        before = get(f"{served.url}/api/v1/cameras/lost/truth")
        assert before["truth"] > 0  # the scene went on while nobody was connected


def test_count_looks_at_a_drawn_scene_for_as_long_as_it_is_told(figure_model: Path, tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "service", "count", SCENE, "--seconds", "3", "--json", "--model", str(figure_model)],
        cwd=ROOT,
        env={**os.environ, "FOOTFALL_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    report = json.loads(answer.stdout)
    assert report["frames"]["analysed"] >= 8
    assert report["duration_s"] < 5
