"""Fetches labelled frames of the slice and what is to be replayed into a run's folder; judges no label."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from footfall.errors import UnknownRecordError
from footfall.simulation import SCENES, parse_simulation_url
from footfall.stores.samples import each_sample
from footfall.vision.labelling import marks_of, settled
from footfall.vision.simulator import Simulator
from retrain.frames import LabelledFrame
from retrain.material import TRAINING_SEEDS, labelled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from footfall.domain import Sample, SampleLabel
    from footfall.stores.blobs import BlobStore
    from footfall.stores.samples import SampleStore
    from retrain.frames import Box, LabelledBy
    from retrain.job import Job

_DRAWN_EACH: Final = 12
_DRAWN_AT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_JPEG_QUALITY: Final = 92


@dataclass(slots=True)
class Collected:
    """What there is.

    Attributes:
        frames: labelled ones, new and old; their pictures are in the folder by `picture_file`.
        unlabelled: new frames with a picture that nobody labelled: for a teacher, or for a label batch.
        by_reviewer: reviewer → frame → boxes, of frames that more than one labelled.
        in_dispute: labelled ones of which nothing is used: of those set aside for two people, on which two differ.
        for_two: of those that were set aside for two people, frame → boxes of each, who spoke last standing last.
        unreadable: frames passed over because their picture is gone or cannot be read.
    """

    frames: list[LabelledFrame] = field(default_factory=list)
    unlabelled: list[LabelledFrame] = field(default_factory=list)
    by_reviewer: dict[str, dict[str, list[Box]]] = field(default_factory=dict)
    in_dispute: list[LabelledFrame] = field(default_factory=list)
    for_two: dict[str, list[list[Box]]] = field(default_factory=dict)
    unreadable: int = 0


def picture_file(folder: Path, frame_id: str) -> Path:
    """Where a frame's picture is in a run's folder."""
    return folder / f"{frame_id}.jpg"


def read_picture(folder: Path, frame: LabelledFrame) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 BGR.

    Raises:
        UnknownRecordError: the picture is not there; it was deleted meanwhile.
    """
    picture = cv2.imread(str(picture_file(folder, frame.id)))
    if picture is None:
        raise UnknownRecordError(f"frame {frame.id}: its picture is not there; it may have been deleted")
    return np.asarray(picture, np.uint8)


def collect(
    store: SampleStore,
    blobs: BlobStore,
    job: Job,
    folder: Path,
    *,
    most_old: int,
    most_unlabelled: int,
    drawn: int,
    for_two: Collection[str] = frozenset(),
    report: Callable[[int, int], None] = lambda _number, _total: None,
) -> Collected:
    """Fetch what is needed; of old frames the newest `most_old`, as many of each camera as there are.

    Args:
        folder: an existing one; pictures are written into it.
        drawn: drawn frames to add to the old ones.
        for_two: frames that are set aside for two people; of others the newest label is taken, whoever gave it.
        report: told how many frames of how many were looked at.
    """
    found = Collected()
    frames = [each for each in each_sample(store, unit="frame") if each.picture_deleted_at is None]
    said: dict[str, list[SampleLabel]] = {}
    for label in store.labels([each.id for each in frames]):
        if "boxes" in label.content:
            said.setdefault(label.sample_id, []).append(label)
    old_left = most_old
    unlabelled_left = most_unlabelled
    for number, sample in enumerate(reversed(frames)):  # newest first, so that bounds keep what is nearest to now
        report(number, len(frames))
        is_new = job.is_new(sample.camera_id, sample.taken_at)
        labels = said.get(sample.id, [])
        if (labels and not is_new and old_left == 0) or (not labels and (not is_new or unlabelled_left == 0)):
            continue
        frame = _fetched(blobs, sample, labels[-1] if labels else None, folder, is_new=is_new)
        marks = list(marks_of(labels)[sample.id].values()) if labels and sample.id in for_two else []
        if frame is not None and marks:
            found.for_two[sample.id] = [[_box(box) for box in each.tolist()] for each in marks]
        holds = settled(marks)
        if frame is None:
            found.unreadable += 1
        elif marks and holds is None:
            found.in_dispute.append(frame)
            _note_reviewers(found, sample.id, labels)
        elif not labels:
            found.unlabelled.append(frame)
            unlabelled_left -= 1
        else:
            if holds is not None:
                frame = replace(frame, boxes=tuple(_box(box) for box in holds.tolist()))
            found.frames.append(frame)
            old_left -= not is_new
            _note_reviewers(found, sample.id, labels)
    found.frames.reverse()
    found.unlabelled.reverse()
    found.in_dispute.reverse()
    found.frames += list(draw(folder, drawn))
    return found


def _fetched(
    blobs: BlobStore, sample: Sample, label: SampleLabel | None, folder: Path, *, is_new: bool
) -> LabelledFrame | None:
    try:
        content = blobs.get(sample.blob_key)
    except UnknownRecordError:  # its time was over just now
        return None
    raw = np.frombuffer(content, np.uint8)
    picture = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if picture is None or picture.shape[:2] != (sample.height_px, sample.width_px):
        return None
    picture_file(folder, sample.id).write_bytes(content)
    source: LabelledBy = "teacher" if label is None or label.source == "teacher" else label.source
    return LabelledFrame(
        id=sample.id,
        camera_id=sample.camera_id,
        taken_at=sample.taken_at,
        is_new=is_new,
        width_px=sample.width_px,
        height_px=sample.height_px,
        boxes=() if label is None else tuple(_box(each) for each in label.content["boxes"]),
        labelled_by=source,
        picture=sample.blob_key,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _box(values: Sequence[Any]) -> Box:
    x0, y0, x1, y1 = (round(float(value), 2) for value in values[:4])
    return x0, y0, x1, y1


def _note_reviewers(found: Collected, sample_id: str, labels: Sequence[SampleLabel]) -> None:
    newest = {label.reviewer: label for label in labels}
    if len(newest) > 1:
        for reviewer, label in newest.items():
            found.by_reviewer.setdefault(reviewer, {})[sample_id] = [_box(each) for each in label.content["boxes"]]


def draw(folder: Path, count: int) -> Iterator[LabelledFrame]:
    """Draw frames of many cameras, the same ones each time: what the embedded detector was made of."""
    rng = np.random.Generator(np.random.PCG64([count, TRAINING_SEEDS.start]))
    number = 0
    for camera in range(-(-count // _DRAWN_EACH)):
        seed = int(rng.integers(TRAINING_SEEDS.start, TRAINING_SEEDS.stop))
        people = int(rng.integers(3, 20))
        url = f"sim:{SCENES[camera % len(SCENES)]}?people={people}&seed={seed}&fps=0.4&size=640x360&start=20"
        for index, shown in enumerate(itertools.islice(Simulator(parse_simulation_url(url)).frames(), _DRAWN_EACH)):
            if number == count:
                return
            frame_id = f"drawn-{number:05d}"
            path = picture_file(folder, frame_id)
            cv2.imwrite(str(path), shown.picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
            boxes = shown.people.boxes_px[labelled(shown.people)]
            yield LabelledFrame(
                id=frame_id,
                camera_id=f"drawn-{camera}",
                taken_at=_DRAWN_AT,
                is_new=False,
                width_px=shown.picture.shape[1],
                height_px=shown.picture.shape[0],
                boxes=tuple(_box(each) for each in boxes.tolist()),
                labelled_by="truth",
                picture=f"{url}#{index}",
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            number += 1
