"""The shapes of answers that several routes share, and how records become them; no I/O."""

import dataclasses
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from footfall.domain import Camera, CameraState, Crossing, Direction, StateChange, VisitOutcome, ZoneVisit
from footfall.redaction import redact_url

EventRecord = Crossing | ZoneVisit


class LineAnswer(BaseModel):
    """A counting line."""

    name: str = Field(description="Unique among the camera's lines.")
    start: tuple[float, float] = Field(description="x, y as shares of width and height; origin top left.")
    end: tuple[float, float] = Field(description="x, y; crossing to the right of start→end on screen is `in`.")


class ZoneAnswer(BaseModel):
    """A zone."""

    name: str = Field(description="Unique among the camera's zones.")
    polygon: list[tuple[float, float]] = Field(description="Corners: x, y as shares of width and height.")
    min_inside_s: float = Field(description="A shorter stay is no visit; seconds.")


class SamplingAnswer(BaseModel):
    """What is kept of a camera's pictures, heads pixelated."""

    purpose: str
    tracks_per_day: int
    frames_per_day: int
    targeted_per_day: int
    clips_per_day: int
    clip_s: float
    retention_h: float
    labelled_retention_days: float


class CameraAnswer(BaseModel):
    """A camera as configured; its URL is write-only."""

    id: str
    url_masked: str = Field(description="The source without user, password and other secrets.")
    name: str = Field(description="What people call it.")
    enabled: bool
    target_fps: float = Field(description="Analyses a second aimed at.")
    priority: int = Field(description="Where the machine is too small, it waits this many times less than others.")
    transport: Literal["tcp", "udp"]
    loop: bool
    lines: list[LineAnswer]
    zones: list[ZoneAnswer]
    sampling: SamplingAnswer | None = Field(description="null: no picture of it is ever kept.")

    @classmethod
    def of(cls, camera: Camera) -> Self:
        """Return what may be shown of a camera."""
        return cls(
            id=camera.id,
            url_masked=redact_url(camera.url),
            name=camera.name,
            enabled=camera.enabled,
            target_fps=camera.target_fps,
            priority=camera.priority,
            transport=camera.transport,
            loop=camera.loop,
            lines=[LineAnswer(name=line.name, start=line.start, end=line.end) for line in camera.lines],
            zones=[
                ZoneAnswer(name=zone.name, polygon=list(zone.polygon), min_inside_s=zone.min_inside_s)
                for zone in camera.zones
            ],
            sampling=None if camera.sampling is None else SamplingAnswer(**dataclasses.asdict(camera.sampling)),
        )


class CrossingAnswer(BaseModel):
    """Somebody crossed a line."""

    type: Literal["crossing"] = "crossing"
    id: str = Field(description="Stable; the same event always has the same id.")
    camera: str
    line: str
    direction: Direction
    at: datetime = Field(description="Moment of crossing; UTC.")
    track: int = Field(description="Means nothing outside one run of one camera.")
    undoes: str | None = Field(description="Id of the crossing that this one takes back (a U-turn).")


class VisitAnswer(BaseModel):
    """Somebody's finished stay in a zone."""

    type: Literal["visit"] = "visit"
    id: str = Field(description="Stable; the same event always has the same id.")
    camera: str
    zone: str
    entered_at: datetime
    left_at: datetime
    dwell_s: float
    outcome: VisitOutcome = Field(description="Seen leaving, or lost from view inside.")
    track: int = Field(description="Means nothing outside one run of one camera.")


class StateAnswer(BaseModel):
    """A camera came into a state."""

    type: Literal["state"] = "state"
    camera: str
    state: CameraState
    at: datetime
    detail: str = Field(description="One line for people.")

    @classmethod
    def of(cls, change: StateChange) -> Self:
        """Return the answer for a change."""
        return cls(camera=change.camera_id, state=change.state, at=change.at, detail=change.detail)


EventAnswer = CrossingAnswer | VisitAnswer


def event_answer(record: EventRecord) -> EventAnswer:
    """Return the answer for a crossing or a visit."""
    if isinstance(record, Crossing):
        return CrossingAnswer(
            id=record.id,
            camera=record.camera_id,
            line=record.line,
            direction=record.direction,
            at=record.at,
            track=record.track_id,
            undoes=record.undoes,
        )
    return VisitAnswer(
        id=record.id,
        camera=record.camera_id,
        zone=record.zone,
        entered_at=record.entered_at,
        left_at=record.left_at,
        dwell_s=record.dwell_s,
        outcome=record.outcome,
        track=record.track_id,
    )
