"""Asks champion and challenger, as serving would, about everything that the gates judge by; judges nothing."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from footfall.domain import Camera, Line
from footfall.errors import UnknownRecordError
from footfall.simulation import PICTURE_KINDS, Degradation
from footfall.stores.samples import each_sample
from footfall.vision.degradation import Degrader
from footfall.vision.evaluation import detection_scores
from footfall.vision.film import analyse_film
from footfall.vision.footage import Footage
from retrain.collect import read_picture
from retrain.gates import CountedClip, Stress
from retrain.predictions import (
    CHALLENGER,
    CHAMPION,
    HEIGHT_BANDS_PX,
    Judged,
    height_name,
    slices_of,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from footfall.domain import Detections, Sample
    from footfall.stores.blobs import BlobStore
    from footfall.stores.samples import SampleStore
    from footfall.vision.detector import Detector
    from retrain.frames import LabelledFrame

STRESS_KINDS: Final = tuple(kind for kind in PICTURE_KINDS if kind not in {"covered", "moved", "frozen", "slow"})
"""What leaves people where they are, so that the labels stay true."""
STRESS_SEVERITIES: Final = (1, 2, 3, 4, 5)
_MOST_CLIPS: Final = 40
_COST_ROUNDS: Final = 25
_CURVE_POINTS: Final = 41


def predictions(
    models: Mapping[str, Detector], frames: Sequence[LabelledFrame], folder: Path, *, report: Callable[[int, int], None]
) -> list[Judged]:
    """Ask every model about every frame.

    Args:
        folder: of the run's pictures.
        report: told how many frames of how many are done.
    """
    judged = []
    for number, frame in enumerate(frames, start=1):
        picture = read_picture(folder, frame)
        found = {name: detector.detect([picture])[0] for name, detector in models.items()}
        judged.append(Judged(frame.id, frame.camera_id, frame.taken_at, frame.is_new, frame.boxes_px, found))
        report(number, len(frames))
    return judged


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return what people read: by model average precision, precision, recall, F1, the curve, and F1 of every part."""
    told: dict[str, Any] = {}
    for model in (CHAMPION, CHALLENGER):
        parts: dict[str, Any] = {"all": _scores(judged, model)}
        for name, mask in slices_of(judged).items():
            parts[name] = _scores([each for each, wanted in zip(judged, mask, strict=True) if wanted], model)
        for low, high in HEIGHT_BANDS_PX:
            parts[height_name(low, high)] = _height_scores(judged, model, (low, high))
        told[model] = {"parts": parts, "curve": _curve(judged, model)}
    return told


def _scores(judged: Sequence[Judged], model: str) -> dict[str, Any]:
    whole = tally(judged, model)
    found = [each.found[model] for each in judged]
    threshold = found[0].threshold if found else 0.0
    ap = detection_scores([each.truth for each in judged], found, threshold=threshold)["ap50"]
    numbers = {"f1": whole.f1, "precision": whole.precision, "recall": whole.recall, "ap50": ap}
    rounded = {name: None if value is None else round(value, 4) for name, value in numbers.items()}
    return rounded | {"frames": len(judged), "people": int(whole.right.sum() + whole.missed.sum())}


def _height_scores(judged: Sequence[Judged], model: str, heights_px: tuple[float, float]) -> dict[str, Any]:
    """Of people of such heights only; average precision is not told, as weak finds have no height band of their own."""
    found = tally(judged, model, heights_px=heights_px)
    people = found.right + found.missed
    numbers = {"f1": found.f1, "precision": found.precision, "recall": found.recall, "ap50": None}
    rounded = {name: None if value is None else round(value, 4) for name, value in numbers.items()}
    return rounded | {"frames": int((people > 0).sum()), "people": int(people.sum())}


def _curve(judged: Sequence[Judged], model: str) -> list[dict[str, float | None]]:
    """Precision and recall at thresholds from 0.05 to 0.95."""
    truth = [each.truth for each in judged]
    found = [each.found[model] for each in judged]
    points = []
    for step in range(_CURVE_POINTS):
        threshold = round(0.05 + 0.9 * step / (_CURVE_POINTS - 1), 4)
        scores = detection_scores(truth, found, threshold=threshold)
        points.append({name: scores[name] for name in ("threshold", "precision", "recall")})
    return points


