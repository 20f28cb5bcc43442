"""`make demo-loop`: from fog to a better champion and back from a bad one, by the real programs, touched by nobody."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from support.demos import told_by

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.timeout(2700)
@pytest.mark.skipif(
    not os.environ.get("FOOTFALL_TEST_FIGURES"),
    reason="takes a quarter of an hour, and how much is learned differs; FOOTFALL_TEST_FIGURES=1 asks for it",
)
def test_the_loop_closes_and_bad_models_are_stopped(tmp_path: Path) -> None:
    told = told_by("demo_loop.py", tmp_path, seconds=2400, timeout_s=2600)
    course = (
        r"EPISODE: fog, a whitish veil",
        r"RETRAINING \w{8} (?:waiting|running); asked for by drift policy: fog on ",
        r"MODELS canary: fog-\w+ on \w+, by footfall-retrain: passed its gates",
        r"MODELS promoted: fog-\w+, by monitor: held for",
        r"MODELS promoted: fog-\w+, by somebody in a hurry: the gates are too strict",
        r"MODELS rolled_back: fog-\w+, by monitor: recall on audited frames fell to",
    )
    places = [re.search(each, told) for each in course]
    assert None not in places, told
    begins = [each.start() for each in places if each is not None]
    assert begins == sorted(begins), told
    assert re.search(r"RETRAINING \w{8} promoted; exit status 0: promoted: fog-\w+ is tried out on \w+", told), told
    assert re.search(r"RETRAINING \w{8} rejected; exit status 42: rejected: G", told), told
    assert len(re.findall(r"^  true  ", told, re.MULTILINE)) == 3
    assert "everything came true" in told
