"""Keeps one camera's newest picture coming, whatever the camera does; knows nothing of what is on the picture."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from footfall.config import SOFTWARE
from footfall.domain import CameraState, DropReason, StateChange
from footfall.errors import (
    AuthFailedError,
    FootfallError,
    NotFoundError,
    RedirectRefusedError,
    SourceError,
    StalledError,
)
from footfall.redaction import encode_userinfo, redact, redact_url
from service.backoff import Backoff
from service.decoder import DecodeChoice
from service.frames import CapturedFrame
from service.preflight import UnreachableError
from service.simulated import SceneTruth, SimulatedCamera, is_simulated
from service.source import is_film, open_source

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from datetime import datetime

    from footfall.domain import Camera, Line
    from service.clock import Clock
    from service.frames import NewestFrame
    from service.source import DecodedPicture, PictureSource

_log = structlog.get_logger(__name__)

_WATCHED: Final = (CameraState.LIVE, CameraState.DEGRADED)


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How cameras are opened and watched.

    Attributes:
        stall_timeout_s: without a decoded picture for this long a camera is stalled. A read that brings no packet for
            60 % of it is given up: under the 5 s at which a frozen camera's RTCP reports would keep it alive.
        backoff_most_s: longest wait before a camera that has failed for five minutes is tried again.
        auth_ladder_s: waits after a refused password.
        decode_device: `software`, or what decodes where it can.
    """

    open_timeout_s: float = 5.0
    stall_timeout_s: float = 5.0
    max_pixels: int = 8_912_896
    backoff_first_s: float = 1.0
    backoff_most_s: float = 30.0
    auth_ladder_s: tuple[float, ...] = (60.0, 300.0, 1800.0)
    decode_device: str = SOFTWARE


class CorruptShare:
    """How much of the last minute's pictures was broken.

    A camera is degraded when more than 5 % were, and healthy again after 8 s without a broken one, not a minute.
    """

    WINDOW_S: Final = 60
    LIMIT: Final = 0.05
    CLEAN_AFTER_S: Final = 8.0
    LEAST_PICTURES: Final = 20  # the first broken picture after a start is no 100 %

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()  # [second, pictures, broken]
        self._pictures = self._broken = 0  # in all of these seconds
        self._last_broken_s = float("-inf")
        self.is_degraded = False

    def add(self, now_s: float, *, is_corrupt: bool) -> bool:
        """Enter a picture at `now_s` (monotonic); return whether the camera is degraded."""
        second = int(now_s)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
            while self._seconds[0][0] <= second - self.WINDOW_S:
                _, pictures, broken = self._seconds.popleft()
                self._pictures, self._broken = self._pictures - pictures, self._broken - broken
        self._seconds[-1][1] += 1
        self._pictures += 1
        if is_corrupt:
            self._seconds[-1][2] += 1
            self._broken += 1
            self._last_broken_s = now_s
        if self.is_degraded:
            if now_s - self._last_broken_s >= self.CLEAN_AFTER_S:
                self.is_degraded = False
                self._seconds.clear()
                self._pictures = self._broken = 0
            return self.is_degraded
        self.is_degraded = self._pictures >= self.LEAST_PICTURES and self._broken > self.LIMIT * self._pictures
        return self.is_degraded


