"""Takes labelled frames to other tools and their labels back, as COCO or YOLO; knows no page and no command.

A set is a folder. What comes back is foreign: of it only lists of labels are read, never a picture, and no path that
stands in them is followed.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal

import cv2
import numpy as np
import yaml

from footfall.domain import SampleLabel
from footfall.errors import FootfallError, UnknownRecordError
from footfall.stores.samples import each_sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from footfall.domain import Sample, SampleQueue
    from footfall.stores.blobs import BlobStore
    from footfall.stores.samples import SampleStore

LabelFormat = Literal["coco", "yolo"]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the sample's picture, origin top left."""

MAX_ARCHIVE_BYTES: Final = 64_000_000
MAX_FILES: Final = 20_000
MAX_LABEL_BYTES: Final = 64_000_000
"""Of all label files of a set together: a list is some ten times as large in memory."""
MAX_BOXES: Final = 1000
"""On one frame; the same as for labels over the API."""

_CLASS: Final = "person"
_PEOPLE: Final = frozenset({"person", "people", "pedestrian"})
_REVIEWER: Final = re.compile(r"\S(?:.{0,62}\S)?")
_ID: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_SAME_PX: Final = 0.1
"""YOLO keeps five digits of the picture's width: 0.04 pixels at 3840."""
_PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_CLASS_FILES: Final = ("data.yaml", "data.yml", "obj.names", "classes.txt")
_LISTS: Final = frozenset({"classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt", "default.txt"})
_READ: Final = frozenset({".json", ".txt", ".yaml", ".yml", ".names"})


class LabelSetError(FootfallError):
    """A set of labels cannot be written or read; no label was added."""


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written.

    Attributes:
        frames: pictures in the set.
        labelled: of them, with what people said; the others carry the system's boxes.
        boxes: of people, on all of them.
        missing: frames left out because their picture is gone or cannot be read.
    """

    frames: int
    labelled: int
    boxes: int
    missing: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image of a set that was passed over, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What was taken over.

    Attributes:
        added: labels stored.
        unchanged: frames of which this reviewer's newest label says the same.
        skipped: images passed over.
        ignored: boxes passed over, by class name.
    """

    added: int
    unchanged: int
    skipped: tuple[Skipped, ...]
    ignored: Mapping[str, int]


@dataclass(slots=True)
class _Found:
    """Labels of a set, all checked, none stored."""

    boxes: dict[str, list[Box]] = field(default_factory=dict)  # by sample
    named: dict[str, str] = field(default_factory=dict)  # sample: the image it was found by
    skipped: list[Skipped] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def take(self, sample: Sample, image: str, boxes: list[Box]) -> None:
        """Keep an image's boxes.

        Raises:
            LabelSetError: another image of the set is of the same sample.
        """
        if sample.id in self.named:
            raise LabelSetError(
                f"{image} and {self.named[sample.id]}: both are of sample {sample.id}; expected each frame once. "
                "Nothing was added"
            )
        self.named[sample.id], self.boxes[sample.id] = image, boxes


# Export


