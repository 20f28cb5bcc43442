"""What serving costs: its size on disk, its memory with eight cameras, and its speed beside that of the bare detector.

Prints a table and, last, one line of JSON. Film and model come from FOOTFALL_TEST_DATA (see README.md) or from options.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import yaml

from footfall.config import Settings
from footfall.domain import Camera, Frame, Line, Zone
from footfall.vision.analysis import CameraAnalyser
from footfall.vision.detector import load_detector
from footfall.vision.footage import Footage
from footfall.vision.models import resolve_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from footfall.vision.detector import Detector

ROOT = Path(__file__).resolve().parent.parent
FOOTAGE_DIR = Path(os.environ.get("FOOTFALL_TEST_DATA", ROOT.parent / "shared" / "data"))
CAMERAS = 8
BATCH: int = Settings.model_fields["max_batch"].default
INPUT_SIZES = (640, 320)
ROUNDS = 3
MB = 1e6
START_S = 180.0
"""Long: fifty cameras on a machine that others use too."""
LINE = {"name": "middle", "start": [0.5, 0.0], "end": [0.5, 1.0]}
ZONE = {"name": "centre", "polygon": [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]}


@dataclass(frozen=True)
class Figure:
    """One measured figure; `aim` as text, `met` None when there is none."""

    name: str
    value: float
    unit: str
    aim: str = ""
    met: bool | None = None


def installed_size(scratch: Path) -> Iterator[Figure]:
    """Install the serving requirements as `make setup` does, load the service once, and weigh the environment."""
    folder = scratch / "environment"
    python = str(folder / "bin" / "python")
    requirements = str(ROOT / "requirements" / "serve.txt")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*install, "--require-hashes", "-r", requirements], check=True)
    subprocess.run([python, "-c", "import onnxruntime, service.__main__, service.wiring"], check=True, cwd=ROOT)
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    size_mb = sum(path.stat().st_blocks * 512 for path in files) / MB
    yield Figure("installed size of serving", size_mb, "MB", "≤ 800", size_mb <= 800)


@contextmanager
def served(
    scratch: Path, film: Path, model: str, *, cameras: int, target_fps: float = 5.0, input_size: int = 640
) -> Iterator[tuple[int, str]]:
    """Run `footfall serve` with looped films; gives its process id and address once every camera is counted."""
    camera = {"url": str(film), "loop": True, "target_fps": target_fps, "lines": [LINE], "zones": [ZONE]}
    entries = [{"id": f"camera-{n}", **camera} for n in range(cameras)]
    with running(scratch, entries, model, FOOTFALL_INPUT_SIZE=str(input_size)) as (pid, url):
        deadline_s = time.monotonic() + 60
        while len(counters(url, "footfall_frames_analysed_total", above=0)) < cameras:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"the service did not count on {cameras} cameras within 60 s")
            time.sleep(0.2)
        yield pid, url


@contextmanager
def running(scratch: Path, cameras: list[dict[str, Any]], model: str, **settings: str) -> Iterator[tuple[int, str]]:
    """Run `footfall serve` with cameras as in a site file; gives its process id and address once it answers."""
    name = f"{len(cameras)}-{time.monotonic_ns()}"
    site = scratch / f"{name}.yaml"
    site.write_text(yaml.safe_dump({"cameras": cameras}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FOOTFALL_")}
    environment |= settings
    command = [sys.executable, "-m", "service", "serve", "--model", model]
    log = scratch / f"{name}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--config", str(site), "--port", str(port), "--data-dir", str(scratch / name)],
            cwd=ROOT,
            env=environment,
            stderr=stderr,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline_s = time.monotonic() + START_S
        while not counters(url, "footfall_build_info"):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the service did not start within {START_S:g} s: {log.read_text()}")
            time.sleep(0.2)
        yield process.pid, url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def counters(url: str, name: str, *, above: float = -1) -> list[float]:
    """Return the values of a metric's series that are larger than `above`; empty while the service is starting."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return []
    values = [float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)]
    return [value for value in values if value > above]


