"""What a fixed camera looks at: where its edges are and which way they run; learned once, then frozen."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEARNING_ROWS: Final = 60
"""A minute at a row a second: people walk on, what stays is the view."""
_CELL_PX: Final = 16
_FRESH: Final = 0.15
"""Weight of the newest row in what is seen now: noise and walkers average out, and a new view shows within 20 rows."""
_LEAST_EDGE: Final = 10.0
"""Sobel units (a step of 2 to 3 grey levels): a cell whose mean gradient is weaker has nothing to compare."""
_LEAST_CELLS: Final = 6
_FAINT: Final = 0.15
_BLANK: Final = 0.02
"""With less of the view's edges than this even where most are kept, there is no picture: "no signal", a closed lens."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The mean gradients of a camera's picture while its view was learned.

    Attributes:
        right: (H, W) float32; Sobel units, of the grey picture reduced to 320 pixels of width.
        down: (H, W) float32; the same.
        light: (H // 16, W // 16) float32; mean grey level by cell.
    """

    right: NDArray[np.float32]
    down: NDArray[np.float32]
    light: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """Pack it, so that a restart does not take a moved camera's picture for its usual view; about 150 kB."""
        packed = io.BytesIO()
        with np.errstate(over="ignore"):
            np.savez_compressed(
                packed, right=self.right.astype(np.float16), down=self.down.astype(np.float16), light=self.light
            )
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Unpack what `to_bytes` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as packed:
                right, down, light = (packed[name].astype(np.float32) for name in ("right", "down", "light"))
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"no view of a camera: {type(error).__name__}") from None
        if right.ndim != 2 or right.shape != down.shape or light.shape != _cells(right).shape:
            raise ValueError(f"no view of a camera: shapes {right.shape}, {down.shape}, {light.shape}")
        return cls(right, down, light)


@dataclass(frozen=True, slots=True)
class ViewMatch:
    """How the picture of these last seconds compares with the frozen view.

    Attributes:
        match: 1 where every cell shows the edges it always showed, about 0 in another view; cells that are faint now
            are left out. Contrast and brightness do not matter. None where all are faint: a blank picture.
        faint: share of the cells with edges that show next to none now, compared with the best of the others.
        uneven: how unequally the light has changed over the picture; ≥ 0, 0.7 is a factor of two between its parts.
    """

    match: float | None
    faint: float
    uneven: float


class ViewMeter:
    """Learns a camera's view from its first rows, freezes it and compares each later row with it.

    Source: normalised correlation of gradients, as in edge-based tampering detection (Lee et al., 2015). Differs: cell
    by cell, so that a part that is hidden is told from a picture that is elsewhere; averaged over the last rows.
    """

    def __init__(self, view: View | None = None) -> None:
        self.view = view
        self._learned = 0
        self._sums: list[NDArray[np.float32]] = []
        self._now: list[NDArray[np.float32]] = []
        self._rows = 0
        self._usual: tuple[NDArray[np.float32], NDArray[np.bool_]] | None = None

    def update(self, grey: NDArray[np.uint8]) -> ViewMatch | None:
        """Take in one row's picture; None while the view is learned and where it has too few edges.

        Args:
            grey: (H, W) uint8; another size than before begins a new view.
        """
        fields = _fields(grey)
        if self.view is not None and self.view.right.shape != grey.shape:
            self.forget()
        if self._now and self._now[0].shape != grey.shape:
            self._now, self._rows, self._sums, self._learned = [], 0, [], 0
        if self.view is None:
            self._learn(fields)
            return None
        if not self._now:
            self._now = fields
        self._rows += 1
        weight = max(_FRESH, 1 / self._rows)
        for mean, new in zip(self._now, fields, strict=True):
            cv2.accumulateWeighted(new, mean, weight)
        return self._compared(self.view)

    def forget(self) -> None:
        """Learn the view anew: somebody has accepted what the camera sees now."""
        self.view = None
        self._usual = None
        self._sums, self._now, self._learned, self._rows = [], [], 0, 0

    def _learn(self, fields: list[NDArray[np.float32]]) -> None:
        if not self._sums or self._sums[0].shape != fields[0].shape:
            self._sums, self._learned = [np.zeros_like(field) for field in fields], 0
        for total, field in zip(self._sums, fields, strict=True):
            cv2.accumulate(field, total)
        self._learned += 1
        if self._learned >= LEARNING_ROWS:
            right, down, light = (total / np.float32(self._learned) for total in self._sums)
            self.view = View(right, down, light)
            self._sums = []

    def _compared(self, view: View) -> ViewMatch | None:
        if self._usual is None:
            power = _cells(view.right**2 + view.down**2)
            self._usual = power, power > _LEAST_EDGE**2
        power, textured = self._usual
        if textured.sum() < _LEAST_CELLS:
            return None
        right, down, light = self._now
        now = _cells(cv2.multiply(right, right) + cv2.multiply(down, down))[textured]
        common = _cells(cv2.multiply(right, view.right) + cv2.multiply(down, view.down))[textured]
        kept = np.sqrt(now / power[textured])
        best = max(float(np.percentile(kept, 90)), _BLANK)
        # A soft threshold: a hard one would say 0 for months, and from what never varies nothing can drift.
        faint = 1 / (1 + (kept / (_FAINT * best)) ** 2)
        shown = faint < 0.5
        match = common[shown] / np.sqrt(np.maximum(now[shown] * power[textured][shown], 1e-6))
        change = np.log((light + 8) / (view.light + 8))
        return ViewMatch(float(match.mean()) if shown.any() else None, float(faint.mean()), float(change.std()))


def _fields(grey: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Gradients to the right and down, and the light by cell."""
    right = np.asarray(cv2.Sobel(grey, cv2.CV_32F, 1, 0), np.float32)
    down = np.asarray(cv2.Sobel(grey, cv2.CV_32F, 0, 1), np.float32)
    return [right, down, _cells(grey.astype(np.float32))]


def _cells(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H // 16, W // 16) means of the cells; what does not fill a cell at the right and the bottom is left out."""
    height, width = (max(1, side // _CELL_PX) for side in field.shape)
    whole = field[: height * _CELL_PX, : width * _CELL_PX]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32)
