"""A real server over a real SQLite file; no camera is filmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.sampled import sample_parts

from footfall.config import Settings
from footfall.domain import Camera, CameraState, Detections, Frame, Line, ModelVersion, StateChange, Tracks, Zone
from footfall.stores.database import Database
from footfall.vision.analysis import Analysis
from service.api.app import create_app
from service.api.server import ApiServer
from service.api.services import Services
from service.clock import SystemClock
from service.frames import FrameLedger
from service.live import EventBus, LiveBoard
from service.metrics import Metrics
from service.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GATE = Camera(
    "gate",
    "rtsp://admin:p@:/%?#é@10.0.0.7/main",
    lines=(Line("door", (0.5, 0.9), (0.5, 0.1)),),
    zones=(Zone("hall", ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))),),
)


@dataclass
class IdleFleet:
    """Starts nothing; remembers what it was told."""

    running: dict[str, Camera] = field(default_factory=dict)

    def apply(self, camera: Camera) -> None:
        self.running[camera.id] = camera

    def remove(self, camera_id: str) -> None:
        self.running.pop(camera_id, None)


@dataclass
class Site:
    """The running server."""

    url: str
    database: Database
    live: LiveBoard
    events: EventBus
    recorder: Recorder
    server: ApiServer

    def show_picture(self, sequence: int) -> None:
        """Let the camera `gate` have a new picture of nobody."""
        nobody = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        frame = Frame("gate", sequence, np.full((120, 160, 3), 90, np.uint8), datetime.now(UTC), float(sequence))
        tracks = Tracks(np.zeros(0, np.int64), *nobody)
        self.live.publish(Analysis(frame, Detections(*nobody), tracks, (), (), {"hall": 0}))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(data_dir=tmp_path)
    database = Database(settings.sqlalchemy_url)
    database.migrate()
    database.put_camera(GATE)
    live, events, metrics = LiveBoard(SystemClock()), EventBus(), Metrics()
    recorder = Recorder(database, metrics, commit_interval_s=0.1, on_committed=events.publish)
    recorder.start()
    detector: Any = SimpleNamespace(version=ModelVersion("yolo11n", "ab" * 32, 0.4, "AGPL-3.0"), runtime="onnxruntime")
    fleet: Any = IdleFleet()
    services = Services(
        settings=settings,
        database=database,
        fleet=fleet,
        live=live,
        events=events,
        metrics=metrics,
        recorder=recorder,
        detector=lambda: detector,
        **sample_parts(settings.data_dir, metrics, database),
    )
    live.show(GATE, FrameLedger("gate"))
    live.set_state(StateChange("gate", CameraState.LIVE, datetime.now(UTC)))
    server = ApiServer(create_app(services))
    server.start()
    try:
        yield Site(server.url, database, live, events, recorder, server)
    finally:
        server.stop()
        recorder.stop(5)
        database.close()
