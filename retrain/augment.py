"""Augments the pictures of a fine-tuning: a sequence in random order; the only file that knows Albumentations.

Which steps there are, how strong and how likely they are hangs on the named cause. Cameras stay where they are: nothing
is mirrored unless that is asked for, because lines, stairs and the perspective of people belong to the view.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from footfall.errors import TrainingError
from footfall.vision.detector import letterbox_into
from retrain.sampler import Sample

try:
    import albumentations as A  # noqa: N812  as everybody calls it
except ImportError:
    raise TrainingError(
        "augmentation needs AlbumentationsX, which is not installed, and is not left out; expected the `retrain` "
        "extra: `make setup-retrain` or `pip install footfall[retrain]`"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from footfall.domain import RetrainCause

_GREY: Final = 114  # the padding that serving uses
LEAST_VISIBLE: Final = 0.1
"""Somebody of whom less is left in the picture is not labelled any more."""
_PLAIN: Final = 0.15
"""Share of samples that stay as they are: that is what serving sees."""
_LIKELY, _SELDOM = 0.75, 0.2
_MEASURED: Final = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the sequence.

    Attributes:
        cause: the drift that it imitates; None for the camera's usual moods.
        make: builds it with a strength in [0, 1] and a probability.
    """

    name: str
    cause: RetrainCause | None
    make: Callable[[float, float], Any]


def _gamma(strength: float, chance: float) -> Any:  # noqa: ANN401
    return A.RandomGamma((85, 115 + 190 * strength), p=chance)  # above 100 is darker


def _haze(strength: float, chance: float) -> Any:  # noqa: ANN401
    # Less of the picture and more of a grey light: what air does, however far away somebody is.
    thickest = 0.15 + 0.6 * strength
    return A.RandomBrightnessContrast((0.02, 0.6 * thickest), (-thickest, -0.05), brightness_by_max=True, p=chance)


def _noise(strength: float, chance: float) -> Any:  # noqa: ANN401
    return A.GaussNoise(std_range=(0.01, 0.02 + 0.1 * strength), p=chance)


def _bitrate(strength: float, chance: float) -> Any:  # noqa: ANN401
    return A.ImageCompression(quality_range=(round(60 - 48 * strength), 85), p=chance)


def _colour(strength: float, chance: float) -> Any:  # noqa: ANN401
    span = 0.1 + 0.4 * strength
    return A.ColorJitter(
        (1, 1), (1, 1), (1 - span, 1 + span), (-0.12 * strength - 0.01, 0.12 * strength + 0.01), p=chance
    )


def _glare(strength: float, chance: float) -> Any:  # noqa: ANN401
    return A.Illumination(
        mode="gaussian", intensity_range=(0.02, 0.04 + 0.16 * strength), effect_type="brighten", p=chance
    )


def _contrast(strength: float, chance: float) -> Any:  # noqa: ANN401
    span = 0.1 + 0.25 * strength
    return A.RandomBrightnessContrast((-span, span), (-span, span), p=chance)


def _blur(strength: float, chance: float) -> Any:  # noqa: ANN401
    return A.GaussianBlur(blur_range=(0, 0), sigma_range=(0.3, 0.6 + 1.2 * strength), p=chance)


STEPS: Final[tuple[Step, ...]] = (
    Step("darkness", "dark", _gamma),
    Step("haze", "fog", _haze),
    Step("noise", "noise", _noise),
    Step("compression", "bitrate", _bitrate),
    Step("colour", "colour", _colour),
    Step("glare", "glare", _glare),
    Step("contrast", None, _contrast),
    Step("blur", None, _blur),
)
_WEAK, _STRONG = 0.25, 1.0


