"""A model in use is learned on from its own model.onnx, and written with 8 bits, without becoming another model."""

from __future__ import annotations

import itertools
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from footfall.errors import TrainingError
from footfall.simulation import parse_simulation_url
from footfall.vision.detector import load_detector, read_card, sha256_of
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.truth import LEAST_VISIBLE
from retrain.collect import picture_file
from retrain.evaluate import f1_at_threshold
from retrain.export import best_threshold, copy_model
from retrain.frames import LabelledFrame
from retrain.gates import Bounds
from retrain.job import Options
from retrain.quantise import INT8, write_int8
from retrain.stages import _Stages

ROOT = Path(__file__).resolve().parents[3]
Labelled = tuple[NDArray[np.uint8], NDArray[np.float32]]

LEARNING = """
import sys
from pathlib import Path
import numpy as np
from footfall.vision.detector import load_detector
from footfall.vision.models import EMBEDDED_FOLDER
from retrain.plan import _Grey
from retrain.train import FROM_NOTHING, Network, Schedule, is_ours, teach
import dataclasses

network = Network.of_model(EMBEDDED_FOLDER, device="cpu")
served = load_detector(EMBEDDED_FOLDER, input_size=192)._network
tensor = np.random.default_rng(1).random((2, 3, 128, 192), np.float32)
print(float(np.abs(network.run(tensor) - served.run(tensor)).max()) < 1e-3, is_ours(EMBEDDED_FOLDER))
before = {name: value.clone() for name, value in network.model.state_dict().items()}
sizes = ((128, 192),)
pace = dataclasses.replace(FROM_NOTHING, crop_sizes_px=sizes, whole_sizes_px=sizes, pixels_per_batch=1, warm_up_steps=1,
                           frozen_share=0.45)
teach(network, _Grey(), schedule=Schedule(1.0, 2), seed=1, report=lambda _: None, pace=pace)
after = network.model.state_dict().items()
changed = {int(name.split(".")[1]) for name, value in after if not value.equal(before[name])}
print(min(changed), max(changed), network.learning_parameters() < network.parameters())
for folder in sys.argv[1:]:
    try:
        Network.of_model(Path(folder), device="cpu")
    except Exception as error:
        print(type(error).__name__, error)
"""


def drawn(seed: int, count: int) -> list[Labelled]:
    url = f"sim:mall?people=10&seed={seed}&fps=0.4&size=640x360&start=20"
    shown = itertools.islice(Simulator(parse_simulation_url(url)).frames(), count)
    return [(each.picture, each.people.boxes_px[each.people.visible >= LEAST_VISIBLE]) for each in shown]


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8") / "model"
    pictures = [picture for seed in (900_201, 900_202) for picture, _ in drawn(seed, 6)]
    write_int8(EMBEDDED_FOLDER, folder, pictures, input_size=320)
    return folder


