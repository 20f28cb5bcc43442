"""How many cameras this machine holds: N real RTSP cameras into the real service, with what each costs and counts.

Prints a table and, last, one line of JSON; `--document` writes table and chart into docs/. Films are made of
FOOTFALL_TEST_DATA (see README.md) and of drawn scenes: 20 s of 640x360 H.264 at 10 frames a second each.
The server of the cameras needs Debian's GStreamer (README.md) and runs on the same cores; its share is told apart.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import cv2
import numpy as np
import psutil
from chart import Panel, svg
from prometheus_client.parser import text_string_to_metric_families
from serving import FOOTAGE_DIR, MB, ROOT, running

from footfall.simulation import parse_simulation_url
from footfall.vision.detector import input_shape, load_detector
from footfall.vision.evaluation import DIRECTIONS, FilmedTruth, read_sequence
from footfall.vision.film import evaluate_sequence
from footfall.vision.footage import Footage
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.simulator.truth import export_scene

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from footfall.vision.detector import YoloDetector
    from footfall.vision.runtimes import Runtime

WIDTH_PX, HEIGHT_PX = 640, 360
FPS: Final = 10
LOOP_S: Final = 20.0
LOOP_FRAMES: Final = round(LOOP_S * FPS)
TARGET_FPS: Final = 5.0
GOAL_MS: Final = 8.0
DOCUMENT = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "capacity.svg"
BEGIN, END = "<!-- capacity: begin -->", "<!-- capacity: end -->"
# folder of FOOTFALL_TEST_DATA or drawn scene, first frame
MIXES: Final = {
    "busy": (("PETS09-S2L1-a", 0), ("sim:mall?people=10&seed=500003", 0), ("PETS09-S2L1-a", 200)),
    "quiet": (("one-by-one-audited", 600), ("sim:corridor?people=1&seed=500101", 0), ("one-by-one-audited", 780)),
}


@dataclass(frozen=True)
class Alone:
    """What a film gives on its own, without haste."""

    film: str
    crossings: int
    accuracy: float | None
    recall: float | None


@dataclass(frozen=True)
class Run:
    """One number of cameras.

    Attributes:
        live_s: from the start of the process until a frame of every camera was analysed; infinite: not within a minute.
        analysed_fps: of each camera: mean and least.
        rested: share of the analysed frames that needed no detector.
        dropped: reason → share of the received frames.
        age_ms: capture to count: p50, p95, p99, told from the buckets of `footfall_frame_age_seconds`.
        cpu_ms: CPU time of the service for an analysed frame, everything included.
        limit: CPU time of decoding and inference alone for the same frames ÷ that of the service.
        cores, server_cores: used by the service, and by the server that plays the cameras.
        accuracy: of the counts over whole loops, 1 − errors ÷ true crossings; None for a shorter run.
        alone: the same of these films on their own.
    """

    mix: str
    cameras: int
    live: int
    live_s: float
    seconds: float
    analysed_fps: tuple[float, float]
    rested: float
    dropped: dict[str, float]
    age_ms: tuple[float, float, float]
    cpu_ms: float
    limit: float
    cores: float
    server_cores: float
    rss_mb: float
    accuracy: float | None
    alone: float | None


def pictures_of(sequence: FilmedTruth, first: int) -> Iterator[NDArray[np.uint8]]:
    """Give 20 s of a film as 640x360, with bars at its sides where it is narrower."""
    with Footage(sequence.video) as footage:
        for frame in itertools.islice(footage.frames(), first, first + LOOP_FRAMES):
            picture = frame.picture
            height, width = picture.shape[:2]
            inner = round(HEIGHT_PX * width / height)
            shown = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
            left = (WIDTH_PX - inner) // 2
            shown[:, left : left + inner] = cv2.resize(picture, (inner, HEIGHT_PX), interpolation=cv2.INTER_AREA)
            yield shown


def make_film(source: str, first: int, scratch: Path) -> FilmedTruth:
    """Make a sequence of 20 s, coded as cameras do: a key picture every two seconds, no B-frames."""
    if source.startswith("sim:"):
        drawn = scratch / f"drawn-{len(list(scratch.iterdir()))}"
        url = f"{source}&fps={FPS}&size={WIDTH_PX}x{HEIGHT_PX}"
        export_scene(parse_simulation_url(url), drawn, seconds=LOOP_S)
        sequence = read_sequence(drawn)
    else:
        sequence = read_sequence(FOOTAGE_DIR / source)
    folder = scratch / f"film-{len(list(scratch.iterdir()))}"
    (folder / "gt").mkdir(parents=True)
    with av.open(str(folder / "video.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "crf": "24", "g": str(2 * FPS), "bf": "0"}
        for picture in pictures_of(sequence, first):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    inner = round(HEIGHT_PX * sequence.width_px / sequence.height_px)
    left, begin_s = (WIDTH_PX - inner) // 2, first / sequence.fps
    lines = [
        {
            "line": each.line.name,
            "a": [left + each.line.start[0] * inner, each.line.start[1] * HEIGHT_PX],
            "b": [left + each.line.end[0] * inner, each.line.end[1] * HEIGHT_PX],
            "events": [
                [round((event.at_s - begin_s) * FPS) + 1, event.person_id, event.direction]
                for event in each.events
                if begin_s <= event.at_s < begin_s + LOOP_S
            ],
        }
        for each in sequence.lines or ()
    ]
    (folder / "gt" / "crossings.json").write_text(json.dumps({"lines": lines}))
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={source}\nframeRate={FPS}\nseqLength={LOOP_FRAMES}\nimWidth={WIDTH_PX}\nimHeight={HEIGHT_PX}\n"
    )
    return read_sequence(folder)


def rtsp_server() -> Any:  # noqa: ANN401  a class of the tests, which are no package
    path = ROOT / "tests" / "rtsp_server" / "fixture.py"
    specification = importlib.util.spec_from_file_location("rtsp_server_fixture", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.RtspServer


def floor_ms(film: Path, detector: YoloDetector, input_size: int) -> tuple[float, float]:
    """CPU time of one thread for decoding a frame and for an inference, least of five turns: ms each."""
    height, width = input_shape(WIDTH_PX, HEIGHT_PX, longer_px=input_size, stride=detector.card.stride)
    tensor = np.random.default_rng(1).random((1, 3, height, width), np.float32)
    decoding, inference = [], []
    for _ in range(5):
        with av.open(str(film)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            begin_s = time.thread_time()
            frames = sum(1 for _ in container.decode(video=0))
            decoding.append((time.thread_time() - begin_s) / frames)
        detector.infer(tensor)
        begin_s = time.process_time()  # a runtime may compute on a thread of its own
        for _ in range(20):
            detector.infer(tensor)
        inference.append((time.process_time() - begin_s) / 20)
    return 1e3 * min(decoding), 1e3 * min(inference)


class Scrape:
    """The service's metrics at one moment."""

    def __init__(self, url: str) -> None:
        with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        self._samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sum a metric's series by one label."""
        found: dict[str, float] = {}
        for sample in self._samples:
            if sample.name == name:
                key = sample.labels.get(label, "")
                found[key] = found.get(key, 0.0) + sample.value
        return found


