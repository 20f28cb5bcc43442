"""Runs a film through detector and counting, as fast as it goes, and scores it where its truth is known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from footfall.domain import Camera, Zone
from footfall.vision.analysis import Analysis, CameraAnalyser
from footfall.vision.evaluation import counting_scores, detection_scores, tracking_scores, visit_scores
from footfall.vision.footage import Footage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from footfall.domain import Crossing, Detections, Tracks, ZoneVisit
    from footfall.vision.detector import Detector
    from footfall.vision.evaluation import FilmedTruth

_WHOLE_PICTURE: Final = Zone("picture", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
FILM_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When a film's crossings and visits say that it began."""


def analyse_film(footage: Footage, camera: Camera, detector: Detector, *, uturn_window_s: float) -> Iterator[Analysis]:
    """Give what each chosen frame told."""
    analyser = CameraAnalyser(camera, run_id=footage.path.name, uturn_window_s=uturn_window_s)
    last: Analysis | None = None
    for frame in footage.frames():
        (detections,) = detector.detect([frame.image])
        if last is not None:
            yield last
        last = analyser.update(frame, detections)
    if last is not None:
        # The film's end is the end of watching: whoever is in a zone still was there until then.
        yield Analysis(
            last.frame,
            last.detections,
            last.tracks,
            last.crossings,
            last.visits + analyser.close(),
            last.people_in_zone,
        )


def evaluate_sequence(
    sequence: FilmedTruth, detector: Detector, *, fps: float | None = None, uturn_window_s: float = 10.0
) -> dict[str, Any]:
    """Run the film and score what the ground truth allows.

    Returns:
        `frames`, `fps` and, where there is truth: `detection`, `tracking`, `counting`, `visits`, `zones`.
    """
    camera = Camera(
        id=sequence.folder.name,
        url=str(sequence.video),
        target_fps=fps or sequence.fps,
        lines=tuple(each.line for each in sequence.lines or ()),
        zones=(
            *((_WHOLE_PICTURE,) if sequence.visits is not None else ()),
            *(each.zone for each in sequence.zones or ()),
        ),
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
    report: dict[str, Any] = {"sequence": sequence.folder.name, "frames": len(frames), "fps": fps or sequence.fps}
    if sequence.boxes is not None:
        truth = [sequence.boxes_at(frame) for frame in frames]
        ignored = [sequence.ignored_at(frame) for frame in frames]
        report["detection"] = detection_scores(
            [boxes for _, boxes in truth], detections, threshold=detector.version.threshold, ignored=ignored
        )
        report["tracking"] = tracking_scores(truth, tracks, ignored=ignored)
    if sequence.lines is not None:
        report["counting"] = counting_scores(sequence.lines, crossings, FILM_START)
    if sequence.visits is not None:
        in_picture = [visit for visit in visits if visit.zone == _WHOLE_PICTURE.name]
        report["visits"] = visit_scores(sequence.visits, in_picture, FILM_START)
    if sequence.zones is not None:
        report["zones"] = [
            {
                "zone": each.zone.name,
                **visit_scores(each.visits, [v for v in visits if v.zone == each.zone.name], FILM_START),
            }
            for each in sequence.zones
        ]
    return report
