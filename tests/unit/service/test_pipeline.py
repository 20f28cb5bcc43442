"""Frames become records and views; one fault harms nothing else."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from support.figures import draw, walk

from footfall.config import SOFTWARE
from footfall.domain import (
    Camera,
    CameraState,
    Coverage,
    Crossing,
    Detections,
    DropReason,
    Image,
    Line,
    ModelVersion,
    Record,
    StateChange,
    Zone,
    ZoneVisit,
)
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.vision.analysis import Analysis
from footfall.vision.detector import load_detector
from footfall.vision.pixels import DrawnImage
from footfall.vision.view import LEARNING_ROWS
from service.capture import CaptureSettings
from service.clock import SystemClock
from service.decoder import DeviceDecoder, DeviceRefusedError
from service.fleet import Fleet
from service.frames import CapturedFrame, FrameLedger, NewestFrame
from service.live import EventBus, LiveBoard
from service.metrics import Metrics
from service.pipeline import Detectors, Pipeline
from service.recorder import Recorder
from service.scheduler import Scheduler
from service.views import ViewKeeper

DOOR = Line("door", (0.5, 0.0), (0.5, 1.0))
HALL = Zone("hall", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))


class Raising:
    """A detector that fails on pictures that are all white."""

    runtime = "test"

    def __init__(self) -> None:
        self.version = ModelVersion("raising", "0" * 64, 0.25, "none")
        self.calls: list[int] = []

    def detect(self, pictures: Sequence[np.ndarray | Image]) -> list[Detections]:
        self.calls.append(len(pictures))
        if any(((each if isinstance(each, np.ndarray) else each.bgr()) == 255).all() for each in pictures):
            raise RuntimeError("white")
        return [Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32)) for _ in pictures]


class Bench:
    """The parts around a pipeline, all real but the detector."""

    def __init__(self, folder: Path, detector: object, *, workers: int = 1, max_batch: int = 4) -> None:
        self.clock = SystemClock()
        self.metrics = Metrics()
        self.database = Database(f"sqlite:///{folder / 'test.db'}")
        self.database.migrate()
        self.live = LiveBoard(self.clock)
        self.bus = EventBus()
        self.recorder = Recorder(self.database, self.metrics, commit_interval_s=0.02, on_committed=self.bus.publish)
        self.scheduler = Scheduler(max_batch=max_batch, max_age_s=5.0, clock=self.clock)
        self.views = ViewKeeper(BlobStore(str(folder / "blobs")))
        self.views.start()
        self.pipeline = Pipeline(
            scheduler=self.scheduler,
            detectors=Detectors(detector),  # type: ignore[arg-type]
            recorder=self.recorder,
            live=self.live,
            metrics=self.metrics,
            clock=self.clock,
            run_id="run",
            uturn_window_s=10.0,
            statistics_interval_s=1.0,
            statistics_kept_s=1.0,
            workers=workers,
            views=self.views,
        )
        self.slots: dict[str, NewestFrame] = {}
        self.recorder.start()
        self.pipeline.start()

    def add(self, camera: Camera) -> FrameLedger:
        ledger = FrameLedger(camera.id, self.metrics)
        self.slots[camera.id] = NewestFrame(ledger, self.scheduler.arrived)
        self.live.show(camera, ledger)
        self.live.set_state(StateChange(camera.id, CameraState.LIVE, self.clock.now()))
        self.pipeline.watch(camera, ledger)
        self.scheduler.add(camera.id, self.slots[camera.id], camera.target_fps)
        return ledger

    def send(self, camera_id: str, picture: np.ndarray, *, sequence: int = 0) -> None:
        slot = self.slots[camera_id]
        slot.ledger.receive()
        height, width = picture.shape[:2]

        def draw() -> np.ndarray:
            if (picture == 0).all():
                raise RuntimeError("cannot be converted")
            return picture

        image = DrawnImage(width, height, draw)
        slot.put(CapturedFrame(camera_id, sequence, self.clock.now(), self.clock.monotonic(), image))

    def walk_through(self, camera_id: str) -> float:
        """Send a person who walks to the right, at about 20 frames a second; returns how long it took."""
        person = walk((60, 300), (580, 300), begins_s=0, lasts_s=2.4)
        begin_s = self.clock.monotonic()
        for index in range(48):
            self.send(camera_id, draw([person], index / 20, width_px=640, height_px=352), sequence=index)
            time.sleep(0.05)
        return self.clock.monotonic() - begin_s

    def stop(self) -> None:
        self.pipeline.stop(5)
        self.recorder.stop(5)
        self.views.stop(5)
        self.database.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[[object], Bench]]:
    made: list[Bench] = []

    def make(detector: object) -> Bench:
        made.append(Bench(tmp_path, detector))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def wait_for(is_so: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.01)


GREY = np.full((64, 64, 3), 90, np.uint8)
WHITE = np.full((64, 64, 3), 255, np.uint8)


def test_a_picture_that_breaks_the_detector_harms_no_other_camera(bench: Callable[[object], Bench]) -> None:
    parts = bench(Raising())
    ledgers = [parts.add(Camera(id=name, url="film.mp4", target_fps=50)) for name in ("a", "b", "c")]
    for index in range(5):
        for name, picture in (("a", GREY), ("b", WHITE), ("c", GREY)):
            parts.send(name, picture, sequence=index)
        time.sleep(0.1)
    wait_for(lambda: all(ledger.counts().pending == 0 for ledger in ledgers))
    a, b, c = (ledger.counts() for ledger in ledgers)
    assert (a.analysed, c.analysed) == (5, 5)
    assert (b.analysed, b.dropped[DropReason.ERROR]) == (0, 5)
    assert all(each.is_balanced for each in (a, b, c))


def test_a_picture_that_cannot_be_made_is_dropped_and_others_go_on(
    bench: Callable[[object], Bench], figure_model: Path
) -> None:
    parts = bench(load_detector(figure_model, threads=1))
    broken, healthy = (parts.add(Camera(id=name, url="film.mp4", target_fps=50)) for name in ("broken", "healthy"))
    parts.send("broken", np.zeros_like(GREY))
    parts.send("healthy", GREY)
    wait_for(lambda: broken.counts().pending == healthy.counts().pending == 0)
    assert (broken.counts().dropped[DropReason.ERROR], healthy.counts().analysed) == (1, 1)


def test_several_threads_analyse_at_once_and_a_camera_stays_in_order(tmp_path: Path) -> None:
    class Slow(Raising):
        """Holds a picture until another thread brings one too."""

        def __init__(self) -> None:
            super().__init__()
            self.together = threading.Barrier(2)

        def detect(self, pictures: Sequence[np.ndarray | Image]) -> list[Detections]:
            self.together.wait(5)
            return super().detect(pictures)

    parts = Bench(tmp_path, Slow(), workers=2, max_batch=1)
    ledgers = {name: parts.add(Camera(id=name, url="film.mp4", target_fps=1000)) for name in ("a", "b")}
    seen: dict[str, list[int]] = {"a": [], "b": []}
    publish = parts.live.publish

    def note(analysis: Analysis) -> None:
        seen[analysis.frame.camera_id].append(analysis.frame.sequence)
        publish(analysis)

    parts.live.publish = note  # type: ignore[method-assign]
    for index in range(6):
        for name in ledgers:
            parts.send(name, GREY, sequence=index)
        wait_for(lambda: all(ledger.counts().pending == 0 for ledger in ledgers.values()))
    parts.stop()
    assert seen == {"a": list(range(6)), "b": list(range(6))}


def test_where_nothing_changes_the_detector_rests_and_every_frame_is_accounted_for(tmp_path: Path) -> None:
    detector = Raising()
    parts = Bench(tmp_path, detector, max_batch=1)
    camera = Camera(id="gate", url="film.mp4", target_fps=1000)
    parts.metrics.add_camera(camera)
    ledger = parts.add(camera)
    for index in range(6):
        parts.send("gate", GREY, sequence=index)
        wait_for(lambda: ledger.counts().pending == 0)
    parts.send("gate", np.pad(GREY[8:-8, 8:-8], ((8, 8), (8, 8), (0, 0))), sequence=6)
    wait_for(lambda: ledger.counts().pending == 0)
    text = parts.metrics.render().decode()
    parts.stop()
    counts = ledger.counts()
    assert (counts.received, counts.analysed, counts.is_balanced) == (7, 7, True)
    assert len(detector.calls) == 2
    assert 'footfall_frames_rested_total{camera="gate"} 5.0' in text
    assert 'footfall_frames_analysed_total{camera="gate"} 7.0' in text


def test_what_was_in_work_when_a_camera_went_dark_begins_nothing_new(tmp_path: Path) -> None:
    class Held(Raising):
        def __init__(self) -> None:
            super().__init__()
            self.entered, self.go_on = threading.Event(), threading.Event()

        def detect(self, pictures: Sequence[np.ndarray | Image]) -> list[Detections]:
            self.entered.set()
            assert self.go_on.wait(5)
            return super().detect(pictures)

    detector = Held()
    parts = Bench(tmp_path, detector)
    camera = Camera(id="gate", url="film.mp4", target_fps=50, zones=(HALL,))
    parts.metrics.add_camera(camera)
    ledger = parts.add(camera)
    parts.send("gate", GREY)
    assert detector.entered.wait(5)
    parts.pipeline.interrupt("gate")
    detector.go_on.set()
    wait_for(lambda: ledger.counts().pending == 0)
    text = parts.metrics.render().decode()
    parts.stop()
    assert ledger.counts().dropped[DropReason.STOPPED] == 1
    assert "footfall_zone_people{" not in text  # nobody watches: unknown, not zero


def test_a_walk_becomes_a_committed_crossing_a_visit_coverage_and_a_view(
    bench: Callable[[object], Bench], figure_model: Path
) -> None:
    parts = bench(load_detector(figure_model, threads=1))
    listener = parts.bus.subscribe()
    camera = Camera(id="gate", url="film.mp4", target_fps=20, lines=(DOOR,), zones=(HALL,))
    parts.metrics.add_camera(camera)
    parts.add(camera)
    took_s = parts.walk_through("gate")
    assert parts.live.view("gate").analysis is not None
    assert (parts.live.annotated_jpeg("gate", width_px=320) or b"")[:2] == b"\xff\xd8"
    parts.pipeline.interrupt("gate")
    time.sleep(0.8)  # the pipeline looks up twice a second
    assert parts.recorder.flush(5)
    kinds: list[Record] = []
    while (record := listener.get(2.0)) is not None:
        kinds.append(record)
    (crossing,) = [each for each in kinds if isinstance(each, Crossing)]
    assert (crossing.line, crossing.direction) == ("door", "out")
    assert abs((crossing.at - datetime.now(UTC)).total_seconds()) < 10
    (visit,) = [each for each in kinds if isinstance(each, ZoneVisit)]
    assert visit.dwell_s == pytest.approx(took_s, abs=0.5)
    assert sum(each.watched_s for each in kinds if isinstance(each, Coverage)) == pytest.approx(took_s, abs=0.5)
    text = parts.metrics.render().decode()
    assert 'footfall_people_crossed_total{camera="gate",direction="out",line="door"} 1.0' in text
    assert "footfall_zone_people{" not in text  # nobody watches: unknown, not zero
    assert 'footfall_input_statistic{camera="gate",statistic="luminance"}' in text


def test_the_detector_is_swapped_between_two_frames(bench: Callable[[object], Bench]) -> None:
    first, second = Raising(), Raising()
    parts = bench(first)
    ledger = parts.add(Camera(id="gate", url="film.mp4", target_fps=50))
    parts.send("gate", GREY)
    wait_for(lambda: ledger.counts().analysed == 1)
    parts.pipeline.use(Detectors(second))
    time.sleep(0.1)
    parts.send("gate", GREY, sequence=1)
    wait_for(lambda: ledger.counts().analysed == 2)
    assert (len(first.calls), len(second.calls)) == (1, 1)


def test_canaries_are_seen_by_the_challenger_and_no_other_camera(bench: Callable[[object], Bench]) -> None:
    champion, challenger = Raising(), Raising()
    parts = bench(champion)
    parts.pipeline.use(Detectors(champion, challenger, frozenset({"b", "gone"})))
    ledgers = {name: parts.add(Camera(id=name, url="film.mp4", target_fps=50)) for name in ("a", "b", "c")}
    for name in ledgers:
        parts.send(name, WHITE if name == "b" else GREY)  # the challenger fails on it
    wait_for(lambda: all(ledger.counts().pending == 0 for ledger in ledgers.values()))
    assert {name: ledger.counts().analysed for name, ledger in ledgers.items()} == {"a": 1, "b": 0, "c": 1}
    assert (sum(champion.calls), sum(challenger.calls)) == (2, 1)
    assert parts.pipeline.detectors.of("b") is challenger
    parts.pipeline.use(Detectors(champion))
    time.sleep(0.1)  # sooner would be more than its rate
    parts.send("b", GREY, sequence=1)
    wait_for(lambda: ledgers["b"].counts().analysed == 1)
    assert (sum(champion.calls), sum(challenger.calls)) == (3, 1)


def test_the_frozen_view_outlives_new_lines_and_a_restart_but_not_another_source(
    bench: Callable[[object], Bench], tmp_path: Path
) -> None:
    parts = bench(Raising())
    parts.pipeline._statistics_interval_s = parts.pipeline._statistics_kept_s = 0.0
    camera = Camera(id="gate", url="film.mp4", target_fps=1000)
    ledger = parts.add(camera)
    hall = np.kron(np.random.default_rng(4).integers(20, 230, (12, 20, 3)), np.ones((30, 32, 1))).astype(np.uint8)
    sent = 0

    def compares() -> bool:
        nonlocal sent
        parts.send("gate", hall, sequence=sent)
        sent += 1
        wait_for(lambda: ledger.counts().analysed == sent)
        assert parts.recorder.flush(5)
        now = parts.clock.now()
        rows = parts.database.statistics("gate", since=now - timedelta(minutes=5), until=now + timedelta(seconds=1))
        assert len(rows) == sent
        return "view_match" in rows[-1].values

    assert [compares() for _ in range(LEARNING_ROWS + 1)] == [False] * LEARNING_ROWS + [True]
    parts.pipeline.watch(replace(camera, lines=(Line("door", (0.5, 0.9), (0.5, 0.1)),)), ledger)
    assert compares()
    parts.pipeline.forget_view("hall")
    assert compares()
    parts.pipeline.forget_view("gate")
    assert [compares() for _ in range(LEARNING_ROWS + 1)] == [False] * LEARNING_ROWS + [True]
    parts.pipeline.watch(replace(camera, url="other.mp4"), ledger)
    assert not compares()
    parts.pipeline.watch(camera, ledger)  # what it usually looks at was kept, also for the next start
    wait_for(lambda: ViewKeeper(BlobStore(str(tmp_path / "blobs"))).view(camera) is not None)
    parts.pipeline.watch(replace(camera, url="other.mp4"), ledger)
    parts.pipeline.watch(camera, ledger)
    assert compares()
    parts.pipeline.forget_view("gate")  # somebody accepted what it shows now
    assert not compares()
    wait_for(lambda: ViewKeeper(BlobStore(str(tmp_path / "blobs"))).view(camera) is None)


def fleet_of(parts: Bench, decode_device: str = SOFTWARE) -> Fleet:
    """A fleet on the bench."""
    return Fleet(
        pipeline=parts.pipeline,
        scheduler=parts.scheduler,
        recorder=parts.recorder,
        live=parts.live,
        metrics=parts.metrics,
        capture=CaptureSettings(decode_device=decode_device),
        rng=random.Random(1),
        clock=parts.clock,
    )


def test_a_film_runs_through_the_fleet_and_changes_without_a_reconnect(
    bench: Callable[[object], Bench], tmp_path: Path
) -> None:
    from support.figures import write_film

    film = write_film(tmp_path / "film.mp4", [], lasts_s=2, width_px=320, height_px=176)
    parts = bench(Raising())
    fleet = fleet_of(parts)
    camera = Camera(id="gate", url=str(film), loop=True)
    fleet.apply(camera)
    wait_for(lambda: fleet.counts("gate").analysed > 2)
    readers = {thread.name: thread for thread in threading.enumerate() if thread.name == "capture gate"}
    fleet.apply(Camera(id="gate", url=str(film), loop=True, target_fps=8, lines=(DOOR,)))
    analysed = fleet.counts("gate").analysed
    wait_for(lambda: fleet.counts("gate").analysed > analysed + 2)
    assert readers["capture gate"].is_alive()
    fleet.apply(Camera(id="gate", url=str(film), loop=True, enabled=False))
    assert parts.live.view("gate").state is CameraState.DISABLED
    wait_for(lambda: not readers["capture gate"].is_alive())
    assert fleet.counts("gate").is_balanced
    fleet.remove("gate")
    assert fleet.cameras() == []
    assert fleet.stop(5)


def test_a_refused_device_is_told_of_a_camera_only_while_it_is_read(
    bench: Callable[[object], Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.figures import write_film

    asked, answers = threading.Event(), threading.Event()

    def refuses(*_: object) -> DeviceDecoder:
        asked.set()
        answers.wait(60)
        raise DeviceRefusedError("it is not there")

    monkeypatch.setattr("service.decoder._connect", refuses)
    parts = bench(Raising())
    fleet = fleet_of(parts, decode_device="cuda")
    film = write_film(tmp_path / "film.mp4", [], lasts_s=2, width_px=320, height_px=176)
    camera = Camera(id="gate", url=str(film), loop=True)

    def refused() -> float | None:
        return parts.metrics.registry.get_sample_value("footfall_decode_refused", {"camera": "gate"})

    answers.set()
    fleet.apply(camera)
    wait_for(lambda: refused() == 1, 30)
    fleet.apply(replace(camera, enabled=False))
    assert refused() == 0
    asked.clear()
    answers.clear()
    fleet.apply(camera)
    wait_for(asked.is_set, 30)
    fleet.remove("gate")
    answers.set()  # the reader hears of it when its camera is gone
    assert fleet.stop(60)
    assert refused() is None


def test_a_slow_listener_loses_the_oldest_events_and_harms_nobody() -> None:
    bus = EventBus()
    slow = bus.subscribe(size=3)
    changes = [StateChange(f"cam{n}", CameraState.LIVE, datetime.now(UTC)) for n in range(5)]
    bus.publish(changes)
    assert slow.dropped == 2
    assert [slow.get(0.1) for _ in range(3)] == changes[2:]
    assert slow.get(0.01) is None
    slow.close()
    bus.publish(changes)
    assert slow.get(0.01) is None


def test_of_what_is_measured_some_is_kept_and_all_is_shown(bench: Callable[[object], Bench]) -> None:
    parts = bench(Raising())
    parts.pipeline._statistics_interval_s, parts.pipeline._statistics_kept_s = 0.0, 3600.0
    ledger = parts.add(Camera(id="gate", url="film.mp4", target_fps=1000))
    for sequence in range(5):
        parts.send("gate", np.full((176, 320, 3), 50 + sequence, np.uint8), sequence=sequence)
        wait_for(lambda: ledger.counts().analysed == sequence + 1)  # noqa: B023  used at once
    assert parts.recorder.flush(5)
    now = parts.clock.now()
    rows = parts.database.statistics("gate", since=now - timedelta(minutes=5), until=now + timedelta(seconds=1))
    assert [row.values["luminance"] for row in rows] == [50.0]
    shown = parts.metrics.registry.get_sample_value(
        "footfall_input_statistic", {"camera": "gate", "statistic": "luminance"}
    )
    assert shown == 54.0
