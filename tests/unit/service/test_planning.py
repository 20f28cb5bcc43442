"""What cameras would cost: by arithmetic that can be checked, on costs that were really measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from footfall.vision.detector import load_detector
from service.__main__ import app
from service.planning import HEADROOM, Costs, measure_costs, plan_for

COSTS = Costs(decode_ms=1.0, detect_ms=6.0, count_ms=2.0, row_ms=2.5)


def test_a_camera_takes_what_its_parts_take() -> None:
    plan = plan_for(COSTS, cameras=10, fps=5, sent_fps=10, cores=2)
    assert dict(plan.stages) == pytest.approx(
        {
            "the detector": 0.03,
            "decoding": 0.01,
            "tracking and counting": 0.01,
            "statistics": 0.0025,
            "records and pages": 0.06 * 0.0525,
        }
    )
    assert [cores for _, cores in plan.stages] == sorted((cores for _, cores in plan.stages), reverse=True)
    assert plan.camera_cores == pytest.approx(1.06 * 0.0525)
    assert plan.holds == int(2 * HEADROOM / plan.camera_cores)
    assert plan.fits


@pytest.mark.parametrize("cameras", [1, 29, 30, 31, 50, 400])
def test_the_cores_it_asks_for_hold_the_cameras_and_one_less_does_not(cameras: int) -> None:
    plan = plan_for(COSTS, cameras=cameras, fps=5, sent_fps=10, cores=2)
    assert plan_for(COSTS, cameras=cameras, fps=5, sent_fps=10, cores=plan.cores_needed).fits
    if plan.cores_needed > 1:
        assert not plan_for(COSTS, cameras=cameras, fps=5, sent_fps=10, cores=plan.cores_needed - 1).fits


def test_no_more_is_analysed_than_a_camera_sends() -> None:
    slow = plan_for(COSTS, cameras=1, fps=5, sent_fps=2, cores=2)
    assert dict(slow.stages)["the detector"] == pytest.approx(0.012)


def test_what_limits_comes_first() -> None:
    large = plan_for(replace(COSTS, decode_ms=9.0), cameras=1, fps=5, sent_fps=25, cores=2)
    assert large.stages[0][0] == "decoding"


def test_costs_are_measured(figure_model: Path) -> None:
    detector = load_detector(figure_model, threads=1, input_size=320)
    small, large = (
        measure_costs(detector, width_px=width, height_px=height, fps=5) for width, height in ((320, 180), (1280, 720))
    )
    assert all(0 < cost < 1000 for cost in (small.decode_ms, small.detect_ms, small.count_ms, small.row_ms))
    assert large.decode_ms > 2 * small.decode_ms


def test_the_command_answers_in_words_and_json(figure_model: Path, tmp_path: Path) -> None:
    environment = {"FOOTFALL_DATA_DIR": str(tmp_path), "FOOTFALL_INPUT_SIZE": "320"}
    wanted = ["plan", "--model", str(figure_model), "--size", "320x180", "--cameras", "900", "--cores", "1"]
    told = CliRunner().invoke(app, wanted, env=environment)
    assert told.exit_code == 0, told.output
    assert "1 cores hold" in told.output
    assert "900 cameras need" in told.output
    answer = json.loads(CliRunner().invoke(app, [*wanted, "--json"], env=environment).output)
    assert answer["fits"] is False
    assert answer["cores_needed"] > 1
    assert answer["costs"]["decode_ms"] > 0
    assert answer["price"] is None
    priced = json.loads(CliRunner().invoke(app, [*wanted, "--core-price", "12.5", "--json"], env=environment).output)
    assert priced["price"] == 12.5 * priced["cores_needed"]


def test_a_size_that_is_none_is_refused(figure_model: Path) -> None:
    refused = CliRunner().invoke(app, ["plan", "--model", str(figure_model), "--size", "large"])
    assert "--size: 'large'; expected width x height in pixels, as in 640x360" in str(refused.exception)
