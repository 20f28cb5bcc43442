"""`footfall count`: the people on one film or camera, without a service."""

from __future__ import annotations

import csv
import json
import random
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from footfall.config import CameraSettings, Settings, check_source_url, read_settings
from footfall.domain import Camera, CameraState, Line, Zone
from footfall.errors import SettingsError
from footfall.redaction import redact_url
from service.commands.models import folder_in_use

if TYPE_CHECKING:
    from datetime import datetime

    from footfall.domain import Crossing, StateChange, ZoneVisit
    from footfall.vision.analysis import Analysis
    from footfall.vision.detector import Detector
    from footfall.vision.footage import FilmWriter

_MIDDLE = Line("middle", (0.5, 0.0), (0.5, 1.0))


@dataclass(slots=True)
class Tally:
    """What was counted so far, on the clock of the source; seconds from its first frame."""

    camera: Camera
    started_at: datetime | None = None
    last_s: float | None = None
    first_s: float = 0.0
    watched_s: float = 0.0
    analysed: int = 0
    crossings: list[Crossing] = field(default_factory=list)
    visits: list[ZoneVisit] = field(default_factory=list)

    def add(self, analysis: Analysis) -> None:
        """Take in what one frame told."""
        frame = analysis.frame
        if self.last_s is None or self.started_at is None:
            self.started_at, self.first_s = frame.received_at, frame.received_s
        elif frame.received_s - self.last_s <= max(1.0, 3 / self.camera.target_fps):
            self.watched_s += frame.received_s - self.last_s
        self.last_s = frame.received_s
        self.analysed += 1
        self.crossings.extend(analysis.crossings)
        self.visits.extend(analysis.visits)

    @property
    def duration_s(self) -> float:
        """From the first analysed frame to the last."""
        return 0.0 if self.last_s is None else self.last_s - self.first_s

    def report(self, *, received: int, dropped: int) -> dict[str, Any]:
        """Return what `--json` prints."""
        undone = {crossing.undoes for crossing in self.crossings if crossing.undoes}
        undone |= {crossing.id for crossing in self.crossings if crossing.undoes}
        return {
            "source": redact_url(self.camera.url),
            "frames": {"received": received, "analysed": self.analysed, "dropped": dropped},
            "duration_s": round(self.duration_s, 3),
            "coverage": round(self.watched_s / self.duration_s, 4) if self.duration_s else 0.0,
            "lines": [self._line_report(line, undone) for line in self.camera.lines],
            "zones": [self._zone_report(zone) for zone in self.camera.zones],
        }

    def _line_report(self, line: Line, undone: set[str]) -> dict[str, Any]:
        events = sorted((each for each in self.crossings if each.line == line.name), key=lambda each: each.at)
        counts = {direction: sum(each.direction == direction for each in events) for direction in ("in", "out")}
        taken_back = {
            direction: sum(each.direction == direction and each.id in undone for each in events)
            for direction in ("in", "out")
        }
        return {
            "name": line.name,
            **counts,
            "effective_in": counts["in"] - taken_back["in"],
            "effective_out": counts["out"] - taken_back["out"],
            "events": [{"t_s": self._t_s(each.at), "direction": each.direction} for each in events],
        }

    def _zone_report(self, zone: Zone) -> dict[str, Any]:
        visits = sorted((each for each in self.visits if each.zone == zone.name), key=lambda each: each.entered_at)
        return {
            "name": zone.name,
            "entries": len(visits),
            "exits": sum(each.outcome == "left" for each in visits),
            "lost": sum(each.outcome == "lost" for each in visits),
            "visits": [
                {
                    "enter_s": self._t_s(each.entered_at),
                    "leave_s": self._t_s(each.left_at),
                    "dwell_s": round(each.dwell_s, 2),
                    "outcome": each.outcome,
                }
                for each in visits
            ],
        }

    def _t_s(self, at: datetime) -> float:
        return round((at - (self.started_at or at)).total_seconds(), 2)


