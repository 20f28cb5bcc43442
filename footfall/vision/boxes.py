"""How boxes lie to each other; knows nothing of who or what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def intersections(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Area that each box of `first` (N, 4) shares with each of `second` (M, 4): (N, M), in pixels squared.

    >>> intersections(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]]))
    array([[2., 0.]])
    """
    # Side by side, as numbers that lie together are worked on several at a time.
    x0, y0, x1, y1 = np.ascontiguousarray(first.T)[:, :, None]
    other_x0, other_y0, other_x1, other_y1 = np.ascontiguousarray(second.T)
    widths = np.minimum(x1, other_x1) - np.maximum(x0, other_x0)
    heights = np.minimum(y1, other_y1) - np.maximum(y0, other_y0)
    shared: NDArray[np.floating[Any]] = np.maximum(widths, 0) * np.maximum(heights, 0)
    return shared


def areas(boxes: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Area of each box, (N, 4) → (N,)."""
    sizes: NDArray[np.floating[Any]] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return sizes


def pairwise_iou(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Intersection over union of each box of `first` (N, 4) with each of `second` (M, 4): (N, M) in [0, 1].

    >>> pairwise_iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(2)
    array([[0.33, 0.  ]])
    """
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second) - shared
    overlap: NDArray[np.floating[Any]] = shared / np.maximum(union, 1e-9)
    return overlap


def grown(boxes: NDArray[np.floating[Any]], ratio: float) -> NDArray[np.floating[Any]]:
    """Boxes (N, 4) grown by a share of their size on every side.

    >>> grown(np.array([[10.0, 10, 20, 30]]), 0.5)
    array([[ 5.,  0., 25., 40.]])
    """
    room = ratio * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - room, boxes[:, 2:] + room], axis=1)
