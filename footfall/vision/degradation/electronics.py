"""What happens behind the lens: noise of the sensor, a wrong white balance, too few bits, too few pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.vision.codec import Channel
from footfall.vision.degradation.pictures import Noise, Steps, generator, uint8

if TYPE_CHECKING:
    from footfall.vision.degradation.pictures import Picture


class SensorNoise:
    """The sensor's noise; another one in each picture."""

    SIGMA: Final = Steps(5, 13, 27, 50, 85)
    """Standard deviation; grey levels."""

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        self._noise = Noise(seed, "noise", height_px, width_px)

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Add the noise of a moment."""
        return self._noise.added(picture, self.SIGMA.at(severity), at_s)


class Colour:
    """A wrong white balance: everything drifts towards one colour, until there is no other."""

    SHARE: Final = Steps(0.12, 0.28, 0.47, 0.7, 0.95)
    """Of the way from the true colours to shades of one."""
    _LUMA: Final = np.array([0.114, 0.587, 0.299])
    _CASTS: Final = np.array([(1.5, 0.9, 0.5), (0.45, 0.95, 1.5), (0.5, 1.4, 0.6), (1.4, 0.45, 1.3)])
    """BGR: blue as in shade, orange as under lamps, green, magenta as with a broken infrared filter."""

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        del height_px, width_px
        self._cast = self._CASTS[generator(seed, "colour").integers(len(self._CASTS))]

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Shift the colours."""
        del at_s
        share = self.SHARE.at(severity)
        matrix = (1 - share) * np.eye(3) + share * np.outer(self._cast, self._LUMA)
        return uint8(cv2.transform(picture, matrix.astype(np.float32)))


class Bitrate:
    """Too few bits for the picture: really encoded and decoded again, so blocks, smears and pulsing are H.264's own."""

    KBIT_PER_S: Final = Steps(280, 120, 56, 28, 14, nothing=1400)
    """For 640 x 360 pixels and 10 pictures a second."""
    _PIXELS: Final = 640 * 360
    _FPS: Final = 10.0

    def __init__(self, fps: float, height_px: int, width_px: int) -> None:
        self._channel = Channel(width_px=width_px, height_px=height_px, fps=fps)
        # Larger pictures need fewer bits a pixel for the same quality; 3/4 is the usual rule of thumb.
        self._bits = 1000 * fps / self._FPS * (height_px * width_px / self._PIXELS) ** 0.75

    def apply(self, picture: Picture, severity: float) -> Picture:
        """Send the picture through the channel; depends on what was sent before."""
        return self._channel.send(picture, bits_per_s=self.KBIT_PER_S.at(severity) * self._bits)


class Rate:
    """How few pictures an overloaded camera or network still gives."""

    FPS: Final = Steps(5, 3, 2, 1, 0.5)

    def __init__(self, fps: float) -> None:
        slowest = [1 / rate for rate in self.FPS.values]
        self._interval_s = Steps(*slowest, nothing=1 / fps)
        self._frame_s = 1 / fps
        self._last_s: float | None = None
        self._due_s = 0.0

    def gives(self, severity: float, at_s: float) -> bool:
        """Whether a picture of this moment is given; moments come in order, an earlier one starts anew."""
        interval_s = max(self._interval_s.at(severity), self._frame_s)
        if self._last_s is None or at_s < self._last_s:
            self._due_s = at_s
        self._last_s = at_s
        # Half a frame early is nearer than half a frame late.
        if at_s + self._frame_s / 2 < self._due_s - 1e-9:
            return False
        # Due times that do not follow the pictures' keep the rate right on average, without catching up after a pause.
        self._due_s = max(self._due_s + interval_s, at_s + interval_s - self._frame_s)
        return True
