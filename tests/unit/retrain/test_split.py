"""Splits: by camera and time, decided alike for ever, never neighbours apart."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footfall.errors import InsufficientLabelsError, TrainingError
from retrain.frames import LabelledFrame, digest_of, read_manifest, write_manifest
from retrain.split import LEAST_TO_SEAL, by_split, decide, piece_of

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def frame(camera: str, at: datetime, **changes: Any) -> LabelledFrame:
    values: dict[str, Any] = {
        "id": hashlib.sha256(f"{camera}{at}".encode()).hexdigest()[:32],
        "camera_id": camera,
        "taken_at": at,
        "is_new": True,
        "width_px": 640,
        "height_px": 360,
        "boxes": ((1.0, 2.0, 30.0, 90.0),),
        "labelled_by": "reviewer",
        "picture": f"samples/{camera}.jpg",
        "sha256": "0" * 64,
    }
    return LabelledFrame(**(values | changes))


def site(cameras: int = 4, days: int = 6, each: int = 6, **changes: Any) -> list[LabelledFrame]:
    return [
        frame(f"c{camera}", MONDAY + timedelta(days=day, hours=4 * number), **changes)
        for camera in range(cameras)
        for day in range(days)
        for number in range(each)
    ]


def test_a_camera_s_day_is_never_divided() -> None:
    decided = decide(site(), site="mall")
    assert decided.stretch == "day"
    assert decided.dropped == 0
    splits: dict[str, set[str | None]] = {}
    for each in decided.frames:
        splits.setdefault(piece_of(each, "day"), set()).add(each.split)
    assert all(len(found) == 1 for found in splits.values())
    sizes = {name: len(members) / len(decided.frames) for name, members in by_split(decided.frames).items()}
    assert 0.2 <= sizes["test"] + sizes["sealed"] <= 0.35
    assert 0.1 <= sizes["val"] <= 0.25


def test_old_and_new_frames_are_divided_each_by_themselves() -> None:
    old = [
        replace(each, is_new=False, taken_at=each.taken_at - timedelta(days=30), id=f"o{each.id}") for each in site()
    ]
    parts = by_split(decide([*old, *site(cameras=2, days=3)], site="mall").frames)
    for name in ("train", "val", "test"):
        assert {each.is_new for each in parts[name]} == {True, False}


def test_who_judged_once_never_trains() -> None:
    first = decide(site(days=4), site="mall")
    second = decide(site(days=9), site="mall", kept=first.pieces)
    before = {each.id: each.split for each in first.frames}
    assert all(each.split == before[each.id] for each in second.frames if each.id in before)
    assert decide(site(days=4), site="mall") == first
    assert decide(site(days=4), site="another mall").pieces != first.pieces


def test_half_of_a_large_test_is_sealed() -> None:
    parts = by_split(decide(site(cameras=20, days=10, each=1), site="mall").frames)
    assert len(parts["test"]) == pytest.approx(len(parts["sealed"]), abs=1)
    few = decide(site(cameras=8, days=8), site="mall")
    assert sum(split == "test" for split in few.pieces.values()) < LEAST_TO_SEAL
    assert not by_split(few.frames)["sealed"]


def test_a_single_day_is_cut_into_hours_and_too_little_is_refused() -> None:
    hours = [frame("gate", MONDAY + timedelta(minutes=10 * number)) for number in range(60)]
    assert decide(hours, site="mall").stretch == "hour"
    seconds = [frame("gate", MONDAY + timedelta(seconds=number)) for number in range(100)]
    with pytest.raises(TrainingError, match="the new ones are from 2 minutes of a camera, expected at least 5"):
        decide(seconds, site="mall")


def test_new_frames_of_one_day_do_not_go_into_one_split_of_a_site_that_is_divided_by_days() -> None:
    first = decide(site(), site="mall")
    later = [frame("c0", MONDAY + timedelta(days=40, hours=number)) for number in range(12)]
    old = [replace(each, is_new=False) for each in site()]
    with pytest.raises(InsufficientLabelsError, match=r"no new one is left for '(train|val|test)'"):
        decide([*old, *later], site="mall", kept=first.pieces)


def test_what_a_teacher_says_and_what_is_drawn_judges_nobody() -> None:
    people = site()
    taught = [
        replace(each, id=f"t{each.id}", labelled_by="teacher", taken_at=each.taken_at + timedelta(hours=1))
        for each in people
    ]
    drawn = [
        replace(people[0], id=f"drawn-{n}", picture=f"sim:mall#{n}", labelled_by="truth", is_new=False)
        for n in range(20)
    ]
    decided = decide([*people, *taught, *drawn], site="mall")
    assert {each.split for each in decided.frames if each.labelled_by != "reviewer"} == {"train"}
    judging = {piece_of(each, "day") for each in decided.frames if each.split != "train"}
    assert not [each for each in decided.frames if each.labelled_by == "teacher" and piece_of(each, "day") in judging]
    assert sum(each.is_drawn for each in decided.frames) == 20


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3 * 3600)), min_size=60, max_size=120, unique=True),
    st.sampled_from([10, 60, 300]),
)
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])  # of a machine that is busy
def test_no_neighbours_in_different_splits(moments: list[tuple[int, int]], apart_s: int) -> None:
    frames = [frame(f"c{camera}", MONDAY + timedelta(seconds=second)) for camera, second in moments]
    apart = timedelta(seconds=apart_s)
    try:
        decided = decide(frames, site="mall", apart=apart)
    except TrainingError:
        return
    assert len(decided.frames) + decided.dropped == len(frames)
    for one in decided.frames:
        for other in decided.frames:
            if one.camera_id == other.camera_id and abs(one.taken_at - other.taken_at) <= apart:
                assert one.split == other.split


def test_a_manifest_tells_every_digest_and_notices_a_change(tmp_path: Path) -> None:
    frames = decide(site(), site="mall").frames
    digest = write_manifest(tmp_path / "manifest.json", frames)
    assert read_manifest(tmp_path / "manifest.json") == frames
    assert digest == digest_of(reversed(frames))
    moved = replace(frames[0], boxes=((1.0, 2.0, 30.0, 91.0),))
    assert digest_of([moved, *frames[1:]]) != digest
    with pytest.raises(TrainingError, match="cannot be read"):
        read_manifest(tmp_path / "none.json")
