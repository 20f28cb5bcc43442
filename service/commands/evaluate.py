"""`footfall evaluate`: how right a model counts a film whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003  Typer reads the annotation
from typing import Annotated, Any

import typer

from footfall.config import read_settings
from service.commands.models import folder_in_use


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
    from footfall.vision.film import evaluate_sequence  # noqa: PLC0415

    settings = read_settings(model=model)
    sequence = read_sequence(folder)
    detector = load_detector(
        folder_in_use(settings),
        runtime=settings.runtime,
        threads=settings.inference_threads,
        input_size=settings.input_size,
    )
    report = evaluate_sequence(sequence, detector, fps=fps, uturn_window_s=settings.uturn_window_s)
    if as_json:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        typer.echo(_as_text(folder.name, report))


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
    lines += [
        f"    {zone['zone']:12s} {zone['matched']} of {zone['truth']} visits, {zone['found']} found; "
        f"worst dwell error {_number(zone['worst_dwell_error_s'])} s"
        for zone in report.get("zones", [])
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
