"""Degraded films keep their times, and their truth stays where it can be seen."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import numpy as np
import pytest
from support.figures import FIGURE_HEIGHT_PX, FIGURE_WIDTH_PX, walk, write_film

from footfall.errors import EvaluationError, SourceError
from footfall.simulation import Degradation
from footfall.vision.degradation import Degrader
from footfall.vision.degradation.films import degrade_film, degrade_sequence, moved_boxes
from footfall.vision.evaluation import read_sequence
from footfall.vision.footage import Footage

FPS, SECONDS, WIDTH, HEIGHT = 10, 4, 640, 352
FEET = {1: ((120, 220), (520, 220)), 2: ((500, 320), (140, 150))}
LINE_X = 320


def foot(person: int, frame: int) -> tuple[float, float]:
    (x0, y0), (x1, y1) = FEET[person]
    share = frame / (FPS * SECONDS)
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two figures, exact boxes, a line in the middle, stays and a zone."""
    folder = tmp_path_factory.mktemp("truth") / "street"
    people = [walk(*FEET[person], begins_s=0, lasts_s=SECONDS) for person in FEET]
    write_film(folder / "video.mp4", people, lasts_s=SECONDS)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=street\nframeRate={FPS}\nseqLength={FPS * SECONDS}\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    )
    (folder / "gt").mkdir()
    rows = []
    for frame in range(FPS * SECONDS):
        for person in FEET:
            x, y = foot(person, frame)
            left, top = x - FIGURE_WIDTH_PX / 2, y - FIGURE_HEIGHT_PX
            rows.append(f"{frame + 1},{person},{left:.1f},{top:.1f},{FIGURE_WIDTH_PX},{FIGURE_HEIGHT_PX},1,1,0.9")
    (folder / "gt" / "gt.txt").write_text("\n".join(rows) + "\n")
    line = {"line": "door", "a": [LINE_X, 0], "b": [LINE_X, HEIGHT], "n_in": 1, "n_out": 1}
    events = [[21, 1, "out"], [21, 2, "in"]]
    (folder / "gt" / "crossings.json").write_text(json.dumps({"lines": [line | {"events": events}]}))
    stays = [{"enter_frame": 1, "leave_frame": 40}]
    (folder / "gt" / "visits.json").write_text(json.dumps({"fps": FPS, "visits": stays}))
    zone = {"zone": "hall", "polygon": [[0, 0], [WIDTH, 0], [WIDTH, HEIGHT]], "visits": stays}
    (folder / "gt" / "zones.json").write_text(json.dumps({"fps": FPS, "zones": [zone]}))
    return folder


def degraded(street: Path, target: Path, *degradations: Degradation) -> Path:
    target.mkdir()
    degrade_sequence(street, target, degradations, seed=2)
    return target


