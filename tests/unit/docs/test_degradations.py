"""The table of degradations says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from footfall.simulation import PICTURE_KINDS, SCENE_KINDS
from footfall.vision.degradation import electronics, lens, scene
from footfall.vision.degradation.degrader import EFFECTS
from footfall.vision.degradation.pictures import Steps
from service.__main__ import app

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "degradations.md").read_text(encoding="utf-8")
STEPS = {
    "moved": scene.Moved.PAN_SHARE,
    "fog": scene.Fog.DENSITY,
    "rain": scene.Rain.STREAK_SHARE,
    "dark": scene.Dark.STOPS,
    "infrared": scene.Infrared.LIT_SHARE,
    "glare": lens.Glare.BLOOM_LEVELS,
    "covered": lens.Covered.SHARE,
    "dirt": lens.Dirt.SHARE,
    "defocus": lens.Defocus.SIGMA_SHARE,
    "motion-blur": lens.MotionBlur.LENGTH_SHARE,
    "noise": electronics.SensorNoise.SIGMA,
    "colour": electronics.Colour.SHARE,
    "bitrate": electronics.Bitrate.KBIT_PER_S,
    "slow": electronics.Rate.FPS,
}


def rows(title: str) -> dict[str, list[str]]:
    part = DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return {
        kind: [cell.strip() for cell in rest.split("|")]
        for kind, rest in re.findall(r"^\| `([^`]+)` \|(.*)\|$", part, re.MULTILINE)
    }


def test_every_kind_is_documented_in_the_order_in_which_it_is_done() -> None:
    documented = list(rows("Kinds"))
    assert sorted(documented) == sorted(PICTURE_KINDS)
    assert documented[: len(EFFECTS)] == list(EFFECTS)


@pytest.mark.parametrize(("kind", "steps"), STEPS.items())
def test_severities_are_documented_with_their_figures(kind: str, steps: Steps) -> None:
    assert tuple(float(cell) for cell in rows("Kinds")[kind][2:]) == steps.values


def test_kinds_that_a_film_cannot_have_are_named() -> None:
    for kind in SCENE_KINDS:
        assert f"`{kind}`" in DOCUMENT.partition("## Kinds")[0]


def test_every_option_is_documented_and_no_other() -> None:
    command = typer.main.get_command(app).get_command(None, "degrade")  # type: ignore[attr-defined]
    options = {name for each in command.params for name in each.opts if name.startswith("--")} - {"--help"}
    documented = set(re.findall(r"^\| `(--[^`]+)` \|", DOCUMENT, re.MULTILINE))
    assert documented == options
