"""What happens in and on the lens: light that shines in, things in front of it, dirt, blur."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.vision.degradation.pictures import (
    CODES,
    Steps,
    blurred,
    clouds,
    enlarged,
    generator,
    layout_size,
    looked_up,
    mixed,
    ranked,
    reduced,
    table,
    to_map,
    uint8,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.vision.degradation.pictures import Map, Picture


class Glare:
    """Sun or a lamp shines into the lens: a bright bloom with rays, a veil over all, and the exposure goes down."""

    BLOOM_LEVELS: Final = Steps(60, 130, 220, 330, 480)
    """Grey levels that are added where the light is; from 255 on there is nothing but white."""
    _SPREAD: Final = Steps(3.0, 2.0, 1.4, 1.0, 0.65, nothing=4.0)
    """Exponent of the fall-off: the smaller the wider."""
    _VEIL: Final = Steps(5, 14, 28, 48, 75)
    _EXPOSURE: Final = Steps(0.95, 0.86, 0.74, 0.6, 0.42, nothing=1.0)
    _PERIOD_S: Final = 900.0

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        random = generator(seed, "glare")
        self._place = random.uniform((0.25, 0.1), (0.75, 0.4))
        self._phase = random.random(2)
        # Twice the size and more: the light may stand anywhere.
        height, width = layout_size(2 * height_px, 2 * width_px)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        right, down = x - width / 2, y - height / 2
        away = np.hypot(right, down) / (min(height, width) / 2)
        angle = np.arctan2(down, right)
        rays = np.abs(np.cos(3 * angle + random.uniform(0, math.pi))) ** 24
        bloom = np.exp(-2.2 * away) + 0.35 * rays * np.exp(-3.0 * away)
        self._bloom = to_map(np.clip(bloom, 0, 1), 2 * height_px, 2 * width_px)

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Shine into the lens."""
        height, width = picture.shape[:2]
        swing = 0.12 * np.sin(2 * math.pi * (at_s / self._PERIOD_S + self._phase))
        # The light may swing out of the picture, but not out of the map.
        x, y = np.clip(1 - self._place - swing, 0, 1) * (width, height)
        codes = self._bloom[round(y) : round(y) + height, round(x) : round(x) + width]
        light = self.BLOOM_LEVELS.at(severity) * CODES ** self._SPREAD.at(severity) + self._VEIL.at(severity)
        warm = [uint8(cv2.LUT(codes, table(light * share))) for share in (0.86, 0.95, 1.0)]
        exposed = uint8(cv2.convertScaleAbs(picture, alpha=self._EXPOSURE.at(severity)))
        return uint8(cv2.add(exposed, cv2.merge(warm)))


class Covered:
    """Something opaque close to the lens hides a part of the picture: a bag, a leaf, a poster; its edge is blurred."""

    SHARE: Final = Steps(0.1, 0.25, 0.42, 0.6, 0.8)
    """Of the picture."""
    _SOFT: Final = 0.1

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        random = generator(seed, "covered")
        height, width = layout_size(height_px, width_px)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        angle = random.uniform(0, 2 * math.pi)
        across = (x / width - 0.5) * math.cos(angle) + (y / height - 0.5) * math.sin(angle)
        self._rank = to_map(
            ranked(across + 0.35 * clouds(random, height, width, cells=1, octaves=2)), height_px, width_px
        )
        look = clouds(random, height, width, cells=2, octaves=3)
        colour = random.uniform(20, 75, 3)
        self._thing = table(to_map(look, height_px, width_px)[..., None] * np.float32(0.2) + colour)

    def hidden(self, severity: float) -> NDArray[np.bool_]:
        """(H, W) True where more of the thing is seen than of the picture."""
        return looked_up(self._rank, self._opacity(severity)) > 127

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Hold the thing in front of the picture."""
        del at_s
        return mixed(picture, self._thing, looked_up(self._rank, self._opacity(severity)))

    def _opacity(self, severity: float) -> Map:
        """(256,) by the rank of a pixel; a half at the share that is hidden."""
        share = self.SHARE.at(severity)
        return table(255 * ((share - CODES) / min(self._SOFT, 2 * share) + 0.5))


class Dirt:
    """Smears, dust and cobwebs on the glass: always in the same place, blurred, grey-brown, half seen through."""

    SHARE: Final = Steps(0.08, 0.22, 0.42, 0.65, 0.9)
    """Of the picture."""
    _OPACITY: Final = Steps(0.45, 0.65, 0.8, 0.9, 0.96)
    _SOFT: Final = 0.25
    _COLOUR: Final = (70.0, 84.0, 92.0)

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        random = generator(seed, "dirt")
        height, width = layout_size(height_px, width_px)
        field = clouds(random, height, width, cells=3, octaves=4)
        for _ in range(70):
            x, y = random.random(2) * (width, height)
            radius = max(1, round(random.uniform(0.002, 0.009) * width))
            cv2.circle(field, (round(x), round(y)), radius, float(random.uniform(-0.2, 0.3)), -1, cv2.LINE_AA)
        field = cv2.GaussianBlur(field, (0, 0), max(0.3, 0.004 * width)).astype(np.float32)
        self._rank = to_map(ranked(field), height_px, width_px)

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Look through the dirt."""
        del at_s
        height, width = picture.shape[:2]
        share = self.SHARE.at(severity)
        opacity = self._OPACITY.at(severity) * np.clip((share - CODES) / min(self._SOFT, share) + 0.3, 0, 1)
        # Grease scatters: through it the picture is seen without its details.
        factor = 8 if min(height, width) >= 64 else 1
        scattered = cv2.GaussianBlur(reduced(picture, factor), (0, 0), 1.5)
        tinted = cv2.addWeighted(scattered, 0.45, np.full_like(scattered, self._COLOUR), 0.55, 0)
        return mixed(picture, enlarged(uint8(tinted), height, width), looked_up(self._rank, table(255 * opacity)))


