"""Films read as frames, as fast as it goes, and written; knows no camera, no waiting and no model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Self

import av
import cv2
import numpy as np

from footfall.domain import Frame
from footfall.errors import NotFoundError, SourceError
from footfall.vision.pixels import Converter, DecodedImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from numpy.typing import NDArray

_FILM_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""A film has no wall time of its own: its events are told from here."""


@dataclass(slots=True)
class FootageCounts:
    """What became of a film's frames.

    Attributes:
        received: that came out of the decoder.
        corrupt: of these, broken ones that were left out.
        skipped: of these, left out because a lower rate was asked for.
    """

    received: int = 0
    corrupt: int = 0
    skipped: int = 0


class Footage:
    """A film on disk; use as a context manager.

    Args:
        fps: frames a second to give; None gives all. Frames are chosen by their time, evenly, never invented.

    Raises:
        NotFoundError: there is no such file.
        SourceError: it is no film.
    """

    def __init__(self, path: Path, *, fps: float | None = None) -> None:
        self.path = path
        self.counts = FootageCounts()
        self._fps = fps
        if not path.is_file():
            raise NotFoundError(f"film {str(path)!r}: there is no such file")
        try:
            self._container = av.open(str(path))
            self._stream = self._container.streams.video[0]
        except (av.error.FFmpegError, IndexError, ValueError) as error:
            raise SourceError(f"film {str(path)!r}: no video could be read ({type(error).__name__})") from None
        self._stream.thread_type = "AUTO"

    @property
    def native_fps(self) -> float:
        """Frames a second as the film announces them; 25 when it says nothing."""
        return float(self._stream.average_rate or 25)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self._stream.width, self._stream.height

    @property
    def expected_frames(self) -> int | None:
        """How many frames the film announces; None when it says nothing."""
        return self._stream.frames or None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def frames(self) -> Iterator[Frame]:
        """Give the chosen frames; `received_s` is the position in the film, `received_at` counts from 1970."""
        native_s = 1 / self.native_fps
        last_s = -native_s
        next_due_s = 0.0
        converter = Converter()
        for index, decoded in enumerate(self._decode()):
            self.counts.received += 1
            # Some films number frames badly or not at all: then they are evenly spaced.
            at_s = index * native_s if decoded.time is None else float(decoded.time)
            if at_s <= last_s:
                at_s = last_s + native_s
            last_s = at_s
            if decoded.is_corrupt:
                self.counts.corrupt += 1
                continue
            if self._fps is not None:
                if at_s + native_s / 2 < next_due_s:
                    self.counts.skipped += 1
                    continue
                next_due_s = max(next_due_s + 1 / self._fps, at_s - 1 / self._fps)
            yield Frame(
                camera_id=self.path.stem,
                sequence=index,
                image=DecodedImage(decoded, converter),
                received_at=_FILM_START + timedelta(seconds=at_s),
                received_s=at_s,
            )

    def _decode(self) -> Iterator[av.VideoFrame]:
        try:
            yield from self._container.decode(self._stream)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            raise SourceError(
                f"film {str(self.path)!r}: broken after {self.counts.received} frames ({type(error).__name__})"
            ) from None


class FilmWriter:
    """Writes pictures as an H.264 film; use as a context manager.

    Args:
        target: a file by its name, or a binary file that can seek, which becomes MP4.
        fps: at which the film plays; each picture is shown at its own time.
        crf: quality, from 0 (nothing is lost) to 51; from about 12 on the eye cannot tell. 23 is libx264's own choice.
        x264: more of its options.

    Raises:
        SourceError: the file cannot be written.
    """

    def __init__(
        self, target: Path | BinaryIO, *, fps: float, crf: int = 23, x264: Mapping[str, str] | None = None
    ) -> None:
        self._fps = fps
        self._options = {"crf": str(crf), **(x264 or {})}
        try:
            if isinstance(target, Path):
                self._container = av.open(str(target), "w")
            else:
                self._container = av.open(target, "w", format="mp4")
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise SourceError(
                f"film {str(target)!r}: cannot be written ({type(error).__name__}); expected a name that ends in .mp4"
            ) from None
        self._stream: av.VideoStream | None = None
        self._first_s = 0.0
        self._last_tick = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is left, and the end."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()

    def write(self, picture: NDArray[np.uint8], at_s: float) -> None:
        """Append a picture.

        Args:
            picture: (H, W, 3) uint8 BGR; sizes are cut to even numbers, and all are brought to the first one's size.
            at_s: later than the one before, or the picture is left out.
        """
        if self._stream is None:
            height, width = picture.shape[:2]
            self._stream = self._container.add_stream(
                "libx264", rate=Fraction(self._fps).limit_denominator(1000), options=self._options
            )
            self._stream.width, self._stream.height, self._stream.pix_fmt = width & ~1, height & ~1, "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, 1000)
            self._first_s = at_s
        tick = round((at_s - self._first_s) * 1000)
        if tick <= self._last_tick:
            return
        self._last_tick = tick
        # Converted by OpenCV, which rounds: FFmpeg cuts off, and each film of a film would be darker and greener.
        planes = cv2.cvtColor(_of_size(picture, self._stream.width, self._stream.height), cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = tick, Fraction(1, 1000)
        self._container.mux(self._stream.encode(frame))


def _of_size(picture: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    if (height & ~1, width & ~1) == (height_px, width_px):
        return np.ascontiguousarray(picture[:height_px, :width_px])
    return np.asarray(cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8)
