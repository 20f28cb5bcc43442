"""Cameras, lines and zones over the API; secrets go in and never come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

PASSWORD = "p@:/%?#é"
SECRET_URL = f"rtsp://admin:{PASSWORD}@10.0.0.7/main"
MASKED = "rtsp://***@10.0.0.7/main"
CAMERAS = "/api/v1/cameras"
LINE = {"name": "door", "start": [0.1, 0.5], "end": [0.9, 0.5]}
ZONE = {"name": "hall", "polygon": [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]], "min_inside_s": 2.0}


def test_a_camera_lives_from_post_to_delete(client: TestClient, world: Any) -> None:
    added = client.post(CAMERAS, json={"id": "gate", "url": SECRET_URL, "lines": [LINE]})
    assert (added.status_code, added.headers["location"]) == (201, "/api/v1/cameras/gate")
    assert added.json()["url_masked"] == MASKED
    assert "url" not in added.json()
    assert world.fleet.running["gate"].url == SECRET_URL
    configured = {name: value for name, value in added.json().items() if name != "admission"}
    assert client.get(CAMERAS).json() == [configured] == [client.get(f"{CAMERAS}/gate").json()]

    assert client.post(CAMERAS, json={"id": "gate", "url": SECRET_URL}).status_code == 409
    assert client.delete(f"{CAMERAS}/gate").status_code == 204
    assert world.fleet.running == {} == world.database.stored
    assert client.get(f"{CAMERAS}/gate").status_code == 404


def test_leave_to_sample_needs_a_purpose_and_can_be_taken_back(client: TestClient, world: Any) -> None:
    camera = {"id": "gate", "url": SECRET_URL}
    assert client.post(CAMERAS, json={**camera, "sampling": {"tracks_per_day": 10}}).status_code == 422
    answer = client.post(CAMERAS, json={**camera, "sampling": {"purpose": "audit", "tracks_per_day": 10}}).json()
    assert answer["sampling"] == {
        "purpose": "audit",
        "tracks_per_day": 10,
        "frames_per_day": 4,
        "targeted_per_day": 20,
        "clips_per_day": 2,
        "clip_s": 60.0,
        "retention_h": 72.0,
        "labelled_retention_days": 30.0,
    }
    assert client.patch(f"{CAMERAS}/gate", json={"name": "New"}).json()["sampling"] == answer["sampling"]
    assert client.patch(f"{CAMERAS}/gate", json={"sampling": None}).json()["sampling"] is None
    assert world.fleet.running["gate"].sampling is None


@pytest.mark.parametrize("sent", [{}, {"url": MASKED}])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_stored_url_is_kept(client: TestClient, world: Any, gate: Any, method: str, sent: dict[str, str]) -> None:
    answer = client.request(method, f"{CAMERAS}/gate", json={"name": "New", **sent})
    assert answer.status_code == 200
    assert world.fleet.running["gate"].url == world.database.stored["gate"].url == SECRET_URL
    assert answer.json()["name"] == "New"
    assert len(answer.json()["lines"]) == (1 if method == "PATCH" else 0)


def test_a_mask_with_another_host_is_refused(client: TestClient, world: Any, gate: Any) -> None:
    answer = client.patch(f"{CAMERAS}/gate", json={"url": "rtsp://***@evil.test/main"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "url",
            "detail": "holds *** where a secret stood; send the whole URL, or leave it out to keep it",
        }
    ]
    assert world.database.stored["gate"].url == SECRET_URL


def test_put_adds_a_camera_that_is_not_there(client: TestClient) -> None:
    assert client.put(f"{CAMERAS}/new", json={"url": "film.mp4", "loop": True}).status_code == 201
    answer = client.put(f"{CAMERAS}/other", json={"name": "x"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "url: missing; a new camera needs one"


@pytest.mark.parametrize(("kind", "part"), [("lines", LINE), ("zones", ZONE)])
def test_lines_and_zones_are_parts_of_a_camera(
    client: TestClient, world: Any, gate: Any, kind: str, part: dict[str, Any]
) -> None:
    path = f"{CAMERAS}/gate/{kind}"
    other = {**part, "name": "other"}
    assert client.put(path, json=[part, other]).status_code == 200
    assert [each["name"] for each in client.get(path).json()] == [part["name"], "other"]
    unnamed = {name: value for name, value in part.items() if name != "name"}
    assert client.put(f"{path}/third", json=unnamed).json()["name"] == "third"
    assert client.put(f"{path}/third", json=unnamed).status_code == 200
    assert client.delete(f"{path}/other").status_code == 204
    assert client.delete(f"{path}/other").status_code == 404
    assert [each.name for each in getattr(world.fleet.running["gate"], kind)] == [part["name"], "third"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param({"url": "rtsp://h/a"}, "id: missing; it is required", id="no id"),
        pytest.param({"id": "gate"}, "url: missing; it is required", id="no url"),
        pytest.param(
            {"id": "../etc", "url": "rtsp://h/a"},
            "id: String should match pattern '^[A-Za-z0-9][A-Za-z0-9_.=-]{0,63}$'",
            id="bad id",
        ),
        pytest.param(
            {"id": "a", "url": "ftp://u:geheim@h/a"},
            "url: scheme 'ftp' is not supported; expected one of rtsp:, rtsps:, http:, https:, file:, v4l2:, sim: or a "
            "file path",
            id="bad scheme",
        ),
        pytest.param(
            {"id": "a", "url": "rtsp://u:ge/heim@"},
            "url: no host after rtsp://; expected [user:password@]host[:port]/path",
            id="no host",
        ),
        pytest.param({"id": "a", "url": "rtsp://h/a", "colour": 1}, "colour: unknown; leave it out", id="unknown key"),
        pytest.param(
            {"id": "a", "url": "rtsp://h/a", "target_fps": 0},
            "target_fps: Input should be greater than 0",
            id="no rate",
        ),
        pytest.param(
            {"id": "a", "url": "rtsp://h/a", "lines": [{**LINE, "end": [0.1, 0.5]}]},
            "lines[0]: start and end are both (0.1, 0.5); a counting line needs two different points",
            id="line of one point",
        ),
        pytest.param(
            {"id": "a", "url": "rtsp://h/a", "lines": [{**LINE, "end": [0.1, 1.5]}]},
            "lines[0].end[1]: Input should be less than or equal to 1",
            id="point outside",
        ),
        pytest.param(
            {"id": "a", "url": "rtsp://h/a", "lines": [LINE, LINE]},
            "body: lines: 'door' is there 2 times; names must be unique",
            id="two of a name",
        ),
        pytest.param(
            {"id": "a", "url": "rtsp://h/a", "zones": [{**ZONE, "polygon": [[0, 0], [1, 1], [0.5, 0.5]]}]},
            "zones[0]: polygon has no area; a zone needs at least three corners that are not on one line",
            id="flat zone",
        ),
        pytest.param([], "body: Input should be a valid dictionary or object to extract fields from", id="a list"),
    ],
)
def test_bad_cameras(client: TestClient, world: Any, body: Any, detail: str) -> None:
    answer = client.post(CAMERAS, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"] == detail
    assert problem["type"] == "urn:footfall:problem:invalid-input"
    assert (problem["status"], problem["instance"]) == (422, CAMERAS)
    assert world.database.stored == {}


def test_a_body_that_is_no_json(client: TestClient) -> None:
    answer = client.post(CAMERAS, content=b'{"id": ', headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "body: not valid JSON at character 7"


def test_an_unknown_camera_is_a_404_problem(client: TestClient) -> None:
    for path in ("", "/lines", "/zones", "/events", "/states", "/live", "/snapshot.jpg", "/stream.mjpg"):
        answer = client.get(f"{CAMERAS}/nobody{path}")
        assert answer.status_code == 404, path
        assert answer.json()["detail"] == "camera 'nobody' is not there"
    assert client.get("/cameras/nobody").status_code == 404


def test_the_password_comes_out_nowhere(client: TestClient, gate: Any) -> None:
    client.patch(f"{CAMERAS}/gate", json={"name": "x"})
    bad = [
        client.post(CAMERAS, json={"id": "gate", "url": SECRET_URL}),
        client.post(CAMERAS, json={"id": "../", "url": SECRET_URL}),
        client.post(CAMERAS, json={"id": "b", "url": SECRET_URL.replace("rtsp", "gopher")}),
        client.post(CAMERAS, json={"id": "b", "url": f"rtsp://admin:{PASSWORD}@"}),
        client.post(CAMERAS, json={"id": "b", "url": [SECRET_URL]}),
        client.patch(f"{CAMERAS}/gate", json={"url": f"{SECRET_URL}\n"}),
    ]
    assert {answer.status_code for answer in bad} == {409, 422}
    good = [
        client.get(path)
        for path in (
            "/",
            "/cameras/gate",
            "/metrics",
            "/api/v1/openapi.json",
            CAMERAS,
            f"{CAMERAS}/gate",
            "/api/v1/live",
            "/api/v1/system",
        )
    ]
    for answer in bad + good:
        assert PASSWORD not in answer.text, answer.url
        assert "%3F%23%C3%A9" not in answer.text
        assert "admin:" not in answer.text
    assert MASKED in good[1].text
