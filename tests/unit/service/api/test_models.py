"""Over the API people see who serves, promote, try out and go back; an old page changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from support.registered import model_folder
from support.reviewed import Reviewed
from unit.service.api.conftest import TOKEN, World, client_of

from footfall.domain import Camera
from footfall.stores.runs import examples_key

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BY = {"by": "ana", "why": "asked for"}


@pytest.fixture
def add(world: World, tmp_path: Path) -> Callable[..., str]:
    def add(name: str, **about: Any) -> str:
        folder = model_folder(tmp_path / "made", name, threshold=0.4)
        about = {"origin": "imported", "by": "ana", "at": NOON, **about}
        return world.services.registry.add(folder, **about).sha256

    return add


def post(client: TestClient, what: str, **body: Any) -> Any:
    return client.post(f"/api/v1/models/{what}", json={**BY, **body})


def test_models_aliases_log_and_what_runs_are_one_answer(client: TestClient, add: Callable[..., str]) -> None:
    day, night = add("day"), add("night", gates={"G1": "passed"})
    assert post(client, "promote", model="day").json()["outcome"] == "changed"
    promoted = post(client, "promote", model=night[:8], seen=1).json()
    assert (promoted["number"], promoted["before"], promoted["model"], promoted["actor"]) == (2, day, night, "ana")
    assert len(promoted["gates_digest"]) == 64
    answer = client.get("/api/v1/models").json()
    assert (answer["number"], answer["champion"], answer["previous"]) == (2, night, day)
    assert answer["running"] == {
        "pinned": None,
        "champion": night,
        "challenger": None,
        "canaries": [],
        "follows": True,
        "shadow": None,
    }
    assert {(each["name"], each["threshold"], each["rejected"]) for each in answer["models"]} == {
        ("day", 0.4, False),
        ("night", 0.4, False),
    }
    assert [each["number"] for each in answer["log"]] == [2, 1]
    assert len(client.get("/api/v1/models?limit=1").json()["log"]) == 1


def test_asking_twice_changes_once_and_an_old_page_nothing(client: TestClient, add: Callable[..., str]) -> None:
    for name in ("day", "night"):
        add(name)
        post(client, "promote", model=name)
    assert post(client, "promote", model="night", seen=1).json()["outcome"] == "unchanged"
    stale = post(client, "rollback", seen=1)
    assert stale.status_code == 409
    assert "you saw change 1, the newest is 2" in stale.json()["detail"]
    assert post(client, "rollback", seen=2).json()["action"] == "rolled_back"
    again = post(client, "rollback")
    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")
    assert "no previous champion" in again.json()["detail"]


def test_a_challenger_gets_cameras_of_this_site_only(world: World, client: TestClient, add: Callable[..., str]) -> None:
    world.database.put_camera(Camera("gate", "film.mp4"))
    add("day")
    night = add("night")
    post(client, "promote", model="day")
    wrong = post(client, "canary", model="night", cameras=["gate", "moon"])
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "cameras")
    tried = post(client, "canary", model="night", cameras=["gate"]).json()
    assert (tried["action"], tried["challenger"], tried["canaries"]) == ("canary", night, ["gate"])
    shadow = client.get("/api/v1/models").json()["running"]["shadow"]
    assert shadow == {"frames": 40, "both": 90, "champion": 3, "challenger": 7, "agreement": pytest.approx(18 / 19)}
    assert post(client, "withdraw").json()["challenger"] is None
    assert post(client, "withdraw").json()["outcome"] == "unchanged"


def test_a_rejected_model_needs_force(client: TestClient, add: Callable[..., str]) -> None:
    add("poisoned", gates={"G1": "failed"}, is_rejected=True)
    assert post(client, "promote", model="poisoned").status_code == 409
    assert post(client, "promote", model="poisoned", force=True).status_code == 200


REPORT: dict[str, Any] = {
    "promote": True,
    "gates": [{"name": "G1 new", "passed": True, "detail": "F1 +0.05"}],
    "figures": {
        model: {
            "parts": {part: {"f1": f1, "frames": 4} for part in ("all", "old", "new", "camera gate")},
            "curve": [{"threshold": 0.5, "precision": 0.9, "recall": 0.8}],
        }
        for model, f1 in (("champion", 0.8), ("challenger", 0.9))
    },
    "stress": [{"kind": "fog", "severity": 3, "champion": 0.4, "challenger": 0.6}],
    "training": {"steps": 20, "curve": [{"step": 1, "loss": 2.0}]},
    "champion": "ab" * 32,
}
RUN = "0123456789abcdef" * 2


def example(sample: str) -> dict[str, Any]:
    found = {"errors": 0, "finds": [{"box": [1.0, 2.0, 3.0, 4.0], "score": 0.9, "right": True}]}
    about = {"sample": sample, "camera": "gate", "at": NOON.isoformat(), "new": True, "truth": [[1.0, 2.0, 3.0, 4.0]]}
    return about | {"champion": found | {"errors": 1, "finds": []}, "challenger": found}


def test_the_report_has_what_the_list_leaves_out(world: World, client: TestClient, add: Callable[..., str]) -> None:
    sha256 = add("fog", run=RUN, gates=REPORT)
    (entry,) = client.get("/api/v1/models").json()["models"]
    assert set(entry["gates"]) == {"promote", "gates", "champion"}
    assert entry["compared"] == {part: {"champion": 0.8, "challenger": 0.9} for part in ("all", "old", "new")}
    told = client.get(f"/api/v1/models/{sha256}/report").json()
    assert told == {"sha256": sha256, "name": "fog", "run": RUN, "report": REPORT, "examples": []}
    by_hand = client.get(f"/api/v1/models/{add('day')}/report").json()
    assert (by_hand["report"], by_hand["examples"]) == (None, [])
    assert client.get(f"/api/v1/models/{'0' * 64}/report").status_code == 404


def test_a_frame_is_an_example_for_as_long_as_its_picture_is_kept(
    world: World, client: TestClient, add: Callable[..., str]
) -> None:
    reviewed = Reviewed(world.services.samples._database, NOON)
    kept, gone = (reviewed.frame([], [], hours_ago=hour) for hour in (1, 2))
    world.services.samples.note_pictures_deleted([gone], at=NOON, actor="retention", reason="expired")
    sha256 = add("fog", run=RUN, gates=REPORT)
    samples = [kept.id, gone.id, "f" * 32]
    world.services.blobs.put(examples_key(RUN), json.dumps([example(each) for each in samples]).encode())
    (shown,) = client.get(f"/api/v1/models/{sha256}/report").json()["examples"]
    assert (shown["sample"], shown["width_px"], shown["camera"]) == (kept.id, kept.width_px, "gate")
    assert (shown["champion"]["errors"], shown["challenger"]["finds"][0]["right"]) == (1, True)


def test_a_viewer_reads_a_report_without_its_frames(make_world: Callable[..., World], tmp_path: Path) -> None:
    world = make_world(api_token=TOKEN, viewer_token=TOKEN[::-1])
    kept = Reviewed(world.services.samples._database, NOON).frame([], [], hours_ago=1)
    world.services.blobs.put(examples_key(RUN), json.dumps([example(kept.id)]).encode())
    folder = model_folder(tmp_path / "made", "fog")
    about = {"origin": "retrained", "by": "ana", "at": NOON, "run": RUN, "gates": REPORT}
    sha256 = world.services.registry.add(folder, **about).sha256
    with client_of(world) as client:
        for token, frames in ((TOKEN, 1), (TOKEN[::-1], 0)):
            told = client.get(f"/api/v1/models/{sha256}/report", headers={"Authorization": f"Bearer {token}"}).json()
            assert (len(told["examples"]), told["report"] == REPORT) == (frames, True)


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("promote", {"model": "nothing"}, 404),
        ("promote", {}, 422),
        ("promote", {"model": "day", "by": ""}, 422),
        ("promote", {"model": "day", "why": ""}, 422),
        ("rollback", {"seen": -1}, 422),
        ("rollback", {"model": "day"}, 422),
    ],
)
def test_what_cannot_be_asked_is_said(client: TestClient, what: str, body: dict[str, Any], status: int) -> None:
    assert post(client, what, **body).status_code == status


def test_without_the_token_nobody_reads_or_changes(make_world: Callable[..., World]) -> None:
    with client_of(make_world(api_token=TOKEN)) as client:
        assert client.get("/api/v1/models").status_code == 401
        for what in ("promote", "canary", "withdraw", "rollback"):
            assert post(client, what).status_code == 401
