"""Candidates: who is best for the cost, in table and chart; halves that share no piece of time."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from footfall.errors import InsufficientLabelsError
from footfall.vision.models import EMBEDDED_FOLDER
from retrain.baselines import Candidate, _with_front, chart, compare, distinct, folders_below, halves, table, write
from retrain.collect import draw
from retrain.frames import LabelledFrame
from retrain.split import piece_of


def candidate(name: str, f1: float, cpu_ms: float) -> Candidate:
    return Candidate(name, "0" * 64, 0.9, 0.3, 0.9, None, f1, cpu_ms, 50.0, 1000 / cpu_ms / 5, 3.4, "ONNX", "MIT")


def test_the_front_holds_whom_nobody_beats_in_both() -> None:
    found = _with_front(
        [
            candidate("small", 0.8, 10),
            candidate("large", 0.95, 60),
            candidate("slow", 0.8, 30),
            candidate("twin", 0.8, 10),
        ]
    )
    assert {each.name: each.is_best_for_its_cost for each in found} == {
        "small": True,
        "large": True,
        "slow": False,
        "twin": True,
    }


def test_table_and_chart_name_everybody() -> None:
    found = _with_front([candidate("a<b>", 0.8, 10), candidate("large", 0.95, 60)])
    assert "| a<b> ● | 0.800 | 0.900 | 0.900 | – | 0.3 | 10.0 | 20 | 50 | 3.4 | ONNX | MIT |" in table(found)
    drawn = ET.fromstring(chart(found))
    texts = [each.text or "" for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "a<b> 0.800" in texts
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 2
    assert ET.fromstring(chart([])) is not None


def frame(number: int) -> LabelledFrame:
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=7 * number)
    values: dict[str, Any] = {"boxes": (), "labelled_by": "reviewer", "picture": "p", "sha256": ""}
    return LabelledFrame(f"{number:032x}", "gate", at, is_new=True, width_px=1, height_px=1, **values)


def test_what_chooses_the_threshold_shares_no_day_with_what_judges() -> None:
    first, second = halves([frame(number) for number in range(40)])
    assert len(first) + len(second) == 40
    assert not {piece_of(each, "day") for each in first} & {piece_of(each, "day") for each in second}
    with pytest.raises(InsufficientLabelsError, match="3, expected at least 20"):
        halves([frame(number) for number in range(3)])


@pytest.mark.timeout(200)
def test_real_models_are_measured_on_real_pictures(tmp_path: Path) -> None:
    import dataclasses

    hours = [timedelta(hours=7 * number) for number in range(24)]
    frames = [
        dataclasses.replace(each, taken_at=each.taken_at + later)
        for each, later in zip(draw(tmp_path, 24), hours, strict=True)
    ]
    lines: list[str] = []
    models = {"embedded": EMBEDDED_FOLDER, "again": EMBEDDED_FOLDER}
    found = compare(models, *halves(frames), tmp_path, input_size=320, fps=5.0, report=lines.append)
    assert {each.name for each in found} == {"embedded", "again"}
    assert found[0].f1 == found[1].f1 > 0.5  # a model is as right as itself
    assert max(each.cpu_ms for each in found) < 3 * min(each.cpu_ms for each in found)
    assert all(5 < each.memory_mb < 500 for each in found)
    assert {each.formats for each in found} == {"ONNX (ONNX Runtime, OpenVINO)"}
    assert distinct(models | {"gone": tmp_path / "gone"}) == {"embedded": EMBEDDED_FOLDER}
    assert all(each.licence == "AGPL-3.0-or-later" for each in found)
    assert len(lines) == 2
    write(found, tmp_path / "out", frames=24, input_size=320, fps=5.0)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "baselines.json",
        "baselines.md",
        "baselines.svg",
    ]


def test_imported_models_are_found(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model.json").touch()
    (tmp_path / ".fetched").mkdir()
    (tmp_path / ".fetched" / "model.json").touch()
    assert folders_below(tmp_path) == {"one": tmp_path / "one"}
    assert folders_below(tmp_path / "none") == {}
