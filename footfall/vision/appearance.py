"""How people are dressed, in four mean colours: enough to tell apart two who cover each other; knows no tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.domain import Image

_ENOUGH_PX: Final = 320
"""A picture with a longer side of this, as a detector makes it, tells colours as well as the whole."""
_THUMB_PX: Final = (6, 12)
"""Width and height to which everybody is shrunk."""
_INNER: Final = slice(1, 5)
"""Columns of the small picture that show the person and not what is beside."""
_BANDS: Final = ((0, 2, 0.15), (2, 5, 0.45), (5, 7, 0.25), (7, 11, 0.15))
"""First and last row and weight of head, chest, hips and legs; feet, which are hidden first, are left out."""
_LIGHTNESS_WEIGHT: Final = 0.5  # shade falls on everybody; the hue stays
LOOKS: Final = 3 * len(_BANDS)
"""Numbers that describe one person."""


def looks_of(image: NDArray[np.uint8] | Image, boxes_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe the clothes of everybody on a picture.

    Args:
        image: (H, W, 3) uint8 BGR, or what gives one; it is not asked when there is nobody.
        boxes_px: (N, 4) x0, y0, x1, y1 in pixels of the whole picture; N may be 0. What lies outside it is left out.

    Returns:
        (N, LOOKS) float32; the Euclidean distance of two rows is how different two people look, in steps of the CIE
        Lab colour space as OpenCV has it for bytes: 0 the same, about 10 for one person from frame to frame.
    """
    if not len(boxes_px):
        return np.empty((0, LOOKS), np.float32)
    picture, boxes_px = _made(image, boxes_px)
    width, height = _THUMB_PX
    thumbs = np.empty((len(boxes_px), height, width, 3), np.uint8)
    rows, columns = picture.shape[:2]
    for thumb, (x0, y0, x1, y1) in zip(thumbs, boxes_px.astype(np.int64).tolist(), strict=True):
        left, top = min(max(x0, 0), columns - 1), min(max(y0, 0), rows - 1)
        right, bottom = max(min(x1, columns), left + 1), max(min(y1, rows), top + 1)
        # Somebody close to a 4K camera has a million pixels: every few of them say the same.
        step = max(1, (bottom - top) // (4 * height))
        crop = picture[top:bottom:step, left:right:step]
        thumb[:] = cv2.resize(crop, _THUMB_PX, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(thumbs.reshape(-1, width, 3), cv2.COLOR_BGR2LAB).reshape(thumbs.shape)
    inner = lab[:, :, _INNER].astype(np.float32)
    inner[..., 0] *= _LIGHTNESS_WEIGHT
    bands = [np.sqrt(weight) * inner[:, first:last].mean(axis=(1, 2)) for first, last, weight in _BANDS]
    return np.concatenate(bands, axis=1).astype(np.float32)


def _made(
    image: NDArray[np.uint8] | Image, boxes_px: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The picture in a size that is enough, and the boxes on it."""
    if isinstance(image, np.ndarray):
        return image, boxes_px
    picture = image.small_bgr(_ENOUGH_PX)
    rows, columns = picture.shape[:2]
    scales = np.array([columns / image.width_px, rows / image.height_px] * 2, np.float32)
    return picture, boxes_px * scales


def unlikeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """How different each of `first` (N, LOOKS) looks from each of `second` (M, LOOKS): (N, M), 0 or more.

    >>> unlikeness(np.zeros((1, LOOKS), np.float32), np.full((2, LOOKS), 2.0, np.float32)).round(1)
    array([[6.9, 6.9]], dtype=float32)
    """
    distances: NDArray[np.float32] = np.linalg.norm(first[:, None] - second[None], axis=2)
    return distances
