"""Renders what `drift_weeks.py` makes weeks of: rows of statistics of many cameras, healthy and degraded, with truth.

Each camera has a **course**: for every hour of six weeks how light it is, how busy, and whether it is wet, with days,
weekends, clouds that last hours and rain that lasts six. Healthy rows are rendered for every light, weather and crowd
that a course can have. Then every kind and severity of fault is injected at a random hour, and its rows are rendered
in the light, weather and crowd of just those hours, so that a fault is never compared with another time of the day.

Rows come from the real detector and the real `StatisticsMeter`, in short runs of consecutive seconds, with the view
frozen as in a service. What needs more than a few seconds in a row is left out: `persistent_edge_share`, which recovers
within a minute, and what tracks tell; the colour layout too.
The truth of drawn scenes gives what a fault costs: how many people are found, and how much of what is found is right.

    python benchmarks/drift_library.py --jobs 1
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from scipy.signal import lfilter

from footfall.domain import Detections, Frame
from footfall.simulation import Degradation, parse_simulation_url
from footfall.vision.boxes import pairwise_iou
from footfall.vision.degradation import Degrader, turned_boxes
from footfall.vision.degradation.degrader import EFFECTS
from footfall.vision.degradation.scene import Moved
from footfall.vision.detector import load_detector, read_card
from footfall.vision.footage import Footage
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.simulator import Simulator
from footfall.vision.statistics import STATISTIC_NAMES, StatisticsMeter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from footfall.simulation import SimulationSettings
    from footfall.vision.degradation.degrader import Effect
    from footfall.vision.view import View

    Picture = NDArray[np.uint8]
    Rows = NDArray[np.float32]

ROOT: Final = Path(__file__).resolve().parent.parent
FOOTAGE_DIR: Final = Path(os.environ.get("FOOTFALL_TEST_DATA", ROOT.parent / "shared" / "data"))
RECIPE: Final = 1
"""To be counted up when what is rendered changes in a way that the digest below does not see."""

REFERENCE_DAYS, HEALTHY_DAYS = 14, 28
HOURS: Final = (REFERENCE_DAYS + HEALTHY_DAYS) * 24
WINDOWS: Final = 6
"""Hours that are looked at after a fault has begun."""
LIGHTS: Final = 5
"""From 0, night, to 4, bright sun."""
ROWS: Final = 3
"""Of a run, a second apart; one more before them lets the view settle."""
RUNS: Final = 8
"""Pictures of a camera: half of them quiet, half of them busy."""
WET_RUNS: Final = (0, RUNS // 2)
SIZE: Final = (640, 360)
INPUT_PX: Final = 320
DRAWN, DRAWN_FOR_TUNING = 44, 32
LEAST_VISIBLE: Final = 0.5
MOST_SEVERE: Final = 5
RAMP_TO: Final = 4
RAMPED: Final = ("fog", "dark", "defocus", "dirt", "noise", "covered")
SCENE_KINDS: Final = ("crowding", "appearance")
PICTURE_KINDS: Final = (*EFFECTS, "bitrate", "frozen")
LEFT_OUT: Final = frozenset({"persistent_edge_share", "track_seconds", "track_gap_share"})
STATISTICS: Final = tuple(name for name in STATISTIC_NAMES if name not in LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera.

    Attributes:
        tuning: whether anything may be tuned on it; the others are for the report.
        source: a `sim:` URL, or a film under the folder of the footage.
        every: of a film, so many pictures apart.
    """

    name: str
    tuning: bool
    source: str
    every: int = 1

    @property
    def is_drawn(self) -> bool:
        """Whether its truth is known."""
        return self.source.startswith("sim:")

    @property
    def is_outdoor(self) -> bool:
        """Whether the sun lights it."""
        return not self.is_drawn or "plaza" in self.source

    @property
    def seed(self) -> int:
        """Of everything that is random about it."""
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:4], "big")


_BEFORE_FILMS: Final = 20
"""Which faults a camera gets depends on its place in the list, so that cameras that are added go to its end."""


def _drawn(number: int) -> Camera:
    scene = ("mall", "corridor", "plaza")[number % 3]
    return Camera(f"{scene}-{number:02d}", number < DRAWN_FOR_TUNING, f"sim:{scene}?seed={200 + number}")


