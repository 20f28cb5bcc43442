"""The places people walk in: what stands there, how it is lit, where the camera hangs, where its lines are.

Every seed builds another place of the same kind: other sizes, furniture, colours, light and camera.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.domain import Line, Zone
from footfall.vision.simulator import textures
from footfall.vision.simulator.geometry import LightMap, Surface, View, paint

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spot = tuple[float, float]
Vector = tuple[float, float, float]
Rectangle = tuple[float, float, float, float]
"""x0, y0, x1, y1 on the floor; metres."""

_MAP_STEP_M: Final = 0.1
_CLEAR_M: Final = 2.0
"""No furniture and no door is nearer to a line: a counter's line is drawn where people are seen on both sides of it.
Only who stands on the line itself stops there."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A place and a camera in it.

    Attributes:
        picture: (H, W, 3) uint8 BGR, without people.
        depth: (H, W) float32 along the camera's axis, metres.
        floor_half: (H/2, W/2) uint8; 255 where floor is seen.
        light_from: unit vector towards the main light.
        key_light: how strong it is; ambient light is about 0.7.
        tint: share of blue, green and red in the light.
        gloss: how much the floor mirrors, in [0, 1].
        shadow: how dark shadows are, in [0, 1].
        bounds: where people may be.
        obstacles: where they may not.
        portals: where they come from and go to.
        stops: what they stop at.
        line_spots: on the first line, for people who stand there.
        lines, zones: which the camera counts at, unless others are drawn.
    """

    name: str
    view: View
    picture: NDArray[np.uint8]
    depth: NDArray[np.float32]
    floor_half: NDArray[np.uint8]
    light: LightMap
    light_from: tuple[float, float, float]
    key_light: float
    tint: tuple[float, float, float]
    gloss: float
    shadow: float
    bounds: Rectangle
    obstacles: tuple[Rectangle, ...]
    portals: tuple[Spot, ...]
    stops: tuple[Spot, ...]
    line_spots: tuple[Spot, ...]
    lines: tuple[Line, ...]
    zones: tuple[Zone, ...]


def build_scene(name: str, *, seed: int, width_px: int, height_px: int) -> Scene:
    """Build the place; the same for the same arguments.

    Args:
        name: one of `footfall.simulation.SCENES`.
    """
    rng = random.Random(f"scene/{name}/{seed}")  # noqa: S311  a scene, no secret
    return {"mall": _mall, "corridor": _corridor, "plaza": _plaza}[name](rng, width_px, height_px)


@dataclass(slots=True)
class _Site:
    """A place while it is being furnished."""

    rng: random.Random
    bounds: Rectangle
    camera_m: tuple[float, float, float]
    surfaces: list[Surface] = field(default_factory=list)
    obstacles: list[Rectangle] = field(default_factory=list)
    dark_spots: list[tuple[Rectangle, float]] = field(default_factory=list)

    def quad(
        self,
        origin: Vector,
        along: Vector,
        down: Vector,
        texture: NDArray[np.uint8],
        *,
        tiles: tuple[float, float] = (1.0, 1.0),
        shade: float = 1.0,
        is_floor: bool = False,
    ) -> None:
        """A flat surface; see `Surface`."""
        self.surfaces.append(Surface(origin, along, down, texture, tiles, is_floor, shade))

    def block(  # noqa: PLR0917  four sides and a height
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        height: float,
        side: NDArray[np.uint8],
        *,
        top: NDArray[np.uint8] | None = None,
        base: float = 0.0,
        stands: bool = True,
    ) -> None:
        """A box; each face has its own brightness."""
        z = base + height
        self.quad((x0, y0, z), (x1 - x0, 0, 0), (0, 0, -height), side, shade=0.95)
        self.quad((x0, y1, z), (x1 - x0, 0, 0), (0, 0, -height), side, shade=0.7)
        self.quad((x0, y1, z), (0, y0 - y1, 0), (0, 0, -height), side, shade=0.72)
        self.quad((x1, y0, z), (0, y1 - y0, 0), (0, 0, -height), side, shade=0.82)
        self.quad((x0, y1, z), (x1 - x0, 0, 0), (0, y0 - y1, 0), side if top is None else top, shade=1.12)
        if stands:
            self.obstacles.append((x0, y0, x1, y1))
            self.dark_spots.append(((x0, y0, x1, y1), 0.5))

    def column(
        self,
        x: float,
        y: float,
        radius: float,
        height: float,
        texture: NDArray[np.uint8],
        *,
        base: float = 0.0,
        stands: bool = True,
    ) -> None:
        """A round pillar of eight faces."""
        ring = [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 9)]
        for (ax, ay), (bx, by) in pairwise(ring):
            shade = 0.8 + 0.2 * ((ax + bx) / 2 - x) / radius - 0.08 * ((ay + by) / 2 - y) / radius
            self.quad((ax, ay, base + height), (bx - ax, by - ay, 0), (0, 0, -height), texture, shade=float(shade))
        if stands:
            self.obstacles.append((x - radius, y - radius, x + radius, y + radius))
            self.dark_spots.append(((x - radius, y - radius, x + radius, y + radius), 0.5))

    def plant(self, x: float, y: float, size: float, base: float) -> None:
        """Leaves on crossed planes that face the camera."""
        away = np.array([x - self.camera_m[0], y - self.camera_m[1]])
        away /= np.linalg.norm(away)
        for turn in (-0.7, 0.0, 0.7):
            side = (away[1] * np.cos(turn) + away[0] * np.sin(turn), -away[0] * np.cos(turn) + away[1] * np.sin(turn))
            origin = (x - side[0] * size / 2, y - side[1] * size / 2, base + size)
            self.quad(origin, (side[0] * size, side[1] * size, 0.0), (0.0, 0.0, -size), textures.foliage(self.rng))

    def planter(self, x: float, y: float) -> None:
        rng = self.rng
        w, h = rng.uniform(0.4, 0.9), rng.uniform(0.4, 0.7)
        material = textures.flat(rng, rng.choice(((90, 92, 96), (160, 162, 165), (70, 90, 120), (50, 52, 54))))
        self.block(x - w, y - w / 2, x + w, y + w / 2, h, material)
        for offset in (-0.5, 0.0, 0.5):
            self.plant(x + offset * w, y, rng.uniform(0.6, 1.0), h - 0.12)

    def bench(self, x: float, y: float) -> None:
        rng = self.rng
        wood = textures.planks(rng, rng.choice(((70, 110, 150), (90, 130, 170), (110, 112, 115))))
        self.block(x - 0.9, y - 0.22, x + 0.9, y + 0.22, 0.08, wood, base=0.38)
        steel = textures.flat(rng, (80, 82, 84))
        for offset in (-0.8, 0.74):
            self.block(x + offset, y - 0.2, x + offset + 0.06, y + 0.2, 0.38, steel, stands=False)

    def bin(self, x: float, y: float) -> None:
        self.column(
            x, y, 0.24, 0.85, textures.flat(self.rng, self.rng.choice(((60, 62, 64), (110, 112, 112), (60, 90, 60))))
        )
        self.column(x, y, 0.25, 0.06, textures.flat(self.rng, (40, 40, 42)), base=0.85, stands=False)

    def kiosk(self, x: float, y: float) -> None:
        rng = self.rng
        w, d = rng.uniform(0.8, 1.5), rng.uniform(0.6, 1.0)
        colour = rng.choice(((200, 200, 205), (80, 60, 50), (60, 100, 150), (60, 60, 160), (120, 140, 80)))
        self.block(
            x - w, y - d, x + w, y + d, 1.05, textures.flat(rng, colour), top=textures.flat(rng, (210, 214, 216))
        )
        for _ in range(rng.randrange(2, 5)):
            at = rng.uniform(-w + 0.2, w - 0.4)
            self.block(
                x + at,
                y - 0.15,
                x + at + 0.25,
                y + 0.15,
                rng.uniform(0.15, 0.35),
                textures.flat(rng, rng.choice(((60, 60, 160), (190, 190, 190), (90, 140, 90)))),
                base=1.05,
                stands=False,
            )
        if rng.random() < 0.5:
            pole = textures.flat(rng, (120, 120, 122))
            for px, py in ((x - w, y - d), (x + w - 0.06, y - d), (x - w, y + d - 0.06), (x + w - 0.06, y + d - 0.06)):
                self.block(px, py, px + 0.06, py + 0.06, 1.5, pole, base=1.05, stands=False)
            sign = textures.flat(rng, colour)
            self.block(x - w - 0.1, y - d - 0.1, x + w + 0.1, y + d + 0.1, 0.3, sign, base=2.5, stands=False)

    def poster_stand(self, x: float, y: float) -> None:
        self.block(x - 0.45, y - 0.06, x + 0.45, y + 0.06, 1.75, textures.poster(self.rng))

    def is_free(self, x: float, y: float, margin: float) -> bool:
        return all(
            not (x0 - margin < x < x1 + margin and y0 - margin < y < y1 + margin) for x0, y0, x1, y1 in self.obstacles
        )

    def light_map(
        self, *, light_from: tuple[float, float, float], pools: list[tuple[float, float, float, float]], level: float
    ) -> LightMap:
        """Light on the floor: `pools` are x, y, radius, gain of lamps; furniture throws shadows away from the light."""
        x0, y0, x1, y1 = self.bounds
        width, height = int((x1 - x0) / _MAP_STEP_M) + 1, int((y1 - y0) / _MAP_STEP_M) + 1
        light = np.full((height, width), level, np.float32)
        xs = x0 + np.arange(width, dtype=np.float32) * np.float32(_MAP_STEP_M)
        ys = (y0 + np.arange(height, dtype=np.float32) * np.float32(_MAP_STEP_M))[:, None]
        for x, y, radius, gain in pools:
            light += np.float32(gain) * np.exp(
                -((xs - np.float32(x)) ** 2 + (ys - np.float32(y)) ** 2) / np.float32(2 * radius * radius)
            )
        dark = np.zeros_like(light)
        for (ax, ay, bx, by), tall in self.dark_spots:
            reach = tall / max(light_from[2], 0.3)
            for share in (0.0, 0.5, 1.0):
                shift_x, shift_y = -light_from[0] * reach * share, -light_from[1] * reach * share
                left, right = (int((v + shift_x - x0) / _MAP_STEP_M) for v in (ax - 0.12, bx + 0.12))
                near, far = (int((v + shift_y - y0) / _MAP_STEP_M) for v in (ay - 0.12, by + 0.12))
                dark[max(near, 0) : max(far, 0), max(left, 0) : max(right, 0)] = 1.0
        light *= 1 - 0.42 * cv2.GaussianBlur(dark, (0, 0), 2.2)
        return LightMap(light, (x0, y0), _MAP_STEP_M)

    def scatter(
        self, kinds: tuple[str, ...], count: int, area: Rectangle, *, keep_free: tuple[Rectangle, ...] = ()
    ) -> None:
        """Place furniture at random where it is free, at most `count` pieces."""
        for _ in range(count * 8):
            if count == 0:
                return
            x, y = self.rng.uniform(area[0], area[2]), self.rng.uniform(area[1], area[3])
            if not self.is_free(x, y, 2.2) or any(a < x < c and b < y < d for a, b, c, d in keep_free):
                continue
            getattr(self, self.rng.choice(kinds).replace("-", "_"))(x, y)
            count -= 1


def _finish(
    site: _Site,
    name: str,
    view: View,
    *,
    light: LightMap,
    light_from: tuple[float, float, float],
    key_light: float,
    tint: tuple[float, float, float],
    gloss: float,
    shadow: float,
    sky: tuple[int, int, int],
    haze_per_m: float,
    portals: tuple[Spot, ...],
    lines: tuple[tuple[str, Spot, Spot], ...],
    zones: tuple[tuple[str, Rectangle], ...],
) -> Scene:
    rng = site.rng
    picture, depth, floor = paint(view, site.surfaces, light, sky=sky, haze_per_m=haze_per_m)
    picture = np.clip(picture.astype(np.float32) * np.array(tint, np.float32), 0, 255).astype(np.uint8)
    half_size = (view.width_px // 2, view.height_px // 2)
    floor_half = cv2.resize(floor.astype(np.uint8) * 255, half_size, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = site.bounds
    stops: list[Spot] = []
    for _ in range(60):
        spot = rng.uniform(x0 + 1, x1 - 1), rng.uniform(y0 + 2, y1 - 2)
        on_line = any(_distance_to(spot, start, end) < _CLEAR_M / 2 for _, start, end in lines)
        if len(stops) < 12 and site.is_free(*spot, 0.7) and not on_line:
            stops.append(spot)
    return Scene(
        name=name,
        view=view,
        picture=picture,
        depth=depth,
        floor_half=np.asarray(floor_half, np.uint8),
        light=light,
        light_from=light_from,
        key_light=key_light,
        tint=tint,
        gloss=gloss,
        shadow=shadow,
        bounds=site.bounds,
        obstacles=tuple(site.obstacles),
        portals=portals,
        stops=tuple(stops),
        line_spots=_spots_on(site, lines[0][1], lines[0][2]),
        lines=tuple(_line(view, label, start, end) for label, start, end in lines),
        zones=tuple(_zone(view, label, area) for label, area in zones),
    )


def _distance_to(spot: Spot, start: Spot, end: Spot) -> float:
    """Metres from a spot to the nearest one between two others."""
    way_x, way_y = end[0] - start[0], end[1] - start[1]
    share = ((spot[0] - start[0]) * way_x + (spot[1] - start[1]) * way_y) / (way_x * way_x + way_y * way_y)
    share = min(1.0, max(0.0, share))
    x, y = spot[0] - start[0] - share * way_x, spot[1] - start[1] - share * way_y
    return math.sqrt(x * x + y * y)


def _spots_on(site: _Site, start: Spot, end: Spot) -> tuple[Spot, ...]:
    spots = [(start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t) for t in (0.38, 0.46, 0.54, 0.62)]
    return tuple(spot for spot in spots if site.is_free(*spot, 0.5))


def _line(view: View, name: str, start: Spot, end: Spot) -> Line:
    """A line on the floor, cut at the picture's edge and told in shares of the picture."""
    steps = np.linspace(0.0, 1.0, 201)[:, None]
    points = view.project(np.hstack([np.array(start) * (1 - steps) + np.array(end) * steps, np.zeros((201, 1))]))
    inside = np.nonzero(
        (points[:, 0] >= 0) & (points[:, 0] <= view.width_px) & (points[:, 1] >= 0) & (points[:, 1] <= view.height_px)
    )[0]
    first, last = (points[inside[0]], points[inside[-1]])
    return Line(name, _share(view, first), _share(view, last))


