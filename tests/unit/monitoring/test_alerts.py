"""Alertmanager's messages: what asks for a better model is asked for once, all else is let pass, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from footfall.stores.database import Database
from footfall.stores.retrains import RetrainStore
from monitoring.metrics import MonitorMetrics
from monitoring.server import create_app

TOKEN = "0123456789abcdef0123456789abcdef"
PATH = "/v1/alertmanager"
LABELS = {
    "alertname": "FootfallPrecisionBelowTarget",
    "retrain": "ask",
    "scope": "camera",
    "camera": "gate",
    "model": "0123456789ab",
}


class Monitor:
    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'footfall.db'}")
        self.database.migrate()
        self.store = RetrainStore(self.database)
        self.metrics = MonitorMetrics(target=0.95)
        app = create_app(self.metrics, self.store, site=lambda: "mall", cooldown=timedelta(days=7), token=TOKEN)
        self.client = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})

    def post(self, *alerts: dict[str, Any], **changes: Any) -> Any:
        body = {"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "footfall", "alerts": list(alerts)}
        return self.client.post(PATH, json=body | changes)


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    made = Monitor(tmp_path)
    yield made
    made.database.close()


def alert(status: str = "firing", **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": LABELS | labels,
        "annotations": {"summary": "Precision of camera gate is at most 91%"},
        "startsAt": "2026-03-01T12:00:00Z",
        "fingerprint": "1f",
    }


def test_an_alert_that_asks_becomes_one_request_however_often_it_is_sent(monitor: Monitor) -> None:
    answers = [monitor.post(alert()) for _ in range(100)]
    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json() for answer in answers] == [{"created": 1}] + [{"duplicate": 1}] * 99
    (request,) = monitor.store.requests()
    assert (request.cause, request.slice, request.champion) == ("precision", "gate", "0123456789ab")
    assert (request.site, request.source) == ("mall", "alert")
    assert request.reason == "Precision of camera gate is at most 91%"
    found = monitor.metrics.registry.get_sample_value("footfall_retrain_asks_total", {"answer": "duplicate"})
    assert found == 99


@pytest.mark.parametrize(
    "other",
    [
        alert("resolved"),
        alert(retrain="no"),
        alert(camera="../../etc"),
        alert(cause="rm -rf"),
        alert(camera="a\nb"),
    ],
)
def test_what_does_not_ask_or_names_what_no_alert_of_ours_names_is_let_pass(
    monitor: Monitor, other: dict[str, Any]
) -> None:
    answer = monitor.post(other)
    assert (answer.status_code, answer.json()) == (202, {"ignored": 1})
    assert monitor.store.requests() == []


def test_several_alerts_in_one_message_ask_for_one_at_a_time(monitor: Monitor) -> None:
    assert monitor.post(alert(), alert(camera="hall"), alert("resolved")).json() == {
        "created": 1,
        "active": 1,
        "ignored": 1,
    }


def test_a_cause_may_be_named_and_an_odd_model_is_not_believed(monitor: Monitor) -> None:
    monitor.post(alert(alertname="MyOwnRule", cause="fog", camera="", model="latest; drop table"))
    (request,) = monitor.store.requests()
    assert (request.cause, request.slice, request.champion) == ("fog", "", "")


def test_without_the_token_nobody_asks(monitor: Monitor) -> None:
    answer = monitor.client.post(
        PATH, json={"version": "4", "alerts": [alert()]}, headers={"Authorization": "Bearer x"}
    )
    assert answer.status_code == 401
    assert monitor.store.requests() == []


def test_another_version_is_refused_and_a_huge_body_too(monitor: Monitor) -> None:
    assert monitor.post(alert(), version="5").status_code == 422
    assert monitor.client.post(PATH, content=b" " * 2_000_000).status_code == 413
    assert monitor.store.requests() == []


def test_a_database_that_is_away_is_a_reason_to_send_it_again(monitor: Monitor) -> None:
    monitor.database.close()
    with monitor.database.transaction() as connection:
        connection.exec_driver_sql("DROP TABLE retrain_requests")
    answer = monitor.post(alert())
    assert answer.status_code == 503
    assert answer.json()["detail"].endswith("send it again")
