"""Evidently's reports: the same scores as the pulse's, opened by the ordinary `evidently ui`, and nothing sent out."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.evidently_reports import (
    AT,
    CAMERAS,
    SITE,
    references_of,
    statistics_of,
    thresholds_of,
    window_of,
    written_by_itself,
)

from footfall.stores.blobs import BlobStore
from monitoring.distance import distance
from monitoring.drift import EvidenceWriter, StoredEvidence, is_installed


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with reports on every camera, and what was said to have been written."""
    folder = tmp_path_factory.mktemp("reports")
    return folder, written_by_itself(folder)


@pytest.mark.parametrize("camera", CAMERAS)
def test_evidently_says_what_the_pulse_says(written: tuple[Path, dict[str, Any]], camera: str) -> None:
    verdicts = written[1][camera]["verdicts"]
    references = references_of(camera)
    pulse = {
        name: distance(references[name], now) for name, (_, now) in statistics_of(camera).items() if name in references
    }
    judged = {name: found.score for name, found in pulse.items() if found is not None}
    assert {name: verdict["score"] for name, verdict in verdicts.items()} == pytest.approx(judged, rel=1e-5, abs=1e-9)
    assert {name: verdict["is_drifted"] for name, verdict in verdicts.items()} == {
        name: score > 0.5 for name, score in judged.items()
    }
    # Not only what is easy: something is cut, something has the floor, some drifted and some did not.
    assert judged["sharpness"] < 20
    assert judged["saturation"] == pytest.approx(0.75)
    assert judged["clipped_share"] == 0
    assert judged["noise"] < 0.6
    assert {verdict["is_drifted"] for verdict in verdicts.values()} == {True, False}
    assert set(written[1][camera]["left_out"]) == {"box_height_median", "edge_touching_share", "view_match"}


def test_a_report_is_one_page_and_its_numbers(written: tuple[Path, dict[str, Any]]) -> None:
    folder, told = written
    blobs = BlobStore(str(folder / "blobs"))
    html = gzip.decompress(blobs.get(told["gate"]["html_key"])).decode()
    assert "<!DOCTYPE html>" in html[:100]
    assert "Value drift for luminance" in html
    said = json.loads(blobs.get(told["gate"]["json_key"]))
    assert {each["config"]["column"] for each in said["metrics"]} == set(told["gate"]["verdicts"])
    assert {each["config"]["method"] for each in said["metrics"]} == {"wasserstein"}
    # Nothing of it fails a strict reader.
    json.loads(blobs.get(told["gate"]["json_key"]), parse_constant=pytest.fail)


