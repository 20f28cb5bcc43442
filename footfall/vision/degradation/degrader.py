"""Applies what goes wrong with a camera to its pictures, in the order in which light and data take their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

from footfall.simulation import SCENE_KINDS
from footfall.vision.degradation.electronics import Bitrate, Colour, Rate, SensorNoise
from footfall.vision.degradation.lens import Covered, Defocus, Dirt, Glare, MotionBlur
from footfall.vision.degradation.scene import Dark, Fog, Infrared, Moved, Rain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from footfall.simulation import Degradation
    from footfall.vision.degradation.pictures import Picture


class Effect(Protocol):
    """Something done to a picture that depends on nothing but seed, size, severity and time."""

    def __init__(self, seed: int, height_px: int, width_px: int) -> None: ...

    def apply(self, picture: Picture, severity: float, at_s: float) -> Picture:
        """Return another picture of the same shape; severity in (0, 5]."""


EFFECTS: Final[Mapping[str, type[Effect]]] = {
    "moved": Moved,  # where the camera looks comes before everything that it sees there
    "fog": Fog,
    "rain": Rain,
    "dark": Dark,
    "infrared": Infrared,
    "glare": Glare,
    "covered": Covered,
    "dirt": Dirt,
    "defocus": Defocus,
    "motion-blur": MotionBlur,
    "noise": SensorNoise,
    "colour": Colour,
}
"""In order: scene, lens, sensor, electronics. After them come `bitrate`, `frozen` and `slow`, which have a memory."""

_MOST_KEPT: Final = 32
"""Effects kept with their maps: all kinds of two sizes and more."""


class Degrader:
    """What goes wrong with one camera.

    Degradations of the same kind at the same time count as the severest of them.

    Args:
        degradations: in any order; kinds that only a drawn scene can have are passed over.
        seed: decides on everything that looks random; the same seed gives the same pictures.
        fps: at which pictures are handed in.
    """

    def __init__(self, degradations: Sequence[Degradation], *, seed: int, fps: float) -> None:
        self._degradations = tuple(each for each in degradations if each.kind not in SCENE_KINDS)
        self._kinds = frozenset(each.kind for each in self._degradations)
        self._seed = seed
        self._fps = fps
        self._effects: dict[tuple[str, int, int], Effect] = {}
        self._bitrate: tuple[tuple[int, ...], Bitrate] | None = None
        self._last: Picture | None = None
        self._rate: Rate | None = None

    def apply(self, picture: Picture, at_s: float) -> Picture | None:
        """Return the picture as the camera gives it.

        Args:
            picture: (H, W, 3) uint8 BGR; stays as it is.
            at_s: seconds since the camera was started; moments are handed in in order. Only `bitrate`, `frozen` and
                `slow` remember what came before.

        Returns:
            (H, W, 3) uint8 BGR; `picture` itself when nothing is wrong; None when the camera gives no picture now.
        """
        active = self._active(at_s)
        if not self._is_given(active, at_s):
            return None
        if "frozen" in active and self._last is not None and self._last.shape == picture.shape:
            return self._last.copy()
        shown = picture
        height, width = picture.shape[:2]
        for kind in EFFECTS:
            if kind in active:
                shown = self._effect(kind, height, width).apply(shown, active[kind], at_s)
        if "bitrate" in active:
            shown = self._sent(shown, active["bitrate"])
        else:
            self._bitrate = None
        if "frozen" in self._kinds:
            self._last = shown.copy()
        return shown

    def transform_at(self, at_s: float, width_px: int, height_px: int) -> NDArray[np.float64] | None:
        """(2, 3) float64 affine from original to shown pixels while the camera is moved, else None.

        Coordinates are those of boxes: the origin is the outer corner of the first pixel, whose middle is (0.5, 0.5).
        """
        severity = self._active(at_s).get("moved")
        if severity is None:
            return None
        return cast("Moved", self._effect("moved", height_px, width_px)).matrix(severity)

    def hidden_at(self, at_s: float, width_px: int, height_px: int) -> NDArray[np.bool_] | None:
        """(H, W) True where something in front of the lens hides the picture while it is covered, else None."""
        severity = self._active(at_s).get("covered")
        if severity is None:
            return None
        return cast("Covered", self._effect("covered", height_px, width_px)).hidden(severity)

    def is_frozen_at(self, at_s: float) -> bool:
        """Whether the last picture before it is given again and again."""
        return "frozen" in self._active(at_s)

    def _active(self, at_s: float) -> dict[str, float]:
        """Kind → severity in (0, 5] of what is wrong at a moment."""
        active: dict[str, float] = {}
        for each in self._degradations:
            severity = each.severity_at(at_s)
            if severity > 0:
                active[each.kind] = max(severity, active.get(each.kind, 0.0))
        return active

    def _is_given(self, active: Mapping[str, float], at_s: float) -> bool:
        if "slow" not in active:
            self._rate = None
            return True
        if self._rate is None:
            self._rate = Rate(self._fps)
        return self._rate.gives(active["slow"], at_s)

    def _sent(self, picture: Picture, severity: float) -> Picture:
        if self._bitrate is None or self._bitrate[0] != picture.shape:
            self._bitrate = picture.shape, Bitrate(self._fps, *picture.shape[:2])
        return self._bitrate[1].apply(picture, severity)

    def _effect(self, kind: str, height_px: int, width_px: int) -> Effect:
        key = kind, height_px, width_px
        if key not in self._effects:
            if len(self._effects) >= _MOST_KEPT:
                self._effects.clear()
            self._effects[key] = EFFECTS[kind](self._seed, height_px, width_px)
        return self._effects[key]
