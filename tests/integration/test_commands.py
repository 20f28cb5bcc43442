"""The commands as their user runs them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.figures import walk, write_film
from support.served import ROOT

PASSWORD = "p@:/%?#é"


def footfall(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FOOTFALL_")}
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env={**environment, "FOOTFALL_DATA_DIR": str(folder / "data"), **settings},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """One person to the right, one to the left, and one who turns round on the far side of the line."""
    there = walk((240, 320), (400, 320), begins_s=6, lasts_s=2)
    back = walk((400, 320), (240, 320), begins_s=8.1, lasts_s=2)
    people = [
        walk((60, 200), (580, 200), begins_s=0.5, lasts_s=4),
        walk((580, 280), (60, 280), begins_s=1, lasts_s=4),
        there,
        back,
    ]
    return write_film(tmp_path / "street.mp4", people, lasts_s=11)


def test_count_tells_lines_zones_and_frames_and_writes_files(film: Path, figure_model: Path, tmp_path: Path) -> None:
    answer = footfall(
        *("count", str(film), "--model", str(figure_model), "--fps", "5", "--json"),
        *("--line", "door:0.5,0,0.5,1", "--zone", "right:0.5,0,1,0,1,1,0.5,1"),
        *("--csv", str(tmp_path / "events.csv"), "--video", str(tmp_path / "out.mp4")),
        folder=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert report["frames"] == {"received": 110, "analysed": 55, "dropped": 55}
    assert report["coverage"] == 1.0
    (line,) = report["lines"]
    assert (line["in"], line["out"], line["effective_in"], line["effective_out"]) == (2, 2, 1, 1)
    assert [event["direction"] for event in line["events"]] == ["out", "in", "out", "in"]
    assert line["events"][0]["t_s"] == pytest.approx(2.5, abs=0.15)
    (zone,) = report["zones"]
    assert zone["entries"] == 3
    assert zone["exits"] + zone["lost"] == 3
    with (tmp_path / "events.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 7
    assert (tmp_path / "out.mp4").stat().st_size > 1000


def test_count_on_a_live_camera_ends_with_ctrl_c(
    film: Path, figure_model: Path, tmp_path: Path, rtsp_server: Callable[..., Any]
) -> None:
    server = rtsp_server([("/street", film)])
    server.protect("/street", "operator", PASSWORD)
    url = server.url("/street", "operator", PASSWORD)
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "count", url, "--model", str(figure_model), "--json"],
        cwd=ROOT,
        env={**os.environ, "FOOTFALL_DATA_DIR": str(tmp_path / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Each crossing is told as it happens; the film goes on for ever, so a command that loads slowly sees a later round.
    told = ""
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    assert process.stderr is not None
    while not {"middle in", "middle out"} <= {line.partition(" ")[2] for line in told.splitlines()}:
        line = process.stderr.readline()
        assert line, f"it ended before it had seen both:\n{told}"
        told += line
    watchdog.cancel()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    errors = told + errors
    assert process.returncode == 0, errors
    report = json.loads(out)
    (line,) = report["lines"]
    assert line["name"] == "middle"
    assert line["in"] >= 1
    assert line["out"] >= 1
    frames = report["frames"]
    assert frames["received"] == frames["analysed"] + frames["dropped"]
    assert report["coverage"] > 0.95
    assert PASSWORD not in out + errors
    assert report["source"].startswith("rtsp://***@127.0.0.1:")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("count", "nothing.mp4"), 1, "film 'nothing.mp4': there is no such file"),
        (("count", "film.mp4", "--line", "door:0,0"), 2, "--line 'door:0,0': holds 2 numbers"),
        (("count", "film.mp4", "--line", "door"), 2, "expected NAME:x1,y1,x2,y2"),
        (("count", "film.mp4", "--line", "door:0,0,0,0"), 2, "start and end are both"),
        (("count", "film.mp4", "--zone", "z:0,0,1,1"), 2, "expected NAME:x1,y1,x2,y2,x3,y3"),
        (("count", "ftp://host/x"), 2, "not supported"),
        (("serve", "--config", "nothing.yaml"), 2, "nothing.yaml: cannot be read"),
        (("serve", "--host", "0.0.0.0"), 2, "no token is set"),
        (("evaluate", "."), 1, "has no video.mp4"),
        (("models", "use", "nothing"), 1, "model 'nothing': is not in the registry; known are: none"),
        (("models", "import", "nothing.onnx"), 1, "there is no such file"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_the_right_status(
    arguments: tuple[str, ...], status: int, message: str, tmp_path: Path
) -> None:
    answer = footfall(*arguments, folder=tmp_path)
    assert answer.returncode == status
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_models_are_imported_listed_used_tried_out_and_rolled_back(figure_model: Path, tmp_path: Path) -> None:
    from support.figures import write_figure_model

    other = write_figure_model(tmp_path / "other", note="another one")

    def models(*arguments: str, status: int = 0) -> str:
        answer = footfall("models", *arguments, folder=tmp_path)
        assert answer.returncode == status, answer.stderr
        return answer.stdout + answer.stderr

    assert "to serve with it: footfall models use first" in models("import", str(figure_model), "--name", "first")
    models("import", str(other), "--name", "second")
    assert "change 1: first (" in models("use", "first")
    assert "second" in models("promote", "second", "--why", "sees more at night")
    listed = json.loads(models("list", "--json"))
    assert {each["name"]: (each["in_use"], each["alias"]) for each in listed} == {
        "embedded": (False, ""),
        "first": (False, "previous"),
        "second": (True, "champion"),
    }
    assert "* second" in models("list")
    assert "nothing was changed" in models("use", "second")
    assert "camera 'moon': is not there" in models("canary", "first", "--camera", "moon", status=1)
    assert "is tried out on no camera, only beside the champion" in models("canary", "first")
    assert "first (" in models("canary", "--end")
    assert "is the champion, back again, after second (" in models("rollback")
    assert "no previous champion to go back to" in models("rollback", status=1)
    assert "* first" in models("list")
    assert "* embedded" in models("use", "embedded") + models("list")
    log = models("log").splitlines()
    assert [line.split()[0] for line in log] == ["6", "5", "4", "3", "2", "1"]
    assert "sees more at night" in log[4]
    assert [each["aliases"]["number"] for each in json.loads(models("log", "--limit", "2", "--json"))] == [6, 5]


def test_a_site_is_checked_and_cameras_listed_and_exported_without_their_password(tmp_path: Path) -> None:
    from footfall.config import SiteFile, read_site
    from footfall.stores.database import Database
    from service.wiring import apply_site

    site = tmp_path / "site.yaml"
    url = f"rtsp://admin:{PASSWORD}@10.0.0.7/main"
    site.write_text(json.dumps({"site": "mall", "cameras": [{"id": "gate", "url": url}]}), encoding="utf-8")
    checked = footfall("check-config", "--config", str(site), folder=tmp_path)
    assert "site 'mall', 1 cameras" in checked.stdout
    database = Database(f"sqlite:///{tmp_path / 'data' / 'footfall.db'}")
    database.migrate()
    apply_site(database, read_site(site))
    apply_site(database, SiteFile.model_validate({"cameras": [{"id": "other", "url": "film.mp4"}]}))
    assert [camera.id for camera in database.cameras()] == ["other"]
    apply_site(database, read_site(site))
    database.close()
    listed = footfall("cameras", "list", folder=tmp_path)
    exported = footfall("cameras", "export", folder=tmp_path)
    assert "gate" in listed.stdout
    assert "rtsp://***@10.0.0.7/main" in exported.stdout
    assert PASSWORD not in listed.stdout + exported.stdout + checked.stdout
    assert (tmp_path / "data" / "footfall.db").stat().st_mode & 0o077 == 0
