"""Joins a track that was lost to the track that continues it, so that one person keeps one id; knows no pixels."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from footfall.domain import Tracks

if TYPE_CHECKING:
    from numpy.typing import NDArray


NOBODY: Final = Tracks(np.empty(0, np.int64), np.empty((0, 4), np.float32), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class StitchSettings:
    """When a new track is taken for somebody who was lost; lengths in box heights.

    Attributes:
        longest_gap_s: somebody who was not seen for longer is somebody else.
        reach: how far from the predicted place the person may turn up at once.
        reach_per_s: how much farther for every second of absence.
        size_ratio: by what factor the box height may differ.
        velocity_window_s: how much of the past predicts where the person went.
        edge_share: a box this near to the picture's edge, as a share of its size, is cut by it.
        entering_gap_s: who turns up at the edge, not having been seen for longer than this, and not at the edge then,
            has come in and is somebody else; seconds.
    """

    longest_gap_s: float = 3.0
    reach: float = 0.4
    reach_per_s: float = 0.5
    size_ratio: float = 1.5
    velocity_window_s: float = 0.5
    edge_share: float = 0.01
    entering_gap_s: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Everybody followed on a frame, and the people first confirmed on it as they were on the frame before.

    Attributes:
        now: on this frame.
        before: some of the same people, by the same ids, at `before_s`; they were in doubt then.
    """

    now: Tracks
    before: Tracks
    before_s: float


@dataclass(slots=True)
class _Person:
    """Where somebody was: time, middle x, top y, height; and whether the last box was cut by the picture's edge."""

    at_edge: bool = False
    past: deque[tuple[float, float, float, float]] = field(default_factory=lambda: deque(maxlen=32))

    @property
    def seen_s(self) -> float:
        return self.past[-1][0]

    @property
    def height_px(self) -> float:
        return float(np.median([height for _, _, _, height in self.past]))

    def predict(self, at_s: float, window_s: float) -> tuple[float, float]:
        """Middle of the head end at `at_s`, going on as in the last `window_s` seconds."""
        last_s, last_x, last_y, _ = self.past[-1]
        recent = [entry for entry in self.past if entry[0] >= last_s - window_s]
        span_s = last_s - recent[0][0]
        if span_s <= 0:
            return last_x, last_y
        times, xs, ys, _ = np.asarray(recent).T
        centred = times - times.mean()
        spread = float((centred**2).sum())
        ahead_s = at_s - last_s
        return last_x + float((centred * xs).sum()) / spread * ahead_s, last_y + float(
            (centred * ys).sum()
        ) / spread * ahead_s


