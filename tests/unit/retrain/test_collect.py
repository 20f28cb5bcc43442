"""Which label of a frame is learned from: of most the newest; of those set aside for two people what holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from support.retrained import DRIFT_AT, Drifted

from footfall.domain import SampleLabel
from retrain.collect import Collected, collect, picture_file
from retrain.job import Job

TALL = [[10.0, 10.0, 40.0, 100.0], [100.0, 20.0, 140.0, 120.0]]
SHORT = TALL[:1]


class Site:
    """A camera with frames in fog; what people say of each is given."""

    def __init__(self, folder: Path) -> None:
        self.drifted = Drifted(folder, cameras=0)
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        self._hours = 0

    def frame(self, **said: list[list[float]]) -> str:
        self._hours += 1
        at = DRIFT_AT + timedelta(hours=self._hours)
        name = self.drifted.add("gate", at, np.full((180, 320, 3), 90, np.uint8), None)
        for reviewer, boxes in said.items():
            self.drifted.samples.add_label(SampleLabel(name, reviewer, at, "reviewer", {"boxes": boxes}))
        return name

    def collected(self, *for_two: str) -> Collected:
        return collect(
            self.drifted.samples,
            self.drifted.blobs,
            Job("0" * 32, "site", "fog", (), "", "people are missed in fog", DRIFT_AT),
            self.pictures,
            most_old=0,
            most_unlabelled=10,
            drawn=0,
            for_two=for_two,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def boxes_of(found: Collected) -> dict[str, list[list[float]]]:
    return {each.id: [list(box) for box in each.boxes] for each in found.frames}


def test_two_who_differ_on_a_frame_that_was_set_aside_keep_it_out_until_a_third_has_spoken(site: Site) -> None:
    agreed, disputed, once = site.frame(ada=TALL, ben=TALL), site.frame(ada=TALL, ben=SHORT), site.frame(ada=SHORT)
    found = site.collected(agreed, disputed, once)
    assert boxes_of(found) == {agreed: TALL, once: SHORT}
    assert [each.id for each in found.in_dispute] == [disputed]
    assert found.unlabelled == []  # it is not to be labelled by a teacher either
    assert picture_file(site.pictures, disputed).exists()  # κ rests on it too
    assert {name: len(each) for name, each in found.for_two.items()} == {agreed: 2, disputed: 2, once: 1}
    assert found.by_reviewer["ben"][disputed] == [tuple(box) for box in SHORT]
    site.drifted.samples.add_label(SampleLabel(disputed, "cai", DRIFT_AT, "reviewer", {"boxes": []}))
    found = site.collected(agreed, disputed, once)
    assert boxes_of(found)[disputed] == SHORT  # whom two of three marked, not what the last one said
    assert found.in_dispute == []


def test_of_a_frame_that_was_not_set_aside_the_newest_word_counts_whoever_said_it(site: Site) -> None:
    mended = site.frame(ada=TALL, ben=SHORT)
    found = site.collected()
    assert boxes_of(found) == {mended: SHORT}
    assert found.for_two == {}
    assert set(found.by_reviewer) == {"ada", "ben"}
