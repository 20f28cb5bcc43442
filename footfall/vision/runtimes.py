"""Runs a network in ONNX Runtime or OpenVINO; the only file that knows the inference runtimes."""

from __future__ import annotations

import importlib.util
import math
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, TypeVar

import numpy as np
import structlog

from footfall.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Runtime = Literal["auto", "onnxruntime", "openvino"]

_log = structlog.get_logger(__name__)
_N = TypeVar("_N")
_WORTH_IT: Final = 0.9
"""OpenVINO must take less than this share of the time: it needs more memory, and times are not exact."""
_TRIAL_RUNS: Final = 20
_TRIAL_S: Final = 0.4


class Network(Protocol):
    """A loaded network; any number of threads may run it.

    Attributes:
        runtime: what runs it, and on what.
        fixed_size: side in pixels of the only input it takes; None when height and width are free.
    """

    runtime: str
    fixed_size: int | None

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (N, 3, H, W) float32 into the network's output, (N, …) float32."""


@dataclass(frozen=True, slots=True)
class _Content:
    """A model that was checked: its bytes, its name for messages, and its input."""

    onnx: bytes
    name: str
    input_name: str


class _ByShape(Generic[_N]):
    """Networks of one picture shape each, for the shapes that come often; the others share the one for all.

    What depends on shapes alone is worked out once there: ONNX Runtime saves a sixteenth of the small detector's time,
    OpenVINO a fifth.

    Args:
        load: makes the network of a height and width; gives the one for all back where the model cannot have its own.
    """

    _MOST: Final = 4  # each takes up to twice the model's memory, in OpenVINO for each thread that asks
    _OFTEN: Final = 10  # pictures of a shape before it gets its own: one that is tried out does not

    def __init__(self, for_all: _N, load: Callable[[tuple[int, ...]], _N]) -> None:
        self._for_all = for_all
        self._load = load
        self._runs: Counter[tuple[int, ...]] = Counter()
        self._own: dict[tuple[int, ...], _N] = {}
        self._loading = threading.Lock()

    def of(self, size: tuple[int, ...]) -> _N:
        """The network for pictures of this height and width; from any thread."""
        own = self._own.get(size)
        if own is not None:
            return own
        self._runs[size] += 1
        if (
            self._runs[size] < self._OFTEN
            or len(self._own) >= self._MOST
            or not self._loading.acquire(blocking=False)  # who comes meanwhile does not wait
        ):
            return self._for_all
        try:
            self._own[size] = self._load(size)
        except Exception:  # noqa: BLE001  it runs as it is: no reason to find nobody
            self._own[size] = self._for_all
        finally:
            self._loading.release()
        return self._own[size]


