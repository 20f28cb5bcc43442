"""Compares candidate models on a site's own labelled frames: how right, how costly, under which licence."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from footfall.errors import InsufficientLabelsError, ModelError
from footfall.vision.detector import CARD_FILE, MODEL_FILE, load_detector, read_card
from footfall.vision.evaluation import detection_scores
from retrain.collect import read_picture
from retrain.evaluate import costs
from retrain.export import best_threshold
from retrain.split import STRETCHES, piece_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from footfall.domain import Detections
    from retrain.frames import LabelledFrame
    from retrain.split import Stretch

LEAST_FRAMES: Final = 20
TABLE_FILE, CHART_FILE, JSON_FILE = "baselines.md", "baselines.svg", "baselines.json"
_COST_PICTURES: Final = 5
_APART: Final = """
import json
import sys
import numpy as np
import psutil
from pathlib import Path
from footfall.vision.detector import load_detector
process = psutil.Process()
before = process.memory_info().rss
detector = load_detector(Path(sys.argv[1]), threads=1, input_size=int(sys.argv[2]))
for _ in range(3):
    detector.detect([np.zeros((720, 1280, 3), np.uint8)])
grown = process.memory_info().rss - before
try:
    load_detector(Path(sys.argv[1]), runtime="openvino", threads=1, input_size=int(sys.argv[2]))
    runs_by = ["ONNX Runtime", "OpenVINO"]
except Exception:
    runs_by = ["ONNX Runtime"]