class TrackStitcher:
    """Gives people ids that survive a short loss or an id switch; one object per camera."""

    def __init__(self, settings: StitchSettings | None = None) -> None:
        self._settings = settings or StitchSettings()
        self._person_of_track: dict[int, int] = {}
        self._people: dict[int, _Person] = {}
        self._last_id = 0
        self._size_px: tuple[int, int] | None = None

    def update(
        self,
        tracks: Tracks,
        now_s: float,
        before: Tracks | None = None,
        before_s: float = 0.0,
        *,
        size_px: tuple[int, int] | None = None,
    ) -> Followed:
        """Return the same tracks with people's ids in place of the tracker's.

        Args:
            tracks: ids as the tracker gave them; N may be 0.
            now_s: never falls.
            before: where tracks that are new now were on the frame before, by the same ids.
            before_s: time of that frame.
            size_px: width and height of the picture; without it nobody is at its edge.
        """
        before = before or NOBODY
        self._size_px = size_px
        self._forget(now_s)
        track_ids = tracks.ids.tolist()
        boxes = dict(zip(track_ids, tracks.boxes_px.tolist(), strict=True))
        for track_id in track_ids:
            person_id = self._person_of_track.get(track_id)
            # The tracker found a lost track again, in somebody who has just come in.
            if person_id is not None and self._has_come_in(self._people[person_id], boxes[track_id], now_s):
                del self._person_of_track[track_id]
        first = dict(zip(before.ids.tolist(), before.boxes_px.tolist(), strict=True))
        here = {self._person_of_track[track_id] for track_id in track_ids if track_id in self._person_of_track}
        newcomers = {
            track_id: (first[track_id], before_s) if track_id in first else (boxes[track_id], now_s)
            for track_id in track_ids
            if track_id not in self._person_of_track
        }
        for track_id, person_id in self._match(newcomers, here).items():
            # The tracker may find the lost track again later; by then it follows somebody else.
            for other in [track for track, person in self._person_of_track.items() if person == person_id]:
                del self._person_of_track[other]
            self._person_of_track[track_id] = person_id
        for track_id in newcomers:
            if track_id not in self._person_of_track:
                self._last_id += 1
                self._person_of_track[track_id] = self._last_id
                self._people[self._last_id] = _Person()
            if track_id in first:
                self._note(track_id, first[track_id], before_s)
        for track_id in track_ids:
            self._note(track_id, boxes[track_id], now_s)
        return Followed(
            now=Tracks(self._person_ids(tracks), tracks.boxes_px, tracks.scores),
            before=Tracks(self._person_ids(before), before.boxes_px, before.scores),
            before_s=before_s,
        )

    def _person_ids(self, tracks: Tracks) -> NDArray[np.int64]:
        return np.array([self._person_of_track[track_id] for track_id in tracks.ids.tolist()], dtype=np.int64)

    def _note(self, track_id: int, box: list[float], at_s: float) -> None:
        x0, y0, x1, y1 = box
        person = self._people[self._person_of_track[track_id]]
        person.past.append((at_s, (x0 + x1) / 2, y0, y1 - y0))
        person.at_edge = self._is_at_edge(box)

    def _has_come_in(self, person: _Person, box: list[float], at_s: float) -> bool:
        """Whether who is at `box` came into the picture just now, and is not the `person` who was lost inside it."""
        is_gone = at_s - person.seen_s > self._settings.entering_gap_s
        return is_gone and not person.at_edge and self._is_at_edge(box)

    def _is_at_edge(self, box: list[float]) -> bool:
        if self._size_px is None:
            return False
        width, height = self._size_px
        share = self._settings.edge_share
        x0, y0, x1, y1 = box
        return x0 <= share * width or x1 >= (1 - share) * width or y0 <= share * height or y1 >= (1 - share) * height

    def _match(self, newcomers: dict[int, tuple[list[float], float]], here: set[int]) -> dict[int, int]:
        """Pair new tracks (first box and its time) with lost people, the nearest pair first."""
        if not newcomers:
            return {}
        settings = self._settings
        pairs = []
        for person_id, person in self._people.items():
            if person_id in here:
                continue
            height = person.height_px
            for track_id, (box, seen_s) in newcomers.items():
                x0, y0, x1, y1 = box
                ratio = (y1 - y0) / height
                if seen_s <= person.seen_s or not 1 / settings.size_ratio <= ratio <= settings.size_ratio:
                    continue
                if self._has_come_in(person, box, seen_s):
                    continue
                reach = settings.reach + settings.reach_per_s * (seen_s - person.seen_s)
                x, top = person.predict(seen_s, settings.velocity_window_s)
                distance = float(np.hypot((x0 + x1) / 2 - x, y0 - top)) / height
                if distance <= reach:
                    pairs.append((distance / reach, track_id, person_id))
        matched: dict[int, int] = {}
        for _, track_id, person_id in sorted(pairs):
            if track_id not in matched and person_id not in matched.values():
                matched[track_id] = person_id
        return matched

    def _forget(self, now_s: float) -> None:
        limit = now_s - self._settings.longest_gap_s
        gone = {person_id for person_id, person in self._people.items() if person.seen_s < limit}
        for person_id in gone:
            del self._people[person_id]
        for track_id in [track for track, person in self._person_of_track.items() if person in gone]:
            del self._person_of_track[track_id]
