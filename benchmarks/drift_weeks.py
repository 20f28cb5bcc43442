"""How well drift is noticed and named: simulated weeks of many cameras, faults at random hours, other methods.

`drift_library.py` renders the rows. Here an hour of a camera is put together from them: twelve stretches of five
minutes, each in one light and one crowd, as the camera's course has it. Two weeks are the reference, four weeks follow
without a fault: every episode in them is false. Then each fault is put in at its hour, on top of the healthy weeks. Its
windows are made of fewer pictures than a healthy hour's; **controls**, made of as few and without a fault, tell how
much of what is found is due to that alone.

Windows, references, distances, thresholds, tiers and causes are the monitor's own code. Everything was tuned on one
half of the cameras; what counts is the other half. The last line is JSON.

    python benchmarks/drift_weeks.py            # renders what is missing first
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import drift_library as library
import numpy as np
from drift_causes import CAUSE_OF
from drift_requests import CAMERAS as SITE_CAMERAS
from drift_requests import Episode, requests
from river.drift import ADWIN
from scipy.stats import ks_2samp, wasserstein_distance

from footfall.causes import ABOUT
from footfall.domain import FeatureDrift, FrameStatistics
from monitoring.causes import name_cause
from monitoring.distance import LEAST_ROWS, distance
from monitoring.known import HOURS_NEAR, QUANTILES, Known, is_near, only, sketch_of
from monitoring.thresholds import threshold
from monitoring.tiers import TierState, after, state_of
from monitoring.watch import AT_ONCE, episode_cause, to_explain
from monitoring.windows import Reference, Window, make_reference, window_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Scores = NDArray[np.float64]

RECIPE: Final = 2
ROWS: Final = 360
STRETCHES: Final = 12
BUDGET: Final = 0.02
SEVERE: Final = 3
AIMS: Final = {"false": 0.02, "found": 0.95, "cause": 0.85, "cpu_s": 5.0, "requests": 1.0}
HARM: Final = 0.02
"""Recall or precision that is lost; two points."""
REFERENCE_HOURS: Final = library.REFERENCE_DAYS * 24
COMPARED_DAYS: Final = 3
"""Of the healthy weeks, for the other methods: they cost more than ours."""
ADWIN_EVERY: Final = 12
"""Of an hour's rows it is given every twelfth: more are more alike."""
MONDAY: Final = datetime(2026, 3, 2, tzinfo=UTC)
CONTROL: Final = "none"
CONTROLS: Final = 8
"""Of a camera."""
NOTHING: Final = "-"
NAMES: Final = library.STATISTICS
COUNT: Final = len(NAMES)
OTHERS: Final = ("Evidently, all hours", "Evidently, like hours", "KS p < .05", "ADWIN")


