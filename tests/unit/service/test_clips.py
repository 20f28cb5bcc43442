"""Films around a line: at known times, whole or not at all, heads gone, with what the system counted meanwhile."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import av
import cv2
import numpy as np
import pytest

from footfall.domain import Crossing, Detections, Frame, Line, Tracks
from footfall.vision.analysis import Analysis
from service.clips import Clip, ClipError, ClipRecorder, starts_in_period

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
DOOR = Line("door", (0.5, 0.0), (0.5, 1.0))
BOX = (200.0, 50.0, 280.0, 290.0)
HEAD = np.s_[52:100, 205:275]
FPS = 5


def noise(size_px: tuple[int, int]) -> Any:
    """Coarse enough that H.264 keeps it."""
    cells = np.random.Generator(np.random.PCG64(4)).integers(0, 256, (size_px[1] // 4, size_px[0] // 4, 3), np.uint8)
    return cv2.resize(cells, size_px, interpolation=cv2.INTER_NEAREST)


def crossing(at_s: float, direction: Any = "in", line: str = "door") -> Crossing:
    return Crossing(f"{at_s}", "gate", line, direction, NINE + timedelta(seconds=at_s), 1)


def analysed(
    at_s: float,
    *,
    found: bool = False,
    crossings: Sequence[Crossing] = (),
    size_px: tuple[int, int] = (640, 360),
) -> Analysis:
    boxes = np.array([BOX] if found else [], np.float32).reshape(-1, 4)
    frame = Frame("gate", int(at_s * FPS), noise(size_px), NINE + timedelta(seconds=at_s), 100 + at_s)
    nobody = Tracks(np.array([], np.int64), np.empty((0, 4), np.float32), np.array([], np.float32))
    detections = Detections(boxes, np.full(len(boxes), 0.2, np.float32), 0.4)
    return Analysis(frame, detections, nobody, tuple(crossings), (), {})


def film(seconds: float = 4.0, **changes: Any) -> Clip:
    """Five frames a second until the film is done; `changes` are by frame number."""
    return run(ClipRecorder(DOOR, seconds), lambda number: analysed(number / FPS, **changes.get(f"at_{number}", {})))


def run(recorder: ClipRecorder, give: Callable[[int], Analysis], earlier: Any = ()) -> Clip:
    for number in range(1000):
        clip = recorder.add(give(number), earlier)
        if clip is not None:
            return clip
    raise AssertionError("the film never ended")


def frames_of(clip: Clip) -> list[tuple[float, Any]]:
    with av.open(io.BytesIO(clip.content)) as container:
        return [(float(frame.time or 0), frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


def detail_of(part: Any) -> float:
    return float(np.abs(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), cv2.CV_64F)).mean())


def test_an_hours_clips_begin_anywhere_and_at_the_same_times_after_a_restart() -> None:
    hours = [NINE + timedelta(hours=hour) for hour in range(400)]
    starts = [start - hour for hour in hours for start in starts_in_period(2, "gate", hour)]
    shares = np.array([start / timedelta(hours=1) for start in starts])
    assert np.histogram(shares, bins=10, range=(0, 1))[0] == pytest.approx([80] * 10, abs=30)
    assert (shares[0::2] < 0.5).all()
    assert (shares[1::2] >= 0.5).all()
    assert starts_in_period(3, "gate", NINE) == starts_in_period(3, "gate", NINE) != starts_in_period(3, "hall", NINE)


def test_a_clip_shows_its_time_and_not_more() -> None:
    clip = film(4.0)
    shown = frames_of(clip)
    assert [round(at_s, 2) for at_s, _ in shown] == [number / FPS for number in range(4 * FPS)]
    assert (clip.width_px, clip.height_px, clip.begin_at, clip.line) == (640, 360, NINE, "door")
    assert shown[0][1].shape == (360, 640, 3)
    assert clip.detail["seconds"] == 4.0
    assert clip.detail["fps"] == pytest.approx(FPS)
    assert (clip.detail["start"], clip.detail["end"]) == ([0.5, 0.0], [0.5, 1.0])
    assert detail_of(shown[5][1]) > 0.3 * detail_of(noise((640, 360)))  # it is the picture


def test_a_large_picture_is_made_small_and_even() -> None:
    clip = run(ClipRecorder(DOOR, 1.0), lambda number: analysed(number / FPS, size_px=(1277, 721)))
    assert frames_of(clip)[0][1].shape == (clip.height_px, clip.width_px, 3) == (362, 640, 3)


def test_crossings_are_told_by_when_they_were_also_those_that_became_certain_later() -> None:
    clip = film(
        at_5={"crossings": [crossing(-0.4), crossing(0.7)]},
        at_12={"crossings": [crossing(2.2, "out"), crossing(2.3, line="gate")]},
        at_40={"crossings": [crossing(3.9)]},
        at_50={"crossings": [crossing(4.3)]},
    )
    assert clip.detail["crossings"] == [
        {"at_s": 0.7, "direction": "in"},
        {"at_s": 2.2, "direction": "out"},
        {"at_s": 3.9, "direction": "in"},
    ]
    assert clip.detail["counted"] == {"in": 2, "out": 1}


def test_a_head_is_gone_a_second_before_and_after_it_was_found() -> None:
    shown = frames_of(film(4.0, at_10={"found": True}))
    whole = detail_of(noise((640, 360))[HEAD])
    shares = [detail_of(picture[HEAD]) / whole for _, picture in shown]
    assert max(shares[5:16]) < 0.2, shares
    assert min(shares[:5] + shares[16:]) > 0.5, shares


def test_a_head_that_was_found_before_the_clip_or_after_its_end_is_gone_too() -> None:
    earlier = [(99.5, np.array([BOX], np.float32))]
    clip = run(ClipRecorder(DOOR, 2.0), lambda number: analysed(number / FPS, found=number == 12), earlier)
    whole = detail_of(noise((640, 360))[HEAD])
    shares = [detail_of(picture[HEAD]) / whole for _, picture in frames_of(clip)]
    assert max(shares[:3] + shares[7:]) < 0.2, shares
    assert min(shares[3:7]) > 0.5, shares


def test_a_clip_with_a_gap_or_another_picture_size_is_none() -> None:
    recorder = ClipRecorder(DOOR, 4.0)
    recorder.add(analysed(0), ())
    with pytest.raises(ClipError, match="no picture for over 2 s"):
        recorder.add(analysed(2.5), ())
    recorder = ClipRecorder(DOOR, 4.0)
    recorder.add(analysed(0), ())
    with pytest.raises(ClipError, match="the picture's size changed"):
        recorder.add(dataclasses.replace(analysed(0.2, size_px=(320, 240))), ())
