"""Counts, events, pictures and health over the API."""

from __future__ import annotations

import dataclasses
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from support.drifted import Drifted

from footfall.domain import CameraState, Coverage, Crossing, StateChange, ZoneVisit
from footfall.errors import ModelError, StoreError
from service.api.app import create_app
from service.capacity import Capacity

AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def crossing(number: int, camera_id: str = "gate") -> Crossing:
    return Crossing(f"{number:032x}", camera_id, "door", "in", AT, number)


def visit(number: int) -> ZoneVisit:
    return ZoneVisit(f"{number:032x}", "gate", "hall", AT, AT, 4.5, "left", number)


@pytest.fixture
def rows(world: Any, gate: Any) -> None:
    world.database.rows = [
        SimpleNamespace(
            camera_id="gate",
            line="=cmd|'/c calc'!A1",
            bucket_at=AT,
            in_=3,
            out=2,
            effective_in=2,
            effective_out=1,
            watched_s=1800.0,
            seconds=3600.0,
            coverage=0.5,
        )
    ]


@pytest.mark.usefixtures("rows")
def test_counts_as_json_carry_coverage(client: TestClient, world: Any) -> None:
    answer = client.get("/api/v1/counts?bucket=day&since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z&camera=gate")
    assert answer.json()["rows"] == [
        {
            "camera": "gate",
            "line": "=cmd|'/c calc'!A1",
            "bucket_at": "2026-01-31T12:00:00Z",
            "in": 3,
            "out": 2,
            "effective_in": 2,
            "effective_out": 1,
            "watched_s": 1800.0,
            "seconds": 3600.0,
            "coverage": 0.5,
            "valid": True,
        }
    ]
    assert answer.json()["invalid"] == []
    assert world.database.asked == {
        "since": datetime(2026, 1, 1, tzinfo=UTC),
        "until": datetime(2026, 2, 1, tzinfo=UTC),
        "bucket": "day",
        "camera_ids": ["gate"],
    }


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("query", "accept"), [("?format=csv", "application/json"), ("", "text/csv, */*;q=0.1")], ids=["query", "header"]
)
def test_counts_as_csv_hold_no_formula(client: TestClient, query: str, accept: str) -> None:
    answer = client.get(f"/api/v1/counts{query}", headers={"Accept": accept})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text == (
        "camera,line,bucket_at,in,out,effective_in,effective_out,watched_s,seconds,coverage,valid\r\n"
        "gate,'=cmd|'/c calc'!A1,2026-01-31T12:00:00Z,3,2,2,1,1800.0,3600.0,0.5,true\r\n"
    )


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("since_h", "closed_h", "valid"),
    [
        pytest.param(-2, 0, True, id="was over before the bucket"),
        pytest.param(-2, 0.01, False, id="ends in it"),
        pytest.param(0.99, None, False, id="begins in it and is not over"),
        pytest.param(1, None, True, id="begins after it"),
    ],
)
def test_counts_of_a_camera_that_looks_elsewhere_are_given_and_marked(
    client: TestClient, world: Any, since_h: float, closed_h: float | None, *, valid: bool
) -> None:
    drifted = Drifted(world.services.drift, AT)
    episode = drifted.episode("gate", "moved", since_h=since_h, invalidates=True)
    drifted.episode("hall", "moved", since_h=-9, invalidates=True)
    if closed_h is not None:
        drifted.store.end_episode(episode.id, "redrawn", at=AT + timedelta(hours=closed_h), by="ada")
    world.database.zone_rows = [
        SimpleNamespace(
            **{**vars(world.database.rows[0]), "zone": "a", "visits": 1, "left": 1, "lost": 0}, mean_dwell_s=2
        )
    ]
    span = "bucket=hour&since=2026-01-31T00:00:00Z&until=2026-02-01T00:00:00Z&camera=gate"
    for path in ("counts", "zone-counts"):
        answer = client.get(f"/api/v1/{path}?{span}").json()
        assert [row["valid"] for row in answer["rows"]] == [valid]
        (said,) = answer["invalid"]
        assert (said["camera"], said["cause"], said["means"]) == ("gate", "moved", "it looks elsewhere")
        assert (said["until"] is None) == (closed_h is None)
    assert client.get(f"/api/v1/counts?{span}").json()["rows"][0]["in"] == 3  # never dropped, never zeroed
    assert client.get(f"/api/v1/counts?{span}&format=csv").text.endswith(f",{str(valid).lower()}\r\n")


