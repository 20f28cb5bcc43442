"""Seeded maps and quick picture arithmetic that every effect is made of; knows no kind of degradation."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Picture: TypeAlias = NDArray[np.uint8]
    """(H, W, 3) uint8 BGR."""
    Map: TypeAlias = NDArray[np.uint8]
    """(H, W) uint8: one code a pixel."""

CODES: Final = np.arange(256, dtype=np.float32) / np.float32(255)
"""(256,) float32: each code of a `Map` as a share of 1."""

_NOISE_ROOM_PX: Final = 64
_NOISE_SIGMA: Final = 32.0
_NOISE_ZERO: Final = 128
_LAYOUT_PX: Final = 320
"""Longer side of the small picture in which maps are laid out, so that they look alike at every size."""


class Steps:
    """A quantity at severities 1 to 5; nothing at 0, straight in between.

    >>> Steps(10, 20, 40, 80, 160).at(2.5)
    30.0
    """

    def __init__(self, *values: float, nothing: float = 0.0) -> None:
        self._severities = tuple(range(len(values) + 1))
        self.values = values
        self._points = (nothing, *values)

    def at(self, severity: float) -> float:
        """Return the quantity; `severity` in [0, 5]."""
        return float(np.interp(severity, self._severities, self._points))


def turned_boxes(boxes_px: NDArray[Any], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes of people in a moved picture, not cut at its edge.

    A turned box has larger bounds than the person turned in it, who fills its middle rather than its corners: the new
    bounds are those of the turned ellipse in the box.

    Args:
        boxes_px: (N, 4) x0, y0, x1, y1; N may be 0, and nan stays nan.
        matrix: (2, 3) as `Degrader.transform_at` gives it.
    """
    boxes = np.asarray(boxes_px, np.float64).reshape(-1, 4)
    turn = matrix[:, :2]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ turn.T + matrix[:, 2]
    halves = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (turn**2).T)
    return np.hstack([centres - halves, centres + halves])


def generator(seed: int, kind: str, *moment: int) -> np.random.Generator:
    """Random numbers that depend on nothing else than the arguments, the same on every machine."""
    return np.random.Generator(np.random.PCG64([abs(seed), zlib.crc32(kind.encode()), *(abs(part) for part in moment)]))


def at_ms(at_s: float) -> int:
    """Return the time by which one frame's random numbers are told from the next one's."""
    return round(at_s * 1000)


def layout_size(height_px: int, width_px: int) -> tuple[int, int]:
    """Height and width of the small picture in which a map of this size is laid out."""
    scale = min(1.0, _LAYOUT_PX / max(height_px, width_px))
    return max(2, round(height_px * scale)), max(2, round(width_px * scale))


def clouds(
    random: np.random.Generator, height_px: int, width_px: int, *, cells: int, octaves: int
) -> NDArray[np.float32]:
    """(H, W) float32 in [0, 1]: a field without edges, its largest shapes `cells` to the shorter side."""
    total = np.zeros((height_px, width_px), np.float32)
    shorter = min(height_px, width_px)
    for octave in range(octaves):
        fineness = cells * 2**octave / shorter
        grid = random.random((max(2, round(height_px * fineness)) + 1, max(2, round(width_px * fineness)) + 1))
        total += cv2.resize(grid.astype(np.float32), (width_px, height_px), interpolation=cv2.INTER_CUBIC) * np.float32(
            0.5**octave
        )
    low, high = float(total.min()), float(total.max())
    return ((total - low) / max(high - low, 1e-6)).astype(np.float32)


