"""Makes training samples out of labelled pictures: crops, mosaics, pasted people, bad light, bad lenses, bad streams.

Everything random comes from the generator that is given, so a seed gives the same samples again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from retrain.dataset import read_labels
from retrain.pasting import paste

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_GREY: Final = 114  # the padding that serving uses
_LEAST_KEPT: Final = 0.3
"""A person cut by the crop's edge stays labelled while this share of the box is left."""
_LEAST_HEIGHT_PX: Final = 9
_LEAST_WIDTH_PX: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the network is shown, and what it is to answer.

    Attributes:
        picture: (H, W, 3) uint8 BGR.
        boxes_px: (N, 4) float32; x0, y0, x1, y1; N may be 0.
    """

    picture: NDArray[np.uint8]
    boxes_px: NDArray[np.float32]


class Sampler:
    """Draws samples from a dataset.

    Args:
        pictures: of the dataset's training split.
        cutouts: people without surroundings to paste; may be empty.
        weights: (len(pictures),) how often each picture is taken, relative to the others; not negative.
    """

    def __init__(self, pictures: list[Path], cutouts: list[Path], weights: NDArray[np.float64]) -> None:
        self._pictures = pictures
        self._chances = np.cumsum(weights / weights.sum())
        self._cutouts = [np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8) for path in cutouts]

    def sample(self, rng: np.random.Generator, height_px: int, width_px: int, *, plain: bool) -> Sample:
        """Make one sample.

        Args:
            plain: whole pictures as serving sees them, instead of crops and mosaics.
        """
        if plain:
            sample = self._whole(rng, height_px, width_px)
        elif rng.random() < 0.4:
            sample = self._mosaic(rng, height_px, width_px)
        else:
            sample = self._crop(rng, height_px, width_px)
        if self._cutouts and rng.random() < (0.35 if plain else 0.5):
            sample = self._with_pasted(rng, sample)
        return Sample(worsen(rng, sample.picture), sample.boxes_px)

    def _read(self, rng: np.random.Generator) -> Sample:
        index = min(int(np.searchsorted(self._chances, rng.random())), len(self._pictures) - 1)
        picture = np.asarray(cv2.imread(str(self._pictures[index])), np.uint8)
        height, width = picture.shape[:2]
        return Sample(picture, read_labels(self._pictures[index], width_px=width, height_px=height))

    def _whole(self, rng: np.random.Generator, height_px: int, width_px: int) -> Sample:
        read = self._read(rng)
        height, width = read.picture.shape[:2]
        scale = min(height_px / height, width_px / width) * float(rng.uniform(0.85, 1.15))
        return _warped(rng, read, height_px, width_px, scale, (width / 2, height / 2), (width_px / 2, height_px / 2))

    def _crop(self, rng: np.random.Generator, height_px: int, width_px: int) -> Sample:
        """A part of a picture; mostly around a person who is brought to a random height."""
        read = self._read(rng)
        height, width = read.picture.shape[:2]
        if len(read.boxes_px) and rng.random() < 0.75:
            x0, y0, x1, y1 = read.boxes_px[int(rng.integers(len(read.boxes_px)))].tolist()
            wanted_px = float(np.exp(rng.uniform(np.log(16), np.log(0.95 * height_px))))
            scale, center = wanted_px / (y1 - y0), ((x0 + x1) / 2, (y0 + y1) / 2)
        else:
            scale = float(np.exp(rng.uniform(np.log(0.4), np.log(1.3))))
            center = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
        # Grey around a tiny picture teaches nothing; more than threefold is a blur.
        scale = min(max(scale, 0.7 * width_px / width), 3.0)
        target = (float(rng.uniform(0.2, 0.8)) * width_px, float(rng.uniform(0.2, 0.8)) * height_px)
        return _warped(rng, read, height_px, width_px, scale, center, target)

    def _mosaic(self, rng: np.random.Generator, height_px: int, width_px: int) -> Sample:
        """Four crops around a random point: sizes and surroundings mixed."""
        split_x = int(rng.uniform(0.3, 0.7) * width_px)
        split_y = int(rng.uniform(0.3, 0.7) * height_px)
        picture = np.empty((height_px, width_px, 3), np.uint8)
        boxes = []
        for left, right in ((0, split_x), (split_x, width_px)):
            for top, bottom in ((0, split_y), (split_y, height_px)):
                tile = self._crop(rng, bottom - top, right - left)
                picture[top:bottom, left:right] = tile.picture
                boxes.append(tile.boxes_px + np.array([left, top, left, top], np.float32))
        return Sample(picture, np.concatenate(boxes))

    def _with_pasted(self, rng: np.random.Generator, sample: Sample) -> Sample:
        """Up to three cut-out people in other clothes; whom they cover is not labelled any more."""
        picture, boxes = sample.picture, sample.boxes_px
        height, width = picture.shape[:2]
        for _ in range(int(rng.integers(1, 4))):
            cutout = self._cutouts[int(rng.integers(len(self._cutouts)))]
            wanted_px = float(np.exp(rng.uniform(np.log(18), np.log(0.9 * height))))
            scale = wanted_px / cutout.shape[0]
            size = (max(2, round(cutout.shape[1] * scale * float(rng.uniform(0.85, 1.15)))), max(4, round(wanted_px)))
            cutout = _redressed(rng, np.asarray(cv2.resize(cutout, size, interpolation=cv2.INTER_AREA), np.uint8))
            box = paste(
                picture,
                cutout,
                left_px=int(rng.uniform(-0.2 * size[0], width - 0.8 * size[0])),
                top_px=int(rng.uniform(-0.1 * size[1], height - 0.7 * size[1])),
            )
            if box is not None:
                boxes = np.concatenate((boxes[_covered(boxes, box) < 0.65], box[None]))
        return Sample(picture, boxes)


def _warped(  # noqa: PLR0917  a place and where it goes, in the order in which one says it
    rng: np.random.Generator,
    read: Sample,
    height_px: int,
    width_px: int,
    scale: float,
    center: tuple[float, float],
    target: tuple[float, float],
) -> Sample:
    """Bring the point `center` of a picture to `target`, scaled, perhaps mirrored and a little stretched or turned."""
    stretch = float(rng.uniform(0.88, 1.14))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    angle = float(rng.uniform(-4, 4)) if rng.random() < 0.3 else 0.0
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([scale * stretch * mirror, scale])
    source = read.picture
    # Moved as little as fills the target, or as much of it as the picture can.
    half = np.array([source.shape[1], source.shape[0]]) / 2
    target_half = np.array([width_px, height_px]) / 2
    slack = np.abs(half * (scale * stretch, scale) - target_half)
    middle = target_half + np.clip(linear @ (half - center) + target - target_half, -slack, slack)
    offset = middle - linear @ half
    matrix = np.hstack((linear, offset[:, None]))
    if scale < 0.6:  # a warp skips pixels when it shrinks
        small = cv2.resize(source, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        ratio = np.array([source.shape[1] / small.shape[1], source.shape[0] / small.shape[0]])
        picture = cv2.warpAffine(
            small, np.hstack((linear * ratio, matrix[:, 2:])), (width_px, height_px), borderValue=(_GREY,) * 3
        )
    else:
        picture = cv2.warpAffine(source, matrix, (width_px, height_px), borderValue=(_GREY,) * 3)
    boxes = read.boxes_px
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2) @ linear.T + matrix[:, 2]
    # The corners of a turned box stand out; a person fills the middle, so the sides' mean is closer.
    x0, x1 = np.sort(corners[:, :, 0], axis=1).reshape(-1, 2, 2).mean(axis=2).T
    y0, y1 = np.sort(corners[:, :, 1], axis=1).reshape(-1, 2, 2).mean(axis=2).T
    moved = np.stack((x0, y0, x1, y1), axis=1).astype(np.float32)
    clipped = moved.copy()
    clipped[:, 0::2] = clipped[:, 0::2].clip(0, width_px)
    clipped[:, 1::2] = clipped[:, 1::2].clip(0, height_px)
    kept = _areas(clipped) >= _LEAST_KEPT * np.maximum(_areas(moved), 1e-6)
    kept &= (clipped[:, 3] - clipped[:, 1] >= _LEAST_HEIGHT_PX) & (clipped[:, 2] - clipped[:, 0] >= _LEAST_WIDTH_PX)
    return Sample(np.asarray(picture, np.uint8), clipped[kept])


def _redressed(rng: np.random.Generator, cutout: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mirror perhaps, and give upper and lower body other colours: few people must stand for many."""
    changed = cutout.copy()
    if rng.random() < 0.5:
        changed = np.ascontiguousarray(changed[:, ::-1])
    waist = int(changed.shape[0] * rng.uniform(0.42, 0.58))
    head = int(changed.shape[0] * 0.16)
    for part in (changed[head:waist, :, :3], changed[waist:, :, :3]):
        if rng.random() < 0.7:
            colour = rng.uniform(0, 255, 3)
            share = rng.uniform(0.1, 0.7)
            part[:] = np.clip(part * rng.uniform(0.5, 1.0) + colour * share, 0, 255).astype(np.uint8)
    gain = rng.uniform(0.6, 1.3)
    changed[:, :, :3] = np.clip(changed[:, :, :3] * gain + rng.uniform(0, 25), 0, 255).astype(np.uint8)
    return changed


