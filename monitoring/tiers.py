"""From single unusual windows to something worth a person's time: a camera's tier; knows no statistics and no cause."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from footfall.domain import DriftState, DriftTier


@dataclass(frozen=True, slots=True)
class TierRules:
    """When a camera's tier changes.

    Attributes:
        consecutive: unusual windows in a row that make an episode; ≥ 1.
        most, last: so many unusual ones of so many do as well.
        far: times its threshold; so far is no hour's whim, and the last window in a row need not be waited for.
        clear_below: share of the threshold; what hovers around it does not flicker.
        clear_after: usual windows in a row after which an episode is over.
    """

    consecutive: int = 3
    most: int = 6
    last: int = 8
    far: float = 2.0
    clear_below: float = 0.8
    clear_after: int = 6


DEFAULT_RULES: Final = TierRules()


@dataclass(frozen=True, slots=True)
class TierState:
    """Where a camera is.

    Attributes:
        recent: the last windows that told something, oldest first; as many as `TierRules.last`.
        calm_for: usual windows in a row.
        episodes: how often it came to `investigate`.
    """

    tier: DriftTier = "calm"
    recent: tuple[bool, ...] = ()
    calm_for: int = 0
    episodes: int = 0


def state_of(ratio: float | None, *, is_faulty: bool = False, rules: TierRules = DEFAULT_RULES) -> DriftState:
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
    return "between" if ratio >= rules.clear_below else "usual"


def after(
    state: TierState,
    window: DriftState,
    *,
    ratio: float | None = None,
    at_once: bool = False,
    rules: TierRules = DEFAULT_RULES,
) -> TierState:
    """Return where the camera is after one more window.

    By default it comes to `investigate` by three unusual windows in a row, by two of which the second is `far`, or by
    six of the last eight, and leaves it after six usual ones in a row.

    Args:
        ratio: as `state_of` got it; None: it is not known how far the window is.
        at_once: one unusual window is enough: its cause cannot wait.
    """
    if window in {"insufficient", "suppressed"}:
        return state
    recent = (*state.recent, window == "unusual")[-rules.last :]
    calm_for = state.calm_for + 1 if window == "usual" else 0
    needed = rules.consecutive
    if window == "unusual" and at_once:
        needed = 1
    elif window == "unusual" and ratio is not None and ratio >= rules.far:
        needed = max(1, rules.consecutive - 1)
    lasts = all(recent[-needed:]) and len(recent) >= needed
    if state.tier != "investigate" and (lasts or sum(recent) >= rules.most):
        return TierState("investigate", recent, calm_for, state.episodes + 1)
    if state.tier == "investigate" and calm_for < rules.clear_after:
        return replace(state, recent=recent, calm_for=calm_for)
    if state.tier == "investigate":
        # The windows of the episode that is over must not begin the next one.
        return TierState("calm", (), calm_for, state.episodes)
    return TierState("watch" if window == "unusual" else "calm", recent, calm_for, state.episodes)