CAMERAS: Final = (
    *(_drawn(number) for number in range(_BEFORE_FILMS)),
    Camera("film-pets", True, "PETS09-S2L1-a/video.mp4", every=7),
    Camera("film-one-by-one", False, "one-by-one-audited/video.mp4", every=10),
    Camera("film-campus", False, "TUD-Campus/video.mp4"),
    *(_drawn(number) for number in range(_BEFORE_FILMS, DRAWN)),
)
"""Films whose own camera moves (walkway, street-handheld) have no usual view: left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What happens at a camera by itself, hour by hour; hour 0 is Monday midnight.

    Attributes:
        light: (HOURS,) in [0, LIGHTS - 1].
        busy: (HOURS,) in [0, 1]; how much of the hour shows the busy crowd.
        wet: (HOURS,) bool.
    """

    light: NDArray[np.float64]
    busy: NDArray[np.float64]
    wet: NDArray[np.bool_]

    @classmethod
    def of(cls, camera: Camera) -> Course:
        """Return a camera's course; the same each time."""
        random = np.random.default_rng([camera.seed, 1])
        hour = np.arange(HOURS) % 24
        is_weekend = np.arange(HOURS) // 24 % 7 >= 5
        sun = np.clip(np.sin(np.pi * (hour - 5.5) / 14), 0, None) ** 0.7
        clouds = _lasting(random, 0.8)
        if camera.is_outdoor:
            light = np.where(sun > 0, 0.6 + random.uniform(2.4, 3.0) * sun + 0.45 * clouds, 0.15)
        else:
            is_open = (hour >= 7) & (hour < 22)
            light = np.where(is_open, random.uniform(2.6, 3.1) + 0.35 * sun * (1 + clouds) + 0.1 * clouds, 1.0)
        peaks = random.uniform(11, 14), random.uniform(16.5, 19)
        curve = 0.05 + sum(
            height * np.exp(-(((hour - peak) / 2.2) ** 2)) for height, peak in zip((0.5, 0.7), peaks, strict=True)
        )
        weekend = random.uniform(0.4, 1.5)
        busy = curve * np.where(is_weekend, weekend, 1) * np.exp(0.2 * _lasting(random, 0.6))
        wet = np.repeat(random.random(HOURS // 6) < 0.2, 6)
        return cls(np.clip(light, 0, LIGHTS - 1), np.clip(busy, 0, 1), wet)


def _lasting(random: np.random.Generator, share: float) -> NDArray[np.float64]:
    """(HOURS,) of unit variance; `share` of an hour's value is left an hour later."""
    white = random.normal(0, 1, HOURS)
    return np.asarray(lfilter([math.sqrt(1 - share**2)], [1, -share], white))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something injected into a camera at an hour.

    Attributes:
        hour: of the course; after the reference.
        is_ramp: it grows from nothing to its severity over `WINDOWS` hours.
    """

    kind: str
    severity: int
    hour: int
    is_ramp: bool = False

    @property
    def name(self) -> str:
        """Unique for a camera."""
        return f"{self.kind}-{self.severity}{'-ramp' if self.is_ramp else ''}"

    def severity_in(self, window: int) -> float:
        """Severity in the middle of a window."""
        return self.severity * (window + 0.5) / WINDOWS if self.is_ramp else float(self.severity)


PAIR_OF_WINDOW: Final = (0, 1, 1, 1, 1, 1)
RAMP_PAIR_OF_WINDOW: Final = (0, 0, 1, 1, 2, 2)


def faults_of(camera: Camera, course: Course) -> list[Fault]:
    """Return what is injected into a camera, at random hours in which the sun neither rises nor sets.

    Every second camera of either half gets a kind in a severity, or twice as much would have to be rendered.
    """
    turn = CAMERAS.index(camera) // 2
    random = np.random.default_rng([camera.seed, 2])
    begin = np.arange(REFERENCE_DAYS * 24, HOURS - WINDOWS)
    spans = np.array([np.ptp(course.light[hour : hour + WINDOWS]) for hour in begin])
    busy = np.array([course.busy[hour : hour + 2].mean() for hour in begin])
    steady = begin[spans <= 1.2]
    crowded = begin[(spans <= 1.2) & (busy >= 0.4)]
    found = []
    scene_kind = (SCENE_KINDS[turn % 2],) if camera.is_drawn else ()
    for place, kind in enumerate((*PICTURE_KINDS, *scene_kind)):
        hours = crowded if kind in SCENE_KINDS else steady
        for severity in (1,) if kind == "frozen" else range(1, MOST_SEVERE + 1):
            hour = int(random.choice(hours))
            if kind in SCENE_KINDS or (place + severity + turn) % 2 == 0:
                found.append(Fault(kind, severity, hour))
    ramps = [Fault(kind, RAMP_TO, int(random.choice(steady)), is_ramp=True) for kind in RAMPED]
    return found + ramps[turn % 2 :: 2]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Consecutive pictures of a camera.

    Attributes:
        pictures: ROWS + 1 of them.
        truth: of each, (N, 4) float32 of people half seen or more; empty for films.
        ignored: of each, (N, 4) float32 of the others.
        at_s: of the first.
    """

    pictures: tuple[Picture, ...]
    truth: tuple[NDArray[np.float32], ...]
    ignored: tuple[NDArray[np.float32], ...]
    at_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Rows of a run.

    Attributes:
        values: (ROWS, S) float32 by `STATISTICS`; nan where absent.
        found: (3,) int64; true people, people found, and how many of these are right; over all rows.
        healthy: (3,) int64; the same of the same pictures in the same light without the fault; of a changed scene
            that of its busy runs.
    """

    values: Rows
    found: NDArray[np.int64]
    healthy: NDArray[np.int64]


def default_path() -> Path:
    """Outside what is versioned: below the folder of FOOTFALL_CACHE, else `build/`."""
    return Path(os.environ.get("FOOTFALL_CACHE", ROOT / "build")) / "drift-library"


def available() -> list[Camera]:
    """Return the cameras whose source is there."""
    return [camera for camera in CAMERAS if camera.is_drawn or (FOOTAGE_DIR / camera.source).is_file()]


def main() -> int:
    """Render what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=default_path(), help="folder; a camera that is done stays")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--most-s", type=float, default=math.inf, help="begin no camera after so many seconds")
    arguments = parser.parse_known_args()[0]
    begin_s = time.monotonic()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(arguments.jobs, initializer=_be_nice) as pool:
        works = {
            pool.submit(render, camera, arguments.out, begin_s + arguments.most_s): camera for camera in available()
        }
        for done in as_completed(works):
            print(f"{works[done].name:<18} {done.result()}, {time.monotonic() - begin_s:.0f} s", flush=True)
    return 0


def _be_nice() -> None:
    os.nice(max(0, 10 - os.nice(0)))
    cv2.setNumThreads(1)


def render(camera: Camera, folder: Path, until_s: float = math.inf) -> str:
    """Render a camera where it is not there; return what was done."""
    path = folder / f"{camera.name}.npz"
    digest = _digest(camera)
    if path.is_file():
        with np.load(path) as stored:
            if str(stored["digest"]) == digest:
                return "was there"
    if time.monotonic() > until_s:
        return "left for another time"
    begin_s = time.process_time()
    renderer = Renderer(camera)
    measured = renderer.run()
    packed = {f"{name}/values": each.values for name, each in measured.items()}
    packed |= {f"{name}/found": each.found for name, each in measured.items()}
    packed |= {f"{name}/healthy": each.healthy for name, each in measured.items()}
    partial = folder / f"{camera.name}.partial.npz"
    np.savez_compressed(partial, digest=np.array(digest), **packed)  # type: ignore[arg-type]  # no option of it
    partial.replace(path)
    return (
        f"{sum(len(each.values) for each in measured.values())} rows, {time.process_time() - begin_s:.0f} CPU-seconds"
    )


def read_camera(camera: Camera, folder: Path) -> dict[str, Measured]:
    """Return name → rows: `clean/LIGHT/WET/RUN`, `FAULT/PAIR/CROWD`."""
    with np.load(folder / f"{camera.name}.npz") as stored:
        names = [key.removesuffix("/values") for key in stored.files if key.endswith("/values")]
        return {
            name: Measured(*(stored[f"{name}/{part}"] for part in ("values", "found", "healthy"))) for name in names
        }


def _digest(camera: Camera) -> str:
    """Of what the rows depend on."""
    vision = ROOT / "footfall" / "vision"
    code = [*sorted((vision / "degradation").glob("*.py")), *sorted((vision / "simulator").glob("*.py"))]
    code += [vision / "codec.py", vision / "statistics.py", vision / "view.py", EMBEDDED_FOLDER / "model.json"]
    said = hashlib.sha256(json.dumps([RECIPE, camera.name, camera.source, camera.every]).encode())
    for path in code:
        said.update(path.read_bytes())
    return said.hexdigest()


class Renderer:
    """Renders one camera."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._course = Course.of(camera)
        self._detector = load_detector(EMBEDDED_FOLDER, threads=1, input_size=INPUT_PX)
        self._threshold = read_card(EMBEDDED_FOLDER).threshold
        self._runs = list(self._drawn_runs() if camera.is_drawn else self._filmed_runs())
        height, width = self._runs[0].pictures[0].shape[:2]
        self._size = height, width
        self._natural: dict[str, Effect] = {
            kind: EFFECTS[kind](camera.seed + 1, height, width) for kind in ("dark", "fog", "rain")
        }
        self._faulty: dict[str, Effect] = {kind: make(camera.seed, height, width) for kind, make in EFFECTS.items()}
        self._view = self._learned()

    def run(self) -> dict[str, Measured]:
        """Render everything."""
        measured: dict[str, Measured] = {}
        for is_wet in (False, True):
            for light in range(LIGHTS):
                for number in WET_RUNS if is_wet else range(RUNS):
                    lit = self._lit(self._runs[number], light, is_wet=is_wet, number=number)
                    measured[f"clean/{light}/{int(is_wet)}/{number}"] = self._measure(lit)
        random = np.random.default_rng([self._camera.seed, 3])
        for fault in faults_of(self._camera, self._course):
            if fault.kind not in SCENE_KINDS:
                measured |= self._faulty_runs(fault, measured, random)
        if self._camera.is_drawn:
            measured |= self._changed_scenes(measured, random)
        return measured

    def _faulty_runs(
        self, fault: Fault, clean: Mapping[str, Measured], random: np.random.Generator
    ) -> dict[str, Measured]:
        measured = {}
        pairs = RAMP_PAIR_OF_WINDOW if fault.is_ramp else PAIR_OF_WINDOW
        frozen: Picture | None = None
        for pair in sorted(set(pairs)):
            windows = [window for window, each in enumerate(pairs) if each == pair]
            light, is_wet = self._conditions(fault.hour, windows, random)
            severity = float(np.mean([fault.severity_in(window) for window in windows]))
            for crowd in (0, 1):
                half = RUNS // 2
                number = WET_RUNS[crowd] if is_wet else int(random.integers(half * crowd, half * (crowd + 1)))
                lit = self._lit(self._runs[number], light, is_wet=is_wet, number=number)
                if fault.kind == "frozen":
                    frozen = lit.pictures[0] if frozen is None else frozen
                    lit = replace(lit, pictures=(frozen,) * len(lit.pictures))
                spoilt = self._spoilt(lit, fault.kind, severity)
                healthy = clean[f"clean/{light}/{int(is_wet)}/{number}"].found
                measured[f"{fault.name}/{pair}/{crowd}"] = replace(self._measure(spoilt), healthy=healthy)
        return measured

    def _conditions(self, hour: int, windows: Sequence[int], random: np.random.Generator) -> tuple[int, bool]:
        hours = [hour + window for window in windows]
        light = _rounded(float(self._course.light[hours].mean()), random)
        return light, bool(self._course.wet[hours].mean() >= 0.5)

    def _changed_scenes(self, clean: Mapping[str, Measured], random: np.random.Generator) -> dict[str, Measured]:
        """Run what only a drawn scene can do: a larger crowd, or one dressed otherwise, step by step."""
        measured = {}
        stay_s, settle_s = 55, 28
        by_kind: dict[str, list[Fault]] = {}
        for fault in faults_of(self._camera, self._course):
            by_kind.setdefault(fault.kind, []).append(fault)
        for kind in (kind for kind in SCENE_KINDS if kind in by_kind):
            steps = tuple(
                Degradation(kind, severity, at_s=severity * stay_s, until_s=(severity + 1) * stay_s)
                for severity in range(1, MOST_SEVERE + 1)
            )
            simulator = Simulator(replace(self._settings(busy=True), degradations=steps))
            for fault in by_kind[kind]:
                begin_s = fault.severity * stay_s
                # The crowd takes the state of the moment that is asked for.
                simulator.moment(float(begin_s))
                for pair in (0, 1):
                    windows = [window for window, each in enumerate(PAIR_OF_WINDOW) if each == pair]
                    light, is_wet = self._conditions(fault.hour, windows, random)
                    runs = [_drawn_run(simulator, begin_s + settle_s + 14 * pair + 7 * part) for part in (0, 1)]
                    found = [self._measure(self._lit(run, light, is_wet=is_wet, number=RUNS)) for run in runs]
                    busy = [clean[f"clean/{light}/0/{number}"].found for number in range(RUNS // 2, RUNS)]
                    measured[f"{fault.name}/{pair}/1"] = Measured(
                        np.vstack([each.values for each in found]),
                        np.sum([each.found for each in found], axis=0),
                        np.sum(busy, axis=0),
                    )
        return measured

    def _settings(self, *, busy: bool) -> SimulationSettings:
        settings = parse_simulation_url(self._camera.source)
        people = 4 if not busy else 10 + self._camera.seed % 6
        return replace(settings, people=people, fps=1.0, width_px=SIZE[0], height_px=SIZE[1])

    def _drawn_runs(self) -> Iterator[Run]:
        for busy in (False, True):
            simulator = Simulator(self._settings(busy=busy))
            for number in range(RUNS // 2):
                yield _drawn_run(simulator, 30 + 20 * number)

    def _filmed_runs(self) -> Iterator[Run]:
        with Footage(FOOTAGE_DIR / self._camera.source) as footage:
            pictures = [frame.picture for frame in footage.frames()]
        every = self._camera.every
        height, width = pictures[0].shape[:2]
        size = SIZE[0], round(height * SIZE[0] / width / 2) * 2
        length = (ROWS + 1) * every
        starts = np.linspace(0, len(pictures) - length, RUNS).astype(int)
        nobody = tuple(np.zeros((0, 4), np.float32) for _ in range(ROWS + 1))
        runs = []
        for start in starts:
            shown = pictures[start : start + length : every]
            small = tuple(np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA), np.uint8) for each in shown)
            runs.append(Run(small, nobody, nobody, float(start)))
        people = [sum(self._sure(picture)[0].shape[0] for picture in run.pictures) for run in runs]
        yield from (runs[index] for index in np.argsort(people, kind="stable"))

    def _learned(self) -> View:
        """Return the view of a usual day: a minute of rows in its lights."""
        meter = StatisticsMeter()
        nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), self._threshold)
        days = self._course.light[10 : 24 * 7 : 24]
        while meter.view is None:
            for number, run in enumerate(self._runs):
                light = round(float(days[number % len(days)]))
                for picture in self._lit(run, light, is_wet=False, number=number).pictures:
                    meter.measure(self._frame(picture), nobody)
        return meter.view

    def _lit(self, run: Run, light: int, *, is_wet: bool, number: int) -> Run:
        """Return a run in the light of an hour."""
        # Lamps, clouds and the camera's own exposure: a little different each time.
        random = np.random.default_rng([self._camera.seed, light, int(is_wet), number])
        gain = (1.0, 1.0, 0.86, 1.0, 1.14)[light] * math.exp(random.normal(0, 0.03))
        warmth = random.normal(0, 0.007) + (0.0, 0.02, 0.0, 0.0, -0.01)[light]
        veil = random.uniform(0, 3)
        if is_wet and not self._camera.is_outdoor:
            gain, warmth = 0.95 * gain, warmth - 0.01
        darkness = (1.8, 0.8, 0.0, 0.0, 0.0)[light]
        gains = gain * np.exp(warmth * np.array([-1.0, 0.0, 1.0]))
        lit = np.hstack([np.diag(gains), np.full((3, 1), veil)]).astype(np.float32)
        pictures = []
        for index, picture in enumerate(run.pictures):
            at_s = run.at_s + index
            shown = picture
            if is_wet and self._camera.is_outdoor:
                shown = self._natural["rain"].apply(self._natural["fog"].apply(shown, 0.5, at_s), 0.4, at_s)
            if darkness:
                shown = self._natural["dark"].apply(shown, darkness, at_s)
            pictures.append(np.asarray(cv2.transform(shown, lit), np.uint8))
        return replace(run, pictures=tuple(pictures))

    def _spoilt(self, run: Run, kind: str, severity: float) -> Run:
        """Return a run with a fault."""
        if kind == "frozen":
            return run
        if kind == "bitrate":
            # The line carries ten pictures a second; between two rows of a run they are the same.
            degrader = Degrader([Degradation("bitrate", round(severity))], seed=self._camera.seed, fps=10)
            sent = [degrader.apply(each, run.at_s) for each in run.pictures for _ in range(10)][9::10]
            return replace(run, pictures=tuple(each for each in sent if each is not None))
        effect = self._faulty[kind]
        pictures = tuple(effect.apply(each, severity, run.at_s + index) for index, each in enumerate(run.pictures))
        if not isinstance(effect, Moved):
            return replace(run, pictures=pictures)
        height, width = self._size
        turn = effect.matrix(severity)
        truth = tuple(_inside(turned_boxes(boxes, turn), width, height) for boxes in run.truth)
        return replace(run, pictures=pictures, truth=truth)

    def _measure(self, run: Run) -> Measured:
        meter = StatisticsMeter(self._view)
        values, found = [], np.zeros(3, np.int64)
        for index, picture in enumerate(run.pictures):
            if index == 0:
                meter.measure(self._frame(picture), Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)))
                continue
            detections = self._detector.detect([picture])[0]
            row = meter.measure(self._frame(picture), detections).values
            values.append([row.get(name, math.nan) for name in STATISTICS])
            found += self._judged(detections, run.truth[index], run.ignored[index])
        return Measured(np.array(values, np.float32), found, found)

    def _judged(
        self, detections: Detections, truth: NDArray[np.float32], ignored: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        sure = detections.scores >= self._threshold
        boxes, scores = detections.boxes_px[sure], detections.scores[sure]
        overlaps = pairwise_iou(boxes, truth)
        free = np.ones(len(truth), bool)
        right = np.zeros(len(boxes), bool)
        for index in np.argsort(-scores, kind="stable"):
            candidates = np.where(free, overlaps[index], 0.0)
            if len(candidates) and candidates.max() >= 0.5:
                right[index] = True
                free[int(candidates.argmax())] = False
        judged = right | (pairwise_iou(boxes, ignored) < 0.5).all(axis=1)
        return np.array([len(truth), int(judged.sum()), int(right.sum())], np.int64)

    def _sure(self, picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        detections = self._detector.detect([picture])[0]
        sure = detections.scores >= self._threshold
        return detections.boxes_px[sure], detections.scores[sure]

    def _frame(self, picture: Picture) -> Frame:
        return Frame(self._camera.name, 0, picture, datetime.fromtimestamp(0, UTC), 0.0)


def _drawn_run(simulator: Simulator, begin_s: float) -> Run:
    pictures, truth, ignored = [], [], []
    for index in range(ROWS + 1):
        shown = simulator.draw(simulator.moment(float(begin_s + index)))
        assert shown is not None
        pictures.append(shown.picture)
        clear = shown.people.visible >= LEAST_VISIBLE
        truth.append(shown.people.boxes_px[clear])
        ignored.append(shown.people.boxes_px[~clear])
    return Run(tuple(pictures), tuple(truth), tuple(ignored), float(begin_s))


def _inside(boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.float32]:
    """Boxes of whom half or more is in the picture, cut at its edge."""
    cut = np.clip(boxes, 0, (width, height, width, height))
    areas, left = (np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (boxes, cut))
    return cut[left >= 0.5 * areas].astype(np.float32)


def _rounded(value: float, random: np.random.Generator) -> int:
    """Return one of the two whole numbers beside it, the nearer one more often."""
    return int(value + random.random())


if __name__ == "__main__":
    raise SystemExit(main())
