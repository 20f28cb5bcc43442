"""Footfall beside what else a user would pick, on the same RTSP cameras with the same weights, one after the other.

Prints a table and, last, one line of JSON. Peers that are not installed are named and left out. It needs what
`capacity.py` needs, yolo11n of FOOTFALL_TEST_DATA, and for Ultralytics what training needs (README.md) and `lap`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from capacity import FPS, MIXES, TARGET_FPS, cpu_s, make_film, rtsp_server, wait_until_live
from serving import FOOTAGE_DIR, MB, counters, running

if TYPE_CHECKING:
    from collections.abc import Sequence

INPUT_PX: Final = 320
WEIGHTS: Final = FOOTAGE_DIR / "models" / "yolo11n"

# As the guide "Multi-Threaded Tracking" and the page on the mode `track` of Ultralytics show it: a list of streams.
ULTRALYTICS: Final = """
import sys
sys.modules["openvino_telemetry"] = None  # else OpenVINO asks Google Analytics
from ultralytics import YOLO
model = YOLO(sys.argv[1], task="detect")
for result in model.track(source=sys.argv[2], stream=True, imgsz=int(sys.argv[3]), classes=[0], verbose=False):
    print("frame", flush=True)
"""
# The fastest of its formats on these processors; batches as large as the list of streams, which an export else fixes.
TO_OPENVINO: Final = """
import sys
sys.modules["openvino_telemetry"] = None
from ultralytics import YOLO
YOLO(sys.argv[1]).export(format="openvino", imgsz=int(sys.argv[2]), dynamic=True)
"""
# As the how-to "Track Objects" and the page on LineZone of supervision show it, with `trackers`: a thread a camera.
SUPERVISION: Final = """
import sys, threading
import cv2, numpy as np, onnxruntime, supervision as sv
from trackers import ByteTrackTracker
cv2.setNumThreads(1)
side = int(sys.argv[3])
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
def watch(url):
    capture = cv2.VideoCapture(url)
    tracker, line = ByteTrackTracker(frame_rate=10), sv.LineZone(sv.Point(320, 0), sv.Point(320, 360))
    while True:
        read, frame = capture.read()
        if not read:
            return
        height, width = frame.shape[:2]
        scale = side / max(height, width)
        canvas = np.full((-(-int(height * scale) // 32) * 32, side, 3), 114, np.uint8)
        small = cv2.resize(frame, (int(width * scale), int(height * scale)))
        canvas[: small.shape[0], : small.shape[1]] = small
        tensor = np.ascontiguousarray(canvas[..., ::-1].transpose(2, 0, 1)[None], np.float32) / 255
        output = session.run(None, {"images": tensor})[0][0].T
        scores = output[:, 4]
        keep = scores > 0.25
        x, y, w, h = output[keep, :4].T / scale
        found = sv.Detections(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1), confidence=scores[keep],
                              class_id=np.zeros(int(keep.sum()), int)).with_nms(0.6)
        line.trigger(tracker.update(found))
        print("frame", flush=True)
threads = [threading.Thread(target=watch, args=(url,)) for url in open(sys.argv[2]).read().split()]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@dataclass(frozen=True)
class Figure:
    """What one of them did with all cameras.

    Attributes:
        fps: analysed frames a second, of all cameras together.
        cpu_ms: CPU time of an analysed frame, all included.
        cameras: that could be held at five analyses a second each: fps ÷ 5.
    """

    who: str
    fps: float
    cpu_ms: float
    rss_mb: float
    cameras: float


def figure(who: str, frames: float, seconds: float, used_s: float, rss_mb: float) -> Figure:
    return Figure(who, frames / seconds, 1e3 * used_s / max(frames, 1), rss_mb, frames / seconds / TARGET_FPS)


def processes_of(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def footfall(urls: Sequence[str], scratch: Path, seconds: float) -> Figure:
    """Ask for more than cameras send, so that it does all it can."""
    line = {"name": "middle", "start": [0.5, 0.0], "end": [0.5, 1.0]}
    cameras = [
        {"id": f"camera-{index}", "url": url, "target_fps": FPS, "lines": [line]} for index, url in enumerate(urls)
    ]
    with running(scratch, cameras, f"{WEIGHTS}.onnx", FOOTFALL_INPUT_SIZE=str(INPUT_PX)) as (pid, url):
        wait_until_live(url, len(urls))
        time.sleep(2.0)
        processes = processes_of(pid)
        before, cpu, begin_s = sum(counters(url, "footfall_frames_analysed_total")), cpu_s(processes), time.monotonic()
        time.sleep(seconds)
        frames = sum(counters(url, "footfall_frames_analysed_total")) - before
        rss_mb = sum(each.memory_info().rss for each in processes) / MB
        return figure("Footfall", frames, time.monotonic() - begin_s, cpu_s(processes) - cpu, rss_mb)


def without_network(scratch: Path) -> dict[str, str]:
    return {**os.environ, "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(scratch)}


def to_openvino(python: str, scratch: Path) -> Path | None:
    """Have Ultralytics write the weights for OpenVINO; None when it cannot."""
    weights = scratch / WEIGHTS.with_suffix(".pt").name
    shutil.copy(WEIGHTS.with_suffix(".pt"), weights)
    command = [python, "-c", TO_OPENVINO, str(weights), str(INPUT_PX)]
    done = subprocess.run(
        command, cwd=scratch, env=without_network(scratch), capture_output=True, text=True, check=False
    )
    folder = scratch / f"{WEIGHTS.name}_openvino_model"
    if done.returncode == 0 and folder.is_dir():
        return folder
    print(done.stderr[-2000:], file=sys.stderr)
    return None


def script(
    who: str, code: str, model: Path, *, python: str, urls: Sequence[str], scratch: Path, seconds: float
) -> Figure | None:
    """Run a peer's script; None when it analysed nothing within two minutes."""
    streams = scratch / "list.streams"
    streams.write_text("\n".join(urls) + "\n")
    told = scratch / f"{who.split(maxsplit=1)[0]}.txt"
    with told.open("wb") as output, (scratch / "errors.txt").open("wb") as errors:
        process = subprocess.Popen(
            [python, "-c", code, str(model), str(streams), str(INPUT_PX)],
            stdout=output,
            stderr=errors,
            cwd=scratch,
            env=without_network(scratch),
        )
    try:
        deadline_s = time.monotonic() + 120
        # All cameras once, then two seconds, as with ours.
        while told.read_bytes().count(b"frame\n") < 2 * len(urls):
            if process.poll() is not None or time.monotonic() > deadline_s:
                print((scratch / "errors.txt").read_text()[-2000:], file=sys.stderr)
                return None
            time.sleep(0.2)
        time.sleep(2.0)
        processes = processes_of(process.pid)
        before, cpu, begin_s = told.read_bytes().count(b"frame\n"), cpu_s(processes), time.monotonic()
        time.sleep(seconds)
        frames = told.read_bytes().count(b"frame\n") - before
        rss_mb = sum(each.memory_info().rss for each in processes) / MB
        return figure(who, frames, time.monotonic() - begin_s, cpu_s(processes) - cpu, rss_mb)
    finally:
        process.kill()
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each")
    parser.add_argument("--python", default=sys.executable, help="of an environment that has the peers, else this one")
    options, _ = parser.parse_known_args()
    if not WEIGHTS.with_suffix(".onnx").is_file():
        print(f"NOT MEASURED: peers; {WEIGHTS}.onnx is absent, set FOOTFALL_TEST_DATA")
        return 1
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="footfall-peers-") as folder:
        scratch = Path(folder)
        films = [make_film(source, first, scratch) for source, first in MIXES["busy"]]
        mounts = [(f"/camera-{index}", films[index % len(films)].video, FPS) for index in range(options.cameras)]
        with rtsp_server()(mounts) as server:
            urls = [server.url(mount) for mount, _, _ in mounts]
            figures.append(footfall(urls, scratch, options.seconds))
            peers = (
                ("Ultralytics model.track, PyTorch", ULTRALYTICS, WEIGHTS.with_suffix(".pt")),
                ("Ultralytics model.track, OpenVINO", ULTRALYTICS, to_openvino(options.python, scratch)),
                ("supervision + ONNX Runtime", SUPERVISION, WEIGHTS.with_suffix(".onnx")),
            )
            for who, code, model in peers:
                if model is None:
                    print(f"NOT MEASURED: {who} wrote no model")
                    continue
                about = {"urls": urls, "scratch": scratch, "seconds": options.seconds}
                found = script(who, code, model, python=options.python, **about)
                if found is None:
                    print(f"NOT MEASURED: {who} analysed nothing within two minutes")
                else:
                    figures.append(found)
    print("| who | analysed/s, all cameras | CPU ms a frame | RSS, MB | cameras at 5/s | ours ÷ theirs |")
    print("|---|---|---|---|---|---|")
    for each in figures:
        ratio = figures[0].fps / max(each.fps, 1e-9)
        costs = f"{each.fps:.1f} | {each.cpu_ms:.1f} | {each.rss_mb:.0f}"
        print(f"| {each.who} | {costs} | {each.cameras:.1f} | {ratio:.2f} |")
    print(json.dumps([asdict(each) for each in figures]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
