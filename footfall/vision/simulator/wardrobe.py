"""What people look like: size, build, clothes, hair and what they carry, drawn at random; knows no motion or camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.vision.simulator.figures import (
    SIDES,
    TUBES,
    Shape,
    cargo_radii,
    rings_of,
    triangles_of,
    usual_radii,
)

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

ATLAS_WIDTH: Final = 64
_BAND: Final = 32
ATLAS_HEIGHT: Final = _BAND * 16
"""A person's texture: one band for each kind of surface, u around the body, v along it; pixels."""

_BANDS: Final = {
    "torso": 0, "head": 1, "hair": 2, "long-hair": 2, "leg-l": 3, "leg-r": 3, "foot-l": 4, "foot-r": 4, "arm-l": 5,
    "arm-r": 5, "skirt": 6, "backpack": 7, "bag": 8, "shopping": 9, "cargo": 10, "base": 11, "rod": 12,
}  # fmt: skip

Colour = tuple[int, int, int]

_SKIN: Final[tuple[Colour, ...]] = (
    (176, 202, 235),
    (150, 184, 224),
    (120, 158, 205),
    (84, 122, 172),
    (60, 92, 140),
    (42, 62, 98),
)
_HAIR: Final[tuple[Colour, ...]] = (
    (24, 22, 22), (30, 36, 48), (38, 56, 84), (60, 92, 130), (110, 160, 196), (140, 140, 142), (206, 206, 208),
    (40, 52, 110),
)  # fmt: skip
_TOPS: Final[tuple[Colour, ...]] = (
    (26, 26, 28), (44, 42, 42), (78, 76, 74), (128, 126, 124), (186, 184, 182), (232, 231, 230), (214, 222, 232),
    (74, 44, 28), (112, 66, 32), (150, 104, 52), (190, 160, 120), (52, 60, 38), (70, 92, 60), (92, 128, 96),
    (40, 36, 120), (44, 44, 172), (66, 86, 200), (92, 144, 222), (120, 200, 236), (150, 120, 190), (110, 60, 110),
    (64, 92, 130), (104, 140, 176), (150, 182, 206),
)  # fmt: skip
_TROUSERS: Final[tuple[Colour, ...]] = (
    (30, 28, 28), (44, 42, 44), (70, 66, 64), (84, 62, 44), (104, 76, 52), (128, 100, 72), (150, 128, 104),
    (92, 50, 30),
    (60, 76, 96), (96, 122, 150), (130, 158, 182), (56, 70, 62), (170, 170, 172), (200, 204, 208),
)  # fmt: skip
_SHOES: Final[tuple[Colour, ...]] = (
    (24, 24, 26),
    (40, 52, 72),
    (210, 212, 214),
    (60, 60, 150),
    (90, 90, 92),
    (60, 90, 130),
)
_WINTER: Final[tuple[Colour, ...]] = (
    (22, 22, 24),
    (36, 34, 40),
    (52, 40, 30),
    (44, 50, 56),
    (34, 44, 40),
    (60, 58, 62),
)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One person, ready to be posed and painted.

    Attributes:
        atlas: (ATLAS_HEIGHT, ATLAS_WIDTH, 3) uint8 BGR.
        triangles: (1, T, 3) int32 of all that is worn and carried.
        vertices: (V,) int64; the corners of these triangles.
        body_rings: (R,) bool; the rings that the person's box takes in.
    """

    shape: Shape
    atlas: NDArray[np.uint8]
    triangles: NDArray[np.int32]
    vertices: NDArray[np.int64]
    body_rings: NDArray[np.bool_]


def texture_coordinates() -> NDArray[np.float32]:
    """(V, 2) where each vertex lies in the atlas, as shares of its width and height; the same for all figures."""
    around = np.linspace(0.02, 0.98, SIDES + 1)
    parts = []
    for tube, rings in TUBES.items():
        along = (_BANDS[tube] * _BAND + 2 + np.linspace(0, _BAND - 5, rings)) / ATLAS_HEIGHT
        parts.append(np.stack(np.meshgrid(around, along), axis=-1).reshape(-1, 2))
    return np.concatenate(parts).astype(np.float32)


def draw_look(rng: random.Random, *, strange: float = 0.0, child: bool | None = None) -> Look:
    """Dress somebody.

    Args:
        strange: share of people in [0, 1] who wear what the usual wardrobe lacks: dark winter coats, hoods, masks.
        child: None leaves it to chance.
    """
    painter = _Painter(rng)
    is_strange = rng.random() < strange
    is_child = rng.random() < 0.09 if child is None else child
    is_woman = rng.random() < 0.5
    scale = rng.uniform(0.58, 0.80) if is_child else round(rng.gauss(0.955 if is_woman else 1.02, 0.04), 4)
    scale = min(max(scale, 0.55), 1.15)
    build = min(max(round(rng.gauss(1.0, 0.10), 4), 0.82), 1.35)
    radii = _body_radii(is_child=is_child, is_woman=is_woman, build=build)
    worn = ["torso", "head", "leg-l", "leg-r", "foot-l", "foot-r", "arm-l", "arm-r"]
    skirt_to_m = _dress(rng, painter, radii, worn, is_woman=is_woman, is_strange=is_strange)
    arms, cargo = _load(rng, painter, worn, is_child=is_child, is_woman=is_woman)
    if cargo:
        radii = cargo_radii(cargo, radii)
    shape = Shape(scale, radii, skirt_to_m, rng.uniform(0.85, 1.15), arms, cargo)
    body = np.zeros(sum(TUBES.values()), bool)
    for tube in worn:
        if tube not in {"shopping", "cargo", "base", "rod"}:
            body[rings_of(tube)] = True
    triangles = triangles_of(tuple(worn))
    return Look(shape, painter.finish(), triangles[None], np.unique(triangles), body)


def _body_radii(*, is_child: bool, is_woman: bool, build: float) -> NDArray[np.float64]:
    radii = usual_radii()
    torso = rings_of("torso")
    belly = np.array([0.9, 1.0, 1.1, 1.15, 1.0, 0.95, 0.9, 0.6]) * (build - 1) + 1
    radii[torso, 0] *= belly
    radii[torso, 1] *= 1 + (belly - 1) * 1.6
    if is_woman and not is_child:
        radii[torso, 0] *= (1.0, 1.04, 1.02, 0.88, 0.92, 0.92, 0.90, 0.92)
        radii[torso, 1] *= (1.0, 1.05, 1.0, 0.92, 1.08, 1.02, 0.95, 1.0)
    for side in "lr":
        radii[rings_of(f"leg-{side}")] *= 1 + (build - 1) * 0.8
        radii[rings_of(f"arm-{side}")] *= 1 + (build - 1) * 0.7
    if is_child:
        radii[rings_of("head")][2:] *= 1.25
        radii[rings_of("hair")] *= 1.25
    return radii


def _dress(
    rng: random.Random,
    painter: _Painter,
    radii: NDArray[np.float64],
    worn: list[str],
    *,
    is_woman: bool,
    is_strange: bool,
) -> float:
    """Paint clothes and hair and widen the rings they cover; return the hem's height in metres at scale 1."""
    skin = rng.choice(_SKIN)
    top = rng.choice(_WINTER if is_strange else _TOPS)
    bottom = rng.choice(_WINTER if is_strange else _TROUSERS)
    painter.head(skin, masked=is_strange and rng.random() < 0.6)
    tucked = rng.random() < 0.5
    painter.top(top)
    sleeves = 1.0 if is_strange or rng.random() < 0.62 else rng.choice((0.0, 0.35, 0.4))
    painter.sleeves(top, skin, sleeves)
    legs = "trousers"
    if not is_strange and rng.random() < (0.22 if is_woman else 0.02):
        legs = "bare" if rng.random() < 0.6 else "tights"
    elif not is_strange and rng.random() < 0.14:
        legs = "shorts"
    painter.legs(bottom, skin, legs)
    painter.hips(bottom, 8 if tucked else 4)
    painter.shoes(rng.choice(_SHOES))
    if legs == "trousers":
        wide = rng.choice((1.0, 1.08, 1.2, 1.35))
        for side in "lr":
            radii[rings_of(f"leg-{side}")] *= wide
            radii[rings_of(f"leg-{side}").start + 4 : rings_of(f"leg-{side}").stop] *= 1 + (wide - 1) * 0.8
    hem = 0.0
    if legs in {"bare", "tights"}:
        worn.append("skirt")
        hem = rng.uniform(0.30, 0.62)
        radii[rings_of("skirt")] *= 1.0 + rng.uniform(0.0, 0.35) * np.linspace(0, 1, TUBES["skirt"])[:, None]
        painter.cloth("skirt", top if rng.random() < 0.4 else rng.choice(_TOPS), patterned=rng.random() < 0.4)
    if is_strange or (hem == 0.0 and rng.random() < 0.22):
        hem = _put_on_coat(rng, painter, radii, worn, hem=hem, colour=top, skin=skin, is_strange=is_strange)
    _cover_head(rng, painter, radii, worn, is_woman=is_woman, is_strange=is_strange)
    return hem


