"""No head that is kept can be recognised."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest

from footfall.simulation import parse_simulation_url
from footfall.vision.privacy import HEAD_SHARE, pixelate_heads
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.drawing import place_people
from footfall.vision.simulator.figures import Poses
from footfall.vision.simulator.scenes import build_scene
from footfall.vision.simulator.wardrobe import draw_look


def detail(picture: np.ndarray) -> float:
    """How much there is of what a face is known by: edges finer than a quarter of the part."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return float(np.abs(grey - cv2.blur(grey, (3, 3))).mean())


def test_heads_lose_their_detail_and_the_rest_keeps_every_pixel() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    picture = rng.integers(0, 255, (200, 200, 3), np.uint8)
    safe = pixelate_heads(picture, np.array([[80, 40, 120, 160]], np.float32))
    head = (slice(34, 34 + int(120 * HEAD_SHARE)), slice(80, 120))
    assert detail(safe[head]) < 0.15 * detail(picture[head])
    untouched = np.ones((200, 200), bool)
    untouched[30:72, 70:130] = False
    assert np.array_equal(safe[untouched], picture[untouched])
    assert len(np.unique(safe[40:66, 84:116].reshape(-1, 3), axis=0)) <= 20


def test_the_picture_given_stays_as_it_was() -> None:
    picture = np.full((50, 50, 3), 7, np.uint8)
    picture[10:20, 10:20] = 200
    before = picture.copy()
    pixelate_heads(picture, np.array([[5, 5, 30, 45]], np.float32))
    assert np.array_equal(picture, before)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param([-20, -30, 20, 60], id="cut by the corner"),
        pytest.param([190, 100, 260, 320], id="cut on the right"),
        pytest.param([30, 30, 30, 90], id="no width"),
        pytest.param([30, 90, 60, 30], id="upside down"),
        pytest.param([500, 500, 600, 700], id="outside"),
        pytest.param([99.2, 99.4, 99.9, 100.6], id="smaller than a pixel"),
    ],
)
def test_odd_boxes_are_no_trouble(box: list[float]) -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    assert pixelate_heads(picture, np.array([box], np.float32)).shape == picture.shape


def test_nobody_found_changes_nothing() -> None:
    picture = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert np.array_equal(pixelate_heads(picture, np.empty((0, 4), np.float32)), picture)


def test_of_a_box_that_holds_no_standing_person_all_is_pixelated() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    picture = rng.integers(0, 255, (200, 200, 3), np.uint8)
    safe = pixelate_heads(picture, np.array([[40, 80, 160, 140]], np.float32))
    assert detail(safe[84:136, 44:156]) < 0.25 * detail(picture[84:136, 44:156])


@pytest.mark.parametrize("scene", ["mall", "corridor", "plaza"])
def test_true_heads_of_drawn_people_lie_in_what_is_pixelated(scene: str) -> None:
    """Of people of all sizes, turned all ways; boxes a twentieth off, as detectors are."""
    place = build_scene(scene, seed=3, width_px=1280, height_px=720)
    rng = random.Random(5)
    checked = 0
    for _ in range(40):
        look = draw_look(rng)
        x, y = rng.uniform(-1.5, 1.5), rng.uniform(5.0, 12.0)
        angle = rng.uniform(0, 6.28)
        poses = Poses(
            np.array([(x, y)]), np.array([(np.cos(angle), np.sin(angle))]), np.array([rng.uniform(0, 6)]), np.ones(1)
        )
        placed = place_people(place, [look], poses)
        box = placed.boxes_px[0]
        if np.isnan(box).any() or not np.array_equal(box, placed.whole_px[0]):
            continue
        head = place.view.project(placed.meshes.bones_m[0, 0])
        tall = box[3] - box[1]
        off = box + np.array([rng.uniform(-0.05, 0.05) * tall for _ in range(4)])
        marked = np.zeros((720, 1280, 3), np.uint8)
        cv2.circle(marked, (int(head[0]), int(head[1])), max(1, int(0.03 * tall)), (255, 255, 255), -1)
        around = np.random.Generator(np.random.PCG64(1)).integers(0, 255, marked.shape, np.uint8)
        picture = np.where(marked > 0, around, 0).astype(np.uint8)
        safe = pixelate_heads(picture, off[None].astype(np.float32))
        where = marked[..., 0] > 0
        assert (safe[where] != picture[where]).any(axis=1).mean() > 0.9
        checked += 1
    assert checked > 20


def test_a_whole_scene_is_safe_by_its_truth() -> None:
    shown = next(Simulator(parse_simulation_url("sim:corridor?people=10&seed=4&size=1280x720&start=20")).frames())
    safe = pixelate_heads(shown.picture, shown.people.boxes_px)
    for (x0, y0, x1, y1), visible in zip(shown.people.boxes_px.tolist(), shown.people.visible.tolist(), strict=True):
        if visible < 0.8 or y1 - y0 < 80 or y0 <= 1 or x0 <= 1 or x1 >= 1279:
            continue
        middle = int((x0 + x1) / 2)
        head = (slice(int(y0), int(y0 + 0.15 * (y1 - y0))), slice(middle - 8, middle + 8))
        assert detail(safe[head]) < 0.6 * detail(shown.picture[head])