print(json.dumps([grown, runs_by]))
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model as it would do at this site.

    Attributes:
        threshold: chosen on one half of the pieces of time; precision, recall and F1 are of the other half.
        cpu_ms: of a picture, one thread, median; scaling included.
        memory_mb: that a process grows by.
        streams_per_core: at `fps` analyses a second.
        formats: of the file that there is, and what has loaded it here.
        is_best_for_its_cost: no other model is as right for less (the Pareto front).
    """

    name: str
    sha256: str
    ap50: float | None
    threshold: float
    precision: float | None
    recall: float | None
    f1: float
    cpu_ms: float
    memory_mb: float
    streams_per_core: float
    size_mb: float
    formats: str
    licence: str
    is_best_for_its_cost: bool = False


def compare(
    models: Mapping[str, Path],
    chooses: Sequence[LabelledFrame],
    judges: Sequence[LabelledFrame],
    folder: Path,
    *,
    input_size: int,
    fps: float,
    report: Callable[[str], None],
) -> list[Candidate]:
    """Measure model folders on labelled frames, most right first.

    Args:
        chooses, judges: frames on which each model's threshold is chosen, and those on which it is judged; of times
            apart. Folder: where their pictures are.
        fps: analyses a second and camera.
    """
    pictures = {each.id: read_picture(folder, each) for each in (*chooses, *judges)}
    found: dict[str, Candidate] = {}
    detectors = {name: load_detector(path, threads=1, input_size=input_size) for name, path in models.items()}
    first = next(iter(detectors.values()))
    for name, detector in detectors.items():
        parts = [
            ([each.boxes_px for each in part], [detector.detect([pictures[each.id]])[0] for each in part])
            for part in (chooses, judges)
        ]
        threshold, _ = best_threshold(*parts[0])
        _, times = costs(first, detector, [pictures[each.id] for each in judges[:_COST_PICTURES]])
        found[name] = _candidate(name, models[name], parts[1], threshold, float(np.median(times)), fps, input_size)
        report(f"{name}: F1 {found[name].f1:.3f} at {threshold:g}, {found[name].cpu_ms:.1f} ms")
    return sorted(_with_front(list(found.values())), key=lambda each: -each.f1)


def halves(frames: Sequence[LabelledFrame]) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
    """Divide frames into two halves that share no piece of a camera's time.

    Raises:
        InsufficientLabelsError: fewer than `LEAST_FRAMES` frames, or all of one stretch of time.
    """
    if len(frames) < LEAST_FRAMES:
        raise InsufficientLabelsError(
            f"labelled frames: {len(frames)}, expected at least {LEAST_FRAMES} to compare models on; label "
            "more on /review"
        )
    for stretch in STRETCHES:
        pieces = sorted({piece_of(each, stretch) for each in frames})
        if len(pieces) >= 4:
            return _by_pieces(frames, pieces, stretch)
    raise InsufficientLabelsError("labelled frames: all of less than four minutes; label frames of other times too")


def _by_pieces(
    frames: Sequence[LabelledFrame], pieces: Sequence[str], stretch: Stretch
) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
    first = set(pieces[::2])
    halves: tuple[list[LabelledFrame], list[LabelledFrame]] = ([], [])
    for each in frames:
        halves[piece_of(each, stretch) not in first].append(each)
    return halves


def _candidate(  # noqa: PLR0917  what was measured, in the order of the table
    name: str,
    path: Path,
    judged: tuple[list[NDArray[np.float32]], list[Detections]],
    threshold: float,
    cpu_ms: float,
    fps: float,
    input_size: int,
) -> Candidate:
    scores = detection_scores(*judged, threshold=threshold)
    precision, recall = scores["precision"], scores["recall"]
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
    card = read_card(path)
    memory_mb, runs_by = _apart(path, input_size)
    return Candidate(
        name=name,
        sha256=card.sha256,
        ap50=_rounded(scores["ap50"]),
        threshold=threshold,
        precision=_rounded(precision),
        recall=_rounded(recall),
        f1=round(f1, 4),
        cpu_ms=round(cpu_ms, 2),
        memory_mb=memory_mb,
        streams_per_core=round(1000 / (cpu_ms * fps), 1),
        size_mb=round((path / MODEL_FILE).stat().st_size / 1e6, 1),
        formats=f"ONNX ({', '.join(runs_by)})",
        licence=card.licence,
    )


def _apart(path: Path, input_size: int) -> tuple[float, list[str]]:
    """Megabytes that a model takes and what runs it, in a process of its own: none stands in another's memory."""
    command = [sys.executable, "-c", _APART, str(path), str(input_size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)  # noqa: S603
    grown, runs_by = json.loads(done.stdout.splitlines()[-1])
    return round(grown / 1e6, 1), list(runs_by)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _with_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [_marked(each, candidates) for each in candidates]


def _marked(one: Candidate, others: Sequence[Candidate]) -> Candidate:
    beaten = any(
        other.f1 >= one.f1 and other.cpu_ms <= one.cpu_ms and (other.f1, -other.cpu_ms) > (one.f1, -one.cpu_ms)
        for other in others
    )
    return Candidate(**{**asdict(one), "is_best_for_its_cost": not beaten})


def write(candidates: Sequence[Candidate], folder: Path, *, frames: int, input_size: int, fps: float) -> None:
    """Write the table (Markdown), the chart (SVG) and both as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {"frames": frames, "input_size": input_size, "fps": fps}
    content: dict[str, Any] = about | {"candidates": [asdict(each) for each in candidates]}
    (folder / JSON_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / TABLE_FILE).write_text(table(candidates), encoding="utf-8")
    (folder / CHART_FILE).write_text(chart(candidates), encoding="utf-8")


def table(candidates: Sequence[Candidate]) -> str:
    """Return the table; ● marks what is best for its cost."""
    lines = [
        (
            "| model | F1 | AP50 | precision | recall | threshold | CPU ms | streams a core | memory MB | file MB | "
            "formats | licence |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in candidates:
        ratios = (
            f"{value:.3f}" if value is not None else "–" for value in (each.f1, each.ap50, each.precision, each.recall)
        )
        lines.append(
            f"| {each.name}{' ●' if each.is_best_for_its_cost else ''} | {' | '.join(ratios)} | {each.threshold:g} | "
            f"{each.cpu_ms:.1f} | {each.streams_per_core:g} | {each.memory_mb:g} | {each.size_mb:g} | {each.formats} | "
            f"{each.licence} |"
        )
    return "\n".join(lines) + "\n"


def chart(candidates: Sequence[Candidate], *, width_px: int = 640, height_px: int = 400) -> str:
    """Return F1 against CPU time as SVG, the Pareto front as a line."""
    most_ms = max((each.cpu_ms for each in candidates), default=1.0) * 1.15
    least = min((each.f1 for each in candidates), default=0.0)
    bottom = max(0.0, min(least - 0.05, 0.95))

    def place(each: Candidate) -> tuple[float, float]:
        x = 60 + (width_px - 180) * each.cpu_ms / most_ms
        return round(x, 1), round(height_px - 50 - (height_px - 90) * (each.f1 - bottom) / (1 - bottom), 1)

    front = sorted((each for each in candidates if each.is_best_for_its_cost), key=lambda each: each.cpu_ms)
    points = " ".join(f"{x},{y}" for x, y in map(place, front))
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width_px} {height_px}" font-family="sans-serif" '
            'font-size="12" fill="#222">'
        ),
        f'<rect width="{width_px}" height="{height_px}" fill="#fff"/>',
        '<text x="60" y="24" font-size="14">F1 on the site\'s own frames against CPU time of a picture</text>',
        f'<line x1="60" y1="{height_px - 50}" x2="{width_px - 40}" y2="{height_px - 50}" stroke="#888"/>',
        f'<line x1="60" y1="40" x2="60" y2="{height_px - 50}" stroke="#888"/>',
        f'<text x="{width_px - 40}" y="{height_px - 30}" text-anchor="end">{most_ms:.0f} ms</text>',
        f'<text x="60" y="{height_px - 30}">0 ms</text>',
        f'<text x="52" y="{height_px - 50}" text-anchor="end">{bottom:.2f}</text>',
        '<text x="52" y="46" text-anchor="end">1.00</text>',
        f'<polyline points="{points}" fill="none" stroke="#2a7" stroke-width="2"/>',
    ]
    for each in candidates:
        x, y = place(each)
        colour = "#2a7" if each.is_best_for_its_cost else "#c63"
        parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{x + 9}" y="{y + 4}">{html.escape(each.name)} {each.f1:.3f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def distinct(models: Mapping[str, Path]) -> dict[str, Path]:
    """Leave out what is the same model by another name, and broken folders; the first name stays."""
    found: dict[str, Path] = {}
    known = set()
    for name, folder in models.items():
        try:
            sha256 = read_card(folder).sha256
        except ModelError:
            continue
        if sha256 not in known:
            known.add(sha256)
            found[name] = folder
    return found


def folders_below(models_dir: Path) -> dict[str, Path]:
    """Return the imported models by name; empty when there are none."""
    found = sorted(models_dir.glob(f"*/{CARD_FILE}")) if models_dir.is_dir() else []
    return {path.parent.name: path.parent for path in found if not path.parent.name.startswith(".")}