def _put_on_coat(
    rng: random.Random,
    painter: _Painter,
    radii: NDArray[np.float64],
    worn: list[str],
    *,
    hem: float,
    colour: Colour,
    skin: Colour,
    is_strange: bool,
) -> float:
    if "skirt" not in worn:
        worn.append("skirt")
        hem = rng.uniform(0.45, 0.80)
    coat = rng.choice(_WINTER) if is_strange or rng.random() < 0.5 else colour
    painter.cloth("skirt", coat, patterned=False)
    painter.top(coat, closed=True)
    painter.sleeves(coat, skin, 1.0)
    bulk = 1.12 if is_strange else 1.06
    radii[rings_of("torso")][1:7] *= bulk
    radii[rings_of("skirt")] *= bulk
    for side in "lr":
        radii[rings_of(f"arm-{side}")][:5] *= bulk + 0.08
    return hem


def _cover_head(
    rng: random.Random,
    painter: _Painter,
    radii: NDArray[np.float64],
    worn: list[str],
    *,
    is_woman: bool,
    is_strange: bool,
) -> None:
    hair = rng.choice(_HAIR)
    has_hat = is_strange or rng.random() < 0.12
    if has_hat or rng.random() < 0.93:
        worn.append("hair")
        painter.cloth(
            "hair", rng.choice(_WINTER if is_strange else _TOPS) if has_hat else hair, patterned=False, fold=0.25
        )
        if has_hat:
            radii[rings_of("hair")] *= 1.08
    if rng.random() < (0.6 if is_woman else 0.05):
        worn.append("long-hair")
        if has_hat:
            painter.cloth("hair", hair, patterned=False, fold=0.25)


