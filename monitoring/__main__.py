"""The command `footfall-monitor`: checks how right the counting is, once or for ever."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import structlog
import typer

from footfall.config import read_settings
from footfall.errors import FootfallError, SettingsError

EXIT_FAILED = 1
EXIT_BAD_SETTINGS = 2

app = typer.Typer(
    help="Says how right a Footfall counts, and when its cameras drift from what they were.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
DataOption = Annotated[Path | None, typer.Option(help="Folder for the database and models.")]


@app.callback()
def options() -> None:
    """Options of every command."""
    # To standard error: standard output belongs to the answer.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@app.command()
def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = None,
    data_dir: DataOption = None,
    with_parent: Annotated[  # noqa: FBT002  Typer's way
        bool, typer.Option("--with-parent", hidden=True, help="End when standard input ends; for `footfall up`.")
    ] = False,
) -> None:
    """Check again and again, and give the figures to Prometheus, until SIGTERM or Ctrl-C."""
    from monitoring.wiring import Monitor  # noqa: PLC0415  heavy: not for `--help`

    Monitor(read_settings(monitor_host=host, monitor_port=port, data_dir=data_dir)).run(with_parent=with_parent)


@app.command()
def check(
    data_dir: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002  Typer's way
) -> None:
    """Check once, keep the figures and what the newest windows tell, and print them; for cron, and for the curious."""
    from monitoring.wiring import Monitor  # noqa: PLC0415  heavy: not for `--help`

    monitor = Monitor(read_settings(data_dir=data_dir))
    try:
        now = datetime.now(UTC)
        found = monitor.checker.check(now)
        drift = monitor.watch.check(now)
        if monitor.asker is not None:
            monitor.asker.consider(now)
    finally:
        monitor.close()
    if as_json:
        rows = [
            {
                "measure": each.measure,
                "scope": each.scope,
                "camera": each.camera_id,
                "line": each.line,
                "model": each.model,
                "value": each.value,
                "lower": each.lower,
                "upper": each.upper,
                "n": each.n,
                "missing": each.missing,
                "definition": each.definition,
            }
            for each in found
        ]
        windows = [
            {
                "camera": each.camera_id,
                "begin": each.begin_at.isoformat(),
                "end": each.end_at.isoformat(),
                "state": each.state,
                "tier": each.tier,
                "ratio": each.ratio,
                "cause": each.cause,
                "evidence": each.evidence,
                "compared_with": each.reference,
                "note": each.note,
            }
            for each in drift
        ]
        typer.echo(json.dumps({"quality": rows, "drift": windows}, indent=2))
        return
    for each in found:
        place = " ".join(part for part in (each.scope, each.camera_id, each.line) if part)
        if each.value is None:
            typer.echo(f"{place}: {each.measure}: not known, {each.missing} more needed (n={each.n})")
        else:
            between = "" if each.lower is None else f" ({each.lower:.1%} to {each.upper:.1%})"
            typer.echo(f"{place}: {each.measure}: {each.value:.1%}{between}, n={each.n}")
    for verdict in drift:
        said = verdict.state if verdict.cause is None else f"{verdict.state}, {verdict.cause}"
        if verdict.ratio is not None:
            said += f", {verdict.ratio:.2f} of its threshold"
        window = f"{verdict.begin_at:%Y-%m-%d %H:%M} to {verdict.end_at:%H:%M} UTC"
        typer.echo(f"camera {verdict.camera_id}: {window}: {said} ({verdict.tier}; {verdict.note})")


@app.command()
def request(
    reason: Annotated[str, typer.Option(help="Why, for people; one line.")],
    camera: Annotated[list[str] | None, typer.Option(help="Of this camera; may be given again. Without: all.")] = None,
    data_dir: DataOption = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also if the same was asked before, and soon after the last one.")
    ] = False,
) -> None:
    """Ask for a better model; a monitor with a launcher starts its training."""
    from monitoring.wiring import ask  # noqa: PLC0415  heavy: not for `--help`

    settings = read_settings(data_dir=data_dir)
    found, answer = ask(settings, reason=reason, cameras=camera or [], is_forced=force)
    said = {
        "created": "asked",
        "duplicate": "the same was asked before",
        "active": "not asked: another one is not over yet",
        "cooldown": "not asked: the last one ended too short a time ago; wait, or use --force",
    }[answer]
    typer.echo(f"{found.id}: {said} ({found.outcome or found.state}{', ' + found.note if found.note else ''})")
    if found.state == "waiting" and settings.retrain_launcher == "off":
        typer.echo("It waits: no launcher is set here (FOOTFALL_RETRAIN_LAUNCHER).")
    if answer in {"active", "cooldown"}:
        raise typer.Exit(EXIT_FAILED)


def main() -> None:
    """Run a command; exit 0 done, 1 failed, 2 bad settings."""
    try:
        app()
    except SettingsError as error:
        print(f"footfall-monitor: {error}", file=sys.stderr)  # noqa: T201  the answer of a command
        raise SystemExit(EXIT_BAD_SETTINGS) from None
    except FootfallError as error:
        print(f"footfall-monitor: {error}", file=sys.stderr)  # noqa: T201  the answer of a command
        raise SystemExit(EXIT_FAILED) from None


if __name__ == "__main__":
    main()
