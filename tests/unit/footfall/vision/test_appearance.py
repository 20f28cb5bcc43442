"""What is known of people's clothes: enough to tell two apart, whatever their size and the light."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from footfall.vision.appearance import LOOKS, looks_of, unlikeness
from footfall.vision.pixels import DrawnImage

RED, BLUE, GREY = (40, 40, 200), (200, 60, 40), (120, 120, 120)  # BGR
TROUSERS = (60, 50, 50)


def dressed(picture: NDArray[np.uint8], box: tuple[int, int, int, int], shirt: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    middle = (y0 + y1) // 2
    picture[y0:middle, x0:x1] = shirt
    picture[middle:y1, x0:x1] = TROUSERS


def looks(shirt: tuple[int, int, int], box: tuple[int, int, int, int], light: float = 1.0) -> NDArray[np.float32]:
    picture = np.full((1080, 1920, 3), GREY, np.uint8)
    dressed(picture, box, shirt)
    return looks_of((picture * light).astype(np.uint8), np.array([box], np.float32))


NEAR, FAR = (200, 100, 500, 1000), (900, 300, 920, 360)


@pytest.mark.parametrize(
    "other",
    [pytest.param((FAR, 1.0), id="far away"), pytest.param((NEAR, 0.75), id="in the shade")],
)
def test_somebody_looks_more_like_himself_than_like_another(other: tuple[tuple[int, int, int, int], float]) -> None:
    box, light = other
    red = looks(RED, NEAR)
    assert unlikeness(red, looks(RED, box, light)) < 0.5 * unlikeness(red, looks(BLUE, NEAR))


def test_the_difference_of_two_shirts_is_far_beyond_what_tracking_calls_apart() -> None:
    assert unlikeness(looks(RED, NEAR), looks(BLUE, NEAR)) > 24


def test_nobody_has_no_looks() -> None:
    found = looks_of(np.zeros((48, 64, 3), np.uint8), np.empty((0, 4), np.float32))
    assert found.shape == (0, LOOKS)
    assert unlikeness(found, np.zeros((2, LOOKS), np.float32)).shape == (0, 2)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((-20, -30, 10, 20), id="over the corner"),
        pytest.param((60, 40, 90, 80), id="over the other corner"),
        pytest.param((10, 10, 10, 10), id="without size"),
        pytest.param((200, 200, 300, 300), id="outside"),
    ],
)
def test_boxes_that_leave_the_picture_still_have_looks(box: tuple[int, int, int, int]) -> None:
    found = looks_of(np.full((48, 64, 3), 128, np.uint8), np.array([box], np.float32))
    assert found.shape == (1, LOOKS)
    assert np.isfinite(found).all()


def test_a_picture_that_is_made_on_demand_is_made_small_and_says_the_same() -> None:
    picture = np.full((1080, 1920, 3), GREY, np.uint8)
    dressed(picture, NEAR, RED)
    wanted: list[int] = []

    class Told(DrawnImage):
        def small_bgr(self, least_px: int) -> NDArray[np.uint8]:
            wanted.append(least_px)
            return self.scaled_bgr(384, 216)

    boxes = np.array([NEAR], np.float32)
    assert unlikeness(looks_of(Told(1920, 1080, lambda: picture), boxes), looks_of(picture, boxes)) < 4
    assert wanted == [320]


def test_where_nobody_is_no_picture_is_made() -> None:
    def draw() -> NDArray[np.uint8]:
        raise AssertionError("nobody is there to be looked at")

    assert looks_of(DrawnImage(64, 48, draw), np.empty((0, 4), np.float32)).shape == (0, LOOKS)
