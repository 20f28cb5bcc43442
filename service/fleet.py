"""The running cameras: starts, changes and stops them; what they see goes its own way."""

from __future__ import annotations

import dataclasses
import functools
import threading
from typing import TYPE_CHECKING

from footfall.domain import CameraState, StateChange
from footfall.errors import UnknownRecordError
from service.capacity import StageTimes
from service.capture import CameraReader, CaptureSettings
from service.frames import FrameCounts, FrameLedger, NewestFrame
from service.live import WATCHED

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from footfall.domain import Camera
    from service.clock import Clock
    from service.live import LiveBoard
    from service.metrics import Metrics
    from service.pipeline import Pipeline
    from service.recorder import Recorder
    from service.scheduler import Scheduler
    from service.simulated import SceneTruth


@dataclasses.dataclass(slots=True)
class _Running:
    camera: Camera
    ledger: FrameLedger
    slot: NewestFrame | None = None
    reader: CameraReader | None = None


class Fleet:
    """Every camera that is configured, each with a reader of its own; safe to use from any thread."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        scheduler: Scheduler,
        recorder: Recorder,
        live: LiveBoard,
        metrics: Metrics,
        capture: CaptureSettings,
        rng: random.Random,
        clock: Clock,
        times: StageTimes | None = None,
    ) -> None:
        self._times = times or StageTimes()
        self._pipeline = pipeline
        self._scheduler = scheduler
        self._recorder = recorder
        self._live = live
        self._metrics = metrics
        self._capture = capture
        self._rng = rng
        self._clock = clock
        self._lock = threading.RLock()
        self._running: dict[str, _Running] = {}
        self._leaving: list[CameraReader] = []

    def cameras(self) -> list[Camera]:
        """Return the cameras as they run now."""
        with self._lock:
            return [running.camera for running in self._running.values()]

    def counts(self, camera_id: str) -> FrameCounts:
        """Return a camera's books.

        Raises:
            UnknownRecordError: it is not running.
        """
        with self._lock:
            running = self._running.get(camera_id)
        if running is None:
            raise UnknownRecordError(f"camera {camera_id!r}: is not running")
        return running.ledger.counts()

    def truth(self, camera_id: str) -> SceneTruth | None:
        """Return what a drawn scene truly showed since its lines were drawn; None of a real camera."""
        with self._lock:
            running = self._running.get(camera_id)
        return None if running is None or running.reader is None else running.reader.truth

    def apply(self, camera: Camera) -> None:
        """Run a camera as configured; it reconnects only if what it reads has changed."""
        with self._lock:
            running = self._running.get(camera.id)
            if running is None:
                running = _Running(camera, FrameLedger(camera.id, self._metrics))
                self._running[camera.id] = running
                self._show(running, camera)
                self._begin(running)
                return
            old, running.camera = running.camera, camera
            self._show(running, camera)
            reads = ("url", "transport", "loop", "enabled")
            if any(getattr(old, name) != getattr(camera, name) for name in reads):
                self._end(running)
                self._begin(running)
                return
            if running.slot is not None and (old.target_fps, old.priority) != (camera.target_fps, camera.priority):
                self._scheduler.set_rate(camera.id, camera.target_fps, camera.priority)
            if running.reader is not None:
                running.reader.watch(camera.lines)

    def forget_view(self, camera_id: str) -> None:
        """Learn anew what a camera shows: somebody has accepted it; nothing happens when it is not running."""
        self._pipeline.forget_view(camera_id)

    def remove(self, camera_id: str) -> None:
        """Stop a camera and show it no more; nothing happens when it is not running."""
        with self._lock:
            running = self._running.pop(camera_id, None)
            if running is None:
                return
            self._end(running)
            self._pipeline.forget(camera_id)
            self._live.remove(camera_id)
            self._metrics.remove_camera(camera_id)

    def stop(self, timeout_s: float) -> bool:
        """Stop reading every camera; tells whether all readers ended in time."""
        with self._lock:
            for running in self._running.values():
                self._end(running)
            leaving, self._leaving = self._leaving, []
        deadline_s = self._clock.monotonic() + timeout_s
        ended = [reader.join(max(0.0, deadline_s - self._clock.monotonic())) for reader in leaving]
        return all(ended)

    def _show(self, running: _Running, camera: Camera) -> None:
        self._metrics.add_camera(camera)
        self._live.show(camera, running.ledger)
        self._pipeline.watch(camera, running.ledger)

    def _begin(self, running: _Running) -> None:
        camera = running.camera
        self._metrics.decode_refused.labels(camera.id).set(0)  # what has refused before is asked again
        if not camera.enabled:
            self._on_state(StateChange(camera.id, CameraState.DISABLED, self._clock.now(), "switched off"))
            return
        running.slot = NewestFrame(running.ledger, self._scheduler.arrived)
        self._scheduler.add(camera.id, running.slot, camera.target_fps, camera.priority)
        running.reader = CameraReader(
            camera,
            running.slot,
            settings=self._capture,
            on_state=self._on_state,
            on_reconnect=self._on_reconnect,
            on_frame_at=self._on_frame_at,
            on_cost=functools.partial(self._times.add, "decode"),
            on_decode_refused=lambda camera_id: self._metrics.decode_refused.labels(camera_id).set(1),
            rng=self._rng,
            clock=self._clock,
        )
        running.reader.start()

    def _end(self, running: _Running) -> None:
        self._scheduler.remove(running.camera.id)
        if running.slot is not None:
            running.slot.close()
        if running.reader is not None:
            running.reader.stop()
            self._leaving = [reader for reader in self._leaving if not reader.join(0.0)]
            self._leaving.append(running.reader)
        running.slot = running.reader = None
        self._pipeline.interrupt(running.camera.id)

    def _on_state(self, change: StateChange) -> None:
        self._recorder.submit([change])
        self._metrics.set_state(change.camera_id, change.state)
        self._live.set_state(change)
        if change.state not in WATCHED:
            self._pipeline.interrupt(change.camera_id)

    def _on_reconnect(self, camera_id: str, reason: str) -> None:
        self._metrics.reconnects.labels(camera_id, reason).inc()

    def _on_frame_at(self, camera_id: str, at: datetime) -> None:
        self._metrics.last_frame_timestamp.labels(camera_id).set(at.timestamp())
