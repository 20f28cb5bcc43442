"""Pictures made when they are wanted: the short way to a small one shows what the long way shows."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from footfall.vision.pixels import Converter, DecodedImage, DrawnImage, scaled


def picture(width_px: int = 128, height_px: int = 96) -> NDArray[np.uint8]:
    """Smooth colours with a bright box: what survives halved colour planes."""
    y, x = np.mgrid[:height_px, :width_px].astype(np.float32)
    colours = np.stack((40 + x, 200 - y, 60 + (x + y) / 2), axis=-1)
    colours[30:60, 40:80] = (30, 60, 220)
    return colours.clip(0, 255).astype(np.uint8)


def decoded(form: str, *, colorspace: int = 2, color_range: int = 1, width_px: int = 128) -> DecodedImage:
    frame = av.VideoFrame.from_ndarray(picture(width_px), format="bgr24").reformat(
        format=form, dst_color_range=color_range
    )
    frame.colorspace, frame.color_range = colorspace, color_range
    return DecodedImage(frame, Converter())


@pytest.mark.parametrize("size_px", [(320, 180), (160, 90), (80, 45), (321, 180), (640, 360), (427, 240), (20, 180)])
def test_a_much_smaller_picture_is_made_of_means(size_px: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    means = cv2.resize(noise, size_px, interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(scaled(noise, *size_px) - means).max() <= 2


@pytest.mark.parametrize(
    ("image", "size_px"),
    [
        pytest.param(decoded("yuv420p"), (64, 48), id="half"),
        pytest.param(decoded("yuv420p"), (42, 32), id="a third"),
        pytest.param(decoded("yuv420p", width_px=120), (60, 48), id="planes with a margin"),
        pytest.param(decoded("yuv420p", colorspace=1), (64, 48), id="BT.709"),
        pytest.param(decoded("yuv420p"), (65, 49), id="odd"),
        pytest.param(decoded("yuv420p"), (192, 144), id="larger"),
        pytest.param(decoded("yuv420p"), (128, 96), id="as it is"),
        pytest.param(decoded("yuvj420p", color_range=2), (64, 48), id="full range"),
        pytest.param(decoded("nv12"), (64, 48), id="interleaved colours"),
        pytest.param(decoded("yuv422p"), (64, 48), id="finer colours"),
        pytest.param(decoded("gray"), (64, 48), id="no colours"),
    ],
)
def test_a_scaled_picture_shows_what_the_whole_one_shows(image: DecodedImage, size_px: tuple[int, int]) -> None:
    found = image.scaled_bgr(*size_px)
    assert (found.shape, found.dtype) == ((size_px[1], size_px[0], 3), np.uint8)
    difference = np.abs(found.astype(int) - scaled(image.bgr(), *size_px))
    assert difference.mean() < 3
    assert np.percentile(difference, 95) < 10  # colours are halved at other places: edges may differ


@pytest.mark.parametrize("width_px", [pytest.param(128, id="even"), pytest.param(119, id="odd, with a margin")])
def test_a_picture_from_a_device_is_the_one_from_the_processor(width_px: int) -> None:
    frame = av.VideoFrame.from_ndarray(picture(width_px), format="bgr24").reformat(format="yuv420p")
    from_device = frame.reformat(format="nv12")  # only puts both colours into one plane
    frame.colorspace = from_device.colorspace = 2
    frame.color_range = from_device.color_range = 1
    images = [DecodedImage(each, Converter()) for each in (frame, from_device)]
    for size_px in ((64, 48), (42, 32), (80, 60)):
        small = [image.scaled_bgr(*size_px).astype(int) for image in images]
        assert np.abs(small[0] - small[1]).max() <= 3  # a step of a colour is two to three of blue
        grey = [image.scaled_grey(*size_px) for image in images]
        assert (grey[0] == grey[1]).all()


def test_a_small_picture_from_a_device_needs_no_whole_one() -> None:
    class Unused(Converter):
        def bgr(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
            raise AssertionError(f"{frame}: converted whole")

    frame = av.VideoFrame.from_ndarray(picture(), format="bgr24").reformat(format="nv12")
    assert DecodedImage(frame, Unused()).scaled_bgr(64, 48).shape == (48, 64, 3)


def test_the_whole_picture_is_made_once_and_with_the_sources_colours() -> None:
    image = decoded("yuv420p")
    assert image.bgr() is image.bgr()
    assert np.abs(image.bgr().astype(int) - picture()).mean() < 3
    assert (image.width_px, image.height_px) == (128, 96)


def test_a_drawn_picture_is_drawn_once_and_only_if_wanted() -> None:
    drawn = 0

    def draw() -> NDArray[np.uint8]:
        nonlocal drawn
        drawn += 1
        return picture()

    image = DrawnImage(128, 96, draw)
    assert (image.width_px, image.height_px, drawn) == (128, 96, 0)
    assert image.scaled_bgr(64, 48).shape == (48, 64, 3)
    assert (image.bgr() == picture()).all()
    assert drawn == 1


def test_a_size_that_two_ask_for_is_made_once() -> None:
    frame = av.VideoFrame.from_ndarray(np.full((108 * 3 // 2, 192, 1), 90, np.uint8)[:, :, 0], format="yuv420p")
    image = DecodedImage(frame, Converter())
    first = image.scaled_bgr(64, 36)
    assert image.scaled_bgr(64, 36) is first
    assert image.scaled_bgr(32, 18).shape == (18, 32, 3)
    assert image.scaled_bgr(64, 36).shape == (36, 64, 3)


@pytest.mark.parametrize(
    ("made_before", "least_px", "size_px"),
    [
        pytest.param((160, 90), 120, (160, 90), id="made for somebody else"),
        pytest.param((80, 46), 120, (120, 68), id="what was made is too small"),
        pytest.param(None, 120, (120, 68), id="nothing was made"),
        pytest.param(None, 500, (192, 108), id="the whole is small enough"),
    ],
)
def test_a_small_picture_is_the_cheapest_that_is_large_enough(
    made_before: tuple[int, int] | None, least_px: int, size_px: tuple[int, int]
) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((108 * 3 // 2, 192, 1), 90, np.uint8)[:, :, 0], format="yuv420p")
    image = DecodedImage(frame, Converter())
    made = image.scaled_bgr(*made_before) if made_before else None
    found = image.small_bgr(least_px)
    assert found.shape[1::-1] == size_px
    assert made is None or (found is made) == (max(made.shape) >= least_px)


def test_making_a_whole_picture_leaves_no_threads_behind() -> None:
    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before = threads()
    images = [decoded("yuv420p", width_px=640) for _ in range(3)]
    for image in images:
        image.bgr()
    assert threads() == before, "swscale has started its own: of fifty cameras they would be a hundred"
