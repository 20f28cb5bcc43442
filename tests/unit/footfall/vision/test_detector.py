"""Which models are trusted, and that boxes come back where people are."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.figures import FIGURE_HEIGHT_PX, FIGURE_WIDTH_PX, draw, figure_network, walk, write_figure_model

from footfall.errors import ModelError
from footfall.vision.boxes import pairwise_iou
from footfall.vision.detector import (
    CARD_FILE,
    MODEL_FILE,
    check_onnx,
    input_shape,
    letterbox_into,
    load_detector,
    non_maximum_suppression,
    read_card,
    sha256_of,
)
from footfall.vision.models import EMBEDDED_FOLDER, import_model, list_models, model_in_use, resolve_model


def picture(*feet: tuple[float, float]) -> np.ndarray:
    figures = [walk(foot, foot, begins_s=0, lasts_s=1) for foot in feet]
    return draw(figures, 0, width_px=640, height_px=352)


def change_card(folder: Path, **changes: object) -> None:
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    card.update(changes)
    (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")


def rewrite_model(folder: Path, content: bytes) -> None:
    (folder / MODEL_FILE).write_bytes(content)
    change_card(folder, sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def folder(figure_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(figure_model, tmp_path / "figures"))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_people_are_found_where_they_are(figure_model: Path, runtime: str) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="the `openvino` extra is not installed")
    detector = load_detector(figure_model, runtime=runtime)  # type: ignore[arg-type]
    feet = [(100.0, 300.0), (320.0, 200.0)]
    (found,) = detector.detect([picture(*feet)])
    assert len(found.scores) == 2
    truth = np.array([[x - FIGURE_WIDTH_PX / 2, y - FIGURE_HEIGHT_PX, x + FIGURE_WIDTH_PX / 2, y] for x, y in feet])
    assert pairwise_iou(truth, found.boxes_px).max(axis=1).min() > 0.8
    assert list(found.scores) == sorted(found.scores, reverse=True)


def test_nobody_on_an_empty_picture_and_nothing_for_no_picture(figure_model: Path) -> None:
    detector = load_detector(figure_model)
    (found,) = detector.detect([picture()])
    assert found.boxes_px.shape == (0, 4)
    assert found.scores.shape == (0,)
    assert detector.detect([]) == []


def test_pictures_of_several_cameras_and_sizes_share_a_call_and_keep_their_order(figure_model: Path) -> None:
    detector = load_detector(figure_model)
    tall = np.full((640, 352, 3), 110, dtype=np.uint8)
    tall[300:364, 100:124] = (30, 30, 230)
    batch = detector.detect([picture((100, 300)), tall, picture((500, 300))])
    alone = [detector.detect([each])[0] for each in (picture((100, 300)), tall, picture((500, 300)))]
    for together, single in zip(batch, alone, strict=True):
        np.testing.assert_allclose(together.boxes_px, single.boxes_px, atol=1e-3)
        np.testing.assert_allclose(together.scores, single.scores, atol=1e-5)
    assert batch[1].boxes_px[0] == pytest.approx([100, 300, 124, 364], abs=5)


def test_what_is_found_does_not_change_when_a_size_has_come_often_enough_for_a_network_of_its_own() -> None:
    detector = load_detector(EMBEDDED_FOLDER, threads=2, input_size=128, callers=2)
    rng = np.random.default_rng(3)
    # More sizes than get one of their own, alone and several at once, from two threads.
    batches = [
        [rng.integers(0, 255, (height, width, 3), dtype=np.uint8) for _ in range(1 + height % 3)]
        for height, width in ((40, 128), (72, 128), (96, 128), (128, 128), (128, 96), (128, 72))
    ]

    def look(_: int) -> list[list[list[float]]]:
        return [np.column_stack([d.boxes_px, d.scores]).tolist() for batch in batches for d in detector.detect(batch)]

    first = look(0)
    with ThreadPoolExecutor(2) as threads:
        assert all(each == first for each in threads.map(look, range(24)))


def test_boxes_come_back_in_source_pixels_whatever_the_scale(figure_model: Path) -> None:
    detector = load_detector(figure_model)
    large = np.repeat(np.repeat(picture((300, 300)), 2, axis=0), 2, axis=1)
    (found,) = detector.detect([large])
    assert found.boxes_px[0] == pytest.approx([576, 472, 624, 600], abs=10)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param((640, 480), (480, 640), id="fits exactly"),
        pytest.param((1920, 1080), (384, 640), id="wide: height padded to the stride"),
        pytest.param((480, 640), (640, 480), id="tall"),
        pytest.param((10_000, 10), (32, 640), id="a sliver keeps one stride"),
    ],
)
def test_input_is_the_smallest_that_holds_the_picture(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert input_shape(*size, longer_px=640, stride=32) == expected


def test_letterbox_keeps_the_aspect_and_centres() -> None:
    target = np.zeros((64, 64, 3), dtype=np.uint8)
    box = letterbox_into(np.full((50, 100, 3), 255, dtype=np.uint8), target)
    assert (box.scale, box.left_px, box.top_px) == (0.64, 0, 16)
    assert (target[:16] == 114).all()
    assert (target[16:48] == 255).all()
    assert (target[48:] == 114).all()


def test_of_two_boxes_on_one_person_the_stronger_stays() -> None:
    boxes = np.array([[0, 0, 10, 20], [1, 0, 11, 20], [30, 0, 40, 20]], dtype=np.float32)
    assert non_maximum_suppression(boxes, 0.6).tolist() == [0, 2]
    assert non_maximum_suppression(boxes[:0], 0.6).tolist() == []


def test_boxes_that_stay_are_those_of_the_greedy_rule_strongest_first() -> None:
    rng = np.random.default_rng(5)
    for count in (0, 1, 2, 60, 300):
        corner, size = rng.uniform(0, 640, (count, 2)), rng.uniform(1, 120, (count, 2))
        boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
        stay: list[int] = []
        for index in range(count):
            if not stay or pairwise_iou(boxes[index : index + 1], boxes[stay]).max() <= 0.4:
                stay.append(index)
        assert non_maximum_suppression(boxes, 0.4).tolist() == stay


def pickle_bytes() -> bytes:
    return pickle.dumps({"weights": [1.0]}, protocol=4)


def zip_bytes() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle_bytes())
    return stream.getvalue()


def external_bytes() -> bytes:
    model = figure_network()
    for tensor in model.graph.initializer:
        if tensor.name == "weights":
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", "../../../etc/passwd"
    return model.SerializeToString()


def external_in_attribute_bytes() -> bytes:
    model = figure_network()
    tensor = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "secret"
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=tensor))
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(pickle_bytes(), "Python pickle or zip archive, expected ONNX", id="pickle renamed .onnx"),
        pytest.param(zip_bytes(), "Python pickle or zip archive, expected ONNX", id=".pt renamed .onnx"),
        pytest.param(external_bytes(), "keeps weights in other files", id="external data"),
        pytest.param(external_in_attribute_bytes(), "keeps weights in other files", id="external data in a node"),
        pytest.param(b"not a model at all", "is not an ONNX file", id="text"),
        pytest.param(b"", "is not an ONNX file", id="empty"),
    ],
)
def test_files_that_are_no_self_contained_onnx_are_refused(folder: Path, content: bytes, message: str) -> None:
    rewrite_model(folder, content)
    with pytest.raises(ModelError, match=message):
        load_detector(folder)


def test_a_truncated_model_is_refused(folder: Path) -> None:
    rewrite_model(folder, (folder / MODEL_FILE).read_bytes()[:-40])
    with pytest.raises(ModelError):
        load_detector(folder)


def test_a_changed_file_is_refused_by_its_hash(folder: Path) -> None:
    with (folder / MODEL_FILE).open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ModelError, match=r"model 'figures': model.onnx has sha256 .*…, model.json says .*…"):
        load_detector(folder)


def test_a_link_in_place_of_the_model_is_refused(folder: Path) -> None:
    real = (folder / MODEL_FILE).rename(folder / "elsewhere.onnx")
    (folder / MODEL_FILE).symlink_to(real)
    with pytest.raises(ModelError, match="is a link"):
        load_detector(folder)


def test_an_output_that_does_not_fit_the_classes_is_refused(folder: Path) -> None:
    change_card(folder, class_names=["person", "car"])
    with pytest.raises(ModelError, match=r"output has shape .*, expected \(1, 6, anchors\)"):
        load_detector(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"person_classes": [3]}, "person class 3 does not exist, there are 1 classes", id="no such class"),
        pytest.param({"person_classes": []}, "person_classes", id="no person class"),
        pytest.param({"input_name": "pictures"}, "has no input 'pictures'", id="no such input"),
        pytest.param({"colour": "red"}, "colour", id="unknown key"),
        pytest.param({"threshold": 7}, "threshold", id="threshold out of range"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    change_card(folder, **changes)
    with pytest.raises(ModelError, match=message):
        load_detector(folder)


def test_a_folder_without_a_card_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected a model folder with model.onnx and model.json"):
        load_detector(tmp_path)


def named_onnx(path: Path, names: dict[int, str] | None, rows: int = 5) -> Path:
    model = figure_network(rows=rows)
    if names is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = "names", str(names)
    onnx.save(model, str(path))
    return path


def test_a_bare_onnx_is_imported_listed_and_used(tmp_path: Path) -> None:
    models = tmp_path / "models"
    source = named_onnx(tmp_path / "yolo.onnx", {0: "car", 1: "person"}, rows=6)
    folder = import_model(source, models)
    assert read_card(folder).person_classes == [1]
    assert read_card(folder).sha256 == sha256_of(source)
    assert [model.name for model in list_models(models)] == ["yolo"]
    assert model_in_use(models) == "yolo"  # the only one
    other = import_model(named_onnx(tmp_path / "other.onnx", {0: "person"}), models)
    assert model_in_use(models) is None
    (models / "in-use").write_text("yolo\n")  # as earlier versions did
    assert resolve_model(None, models) == folder
    assert resolve_model("other", models) == other
    assert sorted(entry.name for entry in models.iterdir()) == ["in-use", "other", "yolo"]


def test_importing_the_same_file_twice_is_one_model_and_another_under_its_name_is_refused(tmp_path: Path) -> None:
    models = tmp_path / "models"
    source = named_onnx(tmp_path / "yolo.onnx", {0: "person"})
    assert import_model(source, models) == import_model(source, models)
    named_onnx(source, {0: "pedestrian"})
    with pytest.raises(ModelError, match="another model has this name already"):
        import_model(source, models)


@pytest.mark.parametrize(
    ("names", "rows", "message"),
    [
        pytest.param({0: "car"}, 5, "none of its 1 classes is a person", id="no person class"),
        pytest.param(None, 7, "names no classes", id="classes without names"),
    ],
)
def test_an_import_that_cannot_tell_people_is_refused_and_leaves_nothing(
    tmp_path: Path, names: dict[int, str] | None, rows: int, message: str
) -> None:
    models = tmp_path / "models"
    with pytest.raises(ModelError, match=message):
        import_model(named_onnx(tmp_path / "bad.onnx", names, rows), models)
    assert list(models.iterdir()) == []


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """A model folder in the place of the one that ships."""
    imported = import_model(named_onnx(tmp_path / "shipped.onnx", {0: "person"}), tmp_path / "elsewhere")
    return imported.rename(tmp_path / "embedded")


def test_the_embedded_model_serves_until_another_is_imported_and_can_be_chosen_again(
    tmp_path: Path, embedded: Path
) -> None:
    models = tmp_path / "models"
    assert model_in_use(models, embedded=embedded) == "embedded"
    assert resolve_model(None, models, embedded=embedded) == embedded
    stronger = import_model(named_onnx(tmp_path / "stronger.onnx", {0: "person"}), models)
    assert resolve_model(None, models, embedded=embedded) == stronger
    (models / "in-use").write_text("embedded\n")
    assert model_in_use(models, embedded=embedded) == "embedded"
    assert resolve_model(None, models, embedded=embedded) == embedded
    assert [model.name for model in list_models(models)] == ["stronger"]


def test_of_several_imported_models_one_must_be_chosen(tmp_path: Path, embedded: Path) -> None:
    models = tmp_path / "models"
    for name in ("one", "two"):
        import_model(named_onnx(tmp_path / f"{name}.onnx", {0: "person"}), models)
    with pytest.raises(ModelError, match=r"several models were imported \(one, two\) and none was promoted"):
        resolve_model(None, models, embedded=embedded)


def test_no_model_is_imported_under_the_name_of_the_embedded_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is the name of the model that ships with Footfall; give one with --name"):
        import_model(named_onnx(tmp_path / "embedded.onnx", {0: "person"}), tmp_path / "models")


def test_without_a_model_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="import one with `footfall models import FILE`"):
        resolve_model(None, tmp_path, embedded=tmp_path / "missing")
    with pytest.raises(ModelError, match="model 'nope'"):
        resolve_model("nope", tmp_path)


def test_a_bare_file_is_used_under_a_name_of_its_own(tmp_path: Path) -> None:
    source = named_onnx(tmp_path / "yolo.onnx", {0: "person"})
    folder = resolve_model(str(source), tmp_path / "models")
    assert folder.name == f"yolo-{sha256_of(source)[:12]}"
    assert resolve_model(str(source), tmp_path / "models") == folder


def test_a_models_folder_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    source = named_onnx(tmp_path / "yolo.onnx", {0: "person"})
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="set FOOTFALL_DATA_DIR to a folder of yours"):
        resolve_model(str(source), tmp_path / "file" / "models")


def test_a_pt_file_without_ultralytics_says_which_extra_is_missing(tmp_path: Path) -> None:
    (tmp_path / "yolo11n.pt").write_bytes(zip_bytes())
    try:
        import ultralytics  # noqa: F401
    except ImportError:
        with pytest.raises(ModelError, match="needs the `retrain` extra"):
            import_model(tmp_path / "yolo11n.pt", tmp_path / "models")


def test_ordinary_onnx_passes_the_file_check(figure_model: Path) -> None:
    check_onnx((figure_model / MODEL_FILE).read_bytes(), name="figures")


def test_two_class_models_take_people_only(tmp_path: Path) -> None:
    folder = write_figure_model(tmp_path / "two", class_names=("car", "person"))
    (found,) = load_detector(folder).detect([picture((100, 300))])
    assert len(found.scores) == 1
