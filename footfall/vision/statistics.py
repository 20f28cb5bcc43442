"""What a camera's pictures look like, in numbers: the raw material of drift checks; judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from footfall.domain import FrameStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.domain import Detections, Frame

STATISTIC_NAMES: Final = (
    "luminance",
    "contrast",
    "sharpness",
    "noise",
    "saturation",
    "blockiness",
    "dark_share",
    "clipped_share",
    "persistent_edge_share",
    "detections",
    "confidence_mean",
    "box_height_median",
)
"""Every statistic, as named in rows and metrics; docs/metrics.md gives units and ranges."""

_SMALL_WIDTH_PX: Final = 320
_CROP_PX: Final = 256
_EDGE_WARM_UP: Final = 20
_EDGE_RATE: Final = 0.05


class StatisticsMeter:
    """Measures one camera's frames; keeps a slow map of where its edges usually are.

    The map follows the view within about a minute of rows, so that the share of edges still in place falls at once
    when the camera moves or is covered, and recovers when the new view has become the usual one.
    """

    def __init__(self) -> None:
        self._edges: NDArray[np.float32] | None = None
        self._rows = 0

    def measure(self, frame: Frame, detections: Detections) -> FrameStatistics:
        """Return one row; statistics that do not exist for this frame are absent."""
        picture = frame.picture
        height, width = picture.shape[:2]
        scale = _SMALL_WIDTH_PX / width
        small = (
            cv2.resize(picture, (_SMALL_WIDTH_PX, max(8, round(height * scale))), interpolation=cv2.INTER_AREA)
            if scale < 1
            else picture
        )
        grey = _grey(small)
        top, left = max(0, (height - _CROP_PX) // 2) & ~7, max(0, (width - _CROP_PX) // 2) & ~7
        crop = _grey(picture[top : top + _CROP_PX, left : left + _CROP_PX])
        contrast = float(grey.std())
        values = {
            "luminance": float(grey.mean()),
            "contrast": contrast,
            "sharpness": sharpness(grey, contrast),
            "noise": noise_sigma(crop),
            "saturation": float(cv2.cvtColor(small, cv2.COLOR_BGR2HSV)[..., 1].mean()),
            "blockiness": blockiness(crop),
            "dark_share": float((grey < 20).mean()),
            "clipped_share": float((grey > 250).mean()),
            "detections": float((detections.scores >= detections.threshold).sum()),
        }
        share = self._persistent_edge_share(grey)
        if share is not None:
            values["persistent_edge_share"] = share
        sure = detections.scores >= detections.threshold
        if sure.any():
            boxes = detections.boxes_px[sure]
            values["confidence_mean"] = float(detections.scores[sure].mean())
            values["box_height_median"] = float(np.median(boxes[:, 3] - boxes[:, 1]) / height)
        return FrameStatistics(frame.camera_id, frame.received_at, values)

    def _persistent_edge_share(self, grey: NDArray[np.uint8]) -> float | None:
        found = cv2.dilate(cv2.Canny(grey, 60, 150), np.ones((3, 3), np.uint8))
        edges = found.astype(np.float32) / np.float32(255)
        if self._edges is None or self._edges.shape != edges.shape:
            self._edges, self._rows = edges, 1
            return None
        self._rows += 1
        usual = self._edges > 0.6
        share = float(edges[usual].mean()) if usual.any() else None
        # Faster while it is young, so that the first frame does not weigh for long.
        self._edges += np.float32(max(_EDGE_RATE, 1 / self._rows)) * (edges - self._edges)
        return share if self._rows > _EDGE_WARM_UP else None


def sharpness(grey: NDArray[np.uint8], contrast: float) -> float:
    """Variance of the Laplacian over the variance of the picture; ≥ 0; falls with defocus, not with darkness.

    Source: variance of the Laplacian, Pech-Pacheco et al., ICPR 2000. Differs: divided by the contrast, because
    the plain form falls with the light.
    """
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(contrast**2, 1.0))


def noise_sigma(grey: NDArray[np.uint8]) -> float:
    """Estimated standard deviation of the noise in grey levels; ≥ 0.

    Source: Immerkaer, Fast Noise Variance Estimation, CVIU 1996. Differs: the median of the absolute response
    instead of its mean, because structure would count as noise.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    response = np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))[1:-1, 1:-1]
    return float(np.median(response) / 6 / 0.6745) if response.size else 0.0


def blockiness(grey: NDArray[np.uint8]) -> float:
    """Steps across the borders of 8x8 blocks over steps elsewhere; about 1 without block artefacts, more with them.

    Source: Wang, Bovik and Evans, Blind measurement of blocking artifacts, ICIP 2000 (differences on and off the
    grid). The crop must begin on the grid.
    """
    values = grey.astype(np.float32)
    ratios = []
    for steps in (np.abs(np.diff(values, axis=1)), np.abs(np.diff(values, axis=0)).T):
        on_grid = np.zeros(steps.shape[1], dtype=bool)
        on_grid[7::8] = True
        if on_grid.any() and not on_grid.all():
            ratios.append((steps[:, on_grid].mean() + 0.1) / (steps[:, ~on_grid].mean() + 0.1))
    return float(np.mean(ratios)) if ratios else 1.0


def _grey(picture: NDArray[np.integer[Any] | np.floating[Any]]) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