class Weeks:
    """A camera's windows."""

    def __init__(self, camera: library.Camera, folder: Path) -> None:
        self.camera = camera
        self.course = library.Course.of(camera)
        self.rendered = library.read_camera(camera, folder)

    def healthy(self, hour: int) -> Rows:
        """(ROWS, S) of an hour without a fault."""
        random = np.random.default_rng([self.camera.seed, 4, hour])
        return np.vstack([self._stretch(hour, place, random) for place in range(STRETCHES)])

    def faulty(self, fault: library.Fault, window: int) -> Rows:
        """(ROWS, S) of an hour after the fault began."""
        hour = fault.hour + window
        random = np.random.default_rng([self.camera.seed, 5, hour, *fault.name.encode()])
        pair = (library.RAMP_PAIR_OF_WINDOW if fault.is_ramp else library.PAIR_OF_WINDOW)[window]
        if fault.kind == CONTROL:
            return self._control(fault, pair, random)
        stretches = []
        for place in range(STRETCHES):
            crowd = int(random.random() < self.course.busy[hour])
            runs = self.rendered.get(f"{fault.name}/{pair}/{crowd}")
            # A scene that changed is rendered busy; quiet stretches of it are as ever.
            rows = self._stretch(hour, place, random, crowd=0) if runs is None else runs.values
            stretches.append(rows[random.integers(0, len(rows), ROWS // STRETCHES)])
        return np.vstack(stretches)

    def _control(self, fault: library.Fault, pair: int, random: np.random.Generator) -> Rows:
        """(ROWS, S) of one quiet and one busy run in one light, as `drift_library` has them of a fault."""
        choice = np.random.default_rng([self.camera.seed, 6, pair, *fault.name.encode()])
        hours = [fault.hour + window for window, each in enumerate(library.PAIR_OF_WINDOW) if each == pair]
        light = int(self.course.light[hours].mean() + choice.random())
        is_wet = bool(self.course.wet[hours].mean() >= 0.5)
        half = library.RUNS // 2
        runs = library.WET_RUNS if is_wet else tuple(int(choice.integers(0, half)) + shift for shift in (0, half))
        stretches = []
        for _ in range(STRETCHES):
            crowd = int(random.random() < self.course.busy[hours[0]])
            rows = self.rendered[f"clean/{light}/{int(is_wet)}/{runs[crowd]}"].values
            stretches.append(rows[random.integers(0, len(rows), ROWS // STRETCHES)])
        return np.vstack(stretches)

    def harm(self, fault: library.Fault) -> tuple[float, float] | None:
        """Recall and precision that a fault costs, over the first pair of runs; None without truth."""
        runs = [each for name, each in self.rendered.items() if name.startswith(f"{fault.name}/")]
        if not self.camera.is_drawn or not runs:
            return None
        found = np.sum([each.found for each in runs], axis=0)
        healthy = np.sum([each.healthy for each in runs], axis=0)
        if not healthy[0] or not found[0]:
            return None
        recall = healthy[2] / healthy[0] - found[2] / found[0]
        precision = healthy[2] / max(healthy[1], 1) - (found[2] / found[1] if found[1] else 0.0)
        return float(recall), float(precision)

    def _stretch(self, hour: int, place: int, random: np.random.Generator, *, crowd: int | None = None) -> Rows:
        course = self.course
        until = min(hour + 1, library.HOURS - 1)
        light = int(
            course.light[hour] + (course.light[until] - course.light[hour]) * place / STRETCHES + random.random()
        )
        light = min(light, library.LIGHTS - 1)
        is_busy = random.random() < course.busy[hour] if crowd is None else crowd == 1
        half = library.RUNS // 2
        if course.wet[hour]:
            run = library.WET_RUNS[int(is_busy)]
        else:
            run = int(random.integers(half * is_busy, half * (is_busy + 1)))
        rows = self.rendered[f"clean/{light}/{int(course.wet[hour])}/{run}"].values
        return rows[random.integers(0, len(rows), ROWS // STRETCHES)]


def injected(camera: library.Camera, course: library.Course) -> list[library.Fault]:
    """Return a camera's faults and its controls."""
    faults = library.faults_of(camera, course)
    random = np.random.default_rng([camera.seed, 7])
    hours = [fault.hour for fault in faults]
    return faults + [library.Fault(CONTROL, number, int(random.choice(hours))) for number in range(1, CONTROLS + 1)]


def window_at(camera: library.Camera, hour: int, rows: Rows) -> Window:
    """Return the rows of an hour as the monitor has them."""
    begin = MONDAY + timedelta(hours=hour)
    columns = {name: rows[:, place] for place, name in enumerate(NAMES)}
    return Window(camera.name, begin, begin + timedelta(hours=1), len(rows), None, columns)


def bucket_of(hour: int) -> int:
    """Hour of the day, and 24 more at the weekend."""
    return hour % 24 + 24 * is_weekend(hour // 24)


def is_weekend(day: int) -> bool:
    """Day 0 is a Monday."""
    return day % 7 >= 5


def reference_of(camera: library.Camera, bucket: int, hours: Mapping[int, Rows]) -> Reference:
    """Return what a bucket's windows are compared with, as `monitoring.references` puts it together."""
    groups = {}
    for day in range(library.REFERENCE_DAYS):
        if is_weekend(day) == (bucket >= 24):
            near = [day * 24 + bucket % 24 + step for step in (-1, 0, 1)]
            inside = [hour for hour in near if 0 <= hour < REFERENCE_HOURS]
            groups[f"{day:02d}"] = [window_at(camera, hour, hours[hour]) for hour in inside]
    made = make_reference(camera.name, "own", groups)
    assert made is not None
    return made


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Everything about a camera that does not depend on thresholds, tiers and rules; S statistics, B buckets.

    Attributes:
        usual: (B, S) means.
        spreads: (B, S) units of the distances.
        own: (B, S, days) distances of days from the others; nan where absent.
        healthy: (hours, S, 3) score, shift, mean of each healthy hour; nan where there are too few values.
        faults: name → (WINDOWS, S, 3).
        sketches: (HOURS, S, QUANTILES) of every hour without a fault, also those of the reference.
        faults_sketches: name → (WINDOWS, S, QUANTILES).
        harm: name → recall and precision lost.
        others: method → (hours,) 1 alarm, 0 none, of the first days.
        others_faults: method → fault → (WINDOWS,).
        cpu_s: of the healthy hours' distances.
    """

    usual: Scores
    spreads: Scores
    own: Scores
    healthy: Scores
    faults: dict[str, Scores]
    sketches: Rows
    faults_sketches: dict[str, Rows]
    harm: dict[str, tuple[float, float]]
    others: dict[str, Scores]
    others_faults: dict[str, dict[str, Scores]]
    cpu_s: float


def judge(camera: library.Camera, folder: Path, *, with_others: bool = True) -> Judged:
    """Compare every window of a camera with its reference, and have the other methods judge some of them."""
    weeks = Weeks(camera, folder)
    hours = {hour: weeks.healthy(hour) for hour in range(library.HOURS)}
    references = {bucket: reference_of(camera, bucket, hours) for bucket in range(48)}
    begin = REFERENCE_HOURS
    faults = injected(camera, weeks.course)
    begin_s = time.process_time()
    healthy = np.array([_compared(references[bucket_of(hour)], hours[hour]) for hour in range(begin, library.HOURS)])
    cpu_s = time.process_time() - begin_s
    after_fault = {fault.name: [weeks.faulty(fault, window) for window in range(library.WINDOWS)] for fault in faults}
    judged = {
        fault.name: np.array(
            [
                _compared(references[bucket_of(fault.hour + window)], rows)
                for window, rows in enumerate(after_fault[fault.name])
            ]
        )
        for fault in faults
    }
    others, others_faults = _others(hours, references, faults, after_fault) if with_others else ({}, {})
    most = max(len(values) for each in references.values() for values in each.own.values())
    own = np.full((48, COUNT, most), np.nan)
    usual, spreads = np.full((2, 48, COUNT), np.nan)
    for bucket, reference in references.items():
        for place, name in enumerate(NAMES):
            if name in reference.features:
                usual[bucket, place] = reference.features[name].mean
                spreads[bucket, place] = reference.features[name].spread
                own[bucket, place, : len(reference.own[name])] = reference.own[name]
    harm = {fault.name: lost for fault in faults if (lost := weeks.harm(fault)) is not None}
    sketches = np.array([_sketched(camera, hour, rows) for hour, rows in hours.items()])
    faults_sketches = {
        fault.name: np.array(
            [_sketched(camera, fault.hour + window, rows) for window, rows in enumerate(after_fault[fault.name])]
        )
        for fault in faults
    }
    return Judged(usual, spreads, own, healthy, judged, sketches, faults_sketches, harm, others, others_faults, cpu_s)


def _sketched(camera: library.Camera, hour: int, rows: Rows) -> Rows:
    """(S, QUANTILES); nan where there are too few values."""
    found = sketch_of(window_at(camera, hour, rows))
    nothing = np.full(QUANTILES, np.nan, np.float32)
    return np.array([found.get(name, nothing) for name in NAMES])


def _compared(reference: Reference, rows: Rows) -> Scores:
    found = np.full((COUNT, 3), np.nan)
    for place, name in enumerate(NAMES):
        usual = reference.features.get(name)
        far = None if usual is None else distance(usual, rows[:, place])
        if far is not None:
            found[place] = far.score, far.shift, np.nanmean(rows[:, place])
    return found


def _others(
    hours: Mapping[int, Rows],
    references: Mapping[int, Reference],
    faults: Sequence[library.Fault],
    after_fault: Mapping[str, Sequence[Rows]],
) -> tuple[dict[str, Scores], dict[str, dict[str, Scores]]]:
    """What the other methods say; a window is an alarm of theirs by their own defaults."""
    begin = REFERENCE_HOURS
    pooled = np.vstack([hours[hour][:: library.REFERENCE_DAYS] for hour in range(begin)])
    like = {
        bucket: np.vstack([hours[hour] for hour in range(begin) if bucket_of(hour) == bucket]) for bucket in range(48)
    }
    methods: dict[str, Callable[[int, Rows], bool]] = {
        OTHERS[0]: lambda _, rows: _evidently_alarms(pooled, rows),
        OTHERS[1]: lambda hour, rows: _evidently_alarms(like[bucket_of(hour)], rows),
        OTHERS[2]: lambda hour, rows: _ks_alarms(like[bucket_of(hour)], rows),
    }
    compared = range(begin, begin + COMPARED_DAYS * 24)
    healthy = {
        name: np.array([alarms(hour, hours[hour]) for hour in compared], float) for name, alarms in methods.items()
    }
    faulty = {
        name: {
            fault.name: np.array(
                [alarms(fault.hour + window, rows) for window, rows in enumerate(after_fault[fault.name][:2])], float
            )
            for fault in faults
            if fault.severity == SEVERE and not fault.is_ramp and fault.kind != CONTROL
        }
        for name, alarms in methods.items()
    }
    detectors = [ADWIN() for _ in NAMES]
    at_hour: dict[int, list[ADWIN]] = {}
    compared_faults = [
        fault for fault in faults if fault.severity == SEVERE and not fault.is_ramp and fault.kind != CONTROL
    ]
    wanted = {fault.hour for fault in compared_faults}
    told = []
    last = max((begin + COMPARED_DAYS * 24, *(hour + 1 for hour in wanted)))
    for hour in range(begin - 7 * 24, last):
        if hour in wanted:
            at_hour[hour] = copy.deepcopy(detectors)
        told.append(_adwin_alarms(detectors, references[bucket_of(hour)], hours[hour]))
    healthy[OTHERS[3]] = np.array(told[7 * 24 : (7 + COMPARED_DAYS) * 24], float)
    faulty[OTHERS[3]] = {}
    for fault in compared_faults:
        mine = copy.deepcopy(at_hour[fault.hour])
        faulty[OTHERS[3]][fault.name] = np.array(
            [
                _adwin_alarms(mine, references[bucket_of(fault.hour + window)], rows)
                for window, rows in enumerate(after_fault[fault.name][:2])
            ],
            float,
        )
    return healthy, faulty


def _evidently_alarms(reference: Rows, rows: Rows) -> bool:
    """Tell whether Evidently's `DataDriftPreset` would, by its defaults: half of the columns drifted.

    Of more than 1000 rows a number drifts by a Wasserstein distance of 0.1 standard deviations.
    """
    drifted = 0
    for place in range(COUNT):
        usual, now = _finite(reference[:, place]), _finite(rows[:, place])
        if len(now):
            norm = max(float(np.std(usual)), 0.001)
            drifted += wasserstein_distance(usual, now) / norm >= 0.1
    return drifted / COUNT >= 0.5


def _ks_alarms(reference: Rows, rows: Rows) -> bool:
    """Tell whether any statistic differs by p < .05."""
    for place in range(COUNT):
        usual, now = _finite(reference[:, place]), _finite(rows[:, place])
        if len(now) >= LEAST_ROWS and ks_2samp(usual, now, method="asymp").pvalue < 0.05:
            return True
    return False


def _adwin_alarms(detectors: Sequence[ADWIN], reference: Reference, rows: Rows) -> bool:
    """Tell whether any statistic, less what is usual in that hour, changed in its rows; the detectors learn."""
    alarms = False
    for place, name in enumerate(NAMES):
        usual = reference.features.get(name)
        if usual is not None:
            residuals = (_finite(rows[::ADWIN_EVERY, place]) - usual.mean) / usual.spread
            for residual in np.clip(residuals, -10, 10).tolist():
                detectors[place].update(residual)
                alarms = alarms or detectors[place].drift_detected
    return alarms


def _finite(values: Rows) -> Scores:
    return values[np.isfinite(values)].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Told:
    """What the monitor says of one window."""

    is_unusual: bool
    tier: TierState
    cause: str


@dataclass(frozen=True, slots=True)
class Case:
    """One fault of one camera.

    Attributes:
        told: of each window after it.
        was_calm: nothing was the matter when it began.
        harm: recall and precision lost; None without truth.
    """

    camera: library.Camera
    fault: library.Fault
    told: tuple[Told, ...]
    was_calm: bool
    harm: tuple[float, float] | None

    def first(self, is_it: Callable[[Told], bool]) -> float:
        """Window of which this is true, from 1; infinity if of none."""
        return next((place + 1 for place, told in enumerate(self.told) if is_it(told)), math.inf)

    @property
    def found_in(self) -> float:
        """Window that was unusual first."""
        return self.first(lambda told: told.is_unusual)

    @property
    def investigated_in(self) -> float:
        """Window from which on somebody should look."""
        return self.first(lambda told: told.tier.tier == "investigate")

    @property
    def cause(self) -> str:
        """What it was called when it came to `investigate`, or last."""
        place = self.investigated_in
        return self.told[-1 if math.isinf(place) else int(place) - 1].cause

    @property
    def settled_cause(self) -> str:
        """What its episode is called after the last window; NOTHING where it has none."""
        if math.isinf(self.investigated_in):
            return NOTHING
        unusual = [told.cause for told in self.told if told.is_unusual]
        return episode_cause([None if cause == NOTHING else cause for cause in unusual])  # type: ignore[misc]  # causes


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the monitor said of one camera.

    Attributes:
        healthy: of each hour of the weeks without a fault.
        episodes: false ones; causes of them.
    """

    camera: library.Camera
    healthy: tuple[Told, ...]
    episodes: int
    causes: tuple[str, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """What is needed to judge a camera's windows as the monitor does.

    Attributes:
        limits: (B, S) thresholds.
        known: hour of the day → the reference's windows of about that hour.
    """

    judged: Judged
    limits: Scores
    known: dict[int, Known]

    @classmethod
    def of(cls, judged: Judged) -> Watch:
        """Make thresholds, and put together what is known."""
        limits = np.full(judged.usual.shape, np.nan)
        for bucket in range(48):
            features = [place for place in range(COUNT) if np.isfinite(judged.usual[bucket, place])]
            for place in features:
                own = judged.own[bucket, place]
                limits[bucket, place] = threshold(
                    list(own[np.isfinite(own)]),
                    features=len(features),
                    alarms_a_day=BUDGET,
                    known_days=library.REFERENCE_DAYS,
                )
        accepted = Known.of(
            {MONDAY + timedelta(hours=hour): _named(judged.sketches[hour]) for hour in range(REFERENCE_HOURS)}
        )
        near = timedelta(hours=HOURS_NEAR)

        def around(hour: int) -> Callable[[datetime], bool]:
            return lambda begin: is_near(begin, MONDAY + timedelta(hours=hour), near, ZoneInfo("UTC"))

        return cls(judged, limits, {hour: only([accepted], around(hour)) for hour in range(24)})

    def told(self, found: Scores, sketch: Rows, hour: int, state: TierState) -> Told:
        """Say what the monitor says of a window.

        Args:
            found: (S, 3) of it.
            sketch: (S, QUANTILES) of it.
        """
        bucket = bucket_of(hour)
        drifts = {
            name: FeatureDrift(
                float(found[place, 0]),
                float(self.limits[bucket, place]),
                float(found[place, 1]),
                float(self.judged.usual[bucket, place]),
                float(found[place, 2]),
            )
            for place, name in enumerate(NAMES)
            if np.isfinite(found[place, 0]) and np.isfinite(self.limits[bucket, place])
        }
        ratio = max((each.score / each.threshold for each in drifts.values()), default=None)
        window = state_of(ratio)
        finding = name_cause(drifts)
        if window == "unusual":
            spreads = dict(zip(NAMES, self.judged.spreads[bucket].tolist(), strict=True))
            seen = self.known[hour % 24].nearest(_named(sketch), to_explain(drifts, spreads))
            if seen is not None and seen.ratio <= 1:
                window, finding = "between", None
        cause = NOTHING if finding is None else finding.cause
        tier = after(state, window, ratio=ratio, at_once=cause in AT_ONCE)
        return Told(is_unusual=window == "unusual", tier=tier, cause=cause)


def _named(sketch: Rows) -> dict[str, Rows]:
    return {name: values for name, values in zip(NAMES, sketch, strict=True) if np.isfinite(values[0])}


def verdicts_of(camera: library.Camera, judged: Judged) -> Verdicts:
    """Apply thresholds, what is known, tiers and rules."""
    watch = Watch.of(judged)
    states, causes, healthy = [TierState()], [], []
    for place, found in enumerate(judged.healthy):
        hour = REFERENCE_HOURS + place
        told = watch.told(found, judged.sketches[hour], hour, states[-1])
        if told.tier.episodes > states[-1].episodes:
            causes.append(told.cause)
        states.append(told.tier)
        healthy.append(told)
    cases = []
    for fault in injected(camera, library.Course.of(camera)):
        state = states[fault.hour - REFERENCE_HOURS]
        was_calm = state.tier != "investigate"
        windows = []
        for window, found in enumerate(judged.faults[fault.name]):
            told = watch.told(found, judged.faults_sketches[fault.name][window], fault.hour + window, state)
            state = told.tier
            windows.append(told)
        cases.append(Case(camera, fault, tuple(windows), was_calm, judged.harm.get(fault.name)))
    return Verdicts(camera, tuple(healthy), states[-1].episodes, tuple(causes), tuple(cases))


def main() -> int:
    """Render and judge what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, default=library.default_path(), help="what is not there is rendered")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--half", choices=("both", "tuning", "report"), default="both")
    arguments = parser.parse_args()
    arguments.library.mkdir(parents=True, exist_ok=True)
    cameras = library.available()
    begin_s = time.monotonic()
    with ProcessPoolExecutor(arguments.jobs, initializer=library._be_nice) as pool:  # noqa: SLF001  a part of this program
        works = {pool.submit(_made, camera, arguments.library): camera for camera in cameras}
        for done in as_completed(works):
            print(f"{works[done].name:<18} {done.result()}, {time.monotonic() - begin_s:.0f} s", flush=True)
    figures: dict[str, object] = {}
    judged = {camera.name: _read(_path(camera, arguments.library)) for camera in cameras}
    for half in ("tuning", "report"):
        if arguments.half in {"both", half}:
            mine = [camera for camera in cameras if camera.tuning == (half == "tuning")]
            found = [verdicts_of(camera, judged[camera.name]) for camera in mine]
            figures[half] = print_half(half, found, [judged[camera.name] for camera in mine])
    figures["check_cpu_s"] = print_check()
    print(json.dumps({"benchmark": "drift_weeks", **figures}))
    return 0


def _path(camera: library.Camera, folder: Path) -> Path:
    return folder / f"{camera.name}.judged.npz"


def _made(camera: library.Camera, folder: Path) -> str:
    """Render and judge a camera where that is not done."""
    done = library.render(camera, folder)
    path = _path(camera, folder)
    digest = _digest(camera, folder)
    if path.is_file():
        with np.load(path) as stored:
            if str(stored["digest"]) == digest:
                return f"{done}; was judged"
    begin_s = time.process_time()
    _write(path, judge(camera, folder), digest)
    return f"{done}; judged in {time.process_time() - begin_s:.0f} CPU-seconds"


def _digest(camera: library.Camera, folder: Path) -> str:
    """Of what distances depend on: the rows, and how they are compared."""
    code = [Path(__file__).parent.parent / "monitoring" / name for name in ("distance.py", "known.py", "windows.py")]
    with np.load(folder / f"{camera.name}.npz") as stored:
        said = hashlib.sha256(f"{RECIPE} {stored['digest']}".encode())
    for path in code:
        said.update(path.read_bytes())
    return said.hexdigest()


def _write(path: Path, judged: Judged, digest: str) -> None:
    packed: dict[str, NDArray[np.generic]] = {
        "digest": np.array(digest),
        "usual": judged.usual,
        "spreads": judged.spreads,
        "sketches": judged.sketches.astype(np.float16),
        "own": judged.own,
        "healthy": judged.healthy,
        "cpu_s": np.array(judged.cpu_s),
    }
    packed |= {f"faults/{name}": values for name, values in judged.faults.items()}
    packed |= {f"faults_sketches/{name}": each.astype(np.float16) for name, each in judged.faults_sketches.items()}
    packed |= {f"harm/{name}": np.array(values) for name, values in judged.harm.items()}
    packed |= {f"others/{name}": values for name, values in judged.others.items()}
    for method, faults in judged.others_faults.items():
        packed |= {f"others_faults/{method}/{name}": values for name, values in faults.items()}
    unfinished = path.with_suffix(".partial.npz")
    np.savez_compressed(unfinished, **packed)  # type: ignore[arg-type]  # no option of it
    unfinished.replace(path)


def _read(path: Path) -> Judged:
    with np.load(path) as stored:
        parts: dict[str, dict[str, Scores]] = {"faults": {}, "faults_sketches": {}, "harm": {}, "others": {}}
        others_faults: dict[str, dict[str, Scores]] = {name: {} for name in OTHERS}
        for key in stored.files:
            kind, _, name = key.partition("/")
            if kind == "others_faults":
                method, _, fault = name.partition("/")
                others_faults[method][fault] = stored[key]
            elif kind in parts and name:
                parts[kind][name] = stored[key]
        harm = {name: (float(values[0]), float(values[1])) for name, values in parts["harm"].items()}
        return Judged(
            stored["usual"],
            stored["spreads"],
            stored["own"],
            stored["healthy"],
            parts["faults"],
            stored["sketches"].astype(np.float32),
            {name: each.astype(np.float32) for name, each in parts["faults_sketches"].items()},
            harm,
            parts["others"],
            others_faults,
            float(stored["cpu_s"]),
        )


def print_half(half: str, found: Sequence[Verdicts], judged: Sequence[Judged]) -> dict[str, object]:
    """Print and return the figures of one half of the cameras."""
    everything = [case for each in found for case in each.cases if case.was_calm]
    cases = [case for case in everything if case.fault.kind != CONTROL]
    controls = [case for case in everything if case.fault.kind == CONTROL]
    print(f"\n## {half} half: {len(found)} cameras, {len(cases)} faults\n")
    days = library.HEALTHY_DAYS
    rate, lower, upper = _rate([each.episodes for each in found], days)
    false_causes = Counter(cause for each in found for cause in each.causes)
    print(
        f"false `investigate` episodes: {sum(each.episodes for each in found)} in {len(found) * days} camera-days, "
        f"{rate:.3f} a camera-day (95 %: {lower:.3f} to {upper:.3f})   aim ≤ {AIMS['false']}: "
        f"{_verdict(rate <= AIMS['false'])}; called {dict(false_causes)}"
    )
    unusual = float(np.mean([told.is_unusual for each in found for told in each.healthy]))
    print(f"healthy windows that were unusual: {unusual:.2%}; by camera: {[each.episodes for each in found]}")
    for name, share in (
        ("unusual within 2 windows", _mean(case.found_in <= 2 for case in controls)),
        ("at `investigate` within 6", _mean(case.investigated_in <= library.WINDOWS for case in controls)),
    ):
        print(f"controls (no fault, as few pictures as a fault has): {name} {share:.1%} of {len(controls)}")
    steps = [case for case in cases if not case.fault.is_ramp]
    severe = [case for case in steps if case.fault.severity >= SEVERE or case.fault.kind == "frozen"]
    print_delays(steps)
    figures: dict[str, object] = {"false": rate, "false_lower": lower, "false_upper": upper, "unusual": unusual}
    for name, within, is_it in (
        ("found in 2", 2, lambda case: case.found_in),
        ("investigate in 2", 2, lambda case: case.investigated_in),
        ("investigate in 3", 3, lambda case: case.investigated_in),
        ("investigate in 6", 6, lambda case: case.investigated_in),
    ):
        share = _mean(is_it(case) <= within for case in severe)
        figures[name] = share
        aim = f"   aim ≥ {AIMS['found']:.0%}: {_verdict(share >= AIMS['found'])}" if name == "found in 2" else ""
        print(f"severity ≥ {SEVERE}: {name}: {share:.1%} of {len(severe)}{aim}")
    figures["cause"] = print_causes(severe)
    figures["harm"] = print_harm(cases)
    figures["requests"] = print_requests(found)
    figures["others"] = print_others(found, judged, steps)
    cpu_ms = 1000 * sum(each.cpu_s for each in judged) / (len(judged) * days * 24)
    print(f"\nCPU of {COUNT} distances of one window: {cpu_ms:.1f} ms, {cpu_ms * 24 / 1000:.2f} s a camera-day")
    figures["window_cpu_ms"] = cpu_ms
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}


def print_requests(found: Sequence[Verdicts]) -> dict[str, float]:
    """Print how many retrainings a healthy site would ask for in a month."""
    episodes = [_episodes(each.healthy) for each in found]
    hours = library.HEALTHY_DAYS * 24
    figures = {}
    print()
    for precision in (0.97, 0.95):
        months = np.array(requests(episodes, hours, precision=precision)) * 30 / library.HEALTHY_DAYS
        mean, spread = float(months.mean()), float(months.std() / math.sqrt(len(months)))
        figures[str(precision)] = mean
        print(
            f"retrainings asked for by {len(months)} healthy sites of {SITE_CAMERAS} cameras, true precision "
            f"{precision:.0%}, target 95 %: {mean:.2f} a site-month (± {1.96 * spread:.2f})   "
            f"aim ≤ {AIMS['requests']:g}: {_verdict(mean <= AIMS['requests'])}"
        )
    return figures


def _episodes(healthy: Sequence[Told]) -> list[Episode]:
    """Spans of hours at `investigate`, with the newest cause that was told."""
    found: list[Episode] = []
    begin, cause = None, NOTHING
    for hour, told in enumerate(healthy):
        if told.cause != NOTHING:
            cause = told.cause
        if told.tier.tier == "investigate":
            begin = hour if begin is None else begin
        elif begin is not None:
            found.append(Episode(begin, hour, cause))  # type: ignore[arg-type]  # an episode had a cause
            begin = None
    if begin is not None:
        found.append(Episode(begin, len(healthy), cause))  # type: ignore[arg-type]
    return found


def _rate(episodes: Sequence[int], days: int, *, draws: int = 4000) -> tuple[float, float, float]:
    """Episodes a camera-day, and its 95 % interval by drawing cameras anew."""
    random = np.random.default_rng(1)
    counts = np.array(episodes, float)
    drawn = counts[random.integers(0, len(counts), (draws, len(counts)))].mean(axis=1) / days
    lower, upper = (float(each) for each in np.quantile(drawn, (0.025, 0.975)))
    # Where none was seen, drawing again sees none; what is Poisson and was not seen in so many days may still be (5 %).
    return float(counts.mean() / days), lower, max(upper, -math.log(0.05) / (len(counts) * days))


def print_delays(steps: Sequence[Case]) -> None:
    """Print, by kind and severity, how many were found unusual and came to `investigate`, and when half of them did."""
    severities = range(1, library.MOST_SEVERE + 1)
    print("\nshare unusual within 2 windows / at `investigate` within 6 (median window of `investigate`)\n")
    print(f"| kind | {' | '.join(map(str, severities))} |\n|---|{'---|' * len(severities)}")
    for kind in CAUSE_OF:
        cells = []
        for severity in severities:
            mine = [case for case in steps if (case.fault.kind, case.fault.severity) == (kind, severity)]
            middle = float(np.median([case.investigated_in for case in mine])) if mine else math.inf
            cells.append(
                f"{_mean(case.found_in <= 2 for case in mine):.2f} / "
                f"{_mean(case.investigated_in <= library.WINDOWS for case in mine):.2f}"
                f" ({'–' if math.isinf(middle) else f'{middle:g}'})"
                if mine
                else "–"
            )
        if any(cell != "–" for cell in cells):
            print(f"| {kind} | {' | '.join(cells)} |")
    print()


def print_causes(severe: Sequence[Case]) -> dict[str, float]:
    """Print the confusion matrix and whether a camera's fault would be taken for the model's."""
    causes = list(dict.fromkeys(cause for cause in CAUSE_OF.values() if cause != "stream"))
    columns = [*causes, "unknown", NOTHING]
    print(f"\n| severity ≥ {SEVERE}: true \\ called | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for cause in causes:
        called = Counter(case.cause for case in severe if CAUSE_OF[case.fault.kind] == cause)
        print(f"| {cause} | {' | '.join(str(called[column] or '') for column in columns)} |")
    right = _mean(case.cause == CAUSE_OF[case.fault.kind] for case in severe)
    own = [case for case in severe if CAUSE_OF[case.fault.kind] == case.fault.kind]
    right_own = _mean(case.cause == case.fault.kind for case in own)
    print(
        f"\nright cause: {right:.1%} of {len(severe)}   aim ≥ {AIMS['cause']:.0%}: {_verdict(right >= AIMS['cause'])}; "
        f"{right_own:.1%} of {len(own)} without rain, infrared, dirt and motion blur"
    )
    cameras = [case for case in severe if ABOUT[CAUSE_OF[case.fault.kind]].remedy == "camera"]  # type: ignore[index]  # a cause
    at_first = Counter(
        f"{case.fault.kind} called {case.cause}"
        for case in cameras
        if not math.isinf(case.investigated_in) and _is_learnable(case.cause)
    )
    settled = Counter(
        f"{case.fault.kind} called {case.settled_cause}" for case in cameras if _is_learnable(case.settled_cause)
    )
    print(
        f"camera faults at `investigate` under a cause that a model could mend, of {len(cameras)}: at first "
        f"{at_first.total()} {dict(at_first)}, after {library.WINDOWS} windows {settled.total()} {dict(settled)}"
    )
    return {
        "right": right,
        "right_of_own_kinds": right_own,
        "camera_faults_as_model": settled.total() / max(len(cameras), 1),
    }


def _is_learnable(cause: str) -> bool:
    return cause in ABOUT and ABOUT[cause].remedy == "model"  # type: ignore[index]  # it is a cause


def print_harm(cases: Sequence[Case]) -> dict[str, float]:
    """Print what a fault costs by kind and severity, and whether what costs is found and what is found costs."""
    known = [case for case in cases if case.harm is not None]
    steps = [case for case in known if not case.fault.is_ramp]
    lost: dict[tuple[str, int], tuple[float, float]] = {}
    print("\nrecall / precision lost, points, mean over cameras\n")
    print("| kind | 1 | 2 | 3 | 4 | 5 |\n|---|---|---|---|---|---|")
    for kind in CAUSE_OF:
        cells = []
        for severity in range(1, library.MOST_SEVERE + 1):
            mine = [case.harm for case in steps if (case.fault.kind, case.fault.severity) == (kind, severity)]
            if mine:
                recall, precision = (float(each) for each in np.mean(mine, axis=0))
                lost[kind, severity] = recall, precision
                cells.append(f"{100 * recall:.0f} / {100 * precision:.0f}")
            else:
                cells.append("–")
        if any(cell != "–" for cell in cells):
            print(f"| {kind} | {' | '.join(cells)} |")
    harmful = [case for case in steps if max(lost[case.fault.kind, case.fault.severity]) >= HARM]
    harmless = [case for case in steps if max(lost[case.fault.kind, case.fault.severity]) < HARM]
    figures = {
        "harmful_found_in_2": _mean(case.found_in <= 2 for case in harmful),
        "harmful_investigated": _mean(not math.isinf(case.investigated_in) for case in harmful),
        "harmless_investigated": _mean(not math.isinf(case.investigated_in) for case in harmless),
    }
    print(
        f"\nfaults of a kind and severity that cost 2 points or more: {len(harmful)}; unusual within 2 windows "
        f"{figures['harmful_found_in_2']:.1%}, at `investigate` within 6 {figures['harmful_investigated']:.1%}\n"
        f"faults that cost less: {len(harmless)}; at `investigate` within 6 {figures['harmless_investigated']:.1%}"
    )
    ramps = [case for case in cases if case.fault.is_ramp]
    in_time = [_before_harm(case, lost) for case in ramps]
    told = [each for each in in_time if each is not None]
    figures |= {
        "ramps": len(told),
        "ramps_unusual_before_harm": _mean(unusual for unusual, _ in told),
        "ramps_investigated_before_harm": _mean(investigated for _, investigated in told),
    }
    print(
        f"ramps to severity {library.RAMP_TO} over {library.WINDOWS} windows, of {len(told)} that cost 2 points on the "
        f"way: unusual no later than the window in which they do "
        f"{figures['ramps_unusual_before_harm']:.1%}, at `investigate` by then "
        f"{figures['ramps_investigated_before_harm']:.1%}; at `investigate` at all "
        f"{_mean(not math.isinf(case.investigated_in) for case in ramps):.1%} of {len(ramps)}"
    )
    return figures


def _before_harm(case: Case, lost: Mapping[tuple[str, int], tuple[float, float]]) -> tuple[bool, bool] | None:
    """Whether a ramp was unusual, and at `investigate`, no later than it cost two points; None where it never does."""
    costs = [0.0, *(max(lost.get((case.fault.kind, severity), (0.0, 0.0))) for severity in range(1, 6))]
    for window in range(library.WINDOWS):
        if float(np.interp(case.fault.severity_in(window), range(6), costs)) >= HARM:
            return case.found_in <= window + 1, case.investigated_in <= window + 1
    return None


def print_others(found: Sequence[Verdicts], judged: Sequence[Judged], steps: Sequence[Case]) -> dict[str, object]:
    """Print the same for the other methods: alarms on healthy days, and what they find at severity 3."""
    print(
        "\n| method | healthy windows with an alarm | alarms a camera-day | `investigate` by the same tiers, a "
        f"camera-day | severity {SEVERE} found within 2 windows |\n|---|---|---|---|---|"
    )
    figures: dict[str, object] = {}
    mine = [np.array([told.is_unusual for told in each.healthy]) for each in found]
    severe = [case for case in steps if case.fault.severity == SEVERE]
    table: list[tuple[str, list[NDArray[np.bool_]], float]] = [
        ("Footfall", mine, _mean(case.found_in <= 2 for case in severe))
    ]
    for name in OTHERS:
        alarms = [each.others[name] > 0 for each in judged]
        hits = [bool(values[:2].any()) for each in judged for values in each.others_faults[name].values()]
        table.append((name, alarms, _mean(hits)))
    for name, alarms, share in table:
        # Ours come to it as in the monitor, also by how far a window is, which the others do not tell.
        rates = (
            [_episodes_a_day(each) for each in alarms]
            if name in OTHERS
            else [each.episodes / library.HEALTHY_DAYS for each in found]
        )
        windows = float(np.mean(np.concatenate(alarms)))
        print(f"| {name} | {windows:.1%} | {windows * 24:.2f} | {np.mean(rates):.3f} | {share:.0%} |")
        figures[name] = {"windows": round(windows, 4), "episodes": round(float(np.mean(rates)), 4), "found": share}
    return figures


def _episodes_a_day(alarms: NDArray[np.bool_]) -> float:
    state = TierState()
    for alarm in alarms:
        state = after(state, "unusual" if alarm else "usual")
    return state.episodes / (len(alarms) / 24)


def print_check(cameras: int = 50, features: int = 20) -> float:
    """Print what one check of a site costs once its references are there: rows, distances, thresholds, tier, cause."""
    random = np.random.default_rng(1)
    names = NAMES[:features]
    rows = [
        [
            FrameStatistics(
                "gate",
                MONDAY + timedelta(seconds=10 * index),
                dict(zip(names, random.normal(100, 10, features).tolist(), strict=True)),
            )
            for index in range(ROWS)
        ]
        for _ in range(3)
    ]
    groups = {
        str(day): [window_of("gate", MONDAY, MONDAY + timedelta(hours=1), each) for each in rows] for day in range(14)
    }
    reference = make_reference("gate", "own", groups)
    assert reference is not None
    begin_s = time.process_time()
    for _ in range(cameras):
        window = window_of("gate", MONDAY, MONDAY + timedelta(hours=1), rows[0])
        drifts = {}
        for name, usual in reference.features.items():
            far = distance(usual, window.columns[name])
            assert far is not None
            limit = threshold(reference.own[name], features=features, alarms_a_day=BUDGET)
            drifts[name] = FeatureDrift(
                far.score, limit, far.shift, usual.mean, float(np.nanmean(window.columns[name]))
            )
        name_cause(drifts)
        after(TierState(), state_of(max(each.score / each.threshold for each in drifts.values())))
    cpu_s = time.process_time() - begin_s
    print(
        f"\none check of {cameras} cameras with {features} statistics: {cpu_s:.2f} CPU-seconds   "
        f"aim ≤ {AIMS['cpu_s']:g}: {_verdict(cpu_s <= AIMS['cpu_s'])}"
    )
    return cpu_s


def _verdict(is_met: bool) -> str:  # noqa: FBT001  one word
    return "met" if is_met else "MISSED"


def _mean(truths: Iterable[bool]) -> float:
    values = list(truths)
    return float(np.mean(values)) if values else math.nan


if __name__ == "__main__":
    raise SystemExit(main())
