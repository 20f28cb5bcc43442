"""People on their way through a scene: they walk alone and in groups, give way, stop, meet, turn round and loiter.

Source: the social force idea (Helbing and Molnár 1995), much simplified. Only additions, multiplications and square
roots of Python floats, so that the same seed gives the same walks on every machine.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from footfall.vision.simulator.wardrobe import Look, draw_look

if TYPE_CHECKING:
    from footfall.vision.simulator.scenes import Rectangle, Scene, Spot

TICK_S: Final = 0.1
_WARM_UP_TICKS: Final = 450
_ROOM_M: Final = 0.75
"""Walkers keep this distance from each other's middle where they can."""
_CLEARANCE_M: Final = 0.35


@dataclass(slots=True)
class _Leg:
    """A part of somebody's way: where to, and what happens there."""

    to: Spot
    wait_s: float = 0.0
    look_at: Spot | None = None


@dataclass(slots=True, eq=False)
class Walker:
    """Somebody on the way.

    Attributes:
        id: from 1, never used twice.
        x, y: on the floor, metres; before_x, before_y one tick ago.
        ahead_x, ahead_y: unit vector; where the body faces.
        gait: phase in radians; gait_before one tick ago.
        swing: 0 standing to 1 walking.
    """

    id: int
    look: Look
    x: float
    y: float
    speed: float
    legs: list[_Leg]
    ahead_x: float = 0.0
    ahead_y: float = 1.0
    vx: float = 0.0
    vy: float = 0.0
    before_x: float = 0.0
    before_y: float = 0.0
    gait: float = 0.0
    gait_before: float = 0.0
    swing: float = 0.0
    waits_s: float = 0.0
    look_at: Spot | None = None
    stuck_s: float = 0.0
    party: int = 0


