"""A repetition holds when something was compared, and all of it is within the tolerance."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from retrain.reproduce import TOLERANCE, Comparison, differences_of
from retrain.stages import code_digest


@pytest.mark.parametrize(
    ("differences", "holds"),
    [
        pytest.param({"all": 0.0, "new": TOLERANCE, "old": -TOLERANCE}, True, id="at the bound"),
        pytest.param({"all": 0.0, "new": TOLERANCE + 0.001}, False, id="better is another one, too"),
        pytest.param({"old": -TOLERANCE - 0.001}, False, id="worse"),
        pytest.param({}, False, id="nothing was compared"),
    ],
)
def test_what_holds(differences: Mapping[str, float], *, holds: bool) -> None:
    assert Comparison(True, True, differences, ()).holds is holds


def test_a_part_that_only_one_could_measure_is_another_result() -> None:
    assert differences_of({"all": {"f1": 0.9}, "old": {"f1": 0.8}}, {"all": {"f1": 0.9}}) == {"all": 0.0, "old": 1.0}
    assert differences_of({"new": {"f1": None}}, {"new": {"f1": None}}) == {}


def test_code_is_known_by_its_sources_not_by_its_version() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 64
