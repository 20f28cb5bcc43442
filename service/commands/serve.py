"""`footfall serve`, `footfall up` and `footfall check-config`."""

from __future__ import annotations

import functools
import random
import sys
from pathlib import Path
from typing import Annotated

import typer

from footfall.config import Settings, SiteFile, read_settings, read_site
from service.backoff import Backoff
from service.companion import Companion
from service.logs import set_up_logs

ConfigOption = Annotated[Path | None, typer.Option(help="Site file (YAML); its cameras become the cameras.")]
HostOption = Annotated[str | None, typer.Option(help="Address to listen on.")]
PortOption = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")]
ModelOption = Annotated[str | None, typer.Option(help="Model name, model folder or bare YOLO .onnx file.")]
DataOption = Annotated[Path | None, typer.Option(help="Folder for the database and models.")]


def serve(
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    model: ModelOption = None,
    data_dir: DataOption = None,
) -> None:
    """Count on the configured cameras until SIGTERM or Ctrl-C."""
    settings = read_settings(host=host, port=port, model=model, data_dir=data_dir)
    site = None if config is None else read_site(config)
    set_up_logs(settings.log_level)
    _run(settings, site, welcome=False)


def up(
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    model: ModelOption = None,
    data_dir: DataOption = None,
    *,
    monitor: Annotated[bool, typer.Option(help="Run the monitor as well: how right it counts.")] = True,
) -> None:
    """Run all of Footfall on this machine: SQLite, folders, no other server needed."""
    settings = read_settings(host=host, port=port, model=model, data_dir=data_dir)
    site = None if config is None else read_site(config)
    set_up_logs(settings.log_level)
    _run(settings, site, welcome=True, companion=_monitor(settings) if monitor else None)


def check_config(
    config: Annotated[Path, typer.Option(help="Site file (YAML).")],
) -> None:
    """Check settings and a site file; changes nothing."""
    read_settings()
    site = read_site(config)
    lines = sum(len(camera.lines) for camera in site.cameras)
    zones = sum(len(camera.zones) for camera in site.cameras)
    typer.echo(f"{config.name}: good: site {site.site!r}, {len(site.cameras)} cameras, {lines} lines, {zones} zones")


def _monitor(settings: Settings) -> Companion:
    # The rest of its settings it reads from the environment, as this program did.
    command = [sys.executable, "-m", "monitoring", "run", "--with-parent", "--data-dir", str(settings.data_dir)]
    backoff = Backoff(first_s=1.0, most_s=60.0, auth_ladder_s=(), rng=random.Random())  # noqa: S311  no secret
    return Companion("monitor", command, backoff)


def _run(settings: Settings, site: SiteFile | None, *, welcome: bool, companion: Companion | None = None) -> None:
    from service.wiring import Service  # noqa: PLC0415  heavy: not for `--help`

    service = Service(settings, site)
    model = service.pipeline.detectors.champion.version
    # Standard output of `serve` stays empty: it is for whoever collects it.
    say = functools.partial(typer.echo, err=not welcome)
    if welcome:
        say(f"Footfall is at {service.server.url}")
    say(f"Detector: {model.name} ({service.pipeline.detectors.champion.runtime}, {model.licence})")
    if model.name == "embedded":
        say("A stronger one: footfall models import yolo11n.pt, then footfall models use yolo11n")
    if welcome:
        say("Ctrl-C stops it.")
    if companion is not None:
        companion.start()
    try:
        service.run()
    finally:
        if companion is not None:
            companion.stop(5.0)