class Augmenter:
    """Changes samples by the sequence of a cause.

    Args:
        cause: its own step is strong and likely; the others are weak and seldom.
        may_mirror: only where neither lines nor the view's perspective matter.
    """

    def __init__(self, cause: RetrainCause, *, may_mirror: bool = False) -> None:
        self.cause = cause
        # In the dark a camera turns its gain up: darkness comes with noise.
        along: Mapping[str, frozenset[str]] = {
            "dark": frozenset({"noise"}),
            "appearance": frozenset({"contrast", "colour"}),
        }
        own = {step.name for step in STEPS if step.cause == cause} | along.get(cause, frozenset())
        self.told = {
            step.name: (_STRONG if step.name in own else _WEAK, _LIKELY if step.name in own else _SELDOM)
            for step in STEPS
        }
        """Step → strength and probability."""
        steps = [step.make(*self.told[step.name]) for step in STEPS]
        place: list[Any] = [
            A.Affine(
                scale=(0.75, 1.3),
                translate_percent=(-0.1, 0.1),
                keep_ratio=True,
                border_mode=cv2.BORDER_CONSTANT,
                fill=_GREY,
                p=0.7,
            )
        ]
        if may_mirror:
            place.append(A.HorizontalFlip(p=0.5))
        self._sequence = _with_boxes([A.RandomOrder([*place, *steps], n=len(place) + len(steps))])
        self._place = _with_boxes(place)

    def apply(self, rng: np.random.Generator, sample: Sample, *, only_place: bool = False) -> Sample:
        """Return another sample of the same size; the same state of `rng` gives the same.

        Args:
            only_place: change where people are, not how they look.
        """
        sequence = self._place if only_place else self._sequence
        sequence.set_random_seed(int(rng.integers(2**31 - 1)))
        changed = sequence(image=sample.picture, bboxes=sample.boxes_px, numbers=np.arange(len(sample.boxes_px)))
        boxes = np.asarray(changed["bboxes"], np.float32).reshape(-1, 4)
        return Sample(np.array(changed["image"], np.uint8), boxes)  # what comes out may be for reading only

    def measured_ms(self, sample: Sample) -> float:
        """CPU milliseconds for one picture, the median of a few."""
        rng = np.random.Generator(np.random.PCG64(1))
        times = []
        for _ in range(_MEASURED):
            started = time.process_time()
            self.apply(rng, sample)
            times.append((time.process_time() - started) * 1000)
        return float(np.median(times))


def _with_boxes(transforms: Sequence[Any]) -> Any:  # noqa: ANN401
    return A.Compose(
        list(transforms),
        bbox_params=A.BboxParams(
            coord_format="pascal_voc",
            label_fields=["numbers"],
            min_visibility=LEAST_VISIBLE,
            clip_bboxes_on_input=True,
            filter_invalid_bboxes=True,
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A picture to train on: a file, and (N, 4) float32 boxes in its pixels."""

    path: Path
    boxes_px: NDArray[np.float32]


class Mixture:
    """Draws samples of new and old pictures for a fine-tuning; see `retrain.train.Sampling`.

    Args:
        new: what is to be learned; at least one.
        old: what must not be forgotten; may be empty.
        replay_share: of the samples that are old, where there are old ones.
    """

    def __init__(
        self, new: Sequence[Material], old: Sequence[Material], augmenter: Augmenter, *, replay_share: float
    ) -> None:
        self._parts = (list(old), list(new))
        self._augmenter = augmenter
        self._replay_share = replay_share if old else 0.0

    def epochs(self, samples: int) -> float:
        """How often each new picture was learned from after so many samples, on the average."""
        return samples * (1 - self._replay_share) / len(self._parts[1])

    def sample(self, rng: np.random.Generator, height_px: int, width_px: int, *, plain: bool) -> Sample:
        """Make one sample: a whole picture as serving fits it in, mostly augmented; with `plain`, half of the time."""
        part = self._parts[int(rng.random() >= self._replay_share)]
        material = part[int(rng.integers(len(part)))]
        picture = cv2.imread(str(material.path))
        if picture is None:
            raise TrainingError(f"picture {material.path.name}: cannot be read; the training ends")
        canvas = np.empty((height_px, width_px, 3), np.uint8)
        fitted = letterbox_into(np.asarray(picture, np.uint8), canvas)
        boxes = material.boxes_px * fitted.scale + np.array([fitted.left_px, fitted.top_px] * 2, np.float32)
        sample = Sample(canvas, boxes.astype(np.float32))
        if rng.random() < (0.5 if plain else _PLAIN):
            return sample
        return self._augmenter.apply(rng, sample)


def sheet(augmenter: Augmenter, samples: Sequence[Sample], *, across: int = 6, seed: int = 1) -> NDArray[np.uint8]:
    """Draw what becomes of pictures, each with its boxes, to be looked at by a person.

    Args:
        samples: all of one size; at least one.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    rows = []
    for sample in samples:
        tiles = [sample, *(augmenter.apply(rng, sample) for _ in range(across - 1))]
        for tile in tiles:
            for x0, y0, x1, y1 in tile.boxes_px.round().astype(int).tolist():
                cv2.rectangle(tile.picture, (x0, y0), (x1, y1), (255, 255, 255), 1)
        rows.append(np.hstack([tile.picture for tile in tiles]))
    return np.asarray(np.vstack(rows), np.uint8)