def _load(rng: random.Random, painter: _Painter, worn: list[str], *, is_child: bool, is_woman: bool) -> tuple[str, str]:
    """Give somebody things to carry, push or pull; return what the arms do and the kind of cargo."""
    arms, cargo = "swing", ""
    dice = rng.random()
    if not is_child and dice < 0.05:
        arms, cargo = "push", "stroller"
    elif not is_child and dice < 0.11:
        arms, cargo = "push", "trolley"
    elif not is_child and dice < 0.16:
        arms, cargo = "pull", "suitcase"
    elif dice < 0.26:
        arms = "phone"
    if cargo:
        worn += ["cargo", "base", "rod"]
        if cargo == "trolley":
            painter.wire("cargo", (150, 150, 152))
        else:
            painter.cloth("cargo", rng.choice(_WINTER + _TROUSERS), patterned=False)
        painter.cloth("base", (40, 40, 42), patterned=False)
        painter.cloth("rod", (120, 120, 122), patterned=False)
    if rng.random() < (0.35 if is_child else 0.16):
        worn.append("backpack")
        painter.cloth("backpack", rng.choice(_TOPS), patterned=False, fold=0.5)
    elif rng.random() < (0.3 if is_woman else 0.1):
        worn.append("bag")
        painter.cloth("bag", rng.choice(_TOPS), patterned=False)
    if arms == "swing" and rng.random() < 0.16:
        worn.append("shopping")
        painter.cloth(
            "shopping", rng.choice(((225, 225, 225), (90, 140, 190), (60, 60, 180), (150, 110, 60))), patterned=True
        )
    return arms, cargo


