"""A camera that looks at a drawn scene, and the truth of what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.vision.simulator.crowd import TICK_S, Crowd
from footfall.vision.simulator.drawing import Drawn, draw_people
from footfall.vision.simulator.figures import Poses
from footfall.vision.simulator.scenes import build_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from footfall.simulation import SimulationSettings
    from footfall.vision.simulator.wardrobe import Look

_SENSOR_NOISE: Final = 3.0
"""Standard deviation of what any camera adds to its picture; grey levels."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Who is in the picture, seen or hidden; N may be 0.

    Attributes:
        ids: (N,) int64; from 1.
        boxes_px: (N, 4) float32; x0, y0, x1, y1 of the person with clothes and bags, cut at the picture's edge.
        whole_px: (N, 4) float32; the same, not cut.
        seen_px: (N, 4) float32; what is seen of it; zeros when nothing is.
        visible: (N,) float32; share of the figure that is seen, in [0, 1].
    """

    ids: NDArray[np.int64]
    boxes_px: NDArray[np.float32]
    whole_px: NDArray[np.float32]
    seen_px: NDArray[np.float32]
    visible: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One picture with its truth.

    Attributes:
        picture: (H, W, 3) uint8 BGR.
        at_s: seconds since the camera was started.
    """

    picture: NDArray[np.uint8]
    at_s: float
    people: People


class Simulator:
    """Walks a crowd through a scene and draws it; each moment is drawn once, in order."""

    def __init__(self, settings: SimulationSettings) -> None:
        self.settings = settings
        self.scene = build_scene(
            settings.scene, seed=settings.seed, width_px=settings.width_px, height_px=settings.height_px
        )
        self._crowd = Crowd(self.scene, settings.people, settings.seed)
        noise = np.random.Generator(np.random.PCG64(settings.seed))
        self._noise = _noise_tile(noise, settings.width_px, settings.height_px)

    def frames(self) -> Iterator[Shown]:
        """Give picture after picture at the rate asked for, without end and without waiting."""
        index = 0
        while True:
            yield self.at(index / self.settings.fps)
            index += 1

    def at(self, at_s: float) -> Shown:
        """Draw a moment; it must not lie before the last one drawn, or the nearest later one is shown."""
        poses, looks, ids = self._poses(at_s)
        drawn = draw_people(self.scene, looks, poses)
        return Shown(self._sensed(drawn.picture, at_s), at_s, _in_picture(ids, drawn))

    def _poses(self, at_s: float) -> tuple[Poses, list[Look], NDArray[np.int64]]:
        scene_s = at_s + self.settings.start_s
        while self._crowd.tick * TICK_S < scene_s - 1e-9:
            self._crowd.step()
        share = 1.0 - min(1.0, max(0.0, (self._crowd.tick * TICK_S - scene_s) / TICK_S))
        walkers = self._crowd.walkers
        return (
            Poses(
                positions_m=np.array(
                    [
                        (w.before_x + (w.x - w.before_x) * share, w.before_y + (w.y - w.before_y) * share)
                        for w in walkers
                    ]
                ).reshape(-1, 2),
                headings=np.array([(w.ahead_x, w.ahead_y) for w in walkers]).reshape(-1, 2),
                phases=np.array([w.gait_before + (w.gait - w.gait_before) * share for w in walkers]),
                swings=np.array([w.swing for w in walkers]),
            ),
            [w.look for w in walkers],
            np.array([w.id for w in walkers], np.int64),
        )

    def _sensed(self, picture: NDArray[np.uint8], at_s: float) -> NDArray[np.uint8]:
        height, width = picture.shape[:2]
        # Another part of one noise picture each time: noise that does not move would be a pattern.
        shift = np.random.Generator(np.random.PCG64([self.settings.seed, round(at_s * 1000)]))
        y, x = (int(v) for v in shift.integers(0, 64, 2))
        noise = self._noise[y : y + height, x : x + width]
        # No lens is as sharp as a drawing.
        cv2.GaussianBlur(picture, (3, 3), 0.7 if width < 900 else 0.9, dst=picture)
        return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)


def _noise_tile(noise: np.random.Generator, width_px: int, height_px: int) -> NDArray[np.int16]:
    return np.round(noise.normal(0.0, _SENSOR_NOISE, (height_px + 64, width_px + 64, 3))).astype(np.int16)


def _in_picture(ids: NDArray[np.int64], drawn: Drawn) -> People:
    size = drawn.boxes_px[:, 2:] - drawn.boxes_px[:, :2]
    there = (size >= 1).all(axis=1)  # nan is not
    seen = drawn.seen_px[there]
    return People(
        ids=ids[there],
        boxes_px=np.round(drawn.boxes_px[there], 2).astype(np.float32),
        whole_px=np.round(drawn.whole_px[there], 2).astype(np.float32),
        seen_px=np.where(np.isnan(seen), 0, seen).astype(np.float32),
        visible=drawn.visible[there].astype(np.float32),
    )
