"""Degrades whole films, and the ground truth with them: what a person's box and a line are in the picture shown."""

from __future__ import annotations

import configparser
import csv
import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from footfall.errors import SourceError
from footfall.vision.degradation.degrader import Degrader
from footfall.vision.degradation.pictures import turned_boxes
from footfall.vision.evaluation import read_sequence
from footfall.vision.footage import FilmWriter, Footage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from footfall.simulation import Degradation
    from footfall.vision.evaluation import FilmedTruth

_QUALITY_CRF: Final = 12
"""So that writing the film ruins nothing more."""
_LEAST_SEEN: Final = 0.5
"""A person of whose box less than this can be seen is to be ignored: neither right nor wrong to find."""


@dataclass(slots=True)
class DegradedFilm:
    """What became of a film.

    Attributes:
        pictures: how many the film had.
        shown_s: frame number in the film (0-based) → its time from the film's first picture, of those still shown.
    """

    pictures: int = 0
    shown_s: dict[int, float] = field(default_factory=dict)


def degrade_film(
    film: Path,
    target: Path,
    degradations: Sequence[Degradation],
    *,
    seed: int,
    on_picture: Callable[[int], None] = lambda _: None,
) -> DegradedFilm:
    """Write a film as a camera with these degradations would give it; seconds count from its first picture.

    Args:
        target: is written as it goes; ends in .mp4. Sound is not taken along.
        on_picture: is told how many pictures are done.

    Raises:
        NotFoundError: there is no such film.
        SourceError: it cannot be read to its end, has no picture, or `target` cannot be written.
    """
    done = DegradedFilm()
    first_s: float | None = None
    with Footage(film) as footage:
        degrader = Degrader(degradations, seed=seed, fps=footage.native_fps)
        with FilmWriter(target, fps=footage.native_fps, crf=_QUALITY_CRF) as writer:
            for frame in footage.frames():
                first_s = frame.received_s if first_s is None else first_s
                at_s = frame.received_s - first_s
                shown = degrader.apply(frame.picture, at_s)
                if shown is not None:
                    writer.write(shown, at_s)
                    done.shown_s[frame.sequence] = at_s
                done.pictures += 1
                on_picture(done.pictures)
    if not done.shown_s:
        raise SourceError(f"film {str(film)!r}: has no picture that can be read; nothing was written")
    return done


def degrade_sequence(
    folder: Path,
    target: Path,
    degradations: Sequence[Degradation],
    *,
    seed: int,
    on_picture: Callable[[int], None] = lambda _: None,
) -> DegradedFilm:
    """Write an evaluation folder with the film degraded and the truth carried over; see docs/degradations.md.

    Args:
        target: an empty folder.

    Raises:
        EvaluationError: `folder` is no evaluation folder.
        SourceError: as `degrade_film`.
    """
    truth = read_sequence(folder)
    done = degrade_film(truth.video, target / "video.mp4", degradations, seed=seed, on_picture=on_picture)
    _write_information(folder, target, degradations, frames=len(done.shown_s))
    degrader = Degrader(degradations, seed=seed, fps=truth.fps)
    matrices = {
        frame: degrader.transform_at(at_s, truth.width_px, truth.height_px) for frame, at_s in done.shown_s.items()
    }
    (target / "gt").mkdir()
    if truth.boxes is not None:
        _write_boxes(folder, target, truth, done, degrader)
    if truth.lines is not None:
        _write_lines(folder, target, truth, matrices)
    for name in ("visits.json", "zones.json"):
        # Who stays where in another view is not known.
        if (folder / "gt" / name).is_file() and all(matrix is None for matrix in matrices.values()):
            shutil.copyfile(folder / "gt" / name, target / "gt" / name)
    return done