def export_frames(
    store: SampleStore,
    blobs: BlobStore,
    folder: Path,
    *,
    format: LabelFormat,  # noqa: A002  what the option is called
    camera_ids: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    queue: SampleQueue | None = None,
    with_unlabelled: bool = False,
    most: int | None = None,
) -> ExportSummary:
    """Write the labelled frames whose picture is still there as a data set for other tools.

    Of each frame the newest standing label of anybody counts; a frame on which nobody is is in the set too. File
    names hold the sample's id: by it the labels find their way back.

    Args:
        folder: made when it is not there; must be empty.
        with_unlabelled: frames of which nobody said anything go out with the system's boxes, to be corrected.
        most: refuse to write more frames; None for any number.

    Raises:
        LabelSetError: the folder is not empty or cannot be written; there is no frame, or more than `most`.
    """
    wanted = _frames_to_write(
        store,
        [
            sample
            for sample in each_sample(store, since=since, until=until, unit="frame", queue=queue, camera_ids=camera_ids)
            if sample.picture_deleted_at is None
        ],
        with_unlabelled=with_unlabelled,
    )
    if not wanted:
        unlabelled = "" if with_unlabelled else " that somebody labelled"
        raise LabelSetError(f"there is no frame{unlabelled} with its picture in what was asked for; nothing is written")
    if most is not None and len(wanted) > most:
        raise LabelSetError(
            f"{len(wanted)} frames were asked for, expected at most {most}; nothing is written. Ask for fewer days or "
            "one camera, or use `footfall samples export`"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise LabelSetError(f"{folder}: is not empty; expected an empty folder, nothing is written")
        return _write_set(blobs, folder, wanted, format)
    except OSError as error:
        raise LabelSetError(f"{folder}: cannot be written ({error.strerror or type(error).__name__})") from None


@dataclass(frozen=True, slots=True)
class _Outgoing:
    sample: Sample
    boxes: list[Box]
    is_labelled: bool


def _frames_to_write(store: SampleStore, frames: Sequence[Sample], *, with_unlabelled: bool) -> list[_Outgoing]:
    newest = {
        label.sample_id: label for label in store.labels([frame.id for frame in frames]) if "boxes" in label.content
    }
    wanted = []
    for frame in frames:
        label = newest.get(frame.id)
        if label is not None:
            wanted.append(_Outgoing(frame, [_box(each) for each in label.content["boxes"]], is_labelled=True))
        elif with_unlabelled:
            boxes = [_box(each[:4]) for each in frame.detail.get("boxes", ())]
            inside = [box for box in (_clipped(box, frame) for box in boxes) if box is not None]
            wanted.append(_Outgoing(frame, inside, is_labelled=False))
    return wanted


def _write_set(
    blobs: BlobStore,
    folder: Path,
    wanted: Sequence[_Outgoing],
    format: LabelFormat,  # noqa: A002
) -> ExportSummary:
    import supervision as sv  # noqa: PLC0415  heavy

    # Where CVAT expects them: https://docs.cvat.ai/docs/dataset_management/formats/
    subset = "default" if format == "coco" else "train"
    pictures = folder / "images" / subset
    pictures.mkdir(parents=True)
    written: dict[str, _Outgoing] = {}
    for each in wanted:
        content = _picture(blobs, each.sample)
        if content is None:
            continue
        path = pictures / _file_name(each.sample)
        path.write_bytes(content)
        written[str(path)] = each
    dataset = sv.DetectionDataset(
        classes=[_CLASS],
        images=list(written),
        annotations={
            path: sv.Detections(
                xyxy=np.array(each.boxes, np.float32).reshape(-1, 4), class_id=np.zeros(len(each.boxes), int)
            )
            for path, each in written.items()
        },
    )
    if format == "coco":
        annotations = folder / "annotations" / "instances_default.json"
        dataset.as_coco(annotations_path=str(annotations))
        _amend_coco(annotations, {Path(path).name: each.sample for path, each in written.items()})
    else:
        dataset.as_yolo(annotations_directory_path=str(folder / "labels" / subset))
        names = "".join(f"images/{subset}/{Path(path).name}\n" for path in written)
        (folder / "train.txt").write_text(names, encoding="utf-8")
        (folder / "data.yaml").write_text(f"path: ./\ntrain: train.txt\nnames:\n  0: {_CLASS}\n", encoding="utf-8")
        (folder / "classes.txt").write_text(f"{_CLASS}\n", encoding="utf-8")  # for Label Studio
    return ExportSummary(
        frames=len(written),
        labelled=sum(each.is_labelled for each in written.values()),
        boxes=sum(len(each.boxes) for each in written.values()),
        missing=len(wanted) - len(written),
    )


def _amend_coco(path: Path, samples: Mapping[str, Sample]) -> None:
    """Put right what supervision writes: pictures of cameras are under no free licence, and not taken just now."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["licenses"] = []
    for image in content["images"]:
        image.pop("license")
        image["date_captured"] = samples[image["file_name"]].taken_at.astimezone(UTC).isoformat(timespec="seconds")
    path.write_text(json.dumps(content), encoding="utf-8")


def _picture(blobs: BlobStore, sample: Sample) -> bytes | None:
    """Return the stored JPEG; None when it is gone or is no picture of the sample's size."""
    try:
        content = blobs.get(sample.blob_key)
    except UnknownRecordError:  # its time was over just now
        return None
    raw = np.frombuffer(content, np.uint8)
    picture = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if picture is None or picture.shape[:2] != (sample.height_px, sample.width_px):
        return None
    return content


def _file_name(sample: Sample) -> str:
    camera = re.sub(r"[^A-Za-z0-9.=-]", "-", sample.camera_id)
    return f"{camera}_{sample.taken_at.astimezone(UTC).date().isoformat()}_{sample.id}.jpg"


# Import


def import_frames(
    store: SampleStore,
    folder: Path,
    *,
    format: LabelFormat,  # noqa: A002  what the option is called
    reviewer: str,
    at: datetime,
) -> ImportSummary:
    """Add a label to each frame whose id is in the name of an image of the set; all is checked before.

    An image without boxes says that nobody is on the frame. supervision reads such sets too; it is not used here, as
    for YOLO it wants the pictures, which other tools need not give back, for COCO it paints outlines in whatever size
    the file claims, and its errors do not tell the entry at fault.

    Args:
        reviewer: in whose name; the same set again adds nothing.
        at: aware UTC.

    Raises:
        LabelSetError: the set cannot be read, or says something that no label can say; nothing was added.
    """
    if not _REVIEWER.fullmatch(reviewer):
        raise LabelSetError("reviewer: expected a name of 1 to 64 characters without space at its ends")
    files = _files(folder)
    found = _read_coco(store, files) if format == "coco" else _read_yolo(store, files)
    standing = {
        label.sample_id: label.content["boxes"]
        for label in store.labels(list(found.boxes))
        if label.reviewer == reviewer and "boxes" in label.content
    }
    added = 0
    for sample_id, boxes in found.boxes.items():
        if sample_id in standing and _are_same(boxes, [_box(each) for each in standing[sample_id]]):
            continue
        content = {"boxes": [list(box) for box in boxes]}
        store.add_label(SampleLabel(sample_id, reviewer, at, "import", content))
        added += 1
    return ImportSummary(added, len(found.boxes) - added, tuple(found.skipped), dict(found.ignored))


def unpack_set(archive: bytes, folder: Path) -> None:
    """Unpack the label files of a zip file into an empty folder; of pictures only the names, as empty files.

    Raises:
        LabelSetError: it is no zip file, one of its names leads elsewhere, or it is too large.
    """
    # Before the list of contents is read into memory: each entry of it begins with this mark.
    if archive.count(b"PK\x01\x02") > MAX_FILES:
        raise LabelSetError(f"zip file: holds more than {MAX_FILES} files; expected fewer, nothing was added")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            room = MAX_LABEL_BYTES
            for entry in opened.infolist():
                if entry.is_dir():
                    continue
                target = folder / _safe_path(entry)
                suffix = target.suffix.lower()
                if suffix not in _READ | _PICTURES:
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    if suffix in _READ:
                        room = _inflate(opened, entry, file, room)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:  # RuntimeError: a password
        why = type(error).__name__
        raise LabelSetError(f"zip file: cannot be read ({why}); expected a .zip without password") from None
    except OSError as error:  # two files of one name, a file where a folder is, a name too long
        raise LabelSetError(f"zip file: cannot be unpacked ({error.strerror or type(error).__name__})") from None


def pack_set(folder: Path, archive: BinaryIO) -> None:
    """Put a set into a zip file; the folder is emptied on the way, so that it takes its room once."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            kind = zipfile.ZIP_STORED if path.suffix in _PICTURES else zipfile.ZIP_DEFLATED
            opened.write(path, path.relative_to(folder).as_posix(), compress_type=kind)
            path.unlink()


def _safe_path(entry: zipfile.ZipInfo) -> PurePosixPath:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in entry.filename or is_link:
        raise LabelSetError(f"zip file: {_shown(entry.filename)} leads out of the set; nothing was added")
    return path


def _inflate(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, file: BinaryIO, room: int) -> int:
    """Unpack one file; returns how much room is left. What an entry says of its own size is not believed."""
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise LabelSetError(f"zip file: {_shown(entry.filename)} is packed in an unusual way; expected deflate")
    with opened.open(entry) as source:
        while chunk := source.read(1 << 16):
            room -= len(chunk)
            if room < 0:
                raise LabelSetError(f"zip file: its label files take more than {MAX_LABEL_BYTES} bytes; expected less")
            file.write(chunk)
    return room


def _files(folder: Path) -> dict[str, Path]:
    """Return the regular files of a set by name within it; links are passed over, they lead anywhere.

    Raises:
        LabelSetError: it is no folder, or holds too much.
    """
    if not folder.is_dir():
        raise LabelSetError(f"{folder}: is not there or is no folder; expected the folder of a COCO or YOLO set")
    files: dict[str, Path] = {}
    room = MAX_LABEL_BYTES
    for top, below, names in os.walk(folder):  # goes through no link
        below[:] = sorted(each for each in below if not each.startswith((".", "__MACOSX")))
        for name in sorted(each for each in names if not each.startswith(".")):
            path = Path(top) / name
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode) or path.suffix.lower() not in _READ | _PICTURES:
                continue
            files[path.relative_to(folder).as_posix()] = path
            room -= about.st_size if path.suffix.lower() in _READ else 0
            if len(files) > MAX_FILES:
                raise LabelSetError(f"{folder}: holds more than {MAX_FILES} files; expected fewer, nothing was added")
            if room < 0:
                raise LabelSetError(f"{folder}: its label files take more than {MAX_LABEL_BYTES} bytes; expected less")
    return files


def _text(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise LabelSetError(f"{_shown(name)}: is no text in UTF-8; nothing was added") from None
    except OSError as error:
        raise LabelSetError(f"{_shown(name)}: cannot be read ({error.strerror}); nothing was added") from None


def _sample_of(store: SampleStore, image: str) -> Sample | str:
    """Return the frame whose id is in an image's own name, or why there is none; folders before it do not matter."""
    ids = dict.fromkeys(_ID.findall(PurePosixPath(image.replace("\\", "/")).name.lower()))
    if not ids:
        return "no id of a sample in its name"
    known = []
    for sample_id in ids:
        try:
            known.append(store.sample(sample_id))
        except UnknownRecordError:
            continue
    if len(known) != 1:
        return "several samples in its name" if known else "its sample is not there; it may have been deleted"
    return known[0] if known[0].unit == "frame" else f"its sample is a {known[0].unit}, not a frame"


def _taken_classes(name: str, classes: Sequence[str]) -> list[bool]:
    """Tell which classes are people: those called so, or the only one there is.

    Raises:
        LabelSetError: none is; every frame would seem to be empty.
    """
    are_people = [len(classes) == 1 or each.strip().casefold() in _PEOPLE for each in classes]
    if not any(are_people):
        told = ", ".join(_shown(each) for each in classes[:10]) or "none"
        raise LabelSetError(
            f"{_shown(name)}: no class of people among its classes ({told}); expected {', '.join(sorted(_PEOPLE))}, or "
            "one class alone. Nothing was added"
        )
    return are_people


# COCO


def _read_coco(store: SampleStore, files: Mapping[str, Path]) -> _Found:
    lists = {name: path for name, path in files.items() if path.suffix.lower() == ".json"}
    if not lists:
        raise LabelSetError("no .json file in the set; expected COCO annotations, nothing was added")
    found = _Found()
    for name, path in lists.items():
        try:
            content = json.loads(_text(name, path))
        except json.JSONDecodeError as error:
            raise LabelSetError(
                f"{_shown(name)}, line {error.lineno}: is no JSON ({error.msg}); nothing was added"
            ) from None
        except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
            raise LabelSetError(f"{_shown(name)}: is no JSON that can be read; nothing was added") from None
        _CocoReader(store, _shown(name), found).read(content)
    return found


class _CocoReader:
    """Reads one file of COCO annotations; every message names the entry at fault."""

    def __init__(self, store: SampleStore, name: str, found: _Found) -> None:
        self._store = store
        self._name = name
        self._found = found
        self._samples: dict[int, Sample | None] = {}  # by image; None: passed over
        self._boxes: dict[int, list[Box]] = {}
        self._classes: dict[int, str] = {}
        self._taken: dict[int, bool] = {}

    def read(self, content: object) -> None:
        """Take in what the file says."""
        images, annotations, categories = (
            self._entries(content, key) for key in ("images", "annotations", "categories")
        )
        for index, entry in enumerate(categories):
            place = f"categories[{index}]"
            self._classes[self._whole(entry, place, "id")] = self._word(entry, place, "name")
        taken = _taken_classes(self._name, list(self._classes.values()))
        self._taken = dict(zip(self._classes, taken, strict=True))
        names = [self._image(entry, f"images[{index}]") for index, entry in enumerate(images)]
        for index, entry in enumerate(annotations):
            self._annotation(entry, f"annotations[{index}]")
        for name, (image_id, sample) in zip(names, self._samples.items(), strict=True):
            if sample is not None:
                self._found.take(sample, _shown(name), self._boxes[image_id])

    def _image(self, entry: Mapping[str, Any], place: str) -> str:
        image_id, name = self._whole(entry, place, "id"), self._word(entry, place, "file_name")
        if image_id in self._samples:
            raise self._fault(place, f"id {image_id} was given before; expected each id once")
        sample = _sample_of(self._store, name)
        if not isinstance(sample, str):
            sample = self._sized(entry, place, sample)
        if isinstance(sample, str):
            self._found.skipped.append(Skipped(_shown(name), sample))
            self._samples[image_id] = None
        else:
            self._samples[image_id], self._boxes[image_id] = sample, []
        return name

    def _annotation(self, entry: Mapping[str, Any], place: str) -> None:
        image_id, category = self._whole(entry, place, "image_id"), self._whole(entry, place, "category_id")
        if image_id not in self._samples:
            raise self._fault(place, f"image_id {image_id} is not among the images")
        if category not in self._classes:
            raise self._fault(place, f"category_id {category} is not among the categories")
        sample = self._samples[image_id]
        if not self._taken[category]:
            self._found.ignored[_shown(self._classes[category])] += 1
        elif entry.get("iscrowd") == 1:
            self._found.ignored["crowd"] += 1  # a region, not a person
        elif sample is not None:
            self._boxes[image_id].append(self._bbox(entry, place, sample))
            if len(self._boxes[image_id]) > MAX_BOXES:
                raise self._fault(place, f"more than {MAX_BOXES} boxes on one image; expected fewer")

    def _sized(self, entry: Mapping[str, Any], place: str, sample: Sample) -> Sample | str:
        width, height = (self._whole(entry, place, key) for key in ("width", "height"))
        if (width, height) != (sample.width_px, sample.height_px):
            return f"its size is {width} x {height}, that of the sample {sample.width_px} x {sample.height_px}"
        return sample

    def _bbox(self, entry: Mapping[str, Any], place: str, sample: Sample) -> Box:
        bbox = entry.get("bbox")
        if not isinstance(bbox, list) or len(bbox) != 4 or not all(_is_number(each) for each in bbox):
            raise self._fault(place, "bbox: expected four finite numbers: x, y, width, height")
        x, y, width, height = (float(each) for each in bbox)
        box = _clipped((x, y, x + width, y + height), sample)
        if box is None:
            raise self._fault(place, f"bbox {_numbers(bbox)}: has no area in the picture; expected one that has")
        return box

    def _entries(self, content: object, key: str) -> list[dict[str, Any]]:
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise self._fault(key, "is missing or no list of objects; expected COCO annotations")
        return entries

    def _whole(self, entry: Mapping[str, Any], place: str, key: str) -> int:
        value = entry.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._fault(f"{place}.{key}", "is missing or something else; expected a whole number")
        return value

    def _word(self, entry: Mapping[str, Any], place: str, key: str) -> str:
        value = entry.get(key)
        if not isinstance(value, str):
            raise self._fault(f"{place}.{key}", "is missing or something else; expected a text")
        return value

    def _fault(self, place: str, why: str) -> LabelSetError:
        return LabelSetError(f"{self._name}: {place}: {why}. Nothing was added")


# YOLO


def _read_yolo(store: SampleStore, files: Mapping[str, Path]) -> _Found:
    class_file, classes = _yolo_classes(files)
    reader = _YoloReader(classes, _taken_classes(class_file, classes))
    found = _Found(ignored=reader.ignored)
    labelled: set[str] = set()
    for name, path in files.items():
        if path.suffix.lower() != ".txt" or path.name.lower() in _LISTS:
            continue
        labelled.add(path.stem)
        sample = _sample_of(store, name)
        if isinstance(sample, str):
            found.skipped.append(Skipped(_shown(name), sample))
        else:
            found.take(sample, _shown(name), reader.boxes(name, path, sample))
    for name, path in files.items():
        # No word of a picture is not the word that nobody is on it.
        if path.suffix.lower() in _PICTURES and path.stem not in labelled:
            found.skipped.append(Skipped(_shown(name), "no label file of its name"))
    return found


class _YoloReader:
    """Reads label files of one set; every message names file and line.

    Attributes:
        ignored: boxes of other classes so far.
    """

    def __init__(self, classes: Sequence[str], taken: Sequence[bool]) -> None:
        self._classes = classes
        self._taken = taken
        self.ignored: Counter[str] = Counter()

    def boxes(self, name: str, path: Path, sample: Sample) -> list[Box]:
        """Return the people of one file."""
        boxes = []
        for number, line in enumerate(_text(name, path).splitlines(), 1):
            place = f"{_shown(name)}, line {number}"
            values = line.split()
            if values and (box := self._box(values, place, sample)) is not None:
                boxes.append(box)
            if len(boxes) > MAX_BOXES:
                raise self._fault(place, f"more than {MAX_BOXES} boxes on one image; expected fewer")
        return boxes

    def _box(self, values: Sequence[str], place: str, sample: Sample) -> Box | None:
        """Return the box of a line; None when its class is none of people."""
        if len(values) not in {5, 6}:
            expected = "expected a box: class, middle x and y, width, height, and perhaps a confidence"
            raise self._fault(place, f"{len(values)} values; {expected}")
        try:
            kind, (x, y, width, height) = int(values[0]), (float(each) for each in values[1:5])
        except ValueError:
            raise self._fault(place, "expected a whole number and four numbers") from None
        if not 0 <= kind < len(self._classes):
            raise self._fault(place, f"no class of number {kind}; expected 0 to {len(self._classes) - 1}")
        if not self._taken[kind]:
            self.ignored[_shown(self._classes[kind])] += 1
            return None
        shares = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        if not all(abs(share) <= 2 for share in shares):  # also those that are no number
            raise self._fault(place, "expected shares of the picture from 0 to 1")
        scale = (sample.width_px, sample.height_px) * 2
        box = _clipped(_box([share * size for share, size in zip(shares, scale, strict=True)]), sample)
        if box is None:
            raise self._fault(place, "the box has no area in the picture; expected one that has")
        return box

    @staticmethod
    def _fault(place: str, why: str) -> LabelSetError:
        return LabelSetError(f"{place}: {why}. Nothing was added")


def _yolo_classes(files: Mapping[str, Path]) -> tuple[str, list[str]]:
    """Return the file that names the classes, and the names by number."""
    by_place = {wanted: name for wanted in _CLASS_FILES for name in files if PurePosixPath(name).name == wanted}
    name = next((by_place[wanted] for wanted in _CLASS_FILES if wanted in by_place), None)
    if name is None:
        raise LabelSetError(f"no names of classes in the set; expected one of {', '.join(_CLASS_FILES)}")
    text = _text(name, files[name])
    if not name.endswith((".yaml", ".yml")):
        return name, [line.strip() for line in text.splitlines() if line.strip()]
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise LabelSetError(f"{_shown(name)}{line}: is no YAML; nothing was added") from None
    except (ValueError, RecursionError):
        raise LabelSetError(f"{_shown(name)}: is no YAML that can be read; nothing was added") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise LabelSetError(f"{_shown(name)}: names: expected a list of names, or names by number from 0")
    return name, names


# Boxes and names


def _box(values: Sequence[float]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in values)
    return x0, y0, x1, y1


def _clipped(box: Box, sample: Sample) -> Box | None:
    """Return what of a box is in the picture, to hundredths of a pixel; None when that has no area."""
    x0, y0, x1, y1 = box
    inside = (
        round(max(0.0, x0), 2),
        round(max(0.0, y0), 2),
        round(min(float(sample.width_px), x1), 2),
        round(min(float(sample.height_px), y1), 2),
    )
    return inside if inside[0] < inside[2] and inside[1] < inside[3] else None


def _are_same(first: Sequence[Box], second: Sequence[Box]) -> bool:
    """Tell whether two labels hold the same boxes in any order, but for what a format's rounding takes away."""
    if len(first) != len(second):
        return False
    left = list(second)
    for box in first:
        match = next((b for b in left if all(abs(p - q) <= _SAME_PX for p, q in zip(box, b, strict=True))), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9  # so is no NaN


def _numbers(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"


def _shown(name: str) -> str:
    """Return a foreign name so that it can be printed: a terminal obeys control characters, a page shows long ones."""
    clean = "".join(each if each.isprintable() else "?" for each in name[:160])
    return clean if len(name) <= 160 else f"{clean}…"
