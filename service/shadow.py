"""Lets a challenger look at single frames beside the champion, and tells how far they agree; it counts nobody."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from scipy.optimize import linear_sum_assignment

from footfall.vision.boxes import pairwise_iou

if TYPE_CHECKING:
    import random

    import numpy as np
    from numpy.typing import NDArray

    from footfall.domain import Camera, Detections
    from footfall.vision.analysis import Analysis
    from footfall.vision.detector import Detector
    from service.metrics import Metrics
    from service.sampling import Sampler, TrainingFrame

_log = structlog.get_logger(__name__)
_IOU: Final = 0.5
_NICE: Final = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two detectors surely found, each at its own threshold.

    Attributes:
        both, champion, challenger: people that both found, or only one of them.
    """

    frames: int = 0
    both: int = 0
    champion: int = 0
    challenger: int = 0

    @property
    def agreement(self) -> float | None:
        """2 · both ÷ (all of one + all of the other), in [0, 1]; None: nobody was found."""
        found = 2 * self.both + self.champion + self.challenger
        return 2 * self.both / found if found else None

    def and_(self, other: Comparison) -> Comparison:
        """Return both together."""
        return Comparison(
            self.frames + other.frames,
            self.both + other.both,
            self.champion + other.champion,
            self.challenger + other.challenger,
        )


def compare(champion: Detections, challenger: Detections) -> Comparison:
    """Compare what two detectors found on one frame; a person is the same at an overlap of one half.

    >>> import numpy as np
    >>> from footfall.domain import Detections
    >>> one = Detections(np.array([[0, 0, 10, 20], [50, 0, 60, 20]], np.float32), np.array([0.9, 0.8], np.float32), 0.5)
    >>> two = Detections(np.array([[1, 0, 11, 20]], np.float32), np.array([0.6], np.float32), 0.5)
    >>> compare(one, two)
    Comparison(frames=1, both=1, champion=1, challenger=0)
    """
    mine, theirs = _sure(champion), _sure(challenger)
    both = 0
    if len(mine) and len(theirs):
        enough = pairwise_iou(mine, theirs) >= _IOU
        rows, columns = linear_sum_assignment(enough, maximize=True)
        both = int(enough[rows, columns].sum())
    return Comparison(1, both, len(mine) - both, len(theirs) - both)


def _sure(found: Detections) -> NDArray[np.float32]:
    return found.boxes_px[found.scores >= found.threshold]


@dataclass(frozen=True, slots=True)
class _Task:
    analysis: Analysis
    challenger: Detector
    sample: TrainingFrame | None


class Shadow:
    """Takes a frame now and then, of any camera, and looks at it again on a thread of low priority.

    Args:
        sampler: keeps frames on which they disagree, of cameras with leave, for training.
        interval_s: mean time between two frames; seconds. It varies: cameras keep step, and one would always be first.
    """

    def __init__(self, sampler: Sampler, metrics: Metrics, *, interval_s: float, rng: random.Random) -> None:
        self._sampler = sampler
        self._metrics = metrics
        self._interval_s = interval_s
        self._rng = rng
        self._due_s = float("-inf")
        self._tasks: queue.Queue[_Task | None] = queue.Queue(1)
        self._challenger = ""
        self._so_far = Comparison()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the frame in work."""
        with contextlib.suppress(queue.Full):
            self._tasks.put(None, timeout=timeout_s)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def so_far(self, challenger: str) -> Comparison:
        """Tell how far a challenger agreed since it is one here; by its digest. From any thread."""
        return self._so_far if self._challenger == challenger else Comparison()

    def observe(self, camera: Camera, analysis: Analysis, challenger: Detector) -> None:
        """Take in a frame that the champion has looked at, if one is due. On the analysis thread, after the sampler."""
        now_s = analysis.frame.received_s
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._interval_s * self._rng.uniform(0.5, 1.5)
        if self._tasks.full():
            self._metrics.shadow_frames_dropped.inc()
            return
        # Heads are pixelated here, where everybody of the last moment is known.
        sample = self._sampler.for_training(camera.id, analysis)
        with contextlib.suppress(queue.Full):
            self._tasks.put_nowait(_Task(analysis, challenger, sample))

    def _run(self) -> None:
        with contextlib.suppress(
            OSError, AttributeError
        ):  # only this thread; where the system knows no such thing, none
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while (task := self._tasks.get()) is not None:
            try:
                self._look(task)
            except Exception as error:  # noqa: BLE001  a challenger's fault must not end this for ever
                self._metrics.shadow_frames_dropped.inc()
                _log.error("the challenger failed on a frame", error=f"{type(error).__name__}: {error}"[:300])

    def _look(self, task: _Task) -> None:
        theirs = task.challenger.detect([task.analysis.frame.image])[0]
        found = compare(task.analysis.detections, theirs)
        sha256 = task.challenger.version.sha256
        if sha256 != self._challenger:
            self._challenger, self._so_far = sha256, Comparison()
        self._so_far = self._so_far.and_(found)
        self._metrics.shadow_frames.inc()
        for who in ("both", "champion", "challenger"):
            self._metrics.shadow_people.labels(who).inc(getattr(found, who))
        if task.sample is not None and found.champion + found.challenger:
            self._sampler.keep_for_training(task.sample, theirs.boxes_px)