def stress(
    models: Mapping[str, Detector],
    frames: Sequence[LabelledFrame],
    folder: Path,
    *,
    severities: Sequence[int] = STRESS_SEVERITIES,
    report: Callable[[int, int], None],
) -> list[Stress]:
    """Ask both models about frames that were made worse in every way; empty without frames."""
    if not frames:
        return []
    pictures = [read_picture(folder, frame) for frame in frames]
    found: list[Stress] = []
    total = len(STRESS_KINDS) * len(severities)
    for kind in STRESS_KINDS:
        for severity in severities:
            judged = []
            for number, (frame, picture) in enumerate(zip(frames, pictures, strict=True)):
                degrader = Degrader((Degradation(kind, severity),), seed=number, fps=1.0)
                shown = degrader.apply(picture, 0.0)
                if shown is None:
                    raise AssertionError(f"{kind} gave no picture")  # none of these kinds may
                finds = {name: detector.detect([shown])[0] for name, detector in models.items()}
                judged.append(Judged(frame.id, frame.camera_id, frame.taken_at, frame.is_new, frame.boxes_px, finds))
            before, after = tally(judged, CHAMPION).f1, tally(judged, CHALLENGER).f1
            if before is not None and after is not None:
                found.append(Stress(kind, severity, round(before, 4), round(after, 4)))
            report(len(found), total)
    return found


def costs(first: Detector, second: Detector, pictures: Sequence[NDArray[np.uint8]]) -> tuple[list[float], list[float]]:
    """CPU milliseconds of each picture for two detectors, asked in turns in one run; empty without pictures."""
    times: tuple[list[float], list[float]] = ([], [])
    if not pictures:
        return times
    for number in range(_COST_ROUNDS + 3):
        picture = pictures[number % len(pictures)]
        for detector, taken in zip((first, second), times, strict=True):
            started = time.process_time()
            detector.detect([picture])
            if number >= 3:  # the first ones lay out memory
                taken.append(round((time.process_time() - started) * 1000, 3))
    return times


def counted_clips(
    store: SampleStore,
    blobs: BlobStore,
    cameras: Sequence[str],
    models: Mapping[str, Detector],
    *,
    report: Callable[[int, int], None],
) -> list[CountedClip]:
    """Let both models count the newest clips that somebody counted; empty without any.

    Args:
        cameras: of these; empty means all.
        report: told how many clips of how many are done.
    """
    clips = [
        each for each in each_sample(store, unit="clip", camera_ids=cameras or None) if each.picture_deleted_at is None
    ]
    truth = {
        label.sample_id: (int(label.content["in"]), int(label.content["out"]))
        for label in store.labels([each.id for each in clips])
        if "in" in label.content and "out" in label.content
    }
    counted = []
    chosen = [each for each in clips if each.id in truth][-_MOST_CLIPS:]
    for number, clip in enumerate(chosen):
        report(number, len(chosen))
        try:
            content = blobs.get(clip.blob_key)
        except UnknownRecordError:  # its time was over just now
            continue
        found = {name: _count(content, clip, detector) for name, detector in models.items()}
        counted.append(
            CountedClip(clip.id, str(clip.detail["line"]), truth[clip.id], found[CHAMPION], found[CHALLENGER])
        )
    return counted


def _count(content: bytes, clip: Sample, detector: Detector) -> tuple[int, int]:
    start, end = clip.detail["start"], clip.detail["end"]
    line = Line(str(clip.detail["line"]), (float(start[0]), float(start[1])), (float(end[0]), float(end[1])))
    counts = {"in": 0, "out": 0}
    with tempfile.TemporaryDirectory(prefix="footfall-clip-") as scratch:
        path = Path(scratch) / "clip.mp4"
        path.write_bytes(content)
        camera = Camera(id=clip.camera_id, url=str(path), lines=(line,))
        with Footage(path) as footage:
            for analysis in analyse_film(footage, camera, detector, uturn_window_s=0.0):
                for crossing in analysis.crossings:
                    counts[crossing.direction] += 1
    return counts["in"], counts["out"]


def f1_at_threshold(truth: Sequence[NDArray[np.float32]], found: Sequence[Detections], threshold: float) -> float:
    """F1 at a threshold; 0.0 where there is nothing to find and nothing was found."""
    scores = detection_scores(truth, found, threshold=threshold)
    precision, recall = scores["precision"], scores["recall"]
    return 2 * precision * recall / (precision + recall) if precision and recall else 0.0
