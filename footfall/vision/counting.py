"""Turns followed people into crossings and visits; knows nothing of video, models or HTTP."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from footfall.vision.geometry import Segment, distance_inside, polygon_px

if TYPE_CHECKING:
    from collections.abc import Iterator

    from footfall.domain import Direction, Line, Tracks, VisitOutcome, Zone


_LEAST_SIGHTINGS: Final = 2
_SAME_TIME_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class CountingSettings:
    """What counts as having crossed; the defaults were chosen on development footage, docs/decisions/0003.

    Attributes:
        band_heights: a person has left a line when the foot point is this many box heights away from it; nearer,
            nothing changes, so that somebody who stands on the line is nothing.
        settle_s: the foot point must have been there in the middle of the sightings of this long, and in two of them at
            least, so that one box that ends at the knees is nothing either; seconds.
        end_slack_heights: how far beyond a segment's end a crossing still counts, in box heights: the foot point is
            not known better.
        lost_beyond_heights: somebody who is lost inside the band after having passed the line has crossed it when the
            foot point was this many box heights beyond it, in the middle of sightings that span half of `settle_s`;
            None: nobody who is lost has.
        zone_band_heights: how deep inside or outside a zone's border the foot point must be for the change to stand
            at once.
        zone_settle_s: a change that stays this long stands, however near the border; seconds.
        lost_after_s: somebody not seen for so long has left or was lost; seconds, less than `forget_after_s`.
        flicker_s: a shorter stay is a false detection, not a visit; seconds.
        edge_share: a box this near to the picture's edge, as a share of its size, leaves the picture rather than
            being lost in it.
        forget_after_s: side memory of somebody who was not seen for so long is given up; seconds.
        uturn_window_s: a crossing taken back by the same person within this time is not effective; seconds.
    """

    band_heights: float = 0.15
    settle_s: float = 0.4
    end_slack_heights: float = 0.0
    lost_beyond_heights: float | None = 0.05
    zone_band_heights: float = 0.1
    zone_settle_s: float = 1.0
    lost_after_s: float = 3.0
    flicker_s: float = 0.4
    edge_share: float = 0.03
    forget_after_s: float = 10.0
    uturn_window_s: float = 10.0


@dataclass(frozen=True, slots=True)
class LineEvent:
    """A crossing on the clock of the frames.

    Attributes:
        number: of the event, among all of its camera.
        at_s: interpolated moment of crossing; seconds.
        undoes: number of the crossing that this one takes back.
    """

    number: int
    line: str
    direction: Direction
    at_s: float
    person_id: int
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class VisitEvent:
    """A finished stay in a zone on the clock of the frames; seconds."""

    number: int
    zone: str
    entered_s: float
    left_s: float
    outcome: VisitOutcome
    person_id: int


@dataclass(slots=True)
class _AtLine:
    """What is known of one person at one line."""

    seen_s: float
    x: float
    y: float
    distance_px: float
    side: int = 0  # last side on which the person was clear of the band; 0: never was
    recent: deque[tuple[float, float]] = field(default_factory=deque)  # time, distance in box heights; newest last
    crossed_s: float | None = None  # newest change of side on the segment since then
    last: LineEvent | None = None  # newest crossing


class LineCounter:
    """Counts one line of one camera.

    A person counts once when the foot point (bottom centre of the box) was clear of the line on one side and comes
    clear of it on the other, having passed between the segment's ends. Clear means farther from the line, along its
    normal, than a band scaled to the person's height: for the median of the last moment's sightings, since boxes
    of people who are partly hidden jump by more than the band. Where somebody is clear for the first time is taken from
    one sighting. The event's time is the interpolated moment of passing the line, not that of leaving the band. Who is
    lost beyond the line before being clear of it, behind a pillar or other people, is counted when lost for good.

    Own method; compare supervision's LineZone, which forgets a side after an absence and has no band.
    """

    def __init__(
        self, line: Line, *, width_px: int, height_px: int, settings: CountingSettings, numbers: Iterator[int]
    ) -> None:
        self.line = line
        self._numbers = numbers
        self._segment = Segment.of(line, width_px, height_px)
        self._settings = settings
        self._people: dict[int, _AtLine] = {}

    def update(self, tracks: Tracks, now_s: float) -> list[LineEvent]:
        """Follow everybody one frame on; `now_s` never falls."""
        events = []
        for person_id, box in zip(tracks.ids.tolist(), tracks.boxes_px.tolist(), strict=True):
            event = self._follow(person_id, (box[0] + box[2]) / 2, box[3], box[3] - box[1], now_s)
            if event is not None:
                events.append(event)
        events += self._lost(now_s)
        self._forget(now_s)
        return events

    def _follow(self, person_id: int, x: float, y: float, height_px: float, now_s: float) -> LineEvent | None:
        distance = self._segment.distance(x, y)
        person = self._people.get(person_id)
        if person is None:
            person = self._people[person_id] = _AtLine(now_s, x, y, distance)
        side = self._clear_side(person, distance / height_px, now_s)
        if (distance >= 0) != (person.distance_px >= 0):
            share = person.distance_px / (person.distance_px - distance)
            passed_x, passed_y = person.x + share * (x - person.x), person.y + share * (y - person.y)
            slack = self._settings.end_slack_heights * height_px / self._segment.length_px
            on_segment = -slack <= self._segment.share_along(passed_x, passed_y) <= 1 + slack
            person.crossed_s = person.seen_s + share * (now_s - person.seen_s) if on_segment else None
        event = None
        if side not in {0, person.side}:
            if person.side != 0 and person.crossed_s is not None:
                event = self._count(person_id, person, "in" if side > 0 else "out", person.crossed_s)
            person.side = side
        if side != 0:
            person.crossed_s = None
        person.seen_s, person.x, person.y, person.distance_px = now_s, x, y, distance
        return event

    def _clear_side(self, person: _AtLine, heights: float, now_s: float) -> int:
        """Side on which the person is clear of the band now, 0 if none; `heights` is the distance in box heights."""
        recent = person.recent
        recent.append((now_s, heights))
        # Of a camera that is analysed twice a second there are hardly two in that time: the last two stay.
        while len(recent) > _LEAST_SIGHTINGS and recent[0][0] < now_s - self._settings.settle_s - _SAME_TIME_S:
            recent.popleft()
        middle = _median([distance for _, distance in recent]) if person.side != 0 else heights
        if abs(middle) < self._settings.band_heights or (heights >= 0) != (middle > 0):
            return 0
        return 1 if middle > 0 else -1

    def _lost(self, now_s: float) -> list[LineEvent]:
        """Crossings of those who passed the line and were lost inside the band."""
        least = self._settings.lost_beyond_heights
        if least is None:
            return []
        events = []
        limit = now_s - self._settings.lost_after_s
        for person_id, person in self._people.items():
            if person.crossed_s is None or person.side == 0 or person.seen_s > limit:
                continue
            side = 1 if person.distance_px >= 0 else -1
            if side == person.side:
                continue  # turned back
            beyond = [(at_s, heights) for at_s, heights in person.recent if (heights >= 0) == (side > 0)]
            is_settled = beyond[-1][0] - beyond[0][0] >= self._settings.settle_s / 2 - _SAME_TIME_S
            if is_settled and abs(_median([heights for _, heights in beyond])) >= least:
                events.append(self._count(person_id, person, "in" if side > 0 else "out", person.crossed_s))
                person.side, person.crossed_s = side, None
        return events

    def _count(self, person_id: int, person: _AtLine, direction: Direction, at_s: float) -> LineEvent:
        last, undoes = person.last, None
        if (
            last is not None
            and last.undoes is None
            and last.direction != direction
            and at_s - last.at_s <= self._settings.uturn_window_s
        ):
            undoes = last.number
        person.last = LineEvent(next(self._numbers), self.line.name, direction, at_s, person_id, undoes)
        return person.last

    def _forget(self, now_s: float) -> None:
        limit = now_s - self._settings.forget_after_s
        for person_id in [key for key, person in self._people.items() if person.seen_s < limit]:
            del self._people[person_id]


def _median(values: list[float]) -> float:
    """Of a few values; `statistics.median` takes several times as long for them, at every line and sighting."""
    values.sort()
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


@dataclass(slots=True)
class _InZone:
    """What is known of one person and one zone."""

    seen_s: float
    distance_px: float
    inside: bool
    entered_s: float  # meaningful while inside
    changed_s: float | None = None  # when the foot point passed the border, as long as that does not stand yet
    at_edge: bool = False


class ZoneCounter:
    """Counts one zone of one camera: people now, visits and how long they lasted.

    Somebody first seen inside has entered then. A change of side stands when the foot point is clear of the border or
    stayed beyond it for a while; its time is the interpolated moment of passing the border.
    """

    def __init__(
        self, zone: Zone, *, width_px: int, height_px: int, settings: CountingSettings, numbers: Iterator[int]
    ) -> None:
        self.zone = zone
        self._polygon = polygon_px(zone, width_px, height_px)
        self._picture = width_px, height_px
        self._settings = settings
        self._numbers = numbers
        self._people: dict[int, _InZone] = {}

    @property
    def people_now(self) -> int:
        """How many are inside: seen there last, and not lost yet."""
        return sum(person.inside for person in self._people.values())

    def update(self, tracks: Tracks, now_s: float) -> list[VisitEvent]:
        """Follow everybody one frame on; returns the visits that ended; `now_s` never falls."""
        visits = []
        for person_id, box in zip(tracks.ids.tolist(), tracks.boxes_px.tolist(), strict=True):
            visits += self._follow(person_id, box, now_s)
        limit = now_s - self._settings.lost_after_s
        for person_id in [key for key, person in self._people.items() if person.seen_s < limit]:
            visits += self._end(person_id)
        return visits

    def close(self) -> list[VisitEvent]:
        """End every open visit where it was seen last: the camera is not watched any more."""
        return [visit for person_id in list(self._people) for visit in self._end(person_id)]

    def _follow(self, person_id: int, box: list[float], now_s: float) -> list[VisitEvent]:
        x, y, height = (box[0] + box[2]) / 2, box[3], box[3] - box[1]
        distance = distance_inside(x, y, self._polygon)
        person = self._people.get(person_id)
        if person is None:
            self._people[person_id] = _InZone(now_s, distance, distance >= 0, now_s, at_edge=self._is_at_edge(box))
            return []
        visits = []
        if (distance >= 0) == person.inside:
            person.changed_s = None
        else:
            if person.changed_s is None:
                span = abs(person.distance_px) + abs(distance)
                share = abs(person.distance_px) / span if span else 1.0
                person.changed_s = person.seen_s + share * (now_s - person.seen_s)
            is_clear = abs(distance) >= self._settings.zone_band_heights * height
            if is_clear or now_s - person.changed_s >= self._settings.zone_settle_s:
                if person.inside:
                    visits = self._visit(person_id, person, person.changed_s, "left")
                person.inside, person.entered_s, person.changed_s = not person.inside, person.changed_s, None
        person.seen_s, person.distance_px, person.at_edge = now_s, distance, self._is_at_edge(box)
        return visits

    def _end(self, person_id: int) -> list[VisitEvent]:
        person = self._people.pop(person_id)
        if not person.inside:
            return []
        has_left = person.at_edge or person.changed_s is not None
        left_s = person.seen_s if person.changed_s is None else person.changed_s
        return self._visit(person_id, person, left_s, "left" if has_left else "lost")

    def _visit(self, person_id: int, person: _InZone, left_s: float, outcome: VisitOutcome) -> list[VisitEvent]:
        if left_s - person.entered_s < max(self.zone.min_inside_s, self._settings.flicker_s):
            return []
        return [VisitEvent(next(self._numbers), self.zone.name, person.entered_s, left_s, outcome, person_id)]

    def _is_at_edge(self, box: list[float]) -> bool:
        width, height = self._picture
        margin_x, margin_y = self._settings.edge_share * width, self._settings.edge_share * height
        return box[0] < margin_x or box[1] < margin_y or box[2] > width - margin_x or box[3] > height - margin_y
