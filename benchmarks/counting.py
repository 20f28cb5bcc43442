"""How right counting is on drawn cameras that nothing was trained, chosen or tuned on.

Draws films, finds the people of each once a size, and follows and counts them at each frame rate, from every frame that
it can begin with. Few crossings say little, so films last ten minutes unless told otherwise. Intervals by drawing films
with replacement. Prints a table and, last, one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.domain import Camera
from footfall.simulation import SCENES, parse_simulation_url
from footfall.vision.analysis import CameraAnalyser
from footfall.vision.detector import load_detector
from footfall.vision.evaluation import DIRECTIONS, counting_scores, read_sequence
from footfall.vision.film import FILM_START
from footfall.vision.footage import Footage
from footfall.vision.models import resolve_model
from footfall.vision.simulator.truth import export_scene
from retrain.material import EVALUATION_SEEDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from footfall.domain import Crossing
    from footfall.vision.evaluation import FilmedTruth

NATIVE_FPS: Final = 10.0
FIRST_SEED: Final = EVALUATION_SEEDS[96_000]
MOST_EACH: Final = 10
DRAWS: Final = 2000


@dataclass(frozen=True, slots=True)
class Film:
    """A drawn film.

    Attributes:
        url: of the scene.
        people: that are on their way at a time.
    """

    url: str
    people: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Counted:
    """How one film was counted, from one start.

    Attributes:
        errors: sum of |found - true| over lines and directions.
        matched: found crossings that are true ones.
    """

    film: Film
    input_size: int
    fps: float
    true: int
    found: int
    matched: int
    errors: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded", help="name of a model, its folder, or a YOLO .onnx file")
    parser.add_argument("--seconds", type=float, default=600.0, help="length of each film")
    parser.add_argument("--each", type=int, default=2, help="films of each scene and number of people")
    parser.add_argument("--people", type=int, nargs="+", default=[12, 6], help="on their way at a time")
    parser.add_argument("--size", default="640x360", help="of the picture")
    parser.add_argument("--input-size", type=int, nargs="+", default=[640, 320], help="longer side for the detector")
    parser.add_argument("--fps", type=float, nargs="+", default=[10.0, 5.0], help=f"whole parts of {NATIVE_FPS:g}")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first film")
    parser.add_argument("--films", type=Path, help="folder where films are kept from run to run; else they are not")
    options = parser.parse_args()
    if wrong := [fps for fps in options.fps if fps <= 0 or NATIVE_FPS % fps]:
        parser.error(f"--fps {wrong[0]:g}: expected a whole part of {NATIVE_FPS:g}, such as 5 or 2.5")
    if not 1 <= options.each <= MOST_EACH:
        parser.error(f"--each {options.each}: expected 1 to {MOST_EACH}")
    with tempfile.TemporaryDirectory(prefix="footfall-bench-") as scratch:
        model = resolve_model(options.model, Path(scratch) / "models")
        folder = options.films or Path(scratch) / "films"
        films = list(_films(folder, options))
        # Not forked: the runtimes' threads would not be there in the child, but their locks would.
        with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(_draw, films, [options.seconds] * len(films)))
            jobs = [(film, size) for size in options.input_size for film in films]
            counted = [
                each
                for found in pool.map(
                    _count,
                    [model] * len(jobs),
                    *zip(*jobs, strict=True),
                    [tuple(options.fps)] * len(jobs),
                )
                for each in found
            ]
    print(f"{model.name}, {len(films)} films of {options.seconds:g} s at {options.size}")
    print("| input size | frame rate | people | true crossings | found ÷ true | count accuracy | event F1 |")
    print("|---|---|---|---|---|---|---|")
    figures = {}
    for size in options.input_size:
        for fps in options.fps:
            for people in [*options.people, None] if len(options.people) > 1 else options.people:
                part = [
                    each
                    for each in counted
                    if (each.input_size, each.fps) == (size, fps) and people in {None, each.film.people}
                ]
                row = _row(part)
                figures[f"{size}@{fps:g}/{people or 'all'}"] = row
                print(
                    f"| {size} | {fps:g} | {people or 'all'} | {row['true']:g} | {row['found_share']:.3f} | "
                    f"{_told(row, 'accuracy', 100)} % | {_told(row, 'f1', 1)} |"
                )
    print(json.dumps({"benchmark": "counting", "model": model.name, "seconds": options.seconds, "figures": figures}))
    return 0


def _films(folder: Path, options: argparse.Namespace) -> Iterable[Film]:
    for number, scene in enumerate(SCENES):
        for kind, people in enumerate(options.people):
            for index in range(options.each):
                seed = options.seed + 100 * number + MOST_EACH * kind + index
                url = f"sim:{scene}?people={people}&seed={seed}&fps={NATIVE_FPS:g}&size={options.size}"
                name = f"{scene}-{people}-{seed}-{options.size}-{options.seconds:g}"
                yield Film(url, people, folder / name)


def _draw(film: Film, seconds: float) -> None:
    cv2.setNumThreads(1)  # as many of these run at once as there are cores
    if not film.folder.exists():
        film.folder.parent.mkdir(parents=True, exist_ok=True)
        export_scene(parse_simulation_url(film.url), film.folder, seconds=seconds)


class _Watch:
    """One camera analysed at one rate from one start."""

    def __init__(self, sequence: FilmedTruth, every: int, first: int) -> None:
        lines = tuple(each.line for each in sequence.lines or ())
        camera = Camera(sequence.folder.name, "film.mp4", target_fps=sequence.fps / every, lines=lines)
        self.every, self.first = every, first
        self.analyser = CameraAnalyser(camera, run_id=f"{every}-{first}")
        self.crossings: defaultdict[str, list[Crossing]] = defaultdict(list)


def _count(model: Path, film: Film, input_size: int, rates: Sequence[float]) -> list[Counted]:
    """Find everybody once and count at every rate, from each frame that it can begin with."""
    cv2.setNumThreads(1)
    sequence = read_sequence(film.folder)
    detector = load_detector(model, threads=1, input_size=input_size)
    periods = [round(sequence.fps / fps) for fps in rates]
    watches = [_Watch(sequence, every, first) for every in periods for first in range(every)]
    with Footage(sequence.video) as footage:
        for number, frame in enumerate(footage.frames()):
            (found,) = detector.detect([frame.image])
            for watch in watches:
                if number % watch.every == watch.first:
                    for crossing in watch.analyser.update(frame, found).crossings:
                        watch.crossings[crossing.line].append(crossing)
    return [_counted(film, input_size, sequence, watch) for watch in watches]


def _counted(film: Film, input_size: int, sequence: FilmedTruth, watch: _Watch) -> Counted:
    lines = counting_scores(sequence.lines or (), watch.crossings, FILM_START)["lines"]
    true, found = ([line[kind][direction] for line in lines for direction in DIRECTIONS] for kind in ("truth", "found"))
    return Counted(
        film=film,
        input_size=input_size,
        fps=sequence.fps / watch.every,
        true=sum(true),
        found=sum(found),
        matched=sum(true) - sum(len(line["missed"]) for line in lines),
        errors=sum(abs(one - other) for one, other in zip(true, found, strict=True)),
    )


def _row(counted: Sequence[Counted]) -> dict[str, float]:
    """Figures of some films with 95 % intervals; starts of a film are averaged, and stay together."""
    by_film: defaultdict[Film, list[Counted]] = defaultdict(list)
    for each in counted:
        by_film[each.film].append(each)
    sums = np.array(
        [
            np.mean([(each.true, each.found, each.matched, each.errors) for each in starts], axis=0)
            for starts in by_film.values()
        ]
    )
    total = sums.sum(axis=0)
    if not total[0]:
        raise SystemExit(
            "counting: nobody crosses a line in these films; draw longer ones (--seconds) or more (--each)"
        )
    chosen = np.random.default_rng(1).integers(len(sums), size=(DRAWS, len(sums)))
    drawn = sums[chosen].sum(axis=1)
    drawn = drawn[drawn[:, 0] > 0]  # nothing is told by films that nobody crossed a line in

    def accuracy(of: np.ndarray) -> np.ndarray:
        return np.asarray(1 - of[..., 3] / of[..., 0])

    def f1(of: np.ndarray) -> np.ndarray:
        return np.asarray(2 * of[..., 2] / (of[..., 0] + of[..., 1]))

    row = {"true": float(total[0]), "found_share": round(float(total[1] / total[0]), 4)}
    figure: Callable[[np.ndarray], np.ndarray]
    for name, figure in (("accuracy", accuracy), ("f1", f1)):
        low, high = np.quantile(figure(drawn), (0.025, 0.975)).tolist()
        row |= {name: round(float(figure(total)), 4), f"{name}_low": round(low, 4), f"{name}_high": round(high, 4)}
    return row


def _told(row: dict[str, float], name: str, scale: float) -> str:
    digits = 1 if scale > 1 else 3
    low, middle, high = (f"{row[key] * scale:.{digits}f}" for key in (f"{name}_low", name, f"{name}_high"))
    return f"{middle} ({low}–{high})"


if __name__ == "__main__":
    raise SystemExit(main())
