"""Draws posed figures into a painted scene: depth, light, shadows and reflections; knows no motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from footfall.vision.simulator.figures import SIDES, Meshes, Poses, pose
from footfall.vision.simulator.geometry import FAR_M
from footfall.vision.simulator.wardrobe import ATLAS_HEIGHT, ATLAS_WIDTH, texture_coordinates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.vision.simulator.geometry import View
    from footfall.vision.simulator.scenes import Scene
    from footfall.vision.simulator.wardrobe import Look

_TEXTURE: Final = texture_coordinates()
_NEAREST_M: Final = 0.6
"""Who is nearer to the camera than this is not drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """People as the camera sees them, before anything is drawn; P of them.

    Attributes:
        whole_px: (P, 4) float64; x0, y0, x1, y1, not cut at the picture's edge; nan for who is not in sight.
        boxes_px: (P, 4) float64; of what lies in the picture, hidden or not; nan where nothing does.
    """

    looks: list[Look]
    poses: Poses
    meshes: Meshes
    seen_m: NDArray[np.float64]
    flat_px: NDArray[np.float64]
    whole_px: NDArray[np.float64]
    boxes_px: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A picture and who is seen on it.

    Attributes:
        picture: (H, W, 3) uint8 BGR.
        seen_px: (P, 4) float64; of what is seen; nan where nothing is.
        visible: (P,) float64; share of the figure that is seen, in [0, 1].
    """

    picture: NDArray[np.uint8]
    seen_px: NDArray[np.float64]
    visible: NDArray[np.float64]


def place_people(scene: Scene, looks: list[Look], poses: Poses) -> Placed:
    """Pose people and find their boxes; about a tenth of the work of drawing them."""
    view = scene.view
    meshes = pose([look.shape for look in looks], poses)
    seen = view.to_camera(meshes.vertices_m)
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = seen[..., :2] / seen[..., 2:] * (view.focal_px, -view.focal_px) + (view.width_px / 2, view.height_px / 2)
    whole, boxes = _boxes(looks, flat, np.nonzero(_nearest_m(seen) > _NEAREST_M)[0], view)
    return Placed(looks, poses, meshes, seen, flat, whole, boxes)


def draw_people(scene: Scene, placed: Placed) -> Drawn:
    """Draw people into the scene, the farthest first."""
    picture = scene.picture.copy()
    looks, boxes = placed.looks, placed.boxes_px
    nearest = _nearest_m(placed.seen_m)
    around = np.nonzero(nearest > _NEAREST_M)[0]
    _shade_floor(scene, picture, looks, placed.meshes.bones_m, around)
    owner = np.zeros(picture.shape[:2], np.uint8)
    areas = np.zeros(len(looks))
    shades = _shades(scene, placed.meshes.normals, placed.poses)
    order = around[np.argsort(-nearest[around], kind="stable")]
    for number, index in enumerate(order, start=1):
        figure = _Figure(looks[index], placed.seen_m[index], placed.flat_px[index], shades[index])
        areas[index] = _draw_figure(scene, figure, number, picture=picture, owner=owner)
    parts, visible = np.full((len(looks), 4), np.nan), np.zeros(len(looks))
    for number, index in enumerate(order, start=1):
        if np.isnan(boxes[index, 0]) or areas[index] == 0:
            continue
        x0, y0 = np.maximum(boxes[index, :2].astype(int) - 1, 0)
        x1, y1 = boxes[index, 2:].astype(int) + 2
        mine = (owner[y0:y1, x0:x1] == number).view(np.uint8)
        visible[index] = min(1.0, round(cv2.countNonZero(mine) / areas[index], 2))
        left, top, width, height = cv2.boundingRect(mine)
        if width:
            parts[index] = x0 + left, y0 + top, x0 + left + width, y0 + top + height
    return Drawn(picture, parts, visible)


def _nearest_m(seen_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P,) depth of each figure's nearest vertex."""
    return np.asarray(seen_m[..., 2].min(axis=1, initial=FAR_M))


