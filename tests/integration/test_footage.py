"""Figures on real footage: floors that must not be undercut; what was measured stands in docs/decisions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.served import ROOT, Served

pytestmark = [pytest.mark.footage, pytest.mark.slow]


def footfall(*arguments: str, tmp_path: Path, **settings: str) -> Any:
    answer = subprocess.run(
        [sys.executable, "-m", "service", *arguments, "--json"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={"PATH": "/usr/bin:/bin", "FOOTFALL_DATA_DIR": str(tmp_path), **settings},
    )
    return json.loads(answer.stdout)


@pytest.mark.parametrize(
    ("fps", "accuracy", "event_f1"),
    [
        pytest.param("10", 0.92, 0.92, id="10 fps"),
        pytest.param("5", 0.92, 0.92, id="5 fps"),
        pytest.param("2.5", 0.89, 0.90, id="2.5 fps"),
    ],
)
def test_ten_lines_over_a_busy_plaza(footage: Path, tmp_path: Path, fps: str, accuracy: float, event_f1: float) -> None:
    folder, model = footage / "PETS09-S2L1-a", footage / "models" / "yolo11n.onnx"
    report = footfall("evaluate", str(folder), "--model", str(model), "--fps", fps, tmp_path=tmp_path)
    assert report["counting"]["accuracy"] >= accuracy
    assert report["counting"]["event_f1"] >= event_f1
    assert report["detection"]["precision"] >= 0.88
    assert report["detection"]["recall"] >= 0.88


@pytest.mark.parametrize("fps", ["10", "5"])
def test_four_people_on_a_walkway(footage: Path, tmp_path: Path, fps: str) -> None:
    folder, model = footage / "walkway-audited", footage / "models" / "yolo11n.onnx"
    report = footfall("evaluate", str(folder), "--model", str(model), "--fps", fps, tmp_path=tmp_path)
    assert (report["counting"]["accuracy"], report["counting"]["event_f1"]) == (1.0, 1.0)


def test_six_people_one_by_one_and_how_long_each_stayed(footage: Path, tmp_path: Path) -> None:
    folder, model = footage / "one-by-one-audited", footage / "models" / "yolo11n.onnx"
    report = footfall("evaluate", str(folder), "--model", str(model), "--fps", "5", tmp_path=tmp_path)
    assert (report["counting"]["accuracy"], report["counting"]["event_f1"]) == (1.0, 1.0)
    assert (report["visits"]["found"], report["visits"]["matched"]) == (6, 6)
    assert report["visits"]["worst_dwell_error_s"] <= 1.0


def test_counts_of_eight_live_cameras_equal_those_of_their_films(
    footage: Path, tmp_path: Path, rtsp_server: Callable[..., Any]
) -> None:
    """Real people over real RTSP; a live camera's frames fall a little differently from the film's."""
    model = footage / "models" / "yolo11n.onnx"
    films = {"plaza": footage / "PETS09-S2L1-a/video.mp4", "walk": footage / "walkway-audited/video.mp4"}
    lengths_s = {"plaza": 40.0, "walk": 242 / 30}
    names = [f"{kind}{number}" for kind in films for number in range(4)]
    server = rtsp_server([(f"/{name}", films[name[:-1]]) for name in names])
    line = {"name": "middle", "start": [0.5, 0.0], "end": [0.5, 1.0]}
    cameras = [{"id": name, "url": server.url(f"/{name}"), "lines": [line]} for name in names]
    with Served(tmp_path / "service", cameras, model, input_size=320, max_batch=8) as service:
        wanted_s = 1.02 * lengths_s["plaza"] + 1
        service.wait_for(lambda: service.live("plaza0")["frames"]["received"] >= 10 * wanted_s, 120)
        for kind, film in films.items():
            alone = footfall(
                *("count", str(film), "--model", str(model), "--fps", "5", "--line", "middle:0.5,0,0.5,1"),
                tmp_path=tmp_path,
                FOOTFALL_INPUT_SIZE="320",
            )["lines"][0]
            for name in (each for each in names if each[:-1] == kind):
                frames = service.live(name)["frames"]
                assert frames["received"] == frames["analysed"] + sum(frames["dropped"].values()) + frames["pending"]
                events = service.get(f"/api/v1/events?limit=1000&camera={name}")["events"]
                loops = frames["received"] / (lengths_s[kind] * (10 if kind == "plaza" else 30))
                for way in ("in", "out"):
                    found = sum(event["direction"] == way for event in events)
                    assert abs(found - alone[way] * loops) <= 2 + 0.1 * alone[way] * loops, (name, way, found, alone)
        assert "footfall_frames_unaccounted 0.0" in service.get_text("/metrics")
