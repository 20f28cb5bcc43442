"""Ways to run a retraining: the promise that all of them keep; knows no request's cause and no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from footfall.errors import FootfallError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from footfall.domain import RetrainOutcome, RetrainRequest

OUTCOMES: Final[dict[int, RetrainOutcome]] = {0: "promoted", 42: "rejected", 43: "insufficient_labels"}
"""Exit status of a retraining → how it ended; any other one is `failed`."""


class LaunchError(FootfallError):
    """A retraining could not be started or asked about; it is tried again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a retraining ended; the note is for people."""

    outcome: RetrainOutcome
    note: str


class Launcher(Protocol):
    """Runs retrainings somewhere.

    Every method may be called again with the same request, also by another process after a crash: it is run once. All
    raise LaunchError when it could not be done and may be tried again.
    """

    def launch(self, request: RetrainRequest) -> Mapping[str, Any]:
        """Start it, unless it was started before; returns what it can be found by."""

    def poll(self, request: RetrainRequest) -> Ended | None:
        """Return how it ended; None while it runs."""

    def cancel(self, request: RetrainRequest) -> None:
        """Want it to end; `poll` tells when it has."""


def ended_with(status: int, note: str = "") -> Ended:
    """Return what an exit status means.

    >>> ended_with(42)
    Ended(outcome='rejected', note='exit status 42')
    """
    return Ended(OUTCOMES.get(status, "failed"), note or f"exit status {status}")


def told_of(request: RetrainRequest) -> dict[str, Any]:
    """Return what a retraining is told of its request; JSON can hold it."""
    return {
        "id": request.id,
        "site": request.site,
        "cause": request.cause,
        "cameras": request.slice.split(",") if request.slice else [],
        "champion": request.champion,
        "reason": request.reason,
    }
