"""What every store of estimates must keep; one suite over SQLite and PostgreSQL."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from footfall.domain import QualityEstimate
from footfall.stores.database import Database
from footfall.stores.quality import QualityStore

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KNOWN = QualityEstimate(
    measure="precision_reviewed",
    scope="camera",
    camera_id="gate",
    line="",
    model="0123456789ab",
    at=NOON,
    since=NOON - timedelta(days=28),
    until=NOON,
    newest_at=NOON - timedelta(hours=2),
    value=0.96,
    lower=0.93,
    upper=0.98,
    n=300,
    missing=0,
    population=4000,
    definition="share of right ones",
)
UNKNOWN = dataclasses.replace(
    KNOWN, camera_id="hall", newest_at=None, value=None, lower=None, upper=None, n=4, missing=26, population=None
)


def test_estimates_come_back_as_they_were_and_only_those_of_the_last_check(database: Database) -> None:
    store = QualityStore(database)
    assert store.newest(since=NOON - timedelta(days=1)) == []
    store.put([KNOWN, UNKNOWN])
    assert store.newest(since=NOON) == [KNOWN, UNKNOWN]
    later = dataclasses.replace(KNOWN, at=NOON + timedelta(minutes=5), value=0.97)
    store.put([later])
    assert store.newest(since=NOON) == [later]
    assert store.newest(since=NOON + timedelta(hours=1)) == []


def test_of_each_hour_one_row_is_kept_and_old_ones_go(database: Database) -> None:
    store = QualityStore(database)
    for minutes in (0, 5, 55, 60):
        store.put([dataclasses.replace(KNOWN, at=NOON + timedelta(minutes=minutes))])
    assert store.delete_before(NOON + timedelta(minutes=59)) == 1
    assert store.delete_before(NOON + timedelta(hours=2)) == 1


def test_the_history_of_a_camera_is_told_hour_by_hour(database: Database) -> None:
    store = QualityStore(database)
    hours = [dataclasses.replace(KNOWN, at=NOON + timedelta(hours=hour), value=0.9 + hour / 100) for hour in range(3)]
    store.put(
        [*hours, dataclasses.replace(KNOWN, camera_id="hall"), dataclasses.replace(KNOWN, measure="recall_audited")]
    )
    assert store.history("precision_reviewed", "gate", since=NOON) == hours
    assert store.history("precision_reviewed", "gate", since=NOON + timedelta(hours=2)) == hours[2:]
    assert store.history("precision_reviewed", "nowhere", since=NOON) == []
