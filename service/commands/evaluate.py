"""`footfall evaluate`: how right a model counts a film whose truth is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  Typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footfall.config import read_settings
from footfall.domain import Camera, Zone

if TYPE_CHECKING:
    from footfall.domain import Crossing, Detections, Tracks, ZoneVisit
    from footfall.vision.detector import Detector
    from footfall.vision.evaluation import FilmedTruth

_WHOLE_PICTURE = Zone("picture", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))


def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with video.mp4, seqinfo.ini and gt/; see docs/evaluation.md.")
    ],
    model: Annotated[str | None, typer.Option(help="Model name, model folder or bare YOLO .onnx file.")] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.1, help="Analyses a second of film; all frames without it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002  Typer's way
) -> None:
    """Compare detections, tracks and counts of a film with its ground truth."""
    from footfall.vision.detector import load_detector  # noqa: PLC0415  heavy: not for `--help`
    from footfall.vision.evaluation import read_sequence  # noqa: PLC0415
    from footfall.vision.models import resolve_model  # noqa: PLC0415

    settings = read_settings(model=model)
    sequence = read_sequence(folder)
    detector = load_detector(
        resolve_model(settings.model, settings.models_dir),
        runtime=settings.runtime,
        threads=settings.inference_threads,
        input_size=settings.input_size,
    )
    report = evaluate_sequence(sequence, detector, fps=fps, uturn_window_s=settings.uturn_window_s)
    if as_json:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        typer.echo(_as_text(folder.name, report))


def evaluate_sequence(
    sequence: FilmedTruth, detector: Detector, *, fps: float | None = None, uturn_window_s: float = 10.0
) -> dict[str, Any]:
    """Run the film and score what the ground truth allows.

    Returns:
        `frames`, `fps` and, where there is truth: `detection`, `tracking`, `counting`, `visits`.
    """
    from footfall.vision.evaluation import (  # noqa: PLC0415
        counting_scores,
        detection_scores,
        tracking_scores,
        visit_scores,
    )
    from footfall.vision.footage import Footage  # noqa: PLC0415
    from service.commands.film import analyse_film  # noqa: PLC0415

    camera = Camera(
        id=sequence.folder.name,
        url=str(sequence.video),
        target_fps=fps or sequence.fps,
        lines=tuple(each.line for each in sequence.lines or ()),
        zones=(_WHOLE_PICTURE,) if sequence.visits is not None else (),
    )
    detections: list[Detections] = []
    tracks: list[Tracks] = []
    frames: list[int] = []
    crossings: dict[str, list[Crossing]] = {}
    visits: list[ZoneVisit] = []
    with Footage(sequence.video, fps=fps) as footage:
        for analysis in analyse_film(footage, camera, detector, uturn_window_s=uturn_window_s):
            detections.append(analysis.detections)
            tracks.append(analysis.tracks)
            frames.append(analysis.frame.sequence)
            visits.extend(analysis.visits)
            for crossing in analysis.crossings:
                crossings.setdefault(crossing.line, []).append(crossing)
    start = datetime(1970, 1, 1, tzinfo=UTC)
    report: dict[str, Any] = {"sequence": sequence.folder.name, "frames": len(frames), "fps": fps or sequence.fps}
    if sequence.boxes is not None:
        truth = [sequence.boxes_at(frame) for frame in frames]
        report["detection"] = detection_scores(
            [boxes for _, boxes in truth], detections, threshold=detector.version.threshold
        )
        report["tracking"] = tracking_scores(truth, tracks)
    if sequence.lines is not None:
        report["counting"] = counting_scores(sequence.lines, crossings, start)
    if sequence.visits is not None:
        report["visits"] = visit_scores(sequence.visits, visits, start)
    return report


def _as_text(name: str, report: dict[str, Any]) -> str:
    lines = [f"{name}: {report['frames']} frames at {report['fps']:g} fps"]
    for part, keys in (
        ("detection", ("precision", "recall", "ap50", "threshold")),
        ("tracking", ("hota", "idf1", "mota")),
        ("counting", ("accuracy", "event_precision", "event_recall", "event_f1")),
        ("visits", ("truth", "found", "matched", "worst_dwell_error_s")),
    ):
        if part in report:
            shown = "  ".join(f"{key} {_number(report[part][key])}" for key in keys)
            lines.append(f"  {part:10s} {shown}")
    for line in report.get("counting", {}).get("lines", []):
        truth, found = line["truth"], line["found"]
        lines.append(
            f"    {line['name']:12s} in {found['in']} of {truth['in']}, out {found['out']} of {truth['out']}; "
            f"{len(line['missed'])} missed, {len(line['false'])} false"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
