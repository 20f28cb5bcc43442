"""Frames and labels go out as COCO and YOLO, and come back as they were."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from footfall.domain import Sample, SampleLabel
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.samples import SampleStore, each_sample
from service import labelsets
from service.labelsets import (
    ImportSummary,
    LabelFormat,
    LabelSetError,
    export_frames,
    import_frames,
    pack_set,
    unpack_set,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WIDTH, HEIGHT = 640, 360
Boxes = list[list[float]]
ADA: Boxes = [[10.25, 20.5, 50.75, 120.0], [600.0, 300.0, 640.0, 360.0]]
FORMATS = pytest.mark.parametrize("form", ["coco", "yolo"])


class World:
    """Stores with a few frames; `hex` of a number is the id of that sample."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'samples.db'}")
        self.database.migrate()
        self.store, self.blobs = SampleStore(self.database), BlobStore(str(folder / "blobs"))
        picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        self.jpeg = cv2.imencode(".jpg", picture)[1].tobytes()

    def frame(self, number: int, **changes: Any) -> Sample:
        values: dict[str, Any] = {
            "id": hex_of(number),
            "camera_id": "gate",
            "unit": "frame",
            "queue": "random",
            "hour_at": NOON,
            "stratum": "people",
            "model": "0123456789ab",
            "taken_at": NOON + timedelta(minutes=number),
            "probability": 0.5,
            "blob_key": f"samples/gate/2026-03-01/{number}.jpg",
            "media_type": "image/jpeg",
            "width_px": WIDTH,
            "height_px": HEIGHT,
            "size_bytes": len(self.jpeg),
            "detail": {"threshold": 0.25, "boxes": [[-3.0, 20.0, 40.0, 90.0, 0.8]]},
        }
        sample = Sample(**(values | changes))
        self.blobs.put(sample.blob_key, self.jpeg)
        self.store.add(sample)
        return sample

    def label(self, number: int, boxes: Boxes, reviewer: str = "Ada") -> None:
        self.store.add_label(SampleLabel(hex_of(number), reviewer, NOON, "reviewer", {"boxes": boxes}))

    def said(self, number: int, reviewer: str) -> list[Boxes]:
        labels = self.store.labels([hex_of(number)])
        return [label.content["boxes"] for label in labels if label.reviewer == reviewer]

    def bring(self, folder: Path, form: LabelFormat = "coco", reviewer: str = "Bob") -> ImportSummary:
        return import_frames(self.store, folder, format=form, reviewer=reviewer, at=NOON)


def hex_of(number: int) -> str:
    return uuid.UUID(int=number).hex


def name_of(number: int, camera: str = "gate") -> str:
    return f"{camera}_2026-03-01_{hex_of(number)}"


