"""`kill -9` at any moment loses no acknowledged event and doubles none."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from footfall.domain import Crossing, event_id
from footfall.stores.database import Database

WRITER = Path(__file__).resolve().parents[2] / "support" / "writer.py"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def crossing(number: int) -> Crossing:
    at = START + timedelta(seconds=number)
    return Crossing(event_id("run", "gate", number), "gate", "door", "in", at, number)


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'footfall.db'}"
    rng = random.Random(4)
    acknowledged: list[int] = []
    for _ in range(8):
        # Each new run repeats the last events of the run before, as a program does that cannot know what was kept.
        first = max(0, (acknowledged[-1] if acknowledged else 0) - 5)
        process = subprocess.Popen([sys.executable, str(WRITER), url, str(first)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        acknowledged.append(int(process.stdout.readline()))
        time.sleep(rng.uniform(0.0, 0.3))
        process.kill()
        acknowledged += [int(line) for line in process.stdout.read().split("\n") if line]
        process.wait(10)
        process.stdout.close()
    assert len(acknowledged) > 50
    assert len(acknowledged) == len(set(acknowledged))

    database = Database(url)
    database.migrate()
    stored = [event.record.track_id for event in database.events(limit=1_000_000).events]
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)
    assert database.store([crossing(number) for number in acknowledged]) == []
    rows = database.counts(since=START, until=START + timedelta(days=2), bucket="day")
    assert sum(row.in_ for row in rows) == len(stored)
    database.close()
