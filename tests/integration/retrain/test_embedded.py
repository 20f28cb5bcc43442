"""A detector is really trained, written, loaded and measured: a few steps, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from footfall.simulation import parse_simulation_url
from footfall.vision.detector import load_detector, read_card, sha256_of
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.simulator import Simulator
from retrain.card import read_training
from retrain.dataset import write_dataset
from retrain.material import CALIBRATION_SEEDS, EVALUATION_SEEDS, TRAINING_SEEDS, drawn_examples

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "retrain", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a detector that was trained for a few steps on drawn pictures alone."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    done = run("embedded", "--out", str(folder), "--minutes", "0.1", "--steps", "4", "--seed", "3", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{folder}: embedded, threshold ")
    assert "trained 4 steps" in done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_training_ends_with_a_folder_that_serves_and_tells_where_it_came_from(trained: Path) -> None:
    assert sorted(each.name for each in trained.iterdir()) == [
        "MODEL_CARD.md",
        "model.json",
        "model.onnx",
        "training.json",
    ]
    card, record = read_card(trained), read_training(trained)
    assert card.sha256 == sha256_of(trained / "model.onnx")
    assert card.licence == "AGPL-3.0-or-later"
    assert card.nms == read_card(EMBEDDED_FOLDER).nms
    assert (trained / "model.onnx").stat().st_size <= 4_000_000
    assert record.steps == 4
    assert [each.source.name for each in record.sources] == ["simulator"]
    assert record.sources[0].boxes > 100
    text = (trained / "MODEL_CARD.md").read_text(encoding="utf-8")
    told = "footfall-retrain embedded --out model --minutes 0.1 --steps 4 --seed 3 --device cpu"
    assert told in text
    for part in (card.sha256, card.data_digest, "AGPL-3.0-or-later (drawn by this project)", "sim:plaza?", "Not for:"):
        assert part in text
    picture = next(Simulator(parse_simulation_url("sim:mall?seed=900001&size=320x180")).frames()).picture
    found = load_detector(trained, input_size=320).detect([picture, picture])
    assert [each.boxes_px.shape[1] for each in found] == [4, 4]


def test_a_seed_draws_the_same_material_again_and_another_seed_other(tmp_path: Path) -> None:
    def digest(name: str, seed: int) -> str:
        drawn = drawn_examples(TRAINING_SEEDS, cameras=2, frames_per_camera=2, seed=seed)
        return write_dataset(tmp_path / name, drawn, []).digest

    assert digest("one", 3) == digest("two", 3) != digest("three", 4)


def test_scenes_for_training_for_the_threshold_and_for_figures_are_not_the_same() -> None:
    assert not set(TRAINING_SEEDS) & set(CALIBRATION_SEEDS)
    assert not set(EVALUATION_SEEDS) & (set(TRAINING_SEEDS) | set(CALIBRATION_SEEDS))


PARITY = """
import sys
from pathlib import Path
import numpy as np
from footfall.vision.detector import load_detector
from retrain import export
from retrain.train import Network

network = Network.untrained(seed=7)
head = network.model.model[-1]
for branch in head.cv3:
    branch[-1].bias.data.fill_(-1.0)  # untrained, it is sure of nothing and finds nobody
folder = Path(sys.argv[1])
export.export_model(network, folder, name="m", description="", licence="MIT", data_digest="0", source="test")
rng = np.random.default_rng(1)
pictures = [rng.integers(0, 255, size, dtype=np.uint8) for size in ((90, 160, 3), (90, 160, 3), (120, 96, 3))]
export.check_parity(network, folder, pictures, input_size=160)
found = load_detector(folder, input_size=160).detect(pictures)
print(min(len(each.scores) for each in found))
for branch in head.cv2:
    branch[-1].bias.data.add_(0.2)
try:
    export.check_parity(network, folder, pictures, input_size=160)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.timeout(300)
def test_the_written_model_answers_like_the_network_and_another_network_is_noticed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARITY, str(tmp_path / "model")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, refusal = done.stdout.splitlines()
    assert int(count) > 20
    assert refusal.startswith("TrainingError model 'm': the written model and the trained network differ on picture")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("embedded", "--out", "x", "--teacher", "none.onnx"), 2, "--teacher 'none.onnx': there is no such file"),
        (("embedded", "--out", "x", "--device", "tpu"), 2, "--device 'tpu': expected auto, cpu or cuda"),
        (("embedded", "--out", "."), 1, "expected a new or empty folder"),
        (("embedded", "--out", "x", "--clip", "README.md"), 1, "nobody can label it; expected a teacher"),
        (("card", "docs"), 1, "model.json cannot be read"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_the_right_status(
    arguments: tuple[str, ...], status: int, message: str
) -> None:
    done = run(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert message in done.stderr


def test_training_leaves_nothing_in_the_home_folder_and_has_ultralytics_offline(tmp_path: Path) -> None:
    code = (
        "from retrain.train import Network; Network.untrained(seed=1)\n"
        "from ultralytics.utils import ONLINE; print(ONLINE)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "YOLO_OFFLINE": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    assert list(tmp_path.rglob("*ltralytics*")) == []


BATCHES = """
import dataclasses
import numpy as np
from retrain.sampler import Sample
from retrain.train import FROM_NOTHING, _Batches

class Telling:
    def sample(self, rng, height_px, width_px, *, plain):
        told.append(plain)
        return Sample(np.zeros((height_px, width_px, 3), np.uint8), np.zeros((0, 4), np.float32))

sizes = ((32, 32),)
pace = dataclasses.replace(FROM_NOTHING, crop_sizes_px=sizes, whole_sizes_px=sizes, pixels_per_batch=1)
for share in (0.5, 1.0):
    told = []
    batches = _Batches(Telling(), 400, None, 1, dataclasses.replace(pace, whole_since=0.25, whole_share=share))
    for number in range(400):
        batches._batch(number)
    print(sum(told[:400]), sum(told[400:]) / 1200)
"""


def test_of_the_later_batches_some_stay_parts_of_pictures() -> None:
    done = subprocess.run([sys.executable, "-c", BATCHES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (early, half), (early_too, every) = ([float(part) for part in line.split()] for line in done.stdout.splitlines())
    assert (early, early_too, every) == (0, 0, 1)
    assert 0.4 < half < 0.6
