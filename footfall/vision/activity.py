"""Tells frames that need no detector: nothing has changed since it last looked, and nobody was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.vision.pixels import scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.domain import Detections, Frame

_WIDTH_PX: Final = 160
"""Somebody a sixteenth of the picture high still covers about ten of these pixels; sensor noise is averaged away."""


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """When a frame needs no detector; defaults were chosen on development footage, docs/decisions/0009.

    Attributes:
        longest_rest_s: the detector looks at least this often; 0 lets it look at every frame.
        quiet_s: nobody was found for this long: as long as lost people are looked for.
        least_change: grey levels by which a pixel of the small picture has changed.
        least_pixels: that many changed ones are somebody.
    """

    longest_rest_s: float = 1.0
    quiet_s: float = 2.0
    least_change: int = 12
    least_pixels: int = 3


class ActivityGate:
    """Decides for one camera; not safe to use from several threads at once."""

    def __init__(self, settings: ActivitySettings) -> None:
        self._settings = settings
        self._looked_s = float("-inf")
        self._somebody_s = float("-inf")
        self._looked_at: Frame | None = None
        self._reference: NDArray[np.uint8] | None = None

    def is_idle(self, frame: Frame) -> bool:
        """Tell whether the detector may rest; when it looks instead, `looked` must be told what it found."""
        settings = self._settings
        # The clock before the pixels: where somebody is in view, no small picture is made at all.
        return (
            0 <= frame.received_s - self._looked_s < settings.longest_rest_s
            and frame.received_s - self._somebody_s >= settings.quiet_s
            and self._looked_at is not None
            and not has_changed(self._seen(self._looked_at), small_grey(frame), settings)
        )

    def looked(self, frame: Frame, detections: Detections) -> None:
        """The detector has looked at this frame."""
        self._looked_s = frame.received_s
        self._looked_at, self._reference = frame, None
        if (detections.scores >= detections.threshold).any():
            self._somebody_s = frame.received_s

    def _seen(self, frame: Frame) -> NDArray[np.uint8]:
        """What the detector has looked at, made once."""
        if self._reference is None:
            self._reference = small_grey(frame)
        return self._reference


def small_grey(frame: Frame) -> NDArray[np.uint8]:
    """Return the brightness in a small size; (H, 160) uint8, smaller pictures as they are."""
    width, height = frame.size_px
    small = min(width, _WIDTH_PX)
    size = small, max(1, round(height * small / width))
    if isinstance(frame.image, np.ndarray):
        return scaled(np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), np.uint8), *size)
    return frame.image.scaled_grey(*size)


def has_changed(before: NDArray[np.uint8], now: NDArray[np.uint8], settings: ActivitySettings) -> bool:
    """Tell whether somebody may have come between two small pictures, (H, W) uint8; true where their sizes differ.

    What the whole picture gained or lost in brightness is no change: lamps, clouds and key pictures do that.
    """
    if before.shape != now.shape:
        return True
    change = cv2.subtract(now, before, dtype=cv2.CV_16S)
    # The mean, not the median, which costs more than all the rest; what somebody adds to it is under a level.
    change -= np.int16(round(cv2.mean(change)[0]))
    strong = cv2.countNonZero(cv2.inRange(change, -settings.least_change, settings.least_change))
    return change.size - strong >= settings.least_pixels