def moved_boxes(
    boxes_px: NDArray[np.floating[Any]], matrix: NDArray[np.float64], *, width_px: int, height_px: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Boxes of people in a moved picture; see `turned_boxes`.

    Args:
        boxes_px: (N, 4) x0, y0, x1, y1.
        matrix: (2, 3) as `Degrader.transform_at` gives it.

    Returns:
        (N, 4) float32 boxes cut at the picture's edge, and (N,) the share in [0, 1] of each that is in the picture.
    """
    whole = turned_boxes(boxes_px, matrix)
    cut = np.clip(whole, 0, (width_px, height_px, width_px, height_px))
    areas = np.prod(whole[:, 2:] - whole[:, :2], axis=1)
    return cut.astype(np.float32), np.prod(cut[:, 2:] - cut[:, :2], axis=1) / np.maximum(areas, 1e-9)


def _write_information(folder: Path, target: Path, degradations: Sequence[Degradation], *, frames: int) -> None:
    info = configparser.ConfigParser()
    info.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their capitals
    info.read_string((folder / "seqinfo.ini").read_text(encoding="utf-8"))
    info["Sequence"]["seqLength"] = str(frames)
    info["Sequence"]["degraded"] = ", ".join(f"{each.kind} {each.severity:g}" for each in degradations)
    with (target / "seqinfo.ini").open("w", encoding="utf-8") as stream:
        info.write(stream, space_around_delimiters=False)


def _write_boxes(folder: Path, target: Path, truth: FilmedTruth, done: DegradedFilm, degrader: Degrader) -> None:
    """Frames that are not shown go, and those after them move up; boxes follow the view."""
    numbers = {frame: number for number, frame in enumerate(done.shown_s, start=1)}
    size = truth.width_px, truth.height_px
    with (folder / "gt" / "gt.txt").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.reader(stream) if row]
    with (target / "gt" / "gt.txt").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        at_s, matrix, hidden = -1.0, None, None
        for row in rows:
            frame = int(float(row[0])) - 1
            if frame not in numbers:
                continue
            if done.shown_s[frame] != at_s:
                at_s = done.shown_s[frame]
                matrix, hidden = degrader.transform_at(at_s, *size), degrader.hidden_at(at_s, *size)
            place = row[2:6]
            x, y, width, height = (float(value) for value in place)
            box = np.array([x, y, x + width, y + height])
            seen = 1.0
            if matrix is not None:
                (box,), (seen,) = moved_boxes(box[None], matrix, width_px=size[0], height_px=size[1])
                place = [f"{value:.2f}" for value in (box[0], box[1], box[2] - box[0], box[3] - box[1])]
            if hidden is not None and seen > 0:
                x0, y0, x1, y1 = (max(0, int(value)) for value in (*box[:2], *np.ceil(box[2:])))
                seen *= 1 - float(hidden[y0:y1, x0:x1].mean()) if hidden[y0:y1, x0:x1].size else 0.0
            if seen <= 0:
                continue
            counts = row[6:7] or ["1"]
            writer.writerow([numbers[frame], row[1], *place, *(counts if seen >= _LEAST_SEEN else ["0"]), *row[7:]])


def _write_lines(
    folder: Path, target: Path, truth: FilmedTruth, matrices: dict[int, NDArray[np.float64] | None]
) -> None:
    """Lines follow a view that is another one from beginning to end.

    When the camera moves on the way, lines stay where they were drawn, as they do on a camera: the harm is to be seen.
    """
    content = json.loads((folder / "gt" / "crossings.json").read_text(encoding="utf-8"))
    first, *others = matrices.values()
    if first is not None and all(each is not None and np.array_equal(each, first) for each in others):
        for line in content["lines"]:
            for end in ("a", "b"):
                line[end] = [round(float(value), 2) for value in first @ (*line[end], 1.0)]
            line["events"] = [event for event in line["events"] if _is_in_picture(event, truth, first)]
            # What other fields say of the line held for the old view.
            for name in set(line) - {"line", "a", "b", "events"}:
                del line[name]
    (target / "gt" / "crossings.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _is_in_picture(event: Sequence[Any], truth: FilmedTruth, matrix: NDArray[np.float64]) -> bool:
    """Whether a crossing can still be seen; those of people whose box is not known are taken for seen."""
    frame, person, _ = event
    ids, boxes = truth.boxes_at(frame - 1)
    box = boxes[ids == person] if person is not None else boxes[:0]
    if not len(box):
        return True
    _, (share,) = moved_boxes(box[:1], matrix, width_px=truth.width_px, height_px=truth.height_px)
    return bool(share >= _LEAST_SEEN)
