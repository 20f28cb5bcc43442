"""Makes heads unrecognisable before a picture is kept; knows no store, camera or reviewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD_SHARE: Final = 0.24
"""Of a standing person's box, from the top: head and neck, with room for a box that begins a little low."""
_ABOVE_SHARE: Final = 0.06
"""Above the box: detectors cut hair."""
_CELLS: Final = 3
"""A head is this many cells wide: nobody is known by 3 x 4 colours."""
_FLAT_RATIO: Final = 1.4
"""A box wider than high times this is of somebody cut, seated or lying: where the head is nobody knows."""


def pixelate_heads(picture: NDArray[np.uint8], boxes_px: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a copy in which the heads of people are a few cells of one colour each.

    Boxes that are cut by the picture's edge at the top are pixelated farther down, since less than a whole person is in
    them; of people whose box is wider than high all is pixelated. Colours are means over the cell, so nothing finer can
    be brought back.

    Args:
        picture: (H, W, 3) uint8 BGR.
        boxes_px: (N, 4) x0, y0, x1, y1 of everybody found, also by low confidence; N may be 0.
    """
    safe = picture.copy()
    height, width = picture.shape[:2]
    for x0, y0, x1, y1 in np.asarray(boxes_px, np.float64).tolist():
        tall, wide = y1 - y0, x1 - x0
        if tall <= 0 or wide <= 0:
            continue
        share = 1.0 if wide > _FLAT_RATIO * tall else HEAD_SHARE * (2.0 if y0 <= 1 else 1.0)
        # A head is about a seventh of a person; in a box of less than a person it is wider than the box tells.
        left, right = max(0, int(x0 - 0.1 * wide)), min(width, int(np.ceil(x1 + 0.1 * wide)))
        top, bottom = max(0, int(y0 - _ABOVE_SHARE * tall)), min(height, int(np.ceil(y0 + share * tall)))
        if right - left < 1 or bottom - top < 1:
            continue
        part = safe[top:bottom, left:right]
        columns = max(1, min(_CELLS * (3 if share == 1.0 else 1), right - left))
        rows = max(1, min(round(columns * (bottom - top) / (right - left)), bottom - top))
        cells = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
        safe[top:bottom, left:right] = cv2.resize(cells, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
    return safe
