"""Writes crossings through a recorder and prints each id once it is acknowledged; killed by its test."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from footfall.domain import Crossing, Record, event_id
from footfall.stores.database import Database
from service.metrics import Metrics
from service.recorder import Recorder


def main() -> None:
    first = int(sys.argv[2])
    database = Database(sys.argv[1])
    database.migrate()

    def acknowledge(records: list[Record]) -> None:
        for record in records:
            if isinstance(record, Crossing):
                sys.stdout.write(f"{record.track_id}\n")
        sys.stdout.flush()

    recorder = Recorder(database, Metrics(), commit_interval_s=0.01, on_committed=acknowledge)  # type: ignore[arg-type]
    recorder.start()
    start = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    for number in range(first, first + 100_000):
        at = start + timedelta(seconds=number)
        recorder.submit([Crossing(event_id("run", "gate", number), "gate", "door", "in", at, number)])
        if number % 20 == 0:
            recorder.flush(5)


if __name__ == "__main__":
    main()
