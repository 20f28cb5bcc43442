"""From nothing to the embedded detector: material, dataset, training, export, threshold, figures, card."""

from __future__ import annotations

import importlib.metadata
import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.errors import TrainingError
from footfall.vision.detector import NmsSettings, load_detector, read_card
from footfall.vision.models import import_model
from retrain import card, export, figures, material
from retrain.dataset import Dataset, read_labels, write_dataset
from retrain.sampler import Sampler
from retrain.train import Network, Progress, Schedule, teach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from footfall.domain import Detections
    from footfall.vision.detector import Detector, ModelCard
    from retrain.dataset import Example
    from retrain.train import Device

MODEL_NAME: Final = "embedded"
_LICENCE: Final = "AGPL-3.0-or-later"
_DESCRIPTION: Final = (
    "Finds people on pictures of fixed cameras; ships with Footfall so that counting works without a download."
)
_NMS: Final = NmsSettings(iou=0.5)
"""So small a network gives second boxes of one person more often; docs/retraining-embedded.md."""
_FRAMES_PER_CAMERA: Final = 10
_CAMERAS_PER_MINUTE: Final = 8
_MOST_CAMERAS: Final = 700
_FIGURES_SHARE: Final = 0.15
"""Of the time is kept for figures, at most `_FIGURES_MOST_S`."""
_FIGURES_MOST_S: Final = 600.0
_MINUTES_FOR_ALL_FIGURES: Final = 10
_CLIP_HELD_OUT: Final = 0.76
"""From this share of the clip on, pictures are for the threshold, not for training."""
# A few real pictures stand beside thousands of drawn ones.
_SHARES: Final = {"simulator": 0.72, "clip": 0.16}
_OTHER_SHARE: Final = 0.04  # of each picture that a package carries


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to train on, and for how long.

    Attributes:
        teacher: YOLO model file or model folder that labels real pictures; None trains on drawn ones alone.
        clip: film of one still camera whose licence allows its use; needs the teacher.
        minutes: for everything, figures included.
        steps: exact number of training steps; None for as many as there is time for.
        cameras: drawn cameras to train on; None for as many as there is time for.
        footage: real sequences to measure on; never trained on.
        command: that is told in the card.
    """

    teacher: Path | None
    clip: Path | None
    minutes: float
    seed: int
    device: Device
    steps: int | None = None
    cameras: int | None = None
    footage: Path | None = None
    command: str = "footfall-retrain embedded"


def make_embedded(recipe: Recipe, folder: Path, *, report: Callable[[str], None]) -> ModelCard:
    """Train the embedded detector and write its folder: `model.onnx`, `model.json`, `training.json`, `MODEL_CARD.md`.

    Args:
        folder: new or empty; appears whole or not at all.

    Raises:
        FootfallError: material, training or the outcome cannot be used.
    """
    if recipe.clip is not None and recipe.teacher is None:
        raise TrainingError(
            f"clip {str(recipe.clip)!r}: nobody can label it; expected a teacher (--teacher yolo11n.onnx)"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TrainingError(f"out {str(folder)!r}: is there already; expected a new or empty folder")
    started = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        work = Path(scratch)
        teacher = None if recipe.teacher is None else import_model(recipe.teacher, work / "models", name="teacher")
        report("drawing and labelling pictures")
        dataset = _write_dataset(recipe, work / "dataset", None if teacher is None else load_detector(teacher))
        for total in dataset.sources:
            report(f"  {total.source.name}: {total.frames} pictures, {total.boxes} people, {total.cutouts} cut out")
        left_s = recipe.minutes * 60 - (time.monotonic() - started)
        left_s -= min(_FIGURES_MOST_S, _FIGURES_SHARE * recipe.minutes * 60)
        if left_s <= 0 and recipe.steps is None:
            raise TrainingError(
                f"minutes {recipe.minutes:g}: drawing pictures took {time.monotonic() - started:.0f} s and nothing is "
                "left for training; give more minutes"
            )
        network = Network.untrained(seed=recipe.seed, device=recipe.device)
        taught = teach(
            network,
            _sampler(dataset),
            schedule=Schedule(max(left_s, 1.0), recipe.steps),
            seed=recipe.seed,
            report=lambda progress: report(_progress_line(progress)),
        )
        report(f"trained {taught.steps} steps in {taught.seconds / 60:.1f} min; exporting and measuring")
        made = work / MODEL_NAME
        model = export.export_model(
            network,
            made,
            name=MODEL_NAME,
            description=_DESCRIPTION,
            licence=_LICENCE,
            data_digest=dataset.digest,
            source=recipe.command,
        )
        model = model.model_copy(update={"nms": _NMS})
        export.write_model_json(made, model)
        truth, pictures = _held_out(dataset)
        export.check_parity(network, made, pictures[:12], input_size=figures.INPUT_SIZE)
        detector = load_detector(made)
        found: list[Detections] = [detector.detect([picture])[0] for picture in pictures]
        threshold, f1 = export.best_threshold(truth, found)
        model = model.model_copy(update={"threshold": threshold})
        export.write_model_json(made, model)
        record = card.TrainingRecord(
            command=recipe.command,
            seed=recipe.seed,
            steps=taught.steps,
            samples=taught.samples,
            minutes=round(taught.seconds / 60, 1),
            device=taught.device,
            precision=taught.precision,
            parameters=network.parameters(),
            packages={name: importlib.metadata.version(name) for name in ("torch", "ultralytics", "onnx")},
            teacher="none" if recipe.teacher is None else recipe.teacher.name,
            sources=dataset.sources,
            threshold_f1=round(f1, 4),
            figures=figures.Figures((), ()),
        )
        card.write_training(made, record)
        card.write_card(made, model, record)
        if folder.exists():
            folder.rmdir()
        made.replace(folder)
    # After the hour is saved: what goes wrong from here on can be repeated with `footfall-retrain card`.
    film_s = float(np.clip(recipe.minutes, 5, 60))
    scenes_each = 1 if recipe.minutes < _MINUTES_FOR_ALL_FIGURES else 2
    write_figures(folder, recipe.teacher, recipe.footage, report=report, seconds=film_s, scenes_each=scenes_each)
    return model


def write_figures(
    folder: Path,
    teacher: Path | None,
    footage: Path | None,
    *,
    report: Callable[[str], None],
    seconds: float = 60.0,
    scenes_each: int = 2,
) -> None:
    """Measure a model folder that `make_embedded` wrote, beside the teacher, and write its card anew.

    Args:
        seconds: length of each drawn film.
        scenes_each: drawn films of each kind of scene.

    Raises:
        FootfallError: the folder or the footage cannot be read.
    """
    model, record = read_card(folder), card.read_training(folder)
    with tempfile.TemporaryDirectory(prefix="footfall-figures-") as scratch:
        models = {model.name: folder}
        if teacher is not None:
            models[teacher.stem] = import_model(teacher, Path(scratch) / "models")
        measured = figures.measure(
            models, Path(scratch), footage=footage, seconds=seconds, scenes_each=scenes_each, report=report
        )
    record = card.TrainingRecord(
        **{name: getattr(record, name) for name in record.__dataclass_fields__ if name != "figures"}, figures=measured
    )
    card.write_training(folder, record)
    card.write_card(folder, model, record)


def _write_dataset(recipe: Recipe, folder: Path, teacher: Detector | None) -> Dataset:
    cameras = recipe.cameras or int(np.clip(_CAMERAS_PER_MINUTE * recipe.minutes, 6, _MOST_CAMERAS))
    clip: list[Example] = []
    held_out: list[Example] = []
    if recipe.clip is not None and teacher is not None:
        clip = list(material.clip_examples(recipe.clip, teacher, every_s=0.5, since=0, until=_CLIP_HELD_OUT - 0.01))
        held_out = list(material.clip_examples(recipe.clip, teacher, every_s=1, since=_CLIP_HELD_OUT, until=1))

    def train() -> Iterator[Example]:
        yield from material.drawn_examples(
            material.TRAINING_SEEDS, cameras=cameras, frames_per_camera=_FRAMES_PER_CAMERA, seed=recipe.seed
        )
        yield from clip
        if teacher is not None:
            yield from material.packaged_examples(teacher)

    calibration = material.drawn_examples(
        material.CALIBRATION_SEEDS, cameras=max(3, cameras // 10), frames_per_camera=6, seed=recipe.seed
    )
    return write_dataset(folder, train(), itertools.chain(calibration, held_out), material.cut_from_clip(clip))


def _sampler(dataset: Dataset) -> Sampler:
    pictures = dataset.pictures("train")
    names = [picture.stem.partition("-")[2] for picture in pictures]
    weights = [_SHARES.get(name, _OTHER_SHARE) / names.count(name) for name in names]
    return Sampler(pictures, dataset.cutouts(), np.array(weights))


def _held_out(dataset: Dataset) -> tuple[list[NDArray[np.float32]], list[NDArray[np.uint8]]]:
    """True boxes and pictures of the validation split."""
    truth, pictures = [], []
    for path in dataset.pictures("val"):
        picture = np.asarray(cv2.imread(str(path)), np.uint8)
        height, width = picture.shape[:2]
        truth.append(read_labels(path, width_px=width, height_px=height))
        pictures.append(picture)
    return truth, pictures


def _progress_line(progress: Progress) -> str:
    return (
        f"  {progress.share:4.0%}  step {progress.step}, loss {progress.loss:.3f}, "
        f"{progress.samples_per_s:.0f} samples a second"
    )
