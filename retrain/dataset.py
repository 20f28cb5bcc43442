"""A dataset on disk in YOLO's format, with a manifest that says where every picture came from; knows no training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import cv2
import numpy as np

from footfall.errors import TrainingError
from footfall.vision.detector import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

Split = Literal["train", "val"]
MANIFEST_FILE: Final = "manifest.json"
_JPEG_QUALITY: Final = 92  # cameras send no better


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures came from, and what allows their use.

    Attributes:
        name: short; part of file names.
        attribution: what its licence asks to be told; may be empty.
        labels: who says where the people are.
    """

    name: str
    licence: str
    labels: str
    attribution: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One labelled picture.

    Attributes:
        picture: (H, W, 3) uint8 BGR.
        boxes_px: (N, 4) float32; x0, y0, x1, y1 of each person; N may be 0.
    """

    source: Source
    picture: NDArray[np.uint8]
    boxes_px: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A person without surroundings.

    Attributes:
        picture: (H, W, 4) uint8 BGR and opacity; the person touches all four sides.
    """

    source: Source
    picture: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """What a source gave."""

    source: Source
    frames: int
    boxes: int
    cutouts: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A written dataset.

    Attributes:
        digest: sha256 over the paths and contents of all its files.
    """

    folder: Path
    digest: str
    sources: tuple[SourceTotals, ...]

    def pictures(self, split: Split) -> list[Path]:
        """Return the pictures of a split, by name."""
        return sorted((self.folder / "images" / split).glob("*.jpg"))

    def cutouts(self) -> list[Path]:
        """Return the people without surroundings, by name; empty when there are none."""
        return sorted((self.folder / "cutouts").glob("*.png"))


def write_dataset(
    folder: Path, train: Iterable[Example], val: Iterable[Example], cutouts: Iterable[Cutout] = ()
) -> Dataset:
    """Write pictures, labels, `dataset.yaml` (as YOLO trainers read it) and `manifest.json`.

    Raises:
        TrainingError: the folder holds something already, or there is nothing to write.
    """
    if folder.exists() and any(folder.iterdir()):
        raise TrainingError(f"dataset {str(folder)!r}: the folder is not empty; expected a new or empty one")
    totals: dict[Source, list[int]] = {}
    files: dict[str, str] = {}
    splits: tuple[tuple[Split, Iterable[Example]], ...] = (("train", train), ("val", val))
    for split, examples in splits:
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number, example in enumerate(examples):
            total = totals.setdefault(example.source, [0, 0, 0])
            total[0] += 1
            total[1] += len(example.boxes_px)
            stem = f"{number:05d}-{example.source.name}"
            picture = folder / "images" / split / f"{stem}.jpg"
            cv2.imwrite(str(picture), example.picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
            labels = folder / "labels" / split / f"{stem}.txt"
            labels.write_text(_as_yolo(example), encoding="utf-8")
            for path in (picture, labels):
                files[path.relative_to(folder).as_posix()] = sha256_of(path)
    (folder / "cutouts").mkdir()
    for number, cutout in enumerate(cutouts):
        totals.setdefault(cutout.source, [0, 0, 0])[2] += 1
        path = folder / "cutouts" / f"{number:05d}-{cutout.source.name}.png"
        cv2.imwrite(str(path), cutout.picture)
        files[path.relative_to(folder).as_posix()] = sha256_of(path)
    if not files:
        raise TrainingError(f"dataset {str(folder)!r}: there is no picture to write; expected at least one source")
    (folder / "dataset.yaml").write_text(
        "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: person\n", encoding="utf-8"
    )
    digest = hashlib.sha256("".join(f"{path} {files[path]}\n" for path in sorted(files)).encode()).hexdigest()
    sources = tuple(SourceTotals(source, *numbers) for source, numbers in totals.items())
    manifest = {"digest": digest, "sources": [asdict(each) for each in sources], "files": files}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Dataset(folder, digest, sources)


def read_dataset(folder: Path) -> Dataset:
    """Read what `write_dataset` wrote, after checking every file against the manifest.

    Raises:
        TrainingError: no manifest, or a file is not as it says.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        sources = tuple(
            SourceTotals(Source(**each["source"]), each["frames"], each["boxes"], each["cutouts"])
            for each in manifest["sources"]
        )
        files: dict[str, str] = manifest["files"]
        digest = str(manifest["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"dataset {str(folder)!r}: {MANIFEST_FILE} cannot be read ({type(error).__name__}); expected a folder that "
            "`footfall-retrain` wrote"
        ) from None
    for name, expected in files.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != expected:
            raise TrainingError(f"dataset {str(folder)!r}: {name} is missing or was changed; write the dataset anew")
    return Dataset(folder, digest, sources)


def read_labels(picture: Path, *, width_px: int, height_px: int) -> NDArray[np.float32]:
    """Return the boxes (N, 4) x0, y0, x1, y1 in pixels of a dataset's picture; N may be 0."""
    path = picture.parents[2] / "labels" / picture.parent.name / f"{picture.stem}.txt"
    rows = np.array([line.split()[1:] for line in path.read_text(encoding="utf-8").splitlines()], np.float32)
    center_x, center_y, width, height = rows.reshape(-1, 4).T
    boxes = np.stack((center_x - width / 2, center_y - height / 2, center_x + width / 2, center_y + height / 2), axis=1)
    return np.asarray(boxes * np.array([width_px, height_px] * 2, np.float32), np.float32)


def _as_yolo(example: Example) -> str:
    """One line a person: class, center and size as shares of the picture."""
    height, width = example.picture.shape[:2]
    lines = []
    for x0, y0, x1, y1 in example.boxes_px.tolist():
        numbers = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)
        lines.append("0 " + " ".join(f"{number:.6f}" for number in numbers))
    return "".join(line + "\n" for line in lines)
