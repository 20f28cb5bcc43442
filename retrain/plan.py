"""Tells what a retraining takes before anything is spent: labels, time by real steps on this machine, memory, money."""

from __future__ import annotations

import resource
import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from footfall.errors import TrainingError
from footfall.vision.detector import input_shape, load_detector
from retrain.evaluate import STRESS_KINDS, STRESS_SEVERITIES
from retrain.sampler import Sample
from retrain.split import TEST_SHARE, VAL_SHARE
from retrain.technique import Situation, choose
from retrain.train import Network, Pace, Schedule, teach

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from retrain.frames import LabelledFrame
    from retrain.job import Options
    from retrain.technique import Choice, Technique

_MEASURED_STEPS: Final = 3
_MB: Final = 1_000_000
_PICTURE_MB: Final = 0.2
_START_S: Final = 25.0
"""Loading the libraries and reading labels, whatever is trained."""


@dataclass(frozen=True, slots=True)
class Available:
    """What there is to train on.

    Attributes:
        new, old: labelled by people.
        unlabelled: new, with a picture: can be labelled, or be asked a teacher about.
        missing: labelled new frames that are wanting until a training is worth it.
    """

    new: int
    old: int
    unlabelled: int
    missing: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What it will take.

    Attributes:
        step_s, frame_s: seconds of one step of training and of one frame asked, measured here.
        seconds: of wall time, whole; stage_s: of each stage, in their order; 0 where it is too little to be told.
        memory_mb: peak, measured during the steps.
        disk_mb: of the run's folder at its fullest.
        price: in the currency of `price_per_hour`; None without a price.
    """

    available: Available
    technique: Technique
    why: str
    steps: int
    step_s: float
    frame_s: float
    seconds: float
    stage_s: Mapping[str, float]
    memory_mb: float
    disk_mb: float
    disk_free_mb: float
    deadline_s: float
    price: float | None

    def as_json(self) -> dict[str, Any]:
        """For the run's folder."""
        return asdict(self)

    @property
    def fits(self) -> bool:
        """Whether it ends before its deadline, and its files have room."""
        return self.seconds <= self.deadline_s and self.disk_mb <= self.disk_free_mb


def make_plan(
    champion: Path,
    available: Available,
    options: Options,
    folder: Path,
    *,
    deadline_s: float,
    price_per_hour: float | None,
    has_teacher: bool,
    candidates: int = 1,
) -> Plan:
    """Measure a few real steps of the model in use and count what there is to do.

    Args:
        champion: model folder.
        folder: on whose disk the run will be.
        candidates: models that could serve instead, the one in use included.

    Raises:
        TrainingError: the model in use cannot be trained on.
    """
    situation = Situation(available.new, available.old, available.unlabelled if has_teacher else 0, None, has_teacher)
    choice = choose(situation, forced=options.technique, steps=options.steps)
    step_s = measure_step(champion, choice, options)
    frame_s = _measure_frame(champion, options)
    frames = available.new + available.old
    test = round(frames * TEST_SHARE)
    stressed = min(options.stress_frames, test) * len(STRESS_KINDS) * len(STRESS_SEVERITIES)
    compared_s = (candidates + 1) * (min(test, 100) + 150) * frame_s if candidates > 1 else 0.0
    stage_s = {
        "plan": _START_S,
        "collect": options.drawn * 0.03,
        "labels": frames * frame_s,
        **dict.fromkeys(("split", "technique", "augment"), 0.0),
        "train": choice.steps * step_s,
        # Val for floats and 8 bits; calibration.
        "export": (4 * round(frames * VAL_SHARE) + 300) * frame_s,
        # Champion and challenger each.
        "evaluate": 2 * (test + stressed) * frame_s + compared_s,
        **dict.fromkeys(("gates", "promote"), 0.0),
    }
    seconds = sum(stage_s.values())
    pictures = frames + available.unlabelled + options.drawn
    return Plan(
        available=available,
        technique=choice.technique,
        why=choice.why,
        steps=choice.steps,
        step_s=round(step_s, 3),
        frame_s=round(frame_s, 4),
        seconds=round(seconds, 1),
        stage_s={name: round(each, 1) for name, each in stage_s.items()},
        memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MB),
        disk_mb=round(pictures * _PICTURE_MB + 100),
        disk_free_mb=round(shutil.disk_usage(folder).free / _MB),
        deadline_s=deadline_s,
        price=None if price_per_hour is None else round(price_per_hour * seconds / 3600, 2),
    )


