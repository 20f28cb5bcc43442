"""What truly happened in a drawn scene, by the same rules by which the service counts; and scenes as films with it."""

from __future__ import annotations

import configparser
import csv
import io
import itertools
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from footfall.domain import Tracks
from footfall.errors import SourceError
from footfall.vision.counting import CountingSettings, LineCounter, LineEvent, VisitEvent, ZoneCounter
from footfall.vision.footage import FilmWriter
from footfall.vision.simulator.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from footfall.domain import Line, Zone
    from footfall.simulation import SimulationSettings
    from footfall.vision.simulator.simulator import Moment, People

LEAST_VISIBLE: Final = 0.25
"""Who is seen less than this is marked "ignore" in MOT files: no detector could be blamed."""


class TruthCounter:
    """Counts the people of a drawn scene by their true boxes and identities, at every frame of it.

    Args:
        width_px, height_px: of the picture that lines and zones are shares of.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        zones: Sequence[Zone],
        *,
        width_px: int,
        height_px: int,
        uturn_window_s: float = 10.0,
    ) -> None:
        settings = CountingSettings(uturn_window_s=uturn_window_s, lost_beyond_heights=None)  # nobody is lost here
        numbers = itertools.count()
        self._lines = [
            LineCounter(line, width_px=width_px, height_px=height_px, settings=settings, numbers=numbers)
            for line in lines
        ]
        self._zones = [
            ZoneCounter(zone, width_px=width_px, height_px=height_px, settings=settings, numbers=numbers)
            for zone in zones
        ]

    def update(self, moment: Moment) -> tuple[list[LineEvent], list[VisitEvent]]:
        """Return the crossings, and the visits that ended, since the moment before; times in its seconds."""
        tracks = Tracks(moment.ids, moment.whole_px, np.ones(len(moment.ids), np.float32))
        return (
            [event for line in self._lines for event in line.update(tracks, moment.at_s)],
            [visit for zone in self._zones for visit in zone.update(tracks, moment.at_s)],
        )

    def close(self) -> list[VisitEvent]:
        """End the visits that are still going on."""
        return [visit for zone in self._zones for visit in zone.close()]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        missing: frames that the camera did not send.
    """

    frames: int
    missing: int
    people: int
    crossings: int
    visits: int


def export_scene(
    settings: SimulationSettings,
    folder: Path,
    *,
    seconds: float,
    on_progress: Callable[[float], None] | None = None,
) -> Exported:
    """Write a scene as a folder that `footfall evaluate` reads; docs/evaluation.md tells what is in it.

    Where the camera sends nothing, the film shows its last picture again: frame and time stay together. The folder
    appears when it is complete.

    Args:
        folder: must not exist yet.
        on_progress: told the share that is done, in [0, 1].

    Raises:
        SourceError: the folder is there already, or cannot be written.
    """
    if folder.exists():
        raise SourceError(f"{str(folder)!r}: is there already; name a folder that does not exist yet")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        (unfinished / "gt").mkdir(parents=True)
        exported = _write(settings, unfinished, round(seconds * settings.fps), on_progress)
        unfinished.rename(folder)
    except OSError as error:
        raise SourceError(f"{str(folder)!r}: cannot be written ({type(error).__name__})") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return exported


