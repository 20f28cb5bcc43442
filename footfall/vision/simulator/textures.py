"""Pictures of floors, walls, shop fronts and plants, drawn at random; knows no scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

Colour = tuple[int, int, int]

_WORDS: Final = (
    "SALE",
    "CAFE",
    "SHOES",
    "BOOKS",
    "NEW",
    "TOYS",
    "OPTIC",
    "PHONE",
    "BANK",
    "JEWEL",
    "SPORT",
    "MODE",
    "BIO",
)
_BRIGHT: Final[tuple[Colour, ...]] = (
    (60, 60, 190), (170, 90, 40), (80, 150, 70), (60, 170, 220), (140, 70, 130), (220, 220, 220), (60, 60, 60),
    (130, 150, 40),
)  # fmt: skip


def speckle(rng: random.Random, height: int, width: int, *, strength: float, coarse: int = 8) -> NDArray[np.float32]:
    """(height, width, 1) brightness about 1: blotches and grain; it repeats without a seam."""
    noise = np.random.Generator(np.random.PCG64(rng.getrandbits(32)))
    fine = noise.random((height, width), np.float32) - 0.5
    small = noise.random((coarse, coarse), np.float32) - 0.5
    small = np.pad(small, ((0, 1), (0, 1)), mode="wrap")
    blotch = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1.0 + strength * (0.6 * fine + 0.8 * blotch), np.float32)[..., None]


def flat(rng: random.Random, colour: Colour, *, strength: float = 0.12, size: int = 128) -> NDArray[np.uint8]:
    """A plain, slightly uneven surface."""
    return _finish(np.array(colour, np.float32) * speckle(rng, size, size, strength=strength))


def tiles(rng: random.Random, colour: Colour, *, count: int = 4, pattern: bool = True) -> NDArray[np.uint8]:
    """Floor tiles with joints, each a little different."""
    size = 64 * count
    picture = np.empty((size, size, 3), np.float32)
    darker, hue = rng.uniform(0.72, 1.1), rng.uniform(-0.03, 0.03)
    other = (colour[0] * darker * (1 - hue), colour[1] * darker, colour[2] * darker * (1 + hue))
    kind = rng.choice(("plain", "chess", "rows")) if pattern else "plain"
    for row in range(count):
        for column in range(count):
            is_other = (kind == "chess" and (row + column) % 2) or (kind == "rows" and row % 2)
            tone = np.array(other if is_other else colour, np.float32) * rng.uniform(0.94, 1.05)
            picture[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64] = tone
    joint = rng.choice((0.78, 0.88, 1.1))
    for at in range(0, size, 64):
        picture[at : at + 2] *= joint
        picture[:, at : at + 2] *= joint
    return _finish(picture * speckle(rng, size, size, strength=0.16, coarse=count * 3))


def planks(rng: random.Random, colour: Colour, *, size: int = 256) -> NDArray[np.uint8]:
    """Wooden boards."""
    picture = np.empty((size, size, 3), np.float32)
    for row in range(0, size, 32):
        picture[row : row + 32] = np.array(colour, np.float32) * rng.uniform(0.85, 1.12)
        picture[row : row + 1] *= 0.6
        seam = rng.randrange(size)
        picture[row : row + 32, seam : seam + 2] *= 0.65
    grain = cv2.blur(speckle(rng, size, size, strength=0.5, coarse=16), (31, 1))
    return _finish(picture * grain[..., None])


def bricks(rng: random.Random, colour: Colour, *, size: int = 256) -> NDArray[np.uint8]:
    """A brick wall."""
    picture = np.full((size, size, 3), (150, 155, 160), np.float32)
    for number, row in enumerate(range(0, size, 16)):
        for column in range(-32, size, 32):
            left = column + (16 if number % 2 else 0)
            tone = np.array(colour, np.float32) * rng.uniform(0.8, 1.15)
            picture[row + 1 : row + 15, max(left + 1, 0) : max(left + 31, 0)] = tone
    return _finish(picture * speckle(rng, size, size, strength=0.25))


def panel_ceiling(rng: random.Random) -> NDArray[np.uint8]:
    """Ceiling panels, one of four a lamp."""
    picture = np.full((256, 256, 3), (188, 190, 192), np.float32)
    for at in range(0, 256, 64):
        picture[at : at + 2] *= 0.8
        picture[:, at : at + 2] *= 0.8
    picture *= speckle(rng, 256, 256, strength=0.06)
    picture[68:124, 68:124] = (252, 253, 254)
    return _finish(picture)


def shop_front(rng: random.Random) -> NDArray[np.uint8]:
    """A shop window with shelves, frames and a sign; nothing in it has the shape of a person."""
    height, width = 256, 384
    inside = rng.choice(((150, 160, 170), (90, 95, 100), (190, 200, 205), (120, 140, 165), (60, 60, 64)))
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = inside
    picture *= np.linspace(1.15, 0.75, height, dtype=np.float32)[:, None, None]
    for shelf in range(90, 240, rng.choice((30, 38, 48))):
        left = rng.randrange(20, 60)
        while left < width - 50:
            box = rng.randrange(12, 46)
            tall = rng.randrange(6, 18)
            picture[shelf - tall : shelf, left : left + box] = rng.choice(_BRIGHT)
            left += box + rng.randrange(4, 30)
        picture[shelf : shelf + 3] *= 0.6
    frame = rng.choice(((40, 40, 42), (90, 92, 95), (60, 80, 110), (200, 200, 200)))
    for column in (0, width // 3, 2 * width // 3, width - 6):
        picture[:, column : column + 6] = frame
    picture[250:] = frame
    sign = rng.choice(_BRIGHT)
    picture[:56] = sign
    picture[56:60] = frame
    ink = (240, 240, 240) if sum(sign) < 420 else (30, 30, 30)
    _write(picture, rng.choice(_WORDS), (rng.randrange(20, 120), 42), 1.4, ink)
    return _finish(picture * speckle(rng, height, width, strength=0.06))


def facade(rng: random.Random) -> NDArray[np.uint8]:
    """A glass front with daylight behind it."""
    picture = np.empty((256, 256, 3), np.float32)
    picture[:] = rng.choice(((236, 228, 214), (214, 206, 196), (200, 190, 170), (130, 118, 104)))
    picture[150:] *= 0.82
    for _ in range(12):  # what is blurred outside
        x, y = rng.randrange(256), rng.randrange(100, 230)
        cv2.rectangle(
            picture,
            (x, y),
            (x + rng.randrange(10, 50), y + rng.randrange(10, 40)),
            [c * rng.uniform(0.5, 0.9) for c in (200, 190, 180)],
            -1,
        )
    cv2.GaussianBlur(picture, (0, 0), 5, dst=picture)
    for at in range(0, 256, 64):
        picture[:, at : at + 5] = (88, 88, 86)
    for at in (0, 96, 192):
        picture[at : at + 4] = (88, 88, 86)
    return _finish(picture)


def poster(rng: random.Random) -> NDArray[np.uint8]:
    """An advertisement of shapes and words."""
    picture = np.empty((192, 128, 3), np.float32)
    picture[:] = rng.choice(_BRIGHT)
    for _ in range(rng.randrange(2, 6)):
        at = (rng.randrange(128), rng.randrange(192))
        colour = rng.choice(_BRIGHT)
        if rng.random() < 0.5:
            cv2.circle(picture, at, rng.randrange(8, 50), colour, -1)
        else:
            cv2.rectangle(picture, at, (at[0] + rng.randrange(20, 90), at[1] + rng.randrange(10, 60)), colour, -1)
    _write(picture, rng.choice(_WORDS), (8, rng.randrange(40, 180)), 1.0, (245, 245, 245))
    picture[:4] = picture[-4:] = picture[:, :4] = picture[:, -4:] = (50, 50, 52)
    return _finish(picture)


def door(rng: random.Random) -> NDArray[np.uint8]:
    """A door in its frame."""
    colour = rng.choice(((120, 130, 140), (70, 90, 120), (60, 60, 64), (190, 195, 198), (100, 70, 50)))
    picture = np.empty((192, 96, 3), np.float32)
    picture[:] = colour
    picture *= speckle(rng, 192, 96, strength=0.08)
    picture[:6] = picture[:, :6] = picture[:, -6:] = np.array(colour, np.float32) * 0.6
    cv2.rectangle(picture, (30, 24), (66, 70), [c * 0.5 for c in colour], -1)
    cv2.rectangle(picture, (78, 96), (86, 108), (200, 200, 200), -1)
    return _finish(picture)


def foliage(rng: random.Random) -> NDArray[np.uint8]:
    """(H, W, 4): leaves and what is between them."""
    picture = np.zeros((160, 160, 4), np.uint8)
    green = rng.choice(((40, 92, 52), (36, 74, 40), (60, 116, 84), (44, 84, 70)))
    for _ in range(260):
        angle, radius = rng.uniform(0, 6.2832), 70 * rng.random() ** 0.6
        at = (int(80 + radius * np.cos(angle)), int(82 + radius * np.sin(angle) * 0.95))
        tone = rng.uniform(0.55, 1.35) * (1.25 - at[1] / 200)
        axes = (rng.randrange(3, 11), rng.randrange(2, 6))
        cv2.ellipse(picture, at, axes, rng.randrange(180), 0, 360, (*(min(255, int(c * tone)) for c in green), 255), -1)
    return picture


def rail() -> NDArray[np.uint8]:
    """(H, W, 4): a hand rail on posts."""
    picture = np.zeros((64, 256, 4), np.uint8)
    metal = (150, 152, 155, 255)
    picture[:5] = metal
    picture[34:37] = metal
    for at in range(0, 256, 64):
        picture[:, at : at + 5] = metal
    return picture


def _write(picture: NDArray[np.float32], word: str, at: tuple[int, int], scale: float, colour: Colour) -> None:
    mask = np.zeros(picture.shape[:2], np.uint8)  # OpenCV writes on bytes only
    cv2.putText(mask, word, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 4)
    picture[mask > 127] = colour


def _finish(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(picture, 0, 255).astype(np.uint8)
