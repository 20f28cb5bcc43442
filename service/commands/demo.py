"""`footfall demo`: four drawn cameras, one of them in trouble and one cut off for a while, counted beside the truth."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import webbrowser
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from footfall.config import CameraSettings, LineSettings, Settings, SiteFile, ZoneSettings, read_settings
from footfall.errors import FootfallError, SettingsError
from footfall.redaction import redact_url
from footfall.simulation import parse_simulation_url
from service.logs import set_up_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.wiring import Service

LEAST_ACCURACY: Final = 0.95
_OWN: Final = "own"


@dataclass(frozen=True, slots=True)
class DemoCamera:
    """One of the demo's cameras.

    Attributes:
        trouble: what goes wrong with it, for people; empty for one whose counts must be right.
    """

    id: str
    url: str
    name: str
    trouble: str = ""


CAMERAS: Final = (
    DemoCamera("entrance", "sim:mall?people=5&seed=333&start=30&size=640x360", "Entrance hall"),
    DemoCamera("passage", "sim:corridor?people=5&seed=332&start=30&size=640x360", "Passage to the car park"),
    DemoCamera(
        "night",
        "sim:mall?people=5&seed=331&start=30&size=640x360&dark=5&at=20&ramp=5&until=45",
        "Hall where the light fails",
        "dark from 20 s to 45 s",
    ),
    DemoCamera(
        "plaza",
        "sim:plaza?people=8&seed=334&start=30&size=640x360&disconnected=1&at=15&until=30",
        "Plaza that is cut off",
        "no connection from 15 s to 30 s",
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one camera did.

    Attributes:
        errors: Σ|found − true| over its lines and directions; None where no truth is known.
        coverage: share of the time in which it was watched.
        fps: analysed frames a second while it was watched.
    """

    camera: str
    trouble: str
    found: int
    truth: int | None
    errors: int | None
    coverage: float
    fps: float

    @property
    def accuracy(self) -> float | None:
        """1 − errors ÷ true; None without a true crossing."""
        return 1 - self.errors / self.truth if self.truth and self.errors is not None else None


