"""From scheduled frames to records and live views: detect on several threads, track and count on one at a time.

Knows no camera and no HTTP.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import structlog

from footfall.domain import Detections, DropReason
from footfall.vision.activity import ActivityGate, ActivitySettings
from footfall.vision.analysis import CameraAnalyser
from footfall.vision.statistics import StatisticsMeter, TrackMeter
from service.capacity import CameraBooks, CapacityMeter, StageTimes, helpers_cpu_s, usable_cores
from service.coverage import CoverageMeter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from footfall.domain import Camera, Record
    from footfall.vision.detector import Detector
    from footfall.vision.view import View
    from service.capacity import Capacity
    from service.clock import Clock
    from service.frames import FrameLedger
    from service.live import LiveBoard
    from service.metrics import Metrics
    from service.recorder import Recorder
    from service.sampling import Sampler
    from service.scheduler import ScheduledFrame, Scheduler
    from service.shadow import Shadow
    from service.views import ViewKeeper

_log = structlog.get_logger(__name__)
_TICK_S: Final = 0.5
_COVERAGE_INTERVAL_S: Final = 1.0
_SUMMARY_INTERVAL_S: Final = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Detectors:
    """Which detector looks at which camera.

    Attributes:
        champion: looks at every camera but the canaries.
        challenger: looks at the canaries, if there is one.
        canaries: ids of cameras; may name some that do not run.
    """

    champion: Detector
    challenger: Detector | None = None
    canaries: frozenset[str] = frozenset()

    def of(self, camera_id: str) -> Detector:
        """Return the detector of a camera."""
        return self.challenger if self.challenger is not None and camera_id in self.canaries else self.champion


class _Found(NamedTuple):
    """What one frame showed.

    Attributes:
        detections: None where the detector failed.
        rested: the detector did not look: nothing had changed.
    """

    detections: Detections | None
    rested: bool = False


def _nobody(threshold: float) -> Detections:
    return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), threshold)


class _Watched:
    """One camera's analysis; used under the pipeline's lock only, but for the interruption."""

    def __init__(
        self,
        camera: Camera,
        run_id: str,
        ledger: FrameLedger,
        *,
        uturn_window_s: float,
        view: View | None,
        activity: ActivitySettings,
    ) -> None:
        self.gate = ActivityGate(activity)
        self.looked_by: Detector | None = None
        self.run_id = run_id
        self.ledger = ledger
        self.interrupted = False
        self.interrupted_s = float("-inf")
        self.part = 0
        self.look_at(view)
        self.statistics_s = float("-inf")
        self.kept_s = float("-inf")
        self.coverage = CoverageMeter(camera.id, longest_gap_s=1.0)
        self.coverage_s = float("-inf")
        self.uturn_window_s = uturn_window_s
        self.begin(camera)

    def look_at(self, view: View | None) -> None:
        """Measure against this view; None learns one."""
        self.statistics = StatisticsMeter(view)
        self.kept_view = view

    def begin(self, camera: Camera) -> None:
        """Start anew: nobody is known, and event ids cannot meet earlier ones."""
        self.camera = camera
        self.part += 1
        self.coverage.longest_gap_s = max(1.0, 3 / camera.target_fps)
        self.tracks = TrackMeter()
        self.analyser = CameraAnalyser(camera, run_id=f"{self.run_id}.{self.part}", uturn_window_s=self.uturn_window_s)


class Pipeline:
    """The analysis threads.

    Each takes a batch, lets the detector look at it beside the others', and then tracks and counts while they wait: so
    one batch is tracked while the next is looked at, and no thread waits for the slower part of another's batch.

    Args:
        workers: threads that analyse; the detector is called from all of them at once.
        activity: when a frame needs no detector.
        times: where the CPU time of each stage is added up.
        run_id: of this start of the program; part of every event id.
        uturn_window_s, statistics_interval_s, statistics_kept_s: see the settings of these names.
    """

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        detectors: Detectors,
        recorder: Recorder,
        live: LiveBoard,
        metrics: Metrics,
        clock: Clock,
        run_id: str,
        uturn_window_s: float,
        statistics_interval_s: float,
        statistics_kept_s: float,
        sampler: Sampler | None = None,
        shadow: Shadow | None = None,
        workers: int = 1,
        views: ViewKeeper | None = None,
        activity: ActivitySettings | None = None,
        times: StageTimes | None = None,
    ) -> None:
        self._activity = activity or ActivitySettings()
        self._times = times or StageTimes()
        self._capacity_meter = CapacityMeter(self._times, workers=workers, cores=usable_cores())
        self._capacity: Capacity | None = None
        self._sampler = sampler
        self._shadow = shadow
        self._views = views
        self._scheduler = scheduler
        self._detectors = self._wanted = detectors
        self._recorder = recorder
        self._live = live
        self._metrics = metrics
        self._clock = clock
        self._run_id = run_id
        self._uturn_window_s = uturn_window_s
        self._statistics_interval_s = statistics_interval_s
        self._statistics_kept_s = statistics_kept_s
        self._lock = threading.RLock()
        self._cameras: dict[str, _Watched] = {}
        self._stopping = threading.Event()
        self._faults: dict[str, int] = {}
        self._summary_s = float("-inf")
        self._books_s = float("-inf")
        self._threads = [
            threading.Thread(target=self._run, name=f"pipeline {number}", daemon=True) for number in range(workers)
        ]

    @property
    def capacity(self) -> Capacity | None:
        """How the machine stands; None while nothing is analysed."""
        return self._capacity

    @property
    def detectors(self) -> Detectors:
        """The detectors of the batch that is counted now, or was last."""
        return self._detectors

    def use(self, detectors: Detectors) -> None:
        """Swap between two batches; cameras, tracks and counts go on. From any thread."""
        self._wanted = detectors
        self._scheduler.wake()

    def start(self) -> None:
        """Begin to analyse."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End after the batches in work and hand over what is open; tells whether they ended in time."""
        self._stopping.set()
        self._scheduler.wake()
        deadline_s = self._clock.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline_s - self._clock.monotonic()))
        ended = not any(thread.is_alive() for thread in self._threads)
        if ended and self._threads[0].ident is not None:
            with self._lock:
                for watched in self._cameras.values():
                    self._close(watched)
        return ended

    def watch(self, camera: Camera, ledger: FrameLedger) -> None:
        """Analyse a camera from now on, or go on with other lines, zones or rate."""
        known = self._cameras.get(camera.id)
        view = None
        if self._views is not None and (known is None or known.camera.url != camera.url):
            # Before the lock: reading it may take its time, and the others are analysed meanwhile.
            view = self._views.view(camera)
        with self._lock:
            watched = self._cameras.get(camera.id)
            if watched is None:
                self._cameras[camera.id] = _Watched(
                    camera,
                    self._run_id,
                    ledger,
                    uturn_window_s=self._uturn_window_s,
                    view=view,
                    activity=self._activity,
                )
                return
            watched.ledger = ledger
            if watched.camera.url != camera.url:
                # Another source shows another place: what the old one usually showed is no measure of it.
                watched.look_at(view)
            if (watched.camera.lines, watched.camera.zones, watched.camera.target_fps) != (
                camera.lines,
                camera.zones,
                camera.target_fps,
            ):
                self._close(watched)
                watched.begin(camera)
                self._metrics.forget_zones_now(camera.id)
            else:
                watched.camera = camera

    def forget(self, camera_id: str) -> None:
        """Analyse a camera no more; open visits end as lost."""
        with self._lock:
            watched = self._cameras.pop(camera_id, None)
            if watched is not None:
                self._close(watched)
            if self._sampler is not None:
                self._sampler.forget(camera_id)

    def forget_view(self, camera_id: str) -> None:
        """Learn a camera's frozen view anew; nothing happens when it is not watched. From any thread."""
        with self._lock:
            watched = self._cameras.get(camera_id)
            if watched is not None:
                watched.look_at(None)
                if self._views is not None:
                    self._views.forget(watched.camera)

    def interrupt(self, camera_id: str) -> None:
        """The camera is not watched: open visits end where people were seen last; called from any thread."""
        watched = self._cameras.get(camera_id)
        if watched is not None:
            watched.interrupted_s = self._clock.monotonic()
            watched.interrupted = True
            self._scheduler.wake()

    def _run(self) -> None:
        while not self._stopping.is_set():
            batch = self._scheduler.next_batch(_TICK_S)
            begin_s, begin_cpu_s = self._clock.monotonic(), time.thread_time()
            detectors = self._wanted
            found = self._detect(detectors, batch)
            found_cpu_s = time.thread_time()
            with self._lock:
                self._detectors = detectors
                self._close_interrupted()
                self._analyse(batch, found)
                self._tick()
            if batch:
                self._times.add("detect", found_cpu_s - begin_cpu_s)
                self._times.add("count", time.thread_time() - found_cpu_s)
                self._times.add_busy(self._clock.monotonic() - begin_s)

    def _analyse(self, batch: list[ScheduledFrame], found: list[_Found]) -> None:
        for scheduled, (detections, rested) in zip(batch, found, strict=True):
            camera_id = scheduled.frame.camera_id
            watched = self._cameras.get(camera_id)
            if watched is None or scheduled.frame.received_s <= watched.interrupted_s:
                # What was seen before an interruption must not begin what comes after it.
                scheduled.ledger.drop(DropReason.STOPPED)
            elif detections is None:
                scheduled.ledger.drop(DropReason.ERROR)
            else:
                try:
                    records = self._count(watched, scheduled, detections)
                except Exception as error:  # noqa: BLE001  one camera's fault must not stop the others
                    scheduled.ledger.drop(DropReason.ERROR)
                    self._note_fault(camera_id, error)
                else:
                    scheduled.ledger.analyse()
                    if rested:
                        self._metrics.frames_rested.labels(camera_id).inc()
                    self._recorder.submit(records)
                    self._metrics.frame_age_seconds.labels(camera_id).observe(
                        self._clock.monotonic() - scheduled.frame.received_s
                    )

    def _detect(self, detectors: Detectors, batch: list[ScheduledFrame]) -> list[_Found]:
        found = [_Found(None)] * len(batch)
        by_detector: dict[Detector, list[int]] = {}
        for index, each in enumerate(batch):
            detector = detectors.of(each.frame.camera_id)
            if self._is_idle(detector, each):
                found[index] = _Found(_nobody(detector.version.threshold), rested=True)
            else:
                by_detector.setdefault(detector, []).append(index)
        for detector, indices in by_detector.items():
            for index, detections in zip(
                indices, self._ask(detector, [batch[index] for index in indices]), strict=True
            ):
                found[index] = _Found(detections)
                watched = self._cameras.get(batch[index].frame.camera_id)
                if watched is not None and detections is not None:
                    watched.looked_by = detector
                    watched.gate.looked(batch[index].frame, detections)
        return found

    def _is_idle(self, detector: Detector, scheduled: ScheduledFrame) -> bool:
        """Ask the camera's gate; it needs no lock, as of each camera one frame is in work."""
        watched = self._cameras.get(scheduled.frame.camera_id)
        if watched is None:
            return False
        try:
            # That another detector saw nobody is no word of this one.
            return watched.gate.is_idle(scheduled.frame) and watched.looked_by is detector
        except Exception as error:  # noqa: BLE001  one camera's broken picture must not stop the others
            self._note_fault(scheduled.frame.camera_id, error)
            return False

    def _ask(self, detector: Detector, batch: list[ScheduledFrame]) -> list[Detections | None]:
        begin_s = self._clock.monotonic()
        try:
            found: list[Detections | None] = list(detector.detect([each.frame.image for each in batch]))
        except Exception as error:  # noqa: BLE001  runtimes raise what they like
            self._note_fault("detector", error)
            # One frame may be to blame: the others get their chance.
            found = [self._ask_one(detector, each) for each in batch] if len(batch) > 1 else [None]
        self._metrics.detector_seconds.observe(self._clock.monotonic() - begin_s)
        self._metrics.detector_batch_frames.observe(len(batch))
        return found

    def _ask_one(self, detector: Detector, scheduled: ScheduledFrame) -> Detections | None:
        try:
            return detector.detect([scheduled.frame.image])[0]
        except Exception as error:  # noqa: BLE001  see above
            self._note_fault("detector", error)
            return None

    def _count(self, watched: _Watched, scheduled: ScheduledFrame, detections: Detections) -> list[Record]:
        frame = scheduled.frame
        analysis = watched.analyser.update(frame, detections)
        watched.tracks.update(analysis.tracks, frame.received_s)
        self._live.publish(analysis)
        if self._sampler is not None:
            self._sampler.observe(watched.camera, analysis)
        challenger = self._detectors.challenger
        if self._shadow is not None and challenger is not None and frame.camera_id not in self._detectors.canaries:
            self._shadow.observe(watched.camera, analysis, challenger)
        for zone, people in analysis.people_in_zone.items():
            self._metrics.zone_people.labels(frame.camera_id, zone).set(people)
        records: list[Record] = [*analysis.crossings, *analysis.visits]
        if frame.received_s - watched.statistics_s >= self._statistics_interval_s:
            watched.statistics_s = frame.received_s
            row = watched.statistics.measure(frame, detections)
            row = replace(row, values={**row.values, **watched.tracks.values()})
            view = watched.statistics.view
            if self._views is not None and view is not None and view is not watched.kept_view:
                watched.kept_view = view
                self._views.keep(watched.camera, view)
            self._metrics.set_statistics([row])
            # Nearly due counts as due: measurements come by frames, and every other one would be left out.
            if frame.received_s - watched.kept_s >= self._statistics_kept_s - 0.5 * self._statistics_interval_s:
                watched.kept_s = frame.received_s
                records.append(row)
        watched.coverage.add(frame.received_at, frame.received_s)
        if frame.received_s - watched.coverage_s >= _COVERAGE_INTERVAL_S:
            watched.coverage_s = frame.received_s
            records += watched.coverage.take()
        return records

    def _close_interrupted(self) -> None:
        for watched in self._cameras.values():
            if watched.interrupted:
                watched.interrupted = False
                self._close(watched)
                watched.begin(watched.camera)
                self._metrics.forget_zones_now(watched.camera.id)

    def _close(self, watched: _Watched) -> None:
        if self._sampler is not None:
            self._sampler.interrupt(watched.camera.id)
        watched.coverage.interrupt()
        records: Iterable[Record] = [*watched.analyser.close(), *watched.coverage.take()]
        self._recorder.submit(records)

    def _note_fault(self, what: str, error: Exception) -> None:
        key = f"{what}: {type(error).__name__}: {error}"[:300]
        with self._lock:
            self._faults[key] = self._faults.get(key, 0) + 1

    def _tick(self) -> None:
        now_s = self._clock.monotonic()
        if self._faults and now_s - self._summary_s >= _SUMMARY_INTERVAL_S:
            self._summary_s = now_s
            _log.error("frames could not be analysed", faults=self._faults)
            self._faults = {}
        if now_s - self._books_s >= 1.0:
            self._books_s = now_s
            unaccounted = 0
            for watched in self._cameras.values():
                counts = watched.ledger.counts()
                if not counts.is_balanced:
                    missing = counts.received - counts.analysed - sum(counts.dropped.values()) - counts.pending
                    unaccounted += abs(missing) or abs(counts.pending)
                    _log.error("frames are not accounted for", camera=watched.camera.id, counts=str(counts))
            self._metrics.frames_unaccounted.set(unaccounted)
            self._weigh(now_s)

    def _weigh(self, now_s: float) -> None:
        """Look at how the machine stands, every few seconds."""
        if not self._capacity_meter.is_due(now_s):
            return
        books = [
            CameraBooks(each.camera.id, each.camera.target_fps, counts.received, counts.analysed)
            for each in self._cameras.values()
            for counts in (each.ledger.counts(),)
        ]
        self._capacity = self._capacity_meter.look(now_s, time.process_time(), books, helpers_cpu_s=helpers_cpu_s())
        self._metrics.set_capacity(self._capacity)
