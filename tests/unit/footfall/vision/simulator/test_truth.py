"""Films of drawn scenes carry a truth that the evaluation takes for perfect."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from footfall.domain import Detections
from footfall.errors import SourceError
from footfall.simulation import parse_simulation_url
from footfall.vision.evaluation import read_sequence
from footfall.vision.film import evaluate_sequence
from footfall.vision.footage import Footage
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.truth import Exported, export_scene

SETTINGS = parse_simulation_url("sim:corridor?people=6&seed=4&fps=10&size=320x180")


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Exported]:
    folder = tmp_path_factory.mktemp("films") / "corridor"
    return folder, export_scene(SETTINGS, folder, seconds=30)


def test_film_and_truth_have_the_same_frames(sequence: tuple[Path, Exported]) -> None:
    folder, written = sequence
    truth = read_sequence(folder)
    assert (truth.fps, truth.frames, truth.width_px, truth.height_px) == (10, 300, 320, 180)
    assert (written.frames, written.missing) == (300, 0)
    with Footage(truth.video) as film:
        frames = list(film.frames())
    assert len(frames) == 300
    assert frames[-1].received_s == pytest.approx(29.9, abs=0.01)
    assert truth.lines is not None
    assert sum(len(line.events) for line in truth.lines) == written.crossings > 0
    assert truth.zones is not None
    assert sum(len(zone.visits) for zone in truth.zones) == written.visits > 0


def test_mot_rows_and_json_tell_the_same(sequence: tuple[Path, Exported]) -> None:
    folder, written = sequence
    rows = [line.split(",") for line in (folder / "gt/gt.txt").read_text().splitlines()]
    content = json.loads((folder / "gt/truth.json").read_text())
    people = [(frame["frame"], person) for frame in content["frames"] for person in frame["people"]]
    assert len(rows) == len(people) > 300
    for row, (frame, person) in zip(rows, people, strict=True):
        x0, y0, x1, y1 = person["box"]
        assert [int(row[0]), int(row[1])] == [frame, person["id"]]
        assert [float(v) for v in row[2:6]] == pytest.approx([x0, y0, x1 - x0, y1 - y0], abs=0.011)
        assert int(row[6]) == (person["visible"] >= 0.25)
    assert written.people == len({person["id"] for _, person in people})


class Clairvoyant:
    """Finds everybody exactly where they truly are, however hidden."""

    class version:  # noqa: N801
        threshold = 0.25

    def __init__(self) -> None:
        self._simulator = Simulator(SETTINGS)
        self._index = 0

    def detect(self, pictures: list[np.ndarray]) -> list[Detections]:
        moment = self._simulator.moment(self._index / SETTINGS.fps)
        self._index += 1
        return [Detections(moment.whole_px, np.full(len(moment.ids), 0.9, np.float32)) for _ in pictures]


def test_who_sees_everybody_counts_everybody(sequence: tuple[Path, Exported]) -> None:
    report = evaluate_sequence(read_sequence(sequence[0]), Clairvoyant())  # type: ignore[arg-type]
    assert report["counting"]["event_f1"] >= 0.9
    assert report["detection"]["precision"] >= 0.9
    (zone,) = report["zones"]
    assert zone["matched"] >= zone["truth"] - 1


def test_frames_that_the_camera_did_not_send_keep_their_place(tmp_path: Path) -> None:
    settings = parse_simulation_url("sim:mall?people=2&fps=5&size=160x120&disconnected=1&at=1&until=2")
    written = export_scene(settings, tmp_path / "film", seconds=3)
    assert (written.frames, written.missing) == (15, 5)
    with Footage(tmp_path / "film/video.mp4") as film:
        assert len(list(film.frames())) == 15


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is there already; name a folder that does not exist yet"):
        export_scene(SETTINGS, tmp_path, seconds=1)


def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    def stop(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_scene(SETTINGS, tmp_path / "film", seconds=0.5, on_progress=stop)
    assert list(tmp_path.iterdir()) == []
