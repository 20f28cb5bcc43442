"""A drift is worth a retraining only with measured harm, labels to learn from, and no camera to mend."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from footfall.domain import DriftCause, DriftEpisode, QualityEstimate
from monitoring.policy import Decision, Harm, PolicySettings, decide

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = PolicySettings(target=0.95, estimate_for=24 * HOUR, fleet_share=0.2, fleet_for=48 * HOUR, least_labels=300)
REVIEWED = QualityEstimate(
    "precision_reviewed", "camera", "gate", "", "0" * 12, NOW, NOW, NOW, NOW, 0.88, 0.84, 0.92, 300, 0, 4000, ""
)
ESTIMATED = dataclasses.replace(REVIEWED, measure="precision_estimated", lower=None, upper=None)
NO_HARM = Harm([], {})


def episode(camera: str, cause: DriftCause = "fog", *, hours: float = 5) -> DriftEpisode:
    since = NOW - hours * HOUR
    return DriftEpisode(f"{camera:0>32}", camera, cause, since, since, NOW)


def decision(
    *episodes: DriftEpisode, harm: Harm = NO_HARM, labels: int = 300, cameras: int = 50, **changed: Any
) -> Decision:
    of = {each.camera_id: each for each in episodes}
    settings = dataclasses.replace(SETTINGS, **changed)
    return decide(of, cameras, dict.fromkeys(of, labels), harm, settings, now=NOW)


def test_a_healthy_site_asks_for_nothing() -> None:
    assert decision(harm=Harm([REVIEWED], {})).cause is None


def test_a_drift_without_harm_asks_for_nothing() -> None:
    found = decision(episode("gate"))
    assert found == Decision(None, (), "fog on gate: nothing says that counting suffers")


def test_reviewed_precision_whose_upper_end_is_under_the_target_is_harm() -> None:
    found = decision(episode("gate"), harm=Harm([REVIEWED], {}))
    assert found == Decision("fog", ("gate",), "fog on gate: reviewed precision of gate is at most 92.0%")


@pytest.mark.parametrize(
    "changed", [{"upper": 0.951}, {"camera_id": "hall"}, {"camera_id": "", "scope": "site"}, {"upper": None}]
)
def test_no_other_figure_is(changed: dict[str, Any]) -> None:
    assert decision(episode("gate"), harm=Harm([dataclasses.replace(REVIEWED, **changed)], {})).cause is None


def estimates(*values: float, every: timedelta = HOUR) -> Harm:
    begin = NOW - (len(values) - 1) * every
    rows = [dataclasses.replace(ESTIMATED, at=begin + n * every, value=value) for n, value in enumerate(values)]
    return Harm([], {"gate": rows})


def test_estimated_precision_under_the_target_for_a_day_is_harm() -> None:
    assert decision(episode("gate"), harm=estimates(*[0.9] * 26)).cause == "fog"
    assert decision(episode("gate"), harm=estimates(*[0.9] * 20)).cause is None  # not known for long enough
    assert decision(episode("gate"), harm=estimates(*[0.9] * 20, 0.96, *[0.9] * 5)).cause is None


def test_one_cause_on_a_fifth_of_the_fleet_for_two_days_is_harm() -> None:
    found = decision(*[episode(f"c{n}", hours=50) for n in range(10)])
    assert found.cause == "fog"
    assert len(found.cameras) == 10
    assert decision(*[episode(f"c{n}", hours=50) for n in range(9)]).cause is None
    assert decision(*[episode(f"c{n}", hours=40) for n in range(10)]).cause is None
    assert decision(episode("gate", hours=50), cameras=1).cause is None  # one camera is no fleet


def test_without_labels_of_the_drift_nothing_is_taught() -> None:
    found = decision(episode("gate"), harm=Harm([REVIEWED], {}), labels=299)
    assert found.cause is None
    assert "299 of 300 labelled frames" in found.reason


@pytest.mark.parametrize(
    "cause", ["moved", "covered", "defocus", "frozen", "stream", "glare", "bitrate", "crowding", "unknown"]
)
def test_a_camera_that_somebody_must_mend_is_never_trained_on(cause: DriftCause) -> None:
    assert decision(episode("gate", cause), harm=Harm([REVIEWED], {})).cause is None
    found = decision(
        episode("gate", cause), episode("hall"), harm=Harm([dataclasses.replace(REVIEWED, camera_id="hall")], {})
    )
    assert found.cameras == ("hall",)


def test_of_two_causes_the_one_that_harms_is_taken_and_causes_are_never_mixed() -> None:
    harm = Harm([dataclasses.replace(REVIEWED, camera_id="dim")], {})
    found = decision(episode("gate"), episode("hall"), episode("dim", "dark"), harm=harm)
    assert (found.cause, found.cameras) == ("dark", ("dim",))