def worsen(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Do to a picture what light, lenses, sensors and encoders do; its size stays."""
    height, width = picture.shape[:2]
    if rng.random() < 0.15:  # coarse: a camera of fewer pixels
        scale = float(rng.uniform(0.4, 0.85))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    if rng.random() < 0.25:
        picture = _blurred(rng, picture)
    if rng.random() < 0.8:
        picture = _relit(rng, picture)
    if rng.random() < 0.15:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        picture = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    if rng.random() < 0.3:
        picture = _noisy(rng, picture)
    if rng.random() < 0.3:
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 80))])
        picture = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return picture


def _blurred(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.6))), np.uint8)
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), float(rng.uniform(0, 180)), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(cv2.filter2D(picture, -1, kernel / max(float(kernel.sum()), 1e-6)), np.uint8)


def _noisy(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grain, in half of the cases without colour; fine or as coarse as an encoder leaves it."""
    height, width = picture.shape[:2]
    cell = int(rng.integers(1, 3))
    channels = 1 if rng.random() < 0.5 else 3
    rows, columns = height // cell + 1, width // cell + 1
    plane = np.zeros((rows, columns * channels), np.int16)  # of many channels only the first would be filled
    cv2.setRNGSeed(int(rng.integers(2**31 - 1)))  # ten times as fast as NumPy's
    cv2.randn(plane, np.zeros(1), np.full(1, rng.uniform(2, 14)))
    noise = plane.reshape(rows, columns, channels).repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width]
    noise = np.ascontiguousarray(np.broadcast_to(noise, picture.shape))
    return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)