class CameraReader:
    """Reads one camera on a thread of its own until it is stopped; opens it again as often as it takes.

    A second, sleeping thread looks at the time of the last decoded picture, so that a reader that is stuck inside the
    decoder is seen too. Both are daemons and raise nothing.

    Args:
        slot: gets every healthy picture; its ledger hears of every picture.
        on_state: told about each change, in order, from either thread; quick, and never raises. Not called once
            `stop` was: what a stopped camera shows is up to whoever stopped it.
        on_reconnect: camera id and a value of `service.metrics.RECONNECT_REASONS`, before each further attempt.
        on_frame_at: camera id and receive time of each healthy picture.
        on_cost: CPU seconds that the last picture took to receive and decode.
        on_decode_refused: camera id, once at most: the device that was asked for does not decode it.
    """

    def __init__(
        self,
        camera: Camera,
        slot: NewestFrame,
        *,
        settings: CaptureSettings,
        on_state: Callable[[StateChange], None],
        on_reconnect: Callable[[str, str], None],
        on_frame_at: Callable[[str, datetime], None],
        rng: random.Random,
        clock: Clock,
        on_cost: Callable[[float], None] = lambda _: None,
        on_decode_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._on_cost = on_cost
        self._cpu_s: float | None = None
        self._camera = camera
        self._scene = SimulatedCamera(camera.url, camera.lines, clock=clock) if is_simulated(camera.url) else None
        self._slot = slot
        self._settings = settings
        self._on_state = on_state
        self._on_reconnect = on_reconnect
        self._on_frame_at = on_frame_at
        self._clock = clock
        self._backoff = Backoff(
            first_s=settings.backoff_first_s,
            most_s=settings.backoff_most_s,
            auth_ladder_s=settings.auth_ladder_s,
            rng=rng,
        )
        self._on_decode_refused = on_decode_refused
        self._decoding = DecodeChoice(settings.decode_device, self._tell_refusal)
        self._size = ""
        self._corrupt = CorruptShare()
        self._stopped = threading.Event()
        self._state_lock = threading.RLock()
        self._state = CameraState.CONNECTING
        self._sequence = 0
        self._last_picture_s = clock.monotonic()
        self._live_since_s: float | None = None
        self._threads = (
            threading.Thread(target=self._run, name=f"capture {camera.id}", daemon=True),
            threading.Thread(target=self._watch, name=f"watchdog {camera.id}", daemon=True),
        )

    @property
    def state(self) -> CameraState:
        """What the camera is doing."""
        with self._state_lock:
            return self._state

    @property
    def truth(self) -> SceneTruth | None:
        """What a drawn scene truly showed; None of a real camera."""
        return None if self._scene is None else self._scene.truth()

    def watch(self, lines: tuple[Line, ...]) -> None:
        """Let a drawn scene count its truth at other lines; nothing happens to a real camera."""
        if self._scene is not None:
            self._scene.watch(lines)

    def start(self) -> None:
        """Begin; once only. The first state told is `connecting`."""
        with self._state_lock:
            self._tell(CameraState.CONNECTING, f"opening {redact_url(self._camera.url)}")
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask both threads to end; a read that waits for the camera ends at its timeout."""
        with self._state_lock:
            self._stopped.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the threads after `stop`, at most `timeout_s`; tell whether they ended."""
        deadline_s = self._clock.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline_s - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._live_since_s = None
            fault: FootfallError | None = None
            try:
                self._read()
            except FootfallError as error:
                fault = error
            except Exception as error:  # noqa: BLE001  the thread must outlive whatever a camera sends
                fault = SourceError(f"unexpected {type(error).__name__}: {error}")
            if self._stopped.is_set():
                return
            if fault is None:
                self._set_state(CameraState.ENDED, f"{redact_url(self._camera.url)}: read to its end")
                self._stopped.set()  # nothing is left to watch
                return
            self._wait_after(fault)

    def _wait_after(self, fault: FootfallError) -> None:
        now_s = self._clock.monotonic()
        if self._live_since_s is not None:
            self._backoff.succeeded(now_s - self._live_since_s)
        state, reason = _meaning(fault)
        if state is CameraState.AUTH_FAILED:
            wait_s = self._backoff.after_refused_password()
        else:
            wait_s = self._backoff.after_failure(now_s)
        detail = self._clean(str(fault))
        attempt = self._backoff.attempt
        level = _log.warning if attempt == 1 or self.state is not state else _log.debug
        level(
            "camera failed",
            camera=self._camera.id,
            state=state.value,
            reason=reason,
            detail=detail,
            attempt=attempt,
            retry_in_s=round(wait_s, 1),
        )
        self._set_state(state, detail)
        if not self._clock.wait(self._stopped, wait_s):
            self._on_reconnect(self._camera.id, reason)

    def _read(self) -> None:
        """Read until the source faults (raises), a film that is not looped ends (returns), or `stop`."""
        pacer = _Pacer(self._clock, self._stopped)
        while not self._stopped.is_set():
            before = self._sequence
            with self._open() as source:
                self._read_open(source, pacer)
            if self._stopped.is_set():
                return
            if not is_film(self._camera.url):
                raise _EndedError(f"{redact_url(self._camera.url)}: the camera ended the stream")
            if self._sequence == before:
                raise SourceError(f"{redact_url(self._camera.url)}: holds no picture")
            if not self._camera.loop:
                return
            pacer.rewind()

    def _open(self) -> PictureSource:
        settings = self._settings
        if self._scene is not None:
            return self._scene.open(max_pixels=settings.max_pixels)
        return open_source(
            self._camera.url,
            transport=self._camera.transport,
            open_timeout_s=settings.open_timeout_s,
            read_timeout_s=0.6 * settings.stall_timeout_s,
            max_pixels=settings.max_pixels,
            clock=self._clock,
            decoding=self._decoding,
        )

    def _read_open(self, source: PictureSource, pacer: _Pacer) -> None:
        last_decoded_s = self._clock.monotonic()
        for picture in source.pictures():
            if self._stopped.is_set():
                return
            if picture is not None:
                if source.is_paced and not pacer.wait_for(picture.position_s, source.announced_fps):
                    return
                self._take(picture)
            if picture is not None and picture.width_px:
                last_decoded_s = self._clock.monotonic()
            elif self._clock.monotonic() - last_decoded_s > self._settings.stall_timeout_s:
                raise StalledError(
                    f"{redact_url(self._camera.url)}: data flows, but no picture could be decoded from it for "
                    f"{self._settings.stall_timeout_s:g} s (stall_timeout_s)"
                )

    def _take(self, picture: DecodedPicture) -> None:
        received_at, received_s = self._clock.now(), self._clock.monotonic()
        cpu_s = time.thread_time()
        if self._cpu_s is not None:
            self._on_cost(cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
        sequence = self._sequence
        self._sequence += 1
        self._slot.ledger.receive()
        if picture.width_px * picture.height_px > self._settings.max_pixels:
            self._slot.ledger.drop(DropReason.CORRUPT)
            raise SourceError(
                f"{redact_url(self._camera.url)}: a picture of {picture.width_px}×{picture.height_px} has more than "
                f"{self._settings.max_pixels} pixels (max_pixels); choose a smaller stream of this camera"
            )
        is_degraded = self._corrupt.add(received_s, is_corrupt=picture.is_corrupt)
        if picture.width_px:
            if self._live_since_s is None:
                self._live_since_s = received_s
            with self._state_lock:
                self._last_picture_s = received_s
                if is_degraded:
                    self._set_state(CameraState.DEGRADED, "more than 5 % of the last minute's pictures were broken")
                elif not picture.is_corrupt or self._state is CameraState.DEGRADED:
                    self._size = f"{picture.width_px}×{picture.height_px}"
                    self._set_state(CameraState.LIVE, self._live_detail())
        if picture.is_corrupt or picture.image is None:
            self._slot.ledger.drop(DropReason.CORRUPT)
            return
        self._on_frame_at(self._camera.id, received_at)
        self._slot.put(
            CapturedFrame(
                camera_id=self._camera.id,
                sequence=sequence,
                received_at=received_at,
                received_s=received_s,
                image=picture.image,
            )
        )

    def _live_detail(self) -> str:
        """What is told of a camera that is live: its size, and what decodes it where that was asked."""
        choice = self._decoding
        if choice.refusal:
            return f"{self._size}, decoded in software: {choice.refusal}"
        return f"{self._size}, decoded by {choice.wanted}" if choice.device else self._size

    def _tell_refusal(self, why: str) -> None:
        with self._state_lock:
            if self._stopped.is_set():  # the camera may be gone, or read by another one by now
                return
            _log.warning("decoded in software", camera=self._camera.id, device=self._decoding.wanted, why=why)
            self._on_decode_refused(self._camera.id)
            if self._state is CameraState.LIVE:
                self._tell(CameraState.LIVE, self._live_detail())

    def _watch(self) -> None:
        timeout_s = self._settings.stall_timeout_s
        while not self._clock.wait(self._stopped, min(0.5, timeout_s / 10)):
            with self._state_lock:
                dark_s = self._clock.monotonic() - self._last_picture_s
                if self._state in _WATCHED and dark_s > timeout_s:
                    self._set_state(
                        CameraState.STALLED,
                        f"{redact_url(self._camera.url)}: no picture for {dark_s:.1f} s "
                        f"(stall_timeout_s={timeout_s:g})",
                    )

    def _set_state(self, state: CameraState, detail: str) -> None:
        with self._state_lock:
            if state is self._state or self._stopped.is_set():
                return
            self._tell(state, detail)

    def _tell(self, state: CameraState, detail: str) -> None:
        self._state = state
        change = StateChange(self._camera.id, state, self._clock.now(), self._clean(detail))
        _log.info("camera state", camera=self._camera.id, state=state.value, detail=change.detail)
        self._on_state(change)

    def _clean(self, text: str) -> str:
        return redact(text, self._camera.url, encode_userinfo(self._camera.url))


class _EndedError(SourceError):
    """A live source ended: no camera does that on purpose."""


class _Pacer:
    """Plays films at the rate they were filmed with, without hurry after a delay."""

    _LONGEST_GAP_S: Final = 2.0  # under the stall timeout
    _MOST_LATE_S: Final = 1.0

    def __init__(self, clock: Clock, stopped: threading.Event) -> None:
        self._clock = clock
        self._stopped = stopped
        self._due_s: float | None = None
        self._last_position_s: float | None = None

    def rewind(self) -> None:
        """The film starts again; its first picture comes one frame after its last."""
        self._last_position_s = None

    def wait_for(self, position_s: float | None, fps: float | None) -> bool:
        """Wait until the picture at `position_s` of the film is due; False when stopped meanwhile."""
        now_s = self._clock.monotonic()
        if self._due_s is None:
            self._due_s = now_s
        else:
            gap_s = 1.0 / fps if fps else 0.04
            if position_s is not None and self._last_position_s is not None:
                gap_s = position_s - self._last_position_s
            self._due_s += min(max(gap_s, 0.0), self._LONGEST_GAP_S)
            if now_s - self._due_s > self._MOST_LATE_S:
                self._due_s = now_s
        self._last_position_s = position_s
        return not self._clock.wait(self._stopped, self._due_s - now_s)


_MEANINGS: Final[tuple[tuple[type[FootfallError], CameraState, str], ...]] = (
    (AuthFailedError, CameraState.AUTH_FAILED, "auth_failed"),
    (NotFoundError, CameraState.NOT_FOUND, "not_found"),
    (RedirectRefusedError, CameraState.OFFLINE, "redirect"),
    (StalledError, CameraState.STALLED, "stalled"),
    (_EndedError, CameraState.OFFLINE, "ended"),
)


def _meaning(fault: FootfallError) -> tuple[CameraState, str]:
    """Return the state a fault leads to, and the reason to count it under."""
    if isinstance(fault, UnreachableError):
        return CameraState.OFFLINE, fault.reason
    for kind, state, reason in _MEANINGS:
        if isinstance(fault, kind):
            return state, reason
    return CameraState.OFFLINE, "error"
