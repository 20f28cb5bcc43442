"""What one check of fifty cameras costs, from rows in the database to verdicts, and what its blobs take.

Rows are made of noise, as many an hour as the service keeps; two weeks of seven hours are kept as windows. Measured is
the processor time of a check that makes references, of one that finds them, and of one in which every camera is unusual
and is compared with all that was accepted at about that hour. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa

from footfall.domain import Camera, FrameStatistics
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from footfall.stores.schema import frame_statistics
from footfall.vision.statistics import STATISTIC_NAMES
from monitoring.metrics import MonitorMetrics
from monitoring.references import References
from monitoring.watch import DriftWatch, WatchSettings
from monitoring.windows import window_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
LEARNED_DAYS = 14


def rows_of(
    rng: np.random.Generator, camera: str, begin: datetime, count: int, *, mean: float = 100.0
) -> list[FrameStatistics]:
    """Rows of one hour."""
    noise = rng.normal(mean, 5, (count, len(STATISTIC_NAMES)))
    layout = rng.normal(0, 50, (count, 12)).round(2)
    return [
        FrameStatistics(
            camera,
            begin + n * HOUR / count,
            dict(zip(STATISTIC_NAMES, noise[n].tolist(), strict=True)),
            tuple(layout[n].tolist()),
        )
        for n in range(count)
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=50)
    parser.add_argument("--rows", type=int, default=720)
    options = parser.parse_args()
    rng = np.random.Generator(np.random.PCG64(1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(f"sqlite:///{folder / 'footfall.db'}")
        database.migrate()
        references = References(BlobStore(str(folder / "blobs")), length=HOUR, zone=ZoneInfo("UTC"))
        settings = WatchSettings(length=HOUR, alarms_a_day=0.02, learning=LEARNED_DAYS * DAY, batch=DAY, keep=60 * DAY)
        watch = DriftWatch(database, DriftStore(database), references, MonitorMetrics(target=0.95), settings=settings)
        cameras = [f"camera-{n}" for n in range(options.cameras)]
        for camera in cameras:
            database.put_camera(Camera(camera, "rtsp://127.0.0.1/main"))
            database.store(rows_of(rng, camera, MONDAY, 60))
        watch.check(MONDAY + HOUR + timedelta(minutes=1))  # begins to learn them
        for camera in cameras:
            for day in range(LEARNED_DAYS):
                for hour in range(-3, 4):
                    begin = MONDAY + day * DAY + hour * HOUR
                    references.keep(window_of(camera, begin, begin + HOUR, rows_of(rng, camera, begin, 360), fps=5.0))
                references.remember(camera, MONDAY + (day + 1) * DAY)
        figures: dict[str, float] = {"cameras": options.cameras, "statistics": len(STATISTIC_NAMES) + 1}
        at = MONDAY + LEARNED_DAYS * DAY
        for turn, what in enumerate(("with references made", "", "with all cameras unusual")):
            begin = at + turn * 7 * DAY
            for camera in cameras:
                database.store(rows_of(rng, camera, begin, options.rows, mean=130.0 if turn == 2 else 100.0))
            while watch.check(begin + timedelta(minutes=1)):
                pass  # the hours between, of which there are no rows
            begin_s = time.process_time()
            told = watch.check(begin + HOUR + timedelta(minutes=1))
            spent_s = time.process_time() - begin_s
            judged = [verdict for verdict in told if verdict.reference == "own" and verdict.begin_at == begin]
            assert len(judged) == options.cameras, (len(judged), len(told))
            assert turn < 2 or all(verdict.state == "unusual" for verdict in judged)
            figures[f"CPU-seconds of a check {what}".strip()] = round(spent_s, 2)
        windows = [path.stat().st_size for path in (folder / "blobs" / "windows").rglob("*.npz")]
        made = [path.stat().st_size for path in (folder / "blobs" / "references").rglob("*.npz")]
        known = [path.stat().st_size for path in (folder / "blobs" / "known").rglob("*.npz")]
        figures["bytes of a remembered day of seven hours"] = round(float(np.mean(known)))
        figures["bytes of a window"] = round(float(np.mean(windows)))
        figures["bytes of a reference"] = round(float(np.mean(made)))
        with database.transaction() as connection:
            mean = sa.select(sa.func.avg(sa.func.length(sa.cast(frame_statistics.c["values"], sa.Text))))
            figures["bytes of a row"] = round(float(connection.scalar(mean) or 0))
        database.close()
    print(json.dumps({"benchmark": "drift_check", **figures}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
