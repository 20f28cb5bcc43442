"""`footfall cameras`: what a source is, and which cameras there are."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path  # noqa: TC003  typer reads the annotation when it runs
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from footfall.config import SOFTWARE, read_settings, site_to_yaml
from footfall.redaction import redact_url
from service.probe import probe

if TYPE_CHECKING:
    from footfall.domain import Camera
    from service.probe import ProbeReport

cameras_app = typer.Typer(
    name="cameras",
    help="Look at a source, and list or export the configured cameras.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would hold passwords
)


@cameras_app.command("probe")
def probe_command(
    url: Annotated[
        str,
        typer.Argument(help="Camera URL or film; `-` reads it from standard input, so that no process list shows it."),
    ],
    *,
    transport: Annotated[Literal["tcp", "udp"], typer.Option(help="How RTSP media travels.")] = "tcp",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open a source and say what it is, or why it gives no picture; exit status 1 when it gives none."""
    if url == "-":
        url = sys.stdin.readline().strip()
    report = probe(url, read_settings(), transport=transport)
    typer.echo(json.dumps(asdict(report), ensure_ascii=False) if as_json else _describe(report))
    if not report.ok:
        raise typer.Exit(1)


@cameras_app.command("list")
def list_command(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the cameras in the database; passwords are masked."""
    cameras, _ = _stored()
    if as_json:
        rows = [
            {"id": camera.id, "name": camera.name, "url": redact_url(camera.url), "enabled": camera.enabled}
            for camera in cameras
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for camera in cameras:
        state = "" if camera.enabled else "  (disabled)"
        typer.echo(f"{camera.id}  {redact_url(camera.url)}{state}")
    if not cameras:
        typer.echo("No camera yet.", err=True)


@cameras_app.command("export")
def export_command(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output without.")
    ] = None,
    *,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Write passwords too; without, complete each URL before use.")
    ] = False,
) -> None:
    """Write the cameras as a site file for `footfall serve --config`."""
    cameras, site = _stored()
    text = site_to_yaml(cameras, site=site, with_secrets=with_secrets)
    if output is None:
        typer.echo(text, nl=False)
        return
    output.touch(mode=0o600)
    if with_secrets:
        output.chmod(0o600)  # before anything is in it
    output.write_text(text, encoding="utf-8")


def _stored() -> tuple[list[Camera], str]:
    from footfall.stores.database import Database  # noqa: PLC0415  `probe` needs no database

    settings = read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.sqlalchemy_url)
    try:
        database.migrate()
        return database.cameras(), database.setting("site") or "site"
    finally:
        database.close()


def _describe(report: ProbeReport) -> str:
    if not report.ok:
        return f"{report.url}: no picture\n  {report.problem}\n  {report.advice}".rstrip()
    announced = f"{report.announced_fps:g}" if report.announced_fps else "unknown"
    measured = f"{report.measured_fps:g}" if report.measured_fps else "unknown"
    lines = [
        f"{report.url}: {report.codec}, {report.width_px}×{report.height_px}",
        f"  pictures a second: announced {announced}, measured {measured}",
        f"  first picture after {report.first_picture_s:.2f} s"
        + (f" over {report.transport}" * bool(report.transport)),
    ]
    if report.decode_refusal:
        lines.append(f"  decoded in software: {report.decode_refusal}")
    elif report.decoded_by not in {None, SOFTWARE}:
        lines.append(f"  decoded by {report.decoded_by}")
    if report.advice:
        lines.append(f"  {report.corrupt_pictures} broken pictures. {report.advice}")
    return "\n".join(lines)