@dataclass(slots=True)
class Crowd:
    """Everybody in a scene; `people` are kept there, more while `crowding`.

    Attributes:
        strange: share of newcomers in unusual clothes.
        crowding: how many times more people than usual come.
    """

    scene: Scene
    people: int
    seed: int
    walkers: list[Walker] = field(default_factory=list)
    strange: float = 0.0
    crowding: float = 1.0
    tick: int = 0
    _rng: random.Random = field(init=False)
    _next_id: int = 1
    _next_party: int = 1
    _meeting: Spot | None = None
    _obstacles: list[Rectangle] = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"crowd/{self.scene.name}/{self.seed}")  # noqa: S311  a scene, no secret
        margin = _CLEARANCE_M
        self._obstacles = [
            (x0 - margin, y0 - margin, x1 + margin, y1 + margin) for x0, y0, x1, y1 in self.scene.obstacles
        ]
        for _ in range(_WARM_UP_TICKS):
            self.step()
        self.tick = 0

    def step(self) -> None:
        """Move everybody on by `TICK_S`."""
        self.tick += 1
        missing = round(self.people * self.crowding) - len(self.walkers)
        if missing > 0 and self._rng.random() < min(0.6, 0.06 * missing):
            self._arrive()
        for walker in self.walkers:
            walker.before_x, walker.before_y, walker.gait_before = walker.x, walker.y, walker.gait
        for walker in self.walkers:
            self._move(walker)
        self.walkers = [walker for walker in self.walkers if walker.legs]

    # Arrivals.

    def _arrive(self) -> None:
        rng = self._rng
        entry = rng.choice(self.scene.portals)
        exits = [spot for spot in self.scene.portals if _distance(spot, entry) > 4.0]
        leave = rng.choice(exits)
        dice = rng.random()
        size = 1 if dice < 0.66 else 2 if dice < 0.9 else rng.choice((3, 4))
        # Rounded: logarithms and cosines differ in their last digit from one machine to another.
        speed = min(max(round(rng.gauss(1.25, 0.2), 4), 0.6), 1.9)
        if size > 1:
            speed *= 0.88
        legs = self._plan(entry, leave)
        party = self._next_party
        self._next_party += 1
        wide = 0.62
        for member in range(size):
            look = draw_look(rng, strange=self.strange, child=False if member == 0 else None)
            aside = (member - (size - 1) / 2) * wide
            if size > 1 and look.shape.cargo:
                aside *= 1.4
            own = [_Leg(self._aside(leg.to, entry, leave, aside), leg.wait_s, leg.look_at) for leg in legs]
            own = self._around(self._aside(entry, entry, leave, aside), own)
            x, y = self._aside(entry, entry, leave, aside)
            ahead = _unit(own[0].to[0] - x, own[0].to[1] - y)
            self.walkers.append(
                Walker(
                    self._next_id,
                    look,
                    x,
                    y,
                    speed * (0.8 + 0.2 * look.shape.scale),
                    own,
                    ahead[0],
                    ahead[1],
                    before_x=x,
                    before_y=y,
                    gait=rng.uniform(0.0, 6.28),
                    party=party,
                )
            )
            self._next_id += 1

    def _plan(self, entry: Spot, leave: Spot) -> list[_Leg]:
        rng = self._rng
        dice = rng.random()
        free = list(self.scene.stops) or [leave]
        if self._meeting is not None:
            spot, self._meeting = self._meeting, None
            return [_Leg((spot[0] + 0.45, spot[1] + 0.2), rng.uniform(6.0, 16.0), spot), _Leg(leave)]
        if dice < 0.56:
            return [_Leg(leave)]
        if dice < 0.72:
            spot = rng.choice(free)
            return [
                _Leg(spot, rng.uniform(2.0, 12.0), (spot[0] + rng.uniform(-3, 3), spot[1] + rng.uniform(-3, 3))),
                _Leg(leave),
            ]
        if dice < 0.82:
            return [_Leg(rng.choice(free), rng.uniform(0.3, 2.0)), _Leg(entry)]
        if dice < 0.90 and self.scene.line_spots:
            spot = rng.choice(self.scene.line_spots)
            back = rng.random() < 0.4
            return [_Leg(spot, rng.uniform(4.0, 15.0), (spot[0], spot[1] - 4.0)), _Leg(entry if back else leave)]
        spot = self._meeting = rng.choice(free)
        return [_Leg((spot[0] - 0.45, spot[1] - 0.2), rng.uniform(10.0, 22.0), spot), _Leg(leave)]

    @staticmethod
    def _aside(spot: Spot, entry: Spot, leave: Spot, aside: float) -> Spot:
        way_x, way_y = _unit(leave[0] - entry[0], leave[1] - entry[1])
        return spot[0] + way_y * aside, spot[1] - way_x * aside

    def _around(self, start: Spot, legs: list[_Leg]) -> list[_Leg]:
        """Add corners to walk around where furniture stands in the way."""
        way: list[_Leg] = []
        here = start
        for leg in legs:
            way.extend(_Leg(corner) for corner in self._detour(here, leg.to, depth=3))
            way.append(leg)
            here = leg.to
        return way

    def _detour(self, start: Spot, end: Spot, *, depth: int) -> list[Spot]:
        for x0, y0, x1, y1 in self._obstacles:
            if depth == 0 or not _passes(start, end, (x0, y0, x1, y1)):
                continue
            margin = 0.25
            corners = [
                (x0 - margin, y0 - margin),
                (x1 + margin, y0 - margin),
                (x1 + margin, y1 + margin),
                (x0 - margin, y1 + margin),
            ]
            corners = [c for c in corners if not _passes(start, c, (x0, y0, x1, y1)) and self._is_free(c)]
            if not corners:
                continue
            corner = min(corners, key=lambda c: _distance(start, c) + _distance(c, end))
            return [*self._detour(start, corner, depth=depth - 1), corner, *self._detour(corner, end, depth=depth - 1)]
        return []

    def _is_free(self, spot: Spot) -> bool:
        return all(not (x0 < spot[0] < x1 and y0 < spot[1] < y1) for x0, y0, x1, y1 in self._obstacles)

    # Walking.

    def _move(self, walker: Walker) -> None:
        want_x = want_y = 0.0
        if walker.waits_s > 0:
            walker.waits_s -= TICK_S
            if walker.waits_s <= 0:
                walker.legs.pop(0)
                walker.look_at = None
                if not walker.legs:
                    return
        else:
            leg = walker.legs[0]
            away_x, away_y = leg.to[0] - walker.x, leg.to[1] - walker.y
            far = math.sqrt(away_x * away_x + away_y * away_y)
            if far < (0.35 if leg.wait_s else 0.6) or walker.stuck_s > 8.0:
                walker.stuck_s = 0.0
                if leg.wait_s:
                    walker.waits_s, walker.look_at = leg.wait_s, leg.look_at
                else:
                    walker.legs.pop(0)
                    if not walker.legs:
                        return
            else:
                slow = min(1.0, far / 0.8) if leg.wait_s else 1.0
                want_x, want_y = away_x / far * walker.speed * slow, away_y / far * walker.speed * slow
        push_x, push_y = self._give_way(walker)
        walker.vx += (want_x + push_x - walker.vx) * 0.3
        walker.vy += (want_y + push_y - walker.vy) * 0.3
        pace = math.sqrt(walker.vx * walker.vx + walker.vy * walker.vy)
        most = walker.speed * 1.3
        if pace > most:
            walker.vx, walker.vy, pace = walker.vx * most / pace, walker.vy * most / pace, most
        if walker.waits_s > 0 and pace < 0.25:
            walker.vx = walker.vy = pace = 0.0
        walker.stuck_s = walker.stuck_s + TICK_S if walker.waits_s <= 0 and pace < 0.25 else 0.0
        walker.x += walker.vx * TICK_S
        walker.y += walker.vy * TICK_S
        self._turn(walker, pace)

    @staticmethod
    def _turn(walker: Walker, pace: float) -> None:
        if pace > 0.25:
            goal = walker.vx / pace, walker.vy / pace
        elif walker.look_at is not None:
            goal = _unit(walker.look_at[0] - walker.x, walker.look_at[1] - walker.y)
        else:
            goal = walker.ahead_x, walker.ahead_y
        # Against the way he faces a plain mix would be nothing: step aside a little.
        if goal[0] * walker.ahead_x + goal[1] * walker.ahead_y < -0.9:
            goal = _unit(goal[0] - 0.5 * goal[1], goal[1] + 0.5 * goal[0])
        walker.ahead_x, walker.ahead_y = _unit(
            walker.ahead_x + (goal[0] - walker.ahead_x) * 0.3, walker.ahead_y + (goal[1] - walker.ahead_y) * 0.3
        )
        walker.swing += (min(1.0, pace / 1.0) - walker.swing) * 0.4
        stride_m = (0.75 + 0.45 * pace) * walker.look.shape.scale
        walker.gait += 6.283185307179586 * pace * TICK_S / stride_m

    def _give_way(self, walker: Walker) -> Spot:
        push_x = push_y = 0.0
        x, y = walker.x + walker.vx * 0.4, walker.y + walker.vy * 0.4
        for other in self.walkers:
            if other is walker:
                continue
            away_x, away_y = x - other.x - other.vx * 0.4, y - other.y - other.vy * 0.4
            room = 0.5 if other.party == walker.party else _ROOM_M
            near = away_x * away_x + away_y * away_y
            if near >= room * room:
                continue
            near = math.sqrt(near) + 1e-6
            force = 1.6 * (1 - near / room)
            # A little to the right, or two who meet head-on would stand there for ever.
            push_x += force * (away_x + 0.5 * away_y) / near
            push_y += force * (away_y - 0.5 * away_x) / near
        for x0, y0, x1, y1 in self._obstacles:
            if x0 < walker.x < x1 and y0 < walker.y < y1:
                left, right, low, high = walker.x - x0, x1 - walker.x, walker.y - y0, y1 - walker.y
                least = min(left, right, low, high)
                push_x += 1.6 * ((least == right) - (least == left))
                push_y += 1.6 * ((least == high) - (least == low))
        return push_x, push_y


def _unit(x: float, y: float) -> Spot:
    length = math.sqrt(x * x + y * y)
    return (x / length, y / length) if length > 1e-9 else (0.0, 1.0)


def _distance(a: Spot, b: Spot) -> float:
    x, y = a[0] - b[0], a[1] - b[1]
    return math.sqrt(x * x + y * y)


def _passes(start: Spot, end: Spot, box: Rectangle) -> bool:
    """Whether the way between two places leads through a rectangle; by clipping it (Liang and Barsky)."""
    first, last = 0.0, 1.0
    for origin, way, low, high in (
        (start[0], end[0] - start[0], box[0], box[2]),
        (start[1], end[1] - start[1], box[1], box[3]),
    ):
        if abs(way) < 1e-9:
            if not low < origin < high:
                return False
            continue
        enter, leave = sorted(((low - origin) / way, (high - origin) / way))
        first, last = max(first, enter), min(last, leave)
    return first < last
