"""That a network says the same whatever runs it, and that `auto` takes what is faster here."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from footfall.vision import runtimes
from footfall.vision.detector import MODEL_FILE, load_detector
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.runtimes import load_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONNX_RUNTIME = "onnxruntime/CPUExecutionProvider"
OPENVINO = "openvino/CPU"
HOW: dict[str, Any] = {"name": "embedded", "input_name": "images", "threads": 2, "usual_shape": (96, 160)}


@pytest.fixture(scope="module")
def content() -> bytes:
    return (EMBEDDED_FOLDER / MODEL_FILE).read_bytes()


def tensors() -> list[NDArray[np.float32]]:
    """Alone and several at once, of more shapes than get a network of their own; each picture has a bar elsewhere."""
    rng = np.random.default_rng(3)
    shapes = ((64, 128), (96, 128), (128, 128), (128, 64), (96, 96), (64, 160))
    given = [0.3 * rng.random((1 + index % 3, 3, *shape), np.float32) for index, shape in enumerate(shapes)]
    for batch in given:
        for number, picture in enumerate(batch):
            picture[:, 10:60, 8 + 16 * number : 24 + 16 * number] += 0.6
    return given


def test_openvino_says_what_onnx_runtime_says_from_several_threads_and_however_often_a_shape_came(
    content: bytes,
) -> None:
    pytest.importorskip("openvino", reason="the `openvino` extra is not installed")
    usual = load_network(content, runtime="onnxruntime", callers=2, **HOW)
    other = load_network(content, runtime="openvino", callers=2, **HOW)
    given = tensors()
    expected = [usual.run(each) for each in given]
    # Some processors compute with 16 bits: two pictures differ by more than that.
    near_px, near_score = 5.0, 0.005
    assert all(np.abs(batch[0] - batch[-1]).max() > 4 * near_px for batch in expected if len(batch) > 1)

    def look(_: int) -> list[NDArray[np.float32]]:
        return [other.run(each) for each in given]

    with ThreadPoolExecutor(2) as threads:
        for told in threads.map(look, range(24)):
            for mine, theirs in zip(told, expected, strict=True):
                np.testing.assert_allclose(mine[:, :4], theirs[:, :4], atol=near_px)
                np.testing.assert_allclose(mine[:, 4:], theirs[:, 4:], atol=near_score)


@pytest.mark.parametrize(
    ("openvino_s", "taken"),
    [
        pytest.param(0.5, OPENVINO, id="faster"),
        pytest.param(0.95, ONNX_RUNTIME, id="faster by less than its memory is worth"),
        pytest.param(1.5, ONNX_RUNTIME, id="slower, as on processors without AVX-512"),
    ],
)
def test_auto_takes_openvino_only_where_it_is_clearly_faster(
    content: bytes, monkeypatch: pytest.MonkeyPatch, openvino_s: float, taken: str
) -> None:
    pytest.importorskip("openvino", reason="the `openvino` extra is not installed")
    monkeypatch.setattr(runtimes, "_seconds", lambda network, _: openvino_s if network.runtime == OPENVINO else 1.0)
    assert load_network(content, runtime="auto", callers=1, **HOW).runtime == taken


def test_auto_measures_what_it_takes(content: bytes) -> None:
    pytest.importorskip("openvino", reason="the `openvino` extra is not installed")
    usual = load_network(content, runtime="onnxruntime", callers=1, **HOW)
    small, large = (np.zeros((1, 3, side, side), np.float32) for side in (64, 640))
    assert 0 < runtimes._seconds(usual, small) < runtimes._seconds(usual, large)
    assert load_network(content, runtime="auto", callers=1, **HOW).runtime in {ONNX_RUNTIME, OPENVINO}


def test_auto_is_onnx_runtime_where_openvino_is_not_installed(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    assert load_network(content, runtime="auto", callers=1, **HOW).runtime == ONNX_RUNTIME


def test_a_model_that_openvino_cannot_run_is_run_by_onnx_runtime(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = pytest.importorskip("openvino", reason="the `openvino` extra is not installed")

    class NoDevice:
        def read_model(self, _: bytes) -> None:
            raise RuntimeError("an operation that this build does not know")

    monkeypatch.setattr(openvino, "Core", NoDevice)
    assert load_network(content, runtime="auto", callers=1, **HOW).runtime == ONNX_RUNTIME


def test_a_detector_can_be_asked_to_choose() -> None:
    detector = load_detector(EMBEDDED_FOLDER, runtime="auto", threads=1, input_size=128)
    assert detector.runtime in {ONNX_RUNTIME, OPENVINO}
    assert len(detector.detect([np.zeros((72, 128, 3), np.uint8)])) == 1