def _write(
    settings: SimulationSettings, folder: Path, frames: int, on_progress: Callable[[float], None] | None
) -> Exported:
    simulator = Simulator(settings)
    size = {"width_px": settings.width_px, "height_px": settings.height_px}
    counter = TruthCounter(simulator.scene.lines, simulator.scene.zones, **size)
    rows = io.StringIO(newline="")
    writer = csv.writer(rows, lineterminator="\n")
    crossings: list[LineEvent] = []
    visits: list[VisitEvent] = []
    per_frame: list[dict[str, Any]] = []
    picture = simulator.scene.picture
    missing, ids = 0, set()
    with FilmWriter(folder / "video.mp4", fps=settings.fps) as film:
        for index in range(frames):
            moment = simulator.moment(index / settings.fps)
            crossed, left = counter.update(moment)
            crossings += crossed
            visits += left
            shown = None if simulator.is_disconnected_at(moment.at_s) else simulator.draw(moment)
            if shown is None:
                missing += 1
            else:
                picture = shown.picture
                per_frame.append({"frame": index + 1, "people": _people_rows(shown.people, writer, index + 1)})
                ids.update(moment.ids.tolist())
            film.write(picture, moment.at_s)
            if on_progress:
                on_progress((index + 1) / frames)
    visits += counter.close()
    truth = folder / "gt"
    (truth / "gt.txt").write_text(rows.getvalue(), encoding="utf-8")
    _write_json(truth / "crossings.json", _crossings(simulator, crossings))
    _write_json(truth / "zones.json", _visits(simulator, visits))
    _write_json(truth / "truth.json", {"fps": settings.fps, **size, "frames": per_frame})
    info = configparser.ConfigParser()
    info.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their capitals
    info["Sequence"] = {
        "name": folder.name.removeprefix(".").removesuffix(".unfinished"),
        "frameRate": f"{settings.fps:g}",
        "seqLength": str(frames),
        "imWidth": str(settings.width_px),
        "imHeight": str(settings.height_px),
    }
    with (folder / "seqinfo.ini").open("w", encoding="utf-8") as stream:
        info.write(stream, space_around_delimiters=False)
    return Exported(frames, missing, len(ids), len(crossings), len(visits))


def _people_rows(people: People, writer: Any, frame: int) -> list[dict[str, Any]]:  # noqa: ANN401  csv's writer has no name
    """Write MOT rows (frame, id, x, y, w, h, counts, class, visible) and return the same as records."""
    records = []
    for identity, box, seen, visible in zip(
        people.ids.tolist(), people.boxes_px.tolist(), people.seen_px.tolist(), people.visible.tolist(), strict=True
    ):
        x0, y0, x1, y1 = (round(v, 2) for v in box)
        width, height = round(x1 - x0, 2), round(y1 - y0, 2)
        writer.writerow((frame, identity, x0, y0, width, height, int(visible >= LEAST_VISIBLE), 1, round(visible, 2)))
        records.append({"id": identity, "box": [x0, y0, x1, y1], "seen": seen, "visible": round(visible, 2)})
    return records


def _crossings(simulator: Simulator, events: list[LineEvent]) -> dict[str, Any]:
    settings = simulator.settings
    return {
        "anchor": "bottom_centre",
        "side": "'in' = moving to the side where cross(b-a, p-a) >= 0",
        "lines": [
            {
                "line": line.name,
                "a": [line.start[0] * settings.width_px, line.start[1] * settings.height_px],
                "b": [line.end[0] * settings.width_px, line.end[1] * settings.height_px],
                "n_in": sum(event.line == line.name and event.direction == "in" for event in events),
                "n_out": sum(event.line == line.name and event.direction == "out" for event in events),
                "events": [
                    [round(event.at_s * settings.fps) + 1, event.person_id, event.direction]
                    for event in events
                    if event.line == line.name
                ],
            }
            for line in simulator.scene.lines
        ],
    }


def _visits(simulator: Simulator, visits: list[VisitEvent]) -> dict[str, Any]:
    settings = simulator.settings
    return {
        "fps": settings.fps,
        "zones": [
            {
                "zone": zone.name,
                "polygon": [[x * settings.width_px, y * settings.height_px] for x, y in zone.polygon],
                "visits": [
                    {
                        "id": visit.person_id,
                        "enter_frame": round(visit.entered_s * settings.fps) + 1,
                        "leave_frame": round(visit.left_s * settings.fps) + 1,
                    }
                    for visit in visits
                    if visit.zone == zone.name
                ],
            }
            for zone in simulator.scene.zones
        ],
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
