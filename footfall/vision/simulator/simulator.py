"""A camera that looks at a drawn scene, and the truth of what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from footfall.simulation import PICTURE_KINDS
from footfall.vision.degradation import Degrader, turned_boxes
from footfall.vision.simulator.crowd import TICK_S, Crowd
from footfall.vision.simulator.drawing import Placed, draw_people, place_people
from footfall.vision.simulator.figures import Poses
from footfall.vision.simulator.scenes import build_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from footfall.simulation import SimulationSettings

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


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A moment of the scene that is not drawn yet.

    Attributes:
        ids: (N,) int64; of who is in the picture, seen or hidden.
        whole_px: (N, 4) float32; their boxes, not cut at the picture's edge.
    """

    at_s: float
    ids: NDArray[np.int64]
    whole_px: NDArray[np.float32]
    placed: Placed
    placed_ids: NDArray[np.int64]


class Simulator:
    """Walks a crowd through a scene and draws it. Deterministic: the same settings show the same."""

    def __init__(self, settings: SimulationSettings) -> None:
        self.settings = settings
        self.scene = build_scene(
            settings.scene, seed=settings.seed, width_px=settings.width_px, height_px=settings.height_px
        )
        self._crowd = Crowd(self.scene, settings.people, settings.seed)
        self._degrader = Degrader(settings.degradations, seed=settings.seed, fps=settings.fps)
        noise = np.random.Generator(np.random.PCG64(settings.seed))
        tile = noise.normal(0.0, _SENSOR_NOISE, (settings.height_px + 64, settings.width_px + 64, 3))
        self._noise = np.round(tile).astype(np.int16)

    @property
    def degrades_pictures(self) -> bool:
        """Whether pictures depend on the ones before: then each must be drawn, in order."""
        return any(each.kind in PICTURE_KINDS for each in self.settings.degradations)

    def frames(self) -> Iterator[Shown]:
        """Give picture after picture at the rate asked for, without end and without waiting.

        Moments at which the camera sends nothing (`slow`, `disconnected`) are left out.
        """
        index = 0
        while True:
            at_s = index / self.settings.fps
            moment = self.moment(at_s)
            if not self.is_disconnected_at(at_s) and (shown := self.draw(moment)) is not None:
                yield shown
            index += 1

    def is_disconnected_at(self, at_s: float) -> bool:
        """Whether the camera does not answer at this moment."""
        return self._severity("disconnected", at_s) > 0

    def moment(self, at_s: float) -> Moment:
        """Let the scene go on until `at_s`; a moment before the last one asked for shows the last one."""
        self._crowd.crowding = 1.0 + 0.5 * self._severity("crowding", at_s)
        self._crowd.strange = self._severity("appearance", at_s) / 5.0
        scene_s = at_s + self.settings.start_s
        while self._crowd.tick * TICK_S < scene_s - 1e-9:
            self._crowd.step()
        share = 1.0 - min(1.0, max(0.0, (self._crowd.tick * TICK_S - scene_s) / TICK_S))
        walkers = list(self._crowd.walkers)
        poses = Poses(
            positions_m=np.array(
                [(w.before_x + (w.x - w.before_x) * share, w.before_y + (w.y - w.before_y) * share) for w in walkers]
            ).reshape(-1, 2),
            headings=np.array([(w.ahead_x, w.ahead_y) for w in walkers]).reshape(-1, 2),
            phases=np.array([w.gait_before + (w.gait - w.gait_before) * share for w in walkers]),
            swings=np.array([w.swing for w in walkers]),
        )
        ids = np.array([w.id for w in walkers], np.int64)
        placed = place_people(self.scene, [w.look for w in walkers], poses)
        there = self._in_picture(placed, at_s)
        whole = self._moved(placed.whole_px[there], at_s)
        return Moment(at_s, ids[there], np.round(whole, 2).astype(np.float32), placed, ids)

    def draw(self, moment: Moment) -> Shown | None:
        """Draw a moment; None when the camera sends no picture then. In order when `degrades_pictures`."""
        drawn = draw_people(self.scene, moment.placed)
        at_s = moment.at_s
        width, height = self.settings.width_px, self.settings.height_px
        picture = self._degrader.apply(self._sensed(drawn.picture, at_s), at_s)
        if picture is None:
            return None
        there = self._in_picture(moment.placed, at_s)
        seen, visible = drawn.seen_px[there], drawn.visible[there]
        hidden = self._degrader.hidden_at(at_s, width, height)
        seen = np.where(np.isnan(seen), 0.0, self._cut(self._moved(seen, at_s)))
        if hidden is not None:
            visible = visible * [1.0 - _share_of(hidden, box) for box in seen]
        people = People(
            ids=moment.ids,
            boxes_px=np.round(self._cut(self._moved(moment.placed.boxes_px[there], at_s)), 2).astype(np.float32),
            whole_px=moment.whole_px,
            seen_px=seen.astype(np.float32),
            visible=np.round(visible, 2).astype(np.float32),
        )
        return Shown(picture, at_s, people)

    def _severity(self, kind: str, at_s: float) -> float:
        return max((each.severity_at(at_s) for each in self.settings.degradations if each.kind == kind), default=0.0)

    def _in_picture(self, placed: Placed, at_s: float) -> NDArray[np.bool_]:
        """(P,) who is in the picture with a pixel at least; nan is not."""
        boxes = self._cut(self._moved(placed.boxes_px, at_s))
        return np.asarray((boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1))

    def _moved(self, boxes: NDArray[np.float64], at_s: float) -> NDArray[np.float64]:
        """Boxes where a camera that was moved shows them."""
        transform = self._degrader.transform_at(at_s, self.settings.width_px, self.settings.height_px)
        return boxes if transform is None else turned_boxes(boxes, transform)

    def _cut(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        edge = (self.settings.width_px, self.settings.height_px)
        return np.asarray(np.clip(boxes, 0, edge * 2))

    def _sensed(self, picture: NDArray[np.uint8], at_s: float) -> NDArray[np.uint8]:
        height, width = picture.shape[:2]
        # Another part of one noise picture each time: noise that does not move would be a pattern.
        shift = np.random.Generator(np.random.PCG64([self.settings.seed, round(at_s * 1000)]))
        y, x = (int(v) for v in shift.integers(0, 64, 2))
        noise = self._noise[y : y + height, x : x + width]
        # No lens is as sharp as a drawing.
        cv2.GaussianBlur(picture, (3, 3), 0.7 if width < 900 else 0.9, dst=picture)
        return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)


def _share_of(mask: NDArray[np.bool_], box: NDArray[np.float64]) -> float:
    x0, y0, x1, y1 = (int(v) for v in box)
    part = mask[y0:y1, x0:x1]
    return float(part.mean()) if part.size else 0.0
