"""Renders rows of statistics, clean and degraded, of drawn scenes and of footage: material for judging drift checks.

Each clip is one camera: a reference period, then a later period that is given clean and under every degradation and
severity. Pictures go through the real detector and the real `StatisticsMeter`, which has learned the view in the
reference period, as a running service has. Over everything lies a natural change of light, because a camera whose
light never changes makes every change look large.

Nothing here runs in real time: a row stands for a second of a drawn scene, or for a few frames of a film, whose
time is too short for a row a second. Clips that are done are kept, so that a run that was cut off goes on. When only
the statistics have changed, detections are taken from the clips that are done.

    python benchmarks/drift_rows.py --out rows.npz --jobs 2
"""

from __future__ import annotations

import argparse
import copy
import hashlib
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

from footfall.domain import Detections, Frame
from footfall.simulation import MOST_SEVERE, Degradation, parse_simulation_url
from footfall.vision.degradation import Degrader
from footfall.vision.detector import load_detector, read_card
from footfall.vision.footage import Footage
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.simulator import Simulator
from footfall.vision.statistics import STATISTIC_NAMES, StatisticsMeter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from footfall.vision.detector import Detector

    Picture = NDArray[np.uint8]

ROOT: Final = Path(__file__).resolve().parent.parent
FOOTAGE_DIR: Final = Path(os.environ.get("FOOTFALL_TEST_DATA", ROOT.parent / "shared" / "data"))

RECIPE: Final = 1
"""To be counted up when what is rendered changes in a way that the digests below do not see."""
REFERENCE_ROWS: Final = 240
CURRENT_ROWS: Final = 60
GAP_S: Final = 60
"""Between the two periods of a drawn scene: long enough for a crowd that changes to arrive."""
CLEAN_WINDOWS: Final = 3
"""Of the later period of a drawn scene, one after the other."""
SIMULATED_FPS: Final = 5
"""At which the line of `bitrate` is fed; a row is every fifth picture."""
SEED: Final = 1

PICTURE_KINDS: Final = (
    "moved",
    "fog",
    "rain",
    "dark",
    "infrared",
    "glare",
    "covered",
    "dirt",
    "defocus",
    "motion-blur",
    "noise",
    "colour",
    "bitrate",
)
"""`slow` changes no picture; `frozen` knows no severity and is added once."""
SCENE_KINDS: Final = ("crowding", "appearance")


@dataclass(frozen=True, slots=True)
class Clip:
    """A camera.

    Attributes:
        name: unique.
        tuning: whether rules may be tuned on it; the others are for the report.
        source: a `sim:` URL without times, or a film under the folder of the footage.
        dusk: severity of a standing `dark`: the hour at which this camera is looked at.
        frames_a_row: of a film.
    """

    name: str
    tuning: bool
    source: str
    dusk: int = 0
    frames_a_row: int = 1

    @property
    def is_drawn(self) -> bool:
        """Whether a simulator shows it, as long as one likes."""
        return self.source.startswith("sim:")


