"""Pictures through H.264 and back, at any bitrate; knows PyAV, and neither files nor networks."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

import av
import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SIDE_PX: Final = 16
_LEAST_BITS_PER_S: Final = 1000
_KEY_FRAME_EVERY_S: Final = 5.0
_BUFFER_S: Final = 1.0
_LOWEST_SHARE: Final = 0.7


class Channel:
    """A camera's encoder and a viewer's decoder, without delay: a picture goes in, the decoded one comes out.

    Args:
        fps: pictures a second; with it the encoder shares out its bits.
    """

    def __init__(self, *, width_px: int, height_px: int, fps: float) -> None:
        self._size_px = height_px, width_px
        # 4:2:0 needs even sides, and the encoder refuses very small ones.
        self._below_px = max(_LEAST_SIDE_PX, height_px + height_px % 2) - height_px
        self._beside_px = max(_LEAST_SIDE_PX, width_px + width_px % 2) - width_px
        self._fps = fps
        self._encoder: av.VideoCodecContext | None = None
        self._opened_bits_per_s = 0
        self._decoder = av.CodecContext.create("h264", "r")
        self._decoder.thread_count = 1  # more threads would hold pictures back
        self._sent = 0
        self.bytes_sent = 0

    def send(self, picture: NDArray[np.uint8], *, bits_per_s: float) -> NDArray[np.uint8]:
        """Encode and decode one picture.

        Args:
            picture: (H, W, 3) uint8 BGR of the channel's size.
            bits_per_s: for the time from here on; may change with every picture.

        Returns:
            (H, W, 3) uint8 BGR.
        """
        rate = max(_LEAST_BITS_PER_S, round(bits_per_s))
        # libx264 takes a new rate over with the next picture, but never one above that with which it was opened, and
        # one far below it only slowly: then another encoder goes on, with a key frame.
        if self._encoder is None or not _LOWEST_SHARE <= rate / self._opened_bits_per_s <= 1:
            self._encoder, self._opened_bits_per_s = self._open(rate), rate
        self._encoder.bit_rate = rate
        height, width = self._size_px
        even = cv2.copyMakeBorder(picture, 0, self._below_px, 0, self._beside_px, cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(
            cast("NDArray[np.uint8]", cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)), format="yuv420p"
        )
        frame.pts, frame.time_base = self._sent, self._encoder.time_base
        self._sent += 1
        packets = self._encoder.encode(frame)
        self.bytes_sent += sum(packet.size for packet in packets)
        decoded = [shown for packet in packets for shown in self._decoder.decode(packet)]
        if len(decoded) != 1:
            raise RuntimeError(f"H.264 gave {len(decoded)} pictures for one; expected one without delay")
        shown = cv2.cvtColor(decoded[0].to_ndarray(), cv2.COLOR_YUV2BGR_I420)[:height, :width]
        return np.ascontiguousarray(shown, np.uint8)

    def _open(self, bits_per_s: int) -> av.VideoCodecContext:
        height, width = self._size_px
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height = width + self._beside_px, height + self._below_px
        encoder.pix_fmt = "yuv420p"
        encoder.framerate = Fraction(self._fps).limit_denominator(1000)
        encoder.time_base = 1 / encoder.framerate
        encoder.bit_rate = bits_per_s
        encoder.gop_size = max(1, round(self._fps * _KEY_FRAME_EVERY_S))
        encoder.thread_count = 1  # the same pictures on every machine
        # Without a limit and a buffer the rate is kept on average only, over minutes, and cannot be changed.
        limits = {"maxrate": str(bits_per_s), "bufsize": str(round(bits_per_s * _BUFFER_S))}
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", **limits}
        return encoder
