"""Whether the machine is large enough: told from what the last seconds cost, by numbers that can be checked by hand."""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import pytest
from support.capacities import two_looks

from footfall.vision.detector import load_detector
from footfall.vision.models import EMBEDDED_FOLDER
from service.capacity import STAGES, CameraBooks, CapacityMeter, StageTimes, helpers_cpu_s
from service.metrics import Metrics


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


def test_what_the_detectors_own_threads_compute_is_the_detectors() -> None:
    found = two_looks(detect_s=0.5, helpers_s=1.5)
    assert found is not None
    assert found.limiting_stage == "detect"
    assert found.stage_ms == pytest.approx({"decode": 2.5, "detect": 10.0, "count": 5.0, "other": 2.5})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells threads apart")
def test_a_runtime_that_computes_on_threads_of_its_own_is_seen() -> None:
    pytest.importorskip("openvino", reason="the `openvino` extra is not installed")
    detector = load_detector(EMBEDDED_FOLDER, runtime="openvino", threads=2, input_size=640)  # one caller, two threads
    picture = np.full((360, 640, 3), 90, np.uint8)
    detector.detect([picture])
    begin_s, of_caller_s, of_helpers_s = time.process_time(), time.thread_time(), helpers_cpu_s()
    while time.process_time() - begin_s < 2.0:
        detector.detect([picture])
    of_caller_s, of_helpers_s = time.thread_time() - of_caller_s, helpers_cpu_s() - of_helpers_s
    spent_s = time.process_time() - begin_s
    assert of_helpers_s > 0.1 * spent_s
    assert of_caller_s + of_helpers_s == pytest.approx(spent_s, rel=0.3)  # others of this process compute too


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


def targets(cameras: int, fps: float = 5.0, **more: float) -> dict[str, float]:
    return {f"cam{n}": fps for n in range(cameras)} | more


@pytest.mark.parametrize(
    ("wanted", "needed_fps", "available_fps", "cores", "share", "stage"),
    [
        # Decoding takes 1.25 ms of a received frame, everything else 17.5 ms of an analysed one, of two cores.
        pytest.param(targets(4), 20, 100, 0.4, 1, "detect", id="as it is"),
        pytest.param(targets(5), 25, 100, 0.5, 1, "detect", id="one more like them"),
        pytest.param(targets(3), 15, 100, 0.3, 1, "detect", id="one less"),
        pytest.param({}, 0, 2 / 0.0175, 0, 1, "decode", id="none"),
        pytest.param(targets(4, new=1.0), 21, 2 / (0.0175 + 0.0625 / 21), 0.43, 1, "detect", id="a slow one"),
        pytest.param(targets(4, new=30.0), 50, 2 / (0.0175 + 0.0875 / 50), 0.9625, 1, "detect", id="sends all it asks"),
        pytest.param(targets(4, 20.0), 40, 2 / (0.0175 + 0.05 / 40), 0.75, 1, "detect", id="asks more than they send"),
        pytest.param(
            targets(21), 105, (2 - 0.2625) / 0.0175, 2.1, (2 - 0.2625) / 0.0175 / 105, "detect", id="too many"
        ),
        pytest.param(targets(200), 1000, 0, 20.0, 0, "decode", id="decoding alone takes all"),
    ],
)
def test_what_other_cameras_would_ask_for_follows_from_what_these_cost(
    wanted: dict[str, float], *, needed_fps: float, available_fps: float, cores: float, share: float, stage: str
) -> None:
    now = two_looks()
    assert now is not None
    found = now.load_of(wanted)
    assert found.needed_fps == pytest.approx(needed_fps)
    assert found.available_fps == pytest.approx(available_fps)
    assert found.cores == pytest.approx(cores)
    assert found.share == pytest.approx(share)
    assert found.fits == (share == 1)
    assert found.limiting_stage == stage


def test_on_a_machine_that_is_too_small_a_further_camera_takes_from_all() -> None:
    # 8 of 20 analyses a second are done. Decoding takes 1.2 of two cores, what is left 0.1 core-seconds an analysis.
    now = two_looks(analysed_fps=2.0, decode_s=12.0, detect_s=5.0, count_s=2.0, process_s=20.0, busy_s=8.0)
    assert now is not None
    before, after = now.load_of(targets(4)), now.load_of(targets(5))
    assert (before.available_fps, before.share) == (pytest.approx(8.0), pytest.approx(0.4))
    assert (after.needed_fps, after.available_fps) == (pytest.approx(25.0), pytest.approx(5.0))
    assert (after.share, after.fits, after.limiting_stage) == (pytest.approx(0.2), False, "decode")


def test_cores_that_others_use_hold_no_camera() -> None:
    # The threads were busy for all their time and did 120 analyses in ten seconds, though only 2 s of CPU time went in.
    now = two_looks(analysed_fps=3.0, process_s=2.0, busy_s=20.0, detect_s=1.0, count_s=0.3)
    assert now is not None
    assert now.load_of(targets(4)).available_fps == pytest.approx(now.available_fps, rel=0.1)
    assert not now.load_of(targets(4)).fits
