"""Makes of a run's lines how far it is, for terminal, page and metrics; runs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from footfall.domain import RetrainProgress
from footfall.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from retrain.run import Told

_BETWEEN_S: Final = 2.0
_TELLING_SHARE: Final = 0.05
"""From this share of a stage on its own speed tells more than the plan."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a plan makes of a moment of a run.

    Attributes:
        left_s: until the end.
        done: share of the planned time that lies behind, in [0, 1].
    """

    left_s: float
    done: float


def outlook(planned_s: Mapping[str, float], stage: str, share: float | None, in_stage_s: float) -> Outlook | None:
    """Tell how long a run still takes; None where the plan does not know the stage.

    Args:
        planned_s: of each stage, in their order.
        share: of the stage, in [0, 1]; None where it does not tell.
        in_stage_s: since the stage began.

    >>> outlook({"plan": 10.0, "train": 80.0, "evaluate": 30.0}, "train", 0.5, 60.0)
    Outlook(left_s=90.0, done=0.4166666666666667)
    """
    names = list(planned_s)
    if stage not in planned_s:
        return None
    after = names[names.index(stage) + 1 :]
    later = sum(planned_s[name] for name in after)
    of_it = planned_s[stage]
    if share is not None and share >= _TELLING_SHARE:
        left = in_stage_s * (1 - share) / share
        behind = share * of_it
    else:
        left = max(0.0, of_it - in_stage_s)
        behind = (share or 0.0) * of_it
    whole = sum(planned_s.values())
    before = whole - later - of_it
    return Outlook(left + later, (before + behind) / whole if whole else 0.0)


class Teller:
    """Takes a run's lines: shows each of them, and keeps how far the run is where other programs look.

    Args:
        show: gets each line, with `left_s` where that can be told.
        keep: makes progress durable. One that fails costs a line on `warn`, never the run.
        planned: gives the run's plan as its artefact; None before there is one.
        clock_s: monotonic.
        now: aware UTC.
    """

    def __init__(
        self,
        show: Callable[[Told], None],
        keep: Callable[[RetrainProgress], None],
        planned: Callable[[], Mapping[str, Any] | None],
        *,
        warn: Callable[[str], None],
        clock_s: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._show = show
        self._keep = keep
        self._planned = planned
        self._warn = warn
        self._clock_s = clock_s
        self._now = now
        self._stage = ""
        self._number = self._stages = 0
        self._began_s = 0.0
        self._kept_s: float | None = None
        self._plan: Mapping[str, Any] | None = None
        self._is_warned = False

    def __call__(self, line: Told) -> None:
        """Take one line."""
        now_s = self._clock_s()
        if line["what"] == "begins" and "number" in line:
            self._stage, self._number, self._stages = line["stage"], line["number"], line["of"]
            self._began_s, self._kept_s = now_s, None
            self._plan = self._planned()
        if line["stage"] != self._stage or line["what"] == "is done":
            self._show(line)  # of the run as a whole, or of a stage that is over: the next one begins at once
            return
        stage_s = (self._plan or {}).get("stage_s") or {}
        seen = outlook(stage_s, self._stage, line.get("share"), now_s - self._began_s)
        self._show(line if seen is None else line | {"left_s": round(seen.left_s)})
        if self._kept_s is not None and now_s - self._kept_s < _BETWEEN_S:
            return
        self._kept_s = now_s
        self._write(
            RetrainProgress(
                at=self._now(),
                stage=self._stage,
                number=self._number,
                stages=self._stages,
                what=str(line["what"]),
                share=line.get("share"),
                step=line.get("step"),
                steps=line.get("steps"),
                loss=line.get("loss"),
                losses=line.get("losses", {}),
                epoch=line.get("epoch"),
                epochs=line.get("epochs"),
                planned_s=round(sum(stage_s.values()), 1) if stage_s else None,
                left_s=None if seen is None else round(seen.left_s, 1),
                done=None if seen is None else round(seen.done, 4),
            )
        )

    def _write(self, progress: RetrainProgress) -> None:
        try:
            self._keep(progress)
        except StoreError as error:
            if not self._is_warned:
                self._is_warned = True
                self._warn(f"progress cannot be kept ({error}); the run goes on, others see it as stale")
        else:
            self._is_warned = False
