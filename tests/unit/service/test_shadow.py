"""A challenger looks beside the champion now and then; it counts nobody, and disagreements are kept by leave only."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.sampled import sample_parts

from footfall.domain import Camera, Detections, Frame, Line, ModelVersion, Sampling
from footfall.vision.analysis import Analysis, CameraAnalyser
from service.metrics import Metrics
from service.sampling import DISAGREEING, Sampler
from service.shadow import Comparison, Shadow, compare

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PERSON = (100.0, 40.0, 140.0, 160.0)
OTHER = (220.0, 40.0, 260.0, 160.0)


def found(*boxes: tuple[float, ...], score: float = 0.9, threshold: float = 0.5) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32), threshold)


class Challenger:
    """Finds what it is told to."""

    runtime = "test"

    def __init__(self, detections: Detections | Exception, sha256: str = "c" * 64) -> None:
        self.version = ModelVersion("night", sha256, 0.5, "none")
        self.detections = detections
        self.calls = 0

    def detect(self, pictures: Sequence[object]) -> list[Detections]:
        self.calls += 1
        if isinstance(self.detections, Exception):
            raise self.detections
        return [self.detections for _ in pictures]


class Site:
    """A camera, its sampler and its shadow, on real stores."""

    def __init__(self, folder: Path, *, sampling: Sampling | None = None, interval_s: float = 0.0) -> None:
        self.metrics = Metrics()
        parts = sample_parts(folder, self.metrics)
        self.store, self.blobs = parts["samples"], parts["blobs"]
        self.sampler = Sampler(
            self.store, self.blobs, self.metrics, model=lambda _: "0123456789ab", rng=random.Random(1)
        )
        self.shadow = Shadow(self.sampler, self.metrics, interval_s=interval_s, rng=random.Random(5))
        self.camera = Camera("gate", "film.mp4", lines=(Line("door", (0.5, 0), (0.5, 1)),), sampling=sampling)
        self.analyser = CameraAnalyser(self.camera, run_id="r")
        self.sampler.start()
        self.shadow.start()
        self.frames = 0

    def see(self, champion: Detections, challenger: Challenger, *, after_s: float = 1.0) -> None:
        picture = np.random.default_rng(0).integers(0, 255, (200, 320, 3), np.uint8)
        at_s = self.frames * after_s
        self.frames += 1
        frame = Frame("gate", self.frames, picture, NOON + timedelta(seconds=at_s), at_s)
        analysis = self.analyser.update(frame, champion)
        self.sampler.observe(self.camera, analysis)
        self.shadow.observe(self.camera, analysis, challenger)
        time.sleep(0.05)

    def metric(self, metric: str, /, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0

    def stop(self) -> None:
        self.shadow.stop(5)
        assert self.sampler.stop(5)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(**settings: object) -> Site:
        sites.append(Site(tmp_path, **settings))  # type: ignore[arg-type]
        return sites[-1]

    yield make
    for site in sites:
        site.stop()


@pytest.mark.parametrize(
    ("champion", "challenger", "expected"),
    [
        pytest.param(found(PERSON), found(PERSON), Comparison(1, 1, 0, 0), id="the same"),
        pytest.param(found(PERSON), found(OTHER), Comparison(1, 0, 1, 1), id="somebody else"),
        pytest.param(found(), found(PERSON, OTHER), Comparison(1, 0, 0, 2), id="only the challenger"),
        pytest.param(found(PERSON), found(PERSON, PERSON), Comparison(1, 1, 0, 1), id="one twice"),
        pytest.param(found(), found(), Comparison(1, 0, 0, 0), id="nobody"),
        pytest.param(found(PERSON, score=0.4), found(PERSON), Comparison(1, 0, 0, 1), id="below its threshold"),
        pytest.param(
            found(PERSON, score=0.4, threshold=0.3), found(PERSON), Comparison(1, 1, 0, 0), id="each has a threshold"
        ),
    ],
)
def test_people_are_told_apart_by_who_found_them(
    champion: Detections, challenger: Detections, expected: Comparison
) -> None:
    assert compare(champion, challenger) == expected


def test_agreement_is_a_share_or_unknown() -> None:
    assert Comparison(3, 0, 0, 0).agreement is None
    assert Comparison(3, 3, 1, 1).agreement == 0.75


def test_what_was_compared_is_told_of_this_challenger_only(make: Callable[..., Site]) -> None:
    site = make()
    night = Challenger(found(PERSON, OTHER))
    for _ in range(3):
        site.see(found(PERSON), night)
    site.shadow.stop(5)
    assert site.shadow.so_far(night.version.sha256) == Comparison(3, 3, 0, 3)
    assert site.shadow.so_far("d" * 64) == Comparison()
    assert site.metric("footfall_shadow_frames_total") == 3
    assert site.metric("footfall_shadow_people_total", found_by="challenger") == 3
    assert site.store.samples(since=NOON, until=NOON + timedelta(days=1)) == []  # no leave, no picture


def test_another_challenger_begins_anew(make: Callable[..., Site]) -> None:
    site = make()
    site.see(found(PERSON), Challenger(found(PERSON)))
    site.see(found(PERSON), Challenger(found(OTHER), "d" * 64))
    site.shadow.stop(5)
    assert site.shadow.so_far("d" * 64) == Comparison(1, 0, 1, 1)


def test_frames_are_taken_no_faster_than_allowed(make: Callable[..., Site]) -> None:
    site = make(interval_s=10.0)
    night = Challenger(found())
    for _ in range(60):
        site.see(found(), night)
    site.shadow.stop(5)
    assert 4 <= night.calls <= 9


def test_of_cameras_that_keep_step_each_gets_its_turn(tmp_path: Path) -> None:
    seen: list[str] = []

    class Noted(Sampler):
        def for_training(self, camera_id: str, analysis: Analysis) -> None:
            seen.append(camera_id)

    metrics = Metrics()
    parts = sample_parts(tmp_path, metrics)
    sampler = Noted(parts["samples"], parts["blobs"], metrics, model=lambda _: "", rng=random.Random(1))
    shadow = Shadow(sampler, metrics, interval_s=10.0, rng=random.Random(5))
    shadow.start()
    picture, night = np.zeros((64, 64, 3), np.uint8), Challenger(found())
    cameras = [Camera(name, "film.mp4") for name in ("a", "b", "c", "d")]
    analysers = {camera.id: CameraAnalyser(camera, run_id="r") for camera in cameras}
    for step in range(1500):  # five minutes at five a second, 50 ms apart
        for number, camera in enumerate(cameras):
            at_s = 0.2 * step + 0.05 * number
            frame = Frame(camera.id, step, picture, NOON + timedelta(seconds=at_s), at_s)
            shadow.observe(camera, analysers[camera.id].update(frame, found()), night)
    shadow.stop(5)
    assert {camera.id for camera in cameras} == set(seen)
    assert 20 <= len(seen) <= 45


def test_a_challenger_that_fails_harms_nothing_and_is_counted(make: Callable[..., Site]) -> None:
    site = make()
    site.see(found(PERSON), Challenger(RuntimeError("boom")))
    site.see(found(PERSON), Challenger(found(PERSON)))
    site.shadow.stop(5)
    assert site.metric("footfall_shadow_frames_dropped_total") == 1
    assert site.metric("footfall_shadow_frames_total") == 1


def test_a_disagreement_is_kept_for_training_by_leave_up_to_the_quota_with_all_heads_pixelated(
    make: Callable[..., Site],
) -> None:
    site = make(sampling=Sampling("prove the count", frames_per_day=0, tracks_per_day=0, targeted_per_day=2))
    site.see(found(PERSON), Challenger(found(PERSON)))  # nothing to learn from
    for _ in range(4):
        site.see(found(PERSON), Challenger(found(PERSON, OTHER)))
    site.stop()
    kept = site.store.samples(since=NOON, until=NOON + timedelta(days=1))
    assert [(each.unit, each.queue, each.reason, each.probability) for each in kept] == [
        ("frame", "targeted", DISAGREEING, None)
    ] * 2
    assert [box[:4] for box in kept[0].detail["boxes"]] == [list(PERSON)]  # what the champion found
    picture = cv2.imdecode(np.frombuffer(site.blobs.get(kept[0].blob_key), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None

    def texture(box: tuple[float, ...]) -> float:
        x0, y0, x1, _ = (int(v) for v in box)
        return float(np.abs(np.diff(picture[y0 : y0 + 12, x0:x1].astype(float), axis=1)).mean())

    elsewhere = texture((10.0, 150.0, 50.0, 190.0))
    assert texture(PERSON) < 0.6 * elsewhere
    assert texture(OTHER) < 0.6 * elsewhere  # only the challenger saw that one