def _zone(view: View, name: str, area: Rectangle) -> Zone:
    x0, y0, x1, y1 = area
    corners = view.project(np.array([(x0, y0, 0.0), (x0, y1, 0.0), (x1, y1, 0.0), (x1, y0, 0.0)]))
    return Zone(name, tuple(_share(view, corner) for corner in corners))


def _share(view: View, point: NDArray[np.float64]) -> tuple[float, float]:
    x, y = float(point[0]) / view.width_px, float(point[1]) / view.height_px
    return round(min(max(x, 0.0), 1.0), 4), round(min(max(y, 0.0), 1.0), 4)


def _direction(x: float, y: float, z: float) -> tuple[float, float, float]:
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def _floor_colour(rng: random.Random) -> tuple[int, int, int]:
    base = rng.choice(
        ((168, 176, 184), (196, 202, 206), (140, 146, 150), (120, 140, 160), (104, 108, 112), (176, 190, 206))
    )
    gain = rng.uniform(0.88, 1.1)
    return tuple(int(min(c * gain, 235)) for c in base)  # type: ignore[return-value]


def _tint(rng: random.Random) -> tuple[float, float, float]:
    warm = rng.uniform(-0.06, 0.06)
    level = rng.uniform(0.92, 1.04)
    return level * (1 - warm), level, level * (1 + warm)


