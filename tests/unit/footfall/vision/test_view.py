"""The frozen view tells a camera that looks elsewhere from one that sees worse."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from footfall.vision.view import LEARNING_ROWS, View, ViewMatch, ViewMeter

SENSOR = np.random.default_rng(3)


def scene(seed: int = 5) -> np.ndarray:
    random = np.random.default_rng(seed)
    picture = np.full((180, 320), 120, np.uint8)
    for _ in range(60):
        x, y = (int(value) for value in random.integers((0, 0), (300, 160)))
        cv2.rectangle(picture, (x, y), (x + 24, y + 20), int(random.integers(30, 220)), -1)
    return picture


def seen(picture: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    return (picture + SENSOR.normal(0, sigma, picture.shape)).clip(0, 255).astype(np.uint8)


def learned() -> View:
    meter = ViewMeter()
    for _ in range(LEARNING_ROWS):
        assert meter.update(seen(scene())) is None
    assert meter.view is not None
    return meter.view


def matched(picture: np.ndarray, *, rows: int = 20, sigma: float = 2.0) -> ViewMatch:
    meter = ViewMeter(learned())
    matches = [meter.update(seen(picture, sigma)) for _ in range(rows)]
    assert matches[-1] is not None
    return matches[-1]


def half_hidden() -> np.ndarray:
    picture = scene()
    picture[:, 160:] = 50
    return picture


@pytest.mark.parametrize(
    ("picture", "match", "faint"),
    [
        pytest.param(scene(), (0.95, 1.0), (0.0, 0.1), id="as always"),
        pytest.param((scene() * 0.3).astype(np.uint8), (0.9, 1.0), (0.0, 0.1), id="less light: the same edges"),
        pytest.param((scene() * 0.3 + 120).astype(np.uint8), (0.9, 1.0), (0.0, 0.1), id="fog: the same edges"),
        pytest.param(np.roll(scene(), 30, axis=1), (-0.3, 0.45), (0.0, 0.5), id="turned aside"),
        pytest.param(scene(seed=6), (-0.3, 0.45), (0.0, 0.5), id="another place"),
        pytest.param(half_hidden(), (0.85, 1.0), (0.4, 0.6), id="half hidden: the rest is in place"),
    ],
)
def test_match_and_faint(picture: np.ndarray, match: tuple[float, float], faint: tuple[float, float]) -> None:
    found = matched(picture)
    assert match[0] <= found.match <= match[1]
    assert faint[0] <= found.faint <= faint[1]


def test_noise_averages_out() -> None:
    assert matched(scene(), sigma=20).match > 0.85


def test_light_from_one_side_is_uneven_and_less_light_is_not() -> None:
    from_left = (scene() * np.linspace(0.4, 1.0, 320)).astype(np.uint8)
    assert matched(from_left).uneven > 0.15
    assert matched((scene() * 0.5).astype(np.uint8)).uneven < 0.1


def test_a_moved_view_is_never_taken_for_the_usual_one_until_somebody_accepts_it() -> None:
    meter = ViewMeter(learned())
    elsewhere = np.roll(scene(), 30, axis=1)
    matches = [meter.update(seen(elsewhere)) for _ in range(300)]
    assert all(match is not None and match.match < 0.5 for match in matches[20:])
    meter.forget()
    for _ in range(LEARNING_ROWS):
        assert meter.update(seen(elsewhere)) is None
    accepted = meter.update(seen(elsewhere))
    assert accepted is not None
    assert accepted.match > 0.9


def test_a_view_outlives_a_restart() -> None:
    view = View.from_bytes(learned().to_bytes())
    match = ViewMeter(view).update(seen(np.roll(scene(), 30, axis=1)))
    assert match is not None
    assert match.match < 0.5
    assert len(learned().to_bytes()) < 250_000


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no view"])
def test_what_is_no_view_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no view of a camera"):
        View.from_bytes(content)


def test_a_view_without_edges_has_nothing_to_compare_and_another_size_is_another_view() -> None:
    meter = ViewMeter()
    blank = np.full((180, 320), 90, np.uint8)
    assert [meter.update(blank) for _ in range(LEARNING_ROWS + 2)] == [None] * (LEARNING_ROWS + 2)
    assert meter.view is not None
    assert meter.update(np.full((8, 8), 90, np.uint8)) is None
    assert meter.view is None


def test_a_blank_picture_is_wholly_faint_and_matches_nothing() -> None:
    meter = ViewMeter(learned())
    meter.update(seen(scene()))
    blank = np.full_like(scene(), 16)
    matches = [meter.update(blank) for _ in range(600)]
    for match in matches[60:]:  # also when what was seen before is no number any more
        assert match is not None
        assert match.match is None
        assert match.faint == pytest.approx(1.0, abs=0.01)
    again = ViewMeter(learned()).update(blank)
    assert again is not None
    assert again.match is None
