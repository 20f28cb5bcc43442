"""What several people marked on the same frames: how they agree, and what holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from footfall.domain import SampleLabel
from footfall.vision.labelling import agreement, in_dispute, marks_of, settled, standing

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PEOPLE = np.array([[100, 100, 140, 220], [300, 90, 345, 215], [500, 120, 540, 240]], np.float32)
ALL, TWO, NOBODY = PEOPLE, PEOPLE[:2], PEOPLE[:0]


def label(reviewer: str, boxes: NDArray[np.float32], frame: str = "a", **changes: Any) -> SampleLabel:
    made = SampleLabel(frame, reviewer, NOON, "reviewer", {"boxes": boxes.tolist()})
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("marks", "state", "holds"),
    [
        pytest.param([], "first", None, id="nobody has spoken"),
        pytest.param([ALL], "second", ALL, id="one has: it holds until somebody else speaks"),
        pytest.param([NOBODY], "second", NOBODY, id="one has seen nobody"),
        pytest.param([ALL, ALL[::-1] + 2], "settled", ALL + 2, id="two agree: the newer boxes"),
        pytest.param([NOBODY, NOBODY], "settled", NOBODY, id="two have seen nobody"),
        pytest.param([ALL, TWO], "third", None, id="one sees somebody whom the other does not"),
        pytest.param([TWO, NOBODY], "third", None, id="one sees nobody"),
        pytest.param([ALL, ALL + np.float32(40)], "third", None, id="boxes beside each other are of different people"),
        pytest.param([ALL, TWO, TWO + 1], "settled", TWO + 1, id="two of three did not see the third person"),
        pytest.param([ALL, TWO, ALL + 1], "settled", ALL + 1, id="two of three saw the third person"),
        pytest.param([PEOPLE[:1], PEOPLE[1:2], PEOPLE[2:]], "settled", NOBODY, id="three of whom none agrees"),
        pytest.param([TWO, NOBODY, TWO + 1, NOBODY], "settled", NOBODY, id="two of four are not more than half"),
    ],
)
def test_what_holds_on_a_frame(marks: list[NDArray[np.float32]], state: str, holds: NDArray[np.float32] | None) -> None:
    found = settled(marks)
    assert standing(marks) == state
    if holds is None:
        assert found is None
    else:
        assert found is not None
        assert found.dtype == np.float32
        assert sorted(found.tolist()) == sorted(holds.tolist())


def test_of_each_reviewer_the_newest_word_counts_and_what_was_taken_back_does_not() -> None:
    marks = marks_of(
        [
            label("Ada", ALL),
            label("Ben", TWO),
            label("Cai", ALL, undone_at=NOON),
            label("Ada", TWO + 1),
            SampleLabel("a", "Dov", NOON, "reviewer", {"verdict": "right"}),
        ]
    )
    assert {frame: list(said) for frame, said in marks.items()} == {"a": ["Ben", "Ada"]}
    assert marks["a"]["Ada"].tolist() == (TWO + 1).tolist()


def test_only_frames_that_were_set_aside_can_be_in_dispute() -> None:
    labels = [label(who, boxes, frame) for frame in "abc" for who, boxes in (("Ada", ALL), ("Ben", TWO))]
    labels += [label("Ben", ALL, "b"), label("Ada", ALL, "d")]
    assert in_dispute(labels, {"a", "b", "d"}) == {"a"}
    assert in_dispute([*labels, label("Cai", ALL, "a")], {"a", "b", "d"}) == set()


def test_reviewers_who_agree_on_people_and_on_empty_places_have_a_kappa_of_one() -> None:
    weak = {"a": np.array([[10, 10, 30, 60]], np.float32)}  # a model suspects somebody where nobody is
    same = agreement(("Ada", {"a": PEOPLE}), ("Ben", {"a": PEOPLE + 2, "b": PEOPLE}), weak)
    assert (same.frames, same.kappa, same.f1) == (1, 1.0, 1.0)
    # At four places: both yes, both yes, Ada alone, both no.
    differ = agreement(("Ada", {"a": PEOPLE}), ("Ben", {"a": PEOPLE[:2]}), weak)
    assert differ.f1 == pytest.approx(0.8)
    assert differ.kappa == pytest.approx((0.75 - 0.5) / 0.5)
    nothing = agreement(("Ada", {}), ("Ben", {"a": PEOPLE}), weak)
    assert (nothing.frames, nothing.kappa, nothing.f1) == (0, None, None)
