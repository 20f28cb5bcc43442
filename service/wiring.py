"""Builds every object of the service that does I/O, starts them in order and stops them in order."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import random
import signal
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import cv2
import structlog

from footfall import __version__
from footfall.errors import StoreError
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from footfall.stores.quality import QualityStore
from footfall.stores.registry import Registry
from footfall.stores.retrains import RetrainStore
from footfall.stores.samples import SampleStore
from footfall.vision.activity import ActivitySettings
from footfall.vision.detector import load_detector
from service.api.app import create_app
from service.api.server import ApiServer
from service.api.services import Services
from service.capacity import StageTimes, usable_cores
from service.capture import CaptureSettings
from service.clock import SystemClock
from service.fleet import Fleet
from service.live import EventBus, LiveBoard
from service.metrics import Metrics
from service.pipeline import Pipeline
from service.recorder import Recorder
from service.rollout import Rollout
from service.sampling import LabelBatch, SampleKeeper, Sampler
from service.scheduler import Scheduler
from service.shadow import Shadow
from service.smoke import try_apart
from service.views import ViewKeeper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from footfall.config import Settings, SiteFile
    from footfall.stores.database import CountRow

_log = structlog.get_logger(__name__)
_HOUSEKEEPING_S: Final = 3600.0
_FOLLOW_S: Final = 5.0
_M_ARENA_MAX: Final = -8  # from glibc's malloc.h


def _keep_memory_together() -> None:
    """Let all threads share two pools of memory: glibc gives each its own otherwise, and keeps what they freed."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    except (OSError, AttributeError):
        return  # another C library, with other habits


