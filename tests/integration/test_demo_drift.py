"""`make demo-drift`: from pictures in fog to one retraining, by the real programs, nobody touching anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support.demos import told_by

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fog_is_noticed_named_labelled_and_asked_about_once(tmp_path: Path) -> None:
    told = told_by("demo_drift.py", tmp_path, seconds=540, timeout_s=590)
    for camera in ("entrance", "passage"):
        states = re.findall(rf"{camera}\s+(\w+)\s+(\S+)\s+(\w+)", told)
        before, after = states[: states.index(next(each for each in states if each[1] == "fog"))], states
        assert before[0][0] == "insufficient"  # nothing to compare with yet, and not "no drift"
        assert "investigate" not in {tier for _, _, tier in before}
        assert ("unusual", "fog", "investigate") in after
        assert re.search(rf"{camera}\s+EPISODE: fog, a whitish veil", told)
    assert re.search(r"\d+ frames were drawn and labelled", told)
    assert "RETRAINING" in told
    assert "1 request in all, as it should be" in told
