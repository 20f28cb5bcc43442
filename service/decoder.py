"""Decodes a stream's packets on the processor, or on a device where one was asked for and takes them; knows PyAV.

A device must never cost a camera: what it does not decode the processor does, and why is told once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

import av
import av.error
from av.codec.codec import UnknownCodecError
from av.codec.hwaccel import HWAccel

from footfall.config import SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_KEPT_MOST: Final = 20
"""A device that was given so many packets and gave no picture will give none; decoders hold back fewer."""
_KEPT_AT_END: Final = 5
"""The same where the connection ended, as at a stall of a camera that sends one picture a second."""
_FAILURES_MOST: Final = 25
"""So many broken packets in a row are no fault of the network any more."""
_OPTIONS: Final[dict[str, tuple[dict[str, str], ...]]] = {"cuda": ({"primary_ctx": "1"}, {})}
"""By device, tried in turn: all cameras share the process's CUDA context, as each takes hundreds of megabytes. libav
refuses where another library (ONNX Runtime on the device) made it first, with other flags; then each has its own."""


class DeviceRefusedError(Exception):
    """A device does not decode a stream; the text says why and names no source."""


class DeviceDecoder(Protocol):
    """A decoder on a device, of one stream; its frames are in this machine's memory."""

    @property
    def is_on_device(self) -> bool:
        """Whether the device decodes, known after a frame: libav may have gone over to the processor by itself."""

    def decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        """Return the frames that the packet completed.

        Raises:
            FFmpegError, OSError: the packet is broken, or the device.
        """


class DecodeChoice:
    """Who decodes one camera: the device that was asked for until it refuses, then the processor; outlives connections.

    A device that refused is not asked again before the camera is configured anew or the service starts anew: one that
    fails now and then would cost pictures each time.

    Args:
        wanted: `software` or a device's name.
        on_refusal: told why, once at most.

    Attributes:
        refusal: why the device does not decode this camera; empty while nothing speaks against it.
    """

    def __init__(self, wanted: str = SOFTWARE, on_refusal: Callable[[str], None] = lambda _: None) -> None:
        self.wanted = wanted
        self.refusal = ""
        self._on_refusal = on_refusal

    @property
    def device(self) -> str | None:
        """The device to ask; None: nothing but the processor."""
        return None if self.wanted == SOFTWARE or self.refusal else self.wanted

    def refuse(self, why: str) -> None:
        """The device does not decode this camera."""
        if not self.refusal:
            self.refusal = why
            self._on_refusal(why)


