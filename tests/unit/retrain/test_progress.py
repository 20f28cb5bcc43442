"""How far a run is: by its plan, by its own speed, and never at the run's cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from footfall.domain import RetrainProgress
from footfall.errors import StoreError
from retrain.progress import Outlook, Teller, outlook

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLAN = {"plan": 10.0, "train": 60.0, "evaluate": 30.0}


@pytest.mark.parametrize(
    ("stage", "share", "in_stage_s", "expected"),
    [
        pytest.param("train", None, 0.0, Outlook(90.0, 0.1), id="by its plan at the begin of a stage"),
        pytest.param("train", None, 20.0, Outlook(70.0, 0.1), id="by its plan while the stage tells nothing"),
        pytest.param(
            "train", None, 500.0, Outlook(30.0, 0.1), id="a stage that is late leaves no less than the later ones"
        ),
        pytest.param("train", 0.01, 20.0, Outlook(70.0, 0.106), id="too little of a stage tells no speed"),
        pytest.param("train", 0.5, 60.0, Outlook(90.0, 0.4), id="by its own speed, half as fast as planned"),
        pytest.param("train", 1.0, 90.0, Outlook(30.0, 0.7), id="a stage at its end"),
        pytest.param("evaluate", None, 0.0, Outlook(30.0, 0.7), id="the last stage"),
    ],
)
def test_what_is_left_is_told_by_plan_and_speed(
    stage: str, share: float | None, in_stage_s: float, expected: Outlook
) -> None:
    seen = outlook(PLAN, stage, share, in_stage_s)
    assert seen is not None
    assert (seen.left_s, seen.done) == (pytest.approx(expected.left_s), pytest.approx(expected.done))


def test_without_a_plan_nothing_is_guessed() -> None:
    assert outlook({}, "train", 0.5, 60.0) is None
    assert outlook(PLAN, "other", 0.5, 60.0) is None


class Looking:
    """Takes what a teller shows and keeps; its clock is set by hand."""

    def __init__(self, *, plan: dict[str, Any] | None = None) -> None:
        self.seconds = 0.0
        self.shown: list[dict[str, Any]] = []
        self.kept: list[RetrainProgress] = []
        self.warned: list[str] = []
        self.is_away = False
        self.plan = plan
        self.tell = Teller(
            self.shown.append,
            self.keep,
            lambda: self.plan,
            warn=self.warned.append,
            clock_s=lambda: self.seconds,
            now=lambda: NOON + timedelta(seconds=self.seconds),
        )

    def keep(self, progress: RetrainProgress) -> None:
        if self.is_away:
            raise StoreError("database: does not answer")
        self.kept.append(progress)

    def say(self, stage: str, what: str, **more: Any) -> None:
        self.tell({"at": 0.0, "stage": stage, "what": what, **more})


def test_lines_become_progress_with_step_loss_and_time_left() -> None:
    looking = Looking(plan={"stage_s": PLAN})
    looking.say("train", "begins", number=2, of=3)
    looking.seconds = 30.0
    losses = {"box": 0.5, "cls": 0.45, "dfl": 0.3}
    looking.say(
        "train", "step 15 of 20", share=0.75, step=15, steps=20, loss=1.25, losses=losses, epoch=3.0, epochs=4.0
    )
    begun, now = looking.kept
    assert (begun.number, begun.stages, begun.step, begun.left_s) == (2, 3, None, 90.0)
    assert (now.stage, now.what, now.step, now.steps, now.loss) == ("train", "step 15 of 20", 15, 20, 1.25)
    assert (now.losses, now.epoch, now.epochs) == (losses, 3.0, 4.0)
    assert (begun.losses, begun.epoch) == ({}, None)
    assert (now.at, now.planned_s, now.left_s, now.done) == (NOON + timedelta(seconds=30), 100.0, 40.0, 0.55)
    assert [line.get("left_s") for line in looking.shown] == [90, 40]


def test_it_is_kept_every_two_seconds_at_most_and_each_new_stage_at_once() -> None:
    looking = Looking(plan={"stage_s": PLAN})
    looking.say("train", "begins", number=2, of=3)
    for tenth in range(40):
        looking.seconds = tenth / 10
        looking.say("train", f"step {tenth} of 40", share=tenth / 40)
    looking.say("train", "is done", seconds=4.0)
    looking.say("evaluate", "begins", number=3, of=3)
    assert [(each.stage, each.what) for each in looking.kept] == [
        ("train", "begins"),
        ("train", "step 20 of 40"),
        ("evaluate", "begins"),
    ]
    assert len(looking.shown) == 43


def test_before_there_is_a_plan_neither_time_nor_share_is_told() -> None:
    looking = Looking()
    looking.say("plan", "begins", number=1, of=3)
    (told,) = looking.kept
    assert (told.planned_s, told.left_s, told.done) == (None, None, None)
    assert "left_s" not in looking.shown[0]
    looking.plan = {"stage_s": PLAN}
    looking.say("train", "begins", number=2, of=3)
    assert looking.kept[-1].left_s == 90.0


def test_a_database_that_is_away_costs_one_line_and_not_the_run() -> None:
    looking = Looking(plan={"stage_s": PLAN})
    looking.is_away = True
    for second in range(10):
        looking.seconds = 3.0 * second
        looking.say("train", "begins", number=2, of=3)
    assert looking.warned == [
        "progress cannot be kept (database: does not answer); the run goes on, others see it as stale"
    ]
    looking.is_away = False
    looking.say("train", "step 1 of 2", share=0.5)
    looking.seconds += 3
    looking.say("train", "step 2 of 2", share=1.0)
    assert looking.kept[-1].what == "step 2 of 2"


def test_what_was_told_long_ago_is_stale() -> None:
    told = RetrainProgress(NOON, "train", 7, 11, "step 1 of 2")
    assert not told.is_stale(NOON + timedelta(minutes=15))
    assert told.is_stale(NOON + timedelta(minutes=15, seconds=1))
