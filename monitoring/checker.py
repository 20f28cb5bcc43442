"""One check after the other: read what is known, say how right the counting is, keep and show it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from footfall.errors import StoreError
from monitoring.estimates import Window, balance_estimates, sample_estimates
from monitoring.evidence import read_evidence

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from footfall.domain import QualityEstimate
    from footfall.stores.database import Database
    from footfall.stores.quality import QualityStore
    from footfall.stores.samples import SampleStore
    from monitoring.metrics import MonitorMetrics

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Roles:
    """Who serves, by first 12 digits of the sha256; None where that is not known, or nobody.

    Attributes:
        canaries: ids of the cameras that the challenger looks at.
    """

    champion: str | None = None
    challenger: str | None = None
    canaries: frozenset[str] = frozenset()


class Checker:
    """Checks a site again and again.

    Args:
        window: how old samples may be.
        least: verdicts, people or crossings from which on a figure is given.
        keep: how long estimates are kept.
        roles: gives who serves now.
        also: what else is done at each turn, with its moment; what one of them raises keeps none of the others back.
    """

    def __init__(
        self,
        database: Database,
        samples: SampleStore,
        quality: QualityStore,
        metrics: MonitorMetrics,
        *,
        window: timedelta,
        least: int,
        keep: timedelta,
        roles: Callable[[], Roles] = Roles,
        also: Sequence[Callable[[datetime], object]] = (),
    ) -> None:
        self._database = database
        self._samples = samples
        self._quality = quality
        self._metrics = metrics
        self._window = window
        self._least = least
        self._keep = keep
        self._roles = roles
        self._also = also

    def check(self, now: datetime) -> list[QualityEstimate]:
        """Work out every figure as of `now` (aware UTC), keep and show them.

        Raises:
            StoreError: the database does not answer; the figures shown are taken back, as nobody knows them now.
        """
        begin_s = time.monotonic()
        try:
            found = self._estimates(now)
            self._quality.put(found)
            self._quality.delete_before(now - self._keep)
        except StoreError:
            self._metrics.check_failures.inc()
            self._metrics.show(())
            raise
        self._metrics.show(found)
        self._metrics.last_check.set(now.timestamp())
        self._metrics.check_seconds.set(time.monotonic() - begin_s)
        return found

    def run(self, interval_s: float, stopping: threading.Event) -> None:
        """Check every `interval_s` until `stopping` is set; a check that fails is tried again at the next turn."""
        while True:
            try:
                self.check(datetime.now(UTC))
            except StoreError as error:
                _log.error("check failed", error=str(error), retry_in_s=interval_s)
            for turn in self._also:
                try:
                    turn(datetime.now(UTC))
                except StoreError as error:
                    _log.error("a part of the check failed", error=str(error), retry_in_s=interval_s)
                except Exception as error:  # noqa: BLE001  a fault of one must not end the others for ever
                    _log.error("a part of the check failed", error=f"{type(error).__name__}: {error}"[:300])
            if stopping.wait(interval_s):
                return

    def _estimates(self, now: datetime) -> list[QualityEstimate]:
        # Whole hours: a population is of an hour, and its samples must be all in or all out.
        since = (now - self._window).replace(minute=0, second=0, microsecond=0)
        roles = self._roles()
        challenger, canaries = roles.challenger, roles.canaries
        evidence = read_evidence(
            self._samples, since=since, until=now, champion=roles.champion, without=roles.challenger
        )
        cameras = self._database.cameras()
        allowed = {camera.id for camera in cameras if camera.sampling is not None}
        window = Window(now, since, now)
        ids = sorted((allowed | set(evidence.cameras)) - canaries)
        found = sample_estimates(evidence, ids, window, least=self._least)
        if challenger is not None and canaries:
            # What the champion did on the canaries speaks for the site; the camera's own figures are the challenger's.
            tried = read_evidence(self._samples, since=since, until=now, model=challenger)
            of_these = sample_estimates(tried, sorted(canaries & allowed), window, least=self._least)
            found += [row for row in of_these if row.scope == "camera"]
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        yesterday = midnight - timedelta(days=1)
        rows = self._database.counts(
            since=yesterday, until=midnight, bucket="day", camera_ids=[camera.id for camera in cameras]
        )
        return found + balance_estimates(rows, Window(now, yesterday, midnight), least=self._least)
