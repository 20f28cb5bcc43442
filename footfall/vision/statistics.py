"""What a camera's pictures look like, in numbers: the raw material of drift checks; judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from footfall.domain import FrameStatistics
from footfall.vision.view import ViewMeter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from footfall.domain import Detections, Frame, Tracks
    from footfall.vision.view import View

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
    "red_ratio",
    "blue_ratio",
    "haze",
    "bright_blob_share",
    "still_share",
    "view_match",
    "faint_share",
    "light_unevenness",
    "detections",
    "confidence_mean",
    "low_confidence_share",
    "box_height_median",
    "box_height_by_row",
    "edge_touching_share",
    "people_brightness",
    "people_saturation",
    "track_seconds",
    "track_gap_share",
)
"""Every statistic, as named in rows and metrics; docs/metrics.md gives units and ranges."""

_SMALL_WIDTH_PX: Final = 320
_ZIGZAG: Final = ((0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2))
_CROP_PX: Final = 256
_EDGE_WARM_UP: Final = 20
_EDGE_RATE: Final = 0.05
_USUAL: Final = 0.6
"""An edge that shows in more than this share of the rows belongs to the view."""
_BRIGHT: Final = 241
"""Grey levels from here on are a lamp, the sun, or what they shine on."""
_LOW_BAND: Final = 0.15
"""A confidence that is above the threshold by less than this is low."""
_LATELY_S: Final = 1.0
_FORGOTTEN_S: Final = 3.0
"""Who was not seen for so long is gone: the same as for visits."""
_EDGE_ROOM: Final = 0.01
"""A box nearer to the border than this share of the height touches it."""


class StatisticsMeter:
    """Measures one camera's frames against what it usually sees; what tracks tell is `TrackMeter`'s.

    Two maps say what is usual. The slow one of `persistent_edge_share` follows the view within about a minute of rows:
    it falls at once when the camera moves or is covered, and recovers when the new view has become the usual one. The
    frozen one of `view` is learned from the first minute and stays until somebody accepts another view.

    Args:
        view: as it was learned before, so that a restart does not learn what the camera should not show; None learns.
    """

    def __init__(self, view: View | None = None) -> None:
        self._edges: NDArray[np.float32] | None = None
        self._rows = 0
        self._view = ViewMeter(view)
        self._last: NDArray[np.uint8] | None = None

    @property
    def view(self) -> View | None:
        """The frozen view; None while it is learned."""
        return self._view.view

    def forget_view(self) -> None:
        """Learn the view anew: somebody has accepted what the camera sees now."""
        self._view.forget()

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
        saturation = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2HSV)[..., 1], np.uint8)
        (luminance,), (contrast,) = (each.ravel().tolist() for each in cv2.meanStdDev(grey))
        blue, green, red, _ = cv2.mean(small)
        values = {
            "luminance": luminance,
            "contrast": contrast,
            "sharpness": sharpness(grey, contrast),
            "noise": noise_sigma(crop),
            "saturation": cv2.mean(saturation)[0],
            "blockiness": blockiness(crop),
            "dark_share": _share_between(grey, 0, 19),
            "clipped_share": _share_between(grey, 251, 255),
            # One grey level more, so that black is grey and not every colour at once.
            "red_ratio": (red + 1) / (green + 1),
            "blue_ratio": (blue + 1) / (green + 1),
            "haze": haze(np.asarray(small, np.uint8)),
            "bright_blob_share": bright_blob_share(grey),
        }
        values |= self._against_what_was(grey)
        values |= _found(detections, height_px=height, width_px=width)
        values |= _looks(detections, grey, saturation, px_by_px=grey.shape[1] / width)
        return FrameStatistics(frame.camera_id, frame.received_at, values, colour_layout(np.asarray(small, np.uint8)))

    def _against_what_was(self, grey: NDArray[np.uint8]) -> dict[str, float]:
        values = {}
        share = self._persistent_edge_share(grey)
        if share is not None:
            values["persistent_edge_share"] = share
        if self._last is not None and self._last.shape == grey.shape:
            change = cv2.absdiff(grey, self._last)
            values["still_share"] = 1 - cv2.countNonZero(change) / change.size
        self._last = grey
        match = self._view.update(grey)
        if match is not None:
            if match.match is not None:
                values["view_match"] = match.match
            values["faint_share"] = match.faint
            values["light_unevenness"] = match.uneven
        return values

    def _persistent_edge_share(self, grey: NDArray[np.uint8]) -> float | None:
        edges = cv2.dilate(cv2.Canny(grey, 60, 150), np.ones((3, 3), np.uint8))  # 0 or 255
        if self._edges is None or self._edges.shape != edges.shape:
            self._edges, self._rows = edges.astype(np.float32), 1
            return None
        self._rows += 1
        usual = (self._edges > 255 * _USUAL).view(np.uint8)
        share = cv2.mean(edges, usual)[0] / 255 if cv2.countNonZero(usual) else None
        # Faster while it is young, so that the first frame does not weigh for long.
        cv2.accumulateWeighted(edges, self._edges, max(_EDGE_RATE, 1 / self._rows))
        return share if self._rows > _EDGE_WARM_UP else None


@dataclass(slots=True)
class _Followed:
    """Somebody since the first sighting; frames are counted over the camera."""

    first_s: float
    last_s: float
    first_frame: int
    last_frame: int
    sightings: int = 1


class TrackMeter:
    """How long people are followed and how often they are missed meanwhile: both suffer from poor pictures."""

    def __init__(self) -> None:
        self._frames = 0
        self._now_s = float("-inf")
        self._people: dict[int, _Followed] = {}

    def update(self, tracks: Tracks, now_s: float) -> None:
        """Take in every analysed frame."""
        self._frames += 1
        self._now_s = now_s
        self._people = {key: each for key, each in self._people.items() if each.last_s >= now_s - _FORGOTTEN_S}
        for person_id in tracks.ids.tolist():
            person = self._people.get(person_id)
            if person is None:
                self._people[person_id] = _Followed(now_s, now_s, self._frames, self._frames)
            else:
                person.last_s, person.last_frame, person.sightings = now_s, self._frames, person.sightings + 1

    def values(self) -> dict[str, float]:
        """Return the statistics of those seen within the last second; empty without any."""
        lately = [person for person in self._people.values() if person.last_s >= self._now_s - _LATELY_S]
        if not lately:
            return {}
        frames = sum(person.last_frame - person.first_frame + 1 for person in lately)
        return {
            "track_seconds": float(np.median([person.last_s - person.first_s for person in lately])),
            "track_gap_share": 1 - sum(person.sightings for person in lately) / frames,
        }


def colour_layout(picture: NDArray[np.uint8]) -> tuple[float, ...]:
    """Where in a picture it is how bright and of which colour: six numbers of its light, three of either colour.

    Source: the Colour Layout Descriptor of MPEG-7 (Kasutani and Yamada, ICIP 2001): the first coefficients, in zigzag,
    of the cosine transform of 8x8 means in Y, Cr and Cb. Differs: not quantised.

    Args:
        picture: (H, W, 3) uint8, BGR.

    Returns:
        Twelve numbers, in grey levels times eight.

    >>> [round(number) for number in colour_layout(np.full((90, 160, 3), 50, np.uint8))][:4]
    [400, 0, 0, 0]
    """
    tiny = cv2.cvtColor(cv2.resize(picture, (8, 8), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2YCrCb)
    numbers: list[float] = []
    for channel, count in enumerate((6, 3, 3)):
        spectrum = cv2.dct(tiny[..., channel].astype(np.float32))
        numbers += [round(float(spectrum[row, column]), 2) for row, column in _ZIGZAG[:count]]
    return tuple(numbers)


def sharpness(grey: NDArray[np.uint8], contrast: float) -> float:
    """Variance of the Laplacian over the variance of the picture; ≥ 0; falls with defocus, not with darkness.

    Source: variance of the Laplacian, Pech-Pacheco et al., ICPR 2000. Differs: divided by the contrast, because
    the plain form falls with the light.
    """
    # Whole numbers: their sums are exact, and OpenCV makes them in a quarter of the time.
    spread = float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1].item())
    return spread**2 / max(contrast**2, 1.0)


def noise_sigma(grey: NDArray[np.uint8]) -> float:
    """Estimated standard deviation of the noise in grey levels; ≥ 0.

    Source: Immerkaer, Fast Noise Variance Estimation, CVIU 1996. Differs: the median of the absolute response
    instead of its mean, because structure would count as noise.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    response = cv2.filter2D(grey, cv2.CV_16S, kernel)[1:-1, 1:-1]
    if not response.size:
        return 0.0
    # Whole numbers: counting them gives the median in a tenth of the time of sorting.
    below = np.cumsum(cv2.calcHist([cv2.convertScaleAbs(response)], [0], None, [256], [0, 256]))
    if below[-2] <= response.size // 2:  # the middle is where a byte ends, or beyond
        below = np.cumsum(np.bincount(np.abs(response).ravel()))
    middle = np.searchsorted(below, [(response.size - 1) // 2, response.size // 2], side="right").mean()
    return float(middle / 6 / 0.6745)


def blockiness(grey: NDArray[np.uint8]) -> float:
    """Steps across the borders of 8x8 blocks over steps elsewhere; about 1 without block artefacts, more with them.

    Source: Wang, Bovik and Evans, Blind measurement of blocking artifacts, ICIP 2000 (differences on and off the
    grid). The crop must begin on the grid.
    """
    ratios = []
    for axis, first, second in ((0, grey[:, 1:], grey[:, :-1]), (1, grey[1:], grey[:-1])):
        sums = cv2.reduce(cv2.absdiff(first, second), axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
        length = grey.shape[axis]
        on_grid = sums[7::8]
        elsewhere = len(sums) - len(on_grid)
        if len(on_grid) and elsewhere:
            on_grid_mean = on_grid.sum() / (len(on_grid) * length)
            ratios.append((on_grid_mean + 0.1) / ((sums.sum() - on_grid.sum()) / (elsewhere * length) + 0.1))
    return float(np.mean(ratios)) if ratios else 1.0


def haze(picture: NDArray[np.uint8]) -> float:
    """Mean of the dark channel in grey levels; 0–255; rises when something whitish lies over the whole picture.

    Source: He, Sun and Tang, Single image haze removal using dark channel prior, CVPR 2009: in clear air nearly every
    patch has a pixel that is dark in one colour.
    """
    darkest = cv2.min(cv2.min(picture[..., 0], picture[..., 1]), picture[..., 2])
    return float(cv2.mean(cv2.erode(darkest, np.ones((7, 7), np.uint8)))[0])


def bright_blob_share(grey: NDArray[np.uint8]) -> float:
    """Share of the picture that the largest connected area brighter than 240 takes; 0–1."""
    bright = cv2.inRange(grey, _BRIGHT, 255)
    left, top, width, height = cv2.boundingRect(bright)
    if not width:
        return 0.0
    # Only where there is anything: numbering the areas of a whole picture took a fifth of a row's time.
    bright = bright[top : top + height, left : left + width]
    areas = cv2.connectedComponentsWithStats(bright, connectivity=4)[2][1:, cv2.CC_STAT_AREA]
    return float(areas.max() / grey.size)


def _found(detections: Detections, *, height_px: int, width_px: int) -> dict[str, float]:
    """What the detector says of a frame; statistics of people are absent where there are none."""
    sure = detections.scores >= detections.threshold
    found = int(sure.sum())
    values = {"detections": float(found)}
    if not found:
        return values
    boxes, scores = detections.boxes_px[sure], detections.scores[sure]
    heights = boxes[:, 3] - boxes[:, 1]
    edge_px = _EDGE_ROOM * height_px
    at_edge = (boxes[:, :2] < edge_px).any(axis=1) | (boxes[:, 2:] > (width_px - edge_px, height_px - edge_px)).any(
        axis=1
    )
    return values | {
        "confidence_mean": float(scores.mean()),
        "low_confidence_share": float((scores < detections.threshold + _LOW_BAND).mean()),
        "box_height_median": float(np.median(heights) / height_px),
        "box_height_by_row": float(np.median(heights / np.maximum(boxes[:, 3], 1.0))),
        "edge_touching_share": float(at_edge.mean()),
    }


def _looks(
    detections: Detections, grey: NDArray[np.uint8], saturation: NDArray[np.uint8], *, px_by_px: float
) -> dict[str, float]:
    """How people are dressed: brightness, compared with the whole picture's, and colour of what is worn on top.

    Args:
        px_by_px: pixels of `grey` and `saturation` (H, W) for one of the camera's picture.
    """
    brightness, colour = [], []
    for x0, y0, x1, y1 in detections.boxes_px[detections.scores >= detections.threshold] * px_by_px:
        # The middle of the upper half: chest and back, hardly any background, no head.
        top, bottom = y0 + 0.2 * (y1 - y0), y0 + 0.5 * (y1 - y0)
        left, right = x0 + 0.3 * (x1 - x0), x1 - 0.3 * (x1 - x0)
        part = slice(max(0, int(top)), int(bottom) + 1), slice(max(0, int(left)), int(right) + 1)
        if grey[part].size:
            brightness.append(cv2.mean(grey[part])[0])
            colour.append(cv2.mean(saturation[part])[0])
    if not brightness:
        return {}
    return {
        "people_brightness": float(np.mean(brightness) / (cv2.mean(grey)[0] + 1)),
        "people_saturation": float(np.mean(colour)),
    }


def _share_between(grey: NDArray[np.uint8], darkest: int, brightest: int) -> float:
    """Share of the pixels with these grey levels, both included."""
    return cv2.countNonZero(cv2.inRange(grey, darkest, brightest)) / grey.size


def _grey(picture: NDArray[np.integer[Any] | np.floating[Any]]) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
