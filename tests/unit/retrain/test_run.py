"""The row of stages: what is done stays done, what was half done is done anew, what is over is over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from footfall.errors import InsufficientLabelsError, TrainingError
from retrain.run import Outcome, Run, Stage


class Powercut(BaseException):
    """Ends a process without any farewell."""


class Work:
    """Stages that note when they are done, and one of which may fail."""

    def __init__(self, fails: str = "", error: BaseException | None = None) -> None:
        self.did: list[str] = []
        self._fails = fails
        self._error = error

    def stages(self) -> tuple[Stage, ...]:
        return tuple(Stage(name, self._doing(name)) for name in ("first", "second", "last"))

    def _doing(self, name: str) -> Any:
        def do(done: Mapping[str, dict[str, Any]], scratch: Path) -> dict[str, Any]:
            self.did.append(name)
            (scratch / "part").write_text(name, encoding="utf-8")
            if name == self._fails and self._error is not None:
                raise self._error
            told: dict[str, Any] = {"after": list(done)}
            return told | ({"outcome": "promoted", "note": "well"} if name == "last" else {})

        return do


def test_stages_come_in_order_and_are_told_of_those_before(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    run = Run(tmp_path / "run", tell=lines.append)
    assert run.go(Work().stages()) == Outcome("promoted", "well")
    assert json.loads((run.folder / "02-second.json").read_text()) == {"after": ["first"]}
    assert (run.part("second") / "part").read_text() == "second"
    assert [line["what"] for line in lines if line["stage"] == "second"] == ["begins", "is done"]
    kept = [json.loads(line) for line in (run.folder / "progress.jsonl").read_text().splitlines()]
    assert kept == lines


@pytest.mark.parametrize("cut", ["first", "second", "last"])
def test_after_a_power_cut_only_what_is_left_is_done(tmp_path: Path, cut: str) -> None:
    names = ["first", "second", "last"]
    run = Run(tmp_path / "run", tell=lambda _: None)
    broken = Work(cut, Powercut())
    with pytest.raises(Powercut):
        run.go(broken.stages())
    assert run.outcome() is None
    rest = Work()
    assert run.go(rest.stages()).outcome == "promoted"
    assert rest.did == names[names.index(cut) :]
    assert not [path for path in run.folder.iterdir() if path.name.startswith(".")]


def test_a_folder_in_place_without_its_artefact_is_done_anew(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", tell=lambda _: None)
    (run.folder / "second").mkdir(parents=True)
    (run.folder / "second" / "left over").touch()
    run.go(Work().stages())
    assert [path.name for path in run.part("second").iterdir()] == ["part"]


def test_what_is_over_is_over(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", tell=lambda _: None)
    run.go(Work().stages())
    again = Work("first", TrainingError("must not be asked"))
    assert run.go(again.stages()) == Outcome("promoted", "well")
    assert again.did == []


def test_too_few_labels_are_an_outcome_and_other_faults_may_be_tried_again(tmp_path: Path) -> None:
    run = Run(tmp_path / "few", tell=lambda _: None)
    ended = run.go(Work("second", InsufficientLabelsError("only three")).stages())
    assert ended == Outcome("insufficient_labels", "only three")
    assert run.go(Work().stages()) == ended
    other = Run(tmp_path / "fault", tell=lambda _: None)
    with pytest.raises(TrainingError, match="no room"):
        other.go(Work("second", TrainingError("no room")).stages())
    assert other.go(Work().stages()).outcome == "promoted"
