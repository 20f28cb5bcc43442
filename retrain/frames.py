"""Labelled frames as a retraining sees them, and their list with hashes: the data manifest; knows no store."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from footfall.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Split = Literal["train", "val", "test", "sealed"]
"""`val` chooses the threshold and calibrates; `test` judges; `sealed` is a test that is opened seldom."""
LabelledBy = Literal["reviewer", "import", "teacher", "truth"]
"""Who says where people are: somebody, somebody's file, a stronger model, or the drawing itself."""
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the frame, origin top left."""


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """A picture with everybody who is on it.

    Attributes:
        id: of the sample, 32 hexadecimal digits; of a drawn picture `drawn-N`.
        taken_at: aware UTC.
        is_new: of what the model is to learn; else of what it must not forget.
        boxes: of everybody; may be empty.
        picture: key of the stored blob; of a drawn picture its `sim:` address with `#` and the number of the frame.
        sha256: of the picture's bytes; of a drawn one of its pixels.
        split: None until it was decided.
    """

    id: str
    camera_id: str
    taken_at: datetime
    is_new: bool
    width_px: int
    height_px: int
    boxes: tuple[Box, ...]
    labelled_by: LabelledBy
    picture: str
    sha256: str
    split: Split | None = None

    @property
    def boxes_px(self) -> NDArray[np.float32]:
        """(N, 4) float32; N may be 0."""
        return np.array(self.boxes, np.float32).reshape(-1, 4)

    @property
    def is_drawn(self) -> bool:
        """Whether it comes from the simulator: it can be drawn again, and nobody is on it."""
        return self.picture.startswith("sim:")

    @property
    def label_sha256(self) -> str:
        """Digest of its boxes."""
        return hashlib.sha256(json.dumps(self.boxes).encode()).hexdigest()


def digest_of(frames: Iterable[LabelledFrame]) -> str:
    """Return the digest of a set of frames: of ids, splits, pictures and labels, whatever their order."""
    lines = sorted(f"{each.id} {each.split} {each.sha256} {each.label_sha256}\n" for each in frames)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def frame_as_json(frame: LabelledFrame) -> dict[str, Any]:
    """Return what the manifest says of a frame."""
    return asdict(frame) | {"taken_at": frame.taken_at.isoformat(), "label_sha256": frame.label_sha256}


def frame_from_json(content: dict[str, Any]) -> LabelledFrame:
    """Read what `frame_as_json` wrote."""
    values = {key: value for key, value in content.items() if key in LabelledFrame.__dataclass_fields__}
    values["taken_at"] = datetime.fromisoformat(values["taken_at"])
    values["boxes"] = tuple(_box(each) for each in values["boxes"])
    return LabelledFrame(**values)


def _box(values: Sequence[float]) -> Box:
    x0, y0, x1, y1 = values
    return float(x0), float(y0), float(x1), float(y1)


def write_manifest(path: Path, frames: Sequence[LabelledFrame]) -> str:
    """Write a manifest; returns its digest. It appears whole or not at all."""
    digest = digest_of(frames)
    content = {"digest": digest, "frames": [frame_as_json(each) for each in frames]}
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
    unfinished.replace(path)
    return digest


def read_manifest(path: Path) -> tuple[LabelledFrame, ...]:
    """Read a manifest; frames whose picture was deleted since are left out.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(frame_from_json(each) for each in content["frames"] if not each.get("deleted_at"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"manifest {str(path)!r}: cannot be read ({type(error).__name__}); expected what a retraining wrote"
        ) from None
