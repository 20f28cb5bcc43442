"""Whether the cause of a drift is named right: confusion matrices over the rows of `drift_rows.py`.

The rules were tuned on one half of the cameras; what counts is the other half. Prints for both: the share of right
causes by severity, a confusion matrix of severities 3 to 5, what clean windows were called, and how well the first
twelve statistics and all of them tell the causes apart, measured without the rules: by the nearest neighbour among the
windows of the other cameras. Last: what a row of statistics costs. The last line is JSON.

Scores and thresholds are the monitor's own, a threshold by clean parts of the same camera's reference. `slow` shows in
no picture: its stream health is taken from the times at which the degrader lets pictures through.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import drift_rows
import numpy as np

from footfall.domain import FeatureDrift, Frame
from footfall.simulation import Degradation, parse_simulation_url
from footfall.vision.degradation import Degrader
from footfall.vision.detector import load_detector
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.simulator import Simulator
from footfall.vision.statistics import STATISTIC_NAMES, StatisticsMeter
from monitoring.causes import StreamHealth, name_cause
from monitoring.distance import distance, feature_reference
from monitoring.thresholds import threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

CAUSE_OF: Final = {
    "moved": "moved",
    "fog": "fog",
    "rain": "fog",  # wet air and drops: seen as fog
    "dark": "dark",
    "infrared": "dark",  # the camera's own lamp lights at night
    "glare": "glare",
    "covered": "covered",
    "dirt": "covered",  # dirt covers, in small parts
    "defocus": "defocus",
    "motion-blur": "defocus",
    "noise": "noise",
    "colour": "colour",
    "bitrate": "bitrate",
    "frozen": "frozen",
    "slow": "stream",
    "crowding": "crowding",
    "appearance": "appearance",
}
"""What each degradation should be called; those that are no cause of their own by the one that says what to do."""
FIRST_TWELVE: Final = (*STATISTIC_NAMES[:9], "detections", "confidence_mean", "box_height_median")
SPLITS: Final = 4
BUDGET: Final = 0.02
AIM: Final = 0.85
AIM_ROW_MS: Final = {"640x360": 3.0, "1920x1080": 8.0}
NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Case:
    """One window of one camera: what was done to it and what it was called."""

    camera: str
    kind: str
    severity: int
    called: str
    drifts: Mapping[str, FeatureDrift]


def main() -> int:
    """Judge and print; rows that are not there are rendered first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows",
        type=Path,
        default=drift_rows.default_path(),
        help="made first where they are not there",
    )
    parser.add_argument("--half", choices=("both", "tuning", "report"), default="both")
    parser.add_argument("--show", default="", help="print the evidence of wrong cases of this kind")
    arguments = parser.parse_known_args()[0]
    if not arguments.rows.is_file():
        made = subprocess.run([sys.executable, drift_rows.__file__, "--out", str(arguments.rows)], check=False)
        if made.returncode:
            return made.returncode
    names, clips = drift_rows.read_rows(arguments.rows)
    tuning = {clip.name for clip in drift_rows.CLIPS if clip.tuning}
    figures: dict[str, object] = {}
    cases = [case for camera, windows in clips.items() for case in cases_of(camera, windows, names)]
    for half in ("tuning", "report"):
        if arguments.half in {"both", half}:
            chosen = [case for case in cases if (case.camera in tuning) == (half == "tuning")]
            figures[half] = print_half(half, chosen)
            show_wrong(chosen, arguments.show)
    if arguments.half == "both":
        figures["neighbour"] = print_separability(cases)
        figures["row_ms"] = print_costs()
    print(json.dumps({"drift_causes": figures}))
    return 0


def cases_of(camera: str, windows: Mapping[str, Rows], names: Sequence[str]) -> Iterable[Case]:
    """Judge every window of a camera, and the streams that `slow` makes of it."""
    reference = windows["reference"]
    for condition, rows in windows.items():
        if condition != "reference":
            kind, _, severity = condition.rpartition("-")
            drifts = drifts_of(reference, rows, names)
            finding = name_cause(drifts)
            yield Case(camera, kind, int(severity), finding.cause if finding else NOTHING, drifts)
    for severity in range(1, 6):
        finding = name_cause(drifts_of(reference, windows["clean-1"], names), slow_stream(severity))
        yield Case(camera, "slow", severity, finding.cause if finding else NOTHING, {})


