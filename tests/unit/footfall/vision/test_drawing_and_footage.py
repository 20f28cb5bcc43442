"""Pictures with what was counted, and films read and written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.figures import walk, write_film

from footfall.domain import Camera, Detections, Frame, Line, Tracks, Zone
from footfall.errors import NotFoundError, SourceError
from footfall.vision.analysis import Analysis
from footfall.vision.drawing import annotate, encode_jpeg
from footfall.vision.footage import FilmWriter, Footage

CAMERA = Camera(
    id="gate",
    url="film.mp4",
    lines=(Line("door", (0.5, 0.2), (0.5, 0.9)),),
    zones=(Zone("hall", ((0.1, 0.5), (0.4, 0.5), (0.4, 0.9))),),
)


def analysis(people: int = 2) -> Analysis:
    boxes = np.array([[400 + 40 * n, 100, 430 + 40 * n, 180] for n in range(people)], np.float32).reshape(-1, 4)
    scores = np.full(people, 0.9, np.float32)
    frame = Frame("gate", 3, np.full((352, 640, 3), 110, np.uint8), datetime.now(UTC), 0.0)
    return Analysis(
        frame, Detections(boxes, scores), Tracks(np.arange(1, people + 1), boxes, scores), (), (), {"hall": 1}
    )


@pytest.mark.parametrize("width_px", [None, 320, 1280])
@pytest.mark.parametrize("people", [0, 2])
def test_lines_zones_and_people_are_drawn_at_any_size_and_the_source_stays(width_px: int | None, people: int) -> None:
    told = analysis(people)
    before = told.frame.picture.copy()
    drawn = annotate(told, CAMERA, {"door": {"in": 3, "out": 1}}, {1: [(410, 180), (415, 180)]}, width_px=width_px)
    width = width_px or 640
    assert drawn.shape == (round(352 * width / 640), width, 3)
    assert (told.frame.picture == before).all()
    changed = (drawn != 110).any(axis=2)
    scale = width / 640
    assert changed[round(200 * scale), round(320 * scale) - 3 : round(320 * scale) + 4].any()  # on the line
    assert changed[round(215 * scale), round(230 * scale)]  # in the zone
    assert changed[round(100 * scale) - 1 : round(100 * scale) + 3, round(415 * scale)].any() == bool(people)


def test_a_jpeg_can_be_read_again() -> None:
    data = encode_jpeg(annotate(analysis(), CAMERA, {}), quality=60)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (352, 640, 3)


def test_a_film_gives_its_frames_with_their_times(tmp_path: Path) -> None:
    film = write_film(tmp_path / "f.mp4", [walk((50, 300), (500, 300), begins_s=0, lasts_s=2)], lasts_s=2)
    with Footage(film) as footage:
        frames = list(footage.frames())
        assert (footage.native_fps, footage.size_px) == (10.0, (640, 352))
    assert [frame.sequence for frame in frames] == list(range(20))
    assert [frame.received_s for frame in frames] == pytest.approx([n / 10 for n in range(20)], abs=1e-3)
    assert frames[0].picture.dtype == np.uint8


@pytest.mark.parametrize(("fps", "expected"), [(5.0, 10), (2.5, 5), (4.0, 8), (10.0, 20), (30.0, 20)])
def test_a_lower_rate_takes_frames_evenly_and_a_higher_one_invents_none(
    tmp_path: Path, fps: float, expected: int
) -> None:
    film = write_film(tmp_path / "f.mp4", [], lasts_s=2)
    with Footage(film, fps=fps) as footage:
        frames = list(footage.frames())
        counts = footage.counts
    assert len(frames) == expected
    assert counts.received == 20 == len(frames) + counts.skipped + counts.corrupt
    gaps = np.diff([frame.received_s for frame in frames])
    assert gaps.max() - gaps.min() <= 0.1 + 1e-6


def test_what_is_no_film_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no such file"):
        Footage(tmp_path / "nothing.mp4")
    (tmp_path / "text.mp4").write_text("not a film", encoding="utf-8")
    with pytest.raises(SourceError, match="no video could be read"):
        Footage(tmp_path / "text.mp4")


def test_a_written_film_keeps_the_times_of_its_pictures(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with FilmWriter(path, fps=5) as film:
        for at_s in (3.0, 3.2, 3.2, 4.0):
            film.write(np.full((101, 201, 3), 90, np.uint8), at_s)
    with Footage(path) as footage:
        assert footage.size_px == (200, 100)
        assert [frame.received_s for frame in footage.frames()] == pytest.approx([0.0, 0.2, 1.0], abs=0.01)


def test_a_film_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected a name that ends in \.mp4"):
        FilmWriter(tmp_path / "out.nonsense", fps=5)
