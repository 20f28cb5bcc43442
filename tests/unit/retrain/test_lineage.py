"""A label is doubted only by a model that never saw its frame, whatever is known of the models before it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.registered import make_registry, model_folder

from footfall.config import Settings
from footfall.stores.registry import Registry
from footfall.vision.models import EMBEDDED_FOLDER
from retrain.frames import LabelledFrame, Split, write_manifest
from retrain.lineage import Ancestor, Step, ancestors, judges
from retrain.wiring import line_of, run_folder

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def frame(number: int, split: Split | None = None, **changes: Any) -> LabelledFrame:
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "camera_id": "gate",
        "taken_at": NOON + number * DAY,
        "is_new": True,
        "width_px": 640,
        "height_px": 360,
        "boxes": (),
        "labelled_by": "reviewer",
        "picture": "samples/gate.jpg",
        "sha256": "0" * 64,
        "split": split,
    }
    return LabelledFrame(**(values | changes))


def trained(run: Path, *frames: LabelledFrame) -> Path:
    """The folder of a run that left this manifest."""
    (run / "split").mkdir(parents=True)
    write_manifest(run / "split/manifest.json", frames)
    return run


def test_each_frame_is_judged_by_the_newest_model_that_never_trained_on_it(tmp_path: Path) -> None:
    first = trained(tmp_path / "1", frame(0, "train"), frame(1, "test"))
    second = trained(tmp_path / "2", frame(2, "train"), frame(3, "val"))
    line = ancestors(
        [
            Step(tmp_path / "night", second, NOON + 9 * DAY),
            Step(tmp_path / "fog", first, NOON + 5 * DAY),
            Step(tmp_path / "bought", None, NOON),
        ],
        is_whole=True,
    )
    found = judges([frame(number) for number in range(5)], line)
    assert [found[frame(number).id].folder.name for number in range(5)] == [
        "bought",  # both that came later have learned it
        "night",
        "fog",
        "night",
        "night",
    ]
    assert judges([replace(frame(9), picture="sim:mall#1")], line) == {}  # drawn labels are right


def test_where_a_record_is_gone_only_what_was_taken_later_is_surely_unseen(tmp_path: Path) -> None:
    known = trained(tmp_path / "2", frame(7, "train"))
    line = ancestors(
        [Step(tmp_path / "night", known, NOON + 9 * DAY), Step(tmp_path / "fog", tmp_path / "gone", NOON + 5 * DAY)],
        is_whole=False,
    )
    found = judges([frame(number) for number in range(12)], line)
    assert sorted(found) == [frame(number).id for number in range(6, 12)]
    assert found[frame(7).id].folder.name == "fog"
    assert found[frame(8).id].folder.name == "night"
    # Whose beginning is unknown may have learned anything of before, even where its own manifest is there.
    assert ancestors([Step(tmp_path / "night", known, NOON)], is_whole=False) == (
        Ancestor(tmp_path / "night", frozenset({frame(7).id}), NOON),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def retrained(registry: Registry, settings: Settings, name: str, run: str, base: str, *frames: LabelledFrame) -> Path:
    """Make a model known as a retraining leaves it."""
    folder = model_folder(settings.models_dir, name, input_name="images", class_names=["person"], person_classes=[0])
    registry.add(folder, origin="retrained", by="footfall-retrain", at=NOON, run=run)
    trained(run_folder(settings, run), *frames)
    (run_folder(settings, run) / "01-plan.json").write_text(json.dumps({"record": {"champion": base}}))
    return folder


def digest(folder: Path) -> str:
    return str(json.loads((folder / "model.json").read_text())["sha256"])


def test_the_line_is_followed_back_to_a_model_that_no_retraining_made(tmp_path: Path, settings: Settings) -> None:
    registry = make_registry(tmp_path)
    about = {"input_name": "images", "class_names": ["person"], "person_classes": [0]}
    bought = model_folder(settings.models_dir, "bought", **about)
    registry.add(bought, origin="imported", by="ana", at=NOON)
    fog = retrained(registry, settings, "fog", "a" * 32, digest(bought), frame(0, "train"))
    night = retrained(registry, settings, "night", "b" * 32, digest(fog), frame(1, "train"), frame(2, "test"))
    assert line_of(night, settings, registry) == (
        Ancestor(night, frozenset({frame(0).id, frame(1).id})),
        Ancestor(fog, frozenset({frame(0).id})),
        Ancestor(bought),
    )
    (run_folder(settings, "a" * 32) / "01-plan.json").unlink()
    broken = line_of(night, settings, registry)
    assert [each.folder for each in broken] == [night, fog, EMBEDDED_FOLDER]
    assert [each.unknown_until for each in broken] == [NOON, NOON, None]
    assert line_of(EMBEDDED_FOLDER, settings, registry) == (Ancestor(EMBEDDED_FOLDER),)