def slow_stream(severity: int, *, fps: int = 10, seconds: int = 60) -> StreamHealth:
    """Count what a slowed camera gives."""
    degrader = Degrader([Degradation("slow", severity)], seed=1, fps=fps)
    picture = np.zeros((8, 8, 3), np.uint8)
    given = sum(degrader.apply(picture, index / fps) is not None for index in range(seconds * fps))
    return StreamHealth(fps=given / seconds, target_fps=fps, broken_share=0.0)


def drifts_of(reference: Rows, rows: Rows, names: Sequence[str]) -> dict[str, FeatureDrift]:
    """Compare a window with its reference as the monitor does, for the statistics that both have.

    A threshold comes from the reference's own parts; one that is too short to be parted has the usual one.
    """
    drifts = {}
    for column, name in enumerate(names):
        usual = feature_reference(reference[:, column])
        found = None if usual is None else distance(usual, rows[:, column])
        if usual is not None and found is not None:
            limit = threshold(list(_between(reference[:, column])), features=len(names), alarms_a_day=BUDGET)
            now = float(np.nanmean(rows[:, column]))
            drifts[name] = FeatureDrift(found.score, limit, found.shift, usual.mean, now)
    return drifts


def _between(values: NDArray[np.float32]) -> Iterable[float]:
    parts = np.array_split(values, SPLITS)
    for index, part in enumerate(parts):
        others = feature_reference(np.concatenate([each for number, each in enumerate(parts) if number != index]))
        found = None if others is None else distance(others, part)
        if found is not None:
            yield found.score


def print_half(half: str, cases: Sequence[Case]) -> dict[str, float]:
    """Print and return the figures of one half of the cameras."""
    degraded = [case for case in cases if case.kind in CAUSE_OF]
    print(f"\n{half} half: {len({case.camera for case in cases})} cameras\n")
    print("| right cause, share of cameras | 1 | 2 | 3 | 4 | 5 |\n|---|---|---|---|---|---|")
    for kind, cause in CAUSE_OF.items():
        of_kind = [case for case in degraded if case.kind == kind]
        cells = [_share(case.called == cause for case in of_kind if case.severity == step) for step in range(1, 6)]
        print(f"| {kind}{'' if kind == cause else f' ({cause})'} | {' | '.join(cells)} |")
    severe = [case for case in degraded if case.severity >= 3 or case.kind == "frozen"]
    causes = list(dict.fromkeys(CAUSE_OF.values()))
    columns = [*causes, "unknown", NOTHING]
    print(f"\n| severity ≥ 3: true \\ called | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for cause in causes:
        called = Counter(case.called for case in severe if CAUSE_OF[case.kind] == cause)
        print(f"| {cause} | {' | '.join(str(called[column] or '') for column in columns)} |")
    own = [case for case in severe if CAUSE_OF[case.kind] == case.kind or case.kind == "slow"]
    clean = [case for case in cases if case.kind == "clean"]
    figures = {
        "right": _mean(case.called == CAUSE_OF[case.kind] for case in severe),
        "right_of_own_kinds": _mean(case.called == CAUSE_OF[case.kind] for case in own),
        "clean_with_a_cause": _mean(case.called not in {NOTHING, "unknown"} for case in clean),
        "clean_unknown": _mean(case.called == "unknown" for case in clean),
    }
    called = Counter(case.called for case in clean)
    print(f"\nclean windows were called: {dict(called)}")
    verdict = "met" if figures["right"] >= AIM else "MISSED"
    print(
        f"right cause at severity ≥ 3: {figures['right']:.1%} of {len(severe)} windows   aim ≥ {AIM:.0%}: {verdict}; "
        f"{figures['right_of_own_kinds']:.1%} without rain, infrared, dirt and motion blur"
    )
    return {name: round(value, 4) for name, value in figures.items()}


def show_wrong(cases: Iterable[Case], kind: str) -> None:
    """Print what wrongly called windows of a kind looked like."""
    for case in cases:
        if case.kind == kind and case.called != CAUSE_OF.get(kind, NOTHING):
            print(f"{case.camera} {kind} {case.severity}: {case.called}")
            for name, drift in case.drifts.items():
                mark = "*" if drift.score > drift.threshold else " "
                print(
                    f"  {mark} {name:<22} {drift.usual:9.3f} → {drift.now:9.3f} {drift.shift:8.1f} sd "
                    f"score {drift.score:6.2f} of {drift.threshold:5.2f}"
                )


def print_separability(cases: Sequence[Case]) -> dict[str, float]:
    """Print how often the most similar window of another camera has the same cause, severity ≥ 3."""
    severe = [case for case in cases if case.drifts and case.kind in CAUSE_OF and case.severity >= 3]
    own = [case for case in severe if CAUSE_OF[case.kind] == case.kind]
    figures = {}
    wrong: dict[str, Counter[tuple[str, str]]] = {}
    for label, chosen in (("first twelve", FIRST_TWELVE), ("all", STATISTIC_NAMES)):
        pairs = neighbours(own, chosen)
        figures[label] = round(_mean(true == called for true, called in pairs), 4)
        wrong[label] = Counter(tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1])  # type: ignore[misc]  # pairs stay pairs
    print("\nnearest neighbour among other cameras, severity ≥ 3, without rules:")
    for label, share in figures.items():
        confused = ", ".join(f"{a}/{b} {count}" for (a, b), count in wrong[label].most_common(8))
        print(f"  {label:<13} {share:.1%} right; confused: {confused}")
    return figures


