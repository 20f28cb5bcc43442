"""A better model is asked for once, cared for by one monitor, and ends once; in every database."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.registered import make_registry, model_folder
from support.requests import make_request

from footfall.domain import LabelBatch, RetrainOutcome, RetrainProgress, RetrainRequest
from footfall.errors import UnknownRecordError
from footfall.stores.database import Database
from footfall.stores.retrains import RetrainStore

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
LEASE = timedelta(minutes=1)


@pytest.fixture
def store(database: Database) -> RetrainStore:
    return RetrainStore(database)


def ask(store: RetrainStore, wanted: RetrainRequest, **options: Any) -> tuple[RetrainRequest, str]:
    return store.ask(wanted, cooldown=WEEK, **options)


def test_what_was_asked_comes_back_as_it_was(store: RetrainStore) -> None:
    wanted = make_request()
    assert ask(store, wanted) == (wanted, "created")
    assert store.request(wanted.id) == wanted
    assert store.requests() == [wanted]
    assert store.counts() == {"waiting": 1}
    with pytest.raises(UnknownRecordError, match=r"retrain request 'f+': is not there"):
        store.request("f" * 32)


def test_the_same_again_and_another_one_meanwhile_are_no_new_requests(store: RetrainStore) -> None:
    first = make_request()
    ask(store, first)
    assert ask(store, make_request(at=NOON + WEEK)) == (first, "duplicate")
    assert ask(store, make_request(slice="hall")) == (first, "active")
    assert ask(store, make_request(site="other"))[1] == "created"
    store.ended(first.id, "rejected", "gate G2", at=NOON)
    assert ask(store, make_request(at=NOON + 9 * WEEK))[1] == "duplicate"  # never tried again by itself
    assert ask(store, make_request(slice="hall", at=NOON + WEEK - LEASE))[1] == "cooldown"
    assert ask(store, make_request(slice="hall", at=NOON + WEEK + LEASE))[1] == "created"


def test_who_insists_is_stopped_only_by_one_that_is_active(store: RetrainStore) -> None:
    first = make_request()
    ask(store, first)
    assert ask(store, make_request(), is_forced=True)[1] == "active"
    store.ended(first.id, "rejected", "", at=NOON)
    again = make_request()
    assert ask(store, again, is_forced=True) == (again, "created")


@pytest.mark.parametrize(
    ("outcome", "answer"), [("failed", "created"), ("insufficient_labels", "created"), ("promoted", "duplicate")]
)
def test_after_a_failure_the_same_may_be_asked_again_when_the_cooldown_is_over(
    store: RetrainStore, outcome: Any, answer: str
) -> None:
    first = make_request()
    ask(store, first)
    store.ended(first.id, outcome, "exit status 1", at=NOON)
    assert ask(store, make_request(at=NOON + 2 * WEEK))[1] == answer


def test_of_many_who_ask_at_once_one_is_first(store: RetrainStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [answer for _, answer in pool.map(lambda _: ask(store, make_request()), range(40))]
    assert (answers.count("created"), answers.count("duplicate")) == (1, 39)


def test_one_monitor_cares_until_it_is_silent_for_too_long(store: RetrainStore) -> None:
    assert store.claim("a", now=NOON, lease=LEASE) is None
    wanted = make_request()
    ask(store, wanted)
    assert store.claim("a", now=NOON, lease=LEASE) == wanted
    assert store.claim("b", now=NOON + LEASE / 2, lease=LEASE) is None
    assert store.claim("a", now=NOON + LEASE / 2, lease=LEASE) == wanted
    assert store.claim("b", now=NOON + LEASE, lease=LEASE) is None
    assert store.claim("b", now=NOON + 2 * LEASE, lease=LEASE) == wanted
    store.launched(wanted.id, {"folder": "x"}, at=NOON)
    running = store.claim("b", now=NOON + 2 * LEASE, lease=LEASE)
    assert running == dataclasses.replace(wanted, state="running", handle={"folder": "x"}, launched_at=NOON)
    store.ended(wanted.id, "promoted", "", at=NOON)
    assert store.claim("b", now=NOON + 3 * LEASE, lease=LEASE) is None
    assert store.counts() == {"promoted": 1}


def test_one_that_waits_is_cancelled_at_once_and_frees_its_place(store: RetrainStore) -> None:
    first = make_request()
    ask(store, first)
    ended = store.cancel(first.id, at=NOON)
    assert (ended.state, ended.outcome) == ("ended", "cancelled")
    assert ask(store, make_request())[1] == "created"  # no cooldown, and no repeat


def test_one_that_somebody_cares_for_is_told_to_end(store: RetrainStore) -> None:
    first = make_request()
    ask(store, first)
    store.claim("a", now=NOON, lease=LEASE)
    assert store.cancel(first.id, at=NOON).state == "waiting"
    store.launched(first.id, {}, at=NOON)
    running = store.cancel(first.id, at=NOON + LEASE)
    assert (running.state, running.cancel_at) == ("running", NOON)
    store.ended(first.id, "cancelled", "", at=NOON)
    assert store.cancel(first.id, at=NOON + WEEK) == store.request(first.id)


def test_one_whose_monitor_is_gone_does_not_block_the_site_for_ever(store: RetrainStore) -> None:
    first = make_request()
    ask(store, first)
    store.claim("a", now=NOON, lease=LEASE)
    assert store.cancel(first.id, at=NOON + LEASE / 2).state == "waiting"  # may be starting right now
    assert store.cancel(first.id, at=NOON + 2 * LEASE).outcome == "cancelled"
    assert ask(store, make_request())[1] == "created"


def test_progress_is_kept_beside_the_request_the_newest_in_place_of_the_last(
    store: RetrainStore, database: Database
) -> None:
    first = ask(store, make_request())[0]
    assert store.progress(first.id) is None
    losses = {"box": 0.7, "cls": 0.5, "dfl": 0.3}
    told = RetrainProgress(
        NOON, "train", 7, 11, "step 3 of 20", 0.15, 3, 20, 1.5, 100.0, 80.0, 0.2, losses, epoch=1.5, epochs=10.0
    )
    store.note_progress(first.id, dataclasses.replace(told, step=2))
    store.note_progress(first.id, told)
    assert store.progress(first.id) == told
    assert store.progress("f" * 32) is None
    database.set_setting(f"retrain_progress/{first.id}", '{"at": "2026-03-01T12:00:00+00:00", "era": 3}')
    assert store.progress(first.id) is None  # of another version


def test_those_that_run_and_the_last_ends_are_told_by_site(store: RetrainStore) -> None:
    mall, shop = (ask(store, make_request(site=site))[0] for site in ("mall", "shop"))
    assert store.running() == []
    for request in (mall, shop):
        store.launched(request.id, {}, at=NOON)
    assert [each.site for each in store.running()] == ["mall", "shop"]
    assert store.last_ends() == {}
    store.ended(mall.id, "failed", "", at=NOON)
    again = store.ask(make_request(), cooldown=timedelta(0))[0]
    store.ended(again.id, "failed", "", at=NOON + WEEK)
    store.ended(shop.id, "promoted", "", at=NOON)
    assert store.last_ends() == {("mall", "failed"): NOON + WEEK, ("shop", "promoted"): NOON}
    assert store.running() == []


def test_gates_that_rejected_are_told_until_another_retraining_of_the_site_was_judged(
    store: RetrainStore, database: Database, tmp_path: Path
) -> None:
    registry = make_registry(tmp_path, database)

    def ended(site: str, outcome: RetrainOutcome, at: datetime, *gates: tuple[str, bool | None]) -> None:
        request = store.ask(make_request(site=site, at=at), cooldown=timedelta(0), is_forced=True)[0]
        registry.add(
            model_folder(tmp_path / request.id, f"m-{request.id[:8]}"),
            origin="retrained",
            by="retrain",
            at=at,
            run=request.id,
            gates={"gates": [{"name": name, "passed": passed} for name, passed in gates]},
            is_rejected=outcome == "rejected",
        )
        store.ended(request.id, outcome, "", at=at)

    assert store.rejections() == {}
    ended("mall", "rejected", NOON, ("G1 old", True), ("G2", False), ("G5", False))
    ended("shop", "rejected", NOON, ("G1 new", None), ("G2", True))
    assert store.rejections() == {"mall": ("G2", "G5"), "shop": ("G1 new",)}
    failed = store.ask(make_request(at=NOON + WEEK), cooldown=timedelta(0), is_forced=True)[0]
    store.ended(failed.id, "failed", "", at=NOON + WEEK)  # judged nothing
    assert store.rejections()["mall"] == ("G2", "G5")
    ended("mall", "promoted", NOON + 2 * WEEK, ("G1 new", True))
    assert store.rejections() == {"shop": ("G1 new",)}


def test_a_batch_of_frames_is_kept_beside_the_request_that_opened_it(store: RetrainStore) -> None:
    first = ask(store, make_request())[0]
    assert store.batch(first.id) is None
    opened = LabelBatch(first.id, NOON, "fog", 17, ("a" * 32, "b" * 32))
    for batch in (dataclasses.replace(opened, frames=()), opened, dataclasses.replace(opened, for_two=("b" * 32,))):
        store.open_batch(batch)
        assert store.batch(first.id) == batch


def test_frames_that_two_people_label_are_told_of_all_batches_together(store: RetrainStore, database: Database) -> None:
    assert store.for_two() == frozenset()
    for number, frames in enumerate((("a", "b"), ("b", "c"), ())):
        store.open_batch(LabelBatch(f"{number:032x}", NOON, "fog", 9, ("a", "b", "c", "d"), frames))
    older = {"request": "f" * 32, "at": NOON.isoformat(), "cause": "fog", "wanted": 3, "frames": ["e"]}
    database.set_setting(f"label_batch/{'f' * 32}", json.dumps(older))
    database.set_setting("label_batches", json.dumps({"for_two": ["x"]}))  # is none
    assert store.for_two() == {"a", "b", "c"}
    assert store.batch("f" * 32) == LabelBatch("f" * 32, NOON, "fog", 3, ("e",))
