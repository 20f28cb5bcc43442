"""A stronger model looks at what was drawn: within its share of a core, and in no person's figure."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.sampled import sample_parts
from support.scripted import Screening, say

from footfall.domain import Camera, QualityEstimate, Sampling
from footfall.vision.detector import load_detector
from footfall.vision.evaluation import read_sequence
from footfall.vision.models import EMBEDDED_FOLDER, import_model
from monitoring.estimates import Window, sample_estimates
from monitoring.evidence import read_evidence
from monitoring.metrics import MonitorMetrics
from monitoring.teacher import Teacher
from service.metrics import Metrics
from service.sampling import Sampler

MORNING = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOURS = 8
SHARE = 0.5
QUOTA = 2

pytestmark = pytest.mark.footage


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Any:
    """Eight hours of a street, drawn by the real sampler; of the tracks every second one has a verdict."""
    folder = tmp_path_factory.mktemp("taught")
    parts = sample_parts(folder, Metrics())
    store = parts["samples"]
    screening = Screening(read_sequence(footage / "PETS09-S2L1-a"), load_detector(EMBEDDED_FOLDER, input_size=640))
    sampler = Sampler(store, parts["blobs"], Metrics(), model=lambda _: "0123456789ab", rng=random.Random(3))
    sampler.start()
    leave = Sampling("audit", tracks_per_day=10 * 24, frames_per_day=4 * 24, targeted_per_day=0, clips_per_day=0)
    for hour in range(HOURS):
        camera = Camera("street", "film.mp4", sampling=leave)
        screening.show(sampler, camera, MORNING + timedelta(hours=hour), every=2 + hour % 3)
    assert sampler.stop(60)
    tracks = store.samples(since=MORNING, until=MORNING + DAY, unit="track", queue="random")
    say(store, screening.judge(tracks[::2]))
    models = folder / "models"
    models.mkdir()
    model = import_model(footage / "models" / "yolo11n.onnx", models)
    metrics = MonitorMetrics(target=0.95)
    teacher = Teacher(
        store,
        parts["blobs"],
        metrics,
        detector=load_detector(model, threads=1, input_size=640),
        near=load_detector(model, threads=1, input_size=320),
        cpu_share=SHARE,
        quotas=lambda: {"street": QUOTA},
    )
    before = estimates(store)
    begin_s, begin_cpu_s = time.monotonic(), time.thread_time()
    while teacher.judge_waiting(threading.Event()):
        pass
    used = time.thread_time() - begin_cpu_s, time.monotonic() - begin_s
    truth = [each.is_right for _, each in screening.followed]
    of_film = screening.agreement_with(load_detector(model, threads=1, input_size=640), every=10)
    return store, metrics, teacher, before, used, truth, parts["blobs"], of_film


def estimates(store: Any) -> dict[str, QualityEstimate]:
    evidence = read_evidence(store, since=MORNING, until=MORNING + DAY)
    window = Window(MORNING + DAY, MORNING, MORNING + DAY)
    return {each.measure: each for each in sample_estimates(evidence, ["street"], window, least=20) if each.camera_id}


def test_it_judges_every_random_sample_once_and_no_other(site: Any) -> None:
    store, metrics, teacher, *_ = site
    drawn = store.samples(since=MORNING, until=MORNING + DAY, queue="random")
    said = store.labels([sample.id for sample in drawn], with_teacher=True)
    taught = [label for label in said if label.source == "teacher"]
    assert sorted(label.sample_id for label in taught) == sorted(sample.id for sample in drawn)
    assert {label.reviewer for label in taught} == {teacher.name}
    aimed = store.samples(since=MORNING, until=MORNING + DAY, queue="targeted")
    assert aimed
    assert store.labels([sample.id for sample in aimed], with_teacher=True) == []
    units = [sample.unit for sample in drawn]
    for unit in ("track", "frame"):
        value = metrics.registry.get_sample_value("footfall_teacher_labels_total", {"unit": unit})
        assert value == units.count(unit) > 0


def test_where_it_differs_much_a_copy_goes_into_the_targeted_queue_up_to_the_quota(site: Any) -> None:
    store, *_, blobs, _ = site
    aimed = store.samples(since=MORNING, until=MORNING + DAY, queue="targeted")
    differing = [sample for sample in aimed if sample.reason == "disagreeing"]
    assert len(differing) > 0
    assert max(Counter(sample.unit for sample in differing).values()) <= QUOTA
    drawn = store.samples(since=MORNING, until=MORNING + DAY, queue="random")
    for sample in differing:
        # Several people may end on one frame, and that frame may be drawn as well.
        originals = [each for each in drawn if (each.unit, each.taken_at) == (sample.unit, sample.taken_at)]
        assert sample.probability is None
        assert sample.blob_key not in {each.blob_key for each in originals}
        assert [blobs.get(each.blob_key) for each in originals].count(blobs.get(sample.blob_key)) == 1


def test_it_stays_within_its_share_of_a_core(site: Any) -> None:
    *_, used, _, _, _ = site
    cpu_s, wall_s = used
    assert cpu_s > 1
    assert cpu_s / wall_s < SHARE * 1.2


def test_no_persons_figure_is_made_from_its_words(site: Any) -> None:
    store, _, _, before, *_ = site
    after = estimates(store)
    for measure in ("precision_reviewed", "recall_audited", "precision_estimated"):
        assert after[measure] == before[measure]
    assert "teacher_agreement" not in before


def test_its_agreement_is_told_and_helps_the_verdicts_as_far_as_it_goes(site: Any) -> None:
    store, _, _, _, _, truth, _, of_film = site
    found = estimates(store)
    agreement, assisted, alone = (
        found[each] for each in ("teacher_agreement", "precision_assisted", "precision_reviewed")
    )
    assert agreement.value is not None
    assert agreement.lower < agreement.value < agreement.upper
    # Of frames that nobody drew: what these two detectors make of the whole film.
    assert agreement.lower <= of_film <= agreement.upper
    assert agreement.upper - agreement.lower < 0.3
    assert assisted.lower is not None
    assert assisted.lower <= np.mean(truth) <= assisted.upper
    assert (assisted.n, alone.n) == (alone.n, assisted.n)


def test_a_picture_that_is_gone_stops_nothing(site: Any) -> None:
    store, metrics, teacher, *_, blobs, _ = site
    drawn = store.samples(since=MORNING, until=MORNING + DAY, queue="random", unit="track")
    for sample in drawn[:2]:
        label = next(each for each in store.labels([sample.id], with_teacher=True) if each.source == "teacher")
        store.undo(teacher.name, label.number, at=MORNING)
    blobs.delete(drawn[0].blob_key)
    assert teacher.judge_waiting(threading.Event()) == 1
    assert metrics.registry.get_sample_value("footfall_teacher_failures_total") == 1
    assert teacher.judge_waiting(threading.Event()) == 0
    assert metrics.registry.get_sample_value("footfall_teacher_failures_total") == 1
