"""What sampling for review costs the analysis: nothing drawn, people and frames drawn, and a clip being filmed.

CPU time of one process by analysed frame, as a share of the bare detector in the same run. Prints a table and, last,
one line of JSON. Film from FOOTFALL_TEST_DATA (see README.md) or from options.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from footfall.domain import Camera, Line, Sampling
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.samples import SampleStore
from footfall.vision.analysis import CameraAnalyser
from footfall.vision.detector import load_detector
from footfall.vision.footage import Footage
from footfall.vision.models import EMBEDDED_FOLDER
from service.clips import ClipRecorder
from service.metrics import Metrics
from service.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from footfall.vision.analysis import Analysis

ROOT = Path(__file__).resolve().parent.parent
FOOTAGE_DIR = Path(os.environ.get("FOOTFALL_TEST_DATA", ROOT.parent / "shared" / "data"))
MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LINE = Line("door", (0.5, 0.0), (0.5, 1.0))
USUAL = Sampling("benchmark", clips_per_day=0)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--film", type=Path, default=FOOTAGE_DIR / "PETS09-S2L1-a" / "video.mp4")
    parser.add_argument("--seconds", type=float, default=40.0)
    options = parser.parse_args()
    detector = load_detector(EMBEDDED_FOLDER, threads=1, input_size=640)
    analyser = CameraAnalyser(Camera("street", "film.mp4", lines=(LINE,)), run_id="benchmark")
    analysed: list[Analysis] = []
    detector_s = 0.0
    with Footage(options.film, fps=5) as film:
        for frame in film.frames():
            if frame.received_s > options.seconds:
                break
            begin_s = time.process_time()
            (found,) = detector.detect([frame.picture])
            detector_s += time.process_time() - begin_s
            timed = replace(frame, received_at=MORNING + timedelta(seconds=frame.received_s))
            analysed.append(analyser.update(timed, found))
    detector_ms = 1000 * detector_s / len(analysed)
    people = sum(len(each.tracks.ids) for each in analysed) / len(analysed)
    print(f"{len(analysed)} frames, {people:.1f} people in each; bare detector {detector_ms:.1f} ms")
    figures = {"detector_ms": detector_ms, "people": people}
    recorder = ClipRecorder(LINE, options.seconds)
    for name, ms in (
        ("without leave", _observing(Camera("street", "film.mp4"), analysed)),
        ("people and frames, 40 and 4 a day", _observing(Camera("street", "film.mp4", sampling=USUAL), analysed)),
        ("while a clip is filmed, on top", _cpu_ms(lambda each: recorder.add(each, ()), analysed)),
    ):
        figures[name] = ms
        print(f"{name}: {ms:.2f} ms a frame, {ms / detector_ms:.1%} of the detector")
    print(json.dumps({"benchmark": "sampling", **{name: round(value, 3) for name, value in figures.items()}}))
    return 0


def _observing(camera: Camera, analysed: list[Analysis]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/footfall.db")
        database.migrate()
        store = SampleStore(database)
        sampler = Sampler(
            store, BlobStore(f"{folder}/blobs"), Metrics(), model=lambda _: "0123456789ab", rng=random.Random(1)
        )
        sampler.start()
        spent_ms = _cpu_ms(lambda each: sampler.observe(camera, each), analysed)
        sampler.stop(30)
        database.close()
    return spent_ms


def _cpu_ms(step: Callable[[Analysis], object], analysed: list[Analysis]) -> float:
    begin_s = time.process_time()
    for each in analysed:
        step(each)
    return 1000 * (time.process_time() - begin_s) / len(analysed)


if __name__ == "__main__":
    raise SystemExit(main())
