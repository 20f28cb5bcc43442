"""Augmentation: boxes follow the picture, nobody is lost while a tenth is seen, the named cause is what is imitated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrain.augment import LEAST_VISIBLE, Augmenter, Material, Mixture, sheet
from retrain.sampler import Sample

ROOT = Path(__file__).resolve().parents[3]
HEIGHT, WIDTH = 180, 320
FOG = Augmenter("fog")
MIRRORED = Augmenter("dark", may_mirror=True)


def marked(left: int, top: int, width: int, height: int) -> Sample:
    """A black picture with one white rectangle, and its box."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    box = (left, top, min(WIDTH, left + width), min(HEIGHT, top + height))
    picture[box[1] : box[3], box[0] : box[2]] = 255
    return Sample(picture, np.array([box], np.float32))


@given(
    left=st.integers(0, WIDTH - 8),
    top=st.integers(0, HEIGHT - 8),
    width=st.integers(6, 120),
    height=st.integers(8, 150),
    seed=st.integers(0, 2**31),
    may_mirror=st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_boxes_follow_the_picture_to_a_pixel(  # noqa: PLR0917  what hypothesis gives
    left: int,
    top: int,
    width: int,
    height: int,
    seed: int,
    may_mirror: bool,  # noqa: FBT001
) -> None:
    before = marked(left, top, width, height)
    augmenter = MIRRORED if may_mirror else FOG
    after = augmenter.apply(np.random.default_rng(seed), before, only_place=True)
    assert after.picture.shape == before.picture.shape
    white = after.picture[:, :, 0] > 185  # half-way between the padding's grey and white
    if len(after.boxes_px):
        rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
        seen = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        assert np.abs(after.boxes_px[0] - seen).max() <= 1
    else:  # lost only where a tenth is not in the picture; edges are a pixel uncertain, scales go to 1.3
        inside = white.sum() / (
            1.3**2 * (before.boxes_px[0, 2] - before.boxes_px[0, 0]) * (before.boxes_px[0, 3] - before.boxes_px[0, 1])
        )
        assert inside <= LEAST_VISIBLE * 1.3**2


def test_every_person_keeps_the_own_box() -> None:
    boxes = np.array([[20, 30, 40, 90], [100, 20, 130, 120], [200, 60, 215, 100]], np.float32)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes.astype(int).tolist()):
        picture[y0:y1, x0:x1] = 80 * (number + 1)
    for seed in range(30):
        after = FOG.apply(np.random.default_rng(seed), Sample(picture, boxes), only_place=True)
        middles = ((after.boxes_px[:, :2] + after.boxes_px[:, 2:]) / 2).astype(int)
        levels = [int(after.picture[y, x, 0]) for x, y in middles.tolist()]
        assert levels == sorted(set(levels) & {80, 160, 240})  # of different people, in their order
        assert len(levels) >= 2


def test_nothing_is_mirrored_unless_asked_for() -> None:
    left_half = marked(0, 60, 60, 60)

    def center(augmenter: Augmenter, seed: int) -> float:
        boxes = augmenter.apply(np.random.default_rng(seed), left_half, only_place=True).boxes_px
        return float(boxes[:, [0, 2]].mean()) if len(boxes) else 0.0

    assert max(center(FOG, seed) for seed in range(60)) < WIDTH / 2
    assert max(center(MIRRORED, seed) for seed in range(60)) > WIDTH / 2


def looks(augmenter: Augmenter, picture: np.ndarray) -> tuple[float, float, float]:
    """Mean light, contrast and grain of what becomes of a picture."""
    light, contrast, grain = [], [], []
    for seed in range(40):
        after = augmenter.apply(np.random.default_rng(seed), Sample(picture, np.empty((0, 4), np.float32))).picture
        grey = cv2.cvtColor(after, cv2.COLOR_BGR2GRAY).astype(float)
        light.append(grey.mean())
        contrast.append(cv2.GaussianBlur(grey, (0, 0), 3).std())
        grain.append((grey - cv2.GaussianBlur(grey, (0, 0), 1)).std())
    return float(np.mean(light)), float(np.mean(contrast)), float(np.median(grain))


def test_the_named_cause_is_what_is_imitated() -> None:
    rows = np.linspace(30, 220, HEIGHT).astype(np.uint8)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to(rows, (HEIGHT, WIDTH, 3)))
    usual = looks(Augmenter("asked"), picture)
    assert looks(Augmenter("dark"), picture)[0] < usual[0] - 15
    assert looks(Augmenter("fog"), picture)[1] < usual[1] - 6
    assert looks(Augmenter("noise"), picture)[2] > 1.5 * usual[2]


def test_the_same_generator_gives_the_same_sample() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    sample = Sample(picture, np.array([[20, 30, 60, 120]], np.float32))
    first, again, other = (FOG.apply(np.random.default_rng(seed), sample) for seed in (4, 4, 5))
    assert (first.picture == again.picture).all()
    assert (first.boxes_px == again.boxes_px).all()
    assert (first.picture != other.picture).any()


def test_half_of_the_samples_are_replayed(tmp_path: Path) -> None:
    parts = {}
    for name, level in (("new", 200), ("old", 40)):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), np.full((90, 160, 3), level, np.uint8))
        parts[name] = [Material(path, np.array([[10, 10, 40, 80]], np.float32))]
    mixture = Mixture(parts["new"], parts["old"], FOG, replay_share=0.5)
    rng = np.random.default_rng(3)
    plain = [mixture.sample(rng, 96, 160, plain=True) for _ in range(400)]
    unchanged = [each for each in plain if (each.boxes_px == np.array([[10, 13, 40, 83]], np.float32)).all()]
    old = sum(each.picture[50, 100, 0] < 100 for each in unchanged) / len(unchanged)
    assert old == pytest.approx(0.5, abs=0.1)
    only_new = Mixture(parts["new"], [], FOG, replay_share=0.5)
    assert only_new.sample(rng, 96, 160, plain=True).picture.shape == (96, 160, 3)


def test_the_sheet_shows_a_row_of_each_picture() -> None:
    shown = sheet(FOG, [marked(20, 20, 40, 80), marked(100, 20, 40, 80)], across=4)
    assert shown.shape == (2 * HEIGHT, 4 * WIDTH, 3)


WITHOUT = """
import sys
sys.modules["albumentations"] = None
try:
    import retrain.augment
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_missing_library_is_an_error_and_not_left_out() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("TrainingError augmentation needs AlbumentationsX, which is not installed")
