"""Drawing by known chances, heads that nobody can know, and pictures that go in time."""

from __future__ import annotations

import dataclasses
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from footfall.domain import Camera, Detections, Frame, Line, Sampling, Tracks
from footfall.errors import StoreError
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.samples import SampleStore
from footfall.vision.analysis import Analysis
from service.clips import starts_in_period
from service.metrics import Metrics
from service.sampling import LabelBatch, SampleKeeper, Sampler, chance, slots_in_period

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LEAVE = Sampling("check the count", tracks_per_day=48, frames_per_day=24, targeted_per_day=24)
GATE = Camera("gate", "film.mp4", sampling=LEAVE)
BOX = (100.0, 50.0, 140.0, 170.0)


@dataclasses.dataclass
class Kept:
    database: Database
    store: SampleStore
    blobs: BlobStore
    metrics: Metrics
    folder: Path

    def sampler(self, seed: int = 1) -> Sampler:
        return Sampler(self.store, self.blobs, self.metrics, model=lambda _: "0123456789ab", rng=random.Random(seed))

    def samples(self, **chosen: Any) -> list[Any]:
        return self.store.samples(since=NINE - DAY, until=NINE + DAY, **chosen)

    def files(self) -> list[Path]:
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    database = Database(f"sqlite:///{tmp_path / 'footfall.db'}")
    database.migrate()
    yield Kept(database, SampleStore(database), BlobStore(str(tmp_path / "blobs")), Metrics(), tmp_path)
    database.close()