def count(  # noqa: PLR0917  Typer's way
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Film, rtsp(s)://, http(s)://, v4l2:// or sim: source.")
    ],
    line: Annotated[
        list[str] | None, typer.Option(metavar="NAME:x1,y1,x2,y2", help="Counting line in shares of the picture.")
    ] = None,
    zone: Annotated[
        list[str] | None, typer.Option(metavar="NAME:x1,y1,x2,y2,x3,y3,…", help="Zone in shares of the picture.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model name, model folder or bare YOLO .onnx file.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, max=60, help="Analyses a second; films: all frames.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002  Typer's way
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the events to this file.")] = None,
    video: Annotated[Path | None, typer.Option(help="Write the film with boxes and counts (.mp4).")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End a live source by itself.")] = None,
) -> None:
    """Count the people on a film as fast as it goes, or on a live source until Ctrl-C."""
    from footfall.vision.detector import load_detector  # noqa: PLC0415  heavy: not for `--help`

    settings = read_settings(model=model)
    camera = make_camera(source, line or [], zone or [], fps)
    detector = load_detector(
        folder_in_use(settings),
        runtime=settings.runtime,
        threads=settings.inference_threads,
        input_size=settings.input_size,
    )
    from service.source import is_film  # noqa: PLC0415

    with ExitStack() as stack:
        draw = None
        if video is not None:
            from footfall.vision.footage import FilmWriter  # noqa: PLC0415

            draw = stack.enter_context(FilmWriter(video, fps=fps or 10.0))
        if is_film(source):
            report, tally = _count_film(camera, detector, settings, draw, every_frame=fps is None)
        else:
            report, tally = _count_live(camera, detector, settings, draw, seconds=seconds)
    if csv_file is not None:
        _write_csv(csv_file, tally)
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else _as_text(report))


def make_camera(source: str, lines: list[str], zones: list[str], fps: float | None) -> Camera:
    """Read lines and zones as they stand on the command line; without any, a line down the middle.

    Raises:
        SettingsError: names the option and what is expected.
    """
    try:
        check_source_url(source)
        settings = CameraSettings.model_validate(
            {
                "id": "camera",
                "url": source,
                "target_fps": fps or 5.0,
                "lines": [_read_line(text) for text in lines],
                "zones": [_read_zone(text) for text in zones],
            }
        )
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(f"{place}: {problem['msg'].removeprefix('Value error, ')}") from None
    except ValueError as error:
        raise SettingsError(str(error)) from None
    camera = settings.to_domain()
    if not lines and not zones:
        return Camera(id=camera.id, url=camera.url, target_fps=camera.target_fps, lines=(_MIDDLE,))
    return camera


def _read_line(text: str) -> dict[str, Any]:
    name, numbers = _read_numbers("--line", text)
    if len(numbers) != 4:
        raise SettingsError(f"--line {text!r}: holds {len(numbers)} numbers; expected NAME:x1,y1,x2,y2")
    return {"name": name, "start": numbers[:2], "end": numbers[2:]}


def _read_zone(text: str) -> dict[str, Any]:
    name, numbers = _read_numbers("--zone", text)
    if len(numbers) < 6 or len(numbers) % 2:
        raise SettingsError(f"--zone {text!r}: holds {len(numbers)} numbers; expected NAME:x1,y1,x2,y2,x3,y3,…")
    return {"name": name, "polygon": list(zip(numbers[::2], numbers[1::2], strict=True))}


def _read_numbers(option: str, text: str) -> tuple[str, list[float]]:
    name, found, rest = text.partition(":")
    try:
        numbers = [float(part) for part in rest.split(",")]
    except ValueError:
        numbers = []
    if not found or not numbers:
        raise SettingsError(f"{option} {text!r}: expected NAME:x1,y1,x2,y2,… with numbers from 0 to 1")
    return name, numbers


def _count_film(
    camera: Camera, detector: Detector, settings: Settings, draw: FilmWriter | None, *, every_frame: bool
) -> tuple[dict[str, Any], Tally]:
    from rich.progress import Progress  # noqa: PLC0415

    from footfall.vision.film import analyse_film  # noqa: PLC0415
    from footfall.vision.footage import Footage  # noqa: PLC0415

    tally = Tally(camera)
    path = Path(camera.url.removeprefix("file://"))
    # The bar goes to stderr: standard output belongs to the answer.
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True)
    with (
        Footage(path, fps=None if every_frame else camera.target_fps) as footage,
        Progress(console=console, disable=not console.is_terminal) as progress,
    ):
        if every_frame:
            tally.camera = camera = _with_rate(camera, footage.native_fps)
        task = progress.add_task("counting", total=footage.expected_frames)
        for analysis in analyse_film(footage, camera, detector, uturn_window_s=settings.uturn_window_s):
            tally.add(analysis)
            _draw(draw, analysis, tally)
            progress.update(task, completed=footage.counts.received)
        counts = footage.counts
    return tally.report(received=counts.received, dropped=counts.corrupt + counts.skipped), tally


