"""Between requests and launchers: started once, looked after by one, ended once, whatever fails in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from footfall.domain import RetrainProgress, RetrainRequest
from footfall.stores.database import Database
from footfall.stores.retrains import RetrainStore
from monitoring.dispatcher import LEASE, Dispatcher
from monitoring.launchers import Ended, LaunchError
from monitoring.metrics import MonitorMetrics

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Written:
    """A launcher that writes down what it is told and does what it is told to do."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.end: Ended | None = None
        self.fault = False

    def launch(self, request: RetrainRequest) -> Mapping[str, Any]:
        self.told.append("launch")
        if self.fault:
            raise LaunchError("the machine room is on fire")
        return {"place": 7}

    def poll(self, request: RetrainRequest) -> Ended | None:
        assert request.handle == {"place": 7}
        return self.end

    def cancel(self, request: RetrainRequest) -> None:
        self.told.append("cancel")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RetrainStore]:
    database = Database(f"sqlite:///{tmp_path / 'footfall.db'}")
    database.migrate()
    yield RetrainStore(database)
    database.close()


def ask(store: RetrainStore) -> RetrainRequest:
    wanted = RetrainRequest(uuid.uuid4().hex, "mall", "asked", "", "0123456789ab", "why not", "api", "Ada", NOON)
    return store.ask(wanted, cooldown=timedelta(0))[0]


def value(metrics: MonitorMetrics, outcome: str) -> float | None:
    return metrics.registry.get_sample_value("footfall_retrain_requests", {"outcome": outcome})


def test_a_request_is_started_watched_and_ended(store: RetrainStore) -> None:
    launcher, metrics = Written(), MonitorMetrics(target=0.95)
    dispatcher = Dispatcher(store, launcher, metrics)
    dispatcher.care(NOON)
    wanted = ask(store)
    for minute in range(3):
        dispatcher.care(NOON + timedelta(minutes=minute))
        assert store.request(wanted.id).state == "running"
        assert value(metrics, "running") == 1
    launcher.end = Ended("rejected", "gate G2")
    dispatcher.care(NOON + timedelta(hours=1))
    ended = store.request(wanted.id)
    assert (ended.state, ended.outcome, ended.note) == ("ended", "rejected", "gate G2")
    assert ended.ended_at == NOON + timedelta(hours=1)
    assert (value(metrics, "running"), value(metrics, "rejected")) == (0, 1)
    dispatcher.care(NOON + timedelta(hours=2))
    assert launcher.told == ["launch"]


def test_of_two_monitors_one_cares_and_the_other_takes_over(store: RetrainStore) -> None:
    launcher = Written()
    one, other = (Dispatcher(store, launcher, MonitorMetrics(target=0.95)) for _ in range(2))
    wanted = ask(store)
    one.care(NOON)
    other.care(NOON + LEASE / 2)
    assert launcher.told == ["launch"]
    launcher.end = Ended("promoted", "")
    other.care(NOON + LEASE / 2)
    assert store.request(wanted.id).state == "running"  # not its care
    other.care(NOON + 2 * LEASE)
    assert store.request(wanted.id).outcome == "promoted"


def test_what_cannot_be_started_waits_and_is_tried_again(store: RetrainStore) -> None:
    launcher = Written()
    launcher.fault = True
    dispatcher = Dispatcher(store, launcher, MonitorMetrics(target=0.95))
    wanted = ask(store)
    with pytest.raises(LaunchError):
        dispatcher.care(NOON)
    assert store.request(wanted.id).state == "waiting"
    launcher.fault = False
    dispatcher.care(NOON)
    assert store.request(wanted.id).state == "running"


def test_one_that_somebody_wants_to_end_is_told_so(store: RetrainStore) -> None:
    launcher = Written()
    dispatcher = Dispatcher(store, launcher, MonitorMetrics(target=0.95))
    wanted = ask(store)
    dispatcher.care(NOON)
    store.cancel(wanted.id, at=NOON)
    dispatcher.care(NOON)
    launcher.end = Ended("cancelled", "as somebody wanted")
    dispatcher.care(NOON)
    assert launcher.told == ["launch", "cancel"]
    assert store.request(wanted.id).outcome == "cancelled"


def test_without_a_launcher_requests_wait(store: RetrainStore) -> None:
    metrics = MonitorMetrics(target=0.95)
    wanted = ask(store)
    Dispatcher(store, None, metrics).care(NOON)
    assert store.request(wanted.id).state == "waiting"
    assert value(metrics, "waiting") == 1


def test_how_far_the_run_is_becomes_metrics_and_goes_with_it(store: RetrainStore) -> None:
    launcher, metrics = Written(), MonitorMetrics(target=0.95)
    dispatcher = Dispatcher(store, launcher, metrics)

    def told(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"footfall_retrain_{name}", {"site": "mall", **labels})

    request = ask(store)
    dispatcher.care(NOON)
    dispatcher.care(NOON)  # what was just started is seen at the next look
    assert told("progress_timestamp_seconds") == told("launched_timestamp_seconds") == NOON.timestamp()
    assert told("steps") is None
    at = NOON + timedelta(minutes=3)
    losses = {"box": 0.7, "cls": 0.5, "dfl": 0.3}
    progress = RetrainProgress(at, "train", 7, 11, "", 0.5, 3, 6, 1.5, 600.0, 240.0, 0.4, losses, 2.5, 5.0)
    store.note_progress(request.id, progress)
    dispatcher.care(at)
    assert {part: told("loss_part", part=part) for part in losses} == losses
    assert told("epochs") == 2.5
    assert told("progress_timestamp_seconds") == at.timestamp()
    assert (told("stage", stage="train"), told("steps"), told("wanted_steps"), told("loss")) == (1.0, 3.0, 6.0, 1.5)
    assert (told("planned_seconds"), told("left_seconds"), told("done_ratio")) == (600.0, 240.0, 0.4)
    launcher.end = Ended("rejected", "gate G2")
    dispatcher.care(at)
    assert told("stage", stage="train") is None
    assert told("progress_timestamp_seconds") is None
    assert told("outcome_timestamp_seconds", outcome="rejected") == at.timestamp()


def test_a_run_that_was_begun_anew_is_as_old_as_its_start(store: RetrainStore) -> None:
    metrics = MonitorMetrics(target=0.95)
    request = ask(store)
    store.note_progress(request.id, RetrainProgress(NOON - timedelta(hours=1), "train", 7, 11, ""))
    store.launched(request.id, {}, at=NOON)
    Dispatcher(store, None, metrics).care(NOON)
    name = "footfall_retrain_progress_timestamp_seconds"
    assert metrics.registry.get_sample_value(name, {"site": "mall"}) == NOON.timestamp()
