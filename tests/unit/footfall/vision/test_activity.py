"""The detector rests only where it would have found nothing: nobody who comes, stays or stands is slept through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from footfall.domain import Detections, Frame
from footfall.vision.activity import ActivityGate, ActivitySettings

START = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = ActivitySettings(longest_rest_s=1.0, quiet_s=2.0)
NOBODY = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))
SOMEBODY = Detections(np.array([[10, 10, 30, 70]], np.float32), np.array([0.9], np.float32))
DOUBTFUL = Detections(np.array([[10, 10, 30, 70]], np.float32), np.array([0.2], np.float32))


def hall(seed: int = 1, *, noise: float = 0.0, light: float = 0.0) -> NDArray[np.uint8]:
    """(360, 640, 3): the same room each time."""
    room = np.kron(np.random.default_rng(4).integers(40, 210, (12, 20, 3)), np.ones((30, 32, 1)))
    shown = room + light + np.random.default_rng(seed).normal(0, noise, room.shape)
    return shown.clip(0, 255).astype(np.uint8)


def with_person(height_px: int, *, contrast: int = 40) -> NDArray[np.uint8]:
    """Somebody a third as wide as high, at a place that is grey elsewhere."""
    shown = hall().astype(int)
    shown[100 : 100 + height_px, 200 : 200 + height_px // 3] += contrast
    return shown.clip(0, 255).astype(np.uint8)


class Camera:
    """A gate and what it is asked, five times a second."""

    def __init__(self, settings: ActivitySettings = SETTINGS) -> None:
        self.gate = ActivityGate(settings)
        self.asked = 0
        self.earlier_s = 0.0

    def rests(self, picture: NDArray[np.uint8], found: Detections = NOBODY) -> bool:
        at_s = self.asked / 5 - self.earlier_s
        self.asked += 1
        frame = Frame("gate", 0, picture, START + timedelta(seconds=at_s), at_s)
        if self.gate.is_idle(frame):
            return True
        self.gate.looked(frame, found)
        return False

    def quiet(self) -> None:
        """Let nobody be there until the detector rests."""
        for _ in range(40):
            if self.rests(hall()):
                return
        raise AssertionError("the detector never rests")


def test_in_an_empty_room_the_detector_looks_once_a_second() -> None:
    camera = Camera()
    rested = [camera.rests(hall(seed)) for seed in range(50)]
    assert rested == [index % 5 != 0 for index in range(50)]


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(hall(7, noise=6), id="a sensor's noise"),
        pytest.param(hall(light=10), id="a cloud"),
    ],
)
def test_what_is_nobody_wakes_nobody(picture: NDArray[np.uint8]) -> None:
    camera = Camera()
    camera.quiet()
    assert camera.rests(picture)


@pytest.mark.parametrize("height_px", [24, 40, 200])
def test_who_comes_is_looked_at_on_the_first_frame(height_px: int) -> None:
    camera = Camera()
    camera.quiet()
    assert not camera.rests(with_person(height_px), SOMEBODY)


def test_who_stands_still_is_looked_at_on_every_frame() -> None:
    camera = Camera()
    assert not any(camera.rests(with_person(80), SOMEBODY) for _ in range(50))


def test_who_was_lost_is_looked_for_until_nobody_would_know_them() -> None:
    camera = Camera()
    camera.rests(hall(), SOMEBODY)
    waited = 0
    while not camera.rests(hall()):
        waited += 1
    assert 0.2 * waited >= SETTINGS.quiet_s - 0.2


def test_doubtful_finds_keep_nobody_awake() -> None:
    camera = Camera()
    camera.rests(hall(), DOUBTFUL)
    assert camera.rests(hall(), DOUBTFUL)


def test_who_comes_slowly_is_compared_with_what_was_looked_at_last() -> None:
    camera = Camera(ActivitySettings(longest_rest_s=60.0))
    camera.quiet()
    woke = [not camera.rests(with_person(60, contrast=3 * step)) for step in range(1, 8)]
    assert any(woke), "each step is too little to be seen; together they are not"


def test_another_picture_size_is_looked_at() -> None:
    camera = Camera()
    camera.quiet()
    assert not camera.rests(hall()[:, :400])


def test_zero_lets_the_detector_look_at_every_frame() -> None:
    camera = Camera(ActivitySettings(longest_rest_s=0.0))
    assert not any(camera.rests(hall()) for _ in range(20))


def test_a_clock_that_went_back_lets_it_look() -> None:
    camera = Camera()
    camera.quiet()
    camera.earlier_s = 30.0
    assert not camera.rests(hall())
