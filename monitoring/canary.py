"""Whether a new model stays, goes or becomes champion, by what is known of it and of the one before; reads no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from footfall.domain import QualityEstimate, QualityMeasure

LEAST_WATCHED_S: Final = 1800.0
"""With less nothing is said about speed."""
_LEAST_WATCHED_SHARE: Final = 0.5
_NAMES: Final[dict[QualityMeasure, str]] = {
    "precision_reviewed": "precision by verdicts",
    "precision_assisted": "precision by verdicts and a stronger model",
    "recall_audited": "recall on audited frames",
    "teacher_agreement": "agreement with the stronger model",
    "precision_estimated": "precision estimated from confidences",
}


@dataclass(frozen=True, slots=True)
class Worth:
    """What is known of a model on the cameras in question.

    Attributes:
        estimates: measure → estimate for all these cameras together; those that are not known may be missing.
        watched_s: seconds in which these cameras were watched with it.
        analysed: frames analysed in them.
    """

    estimates: Mapping[QualityMeasure, QualityEstimate]
    watched_s: float = 0.0
    analysed: int = 0

    @property
    def analysed_fps(self) -> float | None:
        """Frames analysed in a second of one camera; None: watched too shortly."""
        return self.analysed / self.watched_s if self.watched_s >= LEAST_WATCHED_S else None


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """When a new model goes or stays.

    Attributes:
        target: precision that is promised.
        estimated_drop: so much lower an estimated precision ends it; reviewed figures bring their own intervals.
        least_fps_ratio: with so much fewer frames analysed than before it is too slow.
        promote_after: a challenger on canaries that held for so long becomes champion; None: people promote.
    """

    target: float
    estimated_drop: float = 0.05
    least_fps_ratio: float = 0.7
    promote_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class TrialDecision:
    """What to do, and why, in one line for the log."""

    action: Literal["hold", "take_back", "promote"]
    why: str


def judge(
    new: Worth, old: Worth, *, refusal: str, lasted: timedelta, may_be_promoted: bool, settings: TrialSettings
) -> TrialDecision:
    """Decide about a model that came into service a while ago.

    It is taken back when a service could not use it; when a figure that labels prove is worse than that of the model
    before, their 95 % intervals being apart (two equal models show that in 0.3 % of cases); when nothing is known of
    the one before and precision is proven to be below the target; when an estimate fell far; or when fewer frames are
    analysed than before. What is not known says nothing.

    Args:
        old: of the model before, on the same cameras.
        refusal: why a service could not use it; empty: it can.
        lasted: since it came into service.
        may_be_promoted: it is a challenger with canaries.
    """
    if refusal:
        return TrialDecision("take_back", f"a service could not use it: {refusal}"[:300])
    for found in (_proven_worse(new, old), _below_target(new, old, settings), _fell(new, old, settings)):
        if found is not None:
            return TrialDecision("take_back", found)
    slower = _slower(new, old, settings)
    if slower is not None:
        return TrialDecision("take_back", slower)
    known = [f"{_NAMES[name]} {_shown(each)}" for name, each in new.estimates.items() if each.value is not None]
    if may_be_promoted and settings.promote_after is not None and lasted >= settings.promote_after:
        # A camera that was off all the time has tried nothing out.
        if new.watched_s < _LEAST_WATCHED_SHARE * settings.promote_after.total_seconds():
            return TrialDecision("hold", "its cameras were watched too shortly")
        hours = lasted.total_seconds() / 3600
        return TrialDecision("promote", f"held for {hours:.0f} h; {'; '.join(known) or 'no figure is known of it'}")
    return TrialDecision("hold", "; ".join(known) or "no figure is known yet")


def _proven_worse(new: Worth, old: Worth) -> str | None:
    for name, mine in new.estimates.items():
        theirs = old.estimates.get(name)
        if theirs is None or mine.upper is None or theirs.lower is None or mine.value is None or theirs.value is None:
            continue
        if mine.upper < theirs.lower:
            return f"{_NAMES.get(name, name)} fell to {_shown(mine)} from {_shown(theirs)}"
    return None


def _below_target(new: Worth, old: Worth, settings: TrialSettings) -> str | None:
    mine, theirs = new.estimates.get("precision_reviewed"), old.estimates.get("precision_reviewed")
    if mine is None or mine.upper is None or (theirs is not None and theirs.value is not None):
        return None
    if mine.upper < settings.target:
        return f"{_NAMES['precision_reviewed']} is {_shown(mine)}, below the target of {100 * settings.target:.0f} %"
    return None


def _fell(new: Worth, old: Worth, settings: TrialSettings) -> str | None:
    mine, theirs = new.estimates.get("precision_estimated"), old.estimates.get("precision_estimated")
    if mine is None or theirs is None or mine.value is None or theirs.value is None:
        return None
    if mine.value < theirs.value - settings.estimated_drop:
        return f"{_NAMES['precision_estimated']} fell to {_shown(mine)} from {_shown(theirs)}"
    return None


def _slower(new: Worth, old: Worth, settings: TrialSettings) -> str | None:
    mine, theirs = new.analysed_fps, old.analysed_fps
    if mine is None or theirs is None or mine >= settings.least_fps_ratio * theirs:
        return None
    return f"{mine:.1f} frames a second of a camera are analysed, {theirs:.1f} were before: it is too slow"


def _shown(estimate: QualityEstimate) -> str:
    assert estimate.value is not None
    interval = (
        ""
        if estimate.lower is None or estimate.upper is None
        else f" ({100 * estimate.lower:.1f} to {100 * estimate.upper:.1f})"
    )
    return f"{100 * estimate.value:.1f} %{interval}"
