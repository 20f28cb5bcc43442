"""Each kind harms as it should, more with its severity, at its time, the same for everybody."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.simulation import PICTURE_KINDS, SCENE_KINDS, Degradation
from footfall.vision.degradation import Degrader
from footfall.vision.degradation.degrader import EFFECTS
from footfall.vision.degradation.electronics import Rate
from footfall.vision.degradation.lens import Covered
from footfall.vision.statistics import blockiness, noise_sigma, sharpness

HEIGHT, WIDTH, FPS = 180, 320, 10.0
WITH_MEMORY = ("bitrate", "frozen", "slow")
SEVERITIES = (1, 2, 3, 4, 5)


def scene(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Coloured things of many sizes on ground whose brightness changes slowly."""
    random = np.random.default_rng(5)
    ground = random.integers(60, 190, (6, 9, 3)).astype(np.uint8)
    picture = cv2.resize(ground, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(70):
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        wide, high = (int(v) for v in random.integers(3, 40, 2))
        colour = tuple(int(v) for v in random.integers(20, 240, 3))
        cv2.rectangle(picture, (x, y), (x + wide, y + high), colour, -1)
    return np.asarray(picture, np.uint8)


def degrader(*degradations: Degradation, seed: int = 3) -> Degrader:
    return Degrader(degradations, seed=seed, fps=FPS)


def shown(kind: str, severity: int, picture: np.ndarray, at_s: float = 2.0, *, seed: int = 3) -> np.ndarray:
    """The picture once the kind is fully there; `bitrate` has sent some of the same movement before."""
    with_kind = degrader(Degradation(kind, severity), seed=seed)
    for step in range(12 if kind == "bitrate" else 0):
        with_kind.apply(np.roll(picture, 3 * (step - 12), axis=1), step / FPS)
    result = with_kind.apply(picture, at_s)
    assert result is not None
    return result


def grey(picture: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def likeness_db(picture: np.ndarray, other: np.ndarray) -> float:
    """PSNR."""
    return float(cv2.PSNR(picture, other))


def test_every_kind_for_pictures_is_there() -> None:
    assert sorted([*EFFECTS, *WITH_MEMORY]) == sorted(PICTURE_KINDS)


@pytest.mark.parametrize("kind", [*sorted({*EFFECTS} - {"moved"}), "bitrate"])
def test_harm_grows_with_the_severity_from_nothing(kind: str) -> None:
    # Of grey pictures: H.264 keeps colours at half the size, however many bits it has.
    picture = cv2.cvtColor(grey(scene()), cv2.COLOR_GRAY2BGR) if kind == "bitrate" else scene()
    hardly = degrader(Degradation(kind, 5, ramp_s=1000)).apply(picture, 2.0)  # severity 0.01
    assert hardly is not None
    likeness = [likeness_db(hardly, picture)]
    likeness += [
        sum(likeness_db(shown(kind, severity, picture, seed=n), picture) for n in (1, 2, 3)) / 3
        for severity in SEVERITIES
    ]
    assert likeness[0] > 33
    assert all(better - worse > 0.5 for better, worse in itertools.pairwise(likeness))
    assert likeness[-1] < 21


def test_a_camera_that_moves_more_shows_less_of_the_scene() -> None:
    shares = [1.0]
    for severity in SEVERITIES:
        matrix = degrader(Degradation("moved", severity)).transform_at(0.0, WIDTH, HEIGHT)
        assert matrix is not None
        shares.append(1 / float(np.linalg.det(matrix[:, :2])))
    assert shares == sorted(shares, reverse=True)
    assert shares[1] > 0.8
    assert shares[-1] < 0.3


def details(picture: np.ndarray) -> float:
    return float(cv2.Laplacian(grey(picture), cv2.CV_64F).var())


def edges(picture: np.ndarray) -> float:
    """Mean step over 4 pixels; finer ones are below the rounding of a strongly blurred picture."""
    levels = grey(picture).astype(int)
    return float(np.abs(levels[:, 4:] - levels[:, :-4]).mean())


@pytest.mark.parametrize(
    ("kind", "falls"),
    [
        pytest.param("dark", np.mean, id="dark: light"),
        pytest.param("glare", lambda p: (grey(p) <= 250).mean(), id="glare: what is not white"),
        pytest.param("fog", lambda p: grey(p).std(), id="fog: contrast"),
        pytest.param("defocus", edges, id="defocus: edges"),
        pytest.param("motion-blur", lambda p: sharpness(grey(p), grey(p).std()), id="motion blur: sharpness"),
        pytest.param("noise", lambda p: 1 / (1 + noise_sigma(grey(p))), id="noise: smoothness"),
        pytest.param("infrared", np.mean, id="infrared: light"),
        pytest.param("infrared", lambda p: np.median(p[:40, :40]), id="infrared: light in the corners"),
        pytest.param("rain", lambda p: grey(p).std(), id="rain: contrast"),
        pytest.param("colour", lambda p: 1 / np.ptp(p.reshape(-1, 3).mean(axis=0)), id="colour: balance"),
        pytest.param("dirt", details, id="dirt: details"),
        pytest.param("covered", details, id="covered: details"),
    ],
)
def test_each_kind_takes_away_what_its_name_says(kind: str, falls: Callable[[np.ndarray], float]) -> None:
    picture = scene()
    figures = [float(falls(picture)), *(float(falls(shown(kind, s, picture))) for s in SEVERITIES)]
    assert figures == sorted(figures, reverse=True)
    assert figures[-1] < 0.7 * figures[0]


def test_motion_blur_is_longer_one_way_than_across() -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    cv2.circle(picture, (160, 90), 6, (255, 255, 255), -1)
    moments = cv2.moments(grey(shown("motion-blur", 4, picture)))
    spread = np.linalg.eigvalsh([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]])
    assert spread[1] > 2 * spread[0]
    centre = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    assert centre == pytest.approx((160, 90), abs=1.0)  # where it was: truth need not follow


def test_infrared_has_no_colours_and_other_brightness_of_cloth() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    picture[60:120, 100:150] = (200, 60, 60)  # blue cloth
    picture[60:120, 170:220] = (40, 30, 180)  # red cloth, as bright to the eye
    before = grey(picture)
    night = shown("infrared", 3, picture)
    assert np.abs(night.astype(int) - night[..., :1]).max() == 0
    assert abs(int(before[90, 125]) - int(before[90, 195])) < 15
    assert night[60:120, 170:220].mean() - night[60:120, 100:150].mean() > 30


@pytest.mark.parametrize("kind", EFFECTS)
def test_the_same_seed_and_moment_give_the_same_picture_whatever_came_before(kind: str) -> None:
    picture = scene()
    alone = shown(kind, 3, picture, 7.3)
    busy = degrader(Degradation(kind, 3))
    for at_s in (0.0, 12.0, 3.1):
        busy.apply(picture[::-1].copy(), at_s)
    busy.apply(scene(64, 80), 7.2)
    again = busy.apply(picture, 7.3)
    assert again is not None
    assert (again == alone).all()


@pytest.mark.parametrize("kind", ["dark", "glare", "fog", "noise", "infrared", "rain", "dirt", "covered"])
def test_another_seed_gives_another_picture(kind: str) -> None:
    picture = scene()
    assert (shown(kind, 3, picture, seed=1) != shown(kind, 3, picture, seed=2)).any()


@pytest.mark.parametrize("kind", ["dark", "noise", "infrared", "rain"])
def test_noise_and_rain_are_others_in_the_next_picture(kind: str) -> None:
    picture = scene()
    assert (shown(kind, 3, picture, 2.0) != shown(kind, 3, picture, 2.1)).mean() > 0.02


@pytest.mark.parametrize("kind", ["dirt", "covered", "moved", "defocus", "colour"])
def test_what_is_fixed_stays_as_it_is(kind: str) -> None:
    picture = scene()
    assert (shown(kind, 3, picture, 2.0) == shown(kind, 3, picture, 60.0)).all()


@pytest.mark.parametrize("seed", range(12))
def test_a_light_that_swings_out_of_the_picture_takes_it_along_nowhere(seed: int) -> None:
    picture = np.full((90, 160, 3), 90, np.uint8)
    degrader = Degrader([Degradation("glare", 3)], seed=seed, fps=1)
    for at_s in range(0, 900, 60):
        shown = degrader.apply(picture, float(at_s))
        assert shown is not None
        assert shown.shape == picture.shape


@pytest.mark.parametrize("kind", ["glare", "fog"])
def test_what_drifts_is_nearly_the_same_in_the_next_picture_and_another_one_later(kind: str) -> None:
    picture = scene()
    first = shown(kind, 3, picture, 2.0)
    assert likeness_db(first, shown(kind, 3, picture, 2.1)) > likeness_db(first, shown(kind, 3, picture, 45.0)) + 6


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(PICTURE_KINDS),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    severity=st.sampled_from(SEVERITIES),
)
def test_any_size_comes_back_as_it_went_in_and_the_input_stays(
    kind: str, height: int, width: int, severity: int
) -> None:
    picture = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = picture.copy()
    result = degrader(Degradation(kind, severity)).apply(picture, 0.0)
    assert result is not None
    assert (result.shape, result.dtype) == (picture.shape, np.uint8)
    assert (picture == before).all()


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_outside_its_time_the_very_same_picture_is_given(kind: str) -> None:
    picture = scene()
    scheduled = degrader(Degradation(kind, 5, at_s=10, until_s=20))
    given_before = scheduled.apply(picture, 9.9)
    during = [scheduled.apply(picture[::-1].copy(), at_s) for at_s in (10.0, 10.1, 10.2)]
    given_after = scheduled.apply(picture, 20.0)
    assert given_before is picture
    assert given_after is picture
    assert any(each is None or (each != picture[::-1]).any() for each in during)


