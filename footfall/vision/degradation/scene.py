"""What happens before the light reaches the lens: another view, weather, less light, infrared light."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.vision.degradation.pictures import (
    CODES,
    Noise,
    Steps,
    clouds,
    dimmed,
    enlarged,
    generator,
    layout_size,
    looked_up,
    reduced,
    table,
    to_map,
    uint8,
    veiled,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.vision.degradation.pictures import Map, Picture


class Moved:
    """The camera was turned and looks elsewhere: panned, tilted and rolled, zoomed in as far as leaves no border."""

    PAN_SHARE: Final = Steps(0.03, 0.07, 0.12, 0.18, 0.25)
    """Of the picture's width."""
    _TILT_SHARE: Final = Steps(0.02, 0.04, 0.07, 0.11, 0.15)
    _ROLL_DEGREES: Final = Steps(1.0, 2.5, 4.5, 7.0, 10.0)

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        self._size_px = height_px, width_px
        self._pan, self._tilt, self._roll = generator(seed, "moved").choice((-1.0, 1.0), 3)

    def matrix(self, severity: float) -> NDArray[np.float64]:
        """(2, 3) float64: from original to shown pixels, origin at the outer corner of the top left pixel."""
        height, width = self._size_px
        pan_px = self._pan * self.PAN_SHARE.at(severity) * width
        tilt_px = self._tilt * self._TILT_SHARE.at(severity) * height
        roll = self._roll * math.radians(self._ROLL_DEGREES.at(severity))
        cos, sin = math.cos(roll), abs(math.sin(roll))
        # The shown window, turned and aside, must lie inside the original picture.
        zoom = max(
            (width * cos + height * sin) / (width - 2 * abs(pan_px)),
            (width * sin + height * cos) / (height - 2 * abs(tilt_px)),
        )
        turn = zoom * np.array([[cos, -math.sin(roll)], [math.sin(roll), cos]])
        centre = np.array([width / 2, height / 2])
        shift = centre - turn @ (centre + np.array([pan_px, tilt_px]))
        return np.hstack([turn, shift[:, None]])

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Show the other view."""
        del at_s
        height, width = picture.shape[:2]
        matrix = self.matrix(severity)
        # OpenCV's origin is the middle of a pixel.
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
        return uint8(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT))


class Fog:
    """Fog lies between camera and scene: what is far, at the top of the picture, is gone first; wisps drift."""

    DENSITY: Final = Steps(0.4, 0.9, 1.6, 2.7, 4.2)
    """Optical depth at the far end: exp(-density) of the light comes through."""
    _NEAR: Final = 0.35
    _SWAY_S: Final = 120.0
    _ROOM: Final = 1.3
    """The map is wider than the picture by this, so that it can drift."""

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        random = generator(seed, "fog")
        self._phase = random.random()
        wide_px = round(width_px * self._ROOM)
        height, width = layout_size(height_px, wide_px)
        far = np.linspace(1.0, 0.0, height, dtype=np.float32)[:, None]
        wisps = clouds(random, height, width, cells=2, octaves=3)
        depth = self._NEAR + (1 - self._NEAR) * far
        self._depth = to_map(depth * (0.7 + 0.3 * wisps), height_px, wide_px)
        self._room_px = wide_px - width_px

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Draw the fog; it is as bright as the scene makes it."""
        width = picture.shape[1]
        sway = 0.5 + 0.5 * math.sin(2 * math.pi * (at_s / self._SWAY_S + self._phase))
        x = round(self._room_px * sway)
        level = min(max(1.3 * float(np.mean(cv2.mean(picture)[:3])) + 50, 40), 225)
        kept = np.exp(-self.DENSITY.at(severity) * CODES)
        return veiled(picture, self._depth[:, x : x + width], kept, (level, level * 0.99, level * 0.96))


