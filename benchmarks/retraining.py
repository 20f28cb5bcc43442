"""What a retraining wins back: `footfall-retrain run` for fog or darkness, judged on frames apart.

Real film: frames of a sequence with boxes are kept twice, as they are (old) and degraded (new), split in time with
gaps: its first part trains, the next chooses, the last judges. Drawn: cameras that the detector never saw in training.
Prints JSON: F1, recall, precision of both models on old and new test frames, and what the gates say.

    python benchmarks/retraining.py --model yolo11n.onnx --film DIR --wrong fog --steps 80
    python benchmarks/retraining.py --wrong fog --steps 120
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from footfall.domain import Sample, SampleLabel
from footfall.simulation import Degradation, parse_simulation_url
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.samples import SampleStore
from footfall.vision.degradation import Degrader
from footfall.vision.evaluation import read_sequence
from footfall.vision.footage import Footage
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.truth import LEAST_VISIBLE
from retrain.material import EVALUATION_SEEDS

DRIFT_AT = datetime(2026, 3, 10, tzinfo=UTC)
REQUEST = "be" * 16
PIECES = 20
"""Stretches that a film is cut into; the last quarter of each stretch is left out, so that none touches the next."""


class Site:
    """Frames with labels in real stores."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'footfall.db'}")
        self.database.migrate()
        self.samples = SampleStore(self.database)
        self.blobs = BlobStore(str(folder / "blobs"))

    def add(self, camera: str, at: datetime, picture: np.ndarray, boxes: list[list[float]]) -> None:
        """Keep a frame and what is true of it."""
        identity = hashlib.sha256(f"{camera}{at}".encode()).hexdigest()[:32]
        content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        height, width = picture.shape[:2]
        key = f"samples/{camera}/{identity}.jpg"
        self.blobs.put(key, content)
        sample = Sample(
            id=identity,
            camera_id=camera,
            unit="frame",
            queue="random",
            hour_at=at.replace(minute=0, second=0, microsecond=0),
            stratum="people",
            model="0" * 12,
            taken_at=at,
            probability=1.0,
            blob_key=key,
            media_type="image/jpeg",
            width_px=width,
            height_px=height,
            size_bytes=len(content),
            detail={},
        )
        self.samples.add(sample)
        inside = np.clip(np.array(boxes, float).reshape(-1, 4), 0, [width, height, width, height])
        self.samples.add_label(SampleLabel(identity, "truth", at, "reviewer", {"boxes": inside.round(1).tolist()}))


def from_film(site: Site, folder: Path, wrong: str, *, severity: int, every: int) -> None:
    """Each stretch of the film is an hour of old and an hour of new; which ones judge is decided here, by time."""
    truth = read_sequence(folder)
    degrader = Degrader((Degradation(wrong, severity),), seed=1, fps=truth.fps)
    pieces = {}
    with Footage(truth.video) as film:
        for frame in film.frames():
            share = frame.sequence / truth.frames * PIECES
            piece, within = int(share), share % 1
            if frame.sequence % every or within > 0.75:
                continue
            split = "train" if piece < 0.5 * PIECES else "val" if piece < 0.65 * PIECES else "test"
            boxes = truth.boxes_at(frame.sequence)[1].tolist()
            worse = degrader.apply(frame.picture, frame.received_s)
            for begin, picture in ((DRIFT_AT - timedelta(days=9), frame.picture), (DRIFT_AT, worse)):
                at = begin + timedelta(hours=piece, minutes=60 * within)
                site.add("film", at, picture, boxes)
                hour = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(hours=1)
                pieces[f"film/hour/{hour}"] = split
    site.database.set_setting("retrain_split/site", json.dumps({"pieces": pieces}))


def drawn(site: Site, wrong: str, *, severity: int, cameras: int, frames: int) -> None:
    for camera in range(cameras):
        scene = ("mall", "corridor", "plaza")[camera % 3]
        seed = EVALUATION_SEEDS[60_000 + camera]
        for is_new in (False, True):
            url = f"sim:{scene}?people=10&seed={seed}&fps=0.4&size=640x360&start=20"
            url += f"&{wrong}={severity}" if is_new else ""
            begin = DRIFT_AT if is_new else DRIFT_AT - timedelta(days=9)
            shown = itertools.islice(Simulator(parse_simulation_url(url)).frames(), frames)
            for number, each in enumerate(shown):
                people = each.people.boxes_px[each.people.visible >= LEAST_VISIBLE]
                site.add(f"c{camera}", begin + timedelta(minutes=20 * number), each.picture, people.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="to be retrained; the embedded one without it")
    parser.add_argument("--film", type=Path, help="sequence folder; drawn cameras without it")
    parser.add_argument("--wrong", default="fog", choices=["fog", "dark", "noise", "bitrate"])
    parser.add_argument("--severity", type=int, default=3, choices=range(1, 6))
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--input-size", type=int, default=320)
    parser.add_argument("--technique", default="full")
    parser.add_argument("--every", type=int, default=2, help="of the film's frames")
    parser.add_argument("--cameras", type=int, default=9)
    parser.add_argument("--stress-frames", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="footfall-retraining-") as scratch:
        folder = Path(scratch)
        site = Site(folder)
        if given.film:
            from_film(site, given.film, given.wrong, severity=given.severity, every=given.every)
        else:
            drawn(site, given.wrong, severity=given.severity, cameras=given.cameras, frames=24)
        request = {"id": REQUEST, "site": "site", "cause": given.wrong, "since": DRIFT_AT.isoformat()}
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        environment = {
            **os.environ,
            "FOOTFALL_DATA_DIR": scratch,
            "FOOTFALL_INPUT_SIZE": str(given.input_size),
            "FOOTFALL_DRIFT_LEAST_LABELS": "50",
        }
        if given.model:
            environment["FOOTFALL_MODEL"] = str(given.model.resolve())
        command = [sys.executable, "-m", "retrain", "run", "--request", str(folder / "request.json")]
        command += ["--steps", str(given.steps), "--technique", given.technique, "--device", "cpu", "--drawn", "300"]
        command += ["--stress-frames", str(given.stress_frames)]
        started = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in {0, 42}:
            raise SystemExit(done.stderr[-3000:])
        print(json.dumps(told(folder / "retrains" / REQUEST / "run", done, time.monotonic() - started), indent=1))


def told(run: Path, done: subprocess.CompletedProcess[str], seconds: float) -> dict:
    def artefact(name: str) -> dict:
        return json.loads(next(run.glob(f"[0-9][0-9]-{name}.json")).read_text(encoding="utf-8"))

    figures = artefact("evaluate")["figures"]
    exported, taught = artefact("export"), artefact("train")
    return {
        "outcome": done.stdout.strip()[:300],
        "wall_s": round(seconds),
        "frames": artefact("split")["frames"],
        "technique": artefact("technique")["choice"]["why"],
        "steps": taught["taught"]["steps"],
        "train_s": round(taught["taught"]["seconds"]),
        "augment_cpu_ms": artefact("augment")["cpu_ms"],
        "artefact": exported["artefact"],
        "int8": exported["int8"],
        "val_f1_floats": exported["val_f1"],
        "figures": {
            part: {model: figures[model]["parts"].get(part) for model in ("champion", "challenger")}
            for part in ("old", "new")
        },
        "gates": [f"{gate['name']} {gate['passed']}: {gate['detail']}" for gate in artefact("gates")["gates"]],
    }


if __name__ == "__main__":
    main()
