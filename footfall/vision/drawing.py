"""Draws what was found and counted on a picture; decides nothing."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import supervision as sv
    from numpy.typing import NDArray

    from footfall.domain import Camera
    from footfall.vision.analysis import Analysis

_LINE_BGR: Final = (60, 200, 255)
_ZONE_BGR: Final = (230, 160, 60)
_COLORS: Final = ("#36c275", "#4aa3ff", "#ffb020", "#e0559a", "#9b7bff", "#2ed1c4")


@functools.cache
def _palette() -> sv.ColorPalette:
    import supervision as sv  # noqa: PLC0415  a tenth of the service's start, and nobody may look

    return sv.ColorPalette.from_hex(list(_COLORS))


def annotate(
    analysis: Analysis,
    camera: Camera,
    totals: Mapping[str, Mapping[str, int]],
    trails: Mapping[int, Sequence[tuple[float, float]]] | None = None,
    *,
    width_px: int | None = None,
) -> NDArray[np.uint8]:
    """Draw boxes, trails, lines with their counts and zones with the people in them.

    Args:
        totals: line → {"in", "out"}.
        trails: track id → foot points in source pixels, oldest first.
        width_px: of the result; as the source without it. Drawn after scaling, so that it stays legible.

    Returns:
        (H, W, 3) uint8 BGR; a new picture.
    """
    picture = analysis.frame.picture
    height, width = picture.shape[:2]
    scale = 1.0 if width_px is None else width_px / width
    if scale == 1.0:
        canvas = picture.copy()
    else:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        canvas = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR).astype(
            np.uint8, copy=False
        )
    thickness = max(1, round(canvas.shape[1] / 480))
    _draw_zones(canvas, camera, analysis.people_in_zone, thickness)
    if trails:
        for identity, trail in trails.items():
            color = _palette().by_idx(identity).as_bgr()
            points = np.round(np.array(trail) * scale).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(canvas, [points], isClosed=False, color=color, thickness=thickness, lineType=cv2.LINE_AA)
    if len(analysis.tracks.ids):
        import supervision as sv  # noqa: PLC0415  as above

        people = sv.Detections(
            xyxy=analysis.tracks.boxes_px * np.float32(scale),
            confidence=analysis.tracks.scores,
            class_id=np.zeros(len(analysis.tracks.ids), dtype=np.int64),
            tracker_id=analysis.tracks.ids,
        )
        boxes = sv.BoxAnnotator(color=_palette(), thickness=thickness, color_lookup=sv.ColorLookup.TRACK)
        canvas = boxes.annotate(canvas, people)
    _draw_lines(canvas, camera, totals, thickness)
    return canvas


def encode_jpeg(picture: NDArray[np.uint8], *, quality: int = 80) -> bytes:
    """Return a picture as JPEG; quality from 1 to 100.

    Raises:
        ValueError: the picture is empty.
    """
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"picture of shape {picture.shape} cannot be encoded as JPEG")
    return data.tobytes()


def _draw_zones(canvas: NDArray[np.uint8], camera: Camera, people_in_zone: Mapping[str, int], thickness: int) -> None:
    height, width = canvas.shape[:2]
    for zone in camera.zones:
        corners = np.round(np.array(zone.polygon) * (width, height)).astype(np.int32)
        left, top = corners.min(axis=0).clip(0)
        right, bottom = corners.max(axis=0) + 1
        part = canvas[top:bottom, left:right]
        tinted = part.copy()
        cv2.fillPoly(tinted, [corners - (left, top)], _ZONE_BGR)
        cv2.addWeighted(tinted, 0.22, part, 0.78, 0, dst=part)
        cv2.polylines(canvas, [corners], isClosed=True, color=_ZONE_BGR, thickness=thickness, lineType=cv2.LINE_AA)
        # At the top, where feet seldom are.
        x, y = (left + right) / 2, top + 0.03 * height
        _draw_text(canvas, f"{zone.name}: {people_in_zone.get(zone.name, 0)}", (x, y), _ZONE_BGR)


def _draw_lines(
    canvas: NDArray[np.uint8], camera: Camera, totals: Mapping[str, Mapping[str, int]], thickness: int
) -> None:
    height, width = canvas.shape[:2]
    for line in camera.lines:
        start, end = np.array(line.start) * (width, height), np.array(line.end) * (width, height)
        middle, along = (start + end) / 2, end - start
        # To the right of start→end on screen: the side where people go `in`.
        to_in = np.array((-along[1], along[0])) / max(1e-6, float(np.hypot(*along)))
        tip = middle + to_in * max(14.0, 0.04 * width)
        cv2.line(canvas, _pixel(start), _pixel(end), _LINE_BGR, thickness + 1, cv2.LINE_AA)
        cv2.arrowedLine(canvas, _pixel(middle), _pixel(tip), _LINE_BGR, thickness, cv2.LINE_AA, tipLength=0.4)
        counts = totals.get(line.name, {})
        text = f"{line.name}  in {counts.get('in', 0)}  out {counts.get('out', 0)}"
        # At the upper end, where it hides nobody who crosses.
        _draw_text(canvas, text, start if start[1] < end[1] else end, _LINE_BGR)


def _draw_text(
    canvas: NDArray[np.uint8], text: str, at: Sequence[float] | NDArray[np.float64], color: tuple[int, int, int]
) -> None:
    height, width = canvas.shape[:2]
    size = min(0.8, max(0.36, width / 1400))
    (text_width, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    x = int(min(max(4, at[0] - text_width / 2), max(4, width - text_width - 4)))
    y = int(min(max(text_height + 4, at[1]), height - below - 4))
    cv2.rectangle(canvas, (x - 4, y - text_height - 4), (x + text_width + 4, y + below + 2), (25, 25, 25), cv2.FILLED)
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)


def _pixel(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
