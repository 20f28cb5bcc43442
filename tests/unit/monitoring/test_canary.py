"""A new model is taken back when something proves that it is worse; what is not known says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from footfall.domain import QualityEstimate
from monitoring.canary import TrialSettings, Worth, judge

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def estimate(
    value: float | None, lower: float | None = None, upper: float | None = None, measure: Any = "precision_reviewed"
) -> QualityEstimate:
    return QualityEstimate(
        measure, "site", "", "", "m", NOON, NOON, NOON, None, value, lower, upper, 100, 0, None, "by test"
    )


def worth(*estimates: QualityEstimate, fps: float = 5.0, watched_s: float = 3600.0) -> Worth:
    return Worth({each.measure: each for each in estimates}, watched_s, round(fps * watched_s))


def estimated(value: float) -> QualityEstimate:
    return estimate(value, measure="precision_estimated")


def recall(value: float, lower: float, upper: float) -> QualityEstimate:
    return estimate(value, lower, upper, "recall_audited")


GOOD = estimate(0.97, 0.95, 0.99)
BAD = estimate(0.85, 0.78, 0.90)
UNKNOWN = estimate(None)


@pytest.mark.parametrize(
    ("new", "old", "why"),
    [
        pytest.param(
            worth(BAD), worth(GOOD), "precision by verdicts fell to 85.0 % (78.0 to 90.0) from", id="precision"
        ),
        pytest.param(worth(BAD), worth(UNKNOWN), "below the target of 95 %", id="below target, nothing before"),
        pytest.param(worth(BAD), worth(), "below the target of 95 %", id="below target, no row before"),
        pytest.param(worth(GOOD, recall(0.5, 0.4, 0.6)), worth(GOOD, recall(0.8, 0.7, 0.9)), "recall", id="recall"),
        pytest.param(worth(estimated(0.90)), worth(estimated(0.96)), "precision estimated from", id="estimate fell"),
        pytest.param(worth(GOOD, fps=3.4), worth(GOOD, fps=5.0), "3.4 frames a second", id="slow"),
        pytest.param(
            worth(estimate(0.5, 0.4, 0.6, "teacher_agreement")),
            worth(estimate(0.9, 0.8, 0.95, "teacher_agreement")),
            "agreement with the stronger model fell to 50.0 % (40.0 to 60.0) from 90.0 % (80.0 to 95.0)",
            id="agreement",
        ),
    ],
)
def test_what_is_proven_worse_is_taken_back(new: Worth, old: Worth, why: str) -> None:
    decision = judge(
        new, old, refusal="", lasted=HOUR, may_be_promoted=True, settings=TrialSettings(0.95, promote_after=HOUR)
    )
    assert decision.action == "take_back"
    assert why in decision.why


@pytest.mark.parametrize(
    ("new", "old"),
    [
        pytest.param(worth(GOOD), worth(GOOD), id="as good"),
        pytest.param(worth(GOOD), worth(BAD), id="better"),
        pytest.param(worth(estimate(0.93, 0.90, 0.951)), worth(GOOD), id="intervals meet"),
        pytest.param(worth(BAD), worth(BAD), id="as bad as before: another model is no cure"),
        pytest.param(worth(UNKNOWN), worth(GOOD), id="nothing known yet"),
        pytest.param(worth(), worth(), id="no row"),
        pytest.param(worth(estimated(0.92)), worth(estimated(0.96)), id="estimate fell a little"),
        pytest.param(worth(fps=3.6), worth(fps=5.0), id="a little slower"),
        pytest.param(worth(fps=1.0, watched_s=1700), worth(fps=5.0), id="watched too shortly"),
        pytest.param(worth(fps=1.0), worth(fps=5.0, watched_s=0), id="not watched before"),
    ],
)
def test_what_is_not_proven_worse_stays(new: Worth, old: Worth) -> None:
    settings = TrialSettings(0.95)
    assert judge(new, old, refusal="", lasted=HOUR, may_be_promoted=True, settings=settings).action == "hold"


def test_a_refused_model_is_taken_back_whatever_is_known() -> None:
    decision = judge(
        worth(GOOD),
        worth(),
        refusal="output holds NaN",
        lasted=HOUR,
        may_be_promoted=True,
        settings=TrialSettings(0.95),
    )
    assert decision.action == "take_back"
    assert decision.why == "a service could not use it: output holds NaN"


@pytest.mark.parametrize(
    ("lasted", "watched_s", "may", "after", "action"),
    [
        (24 * HOUR, 12 * 3600, True, 24 * HOUR, "promote"),
        (23 * HOUR, 12 * 3600, True, 24 * HOUR, "hold"),
        (24 * HOUR, 12 * 3600 - 1, True, 24 * HOUR, "hold"),
        (24 * HOUR, 12 * 3600, False, 24 * HOUR, "hold"),
        (24 * HOUR, 12 * 3600, True, None, "hold"),
    ],
)
def test_a_challenger_that_held_is_promoted_only_where_that_is_wanted(
    *, lasted: timedelta, watched_s: float, may: bool, after: timedelta | None, action: str
) -> None:
    settings = TrialSettings(0.95, promote_after=after)
    decision = judge(
        worth(GOOD, watched_s=watched_s), worth(), refusal="", lasted=lasted, may_be_promoted=may, settings=settings
    )
    assert decision.action == action
    if action == "promote":
        assert decision.why == "held for 24 h; precision by verdicts 97.0 % (95.0 to 99.0)"