def _with_rate(camera: Camera, fps: float) -> Camera:
    return Camera(id=camera.id, url=camera.url, target_fps=min(fps, 60.0), lines=camera.lines, zones=camera.zones)


def _count_live(
    camera: Camera, detector: Detector, settings: Settings, draw: FilmWriter | None, *, seconds: float | None
) -> tuple[dict[str, Any], Tally]:
    from footfall.vision.analysis import CameraAnalyser  # noqa: PLC0415  heavy: not for `--help`
    from service.capture import CameraReader, CaptureSettings  # noqa: PLC0415
    from service.clock import SystemClock  # noqa: PLC0415
    from service.frames import FrameLedger, NewestFrame  # noqa: PLC0415
    from service.scheduler import Scheduler  # noqa: PLC0415

    tally = Tally(camera)
    clock = SystemClock()
    stop = threading.Event()
    ledger = FrameLedger(camera.id)
    scheduler = Scheduler(max_batch=1, max_age_s=settings.max_frame_age_s, clock=clock)
    slot = NewestFrame(ledger, scheduler.arrived)
    scheduler.add(camera.id, slot, camera.target_fps)

    def on_state(change: StateChange) -> None:
        print(f"{change.at:%H:%M:%S} {change.state.value} {change.detail}", file=sys.stderr)  # noqa: T201  progress
        if change.state is CameraState.ENDED:
            stop.set()

    reader = CameraReader(
        camera,
        slot,
        settings=CaptureSettings(
            settings.open_timeout_s,
            settings.stall_timeout_s,
            settings.max_pixels,
            decode_device=settings.decode_device,
        ),
        on_state=on_state,
        on_reconnect=lambda *_: None,
        on_frame_at=lambda *_: None,
        rng=random.Random(),  # noqa: S311  jitter, not secrets
        clock=clock,
    )
    analyser = CameraAnalyser(camera, run_id=f"count-{time.time_ns()}", uturn_window_s=settings.uturn_window_s)
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        reader.start()
        ends_s = float("inf") if seconds is None else clock.monotonic() + seconds
        while not stop.is_set() and clock.monotonic() < ends_s:
            for scheduled in scheduler.next_batch(0.5):
                (detections,) = detector.detect([scheduled.frame.image])
                analysis = analyser.update(scheduled.frame, detections)
                ledger.analyse()
                tally.add(analysis)
                _draw(draw, analysis, tally)
                for crossing in analysis.crossings:
                    print(f"{crossing.at:%H:%M:%S} {crossing.line} {crossing.direction}", file=sys.stderr)  # noqa: T201
        tally.visits.extend(analyser.close())
    finally:
        reader.stop()
        slot.close()
        reader.join(settings.stall_timeout_s)
        for number, handler in previous.items():
            signal.signal(number, handler)
    books = ledger.counts()
    return tally.report(received=books.received, dropped=sum(books.dropped.values())), tally


def _draw(film: FilmWriter | None, analysis: Analysis, tally: Tally) -> None:
    if film is None:
        return
    from footfall.vision.drawing import annotate  # noqa: PLC0415  heavy: not for `--help`

    totals = {line.name: {"in": 0, "out": 0} for line in tally.camera.lines}
    for crossing in tally.crossings:
        totals[crossing.line][crossing.direction] += 1
    film.write(annotate(analysis, tally.camera, totals), analysis.frame.received_s)


def _write_csv(path: Path, tally: Tally) -> None:
    rows: list[tuple[str, str, str, str]] = [
        (each.at.isoformat(), each.line, each.direction, "") for each in tally.crossings
    ]
    rows += [(each.left_at.isoformat(), each.zone, each.outcome, f"{each.dwell_s:.2f}") for each in tally.visits]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("at", "line_or_zone", "direction_or_outcome", "dwell_s"))
        writer.writerows(sorted(rows))


def _as_text(report: dict[str, Any]) -> str:
    frames = report["frames"]
    head = f"{report['source']}: {report['duration_s']:.1f} s, watched {report['coverage']:.0%}"
    lines = [f"{head}, {frames['analysed']} of {frames['received']} frames analysed"]
    lines += [
        f"  line {each['name']}: in {each['in']}, out {each['out']} "
        f"(effective: in {each['effective_in']}, out {each['effective_out']})"
        for each in report["lines"]
    ]
    lines += [
        f"  zone {each['name']}: {each['entries']} visits, {each['exits']} left, {each['lost']} lost from view"
        for each in report["zones"]
    ]
    return "\n".join(lines)
