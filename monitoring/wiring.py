"""Builds every object of the monitor that does I/O, starts them in order and stops them in order."""

from __future__ import annotations

import getpass
import os
import shlex
import signal
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import structlog
import uvicorn

from footfall.domain import RetrainRequest
from footfall.errors import FootfallError, SettingsError, UnknownRecordError
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from footfall.stores.quality import QualityStore
from footfall.stores.registry import Registry
from footfall.stores.retrains import RetrainStore
from footfall.stores.samples import SampleStore
from footfall.vision.detector import load_detector, read_card
from footfall.vision.models import resolve_model
from monitoring.asker import DriftAsker
from monitoring.canary import TrialSettings
from monitoring.checker import Checker, Roles
from monitoring.dispatcher import Dispatcher
from monitoring.drift import EvidenceWriter, is_installed
from monitoring.launchers.process import ProcessLauncher
from monitoring.launchers.webhook import WebhookLauncher
from monitoring.metrics import MonitorMetrics
from monitoring.policy import PolicySettings
from monitoring.references import References
from monitoring.server import create_app
from monitoring.teacher import Teacher
from monitoring.tiers import TierRules
from monitoring.trials import TrialWatch
from monitoring.watch import DriftWatch, WatchSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from footfall.config import Settings
    from footfall.domain import RetrainAnswer
    from monitoring.launchers import Launcher

_log = structlog.get_logger(__name__)
_NICE: Final = 10
_VIEW_PX: Final = 320


