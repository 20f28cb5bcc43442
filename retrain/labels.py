"""Looks at labels before anything is spent on them: enough, told twice, doubtful; knows no store and no training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from footfall.vision.boxes import pairwise_iou
from footfall.vision.labelling import APART_IOU

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from footfall.domain import Detections
    from retrain.frames import LabelledFrame

Fault = Literal["missed", "badly placed", "spurious"]
"""Somebody without a box, a box beside somebody, a box without anybody."""

_SURE: Final = 0.6
"""A find from this confidence on is a person whom a reviewer may have missed."""
_PLACED_IOU: Final = 0.55
"""A label that shares less with a sure find of the same person is badly placed."""
_SAME_HASH_BITS: Final = 4
_SAME_LEVELS: Final = 2.5
_SAME_BOX_IOU: Final = 0.85
_TILE_PX: Final = (320, 180)
_COLOURS: Final[Mapping[Fault, tuple[int, int, int]]] = {
    "missed": (0, 80, 255),
    "badly placed": (0, 200, 255),
    "spurious": (255, 60, 200),
}


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What a picture looks like, small enough to keep of every frame.

    Attributes:
        hash: 64 bits; pictures that look alike differ in few of them.
        small: (36, 64) uint8 grey.
    """

    hash: int
    small: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that is perhaps wrong.

    Attributes:
        box: of the label; of a missed person that of the find.
        doubt: in [0, 1]; 1 is surely wrong.
    """

    frame_id: str
    fault: Fault
    box: tuple[float, float, float, float]
    doubt: float


def look_at(picture: NDArray[np.uint8]) -> Looks:
    """Return the looks of a (H, W, 3) uint8 BGR picture.

    Source: pHash, the signs of the lowest 8 x 8 frequencies of a 32 x 32 picture but for the mean.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    tiny = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(tiny)[:8, :8].ravel()
    bits = low > np.median(low[1:])
    number = int("".join("1" if bit else "0" for bit in bits), 2)
    return Looks(number, np.asarray(cv2.resize(grey, (64, 36), interpolation=cv2.INTER_AREA), np.uint8))


def duplicates(frames: Sequence[LabelledFrame], looks: Sequence[Looks]) -> list[tuple[int, int]]:
    """Find frames of a camera that tell nothing new: the same picture with the same people at the same places.

    A camera never moves, so pictures of an empty floor and of the same floor with somebody far away look alike to a
    perceptual hash: the small pictures and the labels must be the same too.

    Returns:
        (earlier, later) indices; each frame is the later one at most once.
    """
    found = []
    by_camera: dict[str, list[int]] = {}
    for index in sorted(range(len(frames)), key=lambda index: frames[index].taken_at):
        known = by_camera.setdefault(frames[index].camera_id, [])
        # Nearest in time first: that is where they are.
        same = next((other for other in reversed(known) if _is_same(frames, looks, other, index)), None)
        if same is None:
            known.append(index)
        else:
            found.append((same, index))
    return found


def _is_same(frames: Sequence[LabelledFrame], looks: Sequence[Looks], first: int, second: int) -> bool:
    if (looks[first].hash ^ looks[second].hash).bit_count() > _SAME_HASH_BITS:
        return False
    if len(frames[first].boxes) != len(frames[second].boxes):
        return False
    difference = np.abs(looks[first].small.astype(np.int16) - looks[second].small).mean()
    if difference > _SAME_LEVELS:
        return False
    if not frames[first].boxes:
        return True
    overlaps = pairwise_iou(frames[first].boxes_px, frames[second].boxes_px)
    rows, columns = linear_sum_assignment(-overlaps)
    return bool((overlaps[rows, columns] >= _SAME_BOX_IOU).all())


def suspects(frame: LabelledFrame, found: Detections) -> list[Suspect]:
    """Compare a frame's labels with what a model finds that never saw them.

    Args:
        found: of a teacher, or of a model that was not trained on this frame; weak finds included, because only a label
            to which not even a weak one belongs is spurious.

    Source: the names and ideas of cleanlab's object detection (overlooked, badly located, swapped boxes; Tkachenko et
    al. 2023). Differs: one class, so nothing is swapped and spurious boxes are told instead; matched one to one.
    """
    labels = frame.boxes_px
    overlaps = pairwise_iou(labels, found.boxes_px)
    told: list[Suspect] = []
    sure = found.scores >= _SURE
    for index in np.flatnonzero(sure).tolist():
        best = float(overlaps[:, index].max()) if len(labels) else 0.0
        if best < APART_IOU:
            told.append(_suspect(frame, "missed", found.boxes_px[index], float(found.scores[index])))
    partner = np.full(len(labels), -1)
    rows, columns = linear_sum_assignment(-np.where(sure[None, :], overlaps, 0.0))
    partner[rows] = columns
    for index in range(len(labels)):
        best = float(overlaps[index].max()) if len(found.scores) else 0.0
        if best < APART_IOU:
            told.append(_suspect(frame, "spurious", labels[index], 1 - best))
            continue
        mate = int(partner[index])
        if mate >= 0 and sure[mate] and APART_IOU <= overlaps[index, mate] < _PLACED_IOU:
            told.append(_suspect(frame, "badly placed", labels[index], 1 - float(overlaps[index, mate])))
    return told


def _suspect(frame: LabelledFrame, fault: Fault, box: NDArray[np.float32], doubt: float) -> Suspect:
    x0, y0, x1, y1 = (round(float(value), 1) for value in box)
    return Suspect(frame.id, fault, (x0, y0, x1, y1), round(doubt, 3))


def missing_labels(frames: Iterable[LabelledFrame], *, least: int) -> int:
    """How many more new frames must people label before it is worth to train; 0 when there are enough."""
    labelled = sum(each.is_new and each.labelled_by in {"reviewer", "import", "truth"} for each in frames)
    return max(0, least - labelled)


def contact_sheet(
    tiles: Sequence[tuple[NDArray[np.uint8], NDArray[np.float32], Sequence[Suspect]]], *, across: int = 5
) -> NDArray[np.uint8]:
    """Draw frames side by side with their labels white and what is doubtful in colour, to be looked at by a person.

    Args:
        tiles: picture (H, W, 3) uint8 BGR, boxes (N, 4) in its pixels, suspects; may be empty.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    width, height = _TILE_PX
    rows = max(1, -(-len(tiles) // across))
    sheet = np.full((rows * height, across * width, 3), 40, np.uint8)
    for number, (picture, boxes, doubtful) in enumerate(tiles):
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = (max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale)))
        tile = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        for box in boxes:
            _outline(tile, box.tolist(), scale, (255, 255, 255))
        for each in doubtful:
            _outline(tile, list(each.box), scale, _COLOURS[each.fault])
        top, left = number // across * height, number % across * width
        sheet[top : top + size[1], left : left + size[0]] = tile
    return sheet


def _outline(tile: NDArray[np.uint8], box: Sequence[float], scale: float, colour: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = (round(value * scale) for value in box)
    cv2.rectangle(tile, (x0, y0), (x1, y1), colour, 1)
