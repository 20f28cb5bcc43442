"""Writes a model with 8 bits where the runtime computes faster with them, calibrated on the site's own frames."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from footfall.errors import TrainingError
from footfall.vision.detector import MODEL_FILE, input_shape, letterbox_into, read_card, sha256_of
from retrain.export import write_model_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from footfall.vision.detector import ModelCard

INT8: Final = "-int8"
"""What the name of a model with 8 bits ends with; the one it was made of has the name without."""
LEAST_PICTURES: Final = 8
MOST_PICTURES: Final = 300
_MODULE: Final = re.compile(r"/model\.(\d+)/")


class _Pictures(CalibrationDataReader):  # type: ignore[misc]  # the runtime has no types
    """Hands out pictures as serving fits them into the network's input."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]], card: ModelCard, input_size: int) -> None:
        self._inputs = self._each(pictures, card, input_size)

    @staticmethod
    def _each(pictures: Sequence[NDArray[np.uint8]], card: ModelCard, input_size: int) -> Iterator[dict[str, Any]]:
        for picture in pictures:
            height, width = picture.shape[:2]
            shape = input_shape(width, height, longer_px=input_size, stride=card.stride)
            canvas = np.empty((*shape, 3), np.uint8)
            letterbox_into(picture, canvas)
            tensor = canvas[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
            yield {card.input_name: np.ascontiguousarray(tensor)}

    def get_next(self) -> dict[str, Any] | None:
        return next(self._inputs, None)


def write_int8(
    source: Path, target: Path, pictures: Sequence[NDArray[np.uint8]], *, input_size: int, ends_in_floats: bool = False
) -> ModelCard:
    """Write the model of folder `source` with 8-bit numbers into folder `target`.

    Of the head only the convolutions: they are nearly all of its work, while boxes and scores need the finer numbers.
    Weights by channel with 7 bits, because processors without VNNI add products of 8 bits in 16 bits, which overflow.

    Args:
        pictures: (H, W, 3) uint8 BGR of the site, on none of which the model is judged; of all its cameras and times.
        ends_in_floats: the first module and the whole head keep their floats, which loses less and saves less.

    Raises:
        TrainingError: there are too few pictures to calibrate with.
    """
    if len(pictures) < LEAST_PICTURES:
        raise TrainingError(
            f"8 bits: {len(pictures)} pictures to calibrate with, expected at least {LEAST_PICTURES}; the model stays "
            "with floats"
        )
    card = read_card(source)
    target.mkdir(parents=True, exist_ok=True)
    # It advises to preprocess the model, which changes nothing in a fused one.
    logging.getLogger().addFilter(lambda record: "pre-processing" not in record.getMessage())
    quantize_static(
        str(source / MODEL_FILE),
        str(target / MODEL_FILE),
        _Pictures(pictures[:MOST_PICTURES], card, input_size),
        quant_format=QuantFormat.QDQ,
        nodes_to_exclude=_in_floats(onnx.load(str(source / MODEL_FILE)), ends=ends_in_floats),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    model = onnx.load(str(target / MODEL_FILE))
    onnx.checker.check_model(model)
    smaller = card.model_copy(update={"sha256": sha256_of(target / MODEL_FILE), "name": f"{card.name}{INT8}"})
    write_model_json(target, smaller)
    return smaller


def _in_floats(model: Any, *, ends: bool) -> list[str]:  # noqa: ANN401  onnx has no types here
    """Nodes of the head, the module with the highest number, that are no convolutions; with `ends` both end modules."""
    numbers = [int(found[1]) for node in model.graph.node if (found := _MODULE.match(node.name))]
    first, head = f"/model.{min(numbers, default=-1)}/", f"/model.{max(numbers, default=-1)}/"
    return [
        node.name
        for node in model.graph.node
        if (node.name.startswith(head) and (ends or node.op_type != "Conv")) or (ends and node.name.startswith(first))
    ]