CLIPS: Final = (
    Clip("mall-day", True, "sim:mall?people=10&seed=21"),
    Clip("mall-dusk", True, "sim:mall?people=14&seed=22", dusk=2),
    Clip("corridor-day", True, "sim:corridor?people=6&seed=23"),
    Clip("corridor-evening", True, "sim:corridor?people=9&seed=24", dusk=1),
    Clip("plaza-day", True, "sim:plaza?people=16&seed=25"),
    Clip("plaza-evening", True, "sim:plaza?people=12&seed=26", dusk=1),
    Clip("pets", True, "PETS09-S2L1-a/video.mp4", frames_a_row=3),
    Clip("mall-day-2", False, "sim:mall?people=12&seed=31"),
    Clip("mall-evening-2", False, "sim:mall?people=8&seed=32", dusk=1),
    Clip("corridor-day-2", False, "sim:corridor?people=8&seed=33"),
    Clip("corridor-dusk-2", False, "sim:corridor?people=6&seed=34", dusk=2),
    Clip("plaza-day-2", False, "sim:plaza?people=10&seed=35"),
    Clip("plaza-dusk-2", False, "sim:plaza?people=18&seed=37", dusk=2),
    Clip("one-by-one", False, "one-by-one-audited/video.mp4", frames_a_row=10),
    Clip("walkway", False, "walkway-audited/video.mp4", frames_a_row=2),
)
"""Footage that moves (street-handheld) has no usual view, TUD-Campus has no two minutes: left out."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One picture of a clip's clean course; `is_row` where a row is measured."""

    picture: Picture
    at_s: float
    is_row: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What one picture gave.

    Attributes:
        values: (S,) float32 by `STATISTIC_NAMES`; nan where a statistic does not exist.
        boxes_px: (N, 4) float32.
        scores: (N,) float32.
    """

    values: NDArray[np.float32]
    boxes_px: NDArray[np.float32]
    scores: NDArray[np.float32]


def default_path() -> Path:
    """Outside what is versioned: the folder of FOOTFALL_CACHE, else `build/`."""
    return Path(os.environ.get("FOOTFALL_CACHE", ROOT / "build")) / "drift-rows.npz"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=default_path(), help="the .npz; clips in work stand beside it")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--input-size", type=int, default=448, help="of the detector; pixels")
    parser.add_argument("--clips", nargs="*", default=[], help="only these; by default all")
    arguments = parser.parse_known_args()[0]
    began = time.monotonic()
    clips = [clip for clip in CLIPS if not arguments.clips or clip.name in arguments.clips]
    there = [clip for clip in clips if clip.is_drawn or (FOOTAGE_DIR / clip.source).is_file()]
    for clip in sorted(set(clips) - set(there), key=lambda each: each.name):
        print(f"{clip.name}: {clip.source} is not under {FOOTAGE_DIR}; left out")
    parts = arguments.out.with_suffix(".parts")
    parts.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(arguments.jobs, initializer=_be_nice) as pool:
        works = {pool.submit(render_clip, clip, parts, arguments.input_size): clip for clip in there}
        for done in as_completed(works):
            print(f"{works[done].name:<18} {done.result()}, {time.monotonic() - began:.0f} s", flush=True)
    merged: dict[str, NDArray[np.float32]] = {}
    for clip in there:
        with np.load(parts / f"{clip.name}.npz") as part:
            merged |= {f"{clip.name}/{key}": part[key] for key in part.files if key.startswith("rows/")}
    partial = arguments.out.with_suffix(".partial.npz")
    np.savez_compressed(partial, statistics=np.array(STATISTIC_NAMES), **merged)  # type: ignore[arg-type]  # no option of it
    partial.replace(arguments.out)
    rows = sum(len(each) for each in merged.values())
    size_mb = arguments.out.stat().st_size / 1e6
    print(f"{rows} rows of {len(there)} clips, {size_mb:.1f} MB: {arguments.out}, {time.monotonic() - began:.0f} s")
    return 0


def read_rows(path: Path) -> tuple[tuple[str, ...], dict[str, dict[str, NDArray[np.float32]]]]:
    """Return the names of the statistics, and clip → condition → (rows, S) float32, nan where absent.

    Conditions are `reference`, `clean-1` … and `KIND-SEVERITY`.
    """
    clips: dict[str, dict[str, NDArray[np.float32]]] = {}
    with np.load(path) as packed:
        for key in packed.files:
            if key != "statistics":
                clip, _, condition = key.split("/")
                clips.setdefault(clip, {})[condition] = packed[key]
        return tuple(packed["statistics"].tolist()), clips


def _be_nice() -> None:
    os.nice(10)
    cv2.setNumThreads(1)


def render_clip(clip: Clip, parts: Path, input_size: int) -> str:
    """Render what is missing of a clip; return what was done."""
    path = parts / f"{clip.name}.npz"
    drawn, measured = _digests(clip, input_size)
    known: dict[str, NDArray[np.float32]] = {}
    if path.is_file():
        with np.load(path) as part:
            if str(part["measured"]) == measured:
                return "was there"
            if str(part["drawn"]) == drawn:
                known = {key: part[key] for key in part.files if key.startswith("found/")}
    renderer = Renderer(clip, input_size, known)
    renderer.run()
    partial = parts / f"{clip.name}.partial.npz"
    np.savez_compressed(partial, drawn=np.array(drawn), measured=np.array(measured), **renderer.packed())
    partial.replace(path)
    return f"{sum(len(rows) for rows in renderer.rows.values())} rows {'measured again' if known else 'rendered'}"


def _digests(clip: Clip, input_size: int) -> tuple[str, str]:
    """Of what the detections depend on, and of that and what the statistics depend on."""
    vision = ROOT / "footfall" / "vision"
    recipe: tuple[int | str, ...] = (
        RECIPE,
        SEED,
        REFERENCE_ROWS,
        CURRENT_ROWS,
        GAP_S,
        CLEAN_WINDOWS,
        SIMULATED_FPS,
        input_size,
    )
    recipe += (clip.name, clip.source, clip.dusk, clip.frames_a_row)
    code = [*sorted((vision / "degradation").glob("*.py")), *sorted((vision / "simulator").glob("*.py"))]
    code += [vision / "codec.py", EMBEDDED_FOLDER / "model.json"]
    drawn = hashlib.sha256(repr(recipe).encode())
    for path in code:
        drawn.update(path.read_bytes())
    measured = drawn.copy()
    for name in ("statistics.py", "view.py"):
        measured.update((vision / name).read_bytes())
    return drawn.hexdigest(), measured.hexdigest()


class Renderer:
    """Renders one clip.

    Args:
        known: `found/CONDITION` → (rows, 1 + N · 5) detections of an earlier run; taken instead of detecting again.
    """

    def __init__(self, clip: Clip, input_size: int, known: dict[str, NDArray[np.float32]]) -> None:
        self.clip = clip
        self.rows: dict[str, list[Row]] = {}
        self._known = {key.removeprefix("found/"): _unpacked(value) for key, value in known.items()}
        self._detector: Detector = load_detector(EMBEDDED_FOLDER, threads=1, input_size=input_size)
        self._threshold = read_card(EMBEDDED_FOLDER).threshold
        self._light = Light(clip.name)
        self._dusk = Degrader([Degradation("dark", clip.dusk)], seed=SEED + 1, fps=1) if clip.dusk else None
        self._meters: dict[str, StatisticsMeter] = {}

    def run(self) -> None:
        """Render every condition that is possible for this clip."""
        meter = self._learned()
        degraders = self._degraders()
        self._meters = {name: copy.deepcopy(meter) for name in (*degraders, "clean-1")}
        for moment in self._current():
            shown = self._natural(moment)
            for name, degrader in degraders.items():
                # Only `bitrate` remembers what was sent between two rows.
                if moment.is_row or name.startswith("bitrate"):
                    picture = degrader.apply(shown, moment.at_s)
                    if moment.is_row and picture is not None:
                        self._measure(name, picture, moment.at_s, self._meters[name])
            if moment.is_row:
                self._measure("clean-1", shown, moment.at_s, self._meters["clean-1"])
        if self.clip.is_drawn:
            self._run_scenes(meter)

    def _learned(self) -> StatisticsMeter:
        """Measure the reference; return the meter that has learned the view from it."""
        meter = StatisticsMeter()
        # A film has hardly more rows than a view takes: it is learned from a first showing that is not kept.
        nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), self._threshold)
        while meter.view is None and not self.clip.is_drawn:
            for moment in self._reference():
                if moment.is_row:
                    meter.measure(self._frame(self._natural(moment), moment.at_s), nobody)
        for moment in self._reference():
            if moment.is_row:
                self._measure("reference", self._natural(moment), moment.at_s, meter)
        return meter

    def _degraders(self) -> dict[str, Degrader]:
        fps = SIMULATED_FPS if self.clip.is_drawn else 10
        # The seed decides where a camera is turned to, which part is covered, …: another one on every camera.
        seed = SEED + sum(self.clip.name.encode())
        degraders = {
            f"{kind}-{severity}": Degrader([Degradation(kind, severity)], seed=seed, fps=fps)
            for kind in PICTURE_KINDS
            for severity in range(1, MOST_SEVERE + 1)
        }
        # The first picture of the later period is what it freezes at.
        begin_s = next(moment.at_s for moment in self._current())
        degraders["frozen-1"] = Degrader([Degradation("frozen", 1, at_s=begin_s + 1e-3)], seed=seed, fps=fps)
        return degraders

    def _run_scenes(self, meter: StatisticsMeter) -> None:
        """Later clean windows, and what only a drawn scene can do."""
        begin_s = REFERENCE_ROWS + GAP_S + CURRENT_ROWS
        clean = self._meters["clean-1"]
        for window in range(2, CLEAN_WINDOWS + 1):
            for moment in self._drawn(begin_s, CURRENT_ROWS, fps=1):
                self._measure(f"clean-{window}", self._natural(moment), moment.at_s, clean)
            begin_s += CURRENT_ROWS
        for kind in SCENE_KINDS:
            for severity in range(1, MOST_SEVERE + 1):
                degradation = Degradation(kind, severity, at_s=float(REFERENCE_ROWS))
                self._meters[f"{kind}-{severity}"] = copy.deepcopy(meter)
                for moment in self._drawn(REFERENCE_ROWS + GAP_S, CURRENT_ROWS, fps=1, degradation=degradation):
                    name = f"{kind}-{severity}"
                    self._measure(name, self._natural(moment), moment.at_s, self._meters[name])

    def packed(self) -> dict[str, NDArray[np.float32]]:
        """Return what goes into the file."""
        return {f"rows/{name}": np.array([row.values for row in rows]) for name, rows in self.rows.items()} | {
            f"found/{name}": _packed(rows) for name, rows in self.rows.items()
        }

    def _measure(self, condition: str, picture: Picture, at_s: float, meter: StatisticsMeter) -> None:
        rows = self.rows.setdefault(condition, [])
        known = self._known.get(condition)
        found = (
            Detections(*known[len(rows)], self._threshold) if known is not None else self._detector.detect([picture])[0]
        )
        values = meter.measure(self._frame(picture, at_s), found).values
        row = np.array([values.get(name, math.nan) for name in STATISTIC_NAMES], np.float32)
        rows.append(Row(row, found.boxes_px, found.scores))

    def _frame(self, picture: Picture, at_s: float) -> Frame:
        return Frame(self.clip.name, 0, picture, datetime.fromtimestamp(at_s, UTC), at_s)

    def _natural(self, moment: Moment) -> Picture:
        """Return the picture in the light of its moment."""
        picture = self._light.apply(moment.picture, moment.at_s)
        shown = picture if self._dusk is None else self._dusk.apply(picture, moment.at_s)
        assert shown is not None
        return shown

    def _reference(self) -> Iterator[Moment]:
        if self.clip.is_drawn:
            return self._drawn(0, REFERENCE_ROWS, fps=1)
        return self._filmed(later=False)

    def _current(self) -> Iterator[Moment]:
        if self.clip.is_drawn:
            return self._drawn(REFERENCE_ROWS + GAP_S, CURRENT_ROWS, fps=SIMULATED_FPS)
        return self._filmed(later=True)

    def _drawn(self, begin_s: int, rows: int, *, fps: int, degradation: Degradation | None = None) -> Iterator[Moment]:
        settings = replace(
            parse_simulation_url(self.clip.source),
            width_px=640,
            height_px=360,
            fps=float(fps),
            degradations=(degradation,) if degradation else (),
        )
        simulator = Simulator(settings)
        # A crowd takes the state of the moment asked for: without a stop before, it would change from the start.
        if degradation is not None:
            simulator.moment(degradation.at_s - 0.1)
        for index in range(rows * fps):
            at_s = begin_s + index / fps
            shown = simulator.draw(simulator.moment(at_s))
            if shown is not None:
                yield Moment(shown.picture, at_s, is_row=index % fps == 0)

    def _filmed(self, *, later: bool) -> Iterator[Moment]:
        with Footage(FOOTAGE_DIR / self.clip.source) as footage:
            frames = footage.expected_frames or sum(1 for _ in Footage(footage.path).frames())
            half = frames // 2
            for index, frame in enumerate(footage.frames()):
                if (index >= half) == later:
                    yield Moment(frame.picture, frame.received_s, (index - half) % self.clip.frames_a_row == 0)


class Light:
    """How the light of a place changes by itself: clouds, lamps, the camera's own exposure; slow and small.

    Sums of three sines of unlike periods, so that any moment can be asked for: brightness ± 8 % (standard deviation),
    colour ± 1.5 %, a veil of 0 to 4 grey levels.
    """

    def __init__(self, seed: str) -> None:
        random = np.random.default_rng([SEED, *seed.encode()])
        self._periods_s = random.uniform(9, 90, (3, 3))
        self._phases = random.uniform(0, 2 * math.pi, (3, 3))

    def apply(self, picture: Picture, at_s: float) -> Picture:
        """Return the picture in the light of a moment."""
        gain, warmth, veil = np.sin(2 * math.pi * at_s / self._periods_s + self._phases).sum(axis=1) / 1.22
        gains = np.exp(0.08 * gain + 0.015 * warmth * np.array([-1.0, 0.0, 1.0]))
        veil_levels = 2 + float(np.clip(veil, -2, 2))
        # (3, 4): a gain for each colour, and the same veil over all.
        lit = np.hstack([np.diag(gains), np.full((3, 1), veil_levels)]).astype(np.float32)
        return np.asarray(cv2.transform(picture, lit), np.uint8)


def _packed(rows: list[Row]) -> NDArray[np.float32]:
    """(n, 6): number of the row, x0, y0, x1, y1, score; ends with the number of rows."""
    found = [
        np.column_stack([np.full(len(row.scores), index), row.boxes_px, row.scores]) for index, row in enumerate(rows)
    ]
    return np.vstack([*found, np.full((1, 6), len(rows))]).astype(np.float32)


def _unpacked(packed: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    of_row = packed[:-1, 0]
    return [(packed[:-1][of_row == row, 1:5], packed[:-1][of_row == row, 5]) for row in range(int(packed[-1, 0]))]


if __name__ == "__main__":
    raise SystemExit(main())
