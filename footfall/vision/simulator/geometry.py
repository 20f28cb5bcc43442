"""A pinhole camera over a floor, and flat textured surfaces seen through it; knows no people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAR_M = 1000.0


class View:
    """A camera without distortion. World: x, y on the floor, z up, metres. Picture: pixels, origin top left.

    Args:
        position_m: x, y, z of the camera.
        target_m: the point in the middle of the picture.
        field_of_view: horizontal, radians.
        roll: of the camera about its axis, radians.
    """

    def __init__(
        self,
        position_m: tuple[float, float, float],
        target_m: tuple[float, float, float],
        *,
        field_of_view: float,
        width_px: int,
        height_px: int,
        roll: float = 0.0,
    ) -> None:
        self.position_m = np.array(position_m)
        self.width_px, self.height_px = width_px, height_px
        self.focal_px = width_px / 2 / np.tan(field_of_view / 2)
        ahead = np.array(target_m) - self.position_m
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        up = np.cross(right, ahead)
        right, up = right * np.cos(roll) + up * np.sin(roll), up * np.cos(roll) - right * np.sin(roll)
        self.axes = np.stack([right, up, ahead])

    def to_camera(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 3) world to camera: right, up, ahead; metres."""
        return np.asarray((points_m - self.position_m) @ self.axes.T)

    def project(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 3) world to (..., 2) picture; points behind the camera give nan."""
        seen = self.to_camera(points_m)
        depth = np.where(seen[..., 2:] > 0.05, seen[..., 2:], np.nan)
        flat = seen[..., :2] / depth * self.focal_px
        return np.stack([self.width_px / 2 + flat[..., 0], self.height_px / 2 - flat[..., 1]], axis=-1)

    def rays(self, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.float32]:
        """(y1 - y0, x1 - x0, 3) direction through each pixel's middle, one metre deep along the camera's axis."""
        right = (np.arange(x0, x1) + 0.5 - self.width_px / 2) / self.focal_px
        up = (self.height_px / 2 - np.arange(y0, y1) - 0.5) / self.focal_px
        axes = self.axes
        rays = right[None, :, None] * axes[0] + up[:, None, None] * axes[1] + axes[2]
        return np.asarray(rays, np.float32)

    def scaled(self, factor: float) -> View:
        """The same view with a picture of another size."""
        other = object.__new__(View)
        other.position_m, other.axes = self.position_m, self.axes
        other.width_px, other.height_px = round(self.width_px * factor), round(self.height_px * factor)
        other.focal_px = self.focal_px * factor
        return other


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A parallelogram with a texture.

    Attributes:
        origin_m: the corner where the texture's first pixel lies.
        along_m, down_m: its sides, along the texture's rows and columns.
        texture: (H, W, 3) uint8 BGR, or (H, W, 4) with a mask of what is there.
        tiles: how often the texture repeats along each side.
        is_floor: people walk on it: lit by the light map, and it takes shadows and reflections.
        shade: brightness it is painted with.
    """

    origin_m: tuple[float, float, float]
    along_m: tuple[float, float, float]
    down_m: tuple[float, float, float]
    texture: NDArray[np.uint8]
    tiles: tuple[float, float] = (1.0, 1.0)
    is_floor: bool = False
    shade: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class LightMap:
    """How bright the floor is at each place.

    Attributes:
        light: (H, W) float32; 1 is usual.
        origin_m: x, y of the first pixel.
        step_m: between pixels.
    """

    light: NDArray[np.float32]
    origin_m: tuple[float, float]
    step_m: float

    def at(self, x_m: float, y_m: float) -> float:
        """Light at a place; the edge's beyond the edge."""
        column = min(max(int((x_m - self.origin_m[0]) / self.step_m), 0), self.light.shape[1] - 1)
        row = min(max(int((y_m - self.origin_m[1]) / self.step_m), 0), self.light.shape[0] - 1)
        return float(self.light[row, column])


