"""The application over small stand-ins that keep everything in memory."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.sampled import sample_parts

from footfall.config import Settings
from footfall.domain import (
    Camera,
    CameraState,
    Crossing,
    Detections,
    Frame,
    Line,
    ModelVersion,
    Tracks,
    Zone,
    ZoneVisit,
)
from footfall.errors import StoreError, UnknownRecordError
from footfall.vision.analysis import Analysis
from service.api.app import create_app
from service.api.services import Services
from service.frames import FrameCounts
from service.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from footfall.domain import Record, StateChange
    from service.simulated import SceneTruth

PASSWORD = "p@:/%?#é"
SECRET_URL = f"rtsp://admin:{PASSWORD}@10.0.0.7/main"
TOKEN = "0123456789abcdef-token"
AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
JPEG = b"\xff\xd8 a picture \xff\xd9"


@dataclass
class FakeDatabase:
    stored: dict[str, Camera] = field(default_factory=dict)
    log: list[Crossing | ZoneVisit] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    zone_rows: list[Any] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)
    is_away: bool = False
    asked: dict[str, Any] = field(default_factory=dict)

    def cameras(self) -> list[Camera]:
        return list(self.stored.values())

    def camera(self, camera_id: str) -> Camera:
        if camera_id not in self.stored:
            raise UnknownRecordError(f"camera {camera_id!r} is not there")
        return self.stored[camera_id]

    def put_camera(self, camera: Camera) -> None:
        self.stored[camera.id] = camera

    def delete_camera(self, camera_id: str) -> None:
        self.camera(camera_id)
        del self.stored[camera_id]

    def setting(self, key: str) -> str | None:
        return None

    def ping(self) -> None:
        if self.is_away:
            raise StoreError("cannot connect to postgresql://user:geheim@db/footfall")

    def counts(self, **asked: Any) -> list[Any]:
        self.asked = asked
        return self.rows

    def zone_counts(self, **asked: Any) -> list[Any]:
        self.asked = asked
        return self.zone_rows

    def events(self, *, after: int, limit: int, camera_id: str | None, since: object, until: object = None) -> Any:
        found = [
            SimpleNamespace(cursor=number, record=record)
            for number, record in enumerate(self.log, 1)
            if number > after and camera_id in {None, record.camera_id}
        ]
        more = len(found) > limit
        return SimpleNamespace(events=tuple(found[:limit]), next_cursor=found[limit - 1].cursor if more else None)

    def newest_events(self, camera_id: str, limit: int) -> list[Any]:
        return [SimpleNamespace(cursor=n, record=r) for n, r in reversed(list(enumerate(self.log, 1)))][:limit]

    def states(self, camera_id: str, *, since: datetime, until: datetime) -> list[StateChange]:
        return self.changes


@dataclass
class FakeFleet:
    running: dict[str, Camera] = field(default_factory=dict)
    truths: dict[str, SceneTruth] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)

    def truth(self, camera_id: str) -> SceneTruth | None:
        return self.truths.get(camera_id)

    def apply(self, camera: Camera) -> None:
        self.running[camera.id] = camera

    def forget_view(self, camera_id: str) -> None:
        self.forgotten.append(camera_id)

    def remove(self, camera_id: str) -> None:
        self.running.pop(camera_id, None)


@dataclass
class FakeLive:
    states: dict[str, CameraState] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)

    def view(self, camera_id: str) -> Any:
        if camera_id not in self.states:
            raise UnknownRecordError(f"camera {camera_id!r} is not there")
        is_live = self.states[camera_id] is CameraState.LIVE
        return SimpleNamespace(
            camera_id=camera_id,
            state=self.states[camera_id],
            detail="",
            state_since=AT,
            fps=5.0,
            frames=FrameCounts(0, 0, {}, 0),
            analysis=_analysis(camera_id) if is_live else None,
        )

    def annotated_jpeg(self, camera_id: str, *, width_px: int | None = None, quality: int = 80) -> bytes | None:
        return JPEG if camera_id in self.sequences else None

    def wait_for_picture(self, camera_id: str, after_sequence: int, timeout_s: float) -> int:
        if camera_id not in self.states:
            raise UnknownRecordError(f"camera {camera_id!r} is not there")
        self.sequences[camera_id] = self.sequences.get(camera_id, 0) + 1
        return self.sequences[camera_id]


class FakeSubscription:
    def __init__(self) -> None:
        self.queue: queue.Queue[Record] = queue.Queue(100)
        self.closed = False

    def get(self, timeout_s: float) -> Record | None:
        try:
            return self.queue.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeEvents:
    subscriptions: list[FakeSubscription] = field(default_factory=list)

    def subscribe(self) -> FakeSubscription:
        self.subscriptions.append(FakeSubscription())
        return self.subscriptions[-1]

    def publish(self, records: Sequence[Record]) -> None:
        for subscription in self.subscriptions:
            for record in records:
                subscription.queue.put_nowait(record)


@dataclass
class World:
    """Everything behind the API."""

    services: Services
    database: FakeDatabase
    fleet: FakeFleet
    live: FakeLive
    events: FakeEvents


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., World]:
    def make(**settings: Any) -> World:
        database, fleet, live, events = FakeDatabase(), FakeFleet(), FakeLive(), FakeEvents()
        detector = SimpleNamespace(version=ModelVersion("yolo11n", "ab" * 32, 0.4, "AGPL-3.0"), runtime="onnxruntime")
        fakes: dict[str, Any] = {"database": database, "fleet": fleet, "live": live, "events": events}
        metrics = Metrics()
        services = Services(
            settings=Settings(data_dir=tmp_path, **settings),
            metrics=metrics,
            recorder=SimpleNamespace(healthy=True),  # type: ignore[arg-type]
            detector=lambda: detector,
            **sample_parts(tmp_path, metrics),
            **fakes,
        )
        return World(services, database, fleet, live, events)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def client_of(world: World, **kwargs: Any) -> TestClient:
    return TestClient(create_app(world.services), base_url="http://127.0.0.1:8600", **kwargs)


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with client_of(world) as client:
        yield client


@pytest.fixture
def gate(world: World) -> Camera:
    """A live camera with a secret URL, one line and one zone."""
    camera = Camera(
        "gate",
        SECRET_URL,
        "Main gate",
        lines=(Line("door", (0.1, 0.5), (0.9, 0.5)),),
        zones=(Zone("hall", ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))),),
    )
    world.database.put_camera(camera)
    world.live.states["gate"] = CameraState.LIVE
    return camera


def crossing(number: int, camera_id: str = "gate") -> Crossing:
    return Crossing(f"{number:032x}", camera_id, "door", "in", AT, number)


def visit(number: int) -> ZoneVisit:
    return ZoneVisit(f"{number:032x}", "gate", "hall", AT, AT, 4.5, "left", number)


def _analysis(camera_id: str) -> Analysis:
    boxes, scores = np.zeros((2, 4), np.float32), np.zeros(2, np.float32)
    return Analysis(
        frame=Frame(camera_id, 7, np.zeros((4, 4, 3), np.uint8), AT, 0.0),
        detections=Detections(boxes, scores),
        tracks=Tracks(np.array([1, 2]), boxes, scores),
        crossings=(),
        visits=(),
        people_in_zone={"hall": 1},
    )
