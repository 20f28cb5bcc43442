"""Finds people on pictures with a trusted model folder; `runtimes` runs its network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from footfall.domain import Detections, ModelVersion
from footfall.errors import ModelError
from footfall.vision.pixels import scaled
from footfall.vision.runtimes import load_network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from footfall.domain import Image
    from footfall.vision.runtimes import Network, Runtime

MODEL_FILE: Final = "model.onnx"
CARD_FILE: Final = "model.json"
_PADDING_GREY: Final = 114  # what YOLO models were trained with


class NmsSettings(BaseModel):
    """How overlapping boxes of one person become one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    iou: float = Field(0.6, gt=0, le=1, description="Of two boxes that overlap more than this the weaker goes.")
    max_detections: int = Field(300, ge=1, le=10_000, description="Most people in one frame.")


class ModelCard(BaseModel):
    """`model.json`: all that serving must know about `model.onnx`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["footfall-detector/1"] = "footfall-detector/1"
    name: str = Field(min_length=1, max_length=64)
    description: str = ""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of model.onnx.")
    input_name: str = Field(description="Input tensor: (N, 3, H, W) float32, RGB, 0–1.")
    stride: int = Field(32, ge=1, le=256, description="Height and width must be multiples of this.")
    class_names: list[str] = Field(min_length=1, max_length=10_000)
    person_classes: list[int] = Field(min_length=1, description="Which classes are people.")
    threshold: float = Field(0.25, ge=0, le=1, description="A person is confirmed at this confidence.")
    low_threshold: float = Field(
        0.1, ge=0, le=1, description="Weaker finds down to this may only continue a person already followed."
    )
    nms: NmsSettings = Field(default_factory=NmsSettings)
    data_digest: str = Field("unknown", description="Digest of the data that it was trained on.")
    licence: str = Field("unknown", description="SPDX name of the licence of the weights.")
    source: str = Field("", description="Where it came from, or the command that made it.")


class Detector(Protocol):
    """Whatever finds people on pictures."""

    version: ModelVersion
    runtime: str

    def detect(self, pictures: Sequence[NDArray[np.uint8] | Image]) -> list[Detections]:
        """Find the people on each picture; called from several threads at once.

        Args:
            pictures: (H, W, 3) uint8 BGR each, or what gives one; sizes may differ; may be empty.

        Returns:
            One entry per picture, strongest first; confidences from the model card's `low_threshold` up.
        """


def sha256_of(path: Path) -> str:
    """Return the hexadecimal digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_card(folder: Path) -> ModelCard:
    """Read and check `model.json`.

    Raises:
        ModelError: no such file, not understood, or no person class.
    """
    path = folder / CARD_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"model {folder.name!r}: {path.name} cannot be read ({type(error).__name__}); expected a model folder with "
            f"{MODEL_FILE} and {CARD_FILE}, as `footfall models import` makes it"
        ) from None
    try:
        card = ModelCard.model_validate(json.loads(text))
    except (json.JSONDecodeError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else "not JSON"
        raise ModelError(
            f"model {folder.name!r}: {path.name} is not understood ({what}); the model is refused"
        ) from None
    wrong = [index for index in card.person_classes if not 0 <= index < len(card.class_names)]
    if wrong:
        raise ModelError(
            f"model {folder.name!r}: person class {wrong[0]} does not exist, there are {len(card.class_names)} "
            "classes; the model is refused"
        )
    return card


def check_onnx(content: bytes, *, name: str) -> None:
    """Refuse what is no self-contained ONNX file; reads the protobuf fields itself, executes nothing.

    Raises:
        ModelError: a pickle or archive in disguise, or weights kept in other files (which could be any file of this
            machine).
    """
    if content[:2] in {b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"}:
        raise ModelError(
            f"model {name!r}: is a Python pickle or zip archive, expected ONNX; it was not opened, because loading it "
            "could run code (for a .pt file: `footfall models import FILE.pt`)"
        )
    try:
        graph = _first(_fields(content), 7)
        external = any(
            any(number == 13 or (number, value) == (14, 1) for number, value in _fields(initializer))
            for initializer in _all_tensors(graph)
        )
    except (ValueError, IndexError, TypeError):
        raise ModelError(f"model {name!r}: is not an ONNX file (cannot be parsed); the model is refused") from None
    if external:
        raise ModelError(
            f"model {name!r}: keeps weights in other files (external data), expected one self-contained ONNX file; "
            "the model is refused"
        )


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """Split a protobuf message into (field number, value); nested messages stay bytes."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(message, at)
        elif kind in {1, 5}:
            size = 8 if kind == 1 else 4
            value, at = message[at : at + size], at + size
        elif kind == 2:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(kind)
        if at > len(message) or number == 0:
            raise ValueError(number)
        found.append((number, value))
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(shift)


def _first(fields: list[tuple[int, int | bytes]], number: int) -> bytes:
    for found, value in fields:
        if found == number and isinstance(value, bytes):
            return value
    raise ValueError(number)


def _all_tensors(graph: bytes) -> list[bytes]:
    """Every TensorProto of a GraphProto: initializers, and tensors in attributes, subgraphs included."""
    tensors: list[bytes] = []
    for number, value in _fields(graph):
        if not isinstance(value, bytes):
            continue
        if number == 5:
            tensors.append(value)
        elif number == 1:  # GraphProto.node
            for node_number, attribute in _fields(value):
                if node_number != 5 or not isinstance(attribute, bytes):
                    continue
                for kind, content in _fields(attribute):
                    if kind in {5, 10} and isinstance(content, bytes):  # AttributeProto.t, .tensors
                        tensors.append(content)
                    elif kind in {6, 11} and isinstance(content, bytes):  # AttributeProto.g, .graphs
                        tensors.extend(_all_tensors(content))
    return tensors


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture was fitted into the detector's input: scaled evenly, then padded.

    Attributes:
        scale: input pixels per picture pixel.
        left_px, top_px: padding in input pixels.
    """

    scale: float
    left_px: int
    top_px: int


def input_shape(width_px: int, height_px: int, *, longer_px: int, stride: int) -> tuple[int, int]:
    """Return the (height, width) of the smallest allowed input that holds the scaled picture.

    >>> input_shape(1920, 1080, longer_px=640, stride=32), input_shape(480, 360, longer_px=640, stride=32)
    ((384, 640), (480, 640))
    """
    scale = longer_px / max(width_px, height_px)

    def fit(length_px: int) -> int:
        return max(stride, -(-round(length_px * scale) // stride) * stride)

    return fit(height_px), fit(width_px)


def letterbox_into(picture: NDArray[np.uint8] | Image, target: NDArray[np.uint8]) -> Letterbox:
    """Scale `picture` evenly into `target`, centred on grey.

    Args:
        picture: (H, W, 3) uint8, or what gives one.
        target: (h, w, 3) uint8; overwritten.
    """
    height, width = _shape(picture)
    target_height, target_width = target.shape[:2]
    scale = min(target_height / height, target_width / width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (target_width - new_width) // 2, (target_height - new_height) // 2
    target[:top] = target[top + new_height :] = _PADDING_GREY
    target[top : top + new_height, :left] = target[top : top + new_height, left + new_width :] = _PADDING_GREY
    inner = target[top : top + new_height, left : left + new_width]
    if isinstance(picture, np.ndarray):
        inner[:] = scaled(picture, new_width, new_height)
    else:
        inner[:] = picture.scaled_bgr(new_width, new_height)
    return Letterbox(scale, left, top)


def _shape(picture: NDArray[np.uint8] | Image) -> tuple[int, int]:
    """Height and width."""
    if isinstance(picture, np.ndarray):
        return picture.shape[0], picture.shape[1]
    return picture.height_px, picture.width_px


def decode_predictions(
    predictions: NDArray[np.float32],
    letterbox: Letterbox,
    picture_shape: tuple[int, int],
    card: ModelCard,
) -> Detections:
    """Turn one frame's raw output into people.

    Args:
        predictions: (4 + classes, anchors) float32; cx, cy, w, h in input pixels, then class scores.
        picture_shape: height, width of the source frame.

    Returns:
        At most `card.nms.max_detections` people, strongest first, boxes clipped to the picture.
    """
    # One class, as specialists have it: no copy.
    rows = [predictions[4 + index] for index in card.person_classes]
    scores = rows[0] if len(rows) == 1 else np.maximum.reduce(rows)
    keep = np.flatnonzero(scores >= card.low_threshold)
    keep = keep[np.argsort(-scores[keep], kind="stable")]
    scores = scores[keep]
    found = predictions[:4, keep].T
    halves = 0.5 * found[:, 2:]
    boxes = np.concatenate((found[:, :2] - halves, found[:, :2] + halves), axis=1)
    boxes -= (letterbox.left_px, letterbox.top_px) * 2
    boxes /= letterbox.scale
    picture_height, picture_width = picture_shape
    boxes = np.minimum(np.maximum(boxes, 0, out=boxes), np.array((picture_width, picture_height) * 2, np.float32))
    sizes = boxes[:, 2:] - boxes[:, :2]
    # What is not a number is not at least 1 either.
    real = (sizes >= 1).all(axis=1)
    if not real.all():
        boxes, scores = boxes[real], scores[real]
    chosen = non_maximum_suppression(boxes, card.nms.iou)[: card.nms.max_detections]
    return Detections(boxes[chosen], scores[chosen], card.threshold)


def non_maximum_suppression(boxes: NDArray[np.float32], iou: float) -> NDArray[np.intp]:
    """Greedy suppression.

    Args:
        boxes: (N, 4) x0, y0, x1, y1, strongest first; N may be 0.
        iou: of two boxes that overlap more than this the weaker goes.

    Returns:
        Indices that stay, strongest first.
    """
    if not len(boxes):
        return np.empty(0, np.intp)
    corners_and_sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    # All scores alike: they are in their order already. The stubs know no arrays, which take a third of the time.
    alike: Any = np.ones(len(boxes), np.float32)
    chosen = cv2.dnn.NMSBoxes(cast("Any", corners_and_sizes), alike, 0.0, iou)
    return np.asarray(chosen, np.intp).ravel()


class YoloDetector:
    """A YOLO-shaped ONNX model behind the `Detector` protocol; see `load_detector`."""

    def __init__(self, card: ModelCard, network: Network, *, input_size: int) -> None:
        self.card = card
        self.version = ModelVersion(
            name=card.name,
            sha256=card.sha256,
            threshold=card.threshold,
            licence=card.licence,
            description=card.description,
        )
        self.runtime = network.runtime
        self._network = network
        self._input_size = network.fixed_size or input_size
        self._is_square = network.fixed_size is not None
        self._check_output()

    def detect(self, pictures: Sequence[NDArray[np.uint8] | Image]) -> list[Detections]:
        """Find the people on each picture; see `Detector.detect`."""
        found: list[Detections | None] = [None] * len(pictures)
        groups: dict[tuple[int, int], list[int]] = {}
        for index, picture in enumerate(pictures):
            groups.setdefault(self._input_shape(picture), []).append(index)
        for (height, width), indices in groups.items():
            canvas = np.empty((len(indices), height, width, 3), dtype=np.uint8)
            letterboxes = [letterbox_into(pictures[i], canvas[n]) for n, i in enumerate(indices)]
            outputs = self._network.run(_to_input(canvas))
            for n, index in enumerate(indices):
                found[index] = decode_predictions(outputs[n], letterboxes[n], _shape(pictures[index]), self.card)
        return [each for each in found if each is not None]

    def infer(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network alone: (N, 3, H, W) RGB in [0, 1] to its raw output, for measurements."""
        return self._network.run(tensor)

    def _input_shape(self, picture: NDArray[np.uint8] | Image) -> tuple[int, int]:
        if self._is_square:
            return self._input_size, self._input_size
        height, width = _shape(picture)
        return input_shape(width, height, longer_px=self._input_size, stride=self.card.stride)

    def _check_output(self) -> None:
        side = self._input_size if self._is_square else max(2 * self.card.stride, 64)
        # Two pictures: some broken weights give NaN only where something is to be seen.
        noise = np.random.default_rng(0).random((1, 3, side, side), np.float32)
        for what, tensor in (("black", np.zeros_like(noise)), ("noise", noise)):
            output = self._network.run(tensor)
            rows = 4 + len(self.card.class_names)
            if output.ndim != 3 or output.shape[0] != 1 or output.shape[1] != rows:
                raise ModelError(
                    f"model {self.card.name!r}: output has shape {output.shape}, expected (1, {rows}, anchors): 4 box "
                    f"numbers and one score for each of the {len(self.card.class_names)} classes; the model is refused"
                )
            if not np.isfinite(output).all():
                raise ModelError(
                    f"model {self.card.name!r}: output holds NaN or infinity on a picture of {what}; it is refused"
                )


def _to_input(canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, H, W, 3) uint8 BGR → (N, 3, H, W) float32 RGB in [0, 1]."""
    count, height, width, _ = canvas.shape
    tensor = np.empty((count, 3, height, width), dtype=np.float32)
    for index in range(count):
        # Apart first: numbers that lie together are multiplied several at a time.
        for channel, plane in enumerate(cv2.split(canvas[index])):
            np.multiply(plane, np.float32(1 / 255), out=tensor[index, 2 - channel])
    return tensor


def load_detector(
    path: Path, *, runtime: Runtime = "onnxruntime", threads: int = 0, input_size: int = 640, callers: int = 1
) -> YoloDetector:
    """Load a model folder after checking it; the bytes that were checked are the bytes that run.

    Args:
        path: folder with `model.onnx` and `model.json`.
        runtime: `auto` takes OpenVINO where it is installed and faster with this model on this machine, measured here
            in up to a second, else ONNX Runtime.
        threads: of the runtime; 0 takes one per core.
        input_size: longer side of the network's input in pixels; ignored by models with a fixed size.
        callers: how many threads will call `detect` at once; the runtime's threads are shared out among them.

    Raises:
        ModelError: anything about the folder is not as its `model.json` says.
    """
    card = read_card(path)
    onnx_path = path / MODEL_FILE
    try:
        if onnx_path.is_symlink():
            raise ModelError(f"model {path.name!r}: {MODEL_FILE} is a link, expected a file; the model is refused")
        content = onnx_path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {path.name!r}: {MODEL_FILE} cannot be read ({type(error).__name__})") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.sha256:
        raise ModelError(
            f"model {path.name!r}: {MODEL_FILE} has sha256 {digest[:12]}…, {CARD_FILE} says {card.sha256[:12]}…; the "
            "file was changed or only half copied and is refused"
        )
    check_onnx(content, name=card.name)
    network = load_network(
        content,
        name=card.name,
        input_name=card.input_name,
        runtime=runtime,
        threads=threads,
        callers=callers,
        usual_shape=input_shape(16, 9, longer_px=input_size, stride=card.stride),
    )
    return YoloDetector(card, network, input_size=input_size)