class _Grey:
    """Gives grey pictures with one person: a step takes as long with them as with any."""

    def sample(self, rng: np.random.Generator, height_px: int, width_px: int, *, plain: bool) -> Sample:  # noqa: ARG002
        """Return one; see `Sampling`."""
        picture = rng.integers(0, 255, (height_px, width_px, 3), dtype=np.uint8)
        return Sample(picture, np.array([[10, 10, 40, 90]], np.float32))


def pace_of(choice: Choice, options: Options) -> Pace:
    """Return how a fine-tuning goes: at the sizes that serving sees, a little smaller and larger ones beside them."""
    sizes = tuple(
        input_shape(width, height, longer_px=longer, stride=32)
        for longer in _sizes(options.input_size)
        for width, height in ((16, 9), (4, 3))
    )
    height, width = input_shape(16, 9, longer_px=options.input_size, stride=32)
    return Pace(
        learning_rate=choice.learning_rate,
        warm_up_steps=max(1, min(50, choice.steps // 5)),
        crop_sizes_px=sizes,
        whole_sizes_px=sizes,
        whole_since=0.75,
        pixels_per_batch=choice.batch * height * width,
        frozen_share=choice.frozen_share,
    )


def _sizes(input_size: int) -> tuple[int, ...]:
    smaller = max(64, round(input_size * 0.75 / 32) * 32)
    return (smaller, input_size, input_size)


def measure_step(champion: Path, choice: Choice, options: Options) -> float:
    """Seconds of one training step: the quickest of a few, after one that lays out memory.

    Raises:
        TrainingError: the model in use cannot be trained on.
    """
    network = Network.of_model(champion, device=options.device)
    moments: list[float] = []
    teach(
        network,
        _Grey(),
        schedule=Schedule(1.0, _MEASURED_STEPS + 1),
        seed=options.seed,
        report=lambda _: moments.append(time.monotonic()),
        pace=pace_of(choice, options),
        report_every_s=0.0,
    )
    if len(moments) < 2:
        raise TrainingError("plan: no step of training could be measured; nothing is trained")
    return float(np.median(np.diff(moments)))


def _measure_frame(champion: Path, options: Options) -> float:
    detector = load_detector(champion, input_size=options.input_size)
    picture = np.random.default_rng(1).integers(0, 255, (360, 640, 3), dtype=np.uint8)
    times = []
    for _ in range(4):
        started = time.monotonic()
        detector.detect([picture])
        times.append(time.monotonic() - started)
    return float(np.median(times[1:]))


def available_of(frames: list[LabelledFrame], unlabelled: int, missing: int) -> Available:
    """Count labelled frames that are no drawings."""
    real = [each for each in frames if not each.is_drawn]
    new = sum(each.is_new for each in real)
    return Available(new, len(real) - new, unlabelled, missing)


def told(planned: Plan) -> str:
    """Return the plan for people."""
    there = planned.available
    price = "" if planned.price is None else f"  price       {planned.price:g}\n"
    wanting = f", {there.missing} are missing: nothing would be trained" if there.missing else ", enough"
    fits = (
        "" if planned.fits else "it does not fit: more time (FOOTFALL_RETRAIN_DEADLINE_H), more room or fewer steps\n"
    )
    return (
        f"  labels      {there.new} new frames{wanting}; {there.old} old ones, {there.unlabelled} new without a label\n"
        f"  technique   {planned.technique} ({planned.why})\n"
        f"  time        {planned.seconds / 60:.0f} min: {planned.steps} steps of {planned.step_s:g} s, a frame in "
        f"{planned.frame_s * 1000:.0f} ms; deadline {planned.deadline_s / 3600:g} h\n"
        f"  memory      {planned.memory_mb:g} MB\n"
        f"  disk        {planned.disk_mb:g} MB of {planned.disk_free_mb:g} MB\n"
        f"{price}{fits}"
    ).rstrip()
