"""Films a stretch of a camera around one of its lines, heads pixelated, for somebody to count; knows no store."""

from __future__ import annotations

import contextlib
import io
import random
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import av
import cv2
import numpy as np

from footfall.errors import FootfallError, SourceError
from footfall.vision.footage import FilmWriter
from footfall.vision.privacy import pixelate_heads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from footfall.domain import Crossing, Line
    from footfall.vision.analysis import Analysis

MEDIA_TYPE: Final = "video/mp4"
AROUND_S: Final = 1.0
"""Boxes of so long before and after a picture are pixelated in it: whom the detector misses now, it finds soon."""
_LATE_S: Final = 10.0
"""A crossing is certain only when somebody has walked on, and is told then."""
_LONGEST_GAP_S: Final = 2.0
"""Without a picture for so long nobody can count, nor could the system."""
_WIDTH_PX: Final = 640
_RATE: Final = 5
"""Frames a second that players are told; each is shown at its own time."""
_CRF: Final = 27
_X264: Final = {"preset": "veryfast", "threads": "1", "g": "10"}
"""A key picture every ten, so that a player can step back."""


class ClipError(FootfallError):
    """A clip cannot be made, or would show less than it seems to; it is left out."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A film that is done.

    Attributes:
        content: MP4, H.264.
        detail: see `footfall.domain.Sample`.
    """

    begin_at: datetime
    line: str
    content: bytes
    width_px: int
    height_px: int
    detail: dict[str, Any]


def starts_in_period(
    slots: int, camera_id: str, begin_at: datetime, length: timedelta = timedelta(hours=1)
) -> list[datetime]:
    """When a period's clips begin, in order: each at random in its own part of the period.

    The same camera and period give the same times, so that a restart neither repeats nor shifts one.

    >>> starts_in_period(0, "gate", datetime(2026, 3, 1))
    []
    """
    rng = random.Random(f"clips/{camera_id}/{begin_at.isoformat()}")  # noqa: S311  no secret
    part = length / max(slots, 1)
    return [begin_at + (index + rng.random()) * part for index in range(slots)]


class ClipRecorder:
    """Films one stretch, frame by frame as they are analysed; on the analysis thread.

    Args:
        seconds: length of the film.
    """

    def __init__(self, line: Line, seconds: float) -> None:
        self._line = line
        self._seconds = seconds
        self._begin: tuple[datetime, float] | None = None
        self._newest_s = 0.0
        self._last_s = 0.0
        self._frames = 0
        self._waiting: deque[tuple[float, NDArray[np.uint8]]] = deque()
        self._boxes: deque[tuple[float, NDArray[np.float32]]] = deque()
        self._size_px: tuple[int, int] | None = None
        self._scale = 1.0
        self._crossings: list[Crossing] = []
        self._file = io.BytesIO()
        self._film: FilmWriter | None = None
        self._film_px = 0, 0

    def add(self, analysis: Analysis, earlier: Sequence[tuple[float, NDArray[np.float32]]]) -> Clip | None:
        """Take in the next analysed frame; returns the film when it is done, some seconds after its end.

        Args:
            earlier: boxes of the second before, each with its time, in pixels of the frame; used for the first one.

        Raises:
            ClipError: a gap, another picture size, or a fault of the encoder; the recorder is of no use then.
        """
        frame = analysis.frame
        width, height = frame.size_px
        if self._begin is None:
            self._begin = frame.received_at, frame.received_s
            self._newest_s = frame.received_s
            self._size_px = width, height
            self._scale = min(1.0, _WIDTH_PX / width)
            self._boxes.extend((at_s, boxes * np.float32(self._scale)) for at_s, boxes in earlier)
        if self._size_px != (width, height):
            raise ClipError("the picture's size changed during a clip; the clip is left out")
        if frame.received_s - self._newest_s > _LONGEST_GAP_S:
            raise ClipError(f"no picture for over {_LONGEST_GAP_S:g} s during a clip; the clip is left out")
        self._newest_s = frame.received_s
        at_s = frame.received_s - self._begin[1]
        self._crossings += [each for each in analysis.crossings if each.line == self._line.name]
        if at_s <= self._seconds + AROUND_S:
            boxes = np.vstack([analysis.detections.boxes_px, analysis.tracks.boxes_px]).astype(np.float32)
            self._boxes.append((frame.received_s, boxes * np.float32(self._scale)))
        if at_s < self._seconds:
            self._waiting.append((frame.received_s, self._scaled(frame.picture)))
        self._write(until_s=frame.received_s - AROUND_S if at_s < self._seconds + AROUND_S else float("inf"))
        return self._clip() if at_s >= self._seconds + _LATE_S else None

    def _scaled(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = picture.shape[:2]
        # Even, as the film's colours are kept for two by two pixels.
        size = max(2, round(width * self._scale / 2) * 2), max(2, round(height * self._scale / 2) * 2)
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _write(self, *, until_s: float) -> None:
        while self._waiting and self._waiting[0][0] <= until_s:
            at_s, picture = self._waiting.popleft()
            while self._boxes and self._boxes[0][0] < at_s - AROUND_S:
                self._boxes.popleft()
            near = [boxes for box_s, boxes in self._boxes if box_s <= at_s + AROUND_S]
            safe = pixelate_heads(picture, np.vstack(near))
            assert self._begin is not None
            self._last_s = at_s - self._begin[1]
            self._frames += 1
            with _told():
                if self._film is None:
                    self._film = FilmWriter(self._file, fps=_RATE, crf=_CRF, x264=_X264)
                    self._film_px = safe.shape[1], safe.shape[0]
                self._film.write(safe, self._last_s)

    def _clip(self) -> Clip:
        assert self._begin is not None
        assert self._film is not None
        with _told():
            self._film.close()
        begin_at, line = self._begin[0], self._line
        crossings = [
            {"at_s": round((each.at - begin_at).total_seconds(), 3), "direction": each.direction}
            for each in sorted(self._crossings, key=lambda each: each.at)
            if 0 <= (each.at - begin_at).total_seconds() <= self._seconds
        ]
        directions = [each["direction"] for each in crossings]
        return Clip(
            begin_at=begin_at,
            line=line.name,
            content=self._file.getvalue(),
            width_px=self._film_px[0],
            height_px=self._film_px[1],
            detail={
                "line": line.name,
                "start": list(line.start),
                "end": list(line.end),
                "seconds": self._seconds,
                "fps": round((self._frames - 1) / self._last_s, 3) if self._last_s > 0 else 0.0,
                "counted": {"in": directions.count("in"), "out": directions.count("out")},
                "crossings": crossings,
            },
        )


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (SourceError, av.error.FFmpegError, ValueError, MemoryError) as error:
        raise ClipError(f"the film could not be made ({type(error).__name__}); the clip is left out") from None
