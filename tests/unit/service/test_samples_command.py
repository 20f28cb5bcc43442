"""`footfall samples` on stores in a folder, without a service."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from footfall.domain import Camera, Sample, SampleLabel, Sampling
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.samples import SampleStore
from service.commands.samples import samples_app
from service.labelsets import LabelSetError

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JPEG = cv2.imencode(".jpg", np.full((40, 64, 3), 90, np.uint8))[1].tobytes()


def hex_of(number: int) -> str:
    return uuid.UUID(int=number).hex


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleStore]:
    """Cameras gate (with leave; frames 1 and 2, 1 is labelled), door (with leave), hall (gone; frame 3)."""
    data = tmp_path / "data"
    monkeypatch.setenv("FOOTFALL_DATA_DIR", str(data))
    monkeypatch.delenv("FOOTFALL_DATABASE_URL", raising=False)
    data.mkdir()
    database = Database(f"sqlite:///{data / 'footfall.db'}")
    database.migrate()
    database.put_camera(Camera("gate", "rtsp://u:secret@10.0.0.7/main", sampling=Sampling("Prove it")))
    database.put_camera(Camera("door", "rtsp://10.0.0.8/main", sampling=Sampling("Look")))
    database.put_camera(Camera("yard", "rtsp://10.0.0.9/main"))
    store, blobs = SampleStore(database), BlobStore(str(data / "blobs"))
    for number, camera_id in ((1, "gate"), (2, "gate"), (3, "hall")):
        sample = Sample(
            id=hex_of(number),
            camera_id=camera_id,
            unit="frame",
            queue="random",
            hour_at=NOON,
            stratum="people",
            model="0123456789ab",
            taken_at=NOON + timedelta(days=number - 1),
            probability=0.5,
            blob_key=f"samples/{camera_id}/{number}.jpg",
            media_type="image/jpeg",
            width_px=64,
            height_px=40,
            size_bytes=250_000,
            detail={"threshold": 0.25, "boxes": []},
        )
        blobs.put(sample.blob_key, JPEG)
        store.add(sample)
    store.add_label(SampleLabel(hex_of(1), "Ada", NOON, "reviewer", {"boxes": [[1.0, 2.0, 30.0, 35.0]]}))
    yield store
    database.close()


def call(*arguments: str, **options: Any) -> Any:
    answer = CliRunner().invoke(samples_app, list(arguments), **options)
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer


@pytest.mark.usefixtures("store")
def test_list_tells_by_camera_what_is_kept_and_why_also_of_one_that_is_gone() -> None:
    assert call("list").stdout.splitlines() == [
        "door  purpose: Look",
        "  no picture yet",
        "gate  purpose: Prove it",
        "  2 pictures, 0.5 MB, oldest 2026-03-01 12:00 UTC; 1 labelled, 1 not",
        "hall  no leave any more (the camera is gone)",
        "  1 pictures, 0.2 MB, oldest 2026-03-03 12:00 UTC; 0 labelled, 1 not",
    ]
    rows = json.loads(call("list", "--json").stdout)
    assert [(row["camera"], row["is_there"], row["pictures"]) for row in rows] == [
        ("door", True, 0),
        ("gate", True, 2),
        ("hall", False, 1),
    ]


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_frames_go_out_and_labels_come_back(store: SampleStore, tmp_path: Path, form: str) -> None:
    out = str(tmp_path / "out")
    answer = call("export", out, "--format", form, "--camera", "gate", "--since", "2026-03-01", "--unlabelled")
    assert answer.stdout == f"wrote 2 frames (1 labelled) with 1 boxes into {out}; no retention reaches them there\n"
    answer = call("import", out, "--format", form, "--reviewer", "Bob")
    assert answer.stdout == "2 labels added, 0 frames unchanged, 0 images skipped\n"
    assert [label.reviewer for label in store.labels([hex_of(1), hex_of(2)])] == ["Ada", "Bob", "Bob"]
    answer = call("import", out, "--format", form, "--reviewer", "Bob")
    assert answer.stdout == "0 labels added, 2 frames unchanged, 0 images skipped\n"
    with pytest.raises(LabelSetError, match=r"is not empty; expected an empty folder"):
        call("export", out)


@pytest.mark.usefixtures("store")
def test_what_is_passed_over_and_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "data" / "blobs" / "samples" / "gate" / "2.jpg").unlink()
    answer = call("export", str(tmp_path / "out"), "--until", "2026-03-03", "--unlabelled")
    assert answer.stderr == "1 frames left out: their picture is gone or cannot be read\n"
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "data.yaml").write_text("names: [person, dog]")
    (folder / f"{hex_of(3)}.txt").write_text("1 .5 .5 .1 .1\n")
    for number in range(22):
        (folder / f"holiday-{number:02}.txt").write_text("")
    answer = call("import", str(folder), "--format", "yolo", "--reviewer", "Bob")
    assert answer.stdout == "1 labels added, 0 frames unchanged, 22 images skipped\n"
    told = answer.stderr.splitlines()
    assert told[0] == "  holiday-00.txt: no id of a sample in its name"
    assert told[-2:] == ["  and 2 more", "  1 boxes of dog: not of people"]
    assert len(told) == 22


def test_delete_asks_deletes_everything_of_the_day_and_leaves_a_trail(store: SampleStore, tmp_path: Path) -> None:
    picture = tmp_path / "data" / "blobs" / "samples" / "gate" / "1.jpg"
    assert call("trail").stderr == "Nothing was deleted yet.\n"
    answer = call("delete", "--camera", "gate", "--day", "2026-03-01", input="n\n")
    assert answer.exit_code == 1
    assert "Delete 1 samples of camera 'gate' of 2026-03-01, with pictures and labels?" in answer.output
    assert picture.exists()
    answer = call("delete", "--camera", "gate", "--day", "2026-03-01", "--yes")
    assert answer.stdout == "deleted 1 samples of camera 'gate' of 2026-03-01\n"
    assert not picture.exists()
    assert [sample.id for sample in store.samples(since=NOON, until=NOON + timedelta(days=9))] == [hex_of(2), hex_of(3)]
    assert store.labels([hex_of(1)]) == []
    answer = call("delete", "--camera", "gate", "--day", "2026-03-01")
    assert answer.stdout == "camera 'gate' has no samples of 2026-03-01; nothing was deleted\n"
    assert call("trail").stdout.endswith(" UTC  gate  1 samples, 0.2 MB  request  by command\n")
    (row,) = json.loads(call("trail", "--json").stdout)
    assert (row["actor"], row["reason"], row["samples"], row["size_bytes"]) == ("command", "request", 1, 250_000)
