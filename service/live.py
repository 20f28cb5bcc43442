"""What pages and API show now: each camera's newest analysis, and committed events as they come; stores nothing."""

from __future__ import annotations

import collections
import queue
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from footfall.domain import CameraState
from footfall.errors import UnknownRecordError
from footfall.vision.drawing import annotate, encode_jpeg

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from footfall.domain import Camera, Record, StateChange
    from footfall.vision.analysis import Analysis
    from service.clock import Clock
    from service.frames import FrameCounts, FrameLedger

WATCHED: Final = frozenset({CameraState.LIVE, CameraState.DEGRADED})
_RATE_WINDOW_S: Final = 5.0
_MAX_WAITING_EVENTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class CameraView:
    """What one camera shows now.

    Attributes:
        detail: one line for people; holds no secret.
        state_since: aware UTC.
        analysis: of the newest frame; None while the camera is not watched.
        fps: analysed frames a second, over the last seconds.
    """

    camera_id: str
    state: CameraState
    detail: str
    state_since: datetime
    analysis: Analysis | None
    fps: float
    frames: FrameCounts


class _Shown:
    def __init__(self, camera: Camera, ledger: FrameLedger, now: datetime) -> None:
        self.camera = camera
        self.ledger = ledger
        self.state = CameraState.CONNECTING
        self.detail = ""
        self.state_since = now
        self.analysis: Analysis | None = None
        self.times_s: collections.deque[float] = collections.deque(maxlen=512)
        self.totals: dict[str, dict[str, int]] = {}
        self.day: date = now.date()
        self.trails: dict[int, collections.deque[tuple[float, float]]] = {}
        self.jpeg: tuple[tuple[int, int | None, int], bytes] | None = None


