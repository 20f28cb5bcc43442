"""The monitor on real stores: what people said becomes figures, for Prometheus too; what is unknown stays so."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient
from support.monitored import monitored
from support.reviewed import MODEL, Reviewed
from support.served import ROOT

from footfall.config import Settings
from footfall.domain import Camera, Coverage, Crossing, Line, QualityEstimate, Sampling, event_id
from footfall.errors import StoreError
from footfall.stores.database import Database
from footfall.stores.quality import QualityStore
from footfall.stores.retrains import RetrainStore
from footfall.stores.samples import SampleStore
from monitoring.checker import Checker
from monitoring.metrics import MonitorMetrics
from monitoring.server import create_app
from monitoring.wiring import Monitor

NOW = datetime(2026, 3, 2, 10, 20, tzinfo=UTC)
DOOR = Line("door", (0.0, 0.5), (1.0, 0.5))
GATE = Camera("gate", "sim:mall", lines=(DOOR,), sampling=Sampling("prove the count"))


class Site:
    """A database with one camera, and a monitor of it."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'footfall.db'}")
        self.database.migrate()
        self.database.put_camera(GATE)
        self.reviewed = Reviewed(self.database, NOW)
        self.metrics = MonitorMetrics(target=0.95)
        self.checker = Checker(
            self.database,
            SampleStore(self.database),
            QualityStore(self.database),
            self.metrics,
            window=timedelta(days=28),
            least=30,
            keep=timedelta(days=60),
        )

    def found(self, measure: str, scope: str = "camera") -> QualityEstimate:
        (one,) = [each for each in self.checker.check(NOW) if (each.measure, each.scope) == (measure, scope)]
        return one


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.database.close()


def test_verdicts_become_precision_by_what_each_track_stands_for(site: Site) -> None:
    site.reviewed.population(900, "4")
    site.reviewed.population(100, "1")
    site.reviewed.tracks(50, 0, stratum="4")
    site.reviewed.tracks(25, 25, stratum="1")
    precision = site.found("precision_reviewed")
    assert precision.value == pytest.approx(0.95)
    assert precision.lower is not None
    assert precision.upper is not None
    assert precision.lower < 0.95 < precision.upper
    assert (precision.n, precision.missing, precision.population, precision.model) == (100, 0, 1000, MODEL)
    assert precision.newest_at == site.reviewed.said_at
    assert site.found("precision_reviewed", "site").value == precision.value
    text = site.metrics.render().decode()
    labels = f'{{camera="gate",line="",model="{MODEL}",scope="camera"}}'
    assert f"footfall_precision_reviewed_ratio{labels} 0.95" in text
    assert f"footfall_precision_reviewed_samples{labels} 100.0" in text


def test_targeted_samples_and_those_of_an_earlier_model_enter_no_figure(site: Site) -> None:
    site.reviewed.population(1000)
    site.reviewed.tracks(40, 0)
    before = site.found("precision_reviewed")
    site.reviewed.tracks(0, 200, queue="targeted", probability=None, reason="uncertain")
    site.reviewed.tracks(0, 200, model="00000000000a", hours_ago=3)
    after = site.found("precision_reviewed")
    assert (after.value, after.n) == (before.value, before.n) == (1.0, 40)


def test_with_too_few_verdicts_there_is_no_series_but_how_many_are_missing(site: Site) -> None:
    site.reviewed.population(1000)
    site.reviewed.tracks(10, 2)
    site.reviewed.sample({"verdict": "unsure"})
    assert (site.found("precision_reviewed").value, site.found("precision_reviewed").missing) == (None, 18)
    text = site.metrics.render().decode()
    assert "footfall_precision_reviewed_ratio{" not in text
    assert 'footfall_precision_reviewed_missing_samples{camera="gate"' in text
    assert "footfall_count_balance_error_ratio{" not in text


def test_recall_is_of_the_people_marked_empty_frames_among_them(site: Site) -> None:
    boxes = [[100.0 * n, 10.0, 100.0 * n + 40, 110.0] for n in range(4)]
    for hour in range(8):
        site.reviewed.frame(boxes, boxes[:3], hours_ago=hour, probability=0.1)
    for hour in range(8, 10):
        site.reviewed.frame(boxes, [], hours_ago=hour, probability=0.1)
    site.reviewed.frame([], boxes[:1], hours_ago=11, probability=0.1)
    recall = site.found("recall_audited")
    assert recall.value == pytest.approx(24 / 40)
    assert recall.n == 40


def test_count_accuracy_is_of_clips_that_a_person_counted(site: Site) -> None:
    for hour in range(6):
        site.reviewed.clip((4, 3), (4, 2) if hour == 0 else (4, 3), hours_ago=hour)
    accuracy = site.found("count_accuracy_audited", "line")
    assert (accuracy.line, accuracy.n) == ("door", 42)
    assert accuracy.value == pytest.approx(1 - 1 / 42)