class StreamDecoder:
    """Decodes one open stream, whose own decoder is that of the processor; from one thread.

    The processor decodes up to the first key picture, as a stream that is entered between two is broken for anybody;
    from there on the device does. Until it has given a picture its packets are kept: if it fails, the processor decodes
    them, and none is lost. If it fails later, each packet up to the next key picture is told as broken.

    Args:
        choice: of the camera; hears of a refusal.
        connect: opens a decoder like the processor's on a device, or raises `DeviceRefusedError`.
    """

    def __init__(
        self,
        stream: VideoStream,
        choice: DecodeChoice,
        connect: Callable[[VideoCodecContext, str], DeviceDecoder] | None = None,
    ) -> None:
        self._choice = choice
        self._processor = stream.codec_context
        self._device: DeviceDecoder | None = None
        self._by_device = False
        self._has_begun = self._has_given = self._waits_for_key = False
        self._kept: list[Packet[VideoStream]] = []
        self._failures = 0
        if choice.device is None:
            return
        try:
            self._device = (connect or _connect)(self._processor, choice.device)
        except DeviceRefusedError as error:
            choice.refuse(str(error))

    @property
    def decoded_by(self) -> str:
        """Who decoded the last picture: a device's name or `software`."""
        return self._choice.wanted if self._by_device else SOFTWARE

    def decode(self, packet: Packet[VideoStream]) -> list[VideoFrame | None]:
        """Return the frames that the packet completed, often none, and None for each packet that is lost."""
        self._has_begun |= packet.is_keyframe
        if self._device is None or not self._has_begun:
            return self._on_processor(packet)
        return self._on_device(packet, self._device)

    def close(self) -> None:
        """The stream is left; a device that was given packets and gave no picture is not asked again."""
        if self._device is not None and len(self._kept) >= _KEPT_AT_END:
            self._choice.refuse(self._gave_nothing())

    def _on_processor(self, packet: Packet[VideoStream]) -> list[VideoFrame | None]:
        if self._waits_for_key and not packet.is_keyframe:
            return [None]
        self._waits_for_key = False
        try:
            return list(self._processor.decode(packet))
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, OSError):
            return [None]

    def _on_device(self, packet: Packet[VideoStream], device: DeviceDecoder) -> list[VideoFrame | None]:
        if not self._has_given:
            self._kept.append(packet)
        try:
            frames = device.decode(packet)
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, OSError) as error:
            return self._after(packet, error)
        self._failures = 0
        if frames:
            self._has_given, self._kept = True, []
            self._by_device = device.is_on_device
            if not self._by_device:
                self._choice.refuse(f"{self._choice.wanted} does not take this kind of {self._processor.name}")
        elif len(self._kept) >= _KEPT_MOST:
            return self._instead(self._gave_nothing())
        return list(frames)

    def _after(self, packet: Packet[VideoStream], error: Exception) -> list[VideoFrame | None]:
        """The device gave an error instead of frames."""
        self._failures += 1
        why = f"{self._choice.wanted} failed while it decoded {self._processor.name} ({_reason(error)})"
        if not self._has_given:
            return self._instead(why)
        if not isinstance(error, av.error.InvalidDataError) or self._failures >= _FAILURES_MOST:
            self._leave(why)
            self._waits_for_key = True
            return self._on_processor(packet)
        return [None]

    def _instead(self, why: str) -> list[VideoFrame | None]:
        """Let the processor decode what the device was given; what neither can decode is the stream's fault."""
        kept, self._kept = self._kept, []
        frames = [frame for packet in kept for frame in self._on_processor(packet)]
        if any(frame is not None for frame in frames):
            self._leave(why)
        else:
            self._has_begun = False
        return frames

    def _leave(self, why: str) -> None:
        self._device, self._by_device = None, False
        self._choice.refuse(why)

    def _gave_nothing(self) -> str:
        return f"{self._choice.wanted} was given {len(self._kept)} packets and gave no picture"


class _LibavDevice:
    def __init__(self, context: VideoCodecContext, device_format: str) -> None:
        self._context = context
        self._format = device_format

    @property
    def is_on_device(self) -> bool:
        return self._context.pix_fmt == self._format

    def decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        return self._context.decode(packet)


def _connect(processor: VideoCodecContext, device: str) -> DeviceDecoder:
    """Open libav's decoder of the same stream on a device.

    Raises:
        DeviceRefusedError: no decoder of this build uses the device for this codec, or it cannot be opened.
    """
    codec = processor.codec.canonical_name
    # Most devices help libav's own decoder; some have a decoder of their own.
    for name in (codec, f"{codec}_{device}"):
        try:
            configs = av.Codec(name, "r").hardware_configs
        except UnknownCodecError:
            continue
        form = next((each.format for each in configs if each.device_type.name == device), None)
        if form is None:
            continue
        context = _opened(name, device)
        context.extradata = processor.extradata
        context.width, context.height = processor.width, processor.height
        context.options, context.flags = dict(processor.options), processor.flags
        context.thread_count = processor.thread_count
        return _LibavDevice(context, form.name)
    raise DeviceRefusedError(f"{device} decodes no {codec} with this build of PyAV")


def _opened(name: str, device: str) -> VideoCodecContext:
    why = ""
    for options in _OPTIONS.get(device, ({},)):
        accelerator = HWAccel(device, allow_software_fallback=True, options=dict(options))
        try:
            context = cast("VideoCodecContext", av.CodecContext.create(name, "r", hwaccel=accelerator))
        except (av.error.FFmpegError, OSError) as error:
            why = f" ({_reason(error)})"
            continue
        if context.is_hwaccel:  # else the device is "not implemented" here, which PyAV hides
            return context
    raise DeviceRefusedError(f"{device} cannot be opened on this machine{why}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
