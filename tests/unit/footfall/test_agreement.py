"""Which frames of a batch two people label: drawn by chance, and the same ones whenever it is asked."""

from __future__ import annotations

import collections

import pytest

from footfall.agreement import drawn_for_two

FRAMES = [f"{number:032x}" for number in range(300)]


@pytest.mark.parametrize(
    ("frames", "share", "drawn"),
    [
        pytest.param(300, 0.05, 15, id="a twentieth"),
        pytest.param(2, 0.05, 1, id="rounded up: of a small batch one at least"),
        pytest.param(100, 0.07, 7, id="no more by how numbers are kept"),
        pytest.param(300, 0.0, 0, id="none is wanted"),
        pytest.param(40, 1.0, 40, id="all"),
        pytest.param(0, 0.5, 0, id="of none"),
    ],
)
def test_a_share_of_a_batch_is_drawn(frames: int, share: float, drawn: int) -> None:
    found = drawn_for_two(FRAMES[:frames], share, seed="a")
    assert len(found) == drawn
    assert set(found) <= set(FRAMES[:frames])


def test_the_same_seed_draws_the_same_frames_in_whatever_order_and_another_seed_others() -> None:
    found = drawn_for_two(FRAMES, 0.05, seed="a")
    assert drawn_for_two(reversed(FRAMES), 0.05, seed="a") == found
    assert drawn_for_two(FRAMES, 0.05, seed="b") != found


def test_every_frame_has_the_same_chance() -> None:
    drawn = collections.Counter(
        frame for seed in range(2000) for frame in drawn_for_two(FRAMES[:40], 0.1, seed=str(seed))
    )
    # 200 each on average; a standard deviation is 13, and one of 40 is 4 of them away in 0.3 % of cases.
    assert min(drawn[frame] for frame in FRAMES[:40]) > 145
    assert max(drawn.values()) < 255
