"""Measures a detector beside another one: on drawn scenes that nobody trained on, on real footage, and in CPU time."""

from __future__ import annotations

import itertools
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2

from footfall.simulation import SCENES, parse_simulation_url
from footfall.vision.detector import load_detector
from footfall.vision.evaluation import detection_scores, read_sequence
from footfall.vision.film import evaluate_sequence
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.truth import LEAST_VISIBLE, export_scene
from retrain.material import EVALUATION_SEEDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from footfall.domain import Detections
    from footfall.vision.detector import Detector, YoloDetector

INPUT_SIZE: Final = 640
CLEAR_VISIBLE: Final = 0.6
CLEAR_HEIGHT_PX: Final = 60
"""Who is seen at least so much, and so high on a picture of 1280x720, is seen clearly."""
_COST_ROUNDS: Final = 15


@dataclass(frozen=True, slots=True)
class SetFigures:
    """How right one detector is on one set; None where the set's truth does not tell.

    Attributes:
        counting: 1 - errors / true crossings.
        visits_found, visits_true: stays in the picture.
    """

    name: str
    detector: str
    frames: int
    ap50: float | None
    precision: float | None
    recall: float | None
    counting: float | None
    event_f1: float | None
    visits_found: int | None
    visits_true: int | None


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time per picture, one thread, both detectors in one run.

    Attributes:
        input_size: longer side of the network's input in pixels.
    """

    input_size: int
    picture: str
    embedded_ms: float
    teacher_ms: float

    @property
    def ratio(self) -> float:
        """Of the other detector's time."""
        return self.embedded_ms / self.teacher_ms


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured."""

    sets: tuple[SetFigures, ...]
    costs: tuple[Cost, ...]

    def as_json(self) -> dict[str, Any]:
        """For `training.json`."""
        return asdict(self)


def measure(
    models: Mapping[str, Path],
    scratch: Path,
    *,
    footage: Path | None,
    seconds: float = 60.0,
    scenes_each: int = 2,
    report: Callable[[str], None],
) -> Figures:
    """Measure model folders.

    Args:
        models: name → model folder; the first is the one whose CPU time is compared with the last one's.
        scratch: an empty folder for drawn films.
        footage: a folder of folders that `footfall evaluate` reads; None leaves real footage out.
        seconds: length of each drawn film.
        scenes_each: drawn films of each scene, and a quarter of the drawn cameras on single pictures.
    """
    detectors = {name: load_detector(folder, input_size=INPUT_SIZE) for name, folder in models.items()}
    sets: list[SetFigures] = []
    pictures = drawn_pictures(scenes_each=4 * scenes_each, frames_each=6)
    for detector_name, detector in detectors.items():
        for clear in (True, False):
            sets.append(_on_pictures(pictures, detector_name, detector, clear=clear))
            report(_line(sets[-1]))
    for name, folder in (*_drawn_films(scratch, seconds=seconds, each=scenes_each), *_real_films(footage)):
        for detector_name, detector in detectors.items():
            sets.append(_one(name, folder, detector_name, detector))
            report(_line(sets[-1]))
    first, last = next(iter(models)), list(models)[-1]
    costs = tuple(measure_costs(models[first], models[last])) if first != last else ()
    return Figures(tuple(sets), costs)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPicture:
    """A drawn picture and its people.

    Attributes:
        boxes_px: (N, 4) float32; of everybody who is seen at all.
        visible: (N,) float32; share that is seen.
    """

    picture: NDArray[np.uint8]
    boxes_px: NDArray[np.float32]
    visible: NDArray[np.float32]


def drawn_pictures(*, scenes_each: int, frames_each: int) -> list[DrawnPicture]:
    """Draw pictures of 1280x720 that no training has seen: of every kind of scene, of several cameras each."""
    pictures = []
    for number, scene in enumerate(SCENES):
        for index in range(scenes_each):
            seed = EVALUATION_SEEDS[10_000 + 100 * number + index]
            url = f"sim:{scene}?people=12&seed={seed}&fps=0.4&size=1280x720&start=15"
            pictures += [
                DrawnPicture(shown.picture, shown.people.boxes_px, shown.people.visible)
                for shown in itertools.islice(Simulator(parse_simulation_url(url)).frames(), frames_each)
            ]
    return pictures


def drawn_scores(
    pictures: Sequence[DrawnPicture], found: Sequence[Detections], *, threshold: float, clear: bool
) -> dict[str, float | None]:
    """Score finds on drawn pictures; see `detection_scores`.

    Args:
        clear: only who is seen clearly has to be found; otherwise everybody who is seen by more than a quarter. Whom
            else it finds is neither right nor wrong.
    """
    wanted = []
    for each in pictures:
        if clear:
            tall = each.boxes_px[:, 3] - each.boxes_px[:, 1] >= CLEAR_HEIGHT_PX
            wanted.append(tall & (each.visible >= CLEAR_VISIBLE))
        else:
            wanted.append(each.visible >= LEAST_VISIBLE)
    return detection_scores(
        [each.boxes_px[mask] for each, mask in zip(pictures, wanted, strict=True)],
        found,
        threshold=threshold,
        ignored=[each.boxes_px[~mask] for each, mask in zip(pictures, wanted, strict=True)],
    )


def cost_of(first: YoloDetector, second: YoloDetector, *, width_px: int, height_px: int) -> tuple[float, float]:
    """CPU milliseconds per picture of two detectors, asked in turns on the same drawn picture."""
    url = f"sim:mall?people=12&seed={EVALUATION_SEEDS[7]}&size={width_px}x{height_px}&start=20"
    picture = next(Simulator(parse_simulation_url(url)).frames()).picture
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(_COST_ROUNDS + 3):
        for detector, taken in zip((first, second), times, strict=True):
            started = time.process_time()
            detector.detect([picture])
            if number >= 3:  # the first ones lay out memory
                taken.append((time.process_time() - started) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


def _on_pictures(
    pictures: Sequence[DrawnPicture], detector_name: str, detector: Detector, *, clear: bool
) -> SetFigures:
    found = [detector.detect([each.picture])[0] for each in pictures]
    scores = drawn_scores(pictures, found, threshold=detector.version.threshold, clear=clear)
    people = (
        f"people {CLEAR_VISIBLE:.0%} visible and {CLEAR_HEIGHT_PX} px high" if clear else "people a quarter visible"
    )
    return SetFigures(
        name=f"sim: pictures of 1280x720, {people} or more",
        detector=detector_name,
        frames=len(pictures),
        ap50=scores["ap50"],
        precision=scores["precision"],
        recall=scores["recall"],
        counting=None,
        event_f1=None,
        visits_found=None,
        visits_true=None,
    )


def measure_costs(first: Path, second: Path) -> Iterator[Cost]:
    """Compare the CPU time of two model folders on one thread, at the usual input sizes and two picture sizes."""
    cv2.setNumThreads(1)  # as the service does
    for input_size in (640, 320):
        pair = [load_detector(folder, threads=1, input_size=input_size) for folder in (first, second)]
        for width, height in ((1280, 720), (640, 360)):
            mine, other = cost_of(pair[0], pair[1], width_px=width, height_px=height)
            yield Cost(input_size, f"{width}x{height}", round(mine, 2), round(other, 2))


def _drawn_films(scratch: Path, *, seconds: float, each: int) -> Iterator[tuple[str, Path]]:
    for scene_number, scene in enumerate(SCENES):
        for number in range(each):
            seed = EVALUATION_SEEDS[100 * scene_number + number]
            folder = scratch / f"{scene}-{seed}"
            url = f"sim:{scene}?people=12&seed={seed}&fps=10&size=640x360"
            if not folder.exists():
                export_scene(parse_simulation_url(url), folder, seconds=seconds)
            yield f"{url}, {seconds:g} s", folder


def _real_films(footage: Path | None) -> Iterator[tuple[str, Path]]:
    if footage is not None:
        for folder in sorted(footage.iterdir()):
            if (folder / "seqinfo.ini").is_file() and (folder / "video.mp4").is_file():
                yield folder.name, folder


def _one(name: str, folder: Path, detector_name: str, detector: YoloDetector) -> SetFigures:
    scores = evaluate_sequence(read_sequence(folder), detector)
    detection = scores.get("detection", {})
    counting = scores.get("counting", {})
    visits = scores.get("visits", {})
    return SetFigures(
        name=name,
        detector=detector_name,
        frames=scores["frames"],
        ap50=detection.get("ap50"),
        precision=detection.get("precision"),
        recall=detection.get("recall"),
        counting=counting.get("accuracy"),
        event_f1=counting.get("event_f1"),
        visits_found=visits.get("found"),
        visits_true=visits.get("truth"),
    )


def _line(each: SetFigures) -> str:
    shown = {"AP50": each.ap50, "P": each.precision, "R": each.recall, "counting": each.counting}
    return f"{each.name} · {each.detector}: " + "  ".join(
        f"{key} {value:.3f}" for key, value in shown.items() if value is not None
    )
