"""The detector that ships: complete, small, honest about its origin, and good on scenes that it has not seen."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from footfall.vision.detector import Detector, load_detector, read_card, sha256_of
from footfall.vision.models import EMBEDDED_FOLDER, embedded_model, resolve_model
from retrain.card import read_training
from retrain.figures import DrawnPicture, drawn_pictures, drawn_scores

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector(EMBEDDED_FOLDER)


@pytest.fixture(scope="module")
def pictures() -> list[DrawnPicture]:
    return drawn_pictures(scenes_each=4, frames_each=4)


def test_it_is_what_a_fresh_machine_serves_with(tmp_path: Path) -> None:
    assert resolve_model(None, tmp_path / "models") == EMBEDDED_FOLDER
    version = embedded_model()
    assert version is not None
    assert version.name == "embedded"


def test_its_files_are_in_the_package_and_small_enough_to_ship() -> None:
    card = read_card(EMBEDDED_FOLDER)
    assert card.sha256 == sha256_of(EMBEDDED_FOLDER / "model.onnx")
    assert (EMBEDDED_FOLDER / "model.onnx").stat().st_size <= 4_000_000
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    assert "models/embedded/*" in data["footfall"]


def test_its_card_tells_origin_licences_figures_and_what_it_is_not_for() -> None:
    card, record = read_card(EMBEDDED_FOLDER), read_training(EMBEDDED_FOLDER)
    text = (EMBEDDED_FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.sha256 in text
    assert card.data_digest in text
    assert card.licence == "AGPL-3.0-or-later"
    assert record.command in text
    assert record.command.startswith("footfall-retrain embedded")
    free = re.compile(r"AGPL-3\.0|CC-BY-4\.0|public domain")
    for each in record.sources:
        assert free.match(each.source.licence), each
        assert each.source.licence in text
        if each.source.licence == "CC-BY-4.0":
            assert each.source.attribution
            assert each.source.attribution in text
    measured = {each.name for each in record.figures.sets}
    for name in ("PETS09-S2L1-a", "TUD-Campus", "one-by-one-audited", "walkway-audited"):
        assert name in measured
    assert "Not for:" in text
    assert "/" not in record.command


def test_it_finds_who_is_seen_clearly_in_scenes_that_no_training_has_used(
    detector: Detector, pictures: list[DrawnPicture]
) -> None:
    found = [detector.detect([each.picture])[0] for each in pictures]
    scores = drawn_scores(pictures, found, threshold=detector.version.threshold, clear=True)
    assert scores["ap50"] is not None
    assert scores["ap50"] >= 0.90, scores
