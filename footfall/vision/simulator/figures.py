"""The shape of walking people as meshes: limbs, clothes and what they carry; knows no camera, colour or crowd.

A figure is a set of tubes of elliptic rings strung along its bones. All figures have the same rings, so that many are
posed in one call; what a figure does not wear or carry has no triangles. Local axes: x to the right, y ahead, z up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDES: Final = 10
"""Corners of a ring."""

RODS: Final = {"shopping": 4, "cargo": 5, "base": 3, "rod": 3}
"""Tubes that are no part of the person, with their rings: they occlude, and the person's box leaves them out."""

TUBES: Final = {
    "torso": 8, "head": 9, "hair": 5, "long-hair": 4, "leg-l": 7, "leg-r": 7, "foot-l": 4, "foot-r": 4,
    "arm-l": 7, "arm-r": 7, "skirt": 6, "backpack": 5, "bag": 4, **RODS,
}  # fmt: skip
"""Name → number of rings, in the order in which they lie in every array."""

RING_COUNT: Final = sum(TUBES.values())
PERSON_RINGS: Final = RING_COUNT - sum(RODS.values())
"""The person's own rings come first."""

_STARTS: Final = dict(zip(TUBES, np.cumsum([0, *TUBES.values()][:-1]).tolist(), strict=True))


def rings_of(tube: str) -> slice:
    """Where a tube's rings lie."""
    return slice(_STARTS[tube], _STARTS[tube] + TUBES[tube])


_UPWARDS: Final = ("torso", "head", "hair", "backpack", "cargo", "base")
"""The other tubes' rings run against their axes."""


