"""Builds every object of the monitor that does I/O, starts them in order and stops them in order."""

from __future__ import annotations

import signal
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
import uvicorn

from footfall.stores.database import Database
from footfall.stores.quality import QualityStore
from footfall.stores.samples import SampleStore
from monitoring.checker import Checker
from monitoring.metrics import MonitorMetrics
from monitoring.server import create_app

if TYPE_CHECKING:
    from footfall.config import Settings

_log = structlog.get_logger(__name__)


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
        self.checker = Checker(
            self.database,
            SampleStore(self.database),
            QualityStore(self.database),
            self.metrics,
            window=timedelta(days=settings.quality_window_days),
            least=settings.least_verdicts,
            keep=timedelta(days=settings.statistics_retention_days),
        )

    def close(self) -> None:
        """Give back the database."""
        self.database.close()

    def run(self) -> None:
        """Check and serve metrics until SIGTERM or SIGINT; in the main thread."""
        settings = self._settings
        token = settings.api_token
        app = create_app(self.metrics, token=None if token is None else token.get_secret_value())
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        config.timeout_graceful_shutdown = 2
        config.host, config.port = settings.monitor_host, settings.monitor_port
        listening = config.bind_socket()
        stopping = threading.Event()
        checks = threading.Thread(
            target=self.checker.run, args=(settings.monitor_interval_s, stopping), name="checker", daemon=True
        )
        checks.start()
        host, port = listening.getsockname()[:2]
        _log.info("checking", metrics=f"http://{host}:{port}/metrics", interval_s=settings.monitor_interval_s)
        for number in (signal.SIGINT, signal.SIGTERM):
            # The server raises a caught signal again when it has ended; by then it has done its work.
            signal.signal(number, lambda *_: None)
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            stopping.set()
            checks.join(5)
            self.close()
