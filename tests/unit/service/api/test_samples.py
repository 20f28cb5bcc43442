"""Samples over the API: list, look, delete."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from footfall.domain import Sample

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SAMPLES = "/api/v1/samples"
DAY = {"camera": "gate", "day": "2026-03-01"}


@pytest.fixture
def sample(world: Any) -> Sample:
    kept = Sample(
        id=uuid.UUID(int=1).hex,
        camera_id="gate",
        unit="track",
        queue="random",
        hour_at=NOON,
        stratum="4",
        model="0123456789ab",
        taken_at=NOON,
        probability=0.5,
        blob_key="samples/gate/2026-03-01/1.jpg",
        media_type="image/jpeg",
        width_px=64,
        height_px=32,
        size_bytes=4,
        detail={"score": 0.9, "views": []},
    )
    world.services.blobs.put(kept.blob_key, b"jpeg")
    world.services.samples.add(kept)
    return kept


def test_a_sample_is_listed_by_camera_and_day_and_its_picture_is_private(client: TestClient, sample: Sample) -> None:
    (listed,) = client.get(SAMPLES, params=DAY).json()
    assert (listed["id"], listed["probability"], listed["has_picture"]) == (sample.id, 0.5, True)
    assert "blob_key" not in listed
    assert client.get(SAMPLES, params={**DAY, "queue": "targeted"}).json() == []
    assert client.get(SAMPLES, params={**DAY, "day": "2026-03-02"}).json() == []
    picture = client.get(f"{SAMPLES}/{sample.id}/picture")
    assert (picture.content, picture.headers["content-type"]) == (b"jpeg", "image/jpeg")
    assert "private" in picture.headers["cache-control"]


def test_a_deleted_day_is_gone_and_leaves_a_trail(client: TestClient, world: Any, sample: Sample) -> None:
    assert client.delete(SAMPLES, params=DAY).json() == {"samples": 1}
    assert client.get(SAMPLES, params=DAY).json() == []
    assert client.get(f"{SAMPLES}/{sample.id}/picture").status_code == 404
    (entry,) = world.services.samples.deletions()
    assert (entry.camera_id, entry.reason, entry.samples, entry.size_bytes) == ("gate", "request", 1, 4)
    assert client.delete(SAMPLES, params=DAY).json() == {"samples": 0}


def test_a_picture_whose_time_is_over_says_so(client: TestClient, world: Any, sample: Sample) -> None:
    world.services.samples.note_pictures_deleted([sample], at=NOON, actor="retention", reason="expired")
    answer = client.get(f"{SAMPLES}/{sample.id}/picture")
    assert answer.status_code == 404
    assert "its picture was deleted at 2026-03-01 12:00:00 UTC" in answer.text


@pytest.mark.parametrize("params", [{}, {"camera": "gate"}, {"camera": "../x", "day": "2026-03-01"}])
def test_a_day_and_a_camera_are_needed(client: TestClient, params: dict[str, str]) -> None:
    assert client.delete(SAMPLES, params=params).status_code == 422