def _mall(rng: random.Random, width_px: int, height_px: int) -> Scene:
    """An entrance hall: a glass front with doors, shops on both sides, the camera high on the near wall."""
    half, deep = rng.uniform(8.5, 11.0), rng.uniform(21.0, 25.0)
    near = rng.uniform(10.0, 11.5)
    camera = (rng.uniform(-3.0, 3.0), -1.5, rng.uniform(3.8, 4.8))
    view = View(
        camera,
        (rng.uniform(-1.0, 1.0), rng.uniform(8.5, 10.0), 0.8),
        field_of_view=rng.uniform(1.12, 1.30),
        width_px=width_px,
        height_px=height_px,
        roll=rng.uniform(-0.02, 0.02),
    )
    site = _Site(rng, (-half, 0.0, half, deep + 3.0), camera)
    floor = textures.tiles(rng, _floor_colour(rng))
    site.quad(
        (-half - 1, -2.0, 0),
        (2 * half + 2, 0, 0),
        (0, deep + 2, 0),
        floor,
        tiles=((half + 1) / 1.2, (deep + 2) / 2.4),
        is_floor=True,
    )
    outside = textures.tiles(rng, (170, 172, 174), pattern=False)
    site.quad((-half - 4, deep, 0), (2 * half + 8, 0, 0), (0, 8.0, 0), outside, tiles=(8, 4), is_floor=True, shade=1.15)
    tall, gap = rng.uniform(4.2, 5.5), rng.uniform(2.4, 3.4)
    for left, right in ((-half, -gap), (gap, half)):
        site.quad(
            (left, deep, tall),
            (right - left, 0, 0),
            (0, 0, -tall),
            textures.facade(rng),
            tiles=(max(1, round((right - left) / 3)), 1),
        )
    site.quad((-gap, deep, tall), (2 * gap, 0, 0), (0, 0, -(tall - 2.5)), textures.facade(rng), tiles=(2, 1))
    for x in (-half, half):
        wall = textures.flat(rng, _floor_colour(rng))
        site.quad((x, deep, tall), (0, -deep - 2, 0), (0, 0, -tall), wall, shade=0.9)
        inner = x - 0.02 * (1 if x > 0 else -1)
        y = rng.uniform(1.5, 3.0)
        while y < deep - 4:
            wide = rng.uniform(3.2, 4.8)
            start, along = (y, wide) if x < 0 else (y + wide, -wide)
            front = textures.shop_front(rng)
            site.quad((inner, start, 3.1), (0, along, 0), (0, 0, -3.1), front, shade=rng.uniform(0.85, 1.1))
            y += wide + rng.uniform(0.8, 2.0)
    for x in (-rng.uniform(4.6, 6.0), rng.uniform(4.6, 6.0)):
        column = textures.flat(rng, _floor_colour(rng))
        for y in (rng.uniform(near + 1.5, near + 2.5), rng.uniform(near + 5.0, near + 6.5)):
            if rng.random() < 0.75:
                site.column(x, y, rng.uniform(0.28, 0.42), tall, column)
    aisle = ((-2.2, 0.0, 2.2, deep),)
    site.scatter(("planter", "bench", "bin"), rng.randrange(1, 4), (-half + 1.5, 3.5, half - 1.5, 6.0), keep_free=aisle)
    site.scatter(
        ("kiosk", "planter", "bench", "bin", "poster-stand"),
        rng.randrange(3, 6),
        (-half + 1.5, near + _CLEAR_M, half - 1.5, deep - 2.5),
        keep_free=aisle,
    )
    light_from = _direction(rng.uniform(-0.5, 0.5), rng.uniform(0.1, 0.6), 1.3)
    pools = [
        (rng.uniform(-half, half), rng.uniform(2, deep), rng.uniform(1.5, 3.0), rng.uniform(0.08, 0.22))
        for _ in range(7)
    ]
    pools.append((0.0, deep + 1, 4.0, rng.uniform(0.1, 0.35)))  # daylight through the doors
    light = site.light_map(light_from=light_from, pools=pools, level=rng.uniform(0.78, 0.92))
    sides = ((0.5, 3.5), (near + 3.0, deep - 4.0))
    doors = tuple((side * (half + 0.9), rng.uniform(*reach)) for reach in sides for side in (-1, 1))
    return _finish(
        site, "mall", view,
        light=light, light_from=light_from, key_light=rng.uniform(0.2, 0.45), tint=_tint(rng),
        gloss=rng.choice((0.0, 0.12, 0.25, 0.35)), shadow=rng.uniform(0.3, 0.5),
        sky=(176, 178, 180), haze_per_m=rng.uniform(0.0, 0.006),
        portals=((-1.6, deep + 2.6), (0.0, deep + 2.6), (1.6, deep + 2.6), *doors, (-4.0, 0.3), (0.0, 0.2), (4.0, 0.3)),
        lines=(("entrance", (-half, near), (half, near)),),
        zones=(("hall", (-3.0, 5.5, 3.0, 10.0)),),
    )  # fmt: skip


