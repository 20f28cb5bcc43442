"""How a machine stands with like cameras, by the meter that tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.capacity import CameraBooks, CapacityMeter, StageTimes

if TYPE_CHECKING:
    from service.capacity import Capacity


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
    helpers_s: float = 0.0,
    busy_s: float = 3.0,
    workers: int = 2,
) -> Capacity | None:
    """Ten seconds of like cameras, cam0 and on, on two cores."""
    times = StageTimes()
    meter = CapacityMeter(times, workers=workers, cores=2)

    def books(seconds: float) -> list[CameraBooks]:
        return [
            CameraBooks(f"cam{n}", target_fps, round(100 + sent_fps * seconds), round(50 + analysed_fps * seconds))
            for n in range(cameras)
        ]

    assert meter.is_due(100.0)
    assert meter.look(100.0, 7.0, books(0), helpers_cpu_s=3.0) is None
    times.add("decode", decode_s)
    times.add("detect", detect_s)
    times.add("count", count_s)
    times.add_busy(busy_s)
    assert not meter.is_due(103.0)
    assert meter.is_due(110.0)
    return meter.look(110.0, 7.0 + process_s, books(10), helpers_cpu_s=3.0 + helpers_s)
