"""Each statistic moves with its own degradation."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from footfall.domain import Detections, Frame, Tracks
from footfall.vision.statistics import STATISTIC_NAMES, StatisticsMeter, TrackMeter, noise_sigma
from footfall.vision.view import LEARNING_ROWS


def scene() -> np.ndarray:
    """Shapes on a slope of light."""
    random = np.random.default_rng(5)
    picture = np.repeat(np.linspace(70, 150, 640)[None, :, None], 352, axis=0).repeat(3, axis=2).astype(np.uint8)
    for _ in range(60):
        x, y = random.integers(0, 600), random.integers(0, 320)
        color = tuple(int(value) for value in random.integers(30, 230, 3))
        cv2.rectangle(picture, (int(x), int(y)), (int(x) + 35, int(y) + 28), color, -1)
    return cv2.GaussianBlur(picture, (0, 0), 0.7).astype(np.uint8)


def measure(picture: np.ndarray, meter: StatisticsMeter | None = None, people: int = 0) -> dict[str, float]:
    boxes = np.array([[10, 10, 40, 80]] * people, dtype=np.float32).reshape(-1, 4)
    frame = Frame("gate", 0, picture, datetime.now(UTC), 0.0)
    return dict((meter or StatisticsMeter()).measure(frame, Detections(boxes, np.full(people, 0.8, np.float32))).values)


def noisy(picture: np.ndarray) -> np.ndarray:
    return (picture + np.random.default_rng(1).normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray) -> np.ndarray:
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 4])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)


def grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8)


def warm(picture: np.ndarray) -> np.ndarray:
    return (picture * (0.7, 1.0, 1.3)).clip(0, 255).astype(np.uint8)


def lamp(picture: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.circle(picture.copy(), (320, 180), 60, (255, 255, 255), -1), np.uint8)


@pytest.mark.parametrize(
    ("name", "degrade", "factor"),
    [
        pytest.param("luminance", lambda p: (p * 0.3).astype(np.uint8), 0.4, id="dark"),
        pytest.param("contrast", lambda p: (p * 0.3 + 120).astype(np.uint8), 0.5, id="fog"),
        pytest.param("sharpness", lambda p: cv2.GaussianBlur(p, (0, 0), 4), 0.5, id="defocus"),
        pytest.param("noise", noisy, 2.0, id="noise"),
        pytest.param("saturation", grey, 0.2, id="no colour"),
        pytest.param("blockiness", jpeg, 1.5, id="low bitrate"),
        pytest.param("haze", lambda p: (p * 0.3 + 120).astype(np.uint8), 1.5, id="fog is hazy"),
        pytest.param("haze", lambda p: (p * 0.3).astype(np.uint8), 0.4, id="the dark is not"),
        pytest.param("red_ratio", warm, 1.2, id="a red cast"),
        pytest.param("blue_ratio", warm, 0.8, id="and its other side"),
    ],
)
def test_a_statistic_moves_with_its_degradation(name: str, degrade: object, factor: float) -> None:
    before, after = measure(scene())[name], measure(degrade(scene()))[name]  # type: ignore[operator]
    assert (after < factor * before) if factor < 1 else (after > factor * before)


def test_sharpness_does_not_fall_with_the_light() -> None:
    dark = (scene() * 0.5).astype(np.uint8)
    assert measure(dark)["sharpness"] == pytest.approx(measure(scene())["sharpness"], rel=0.15)


def test_colour_ratios_do_not_change_with_the_light() -> None:
    before, after = measure(warm(scene())), measure((warm(scene()) * 0.5).astype(np.uint8))
    assert after["red_ratio"] == pytest.approx(before["red_ratio"], rel=0.02)
    assert after["blue_ratio"] == pytest.approx(before["blue_ratio"], rel=0.02)


def test_a_lamp_is_one_bright_area_and_its_share_is_known() -> None:
    assert measure(scene())["bright_blob_share"] == 0
    assert measure(lamp(scene()))["bright_blob_share"] == pytest.approx(np.pi * 60**2 / (640 * 352), rel=0.05)


def test_a_frozen_picture_is_still_and_a_living_one_is_not() -> None:
    meter = StatisticsMeter()
    assert "still_share" not in measure(scene(), meter)
    assert measure(scene(), meter)["still_share"] == 1
    assert measure(noisy(scene()), meter)["still_share"] < 0.5


def test_the_frozen_view_stays_where_the_slow_map_forgets() -> None:
    meter = StatisticsMeter()
    for _ in range(LEARNING_ROWS):
        assert "view_match" not in measure(noisy(scene()), meter)
    assert measure(noisy(scene()), meter)["view_match"] > 0.9
    moved = np.roll(scene(), 90, axis=1)
    after = [measure(noisy(moved), meter) for _ in range(120)][-1]
    assert after["persistent_edge_share"] > 0.9
    assert after["view_match"] < 0.5
    assert measure(noisy(scene()), StatisticsMeter(meter.view))["view_match"] > 0.9
    meter.forget_view()
    assert "view_match" not in measure(noisy(moved), meter)


def found(boxes: list[list[float]], scores: list[float], picture: np.ndarray | None = None) -> dict[str, float]:
    frame = Frame("gate", 0, scene() if picture is None else picture, datetime.now(UTC), 0.0)
    detections = Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), 0.3)
    return dict(StatisticsMeter().measure(frame, detections).values)


def test_what_the_detector_says() -> None:
    row = found([[100, 100, 140, 200], [0, 50, 40, 150], [300, 300, 340, 352], [9, 9, 20, 20]], [0.9, 0.6, 0.4, 0.2])
    assert row["detections"] == 3
    assert row["low_confidence_share"] == pytest.approx(1 / 3)
    assert row["edge_touching_share"] == pytest.approx(2 / 3)
    assert row["box_height_by_row"] == pytest.approx(100 / 200)


def test_clothes_are_measured_where_they_are_worn_and_against_the_light() -> None:
    street = np.full((352, 640, 3), 100, np.uint8)
    cv2.rectangle(street, (100, 100), (160, 260), (20, 20, 200), -1)
    red = found([[100, 100, 160, 260]], [0.9], street)
    coat = street.copy()
    cv2.rectangle(coat, (100, 100), (160, 260), (25, 25, 25), -1)
    dark = found([[100, 100, 160, 260]], [0.9], coat)
    assert red["people_saturation"] == pytest.approx(230, abs=3)
    assert dark["people_saturation"] < 5
    assert dark["people_brightness"] == pytest.approx(0.26, abs=0.02)
    assert found([[100, 100, 160, 260]], [0.9], coat // 2)["people_brightness"] == pytest.approx(0.26, abs=0.02)


def test_usual_edges_go_when_the_camera_moves_and_come_back_with_time() -> None:
    meter = StatisticsMeter()
    shares = [measure(noisy(scene()), meter).get("persistent_edge_share") for _ in range(30)]
    assert shares[0] is None
    assert shares[-1] is not None
    assert shares[-1] > 0.9
    moved = np.roll(scene(), 90, axis=1)
    after = [measure(noisy(moved), meter)["persistent_edge_share"] for _ in range(120)]
    assert after[0] < 0.6
    assert after[-1] > 0.9


def test_statistics_of_people_are_absent_without_people() -> None:
    of_people = {
        name for name in STATISTIC_NAMES if name.startswith(("confidence", "low_", "box_", "edge_t", "people"))
    }
    assert len(of_people) == 7
    assert of_people & set(measure(scene())) == set()
    row = measure(scene(), people=2)
    assert row["detections"] == 2
    assert row["confidence_mean"] == pytest.approx(0.8)
    assert row["box_height_median"] == pytest.approx(70 / 352)


def test_every_name_is_known_and_tiny_or_flat_pictures_are_measured() -> None:
    meter = StatisticsMeter()
    seen: set[str] = set()
    for _ in range(LEARNING_ROWS + 1):
        measure(scene(), meter)
    for picture in (scene(), np.zeros((8, 8, 3), np.uint8), np.full((2000, 40, 3), 255, np.uint8)):
        row = measure(picture, meter, people=1)
        assert all(np.isfinite(value) for value in row.values())
        seen |= set(row)
    tracks = TrackMeter()
    tracks.update(followed(1), 0.0)
    assert seen | set(tracks.values()) == set(STATISTIC_NAMES)


def followed(*people: int) -> Tracks:
    count = len(people)
    return Tracks(np.array(people, np.int64), np.zeros((count, 4), np.float32), np.zeros(count, np.float32))


def test_tracks_tell_how_long_people_are_followed_and_how_often_they_are_missed() -> None:
    meter = TrackMeter()
    assert meter.values() == {}
    for index in range(21):
        at_s = index / 10
        # The first is always found, the second from a second on and on every other frame.
        meter.update(followed(1, 2) if index >= 10 and index % 2 == 0 else followed(1), at_s)
    values = meter.values()
    assert values["track_seconds"] == pytest.approx(1.5)  # 2 s and 1 s
    assert values["track_gap_share"] == pytest.approx(1 - (21 + 6) / (21 + 11))
    meter.update(followed(), 3.05)
    assert meter.values() == {}  # nobody within the last second
    meter.update(followed(1), 5.2)
    assert meter.values() == {"track_seconds": 0.0, "track_gap_share": 0.0}  # somebody else by the same number


@pytest.mark.parametrize("shape", [(64, 64), (65, 63), (3, 4), (3, 3), (2, 2)])
def test_noise_is_the_median_response(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(shape[0])
    grey = rng.integers(0, 256, shape).astype(np.uint8)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    response = np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))[1:-1, 1:-1]
    expected = float(np.median(response)) / 6 / 0.6745 if response.size else 0.0
    assert noise_sigma(grey) == pytest.approx(expected)
