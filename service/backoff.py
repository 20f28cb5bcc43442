"""How long a camera that failed is left alone; knows nothing of why it failed or of video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

QUICK_MOST_S: Final = 6.0
"""Longest wait while a camera has failed for less than `QUICK_FOR_S`: with the time to open it, a camera that is cured
in that time is back within 10 s."""
QUICK_FOR_S: Final = 300.0
STABLE_AFTER_S: Final = 60.0
"""A camera that gave pictures for this long is healthy again: its next failure starts at the first step."""
_LEAST_S: Final = 0.2


class Backoff:
    """Waits of one camera: full jitter on a doubling ladder, and a slow ladder of its own for refused passwords.

    Full jitter: the wait is drawn evenly from 0 to the step, so fifty cameras behind one switch do not come back in
    step. Source: "Exponential Backoff And Jitter" (AWS, 2015). Differs: never under 0.2 s, and the step stays at most
    6 s for the first five minutes of failing.

    Args:
        first_s: the first step.
        most_s: the largest step.
        auth_ladder_s: steps after a refused password, not shortened by jitter: cameras lock an address out after a few
            wrong passwords. The last one repeats.
    """

    def __init__(self, *, first_s: float, most_s: float, auth_ladder_s: Sequence[float], rng: random.Random) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._auth_ladder_s = tuple(auth_ladder_s)
        self._rng = rng
        self._failures = 0
        self._auth_failures = 0
        self._failing_since_s: float | None = None

    @property
    def attempt(self) -> int:
        """Failures in a row so far."""
        return max(self._failures, self._auth_failures)

    def succeeded(self, live_for_s: float) -> None:
        """The camera gave pictures for `live_for_s` before it failed; a short life does not reset the ladder."""
        self._auth_failures = 0
        self._failing_since_s = None
        if live_for_s >= STABLE_AFTER_S:
            self._failures = 0

    def after_failure(self, now_s: float) -> float:
        """Return the seconds to wait after a failure at `now_s` (monotonic)."""
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._auth_failures = 0
        most_s = self._most_s
        if now_s - self._failing_since_s < QUICK_FOR_S:
            most_s = min(most_s, QUICK_MOST_S)
        step_s = min(most_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return max(_LEAST_S, self._rng.uniform(0.0, step_s))

    def after_refused_password(self) -> float:
        """Return the seconds to wait after the camera refused the password; up to 10 % longer than the step."""
        step_s = self._auth_ladder_s[min(self._auth_failures, len(self._auth_ladder_s) - 1)]
        self._auth_failures += 1
        return step_s * self._rng.uniform(1.0, 1.1)