@pytest.fixture
def world(tmp_path: Path) -> Any:
    made = World(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def labelled(world: World) -> World:
    """Frame 1 with two people, 2 with nobody, 3 without a word."""
    for number in (1, 2, 3):
        world.frame(number)
    world.label(1, ADA)
    world.label(2, [])
    return world


def coco(*boxes: list[float], **changes: Any) -> dict[str, Any]:
    """A set of frame 1 as another tool would write it."""
    return {
        "images": [{"id": 7, "file_name": f"{name_of(1)}.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [{"id": n, "image_id": 7, "category_id": 1, "bbox": box} for n, box in enumerate(boxes, 1)],
    } | changes


@pytest.fixture
def coco_set(tmp_path: Path) -> Callable[[Any], Path]:
    def write(content: Any) -> Path:
        folder = tmp_path / "set" / "annotations"
        folder.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "instances_default.json").write_text(text)
        return folder.parent

    return write


@pytest.fixture
def yolo_set(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, *, names: str | None = "names: [person]", stem: str = name_of(1)) -> Path:
        folder = tmp_path / "set"
        (folder / "labels").mkdir(parents=True, exist_ok=True)
        (folder / "labels" / f"{stem}.txt").write_text(text)
        if names is not None:
            (folder / "data.yaml").write_text(names)
        return folder

    return write


# Going out


def test_a_coco_set_holds_what_was_said_and_claims_no_licence(labelled: World, tmp_path: Path) -> None:
    written = export_frames(labelled.store, labelled.blobs, tmp_path / "out", format="coco")
    assert (written.frames, written.labelled, written.boxes, written.missing) == (2, 2, 2, 0)
    files = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert files == [
        "annotations/instances_default.json",
        f"images/default/{name_of(1)}.jpg",
        f"images/default/{name_of(2)}.jpg",
    ]
    content = json.loads((tmp_path / "out" / files[0]).read_text())
    assert content["licenses"] == []
    assert content["categories"] == [{"id": 1, "name": "person", "supercategory": "common-objects"}]
    assert content["images"] == [
        {
            "id": number,
            "file_name": f"{name_of(number)}.jpg",
            "height": HEIGHT,
            "width": WIDTH,
            "date_captured": f"2026-03-01T12:0{number}:00+00:00",
        }
        for number in (1, 2)
    ]
    assert [(each["image_id"], each["category_id"], each["bbox"]) for each in content["annotations"]] == [
        (1, 1, [10.25, 20.5, 40.5, 99.5]),
        (1, 1, [600, 300, 40, 60]),
    ]


def test_a_yolo_set_holds_an_empty_file_for_a_frame_with_nobody(labelled: World, tmp_path: Path) -> None:
    export_frames(labelled.store, labelled.blobs, tmp_path / "out", format="yolo")
    out = tmp_path / "out"
    first = (out / "labels" / "train" / f"{name_of(1)}.txt").read_text().split("\n")
    kind, *shares = first[0].split()
    assert kind == "0"
    assert [float(each) for each in shares] == pytest.approx(
        [30.5 / 640, 70.25 / 360, 40.5 / 640, 99.5 / 360], abs=1e-5
    )
    assert (out / "labels" / "train" / f"{name_of(2)}.txt").read_text() == ""
    assert (out / "data.yaml").read_text() == "path: ./\ntrain: train.txt\nnames:\n  0: person\n"
    assert (out / "train.txt").read_text().split() == [f"images/train/{name_of(number)}.jpg" for number in (1, 2)]
    assert (out / "classes.txt").read_text() == "person\n"
    assert (out / "images" / "train" / f"{name_of(1)}.jpg").read_bytes() == labelled.jpeg


@FORMATS
def test_other_readers_see_the_same_boxes(labelled: World, tmp_path: Path, form: LabelFormat) -> None:
    import supervision as sv

    out = tmp_path / "out"
    export_frames(labelled.store, labelled.blobs, out, format=form)
    if form == "coco":
        images = str(out / "images" / "default")
        read = sv.DetectionDataset.from_coco(images, str(out / "annotations" / "instances_default.json"))
    else:
        images, labels = str(out / "images" / "train"), str(out / "labels" / "train")
        read = sv.DetectionDataset.from_yolo(images, labels, str(out / "data.yaml"))
    found = {Path(path).stem: boxes.xyxy for path, _, boxes in read}
    assert read.classes == ["person"]
    assert sorted(found) == [name_of(1), name_of(2)]
    assert np.abs(found[name_of(1)] - np.array(ADA)).max() < 0.05
    assert len(found[name_of(2)]) == 0


@FORMATS
def test_what_went_out_comes_back_and_the_second_time_nothing_is_new(
    labelled: World, tmp_path: Path, form: LabelFormat
) -> None:
    out = tmp_path / "out"
    export_frames(labelled.store, labelled.blobs, out, format=form)
    assert labelled.bring(out, form) == ImportSummary(2, 0, (), {})
    assert np.abs(np.array(labelled.said(1, "Bob")[0]) - np.array(ADA)).max() < 1
    assert labelled.said(2, "Bob") == [[]]
    (label,) = (each for each in labelled.store.labels([hex_of(1)]) if each.reviewer == "Bob")
    assert (label.source, label.at) == ("import", NOON)
    assert labelled.bring(out, form) == ImportSummary(0, 2, (), {})
    assert labelled.bring(out, form, "Ada") == ImportSummary(0, 2, (), {})
    labelled.label(1, [], "Bob")  # who changed his mind since is told again
    assert labelled.bring(out, form) == ImportSummary(1, 1, (), {})


def test_the_newest_word_of_anybody_counts_and_what_was_taken_back_does_not(labelled: World, tmp_path: Path) -> None:
    labelled.label(1, [[1.0, 2.0, 3.0, 4.0]], "Bob")
    labelled.label(2, ADA, "Cleo")
    labelled.store.undo_last("Cleo", at=NOON)
    written = export_frames(labelled.store, labelled.blobs, tmp_path / "out", format="coco")
    assert (written.frames, written.boxes) == (2, 1)


def test_unlabelled_frames_go_out_with_the_systems_boxes_inside_the_picture(labelled: World, tmp_path: Path) -> None:
    written = export_frames(labelled.store, labelled.blobs, tmp_path / "out", format="coco", with_unlabelled=True)
    assert (written.frames, written.labelled, written.boxes) == (3, 2, 3)
    content = json.loads((tmp_path / "out" / "annotations" / "instances_default.json").read_text())
    assert content["annotations"][-1]["bbox"] == [0, 20, 40, 70]


def test_only_what_was_asked_for_and_still_has_its_picture_is_written(labelled: World, tmp_path: Path) -> None:
    labelled.frame(4, camera_id="hall")
    labelled.label(4, ADA)
    labelled.frame(5, unit="track")
    labelled.frame(6)
    labelled.label(6, ADA)
    labelled.blobs.delete("samples/gate/2026-03-01/6.jpg")
    labelled.frame(7, width_px=100)  # the stored picture is another
    labelled.label(7, [])
    gone = labelled.frame(8)
    labelled.label(8, ADA)
    labelled.store.note_pictures_deleted([gone], at=NOON, actor="retention", reason="expired")

    def count(folder: str, **asked: Any) -> tuple[int, int]:
        written = export_frames(labelled.store, labelled.blobs, tmp_path / folder, format="yolo", **asked)
        return written.frames, written.missing

    assert count("all") == (3, 2)
    assert count("hall", camera_ids=["hall"]) == (1, 0)
    assert count("late", since=NOON + timedelta(minutes=2), until=NOON + timedelta(minutes=4)) == (1, 0)
    with pytest.raises(LabelSetError, match=r"there is no frame that somebody labelled"):
        count("none", queue="targeted")
    with pytest.raises(LabelSetError, match=r"^5 frames were asked for, expected at most 4; nothing is written"):
        count("most", most=4)
    assert not (tmp_path / "none").exists()


def test_a_folder_that_holds_something_is_refused_and_left_alone(labelled: World, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(LabelSetError, match=r"mine: is not empty; expected an empty folder, nothing is written"):
        export_frames(labelled.store, labelled.blobs, folder, format="coco")
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]
    with pytest.raises(LabelSetError, match=r"letter.txt: cannot be written"):
        export_frames(labelled.store, labelled.blobs, folder / "letter.txt", format="coco")


def test_a_camera_id_makes_no_path(world: World, tmp_path: Path) -> None:
    world.frame(1, camera_id="../../up")
    world.label(1, ADA)
    export_frames(world.store, world.blobs, tmp_path / "out", format="coco")
    (picture,) = (tmp_path / "out" / "images" / "default").iterdir()
    assert picture.name == f"..-..-up_2026-03-01_{hex_of(1)}.jpg"


def test_samples_are_read_page_by_page_each_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 8):
        world.frame(number, taken_at=NOON + timedelta(minutes=number // 3))
    monkeypatch.setattr("footfall.stores.samples.MAX_ROWS", 4)
    found = [sample.id for sample in each_sample(world.store)]
    assert sorted(found) == [hex_of(number) for number in range(1, 8)]


# Coming back


def test_a_set_of_many_classes_gives_only_people(labelled: World, coco_set: Callable[[Any], Path]) -> None:
    """As CVAT writes it: attributes, outlines, a license of 0, categories that are not used, no picture."""
    content = {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": {"contributor": "", "year": ""},
        "categories": [
            {"id": 1, "name": "car", "supercategory": ""},
            {"id": 2, "name": "Person", "supercategory": ""},
            {"id": 3, "name": "pedestrian", "supercategory": ""},
        ],
        "images": [
            {"id": n, "width": WIDTH, "height": HEIGHT, "file_name": name, "license": 0, "coco_url": ""}
            for n, name in ((1, f"{name_of(1)}.jpg"), (2, f"default/{name_of(2).upper()}.PNG"), (3, "holiday.jpg"))
        ],
        "annotations": [
            annotation(1, 1, 1, [0, 0, 5, 5]),
            annotation(2, 1, 2, [-10, 20, 50, 500], attributes={"occluded": True}, segmentation=[[1, 2, 3, 4, 5, 6]]),
            annotation(3, 1, 3, [100, 100, 20.5, 40]),
            annotation(4, 1, 2, [0, 0, 600, 300], iscrowd=1, segmentation={"counts": [3, 4], "size": [2, 3]}),
            annotation(5, 3, 2, [0, 0, 5, 5]),
        ],
    }
    taken = labelled.bring(coco_set(content))
    assert (taken.added, taken.unchanged, taken.ignored) == (2, 0, {"car": 1, "crowd": 1})
    assert [(each.name, each.why) for each in taken.skipped] == [("holiday.jpg", "no id of a sample in its name")]
    assert labelled.said(1, "Bob") == [[[0, 20, 40, 360], [100, 100, 120.5, 140]]]
    assert labelled.said(2, "Bob") == [[]]


def annotation(number: int, image: int, category: int, bbox: list[float], **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "bbox": bbox, "area": 1, "iscrowd": 0} | more


def test_images_of_no_frame_are_named(labelled: World, coco_set: Callable[[Any], Path]) -> None:
    labelled.frame(4, unit="track")
    names = {
        name_of(4): "its sample is a track, not a frame",
        name_of(9): "its sample is not there; it may have been deleted",
        f"{hex_of(1)}-{hex_of(2)}": "several samples in its name",
        f"a{hex_of(1)}": "no id of a sample in its name",
        "bell\x07" + "x" * 300: "no id of a sample in its name",
    }
    images = [{"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT} for n, name in enumerate(names)]
    images.append({"id": 99, "file_name": name_of(1), "width": 320, "height": 180})
    taken = labelled.bring(coco_set(coco(images=images)))
    assert [each.why for each in taken.skipped] == [
        *names.values(),
        "its size is 320 x 180, that of the sample 640 x 360",
    ]
    assert taken.skipped[4].name == "bell?" + "x" * 155 + "…"
    assert taken.added == 0


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/{}",
        "/etc/{}",
        "..\\..\\{}",
        "C:\\{}",
        "3f2a1b0c-{}",  # as Label Studio names what was uploaded
        "{}_jpg.rf.0123456789abcdef0123456789abcdef.jpg",
        "data/upload/1/{}.jpg",
    ],
)
def test_only_the_last_part_of_a_name_is_looked_at_and_nothing_is_opened_by_it(
    labelled: World, coco_set: Callable[[Any], Path], name: str
) -> None:
    content = coco([1, 2, 30, 40])
    content["images"][0]["file_name"] = name.format(name_of(1))
    assert labelled.bring(coco_set(content)).added == 1
    assert labelled.said(1, "Bob") == [[[1, 2, 31, 42]]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [}', "annotations/instances_default.json, line 1: is no JSON (Expecting value)"),
        ("[" * 100_000, "annotations/instances_default.json: is no JSON that can be read"),
        ('{"images": ' + "9" * 5000 + "}", "annotations/instances_default.json: is no JSON that can be read"),
        ("[]", "annotations/instances_default.json: images: is missing or no list of objects"),
        (coco(annotations=[1]), "annotations: is missing or no list of objects"),
        (coco(images=[{"id": 1}]), "images[0].file_name: is missing or something else; expected a text"),
        (coco(images=[{"id": True, "file_name": "a"}]), "images[0].id: is missing or something else"),
        (coco(images=coco()["images"] * 2), "images[1]: id 7 was given before; expected each id once"),
        (
            coco(images=[coco()["images"][0] | {"id": n} for n in (1, 2)]),
            f"{name_of(1)}.jpg and {name_of(1)}.jpg: both are of sample {hex_of(1)}",
        ),
        (coco(annotations=[annotation(1, 8, 1, [1, 1, 5, 5])]), "annotations[0]: image_id 8 is not among the images"),
        (coco(annotations=[annotation(1, 7, 2, [1, 1, 5, 5])]), "annotations[0]: category_id 2 is not among the categ"),
        (coco([1, 1, 5, 5], [1, 1, 0, 5]), "annotations[1]: bbox [1, 1, 0, 5]: has no area in the picture"),
        (coco([1, 1, -5, 5]), "annotations[0]: bbox [1, 1, -5, 5]: has no area"),
        (coco([700, 1, 5, 5]), "annotations[0]: bbox [700, 1, 5, 5]: has no area"),
        (coco([1, 1, 5]), "annotations[0]: bbox: expected four finite numbers: x, y, width, height"),
        (coco([1, 1, float("nan"), 5]), "annotations[0]: bbox: expected four finite numbers"),
        (coco([1, 1, 10**400, 5]), "annotations[0]: bbox: expected four finite numbers"),
        (coco(*[[1, 1, 5, 5]] * 1001), "annotations[1000]: more than 1000 boxes on one image"),
        (coco(categories=[]), "no class of people among its classes (none); expected pedestrian, people, person"),
        (
            coco(categories=[{"id": 1, "name": "car"}, {"id": 2, "name": "dog"}]),
            "no class of people among its classes (car, dog)",
        ),
    ],
)
def test_coco_that_cannot_be_read_tells_where_and_changes_nothing(
    labelled: World, coco_set: Callable[[Any], Path], content: Any, message: str
) -> None:
    folder = coco_set(content)
    (folder / "a.json").write_text(json.dumps(coco(images=[coco()["images"][0] | {"file_name": name_of(2)}])))
    with pytest.raises(LabelSetError) as caught:
        labelled.bring(folder)
    assert message in str(caught.value)
    assert labelled.said(1, "Bob") == labelled.said(2, "Bob") == []


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        ("0 .5 .5 .1 .1\n0 .5 .5 .1", "names: [person]", ".txt, line 2: 4 values; expected a box"),
        ("0 .1 .1 .2 .2 .3 .3", "names: [person]", ".txt, line 1: 7 values; expected a box"),
        ("x .5 .5 .1 .1", "names: [person]", ".txt, line 1: expected a whole number and four numbers"),
        ("1 .5 .5 .1 .1", "names: [person]", ".txt, line 1: no class of number 1; expected 0 to 0"),
        ("-1 .5 .5 .1 .1", "names: [person]", ".txt, line 1: no class of number -1"),
        ("0 .5 .5 nan .1", "names: [person]", ".txt, line 1: expected shares of the picture from 0 to 1"),
        ("0 .5 .5 1e400 .1", "names: [person]", ".txt, line 1: expected shares of the picture from 0 to 1"),
        ("0 320 180 64 36", "names: [person]", ".txt, line 1: expected shares of the picture from 0 to 1"),
        ("\n0 .5 .5 0 .1", "names: [person]", ".txt, line 2: the box has no area in the picture"),
        ("0 1.3 .5 .1 .1", "names: [person]", ".txt, line 1: the box has no area in the picture"),
        ("", "names: [car, dog]", "data.yaml: no class of people among its classes (car, dog)"),
        ("", "names: {1: person}", "data.yaml: names: expected a list of names, or names by number from 0"),
        ("", "names: person", "data.yaml: names: expected a list"),
        ("", "names: [[person]]", "data.yaml: names: expected a list"),
        ("", "- person", "data.yaml: names: expected a list"),
        ("", "a: b\nnames: [", "data.yaml, line 2: is no YAML"),
        ("", "names: !!python/object/apply:os.system [ls]", "data.yaml, line 1: is no YAML"),
        ("", "[" * 5000, "data.yaml: is no YAML that can be read"),
        ("", None, "no names of classes in the set; expected one of data.yaml, data.yml, obj.names, classes.txt"),
    ],
)
def test_yolo_that_cannot_be_read_tells_where_and_changes_nothing(
    labelled: World, yolo_set: Callable[..., Path], text: str, names: str | None, message: str
) -> None:
    yolo_set("0 .5 .5 .1 .1", names=names, stem=name_of(2))
    with pytest.raises(LabelSetError) as caught:
        labelled.bring(yolo_set(text, names=names), "yolo")
    assert message in str(caught.value)
    assert labelled.said(1, "Bob") == labelled.said(2, "Bob") == []


