"""Cuts people out of real pictures and pastes them elsewhere; knows no sources and no training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEAST_FILLED: Final = 0.25
"""A person fills at least this share of the own box; less is a failed cut."""


def background_of(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return what a still camera sees when nobody is there: the median of (H, W, 3) pictures of one size."""
    return np.asarray(np.median(np.stack(pictures), axis=0), np.uint8)


def cut_out(
    picture: NDArray[np.uint8], box_px: NDArray[np.float32], background: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8] | None:
    """Separate a person from the surroundings.

    Args:
        picture: (H, W, 3) uint8 BGR.
        box_px: (4,) x0, y0, x1, y1.
        background: the same view without people; without it the surroundings are guessed from the box's rim.

    Returns:
        (h, w, 4) uint8 BGR and opacity, trimmed to the person; None when no whole person came out.
    """
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = box_px.tolist()
    margin = 0.12 * (y1 - y0)
    left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
    right, bottom = min(width, int(x1 + margin) + 1), min(height, int(y1 + margin) + 1)
    part = np.ascontiguousarray(picture[top:bottom, left:right])
    inner = (slice(int(y0) - top, int(y1) + 1 - top), slice(int(x0) - left, int(x1) + 1 - left))
    marks = np.full(part.shape[:2], cv2.GC_BGD, np.uint8)
    marks[inner] = cv2.GC_PR_FGD
    if background is not None:
        difference = cv2.absdiff(part, background[top:bottom, left:right]).max(axis=2)
        difference = cv2.GaussianBlur(difference, (5, 5), 0)
        marks[inner] = np.where(difference[inner] > 24, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
        marks[inner][difference[inner] > 70] = cv2.GC_FGD
        marks[inner][difference[inner] < 8] = cv2.GC_BGD
    if not (marks[inner] >= cv2.GC_PR_BGD).any() or not np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).any():
        return None
    cv2.setRNGSeed(1)  # its colour models start at random
    cv2.grabCut(part, marks, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    mask = _largest_part(np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    # A cut without legs or with half the floor is worse than none.
    if len(rows) < 0.88 * (y1 - y0) or len(columns) < 0.6 * (x1 - x0) or mask.mean() < _LEAST_FILLED * 0.6:
        return None
    opacity = cv2.GaussianBlur(mask.astype(np.float32), (3, 3), 0)
    opacity = np.where(mask, np.maximum(opacity, 0.55), 0)
    whole = np.dstack((part, np.round(opacity * 255).astype(np.uint8)))
    return np.ascontiguousarray(whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def paste(
    picture: NDArray[np.uint8], cutout: NDArray[np.uint8], *, left_px: int, top_px: int
) -> NDArray[np.float32] | None:
    """Put a cut-out person onto a picture.

    Args:
        picture: (H, W, 3) uint8 BGR; changed.
        cutout: (h, w, 4) uint8 BGR and opacity.

    Returns:
        (4,) x0, y0, x1, y1 of what is seen of the person; None when that is nothing.
    """
    height, width = picture.shape[:2]
    x0, y0 = max(0, left_px), max(0, top_px)
    x1, y1 = min(width, left_px + cutout.shape[1]), min(height, top_px + cutout.shape[0])
    if x1 <= x0 or y1 <= y0:
        return None
    part = cutout[y0 - top_px : y1 - top_px, x0 - left_px : x1 - left_px]
    opacity = part[:, :, 3]
    solid = opacity >= 128
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    if not len(rows):
        return None
    weight = opacity[:, :, None].astype(np.float32) / 255
    target = picture[y0:y1, x0:x1]
    target[:] = np.round(part[:, :, :3] * weight + target * (1 - weight)).astype(np.uint8)
    return np.array([x0 + columns[0], y0 + rows[0], x0 + columns[-1] + 1, y0 + rows[-1] + 1], np.float32)


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part, without specks and with its holes filled: clothes that look like the wall."""
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return np.zeros(mask.shape, bool)
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    outline, _ = cv2.findContours((parts == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outline, -1, 1, cv2.FILLED)
    holes = (filled == 1) & (parts != largest)
    # Between the legs is floor, and a hole too: only what is no bigger than a tenth is clothing.
    if holes.sum() > 0.1 * filled.sum():
        holes[:] = False
    return np.asarray((parts == largest) | holes)
