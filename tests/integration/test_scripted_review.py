"""What the figures claim, on real footage with a reviewer who knows the truth: the intervals hold it."""

from __future__ import annotations

import dataclasses
import os
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.sampled import sample_parts
from support.scripted import Screening, say

from footfall.domain import Camera, QualityEstimate, SampleLabel, Sampling
from footfall.vision.detector import Detector, load_detector
from footfall.vision.evaluation import counting_scores, read_sequence
from footfall.vision.models import EMBEDDED_FOLDER
from monitoring.estimates import Window, sample_estimates
from monitoring.evidence import read_evidence
from monitoring.quality import audited_count_accuracy
from service.clips import starts_in_period
from service.metrics import Metrics
from service.sampling import Sampler

MORNING = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SHOWINGS = 24
LEAST = 10

pytestmark = pytest.mark.footage


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector(EMBEDDED_FOLDER, input_size=640)


class Site:
    """A real sampler on real stores."""

    def __init__(self, folder: Path, seed: int) -> None:
        parts = sample_parts(folder, Metrics())
        self.store = parts["samples"]
        self.blobs = parts["blobs"]
        self.sampler = Sampler(
            self.store, self.blobs, Metrics(), model=lambda _: "0123456789ab", rng=random.Random(seed)
        )
        self.sampler.start()

    def samples(self, unit: Any) -> list[Any]:
        assert self.sampler.stop(60)
        found: list[Any] = self.store.samples(since=MORNING, until=MORNING + DAY, unit=unit, queue="random")
        return found

    def estimates(self, camera: Camera) -> dict[str, QualityEstimate]:
        evidence = read_evidence(self.store, since=MORNING, until=MORNING + DAY)
        window = Window(MORNING + DAY, MORNING, MORNING + DAY)
        found = sample_estimates(evidence, [camera.id], window, least=LEAST)
        return {each.measure: each for each in found if each.scope == "camera"}


def tell(text: str) -> None:
    """For the closing note: seen with `-s`."""
    if os.environ.get("FOOTFALL_TEST_FIGURES"):
        sys.stderr.write(f"\n{text}\n")


@pytest.mark.parametrize("name", ["PETS09-S2L1-a", "TUD-Campus"])
def test_the_interval_holds_the_true_precision_and_recall(
    name: str, footage: Path, detector: Detector, tmp_path: Path
) -> None:
    """A day of 24 showings at four rates; some of the people and frames of each hour are drawn and judged."""
    truth = read_sequence(footage / name)
    screening = Screening(truth, detector)
    leave = Sampling("audit", tracks_per_day=6 * 24, frames_per_day=8 * 24, targeted_per_day=24, clips_per_day=0)
    camera = Camera("street", "film.mp4", sampling=leave)
    site = Site(tmp_path, seed=7)
    for hour in range(SHOWINGS):
        screening.show(site.sampler, camera, MORNING + timedelta(hours=hour), every=1 + hour % 4)
    tracks, frames = site.samples("track"), site.samples("frame")
    say(site.store, screening.judge([*tracks, *frames]))
    census = [each.is_right for _, each in screening.followed]
    true_precision = sum(census) / len(census)
    estimates = site.estimates(camera)
    precision = estimates["precision_reviewed"]
    assert (precision.n, precision.population) == (len(tracks), len(census))
    assert len(tracks) < len(census)
    assert precision.lower is not None
    assert precision.upper is not None
    tell(
        f"{name}: {precision.n} of {len(census)} tracks judged: {precision.value:.3f} "
        f"[{precision.lower:.3f}, {precision.upper:.3f}], truth {true_precision:.3f}"
    )
    assert precision.lower <= true_precision <= precision.upper
    assert precision.upper - precision.lower < 0.3
    recall = estimates["recall_audited"]
    assert recall.lower is not None
    assert recall.upper is not None
    matched, people = screening.found_of_people()
    tell(
        f"{name}: {len(frames)} of {len(screening.frames)} frames marked, {recall.n} people: {recall.value:.3f} "
        f"[{recall.lower:.3f}, {recall.upper:.3f}], truth {matched / people:.3f}"
    )
    assert recall.lower <= matched / people <= recall.upper
    assert recall.upper - recall.lower < 0.2


@pytest.mark.parametrize("name", ["PETS09-S2L1-a", "TUD-Campus", "one-by-one-audited", "walkway-audited"])
def test_the_count_audit_is_the_truth(name: str, footage: Path, detector: Detector, tmp_path: Path) -> None:
    """Each line is filmed once from beginning to end; who watches presses when the truth says so."""
    truth = read_sequence(footage / name)
    assert truth.lines is not None
    screening = Screening(truth, detector, thinned=2 if truth.frames > 200 else 1)
    site = Site(tmp_path, seed=7)
    leave = Sampling("audit", 0, 0, 0, clips_per_day=24, clip_s=screening.seconds)
    starts = {}
    for hour, each in enumerate(truth.lines):
        (start,) = starts_in_period(1, "street", MORNING + timedelta(hours=hour))
        camera = Camera("street", "film.mp4", lines=(each.line,), sampling=leave)
        screening.show(site.sampler, camera, start, every=1)
        starts[each.line.name] = start
    clips = site.samples("clip")
    assert [clip.stratum for clip in clips] == [each.line.name for each in truth.lines]
    for clip, line in zip(clips, truth.lines, strict=True):
        presses = [{"at_s": event.at_s, "direction": event.direction} for event in line.events]
        counts = {way: sum(press["direction"] == way for press in presses) for way in ("in", "out")}
        say(site.store, [SampleLabel(clip.id, "script", MORNING, "reviewer", {**counts, "presses": presses})])
    evidence = read_evidence(site.store, since=MORNING, until=MORNING + DAY)
    audited = [clip for clips in evidence.cameras["street"].clips.values() for clip in clips]
    crossings = {
        name: [
            dataclasses.replace(each, at=each.at - start + MORNING)
            for each in screening.crossings.get((start, name), [])
        ]
        for name, start in starts.items()
    }
    scores = counting_scores(truth.lines, crossings, MORNING)
    errors = sum(
        abs(true - counted) for clip in audited for true, counted in zip(clip.truth, clip.counted, strict=True)
    )
    people = sum(sum(clip.truth) for clip in audited)
    assert people == sum(len(line.events) for line in truth.lines)
    assert 1 - errors / people == pytest.approx(scores["accuracy"])
    estimate = audited_count_accuracy(audited, least_crossings=LEAST)
    assert (estimate is None) == (len(clips) < 5 or people < LEAST)
    told = "too little for an interval"
    if estimate is not None:
        assert estimate.value == pytest.approx(max(0.0, scores["accuracy"]))
        assert estimate.lower <= estimate.value <= estimate.upper
        told = f"[{estimate.lower:.3f}, {estimate.upper:.3f}]"
    tell(f"{name}: {len(clips)} clips, {people} crossings: count accuracy {scores['accuracy']:.3f}, {told}")
