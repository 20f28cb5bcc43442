"""Datasets on disk, and how samples and pasted people keep their labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from footfall.errors import TrainingError
from retrain.dataset import Cutout, Dataset, Example, Source, read_dataset, read_labels, write_dataset
from retrain.pasting import background_of, cut_out, paste
from retrain.sampler import Sampler

DRAWN = Source(name="drawn", licence="MIT", labels="exact truth")
FILMED = Source(name="filmed", licence="CC-BY-4.0", labels="teacher", attribution="somebody")


def picture_with(box: tuple[int, int, int, int], *, size: tuple[int, int] = (120, 160)) -> NDArray[np.uint8]:
    """A green rectangle on grey, so that a label can be checked against its pixels."""
    picture = np.full((*size, 3), 90, np.uint8)
    cv2.rectangle(picture, box[:2], (box[2] - 1, box[3] - 1), (0, 220, 0), cv2.FILLED)
    return picture


def boxes(*rows: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 4)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    box = (40, 20, 80, 100)
    train = [Example(DRAWN, picture_with(box), boxes(box)), Example(FILMED, picture_with((0, 0, 0, 0)), boxes())]
    cutout = np.full((30, 12, 4), 200, np.uint8)
    return write_dataset(tmp_path / "data", train, [train[0]], [Cutout(FILMED, cutout)])


def test_a_dataset_comes_back_with_its_boxes_sources_and_digest(dataset: Dataset) -> None:
    again = read_dataset(dataset.folder)
    assert again == dataset
    assert [(total.source, total.frames, total.boxes, total.cutouts) for total in again.sources] == [
        (DRAWN, 2, 2, 0),
        (FILMED, 1, 0, 1),
    ]
    with_person, without = again.pictures("train")
    assert read_labels(with_person, width_px=160, height_px=120) == pytest.approx(boxes((40, 20, 80, 100)), abs=0.01)
    assert read_labels(without, width_px=160, height_px=120).shape == (0, 4)
    assert (dataset.folder / "labels/train" / f"{with_person.stem}.txt").read_text() == (
        "0 0.375000 0.500000 0.250000 0.666667\n"
    )


@pytest.mark.parametrize("change", ["labels/train/00000-drawn.txt", "images/val/00000-drawn.jpg"])
def test_a_dataset_that_was_changed_is_refused_and_the_file_named(dataset: Dataset, change: str) -> None:
    with (dataset.folder / change).open("ab") as stream:
        stream.write(b"0")
    with pytest.raises(TrainingError, match=change):
        read_dataset(dataset.folder)


def test_the_same_material_has_the_same_digest_and_other_material_another(tmp_path: Path) -> None:
    def digest(name: str, value: int) -> str:
        example = Example(DRAWN, np.full((32, 32, 3), value, np.uint8), boxes((1, 1, 9, 9)))
        return write_dataset(tmp_path / name, [example], []).digest

    assert digest("one", 10) == digest("two", 10)
    assert digest("three", 11) != digest("four", 10)


def test_a_dataset_is_not_written_over_another(dataset: Dataset) -> None:
    with pytest.raises(TrainingError, match="not empty"):
        write_dataset(dataset.folder, [], [])


def green_box(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where the green rectangle is, from the pixels alone."""
    colour = picture.astype(int)
    rows, columns = np.nonzero(colour[:, :, 1] - np.maximum(colour[:, :, 0], colour[:, :, 2]) > 60)
    return boxes((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))


@pytest.mark.parametrize("kind", ["_whole", "_crop"])  # before light and lenses make pixels hard to measure
def test_labels_follow_the_picture_through_scaling_cropping_mirroring_and_turning(tmp_path: Path, kind: str) -> None:
    box = (40, 20, 80, 100)
    dataset = write_dataset(tmp_path / "data", [Example(DRAWN, picture_with(box), boxes(box))], [])
    draw = getattr(Sampler(dataset.pictures("train"), [], np.ones(1)), kind)
    rng = np.random.default_rng(3)
    labelled = 0
    for _ in range(40):
        sample = draw(rng, 96, 128)
        if len(sample.boxes_px):  # else too little of the person is left in the crop
            labelled += 1
            assert np.abs(sample.boxes_px - green_box(sample.picture)).max() < 6  # turned by up to 4°
    assert labelled > 25


def test_a_seed_gives_the_same_samples_again(dataset: Dataset) -> None:
    sampler = Sampler(dataset.pictures("train"), dataset.cutouts(), np.array([1.0, 0.0]))

    def samples(seed: int) -> list[NDArray[np.uint8]]:
        rng = np.random.default_rng(seed)
        return [sampler.sample(rng, 64, 96, plain=False).picture for _ in range(6)]

    assert all((a == b).all() for a, b in zip(samples(5), samples(5), strict=True))
    assert any((a != b).any() for a, b in zip(samples(5), samples(6), strict=True))


def test_a_pasted_person_has_a_box_that_fits_and_is_cut_at_the_edge() -> None:
    cutout = np.zeros((20, 10, 4), np.uint8)
    cutout[2:18, 3:8] = (0, 0, 250, 255)  # the rest is see-through
    picture = np.full((60, 60, 3), 40, np.uint8)
    assert paste(picture, cutout, left_px=20, top_px=30) == pytest.approx([23, 32, 28, 48])
    assert (picture[32:48, 23:28] == (0, 0, 250)).all()
    assert picture.sum() == 40 * 3 * (60 * 60 - 16 * 5) + 250 * 16 * 5
    assert paste(picture, cutout, left_px=55, top_px=-10) == pytest.approx([58, 0, 60, 8])
    assert paste(picture, cutout, left_px=70, top_px=0) is None


def test_a_person_is_cut_out_of_a_still_camera_s_picture() -> None:
    rng = np.random.default_rng(1)
    floor = rng.integers(90, 130, (120, 160, 3), dtype=np.uint8)
    background = background_of([floor, floor, rng.integers(0, 255, floor.shape, dtype=np.uint8)])
    assert (background == floor).mean() > 0.9
    picture = floor.copy()
    cv2.ellipse(picture, (80, 60), (14, 40), 0, 0, 360, (20, 30, 200), cv2.FILLED)
    cut = cut_out(picture, np.array([66, 20, 94, 100], np.float32), background)
    assert cut is not None
    assert cut.shape[:2] == pytest.approx((81, 29), abs=3)
    solid = cut[:, :, 3] > 200
    assert (np.abs(cut[solid][:, :3].astype(int) - (20, 30, 200)).max(axis=1) < 40).mean() > 0.95
    assert cut_out(floor, np.array([66, 20, 94, 100], np.float32), background) is None