@pytest.mark.parametrize(
    ("file", "names", "ignored"),
    [
        ("data.yaml", "names:\n  0: people\n  1: car\n", {"car": 1}),
        ("data.yaml", "nc: 2\nnames: [PEOPLE, car]", {"car": 1}),
        ("obj.names", "people\ncar\n", {"car": 1}),
        ("classes.txt", "people\r\ncar\r\n", {"car": 1}),
    ],
)
def test_yolo_names_its_classes_in_several_ways(
    labelled: World, yolo_set: Callable[..., Path], file: str, names: str, ignored: dict[str, int]
) -> None:
    folder = yolo_set("0 0.5 0.5 0.5 0.5 0.93\n1 0.5 0.5 0.1 0.1\n", names=None)
    (folder / file).write_text(names)
    (folder / "train.txt").write_text("obj_train_data/a.jpg\n")
    (folder / "notes.txt").write_text("hello\n")
    (folder / f"{name_of(2)}.jpg").write_bytes(b"")
    (folder / "labels" / f"._{name_of(1)}.txt").write_bytes(b"\xff\x00")  # what a Mac adds
    taken = labelled.bring(folder, "yolo")
    assert (taken.added, taken.ignored) == (1, ignored)
    assert [(each.name, each.why) for each in taken.skipped] == [
        ("notes.txt", "no id of a sample in its name"),
        (f"{name_of(2)}.jpg", "no label file of its name"),
    ]
    assert labelled.said(1, "Bob") == [[[160, 90, 480, 270]]]


