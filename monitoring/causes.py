"""From drifted statistics to what happened to the camera, by one table of rules; measures nothing and tells nobody.

A rule says which statistics must have changed, which way and by how much at least, and which must not have. The first
rule of `RULES` that fits names the cause; what drifted and fits none is `unknown`. Sizes are in the statistics' own
units, so that a rule means the same on a camera whose pictures never vary and on one whose pictures always do. Whether
a change is more than this camera's usual variation is what thresholds say: some statistic must have passed its own, and
a leading sign of the rule must at least have come near.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from footfall.domain import DriftCause, FeatureDrift

_LEAST_RATE: Final = 0.6
"""Of the target rate; with less, tracks break for that reason."""
_MOST_BROKEN: Final = 0.05
_MOST_DEGRADED: Final = 0.2


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How a camera's stream did in the window; a figure that is not known is None.

    Attributes:
        fps: pictures a second that came.
        target_fps: that should have come.
        broken_share: pictures that the decoder marked as broken; 0–1.
        degraded_share: of the time, in which the camera was in the state `degraded`; 0–1.
    """

    fps: float | None = None
    target_fps: float | None = None
    broken_share: float | None = None
    degraded_share: float | None = None

    @property
    def problem(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        if self.fps is not None and self.target_fps is not None and self.fps < _LEAST_RATE * self.target_fps:
            return f"{self.fps:.1f} pictures a second, usual are {self.target_fps:.1f}"
        if self.broken_share is not None and self.broken_share > _MOST_BROKEN:
            return f"{self.broken_share:.0%} of the pictures are broken"
        if self.degraded_share is not None and self.degraded_share > _MOST_DEGRADED:
            return f"many broken pictures in {self.degraded_share:.0%} of the time"
        return ""

    @property
    def is_faulty(self) -> bool:
        """Whether its pictures tell of the stream and not of the scene."""
        return self.problem != ""


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
        needs: all of them; the first ones lead: the score of one of these must come near its threshold.
        leads: how many of them lead.
        unless: none of them.
        shows: statistics that also belong to it: evidence where they drifted, needed nowhere.
    """

    cause: DriftCause
    needs: tuple[Sign, ...]
    unless: tuple[Sign, ...] = ()
    shows: tuple[str, ...] = ()
    leads: int = 1


_LEAD: Final = 0.7
"""Share of its threshold that a leading sign must pass. That something happened is said by whichever statistic passes
its whole threshold; what it was, by all of them together."""
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
        "dark",
        needs=(
            Sign("luminance", "down", factor=5),
            Sign("contrast", "down", factor=3),
            Sign("dark_share", "up", bound=0.8),
        ),
        shows=("haze", "noise", "view_match", "faint_share"),
        leads=3,
    ),
    Rule(
        "moved",
        needs=(_ELSEWHERE,),
        unless=(_VERY_NOISY, _BLOCKY, Sign("sharpness", "down", factor=12), _WHITE_AREA),
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
        leads=2,
    ),
    Rule(
        "covered",
        needs=(Sign("light_unevenness", "up", step=0.05), Sign("faint_share", "up", step=0.08)),
        unless=(Sign("luminance", "up", factor=1.15),),
        shows=("luminance", "detections", "still_share", "contrast"),
        leads=2,
    ),
    Rule(
        "covered",
        # Dirt lies on parts of the lens: less noise comes through there, as when defocused, but not everywhere.
        needs=(
            Sign("light_unevenness", "up", step=0.025),
            Sign("faint_share", "up", step=0.03),
            Sign("noise", "down", factor=1.3),
        ),
        unless=(
            Sign("luminance", "up", factor=1.15),
            Sign("sharpness", "up", factor=1.1),
            Sign("sharpness", "down", factor=8),
        ),
        shows=("still_share", "sharpness", "view_match", "contrast"),
        leads=2,
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
        "noise",
        needs=(_VERY_NOISY,),
        shows=("sharpness", "still_share", "confidence_mean", "view_match"),
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
class Finding:
    """What happened to a camera.

    Attributes:
        evidence: statistics that drifted and belong to the cause, the rule's leading one first; of `unknown` all that
            drifted, of `stream` none.
        others: causes whose rules fit as well, in the order of the table.
    """

    cause: DriftCause
    evidence: tuple[str, ...]
    others: tuple[DriftCause, ...] = ()


def name_cause(drifts: Mapping[str, FeatureDrift], stream: StreamHealth | None = None) -> Finding | None:
    """Return what happened; None where nothing passed its threshold.

    Args:
        drifts: by statistic; one that is not known is absent.
        stream: a fault of it is the cause whatever the pictures show, because they show what came of it.
    """
    if stream is not None and stream.is_faulty:
        return Finding("stream", ())
    drifted = [name for name, drift in drifts.items() if drift.score > drift.threshold]
    fitting = [rule for rule in RULES if drifted and _fits(rule, drifts)]
    if fitting:
        first = fitting[0]
        needed = [sign.feature for sign in first.needs]
        shown = [name for name in first.shows if name in drifted]
        others = tuple(cause for cause in dict.fromkeys(rule.cause for rule in fitting) if cause != first.cause)
        return Finding(first.cause, tuple(dict.fromkeys(needed + shown)), others)
    return Finding("unknown", tuple(drifted)) if drifted else None


def _fits(rule: Rule, drifts: Mapping[str, FeatureDrift]) -> bool:
    leads = [drifts[sign.feature] for sign in rule.needs[: rule.leads] if sign.feature in drifts]
    if not any(lead.score > _LEAD * lead.threshold for lead in leads):
        return False
    seen = all(sign.feature in drifts and sign.is_seen(drifts[sign.feature]) for sign in rule.needs)
    return seen and not any(sign.feature in drifts and sign.is_seen(drifts[sign.feature]) for sign in rule.unless)