def test_kinds_of_drawn_scenes_are_passed_over() -> None:
    picture = scene()
    assert degrader(*(Degradation(kind, 5) for kind in SCENE_KINDS)).apply(picture, 1.0) is picture


@pytest.mark.parametrize("kind", sorted(EFFECTS))
def test_it_grows_over_the_ramp(kind: str) -> None:
    picture = scene()
    ramped = degrader(Degradation(kind, 4, at_s=5, ramp_s=8))
    likeness = []
    for at_s in (5.1, 7.0, 9.0, 13.0):
        result = ramped.apply(picture, at_s)
        assert result is not None
        likeness.append(likeness_db(result, picture))
    assert likeness == sorted(likeness, reverse=True)
    assert likeness[0] > likeness[-1] + 3


def test_the_order_in_which_degradations_are_named_does_not_matter() -> None:
    picture = scene()
    named = [Degradation(kind, 2) for kind in PICTURE_KINDS if kind not in {"frozen", "slow"}]
    one, other = degrader(*named), degrader(*named[::-1])
    for at_s in (0.0, 0.1, 0.2):
        first, second = one.apply(picture, at_s), other.apply(picture, at_s)
        assert first is not None
        assert (first == second).all()


def test_of_one_kind_twice_the_severest_counts() -> None:
    picture = scene()
    twice = degrader(Degradation("fog", 2), Degradation("fog", 4, at_s=10))
    for at_s, severity in ((5.0, 2), (15.0, 4)):
        result = twice.apply(picture, at_s)
        assert result is not None
        assert (result == shown("fog", severity, picture, at_s)).all()


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("height", "width"), [(360, 640), (181, 233)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_moved_camera_shows_each_point_where_it_says(severity: int, height: int, width: int, seed: int) -> None:
    moved = degrader(Degradation("moved", severity), seed=seed)
    matrix = moved.transform_at(1.0, width, height)
    assert matrix is not None
    found = 0
    for x, y in itertools.product((0.2, 0.35, 0.5, 0.65, 0.8), repeat=2):
        column, row = int(x * width), int(y * height)
        picture = np.zeros((height, width, 3), np.uint8)
        picture[row - 2 : row + 3, column - 2 : column + 3] = 255
        expected = matrix @ (column + 0.5, row + 0.5, 1.0)  # the middle of the marker
        if not (10 < expected[0] < width - 10 and 10 < expected[1] < height - 10):
            continue
        result = moved.apply(picture, 1.0)
        assert result is not None
        moments = cv2.moments(grey(result))
        place = moments["m10"] / moments["m00"] + 0.5, moments["m01"] / moments["m00"] + 0.5
        assert place == pytest.approx(tuple(expected), abs=0.5)
        found += 1
    assert found >= 4


@pytest.mark.parametrize("severity", [0.1, *SEVERITIES])
@pytest.mark.parametrize(("height", "width"), [(360, 640), (640, 360), (64, 1000)])
def test_a_moved_camera_shows_nothing_but_the_scene(severity: float, height: int, width: int) -> None:
    at_s = severity * 10
    moved = degrader(Degradation("moved", 5, ramp_s=50))
    matrix = moved.transform_at(at_s, width, height)
    assert matrix is not None
    back = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]) @ back.T
    assert corners.min() >= -1e-6
    assert (corners <= np.array([width, height]) + 1e-6).all()
    # No more zoom than needed: the window touches an edge.
    assert min(corners.min(), (np.array([width, height]) - corners).min()) == pytest.approx(0, abs=1e-6)


