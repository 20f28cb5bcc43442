"""How right the counting is, over the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from footfall.domain import QualityEstimate

if TYPE_CHECKING:
    from fastapi.testclient import TestClient


def estimate(at: datetime, **changes: Any) -> QualityEstimate:
    values: dict[str, Any] = {
        "measure": "precision_reviewed",
        "scope": "camera",
        "camera_id": "gate",
        "line": "",
        "model": "0123456789ab",
        "at": at,
        "since": at - timedelta(days=28),
        "until": at,
        "newest_at": at,
        "value": 0.96,
        "lower": 0.93,
        "upper": 0.98,
        "n": 300,
        "missing": 0,
        "population": 4000,
        "definition": "share of right ones",
    }
    return QualityEstimate(**(values | changes))


def test_without_a_monitor_nothing_is_claimed(client: TestClient) -> None:
    assert client.get("/api/v1/quality").json() == {"checked_at": None, "precision_target": 0.95, "estimates": []}


def test_the_last_check_is_told_with_what_it_rests_on(client: TestClient, world: Any) -> None:
    now = datetime.now(UTC)
    missing = {"value": None, "lower": None, "upper": None, "n": 4, "missing": 26, "newest_at": None}
    world.services.quality.put([estimate(now), estimate(now, camera_id="hall", **missing)])
    answer = client.get("/api/v1/quality").json()
    assert answer["checked_at"] == now.isoformat().replace("+00:00", "Z")
    gate, hall = answer["estimates"]
    assert (gate["camera"], gate["value"], gate["lower"], gate["upper"], gate["n"]) == ("gate", 0.96, 0.93, 0.98, 300)
    assert (hall["camera"], hall["value"], hall["missing"], hall["newest_label_at"]) == ("hall", None, 26, None)
    assert gate["definition"] == "share of right ones"


def test_figures_of_a_monitor_that_stopped_long_ago_are_not_told(client: TestClient, world: Any) -> None:
    world.services.quality.put([estimate(datetime.now(UTC) - timedelta(days=2))])
    assert client.get("/api/v1/quality").json()["estimates"] == []