@pytest.mark.timeout(300)
def test_a_model_goes_on_from_where_it_serves_and_its_frozen_part_stays(int8: Path, tmp_path: Path) -> None:
    other = tmp_path / "changed"
    copy_model(EMBEDDED_FOLDER, other)
    with (other / "model.onnx").open("ab") as stream:
        stream.write(b"\0")
    done = subprocess.run(
        [sys.executable, "-c", LEARNING, str(int8), str(other)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    same, frozen, of_int8, of_changed = done.stdout.splitlines()
    assert same == "True True"
    assert frozen == "12 22 True"  # of 23 layers the first ten are frozen, and the next two have no weights
    assert of_int8.startswith("TrainingError model 'embedded-int8': its weights belong to none of the networks")
    assert of_changed.startswith("ModelError model 'embedded': model.onnx is not what its card says")


@pytest.mark.timeout(300)
def test_8_bits_find_the_same_people(int8: Path) -> None:
    card = read_card(int8)
    assert (card.name, card.sha256) == (f"embedded{INT8}", sha256_of(int8 / "model.onnx"))
    assert (int8 / "model.onnx").stat().st_size < 0.5 * (EMBEDDED_FOLDER / "model.onnx").stat().st_size
    test = [each for seed in (900_203, 900_204, 900_205) for each in drawn(seed, 6)]
    truth = [boxes for _, boxes in test]
    scores = []
    for folder in (EMBEDDED_FOLDER, int8):
        detector = load_detector(folder, input_size=320)
        found = [detector.detect([picture])[0] for picture, _ in test]
        threshold, f1 = best_threshold(truth, found)
        assert f1 == f1_at_threshold(truth, found, threshold)
        scores.append(f1)
    assert scores[0] > 0.6
    assert scores[1] >= scores[0] - 0.02


def test_what_follows_the_convolutions_of_the_head_keeps_its_floats(int8: Path) -> None:
    graph = onnx.load(str(int8 / "model.onnx")).graph
    makers = {output: node for node in graph.node for output in node.output}
    made_small = [
        makers[node.input[0]] for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] in makers
    ]
    in_head = {node.op_type for node in made_small if node.name.startswith("/model.22/")}
    assert in_head <= {"Conv", "Relu"}  # no box, no score, nothing that is joined of them
    assert any(node.op_type == "Sigmoid" for node in graph.node)
    assert sum(node.op_type == "QuantizeLinear" for node in graph.node) > 30


def test_the_first_module_and_the_head_keep_their_floats_where_that_is_asked(int8: Path, tmp_path: Path) -> None:
    pictures = [picture for picture, _ in drawn(900_201, 8)]
    write_int8(EMBEDDED_FOLDER, tmp_path / "model", pictures, input_size=320, ends_in_floats=True)

    def made_small(folder: Path) -> set[str]:
        """Modules whose convolutions have weights of 8 bits."""
        graph = onnx.load(str(folder / "model.onnx")).graph
        kept_as = {entry.name: entry.data_type for entry in graph.initializer}
        small = {
            node.output[0]
            for node in graph.node
            if node.op_type == "DequantizeLinear" and kept_as.get(node.input[0]) == onnx.TensorProto.INT8
        }
        return {node.name.split("/")[1] for node in graph.node if node.op_type == "Conv" and node.input[1] in small}

    assert made_small(int8) - made_small(tmp_path / "model") == {"model.0", "model.22"}
    assert len(made_small(tmp_path / "model")) > 10


@pytest.mark.parametrize(
    ("may_lose", "ends_in_floats", "is_used"),
    [
        pytest.param(1.0, False, True, id="loses little: tried once and used"),
        pytest.param(-1.0, True, False, id="loses too much: tried again with floats at both ends, and not used"),
    ],
)
def test_8_bits_are_tried_again_with_floats_at_both_ends_only_where_they_lose_too_much(
    tmp_path: Path, may_lose: float, *, ends_in_floats: bool, is_used: bool
) -> None:
    pictures, val = tmp_path / "collect", drawn(900_202, 3)
    pictures.mkdir()
    train = []
    for number, (picture, boxes) in enumerate(drawn(900_201, 8)):
        at = datetime(2026, 3, 1, number, tzinfo=UTC)
        frame = LabelledFrame(
            id=f"{number:032x}",
            camera_id="gate",
            taken_at=at,
            is_new=True,
            width_px=640,
            height_px=360,
            boxes=tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in boxes.tolist()),
            labelled_by="reviewer",
            picture="",
            sha256="",
        )
        cv2.imwrite(str(picture_file(pictures, frame.id)), picture)
        train.append(frame)
    copy_model(EMBEDDED_FOLDER, tmp_path / "floats")
    shop: Any = SimpleNamespace(
        bounds=Bounds(quantised_may_lose=may_lose), options=Options(input_size=192, int8_time_ratio=float("inf"))
    )
    run: Any = SimpleNamespace(part=lambda _: pictures)
    labelled = [(boxes, picture) for picture, boxes in val]
    told, chosen = _Stages(shop, run)._int8(tmp_path, labelled, train, 0.8, 0.0)
    assert (told["ends_in_floats"], told["is_used"], chosen) == (ends_in_floats, is_used, is_used)
    assert read_card(tmp_path / "int8").threshold == told["threshold"]


def test_too_few_pictures_calibrate_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="2 pictures to calibrate with, expected at least 8"):
        write_int8(EMBEDDED_FOLDER, tmp_path / "out", [np.zeros((90, 160, 3), np.uint8)] * 2, input_size=320)
    assert not (tmp_path / "out").exists()
