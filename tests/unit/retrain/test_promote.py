"""Challengers come to the registry: once, with their gate report, and never past a champion that nobody compared."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
import pytest

from footfall.domain import Camera
from footfall.errors import PromotionError, TrainingError
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.registry import Registry
from footfall.vision.detector import read_card, sha256_of
from footfall.vision.models import EMBEDDED_FOLDER
from retrain.export import copy_model, write_model_json
from retrain.promote import hand_over
from retrain.wiring import canaries_of
from tests.support.retrained import REQUEST

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PASSED = {"promote": True, "gates": [{"name": "G1 new", "passed": True, "detail": "better"}]}
FAILED = {"promote": False, "gates": [{"name": "G4", "passed": False, "detail": "mean F1 0.5 -> 0.4"}]}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    database = Database(f"sqlite:///{tmp_path / 'footfall.db'}")
    database.migrate()
    return Registry(database, BlobStore(str(tmp_path / "blobs")))


def model(folder: Path, name: str) -> Path:
    """The embedded model with a word of its own in it: another digest."""
    copy_model(EMBEDDED_FOLDER, folder / name)
    path = folder / name / "model.onnx"
    content = onnx.load(str(path))
    content.doc_string = name
    onnx.save(content, str(path))
    card = read_card(folder / name).model_copy(update={"name": name, "sha256": sha256_of(path)})
    write_model_json(folder / name, card)
    return folder / name


def given(registry: Registry, folder: Path, report: dict[str, Any], **changes: Any) -> dict[str, Any]:
    champion = registry.aliases().champion or "a" * 64
    values: dict[str, Any] = {"passed": report["promote"], "run": REQUEST, "champion": champion, "at": NOW}
    return hand_over(registry, folder, report, **(values | changes))


def test_who_passed_becomes_champion_once(registry: Registry, tmp_path: Path) -> None:
    challenger = model(tmp_path, "fog-1")
    told = given(registry, challenger, PASSED)
    assert (told["outcome"], told["note"]) == ("promoted", "fog-1 is the champion")
    assert registry.aliases().champion == read_card(challenger).sha256
    assert given(registry, challenger, PASSED, champion="a" * 64) == told
    assert len(registry.log()) == 1


def test_who_failed_is_known_and_stays_out(registry: Registry, tmp_path: Path) -> None:
    told = given(registry, model(tmp_path, "fog-1"), FAILED)
    assert (told["outcome"], told["note"]) == ("rejected", "G4 (mean F1 0.5 -> 0.4)")
    assert registry.aliases().champion is None
    kept = registry.model(told["sha256"])
    assert (kept.is_rejected, kept.gates, kept.run) == (True, FAILED, REQUEST)
    with pytest.raises(PromotionError, match="its gates have rejected it"):
        registry.promote(kept.sha256, actor="Ada", why="why not", at=NOW)


def test_nobody_passes_a_champion_that_came_meanwhile(registry: Registry, tmp_path: Path) -> None:
    other = given(registry, model(tmp_path, "other"), PASSED)
    with pytest.raises(TrainingError, match="became champion meanwhile; nothing was promoted"):
        given(registry, model(tmp_path, "fog-1"), PASSED, champion="b" * 64)
    assert registry.aliases().champion == other["sha256"]


def test_canaries_try_it_out_first(registry: Registry, tmp_path: Path) -> None:
    champion = given(registry, model(tmp_path, "old"), PASSED)["sha256"]
    challenger = model(tmp_path, "fog-1")
    told = given(registry, challenger, PASSED, canaries=("gate",))
    assert (told["outcome"], told["note"]) == ("promoted", "fog-1 is tried out on gate")
    now = registry.aliases()
    assert (now.champion, now.challenger, now.canaries) == (champion, told["sha256"], ("gate",))
    assert given(registry, challenger, PASSED, canaries=("gate",)) == told
    assert len(registry.log()) == 2


def test_the_model_with_floats_is_kept_beside_the_one_with_8_bits(registry: Registry, tmp_path: Path) -> None:
    given(registry, model(tmp_path, "fog-1-int8"), PASSED, floats=model(tmp_path, "fog-1"))
    assert registry.find("fog-1").origin == "retrained"
    assert registry.aliases().champion == registry.find("fog-1-int8").sha256


@pytest.mark.parametrize(
    ("cameras", "share", "count"), [(10, 0.0, 0), (10, 0.05, 1), (10, 0.3, 3), (1, 0.5, 0), (3, 1.0, 2)]
)
def test_so_many_cameras_are_canaries(tmp_path: Path, cameras: int, share: float, count: int) -> None:

    database = Database(f"sqlite:///{tmp_path / 'footfall.db'}")
    database.migrate()
    for number in range(cameras):
        database.put_camera(Camera(id=f"c{number}", url="sim:mall"))
    chosen = canaries_of(database, share)
    assert len(chosen) == count
    assert canaries_of(database, share) == chosen