def _corridor(rng: random.Random, width_px: int, height_px: int) -> Scene:
    """A passage along the camera's axis, with doors on both sides and lamps in its ceiling."""
    half, deep = rng.uniform(2.3, 3.2), rng.uniform(22.0, 30.0)
    near = rng.uniform(6.5, 7.5)
    far = near + 4.0
    camera = (rng.uniform(-1.2, 1.2), -1.0, rng.uniform(2.6, 3.1))
    view = View(
        camera,
        (rng.uniform(-0.3, 0.3), rng.uniform(7.0, 9.0), rng.uniform(0.7, 1.0)),
        field_of_view=rng.uniform(1.12, 1.32),
        width_px=width_px,
        height_px=height_px,
        roll=rng.uniform(-0.02, 0.02),
    )
    site = _Site(rng, (-half + 0.3, 0.0, half - 0.3, deep), camera)
    floor = textures.planks(rng, (96, 130, 164)) if rng.random() < 0.25 else textures.tiles(rng, _floor_colour(rng))
    site.quad(
        (-half, -2.0, 0), (2 * half, 0, 0), (0, deep + 2, 0), floor, tiles=(half / 1.2, (deep + 2) / 2.4), is_floor=True
    )
    tall = rng.uniform(3.2, 3.6)
    site.quad(
        (-half, -2.0, tall),
        (2 * half, 0, 0),
        (0, deep + 2, 0),
        textures.panel_ceiling(rng),
        tiles=(half / 1.2, (deep + 2) / 2.4),
    )
    colour = _floor_colour(rng)
    wall = textures.bricks(rng, (100, 120, 160)) if rng.random() < 0.2 else textures.flat(rng, colour, strength=0.05)
    site.quad((-half, deep, tall), (2 * half, 0, 0), (0, 0, -tall), wall, shade=0.85, tiles=(2, 1))
    site.quad((-1.0, deep - 0.02, 2.3), (2.0, 0, 0), (0, 0, -2.3), textures.facade(rng), shade=1.0)
    doors = []
    for x, shade in ((-half, 0.88), (half, 0.95)):
        site.quad((x, deep, tall), (0, -deep - 2, 0), (0, 0, -tall), wall, shade=shade, tiles=(8, 1))
        inner = x - 0.02 * (1 if x > 0 else -1)
        y = rng.uniform(2.0, 4.0)
        while y < deep - 2:
            dice = rng.random()
            if dice < 0.5:
                site.quad((inner, y + 1.0, 2.1), (0, -1.0, 0), (0, 0, -2.1), textures.door(rng), shade=shade)
                doors.append((x + 0.8 * (1 if x > 0 else -1), y + 0.5))
            elif dice < 0.8:
                site.quad((inner, y + 0.8, 2.0), (0, -0.8, 0), (0, 0, -1.2), textures.poster(rng), shade=shade)
            else:
                site.quad((inner, y + 1.6, 2.0), (0, -1.6, 0), (0, 0, -1.0), textures.facade(rng), shade=shade)
            y += rng.uniform(2.2, 4.5)
    for side in (-1, 1):
        for _ in range(rng.randrange(1, 3)):
            x, y = side * (half - 0.4), rng.uniform(far + 1.0, deep - 3)
            if site.is_free(x, y, 2.0) and all(abs(y - d[1]) > 1.2 for d in doors):
                kind = rng.choice(("bin", "cabinet", "plant"))
                if kind == "bin":
                    site.bin(x, y)
                elif kind == "cabinet":
                    site.block(
                        x - 0.35,
                        y - 0.4,
                        x + 0.35,
                        y + 0.4,
                        rng.uniform(1.0, 1.9),
                        textures.flat(rng, rng.choice(((60, 60, 150), (190, 190, 190), (110, 90, 60)))),
                    )
                else:
                    site.column(x, y, 0.25, 0.4, textures.flat(rng, (80, 90, 110)))
                    site.plant(x, y, 1.0, 0.3)
    light_from = _direction(rng.uniform(-0.3, 0.3), rng.uniform(-0.5, 0.5), 1.0)
    pools = [(rng.uniform(-0.5, 0.5), y, 1.4, rng.uniform(0.08, 0.25)) for y in np.arange(1.5, deep, 3.6).tolist()]
    light = site.light_map(light_from=light_from, pools=pools, level=rng.uniform(0.72, 0.9))
    # From so low a camera three metres of floor are half a person's height: who comes out of a door nearer to a line is
    # on it before anybody could see from where.
    doors = [door for door in doors if min(abs(door[1] - near), abs(door[1] - far)) > 3.0]
    ends = ((-0.9, deep + 0.9), (0.0, deep + 0.9), (0.9, deep + 0.9), (-1.0, 0.2), (0.0, 0.1), (1.0, 0.2))
    return _finish(
        site, "corridor", view,
        light=light, light_from=light_from, key_light=rng.uniform(0.15, 0.35), tint=_tint(rng),
        gloss=rng.choice((0.0, 0.15, 0.3, 0.4)), shadow=rng.uniform(0.25, 0.4),
        sky=(190, 190, 190), haze_per_m=0.0,
        portals=(*ends, *ends, *doors[:4]),
        lines=(("passage", (-half, near), (half, near)), ("far", (-half, far), (half, far))),
        zones=(("front", (-half, 4.0, half, near)),),
    )  # fmt: skip