def _boxes(
    looks: list[Look], flat_px: NDArray[np.float64], around: NDArray[np.int64], view: View
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(P, 4) boxes of the whole persons, and of what of them lies in the picture."""
    whole, boxes = np.full((len(looks), 4), np.nan), np.full((len(looks), 4), np.nan)
    edge = np.array([view.width_px, view.height_px])
    for index in around:
        points = flat_px[index, np.repeat(looks[index].body_rings, SIDES + 1)]
        whole[index] = *points.min(axis=0), *points.max(axis=0)
        if (whole[index, :2] >= 0).all() and (whole[index, 2:] <= edge).all():
            boxes[index] = whole[index]
            continue
        inside = points[((points >= 0) & (points <= edge)).all(axis=1)]
        if len(inside) >= 3:
            boxes[index] = *inside.min(axis=0), *inside.max(axis=0)
            # A cut person reaches the edge.
            for side, limit in ((0, 0), (1, 0), (2, edge[0]), (3, edge[1])):
                is_cut = whole[index, side] < limit if side < 2 else whole[index, side] > limit
                boxes[index, side] = limit if is_cut else boxes[index, side]
    return whole, boxes


def _shades(scene: Scene, normals: NDArray[np.float64], poses: Poses) -> NDArray[np.float64]:
    """(P, V) light on each vertex; 0.5 leaves the texture as it is."""
    lit = 0.62 + 0.20 * normals[..., 2] + scene.key_light * np.maximum(0.0, normals @ np.array(scene.light_from))
    places = [scene.light.at(x, y) for x, y in poses.positions_m.tolist()]
    return np.asarray(np.clip(lit * np.array(places)[:, None] * 0.5, 0.02, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Figure:
    """One figure as the camera sees it; V vertices.

    Attributes:
        seen_m: (V, 3) right, up, ahead of the camera.
        flat_px: (V, 2) in the picture.
        shade: (V,) light; 0.5 leaves the texture as it is.
    """

    look: Look
    seen_m: NDArray[np.float64]
    flat_px: NDArray[np.float64]
    shade: NDArray[np.float64]


def _draw_figure(
    scene: Scene, figure: _Figure, number: int, *, picture: NDArray[np.uint8], owner: NDArray[np.uint8]
) -> float:
    """Draw one figure; return the area of its whole silhouette, seen or not, in pixels."""
    height_px, width_px = picture.shape[:2]
    look = figure.look
    worn_px = figure.flat_px[look.vertices]
    x0, y0 = (int(v) - 1 for v in np.floor(worn_px.min(axis=0)))
    x1, y1 = (int(v) + 2 for v in np.ceil(worn_px.max(axis=0)))
    # Somebody right below the camera would be larger than the picture: what is far outside is left out.
    x0, y0, x1, y1 = (
        max(x0, -width_px // 2),
        max(y0, -height_px // 2),
        min(x1, width_px * 3 // 2),
        min(y1, height_px * 3 // 2),
    )
    cut_x0, cut_y0, cut_x1, cut_y1 = max(x0, 0), max(y0, 0), min(x1, width_px), min(y1, height_px)
    if x1 <= x0 or y1 <= y0:
        return 0.0
    fine = 2 if y1 - y0 < 200 else 1
    buffer, depth = _rasterise(scene.view, figure, (x0, y0, x1, y1), fine)
    there = depth < FAR_M / 2
    body_share = max(1.0, float(np.count_nonzero(there)) / fine**2)
    if cut_x1 <= cut_x0 or cut_y1 <= cut_y0:
        return body_share
    rows = slice((cut_y0 - y0) * fine, (cut_y1 - y0) * fine)
    columns = slice((cut_x0 - x0) * fine, (cut_x1 - x0) * fine)
    buffer, depth, there = buffer[rows, columns], depth[rows, columns], there[rows, columns]
    behind: NDArray[Any] = scene.depth[cut_y0:cut_y1, cut_x0:cut_x1]
    if fine > 1:
        behind = cv2.resize(behind, None, fx=fine, fy=fine, interpolation=cv2.INTER_NEAREST)
    there = there & (depth < behind)
    mask: NDArray[Any] = there.astype(np.uint8) * 255
    painted: NDArray[Any] = cv2.remap(
        look.atlas,
        buffer[..., 0] * np.float32(ATLAS_WIDTH),
        buffer[..., 1] * np.float32(ATLAS_HEIGHT),
        cv2.INTER_LINEAR,
    )
    light = np.where(there, buffer[..., 2], 0).astype(np.float32)
    tint = cv2.merge([light * np.float32(2 * share) for share in scene.tint])
    painted = cv2.multiply(painted, tint, dtype=cv2.CV_8U)
    if fine > 1:
        size = (cut_x1 - cut_x0, cut_y1 - cut_y0)
        painted = cv2.resize(painted, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    place = picture[cut_y0:cut_y1, cut_x0:cut_x1]
    kept = cv2.multiply(place, cv2.cvtColor(255 - mask, cv2.COLOR_GRAY2BGR), scale=1 / 255)
    picture[cut_y0:cut_y1, cut_x0:cut_x1] = cv2.add(kept, painted)
    owner[cut_y0:cut_y1, cut_x0:cut_x1][mask > 127] = number
    return body_share


def _rasterise(
    view: View,
    figure: _Figure,
    part: tuple[int, int, int, int],
    fine: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Texture coordinates and light (h, w, 3), and depth (h, w), of one figure on a part of the picture."""
    seen, shade = figure.seen_m, figure.shade
    x0, y0, x1, y1 = part
    width, height = (x1 - x0) * fine, (y1 - y0) * fine
    focal = view.focal_px * fine
    # OpenCV's rasteriser looks along -z with the axis in the middle of its picture: a shear moves our part there.
    vertices = np.empty((1, len(seen), 3), np.float32)
    vertices[0, :, 0] = seen[:, 0] + seen[:, 2] * (((view.width_px / 2 - x0) * fine - width / 2) / focal)
    vertices[0, :, 1] = seen[:, 1] - seen[:, 2] * (((view.height_px / 2 - y0) * fine - height / 2) / focal)
    vertices[0, :, 2] = -seen[:, 2]
    colours = np.empty((1, len(seen), 3), np.float32)
    colours[0, :, :2] = _TEXTURE
    colours[0, :, 2] = shade
    buffer = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), FAR_M, np.float32)
    cv2.triangleRasterize(
        vertices,
        figure.look.triangles,
        colours,
        buffer,
        depth,
        _STRAIGHT,
        2 * float(np.arctan(height / 2 / focal)),
        0.1,
        FAR_M,
        _OUTSIDE,
    )
    return buffer, depth


