"""Over the API people see who serves, promote, try out and go back; an old page changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from support.registered import model_folder
from unit.service.api.conftest import TOKEN, World, client_of

from footfall.domain import Camera

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BY = {"by": "ana", "why": "asked for"}


@pytest.fixture
def add(world: World, tmp_path: Path) -> Callable[..., str]:
    def add(name: str, **about: Any) -> str:
        folder = model_folder(tmp_path / "made", name, threshold=0.4)
        return world.services.registry.add(folder, origin="imported", by="ana", at=NOON, **about).sha256

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
