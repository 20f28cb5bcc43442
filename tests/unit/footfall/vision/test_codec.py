"""Pictures through H.264 come out at once, and as good as their bits."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from footfall.vision.codec import Channel


def street(n: int, height: int = 180, width: int = 320) -> np.ndarray:
    """Ground with texture, over which something walks."""
    random = np.random.default_rng(1)
    picture = cv2.resize(random.integers(40, 200, (30, 50, 3)).astype(np.uint8), (width, height))
    x = (5 * n) % max(1, width - 20)
    picture[height // 3 : height * 2 // 3, x : x + 20] = (40, 30, 200)
    return np.asarray(picture, np.uint8)


def sent(bits_per_s: float, pictures: int = 40) -> tuple[int, float]:
    """Bytes a second, and the likeness (PSNR) of the last picture."""
    channel = Channel(width_px=320, height_px=180, fps=10)
    for n in range(pictures):
        shown = channel.send(street(n), bits_per_s=bits_per_s)
    return channel.bytes_sent * 10 // pictures, float(cv2.PSNR(shown, street(pictures - 1)))


def test_fewer_bits_are_really_fewer_bytes_and_a_worse_picture() -> None:
    results = [sent(bits_per_s) for bits_per_s in (200_000, 50_000, 12_000)]
    sizes, likeness = zip(*results, strict=True)
    assert all(more > 2 * less for more, less in itertools.pairwise(sizes))
    assert list(likeness) == sorted(likeness, reverse=True)
    for size, bits_per_s in zip(sizes, (200_000, 50_000, 12_000), strict=True):
        assert size * 8 == pytest.approx(bits_per_s, rel=0.35)


@pytest.mark.parametrize("rate", [80_000, 40_000, 10_000])
def test_a_new_rate_holds_from_the_next_pictures_on(rate: int) -> None:
    channel = Channel(width_px=320, height_px=180, fps=10)
    marks = []
    for n in range(130):
        channel.send(street(n), bits_per_s=100_000 if n < 30 else rate)
        marks.append(channel.bytes_sent)
    # Over two periods of key frames, which take more than their share.
    bits_per_s = (marks[129] - marks[29]) * 8 / 10
    assert 0.5 * rate < bits_per_s < 1.25 * rate


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 33), (121, 203), (180, 320)])
def test_each_picture_comes_out_at_once_in_its_own_size(height: int, width: int) -> None:
    channel = Channel(width_px=width, height_px=height, fps=10)
    for level in (40, 200, 90):
        shown = channel.send(np.full((height, width, 3), level, np.uint8), bits_per_s=500_000)
        assert (shown.shape, shown.dtype) == ((height, width, 3), np.uint8)
        assert shown.mean() == pytest.approx(level, abs=6)
