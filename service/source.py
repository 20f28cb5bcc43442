"""Opens a camera, film or device with PyAV and decodes it; knows nothing of threads, retries or counting.

libav's texts hold the whole URL with its password. None leaves this module: each fault is told in words of our own,
and raised outside the `except` block so that libav's exception hangs on to no traceback.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote

import av
import av.error
import av.logging

from footfall.errors import (
    AuthFailedError,
    NotFoundError,
    RedirectRefusedError,
    SourceError,
    StalledError,
)
from footfall.redaction import encode_userinfo, redact, redact_url
from footfall.vision.pixels import Converter, DecodedImage
from service.decoder import DecodeChoice, StreamDecoder
from service.preflight import UnreachableError, refuse_redirects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from footfall.domain import Image, Transport
    from service.clock import Clock

_FILM_FORMATS: Final = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,h264,hevc,ogg,asf,mjpeg,mpjpeg"
"""What a file may be. Playlists are not among them: they could name any other file or host."""
_HTTP_FORMATS: Final = f"hls,{_FILM_FORMATS}"
_STREAMED_FORMATS: Final = {"mpjpeg", "mjpeg", "mpegts", "flv"}
"""Over HTTP these come as the camera films."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """What the decoder made of the stream.

    Attributes:
        is_corrupt: broken: not to be analysed.
        position_s: where in the stream it belongs, by the stream's own clock, which lies; None when it does not say.
        image: None when it could not be decoded at all.
    """

    is_corrupt: bool
    position_s: float | None
    image: Image | None

    @property
    def width_px(self) -> int:
        """0 when it could not be decoded."""
        return 0 if self.image is None else self.image.width_px

    @property
    def height_px(self) -> int:
        """0 when it could not be decoded."""
        return 0 if self.image is None else self.image.height_px


class PictureSource(Protocol):
    """An open source of pictures; used in a `with` block, from one thread.

    Attributes:
        codec: its short name, as in `h264`.
        width_px: as announced; 0 when the source does not say before the first picture.
        announced_fps: None when the source does not say; it may lie.
        is_paced: its pictures come as fast as they are read, and must be held back to the rate they were filmed with.
    """

    codec: str
    width_px: int
    height_px: int
    announced_fps: float | None
    is_paced: bool

    @property
    def decoded_by(self) -> str | None:
        """Who decoded the last picture: `software` or a device's name; None of a drawn scene."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""

    def pictures(self) -> Iterator[DecodedPicture | None]:
        """Yield each picture as it comes, and None now and then while none comes; ends where the source ends."""


class VideoSource:
    """An open source; use it in a `with` block, from one thread.

    Attributes:
        codec: its short name, as in `h264`.
        width_px: as announced; 0 when the source does not say before the first picture.
        announced_fps: None when the source does not say; it may lie.
        is_paced: its pictures come as fast as they are read, and must be held back to the rate they were filmed with:
            films, and HLS, which comes a segment of several seconds at a time.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, *, url: str, decoding: DecodeChoice) -> None:
        self._container = container
        self._stream = stream
        self._url = url
        self._converter = Converter()
        self._decoder = StreamDecoder(stream, decoding)
        self.is_paced = is_film(url) or (_is_http(url) and container.format.name not in _STREAMED_FORMATS)
        self.codec = stream.codec_context.name
        self.width_px = stream.codec_context.width
        self.height_px = stream.codec_context.height
        rate = stream.average_rate or stream.guessed_rate
        self.announced_fps = float(rate) if rate else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def decoded_by(self) -> str:
        """Who decoded the last picture: `software` or a device's name."""
        return self._decoder.decoded_by

    def close(self) -> None:
        """Hang up; RTSP sessions are torn down."""
        self._decoder.close()
        self._container.close()

    def pictures(self) -> Iterator[DecodedPicture | None]:
        """Yield each picture as it is decoded, and None for each packet that gave none; ends where the stream ends.

        Raises:
            StalledError: nothing came within the read timeout.
            SourceError: the source broke.
        """
        packets = self._container.demux(self._stream)
        fault: SourceError | None = None
        while fault is None:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                fault = _translate(error, self._url, during="reading")
                continue
            if packet is None:
                return
            frames = self._decoder.decode(packet)
            if not frames:
                yield None
            for frame in frames:
                yield _decoded(frame, self._converter)
        raise fault


def open_source(
    url: str,
    *,
    transport: Transport = "tcp",
    open_timeout_s: float,
    read_timeout_s: float,
    max_pixels: int,
    clock: Clock,
    decoding: DecodeChoice | None = None,
) -> VideoSource:
    """Open a source so that its first picture comes soon; takes up to twice `open_timeout_s` for RTSP.

    Args:
        url: as configured; a raw password is encoded here.
        read_timeout_s: longest wait for a packet.
        max_pixels: larger pictures are refused before they are decoded.
        decoding: who decodes; the processor by default.

    Raises:
        UnreachableError: refused, unreachable, or not answering.
        StalledError: connected, and then silent.
        AuthFailedError: user or password refused.
        NotFoundError: no such stream, file or device.
        RedirectRefusedError: the source leads to another address.
        SourceError: anything else: no video, not a kind of source, pictures too large.
    """
    # PyAV's default; repeated, as another library in this process may have turned libav's own log on.
    av.logging.set_level(None)
    place, form, options = _for_libav(url, transport, open_timeout_s)
    options["max_pixels"] = str(max_pixels)
    fault: SourceError | None = None
    with ExitStack() as meanwhile:
        if url.lower().startswith(("rtsp://", "rtsps://")):
            meanwhile.enter_context(refuse_redirects(url, timeout_s=open_timeout_s, clock=clock))
        try:
            container = av.open(place, format=form, options=options, timeout=(open_timeout_s, read_timeout_s))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            fault = _translate(error, url, during="opening")
    if fault is not None:
        raise fault
    try:
        return _checked(container, url, max_pixels, decoding or DecodeChoice())
    except BaseException:
        container.close()
        raise