def _relit(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness, contrast, gamma and colour by one table per channel; saturation by mixing with grey."""
    levels = np.linspace(0, 1, 256)
    curve = levels ** float(np.exp(rng.uniform(-0.6, 0.6)))
    curve = (curve - 0.5) * float(rng.uniform(0.55, 1.3)) + 0.5 + float(rng.uniform(-0.15, 0.15))
    table = np.stack([curve * float(rng.uniform(0.82, 1.18)) for _ in range(3)], axis=1)
    picture = np.asarray(cv2.LUT(picture, np.clip(table * 255, 0, 255).astype(np.uint8)[None]), np.uint8)
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        share = float(rng.uniform(0.3, 1.5))
        picture = np.asarray(cv2.addWeighted(picture, share, grey, 1 - share, 0), np.uint8)
    return picture


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def _covered(boxes: NDArray[np.float32], cover: NDArray[np.float32]) -> NDArray[np.float32]:
    """Which share of each box (N, 4) the box `cover` (4,) hides."""
    left_top = np.maximum(boxes[:, :2], cover[:2])
    right_bottom = np.minimum(boxes[:, 2:], cover[2:])
    shared = (right_bottom - left_top).clip(min=0).prod(axis=1)
    return np.asarray(shared / np.maximum(_areas(boxes), 1e-6), np.float32)