def test_a_camera_that_has_not_moved_or_is_not_covered_says_so() -> None:
    waiting = degrader(Degradation("moved", 3, at_s=10), Degradation("covered", 3, at_s=10), Degradation("fog", 3))
    assert waiting.transform_at(9.0, 64, 48) is None
    assert waiting.hidden_at(9.0, 64, 48) is None


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_covered_camera_hides_the_share_of_the_picture_that_it_says(severity: int, seed: int) -> None:
    covered = degrader(Degradation("covered", severity), seed=seed)
    hidden = covered.hidden_at(1.0, WIDTH, HEIGHT)
    assert hidden is not None
    assert hidden.shape == (HEIGHT, WIDTH)
    assert hidden.mean() == pytest.approx(Covered.SHARE.at(severity), abs=0.03)
    black = covered.apply(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 1.0)
    white = covered.apply(np.full((HEIGHT, WIDTH, 3), 255, np.uint8), 1.0)
    assert black is not None
    assert white is not None
    seen_through = (white.astype(int) - black).mean(axis=2) / 255
    assert seen_through[hidden].max() <= 0.52
    assert seen_through[~hidden].min() >= 0.48
    assert seen_through[hidden].mean() < 0.15


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("fps", [25.0, 10.0, 6.3])
def test_a_slow_camera_gives_its_rate(severity: int, fps: float) -> None:
    picture = scene(16, 16)
    slow = Degrader([Degradation("slow", severity)], seed=1, fps=fps)
    seconds = 40
    times = [n / fps for n in range(round(seconds * fps))]
    given_s = [at_s for at_s in times if slow.apply(picture, at_s) is not None]
    wanted = Rate.FPS.at(severity)
    assert len(given_s) == pytest.approx(seconds * wanted, abs=1.01)
    gaps = np.diff(given_s)
    assert gaps.max() - gaps.min() <= 1 / fps + 1e-6