def neighbours(cases: Sequence[Case], names: Sequence[str]) -> list[tuple[str, str]]:
    """Return each case's cause and that of the nearest case of another camera."""
    # Logarithms: 100 standard deviations and 120 are alike, 0 and 20 are not.
    shifts = np.array([[case.drifts[name].shift if name in case.drifts else 0.0 for name in names] for case in cases])
    places = np.sign(shifts) * np.log1p(np.abs(shifts))
    cameras = np.array([case.camera for case in cases])
    pairs = []
    for index, case in enumerate(cases):
        away = np.linalg.norm(places - places[index], axis=1)
        away[cameras == case.camera] = np.inf
        pairs.append((CAUSE_OF[case.kind], CAUSE_OF[cases[int(away.argmin())].kind]))
    return pairs


def print_costs(rows: int = 40) -> dict[str, float]:
    """Print what a row costs on one core, and beside one inference of the embedded detector."""
    cv2.setNumThreads(1)
    figures = {}
    print()
    detector = load_detector(EMBEDDED_FOLDER, threads=1)
    for size, aim_ms in AIM_ROW_MS.items():
        frames = Simulator(parse_simulation_url(f"sim:mall?people=12&seed=7&fps=1&size={size}")).frames()
        pictures = [shown.picture for shown in islice(frames, rows)]
        found = detector.detect(pictures[:1])[0]
        meter = StatisticsMeter()
        for _ in range(2):  # in the first round the view is learned, which costs less
            row_ms = median_ms([lambda p=p, m=meter, f=found: m.measure(frame_of(p), f) for p in pictures * 2])
        detector_ms = median_ms([lambda p=p: detector.detect([p]) for p in pictures[:12]])
        figures[size] = round(row_ms, 2)
        print(
            f"a row of statistics at {size}: {row_ms:.2f} ms, {row_ms / detector_ms:.2f} of one inference   "
            f"aim ≤ {aim_ms:g} ms: {'met' if row_ms <= aim_ms else 'MISSED'}"
        )
    return figures


def frame_of(picture: NDArray[np.uint8]) -> Frame:
    return Frame("bench", 0, picture, datetime.now(UTC), 0.0)


def median_ms(works: Iterable[Callable[[], object]]) -> float:
    taken = []
    for work in works:
        begin = time.process_time()
        work()
        taken.append((time.process_time() - begin) * 1000)
    return statistics.median(taken)


def _mean(truths: Iterable[bool]) -> float:
    return float(np.mean(list(truths) or [0.0]))


def _share(truths: Iterable[bool]) -> str:
    values = list(truths)
    return f"{np.mean(values):.2f}" if values else "–"


if __name__ == "__main__":
    raise SystemExit(main())
