"""A real server whose one camera films painted people; only the camera and the detector are not real."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydantic import SecretStr
from support.sampled import sample_parts

from footfall.config import Settings
from footfall.domain import (
    Camera,
    CameraState,
    Coverage,
    Detections,
    Frame,
    ModelVersion,
    StateChange,
)
from footfall.stores.database import Database
from footfall.vision.analysis import CameraAnalyser
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

    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Page

    from service.capacity import Capacity

WIDTH_PX, HEIGHT_PX = 1280, 720
FPS = 10
LAP_S = 4.0
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def people_at(seconds: float) -> NDArray[np.float32]:
    """Three people who walk from left to right, one behind the other; (3, 4) pixels."""
    boxes = []
    for person in range(3):
        x = ((seconds / LAP_S + person / 3) % 1.0) * (WIDTH_PX - 120) + 60
        foot = 520 + 60 * person
        boxes.append((x - 40, foot - 210, x + 40, foot))
    return np.array(boxes, np.float32)


def paint(boxes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A plain hall with people in it; (H, W, 3) uint8, BGR."""
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), (178, 184, 186), np.uint8)
    picture[330:] = (142, 148, 152)
    cv2.rectangle(picture, (500, 110), (780, 420), (118, 124, 130), -1)
    cv2.rectangle(picture, (520, 130), (760, 420), (206, 214, 216), -1)
    cv2.line(picture, (640, 130), (640, 420), (118, 124, 130), 4)
    for number, (x0, y0, x1, y1) in enumerate(boxes.astype(int).tolist()):
        middle = (x0 + x1) // 2
        coat = [(120, 86, 52), (70, 90, 150), (90, 120, 70)][number % 3]
        cv2.ellipse(picture, (middle, y0 + 118), (32, 66), 0, 0, 360, coat, -1)
        cv2.rectangle(picture, (middle - 20, y0 + 150), (middle - 3, y1), (62, 56, 52), -1)
        cv2.rectangle(picture, (middle + 3, y0 + 150), (middle + 20, y1), (62, 56, 52), -1)
        cv2.circle(picture, (middle, y0 + 30), 22, (160, 186, 222), -1)
    return picture


class PaintedFleet:
    """Cameras that film painted people; lines and zones count with the real analyser."""

    def __init__(self, live: LiveBoard, recorder: Recorder) -> None:
        self._live = live
        self._recorder = recorder
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._analysers: dict[str, CameraAnalyser] = {}
        self.forgotten: list[str] = []
        self._thread = threading.Thread(target=self._run, name="painted")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def apply(self, camera: Camera) -> None:
        with self._lock:
            self._analysers.pop(camera.id, None)
            state = CameraState.LIVE if camera.enabled else CameraState.DISABLED
            if camera.id == "lift":
                state = CameraState.STALLED
            self._live.show(camera, FrameLedger(camera.id))
            self._live.set_state(StateChange(camera.id, state, datetime.now(UTC), ""))
            if state is CameraState.LIVE:
                self._analysers[camera.id] = CameraAnalyser(camera, run_id=uuid.uuid4().hex)

    def forget_view(self, camera_id: str) -> None:
        with self._lock:
            self.forgotten.append(camera_id)

    def remove(self, camera_id: str) -> None:
        with self._lock:
            self._analysers.pop(camera_id, None)
            self._live.remove(camera_id)

    def _run(self) -> None:
        sequence = 0
        while not self._stopping.wait(1 / FPS):
            sequence += 1
            now, now_s = datetime.now(UTC), time.monotonic()
            boxes = people_at(now_s)
            picture = paint(boxes)
            detections = Detections(boxes, np.full(len(boxes), 0.9, np.float32))
            with self._lock:
                for camera_id, analyser in self._analysers.items():
                    analysis = analyser.update(Frame(camera_id, sequence, picture, now, now_s), detections)
                    self._live.publish(analysis)
                    minute = now.replace(second=0, microsecond=0)
                    self._recorder.submit(
                        [*analysis.crossings, *analysis.visits, Coverage(camera_id, minute, 1 / FPS, 1)]
                    )


@dataclass
class Site:
    """The running server."""

    url: str
    database: Database
    fleet: PaintedFleet
    services: Services
    server: ApiServer


@pytest.fixture
def api_token() -> str | None:
    """The token of the site; a test module that wants one overrides this."""
    return None


@pytest.fixture
def viewer_token() -> str | None:
    """That of viewers; likewise."""
    return None


@pytest.fixture
def capacity() -> Capacity | None:
    """How the machine stands; likewise."""
    return None


@pytest.fixture
def site(tmp_path: Path, api_token: str | None, viewer_token: str | None, capacity: Capacity | None) -> Iterator[Site]:
    secret, viewer = (None if each is None else SecretStr(each) for each in (api_token, viewer_token))
    settings = Settings(data_dir=tmp_path, api_token=secret, viewer_token=viewer)
    database = Database(settings.sqlalchemy_url)
    database.migrate()
    live, events, metrics = LiveBoard(SystemClock()), EventBus(), Metrics()
    recorder = Recorder(database, metrics, commit_interval_s=0.1, on_committed=events.publish)
    recorder.start()
    fleet = PaintedFleet(live, recorder)
    detector: Any = SimpleNamespace(
        version=ModelVersion("yolo11n", "ab" * 32, 0.4, "AGPL-3.0-or-later"), runtime="onnxruntime"
    )
    services = Services(
        settings=settings,
        database=database,
        fleet=fleet,  # type: ignore[arg-type]
        live=live,
        events=events,
        metrics=metrics,
        recorder=recorder,
        detector=lambda: detector,
        capacity=lambda: capacity,
        **sample_parts(settings.data_dir, metrics, database),
    )
    server = ApiServer(create_app(services))
    fleet.start()
    server.start()
    try:
        yield Site(server.url, database, fleet, services, server)
    finally:
        assert server.stop()
        fleet.stop()
        assert recorder.stop(5)
        database.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def viewport() -> Any:
    """Size of the window; a test module that wants another one overrides this."""
    return {"width": 1280, "height": 900}


@pytest.fixture
def page(browser: Browser, viewport: Any) -> Iterator[Page]:
    context = browser.new_context(viewport=viewport, timezone_id="Europe/Berlin", locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(10_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        # A picture or service that is not there is one of the cases here.
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    yield page
    context.close()
    assert faults == []  # among them every breach of the content security policy