def demo(
    seconds: Annotated[
        float | None, typer.Option(envvar="DEMO_SECONDS", min=5, help="Ends by itself, with a summary.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = None,
    *,
    browser: Annotated[
        bool | None, typer.Option(help="Open the live page; by default where there is a screen.")
    ] = None,
) -> None:
    """Count on four drawn cameras whose truth is known, and on DEMO_SOURCE (a camera or film) if that is set.

    Nothing is kept. With --seconds it ends with a summary, and with exit code 1 when the cameras that nothing happens
    to were counted less than 95 % right.
    """
    read_settings(port=port)  # what is wrong is said before anything is built
    with ExitStack() as cleanup:
        scratch = Path(tempfile.mkdtemp(prefix="footfall-demo."))
        cleanup.callback(shutil.rmtree, scratch, ignore_errors=True)
        settings = _own_settings(port, scratch)
        site = demo_site(os.environ.get("DEMO_SOURCE", ""))
        set_up_logs(settings.log_level)

        from service.wiring import Service  # noqa: PLC0415  heavy: not for `--help`

        service = Service(settings, site)
        _welcome(service, seconds)
        if browser or (browser is None and _has_screen()):
            webbrowser.open(service.server.url)
        rows: list[Row] = []
        if seconds is not None:
            cleanup.callback(_end_after(service, seconds, rows))
        service.run()
    if rows:  # not when it was stopped before
        _finish(rows)


def demo_site(own_source: str = "") -> SiteFile:
    """Return the demo's cameras as a site; `own_source` is a camera or film to be counted beside them.

    Raises:
        SettingsError: `own_source` is no source.
    """
    from footfall.vision.simulator.scenes import build_scene  # noqa: PLC0415  heavy: not for `--help`

    cameras = []
    for camera in CAMERAS:
        drawn = parse_simulation_url(camera.url)
        scene = build_scene(drawn.scene, seed=drawn.seed, width_px=drawn.width_px, height_px=drawn.height_px)
        cameras.append(
            CameraSettings(
                id=camera.id,
                url=camera.url,
                name=camera.name,
                target_fps=10,
                lines=[LineSettings(name=line.name, start=line.start, end=line.end) for line in scene.lines[:1]],
                zones=[ZoneSettings(name=zone.name, polygon=list(zone.polygon)) for zone in scene.zones],
            )
        )
    if own_source:
        middle = LineSettings(name="middle", start=(0.5, 0.0), end=(0.5, 1.0))
        from service.source import is_film  # noqa: PLC0415

        try:
            own = CameraSettings(id=_OWN, url=own_source, name="Your own", loop=is_film(own_source), lines=[middle])
        except ValueError as error:
            reason = str(error).splitlines()[2].strip() if len(str(error).splitlines()) > 2 else "not a source"
            raise SettingsError(f"DEMO_SOURCE: {redact_url(own_source)}: {reason}") from None
        cameras.append(own)
    return SiteFile(site="demo", cameras=cameras)


def summarise(service: Service, started_at: datetime) -> list[Row]:
    """Return what each camera did since the start."""
    from footfall.domain import Crossing  # noqa: PLC0415
    from service.api.truth import compare  # noqa: PLC0415

    now = datetime.now(UTC)
    troubles = {camera.id: camera.trouble for camera in CAMERAS}
    events = service.database.events(limit=100_000, since=started_at).events
    minutes = service.database.counts(since=started_at - timedelta(minutes=1), until=now, bucket="minute")
    # Every line repeats its camera's seconds.
    covered = {(row.camera_id, row.bucket_at): row.watched_s for row in minutes}
    rows = []
    for camera in service.fleet.cameras():
        crossings = [e.record for e in events if isinstance(e.record, Crossing) and e.record.camera_id == camera.id]
        truth = service.fleet.truth(camera.id)
        watched_s = sum(value for (camera_id, _), value in covered.items() if camera_id == camera.id)
        analysed = service.fleet.counts(camera.id).analysed
        span_s = (now - started_at).total_seconds()
        found, true, errors = len(crossings), None, None
        if truth is not None:
            span_s = (now - truth.since).total_seconds()
            answer = compare(camera.id, truth, crossings, [line.name for line in camera.lines])
            found, true = answer.found, answer.truth
            errors = sum(abs(each.truth[way] - each.found[way]) for each in answer.lines for way in each.truth)
        rows.append(
            Row(
                camera=camera.id,
                trouble=troubles.get(camera.id, "") if camera.id != _OWN else "your own",
                found=found,
                truth=true,
                errors=errors,
                coverage=min(1.0, watched_s / span_s) if span_s > 0 else 0.0,
                fps=analysed / watched_s if watched_s > 0 else 0.0,
            )
        )
    return rows


def clean_accuracy(rows: Sequence[Row]) -> float | None:
    """Accuracy over all cameras that nothing happens to; None when nobody crossed their lines."""
    clean = [row for row in rows if not row.trouble and row.truth is not None and row.errors is not None]
    total = sum(row.truth or 0 for row in clean)
    return 1 - sum(row.errors or 0 for row in clean) / total if total else None


def _own_settings(port: int | None, scratch: Path) -> Settings:
    """The demo's own database, and the models imported on this machine."""
    usual = read_settings(port=port)
    if usual.models_dir.is_dir():
        shutil.copytree(usual.models_dir, scratch / "models")
    # Not `read_settings`: a database named in the environment is not the demo's to fill.
    return usual.model_copy(update={"data_dir": scratch, "database_url": None, "database_url_file": None})


def _welcome(service: Service, seconds: float | None) -> None:
    model = service.pipeline.detectors.champion.version
    typer.echo(f"Footfall is at {service.server.url}")
    typer.echo(f"Detector: {model.name} ({service.pipeline.detectors.champion.runtime}, {model.licence})")
    typer.echo("A stronger one: footfall models import yolo11n.pt, then footfall models use yolo11n")
    for camera in service.database.cameras():
        trouble = next((each.trouble for each in CAMERAS if each.id == camera.id), "")
        typer.echo(f"  {camera.id:9s} {camera.name}{f' ({trouble})' if trouble else ''}")
    typer.echo("Ctrl-C stops it." if seconds is None else f"It ends by itself after {seconds:g} s.")


def _end_after(service: Service, seconds: float, rows: list[Row]) -> Callable[[], None]:
    """Fill `rows` and stop serving when the time is up; what is returned calls that off."""
    called_off = threading.Event()
    started_at = datetime.now(UTC)

    def end() -> None:
        if called_off.wait(seconds):
            return
        try:
            rows.extend(summarise(service, started_at))
        finally:
            service.server.stop()

    threading.Thread(target=end, name="demo end", daemon=True).start()
    return called_off.set


def _finish(rows: Sequence[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415  heavy: not for `--help`
    from rich.table import Table  # noqa: PLC0415

    table = Table("camera", "counted", "true", "accuracy", "coverage", "analysed/s", "what happened")
    for row in rows:
        right = "–" if row.accuracy is None else f"{max(0.0, row.accuracy):.1%}"
        truth = "unknown" if row.truth is None else str(row.truth)
        table.add_row(
            row.camera,
            str(row.found),
            truth,
            right,
            f"{row.coverage:.1%}",
            f"{row.fps:.1f}",
            row.trouble or "nothing",
        )
    Console(file=sys.stdout, width=100).print(table)
    accuracy = clean_accuracy(rows)
    if accuracy is None:
        raise FootfallError(
            "demo: nobody crossed a line of the undisturbed cameras; let it run longer (DEMO_SECONDS=60)"
        )
    typer.echo(f"Undisturbed cameras: counted {accuracy:.1%} right (at least {LEAST_ACCURACY:.0%} expected)")
    if accuracy < LEAST_ACCURACY:
        raise typer.Exit(1)


def _has_screen() -> bool:
    """Whether a browser can be shown: somebody sits at a terminal with a desktop."""
    if not sys.stdout.isatty() or os.environ.get("CI"):
        return False
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
