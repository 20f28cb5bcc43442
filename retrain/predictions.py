"""What two models found on the test's frames, saved: whatever is judged later is judged by these; asks no model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from footfall.domain import Detections
from footfall.errors import TrainingError
from footfall.vision.evaluation import hits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
IOU: Final = 0.5
CROWDED: Final = 6
"""So many people on a frame are a crowd."""
HEIGHT_BANDS_PX: Final = ((0, 48), (48, 96), (96, 10_000))
"""Heights of people in the camera's picture: far, middle, near."""


def height_name(low: float, high: float) -> str:
    """Return what people call a band of heights."""
    return f"people of {low:g} px and more" if high >= HEIGHT_BANDS_PX[-1][1] else f"people of {low:g} to {high:g} px"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A frame with its truth and what each model finds on it.

    Attributes:
        truth: (N, 4) float32; N may be 0.
        found: model → finds, weak ones included.
    """

    frame_id: str
    camera_id: str
    taken_at: datetime
    is_new: bool
    truth: NDArray[np.float32]
    found: Mapping[str, Detections]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """How a model did on frames: right finds, wrong finds, people missed.

    Attributes:
        right, wrong, missed: (F,) int64 each.
    """

    right: NDArray[np.int64]
    wrong: NDArray[np.int64]
    missed: NDArray[np.int64]

    def at(self, frames: NDArray[np.intp] | NDArray[np.bool_]) -> Tally:
        """Return those of some frames."""
        return Tally(self.right[frames], self.wrong[frames], self.missed[frames])

    @property
    def f1(self) -> float | None:
        """2 right / (2 right + wrong + missed) over all frames; None where nobody is and nobody was found."""
        return f1_of(int(self.right.sum()), int(self.wrong.sum()), int(self.missed.sum()))

    @property
    def precision(self) -> float | None:
        """Share of finds that are right; None without finds."""
        found = int(self.right.sum() + self.wrong.sum())
        return int(self.right.sum()) / found if found else None

    @property
    def recall(self) -> float | None:
        """Share of people that were found; None without people."""
        people = int(self.right.sum() + self.missed.sum())
        return int(self.right.sum()) / people if people else None


def f1_of(right: int, wrong: int, missed: int) -> float | None:
    """Return the F1; None where there is nothing to find and nothing was found."""
    return 2 * right / (2 * right + wrong + missed) if right + wrong + missed else None


def tally(judged: Sequence[Judged], model: str, *, heights_px: tuple[float, float] | None = None) -> Tally:
    """Count for each frame what a model got right at its own threshold, IoU 0.5.

    Args:
        heights_px: only people of such heights are looked for; a find counts by the person whom it is right about, a
            wrong one by its own height.
    """
    rows = [_tally_one(each, model, heights_px) for each in judged]
    right, wrong, missed = np.array(rows, np.int64).reshape(-1, 3).T
    return Tally(right, wrong, missed)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """What a model finds on all frames at its own threshold, the surest find first; K may be 0.

    Attributes:
        frames: (K,) int64; index of each find's frame.
        scores: (K,) float32.
        right: (K,) bool; whether it is right about somebody.
    """

    frames: NDArray[np.int64]
    scores: NDArray[np.float32]
    right: NDArray[np.bool_]


def ranked(judged: Sequence[Judged], model: str) -> Ranked:
    """Return the finds of a model, IoU 0.5: at a higher threshold those that are left are as right as they are here.

    A person is found by the surest find, so a weaker one takes nothing away from it.
    """
    found = [_sure(each.found[model]) for each in judged]
    frames = np.repeat(np.arange(len(judged)), [len(each.scores) for each in found]).astype(np.int64)
    scores = np.concatenate([np.empty(0, np.float32), *(each.scores for each in found)])
    right = [hits(each.truth, finds, IOU) >= 0 for each, finds in zip(judged, found, strict=True)]
    order = np.argsort(-scores, kind="stable")
    return Ranked(frames[order], scores[order], np.concatenate([np.empty(0, bool), *right])[order])


def _sure(found: Detections) -> Detections:
    sure = found.scores >= found.threshold
    return Detections(found.boxes_px[sure], found.scores[sure], found.threshold)


def _tally_one(judged: Judged, model: str, heights_px: tuple[float, float] | None) -> tuple[int, int, int]:
    found = _sure(judged.found[model])
    partner = hits(judged.truth, found, IOU)
    wanted = np.ones(len(judged.truth), bool)
    alone = partner < 0
    if heights_px is not None:
        wanted = _between(judged.truth, heights_px)
        alone &= _between(found.boxes_px, heights_px)
    matched = np.zeros(len(judged.truth), bool)
    matched[partner[partner >= 0]] = True
    return int((matched & wanted).sum()), int(alone.sum()), int((~matched & wanted).sum())


def _between(boxes: NDArray[np.float32], heights_px: tuple[float, float]) -> NDArray[np.bool_]:
    heights = boxes[:, 3] - boxes[:, 1]
    return np.asarray((heights >= heights_px[0]) & (heights < heights_px[1]))


def clusters_of(judged: Sequence[Judged], *, least: int = 8) -> tuple[NDArray[np.int64], str]:
    """Group frames that are alike because they are of one camera and one time.

    Camera-hours where there are enough of them, else shorter stretches: few clusters make an interval that promises too
    much.

    Returns:
        (F,) cluster of each frame, and what a cluster is, for people.
    """
    kinds = ((3600, "camera-hours"), (600, "ten minutes of a camera"), (60, "minutes of a camera"), (0, "frames"))
    for seconds, name in kinds:
        keys = [
            f"{each.camera_id}/{int(each.taken_at.timestamp()) // seconds}" if seconds else each.frame_id
            for each in judged
        ]
        known = {key: number for number, key in enumerate(sorted(set(keys)))}
        if len(known) >= least or not seconds:
            return np.array([known[key] for key in keys], np.int64), name
    raise AssertionError  # the last kind always returns


def slices_of(judged: Sequence[Judged]) -> dict[str, NDArray[np.bool_]]:
    """Name every part of the test that is looked at by itself: cameras, times of day, crowds, old and new."""
    slices: dict[str, NDArray[np.bool_]] = {}

    def add(name: str, mask: Iterable[bool]) -> None:
        chosen = np.array(list(mask), bool)
        if chosen.any():
            slices[name] = chosen

    for camera in sorted({each.camera_id for each in judged}):
        add(f"camera {camera}", (each.camera_id == camera for each in judged))
    for begin in range(0, 24, 6):
        add(f"hours {begin:02}-{begin + 6:02} UTC", (begin <= each.taken_at.hour < begin + 6 for each in judged))
    add("crowded", (len(each.truth) >= CROWDED for each in judged))
    add("not crowded", (len(each.truth) < CROWDED for each in judged))
    add("old", (not each.is_new for each in judged))
    add("new", (each.is_new for each in judged))
    return slices


def write_predictions(path: Path, judged: Sequence[Judged]) -> None:
    """Write one JSON line a frame; the file appears whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w", encoding="utf-8") as stream:
        for each in judged:
            found = {name: _finds(finds) for name, finds in each.found.items()}
            line = {
                "frame": each.frame_id,
                "camera": each.camera_id,
                "at": each.taken_at.isoformat(),
                "new": each.is_new,
                "truth": each.truth.round(2).tolist(),
                "found": found,
            }
            stream.write(json.dumps(line) + "\n")
    unfinished.replace(path)


def read_predictions(path: Path) -> list[Judged]:
    """Read what `write_predictions` wrote.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [
            Judged(
                line["frame"],
                line["camera"],
                datetime.fromisoformat(line["at"]),
                line["new"],
                _boxes(line["truth"]),
                {name: _detections(finds) for name, finds in line["found"].items()},
            )
            for line in lines
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"predictions {str(path)!r}: cannot be read ({type(error).__name__})") from None


def _finds(finds: Detections) -> dict[str, Any]:
    return {
        "threshold": finds.threshold,
        "boxes": finds.boxes_px.round(2).tolist(),
        "scores": finds.scores.round(5).tolist(),
    }


def _detections(content: dict[str, Any]) -> Detections:
    scores = np.array(content["scores"], np.float32)
    return Detections(_boxes(content["boxes"]), scores, float(content["threshold"]))


def _boxes(rows: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 4)