class _Painter:
    """Paints the bands of one atlas."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._noise = np.random.Generator(np.random.PCG64(rng.getrandbits(32)))
        self._atlas = np.full((ATLAS_HEIGHT, ATLAS_WIDTH, 3), 90, np.float32)

    def finish(self) -> NDArray[np.uint8]:
        # Cloth is duller than paint.
        grey = self._atlas.mean(axis=2, keepdims=True)
        dull = grey + (self._atlas - grey) * self._rng.uniform(0.55, 0.9)
        return np.asarray(np.clip(dull, 0, 255), np.uint8)

    def _band(self, tube: str) -> NDArray[np.float32]:
        start = _BANDS[tube] * _BAND
        return self._atlas[start : start + _BAND]

    def _folds(self, strength: float, across: int = 7, along: int = 3) -> NDArray[np.float32]:
        coarse = self._noise.random((along, across), np.float32) - 0.5
        coarse[:, -1] = coarse[:, 0]  # no seam
        folds = cv2.resize(coarse, (ATLAS_WIDTH, _BAND), interpolation=cv2.INTER_CUBIC)
        grain = self._noise.random((_BAND, ATLAS_WIDTH), np.float32) - 0.5
        return np.asarray(1.0 + strength * folds + 0.10 * grain, np.float32)[..., None]

    def cloth(self, tube: str, colour: Colour, *, patterned: bool, fold: float = 0.35) -> None:
        band = self._band(tube)
        band[:] = colour
        if patterned:
            self._pattern(band, colour)
        band *= self._folds(fold)

    def wire(self, tube: str, colour: Colour) -> None:
        band = self._band(tube)
        band[:] = (70, 72, 74)
        band[::4] = colour
        band[:, ::5] = colour

    def _pattern(self, band: NDArray[np.float32], colour: Colour) -> None:
        other = self._rng.choice(_TOPS)
        kind = self._rng.choice(("hoops", "stripes", "checks", "dots", "block", "fade"))
        step = self._rng.choice((4, 6, 8))
        if kind in {"hoops", "checks"}:
            for row in range(0, _BAND, step):
                band[row : row + step // 2] = other
        if kind in {"stripes", "checks"}:
            for column in range(0, ATLAS_WIDTH, step):
                band[:, column : column + step // 2] = band[:, column : column + step // 2] * 0.5 + np.float32(
                    0.5
                ) * np.array(other, np.float32)
        if kind == "dots":
            for row in range(2, _BAND, step):
                for column in range(2 + row % 3, ATLAS_WIDTH, step):
                    band[row : row + 2, column : column + 2] = other
        if kind == "block":
            band[: _BAND * 5 // 8] = other
        if kind == "fade":
            share = np.linspace(0, 1, _BAND, dtype=np.float32)[:, None, None]
            band[:] = np.array(colour, np.float32) * (1 - share) + np.array(other, np.float32) * share

    def head(self, skin: Colour, *, masked: bool) -> None:
        """Bands start at the neck; a quarter of the way around is in front."""
        band = self._band("head")
        band[:] = skin
        front = ATLAS_WIDTH // 4
        tone = np.array(skin, np.float32)
        band[18:20, front - 9 : front - 3] = band[18:20, front + 3 : front + 9] = tone * 0.45  # eyes
        band[21:22, front - 10 : front - 2] = band[21:22, front + 2 : front + 10] = tone * 0.55  # brows
        band[14:18, front - 1 : front + 2] = tone * 0.85  # nose
        band[11:13, front - 4 : front + 5] = np.array((90, 80, 150), np.float32) * 0.4 + tone * 0.4
        if self._rng.random() < 0.2:
            band[8:13, front - 9 : front + 10] = tone * 0.5  # beard
        if masked:
            band[8:17, front - 12 : front + 13] = self._rng.choice(((225, 220, 215), (60, 58, 58), (190, 150, 110)))
        if self._rng.random() < 0.2:
            band[17:21, front - 10 : front + 11] *= 0.4  # glasses
        band *= self._folds(0.12)

    def top(self, colour: Colour, *, closed: bool = False) -> None:
        band = self._band("torso")
        band[:] = colour
        front = ATLAS_WIDTH // 4
        dice = self._rng.random()
        if closed or dice < 0.25:
            inner = np.array(colour if closed else self._rng.choice(_TOPS), np.float32)
            width = 1 if closed else self._rng.choice((3, 5))
            band[:, front - width : front + width + 1] = inner * (0.6 if closed else 1.0)
        elif dice < 0.55:
            self._pattern(band, colour)
        elif dice < 0.75:
            band[12:22, front - 7 : front + 8] = self._rng.choice(_TOPS)
        band *= self._folds(0.35)

    def hips(self, colour: Colour, rows: int) -> None:
        """The lower torso belongs to the trousers, up to a belt."""
        band = self._band("torso")
        band[:rows] = np.array(colour, np.float32) * self._folds(0.2)[:rows]
        band[rows - 1] *= 0.6

    def sleeves(self, colour: Colour, skin: Colour, length: float) -> None:
        """`length` 1 covers the arm, 0 leaves it bare; hands are always skin."""
        band = self._band("arm-l")
        band[:] = skin
        band[: max(2, int(_BAND * 0.78 * length))] = colour
        band *= self._folds(0.3)

    def legs(self, colour: Colour, skin: Colour, kind: str) -> None:
        band = self._band("leg-l")
        band[:] = colour
        if kind == "bare":
            band[:] = skin
        elif kind == "tights":
            band[:] = (40, 38, 42)
        elif kind == "shorts":
            band[int(_BAND * 0.45) :] = skin
        elif colour[0] > colour[2] + 15:  # denim is worn lighter on the thighs
            band[4:14, ATLAS_WIDTH // 8 : ATLAS_WIDTH * 3 // 8] *= 1.25
        band *= self._folds(0.35, across=5, along=5)

    def shoes(self, colour: Colour) -> None:
        band = self._band("foot-l")
        band[:] = colour
        if self._rng.random() < 0.3:
            band[:, ATLAS_WIDTH // 2 :] = (225, 225, 225)  # a light sole
        band *= self._folds(0.2)
