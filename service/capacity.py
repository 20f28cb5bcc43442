"""Whether the machine is large enough for its cameras, and what takes the most of it.

Capacity is told from what the last seconds cost: analyses asked for ÷ analyses the machine could do. Above 1 it is too
small, and rates fall.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Stage = Literal["decode", "detect", "count", "other"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""Receiving and decoding; the detector with its scaling; tracking, counting and statistics; everything else."""


def usable_cores() -> int:
    """Cores this process may run on: fewer than the machine has where it was pinned.

    >>> 1 <= usable_cores() <= os.cpu_count()
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def helpers_cpu_s() -> float:
    """CPU seconds, to a hundredth each, of this process's threads that Python did not start and that still run.

    They are those of libraries: of the detector's runtime, which may compute on threads of its own. 0.0 where the
    system does not tell threads apart.
    """
    if sys.platform != "linux":
        return 0.0
    ours = {thread.native_id for thread in threading.enumerate()}
    try:
        threads = psutil.Process().threads()
    except (psutil.Error, OSError):  # its figures are hidden, which is no reason to count nobody
        return 0.0
    return sum(each.user_time + each.system_time for each in threads if each.id not in ours)


class StageTimes:
    """Adds up the CPU time of each stage; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        self._busy_s = 0.0

    def add(self, stage: Stage, seconds: float) -> None:
        """`seconds` of CPU time went into a stage."""
        with self._lock:
            self._seconds[stage] += seconds

    def add_busy(self, seconds: float) -> None:
        """An analysis thread was at work, or waited for a core, for so long."""
        with self._lock:
            self._busy_s += seconds

    def read(self) -> tuple[dict[Stage, float], float]:
        """Return CPU seconds by stage and busy seconds of the analysis threads, since the start."""
        with self._lock:
            return dict(self._seconds), self._busy_s


@dataclass(frozen=True, slots=True)
class CameraBooks:
    """One camera that is watched.

    Attributes:
        received, analysed: frames since the start.
    """

    camera_id: str
    target_fps: float
    received: int
    analysed: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """How the machine stands, over the last seconds.

    Attributes:
        needed_fps: analyses a second asked for: each camera's rate, or what it sends if that is less.
        available_fps: analyses a second that could be done at what they cost now.
        limiting_stage: what takes the most CPU time.
        stage_ms: CPU time of each stage for an analysed frame.
        cores_used: of `cores`, by this process.
        next_camera_cores: what one more camera like these would take.
        cameras_possible: how many like these fit in all; 0 when none runs.
        received_fps: frames a second by the id of each camera that sent any.
    """

    needed_fps: float
    available_fps: float
    limiting_stage: Stage
    stage_ms: Mapping[Stage, float]
    cores: int
    cores_used: float
    next_camera_cores: float
    cameras_possible: int
    received_fps: Mapping[str, float]

    @property
    def ratio(self) -> float:
        """Needed ÷ available; above 1 the machine is too small."""
        return self.needed_fps / self.available_fps

    def load_of(self, targets_fps: Mapping[str, float]) -> Load:
        """Tell how the machine stands when exactly these cameras run, each at what the running ones cost on average.

        Receiving and decoding cost the same whether a frame is analysed or not; everything else is paid for each
        analysis. A camera that was not measured is taken to send like the others, or its own rate if that is more.

        Args:
            targets_fps: analyses a second aimed at, by the id of each camera that is switched on.
        """
        sent = {
            camera_id: self.received_fps.get(camera_id, max(self._mean_received_fps, target))
            for camera_id, target in targets_fps.items()
        }
        needed = sum(min(target, sent[camera_id]) for camera_id, target in targets_fps.items())
        analysed = 1e3 * self.cores_used / sum(self.stage_ms.values())
        decode = 1e-3 * self.stage_ms["decode"] * analysed / sum(self.received_fps.values()) * sum(sent.values())
        each = 1e-3 * sum(ms for stage, ms in self.stage_ms.items() if stage != "decode")
        # The cores that analyses can have: less than all where others hold the threads up.
        usable = 1e-3 * self.available_fps * sum(self.stage_ms.values())
        fits = decode + needed * each <= usable
        available = usable / (each + (decode / needed if needed else 0.0)) if fits else max(0.0, usable - decode) / each
        done = min(needed, available)
        spent = {stage: 1e3 * decode if stage == "decode" else done * self.stage_ms[stage] for stage in STAGES}
        return Load(
            needed_fps=needed,
            available_fps=available,
            cores=decode + needed * each,
            limiting_stage=max(STAGES, key=lambda stage: spent[stage]),
        )

    @property
    def _mean_received_fps(self) -> float:
        return sum(self.received_fps.values()) / len(self.received_fps)


