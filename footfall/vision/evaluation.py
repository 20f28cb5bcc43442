"""How right detections, tracks and counts are against ground truth; draws no conclusions and stores nothing."""

from __future__ import annotations

import configparser
import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from footfall.domain import Detections, Line, Tracks, Zone
from footfall.errors import EvaluationError
from footfall.vision.boxes import pairwise_iou

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from footfall.domain import Crossing, Direction, ZoneVisit

EVENT_TOLERANCE_S: Final = 1.0
"""A found crossing is right when truth has one of the same direction within this time."""
DIRECTIONS: Final[tuple[Direction, ...]] = ("in", "out")


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """A crossing that really happened.

    Attributes:
        at_s: position in the film.
        person_id: in the ground truth; None when it does not say.
    """

    at_s: float
    direction: Direction
    person_id: int | None = None


@dataclass(frozen=True, slots=True)
class TrueLine:
    """A line and all crossings of it."""

    line: Line
    events: tuple[TrueEvent, ...]


@dataclass(frozen=True, slots=True)
class TrueVisit:
    """A stay in the picture; seconds of film."""

    entered_s: float
    left_s: float


@dataclass(frozen=True, slots=True)
class TrueZone:
    """A zone and all stays in it."""

    zone: Zone
    visits: tuple[TrueVisit, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FilmedTruth:
    """A film with its ground truth; what is absent is None.

    Attributes:
        boxes: frame (0-based) → ids (N,) int64 and boxes (N, 4) float32 in pixels.
        ignored: the same of people whom it is neither right nor wrong to find, as they are hardly seen.
    """

    folder: Path
    fps: float
    frames: int
    width_px: int
    height_px: int
    boxes: Mapping[int, tuple[NDArray[np.int64], NDArray[np.float32]]] | None
    lines: tuple[TrueLine, ...] | None
    visits: tuple[TrueVisit, ...] | None
    zones: tuple[TrueZone, ...] | None = None
    ignored: Mapping[int, tuple[NDArray[np.int64], NDArray[np.float32]]] | None = None

    @property
    def video(self) -> Path:
        """The film."""
        return self.folder / "video.mp4"

    def boxes_at(self, frame: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and boxes of a frame (0-based); empty when nobody is in the picture."""
        empty = np.empty(0, np.int64), np.empty((0, 4), np.float32)
        return (self.boxes or {}).get(frame, empty)

    def ignored_at(self, frame: int) -> NDArray[np.float32]:
        """(N, 4) boxes of a frame (0-based) that are not to be judged by."""
        return self.ignored[frame][1] if self.ignored and frame in self.ignored else np.empty((0, 4), np.float32)


def read_sequence(folder: Path) -> FilmedTruth:
    """Read a folder with `video.mp4`, `seqinfo.ini` and what there is of its ground truth in `gt/`.

    That is any of `gt.txt`, `crossings.json`, `visits.json` and `zones.json`; see docs/evaluation.md.

    Raises:
        EvaluationError: a part is missing or not understood; names it.
    """
    if not (folder / "video.mp4").is_file():
        raise EvaluationError(
            f"sequence {str(folder)!r}: has no video.mp4; expected a folder as docs/evaluation.md says"
        )
    info = configparser.ConfigParser()
    try:
        info.read_string((folder / "seqinfo.ini").read_text(encoding="utf-8"))
        part = info["Sequence"]
        fps, frames = float(part["frameRate"]), int(part["seqLength"])
        width, height = int(part["imWidth"]), int(part["imHeight"])
    except (OSError, KeyError, ValueError, configparser.Error) as error:
        raise EvaluationError(
            f"sequence {str(folder)!r}: seqinfo.ini is not understood ({error}); expected [Sequence] with frameRate, "
            "seqLength, imWidth and imHeight"
        ) from None
    truth = folder / "gt"
    boxes, ignored = _read_boxes(truth / "gt.txt")
    return FilmedTruth(
        folder=folder,
        fps=fps,
        frames=frames,
        width_px=width,
        height_px=height,
        boxes=boxes,
        ignored=ignored,
        lines=_read_crossings(truth / "crossings.json", fps=fps, width_px=width, height_px=height),
        visits=_read_visits(truth / "visits.json"),
        zones=_read_zones(truth / "zones.json", width_px=width, height_px=height),
    )


_Rows = dict[int, list[tuple[int, float, float, float, float]]]
_Boxes = dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]]


def _read_boxes(path: Path) -> tuple[_Boxes | None, _Boxes | None]:
    """MOT format: frame (1-based), id, x, y, w, h, …; returned apart: entries whose 7th field is 0, to be ignored."""
    if not path.is_file():
        return None, None
    rows: tuple[_Rows, _Rows] = ({}, {})
    with path.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.reader(stream), start=1):
            if not row:
                continue
            try:
                frame, identity = int(float(row[0])), int(float(row[1]))
                x, y, width, height = (float(value) for value in row[2:6])
                counts = len(row) < 7 or float(row[6]) != 0
            except (ValueError, IndexError):
                raise EvaluationError(f"{path}: line {number} is {row!r}; expected frame,id,x,y,w,h,…") from None
            rows[0 if counts else 1].setdefault(frame - 1, []).append((identity, x, y, x + width, y + height))
    return _as_arrays(rows[0]), _as_arrays(rows[1])


def _as_arrays(rows: _Rows) -> _Boxes:
    return {
        frame: (
            np.array([entry[0] for entry in entries], dtype=np.int64),
            np.array([entry[1:] for entry in entries], dtype=np.float32),
        )
        for frame, entries in rows.items()
    }


def _read_crossings(path: Path, *, fps: float, width_px: int, height_px: int) -> tuple[TrueLine, ...] | None:
    if not path.is_file():
        return None
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))["lines"]
        return tuple(
            TrueLine(
                Line(
                    str(entry["line"]),
                    (entry["a"][0] / width_px, entry["a"][1] / height_px),
                    (entry["b"][0] / width_px, entry["b"][1] / height_px),
                ),
                tuple(TrueEvent((frame - 1) / fps, direction, who) for frame, who, direction in entry["events"]),
            )
            for entry in lines
        )
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise EvaluationError(f"{path}: not understood ({type(error).__name__}: {error})") from None


def _read_visits(path: Path) -> tuple[TrueVisit, ...] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fps = float(content["fps"])
        return _stays(content["visits"], fps)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"{path}: not understood ({type(error).__name__}: {error})") from None


def _read_zones(path: Path, *, width_px: int, height_px: int) -> tuple[TrueZone, ...] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fps = float(content["fps"])
        return tuple(
            TrueZone(
                Zone(str(entry["zone"]), tuple((x / width_px, y / height_px) for x, y in entry["polygon"])),
                _stays(entry["visits"], fps),
            )
            for entry in content["zones"]
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"{path}: not understood ({type(error).__name__}: {error})") from None


def _stays(entries: list[dict[str, Any]], fps: float) -> tuple[TrueVisit, ...]:
    return tuple(TrueVisit((entry["enter_frame"] - 1) / fps, (entry["leave_frame"] - 1) / fps) for entry in entries)


def detection_scores(
    truth: Sequence[NDArray[np.float32]],
    found: Sequence[Detections],
    *,
    threshold: float,
    iou: float = 0.5,
    ignored: Sequence[NDArray[np.float32]] | None = None,
) -> dict[str, float | None]:
    """Precision and recall at `threshold`, average precision over all thresholds.

    Args:
        truth: (N, 4) boxes of each evaluated frame.
        found: detections of the same frames.
        iou: least overlap of a right detection; each true box is found once, by the strongest.
        ignored: (N, 4) boxes of each frame; who finds one of them, and no true box, is neither right nor wrong.

    Returns:
        `precision`, `recall`, `ap50`, `threshold`; a ratio without cases is None.

    Source: PASCAL VOC matching, area under the interpolated precision-recall curve (all points).
    """
    scores: list[NDArray[np.float32]] = []
    hit_lists: list[NDArray[np.bool_]] = []
    for index, (boxes, detections) in enumerate(zip(truth, found, strict=True)):
        hit = hits(boxes, detections, iou) >= 0
        judged = np.ones(len(hit), bool)
        if ignored is not None:
            judged = hit | (pairwise_iou(detections.boxes_px, ignored[index]) < iou).all(axis=1)
        hit_lists.append(hit[judged])
        scores.append(detections.scores[judged])
    all_scores = np.concatenate(scores) if scores else np.empty(0, np.float32)
    all_hits = np.concatenate(hit_lists) if hit_lists else np.empty(0, bool)
    total = sum(len(boxes) for boxes in truth)
    sure = all_scores >= threshold
    right = int(all_hits[sure].sum())
    order = np.argsort(-all_scores, kind="stable")
    cumulated = np.cumsum(all_hits[order])
    ap50 = None
    if total:
        recall = cumulated / total
        precision = cumulated / np.arange(1, len(order) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        ap50 = float(np.sum(np.diff(np.concatenate(([0.0], recall))) * envelope))
    return {
        "precision": right / int(sure.sum()) if sure.any() else None,
        "recall": right / total if total else None,
        "ap50": ap50,
        "threshold": threshold,
    }


def hits(truth: NDArray[np.float32], detections: Detections, iou: float) -> NDArray[np.int64]:
    """Which person each find is right about: (N,) index in `truth` (M, 4), -1 about nobody.

    Each person is found once, by the strongest find that overlaps enough.
    """
    overlaps = pairwise_iou(detections.boxes_px, truth)
    partner = np.full(len(detections.scores), -1, np.int64)
    free = np.ones(len(truth), dtype=bool)
    for index in np.argsort(-detections.scores, kind="stable"):
        candidates = np.where(free, overlaps[index], 0.0)
        if len(candidates) and candidates.max() >= iou:
            partner[index] = candidates.argmax()
            free[partner[index]] = False
    return partner


def tracking_scores(
    truth: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]],
    found: Sequence[Tracks],
    *,
    ignored: Sequence[NDArray[np.float32]] | None = None,
) -> dict[str, float]:
    """HOTA, IDF1 and MOTA over the evaluated frames, by `trackers.eval`.

    Args:
        truth: ids (N,) and boxes (N, 4) of each evaluated frame.
        found: tracks of the same frames.
        ignored: (N, 4) boxes of each frame; tracks that follow one of them are left out, as MOT Challenge has it.
    """
    # It brings annotators and videos with it; the service, which pairs events by this module, needs none of them.
    from trackers.eval import (  # noqa: PLC0415
        compute_clear_metrics,
        compute_hota_metrics,
        compute_identity_metrics,
    )

    if ignored is not None:
        found = [
            _without(tracks, boxes, left_out)
            for tracks, (_, boxes), left_out in zip(found, truth, ignored, strict=True)
        ]
    truth_ids = _dense_ids([ids for ids, _ in truth])
    found_ids = _dense_ids([tracks.ids for tracks in found])
    similarity = [
        pairwise_iou(boxes, tracks.boxes_px).astype(np.float64) for (_, boxes), tracks in zip(truth, found, strict=True)
    ]
    return {
        "hota": float(compute_hota_metrics(truth_ids, found_ids, similarity)["HOTA"]),
        "idf1": float(compute_identity_metrics(truth_ids, found_ids, similarity)["IDF1"]),
        "mota": float(compute_clear_metrics(truth_ids, found_ids, similarity)["MOTA"]),
    }


def _without(tracks: Tracks, truth: NDArray[np.float32], ignored: NDArray[np.float32], iou: float = 0.5) -> Tracks:
    """The tracks but for those whose best partner, true people first, is an ignored box."""
    overlaps = pairwise_iou(tracks.boxes_px, np.concatenate([truth, ignored]))
    overlaps[:, : len(truth)] += (overlaps[:, : len(truth)] >= iou).astype(overlaps.dtype)
    rows, columns = linear_sum_assignment(-np.where(overlaps >= iou, overlaps, 0.0))
    kept = np.ones(len(tracks.ids), bool)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        kept[row] = column < len(truth) or overlaps[row, column] < iou
    return Tracks(tracks.ids[kept], tracks.boxes_px[kept], tracks.scores[kept])


def _dense_ids(ids: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Number ids from 0 without gaps, as the metrics ask."""
    known = {identity: index for index, identity in enumerate(sorted({int(i) for frame in ids for i in frame}))}
    return [np.array([known[int(i)] for i in frame], dtype=np.int64) for frame in ids]


def match_events(
    truth: Sequence[TrueEvent], found: Sequence[TrueEvent], *, tolerance_s: float = EVENT_TOLERANCE_S
) -> list[tuple[int, int]]:
    """Pair true with found crossings of one line: same direction, within the tolerance, as many pairs as possible.

    Returns:
        (index in truth, index in found); of equally many pairs those nearest in time.
    """
    if not truth or not found:
        return []
    gaps = np.array([[abs(a.at_s - b.at_s) for b in found] for a in truth])
    allowed = np.array([[a.direction == b.direction for b in found] for a in truth]) & (gaps <= tolerance_s)
    rows, columns = linear_sum_assignment(np.where(allowed, gaps - 1e3, 0.0))
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if allowed[row, column]]


def counting_scores(lines: Sequence[TrueLine], found: Mapping[str, Sequence[Crossing]], start: Any) -> dict[str, Any]:  # noqa: ANN401
    """Count accuracy and event precision, recall and F1 over all lines.

    Count accuracy is 1 - Σ|found - true| / Σ true over lines and directions: misses and false counts cancel in it,
    which is why events are scored as well.

    Args:
        found: line name → crossings.
        start: wall time (aware datetime) of the film's beginning, as the crossings tell it.
    """
    errors = total = matched = found_total = 0
    reports = []
    for true_line in lines:
        events = [
            TrueEvent((crossing.at - start).total_seconds(), crossing.direction)
            for crossing in sorted(found.get(true_line.line.name, ()), key=lambda each: each.at)
        ]
        pairs = match_events(true_line.events, events)
        counts = {
            kind: {direction: sum(event.direction == direction for event in group) for direction in DIRECTIONS}
            for kind, group in (("truth", true_line.events), ("found", events))
        }
        errors += sum(abs(counts["truth"][direction] - counts["found"][direction]) for direction in DIRECTIONS)
        total += len(true_line.events)
        found_total += len(events)
        matched += len(pairs)
        true_hit, found_hit = {row for row, _ in pairs}, {column for _, column in pairs}
        reports.append(
            {
                "name": true_line.line.name,
                **counts,
                "missed": [
                    {"t_s": round(event.at_s, 2), "direction": event.direction, "person": event.person_id}
                    for index, event in enumerate(true_line.events)
                    if index not in true_hit
                ],
                "false": [
                    {"t_s": round(event.at_s, 2), "direction": event.direction}
                    for index, event in enumerate(events)
                    if index not in found_hit
                ],
            }
        )
    precision = matched / found_total if found_total else None
    recall = matched / total if total else None
    return {
        "accuracy": 1 - errors / total if total else None,
        "event_precision": precision,
        "event_recall": recall,
        "event_f1": 2 * matched / (total + found_total) if total + found_total else None,
        "lines": reports,
    }


def visit_scores(truth: Sequence[TrueVisit], found: Sequence[ZoneVisit], start: Any) -> dict[str, Any]:  # noqa: ANN401
    """Pair true with found stays by the time that they share, and compare how long they lasted.

    Returns:
        `truth` and `found` counts, `matched`, `worst_dwell_error_s` (None without pairs) and the `visits`.
    """
    spans = [((v.entered_at - start).total_seconds(), (v.left_at - start).total_seconds()) for v in found]
    shared = np.array(
        [[max(0.0, min(t.left_s, b) - max(t.entered_s, a)) for a, b in spans] for t in truth], dtype=np.float64
    ).reshape(len(truth), len(spans))
    rows, columns = linear_sum_assignment(-shared)
    visits = [
        {
            "true_dwell_s": round(truth[row].left_s - truth[row].entered_s, 2),
            "found_dwell_s": round(found[column].dwell_s, 2),
            "dwell_error_s": round(found[column].dwell_s - (truth[row].left_s - truth[row].entered_s), 2),
            "outcome": found[column].outcome,
        }
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if shared[row, column] > 0
    ]
    worst = max((abs(float(visit["dwell_error_s"])) for visit in visits), default=None)
    return {
        "truth": len(truth),
        "found": len(found),
        "matched": len(visits),
        "worst_dwell_error_s": worst,
        "visits": visits,
    }
