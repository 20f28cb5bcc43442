"""Asking for a better model over the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from footfall.domain import RetrainProgress

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

PATH = "/api/v1/retrains"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def ask(client: TestClient, **changes: Any) -> Any:
    return client.post(PATH, json={"reason": "Tenants doubt the gate", "asked_by": "Ada"} | changes)


def test_what_was_asked_is_told_and_the_same_again_is_no_new_request(client: TestClient) -> None:
    first = ask(client)
    assert first.status_code == 201
    told = first.json()
    assert (told["state"], told["answer"], told["source"], told["asked_by"]) == ("waiting", "created", "api", "Ada")
    assert (told["cause"], told["cameras"], told["outcome"]) == ("asked", [], None)
    again = ask(client)
    assert (again.status_code, again.json()["answer"], again.json()["id"]) == (200, "duplicate", told["id"])
    assert [each["id"] for each in client.get(PATH).json()] == [told["id"]]
    assert client.get(f"{PATH}/{told['id']}").json()["reason"] == "Tenants doubt the gate"
    assert client.get(f"{PATH}/{'0' * 32}").status_code == 404


def test_one_at_a_time_and_not_too_soon_unless_somebody_insists(client: TestClient, world: Any) -> None:
    first = ask(client).json()["id"]
    other = ask(client, cause="fog")
    assert other.status_code == 409
    assert "another one is not over yet" in other.json()["detail"]
    world.services.retrains.ended(first, "rejected", "gate G2: 94.1 %", at=datetime.now(UTC))
    assert client.get(f"{PATH}/{first}").json()["note"] == "gate G2: 94.1 %"
    soon = ask(client, cause="fog")
    assert (soon.status_code, "or send `force`" in soon.json()["detail"]) == (409, True)
    assert ask(client, cause="fog", force=True).status_code == 201


def test_a_request_that_nobody_wants_any_more_ends(client: TestClient) -> None:
    first = ask(client).json()["id"]
    ended = client.post(f"{PATH}/{first}/cancel").json()
    assert (ended["state"], ended["outcome"]) == ("ended", "cancelled")
    assert ask(client).status_code == 201


@pytest.mark.parametrize(
    "changes", [{"reason": ""}, {"cause": "whim"}, {"cameras": ["nowhere"]}, {"cameras": ["a b"]}, {"command": "sh"}]
)
def test_what_nobody_can_mean_is_refused(client: TestClient, changes: dict[str, Any]) -> None:
    assert ask(client, **changes).status_code == 422
    assert client.get(PATH).json() == []


def test_whoever_a_webhook_let_run_it_tells_its_end_once(client: TestClient, world: Any) -> None:
    first = ask(client).json()["id"]
    end = {"outcome": "rejected", "note": "gate G1"}
    assert client.post(f"{PATH}/{first}/end", json=end).status_code == 409
    world.services.retrains.launched(first, {"webhook": first}, at=NOON)
    for _ in range(2):
        told = client.post(f"{PATH}/{first}/end", json=end)
        assert (told.status_code, told.json()["outcome"], told.json()["note"]) == (200, "rejected", "gate G1")
    assert client.post(f"{PATH}/{first}/end", json={"outcome": "promoted"}).status_code == 409


@pytest.mark.parametrize(("minutes", "stale"), [(1, False), (16, True)])
def test_how_far_a_run_is_and_whether_that_is_old_news(
    client: TestClient, world: Any, *, minutes: int, stale: bool
) -> None:
    store = world.services.retrains
    first = ask(client).json()["id"]
    store.launched(first, {}, at=NOON)
    assert client.get(f"{PATH}/{first}").json()["progress"] is None
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    progress = RetrainProgress(at, "train", 7, 11, "step 3 of 6", 0.5, 3, 6, 1.5, 600.0, 240.0, 0.4, {"box": 1.5}, 2, 4)
    store.note_progress(first, progress)
    told = client.get(f"{PATH}/{first}").json()["progress"]
    assert (told["stage"], told["step"], told["steps"], told["left_s"], told["done"]) == ("train", 3, 6, 240.0, 0.4)
    assert (told["losses"], told["epoch"], told["epochs"]) == ({"box": 1.5}, 2, 4)
    assert told["stale"] is stale
    assert client.get(PATH).json()[0]["progress"] == told
    store.ended(first, "failed", "gone", at=NOON)
    assert client.get(f"{PATH}/{first}").json()["progress"] is None
