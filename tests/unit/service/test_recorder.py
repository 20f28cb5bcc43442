"""Records become durable in order, whatever the database does."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from footfall.domain import Coverage, Crossing, Record, event_id
from footfall.errors import StoreError
from footfall.stores.database import Database
from service.metrics import Metrics
from service.recorder import Recorder

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def crossing(number: int) -> Crossing:
    at = NOON + timedelta(seconds=number)
    return Crossing(event_id("run", "gate", number), "gate", "door", "in", at, number)


class Parts:
    def __init__(self, folder: Path, **settings: int) -> None:
        self.path = folder / "test.db"
        self.database = Database(f"sqlite:///{self.path}")
        self.database.migrate()
        self.metrics = Metrics()
        self.committed: list[Record] = []
        self.recorder = Recorder(
            self.database, self.metrics, commit_interval_s=0.05, on_committed=self.committed.extend, **settings
        )

    def stored(self) -> list[str]:
        return [event.record.id for event in self.database.events(limit=1000).events]

    def value(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    made.recorder.start()
    yield made
    made.recorder.stop(10)
    made.database.close()


def test_records_are_committed_within_the_interval_and_then_acknowledged(parts: Parts) -> None:
    parts.recorder.submit([crossing(1), Coverage("gate", NOON, 30.0, 150)])
    deadline_s = time.monotonic() + 2
    while len(parts.committed) < 2:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert parts.stored() == [crossing(1).id]
    assert parts.value("footfall_records_committed_total") == 2
    assert parts.metrics.registry.get_sample_value("footfall_watched_seconds_total", {"camera": "gate"}) == 30.0


def test_many_small_submissions_share_commits(parts: Parts) -> None:
    for number in range(300):
        parts.recorder.submit([crossing(number)])
    assert parts.recorder.flush(10)
    assert parts.stored() == [crossing(number).id for number in range(300)]
    commits = parts.value("footfall_commit_seconds_count")
    assert commits is not None
    assert commits < 60


def test_a_repeated_event_is_not_counted_again(parts: Parts) -> None:
    parts.recorder.submit([crossing(1)])
    assert parts.recorder.flush(5)
    parts.recorder.submit([crossing(1), crossing(2)])
    assert parts.recorder.flush(5)
    labels = {"camera": "gate", "line": "door", "direction": "in"}
    assert parts.metrics.registry.get_sample_value("footfall_people_crossed_total", labels) == 2
    assert parts.committed == [crossing(1), crossing(2)]


def test_a_database_locked_for_longer_than_its_patience_loses_nothing(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    other = sqlite3.connect(parts.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    parts.recorder.start()
    parts.recorder.submit([crossing(number) for number in range(5)])
    assert not parts.recorder.flush(5.6)  # longer than the driver waits for the lock
    assert parts.recorder.healthy is False
    assert parts.value("footfall_commit_failures_total") == 1
    other.execute("ROLLBACK")
    other.close()
    assert parts.recorder.flush(10)
    assert parts.recorder.healthy
    assert parts.stored() == [crossing(number).id for number in range(5)]
    assert parts.recorder.stop(5)
    parts.database.close()


class Away:
    """A database that is away."""

    def __init__(self) -> None:
        self.is_away = threading.Event()
        self.is_away.set()
        self.stored: list[Record] = []

    def store(self, records: Sequence[Record]) -> list[Record]:
        if self.is_away.is_set():
            raise StoreError("away")
        self.stored += records
        return list(records)


def test_a_full_queue_refuses_the_newest_and_counts_them() -> None:
    metrics, database = Metrics(), Away()
    recorder = Recorder(
        database,  # type: ignore[arg-type]
        metrics,
        commit_interval_s=0.01,
        on_committed=lambda _: None,
        max_pending=10,
    )
    recorder.start()
    recorder.submit(crossing(number) for number in range(15))
    assert metrics.registry.get_sample_value("footfall_records_dropped_total") == 5
    database.is_away.clear()
    assert recorder.stop(5)
    assert database.stored == [crossing(number) for number in range(10)]


def test_a_listener_that_fails_does_not_stop_the_commits(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    database.migrate()

    def fail(_: Sequence[Record]) -> None:
        raise RuntimeError("listener")

    recorder = Recorder(database, Metrics(), commit_interval_s=0.01, on_committed=fail)
    recorder.start()
    for number in range(3):
        recorder.submit([crossing(number)])
        assert recorder.flush(5)
    assert len(database.events().events) == 3
    assert recorder.stop(5)
    database.close()
