"""Judging samples over the API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.requests import make_request

from footfall.domain import LabelBatch, Sample

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

REVIEW = "/api/v1/review"


@pytest.fixture
def keep(world: Any) -> Callable[..., str]:
    """Store a sample of an hour ago; returns its id."""
    taken_at = datetime.now(UTC) - timedelta(hours=1)

    def stored(number: int, **changes: Any) -> str:
        values: dict[str, Any] = {
            "id": uuid.UUID(int=number).hex,
            "camera_id": "gate",
            "unit": "track",
            "queue": "random",
            "hour_at": taken_at.replace(minute=0, second=0, microsecond=0),
            "stratum": "4",
            "model": "0123456789ab",
            "taken_at": taken_at + timedelta(seconds=number),
            "probability": 0.5,
            "blob_key": f"samples/gate/day/{number}.jpg",
            "media_type": "image/jpeg",
            "width_px": 640,
            "height_px": 360,
            "size_bytes": 4,
            "detail": {"score": 0.9, "views": []},
        }
        sample = Sample(**(values | changes))
        world.services.samples.add(sample)
        return sample.id

    return stored


def say(client: TestClient, sample: str, verdict: str, reviewer: str = "Ada L.") -> Any:
    return client.post(f"{REVIEW}/labels", json={"sample": sample, "reviewer": reviewer, "verdict": verdict})


def following(client: TestClient, reviewer: str = "Ada L.", **params: Any) -> list[str]:
    answer = client.get(f"{REVIEW}/next", params={"reviewer": reviewer, **params})
    assert answer.status_code == 200
    return [item["id"] for item in answer.json()]


def test_a_reviewer_goes_through_the_queue_and_may_go_back(client: TestClient, keep: Callable[..., str]) -> None:
    first, second = keep(1), keep(2)
    assert following(client) == [first, second]
    assert say(client, first, "right").status_code == 201
    assert following(client) == [second]
    assert following(client, "Bob") == [first, second]
    undone = client.post(f"{REVIEW}/undo", json={"reviewer": "Ada L."}).json()
    assert (undone["sample"], undone["undone_at"] is None) == (first, False)
    assert following(client) == [first, second]
    assert client.post(f"{REVIEW}/undo", json={"reviewer": "Ada L."}).status_code == 404


def test_progress_tells_what_is_missing_and_leaves_the_targeted_queue_out(
    client: TestClient, keep: Callable[..., str]
) -> None:
    for number, verdict in ((1, "right"), (2, "wrong"), (3, "unsure"), (4, None)):
        sample = keep(number)
        if verdict:
            say(client, sample, verdict)
    say(client, keep(5, queue="targeted", probability=None, reason="uncertain"), "wrong")
    assert client.get(f"{REVIEW}/progress").json() == [
        {"camera": "gate", "open": 1, "right": 1, "wrong": 1, "unsure": 1, "missing": 28}
    ]


def test_reviewers_who_differ_are_told_and_the_newest_word_counts(client: TestClient, keep: Callable[..., str]) -> None:
    samples = [keep(number) for number in range(1, 5)]
    for sample, ada, bob in zip(samples, "rrww", "rwww", strict=True):
        for reviewer, letter in (("Ada", ada), ("Bob", bob)):
            say(client, sample, {"r": "right", "w": "wrong"}[letter], reviewer)
    answer = client.get(f"{REVIEW}/agreement").json()
    assert answer["pairs"] == [{"first": "Ada", "second": "Bob", "samples": 4, "kappa": 0.5}]
    assert answer["conflicts"] == [{"sample": samples[1], "verdicts": {"Ada": "right", "Bob": "wrong"}}]
    assert (answer["frames"], answer["disputes"]) == ([], [])
    say(client, samples[1], "wrong", "Ada")
    assert client.get(f"{REVIEW}/agreement").json()["conflicts"] == []


def test_everybody_on_a_frame_is_marked_within_the_picture(client: TestClient, keep: Callable[..., str]) -> None:
    frame = keep(1, unit="frame", stratum="people")

    def mark(boxes: list[list[float]]) -> int:
        body = {"sample": frame, "reviewer": "Ada", "boxes": boxes}
        return client.post(f"{REVIEW}/labels", json=body).status_code

    assert mark([[0, 0, 700, 100]]) == 422
    assert mark([[10, 10, 5, 100]]) == 422
    assert following(client, "Ada", unit="frame") == [frame]
    assert mark([[10, 10, 50.5, 100], [600, 300, 640, 360]]) == 201
    assert following(client, "Ada", unit="frame") == []
    assert mark([]) == 201  # nobody is there


@pytest.mark.parametrize(
    "body",
    [
        {"reviewer": "Ada"},
        {"reviewer": "Ada", "verdict": "right", "boxes": []},
        {"reviewer": " ", "verdict": "right"},
        {"reviewer": "Ada", "verdict": "maybe"},
        {"reviewer": "Ada", "boxes": []},  # the sample is a track
    ],
)
def test_what_nobody_can_mean_is_refused_and_nothing_is_kept(
    client: TestClient, keep: Callable[..., str], body: dict[str, Any]
) -> None:
    sample = keep(1)
    assert client.post(f"{REVIEW}/labels", json={"sample": sample, **body}).status_code == 422
    assert following(client, "Ada") == [sample]


def test_what_was_deleted_cannot_be_judged(client: TestClient) -> None:
    assert say(client, uuid.UUID(int=9).hex, "right").status_code == 404


CLIP: dict[str, Any] = {
    "unit": "clip",
    "stratum": "door",
    "media_type": "video/mp4",
    "detail": {
        "line": "door",
        "start": [0.5, 0.0],
        "end": [0.5, 1.0],
        "seconds": 60.0,
        "fps": 5.0,
        "counted": {"in": 2, "out": 0},
        "crossings": [{"at_s": 3.5, "direction": "in"}, {"at_s": 9.0, "direction": "in"}],
    },
}


def test_who_counts_a_clip_is_told_the_systems_count_only_afterwards(
    client: TestClient, keep: Callable[..., str], world: Any
) -> None:
    clip = keep(1, **CLIP)
    (item,) = client.get(f"{REVIEW}/next", params={"reviewer": "Ada", "unit": "clip"}).json()
    assert item["detail"] == {"line": "door", "start": [0.5, 0.0], "end": [0.5, 1.0], "seconds": 60.0, "fps": 5.0}
    presses = [{"at_s": 3.25, "direction": "in"}, {"at_s": 60.4, "direction": "out"}]
    answer = client.post(f"{REVIEW}/labels", json={"sample": clip, "reviewer": "Ada", "presses": presses})
    assert answer.status_code == 201
    assert answer.json()["counted"] == {"in": 2, "out": 0}
    assert answer.json()["crossings"] == CLIP["detail"]["crossings"]
    (label,) = world.services.samples.labels([clip])
    assert label.content == {"in": 1, "out": 1, "presses": presses}
    assert following(client, "Ada", unit="clip") == []


@pytest.mark.parametrize(
    "presses", [[{"at_s": 62, "direction": "in"}], [{"at_s": -1, "direction": "in"}], [{"at_s": 1, "direction": "up"}]]
)
def test_a_crossing_that_cannot_be_in_the_clip_is_refused(
    client: TestClient, keep: Callable[..., str], presses: list[Any]
) -> None:
    clip = keep(1, **CLIP)
    answer = client.post(f"{REVIEW}/labels", json={"sample": clip, "reviewer": "Ada", "presses": presses})
    assert answer.status_code == 422
    assert following(client, "Ada", unit="clip") == [clip]


def test_what_is_sent_again_because_no_answer_came_counts_once(client: TestClient, keep: Callable[..., str]) -> None:
    sample = keep(1)
    body = {"sample": sample, "reviewer": "Ada", "verdict": "right", "key": "0" * 31 + "a"}
    first, again = (client.post(f"{REVIEW}/labels", json=body).json() for _ in range(2))
    assert first == again
    say(client, keep(2), "wrong", "Ada")
    undo = {"reviewer": "Ada", "label": first["number"]}
    undone, again = (client.post(f"{REVIEW}/undo", json=undo).json() for _ in range(2))
    assert undone == again
    assert undone["sample"] == sample
    assert following(client, "Ada") == [sample]  # the other word stands
    assert client.post(f"{REVIEW}/undo", json={**undo, "reviewer": "Bob"}).status_code == 404


# What a retraining lacks labels of


def test_a_batch_is_a_queue_until_each_frame_has_a_label_or_no_picture(
    client: TestClient, world: Any, keep: Callable[..., str]
) -> None:
    retrains, samples = world.services.retrains, world.services.samples
    request = retrains.ask(make_request(), cooldown=timedelta(0))[0]
    assert client.get(f"{REVIEW}/batches").json() == []
    assert client.get(f"{REVIEW}/next", params={"reviewer": "Ada", "batch": request.id}).status_code == 404
    late, early, gone, other = (keep(n, unit="frame", stratum="people") for n in (4, 2, 3, 1))
    drawn = keep(5, unit="frame", queue="targeted", probability=None, reason="drifted", camera_id="hall")
    deleted = "f" * 32
    batch = LabelBatch(request.id, datetime.now(UTC), "fog", 17, (late, early, gone, drawn, deleted))
    retrains.open_batch(batch)
    retrains.ended(request.id, "insufficient_labels", "", at=datetime.now(UTC))
    samples.note_pictures_deleted([samples.sample(gone)], at=datetime.now(UTC), actor="retention", reason="expired")

    def told() -> dict[str, Any]:
        (one,) = client.get(f"{REVIEW}/batches").json()
        return {name: one[name] for name in ("wanted", "frames", "labelled", "waiting")}

    def waiting(**params: str) -> list[str]:
        return following(client, batch=request.id, unit="frame", **params)

    assert told() == {"wanted": 17, "frames": 5, "labelled": 0, "waiting": 3}
    assert waiting() == [early, late, drawn]
    assert waiting(camera="hall") == [drawn]
    said = client.post(f"{REVIEW}/labels", json={"sample": early, "reviewer": "Eve", "boxes": []})
    assert said.status_code == 201
    assert waiting() == [late, drawn]  # one person's label is enough
    assert told() == {"wanted": 17, "frames": 5, "labelled": 1, "waiting": 2}
    client.post(f"{REVIEW}/undo", json={"reviewer": "Eve"})
    assert waiting() == [early, late, drawn]
    assert other not in waiting()


BOX, OTHER = [10.0, 10.0, 50.0, 100.0], [200.0, 10.0, 240.0, 110.0]


def test_frames_that_were_drawn_for_two_people_are_labelled_blind_by_a_second_and_where_they_differ_by_a_third(
    client: TestClient, world: Any, keep: Callable[..., str]
) -> None:
    retrains = world.services.retrains
    request = retrains.ask(make_request(), cooldown=timedelta(0))[0]
    detail = {"threshold": 0.3, "boxes": [[*BOX, 0.9], [400.0, 10.0, 440.0, 110.0, 0.5]]}
    once, agreed, differing = (keep(n, unit="frame", stratum="people", detail=detail) for n in (1, 2, 3))
    batch = LabelBatch(request.id, datetime.now(UTC), "fog", 3, (once, agreed, differing), (agreed, differing))
    retrains.open_batch(batch)
    retrains.ended(request.id, "insufficient_labels", "", at=datetime.now(UTC))

    def mark(reviewer: str, sample: str, *boxes: list[float]) -> None:
        said = client.post(f"{REVIEW}/labels", json={"sample": sample, "reviewer": reviewer, "boxes": boxes})
        assert said.status_code == 201

    def left(reviewer: str) -> list[str]:
        return following(client, reviewer, batch=request.id, unit="frame")

    def told() -> dict[str, Any]:
        (one,) = client.get(f"{REVIEW}/batches").json()
        return {name: one[name] for name in ("labelled", "waiting", "for_two", "second", "third")}

    assert told() == {"labelled": 0, "waiting": 3, "for_two": 2, "second": 0, "third": 0}
    for sample in (once, agreed, differing):
        mark("Ada", sample, BOX, OTHER)
    assert (left("Ada"), left("Ben")) == ([], [agreed, differing])
    shown = client.get(f"{REVIEW}/next", params={"reviewer": "Ben", "batch": request.id, "unit": "frame"})
    assert [each["detail"] for each in shown.json()] == [detail, detail]  # what the system found, as Ada was shown it
    assert "Ada" not in shown.text
    assert "240.0" not in shown.text  # where she marked somebody
    assert told() == {"labelled": 3, "waiting": 0, "for_two": 2, "second": 2, "third": 0}
    mark("Ben", agreed, [x + 1 for x in OTHER], BOX)
    mark("Ben", differing, BOX)
    assert told() == {"labelled": 3, "waiting": 0, "for_two": 2, "second": 0, "third": 1}
    assert (left("Ada"), left("Ben"), left("Cai")) == ([], [], [differing])
    answer = client.get(f"{REVIEW}/agreement").json()
    assert answer["disputes"] == [{"sample": differing, "people": {"Ada": 2, "Ben": 1}}]
    (pair,) = answer["frames"]
    assert (pair["first"], pair["second"], pair["frames"]) == ("Ada", "Ben", 2)
    assert pair["f1"] == pytest.approx(6 / 7)
    # On each frame the system sees somebody where both see nobody: three yes, two no, and one of Ada alone.
    assert pair["kappa"] == pytest.approx((5 / 6 - 18 / 36) / (1 - 18 / 36))
    mark("Cai", differing, BOX)
    assert told() == {"labelled": 3, "waiting": 0, "for_two": 2, "second": 0, "third": 0}
    assert client.get(f"{REVIEW}/agreement").json()["disputes"] == []
    client.post(f"{REVIEW}/undo", json={"reviewer": "Cai"})
    assert left("Cai") == [differing]
    world.services.samples.note_pictures_deleted(
        [world.services.samples.sample(differing)], at=datetime.now(UTC), actor="retention", reason="expired"
    )
    assert left("Cai") == []
    assert told()["third"] == 0
