"""From single unusual windows to something worth a person's time: a camera's tier; knows no statistics and no cause."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from footfall.domain import DriftState, DriftTier

CONSECUTIVE: Final = 3
OF_LAST: Final = (6, 8)
FAR: Final = 2.0
"""Times the threshold: so far is no hour's whim, and the third window in a row need not be waited for."""
CLEAR_BELOW: Final = 0.8
"""Share of the threshold: what hovers around it does not flicker."""
CLEAR_AFTER: Final = 6
"""Usual windows in a row after which an episode is over."""


@dataclass(frozen=True, slots=True)
class TierState:
    """Where a camera is.

    Attributes:
        recent: the last eight windows that told something, oldest first.
        calm_for: usual windows in a row.
        episodes: how often it came to `investigate`.
    """

    tier: DriftTier = "calm"
    recent: tuple[bool, ...] = ()
    calm_for: int = 0
    episodes: int = 0


def state_of(ratio: float | None, *, is_faulty: bool = False) -> DriftState:
    """Return what a window is.

    Args:
        ratio: largest distance ÷ threshold of its features; None: too few rows.

    >>> state_of(1.2), state_of(0.9), state_of(0.5), state_of(None), state_of(1.2, is_faulty=True)
    ('unusual', 'between', 'usual', 'insufficient', 'suppressed')
    """
    if is_faulty:
        return "suppressed"
    if ratio is None:
        return "insufficient"
    if ratio > 1:
        return "unusual"
    return "between" if ratio >= CLEAR_BELOW else "usual"


def after(state: TierState, window: DriftState, *, ratio: float | None = None, at_once: bool = False) -> TierState:
    """Return where the camera is after one more window.

    It comes to `investigate` by three unusual windows in a row, by two of which the second is `FAR`, or by six of the
    last eight, and leaves it after six usual ones in a row.

    Args:
        ratio: as `state_of` got it; None: it is not known how far the window is.
        at_once: one unusual window is enough: its cause cannot wait.
    """
    if window in {"insufficient", "suppressed"}:
        return state
    most, of = OF_LAST
    recent = (*state.recent, window == "unusual")[-of:]
    calm_for = state.calm_for + 1 if window == "usual" else 0
    needed = CONSECUTIVE
    if window == "unusual":
        needed = 1 if at_once else CONSECUTIVE - 1 if ratio is not None and ratio >= FAR else CONSECUTIVE
    lasts = all(recent[-needed:]) and len(recent) >= needed
    if state.tier != "investigate" and (lasts or sum(recent) >= most):
        return TierState("investigate", recent, calm_for, state.episodes + 1)
    if state.tier == "investigate" and calm_for < CLEAR_AFTER:
        return replace(state, recent=recent, calm_for=calm_for)
    if state.tier == "investigate":
        # The windows of the episode that is over must not begin the next one.
        return TierState("calm", (), calm_for, state.episodes)
    return TierState("watch" if window == "unusual" else "calm", recent, calm_for, state.episodes)