def test_the_ordinary_ui_opens_the_workspace(written: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    port = _free_port()
    log = tmp_path / "ui.log"
    with log.open("w") as output:
        ui = subprocess.Popen(
            [
                *(shutil.which("evidently") or str(Path(sys.executable).with_name("evidently")), "ui"),
                *("--workspace", str(written[0] / "workspace"), "--host", "127.0.0.1", "--port", str(port)),
            ],
            env=os.environ | {"DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore"},
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        project = _asked(f"http://127.0.0.1:{port}/api/projects", ui, log)
        assert [each["name"] for each in project] == [SITE]
        runs = _asked(f"http://127.0.0.1:{port}/api/projects/{project[0]['id']}/snapshots", ui, log)
    finally:
        ui.terminate()
        ui.wait(timeout=20)
    assert {each["id"] for each in runs} == {each["run_id"] for each in written[1].values()}
    gate = next(each for each in runs if each["metadata"]["camera"] == "gate")
    assert gate["tags"] == ["gate", "alarm"]
    assert datetime.fromisoformat(gate["timestamp"]) == AT
    assert gate["metadata"]["against"] == "ten like days"
    assert gate["metadata"]["cause"] == "fog"
    assert "saturation" in gate["metadata"]["in thousandths of the usual spread"]


def test_asking_whether_it_is_installed_imports_nothing() -> None:
    assert is_installed()
    assert "evidently" not in sys.modules


def test_what_cannot_be_compared_is_no_report(tmp_path: Path) -> None:
    writer = EvidenceWriter(BlobStore(str(tmp_path / "blobs")), tmp_path / "workspace", site=SITE)
    short = window_of("gate", 59)
    assert writer.write(short, references_of("gate"), thresholds_of("gate"), reason="daily") is None
    assert writer.write(window_of("gate"), {}, thresholds_of("gate"), reason="daily") is None
    assert list(tmp_path.iterdir()) == []


class Kept:
    """A store with reports as they are named, without writing them."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.blobs = BlobStore(str(folder / "blobs"))
        self.writer = EvidenceWriter(self.blobs, folder / "workspace", site=SITE, **limits)
        self.runs = self.writer._runs
        assert self.runs is not None
        self.runs.mkdir(parents=True)

    def put(self, camera: str, at: datetime, reason: str, run: int) -> str:
        run_id = f"00000000-0000-0000-0000-{run:012d}"
        stem = f"evidence/{camera}/{at:%Y%m%dT%H%M%SZ}-{reason}-{run_id}"
        self.blobs.put(f"{stem}.html.gz", b"x" * 600)
        self.blobs.put(f"{stem}.json", b"x" * 100)
        assert self.runs is not None
        (self.runs / f"{run_id}.json").write_bytes(b"x" * 300)
        return run_id

    def left(self) -> list[tuple[str, str]]:
        return [(each.camera_id, each.reason) for each in self.writer.stored()]

    def run_names(self) -> set[str]:
        assert self.runs is not None
        return {path.stem for path in self.runs.iterdir()}


def test_a_report_is_due_once_a_day_and_on_an_alarm_that_is_new(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    due = kept.writer.is_due
    assert due("gate", AT, is_unusual=False)
    kept.put("gate", AT, "daily", 1)
    assert not due("gate", AT + timedelta(hours=10), is_unusual=False)
    assert due("gate", AT + timedelta(hours=11), is_unusual=False)  # the next day
    assert due("gate", AT + timedelta(hours=1), is_unusual=True)
    kept.put("gate", AT + timedelta(hours=1), "alarm", 2)
    assert not due("gate", AT + timedelta(hours=6), is_unusual=True)
    assert due("gate", AT + timedelta(hours=7), is_unusual=True)
    assert due("hall", AT, is_unusual=False)


def test_old_reports_go_with_their_runs(tmp_path: Path) -> None:
    kept = Kept(tmp_path, keep=timedelta(days=30))
    old = kept.put("gate", AT - timedelta(days=31), "daily", 1)
    new = kept.put("gate", AT - timedelta(days=29), "alarm", 2)
    assert kept.run_names() == {old, new}
    assert kept.writer.tidy(AT) == 1
    assert kept.left() == [("gate", "alarm")]
    assert kept.run_names() == {new}
    assert kept.writer.tidy(AT) == 0


def test_the_oldest_reports_go_when_there_are_too_many_bytes(tmp_path: Path) -> None:
    kept = Kept(tmp_path, most_bytes=2500)
    runs = [kept.put(camera, AT + timedelta(hours=n), "alarm", n) for n, camera in enumerate(("b", "a", "c", "a"))]
    assert [each.size for each in kept.writer.stored()] == [1000] * 4  # both blobs and the run
    assert kept.writer.tidy(AT + timedelta(hours=9)) == 2
    assert kept.left() == [("a", "alarm"), ("c", "alarm")]
    assert kept.run_names() == set(runs[2:])


def test_runs_without_a_report_go_unless_they_are_new_and_other_things_stay(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    now = datetime.now(UTC)
    lost = kept.put("gate", now - timedelta(hours=1), "alarm", 1)
    kept.blobs.delete_below("evidence")
    kept.blobs.put("evidence/gate/notes.txt", b"by somebody else")
    kept.writer.tidy(now)
    assert kept.run_names() == {lost}
    kept.writer.tidy(now + timedelta(days=2))
    assert kept.run_names() == set()
    assert kept.blobs.get("evidence/gate/notes.txt")


def test_reports_are_kept_without_a_workspace_too(tmp_path: Path) -> None:
    writer = EvidenceWriter(BlobStore(str(tmp_path)), None, site=SITE)
    BlobStore(str(tmp_path)).put("evidence/gate/20260102T000000Z-daily.json", b"{}")
    stored = StoredEvidence(
        "gate",
        datetime(2026, 1, 2, tzinfo=UTC),
        "daily",
        None,
        ("evidence/gate/20260102T000000Z-daily.json",),
        2,
    )
    assert list(writer.stored()) == [stored]
    assert writer.tidy(AT) == 0
    assert writer.tidy(AT + timedelta(days=30)) == 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _asked(url: str, ui: subprocess.Popen[bytes], log: Path, timeout_s: float = 120) -> Any:
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except OSError:
            assert ui.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline_s, log.read_text()[-3000:]
            time.sleep(0.2)
