"""What a `sim:` URL may say."""

from __future__ import annotations

import pytest

from footfall.config import check_source_url
from footfall.simulation import PICTURE_KINDS, SCENE_KINDS, SCENES, Degradation, parse_simulation_url


def test_everything_has_a_default() -> None:
    settings = parse_simulation_url("sim:mall")
    assert (settings.people, settings.seed, settings.fps, settings.start_s) == (12, 1, 10.0, 0.0)
    assert (settings.width_px, settings.height_px) == (1280, 720)
    assert settings.degradations == ()


def test_both_spellings_of_the_scheme_mean_the_same() -> None:
    query = "people=3&seed=7&fps=12.5&size=640x360&start=30"
    assert parse_simulation_url(f"sim:plaza?{query}") == parse_simulation_url(f"SIM://plaza?{query}")


def test_times_belong_to_the_degradation_before_them() -> None:
    settings = parse_simulation_url("sim:mall?dark=3&at=20&ramp=5&until=40&people=4&fog=2&until=9&disconnected=1")
    assert settings.degradations == (
        Degradation("dark", 3, 20, 5, 40),
        Degradation("fog", 2, until_s=9),
        Degradation("disconnected", 1),
    )
    assert settings.people == 4


@pytest.mark.parametrize("kind", PICTURE_KINDS + SCENE_KINDS)
@pytest.mark.parametrize("scene", SCENES)
def test_every_kind_can_happen_in_every_scene(scene: str, kind: str) -> None:
    assert parse_simulation_url(f"sim:{scene}?{kind}=5").degradations == (Degradation(kind, 5),)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sim:street", "sim: scene 'street' is not known; expected one of mall, corridor, plaza"),
        ("sim:", "sim: scene '' is not known; expected one of mall, corridor, plaza"),
        ("sim:mall?people", "sim: 'people' is not key=value&key=value"),
        ("sim:mall?people=many", "sim: people=many: expected a whole number from 0 to 200"),
        ("sim:mall?people=201", "sim: people=201: expected a whole number from 0 to 200"),
        ("sim:mall?people=1.5", "sim: people=1.5: expected a whole number from 0 to 200"),
        ("sim:mall?fps=0", "sim: fps=0: expected a number from 0.1 to 60"),
        ("sim:mall?fps=nan", "sim: fps=nan: expected a number from 0.1 to 60"),
        ("sim:mall?size=640", "sim: size=640: expected even WIDTHxHEIGHT from 160x120 to 3840x2160"),
        ("sim:mall?size=641x360", "sim: size=641x360: expected even WIDTHxHEIGHT from 160x120 to 3840x2160"),
        ("sim:mall?dark=6", "sim: dark=6: expected a severity of 1 to 5"),
        ("sim:mall?at=20", "sim: at=20 follows no degradation; write it after one: dark=3&at=20"),
        ("sim:mall?dark=1&at=-1", "sim: at=-1: expected seconds since the camera was started"),
        ("sim:mall?dark=1&at=9&until=9", "dark: until=9 is not after at=9"),
    ],
)
def test_what_is_wrong_is_named(url: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_simulation_url(url)
    assert str(caught.value) == message
    with pytest.raises(ValueError) as caught:
        check_source_url(url)  # so a site file, the API and the page say the same
    assert str(caught.value) == message


def test_an_unknown_key_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"^sim: 'poeple' is not known; expected one of people, seed, fps, start, size, "
    ):
        parse_simulation_url("sim:mall?poeple=3")
