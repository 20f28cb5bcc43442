"""`footfall degrade` as its user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.figures import walk, write_film
from support.served import ROOT

from footfall.errors import SourceError
from footfall.vision.footage import Footage
from service.__main__ import main
from service.commands.degrade import unfinished


def degrade(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", "degrade", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "in.mp4", [walk((60, 200), (580, 200), begins_s=0, lasts_s=2)], lasts_s=2)


@pytest.fixture
def sequence(tmp_path: Path, film: Path) -> Path:
    folder = tmp_path / "street"
    (folder / "gt").mkdir(parents=True)
    film.rename(folder / "video.mp4")
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=10\nseqLength=20\nimWidth=640\nimHeight=352\n")
    (folder / "gt" / "gt.txt").write_text("".join(f"{n},1,{60 + 26 * n},136,24,64,1\n" for n in range(1, 21)))
    return folder


def test_a_film_gets_what_was_asked_for_when_it_was_asked_for(film: Path, tmp_path: Path) -> None:
    answer = degrade(
        *("in.mp4", "out.mp4", "--kind", "dark", "--severity", "5", "--kind", "noise", "--severity", "1"),
        *("--at", "0.5", "--ramp", "0.5", "--until", "1.5", "--seed", "4"),
        folder=tmp_path,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "out.mp4: dark 5, noise 1; 20 of 20 pictures shown\n"
    with Footage(tmp_path / "out.mp4") as footage:
        light = [frame.picture.mean() for frame in footage.frames()]
    assert min(light[:5]) > 90
    assert light[5:11] == sorted(light[5:11], reverse=True)
    assert max(light[10:15]) < 30
    assert min(light[15:]) > 90
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_a_film_that_was_there_is_replaced(film: Path, tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_text("old")
    assert degrade("in.mp4", "out.mp4", "--kind", "fog", "--severity", "1", folder=tmp_path).returncode == 0
    assert (tmp_path / "out.mp4").stat().st_size > 1000


def test_an_evaluation_folder_becomes_one(sequence: Path, tmp_path: Path, figure_model: Path) -> None:
    answer = degrade("street", "dim", "--kind", "dark", "--severity", "1", folder=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "dim").iterdir()) == ["gt", "seqinfo.ini", "video.mp4"]
    evaluated = subprocess.run(
        [sys.executable, "-m", "service", "evaluate", str(tmp_path / "dim"), "--model", str(figure_model)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert evaluated.returncode == 0, evaluated.stderr
    assert evaluated.stdout.startswith("dim: 20 frames at 10 fps")


FOG = ("--kind", "fog", "--severity", "3")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        pytest.param(("no.mp4", "out.mp4", *FOG), 1, "film 'no.mp4': there is no such file or folder", id="no film"),
        pytest.param(("text.mp4", "out.mp4", *FOG), 1, "film 'text.mp4': no video could be read", id="text"),
        pytest.param(("empty", "out", *FOG), 1, "sequence 'empty': has no video.mp4", id="no evaluation folder"),
        pytest.param(("in.mp4", "in.mp4", *FOG), 2, "OUT 'in.mp4': is IN; expected another name", id="itself"),
        pytest.param(("in.mp4", "out.avi", *FOG), 2, "OUT 'out.avi': expected the name of a film", id="no mp4"),
        pytest.param(("in.mp4", "away/out.mp4", *FOG), 2, "OUT 'away/out.mp4': there is no folder 'away'", id="where"),
        pytest.param(("empty", "text.mp4", *FOG), 2, "OUT 'text.mp4': is there already; IN is a folder", id="there"),
        pytest.param(
            ("in.mp4", "out.mp4", "--kind", "crowding", "--severity", "3"),
            2,
            "--kind crowding: only a drawn scene can do that (sim:mall?crowding=3)",
            id="crowding",
        ),
        pytest.param(
            ("in.mp4", "out.mp4", "--kind", "frog", "--severity", "3"),
            2,
            "--kind 'frog' is not known; expected one of dark, glare,",
            id="unknown",
        ),
        pytest.param(
            ("in.mp4", "out.mp4", "--kind", "fog", "--severity", "6"), 2, "fog: severity 6 is not in 1 to 5", id="six"
        ),
        pytest.param(
            ("in.mp4", "out.mp4", *FOG, "--kind", "dark"),
            2,
            "--kind is given 2 times and --severity 1; expected one a kind",
            id="one severity short",
        ),
        pytest.param(
            ("in.mp4", "out.mp4", *FOG, "--at", "nan"), 2, "--at nan: expected a number of seconds", id="no time"
        ),
        pytest.param(
            ("in.mp4", "out.mp4", *FOG, "--at", "5", "--until", "2"), 2, "fog: until=2 is not after at=5", id="times"
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    *,
    film: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "empty").mkdir()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["footfall", "degrade", *arguments])
    monkeypatch.setattr("service.__main__.set_up_logs", lambda level: None)  # for the process, not for this test
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (status, "")
    assert told.err.startswith(f"footfall: {message}")
    assert told.err.count("\n") == 1
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_what_breaks_on_the_way_leaves_the_old_film(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("old")

    def breaks() -> None:
        with unfinished(target) as place:
            place.write_text("half")
            raise SourceError("broken after 3 frames")

    with pytest.raises(SourceError, match="broken"):
        breaks()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    with unfinished(target) as place:
        place.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
