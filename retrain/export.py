"""Turns a trained network into a model folder that serving loads, and proves that both answer alike."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import onnx

from footfall.errors import TrainingError
from footfall.vision.boxes import pairwise_iou
from footfall.vision.detector import (
    CARD_FILE,
    MODEL_FILE,
    ModelCard,
    NmsSettings,
    YoloDetector,
    load_detector,
    read_card,
    sha256_of,
)
from footfall.vision.evaluation import detection_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from footfall.domain import Detections

MOST_BYTES: Final = 4_000_000
"""It is part of every installation."""
INPUT_NAME: Final = "images"
_STRIDE: Final = 32
_THRESHOLDS: Final = np.arange(0.15, 0.75, 0.01)
_PRECISION_IS_WORTH: Final = 0.02
"""So much F1 is given for precision; on the few frames that choose, more would be given for their chances."""
_CLOSE_IOU: Final = 0.98
_CLOSE_SCORE: Final = 0.01


class Answering(Protocol):
    """A network that can be asked and written."""

    runtime: str
    fixed_size: int | None

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3, H, W) float32 RGB in [0, 1] → (N, 5, anchors) float32."""

    def write_onnx(self, path: Path) -> None:
        """Write it as ONNX with input `images`."""


def export_model(
    network: Answering,
    folder: Path,
    *,
    name: str,
    description: str,
    licence: str,
    data_digest: str,
    source: str,
    most_bytes: int | None = MOST_BYTES,
) -> ModelCard:
    """Write `model.onnx` and `model.json`.

    Args:
        most_bytes: how large the file may be; None for any size.

    Raises:
        TrainingError: the file is too large to ship.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MODEL_FILE
    network.write_onnx(path)
    model = onnx.load(str(path))
    about = {"names": "{0: 'person'}", "stride": str(_STRIDE), "license": licence, "description": description}
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    size = path.stat().st_size
    if most_bytes is not None and size > most_bytes:
        raise TrainingError(
            f"model {name!r}: {MODEL_FILE} has {size} bytes, expected at most {most_bytes}; make the network smaller"
        )
    card = ModelCard(
        name=name,
        description=description,
        sha256=sha256_of(path),
        input_name=INPUT_NAME,
        stride=_STRIDE,
        class_names=["person"],
        person_classes=[0],
        data_digest=data_digest,
        licence=licence,
        source=source,
    )
    write_model_json(folder, card)
    return card


def write_model_json(folder: Path, card: ModelCard) -> None:
    """Write or replace `model.json`."""
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def check_parity(network: Answering, folder: Path, pictures: Sequence[NDArray[np.uint8]], *, input_size: int) -> None:
    """Compare what the written model finds with what the trained network finds, both through serving's detector.

    Overlapping finds are kept for this: which of two equals is suppressed hangs on the last digit.

    Args:
        pictures: (H, W, 3) uint8 BGR each.

    Raises:
        TrainingError: somebody is found by one and not by the other.
    """
    with tempfile.TemporaryDirectory(prefix="footfall-parity-") as scratch:
        copy = Path(scratch)
        shutil.copyfile(folder / MODEL_FILE, copy / MODEL_FILE)
        every = NmsSettings(iou=1.0, max_detections=10_000)
        write_model_json(copy, read_card(folder).model_copy(update={"nms": every}))
        written = load_detector(copy, input_size=input_size)
    trained = YoloDetector(written.card, network, input_size=input_size)
    for number, (first, second) in enumerate(
        zip(written.detect(pictures), trained.detect(pictures), strict=True), start=1
    ):
        # At the very edge of confidence a person may come and go.
        for one, other in ((first, second), (second, first)):
            safe = one.scores >= written.card.low_threshold + _CLOSE_SCORE
            overlaps = pairwise_iou(one.boxes_px[safe], other.boxes_px)
            apart = np.abs(one.scores[safe][:, None] - other.scores[None, :])
            if not ((overlaps >= _CLOSE_IOU) & (apart <= _CLOSE_SCORE)).any(axis=1).all():
                raise TrainingError(
                    f"model {written.card.name!r}: the written model and the trained network differ on picture "
                    f"{number} ({len(first.scores)} and {len(second.scores)} finds); it must not be used"
                )


def best_threshold(
    truth: Sequence[NDArray[np.float32]], found: Sequence[Detections], *, least_precision: float = 0.0
) -> tuple[float, float]:
    """Choose the confidence that gives the best F1 on labelled pictures, of those that are precise enough.

    Args:
        truth: (N, 4) boxes of each picture.
        least_precision: where no confidence reaches it, or only at a loss of F1, that with the best F1 is taken.

    Returns:
        The threshold, and its F1 (0.0 when nothing was found).
    """
    best, best_precise = (0.25, 0.0), (0.25, 0.0)
    for threshold in _THRESHOLDS.round(2).tolist():
        scores = detection_scores(truth, found, threshold=threshold)
        precision, recall = scores["precision"], scores["recall"]
        if not precision or not recall:
            continue
        f1 = 2 * precision * recall / (precision + recall)
        if f1 > best[1]:
            best = (threshold, f1)
        if precision >= least_precision and f1 > best_precise[1]:
            best_precise = (threshold, f1)
    return best_precise if best_precise[1] >= best[1] - _PRECISION_IS_WORTH else best


def copy_model(source: Path, target: Path) -> None:
    """Copy `model.onnx` and `model.json` into a folder that is made."""
    target.mkdir(parents=True)
    for name in (MODEL_FILE, CARD_FILE):
        shutil.copyfile(source / name, target / name)


def copy_with_threshold(source: Path, target: Path, threshold: float) -> None:
    """Copy a model folder, with another threshold."""
    copy_model(source, target)
    write_model_json(target, read_card(source).model_copy(update={"threshold": threshold}))