def is_film(url: str) -> bool:
    """Tell whether `url` is a file, which ends, and not a camera.

    >>> is_film("film.mp4"), is_film("file:///film.mp4"), is_film("rtsp://10.0.0.7/main"), is_film("sim:mall")
    (True, True, False, False)
    """
    if url.lower().startswith("sim:"):
        return False
    scheme, found, _ = url.partition("://")
    return not found or scheme.lower() == "file"


def _is_http(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _for_libav(url: str, transport: Transport, open_timeout_s: float) -> tuple[str, str | None, dict[str, str]]:
    """Return what to open, as which format (None: by its content), and libav's options."""
    scheme = url.partition("://")[0].lower() if "://" in url else "file"
    if scheme in {"rtsp", "rtsps"}:
        options = {
            "rtsp_transport": transport,
            "allowed_media_types": "video",
            "protocol_whitelist": "rtsp,rtp,udp,tcp" + (",rtsps,tls,srtp" if scheme == "rtsps" else ""),
            "timeout": str(int(open_timeout_s * 1e6)),
            # With libav's defaults the first picture takes 3 s, with these 0.4 s. No `nobuffer`: it throws away the
            # key picture that was probed, and nothing could be decoded until the next one.
            "flags": "low_delay",
            "analyzeduration": "100000",
            "probesize": "32768",
        }
        return encode_userinfo(url), "rtsp", options
    if scheme in {"http", "https"}:
        options = {
            "protocol_whitelist": "http,https,tcp,tls,crypto",
            "format_whitelist": _HTTP_FORMATS,
            "max_redirects": "0",
            "flags": "low_delay",
            "analyzeduration": "1000000",
            "probesize": "500000",
        }
        return encode_userinfo(url), None, options
    if scheme == "file":
        path = Path(unquote(url.partition("://")[2].removeprefix("localhost"))) if "://" in url else Path(url)
        return f"file:{path.absolute()}", None, {"protocol_whitelist": "file", "format_whitelist": _FILM_FORMATS}
    if scheme == "v4l2":
        return url.partition("://")[2], "v4l2", {}
    raise SourceError(f"{redact_url(url)}: {scheme[:20]}:// cannot be captured; expected rtsp, http, file, v4l2 or sim")


def _checked(container: InputContainer, url: str, max_pixels: int, decoding: DecodeChoice) -> VideoSource:
    if not container.streams.video:
        raise SourceError(f"{redact_url(url)}: holds no video")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context.width * context.height > max_pixels:
        raise SourceError(
            f"{redact_url(url)}: pictures of {context.width}×{context.height} have more than {max_pixels} pixels "
            "(max_pixels); choose a smaller stream of this camera"
        )
    # The stream may claim another size later; the decoder then refuses too.
    context.options = {"max_pixels": str(max_pixels)}
    # One thread: frame threads hold pictures back, and fifty cameras share these cores.
    context.thread_count = 1
    if not is_film(url):
        context.flags |= av.codec.context.Flags.low_delay.value
    return VideoSource(container, stream, url=url, decoding=decoding)


def _decoded(frame: VideoFrame | None, converter: Converter) -> DecodedPicture:
    if frame is None:
        return DecodedPicture(is_corrupt=True, position_s=None, image=None)
    position_s = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
    return DecodedPicture(is_corrupt=frame.is_corrupt, position_s=position_s, image=DecodedImage(frame, converter))


_FAULTS: Final[tuple[tuple[tuple[type[Exception], ...], Callable[[str], SourceError]], ...]] = (
    (
        (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError),
        lambda shown: AuthFailedError(f"{shown}: user or password refused"),
    ),
    (
        (av.error.HTTPNotFoundError,),
        lambda shown: NotFoundError(f"{shown}: the camera answers, but has no such stream (404)"),
    ),
    ((FileNotFoundError,), lambda shown: NotFoundError(f"{shown}: no such file or device")),
    (
        (ConnectionRefusedError,),
        lambda shown: UnreachableError(f"{shown}: connection refused; nothing listens there", "refused"),
    ),
)


def _translate(error: Exception, url: str, *, during: str) -> SourceError:
    """Return the fault in our own words, without the URL's secrets and without a link to `error`."""
    shown = redact_url(url)
    opens_http = during == "opening" and _is_http(url)
    for kinds, build in _FAULTS:
        if isinstance(error, kinds):
            return build(shown)
    if isinstance(error, av.error.ExitError | TimeoutError):
        if opens_http:
            return UnreachableError(f"{shown}: no answer in time", "timeout")
        return StalledError(f"{shown}: connected, but nothing came in time while {during}")
    if opens_http and error.__class__ is av.error.OSError:
        # libav has no other code for a redirect that it may not follow.
        return RedirectRefusedError(
            f"{shown}: broken answer or a redirect, which is not followed as the password would go along; "
            "give the final address"
        )
    reason = getattr(error, "strerror", None) or type(error).__name__
    return SourceError(f"{shown}: {redact(str(reason), url, encode_userinfo(url))} (while {during})")