class Service:
    """Everything that `footfall serve` runs.

    Args:
        site: applied at the start: its cameras become the cameras. Without it, those in the database.

    Raises:
        FootfallError: a part cannot be built; says which setting to change.
    """

    def __init__(self, settings: Settings, site: SiteFile | None = None) -> None:
        _keep_memory_together()
        # Analysis has a thread for each core already; OpenCV's own would take turns with them.
        cv2.setNumThreads(1)
        self.settings = settings
        clock = SystemClock()
        workers = settings.inference_threads or usable_cores()
        times = StageTimes()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.database = Database(settings.sqlalchemy_url)
        self.database.migrate()
        if site is not None:
            apply_site(self.database, site)
        self.metrics = Metrics()
        self.metrics.build.info({"version": __version__})
        self.events = EventBus()
        samples = SampleStore(self.database)
        blobs = BlobStore(settings.blobs_place)
        registry = Registry(self.database, blobs)
        self.rollout = Rollout(
            registry,
            self.metrics,
            models_dir=settings.models_dir,
            pinned=settings.model,
            load=functools.partial(
                load_detector,
                runtime=settings.runtime,
                threads=workers,
                input_size=settings.input_size,
                callers=workers,
            ),
            smoke=lambda folder, name: try_apart(
                folder, name=name, runtime=settings.runtime, input_size=settings.input_size
            ),
            slowest_s=settings.max_frame_age_s,
        )
        detectors = self.rollout.first()
        self.sampler = Sampler(
            samples,
            blobs,
            self.metrics,
            model=lambda camera_id: self.pipeline.detectors.of(camera_id).version.sha256[:12],
            rng=random.Random(),  # noqa: S311  a draw, no secret
            period=timedelta(seconds=settings.samples_period_s),
        )
        self.views = ViewKeeper(blobs)
        self.keeper = SampleKeeper(
            samples, blobs, self.metrics, most_bytes=round(settings.samples_max_mb * 1e6), runs=settings.runs_dir
        )
        self.live = LiveBoard(clock)
        self.recorder = Recorder(
            self.database,
            self.metrics,
            commit_interval_s=settings.commit_interval_s,
            on_committed=self.events.publish,
        )
        scheduler = Scheduler(max_batch=settings.max_batch, max_age_s=settings.max_frame_age_s, clock=clock)
        self.shadow = (
            Shadow(
                self.sampler,
                self.metrics,
                interval_s=settings.shadow_interval_s,
                rng=random.Random(),  # noqa: S311  no secret
            )
            if settings.shadow_interval_s > 0
            else None
        )
        self.pipeline = Pipeline(
            scheduler=scheduler,
            detectors=detectors,
            recorder=self.recorder,
            live=self.live,
            metrics=self.metrics,
            clock=clock,
            run_id=uuid.uuid4().hex,
            uturn_window_s=settings.uturn_window_s,
            statistics_interval_s=settings.statistics_interval_s,
            statistics_kept_s=settings.statistics_kept_s,
            sampler=self.sampler,
            shadow=self.shadow,
            workers=workers,
            views=self.views,
            activity=ActivitySettings(longest_rest_s=settings.longest_rest_s),
            times=times,
        )
        self.fleet = Fleet(
            pipeline=self.pipeline,
            scheduler=scheduler,
            recorder=self.recorder,
            live=self.live,
            metrics=self.metrics,
            capture=CaptureSettings(
                open_timeout_s=settings.open_timeout_s,
                stall_timeout_s=settings.stall_timeout_s,
                max_pixels=settings.max_pixels,
                auth_ladder_s=tuple(factor * settings.auth_retry_s for factor in (1, 5, 30)),
                decode_device=settings.decode_device,
            ),
            rng=random.Random(),  # noqa: S311  jitter, not secrets
            clock=clock,
            times=times,
        )
        self.services = Services(
            settings=settings,
            database=self.database,
            fleet=self.fleet,
            live=self.live,
            events=self.events,
            metrics=self.metrics,
            recorder=self.recorder,
            detector=lambda: self.pipeline.detectors.champion,
            capacity=lambda: self.pipeline.capacity,
            samples=samples,
            blobs=blobs,
            keeper=self.keeper,
            quality=QualityStore(self.database),
            retrains=RetrainStore(self.database),
            drift=DriftStore(self.database),
            registry=registry,
            rollout=self.rollout,
            shadow=self.shadow,
        )
        self.server = ApiServer(create_app(self.services), host=settings.host, port=settings.port)
        self._stopped = threading.Event()
        self._housekeeper = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)
        self._drift = DriftStore(self.database)
        self._follower = threading.Thread(target=self._follow_drift, name="drift", daemon=True)
        self._swapper = threading.Thread(
            target=self.rollout.run,
            args=(self.pipeline, settings.models_interval_s, self._stopped),
            name="rollout",
            daemon=True,
        )

    def start(self) -> None:
        """Start counting; the API is served by `run` or by `server.start`."""
        self.recorder.start()
        self.sampler.start()
        self.views.start()
        if self.shadow is not None:
            self.shadow.start()
        self.pipeline.start()
        today = self._counted_today()
        for camera in self.database.cameras():
            self.fleet.apply(camera)
            for row in today.get(camera.id, ()):
                self.live.seed(row.camera_id, row.line, in_=row.in_, out=row.out)
        self._housekeeper.start()
        self._follower.start()
        self._swapper.start()
        champion = self.pipeline.detectors.champion
        _log.info(
            "counting",
            page=self.server.url,
            cameras=len(self.fleet.cameras()),
            model=champion.version.name,
            runtime=champion.runtime,
        )

    def run(self) -> None:
        """Count and serve until SIGTERM or SIGINT, then stop; in the main thread."""
        self.start()
        # What was built now stays: no collection has to look through it again.
        gc.collect()
        gc.freeze()
        try:
            with _quiet_signals():
                self.server.run()
        finally:
            self.stop()

    def stop(self, timeout_s: float = 8.0) -> bool:
        """End intake, finish what is in work, commit it; tells whether all ended in time. Once only."""
        if self._stopped.is_set():
            return True
        self._stopped.set()
        self.services.stopping.set()
        readers_ended = self.fleet.stop(0.35 * timeout_s)
        pipeline_ended = self.pipeline.stop(0.3 * timeout_s)
        committed = self.recorder.stop(0.2 * timeout_s)
        if self.shadow is not None:
            self.shadow.stop(0.05 * timeout_s)
        sampled = self.sampler.stop(0.1 * timeout_s)
        self.views.stop(0.05 * timeout_s)
        self.server.stop(0.05 * timeout_s)
        self.database.close()
        if not (pipeline_ended and committed and sampled):
            _log.error("not everything ended in time", pipeline=pipeline_ended, committed=committed, sampled=sampled)
        else:
            _log.info("stopped", readers_ended=readers_ended)
        return pipeline_ended and committed

    def _counted_today(self) -> dict[str, list[CountRow]]:
        """Camera → what it counted today (UTC), line by line: one question, as fifty of them hold up the start."""
        now = datetime.now(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        rows: dict[str, list[CountRow]] = {}
        for row in self.database.counts(since=midnight, until=midnight + timedelta(days=1), bucket="day"):
            rows.setdefault(row.camera_id, []).append(row)
        return rows

    def _follow_drift(self) -> None:
        """Draw frames for labels of the cameras that drift, as the monitor says."""
        every = timedelta(hours=self.settings.drift_batch_h) / self.settings.drift_batch_frames
        while True:
            try:
                episodes = self._drift.open_episodes().values()
            except StoreError as error:
                _log.error("it is not known which cameras drift", error=str(error), retry_in_s=_FOLLOW_S)
            else:
                self.sampler.want(
                    {each.camera_id: LabelBatch(each.batch_until, every) for each in episodes if each.batch_until}
                )
            if self._stopped.wait(_FOLLOW_S):
                return

    def _keep_house(self) -> None:
        while True:
            before = datetime.now(UTC) - timedelta(days=self.settings.statistics_retention_days)
            try:
                deleted = self.database.delete_statistics_before(before)
            except Exception as error:  # noqa: BLE001  tried again an hour later
                _log.error("old statistics could not be deleted", error=type(error).__name__)
            else:
                if deleted:
                    _log.info("old statistics deleted", rows=deleted)
            try:
                self.keeper.sweep(self.database.cameras(), datetime.now(UTC))
            except Exception as error:  # noqa: BLE001  told as a metric, tried again an hour later
                _log.error("sampled pictures could not be deleted", error=str(error))
            if self._stopped.wait(_HOUSEKEEPING_S):
                return


def apply_site(database: Database, site: SiteFile) -> None:
    """Make the site file's cameras the cameras: new ones are added, others changed, those not in it removed."""
    wanted = [camera.to_domain() for camera in site.cameras]
    ids = {camera.id for camera in wanted}
    for camera in database.cameras():
        if camera.id not in ids:
            database.delete_camera(camera.id)
    for camera in wanted:
        database.put_camera(camera)
    database.set_setting("site", site.site)


@contextlib.contextmanager
def _quiet_signals() -> Iterator[None]:
    """The server raises a caught signal again when it has ended; by then it has done its work."""

    def ignore(_: int, __: FrameType | None) -> None:
        return

    previous = {number: signal.signal(number, ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
