"""From drifted statistics to what happened to the camera, by one table of rules; measures nothing and tells nobody.

A rule says which statistics must have changed, which way and by how much at least, and which must not have. The first
rule of `RULES` that fits names the cause; what drifted and fits none is `unknown`. Sizes are in the statistics' own
units, so that a rule means the same on a camera whose pictures never vary and on one whose pictures always do. Whether
a change is more than this camera's usual variation is what its threshold says: the leading sign of a rule must pass it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Cause = Literal[
    "dark",
    "glare",
    "fog",
    "defocus",
    "noise",
    "bitrate",
    "colour",
    "moved",
    "covered",
    "frozen",
    "stream",
    "crowding",
    "appearance",
    "unknown",
]

Remedy = Literal["camera", "model", "none"]
"""Who can do something: somebody at the camera, a retraining, or nobody because nothing is wrong."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one statistic of a camera is from its reference.

    Attributes:
        score: distance between reference and current window; ≥ 0.
        threshold: what the score must pass to be more than this camera's usual variation; ≥ 0.
        shift: difference of the means in spreads of the reference; negative where the statistic fell.
        usual, now: means of the reference and of the current window, in the statistic's unit.
    """

    score: float
    threshold: float
    shift: float
    usual: float
    now: float


_LEAST_RATE: Final = 0.6
"""Of the target rate; with less, tracks break for that reason."""
_MOST_BROKEN: Final = 0.05


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How a camera's stream did in the window; a figure that is not known is None.

    Attributes:
        fps: pictures a second that came.
        target_fps: that should have come.
        broken_share: pictures that the decoder marked as broken; 0–1.
    """

    fps: float | None = None
    target_fps: float | None = None
    broken_share: float | None = None

    @property
    def is_faulty(self) -> bool:
        """Whether its pictures tell of the stream and not of the scene."""
        is_slow = self.fps is not None and self.target_fps is not None and self.fps < _LEAST_RATE * self.target_fps
        return is_slow or (self.broken_share is not None and self.broken_share > _MOST_BROKEN)


@dataclass(frozen=True, slots=True)
class Sign:
    """A change of one statistic that speaks for a cause, or against it.

    Attributes:
        way: `either` takes a rise and a fall by the same factor.
        factor: least ratio of now to usual, of usual to now where it falls; 1 asks for none.
        step: least difference, in the statistic's unit.
        bound: the statistic must now be here or beyond; None asks for nothing.
    """

    feature: str
    way: Literal["up", "down", "either"]
    factor: float = 1.0
    step: float = 0.0
    bound: float | None = None

    def is_seen(self, drift: FeatureDrift) -> bool:
        """Tell whether the change is as large as this; says nothing of the threshold."""
        rises = drift.now > drift.usual if self.way == "either" else self.way == "up"
        high, low = (drift.now, drift.usual) if rises else (drift.usual, drift.now)
        if high - low < self.step or high <= low or high < self.factor * low:
            return False
        return self.bound is None or (drift.now >= self.bound if rises else drift.now <= self.bound)


@dataclass(frozen=True, slots=True)
class Rule:
    """What must be seen for a cause.

    Attributes:
        needs: all of them; the first one leads: its score must pass its threshold.
        unless: none of them.
        shows: statistics that also belong to it: evidence where they drifted, needed nowhere.
    """

    cause: Cause
    needs: tuple[Sign, ...]
    unless: tuple[Sign, ...] = ()
    shows: tuple[str, ...] = ()


_ELSEWHERE: Final = Sign("view_match", "down", bound=0.33)
"""Far below what fog, darkness, blur and noise leave of a match."""
_VERY_NOISY: Final = Sign("noise", "up", factor=3, step=5)
"""Noise hides edges until nothing matches."""
_BLOCKY: Final = Sign("blockiness", "up", factor=1.3, step=0.3)
_WHITE_AREA: Final = Sign("bright_blob_share", "up", step=0.3)