class LiveBoard:
    """The newest of every camera; safe to use from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shown: dict[str, _Shown] = {}
        self._condition = threading.Condition()

    def show(self, camera: Camera, ledger: FrameLedger) -> None:
        """Begin to show a camera, or go on with other lines, zones or name."""
        with self._condition:
            shown = self._shown.get(camera.id)
            if shown is None:
                self._shown[camera.id] = _Shown(camera, ledger, self._clock.now())
            else:
                shown.camera, shown.ledger, shown.jpeg = camera, ledger, None

    def seed(self, camera_id: str, line: str, *, in_: int, out: int) -> None:
        """Tell what was counted today (UTC) before this start."""
        with self._condition:
            shown = self._shown.get(camera_id)
            if shown is not None:
                shown.totals[line] = {"in": in_, "out": out}

    def remove(self, camera_id: str) -> None:
        """Show a camera no more."""
        with self._condition:
            self._shown.pop(camera_id, None)
            self._condition.notify_all()

    def set_state(self, change: StateChange) -> None:
        """A camera came into a state; outside `live` and `degraded` it shows no picture."""
        with self._condition:
            shown = self._shown.get(change.camera_id)
            if shown is None:
                return
            shown.state, shown.detail, shown.state_since = change.state, change.detail, change.at
            if change.state not in WATCHED:
                shown.analysis, shown.jpeg = None, None
                shown.times_s.clear()
                shown.trails.clear()

    def publish(self, analysis: Analysis) -> None:
        """Show what a frame told; ignored while its camera is not watched."""
        with self._condition:
            shown = self._shown.get(analysis.frame.camera_id)
            if shown is None or shown.state not in WATCHED:
                return
            shown.analysis = analysis
            shown.times_s.append(analysis.frame.received_s)
            today = analysis.frame.received_at.astimezone(UTC).date()
            if today != shown.day:
                shown.day, shown.totals = today, {}
            for crossing in analysis.crossings:
                shown.totals.setdefault(crossing.line, {"in": 0, "out": 0})[crossing.direction] += 1
            self._extend_trails(shown, analysis)
            self._condition.notify_all()

    @staticmethod
    def _extend_trails(shown: _Shown, analysis: Analysis) -> None:
        here = set(analysis.tracks.ids.tolist())
        shown.trails = {key: trail for key, trail in shown.trails.items() if key in here}
        for identity, box in zip(analysis.tracks.ids.tolist(), analysis.tracks.boxes_px.tolist(), strict=True):
            trail = shown.trails.setdefault(identity, collections.deque(maxlen=15))
            trail.append(((box[0] + box[2]) / 2, box[3]))

    def view(self, camera_id: str) -> CameraView:
        """Return what a camera shows now.

        Raises:
            UnknownRecordError: it is not shown.
        """
        with self._condition:
            shown = self._get(camera_id)
            now_s = self._clock.monotonic()
            recent = [at_s for at_s in shown.times_s if at_s >= now_s - _RATE_WINDOW_S]
            return CameraView(
                camera_id=camera_id,
                state=shown.state,
                detail=shown.detail,
                state_since=shown.state_since,
                analysis=shown.analysis,
                fps=len(recent) / _RATE_WINDOW_S,
                frames=shown.ledger.counts(),
            )

    def annotated_jpeg(self, camera_id: str, *, width_px: int | None = None, quality: int = 80) -> bytes | None:
        """Return the newest picture with boxes, lines, zones and counts; None while there is none.

        Raises:
            UnknownRecordError: the camera is not shown.
        """
        with self._condition:
            shown = self._get(camera_id)
            analysis = shown.analysis
            if analysis is None:
                return None
            key = (analysis.frame.sequence, width_px, quality)
            if shown.jpeg is not None and shown.jpeg[0] == key:
                return shown.jpeg[1]
            camera = shown.camera
            totals = {line: dict(counts) for line, counts in shown.totals.items()}
            trails = {identity: list(trail) for identity, trail in shown.trails.items()}
        # Drawing is slow: others must not wait for it.
        jpeg = encode_jpeg(annotate(analysis, camera, totals, trails, width_px=width_px), quality=quality)
        with self._condition:
            if self._shown.get(camera_id) is shown and shown.analysis is not None:
                shown.jpeg = (key, jpeg)
        return jpeg

    def wait_for_picture(self, camera_id: str, after_sequence: int, timeout_s: float) -> int:
        """Wait until a picture other than number `after_sequence` is there; return the newest number.

        Returns:
            `after_sequence` when none came in time.

        Raises:
            UnknownRecordError: the camera is not shown, or was removed while waiting.
        """

        def newest() -> int:
            analysis = self._get(camera_id).analysis
            return after_sequence if analysis is None else analysis.frame.sequence

        with self._condition:
            self._condition.wait_for(lambda: newest() != after_sequence, timeout_s)
            return newest()

    def _get(self, camera_id: str) -> _Shown:
        shown = self._shown.get(camera_id)
        if shown is None:
            raise UnknownRecordError(f"camera {camera_id!r}: is not running")
        return shown


class Subscription:
    """Committed records for one listener; when it is too slow the oldest are dropped."""

    def __init__(self, bus: EventBus, size: int) -> None:
        self._bus = bus
        self._queue: queue.Queue[Record] = queue.Queue(size)
        self.dropped = 0

    def get(self, timeout_s: float) -> Record | None:
        """Wait for the next record; None when none came in time."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Listen no more."""
        self._bus.forget(self)

    def put(self, record: Record) -> None:
        """Offer a record; never waits."""
        while True:
            try:
                self._queue.put_nowait(record)
            except queue.Full:
                try:
                    self._queue.get_nowait()
                    self.dropped += 1
                except queue.Empty:
                    continue
            else:
                return


class EventBus:
    """Tells every listener of committed records; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []

    def subscribe(self, *, size: int = _MAX_WAITING_EVENTS) -> Subscription:
        """Begin to listen; `close` the subscription at the end."""
        subscription = Subscription(self, size)
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Stop telling a listener; nothing happens when it is not there."""
        with self._lock:
            self._subscriptions = [each for each in self._subscriptions if each is not subscription]

    def publish(self, records: Iterable[Record] | Sequence[Record]) -> None:
        """Tell everybody."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        if subscriptions:
            for record in records:
                for subscription in subscriptions:
                    subscription.put(record)