def memory(scratch: Path, film: Path, model: str, seconds: float) -> Iterator[Figure]:
    """Watch the resident memory of a service with default settings whose page nobody looks at."""
    samples_mb = []
    with served(scratch, film, model, cameras=CAMERAS) as (pid, _):
        process = psutil.Process(pid)
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            family = [process, *process.children(recursive=True)]
            samples_mb.append(sum(each.memory_info().rss for each in family) / MB)
            time.sleep(0.5)
    settled = samples_mb[len(samples_mb) // 2 :]
    used_mb = statistics.median(settled)
    yield Figure(f"resident memory, {CAMERAS} cameras", used_mb, "MB", "≤ 350", used_mb <= 350)
    yield Figure("the same, most", max(samples_mb), "MB")


def speed(scratch: Path, film: Path, model: str, size_px: int, seconds: float) -> Iterator[Figure]:
    """Frames a second of the bare detector, of detector, tracking and counting, and of the whole service."""
    with Footage(film) as footage:
        fps = footage.native_fps
        pictures = [frame.picture for frame in itertools.islice(footage.frames(), 200)]
    detector = load_detector(resolve_model(model, scratch / "models"), input_size=size_px)
    analyse = analysis_of(detector, fps)
    offered = max(CAMERAS, round(1.3 * frames_per_second(detector.detect, pictures, 2.0) / fps + 0.5))
    bare_fps, counted_fps, whole_fps = [], [], []
    for _ in range(ROUNDS):  # by turns, so that what else the machine does hits all of them
        bare_fps.append(frames_per_second(detector.detect, pictures, seconds / ROUNDS))
        counted_fps.append(frames_per_second(analyse, pictures, seconds / ROUNDS))
        with served(scratch, film, model, cameras=offered, target_fps=60, input_size=size_px) as (_, url):
            before, before_s = sum(counters(url, "footfall_frames_analysed_total")), time.monotonic()
            time.sleep(seconds / ROUNDS)
            after, after_s = sum(counters(url, "footfall_frames_analysed_total")), time.monotonic()
        whole_fps.append((after - before) / (after_s - before_s))
    bare, counted, whole = (statistics.median(each) for each in (bare_fps, counted_fps, whole_fps))
    yield Figure(f"bare detector at {size_px}", bare, "frames/s")
    yield Figure(f"detector, tracking, counting at {size_px}", counted, "frames/s")
    yield Figure(f"ratio at {size_px}", counted / bare, "", "≥ 0.8", counted / bare >= 0.8)
    yield Figure(f"whole service at {size_px}, {offered} cameras", whole, "frames/s")
    yield Figure(f"ratio of the service at {size_px}", whole / bare, "", "≥ 0.8", whole / bare >= 0.8)


def frames_per_second(
    work: Callable[[list[NDArray[np.uint8]]], object], pictures: list[NDArray[np.uint8]], seconds: float
) -> float:
    """Hand over batches for `seconds`."""
    work(pictures[:BATCH])
    begin_s = time.monotonic()
    done = 0
    while time.monotonic() - begin_s < seconds:
        work([pictures[(done + n) % len(pictures)] for n in range(BATCH)])
        done += BATCH
    return done / (time.monotonic() - begin_s)


def analysis_of(detector: Detector, fps: float) -> Callable[[list[NDArray[np.uint8]]], object]:
    """Detect, then track and count for one camera a picture of the batch."""
    start_at = datetime(2026, 1, 1, tzinfo=UTC)
    line = Line("middle", (0.5, 0.0), (0.5, 1.0))
    zone = Zone("centre", ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)))
    analysers = [
        CameraAnalyser(Camera(f"camera-{n}", "film", target_fps=fps, lines=(line,), zones=(zone,)), run_id="bench")
        for n in range(BATCH)
    ]
    sequence = 0

    def analyse(pictures: list[NDArray[np.uint8]]) -> object:
        nonlocal sequence
        at_s = sequence / fps
        at = start_at + timedelta(seconds=at_s)
        found = zip(analysers, pictures, detector.detect(pictures), strict=True)
        analyses = [
            analyser.update(Frame(f"camera-{n}", sequence, picture, at, at_s), detections)
            for n, (analyser, picture, detections) in enumerate(found)
        ]
        sequence += 1
        return analyses

    return analyse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--film", type=Path, default=FOOTAGE_DIR / "PETS09-S2L1-a" / "video.mp4")
    default_model = os.environ.get("FOOTFALL_MODEL", str(FOOTAGE_DIR / "models" / "yolo11n.onnx"))
    parser.add_argument("--model", default=default_model, help="model folder or bare YOLO .onnx file")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--without-size", action="store_true", help="do not install a fresh environment")
    options = parser.parse_args()
    film, model = options.film.resolve(), str(Path(options.model).resolve())
    figures: list[Figure] = []

    def show(measured: Iterator[Figure]) -> None:
        for figure in measured:
            verdict = {None: "", True: f"aim {figure.aim}: met", False: f"aim {figure.aim}: MISSED"}[figure.met]
            print(f"{figure.name:<46} {figure.value:>8.2f} {figure.unit:<9} {verdict}".rstrip(), flush=True)
            figures.append(figure)

    with tempfile.TemporaryDirectory(prefix="footfall-bench-") as folder:
        scratch = Path(folder)
        if not options.without_size:
            show(installed_size(scratch))
        if not film.is_file() or not Path(model).exists():
            missing = film if not film.is_file() else model
            print(f"NOT MEASURED: memory and speed; {missing} is absent, set FOOTFALL_TEST_DATA or --film and --model")
            return 1
        show(memory(scratch, film, model, options.seconds))
        for size_px in INPUT_SIZES:
            show(speed(scratch, film, model, size_px, options.seconds))
    machine = {"cpus": os.cpu_count(), "python": sys.version.split()[0], "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}"}
    print(json.dumps({"machine": machine, "figures": [asdict(each) for each in figures]}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