class Rain:
    """Streaks that fall through the picture, a veil of water in the air, drops on the lens that show it upside down."""

    STREAK_SHARE: Final = Steps(0.1, 0.25, 0.45, 0.7, 1.0)
    """Of the heaviest rain."""
    _VEIL: Final = Steps(0.03, 0.1, 0.24, 0.48, 0.78)
    _DROPS: Final = Steps(2, 6, 14, 26, 40)
    _MOST_DROPS: Final = 40
    _PLACES: Final = 64
    _SPEED: Final = 2.3
    """Picture heights a second."""

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        random = generator(seed, "rain")
        self._slant = float(random.uniform(-0.25, 0.25))
        tile = _streaks(random, height_px, width_px, self._slant)
        self._streaks = np.ascontiguousarray(np.tile(tile, (2, 2)))
        drops = self._MOST_DROPS
        # Lists: one number at a time is read from them, many times a picture.
        self._places = random.random((drops, self._PLACES, 2)).tolist()
        self._radii = random.uniform(0.012, 0.045, drops).tolist()
        self._lives_s = random.uniform(4.0, 15.0, drops).tolist()
        self._births_s = random.uniform(0.0, 60.0, drops).tolist()

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Draw the rain of a moment."""
        height, width = picture.shape[:2]
        fallen_px = at_s * self._SPEED * height
        y = height - 1 - int(fallen_px) % height
        x = width - 1 - int(fallen_px * self._slant) % width
        # A streak's code tells from which rain on it is seen, so heavier rain adds streaks to those of lighter rain.
        share = self.STREAK_SHARE.at(severity)
        veil = self._VEIL.at(severity)
        streak = np.clip((CODES - (1 - share)) * 3.0, 0.0, 0.75)
        level = min(max(1.2 * float(np.mean(cv2.mean(picture)[:3])) + 60, 60), 225)
        shown = veiled(
            picture,
            self._streaks[y : y + height, x : x + width],
            ((1 - veil) * (1 - streak)).astype(np.float32),
            (level, level, level),
        )
        return self._with_drops(shown, severity, at_s)

    def _with_drops(self, picture: Picture, severity: float, at_s: float) -> Picture:
        height, width = picture.shape[:2]
        factor = 4 if min(height, width) >= 64 else 1
        small = reduced(picture, factor)
        mask = np.zeros(small.shape[:2], np.uint8)
        count = self._DROPS.at(severity)
        for index in range(min(self._MOST_DROPS, math.ceil(count))):
            age = (at_s + self._births_s[index]) / self._lives_s[index]
            x, y = self._places[index][int(age) % self._PLACES]
            # The newest drop grows with the severity; each slides down a little before it goes.
            radius = self._radii[index] * min(1.0, count - index) * small.shape[0]
            centre = round(x * small.shape[1] * 16), round((y + 0.05 * (age % 1) ** 3) * small.shape[0] * 16)
            axes = max(1, round(radius * 16)), max(1, round(radius * 1.25 * 16))
            cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1, cv2.LINE_AA, 4)
        upside_down = dimmed(uint8(cv2.GaussianBlur(cv2.flip(small, 0), (5, 5), 0)), mask)
        around = cv2.bitwise_not(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR))
        return uint8(cv2.add(dimmed(picture, uint8(around)), enlarged(upside_down, height, width)))


def _streaks(random: np.random.Generator, height_px: int, width_px: int, slant: float) -> Map:
    """(H, W) codes of falling drops, blurred by their fall; the edges fit together when laid side by side."""
    tile = np.zeros((height_px, width_px), np.uint8)
    for index in range(700):
        near = float(random.random()) ** 2
        length_px = (0.03 + 0.12 * near) * height_px
        x, y = random.random(2) * (width_px, height_px)
        thickness = max(1, round((0.4 + 2.2 * near) * height_px / 360))
        code = 1 + 254 * (1 - index / 700)
        for move_x in (-width_px, 0, width_px):
            for move_y in (-height_px, 0, height_px):
                start = round(x + move_x), round(y + move_y)
                end = round(x + move_x + slant * length_px), round(y + move_y + length_px)
                part = cv2.clipLine((0, 0, width_px, height_px), start, end)
                if part[0]:
                    cv2.line(tile, start, end, code, thickness, cv2.LINE_AA)
    return tile


class Dark:
    """Less light, with the noise of a sensor that has too little of it."""

    STOPS: Final = Steps(0.7, 1.7, 3.0, 4.8, 7.0)
    """Halvings of the light."""
    _NOISE: Final = Steps(1.0, 2.5, 4.5, 6.5, 8.0)
    _GAMMA: Final = 2.2

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        self._noise = Noise(seed, "dark", height_px, width_px)

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Take the light away."""
        share = 2.0 ** (-self.STOPS.at(severity) / self._GAMMA)
        dark = uint8(cv2.convertScaleAbs(picture, alpha=share))
        return self._noise.added(dark, self._NOISE.at(severity), at_s)


class Infrared:
    """Night under the camera's own infrared light: no colours, cloth as bright as its dye, light in the middle only."""

    LIT_SHARE: Final = Steps(0.95, 0.8, 0.6, 0.42, 0.3, nothing=1.0)
    """Distance from the middle, in half diagonals, at which half of the light is left."""
    _NOISE: Final = Steps(2.0, 5.0, 9.0, 15.0, 24.0)
    _BRIGHTNESS: Final = Steps(1.0, 0.9, 0.75, 0.55, 0.38, nothing=1.0)
    _DYES: Final = Steps(0.2, 0.4, 0.6, 0.8, 1.0)
    _VISIBLE: Final = np.array([0.114, 0.587, 0.299])
    _NEAR_INFRARED: Final = np.array([-0.35, 0.45, 0.9])
    """Most dyes let near infrared through: red and green cloth is bright, blue is dark, whatever the eye says."""

    def __init__(self, seed: int, height_px: int, width_px: int) -> None:
        random = generator(seed, "infrared")
        height, width = layout_size(height_px, width_px)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        aim_y, aim_x = 0.5 + random.uniform(-0.06, 0.06, 2)
        diagonal = math.hypot(height, width) / 2
        away = np.hypot(y - aim_y * height, x - aim_x * width) / (diagonal * 1.2)
        self._away = to_map(away, height_px, width_px)
        self._noise = Noise(seed, "infrared", height_px, width_px, grey=True)

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Light the scene with infrared."""
        dyes = self._DYES.at(severity)
        weights = (1 - dyes) * self._VISIBLE + dyes * self._NEAR_INFRARED
        # Below severity 1 the colours go; from there on the picture is grey.
        grey_share = min(1.0, severity)
        matrix = (1 - grey_share) * np.eye(3) + grey_share * np.tile(weights, (3, 1))
        grey = uint8(cv2.transform(picture, matrix.astype(np.float32)))
        lit = 1 / (1 + (CODES * 1.2 / self.LIT_SHARE.at(severity)) ** 4)
        lit = 1 - min(1.0, severity) * (1 - lit)
        shown = dimmed(grey, looked_up(self._away, table(255 * self._BRIGHTNESS.at(severity) * lit)))
        return self._noise.added(shown, self._NOISE.at(severity), at_s)