RULES: Final = (
    Rule(
        "frozen",
        needs=(Sign("still_share", "up", step=0.02, bound=0.975),),
        unless=(_WHITE_AREA,),
    ),
    Rule(
        "moved",
        needs=(_ELSEWHERE,),
        unless=(_VERY_NOISY, _BLOCKY, Sign("sharpness", "down", factor=20), _WHITE_AREA),
        shows=("light_unevenness", "box_height_by_row", "edge_touching_share", "persistent_edge_share"),
    ),
    Rule(
        "bitrate",
        needs=(_BLOCKY,),
        shows=("noise", "still_share", "view_match"),
    ),
    Rule(
        "glare",
        needs=(
            Sign("light_unevenness", "up", step=0.06),
            Sign("bright_blob_share", "up", step=0.01),
            Sign("luminance", "up", factor=1.05),
        ),
        shows=("clipped_share", "haze", "faint_share"),
    ),
    Rule(
        "glare",
        needs=(Sign("bright_blob_share", "up", step=0.05), Sign("luminance", "up", factor=1.1)),
        shows=("clipped_share", "haze", "light_unevenness"),
    ),
    Rule(
        "dark",
        needs=(Sign("saturation", "down", factor=20), Sign("luminance", "down", factor=1.05)),
        shows=("noise", "light_unevenness", "red_ratio", "blue_ratio"),
    ),
    Rule(
        "fog",
        needs=(Sign("contrast", "down", factor=1.5), Sign("haze", "up", factor=1.3)),
        shows=("luminance", "saturation", "noise", "faint_share", "sharpness"),
    ),
    Rule(
        "covered",
        needs=(
            Sign("light_unevenness", "up", step=0.05),
            Sign("faint_share", "up", step=0.08),
        ),
        unless=(Sign("luminance", "up", factor=1.15),),
        shows=("luminance", "detections", "still_share", "contrast"),
    ),
    Rule(
        "covered",
        needs=(
            Sign("faint_share", "up", step=0.08),
            Sign("light_unevenness", "up", step=0.05),
        ),
        unless=(Sign("luminance", "up", factor=1.15),),
        shows=("luminance", "detections", "still_share", "contrast"),
    ),
    Rule(
        "dark",
        needs=(Sign("luminance", "down", factor=1.25),),
        shows=("dark_share", "contrast", "haze", "noise", "saturation"),
    ),
    Rule(
        "fog",
        needs=(Sign("contrast", "down", factor=1.15), Sign("haze", "up", factor=1.15)),
        unless=(Sign("sharpness", "down", factor=3),),
        shows=("luminance", "saturation", "noise", "faint_share"),
    ),
    Rule(
        "colour",
        needs=(Sign("red_ratio", "either", factor=1.06),),
        shows=("blue_ratio", "saturation", "haze"),
    ),
    Rule(
        "colour",
        needs=(Sign("blue_ratio", "either", factor=1.06),),
        shows=("red_ratio", "saturation", "haze"),
    ),
    Rule(
        "noise",
        needs=(Sign("noise", "up", factor=1.6, step=1.5),),
        shows=("sharpness", "still_share", "confidence_mean", "view_match"),
    ),
    Rule(
        "defocus",
        needs=(Sign("sharpness", "down", factor=1.25),),
        shows=("noise", "view_match", "contrast", "confidence_mean", "detections"),
    ),
    Rule(
        "crowding",
        needs=(Sign("detections", "up", factor=1.4, step=1.0),),
        shows=("view_match", "low_confidence_share", "box_height_median"),
    ),
    Rule(
        "appearance",
        needs=(Sign("people_brightness", "either", factor=1.15),),
        shows=("people_saturation", "confidence_mean", "low_confidence_share", "detections"),
    ),
    Rule(
        "appearance",
        needs=(Sign("people_saturation", "either", factor=1.3),),
        shows=("people_brightness", "confidence_mean", "low_confidence_share", "detections"),
    ),
    Rule(
        "appearance",
        needs=(Sign("confidence_mean", "either", step=0.05),),
        shows=("low_confidence_share", "detections", "box_height_median"),
    ),
)
"""First come faults that change everything else with them, last what only the detector notices."""


@dataclass(frozen=True, slots=True)
class About:
    """What a cause means for whoever reads it.

    Attributes:
        means: one line, for people.
        next_step: one line; what to do first.
    """

    remedy: Remedy
    means: str
    next_step: str


ABOUT: Final[Mapping[Cause, About]] = MappingProxyType(
    {
        "dark": About("model", "darker than it used to be at this hour", "look at the lamps; label what it sees now"),
        "glare": About("camera", "a lamp or the sun shines into the lens", "shade the camera or turn it away"),
        "fog": About(
            "model", "a whitish veil: fog, rain, steam or a dull lens", "wipe the lens; label what it sees now"
        ),
        "defocus": About("camera", "blurred", "clean and focus the lens"),
        "noise": About("model", "grainy", "look at the lamps and the camera's gain; label what it sees now"),
        "bitrate": About("camera", "block artefacts: the camera compresses too much", "raise the camera's bitrate"),
        "colour": About("model", "another tint", "look at the white balance; label what it sees now"),
        "moved": About("camera", "it looks elsewhere", "turn it back, or accept the view and redraw its lines"),
        "covered": About("camera", "part of the picture is hidden", "uncover and clean the camera"),
        "frozen": About("camera", "the same picture again and again", "restart the camera or its encoder"),
        "stream": About("camera", "too few or broken pictures arrive", "look at the network and the camera"),
        "crowding": About("none", "more people than usual", "nothing, if the reason is known: accept these days"),
        "appearance": About("model", "people look other than they used to", "label what it sees now"),
        "unknown": About("none", "something changed that fits no rule", "look at the pictures before and after"),
    }
)
"""Every cause; a test holds it to that."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What happened to a camera.

    Attributes:
        evidence: statistics that drifted and belong to the cause, the rule's leading one first; of `unknown` all that
            drifted, of `stream` none.
        others: causes whose rules fit as well, in the order of the table.
    """

    cause: Cause
    evidence: tuple[str, ...]
    others: tuple[Cause, ...] = ()


def name_cause(drifts: Mapping[str, FeatureDrift], stream: StreamHealth | None = None) -> Finding | None:
    """Return what happened; None where nothing passed its threshold.

    Args:
        drifts: by statistic; one that is not known is absent.
        stream: a fault of it is the cause whatever the pictures show, because they show what came of it.
    """
    if stream is not None and stream.is_faulty:
        return Finding("stream", ())
    fitting = [rule for rule in RULES if _fits(rule, drifts)]
    drifted = [name for name, drift in drifts.items() if drift.score > drift.threshold]
    if fitting:
        first = fitting[0]
        needed = [sign.feature for sign in first.needs]
        shown = [name for name in first.shows if name in drifted]
        others = tuple(cause for cause in dict.fromkeys(rule.cause for rule in fitting) if cause != first.cause)
        return Finding(first.cause, tuple(dict.fromkeys(needed + shown)), others)
    return Finding("unknown", tuple(drifted)) if drifted else None


def _fits(rule: Rule, drifts: Mapping[str, FeatureDrift]) -> bool:
    lead = drifts.get(rule.needs[0].feature)
    if lead is None or lead.score <= lead.threshold:
        return False
    seen = all(sign.feature in drifts and sign.is_seen(drifts[sign.feature]) for sign in rule.needs)
    return seen and not any(sign.feature in drifts and sign.is_seen(drifts[sign.feature]) for sign in rule.unless)
