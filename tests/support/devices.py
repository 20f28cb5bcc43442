"""A device that decodes, or fails, as told: libav's own decoder plays it, so that no device is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import av.error

from service.decoder import DeviceRefusedError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from service.decoder import DeviceDecoder


def external() -> Exception:
    return av.error.ExternalError(542398533, "Generic error in an external library")


def broken() -> Exception:
    return av.error.InvalidDataError(1094995529, "Invalid data found when processing input")


class PlayedDevice:
    """Decodes as a device does, into NV12; fails as told, by the number of the packet, from 0."""

    def __init__(
        self,
        *,
        errors: dict[int, Exception] | None = None,
        fails_from: int | None = None,
        silent: bool = False,
        falls_back: bool = False,
        is_there: bool = True,
    ) -> None:
        self.given: list[Packet[VideoStream]] = []
        self.connected = 0
        self._errors, self._fails_from = errors or {}, fails_from
        self._silent, self._falls_back, self._is_there = silent, falls_back, is_there
        self._context: VideoCodecContext | None = None

    def connect(self, processor: VideoCodecContext, device: str) -> DeviceDecoder:
        assert device == "cuda"
        self.connected += 1
        if not self._is_there:
            raise DeviceRefusedError(f"{device} cannot be opened on this machine")
        self._context = av.CodecContext.create("h264", "r")
        self._context.extradata = processor.extradata
        return self

    @property
    def is_on_device(self) -> bool:
        return not self._falls_back

    def decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        number = len(self.given)
        self.given.append(packet)
        if number in self._errors:
            raise self._errors[number]
        if self._fails_from is not None and number >= self._fails_from:
            raise external()
        assert self._context is not None
        frames = self._context.decode(packet)
        return [] if self._silent else [frame.reformat(format="nv12") for frame in frames]
