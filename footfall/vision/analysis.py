"""From one camera's detections to its events: tracking, then counting; knows no detector, video or database."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from footfall.domain import Crossing, ZoneVisit, event_id
from footfall.vision.counting import CountingSettings, LineCounter, LineEvent, VisitEvent, ZoneCounter
from footfall.vision.tracking import PersonTracker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from footfall.domain import Camera, Detections, Frame, Tracks


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What one frame told.

    Attributes:
        people_in_zone: zone → people inside now.
    """

    frame: Frame
    detections: Detections
    tracks: Tracks
    crossings: tuple[Crossing, ...]
    visits: tuple[ZoneVisit, ...]
    people_in_zone: Mapping[str, int]


class CameraAnalyser:
    """Tracks and counts the people of one camera; one object per camera and run.

    Args:
        run_id: part of every event id: another run must have another one.
    """

    def __init__(self, camera: Camera, *, run_id: str, uturn_window_s: float = 10.0) -> None:
        self._camera = camera
        self._run_id = run_id
        self._settings = CountingSettings(uturn_window_s=uturn_window_s)
        self._numbers = itertools.count()
        self._size_px: tuple[int, int] | None = None
        self._last: tuple[datetime, float] | None = None
        self._lines: list[LineCounter] = []
        self._zones: list[ZoneCounter] = []
        self._tracker = PersonTracker(target_fps=camera.target_fps)

    def update(self, frame: Frame, detections: Detections) -> Analysis:
        """Follow everybody one frame on; frames come in the order of `received_s`."""
        width_px, height_px = frame.size_px
        visits: list[VisitEvent] = []
        if self._size_px != (width_px, height_px):
            # Another picture size is another view until somebody says otherwise: nobody keeps a side.
            visits += [visit for zone in self._zones for visit in zone.close()]
            self._start(width_px, height_px)
        followed = self._tracker.update(detections, frame.received_s, size_px=(width_px, height_px), image=frame.image)
        crossings: list[LineEvent] = []
        for tracks, at_s in ((followed.before, followed.before_s), (followed.now, frame.received_s)):
            if tracks is followed.before and not len(tracks.ids):
                continue
            crossings += [event for line in self._lines for event in line.update(tracks, at_s)]
            visits += [visit for zone in self._zones for visit in zone.update(tracks, at_s)]
        self._last = frame.received_at, frame.received_s
        return Analysis(
            frame=frame,
            detections=detections,
            tracks=followed.now,
            crossings=tuple(self._crossing(event) for event in crossings),
            visits=tuple(self._visit(visit) for visit in visits),
            people_in_zone={zone.zone.name: zone.people_now for zone in self._zones},
        )

    def close(self) -> tuple[ZoneVisit, ...]:
        """End every open visit where it was seen last: the camera is not watched any more."""
        visits = tuple(self._visit(visit) for zone in self._zones for visit in zone.close())
        self._size_px = None
        return visits

    def _start(self, width_px: int, height_px: int) -> None:
        self._size_px = (width_px, height_px)
        self._tracker = PersonTracker(target_fps=self._camera.target_fps)
        self._lines = [
            LineCounter(line, width_px=width_px, height_px=height_px, settings=self._settings, numbers=self._numbers)
            for line in self._camera.lines
        ]
        self._zones = [
            ZoneCounter(zone, width_px=width_px, height_px=height_px, settings=self._settings, numbers=self._numbers)
            for zone in self._camera.zones
        ]

    def _crossing(self, event: LineEvent) -> Crossing:
        return Crossing(
            id=self._id(event.number),
            camera_id=self._camera.id,
            line=event.line,
            direction=event.direction,
            at=self._at(event.at_s),
            track_id=event.person_id,
            undoes=None if event.undoes is None else self._id(event.undoes),
        )

    def _visit(self, visit: VisitEvent) -> ZoneVisit:
        return ZoneVisit(
            id=self._id(visit.number),
            camera_id=self._camera.id,
            zone=visit.zone,
            entered_at=self._at(visit.entered_s),
            left_at=self._at(visit.left_s),
            dwell_s=visit.left_s - visit.entered_s,
            outcome=visit.outcome,
            track_id=visit.person_id,
        )

    def _id(self, number: int) -> str:
        return event_id(self._run_id, self._camera.id, number)

    def _at(self, at_s: float) -> datetime:
        """Wall time of a moment on the frames' clock, told from the newest frame."""
        if self._last is None:
            raise RuntimeError("no frame was analysed yet")
        wall, clock_s = self._last
        return wall + timedelta(seconds=at_s - clock_s)