def ranked(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Same shape, in [0, 1): each value replaced by the share of values below it, so that a threshold is an area."""
    order = np.argsort(field, axis=None, kind="stable")
    ranks = np.empty(field.size, np.float32)
    ranks[order] = np.arange(field.size, dtype=np.float32) / np.float32(field.size)
    return ranks.reshape(field.shape)


def to_map(field: NDArray[np.floating[Any]], height_px: int, width_px: int) -> Map:
    """Bring a field in [0, 1] to the picture's size as codes."""
    return uint8(
        cv2.resize((field * 255).clip(0, 255).astype(np.uint8), (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    )


def table(values: NDArray[np.floating[Any]] | Sequence[float]) -> Map:
    """(256,) uint8 table for `looked_up`, of values in grey levels."""
    return np.asarray(values, np.float32).round().clip(0, 255).astype(np.uint8)


def looked_up(codes: NDArray[np.uint8], values: Map) -> NDArray[np.uint8]:
    """Replace each code by its value; any shape."""
    return uint8(cv2.LUT(codes, values))


def grey_to_bgr(plane: Map) -> Picture:
    """(H, W, 3): the plane three times."""
    return uint8(cv2.merge((plane, plane, plane)))


def dimmed(picture: Picture, share: Map) -> Picture:
    """Multiply each pixel by its share; 255 keeps it, 0 makes it black."""
    return uint8(cv2.multiply(picture, grey_to_bgr(share), scale=1 / 255))


def mixed(picture: Picture, other: Picture, share: Map) -> Picture:
    """`other` where the share is 255, `picture` where it is 0."""
    wide = grey_to_bgr(share)
    return uint8(
        cv2.add(cv2.multiply(picture, cv2.bitwise_not(wide), scale=1 / 255), cv2.multiply(other, wide, scale=1 / 255))
    )


def veiled(picture: Picture, codes: Map, kept: NDArray[np.float32], light: tuple[float, float, float]) -> Picture:
    """Let a share of each pixel through and fill up with light, by the codes of a map.

    Args:
        kept: (256,) float32 in [0, 1]; what a code lets through.
        light: BGR grey levels of what is seen where nothing comes through.
    """
    through = dimmed(picture, looked_up(codes, table(kept * 255)))
    planes = {level: looked_up(codes, table((1 - kept) * level)) for level in set(light)}  # grey light: one for all
    return uint8(cv2.add(through, cv2.merge([planes[level] for level in light])))


def blurred(picture: Picture, sigma_px: float) -> Picture:
    """Gaussian blur at a cost that does not grow with its width.

    What blurs strongly is blurred in a smaller picture. Reducing by f and enlarging again blurs as well, by a variance
    of about f²/12 + f²/6, which is taken off, so that the blur grows evenly with `sigma_px` at every size.
    """
    height, width = picture.shape[:2]
    factor = 1
    while factor * 2 <= sigma_px / 0.75 and min(height, width) >= 4 * factor:
        factor *= 2
    small = picture if factor == 1 else reduced(picture, factor)
    rest = max(sigma_px**2 - (factor**2 / 4 if factor > 1 else 0.0), 1e-4) ** 0.5 / factor
    small = uint8(cv2.GaussianBlur(small, (0, 0), rest, borderType=cv2.BORDER_REPLICATE))
    return small if factor == 1 else enlarged(small, height, width)


def reduced(picture: Picture, factor: int) -> Picture:
    """Return a picture smaller by a power of two; halved again and again, which is quicker than at once."""
    while factor > 1:
        height, width = picture.shape[:2]
        picture = uint8(cv2.resize(picture, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA))
        factor //= 2
    return picture


def enlarged(picture: Picture, height_px: int, width_px: int) -> Picture:
    """Bring a small picture to a size, smoothly."""
    return uint8(cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_LINEAR))


def uint8(picture: Any) -> NDArray[np.uint8]:  # noqa: ANN401  whatever OpenCV's stubs call an array
    """Return the same array; OpenCV's stubs do not say that uint8 in is uint8 out."""
    assert picture.dtype == np.uint8
    return picture  # type: ignore[no-any-return]


class Noise:
    """Sensor noise: one large noise picture, of which each moment shows another part.

    Fine in brightness and coarse in colour, with faint rows, as a denoised CCTV picture has it.
    """

    def __init__(self, seed: int, kind: str, height_px: int, width_px: int, *, grey: bool = False) -> None:
        self._seed, self._kind = seed, f"{kind} moment"
        self._size_px = height_px, width_px
        random = generator(seed, f"{kind} noise")
        shape = height_px + _NOISE_ROOM_PX, width_px + _NOISE_ROOM_PX
        fine = random.standard_normal(shape, np.float32)
        colour = np.asarray(cv2.GaussianBlur(random.standard_normal((*shape, 3), np.float32), (0, 0), 1.5), np.float32)
        rows = random.standard_normal((shape[0], 1), np.float32)
        colour *= (0.0 if grey else 0.4) / max(float(colour.std()), 1e-6)
        noise = (fine + 0.2 * rows)[..., None] + colour
        noise *= _NOISE_SIGMA / max(float(noise.std()), 1e-6)
        self._picture = table(noise + _NOISE_ZERO)

    def added(self, picture: Picture, sigma: float, at_s: float) -> Picture:
        """Add noise of a standard deviation in grey levels."""
        height, width = self._size_px
        y, x = (int(v) for v in generator(self._seed, self._kind, at_ms(at_s)).integers(0, _NOISE_ROOM_PX, 2))
        weight = sigma / _NOISE_SIGMA
        part = self._picture[y : y + height, x : x + width]
        return uint8(cv2.addWeighted(picture, 1.0, part, weight, -weight * _NOISE_ZERO))