_STRAIGHT: Final = np.eye(4, dtype=np.float32)
_OUTSIDE: Final = cv2.TriangleRasterizeSettings()
_OUTSIDE.setCullingMode(cv2.RASTERIZE_CULLING_CW)
_OUTSIDE.setShadingType(cv2.RASTERIZE_SHADING_SHADED)

_LIMBS: Final = (
    (0, 1, 0.13),
    (1, 2, 0.36),
    (2, 3, 0.17),
    (2, 4, 0.17),
    (3, 5, 0.12),
    (4, 6, 0.12),
    (1, 7, 0.10),
    (1, 8, 0.10),
)
"""Bones and how thick what is around them is, metres."""
_LIMB_BANDS: Final = (1, 0, 3, 3, 3, 3, 5, 5)


def _shade_floor(
    scene: Scene, picture: NDArray[np.uint8], looks: list[Look], bones_m: NDArray[np.float64], around: NDArray[np.int64]
) -> None:
    """Lay soft shadows and reflections on the floor, from sticks of the right thickness: they are blurred anyway."""
    half_w, half_h = picture.shape[1] // 2, picture.shape[0] // 2
    scale = 0.5
    shadow = np.zeros((half_h, half_w), np.uint8)
    mirror = np.zeros((half_h, half_w, 3), np.uint8) if scene.gloss > 0 else None
    fallen = bones_m.copy()
    light = np.array(scene.light_from)
    fallen[..., :2] -= light[:2] / max(light[2], 0.25) * bones_m[..., 2:]
    fallen[..., 2] = 0.0
    flat = scene.view.project(fallen) * scale
    turned = bones_m.copy()
    turned[..., 2] *= -1
    mirrored = scene.view.project(turned) * scale
    depth = scene.view.to_camera(bones_m[:, 2])[:, 2]
    for index in around:
        if not np.isfinite(flat[index]).all() or np.abs(flat[index]).max() > 8000:
            continue
        per_m = scene.view.focal_px * scale / max(float(depth[index]), 1.0) * looks[index].shape.scale
        ends = flat[index].round().astype(int).tolist()
        for a, b, thick in _LIMBS:
            cv2.line(shadow, ends[a], ends[b], 255, max(1, int(thick * per_m)))
        foot = ((ends[5][0] + ends[6][0]) // 2, (ends[5][1] + ends[6][1]) // 2)
        cv2.ellipse(shadow, foot, (max(1, int(0.26 * per_m)), max(1, int(0.16 * per_m))), 0, 0, 360, 255, -1)
        if mirror is not None and np.isfinite(mirrored[index]).all() and np.abs(mirrored[index]).max() < 8000:
            ends = mirrored[index].round().astype(int).tolist()
            for (a, b, thick), band in zip(_LIMBS, _LIMB_BANDS, strict=True):
                colour = looks[index].atlas[band * 32 + 12, 16].tolist()
                cv2.line(mirror, ends[a], ends[b], [max(1, c) for c in colour], max(1, int(thick * per_m)))
    size = (picture.shape[1], picture.shape[0])
    blur = max(3, picture.shape[1] // 160) | 1
    shadow = cv2.blur(cv2.blur(shadow, (blur, blur)), (blur, blur))
    shadow = cv2.resize(cv2.multiply(shadow, scene.floor_half, scale=1 / 255), size, interpolation=cv2.INTER_LINEAR)
    shade = cv2.convertScaleAbs(shadow, alpha=-scene.shadow, beta=255.0)
    cv2.multiply(picture, cv2.cvtColor(shade, cv2.COLOR_GRAY2BGR), dst=picture, scale=1 / 255)
    if mirror is not None:
        covered = cv2.blur(
            cv2.convertScaleAbs(cv2.threshold(mirror.max(axis=2), 0, 255, cv2.THRESH_BINARY)[1]), (blur, blur)
        )
        covered = cv2.multiply(covered, scene.floor_half, scale=scene.gloss / 255)
        covered = cv2.resize(covered, size, interpolation=cv2.INTER_LINEAR)
        mirror = cv2.resize(cv2.blur(mirror, (blur, blur)), size, interpolation=cv2.INTER_LINEAR)
        wide = cv2.cvtColor(covered, cv2.COLOR_GRAY2BGR)
        cv2.add(
            cv2.multiply(picture, cv2.bitwise_not(wide), scale=1 / 255),
            cv2.multiply(mirror, wide, scale=1 / 255),
            dst=picture,
        )