def paint(
    view: View, surfaces: list[Surface], light: LightMap, *, sky: tuple[int, int, int], haze_per_m: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """Paint a scene without people, with twice as many pixels each way as are given back.

    Returns:
        (H, W, 3) uint8 BGR; (H, W) float32 depth along the camera's axis in metres, `FAR_M` where nothing is;
        (H, W) where the floor is seen.
    """
    fine = view.scaled(2.0)
    picture = np.empty((fine.height_px, fine.width_px, 3), np.uint8)
    picture[:] = sky
    depth = np.full((fine.height_px, fine.width_px), FAR_M, np.float32)
    floor = np.zeros((fine.height_px, fine.width_px), np.uint8)
    for surface in surfaces:
        _paint_surface(fine, surface, light, picture=picture, depth=depth, floor=floor)
    if haze_per_m:
        share = np.where(depth < FAR_M, 1.0 - np.exp(-haze_per_m * depth), 0.0).astype(np.float32)[..., None]
        picture = (picture * (1 - share) + np.array(sky, np.float32) * share).astype(np.uint8)
    size = (view.width_px, view.height_px)
    return (
        np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8),
        # The nearer of the four: an edge of furniture must not be walked through.
        depth.reshape(size[1], 2, size[0], 2).min(axis=(1, 3)),
        np.asarray(cv2.resize(floor, size, interpolation=cv2.INTER_AREA) > 127),
    )


def _paint_surface(
    view: View,
    surface: Surface,
    light: LightMap,
    *,
    picture: NDArray[np.uint8],
    depth: NDArray[np.float32],
    floor: NDArray[np.uint8],
) -> None:
    origin, along, down = (np.array(v, np.float64) for v in (surface.origin_m, surface.along_m, surface.down_m))
    box = _seen_box(view, origin, along, down)
    if box is None:
        return
    x0, y0, x1, y1 = box
    rays = view.rays(x0, y0, x1, y1)
    normal = np.cross(along, down)
    facing = rays @ normal.astype(np.float32)
    offset = float((origin - view.position_m) @ normal)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.float32(offset) / facing
    # Share of each side, by the dual basis: exact for any parallelogram.
    dual_along, dual_down = np.cross(down, normal), np.cross(normal, along)
    dual_along /= along @ dual_along
    dual_down /= down @ dual_down
    start = view.position_m - origin
    s = distance * (rays @ dual_along.astype(np.float32)) + np.float32(start @ dual_along)
    t = distance * (rays @ dual_down.astype(np.float32)) + np.float32(start @ dual_down)
    shown = (distance > 0.05) & (distance < depth[y0:y1, x0:x1]) & (s >= 0) & (s < 1) & (t >= 0) & (t < 1)
    if not shown.any():
        return
    height, width = surface.texture.shape[:2]
    with np.errstate(invalid="ignore"):  # rays along the surface never meet it
        map_x = np.where(shown, (s * surface.tiles[0]) % 1.0, 0).astype(np.float32) * np.float32(width)
        map_y = np.where(shown, (t * surface.tiles[1]) % 1.0, 0).astype(np.float32) * np.float32(height)
    painted = cv2.remap(
        surface.texture,
        map_x - np.float32(0.5),
        map_y - np.float32(0.5),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if painted.shape[2] == 4:
        shown &= painted[..., 3] > 127
        painted = painted[..., :3]
    brightness: NDArray[np.float32] | float = surface.shade
    if surface.is_floor:
        at_x = view.position_m[0] + distance * rays[..., 0] - light.origin_m[0]
        at_y = view.position_m[1] + distance * rays[..., 1] - light.origin_m[1]
        lit = cv2.remap(
            light.light,
            np.where(shown, at_x / light.step_m, 0).astype(np.float32),
            np.where(shown, at_y / light.step_m, 0).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        brightness = lit[..., None] * np.float32(surface.shade)
    painted = np.clip(painted * brightness, 0, 255).astype(np.uint8)
    picture[y0:y1, x0:x1][shown] = painted[shown]
    depth[y0:y1, x0:x1][shown] = distance[shown]
    floor[y0:y1, x0:x1][shown] = 255 if surface.is_floor else 0


def _seen_box(
    view: View, origin: NDArray[np.float64], along: NDArray[np.float64], down: NDArray[np.float64]
) -> tuple[int, int, int, int] | None:
    """The part of the picture that a parallelogram can cover; None when it is out of sight."""
    corners = np.array([origin, origin + along, origin + along + down, origin + down])
    seen = view.to_camera(corners)
    if (seen[:, 2] <= 0.05).all():
        return None
    if (seen[:, 2] <= 0.05).any():
        return 0, 0, view.width_px, view.height_px
    flat = view.project(corners)
    x0, y0 = np.maximum(np.floor(flat.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(flat.max(axis=0)) + 1, (view.width_px, view.height_px)).astype(int)
    return (int(x0), int(y0), int(x1), int(y1)) if x1 > x0 and y1 > y0 else None
