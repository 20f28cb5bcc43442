"""`footfall plan`: how many cameras this machine holds, what limits next, and what more would need."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from footfall.config import read_settings
from footfall.errors import SettingsError

if TYPE_CHECKING:
    from service.planning import Costs, Plan


def plan(  # noqa: PLR0917  Typer gives them by name
    cameras: Annotated[int, typer.Option(min=1, max=1000, help="Cameras wanted.")] = 50,
    fps: Annotated[float, typer.Option(min=0.1, max=60, help="Analyses of each a second.")] = 5.0,
    sent_fps: Annotated[float, typer.Option(min=0.1, max=120, help="Frames that each sends a second.")] = 10.0,
    size: Annotated[str, typer.Option(help="Size of the pictures that each sends.")] = "640x360",
    cores: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Plan for so many cores like these; without it, those here.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model name, model folder or bare YOLO .onnx file.")] = None,
    core_price: Annotated[
        float | None, typer.Option(min=0, help="Of a core for any while, in your currency; then a price is told.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002  Typer's way
) -> None:
    """Measure what a camera costs on this machine, in a few seconds, and tell how many it holds."""
    from footfall.vision.detector import load_detector  # noqa: PLC0415  heavy: not for `--help`
    from service.capacity import usable_cores  # noqa: PLC0415
    from service.commands.models import folder_in_use  # noqa: PLC0415
    from service.planning import HEADROOM, measure_costs, plan_for  # noqa: PLC0415

    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
    if found is None:
        raise SettingsError(f"--size: {size!r}; expected width x height in pixels, as in 640x360")
    settings = read_settings(model=model)
    detector = load_detector(
        folder_in_use(settings), runtime=settings.runtime, threads=1, input_size=settings.input_size
    )
    # H.264 has even sides.
    width_px, height_px = (int(side) // 2 * 2 for side in found.groups())
    costs = measure_costs(detector, width_px=width_px, height_px=height_px, fps=fps)
    planned = plan_for(costs, cameras=cameras, fps=fps, sent_fps=sent_fps, cores=cores or usable_cores())
    price = None if core_price is None else round(planned.cores_needed * core_price, 2)
    if as_json:
        answer = {
            **asdict(planned),
            "stages": dict(planned.stages),
            "fits": planned.fits,
            "price": price,
            "costs": asdict(costs),
            "runtime": detector.runtime,
            "model": detector.version.name,
            "input_size": settings.input_size,
        }
        typer.echo(json.dumps(answer, indent=2))
        return
    model_name = f"{detector.version.name} at {settings.input_size}"
    camera = f"A camera of {size} that sends {sent_fps:g} frames a second and is analysed {fps:g} times"
    typer.echo(f"Measured here on one core, eight people in view, with {model_name}:\n{_costs_as_text(costs)}")
    typer.echo(f"{camera} takes {planned.camera_cores:.3f} cores:")
    typer.echo(_plan_as_text(planned, fps=min(fps, sent_fps), spare=1 - HEADROOM))
    if price is not None:
        typer.echo(f"At {core_price:g} a core, {planned.cores_needed} cores cost {price:g}.")
    typer.echo(
        f"The detector ran by {detector.runtime}; what a GPU takes off the cores is measured where there is one."
    )


def _costs_as_text(costs: Costs) -> str:
    rows = (
        ("receiving and decoding", costs.decode_ms, "a frame"),
        ("detector", costs.detect_ms, "an analysed frame"),
        ("tracking and counting", costs.count_ms, "an analysed frame"),
        ("statistics", costs.row_ms, "a second"),
    )
    return "\n".join(f"  {name:24s} {value:6.1f} ms {what}" for name, value, what in rows)


def _plan_as_text(planned: Plan, *, fps: float, spare: float) -> str:
    lines = [f"  {name:24s} {share / planned.camera_cores:6.0%}" for name, share in planned.stages]
    first, second = (name for name, _ in planned.stages[:2])
    lines.append(
        f"{planned.cores} cores hold {planned.holds} such cameras with {spare:.0%} to spare; what limits is {first}, "
        f"then {second}."
    )
    if planned.fits:
        lines.append(f"{planned.cameras} cameras fit; {planned.cores_needed} cores would do.")
    else:
        lines.append(
            f"{planned.cameras} cameras need {planned.cores_needed} cores; on {planned.cores}, each would be analysed "
            f"about {fps * planned.holds / planned.cameras:.1f} times a second."
        )
    return "\n".join(lines)