def noise(seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture in which every pixel differs from its neighbours: what is pixelated shows."""
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (240, 320, 3), np.uint8)


def analysed(at_s: float, people: dict[int, float], *, weak: float | None = None) -> Analysis:
    """A frame with people by id and score, all in one place; `weak` adds a find under the threshold elsewhere."""
    boxes = np.array([BOX] * len(people), np.float32).reshape(-1, 4)
    scores = np.array(list(people.values()), np.float32)
    all_boxes, all_scores = boxes, scores
    if weak is not None:
        all_boxes = np.vstack([boxes, [[200, 50, 240, 170]]]).astype(np.float32)
        all_scores = np.append(scores, np.float32(weak))
    frame = Frame("gate", int(at_s * 10), noise(), NINE + timedelta(seconds=at_s), at_s)
    tracks = Tracks(np.array(list(people), np.int64), boxes, scores)
    return Analysis(frame, Detections(all_boxes, all_scores, 0.4), tracks, (), (), {})


def walk_by(sampler: Sampler, people: int, *, camera: Camera = GATE, score: float = 0.9, begin_s: float = 0.0) -> float:
    """Let people pass one after another, two seconds each, and the last be gone; returns when."""
    at_s = begin_s
    for person in range(people):
        for _ in range(4):
            sampler.observe(camera, analysed(at_s, {int(begin_s * 10) + person + 1: score}))
            at_s += 0.5
    for _ in range(8):
        sampler.observe(camera, analysed(at_s, {}))
        at_s += 0.5
    return at_s


@pytest.mark.parametrize("quota", [0, 1, 4, 23, 24, 40, 100])
def test_a_days_slots_are_its_quota(quota: int) -> None:
    for number in range(20):
        day = [slots_in_period(quota, f"cam{number}", NINE.replace(hour=hour))[0] for hour in range(24)]
        assert sum(day) == quota
        assert max(day) - min(day) <= 1


@pytest.mark.parametrize(("quota", "seconds"), [(100, 600), (7, 60), (8640, 20)])
def test_a_days_slots_are_its_quota_by_shorter_periods_too(quota: int, seconds: int) -> None:
    length, midnight = timedelta(seconds=seconds), NINE.replace(hour=0)
    day = [slots_in_period(quota, "gate", midnight + number * length, length)[0] for number in range(DAY // length)]
    assert sum(day) == quota
    assert max(day) - min(day) <= 1


def test_a_shorter_period_is_drawn_from_and_written_by_itself(kept: Kept) -> None:
    """Six an hour are one in ten minutes: what the first ten gave is there when the next ones begin."""
    leave = dataclasses.replace(LEAVE, tracks_per_day=0, frames_per_day=144, targeted_per_day=0)
    camera = dataclasses.replace(GATE, sampling=leave)
    sampler = Sampler(
        kept.store,
        kept.blobs,
        kept.metrics,
        model=lambda _: "0123456789ab",
        rng=random.Random(1),
        period=timedelta(minutes=10),
    )
    sampler.start()
    for at_s in (0.0, 1.0, 2.0, 3.0, 600.0, 601.0):
        sampler.observe(camera, analysed(at_s, {}))
    until_s = time.monotonic() + 10
    while not kept.samples() and time.monotonic() < until_s:
        time.sleep(0.01)
    assert [(each.hour_at, each.probability) for each in kept.samples()] == [(NINE, 0.25)]
    assert sampler.stop(20)
    drawn = {each.hour_at: each.probability for each in kept.samples()}
    assert drawn == {NINE: 0.25, NINE + timedelta(minutes=10): 0.5}
    populations = kept.store.populations("frame", since=NINE, until=NINE + DAY)
    assert {each.hour_at: each.count for each in populations} == {NINE: 4, NINE + timedelta(minutes=10): 2}


def test_people_are_drawn_as_often_as_their_chance_says(kept: Kept) -> None:
    """36 a day are one or two an hour; over many cameras five people of an hour are drawn 1.5 times in all."""
    leave = dataclasses.replace(LEAVE, tracks_per_day=36, frames_per_day=0, targeted_per_day=0)
    sampler = kept.sampler()
    sampler.start()
    for number in range(200):
        camera = dataclasses.replace(GATE, id=f"cam{number}", sampling=leave)
        walk_by(sampler, 5, camera=camera)
        sampler.forget(camera.id)
        while not sampler._batches.empty():  # the writer is slower than this loop
            time.sleep(0.001)
    assert sampler.stop(20)
    found = kept.samples()
    assert {sample.probability for sample in found} == {chance(36, 5)}
    assert chance(36, 5) == pytest.approx(0.3)
    # 1000 people: the sum of the weights of those drawn estimates them, sd of about 24.
    assert sum(1 / sample.probability for sample in found) == pytest.approx(1000, abs=100)
    places = Counter(sample.taken_at for sample in found)
    assert len(places) == 5  # whether first or last, everybody can be drawn
    assert min(places.values()) > 30


def test_populations_are_all_there_were_and_queues_never_mix(kept: Kept) -> None:
    sampler = kept.sampler()
    sampler.start()
    at_s = walk_by(sampler, 6)
    walk_by(sampler, 5, score=0.45, begin_s=at_s)
    assert sampler.stop(10)
    populations = kept.store.populations("track", since=NINE, until=NINE + DAY)
    assert {row.stratum: row.count for row in populations} == {"4": 6, "2": 5}
    randomly, aimed = kept.samples(queue="random", unit="track"), kept.samples(queue="targeted")
    assert [sample.probability for sample in randomly] == [pytest.approx(2 / 11)] * 2
    assert len(aimed) == 1
    assert {(sample.probability, sample.reason) for sample in aimed} == {(None, "uncertain")}
    (frame,) = kept.samples(unit="frame")
    frames = kept.store.populations("frame", since=NINE, until=NINE + DAY)
    assert {row.stratum for row in frames} == {"people", "empty"}
    assert frame.probability == pytest.approx(1 / sum(row.count for row in frames))


@pytest.mark.parametrize("unit", ["track", "frame"])
def test_no_head_is_left_in_what_is_written_also_of_people_found_weakly(kept: Kept, unit: str) -> None:
    sampler = kept.sampler()
    sampler.start()
    for index in range(30):
        sampler.observe(GATE, analysed(index / 5, {1: 0.9} if index < 10 or unit == "frame" else {}, weak=0.2))
    assert sampler.stop(10)
    (sample, *_) = kept.samples(unit=unit, queue="random")
    picture = cv2.imdecode(np.frombuffer(kept.blobs.get(sample.blob_key), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (sample.height_px, sample.width_px, 3)
    places = [view["box"] for view in sample.detail["views"]] if unit == "track" else [BOX, (200, 50, 240, 170)]
    assert places
    for x0, y0, x1, y1 in places:
        head = picture[int(y0) : int(y0 + 0.2 * (y1 - y0)), int(x0) : int(x1)]
        legs = picture[int(y0 + 0.6 * (y1 - y0)) : int(y1), int(x0) : int(x1)]
        assert _detail(head) < 0.35 * _detail(legs)


def _detail(part: Any) -> float:
    return float(np.abs(np.diff(part.astype(np.float32), axis=1)).mean())


def test_without_leave_nothing_is_looked_at_and_leave_taken_back_ends_it(kept: Kept) -> None:
    sampler = kept.sampler()
    sampler.start()
    silent = dataclasses.replace(GATE, sampling=None)
    at_s = walk_by(sampler, 5, camera=silent)
    at_s = walk_by(sampler, 2, begin_s=at_s)
    walk_by(sampler, 5, camera=silent, begin_s=at_s)
    assert sampler.stop(10)
    assert sum(row.count for row in kept.store.populations("track", since=NINE, until=NINE + DAY)) == 2
    assert len(kept.files()) == len(kept.samples())


def test_who_was_followed_when_the_camera_was_lost_is_neither_drawn_nor_counted(kept: Kept) -> None:
    sampler = kept.sampler()
    sampler.start()
    sampler.observe(GATE, analysed(0.0, {1: 0.9}))
    sampler.interrupt("gate")
    walk_by(sampler, 1, begin_s=10)
    assert sampler.stop(10)
    assert sum(row.count for row in kept.store.populations("track", since=NINE, until=NINE + DAY)) == 1


def test_a_restart_in_the_hour_does_not_break_the_quota(kept: Kept) -> None:
    leave = dataclasses.replace(LEAVE, tracks_per_day=2, frames_per_day=0, targeted_per_day=0)
    camera = dataclasses.replace(GATE, sampling=leave)
    hour = next(h for h in range(24) if slots_in_period(2, "gate", NINE.replace(hour=h))[0])
    for start in range(4):
        sampler = kept.sampler(start)
        sampler.start()
        walk_by(sampler, 3, camera=camera, begin_s=(hour - 9) * 3600 + start * 60)
        assert sampler.stop(10)
    assert len(kept.samples()) == 2
    # What was not drawn from is not told as a population either.
    assert sum(row.count for row in kept.store.populations("track", since=NINE - DAY, until=NINE + DAY)) == 6


def keeper(kept: Kept, most_bytes: int = 10**9) -> SampleKeeper:
    return SampleKeeper(kept.store, kept.blobs, kept.metrics, most_bytes=most_bytes)


def filled(kept: Kept) -> list[Any]:
    sampler = kept.sampler()
    sampler.start()
    walk_by(sampler, 6)
    assert sampler.stop(10)
    return kept.samples()


def test_pictures_go_when_their_time_is_over_and_rows_stay(kept: Kept) -> None:
    count = len(filled(kept))
    job = keeper(kept)
    job.sweep([GATE], NINE + timedelta(hours=71))
    assert len(kept.files()) == count > 2
    later = NINE + timedelta(hours=73)
    job.sweep([GATE], later)
    assert kept.files() == []
    assert len(kept.samples()) == count
    (entry,) = kept.store.deletions()
    assert (entry.actor, entry.reason, entry.samples) == ("retention", "expired", count)
    read = kept.metrics.registry.get_sample_value
    assert read("footfall_sampling_job_last_success_timestamp_seconds") == later.timestamp()
    assert read("footfall_samples_deleted_total", {"reason": "expired"}) == count
    assert read("footfall_samples_stored_bytes") == 0


def test_the_oldest_pictures_make_room_and_what_no_row_knows_is_swept(kept: Kept) -> None:
    found = filled(kept)
    kept.blobs.put("samples/gate/2026-03-01/stray.jpg", b"left by a crash")
    newest = found[-1]
    keeper(kept, most_bytes=newest.size_bytes).sweep([GATE], datetime.now(UTC) + timedelta(hours=2))
    assert kept.store.stored_bytes() <= newest.size_bytes
    assert [path.name for path in kept.files()] in ([Path(newest.blob_key).name], [])


def test_a_job_that_fails_is_a_metric(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(kept)
    kept.database.close()
    (kept.folder / "footfall.db").unlink()
    with pytest.raises(StoreError):
        keeper(kept).sweep([GATE], NINE)
    assert kept.metrics.registry.get_sample_value("footfall_sampling_job_failures_total") == 1


def test_deleting_a_day_reaches_picture_row_and_verdict(kept: Kept) -> None:
    count = len(filled(kept))
    assert keeper(kept).delete("gate", NINE, actor="ada", now=NINE + DAY) == count
    assert kept.files() == []
    assert kept.samples() == []
    assert keeper(kept).delete("gate", NINE, actor="ada", now=NINE + DAY) == 0


DOOR = Line("door", (0.5, 0.0), (0.5, 1.0))
FILMED = dataclasses.replace(
    GATE,
    lines=(DOOR, dataclasses.replace(DOOR, name="aisle")),
    sampling=Sampling("audit", tracks_per_day=0, frames_per_day=0, targeted_per_day=0, clips_per_day=48, clip_s=60.0),
)


def watch(sampler: Sampler, camera: Camera, begin_s: float, end_s: float) -> None:
    for tenth in range(int(begin_s * 10), int(end_s * 10), 10):
        sampler.observe(camera, analysed(tenth / 10, {}))


def test_clips_begin_at_their_times_and_carry_the_chance_of_each_moment_at_a_line(kept: Kept) -> None:
    sampler = kept.sampler()
    sampler.start()
    watch(sampler, FILMED, 0, 3600 + 90)
    assert sampler.stop(30)
    clips = kept.samples(unit="clip")
    starts = starts_in_period(2, "gate", NINE)
    assert [abs(clip.taken_at - start) < timedelta(seconds=2) for clip, start in zip(clips, starts, strict=True)]
    assert {clip.stratum for clip in clips} <= {"door", "aisle"}
    for clip in clips:
        assert clip.stratum == clip.detail["line"]
        assert clip.probability == pytest.approx(48 * 60 / 86400 / 2)
        content = kept.blobs.get(clip.blob_key)
        assert (clip.media_type, len(content), content[4:8]) == ("video/mp4", clip.size_bytes, b"ftyp")
    assert (kept.samples(unit="track"), kept.samples(unit="frame")) == ([], [])


@pytest.mark.parametrize("what", ["interrupted", "without lines", "not watched when it began", "stopped"])
def test_there_is_no_clip_of_what_was_not_watched_whole(kept: Kept, what: str) -> None:
    sampler = kept.sampler()
    sampler.start()
    start_s = (starts_in_period(2, "gate", NINE)[0] - NINE).total_seconds()
    camera = dataclasses.replace(FILMED, lines=()) if what == "without lines" else FILMED
    begin_s = start_s + 5 if what == "not watched when it began" else start_s - 5
    watch(sampler, camera, begin_s, start_s + 30)
    if what == "interrupted":
        sampler.interrupt("gate")
    if what == "stopped":
        sampler.forget("gate")
    watch(sampler, camera, start_s + 30, start_s + 120)
    assert sampler.stop(30)
    assert kept.samples() == []
    assert kept.files() == []


def test_a_gap_cuts_a_clip_and_is_told(kept: Kept) -> None:
    sampler = kept.sampler()
    sampler.start()
    start_s = (starts_in_period(2, "gate", NINE)[0] - NINE).total_seconds()
    watch(sampler, FILMED, start_s - 5, start_s + 30)
    watch(sampler, FILMED, start_s + 40, start_s + 120)
    assert sampler.stop(30)
    assert kept.samples() == []
    assert kept.metrics.registry.get_sample_value("footfall_samples_dropped_total", {"reason": "clip_cut"}) == 1


def test_what_two_models_found_is_told_apart(kept: Kept) -> None:
    models = iter(["0123456789ab"] * 9 + ["ba9876543210"] * 1000)
    sampler = Sampler(kept.store, kept.blobs, kept.metrics, model=lambda _: next(models), rng=random.Random(1))
    sampler.start()
    at_s = walk_by(sampler, 1)
    walk_by(sampler, 1, begin_s=at_s)
    assert sampler.stop(10)
    tracks = kept.store.populations("track", since=NINE, until=NINE + DAY)
    assert [(row.model, row.count) for row in tracks] == [("ba9876543210", 1)]  # the first one was followed by both
    frames = kept.store.populations("frame", since=NINE, until=NINE + DAY)
    counts = {model: sum(row.count for row in frames if row.model == model) for model in {row.model for row in frames}}
    assert counts == {"0123456789ab": 9, "ba9876543210": 15}


def test_frames_of_a_drifting_camera_are_drawn_for_labels_at_their_pace_and_no_longer(kept: Kept) -> None:
    sampler = kept.sampler()
    sampler.start()
    sampler.want({"gate": LabelBatch(NINE + timedelta(seconds=60), timedelta(seconds=10))})
    for second in range(90):
        sampler.observe(GATE, analysed(float(second), {1: 0.9}, weak=0.2))
    sampler.want({})
    sampler.observe(GATE, analysed(95.0, {1: 0.9}))
    sampler.stop(5)
    frames = kept.samples(unit="frame", queue="targeted")
    assert [(each.taken_at - NINE).total_seconds() for each in frames] == [0, 10, 20, 30, 40, 50]
    assert {(each.reason, each.probability) for each in frames} == {("drifted", None)}
    assert frames[0].detail["boxes"] == [pytest.approx([*BOX, 0.9])]
    picture = cv2.imdecode(np.frombuffer(kept.blobs.get(frames[0].blob_key), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    head, body = picture[52:70, 105:135], picture[100:160, 105:135]
    assert head.std() < 0.5 * body.std()  # pixelated


def test_a_drifting_camera_without_leave_gives_no_frame(kept: Kept) -> None:
    sampler = kept.sampler()
    sampler.start()
    sampler.want({"gate": LabelBatch(NINE + DAY, timedelta(seconds=1))})
    for second in range(5):
        sampler.observe(dataclasses.replace(GATE, sampling=None), analysed(float(second), {1: 0.9}))
    sampler.stop(5)
    assert kept.samples() == []
    assert kept.files() == []
