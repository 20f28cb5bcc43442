"""Plane geometry of lines and zones in picture pixels; knows nothing of people or time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.domain import Line, Zone


@dataclass(frozen=True, slots=True)
class Segment:
    """A counting line in pixels; start and end differ."""

    start_x: float
    start_y: float
    end_x: float
    end_y: float

    @classmethod
    def of(cls, line: Line, width_px: int, height_px: int) -> Segment:
        """Scale a line to a picture."""
        return cls(line.start[0] * width_px, line.start[1] * height_px, line.end[0] * width_px, line.end[1] * height_px)

    @property
    def length_px(self) -> float:
        """Length in pixels; greater than 0."""
        return math.hypot(self.end_x - self.start_x, self.end_y - self.start_y)

    def distance(self, x: float, y: float) -> float:
        """Signed distance of a point from the endless line; positive to the right of start→end on screen; pixels.

        >>> Segment(0, 0, 10, 0).distance(5, 3), Segment(0, 0, 10, 0).distance(5, -2)
        (3.0, -2.0)
        """
        along_x, along_y = self.end_x - self.start_x, self.end_y - self.start_y
        return float((along_x * (y - self.start_y) - along_y * (x - self.start_x)) / self.length_px)

    def share_along(self, x: float, y: float) -> float:
        """Where the foot of the perpendicular from a point lies: 0 at the start, 1 at the end, outside beyond them.

        >>> Segment(0, 0, 10, 0).share_along(5, 3), Segment(0, 0, 10, 0).share_along(20, 0)
        (0.5, 2.0)
        """
        along_x, along_y = self.end_x - self.start_x, self.end_y - self.start_y
        return float(((x - self.start_x) * along_x + (y - self.start_y) * along_y) / self.length_px**2)


def polygon_px(zone: Zone, width_px: int, height_px: int) -> NDArray[np.float32]:
    """Corners of a zone in pixels: (N, 2)."""
    return np.asarray(zone.polygon, dtype=np.float32) * np.array((width_px, height_px), dtype=np.float32)


def distance_inside(x: float, y: float, polygon: NDArray[np.float32]) -> float:
    """Distance of a point from the border of a polygon: positive inside, negative outside; pixels.

    >>> square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], dtype=np.float32)
    >>> distance_inside(5, 8, square), distance_inside(5, 12, square)
    (2.0, -2.0)
    """
    return cv2.pointPolygonTest(polygon, (x, y), measureDist=True)