def quantile(buckets: dict[str, float], share: float) -> float:
    """Seconds, evenly within the bucket; NaN when nothing was observed."""
    rows = sorted((float(limit), count) for limit, count in buckets.items())
    total = rows[-1][1] if rows else 0.0
    if not total:
        return float("nan")
    below_s, below = 0.0, 0.0
    for limit_s, count in rows:
        if count >= share * total:
            if limit_s == float("inf"):
                return below_s
            return below_s + (limit_s - below_s) * (share * total - below) / max(count - below, 1e-9)
        below_s, below = limit_s, count
    return below_s


def difference(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {key: value - before.get(key, 0.0) for key, value in after.items()}


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in processes)


def counted(url: str, camera: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Return a camera's crossings of a time."""
    events: list[dict[str, Any]] = []
    after = 0
    while True:
        with urllib.request.urlopen(
            f"{url}/api/v1/events?limit=1000&camera={camera}&after={after}", timeout=30
        ) as answer:
            page = json.loads(answer.read())
        events += page["events"]
        if page["next_cursor"] is None or not page["events"]:
            break
        after = page["next_cursor"]
    return [each for each in events if "line" in each and since <= datetime.fromisoformat(each["at"]) < until]


def cameras_of(server: Any, names: Sequence[str], films: Sequence[FilmedTruth]) -> list[dict[str, Any]]:  # noqa: ANN401
    """Cameras of a site file, each with the lines of its film."""
    return [
        {
            "id": name,
            "url": server.url(f"/{name}"),
            "target_fps": TARGET_FPS,
            "lines": [
                {"name": each.line.name, "start": list(each.line.start), "end": list(each.line.end)}
                for each in film.lines or ()
            ],
        }
        for name, film in zip(names, films, strict=True)
    ]


def wait_until_live(url: str, number: int) -> float:
    """Wait until a frame of every camera was analysed; returns when, monotonic; infinite if not within a minute."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        seen = Scrape(url).by("footfall_frames_analysed_total", "camera")
        if sum(value > 0 for value in seen.values()) == number:
            return time.monotonic()
        time.sleep(0.2)
    return float("inf")


def measure(
    mix: str,
    films: Sequence[FilmedTruth],
    alone: Sequence[Alone],
    number: int,
    scratch: Path,
    *,
    seconds: float,
    input_size: int,
    model: str,
    floors_ms: tuple[float, float],
    threads: int = 0,
    runtime: Runtime = "auto",
) -> Run:
    """Play and count one number of cameras."""
    chosen = [films[index % len(films)] for index in range(number)]
    names = [f"camera-{index}" for index in range(number)]
    with rtsp_server()([(f"/{name}", film.video, FPS) for name, film in zip(names, chosen, strict=True)]) as server:
        cameras = cameras_of(server, names, chosen)
        launched_s = time.monotonic()
        settings = {
            "FOOTFALL_INPUT_SIZE": str(input_size),
            "FOOTFALL_INFERENCE_THREADS": str(threads),
            "FOOTFALL_RUNTIME": runtime,
        }
        with running(scratch, cameras, model, **settings) as (pid, url):
            live_s = wait_until_live(url, number) - launched_s
            time.sleep(2.0)
            service = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            played = [psutil.Process(server.pid)]
            most_mb: list[float] = []
            enough = threading.Event()

            def weigh() -> None:
                while not enough.wait(0.5):
                    most_mb.append(sum(each.memory_info().rss for each in service) / MB)

            weighing = threading.Thread(target=weigh, daemon=True)
            weighing.start()
            before, sent_before = Scrape(url), server.sent(f"/{names[0]}")
            began_at, began_s, cpu_before, server_before = (
                datetime.now(UTC),
                time.monotonic(),
                cpu_s(service),
                cpu_s(played),
            )
            # A camera's clock is not ours: whole loops are those that were sent, so that true crossings are whole too.
            loops = int(seconds / LOOP_S)
            time.sleep(seconds - 2.0 if loops else seconds)
            while loops and server.sent(f"/{names[0]}") - sent_before < loops * LOOP_FRAMES:
                time.sleep(0.05)
            cpu_used, server_used = cpu_s(service) - cpu_before, cpu_s(played) - server_before
            elapsed_s, ended_at = time.monotonic() - began_s, datetime.now(UTC)
            after = Scrape(url)
            enough.set()
            weighing.join(5)
            time.sleep(1.5)  # a crossing is told up to a second after it happened
            errors = true = 0
            for name, film in zip(names, chosen, strict=True):
                found = counted(url, name, began_at, ended_at)
                for each in film.lines or ():
                    for way in DIRECTIONS:
                        expected = loops * sum(event.direction == way for event in each.events)
                        told = sum(event["line"] == each.line.name and event["direction"] == way for event in found)
                        errors += abs(told - expected)
                        true += expected
    analysed = difference(
        before.by("footfall_frames_analysed_total", "camera"), after.by("footfall_frames_analysed_total", "camera")
    )
    received, rested = (
        sum(difference(before.by(name, "camera"), after.by(name, "camera")).values())
        for name in ("footfall_frames_received_total", "footfall_frames_rested_total")
    )
    dropped = difference(
        before.by("footfall_frames_dropped_total", "reason"), after.by("footfall_frames_dropped_total", "reason")
    )
    ages = difference(
        before.by("footfall_frame_age_seconds_bucket", "le"), after.by("footfall_frame_age_seconds_bucket", "le")
    )
    total = sum(analysed.values())
    decoding_ms, inference_ms = floors_ms
    floor = received * decoding_ms + (total - rested) * inference_ms
    known = [each for each in (alone[index % len(films)] for index in range(number)) if each.accuracy is not None]
    weights = [each.crossings for each in known]
    return Run(
        mix=mix,
        cameras=number,
        live=sum(value > 0 for value in analysed.values()),
        live_s=live_s,
        seconds=elapsed_s,
        analysed_fps=(total / number / elapsed_s, min((*analysed.values(), total)) / elapsed_s),
        rested=rested / max(total, 1.0),
        dropped={reason: count / max(received, 1.0) for reason, count in dropped.items() if count},
        age_ms=(1e3 * quantile(ages, 0.5), 1e3 * quantile(ages, 0.95), 1e3 * quantile(ages, 0.99)),
        cpu_ms=1e3 * cpu_used / max(total, 1.0),
        limit=floor / max(1e3 * cpu_used, 1e-9),
        cores=cpu_used / elapsed_s,
        server_cores=server_used / elapsed_s,
        rss_mb=max(most_mb, default=float("nan")),
        accuracy=1 - errors / true if true else None,
        alone=float(np.average([each.accuracy or 0.0 for each in known], weights=weights)) if sum(weights) else None,
    )


HEAD = (
    "| mix | cameras | analysed/s each, mean / least | rested | dropped beyond the rate | capture to count p50 / p95 / "
    "p99, ms | CPU ms a frame | limit | cores | RSS, MB | counting, live / alone | all live after, s |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def row(run: Run) -> str:
    lost = sum(share for reason, share in run.dropped.items() if reason not in {"rate", "superseded"})
    superseded = run.dropped.get("superseded", 0.0)
    counting = " / ".join(map(percent, (run.accuracy, run.alone)))
    ages = " / ".join(f"{each:.0f}" for each in run.age_ms)
    return (
        f"| {run.mix} | {run.cameras} | {run.analysed_fps[0]:.2f} / {run.analysed_fps[1]:.2f} | {run.rested:.0%} | "
        f"{lost:.1%}, superseded {superseded:.0%} | {ages} | {run.cpu_ms:.1f} | {run.limit:.2f} | {run.cores:.2f} | "
        f"{run.rss_mb:.0f} | {counting} | {run.live_s:.1f} |"
    )


def drawn(runs: Sequence[Run]) -> str:
    """Analyses a second and cost over the number of cameras, for each mix, as an SVG."""
    mixes = list(dict.fromkeys(run.mix for run in runs))
    return svg(
        [
            Panel(
                "Analyses a second of each camera",
                {mix: [(run.cameras, run.analysed_fps[0]) for run in runs if run.mix == mix] for mix in mixes},
                aim=TARGET_FPS,
            ),
            Panel(
                "CPU ms of an analysed frame",
                {mix: [(run.cameras, run.cpu_ms) for run in runs if run.mix == mix] for mix in mixes},
                aim=GOAL_MS,
            ),
        ],
        about="Analyses a second and CPU time of an analysed frame over the number of cameras, busy and quiet",
    )


def write_document(machine: dict[str, Any], runs: Sequence[Run], alone: dict[str, list[Alone]]) -> None:
    """Put the table between the marks of docs/performance.md."""
    films = "\n".join(
        f"| {mix} | {each.film} | {each.crossings} | {percent(each.accuracy)} |"
        for mix, entries in alone.items()
        for each in entries
    )
    conditions = (
        f"{machine['at']}, {machine['cpus']} cores ({machine['cpu']}), load by other work at the start "
        f"{machine['load']:.1f}; detector {machine['model']} at {machine['input_size']} in {machine['runtime']}; one "
        f"core: decoding {machine['decoding_ms']:.2f} ms a frame, inference {machine['inference_ms']:.2f} ms."
    )
    text = "\n".join(
        [
            BEGIN,
            "",
            conditions,
            "",
            HEAD,
            *map(row, runs),
            "",
            f"![Analyses a second and CPU time of an analysed frame over the number of cameras]({CHART.name})",
            "",
            "| mix | film of 20 s | true crossings | counted right alone, 5 frames a second |",
            "|---|---|---|---|",
            films,
            "",
            END,
        ]
    )
    CHART.write_text(drawn(runs), encoding="utf-8")
    document = DOCUMENT.read_text(encoding="utf-8")
    before, rest = document.split(BEGIN)
    DOCUMENT.write_text(before + text + rest.split(END)[1], encoding="utf-8")


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", default="1,5,10,25,50", help="numbers of cameras, separated by commas")
    parser.add_argument("--mix", choices=("busy", "quiet", "both"), default="both")
    parser.add_argument(
        "--seconds", type=float, default=LOOP_S, help="of each run; under 20, one loop, counts are not judged"
    )
    parser.add_argument("--input-size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=0, help="FOOTFALL_INFERENCE_THREADS of the service")
    parser.add_argument("--runtime", choices=("auto", "onnxruntime", "openvino"), default="auto")
    parser.add_argument("--model", type=Path, default=EMBEDDED_FOLDER, help="model folder")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    options, _ = parser.parse_known_args()
    mixes = ("busy", "quiet") if options.mix == "both" else (options.mix,)
    missing = [
        source
        for mix in mixes
        for source, _ in MIXES[mix]
        if not source.startswith("sim:") and not (FOOTAGE_DIR / source / "video.mp4").is_file()
    ]
    if missing:
        print(f"NOT MEASURED: capacity; {FOOTAGE_DIR / missing[0]} is absent, set FOOTFALL_TEST_DATA")
        return 1
    runs: list[Run] = []
    alone: dict[str, list[Alone]] = {}
    machine: dict[str, Any] = {
        "cpus": os.cpu_count(),
        "cpu": cpu_name(),
        "load": os.getloadavg()[0],
        "model": options.model.name,
        "input_size": options.input_size,
        "threads": options.threads,
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
    }
    with tempfile.TemporaryDirectory(prefix="footfall-capacity-") as folder:
        scratch = Path(folder)
        detector = load_detector(options.model, runtime=options.runtime, threads=1, input_size=options.input_size)
        machine["runtime"] = detector.runtime
        for mix in mixes:
            films = [make_film(source, first, scratch) for source, first in MIXES[mix]]
            alone[mix] = []
            for (source, first), film in zip(MIXES[mix], films, strict=True):
                report = evaluate_sequence(film, detector, fps=TARGET_FPS)
                events = sum(len(each.events) for each in film.lines or ())
                accuracy = report.get("counting", {}).get("accuracy")
                name = f"{source.removesuffix('-audited')} from frame {first}"
                alone[mix].append(Alone(name, events, accuracy if events else None, None))
            floors_ms = floor_ms(films[0].video, detector, options.input_size)
            if not runs:
                machine |= {"decoding_ms": floors_ms[0], "inference_ms": floors_ms[1]}
                print(HEAD, flush=True)
            for number in map(int, options.cameras.split(",")):
                runs.append(
                    measure(
                        mix,
                        films,
                        alone[mix],
                        number,
                        scratch,
                        seconds=options.seconds,
                        input_size=options.input_size,
                        model=str(options.model),
                        floors_ms=floors_ms,
                        threads=options.threads,
                        runtime=options.runtime,
                    )
                )
                print(row(runs[-1]), flush=True)
    figures = {
        "machine": machine,
        "alone": {mix: [asdict(each) for each in entries] for mix, entries in alone.items()},
        "runs": [asdict(each) for each in runs],
        "goal": {"cpu_ms": GOAL_MS, "analysed_fps": TARGET_FPS, "p99_ms": 1000, "rss_mb": 1500},
    }
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if options.document:
        write_document(machine, runs, alone)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
