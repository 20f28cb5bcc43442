"""Label sets over the API: download, upload."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from footfall.domain import Sample, SampleLabel
from service.api import labelsets
from service.api.app import create_app

TOKEN = "0123456789abcdef-token"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EXPORT, IMPORT = "/api/v1/review/export", "/api/v1/review/import"
BOXES = [[10.0, 20.0, 30.0, 35.0]]


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    return make_world(api_token=TOKEN)


@pytest.fixture
def client(world: Any) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/zip"}
    with TestClient(create_app(world.services), base_url="http://127.0.0.1:8600", headers=headers) as client:
        yield client


@pytest.fixture
def frames(world: Any) -> list[str]:
    """Two labelled frames of an hour and one without a label."""
    jpeg = cv2.imencode(".jpg", np.full((40, 64, 3), 90, np.uint8))[1].tobytes()
    ids = []
    for number in (1, 2, 3):
        sample = Sample(
            id=uuid.UUID(int=number).hex,
            camera_id="gate" if number < 3 else "hall",
            unit="frame",
            queue="random",
            hour_at=NOON,
            stratum="people",
            model="0123456789ab",
            taken_at=NOON + timedelta(minutes=number),
            probability=0.5,
            blob_key=f"samples/{number}.jpg",
            media_type="image/jpeg",
            width_px=64,
            height_px=40,
            size_bytes=len(jpeg),
            detail={"threshold": 0.25, "boxes": []},
        )
        world.services.blobs.put(sample.blob_key, jpeg)
        world.services.samples.add(sample)
        ids.append(sample.id)
    for sample_id, boxes in zip(ids[:2], (BOXES, []), strict=True):
        world.services.samples.add_label(SampleLabel(sample_id, "Ada", NOON, "reviewer", {"boxes": boxes}))
    return ids


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()


def zipped(name: str, content: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, content)
    return archive.getvalue()


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_a_set_is_downloaded_and_uploaded_again(client: TestClient, world: Any, frames: list[str], form: str) -> None:
    answer = client.get(EXPORT, params={"format": form})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == f'attachment; filename="footfall-{form}.zip"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert len([name for name in names(answer.content) if name.endswith(".jpg")]) == 2
    for added, unchanged in ((2, 0), (0, 2)):
        back = client.post(IMPORT, params={"format": form, "reviewer": "Bob"}, content=answer.content)
        assert (back.status_code, back.json()) == (
            201,
            {"added": added, "unchanged": unchanged, "skipped": 0, "skipped_images": [], "ignored_boxes": {}},
        )
    (label,) = (each for each in world.services.samples.labels(frames[:1]) if each.reviewer == "Bob")
    assert label.source == "import"
    assert np.abs(np.array(label.content["boxes"]) - np.array(BOXES)).max() < 0.05


@pytest.mark.usefixtures("frames")
def test_what_is_downloaded_can_be_chosen(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(**params: Any) -> int:
        answer = client.get(EXPORT, params={"format": "yolo", **params})
        assert answer.status_code == 200
        return len([name for name in names(answer.content) if name.endswith(".jpg")])

    assert count(unlabelled=True) == 3
    assert count(unlabelled=True, camera="hall") == 1
    assert count(since="2026-03-01T12:02:00Z") == 1
    assert count(until="2026-03-01T13:02:00+01:00") == 1
    empty = client.get(EXPORT, params={"format": "yolo", "camera": "hall"})
    assert empty.status_code == 422
    assert empty.json()["detail"].startswith("there is no frame that somebody labelled with its picture")
    monkeypatch.setattr(labelsets, "MAX_FRAMES", 1)
    assert client.get(EXPORT, params={"format": "coco"}).status_code == 422
    assert client.get(EXPORT).status_code == 422
    assert client.get(EXPORT, params={"format": "voc"}).status_code == 422
    assert client.get(EXPORT, params={"format": "coco", "since": "2026-03-01T12:00:00"}).status_code == 422


def test_what_is_passed_over_is_told_at_most_a_hundred_times(client: TestClient, frames: list[str]) -> None:
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 40} for n in range(120)]
    images.append({"id": 200, "file_name": frames[0], "width": 64, "height": 40})
    content = {
        "images": images,
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
        "annotations": [{"id": 1, "image_id": 200, "category_id": 2, "bbox": [1, 1, 2, 2]}],
    }
    params = {"format": "coco", "reviewer": "Bob"}
    answer = client.post(IMPORT, params=params, content=zipped("a.json", json.dumps(content))).json()
    assert (answer["added"], answer["skipped"], answer["ignored_boxes"]) == (1, 120, {"dog": 1})
    assert len(answer["skipped_images"]) == 100
    assert answer["skipped_images"][0] == {"name": "0.jpg", "why": "no id of a sample in its name"}


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "zip file: cannot be read (BadZipFile); expected a .zip without password"),
        (b"PK no zip", "zip file: cannot be read (BadZipFile); expected a .zip without password"),
        (zipped("../a.json", "{}"), "zip file: ../a.json leads out of the set; nothing was added"),
        (zipped("a.json", "{"), "a.json, line 1: is no JSON (Expecting property name enclosed in double quotes)"),
    ],
)
def test_a_set_that_cannot_be_read_is_a_problem(
    client: TestClient, world: Any, frames: list[str], content: bytes, detail: str
) -> None:
    answer = client.post(IMPORT, params={"format": "coco", "reviewer": "Bob"}, content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    (error,) = answer.json()["errors"]
    assert error["field"] == "body"
    assert error["detail"].startswith(detail)
    assert [label.reviewer for label in world.services.samples.labels(frames)] == ["Ada", "Ada"]


@pytest.mark.parametrize("params", [{"format": "coco"}, {"reviewer": "Bob"}, {"format": "coco", "reviewer": " Bob"}])
def test_format_and_reviewer_are_needed(client: TestClient, params: dict[str, str]) -> None:
    assert client.post(IMPORT, params=params, content=b"").status_code == 422


def test_a_zip_file_that_is_too_large_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelsets, "MAX_ARCHIVE_BYTES", 1000)
    answer = client.post(IMPORT, params={"format": "coco", "reviewer": "Bob"}, content=b" " * 1001)
    assert (answer.status_code, answer.json()["detail"]) == (413, "the zip file is larger than 1000 bytes; send less")


@pytest.mark.usefixtures("frames")
def test_one_set_at_a_time(client: TestClient) -> None:
    with client.app.state.labelset_lock:  # type: ignore[attr-defined]
        answer = client.get(EXPORT, params={"format": "coco"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert client.get(EXPORT, params={"format": "coco"}).status_code == 200
