"""Pictures whose pixels are made when somebody asks: from a decoder's planes, or by drawing them; knows no stream."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

_LUMINANCE_FIRST: Final = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "nv12", "gray"})
"""Formats whose first plane is brightness in 8 bits."""
_LIMITED: Final = frozenset({ColorRange.UNSPECIFIED, ColorRange.MPEG})
_ORDINARY: Final = frozenset({2, 5, 6})
"""AVColorSpace of what is not said, and of BT.601, which swscale takes it for; OpenCV converts no other."""
_HALVED_COLOURS: Final = {"yuv420p": cv2.COLOR_YUV2BGR_I420, "nv12": cv2.COLOR_YUV2BGR_NV12}
"""Formats with colours at half the size: a plane each from a processor, in turns in one plane from most devices."""


def scaled(picture: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Resize a picture or plane, (H, W[, 3]) uint8; the same when it has that size."""
    height, width = picture.shape[:2]
    if (width, height) == (width_px, height_px):
        return picture
    # Means of means of 2x2 pixels are the means, to a rounding, in a third (1280 to 320) to two thirds of the time.
    while width >= 4 * width_px and height >= 4 * height_px and not (width % 2 or height % 2):
        width, height = width // 2, height // 2
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    interpolation = cv2.INTER_AREA if width_px < 0.5 * width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width_px, height_px), interpolation=interpolation), np.uint8)


class Converter:
    """Makes whole pictures of one source's frames: what swscale prepares for a picture size is kept for the next."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._lock = threading.Lock()

    def bgr(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8."""
        with self._lock:
            # One thread: by itself swscale starts one for each core and source, and waits for all of them.
            converted = self._reformatter.reformat(frame, format="bgr24", threads=1)
        return np.asarray(converted.to_ndarray(), np.uint8)


class DecodedImage:
    """A decoded frame; see `footfall.domain.Image`. Holds the decoder's own planes, half of what BGR takes.

    Args:
        converter: of the frame's source.
    """

    def __init__(self, frame: VideoFrame, converter: Converter) -> None:
        self.width_px, self.height_px = frame.width, frame.height
        self._frame = frame
        self._converter = converter
        self._lock = threading.Lock()
        self._bgr: NDArray[np.uint8] | None = None
        self._scaled: NDArray[np.uint8] | None = None

    def bgr(self) -> NDArray[np.uint8]:
        """Return the whole picture, made once: (H, W, 3) uint8."""
        with self._lock:
            if self._bgr is None:
                self._bgr = self._converter.bgr(self._frame)
            return self._bgr

    def scaled_bgr(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """Return it in another size; smaller ones are scaled before their colours are converted.

        The last one is kept for who asks for the same: nobody writes into it.
        """
        last = self._scaled
        if last is None or last.shape[:2] != (height_px, width_px):
            last = self._scaled = self._scale(width_px, height_px)
        return last

    def small_bgr(self, least_px: int) -> NDArray[np.uint8]:
        """Return it in any size whose longer side has `least_px` or more, or whole where it is smaller."""
        last, longer = self._scaled, max(self.width_px, self.height_px)
        if last is not None and max(last.shape) >= least_px:
            return last
        if longer <= least_px:
            return self.bgr()
        shrunk = least_px / longer
        return self.scaled_bgr(*(max(2, 2 * round(shrunk * side / 2)) for side in (self.width_px, self.height_px)))

    def _scale(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        frame = self._frame
        if (
            width_px >= self.width_px
            or width_px % 2
            or height_px % 2
            or frame.format.name not in _HALVED_COLOURS
            or frame.color_range not in _LIMITED
            or frame.colorspace not in _ORDINARY
        ):
            return scaled(self.bgr(), width_px, height_px)
        # Luminance above, both colours below, as OpenCV wants them.
        planes = np.empty((height_px * 3 // 2, width_px), np.uint8)
        planes[:height_px] = scaled(_plane(frame.planes[0]), width_px, height_px)
        if frame.format.name == "nv12":
            pairs = scaled(_pairs(frame.planes[1]), width_px // 2, height_px // 2)
            planes[height_px:] = pairs.reshape(height_px // 2, width_px)
        else:
            colours = planes[height_px:].reshape(2, height_px // 2, width_px // 2)
            for index in (0, 1):
                colours[index] = scaled(_plane(frame.planes[1 + index]), width_px // 2, height_px // 2)
        return np.asarray(cv2.cvtColor(planes, _HALVED_COLOURS[frame.format.name]), np.uint8)

    def scaled_grey(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """Return its brightness in another size, as the camera coded it: (height_px, width_px) uint8."""
        if self._frame.format.name in _LUMINANCE_FIRST:
            return scaled(_plane(self._frame.planes[0]), width_px, height_px)
        return _grey(scaled(self.bgr(), width_px, height_px))


class DrawnImage:
    """A picture that is drawn when it is wanted; see `footfall.domain.Image`.

    Args:
        draw: gives (height_px, width_px, 3) uint8 BGR; called once at most, unless it raises.
    """

    def __init__(self, width_px: int, height_px: int, draw: Callable[[], NDArray[np.uint8]]) -> None:
        self.width_px, self.height_px = width_px, height_px
        self._draw = draw
        self._lock = threading.Lock()
        self._bgr: NDArray[np.uint8] | None = None

    def bgr(self) -> NDArray[np.uint8]:
        """Return the whole picture: (H, W, 3) uint8."""
        with self._lock:
            if self._bgr is None:
                self._bgr = self._draw()
            return self._bgr

    def scaled_bgr(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """Return it in another size: (height_px, width_px, 3) uint8."""
        return scaled(self.bgr(), width_px, height_px)

    def small_bgr(self, least_px: int) -> NDArray[np.uint8]:  # noqa: ARG002  drawn whole or not at all
        """Return the whole picture: (H, W, 3) uint8."""
        return self.bgr()

    def scaled_grey(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """Return its brightness in another size: (height_px, width_px) uint8."""
        return _grey(scaled(self.bgr(), width_px, height_px))


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def _plane(plane: VideoPlane) -> NDArray[np.uint8]:
    """The pixels of an 8-bit plane where the decoder put them: (H, W) uint8, not to be written to."""
    return _rows(plane)[: plane.height, : plane.width]


def _pairs(plane: VideoPlane) -> NDArray[np.uint8]:
    """Both colours of NV12, whose plane says how many pairs a row has: (H, W, 2) uint8, not to be written to."""
    return _rows(plane)[: plane.height, : 2 * plane.width].reshape(plane.height, plane.width, 2)


def _rows(plane: VideoPlane) -> NDArray[np.uint8]:
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows
