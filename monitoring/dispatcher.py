"""Brings requests to a launcher and their ends back to the database; knows no way of running them."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from footfall.errors import StoreError
from monitoring.launchers import LaunchError

if TYPE_CHECKING:
    import threading

    from footfall.domain import RetrainRequest
    from footfall.stores.retrains import RetrainStore
    from monitoring.launchers import Launcher
    from monitoring.metrics import MonitorMetrics

_log = structlog.get_logger(__name__)
LEASE: Final = timedelta(seconds=60)
"""Who cares for a request and says nothing for so long is gone: another monitor takes over."""
_LOOK_S: Final = 5.0


class Dispatcher:
    """Cares for the active request: starts it, asks how it is, writes down its end.

    Several may look at one database: a lease in the request's row lets one of them care, and launchers start a request
    once however often they are told.
    """

    def __init__(self, store: RetrainStore, launcher: Launcher | None, metrics: MonitorMetrics) -> None:
        self._store = store
        self._launcher = launcher
        self._metrics = metrics
        self._holder = f"{socket.gethostname()[:30]}/{os.getpid()}/{uuid.uuid4().hex[:8]}"

    def run(self, stopping: threading.Event) -> None:
        """Care again and again until `stopping` is set."""
        while True:
            try:
                self.care(datetime.now(UTC))
            except (StoreError, LaunchError) as error:
                self._metrics.retrain_launch_failures.inc()
                _log.error("a request could not be cared for", error=str(error), retry_in_s=_LOOK_S)
            if stopping.wait(_LOOK_S):
                return

    def care(self, now: datetime) -> None:
        """Do the next step of a request, if there is one.

        Raises:
            StoreError, LaunchError: it could not be done, and is tried again at the next turn.
        """
        if self._launcher is not None:
            request = self._store.claim(self._holder, now=now, lease=LEASE)
            if request is not None:
                self._step(request, self._launcher, now)
        self._metrics.show_retrains(self._store.counts())
        running = [(each, self._store.progress(each.id)) for each in self._store.running()]
        self._metrics.show_running(running, self._store.last_ends(), self._store.rejections())

    def _step(self, request: RetrainRequest, launcher: Launcher, now: datetime) -> None:
        if request.state == "waiting":
            if request.cancel_at is not None:
                self._store.ended(request.id, "cancelled", "before it began", at=now)
                return
            self._store.launched(request.id, launcher.launch(request), at=now)
            _log.info("retraining started", request=request.id, cause=request.cause, cameras=request.slice)
            return
        end = launcher.poll(request)
        if end is not None:
            self._store.ended(request.id, end.outcome, end.note, at=now)
            self._metrics.retrain_last_end.set(now.timestamp())
            _log.info("retraining ended", request=request.id, outcome=end.outcome, note=end.note)
        elif request.cancel_at is not None:
            launcher.cancel(request)
