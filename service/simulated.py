"""A `sim:` camera while it runs: plays a drawn scene in real time and keeps the truth of what it showed."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from footfall.errors import SourceError
from footfall.simulation import parse_simulation_url
from footfall.vision.pixels import DrawnImage
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.truth import TruthCounter
from service.preflight import UnreachableError
from service.source import DecodedPicture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from footfall.domain import Direction, Line
    from footfall.simulation import SimulationSettings
    from footfall.vision.simulator import Moment
    from service.clock import Clock

_KEPT_EVENTS: Final = 10_000
_MOST_LATE_S: Final = 1.0
_LONGEST_WAIT_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class TrueCrossing:
    """Somebody truly crossed a line; `at` is aware UTC."""

    line: str
    direction: Direction
    at: datetime


@dataclass(frozen=True, slots=True)
class SceneTruth:
    """What truly happened since the lines were drawn.

    Attributes:
        since: when counting began; aware UTC.
        until: up to when the truth is known; aware UTC.
        crossings: in order; the newest 10 000.
    """

    since: datetime
    until: datetime
    crossings: tuple[TrueCrossing, ...]


def is_simulated(url: str) -> bool:
    """Tell whether `url` is a drawn scene."""
    return url.lower().startswith("sim:")


class SimulatedCamera:
    """One drawn camera, from its first opening until it is removed; connections come and go, the scene goes on.

    Args:
        url: a `sim:` URL that was checked.
        lines: where the truth is counted.
    """

    def __init__(self, url: str, lines: tuple[Line, ...] = (), *, clock: Clock) -> None:
        self._settings = parse_simulation_url(url)
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._simulator: Simulator | None = None
        self._started_s = 0.0
        self._index = 0
        self._lines = lines
        self._counter: TruthCounter | None = None
        self._counted_from: datetime | None = None
        self._counted_to: datetime | None = None
        self._crossings: deque[TrueCrossing] = deque(maxlen=_KEPT_EVENTS)

    def open(self, *, max_pixels: int) -> SimulatedSource:
        """Connect.

        Raises:
            UnreachableError: the scene says that the camera does not answer now.
            SourceError: the picture has more than `max_pixels` pixels.
        """
        settings = self._settings
        if settings.width_px * settings.height_px > max_pixels:
            raise SourceError(
                f"{self._url}: pictures of {settings.width_px}×{settings.height_px} have more than {max_pixels} pixels "
                "(max_pixels); choose a smaller size="
            )
        with self._lock:
            if self._simulator is None:
                self._simulator = Simulator(settings)
                self._started_s = self._clock.monotonic()
        self._catch_up(self._simulator)
        if self._simulator.is_disconnected_at(self._now_s()):
            raise UnreachableError(f"{self._url}: does not answer, as the scene has it", "refused")
        return SimulatedSource(self, settings)

    def watch(self, lines: tuple[Line, ...]) -> None:
        """Count the truth at these lines from now on, unless they are the same."""
        with self._lock:
            if lines != self._lines:
                self._lines = lines
                self._counter = None

    def truth(self) -> SceneTruth | None:
        """Return what truly happened; None before the first picture."""
        with self._lock:
            if self._counted_from is None or self._counted_to is None:
                return None
            return SceneTruth(self._counted_from, self._counted_to, tuple(self._crossings))

    def pictures(self) -> Iterator[DecodedPicture | None]:
        """Yield each picture when it is due; it is drawn when somebody wants it, unless it depends on others.

        Raises:
            UnreachableError: the scene says that the camera is cut off now.
        """
        simulator = self._simulator
        if simulator is None:
            raise RuntimeError("not open")
        waiting = threading.Event()
        fps = self._settings.fps
        while True:
            late_s = self._now_s() - self._index / fps
            if late_s > _MOST_LATE_S:
                self._catch_up(simulator)
            elif late_s < -1e-6:
                self._clock.wait(waiting, min(-late_s, _LONGEST_WAIT_S))
                if late_s < -1.01 * _LONGEST_WAIT_S:
                    yield None  # so that a reader can stop
                continue
            at_s = self._index / fps
            if simulator.is_disconnected_at(at_s):
                raise UnreachableError(f"{self._url}: was cut off, as the scene has it", "refused")
            moment = self._advance(simulator)
            if simulator.degrades_pictures:
                shown = simulator.draw(moment)
                yield None if shown is None else self._decoded(simulator, moment, shown.picture)
            else:
                yield self._decoded(simulator, moment, None)

    def _now_s(self) -> float:
        """Seconds of the scene; frames are due by it."""
        return self._clock.monotonic() - self._started_s

    def _catch_up(self, simulator: Simulator) -> None:
        """Let the scene go on, unseen, to the present."""
        while (self._index + 1) / self._settings.fps < self._now_s():
            self._advance(simulator)

    def _advance(self, simulator: Simulator) -> Moment:
        at_s = self._index / self._settings.fps
        self._index += 1
        moment = simulator.moment(at_s)
        # Told from now: the wall clock may be set while the scene plays.
        wall = self._clock.now() - timedelta(seconds=self._now_s() - at_s)
        with self._lock:
            if self._counter is None:
                settings = self._settings
                self._counter = TruthCounter(self._lines, (), width_px=settings.width_px, height_px=settings.height_px)
                self._counted_from = wall
                self._crossings.clear()
            for event in self._counter.update(moment)[0]:
                at = wall + timedelta(seconds=event.at_s - at_s)
                self._crossings.append(TrueCrossing(event.line, event.direction, at))
            self._counted_to = wall
        return moment

    def _decoded(self, simulator: Simulator, moment: Moment, picture: NDArray[np.uint8] | None) -> DecodedPicture:
        def draw() -> NDArray[np.uint8]:
            if picture is not None:
                return picture
            shown = simulator.draw(moment)
            if shown is None:
                raise SourceError(f"{self._url}: no picture at {moment.at_s:g} s")
            return shown.picture

        return DecodedPicture(
            is_corrupt=False,
            position_s=moment.at_s,
            image=DrawnImage(self._settings.width_px, self._settings.height_px, draw),
        )


class SimulatedSource:
    """A connection to a drawn camera; stands where a `VideoSource` stands."""

    def __init__(self, camera: SimulatedCamera, settings: SimulationSettings) -> None:
        self._camera = camera
        self.is_paced = False
        self.codec = "sim"
        self.decoded_by = None
        self.width_px, self.height_px = settings.width_px, settings.height_px
        self.announced_fps: float | None = settings.fps

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; the scene goes on."""

    def pictures(self) -> Iterator[DecodedPicture | None]:
        """Yield each picture when it is due; see `SimulatedCamera.pictures`."""
        return self._camera.pictures()
