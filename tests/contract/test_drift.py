"""What every store of drift must keep; one suite over SQLite and PostgreSQL."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from footfall.domain import DriftAcceptance, DriftEpisode, DriftVerdict, FeatureDrift
from footfall.errors import UnknownRecordError
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FOGGY = DriftVerdict(
    camera_id="gate",
    begin_at=NOON,
    end_at=NOON + HOUR,
    at=NOON + HOUR + timedelta(minutes=2),
    rows=3600,
    state="unusual",
    tier="watch",
    reference="own",
    recent=(False, True),
    calm_for=0,
    episode=1,
    features={"contrast": FeatureDrift(2.5, 1.0, -2.4, 60.0, 20.0), "haze": FeatureDrift(0.5, 1.0, 0.5, 30.0, 33.0)},
    cause="fog",
    evidence=("contrast", "haze"),
    others=("covered",),
    note="against 10 like days",
)
UNTOLD = DriftVerdict("hall", NOON, NOON + HOUR, NOON + HOUR, 12, "insufficient", "calm", "none")
EPISODE = DriftEpisode(
    id="e" * 32, camera_id="gate", cause="fog", since_at=NOON, opened_at=NOON + 3 * HOUR, last_at=NOON + 3 * HOUR
)


def test_verdicts_come_back_as_they_were(database: Database) -> None:
    store = DriftStore(database)
    assert store.last_verdict("gate") is None
    assert store.last_verdicts() == {}
    assert store.put_verdict(FOGGY)
    assert store.put_verdict(UNTOLD)
    assert store.last_verdict("gate") == FOGGY == store.verdict("gate", NOON)
    assert (FOGGY.ratio, UNTOLD.ratio) == (2.5, None)
    later = dataclasses.replace(FOGGY, begin_at=NOON + HOUR, end_at=NOON + 2 * HOUR)
    assert store.put_verdict(later)
    assert store.last_verdict("gate") == later
    assert store.last_verdicts() == {"gate": later, "hall": UNTOLD}
    assert store.verdicts(since=NOON, until=NOON + HOUR) == [FOGGY, UNTOLD]
    assert store.verdicts(since=NOON, until=NOON + 2 * HOUR, camera_ids=["gate"]) == [FOGGY, later]
    with pytest.raises(UnknownRecordError, match=r"'gate'.* no window from"):
        store.verdict("gate", NOON - HOUR)


def test_a_window_is_judged_once_however_many_judge_it(database: Database) -> None:
    store = DriftStore(database)

    def judge(number: int) -> bool:
        return store.put_verdict(dataclasses.replace(FOGGY, rows=number))

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(judge, range(24)))
    assert sum(said) == 1
    last = store.last_verdict("gate")
    assert last is not None
    assert last.rows == said.index(True)


def test_a_report_is_found_by_its_verdict_and_old_verdicts_go(database: Database) -> None:
    store = DriftStore(database)
    store.put_verdict(FOGGY)
    store.attach_report("gate", NOON, "evidence/gate/1")
    assert store.verdict("gate", NOON).report_key == "evidence/gate/1"
    assert store.delete_before(NOON) == 0
    assert store.delete_before(NOON + HOUR) == 1
    assert store.last_verdict("gate") is None
    assert store.last_verdicts() == {}


def test_one_episode_is_open_for_a_camera(database: Database) -> None:
    store = DriftStore(database)

    def begin(number: int) -> bool:
        return store.open_episode(dataclasses.replace(EPISODE, id=f"{number:032x}"))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(begin, range(24))) == 1
    assert store.open_episode(dataclasses.replace(EPISODE, id="f" * 32, camera_id="hall"))
    assert set(store.open_episodes()) == {"gate", "hall"}


def test_an_episode_is_followed_until_it_is_over_and_then_stays_as_it_is(database: Database) -> None:
    store = DriftStore(database)
    store.open_episode(EPISODE)
    until = NOON + timedelta(days=1)
    later = NOON + 5 * HOUR
    store.follow_episode(EPISODE.id, cause="moved", last_at=later, invalidates=True, batch_until=until)
    found = store.open_episodes()["gate"]
    assert found == dataclasses.replace(EPISODE, cause="moved", last_at=later, invalidates=True, batch_until=until)
    store.follow_episode(EPISODE.id, cause="moved", last_at=later, invalidates=True, batch_until=None)
    assert store.episode(EPISODE.id).batch_until == until

    ended = store.end_episode(EPISODE.id, "accepted", at=later, by="ada", note="a new camera arm")
    assert (ended.end, ended.closed_at, ended.closed_by, ended.note) == ("accepted", later, "ada", "a new camera arm")
    assert store.end_episode(EPISODE.id, "ignored", at=later + HOUR, by="bob") == ended
    store.follow_episode(EPISODE.id, cause="fog", last_at=later + HOUR, invalidates=False, batch_until=None)
    assert store.episode(EPISODE.id) == ended
    assert store.open_episodes() == {}
    assert store.open_episode(dataclasses.replace(EPISODE, id="f" * 32))  # the next one may begin
    for call in (store.episode, lambda each: store.end_episode(each, "ignored", at=NOON, by="ada")):
        with pytest.raises(UnknownRecordError, match="drift episode 'nowhere'"):
            call("nowhere")


def test_episodes_of_a_time_are_those_not_over_before_it(database: Database) -> None:
    store = DriftStore(database)
    store.open_episode(EPISODE)
    store.end_episode(EPISODE.id, "cleared", at=NOON + 4 * HOUR, by="monitor")
    second = dataclasses.replace(EPISODE, id="f" * 32, since_at=NOON + 10 * HOUR)
    store.open_episode(second)
    assert [each.id for each in store.episodes(since=NOON)] == [second.id, EPISODE.id]
    assert [each.id for each in store.episodes(since=NOON + 5 * HOUR)] == [second.id]
    assert store.episodes(since=NOON, camera_ids=["hall"]) == []
    assert store.open_batch(second.id, until=NOON).batch_until == NOON


def test_counts_are_invalid_from_the_first_window_of_such_an_episode_to_its_end(database: Database) -> None:
    store = DriftStore(database)
    store.open_episode(dataclasses.replace(EPISODE, invalidates=True, cause="moved"))
    store.open_episode(dataclasses.replace(EPISODE, id="f" * 32, camera_id="hall"))
    day = {"since": NOON - HOUR, "until": NOON + 20 * HOUR}
    assert [each.id for each in store.invalidating(**day)] == [EPISODE.id]
    assert store.invalid_spans(**day) == {"gate": [(NOON, None)]}
    assert store.invalid_spans(since=NOON - 2 * HOUR, until=NOON) == {}
    store.end_episode(EPISODE.id, "redrawn", at=NOON + 6 * HOUR, by="ada")
    assert store.invalid_spans(**day) == {"gate": [(NOON, NOON + 6 * HOUR)]}
    assert store.invalid_spans(since=NOON + 6 * HOUR, until=NOON + 7 * HOUR) == {}


def test_what_was_accepted_stays_as_a_trail(database: Database) -> None:
    store = DriftStore(database)
    assert store.acceptances("gate") == []
    assert store.newest_acceptances() == {}
    first = DriftAcceptance("gate", None, NOON, NOON + HOUR, "ada", "rush hour before the feast")
    anew = DriftAcceptance("gate", NOON, NOON + timedelta(days=14), NOON + HOUR, "bob")
    store.accept(first)
    store.accept(anew)
    assert store.acceptances("gate") == [anew, first]
    assert store.acceptances("hall") == []
    store.accept(dataclasses.replace(first, camera_id="hall"))
    assert store.newest_acceptances() == {"gate": anew, "hall": dataclasses.replace(first, camera_id="hall")}
