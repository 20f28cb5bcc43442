"""What every sample store must keep; one suite over SQLite and PostgreSQL."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from footfall.domain import Population, Sample, SampleLabel
from footfall.errors import UnknownRecordError
from footfall.stores.database import Database
from footfall.stores.samples import SampleStore

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(database: Database) -> SampleStore:
    return SampleStore(database)


def sample(number: int, **changes: Any) -> Sample:
    values: dict[str, Any] = {
        "id": uuid.UUID(int=number).hex,
        "camera_id": "gate",
        "unit": "track",
        "queue": "random",
        "hour_at": NOON,
        "stratum": "3",
        "model": "0123456789ab",
        "taken_at": NOON + timedelta(minutes=number),
        "probability": 0.25,
        "blob_key": f"samples/gate/2026-03-01/{number}.jpg",
        "media_type": "image/jpeg",
        "width_px": 640,
        "height_px": 360,
        "size_bytes": 1000 * number,
        "detail": {"score": 0.9, "views": [{"x0": 0, "width": 640, "box": [1.5, 2, 3, 4]}]},
    }
    return Sample(**(values | changes))


def verdict(number: int, reviewer: str = "ada", says: str = "right", minutes: int = 0) -> SampleLabel:
    return SampleLabel(
        uuid.UUID(int=number).hex, reviewer, NOON + timedelta(minutes=minutes), "reviewer", {"verdict": says}
    )


def numbers(found: list[Sample]) -> list[int]:
    return [uuid.UUID(each.id).int for each in found]


def test_a_sample_comes_back_as_it_was_stored_and_is_stored_once(store: SampleStore) -> None:
    first = sample(1)
    assert store.add(first)
    assert not store.add(dataclasses.replace(first, stratum="1"))
    assert store.sample(first.id) == first
    with pytest.raises(UnknownRecordError, match=r"sample '0+7': is not there; it may have been deleted"):
        store.sample(uuid.UUID(int=7).hex)


def test_of_some_samples_those_come_back_that_are_there_oldest_first(store: SampleStore) -> None:
    for number in (3, 1, 2):
        store.add(sample(number))
    ids = [uuid.UUID(int=number).hex for number in (3, 9, 1)]
    assert numbers(store.known(ids)) == [1, 3]
    assert store.known([]) == []
    assert numbers(store.known([uuid.UUID(int=number).hex for number in range(2000)])) == [1, 2, 3]


@pytest.mark.parametrize(
    ("queue", "probability"), [("random", None), ("targeted", 0.5), ("random", 0.0), ("random", 1.5)]
)
def test_only_random_samples_have_a_chance_to_be_drawn(queue: str, probability: float | None) -> None:
    with pytest.raises(ValueError, match=r"probability"):
        sample(1, queue=queue, probability=probability)


def test_populations_add_up_by_stratum_and_are_told_by_hour(store: SampleStore) -> None:
    here = Population("gate", NOON, "track", "3", "0123456789ab", 5)
    store.add_populations([here, dataclasses.replace(here, count=2), dataclasses.replace(here, stratum="4")])
    store.add_populations([dataclasses.replace(here, hour_at=NOON + DAY, count=9)])
    store.add_populations([])
    found = store.populations("track", since=NOON, until=NOON + DAY)
    assert [(row.stratum, row.count) for row in found] == [("3", 7), ("4", 5)]
    assert store.populations("frame", since=NOON, until=NOON + DAY) == []
    assert store.populations("track", since=NOON, until=NOON + DAY, camera_ids=["hall"]) == []


def test_a_reviewer_gets_what_he_has_not_judged_oldest_first_and_queues_never_mix(store: SampleStore) -> None:
    for number in (3, 1, 2):
        store.add(sample(number))
    store.add(sample(4, queue="targeted", probability=None, reason="uncertain"))
    store.add(sample(5, camera_id="hall"))
    store.add_label(verdict(1))
    assert numbers(store.open_samples("track", "random", reviewer="ada")) == [2, 3, 5]
    assert numbers(store.open_samples("track", "random", reviewer="bob")) == [1, 2, 3, 5]
    assert numbers(store.open_samples("track", "random", reviewer="ada", camera_ids=["gate"], limit=1)) == [2]
    assert numbers(store.open_samples("track", "targeted", reviewer="ada")) == [4]
    assert store.open_samples("frame", "random", reviewer="ada") == []


def test_the_same_key_is_the_same_label_and_a_label_can_be_taken_back_by_its_number(store: SampleStore) -> None:
    store.add(sample(1))
    keyed = dataclasses.replace(verdict(1), key="a" * 32)
    first = store.add_label(keyed)
    assert store.add_label(dataclasses.replace(keyed, at=NOON + DAY)) == first
    other = store.add_label(verdict(1, says="unsure"))
    assert first.number < other.number
    ids = [first.sample_id]
    assert store.labels(ids) == [first, other]
    undone = store.undo("ada", first.number, at=NOON + DAY)
    assert undone == dataclasses.replace(first, undone_at=NOON + DAY)
    assert store.undo("ada", first.number, at=NOON + 2 * DAY) == undone
    assert store.labels(ids) == [other]
    with pytest.raises(UnknownRecordError, match=r"label \d+ of 'bob': is not there; nothing was taken back"):
        store.undo("bob", other.number, at=NOON)


def test_a_teachers_word_lengthens_no_pictures_life(store: SampleStore) -> None:
    for number in (1, 2):
        store.add(sample(number))
    store.add_label(dataclasses.replace(verdict(1, "yolo11x"), source="teacher"))
    store.add_label(verdict(2))
    gone = store.expired("gate", unlabelled_before=NOON + DAY, labelled_before=NOON)
    assert numbers(gone) == [1]
    assert numbers(store.oldest_pictures(10)) == [1, 2]


def test_undo_takes_back_ones_own_newest_verdict_and_the_trail_stays(store: SampleStore) -> None:
    for number in (1, 2):
        store.add(sample(number))
    first, second = store.add_label(verdict(1)), store.add_label(verdict(2, says="wrong"))
    other = store.add_label(verdict(2, "bob"))
    assert 0 < first.number < second.number < other.number
    undone = store.undo_last("ada", at=NOON + DAY)
    assert undone == dataclasses.replace(second, undone_at=NOON + DAY)
    ids = [uuid.UUID(int=number).hex for number in (1, 2)]
    assert store.labels(ids) == [first, other]
    assert store.labels(ids, with_undone=True) == [first, undone, other]
    assert numbers(store.open_samples("track", "random", reviewer="ada")) == [2]
    assert store.undo_last("ada", at=NOON + DAY) is not None
    assert store.undo_last("ada", at=NOON + DAY) is None


def test_a_label_of_nothing_is_refused(store: SampleStore) -> None:
    with pytest.raises(UnknownRecordError):
        store.add_label(verdict(1))


def test_a_quota_is_held_against_what_was_drawn(store: SampleStore) -> None:
    for number in (1, 2, 3):
        store.add(sample(number))
    assert store.drawn("gate", "track", "random", since=NOON + timedelta(minutes=2)) == 2
    assert store.drawn("gate", "track", "targeted", since=NOON) == 0


def test_pictures_without_a_label_go_first_and_rows_stay(store: SampleStore) -> None:
    for number in (1, 2, 3):
        store.add(sample(number))
    store.add_label(verdict(1))
    later = NOON + 4 * DAY
    gone = store.expired("gate", unlabelled_before=later, labelled_before=NOON)
    assert numbers(gone) == [2, 3]
    assert numbers(store.expired("gate", unlabelled_before=NOON, labelled_before=later)) == [1, 2, 3]
    assert numbers(store.oldest_pictures(2)) == [2, 3]
    assert store.stored_bytes() == 6000
    (entry,) = store.note_pictures_deleted(gone, at=later, actor="retention", reason="expired")
    assert (entry.camera_id, entry.samples, entry.size_bytes) == ("gate", 2, 5000)
    assert store.stored_bytes() == 1000
    assert store.sample(gone[0].id).picture_deleted_at == later
    assert store.open_samples("track", "random", reviewer="bob")[0].id == uuid.UUID(int=1).hex
    assert store.deletions() == [entry]


def test_deleting_reaches_what_was_said_and_leaves_a_trail(store: SampleStore) -> None:
    store.add(sample(1))
    store.add(sample(2, camera_id="hall"))
    store.add_label(verdict(1))
    gone = store.samples(since=NOON, until=NOON + DAY, camera_ids=["gate"])
    (entry,) = store.delete(gone, at=NOON + DAY, actor="ada")
    assert (entry.actor, entry.reason, entry.samples) == ("ada", "request", 1)
    assert numbers(store.samples(since=NOON, until=NOON + DAY)) == [2]
    assert store.labels([gone[0].id], with_undone=True) == []
    assert store.delete([], at=NOON, actor="ada") == []


def test_samples_are_chosen_by_unit_queue_and_time(store: SampleStore) -> None:
    store.add(sample(1))
    store.add(sample(2, unit="frame"))
    store.add(sample(3, queue="targeted", probability=None))
    until = NOON + DAY
    assert numbers(store.samples(since=NOON, until=until, unit="track")) == [1, 3]
    assert numbers(store.samples(since=NOON, until=until, queue="random")) == [1, 2]
    assert numbers(store.samples(since=NOON, until=NOON + timedelta(minutes=2))) == [1]
    assert numbers(store.samples(since=NOON, until=until, limit=2)) == [1, 2]


def test_the_newest_picture_of_a_time_is_one_that_is_still_there(store: SampleStore) -> None:
    assert store.newest_picture("gate", "frame", before=NOON + DAY) is None
    for number in (1, 2, 3):
        store.add(sample(number, unit="frame"))
    store.add(sample(4, unit="frame", picture_deleted_at=NOON + DAY))
    store.add(sample(5, unit="track"))
    store.add(sample(6, unit="frame", camera_id="hall"))
    assert store.newest_picture("gate", "frame", before=NOON + DAY) == sample(3, unit="frame")
    before = NOON + timedelta(minutes=3)
    assert store.newest_picture("gate", "frame", before=before) == sample(2, unit="frame")
    assert store.newest_picture("gate", "frame", before=NOON + DAY, since=before) == sample(3, unit="frame")
    assert store.newest_picture("gate", "frame", before=NOON + DAY, since=before + timedelta(minutes=1)) is None
