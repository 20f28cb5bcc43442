"""`footfall sim`: drawn scenes as films with their truth, and as cameras of a site."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  Typer reads the annotation
from typing import Annotated

import typer

from footfall.config import site_to_yaml
from footfall.domain import Camera, is_name
from footfall.errors import SettingsError
from footfall.simulation import SimulationSettings, parse_simulation_url

sim_app = typer.Typer(help="Drawn scenes whose truth is known.", no_args_is_help=True)

_URL_HELP = "sim:mall, sim:corridor or sim:plaza, with ?people=12&seed=7&fps=10&size=1280x720 and degradations."


@sim_app.command()
def export(
    url: Annotated[str, typer.Argument(metavar="URL", help=_URL_HELP)],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; must not exist yet.")],
    seconds: Annotated[float, typer.Option(min=0.1, max=86400, help="Length of the film.")] = 60.0,
) -> None:
    """Write a film with its truth, for `footfall evaluate`."""
    settings = _settings(url)

    from rich.progress import Progress  # noqa: PLC0415  heavy: not for `--help`

    from footfall.vision.simulator.truth import export_scene  # noqa: PLC0415

    with Progress(transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("drawing", total=1.0)
        written = export_scene(
            settings, folder, seconds=seconds, on_progress=lambda share: progress.update(task, completed=share)
        )
    typer.echo(
        f"{folder}: {written.frames} frames at {settings.fps:g} fps ({written.missing} that the camera did not send), "
        f"{written.people} people, {written.crossings} crossings, {written.visits} visits"
    )


@sim_app.command()
def site(
    cameras: Annotated[list[str], typer.Argument(metavar="ID=URL…", help=f"Cameras: id and URL. {_URL_HELP}")],
    target_fps: Annotated[float, typer.Option(min=0.1, max=60, help="Analyses a second aimed at.")] = 5.0,
) -> None:
    """Print a site file of drawn cameras with the scenes' own lines and zones."""
    from footfall.vision.simulator.scenes import build_scene  # noqa: PLC0415  heavy: not for `--help`

    drawn = []
    for entry in cameras:
        camera_id, _, url = entry.partition("=")
        if not is_name(camera_id):
            raise SettingsError(f"camera {entry[:80]!r}: expected ID=URL with an id of letters, digits and . _ = -")
        settings = _settings(url)
        scene = build_scene(settings.scene, seed=settings.seed, width_px=640, height_px=360)
        drawn.append(Camera(id=camera_id, url=url, target_fps=target_fps, lines=scene.lines, zones=scene.zones))
    typer.echo(site_to_yaml(drawn, with_secrets=True), nl=False)


def _settings(url: str) -> SimulationSettings:
    try:
        return parse_simulation_url(url)
    except ValueError as error:
        raise SettingsError(str(error)) from None
