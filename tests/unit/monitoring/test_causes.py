"""What happened to a camera is named by its statistics, as a person would read them; on drawn pictures too."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from footfall.causes import ABOUT, STATISTICS
from footfall.domain import Detections, DriftCause, FeatureDrift, Frame
from footfall.simulation import Degradation, parse_simulation_url
from footfall.vision.degradation import Degrader
from footfall.vision.simulator import Simulator
from footfall.vision.statistics import STATISTIC_NAMES, StatisticsMeter
from monitoring.causes import RULES, StreamHealth, name_cause
from monitoring.distance import distance, feature_reference
from monitoring.thresholds import threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCE_ROWS, ROWS, FPS = 180, 60, 2
KINDS: dict[str, DriftCause] = {
    "moved": "moved",
    "fog": "fog",
    "dark": "dark",
    "covered": "covered",
    "defocus": "defocus",
    "noise": "noise",
    "colour": "colour",
    "bitrate": "bitrate",
    "frozen": "frozen",
}


def drift(usual: float, now: float, *, score: float = 5.0) -> FeatureDrift:
    return FeatureDrift(score, 1.0, 5.0 if now > usual else -5.0, usual, now)


def test_every_cause_says_what_it_means_and_what_to_do() -> None:
    assert set(ABOUT) == set(get_args(DriftCause))
    assert {rule.cause for rule in RULES} == set(get_args(DriftCause)) - {"stream", "unknown"}
    used = {sign.feature for rule in RULES for sign in (*rule.needs, *rule.unless)}
    assert set(STATISTICS) == {*STATISTIC_NAMES, "layout"}
    assert used | {name for rule in RULES for name in rule.shows} <= set(STATISTIC_NAMES)


def test_nothing_is_named_where_nothing_passed_its_threshold() -> None:
    assert name_cause({}) is None
    assert name_cause({"luminance": drift(100, 20, score=0.9)}) is None


def test_what_fits_no_rule_is_unknown_and_says_what_drifted() -> None:
    found = name_cause({"box_height_median": drift(0.2, 0.4), "luminance": drift(100, 99, score=0.1)})
    assert found is not None
    assert (found.cause, found.evidence) == ("unknown", ("box_height_median",))


@pytest.mark.parametrize("health", [StreamHealth(fps=2, target_fps=5), StreamHealth(broken_share=0.2)])
def test_a_faulty_stream_is_the_cause_whatever_its_pictures_show(health: StreamHealth) -> None:
    found = name_cause({"luminance": drift(100, 20)}, health)
    assert found is not None
    assert found.cause == "stream"


def test_a_stream_in_order_or_unknown_hides_nothing() -> None:
    for health in (None, StreamHealth(), StreamHealth(fps=4.8, target_fps=5, broken_share=0.0)):
        found = name_cause({"luminance": drift(100, 20)}, health)
        assert found is not None
        assert (found.cause, found.evidence) == ("dark", ("luminance",))


def test_darkness_goes_before_the_noise_that_it_brings() -> None:
    found = name_cause({"luminance": drift(100, 40), "noise": drift(1, 9), "haze": drift(60, 59, score=0.2)})
    assert found is not None
    assert (found.cause, found.evidence, found.others) == ("dark", ("luminance", "noise"), ("noise",))


def rows(pictures: list[NDArray[np.uint8]], meter: StatisticsMeter) -> list[dict[str, float]]:
    # Nobody is found, before and after: people do not matter here.
    nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    return [
        dict(meter.measure(Frame("gate", 0, picture, datetime.now(UTC), 0.0), nobody).values) for picture in pictures
    ]


def column(found: list[dict[str, float]], name: str) -> NDArray[np.float64]:
    return np.array([row.get(name, np.nan) for row in found])


def test_faults_of_a_drawn_camera_are_named() -> None:
    scene = Simulator(parse_simulation_url(f"sim:mall?people=8&seed=77&fps={FPS}&size=640x360"))
    shown = [scene.draw(scene.moment(index / FPS)) for index in range(REFERENCE_ROWS + ROWS)]
    pictures = [each.picture for each in shown if each is not None]
    meter = StatisticsMeter()
    usual = rows(pictures[:REFERENCE_ROWS], meter)
    called = {}
    for kind in (*KINDS, "none"):
        severity = 0 if kind == "none" else 4
        begin_s = REFERENCE_ROWS / FPS
        degrader = Degrader([Degradation(kind, severity, at_s=begin_s)] if severity else [], seed=5, fps=FPS)
        later = []
        for index, picture in enumerate(pictures[REFERENCE_ROWS:]):
            degraded = degrader.apply(picture, begin_s + (index + 1) / FPS)
            assert degraded is not None
            later.append(degraded)
        now = rows(later, copy.deepcopy(meter))
        drifts = {}
        for name in STATISTIC_NAMES:
            reference = feature_reference(column(usual, name))
            far = None if reference is None else distance(reference, column(now, name))
            if reference is not None and far is not None:
                limit = threshold([], features=len(STATISTIC_NAMES), alarms_a_day=0.02)
                mean = float(np.nanmean(column(now, name)))
                drifts[name] = FeatureDrift(far.score, limit, far.shift, reference.mean, mean)
        found = name_cause(drifts)
        called[kind] = None if found is None else found.cause
    assert called.pop("none") is None
    assert called == dict(KINDS)
