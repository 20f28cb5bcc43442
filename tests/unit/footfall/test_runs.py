"""A deleted picture is gone from every retraining that knew it; digests stay."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from footfall.stores.blobs import BlobStore
from footfall.stores.runs import examples_key, forget_examples, forget_pictures, read_examples

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
GONE, KEPT = "a" * 32, "b" * 32


def entry(name: str) -> dict[str, Any]:
    return {"id": name, "boxes": [[1, 2, 3, 4]], "sha256": "c" * 64, "label_sha256": "d" * 64}


def a_run(folder: Path, *names: str) -> Path:
    for part in ("collect", "split", "labels", "augment"):
        (folder / part).mkdir(parents=True)
    for name in names:
        (folder / "collect" / f"{name}.jpg").touch()
    frames = [entry(name) for name in names]
    reviewers = {"Ada": {name: [[1, 2, 3, 4]] for name in names}}
    (folder / "split" / "manifest.json").write_text(json.dumps({"digest": "e" * 64, "frames": frames}))
    collected = {
        "frames": frames[:1],
        "unlabelled": frames[1:],
        "in_dispute": frames[:1],
        "by_reviewer": reviewers,
        "for_two": {name: [[[1, 2, 3, 4]], []] for name in names},
    }
    (folder / "02-collect.json").write_text(json.dumps(collected))
    suspects = [{"frame_id": name, "box": [1, 2, 3, 4]} for name in names]
    (folder / "03-labels.json").write_text(json.dumps({"sheet_frames": list(names), "suspects": suspects}))
    (folder / "evaluate").mkdir()
    lines = [json.dumps({"frame": name, "truth": [[1, 2, 3, 4]]}) for name in names]
    (folder / "evaluate" / "predictions.jsonl").write_text("".join(f"{line}\n" for line in lines))
    (folder / "06-augment.json").write_text(json.dumps({"sheet_frames": [KEPT]}))
    for sheet in ("labels/contact-sheet.jpg", "augment/samples.jpg"):
        (folder / sheet).touch()
    return folder


def test_a_deleted_picture_is_forgotten_by_every_run(tmp_path: Path) -> None:
    run = a_run(tmp_path / "one" / "run", GONE, KEPT)
    other = a_run(tmp_path / "two" / "run", KEPT)
    before = (other / "split" / "manifest.json").read_bytes()
    assert forget_pictures(tmp_path, [GONE], at=NOW) == 1
    assert [path.stem for path in (run / "collect").iterdir()] == [KEPT]
    manifest = json.loads((run / "split" / "manifest.json").read_text())
    assert manifest["frames"] == [entry(GONE) | {"boxes": [], "deleted_at": NOW.isoformat()}, entry(KEPT)]
    collected = json.loads((run / "02-collect.json").read_text())
    assert collected["frames"][0]["boxes"] == []
    assert collected["in_dispute"][0]["boxes"] == []
    assert list(collected["by_reviewer"]["Ada"]) == [KEPT]
    assert list(collected["for_two"]) == [KEPT]
    labels = json.loads((run / "03-labels.json").read_text())
    assert [each["frame_id"] for each in labels["suspects"]] == [KEPT]
    lines = (run / "evaluate" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [KEPT]
    assert not (run / "labels" / "contact-sheet.jpg").exists()
    assert (run / "augment" / "samples.jpg").exists()  # shows somebody else
    assert (other / "split" / "manifest.json").read_bytes() == before
    assert (other / "labels" / "contact-sheet.jpg").exists()


def test_the_moment_of_deletion_stays_the_first_one_and_nothing_there_is_no_fault(tmp_path: Path) -> None:
    run = a_run(tmp_path / "one" / "run", GONE)
    forget_pictures(tmp_path, [GONE], at=NOW)
    assert forget_pictures(tmp_path, [GONE], at=NOW + timedelta(days=1)) == 0
    assert json.loads((run / "split" / "manifest.json").read_text())["frames"][0]["deleted_at"] == NOW.isoformat()
    assert forget_pictures(tmp_path / "none", [GONE], at=NOW) == 0
    assert forget_pictures(tmp_path, [], at=NOW) == 0


def test_a_deleted_picture_is_gone_from_the_examples_of_every_run_and_of_no_other_blob(tmp_path: Path) -> None:
    blobs = BlobStore(str(tmp_path))
    one, other = "1" * 32, "2" * 32
    both = [{"sample": GONE, "truth": [[1, 2, 3, 4]]}, {"sample": KEPT, "truth": []}]
    for run, content in ((one, both), (other, both[1:])):
        blobs.put(examples_key(run), json.dumps(content).encode())
    blobs.put(f"retrains/{one}/other.json", json.dumps(both).encode())
    assert forget_examples(blobs, []) == 0
    assert forget_examples(blobs, [GONE]) == 1
    assert read_examples(blobs, one) == read_examples(blobs, other) == both[1:]
    assert json.loads(blobs.get(f"retrains/{one}/other.json")) == both
    assert forget_examples(blobs, [GONE]) == 0
    assert read_examples(blobs, "3" * 32) == []
