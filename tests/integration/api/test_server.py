"""The API on a real socket over a real database: streams end, counts and events agree."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from footfall.domain import Coverage, Crossing, ZoneVisit
from footfall.errors import FootfallError
from service.api.server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.01)


def record_some(site: Any, at: datetime) -> None:
    minute = at.replace(second=0, microsecond=0)
    site.recorder.submit(
        [
            Crossing("1" * 32, "gate", "door", "in", at, 1),
            Crossing("2" * 32, "gate", "door", "in", at, 2),
            Crossing("3" * 32, "gate", "door", "out", at, 2, undoes="2" * 32),
            ZoneVisit("4" * 32, "gate", "hall", at, at + timedelta(seconds=3), 3.0, "left", 1),
            Coverage("gate", minute, 30.0, 150),
        ]
    )
    assert site.recorder.flush(5)


def test_what_was_recorded_is_counted_and_listed(site: Any) -> None:
    at = datetime.now(UTC) - timedelta(minutes=10)
    minute = at.replace(second=0, microsecond=0)
    record_some(site, at)
    query = {
        "bucket": "minute",
        "since": minute.isoformat(),
        "until": (minute + timedelta(minutes=1)).isoformat(),
    }
    with httpx2.Client(base_url=site.url) as client:
        (row,) = client.get("/api/v1/counts", params=query).json()["rows"]
        assert (row["in"], row["out"], row["effective_in"], row["effective_out"]) == (2, 1, 1, 0)
        assert (row["watched_s"], row["seconds"], row["coverage"]) == (30.0, 60.0, 0.5)
        (zone,) = client.get("/api/v1/zone-counts", params=query).json()["rows"]
        assert (zone["visits"], zone["left"], zone["lost"], zone["mean_dwell_s"]) == (1, 1, 0, 3.0)
        events = client.get("/api/v1/events", params={"limit": 1000}).json()["events"]
        assert [event["id"][0] for event in events] == ["1", "2", "3", "4"]
        newest = client.get("/api/v1/cameras/gate/events", params={"limit": 2}).json()
        assert [event["id"][0] for event in newest] == ["4", "3"]
        text = client.get("/api/v1/counts", params={**query, "format": "csv"}).text
        assert text.splitlines()[1].startswith("gate,door,")


def test_what_is_changed_is_stored(site: Any) -> None:
    with httpx2.Client(base_url=site.url) as client:
        assert client.put("/api/v1/cameras/gate/lines", json=[]).status_code == 200
        assert client.post("/api/v1/cameras", json={"id": "b", "url": "film.mp4"}).status_code == 201
        assert [camera["id"] for camera in client.get("/api/v1/cameras").json()] == ["b", "gate"]
        assert client.delete("/api/v1/cameras/b").status_code == 204
        assert client.get("/readyz").status_code == 200
    assert site.database.camera("gate").lines == ()
    assert site.database.camera("gate").url == "rtsp://admin:p@:/%?#é@10.0.0.7/main"


def test_a_stream_shows_new_pictures_and_gives_back_its_place(site: Any) -> None:
    site.show_picture(1)
    with httpx2.Client(base_url=site.url, timeout=5) as client:
        with client.stream("GET", "/api/v1/cameras/gate/stream.mjpg") as answer:
            assert answer.headers["cache-control"] == "no-store"
            received = b""
            chunks = answer.iter_bytes()
            sequence = 1
            while received.count(b"\xff\xd8\xff") < 3:
                received += next(chunks)
                sequence += 1
                site.show_picture(sequence)
        limiter = site.server.app.state.stream_limiter
        wait_until(lambda: limiter.borrowed_tokens == 0)
        assert client.get("/api/v1/cameras/gate/snapshot.jpg").content.startswith(b"\xff\xd8\xff")


def test_committed_events_reach_the_websocket(site: Any) -> None:
    with connect(f"ws{site.url[4:]}/api/v1/events/live?camera=gate") as socket:
        time.sleep(0.3)  # it listens from when it is accepted, not from before
        record_some(site, datetime.now(UTC))
        received = [json.loads(socket.recv(timeout=5))["id"][0] for _ in range(4)]
        assert received == ["1", "2", "3", "4"]


def test_a_websocket_of_another_site_is_refused(site: Any) -> None:
    with (
        pytest.raises(InvalidStatus, match="403"),
        connect(f"ws{site.url[4:]}/api/v1/events/live", origin=Origin("http://evil.test")),
    ):
        pass


def test_stopping_ends_streams_and_sockets_at_once(site: Any) -> None:
    site.show_picture(1)
    ended = threading.Event()

    def watch() -> None:
        with httpx2.stream("GET", f"{site.url}/api/v1/cameras/gate/stream.mjpg", timeout=10) as answer:
            try:
                for _ in answer.iter_bytes():
                    pass
            except httpx2.HTTPError:
                pass
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    wait_until(lambda: site.server.app.state.stream_limiter.borrowed_tokens == 1)
    with connect(f"ws{site.url[4:]}/api/v1/events/live") as socket:
        started_s = time.monotonic()
        assert site.server.stop(5)
        assert time.monotonic() - started_s < 4
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=2)
    assert ended.wait(2)


def test_an_address_in_use_is_named(site: Any) -> None:
    with pytest.raises(FootfallError, match=f"cannot listen on 127.0.0.1:{site.server.port}: Address already in use"):
        ApiServer(site.server.app, port=site.server.port)