@dataclass(frozen=True, slots=True)
class Load:
    """What some cameras ask of the machine, and what it can do for them.

    Attributes:
        needed_fps: analyses a second asked for; 0.0 without a camera.
        available_fps: analyses a second that could be done; 0.0 where decoding alone takes all.
        cores: that they need.
        limiting_stage: what takes the most CPU time.
    """

    needed_fps: float
    available_fps: float
    cores: float
    limiting_stage: Stage

    @property
    def fits(self) -> bool:
        """Whether every camera keeps its rate."""
        return self.needed_fps <= self.available_fps

    @property
    def share(self) -> float:
        """Share of its rate that every camera gets, priorities aside; 1.0 where all fit."""
        return 1.0 if self.fits else self.available_fps / self.needed_fps


class CapacityMeter:
    """Compares two moments.

    Args:
        workers: analysis threads.
        cores: this process may use.
    """

    LEAST_S: Final = 4.0

    def __init__(self, times: StageTimes, *, workers: int, cores: int) -> None:
        self._times = times
        self._workers = workers
        self._cores = cores
        self._last: tuple[float, float, dict[Stage, float], float, dict[str, CameraBooks], float] | None = None

    def is_due(self, now_s: float) -> bool:
        """Tell whether enough time has passed for another look."""
        return self._last is None or now_s - self._last[0] >= self.LEAST_S

    def look(
        self, now_s: float, process_cpu_s: float, cameras: Sequence[CameraBooks], *, helpers_cpu_s: float = 0.0
    ) -> Capacity | None:
        """Tell how the time since the last look went.

        Args:
            now_s: monotonic.
            process_cpu_s: CPU time of the whole process since its start.
            cameras: those that are watched now.
            helpers_cpu_s: of it, on threads that compute for the detector, beside what its callers have added.

        Returns:
            None at the first look and while nothing is analysed.
        """
        stages, busy_s = self._times.read()
        books = {each.camera_id: each for each in cameras}
        last, self._last = self._last, (now_s, process_cpu_s, stages, busy_s, books, helpers_cpu_s)
        if last is None:
            return None
        elapsed_s = now_s - last[0]
        used_s = max(process_cpu_s - last[1], 1e-6)
        spent = {stage: stages[stage] - last[2][stage] for stage in STAGES}
        rest_s = max(0.0, used_s - sum(spent.values()))
        helped_s = min(max(0.0, helpers_cpu_s - last[5]), rest_s)
        spent["detect"] += helped_s
        spent["other"] = rest_s - helped_s
        needed = analysed = 0.0
        received: dict[str, float] = {}
        for each in cameras:
            before = last[4].get(each.camera_id)
            # A camera that has been removed and added begins its books anew.
            if before is None or each.received < before.received:
                continue
            received_fps = (each.received - before.received) / elapsed_s
            needed += min(each.target_fps, received_fps)
            analysed += (each.analysed - before.analysed) / elapsed_s
            if received_fps > 0:
                received[each.camera_id] = received_fps
        if analysed <= 0 or not received:
            return None
        by_cores = analysed * self._cores * elapsed_s / used_s
        # Where other programs or the interpreter's lock hold the threads up, rates fall though cores seem idle.
        by_threads = analysed * self._workers * elapsed_s / max(busy_s - last[3], 1e-6)
        available = min(by_cores, by_threads)
        per_camera = used_s / elapsed_s / len(received)
        return Capacity(
            needed_fps=needed,
            available_fps=available,
            limiting_stage=max(STAGES, key=lambda stage: spent[stage]),
            stage_ms={stage: 1e3 * spent[stage] / (analysed * elapsed_s) for stage in STAGES},
            cores=self._cores,
            cores_used=used_s / elapsed_s,
            next_camera_cores=per_camera,
            cameras_possible=int(len(received) * available / max(needed, 1e-6)),
            received_fps=received,
        )