def test_a_single_class_is_people_whatever_its_name(labelled: World, yolo_set: Callable[..., Path]) -> None:
    assert labelled.bring(yolo_set("0 .5 .5 .1 .1", names="names: [Kopf]"), "yolo").added == 1


def test_links_in_a_set_are_not_followed(labelled: World, coco_set: Callable[[Any], Path], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.json").write_text("secret")
    folder = coco_set(coco([1, 2, 3, 4]))
    (folder / "a.json").symlink_to(outside / "a.json")
    (folder / "more").symlink_to(outside)
    assert labelled.bring(folder).added == 1


def test_a_set_that_is_none_is_refused(labelled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabelSetError, match=r"nowhere: is not there or is no folder"):
        labelled.bring(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(LabelSetError, match=r"no \.json file in the set; expected COCO annotations"):
        labelled.bring(empty)
    with pytest.raises(LabelSetError, match=r"reviewer: expected a name of 1 to 64 characters"):
        labelled.bring(empty, reviewer=" Ada")
    (empty / "a.json").write_bytes(b"\xff\xfe")
    with pytest.raises(LabelSetError, match=r"a\.json: is no text in UTF-8"):
        labelled.bring(empty)
    monkeypatch.setattr(labelsets, "MAX_LABEL_BYTES", 1)
    with pytest.raises(LabelSetError, match=r"its label files take more than 1 bytes"):
        labelled.bring(empty)
    monkeypatch.setattr(labelsets, "MAX_FILES", 0)
    with pytest.raises(LabelSetError, match=r"holds more than 0 files"):
        labelled.bring(empty)


# Zip files


def zipped(files: dict[str | zipfile.ZipInfo, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return archive.getvalue()


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("a.json")
    entry.external_attr = 0o120777 << 16
    return entry


def with_method(method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("a.json")
    entry.compress_type = method
    return entry


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"no zip", "zip file: cannot be read (BadZipFile); expected a .zip without password"),
        (zipped({"a.json": b"{}" * 99})[:-40], "zip file: cannot be read (BadZipFile)"),
        (zipped({"../a.json": b"{}"}), "zip file: ../a.json leads out of the set; nothing was added"),
        (zipped({"a/../../b.json": b"{}"}), "leads out of the set"),
        (zipped({"/etc/a.json": b"{}"}), "leads out of the set"),
        (zipped({"..\\a.json": b"{}"}), "leads out of the set"),
        (zipped({"C:/a.json": b"{}"}), "leads out of the set"),
        (zipped({link(): b"/etc/passwd"}), "a.json leads out of the set"),
        (zipped({with_method(zipfile.ZIP_LZMA): b"{}"}), "a.json is packed in an unusual way; expected deflate"),
        (zipped({"a.json": b"{}", "a.json/b.json": b"{}"}), "zip file: cannot be unpacked"),
        (zipped({"a" * 300 + ".json": b"{}"}), "zip file: cannot be unpacked (File name too long)"),
        (zipped({"a.json": b"0" * 3001}), "zip file: its label files take more than 3000 bytes"),
        (zipped({f"{n}.txt": b"" for n in range(51)}), "zip file: holds more than 50 files"),
    ],
)
def test_a_hostile_zip_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes, message: str
) -> None:
    monkeypatch.setattr(labelsets, "MAX_LABEL_BYTES", 3000)
    monkeypatch.setattr(labelsets, "MAX_FILES", 50)
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    with pytest.raises(LabelSetError) as caught:
        unpack_set(archive, folder)
    assert message in str(caught.value)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["here"]


def test_a_set_goes_through_a_zip_file_and_pictures_are_not_unpacked(labelled: World, tmp_path: Path) -> None:
    export_frames(labelled.store, labelled.blobs, tmp_path / "out", format="yolo")
    archive = io.BytesIO()
    pack_set(tmp_path / "out", archive)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    folder = tmp_path / "in"
    folder.mkdir()
    unpack_set(archive.getvalue(), folder)
    assert (folder / "images" / "train" / f"{name_of(1)}.jpg").stat().st_size == 0
    assert labelled.bring(folder, "yolo").added == 2