class Monitor:
    """Everything that `footfall-monitor` runs.

    Raises:
        FootfallError: a part cannot be built; says which setting to change.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.database = Database(settings.sqlalchemy_url)
        self.database.migrate()
        self.metrics = MonitorMetrics(target=settings.precision_target)
        samples = SampleStore(self.database)
        self.teacher = None if settings.teacher_model is None else self._make_teacher(samples)
        self.retrains = RetrainStore(self.database)
        self.dispatcher = Dispatcher(self.retrains, _launcher(settings), self.metrics)
        quality = QualityStore(self.database)
        drift = DriftStore(self.database)
        length = timedelta(seconds=settings.drift_window_s)
        self.watch = DriftWatch(
            self.database,
            drift,
            References(
                BlobStore(settings.blobs_place),
                length=length,
                zone=ZoneInfo(settings.timezone),
                first=settings.drift_first_windows,
                hours_near=settings.drift_known_hours,
            ),
            self.metrics,
            settings=WatchSettings(
                length=length,
                alarms_a_day=settings.drift_alarms_a_day,
                learning=timedelta(days=settings.drift_learning_days),
                batch=timedelta(hours=settings.drift_batch_h),
                keep=timedelta(days=settings.drift_retention_days),
                rules=TierRules(
                    settings.drift_consecutive,
                    settings.drift_most,
                    settings.drift_last,
                    settings.drift_far,
                    settings.drift_clear_below,
                    settings.drift_clear_after,
                ),
            ),
            evidence=self._evidence_writer(),
        )
        self.registry = Registry(self.database, BlobStore(settings.blobs_place))
        turns: list[Callable[[datetime], object]] = [self.watch.turn]
        if settings.model is None and settings.trial_h > 0:
            turns.append(self._make_trials(samples).turn)
        self.asker = self._make_asker(drift, quality, samples) if settings.drift_retrain else None
        self.checker = Checker(
            self.database,
            samples,
            quality,
            self.metrics,
            window=timedelta(days=settings.quality_window_days),
            least=settings.least_verdicts,
            keep=timedelta(days=settings.drift_retention_days),
            roles=self._roles,
            also=turns if self.asker is None else [*turns, self.asker.consider],
        )

    def site(self) -> str:
        """Name of the site."""
        return self.database.setting("site") or "site"

    def champion(self) -> str:
        """First digits of the sha256 of the model in use; empty when it cannot be read."""
        try:
            return _champion(self._settings, self.registry)
        except FootfallError:
            return ""

    def _roles(self) -> Roles:
        if self._settings.model is not None:
            return Roles()
        now = self.registry.aliases()
        champion, challenger = (None if each is None else each[:12] for each in (now.champion, now.challenger))
        return Roles(champion, challenger, frozenset(now.canaries))

    def _make_trials(self, samples: SampleStore) -> TrialWatch:
        settings = self._settings
        return TrialWatch(
            self.database,
            self.registry,
            samples,
            settings=TrialSettings(
                target=settings.precision_target,
                promote_after=None if settings.canary_h == 0 else timedelta(hours=settings.canary_h),
            ),
            watched_for=timedelta(hours=settings.trial_h),
            window=timedelta(days=settings.quality_window_days),
            least=settings.least_verdicts,
        )

    def _make_asker(self, drift: DriftStore, quality: QualityStore, samples: SampleStore) -> DriftAsker:
        settings = self._settings
        return DriftAsker(
            self.database,
            drift=drift,
            quality=quality,
            samples=samples,
            retrains=self.retrains,
            settings=PolicySettings(
                target=settings.precision_target,
                estimate_for=timedelta(hours=settings.drift_estimate_h),
                fleet_share=settings.drift_fleet_share,
                fleet_for=timedelta(hours=settings.drift_fleet_h),
                least_labels=settings.drift_least_labels,
            ),
            site=self.site,
            champion=self.champion,
            cooldown=timedelta(hours=settings.retrain_cooldown_h),
        )

    def _evidence_writer(self) -> EvidenceWriter | None:
        settings = self._settings
        if not settings.drift_reports:
            return None
        if not is_installed():
            _log.info("no reports by Evidently: it comes with the extra, pip install footfall[monitor]")
            return None
        return EvidenceWriter(
            BlobStore(settings.blobs_place),
            settings.data_dir / "evidently",
            site=self.site(),
            keep=timedelta(days=settings.drift_report_days),
            most_bytes=round(settings.drift_report_mb * 1e6),
        )

    def _make_teacher(self, samples: SampleStore) -> Teacher:
        settings = self._settings
        folder = resolve_model(settings.teacher_model, settings.models_dir)
        # One thread of ONNX Runtime is the thread that asks: its processor time can be told and bounded.
        frames, tracks = (load_detector(folder, threads=1, input_size=size) for size in (640, _VIEW_PX))

        def quotas() -> dict[str, int]:
            return {each.id: each.sampling.targeted_per_day for each in self.database.cameras() if each.sampling}

        return Teacher(
            samples,
            BlobStore(settings.blobs_place),
            self.metrics,
            detector=frames,
            near=tracks,
            cpu_share=settings.teacher_cpu_share,
            quotas=quotas,
        )

    def close(self) -> None:
        """Give back the database."""
        self.database.close()

    def run(self, *, with_parent: bool = False) -> None:
        """Check and serve metrics until SIGTERM or SIGINT; in the main thread.

        Args:
            with_parent: also until standard input ends; then it steps back for the program that started it.
        """
        settings = self._settings
        token, viewer_token = (
            None if each is None else each.get_secret_value() for each in (settings.api_token, settings.viewer_token)
        )
        app = create_app(
            self.metrics,
            self.retrains,
            site=self.site,
            cooldown=timedelta(hours=settings.retrain_cooldown_h),
            token=token,
            viewer_token=viewer_token,
        )
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        config.timeout_graceful_shutdown = 2
        config.host, config.port = settings.monitor_host, settings.monitor_port
        listening = config.bind_socket()
        stopping = threading.Event()
        checks = threading.Thread(
            target=self.checker.run, args=(settings.monitor_interval_s, stopping), name="checker", daemon=True
        )
        checks.start()
        threading.Thread(target=self.dispatcher.run, args=(stopping,), name="dispatcher", daemon=True).start()
        if self.teacher is not None:
            threading.Thread(target=self.teacher.run, args=(stopping,), name="teacher", daemon=True).start()
            _log.info("a teacher is asked", model=self.teacher.name, cpu_share=settings.teacher_cpu_share)
        host, port = listening.getsockname()[:2]
        _log.info("checking", metrics=f"http://{host}:{port}/metrics", interval_s=settings.monitor_interval_s)
        server = uvicorn.Server(config)
        for number in (signal.SIGINT, signal.SIGTERM):
            # One that comes before the server listens for them counts, too. It raises a caught signal again when it has
            # ended; by then it has done its work.
            signal.signal(number, lambda *_: setattr(server, "should_exit", True))
        if with_parent:
            os.nice(_NICE)
            threading.Thread(target=_end_with_input, args=(server,), name="parent", daemon=True).start()
        try:
            server.run(sockets=[listening])
        finally:
            stopping.set()
            checks.join(5)
            self.close()


def _launcher(settings: Settings) -> Launcher | None:
    deadline_s = 3600 * settings.retrain_deadline_h
    if settings.retrain_launcher == "process":
        return ProcessLauncher(
            settings.data_dir.resolve() / "retrains",
            shlex.split(settings.retrain_command),
            deadline_s=deadline_s,
            memory_mb=settings.retrain_memory_mb,
        )
    if settings.retrain_launcher == "kubernetes":
        try:
            from monitoring.launchers.kubernetes import (  # noqa: PLC0415  an extra
                TEMPLATE,
                KubernetesLauncher,
                read_template,
                with_image,
            )
        except ImportError:
            raise SettingsError(
                "retrain_launcher: `kubernetes` needs the extra: pip install footfall[kubernetes]"
            ) from None
        template = with_image(
            read_template(settings.retrain_kubernetes_template or TEMPLATE), settings.retrain_kubernetes_image
        )
        return KubernetesLauncher(template, settings.retrain_kubernetes_namespace, deadline_s=deadline_s)
    if settings.retrain_launcher == "webhook":
        url, secret = settings.retrain_webhook_url, settings.retrain_webhook_secret
        assert url is not None
        assert secret is not None
        return WebhookLauncher(url.get_secret_value(), secret.get_secret_value(), deadline_s=deadline_s)
    return None


def _end_with_input(server: uvicorn.Server) -> None:
    while sys.stdin.buffer.read(1):
        pass
    server.should_exit = True


def _champion(settings: Settings, registry: Registry) -> str:
    promoted = registry.aliases().champion if settings.model is None else None
    return (promoted or read_card(resolve_model(settings.model, settings.models_dir)).sha256)[:12]


def ask(
    settings: Settings, *, reason: str, cameras: Sequence[str], is_forced: bool
) -> tuple[RetrainRequest, RetrainAnswer]:
    """Ask for a better model on behalf of who works at this machine.

    Raises:
        FootfallError: the database or the model in use cannot be read, or a camera is not known.
    """
    database = Database(settings.sqlalchemy_url)
    database.migrate()
    try:
        known = {camera.id for camera in database.cameras()}
        for camera in cameras:
            if camera not in known:
                raise UnknownRecordError(f"camera {camera!r}: is not there; nothing was asked")
        wanted = RetrainRequest(
            id=uuid.uuid4().hex,
            site=database.setting("site") or "site",
            cause="asked",
            slice=",".join(sorted(set(cameras))),
            champion=_champion(settings, Registry(database, BlobStore(settings.blobs_place))),
            reason=reason[:500],
            source="command",
            asked_by=getpass.getuser()[:64],
            at=datetime.now(UTC),
        )
        cooldown = timedelta(hours=settings.retrain_cooldown_h)
        return RetrainStore(database).ask(wanted, cooldown=cooldown, is_forced=is_forced)
    finally:
        database.close()
