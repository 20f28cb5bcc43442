"""Films of plain figures with exact truth, and a tiny ONNX detector that finds them.

The figures are upright red boxes of one size on grey ground, so a fixed convolution is a perfect detector for them:
whole paths (film, RTSP, detector, tracking, counting, records, pages) are tested without footage and without weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import onnx
from onnx import TensorProto, helper

from footfall.vision.detector import CARD_FILE, MODEL_FILE, ModelCard, read_card, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

FIGURE_WIDTH_PX = 24
FIGURE_HEIGHT_PX = 64
_CELL_PX = 4


@dataclass(frozen=True)
class Figure:
    """Somebody who walks: foot point in pixels at a time, or None when out of sight."""

    foot_at: Callable[[float], tuple[float, float] | None]


def walk(start: tuple[float, float], end: tuple[float, float], *, begins_s: float, lasts_s: float) -> Figure:
    """Somebody who walks evenly from one foot point to another and is not there before and after."""

    def foot_at(at_s: float) -> tuple[float, float] | None:
        share = (at_s - begins_s) / lasts_s
        if not 0 <= share <= 1:
            return None
        return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])

    return Figure(foot_at)


def draw(figures: Sequence[Figure], at_s: float, *, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR picture of a moment."""
    picture = np.full((height_px, width_px, 3), 110, dtype=np.uint8)
    picture[::16] = 120  # some texture, so that encoders and statistics have something to do
    for figure in figures:
        foot = figure.foot_at(at_s)
        if foot is None:
            continue
        x0, y0 = round(foot[0] - FIGURE_WIDTH_PX / 2), round(foot[1] - FIGURE_HEIGHT_PX)
        x1, y1 = x0 + FIGURE_WIDTH_PX, y0 + FIGURE_HEIGHT_PX
        picture[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = (30, 30, 230)
    return picture


def write_film(
    path: Path, figures: Sequence[Figure], *, lasts_s: float, fps: int = 10, width_px: int = 640, height_px: int = 352
) -> Path:
    """Encode a film as H.264 without B frames, a key frame a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "20", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        stream.codec_context.gop_size = fps
        stream.codec_context.time_base = Fraction(1, fps)
        for index in range(round(lasts_s * fps)):
            picture = draw(figures, index / fps, width_px=width_px, height_px=height_px)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_figure_model(folder: Path, *, class_names: tuple[str, ...] = ("person",), note: str = "") -> Path:
    """Write a model folder whose detector scores each cell by the share of red in a figure-sized window around it.

    Another `note` makes another model of it, by its bytes, that sees the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = figure_network(rows=4 + len(class_names))
    model.doc_string = note
    onnx.save(model, str(folder / MODEL_FILE))
    card = ModelCard(
        name=folder.name,
        sha256=sha256_of(folder / MODEL_FILE),
        input_name="images",
        stride=32,
        class_names=list(class_names),
        person_classes=[class_names.index("person")],
        threshold=0.7,
        low_threshold=0.65,
        nms={"iou": 0.3},
        licence="AGPL-3.0-or-later",
        source="tests/support/figures.py",
    )
    (folder / CARD_FILE).write_text(json.dumps(card.model_dump()), encoding="utf-8")
    return folder


def write_broken_model(folder: Path) -> Path:
    """Write such a model whose weights are NaN, with a card that fits: only running it shows that it is broken."""
    write_figure_model(folder)
    model = onnx.load(folder / MODEL_FILE)
    for initializer in model.graph.initializer:
        if initializer.name == "weights":
            initializer.raw_data = np.full((1, 3, 1, 1), np.nan, np.float32).tobytes()
    onnx.save(model, folder / MODEL_FILE)
    card = read_card(folder).model_copy(update={"sha256": sha256_of(folder / MODEL_FILE)})
    (folder / CARD_FILE).write_text(card.model_dump_json(), encoding="utf-8")
    return folder


def write_endless_model(folder: Path) -> Path:
    """Write such a model that counts for ever before it answers: it loads, and never ends."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes_on"], ["still"]), helper.make_node("Add", ["at", "one_more"], ["next"])],
        "for ever",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("at", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, []),
        ],
        [helper.make_tensor("one_more", TensorProto.FLOAT, [], [1.0])],
    )
    loop = helper.make_node("Loop", ["", "yes", "zero"], ["counted"], body=body)
    return _write_with(folder, loop, yes=np.array(True))


def write_greedy_model(folder: Path, *, megabytes: int) -> Path:
    """Write such a model that fills so much memory before it answers."""
    one = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
    fill = helper.make_node("ConstantOfShape", ["many"], ["counted"], value=one)
    return _write_with(folder, fill, many=np.array([megabytes * 250_000], np.int64))


def _write_with(folder: Path, node: onnx.NodeProto, **constants: NDArray[np.generic]) -> Path:
    """Write the figure model with a node whose output `counted` goes into its answer."""
    write_figure_model(folder)
    model = onnx.load(folder / MODEL_FILE)
    for name, value in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    last = model.graph.node[-1]
    last.output[0] = "answer"
    model.graph.node.append(node)
    model.graph.node.append(helper.make_node("ReduceMin", ["counted"], ["least"], keepdims=0))
    model.graph.node.append(helper.make_node("Mul", ["least", "zero"], ["none"]))
    model.graph.node.append(helper.make_node("Add", ["answer", "none"], ["output0"]))
    onnx.save(model, folder / MODEL_FILE)
    card = read_card(folder).model_copy(update={"sha256": sha256_of(folder / MODEL_FILE)})
    (folder / CARD_FILE).write_text(card.model_dump_json(), encoding="utf-8")
    return folder


def figure_network(*, rows: int = 5) -> onnx.ModelProto:
    """The network: input `images` (N, 3, H, W) → (N, rows, cells); needs films of 640 x 352 seen at 640."""
    weights = np.zeros((1, 3, 1, 1), dtype=np.float32)
    weights[0, :, 0, 0] = (1.6, -0.8, -0.8)  # redness: about 1 on a figure, about 0 on grey
    constants = {
        "weights": weights,
        "half": np.array(_CELL_PX / 2, dtype=np.float32),
        "cell": np.array(_CELL_PX, dtype=np.float32),
        "width": np.array(FIGURE_WIDTH_PX, dtype=np.float32),
        "height": np.array(FIGURE_HEIGHT_PX, dtype=np.float32),
        "zero": np.array(0, dtype=np.float32),
        "one": np.array(1, dtype=np.float32),
        "axis_y": np.array(2, dtype=np.int64),
        "axis_x": np.array(3, dtype=np.int64),
        "flat": np.array([0, rows, -1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["images", "weights"], ["red"]),
        helper.make_node("Clip", ["red", "zero", "one"], ["redness"]),
        helper.make_node(
            "AveragePool",
            ["redness"],
            ["score"],
            kernel_shape=[FIGURE_HEIGHT_PX, FIGURE_WIDTH_PX],
            strides=[_CELL_PX, _CELL_PX],
            pads=[FIGURE_HEIGHT_PX // 2, FIGURE_WIDTH_PX // 2, FIGURE_HEIGHT_PX // 2, FIGURE_WIDTH_PX // 2],
            count_include_pad=1,
        ),
        helper.make_node("Mul", ["score", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "cell"], ["step"]),
        helper.make_node("CumSum", ["step", "axis_x"], ["x_after"]),
        helper.make_node("CumSum", ["step", "axis_y"], ["y_after"]),
        helper.make_node("Sub", ["x_after", "cell"], ["x"]),
        helper.make_node("Sub", ["y_after", "cell"], ["y"]),
        helper.make_node("Add", ["nothing", "width"], ["w"]),
        helper.make_node("Add", ["nothing", "height"], ["h"]),
        helper.make_node("Concat", ["x", "y", "w", "h", *["score"] * (rows - 4)], ["map"], axis=1),
        helper.make_node("Reshape", ["map", "flat"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "figures",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", rows, "cells"])],
        [
            helper.make_tensor(name, _type(value), value.shape, value.tobytes(), raw=True)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _type(value: NDArray[np.generic]) -> int:
    return TensorProto.INT64 if value.dtype == np.int64 else TensorProto.FLOAT