def test_in_and_out_of_a_watched_day_balance_or_not(site: Site) -> None:
    begin = NOW.replace(hour=0, minute=0) - timedelta(days=1)
    crossings = [
        Crossing(event_id("r", "gate", n), "gate", "door", "in" if n < 55 else "out", begin + timedelta(minutes=n), n)
        for n in range(100)
    ]
    watched = [Coverage("gate", begin + timedelta(minutes=n), 60.0, 300) for n in range(1440)]
    site.database.store(crossings + watched[: 1440 // 2])
    assert not [each for each in site.checker.check(NOW) if each.measure == "count_balance_error"]
    site.database.store(watched[1440 // 2 :])
    balance = site.found("count_balance_error", "line")
    assert balance.value == pytest.approx(0.1)
    assert (balance.n, balance.until - balance.since) == (100, timedelta(days=1))


def test_confidences_are_worth_what_verdicts_say(site: Site) -> None:
    site.reviewed.population(1000)
    site.reviewed.tracks(50, 0, detail={"score": 0.9})
    site.reviewed.tracks(25, 25, detail={"score": 0.4})
    for _ in range(100):  # drawn, and not reviewed yet
        site.reviewed.sample(None, detail={"score": 0.4})
    estimated = site.found("precision_estimated")
    assert estimated.value == pytest.approx((50 * 1.0 + 150 * 0.5) / 200)
    assert (estimated.n, estimated.lower) == (200, None)


def test_a_database_that_is_away_takes_the_figures_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.reviewed.population(1000)
    site.reviewed.tracks(40, 0)
    site.checker.check(NOW)
    assert "footfall_precision_reviewed_ratio{" in site.metrics.render().decode()

    def away(*_: Any, **__: Any) -> None:
        raise StoreError("database (sqlite): away")

    monkeypatch.setattr(site.database, "transaction", away)
    with pytest.raises(StoreError):
        site.checker.check(NOW)
    text = site.metrics.render().decode()
    assert "footfall_precision_reviewed_ratio{" not in text
    assert "footfall_monitor_check_failures_total 1.0" in text


def test_metrics_ask_for_the_token_when_one_is_set(site: Any) -> None:
    metrics, store = MonitorMetrics(target=0.95), RetrainStore(site.database)
    app = create_app(metrics, store, site=lambda: "mall", cooldown=timedelta(days=7), token="0123456789abcdef")
    client = TestClient(app)
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    answer = client.get("/metrics", headers={"Authorization": "Bearer 0123456789abcdef"})
    assert "footfall_precision_target_ratio 0.95" in answer.text


def test_a_viewer_reads_metrics_and_asks_for_nothing(site: Any) -> None:
    metrics, store = MonitorMetrics(target=0.95), RetrainStore(site.database)
    tokens = {"token": "0123456789abcdef", "viewer_token": "fedcba9876543210"}
    client = TestClient(create_app(metrics, store, site=lambda: "mall", cooldown=timedelta(days=7), **tokens))
    viewer = {"Authorization": "Bearer fedcba9876543210"}
    assert client.get("/metrics", headers=viewer).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
    asked = client.post("/v1/alertmanager", json={"version": "4", "alerts": []}, headers=viewer)
    assert asked.status_code == 401
    operator = {"Authorization": "Bearer 0123456789abcdef"}
    assert client.post("/v1/alertmanager", json={"version": "4", "alerts": []}, headers=operator).status_code == 202


def test_the_command_checks_once_and_serves_until_it_is_stopped(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    database = Database(f"sqlite:///{tmp_path / 'footfall.db'}")
    database.migrate()
    database.put_camera(GATE)
    reviewed = Reviewed(database, now)
    reviewed.population(500)
    reviewed.tracks(57, 3)
    database.close()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    environment |= {"FOOTFALL_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "monitoring"]
    once = subprocess.run(
        [*command, "check", "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    found = {(each["measure"], each["scope"]): each for each in json.loads(once.stdout)["quality"]}
    assert found["precision_reviewed", "camera"]["value"] == pytest.approx(0.95)
    said = subprocess.run([*command, "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert "camera gate: precision_reviewed: 95.0% (" in said.stdout
    with monitored(tmp_path) as address:
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        text = ""
        while "footfall_precision_reviewed_ratio{" not in text and datetime.now(UTC) < deadline:
            with (
                contextlib.suppress(urllib.error.URLError),
                urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer,
            ):
                text = answer.read().decode()
        assert "footfall_precision_reviewed_ratio{" in text


def test_the_command_asks_for_a_better_model_once(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    environment |= {"FOOTFALL_DATA_DIR": str(tmp_path)}

    def ask(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "monitoring", "request", "--reason", "Tenants doubt the gate", *options]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    first, again, other = ask(), ask(), ask("--force")
    assert re.fullmatch(r"[0-9a-f]{32}: asked \(waiting\)\nIt waits: no launcher is set .*\n", first.stdout)
    assert (again.returncode, "the same was asked before" in again.stdout) == (0, True)
    assert (other.returncode, "another one is not over yet" in other.stdout) == (1, True)
    unknown = ask("--camera", "nowhere")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        "footfall-monitor: camera 'nowhere': is not there; nothing was asked\n",
    )


def test_who_wants_it_to_end_before_it_listens_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve = uvicorn.Server.run
    deaf: list[bool] = []

    def told_too_soon(server: uvicorn.Server, sockets: Any = None) -> None:
        def end_it() -> None:
            deaf.append(True)
            server.should_exit = True

        late = threading.Timer(20, end_it)
        late.start()
        os.kill(os.getpid(), signal.SIGTERM)
        serve(server, sockets=sockets)
        late.cancel()

    monkeypatch.setattr(uvicorn.Server, "run", told_too_soon)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        Monitor(Settings(data_dir=tmp_path, monitor_port=0)).run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert deaf == []
