"""Makes records durable in groups and tells who asked once they are; never blocks and never dies of the database."""

from __future__ import annotations

import collections
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from footfall.domain import Coverage, Crossing, ZoneVisit
from footfall.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from footfall.domain import Record
    from footfall.stores.database import Database
    from service.metrics import Metrics

_log = structlog.get_logger(__name__)
MAX_PENDING: Final = 200_000
"""Records kept while the database is away: over half an hour of 50 busy cameras."""
_MAX_GROUP: Final = 2_000
_FIRST_RETRY_S: Final = 0.2
_LONGEST_RETRY_S: Final = 5.0


class Recorder:
    """One thread that commits what was submitted.

    A record is acknowledged by `on_committed`, after its commit; then it survives `kill -9` and a power cut. The order
    of submission is kept. While the database is away nothing is lost until the queue is full; then the newest records
    are refused and counted.

    Args:
        commit_interval_s: longest wait of a record before its commit begins; seconds.
        on_committed: called in the recorder's thread with the records that were new.
        max_pending: size of the queue.
    """

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        *,
        commit_interval_s: float,
        on_committed: Callable[[Sequence[Record]], None],
        max_pending: int = MAX_PENDING,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._commit_interval_s = commit_interval_s
        self._on_committed = on_committed
        self._max_pending = max_pending
        self._queue: collections.deque[Record] = collections.deque()
        self._condition = threading.Condition()
        self._submitted = 0
        self._settled = 0  # committed, as many as were submitted
        self._stopping = False
        self._flushing = 0
        self._failing_since_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    @property
    def healthy(self) -> bool:
        """Whether the last commit worked."""
        return self._failing_since_s is None

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def submit(self, records: Iterable[Record]) -> None:
        """Hand over records; never waits for the database."""
        records = list(records)
        if not records:
            return  # most frames tell nothing: the committing thread sleeps on
        with self._condition:
            for record in records:
                if len(self._queue) >= self._max_pending:
                    self._metrics.records_dropped.inc()
                    continue
                self._queue.append(record)
                self._submitted += 1
            self._metrics.records_pending.set(len(self._queue))
            self._condition.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was submitted before is committed; tells whether it is."""
        with self._condition:
            wanted = self._submitted
            self._flushing += 1
            self._condition.notify_all()
            try:
                return self._condition.wait_for(lambda: self._settled >= wanted, timeout_s)
            finally:
                self._flushing -= 1

    def stop(self, timeout_s: float) -> bool:
        """Commit what is left and end; tells whether everything was committed in time."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._queue

    def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        while True:
            group = self._next_group()
            if not group:
                return
            begin_s = time.monotonic()
            try:
                new = self._database.store(group)
            except StoreError as error:
                self._note_failure(error, len(group))
                with self._condition:
                    gives_up = (
                        self._stopping and time.monotonic() - (self._failing_since_s or begin_s) > _LONGEST_RETRY_S
                    )
                    if gives_up:
                        return
                    self._condition.wait_for(lambda: self._stopping, retry_s)
                if self._stopping:
                    time.sleep(_FIRST_RETRY_S)
                retry_s = min(2 * retry_s, _LONGEST_RETRY_S)
                continue
            retry_s = _FIRST_RETRY_S
            if self._failing_since_s is not None:
                _log.info("database is back", away_s=round(time.monotonic() - self._failing_since_s, 1))
                self._failing_since_s = None
            self._metrics.commit_seconds.observe(time.monotonic() - begin_s)
            self._acknowledge(group, new)

    def _next_group(self) -> list[Record]:
        """Wait for records, then let more gather; they stay in the queue until they are committed. Empty: the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._queue or self._stopping)
            if not self._queue:
                return []
            self._condition.wait_for(
                lambda: self._stopping or self._flushing or len(self._queue) >= _MAX_GROUP, self._commit_interval_s
            )
            return [self._queue[index] for index in range(min(len(self._queue), _MAX_GROUP))]

    def _note_failure(self, error: StoreError, records: int) -> None:
        self._metrics.commit_failures.inc()
        if self._failing_since_s is None:
            self._failing_since_s = time.monotonic()
            _log.error("records cannot be committed; they are kept and tried again", error=str(error), records=records)

    def _acknowledge(self, group: Sequence[Record], new: Sequence[Record]) -> None:
        for record in new:
            if isinstance(record, Crossing):
                self._metrics.crossed(record)
            elif isinstance(record, ZoneVisit):
                self._metrics.zone_visits.labels(record.camera_id, record.zone, record.outcome).inc()
                self._metrics.zone_dwell_seconds.labels(record.camera_id, record.zone).observe(record.dwell_s)
            elif isinstance(record, Coverage):
                self._metrics.watched_seconds.labels(record.camera_id).inc(record.watched_s)
        self._metrics.records_committed.inc(len(new))
        with self._condition:
            for _ in group:
                self._queue.popleft()
            self._settled += len(group)
            self._metrics.records_pending.set(len(self._queue))
            self._condition.notify_all()
        try:
            self._on_committed(new)
        except Exception:  # noqa: BLE001  a listener's fault must not stop the commits
            _log.exception("telling of committed records failed; the records are safe")