def _plaza(rng: random.Random, width_px: int, height_px: int) -> Scene:
    """An open square from above: paving, benches, planters, trees and lamp posts; people come from all sides."""
    half, deep = rng.uniform(9.5, 11.5), rng.uniform(18.0, 21.0)
    near = rng.uniform(6.0, 7.5)
    camera = (rng.uniform(-4.0, 4.0), -5.0, rng.uniform(6.0, 8.0))
    view = View(
        camera,
        (rng.uniform(-1.0, 1.0), rng.uniform(7.5, 9.0), 0.5),
        field_of_view=rng.uniform(0.86, 1.02),
        width_px=width_px,
        height_px=height_px,
        roll=rng.uniform(-0.03, 0.03),
    )
    site = _Site(rng, (-half, -3.0, half, deep), camera)
    paving = textures.tiles(rng, _floor_colour(rng), count=4)
    site.quad(
        (-half - 8, -8.0, 0),
        (2 * half + 16, 0, 0),
        (0, deep + 12, 0),
        paving,
        tiles=((half + 8) / 1.2, (deep + 12) / 2.4),
        is_floor=True,
    )
    if rng.random() < 0.6:
        lawn = textures.flat(rng, (62, 110, 84), strength=0.45)
        x, y = rng.uniform(-half, half - 6), rng.uniform(deep * 0.55, deep - 5)
        site.quad((x, y, 0.02), (rng.uniform(4, 8), 0, 0), (0, rng.uniform(3, 5), 0), lawn, tiles=(4, 3), is_floor=True)
    wall = textures.bricks(rng, rng.choice(((100, 120, 160), (150, 150, 150), (120, 150, 180))))
    site.quad((-half - 8, deep + 3.5, 7.0), (2 * half + 16, 0, 0), (0, 0, -7.0), wall, tiles=(12, 2), shade=0.9)
    x = -half - 4
    while x < half + 4:
        wide = rng.uniform(2.5, 4.5)
        site.quad((x, deep + 3.45, 3.0), (wide, 0, 0), (0, 0, -3.0), textures.shop_front(rng), shade=0.95)
        x += wide + rng.uniform(1.0, 3.0)
    free = ((-_CLEAR_M, -3.0, _CLEAR_M, deep), (-half, near - 4.0, half, near + _CLEAR_M))
    site.scatter(
        ("bench", "planter", "bin", "bench", "poster-stand"),
        rng.randrange(6, 11),
        (-half + 2, 1.0, half - 2, deep - 2),
        keep_free=free,
    )
    for _ in range(rng.randrange(1, 4)):
        x, y = rng.choice((-1, 1)) * rng.uniform(4.5, half - 2), rng.uniform(9.5, deep - 2)
        if site.is_free(x, y, 2.0):
            site.column(x, y, 0.14, 2.6, textures.flat(rng, (50, 66, 84)))
            site.plant(x, y, rng.uniform(2.2, 3.2), 1.7)
    for _ in range(rng.randrange(1, 4)):
        x, y = rng.uniform(-half + 2, half - 2), rng.uniform(2.0, deep - 2)
        if site.is_free(x, y, 1.5):
            site.column(x, y, 0.07, 4.2, textures.flat(rng, (70, 72, 74)))
    light_from = _direction(rng.uniform(-0.9, 0.9), rng.uniform(-0.5, 0.8), 1.0)
    light = site.light_map(light_from=light_from, pools=[(0.0, 10.0, 14.0, 0.08)], level=rng.uniform(0.82, 1.02))
    sides = tuple((side * (half + 3.0), rng.uniform(near + 3.0, deep - 3.0)) for side in (-1, 1, -1, 1, -1, 1))
    ends = ((-6.5, deep + 4.4), (-3.0, deep + 4.4), (5.0, deep + 4.4), (-5.0, -2.8), (3.0, -2.9), (6.0, -2.8))
    return _finish(
        site, "plaza", view,
        light=light, light_from=light_from, key_light=rng.uniform(0.3, 0.6), tint=_tint(rng),
        gloss=0.0, shadow=rng.uniform(0.35, 0.6),
        sky=(206, 196, 186), haze_per_m=rng.uniform(0.0, 0.004),
        portals=(*sides, *ends),
        lines=(("across", (-half, near), (half, near)), ("along", (0.0, -1.0), (0.0, deep - 2))),
        zones=(("middle", (-4.0, 4.0, 4.0, 10.0)),),
    )  # fmt: skip