def test_a_camera_that_is_slower_already_is_not_made_faster() -> None:
    picture = scene(16, 16)
    slow = Degrader([Degradation("slow", 1)], seed=1, fps=2.0)
    assert all(slow.apply(picture, n / 2) is picture for n in range(20))


def test_a_slow_camera_gets_slower_over_the_ramp_and_is_itself_again_at_once() -> None:
    picture = scene(16, 16)
    slow = Degrader([Degradation("slow", 4, at_s=10, ramp_s=40, until_s=60)], seed=1, fps=10)
    given_s = np.array([n / 10 for n in range(700) if slow.apply(picture, n / 10) is not None])
    rates = [int(((given_s >= start) & (given_s < start + 10)).sum()) for start in range(0, 70, 10)]
    assert rates[0] == rates[-1] == 100
    assert rates[1:-1] == sorted(rates[1:-1], reverse=True)
    assert rates[-2] == pytest.approx(10, abs=1)


def test_a_frozen_camera_gives_its_last_picture_until_it_is_released() -> None:
    frozen = degrader(Degradation("frozen", 3, at_s=1, until_s=2))
    pictures = [np.full((8, 8, 3), n, np.uint8) for n in range(25)]
    levels = []
    for n, picture in enumerate(pictures):
        result = frozen.apply(picture, n / FPS)
        assert result is not None
        levels.append(int(result[0, 0, 0]))
        assert frozen.is_frozen_at(n / FPS) == (10 <= n < 20)
        result[:] = 200  # what becomes of a picture that was given does not change the next one
    assert levels == [*range(10), *[9] * 10, *range(20, 25)]


def test_a_camera_frozen_from_its_start_gives_its_first_picture() -> None:
    frozen = degrader(Degradation("frozen", 1))
    levels = [frozen.apply(np.full((8, 8, 3), n, np.uint8), n / FPS) for n in range(5, 9)]
    assert [int(each.max()) for each in levels if each is not None] == [5, 5, 5, 5]


def test_a_frozen_picture_carries_what_was_wrong_when_it_froze() -> None:
    picture = scene()
    frozen = degrader(Degradation("frozen", 5, at_s=1), Degradation("noise", 3))
    before, first, second = (frozen.apply(picture, at_s) for at_s in (0.9, 1.0, 1.1))
    assert before is not None
    assert (before != picture).any()
    assert (before == first).all()
    assert (before == second).all()


def test_too_few_bits_make_blocks_and_go_away_with_the_degradation() -> None:
    still = scene(352, 640)
    squeezed = degrader(Degradation("bitrate", 3, until_s=2))
    results = [squeezed.apply(np.roll(still, 4 * n, axis=1), n / FPS) for n in range(21)]
    assert results[19] is not None
    assert results[20] is not None
    assert blockiness(grey(results[19])[:256, :256]) > 1.15 * blockiness(grey(still)[:256, :256])
    assert (results[20] == np.roll(still, 80, axis=1)).all()


def test_the_same_pictures_through_few_bits_look_the_same_again() -> None:
    runs = [degrader(Degradation("bitrate", 4, ramp_s=1)) for _ in range(2)]
    for n in range(1, 8):
        one, other = (run.apply(np.roll(scene(), 3 * n, axis=1), n / FPS) for run in runs)
        assert one is not None
        assert (one == other).all()


def test_the_time_of_a_degradation_counts_not_the_moment_of_asking() -> None:
    fog = Degradation("fog", 4, at_s=10, ramp_s=10)
    picture = scene()
    late, early = degrader(fog), degrader(replace(fog, ramp_s=0, severity=2))
    half_way, at_two = late.apply(picture, 15.0), early.apply(picture, 15.0)
    assert half_way is not None
    assert (half_way == at_two).all()
