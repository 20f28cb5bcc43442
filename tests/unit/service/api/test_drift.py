"""How cameras changed, over the API: verdicts, episodes, reports, and what people say to them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.drifted import Drifted

from footfall.domain import Camera, DriftAcceptance, Line, Sample, Sampling, Zone

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from footfall.domain import DriftEpisode

DRIFT = "/api/v1/drift"
HOUR = timedelta(hours=1)
ADA = {"by": "ada", "note": "seen on the spot"}


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def drifted(world: Any, now: datetime) -> Drifted:
    return Drifted(world.services.drift, now)


@pytest.fixture
def hall(world: Any, gate: Any) -> Camera:
    """Has leave for sampling; `gate` has none."""
    camera = Camera("hall", "rtsp://127.0.0.1/b", "Hall", sampling=Sampling("mend the model"))
    world.database.put_camera(camera)
    return camera


def frame(world: Any, camera_id: str, number: int, taken_at: datetime, **changes: Any) -> Sample:
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "camera_id": camera_id,
        "unit": "frame",
        "queue": "random",
        "hour_at": taken_at.replace(minute=0, second=0, microsecond=0),
        "stratum": "people",
        "model": "0123456789ab",
        "taken_at": taken_at,
        "probability": 0.1,
        "blob_key": f"samples/{camera_id}/{number}.jpg",
        "media_type": "image/jpeg",
        "width_px": 64,
        "height_px": 36,
        "size_bytes": 4,
        "detail": {"threshold": 0.3, "boxes": []},
    }
    sample = Sample(**(values | changes))
    world.services.samples.add(sample)
    return sample


def test_without_a_monitor_every_camera_is_listed_and_nothing_is_claimed(client: TestClient, gate: Any) -> None:
    answer = client.get(DRIFT).json()
    assert answer["checked_at"] is None
    (camera,) = answer["cameras"]
    assert (camera["camera"], camera["verdict"], camera["episode"]) == ("gate", None, None)
    assert (camera["counts_valid"], camera["can_sample"], camera["learning_until"]) == (True, False, None)
    assert answer["statistics"]["view_match"] == "match with the usual view"


def test_each_camera_has_its_newest_verdict_and_its_open_episode(
    client: TestClient, drifted: Drifted, hall: Any, now: datetime
) -> None:
    drifted.calm("hall", hours=3)
    drifted.verdict("gate", -3)
    drifted.verdict("gate", -2, "moved")
    newest = drifted.verdict("gate", -1, "moved", others=("covered",))
    episode = drifted.episode("gate", "moved", since_h=-2, invalidates=True)
    answer = client.get(DRIFT).json()
    assert answer["checked_at"] == newest.at.isoformat().replace("+00:00", "Z")
    gate, other = answer["cameras"]
    said = gate["verdict"]
    assert (said["state"], said["tier"], said["reference"], said["others"]) == (
        "unusual",
        "investigate",
        "own",
        ["covered"],
    )
    assert said["cause"] == {
        "name": "moved",
        "means": "it looks elsewhere",
        "remedy": "camera",
        "next_step": "turn it back, or accept the view and redraw its lines",
    }
    assert said["ratio"] == pytest.approx(newest.ratio, abs=0.001)
    assert said["statistics"] is None
    assert (gate["episode"]["id"], gate["counts_valid"]) == (episode.id, False)
    assert (other["camera"], other["verdict"]["tier"], other["episode"]) == ("hall", "calm", None)
    assert (other["counts_valid"], other["can_sample"]) == (True, True)


def test_the_timeline_of_one_camera_has_its_statistics_and_of_several_has_not(
    client: TestClient, drifted: Drifted, hall: Any, now: datetime
) -> None:
    drifted.calm("hall", hours=3)
    drifted.verdict("gate", -24 * 8)
    drifted.verdict("gate", -2, state="insufficient", note="too few rows: 12 of 360")
    drifted.verdict("gate", -1, "fog", report_key="drift/gate/1")
    empty, foggy = client.get(f"{DRIFT}/verdicts", params={"camera": "gate"}).json()
    assert (empty["state"], empty["ratio"], empty["statistics"]) == ("insufficient", None, {})
    assert (foggy["cause"]["name"], foggy["has_report"]) == ("fog", True)
    contrast = foggy["statistics"]["contrast"]
    assert set(contrast) == {"score", "threshold", "shift", "usual", "now"}
    assert (contrast["usual"], contrast["threshold"]) == (52.0, 0.8)
    assert contrast["now"] < 30
    everybody = client.get(f"{DRIFT}/verdicts").json()
    assert {each["camera"] for each in everybody} == {"gate", "hall"}
    assert all(each["statistics"] is None for each in everybody)
    until = (now - 1.5 * HOUR).isoformat()
    assert len(client.get(f"{DRIFT}/verdicts", params={"camera": "gate", "until": until}).json()) == 1


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        ({"since": "2026-01-01T00:00:00"}, "has no time zone; expected a time such as 2026-01-31T08:00:00Z"),
        (
            {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            "not before `until`; expected an earlier time",
        ),
        (
            {"since": "2025-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            "more than 62 days before `until`; ask for less",
        ),
    ],
)
def test_bad_times(client: TestClient, params: dict[str, str], detail: str) -> None:
    answer = client.get(f"{DRIFT}/verdicts", params=params)
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "since", "detail": detail}])


def test_an_answer_that_would_be_too_long_is_refused_and_not_cut(
    client: TestClient, drifted: Drifted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.drift.MOST_VERDICTS", 20)
    drifted.calm("gate", hours=3)
    answer = client.get(f"{DRIFT}/verdicts", params={"camera": "gate"})
    assert answer.status_code == 422
    assert "more than 2 verdicts; ask for a shorter time" in answer.json()["detail"]
    assert len(client.get(f"{DRIFT}/verdicts").json()) == 3


def test_an_episode_shows_the_newest_pictures_before_and_since(
    client: TestClient, world: Any, drifted: Drifted, now: datetime
) -> None:
    episode = drifted.episode("hall", "fog", since_h=-5)
    frame(world, "hall", 1, now - 9 * HOUR)
    before = frame(world, "hall", 2, now - 6 * HOUR)
    frame(world, "hall", 3, now - 5.5 * HOUR, picture_deleted_at=now)
    frame(world, "hall", 4, now - 5.2 * HOUR, unit="track")
    frame(world, "hall", 5, now - 4 * HOUR)
    after = frame(world, "hall", 6, now - 2 * HOUR)
    frame(world, "gate", 7, now - 1 * HOUR)
    answer = client.get(f"{DRIFT}/episodes/{episode.id}").json()
    assert answer["before"]["sample"] == before.id
    assert answer["after"]["sample"] == after.id
    world.services.drift.end_episode(episode.id, "cleared", at=now - 3 * HOUR, by="monitor")
    ended = client.get(f"{DRIFT}/episodes/{episode.id}").json()
    assert (ended["end"], ended["after"]["sample"]) == ("cleared", f"{5:032x}")
    none = drifted.episode("gate", "dark", since_h=-5)
    world.services.samples.samples(since=now, until=now + HOUR)
    shown = client.get(f"{DRIFT}/episodes/{none.id}").json()
    assert shown["before"] is None
    assert client.get(f"{DRIFT}/episodes/{'0' * 32}").status_code == 404


def test_episodes_are_listed_newest_first(client: TestClient, drifted: Drifted, now: datetime) -> None:
    first = drifted.episode("gate", "fog", since_h=-24 * 40)
    drifted.store.end_episode(first.id, "cleared", at=now - 35 * 24 * HOUR, by="monitor")
    second = drifted.episode("gate", "dark", since_h=-30)
    third = drifted.episode("hall", "dark", since_h=-3)
    assert [each["id"] for each in client.get(f"{DRIFT}/episodes").json()] == [third.id, second.id]
    assert [each["id"] for each in client.get(f"{DRIFT}/episodes?camera=gate").json()] == [second.id]
    long_ago = (now - 50 * 24 * HOUR).isoformat()
    listed = client.get(f"{DRIFT}/episodes", params={"since": long_ago}).json()
    assert [each["id"] for each in listed] == [third.id, second.id, first.id]


# What people say


def test_days_are_accepted_and_the_episode_ends(
    client: TestClient, world: Any, drifted: Drifted, gate: Any, now: datetime
) -> None:
    episode = drifted.episode("gate", "crowding", since_h=-4)
    early = client.post(f"{DRIFT}/cameras/gate/accept", json={"kind": "days", **ADA})
    assert early.status_code == 409  # the monitor could not tell since when
    assert "no window of it was judged yet" in early.json()["detail"]
    begin = DriftAcceptance("gate", now - 30 * 24 * HOUR, now - 16 * 24 * HOUR, now, "monitor", "a new camera")
    drifted.store.accept(begin)
    answer = client.post(f"{DRIFT}/cameras/gate/accept", json={"kind": "days", **ADA})
    assert answer.status_code == 201
    said = answer.json()
    assert (said["ended"]["id"], said["ended"]["end"], said["ended"]["closed_by"]) == (episode.id, "accepted", "ada")
    kept, first = world.services.drift.acceptances("gate")
    assert first == begin
    assert (kept.begins_at, kept.by, kept.note) == (None, "ada", "seen on the spot")
    assert abs(kept.until_at - now) < timedelta(minutes=1)
    assert world.fleet.forgotten == []  # the view is as it was
    trail = client.get(f"{DRIFT}/cameras/gate/acceptances").json()
    assert trail[0] == said["acceptance"]
    again = client.post(f"{DRIFT}/cameras/gate/accept", json={"kind": "days", "by": "bob"})
    assert (again.status_code, again.json()["ended"]) == (201, None)


def test_the_new_view_is_accepted_learned_anew_and_counts_are_valid_again(
    client: TestClient, world: Any, drifted: Drifted, gate: Any, now: datetime
) -> None:
    drifted.episode("gate", "moved", since_h=-4, invalidates=True)
    refused = client.post(f"{DRIFT}/cameras/gate/accept", json={"kind": "days", **ADA})
    assert refused.status_code == 409
    assert "it looks elsewhere, so its counts mean something else" in refused.json()["detail"]
    assert world.services.drift.acceptances("gate") == []

    answer = client.post(f"{DRIFT}/cameras/gate/accept", json={"kind": "anew", **ADA}).json()
    begins_at = datetime.fromisoformat(answer["acceptance"]["begins_at"])
    assert abs(begins_at - now) < timedelta(minutes=1)
    assert datetime.fromisoformat(answer["acceptance"]["until_at"]) - begins_at == timedelta(days=14)
    assert answer["ended"]["end"] == "accepted"
    assert world.fleet.forgotten == ["gate"]
    camera = client.get(DRIFT).json()["cameras"][0]
    assert (camera["counts_valid"], camera["learning_until"]) == (True, answer["acceptance"]["until_at"])


@pytest.mark.parametrize(("ago_h", "status"), [(3, 201), (-1, 422), (24 * 61, 422)])
def test_since_when_it_is_as_it_should_be_can_be_told(
    client: TestClient, gate: Any, now: datetime, ago_h: float, status: int
) -> None:
    begins_at = (now - ago_h * HOUR).isoformat()
    wanted = {"kind": "anew", "by": "ada", "begins_at": begins_at}
    answer = client.post(f"{DRIFT}/cameras/gate/accept", json=wanted)
    assert answer.status_code == status
    if status == 201:
        assert answer.json()["acceptance"]["begins_at"] == begins_at.replace("+00:00", "Z")
    assert client.post(f"{DRIFT}/cameras/gate/accept", json={**wanted, "kind": "days"}).status_code == 422


@pytest.mark.parametrize("by", ["", " ada", "a" * 65])
def test_nothing_is_done_by_nobody(client: TestClient, drifted: Drifted, gate: Any, by: str) -> None:
    episode = drifted.episode("gate", "fog", since_h=-4)
    for path in ("cameras/gate/accept", f"episodes/{episode.id}/ignore", f"episodes/{episode.id}/batch"):
        wanted = {"by": by} | ({"kind": "days"} if path.endswith("accept") else {})
        assert client.post(f"{DRIFT}/{path}", json=wanted).status_code == 422
    assert drifted.store.episode(episode.id) == episode
    assert client.post(f"{DRIFT}/cameras/nobody/accept", json={"kind": "days", "by": "ada"}).status_code == 404


def test_an_episode_is_ignored_once(client: TestClient, drifted: Drifted) -> None:
    episode = drifted.episode("gate", "dark", since_h=-4)
    ended = client.post(f"{DRIFT}/episodes/{episode.id}/ignore", json=ADA).json()
    assert (ended["end"], ended["closed_by"], ended["note"]) == ("ignored", "ada", "seen on the spot")
    again = client.post(f"{DRIFT}/episodes/{episode.id}/ignore", json={"by": "bob"})
    assert again.status_code == 409
    assert "(ignored, ada)" in again.json()["detail"]


def test_a_camera_that_looks_elsewhere_cannot_be_ignored(client: TestClient, drifted: Drifted) -> None:
    episode = drifted.episode("gate", "moved", since_h=-4, invalidates=True)
    answer = client.post(f"{DRIFT}/episodes/{episode.id}/ignore", json=ADA)
    assert answer.status_code == 409
    assert "the episode stays open" in answer.json()["detail"]
    assert drifted.store.episode(episode.id) == episode


def test_pictures_are_drawn_for_labels_only_with_leave(
    client: TestClient, world: Any, drifted: Drifted, hall: Camera, now: datetime
) -> None:
    ours, theirs = drifted.episode("hall", "fog", since_h=-4), drifted.episode("gate", "fog", since_h=-4)
    answer = client.post(f"{DRIFT}/episodes/{ours.id}/batch", json=ADA)
    until = datetime.fromisoformat(answer.json()["batch_until"])
    assert abs(until - now - timedelta(days=1)) < timedelta(minutes=1)
    assert drifted.store.episode(ours.id).batch_until == until
    refused = client.post(f"{DRIFT}/episodes/{theirs.id}/batch", json=ADA)
    assert refused.status_code == 409
    assert refused.json()["detail"].startswith(
        "camera 'gate': has no leave to keep pictures for labels; allow it first"
    )
    assert drifted.store.episode(theirs.id).batch_until is None


# Drawing lines anew

MOVED_DOOR = {"name": "door", "start": [0.2, 0.6], "end": [0.8, 0.6]}
WIDE_HALL = {"name": "hall", "polygon": [[0.0, 0.1], [0.9, 0.1], [0.5, 0.9]]}


@pytest.mark.usefixtures("gate")
@pytest.mark.parametrize(
    ("sent", "body"),
    [
        pytest.param("PATCH ", {"lines": [MOVED_DOOR]}, id="patch"),
        pytest.param("PUT ", {"zones": [WIDE_HALL]}, id="put"),
        pytest.param("PUT /lines", [MOVED_DOOR], id="all lines"),
        pytest.param("PUT /zones", [WIDE_HALL], id="all zones"),
        pytest.param("PUT /lines/door", {"start": [0.2, 0.6], "end": [0.8, 0.6]}, id="one line"),
        pytest.param("PUT /zones/hall", {"polygon": WIDE_HALL["polygon"]}, id="one zone"),
    ],
)
def test_drawing_anew_ends_what_made_counts_invalid(
    client: TestClient, world: Any, drifted: Drifted, sent: str, body: Any
) -> None:
    method, _, path = sent.partition(" ")
    episode = drifted.episode("gate", "moved", since_h=-4, invalidates=True)
    answer = client.request(method, f"/api/v1/cameras/gate{path}?by=ada", json=body)
    assert answer.status_code == 200
    ended = drifted.store.episode(episode.id)
    assert (ended.end, ended.closed_by) == ("redrawn", "ada")
    (accepted,) = drifted.store.acceptances("gate")
    assert (accepted.by, accepted.begins_at) == ("ada", accepted.at)
    assert world.fleet.forgotten == ["gate"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"name": "Another name"}, id="a name"),
        pytest.param({"lines": []}, id="a line removed"),
        pytest.param({"lines": [{"name": "door", "start": [0.9, 0.5], "end": [0.1, 0.5]}]}, id="in and out swapped"),
        pytest.param({"lines": [{"name": "gate", "start": [0.1, 0.5], "end": [0.9, 0.5]}]}, id="a line renamed"),
    ],
)
def test_what_is_no_drawing_leaves_it_open(
    client: TestClient, world: Any, drifted: Drifted, gate: Any, body: Any
) -> None:
    episode = drifted.episode("gate", "moved", since_h=-4, invalidates=True)
    assert client.patch("/api/v1/cameras/gate", json=body).status_code == 200
    assert drifted.store.episode(episode.id) == episode
    assert world.fleet.forgotten == []


def test_drawing_anew_in_fog_changes_nothing_about_the_fog(
    client: TestClient, world: Any, drifted: Drifted, gate: Camera
) -> None:
    episode: DriftEpisode = drifted.episode("gate", "fog", since_h=-4)
    assert client.patch("/api/v1/cameras/gate", json={"lines": [MOVED_DOOR]}).status_code == 200
    assert drifted.store.episode(episode.id) == episode
    assert world.fleet.running["gate"].lines == (Line("door", (0.2, 0.6), (0.8, 0.6)),)
    assert isinstance(world.fleet.running["gate"].zones[0], Zone)


def test_another_source_begins_anew_and_another_password_does_not(
    client: TestClient, world: Any, drifted: Drifted, gate: Camera
) -> None:
    episode = drifted.episode("gate", "fog", since_h=-4)
    same = gate.url.replace("rtsp://", "rtsp://user:new@")
    assert client.patch("/api/v1/cameras/gate", json={"url": same}).status_code == 200
    assert drifted.store.episode(episode.id) == episode
    assert client.patch("/api/v1/cameras/gate?by=ada", json={"url": "rtsp://127.0.0.1/other"}).status_code == 200
    ended = drifted.store.episode(episode.id)
    assert (ended.end, ended.note) == ("accepted", "it has another source")
    (accepted,) = drifted.store.acceptances("gate")
    assert (accepted.by, accepted.begins_at) == ("ada", accepted.at)
    assert world.fleet.forgotten == ["gate"]


# Reports


def test_a_report_is_shown_without_rights_and_can_be_taken_away(
    client: TestClient, world: Any, drifted: Drifted
) -> None:
    verdict = drifted.verdict("gate", -1, "fog", report_key="drift/gate/1")
    world.services.blobs.put("drift/gate/1.html.gz", gzip.compress(b"<!doctype html><p>Report"))
    world.services.blobs.put("drift/gate/1.json", b'{"metrics": []}')
    path = f"{DRIFT}/reports/gate/{verdict.begin_at.isoformat().replace('+00:00', 'Z')}"
    page = client.get(path)
    assert (page.text, page.headers["content-type"]) == ("<!doctype html><p>Report", "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"].split("; ")
    assert {"sandbox allow-scripts", "default-src 'none'", "frame-ancestors 'self'"} <= set(policy)
    assert not any(word in page.headers["content-security-policy"] for word in ("connect-src", "same-origin", "http"))
    data = client.get(path, params={"format": "json"})
    assert data.json() == {"metrics": []}
    assert data.headers["content-disposition"].startswith('attachment; filename="drift-gate-')
    assert "sandbox" not in data.headers["content-security-policy"]


def test_a_report_that_is_not_there(client: TestClient, drifted: Drifted) -> None:
    without = drifted.verdict("gate", -2, "fog")
    lost = drifted.verdict("gate", -1, "fog", report_key="drift/gate/2")
    for verdict in (without, lost):
        answer = client.get(f"{DRIFT}/reports/gate/{verdict.begin_at.isoformat().replace('+00:00', 'Z')}")
        assert answer.status_code == 404
        assert "there is no report on the window from" in answer.json()["detail"]
    assert client.get(f"{DRIFT}/reports/gate/2020-01-01T00:00:00Z").status_code == 404
    assert client.get(f"{DRIFT}/reports/gate/yesterday").status_code == 422
