"""What cameras would cost on this machine, measured on a drawn scene; opens no camera and needs no footage."""

from __future__ import annotations

import io
import math
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final

import av

from footfall.domain import Camera, Frame, Line, Zone
from footfall.simulation import parse_simulation_url
from footfall.vision.analysis import CameraAnalyser
from footfall.vision.pixels import Converter, DecodedImage
from footfall.vision.simulator import Simulator
from footfall.vision.statistics import StatisticsMeter

if TYPE_CHECKING:
    from footfall.vision.detector import Detector

HEADROOM: Final = 0.85
"""Share of the cores that is planned with: at more, frames wait for their turn."""
_RECEIVE_SHARE: Final = 0.5
"""Receiving a frame over RTSP, of decoding it: measured at 640x360, docs/performance.md."""
_REST_SHARE: Final = 0.06
"""Records, metrics and an unseen page, of all the rest: the same."""
_FRAMES: Final = 24
_SENT_FPS: Final = 10
_SCENE: Final = f"sim:mall?people=8&seed=41&fps={_SENT_FPS}&start=15"


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU time on one core of this machine; milliseconds.

    Attributes:
        decode_ms: to receive and decode a frame.
        detect_ms: to scale a frame and find the people on it.
        count_ms: to track and count them.
        row_ms: a row of statistics, once a second.
    """

    decode_ms: float
    detect_ms: float
    count_ms: float
    row_ms: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a number of cameras asks of the machine.

    Attributes:
        stages: what takes how many cores for one camera, the most first.
        camera_cores: for one camera, all together.
        holds: cameras that the cores hold.
        cores_needed: for the wanted number.
    """

    cameras: int
    cores: int
    stages: tuple[tuple[str, float], ...]
    camera_cores: float
    holds: int
    cores_needed: int

    @property
    def fits(self) -> bool:
        """Whether the machine holds them all."""
        return self.cameras <= self.holds


def plan_for(costs: Costs, *, cameras: int, fps: float, sent_fps: float, cores: int) -> Plan:
    """Work out what `cameras` like cameras ask for.

    Args:
        fps: analyses of a camera a second; no more than it sends are done.
        sent_fps: frames that a camera sends a second.
        cores: of the machine.

    >>> plan = plan_for(Costs(1.0, 6.0, 2.0, 2.5), cameras=50, fps=5, sent_fps=10, cores=2)
    >>> plan.holds, plan.cores_needed, plan.fits, plan.stages[0][0]
    (30, 4, False, 'the detector')
    """
    analysed_fps = min(fps, sent_fps)
    parts = {
        "decoding": sent_fps * costs.decode_ms / 1e3,
        "the detector": analysed_fps * costs.detect_ms / 1e3,
        "tracking and counting": analysed_fps * costs.count_ms / 1e3,
        "statistics": min(1.0, analysed_fps) * costs.row_ms / 1e3,
    }
    parts["records and pages"] = _REST_SHARE * sum(parts.values())
    camera_cores = sum(parts.values())
    return Plan(
        cameras=cameras,
        cores=cores,
        stages=tuple(sorted(parts.items(), key=lambda each: -each[1])),
        camera_cores=camera_cores,
        holds=int(HEADROOM * cores / camera_cores),
        cores_needed=math.ceil(cameras * camera_cores / HEADROOM),
    )


def measure_costs(detector: Detector, *, width_px: int, height_px: int, fps: float) -> Costs:
    """Measure on this machine, in a few seconds, with eight people in view.

    Args:
        detector: with one thread.
        fps: analyses of a camera a second.
    """
    film = _film(width_px, height_px)
    decoding: list[float] = []
    frames: list[av.VideoFrame] = []
    for _ in range(3):
        with av.open(io.BytesIO(film), "r") as container:
            container.streams.video[0].codec_context.thread_count = 1
            begin_s = time.thread_time()
            frames = list(container.decode(video=0))
            decoding.append((time.thread_time() - begin_s) / len(frames))
    line, zone = Line("door", (0.5, 0.0), (0.5, 1.0)), Zone("hall", ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)))
    camera = Camera("planned", "film", target_fps=fps, lines=(line,), zones=(zone,))
    analyser, meter, converter = CameraAnalyser(camera, run_id="plan"), StatisticsMeter(), Converter()
    detecting: list[float] = []
    counting: list[float] = []
    rows: list[float] = []
    start_at = datetime(2026, 1, 1, tzinfo=UTC)
    for index, decoded in enumerate(frames):
        at_s = index / _SENT_FPS
        frame = Frame("planned", index, DecodedImage(decoded, converter), start_at + timedelta(seconds=at_s), at_s)
        moments_s = [time.thread_time()]
        (detections,) = detector.detect([frame.image])
        moments_s.append(time.thread_time())
        analyser.update(frame, detections)
        moments_s.append(time.thread_time())
        meter.measure(frame, detections)
        moments_s.append(time.thread_time())
        for spent, (begin_s, end_s) in zip((detecting, counting, rows), pairwise(moments_s), strict=True):
            spent.append(end_s - begin_s)
    return Costs(
        decode_ms=1e3 * min(decoding) * (1 + _RECEIVE_SHARE),
        detect_ms=1e3 * statistics.median(detecting),
        count_ms=1e3 * statistics.median(counting),
        row_ms=1e3 * statistics.median(rows),
    )


def _film(width_px: int, height_px: int) -> bytes:
    """A drawn scene as a camera would code it: no B-frames, a key picture every two seconds."""
    memory = io.BytesIO()
    settings = parse_simulation_url(f"{_SCENE}&size={width_px}x{height_px}")
    with av.open(memory, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=_SENT_FPS)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "crf": "24", "g": "20", "bf": "0"}
        for shown in islice(Simulator(settings).frames(), _FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown.picture, format="bgr24")))
        container.mux(stream.encode())
    return memory.getvalue()