class _OnnxRuntimeNetwork:
    """The model as ONNX Runtime runs it; on a CPU pictures one by one, as a batch saves nothing there."""

    def __init__(self, content: _Content, threads: int, callers: int) -> None:
        import onnxruntime  # noqa: PLC0415  0.2 s and 40 MB that not every command needs

        def load(shape: dict[str, int]) -> Any:  # noqa: ANN401  a session: the library is imported here only
            options = onnxruntime.SessionOptions()
            # Callers run beside each other, each on its own threads: a picture on one core costs less than on two.
            options.intra_op_num_threads = max(1, (threads or os.cpu_count() or 1) // callers)
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            # Plans of memory are kept for every input shape: 50 MB for no speed.
            options.enable_mem_pattern = False
            # Threads that spin while they wait take the cores from decoding.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            for name, size in shape.items():
                options.add_free_dimension_override_by_name(name, size)
            return onnxruntime.InferenceSession(content.onnx, options, providers=_providers(onnxruntime))

        try:
            self._session = load({})
        except Exception as error:  # noqa: BLE001  the runtime's own exceptions have no common base
            raise ModelError(
                f"model {content.name!r}: ONNX Runtime cannot load it ({_first_line(error)}); it is refused"
            ) from None
        names = [entry.name for entry in self._session.get_inputs()]
        if content.input_name not in names:
            raise ModelError(
                f"model {content.name!r}: has no input {content.input_name!r}, only {names}; it is refused"
            )
        self._input_name = content.input_name
        self._output_name = self._session.get_outputs()[0].name
        dimensions = self._session.get_inputs()[names.index(content.input_name)].shape
        self.fixed_size = _fixed_size(dimensions, content.name)
        self.runtime = f"onnxruntime/{self._session.get_providers()[0]}"
        self._is_single = isinstance(dimensions[0], int)
        is_on_cpu = self._session.get_providers()[0] == "CPUExecutionProvider"

        def load_for(size: tuple[int, ...]) -> Any:  # noqa: ANN401  see above
            free = [(name, side) for name, side in zip(dimensions, (1, 3, *size), strict=True) if isinstance(name, str)]
            # Two sides of one name can only be a square.
            if not is_on_cpu or not free or len(dict(free)) < len(free):
                return self._session
            return load(dict(free))

        self._sessions = _ByShape(self._session, load_for)

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        session = self._sessions.of(tensor.shape[2:])
        one_by_one = self._is_single or session is not self._session
        parts = np.split(tensor, len(tensor)) if one_by_one and len(tensor) > 1 else [tensor]
        outputs = [session.run([self._output_name], {self._input_name: part})[0] for part in parts]
        result: NDArray[np.float32] = np.concatenate(outputs) if len(outputs) > 1 else outputs[0]
        return result


def _providers(onnxruntime: Any) -> list[str]:  # noqa: ANN401  the module itself
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    available = onnxruntime.get_available_providers()
    return [name for name in wanted if name in available]


def _fixed_size(shape: Sequence[Any], name: str) -> int | None:
    """Side of a model whose input size is baked in; None when height and width are free."""
    if len(shape) != 4:
        raise ModelError(f"model {name!r}: input has {len(shape)} dimensions, expected 4 (N, 3, H, W); it is refused")
    height, width = shape[2], shape[3]
    if not isinstance(height, int) or not isinstance(width, int):
        return None
    if height != width:
        raise ModelError(
            f"model {name!r}: input is fixed to {height}x{width}, expected a free size or a square; it is refused"
        )
    return height


class _Compiled:
    """A model of OpenVINO that each thread compiles for itself, and runs itself: handing a picture over costs more."""

    def __init__(self, compile_model: Callable[[], Any]) -> None:
        self._compile = compile_model
        self._requests = threading.local()
        self._request()  # a model that cannot be compiled says so now

    def infer(self, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = self._request().infer(inputs)[0].copy()
        return result

    def _request(self) -> Any:  # noqa: ANN401  the library is imported in one place only
        request = getattr(self._requests, "own", None)
        if request is None:
            request = self._requests.own = self._compile().create_infer_request()
        return request


class _OpenVinoNetwork:
    """The model as OpenVINO runs it; pictures one by one where they have a network of their shape."""

    runtime = "openvino/CPU"

    def __init__(self, content: _Content, threads: int, callers: int) -> None:
        try:
            import openvino  # noqa: PLC0415  optional
        except ImportError:
            raise ModelError(
                "runtime 'openvino' is not installed; install it with `pip install footfall[openvino]` or set "
                "FOOTFALL_RUNTIME=onnxruntime"
            ) from None
        core = openvino.Core()
        threads = threads or os.cpu_count() or 1
        how = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": max(1, threads // callers),
            "ENABLE_CPU_PINNING": False,  # cameras are decoded on the same cores
        }

        def compiled(model: Any) -> _Compiled:  # noqa: ANN401  see above
            return _Compiled(lambda: core.compile_model(model, "CPU", how))

        try:
            model = core.read_model(content.onnx)
            shape = [
                None if each.is_dynamic else each.get_length() for each in model.input(content.input_name).partial_shape
            ]
            self.fixed_size = _fixed_size(shape, content.name)
            self._for_all = compiled(model)
        except RuntimeError as error:
            raise ModelError(
                f"model {content.name!r}: OpenVINO cannot load it ({_first_line(error)}); it is refused"
            ) from None
        self._input_name = content.input_name
        self._is_single = shape[0] is not None

        def load_for(size: tuple[int, ...]) -> _Compiled:
            if None not in shape:
                return self._for_all
            of_shape = model.clone()
            of_shape.reshape({content.input_name: [1, 3, *size]})
            return compiled(of_shape)

        self._networks = _ByShape(self._for_all, load_for)

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        network = self._networks.of(tensor.shape[2:])
        one_by_one = self._is_single or network is not self._for_all
        parts = np.split(tensor, len(tensor)) if one_by_one and len(tensor) > 1 else [tensor]
        outputs = [network.infer({self._input_name: part}) for part in parts]
        return np.concatenate(outputs) if len(outputs) > 1 else outputs[0]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _seconds(network: Network, tensor: NDArray[np.float32]) -> float:
    """The shortest of a few runs: what else the machine does only makes them longer."""
    begin_s, shortest_s, runs = time.perf_counter(), math.inf, 0
    # Enough for a network of this shape, unless that takes too long.
    while runs < _TRIAL_RUNS and (runs < 3 or time.perf_counter() - begin_s < _TRIAL_S):
        before_s = time.perf_counter()
        network.run(tensor)
        shortest_s = min(shortest_s, time.perf_counter() - before_s)
        runs += 1
    return shortest_s


def _faster(content: _Content, threads: int, callers: int, usual_shape: tuple[int, int]) -> Network:
    """The network in the runtime that is faster with it on this machine."""
    usual = _OnnxRuntimeNetwork(content, threads, callers)
    if usual.runtime != "onnxruntime/CPUExecutionProvider" or importlib.util.find_spec("openvino") is None:
        return usual
    side = usual.fixed_size
    tensor = np.full((1, 3, *((side, side) if side else usual_shape)), 0.45, np.float32)
    try:
        other = _OpenVinoNetwork(content, threads, callers)
        theirs_s, usual_s = _seconds(other, tensor), _seconds(usual, tensor)
    except Exception as error:  # noqa: BLE001  an optional runtime that fails is no reason to count nobody
        _log.info("OpenVINO cannot run the model; ONNX Runtime does", model=content.name, error=_first_line(error))
        return usual
    return other if theirs_s < _WORTH_IT * usual_s else usual


def load_network(
    onnx: bytes,
    *,
    name: str,
    input_name: str,
    runtime: Runtime,
    threads: int,
    callers: int,
    usual_shape: tuple[int, int],
) -> Network:
    """Load a model that was checked.

    Args:
        name: of the model, for messages.
        runtime: `auto` takes OpenVINO where it is installed and faster with this model on this machine, which is
            measured here in up to a second, else ONNX Runtime.
        threads, callers: see `load_detector`.
        usual_shape: height and width in pixels to measure with.

    Raises:
        ModelError: the runtime cannot load it.
    """
    content = _Content(onnx, name, input_name)
    if runtime == "auto":
        return _faster(content, threads, callers, usual_shape)
    if runtime == "openvino":
        return _OpenVinoNetwork(content, threads, callers)
    return _OnnxRuntimeNetwork(content, threads, callers)
