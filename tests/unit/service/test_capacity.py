"""Whether the machine is large enough: told from what the last seconds cost, by numbers that can be checked by hand."""

from __future__ import annotations

import math

import pytest

from service.capacity import STAGES, CameraBooks, Capacity, CapacityMeter, StageTimes
from service.metrics import Metrics


def two_looks(
    *,
    cameras: int = 4,
    sent_fps: float = 10.0,
    target_fps: float = 5.0,
    analysed_fps: float = 5.0,
    decode_s: float = 0.5,
    detect_s: float = 2.0,
    count_s: float = 1.0,
    process_s: float = 4.0,
    busy_s: float = 3.0,
    workers: int = 2,
) -> Capacity | None:
    """Ten seconds of like cameras on two cores."""
    times = StageTimes()
    meter = CapacityMeter(times, workers=workers, cores=2)

    def books(seconds: float) -> list[CameraBooks]:
        return [
            CameraBooks(f"cam{n}", target_fps, round(100 + sent_fps * seconds), round(50 + analysed_fps * seconds))
            for n in range(cameras)
        ]

    assert meter.is_due(100.0)
    assert meter.look(100.0, 7.0, books(0)) is None
    times.add("decode", decode_s)
    times.add("detect", detect_s)
    times.add("count", count_s)
    times.add_busy(busy_s)
    assert not meter.is_due(103.0)
    assert meter.is_due(110.0)
    return meter.look(110.0, 7.0 + process_s, books(10))


def test_what_is_needed_and_available_follows_from_cpu_time() -> None:
    found = two_looks()
    assert found is not None
    assert found.needed_fps == pytest.approx(20.0)
    # 200 analyses took 4 s of CPU time: two cores could do 1000 in ten seconds.
    assert found.available_fps == pytest.approx(100.0)
    assert found.ratio == pytest.approx(0.2)
    assert found.limiting_stage == "detect"
    assert found.stage_ms == pytest.approx({"decode": 2.5, "detect": 10.0, "count": 5.0, "other": 2.5})
    assert found.cores_used == pytest.approx(0.4)
    assert found.next_camera_cores == pytest.approx(0.1)
    assert found.cameras_possible == 20


def test_a_machine_that_is_too_small_says_so_and_names_the_stage() -> None:
    found = two_looks(analysed_fps=2.0, decode_s=12.0, detect_s=5.0, count_s=2.0, process_s=20.0, busy_s=8.0)
    assert found is not None
    assert (found.needed_fps, found.limiting_stage) == (pytest.approx(20.0), "decode")
    assert found.available_fps == pytest.approx(8.0)
    assert found.ratio == pytest.approx(2.5)
    assert found.cameras_possible == 1


def test_threads_that_wait_for_other_programs_count_as_busy() -> None:
    found = two_looks(analysed_fps=3.0, process_s=2.0, busy_s=20.0)
    assert found is not None
    assert found.available_fps == pytest.approx(12.0)
    assert found.ratio == pytest.approx(20 / 12)


def test_a_camera_that_sends_less_needs_less() -> None:
    found = two_looks(sent_fps=3.0, analysed_fps=3.0)
    assert found is not None
    assert found.needed_fps == pytest.approx(12.0)


def test_where_nothing_is_analysed_nothing_is_known() -> None:
    assert two_looks(analysed_fps=0.0) is None
    assert two_looks(cameras=0) is None


def test_a_camera_that_began_anew_is_left_out_until_the_next_look() -> None:
    meter = CapacityMeter(StageTimes(), workers=1, cores=1)
    meter.look(0.0, 0.0, [CameraBooks("a", 5, 100, 50), CameraBooks("b", 5, 900, 450)])
    found = meter.look(
        10.0, 1.0, [CameraBooks("a", 5, 200, 100), CameraBooks("b", 5, 10, 5), CameraBooks("c", 5, 9, 9)]
    )
    assert found is not None
    assert found.needed_fps == pytest.approx(5.0)


def test_metrics_tell_it_and_nan_while_it_is_unknown() -> None:
    metrics = Metrics()
    names = [
        "footfall_capacity_ratio",
        "footfall_analyses_needed",
        "footfall_analyses_available",
        "footfall_cameras_possible",
    ]

    def shown() -> list[float]:
        return [metrics.registry.get_sample_value(name) or 0.0 for name in names]

    assert all(math.isnan(value) for value in shown())
    metrics.set_capacity(two_looks())
    assert shown() == pytest.approx([0.2, 20.0, 100.0, 20.0])
    stages = [metrics.registry.get_sample_value("footfall_stage_cpu_seconds", {"stage": each}) for each in STAGES]
    assert stages == pytest.approx([0.0025, 0.010, 0.005, 0.0025])
    metrics.set_capacity(None)
    assert all(math.isnan(value) for value in shown())
