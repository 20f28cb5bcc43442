"""Where training pictures come from: drawn scenes with their truth, films and pictures that a teacher labels.

Only what may be shipped inside a model comes in here; the footage that figures are measured on never does.
"""

from __future__ import annotations

import importlib.util
import itertools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.errors import TrainingError
from footfall.simulation import SCENES, parse_simulation_url
from footfall.vision.boxes import pairwise_iou
from footfall.vision.footage import Footage
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.truth import LEAST_VISIBLE
from retrain.dataset import Cutout, Example, Source
from retrain.pasting import background_of, cut_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from footfall.vision.detector import Detector
    from footfall.vision.simulator import People

SIMULATOR: Final = Source(
    name="simulator",
    licence="AGPL-3.0-or-later (drawn by this project)",
    labels="exact truth",
)
CLIP: Final = Source(
    name="clip",
    licence="CC-BY-4.0",
    labels="teacher",
    attribution="one-by-one-person-detection.mp4 of the sample-videos collection, © Intel Corporation; altered",
)
_PACKAGED: Final = (
    ("ultralytics", "assets/bus.jpg", Source("bus", "AGPL-3.0 (package ultralytics)", "teacher", "© Ultralytics")),
    (
        "ultralytics",
        "assets/zidane.jpg",
        Source("zidane", "AGPL-3.0 (package ultralytics)", "teacher", "© Ultralytics"),
    ),
    (
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        Source("hopper", "public domain (package matplotlib)", "teacher", "portrait by James S. Davis, U.S. Navy"),
    ),
)
"""Package, file in it, source."""

_LEAST_HEIGHT_PX: Final = 10
TRAINING_SEEDS: Final = range(1_000, 800_000)
CALIBRATION_SEEDS: Final = range(800_000, 900_000)
"""Scenes on which the threshold is chosen."""
EVALUATION_SEEDS: Final = range(900_000, 1_000_000)
"""Scenes that nothing but figures may see."""
_SIZES_PX: Final = ((640, 360), (640, 360), (960, 540), (640, 480), (480, 360))
# What cameras do to pictures all day; the strong ones are for the figures.
_DEGRADATIONS: Final = (
    "dark",
    "fog",
    "noise",
    "defocus",
    "motion-blur",
    "bitrate",
    "infrared",
    "glare",
    "colour",
    "rain",
)
_APART_S: Final = 2.5
"""Between two pictures of a drawn camera: enough for people to be elsewhere."""
_SURE: Final = 0.4
_UNSURE: Final = 0.12


def labelled(people: People) -> NDArray[np.bool_]:
    """Tell who of a drawn picture is to be found: (N,) bool."""
    return np.asarray(
        (people.visible >= LEAST_VISIBLE) & (people.boxes_px[:, 3] - people.boxes_px[:, 1] >= _LEAST_HEIGHT_PX)
    )


def drawn_examples(
    seeds: range, *, cameras: int, frames_per_camera: int, seed: int, degraded: float = 0.3
) -> Iterator[Example]:
    """Draw many cameras, each another scene with other people, light and furniture.

    Args:
        seeds: from which the scenes are taken.
        degraded: share of the cameras with something wrong (dark, fog, noise, …) in half of their pictures.
    """
    rng = np.random.Generator(np.random.PCG64([seed, seeds.start]))
    chosen = rng.choice(np.arange(seeds.start, seeds.stop), size=cameras, replace=False)
    urls = [
        _camera_url(rng, SCENES[number % len(SCENES)], scene_seed, frames=frames_per_camera, degraded=degraded)
        for number, scene_seed in enumerate(chosen.tolist())
    ]
    # Not forked: the runtimes' threads would not be there in the child, but their locks would.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for drawn in pool.map(_draw, urls, itertools.repeat(frames_per_camera)):
            yield from (Example(SIMULATOR, picture, boxes) for picture, boxes in drawn)


def _camera_url(rng: np.random.Generator, scene: str, scene_seed: int, *, frames: int, degraded: float) -> str:
    width, height = _SIZES_PX[int(rng.integers(len(_SIZES_PX)))]
    people = 0 if rng.random() < 0.05 else int(rng.integers(3, 22))
    url = f"sim:{scene}?people={people}&seed={scene_seed}&fps={1 / _APART_S:g}&size={width}x{height}"
    url += f"&start={int(rng.integers(5, 60))}"
    if rng.random() < degraded:
        kind = _DEGRADATIONS[int(rng.integers(len(_DEGRADATIONS)))]
        url += f"&{kind}={int(rng.integers(1, 4))}&at={_APART_S * frames / 2:g}"
    return url


def _draw(url: str, frames: int) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    cv2.setNumThreads(1)  # as many of these run at once as there are cores
    shown = itertools.islice(Simulator(parse_simulation_url(url)).frames(), frames)
    return [(each.picture, each.people.boxes_px[labelled(each.people)]) for each in shown]


def clip_examples(clip: Path, teacher: Detector, *, every_s: float, since: float, until: float) -> Iterator[Example]:
    """Label pictures of a film.

    Args:
        since, until: the part of the film that is taken; shares of its length.

    Raises:
        FootfallError: the film cannot be read.
    """
    with Footage(clip, fps=1 / every_s) as footage:
        length_s = (footage.expected_frames or 0) / footage.native_fps
        if length_s == 0:
            raise TrainingError(f"film {str(clip)!r}: does not say how long it is; expected an .mp4 file")
        for frame in footage.frames():
            if since <= frame.received_s / length_s < until:
                yield label(frame.picture, CLIP, teacher)


def packaged_examples(teacher: Detector) -> Iterator[Example]:
    """Label the pictures that installed packages carry; packages that are not installed give none."""
    for package, file, source in _PACKAGED:
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or []) if spec else []:
            picture = cv2.imread(str(Path(root) / file))
            if picture is not None:
                yield label(np.asarray(picture, np.uint8), source, teacher)


def cut_from_clip(examples: Sequence[Example]) -> Iterator[Cutout]:
    """Cut whole people out of pictures of one still camera, in the order of time; who stands still is cut once."""
    empty = [each.picture for each in examples if not len(each.boxes_px)]
    if not empty:
        return  # nothing shows what is behind the people
    background = background_of(empty[:: max(1, len(empty) // 25)])
    last = np.zeros((0, 4), np.float32)
    height, width = background.shape[:2]
    for example in examples:
        for box in example.boxes_px:
            x0, y0, x1, y1 = box.tolist()
            if x0 < 2 or y0 < 2 or x1 > width - 2 or y1 > height - 2:
                continue
            if len(last) and pairwise_iou(box[None], last).max() > 0.93:
                continue
            cut = cut_out(example.picture, box, background)
            if cut is not None:
                yield Cutout(example.source, cut)
        last = example.boxes_px


def label(picture: NDArray[np.uint8], source: Source, teacher: Detector) -> Example:
    """Take the teacher's word for who is in a picture; what it is unsure of is made unrecognisable."""
    (found,) = teacher.detect([picture])
    sure = found.boxes_px[found.scores >= _SURE]
    unsure = found.boxes_px[(found.scores < _SURE) & (found.scores >= _UNSURE)]
    if len(unsure) and len(sure):
        unsure = unsure[pairwise_iou(unsure, sure).max(axis=1) < 0.2]
    picture = picture.copy()
    for x0, y0, x1, y1 in unsure.round().astype(int).tolist():
        region = picture[y0:y1, x0:x1]
        if region.size:
            region[:] = region.mean(axis=(0, 1)).astype(np.uint8)
    return Example(source, picture, sure)
