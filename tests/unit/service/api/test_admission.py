"""What a camera costs is told before it is added and with the answer that adds it; no camera is refused for it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from support.capacities import two_looks

from footfall.domain import Camera, CameraState
from service.api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

CAMERAS = "/api/v1/cameras"


@pytest.fixture
def running() -> int:
    """So many cameras run, each asks for 5 analyses a second and takes 0.1 of two cores."""
    return 4


@pytest.fixture
def client(world: Any, running: int) -> Iterator[TestClient]:
    now = two_looks(cameras=running, decode_s=0.125 * running, detect_s=0.5 * running, process_s=1.0 * running)
    for number in range(running):
        world.database.put_camera(Camera(f"cam{number}", "rtsp://10.0.0.7/main"))
    services = dataclasses.replace(world.services, capacity=lambda: now)
    with TestClient(create_app(services), base_url="http://127.0.0.1:8600") as client:
        yield client


def add(client: TestClient, **settings: Any) -> Any:
    answer = client.post(CAMERAS, json={"id": "new", "url": "rtsp://10.0.0.8/main", **settings})
    assert answer.status_code == 201
    return answer.json()["admission"]


def test_a_camera_that_fits_is_told_what_it_takes(client: TestClient) -> None:
    assert add(client) == {
        "fits": True,
        "summary": "It takes 0.10 of 2 cores. With it 25 of 100 analyses a second are in use (25%); most goes into "
        "the detector.",
        "cores": 0.1,
        "camera_fps": 5.0,
        "before": {"needed_fps": 20.0, "available_fps": 100.0, "cores_needed": 0.4, "rate_share": 1.0},
        "after": {"needed_fps": 25.0, "available_fps": 100.0, "cores_needed": 0.5, "rate_share": 1.0},
        "limiting_stage": "detect",
    }


@pytest.mark.parametrize("running", [20])
def test_a_camera_that_does_not_fit_is_added_all_the_same_and_told_what_all_get(client: TestClient, world: Any) -> None:
    told = add(client)
    assert "new" in world.fleet.running
    assert (told["fits"], told["limiting_stage"]) == (False, "detect")
    assert told["before"]["rate_share"] == 1.0
    assert (told["after"]["needed_fps"], told["after"]["rate_share"]) == (105.0, 0.946)
    assert told["camera_fps"] == pytest.approx(4.73)
    assert told["summary"] == (
        "The machine is too small for it: with it 105 analyses a second are needed (now 100), and 99 can be done. "
        "It is watched all the same; each camera gets 95% of its rate, this one 4.7 of 5 a second. "
        "Most goes into the detector."
    )


def test_cameras_that_do_not_send_yet_are_reckoned_with(client: TestClient, world: Any) -> None:
    for number in range(16):
        assert add(client, id=f"next{number}")["fits"]
    told = add(client)
    assert (told["fits"], told["before"]["needed_fps"], told["after"]["needed_fps"]) == (False, 100.0, 105.0)


def test_cameras_that_are_switched_off_or_at_their_end_take_nothing(client: TestClient, world: Any) -> None:
    assert add(client, id="off", enabled=False) is None
    add(client, id="film")
    world.live.states["film"] = CameraState.ENDED
    assert add(client)["before"]["needed_fps"] == 20.0


def test_it_is_told_before_a_camera_is_added(client: TestClient) -> None:
    told = client.get("/api/v1/admission?target_fps=5").json()
    assert told == add(client)
    assert client.get("/api/v1/admission?target_fps=5").json()["before"] == told["after"]
    assert client.get("/api/v1/admission?target_fps=60").json()["after"]["needed_fps"] == 85.0
    assert client.get("/api/v1/admission?target_fps=0").status_code == 422


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_change_is_told_what_it_changes(client: TestClient, method: str) -> None:
    def change(**settings: Any) -> Any:
        return client.request(method, f"{CAMERAS}/cam1", json=settings).json()["admission"]

    faster = change(target_fps=8.0)
    assert (faster["before"]["needed_fps"], faster["after"]["needed_fps"]) == (20.0, 23.0)
    assert faster["cores"] == pytest.approx(3 * 0.0175, abs=0.001)  # it is decoded already
    slower = change(target_fps=4.0)
    assert slower["cores"] == pytest.approx(-4 * 0.0175, abs=0.001)
    assert slower["summary"].startswith("It frees 0.07 of 2 cores. With it 19 of")
    assert change(enabled=False) is None
    again = change(enabled=True, target_fps=5.0)
    assert (again["before"]["needed_fps"], again["after"]["needed_fps"]) == (15.0, 20.0)


def test_put_tells_a_new_camera_too(client: TestClient) -> None:
    answer = client.put(f"{CAMERAS}/new", json={"url": "rtsp://10.0.0.8/main", "target_fps": 10})
    assert answer.status_code == 201
    assert answer.json()["admission"]["after"]["needed_fps"] == 30.0


def test_while_nothing_is_analysed_no_cost_is_known(world: Any) -> None:
    with TestClient(create_app(world.services), base_url="http://127.0.0.1:8600") as client:
        assert add(client) is None
        assert client.get("/api/v1/admission").json() is None
