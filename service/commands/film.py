"""Runs a film through detector and counting, as fast as it goes; shared by the commands `count` and `evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from footfall.vision.analysis import Analysis, CameraAnalyser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from footfall.domain import Camera
    from footfall.vision.detector import Detector
    from footfall.vision.footage import Footage


def analyse_film(footage: Footage, camera: Camera, detector: Detector, *, uturn_window_s: float) -> Iterator[Analysis]:
    """Give what each chosen frame told."""
    analyser = CameraAnalyser(camera, run_id=footage.path.name, uturn_window_s=uturn_window_s)
    last: Analysis | None = None
    for frame in footage.frames():
        (detections,) = detector.detect([frame.picture])
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