def red_box(picture: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Bounds of the red figure around a point."""
    red = (picture[..., 2].astype(int) - picture[..., 1]) > 110
    x, y = (near[0] + near[2]) / 2, (near[1] + near[3]) / 2
    rows, columns = np.nonzero(red)
    close = (np.abs(columns - x) < 60) & (np.abs(rows - y) < 90)
    rows, columns = rows[close], columns[close]
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def test_a_degraded_film_keeps_its_size_times_and_length(street: Path, tmp_path: Path) -> None:
    done = degrade_film(street / "video.mp4", tmp_path / "fog.mp4", [Degradation("fog", 3, at_s=2)], seed=1)
    with Footage(street / "video.mp4") as before, Footage(tmp_path / "fog.mp4") as after:
        pairs = list(zip(before.frames(), after.frames(), strict=True))
        assert after.size_px == (WIDTH, HEIGHT)
    assert [b.received_s for b, _ in pairs] == pytest.approx([a.received_s for _, a in pairs], abs=1e-3)
    harm = [np.abs(b.picture.astype(int) - a.picture).mean() for b, a in pairs]
    assert max(harm[:20]) < 1.5  # writing alone ruins nothing
    assert min(harm[20:]) > 10
    assert (done.pictures, len(done.shown_s)) == (40, 40)


def test_progress_is_told_picture_by_picture(street: Path, tmp_path: Path) -> None:
    told: list[int] = []
    degrade_film(street / "video.mp4", tmp_path / "d.mp4", [Degradation("dark", 1)], seed=1, on_picture=told.append)
    assert told == list(range(1, 41))


def test_truth_is_carried_over_as_it_is_when_nothing_moves(street: Path, tmp_path: Path) -> None:
    before = read_sequence(street)
    after = read_sequence(degraded(street, tmp_path / "dark", Degradation("dark", 3), Degradation("noise", 1)))
    assert (after.lines, after.visits, after.zones, after.frames) == (
        *(before.lines, before.visits, before.zones),
        before.frames,
    )
    for frame in range(FPS * SECONDS):
        assert (after.boxes_at(frame)[0] == before.boxes_at(frame)[0]).all()
        assert (after.boxes_at(frame)[1] == before.boxes_at(frame)[1]).all()
    info = configparser.ConfigParser()
    info.read(tmp_path / "dark" / "seqinfo.ini")
    assert info["Sequence"]["degraded"] == "dark 3, noise 1"
    assert "frameRate=10" in (tmp_path / "dark" / "seqinfo.ini").read_text()  # other tools look at the capitals


@pytest.mark.parametrize(("severity", "ramp_s"), [(1, 0), (3, 0), (3, 4)])
def test_boxes_follow_a_moved_camera(street: Path, tmp_path: Path, severity: int, ramp_s: float) -> None:
    sequence = read_sequence(
        degraded(street, tmp_path / "moved", Degradation("moved", severity, at_s=0, ramp_s=ramp_s))
    )
    compared = 0
    with Footage(sequence.video) as footage:
        for frame in footage.frames():
            ids, boxes = sequence.boxes_at(frame.sequence)
            inside = (boxes[:, :2] > 3).all(axis=1) & (boxes[:, 2:] < (WIDTH - 3, HEIGHT - 3)).all(axis=1)
            apart = len(ids) < 2 or np.abs(boxes[0] - boxes[1]).max() > 130
            for box in boxes[inside] if apart else ():
                # A figure's own bounds are those of a turned rectangle, a few pixels outside its ellipse.
                assert red_box(frame.picture, box) == pytest.approx(box, abs=3 + severity)
                compared += 1
    assert compared > 15


def test_lines_follow_a_view_that_is_another_one_all_the_time(street: Path, tmp_path: Path) -> None:
    moved = Degradation("moved", 2)
    sequence = read_sequence(degraded(street, tmp_path / "moved", moved))
    assert sequence.lines is not None
    (line,) = sequence.lines
    matrix = Degrader([moved], seed=2, fps=FPS).transform_at(0.0, WIDTH, HEIGHT)
    assert matrix is not None
    start = matrix @ (LINE_X, 0, 1) / (WIDTH, HEIGHT)
    assert line.line.start == pytest.approx(tuple(start), abs=1e-4)
    assert [(event.at_s, event.direction) for event in line.events] == [(2.0, "out"), (2.0, "in")]
    content = json.loads((tmp_path / "moved" / "gt" / "crossings.json").read_text())
    assert "n_in" not in content["lines"][0]  # counted for the old view
    assert sequence.visits is None
    assert sequence.zones is None


def test_crossings_of_people_out_of_sight_are_no_truth(street: Path, tmp_path: Path) -> None:
    sequence = read_sequence(degraded(street, tmp_path / "moved", Degradation("moved", 5)))
    assert sequence.lines is not None
    kept = {event.person_id for event in sequence.lines[0].events}
    visible = {int(person) for person in sequence.boxes_at(20)[0]}
    assert kept == visible
    assert kept < {1, 2}


def test_lines_stay_where_they_were_drawn_when_the_camera_moves_on_the_way(street: Path, tmp_path: Path) -> None:
    sequence = read_sequence(degraded(street, tmp_path / "moved", Degradation("moved", 3, at_s=2)))
    assert sequence.lines == read_sequence(street).lines
    before, after = sequence.boxes_at(10)[1], sequence.boxes_at(30)[1]
    assert (before == read_sequence(street).boxes_at(10)[1]).all()
    assert np.abs(after - read_sequence(street).boxes_at(30)[1][: len(after)]).max() > 10


def test_frames_that_are_not_shown_have_no_truth_and_times_stay(street: Path, tmp_path: Path) -> None:
    sequence = read_sequence(degraded(street, tmp_path / "slow", Degradation("slow", 3)))
    original = read_sequence(street)
    with Footage(sequence.video) as footage:
        frames = list(footage.frames())
    assert sequence.frames == len(frames) == 8
    for frame in frames:
        was = round(frame.received_s * FPS)
        assert (sequence.boxes_at(frame.sequence)[1] == original.boxes_at(was)[1]).all()
    assert sequence.lines == original.lines


def test_people_behind_what_covers_the_lens_are_to_be_ignored(street: Path, tmp_path: Path) -> None:
    covered = Degradation("covered", 4)
    sequence = read_sequence(degraded(street, tmp_path / "covered", covered))
    hidden = Degrader([covered], seed=2, fps=FPS).hidden_at(0.0, WIDTH, HEIGHT)
    assert hidden is not None
    kinds = set()
    for frame in range(FPS * SECONDS):
        for person in FEET:
            x, y = (int(v) for v in foot(person, frame))
            share = hidden[max(0, y - FIGURE_HEIGHT_PX) : y, x - 12 : x + 12].mean()
            if not 0.4 < share < 0.6:
                assert (person in sequence.boxes_at(frame)[0]) == (share < 0.5)
                kinds.add(share < 0.5)
    assert kinds == {True, False}


def test_turned_boxes_grow_less_than_their_corners() -> None:
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    box = np.array([[500, 100, 520, 160]])
    (moved,), (share,) = moved_boxes(box, turn, width_px=1000, height_px=1000)
    assert share == pytest.approx(1.0)
    width, height = moved[2] - moved[0], moved[3] - moved[1]
    assert width == pytest.approx(2 * np.hypot(10 * np.cos(angle), 30 * np.sin(angle)), abs=1e-3)
    assert 20 < width < 20 * np.cos(angle) + 60 * np.sin(angle)
    assert 59 < height < 60


def test_boxes_are_cut_at_the_edge_and_tell_what_is_left() -> None:
    aside = np.array([[1.0, 0, -30], [0, 1.0, 0]])
    boxes, shares = moved_boxes(
        np.array([[20, 10, 40, 50], [0, 0, 20, 40], [50, 0, 70, 40]]), aside, width_px=100, height_px=100
    )
    assert boxes[0] == pytest.approx([0, 10, 10, 50])
    assert shares == pytest.approx([0.5, 0.0, 1.0])


def test_what_is_no_film_or_no_evaluation_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(SourceError, match="no video could be read"):
        degrade_film(tmp_path / "text.mp4", tmp_path / "out.mp4", [], seed=1)
    with pytest.raises(EvaluationError, match=r"has no video\.mp4"):
        degrade_sequence(tmp_path, tmp_path, [], seed=1)