def triangles_of(tubes: tuple[str, ...]) -> NDArray[np.int32]:
    """(T, 3) corners of the tubes' triangles, as indices into a figure's vertices; ends are open but narrow.

    All are wound the same way when seen from outside.
    """
    faces = []
    wide = SIDES + 1  # the seam is there twice, as its texture coordinates differ
    for tube in tubes:
        for ring in range(_STARTS[tube], _STARTS[tube] + TUBES[tube] - 1):
            for side in range(SIDES):
                a = ring * wide + side
                b, c, d = a + 1, a + wide, a + wide + 1
                faces += [(a, b, c), (b, d, c)] if tube in _UPWARDS else [(a, c, b), (b, c, d)]
    return np.array(faces, np.int32).reshape(-1, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One person's size and outfit, as numbers that posing needs.

    Attributes:
        scale: of all lengths; 1 is 1.75 m.
        radii: (RING_COUNT, 2) half width and half depth of each ring; metres at scale 1.
        skirt_to_m: height of a skirt's or coat's hem; metres at scale 1.
        stride: swing of hips and arms; 1 is usual.
        arms: "swing", "push" (trolley, stroller), "phone" or "pull" (suitcase, right hand).
        cargo: kind of thing pushed or pulled, "" for none.
    """

    scale: float
    radii: NDArray[np.float64]
    skirt_to_m: float
    stride: float
    arms: str
    cargo: str


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """Where the figures are and what they do; P of them.

    Attributes:
        positions_m: (P, 2) on the floor.
        headings: (P, 2) unit vectors, where they face.
        phases: (P,) of the gait, radians.
        swings: (P,) 0 standing to 1 walking.
    """

    positions_m: NDArray[np.float64]
    headings: NDArray[np.float64]
    phases: NDArray[np.float64]
    swings: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Meshes:
    """Posed figures.

    Attributes:
        vertices_m: (P, RING_COUNT * (SIDES + 1), 3) in the world.
        normals: the same shape; unit length, outwards.
        bones_m: (P, 9, 3) head, neck, pelvis, knees, ankles and hands (left, right): for shadows and reflections.
    """

    vertices_m: NDArray[np.float64]
    normals: NDArray[np.float64]
    bones_m: NDArray[np.float64]


_ANGLES = np.linspace(0.0, 2 * np.pi, SIDES + 1)
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)
_SQUARE = np.maximum(np.abs(_COS), np.abs(_SIN))
_BOXY: Final = ("shopping", "cargo", "base", "bag")

_TORSO_Z: Final = (0.84, 0.92, 1.0, 1.10, 1.22, 1.34, 1.42, 1.475)
_HEAD_Z: Final = (1.44, 1.50, 1.53, 1.56, 1.60, 1.65, 1.70, 1.735, 1.757)
_HAIR_Z: Final = (1.60, 1.66, 1.715, 1.75, 1.775)
_LONG_HAIR_Z: Final = (1.70, 1.60, 1.48, 1.36)
_LEG_T: Final = (-0.08, 0.25, 0.7, 1.0, 1.35, 1.85, 2.0)  # 0 hip, 1 knee, 2 ankle
_ARM_T: Final = (-0.16, 0.04, 1.0, 1.4, 1.95, 2.2, 2.36)  # 0 shoulder, 1 elbow, 2 wrist
_FOOT_Y: Final = (-0.07, -0.01, 0.10, 0.18)

_RADII: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "torso": ((0.12, 0.10), (0.168, 0.132), (0.163, 0.128), (0.150, 0.118), (0.166, 0.130), (0.184, 0.132),
              (0.172, 0.098), (0.07, 0.06)),
    "head": ((0.055, 0.058), (0.050, 0.052), (0.045, 0.055), (0.060, 0.076), (0.071, 0.090), (0.075, 0.096),
             (0.070, 0.089), (0.050, 0.066), (0.010, 0.014)),
    "hair": ((0.082, 0.102), (0.088, 0.112), (0.083, 0.102), (0.062, 0.078), (0.010, 0.012)),
    "long-hair": ((0.07, 0.04), (0.085, 0.05), (0.085, 0.045), (0.05, 0.02)),
    "leg-l": ((0.088, 0.095), (0.083, 0.088), (0.066, 0.070), (0.058, 0.060), (0.055, 0.060), (0.044, 0.046),
              (0.042, 0.044)),
    "foot-l": ((0.028, 0.030), (0.040, 0.048), (0.046, 0.034), (0.026, 0.016)),
    "arm-l": ((0.015, 0.020), (0.054, 0.056), (0.043, 0.043), (0.040, 0.040), (0.030, 0.028), (0.036, 0.022),
              (0.012, 0.010)),
    "skirt": ((0.150, 0.105), (0.170, 0.125), (0.180, 0.135), (0.19, 0.14), (0.20, 0.15), (0.21, 0.16)),
    "backpack": ((0.05, 0.03), (0.15, 0.09), (0.155, 0.10), (0.14, 0.08), (0.05, 0.03)),
    "bag": ((0.02, 0.06), (0.045, 0.14), (0.05, 0.15), (0.02, 0.08)),
    "shopping": ((0.02, 0.06), (0.06, 0.15), (0.07, 0.16), (0.06, 0.13)),
    "cargo": ((0.02, 0.02), (0.25, 0.25), (0.25, 0.25), (0.25, 0.25), (0.02, 0.02)),
    "base": ((0.2, 0.2), (0.2, 0.2), (0.02, 0.02)),
    "rod": ((0.02, 0.02), (0.02, 0.02), (0.02, 0.02)),
}  # fmt: skip


def usual_radii() -> NDArray[np.float64]:
    """(RING_COUNT, 2) half widths and depths of a person of 1.75 m; metres."""
    both = {**_RADII, "leg-r": _RADII["leg-l"], "foot-r": _RADII["foot-l"], "arm-r": _RADII["arm-l"]}
    return np.array([radii for tube in TUBES for radii in both[tube]])


_CARGO: Final[dict[str, tuple[float, tuple[float, ...], tuple[tuple[float, float], ...], float]]] = {
    "trolley": (
        0.78, (0.50, 0.52, 0.72, 0.92, 0.92), ((0.1, 0.2), (0.22, 0.32), (0.25, 0.38), (0.28, 0.42), (0.26, 0.40)), 0.16
    ),
    "stroller": (
        0.72, (0.40, 0.42, 0.60, 0.82, 0.90), ((0.14, 0.22), (0.19, 0.30), (0.20, 0.32), (0.19, 0.24), (0.15, 0.14)),
        0.14,
    ),
    "suitcase": (
        -0.52, (0.05, 0.06, 0.35, 0.66, 0.67), ((0.1, 0.08), (0.19, 0.13), (0.20, 0.14), (0.19, 0.13), (0.1, 0.08)),
        0.03,
    ),
}  # fmt: skip
"""Kind → how far ahead, heights of its rings, their half widths and depths, height of the wheels."""


def cargo_radii(kind: str, radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `radii` with those of a trolley, stroller or suitcase."""
    _, _, sizes, _ = _CARGO[kind]
    radii = radii.copy()
    radii[rings_of("cargo")] = sizes
    radii[rings_of("base")] = np.multiply(sizes[1], 0.9)
    return radii


def pose(shapes: list[Shape], poses: Poses) -> Meshes:
    """Put figures into the world; the lower foot stands on the floor.

    Args:
        shapes: of P figures; P may be 0.
    """
    count = len(shapes)
    centers = np.zeros((count, RING_COUNT, 3))
    tilts = np.zeros((count, RING_COUNT, 2))  # the ring's depth axis: its y and z
    tilts[:, :, 0] = 1.0
    swing = poses.swings * np.array([shape.stride for shape in shapes])
    bones = _place_rings(shapes, poses.phases, swing, centers, tilts)

    radii = np.stack([shape.radii for shape in shapes]) if count else np.zeros((0, RING_COUNT, 2))
    scales = np.array([shape.scale for shape in shapes]).reshape(-1, 1, 1)
    round_x = radii[:, :, 0, None] * _PROFILE_COS
    round_y = radii[:, :, 1, None] * _PROFILE_SIN
    local = np.empty((count, RING_COUNT, SIDES + 1, 3))
    local[..., 0] = centers[:, :, 0, None] + round_x
    local[..., 1] = centers[:, :, 1, None] + round_y * tilts[:, :, 0, None]
    local[..., 2] = centers[:, :, 2, None] + round_y * tilts[:, :, 1, None]
    across = np.empty_like(local)
    depth_part = _SIN / np.maximum(radii[:, :, 1, None], 1e-3)
    axis_part = -_SLOPES[:, None] / np.maximum(radii[:, :, 0, None], 1e-3)
    across[..., 0] = _COS / np.maximum(radii[:, :, 0, None], 1e-3)
    across[..., 1] = depth_part * tilts[:, :, 0, None] - axis_part * tilts[:, :, 1, None]
    across[..., 2] = depth_part * tilts[:, :, 1, None] + axis_part * tilts[:, :, 0, None]
    across /= np.linalg.norm(across, axis=-1, keepdims=True)

    points = local.reshape(count, RING_COUNT * (SIDES + 1), 3)
    lowest = points[:, _FEET_VERTICES, 2].min(axis=1) if count else np.zeros(0)
    points[:, : PERSON_RINGS * (SIDES + 1), 2] -= lowest[:, None]
    bones[:, :, 2] -= lowest[:, None]
    return Meshes(
        vertices_m=_to_world(points * scales, poses),
        normals=_turned(across.reshape(points.shape), poses.headings),
        bones_m=_to_world(bones * scales, poses),
    )


def _turned(vectors: NDArray[np.float64], headings: NDArray[np.float64]) -> NDArray[np.float64]:
    ahead_x, ahead_y = headings[:, 0, None], headings[:, 1, None]
    turned = np.empty_like(vectors)
    turned[..., 0] = vectors[..., 0] * ahead_y + vectors[..., 1] * ahead_x
    turned[..., 1] = -vectors[..., 0] * ahead_x + vectors[..., 1] * ahead_y
    turned[..., 2] = vectors[..., 2]
    return turned


def _to_world(local: NDArray[np.float64], poses: Poses) -> NDArray[np.float64]:
    world = _turned(local, poses.headings)
    world[..., :2] += poses.positions_m[:, None, :]
    return world


def _place_rings(
    shapes: list[Shape],
    phases: NDArray[np.float64],
    swing: NDArray[np.float64],
    centers: NDArray[np.float64],
    tilts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fill ring centres and tilts by forward kinematics; return (P, 9, 3) bones. Everything at scale 1."""
    count = len(shapes)
    bones = np.zeros((count, 9, 3))
    lean = 0.06 * swing
    for tube, heights in (("torso", _TORSO_Z), ("head", _HEAD_Z), ("hair", _HAIR_Z), ("long-hair", _LONG_HAIR_Z)):
        part = rings_of(tube)
        centers[:, part, 2] = heights
        centers[:, part, 1] = lean[:, None] * (np.array(heights) - 0.9) * 1.2
        centers[:, part, 0] = 0.012 * (swing * np.sin(phases))[:, None]
    centers[:, rings_of("head"), 1] += np.array([0, 0.005, 0.015, 0.02, 0.02, 0.018, 0.01, 0.005, 0.0])
    centers[:, rings_of("hair"), 1] -= 0.012
    tilts[:, rings_of("hair")] = (0.90, 0.436)  # the hairline is higher in front
    centers[:, rings_of("long-hair"), 1] -= np.array([0.05, 0.065, 0.07, 0.075])
    centers[:, rings_of("backpack"), 2] = (0.98, 1.03, 1.2, 1.36, 1.42)
    centers[:, rings_of("backpack"), 1] = -0.185 + lean[:, None] * 0.35
    centers[:, rings_of("bag"), 2] = (1.0, 0.97, 0.82, 0.76)
    centers[:, rings_of("bag"), 0] = -0.225
    centers[:, rings_of("bag"), 1] = 0.02 + 0.02 * (swing * np.sin(phases))[:, None]
    bones[:, 0] = centers[:, rings_of("head").start + 5]
    bones[:, 1] = centers[:, rings_of("torso").stop - 1]
    bones[:, 2] = centers[:, rings_of("torso").start + 1]

    for side, sign, phase in (("l", -1.0, phases), ("r", 1.0, phases + np.pi)):
        hip = 0.46 * swing * np.sin(phase) + 0.02
        knee = 0.06 + 0.95 * swing * np.maximum(0.0, np.cos(phase)) ** 2
        ankle_at = _limb(
            centers,
            tilts,
            f"leg-{side}",
            root=(sign * 0.088, 0.0, 0.90),
            lengths=(0.43, 0.40),
            angles=(hip, hip - knee),
            stations=_LEG_T,
        )
        shin = hip - knee
        pitch = 0.6 * shin
        foot = rings_of(f"foot-{side}")
        along = np.array(_FOOT_Y)
        centers[:, foot, 0] = sign * 0.092
        centers[:, foot, 1] = ankle_at[1][:, None] + along * np.cos(pitch)[:, None]
        centers[:, foot, 2] = ankle_at[2][:, None] - 0.035 + along * np.sin(pitch)[:, None]
        tilts[:, foot, 0] = -np.sin(pitch)[:, None]
        tilts[:, foot, 1] = np.cos(pitch)[:, None]
        bones[:, 3 if side == "l" else 4] = np.stack(_knee(centers, side), axis=-1)
        bones[:, 5 if side == "l" else 6] = np.stack(ankle_at, axis=-1)

        upper = -0.42 * swing * np.sin(phase)
        fore = upper + 0.22 + 0.18 * swing
        for index, shape in enumerate(shapes):
            if shape.arms == "push":
                upper[index], fore[index] = 0.50, 1.15
            elif shape.arms == "phone" and side == "r":
                upper[index], fore[index] = 0.35, 2.15
            elif shape.arms == "pull" and side == "r":
                upper[index], fore[index] = -0.45, -0.25
        hand = _limb(
            centers,
            tilts,
            f"arm-{side}",
            root=(sign * 0.19, 0.0, 1.405),
            lengths=(0.29, 0.26),
            angles=(upper, fore),
            stations=_ARM_T,
            spread=sign * 0.05,
        )
        centers[:, rings_of(f"arm-{side}"), 1] += lean[:, None] * 0.6
        bones[:, 7 if side == "l" else 8] = np.stack(hand, axis=-1)

    _place_skirts(shapes, centers, bones)
    _place_cargo(shapes, centers, tilts, bones)
    return bones


def _knee(centers: NDArray[np.float64], side: str) -> tuple[NDArray[np.float64], ...]:
    knee = rings_of(f"leg-{side}").start + 3
    return centers[:, knee, 0], centers[:, knee, 1], centers[:, knee, 2]


def _limb(
    centers: NDArray[np.float64],
    tilts: NDArray[np.float64],
    tube: str,
    *,
    root: tuple[float, float, float],
    lengths: tuple[float, float],
    angles: tuple[NDArray[np.float64], NDArray[np.float64]],
    stations: tuple[float, ...],
    spread: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Lay a two-bone limb; angles are forward from hanging down, radians. Return x, y, z of its second joint's end."""
    part = rings_of(tube)
    upper_y, upper_z = lengths[0] * np.sin(angles[0]), -lengths[0] * np.cos(angles[0])
    lower_y, lower_z = lengths[1] * np.sin(angles[1]), -lengths[1] * np.cos(angles[1])
    t = np.array(stations)
    first, second = np.minimum(t, 1.0), np.maximum(t - 1.0, 0.0)
    centers[:, part, 0] = root[0] + spread * t
    centers[:, part, 1] = root[1] + upper_y[:, None] * first + lower_y[:, None] * second
    centers[:, part, 2] = root[2] + upper_z[:, None] * first + lower_z[:, None] * second
    bend = np.clip((t - 0.7) / 0.6, 0.0, 1.0)
    angle = angles[0][:, None] * (1 - bend) + angles[1][:, None] * bend
    tilts[:, part, 0] = np.cos(angle)
    tilts[:, part, 1] = np.sin(angle)
    ones = np.ones_like(upper_y)
    return ones * (root[0] + spread * 2), root[1] + upper_y + lower_y, root[2] + upper_z + lower_z


def _place_skirts(shapes: list[Shape], centers: NDArray[np.float64], bones: NDArray[np.float64]) -> None:
    part = rings_of("skirt")
    hems = np.array([shape.skirt_to_m for shape in shapes]).reshape(-1, 1)
    share = np.linspace(0.0, 1.0, TUBES["skirt"])
    centers[:, part, 2] = 1.09 * (1 - share) + hems * share
    knees_y = (bones[:, 3, 1] + bones[:, 4, 1]) / 2
    centers[:, part, 1] = knees_y[:, None] * share * (1.09 - hems) / 0.6


def _place_cargo(
    shapes: list[Shape], centers: NDArray[np.float64], tilts: NDArray[np.float64], bones: NDArray[np.float64]
) -> None:
    hands = bones[:, 8]
    part = rings_of("shopping")
    centers[:, part] = hands[:, None, :]
    centers[:, part, 2] += (-0.02, -0.10, -0.28, -0.42)
    for index, shape in enumerate(shapes):
        if not shape.cargo:
            continue
        ahead, heights, sizes, base_z = _CARGO[shape.cargo]
        # Not the person's scale: children do not push small trolleys.
        unscale = 1.0 / shape.scale
        cargo, base, rod = rings_of("cargo"), rings_of("base"), rings_of("rod")
        side = 0.18 if shape.cargo == "suitcase" else 0.0
        centers[index, cargo] = np.array([(side, ahead, height) for height in heights]) * unscale
        if shape.cargo == "trolley":
            centers[index, cargo, 1] += np.array((-0.05, -0.05, 0.0, 0.05, 0.05)) * unscale
        centers[index, base] = np.array([(side, ahead, base_z * share) for share in (0.2, 0.9, 1.0)]) * unscale
        hand = (bones[index, 7] + bones[index, 8]) / 2 if shape.arms == "push" else bones[index, 8]
        top = np.array((side, ahead - 0.7 * sizes[2][1] * np.sign(ahead), heights[-2])) * unscale
        for ring, share in zip(range(rod.start, rod.stop), (0.0, 0.5, 1.0), strict=True):
            centers[index, ring] = hand * (1 - share) + top * share
        tilts[index, rod] = (0.5, 0.87)


def _slopes() -> NDArray[np.float64]:
    """(RING_COUNT,) how fast half widths grow along each tube's axis at rest; tells how normals lean."""
    shape = Shape(1.0, usual_radii(), 0.5, 1.0, "swing", "")
    centers, tilts = np.zeros((1, RING_COUNT, 3)), np.zeros((1, RING_COUNT, 2))
    tilts[:, :, 0] = 1.0
    _place_rings([shape], np.zeros(1), np.zeros(1), centers, tilts)
    slopes = np.zeros(RING_COUNT)
    for tube in TUBES:
        part = rings_of(tube)
        along = np.array([-tilts[0, part, 1], tilts[0, part, 0]]).T  # the ring's axis: its y and z
        steps = np.gradient(centers[0, part, 1:], axis=0)
        way = (steps * along).sum(axis=1)
        way = np.where(np.abs(way) < 0.01, 0.01, way)
        slopes[part] = np.clip(np.gradient(shape.radii[part].mean(axis=1)) / way, -3, 3)
    return slopes


def _profiles() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(RING_COUNT, SIDES + 1) outline of each ring: round, or boxy for bags and trolleys."""
    cos, sin = np.tile(_COS, (RING_COUNT, 1)), np.tile(_SIN, (RING_COUNT, 1))
    for tube in _BOXY:
        cos[rings_of(tube)] = _COS / _SQUARE
        sin[rings_of(tube)] = _SIN / _SQUARE
    return cos, sin


_PROFILE_COS, _PROFILE_SIN = _profiles()
_SLOPES: Final = _slopes()
_FEET_VERTICES: Final = np.concatenate(
    [np.arange(rings_of(f"foot-{s}").start * (SIDES + 1), rings_of(f"foot-{s}").stop * (SIDES + 1)) for s in "lr"]
)