@pytest.mark.usefixtures("rows")
def test_json_wins_when_asked_for_by_name(client: TestClient) -> None:
    answer = client.get("/api/v1/counts?format=json", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ("bucket=week", "bucket", "Input should be 'minute', 'hour' or 'day'"),
        (
            "since=2026-01-01T00:00:00",
            "since",
            "has no time zone; expected a time such as 2026-01-31T08:00:00Z",
        ),
        ("since=yesterday", "since", "not a time; expected one such as 2026-01-31T08:00:00Z"),
        (
            "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            "since",
            "not before `until`; expected an earlier time",
        ),
        (
            "bucket=minute&since=2016-01-01T00:00:00Z&until=2026-01-01T00:00:00Z",
            "since",
            "more than 7 days before `until`; ask for less or a longer bucket",
        ),
        ("format=xml", "format", "Input should be 'json' or 'csv'"),
    ],
)
def test_bad_questions(client: TestClient, gate: Any, query: str, field: str, detail: str) -> None:
    for path in ("counts", "zone-counts"):
        answer = client.get(f"/api/v1/{path}?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"field": field, "detail": detail}]


def test_events_are_read_page_by_page(client: TestClient, world: Any, gate: Any) -> None:
    world.database.log = [crossing(1), visit(2), crossing(3)]
    first = client.get("/api/v1/events?limit=2").json()
    assert [event["type"] for event in first["events"]] == ["crossing", "visit"]
    assert first["next_cursor"] == 2
    second = client.get("/api/v1/events?limit=2&after=2").json()
    assert [event["cursor"] for event in second["events"]] == [3]
    assert second["next_cursor"] is None
    assert client.get("/api/v1/events?limit=1001").status_code == 422
    assert client.get("/api/v1/events?camera=nobody").status_code == 404
    newest = client.get("/api/v1/cameras/gate/events?limit=1").json()
    assert [event["cursor"] for event in newest] == [3]


def test_states_are_listed(client: TestClient, world: Any, gate: Any) -> None:
    world.database.changes = [StateChange("gate", CameraState.OFFLINE, AT, "refused")]
    assert client.get("/api/v1/cameras/gate/states").json() == [
        {"type": "state", "camera": "gate", "state": "offline", "at": "2026-01-31T12:00:00Z", "detail": "refused"}
    ]


def test_committed_events_come_over_the_websocket(client: TestClient, world: Any, gate: Any) -> None:
    with client.websocket_connect("ws://127.0.0.1:8600/api/v1/events/live?camera=gate") as socket:
        deadline_s = time.monotonic() + 5
        while not world.events.subscriptions and time.monotonic() < deadline_s:
            time.sleep(0.01)
        world.events.publish([crossing(1, "other"), Coverage("gate", AT, 5.0, 25), crossing(2), visit(3)])
        assert socket.receive_json()["id"] == f"{2:032x}"
        assert socket.receive_json()["dwell_s"] == 4.5
    deadline_s = time.monotonic() + 5
    while not world.events.subscriptions[0].closed and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert world.events.subscriptions[0].closed


def test_live_tells_state_and_people(client: TestClient, world: Any, gate: Any) -> None:
    now = client.get("/api/v1/cameras/gate/live").json()
    assert (now["state"], now["people"], now["people_in_zone"]) == ("live", 2, {"hall": 1})
    world.live.states["gate"] = CameraState.STALLED
    now = client.get("/api/v1/live").json()[0]
    assert (now["state"], now["people"], now["people_in_zone"]) == ("stalled", None, None)


def test_snapshot(client: TestClient, world: Any, gate: Any) -> None:
    missing = client.get("/api/v1/cameras/gate/snapshot.jpg")
    assert missing.json()["detail"] == "camera 'gate' has no picture now; its state is live"
    world.live.sequences["gate"] = 1
    answer = client.get("/api/v1/cameras/gate/snapshot.jpg?width=320")
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/jpeg", "no-store")
    assert answer.content.startswith(b"\xff\xd8")
    assert client.get("/api/v1/cameras/gate/snapshot.jpg?width=100000").status_code == 422


def test_a_stream_ends_when_the_service_stops(client: TestClient, world: Any, gate: Any) -> None:
    world.live.sequences["gate"] = 1
    threading.Timer(0.5, world.services.stopping.set).start()
    answer = client.get("/api/v1/cameras/gate/stream.mjpg?fps=10")
    assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=footfall-picture"
    parts = answer.content.split(b"--footfall-picture\r\n")
    assert 2 <= len(parts) - 2 <= 7  # 10 a second for half a second
    assert b"Content-Length: 15\r\n" in parts[1]


def test_the_system_names_model_and_database(client: TestClient, gate: Any) -> None:
    system = client.get("/api/v1/system").json()
    assert system["model"]["name"] == "yolo11n"
    assert (system["database"], system["cameras"]) == ("sqlite", {"live": 1})
    assert system["capacity"] is None


def test_the_system_tells_whether_the_machine_is_large_enough(world: Any) -> None:
    stages = {"decode": 2.5, "detect": 10.0, "count": 5.0, "other": 2.5}
    now = Capacity(250.0, 100.0, "detect", stages, 2, 1.9, 0.19, 20, {"gate": 10.0})
    services = dataclasses.replace(world.services, capacity=lambda: now)
    with TestClient(create_app(services), base_url="http://127.0.0.1:8600") as client:
        capacity = client.get("/api/v1/system").json()["capacity"]
    assert (capacity["needed_fps"], capacity["available_fps"], capacity["ratio"]) == (250.0, 100.0, 2.5)
    assert (capacity["limiting_stage"], capacity["stage_ms"]) == ("detect", stages)
    assert (capacity["cameras_possible"], capacity["next_camera_cores"]) == (20, 0.19)


def test_readiness_needs_database_and_model_and_health_needs_nothing(client: TestClient, world: Any) -> None:
    world.database.is_away = True
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "not ready: the database does not answer (StoreError)"
    assert client.get("/healthz").status_code == 200


def test_readiness_needs_a_model(make_world: Any) -> None:
    import dataclasses

    from fastapi.testclient import TestClient

    from service.api.app import create_app

    def no_model() -> Any:
        raise ModelError("model.onnx: wrong hash")

    services = dataclasses.replace(make_world().services, detector=no_model)
    with TestClient(create_app(services), base_url="http://127.0.0.1") as client:
        assert client.get("/readyz").json()["detail"] == "not ready: the model is not loaded (ModelError)"


def test_metrics_are_there(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "footfall_commit_failures_total 0.0" in answer.text


def test_openapi_describes_every_operation(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert len(paths) >= 20
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert operation["summary"], (path, method)
            assert operation["description"], (path, method)


def test_a_probe_answers_what_is_wrong_without_the_password(client: TestClient) -> None:
    secret = "rtsp://admin:p@:/%?#é@127.0.0.1:1/main"  # nobody listens there
    answer = client.post("/api/v1/cameras/probe", json={"url": secret})
    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    assert answer.json()["url_masked"] == "rtsp://***@127.0.0.1:1/main"
    assert answer.json()["problem"]
    assert "p@:" not in answer.text
    refused = client.post("/api/v1/cameras/probe", json={"url": "concat:a|b"})
    assert refused.status_code == 422


def test_pages_hold_no_inline_script_or_style(client: TestClient, gate: Any) -> None:
    for path in ("/", "/cameras/gate", "/login"):
        page = client.get(path).text
        assert page.count("<script") == page.count('<script type="module" src="/static/') == 1
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page


def test_names_are_text_and_never_markup(client: TestClient, world: Any, gate: Any) -> None:
    client.patch("/api/v1/cameras/gate", json={"name": '<img src=x onerror="alert(1)">'})
    for path in ("/", "/cameras/gate"):
        assert "<img src=x" not in client.get(path).text


def test_a_fault_is_a_problem_without_its_text(client: TestClient, world: Any, gate: Any, capsys: Any) -> None:
    text = "cannot open rtsp://admin:geheim@10.0.0.7"

    def fail(**asked: Any) -> Any:
        raise RuntimeError(text)

    world.database.counts = fail
    answer = client.get("/api/v1/counts")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "a fault of Footfall (RuntimeError); it was logged"
    assert answer.headers["x-content-type-options"] == "nosniff"
    logged = "".join(capsys.readouterr())
    assert "request failed" in logged
    assert "geheim" not in logged


def test_a_database_that_is_away_is_a_503_without_its_address(client: TestClient, world: Any, gate: Any) -> None:
    def fail(**asked: Any) -> Any:
        raise StoreError("cannot connect to postgresql://user:geheim@db/footfall")

    world.database.events = fail
    answer = client.get("/api/v1/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"] == "the database does not answer (StoreError); try again shortly"