class Defocus:
    """The lens is out of focus."""

    SIGMA_SHARE: Final = Steps(0.002, 0.004, 0.008, 0.016, 0.032)
    """Standard deviation of the blur, of the picture's height."""

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        del seed, width_px
        self._height_px = height_px

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Blur evenly."""
        del at_s
        return blurred(picture, self.SIGMA_SHARE.at(severity) * self._height_px)


class MotionBlur:
    """The mast shakes during the exposure: all is drawn out along a line whose direction turns slowly."""

    LENGTH_SHARE: Final = Steps(0.008, 0.02, 0.038, 0.075, 0.14)
    """Of the picture's height."""
    _PERIOD_S: Final = 20.0

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        del width_px
        self._height_px = height_px
        self._phase = float(generator(seed, "motion-blur").random())

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Draw the picture out."""
        height, width = picture.shape[:2]
        length_px = self.LENGTH_SHARE.at(severity) * self._height_px
        swing = math.sin(2 * math.pi * (at_s / self._PERIOD_S + self._phase))
        angle = swing * math.pi / 3  # mostly sideways, as masts shake
        factor = 2 if length_px >= 20 and min(height, width) >= 8 else 1
        drawn = reduced(picture, factor)
        # Averaging two copies apart, then two of these twice as far apart, … makes 2^n copies in a row with n sums:
        # so many that they lie a pixel apart at most.
        halvings = max(1, math.ceil(math.log2(max(length_px / factor, 1e-6))))
        step = length_px / factor / 2**halvings
        # They all lie to one side of the first, which therefore goes half the way back: who stood there still does.
        back = -step * (2**halvings - 1) / 2
        drawn = _shifted(drawn, round(back * math.cos(angle)), round(back * math.sin(angle)))
        for halving in range(halvings):
            apart = step * 2**halving
            drawn = _averaged(drawn, apart * math.cos(angle), apart * math.sin(angle))
        return drawn if factor == 1 else enlarged(drawn, height, width)


def _averaged(picture: Picture, right_px: float, down_px: float) -> Picture:
    """Average a picture with itself moved; by whole pixels, or by less than one along the longer way."""
    apart = max(abs(right_px), abs(down_px))
    if apart >= 1:
        return _added(picture, _shifted(picture, round(right_px), round(down_px)), 0.5)
    # A neighbour at part of the weight moves the picture by part of a pixel.
    sideways = abs(right_px) >= abs(down_px)
    step = int(math.copysign(1, right_px if sideways else down_px))
    return _added(picture, _shifted(picture, step, 0) if sideways else _shifted(picture, 0, step), apart / 2)


def _added(picture: Picture, other: Picture, weight: float) -> Picture:
    return uint8(cv2.addWeighted(picture, 1 - weight, other, weight, 0))


def _shifted(picture: Picture, x: int, y: int) -> Picture:
    """Move by whole pixels; the edge is repeated."""
    height, width = picture.shape[:2]
    wide = cv2.copyMakeBorder(picture, max(y, 0), max(-y, 0), max(x, 0), max(-x, 0), cv2.BORDER_REPLICATE)
    top, left = max(-y, 0), max(-x, 0)
    return uint8(wide[top : top + height, left : left + width])
