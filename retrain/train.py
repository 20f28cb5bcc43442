"""Trains networks, from nothing or from a model in use; the only file that knows PyTorch and Ultralytics.

A model in use is learned on from its `model.onnx`, whose digest its card pins: no pickle is ever opened.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self

import numpy as np
import onnx

from footfall.errors import ModelError, TrainingError
from footfall.vision.detector import MODEL_FILE, check_onnx, read_card, sha256_of

# Ultralytics reads these when it is loaded: nothing is fetched, installed or reported.
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ.setdefault("YOLO_VERBOSE", "false")

try:
    import torch
    from torch import nn
except ImportError:
    raise TrainingError(
        "training needs PyTorch and Ultralytics, which are not installed; expected the `retrain` extra: "
        "`make setup-retrain` or `pip install footfall[retrain]`"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from retrain.sampler import Sample

Device = Literal["auto", "cpu", "cuda"]
NETWORK_FILE: Final = Path(__file__).with_name("embedded.yaml")
OPSET: Final = 17

_KNOWN_NETWORKS: Final = (str(NETWORK_FILE), *(f"yolo11{size}.yaml" for size in "nsm"), "yolov8n.yaml", "yolov8s.yaml")
"""Networks whose weights can be read back from ONNX, ours first."""
LOSSES: Final = ("box", "cls", "dfl")
"""Parts of the loss as Ultralytics names and weighs them: overlap of boxes, who is a person, where edges are."""
_LEAST_LEARNING_RATE: Final = 0.02  # of the full one
_WEIGHT_DECAY: Final = 0.01
_AVERAGE_DECAY: Final = 0.998
_LONGEST_GRADIENT: Final = 10.0


class Sampling(Protocol):
    """Whatever draws training samples."""

    def sample(self, rng: np.random.Generator, height_px: int, width_px: int, *, plain: bool) -> Sample:
        """Make one sample; see `Sampler.sample`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a training goes.

    Attributes:
        learning_rate: at its highest, after `warm_up_steps`.
        crop_sizes_px: (height, width) of samples that are parts of pictures, at every scale.
        whole_sizes_px: the same of whole pictures, as serving sees them.
        whole_since, whole_share: from this share of the training on, this share of the batches are whole pictures.
        pixels_per_batch: of all samples of a batch together; at least four are taken.
        frozen_share: of the layers, from the picture on, so many learn nothing.
    """

    learning_rate: float
    warm_up_steps: int
    crop_sizes_px: tuple[tuple[int, int], ...]
    whole_sizes_px: tuple[tuple[int, int], ...]
    whole_since: float
    pixels_per_batch: int
    whole_share: float = 1.0
    frozen_share: float = 0.0


FROM_NOTHING: Final = Pace(
    learning_rate=0.0015,
    warm_up_steps=200,
    crop_sizes_px=((256, 256), (320, 320), (320, 320), (352, 352), (384, 384)),
    whole_sizes_px=((384, 640), (384, 640), (352, 640), (480, 640), (320, 512), (192, 320), (256, 320)),
    whole_since=0.5,
    whole_share=0.5,
    pixels_per_batch=16 * 320 * 320,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is.

    Attributes:
        loss: mean since the last report; losses: its parts by name (`LOSSES`), which sum to it.
        samples: that were learned from so far.
        share: of the whole training, in [0, 1].
    """

    step: int
    share: float
    loss: float
    losses: Mapping[str, float]
    samples: int
    samples_per_s: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a training ends: after a number of steps (the same again next time), or when its time is up.

    Attributes:
        seconds: wall time.
        steps: exact number; then `seconds` is not looked at.
    """

    seconds: float
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class Taught:
    """What a training took.

    Attributes:
        gpu_memory_mb: at its peak; None without a GPU.
    """

    steps: int
    samples: int
    seconds: float
    device: str
    precision: str
    gpu_memory_mb: float | None = None


class Network:
    """The network with its weights; answers like an exported model does."""

    runtime = "torch"
    fixed_size: int | None = None

    def __init__(self, model: Any, device: torch.device) -> None:  # noqa: ANN401  Ultralytics has no types
        self.model = model
        self.device = device

    @classmethod
    def untrained(cls, *, seed: int, device: Device = "auto") -> Self:
        """Build the network with random weights.

        Raises:
            TrainingError: Ultralytics is missing, or there is no such device.
        """
        torch.manual_seed(seed)
        chosen = _device(device)
        return cls(_build(str(NETWORK_FILE), classes=1).to(chosen), chosen)

    @classmethod
    def of_model(cls, folder: Path, *, device: Device = "auto") -> Self:
        """Build the network of a model folder with its weights; of several classes only the people stay.

        Its normalisation has become part of the convolutions when it was written, and stays so.

        Raises:
            TrainingError: it is none of the networks that are known here, or several of its classes are people.
            ModelError: the file is not what its card says.
        """
        card = read_card(folder)
        path = folder / MODEL_FILE
        if sha256_of(path) != card.sha256:
            raise ModelError(f"model {card.name!r}: {MODEL_FILE} is not what its card says; it is not trained on")
        check_onnx(path.read_bytes(), name=card.name)
        if len(card.person_classes) != 1:
            raise TrainingError(f"model {card.name!r}: has {len(card.person_classes)} classes of people, expected one")
        weights = {
            each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(str(path)).graph.initializer if each.name
        }
        # With 8 bits there is nothing to be learned on from, and no network need be built to see that.
        for network in () if any(name.endswith("_quantized") for name in weights) else _KNOWN_NETWORKS:
            model = _build(network, classes=len(card.class_names)).eval().fuse(verbose=False)
            shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
            if _fit(weights, shapes):
                model.load_state_dict({name: torch.from_numpy(weights[name].copy()) for name in shapes})
                _keep_class(model, card.person_classes[0])
                chosen = _device(device)
                return cls(model.to(chosen), chosen)
        known = ", ".join(Path(each).stem for each in _KNOWN_NETWORKS)
        raise TrainingError(
            f"model {card.name!r}: its weights belong to none of the networks that can be trained here ({known}), or "
            "were written with 8 bits; expected a model with floats of one of them"
        )

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer pictures: (N, 3, H, W) float32 RGB in [0, 1] → (N, 5, anchors) float32 cx, cy, w, h, score."""
        self.model.eval()
        with torch.inference_mode():
            answer = self.model(torch.from_numpy(tensor).to(self.device))
        answer = answer[0] if isinstance(answer, (tuple, list)) else answer
        return np.asarray(answer.float().cpu().numpy(), np.float32)

    def write_onnx(self, path: Path) -> None:
        """Write the network: input `images` (batch, 3, height, width), output `output0` (batch, 5, anchors)."""
        model = deepcopy(self.model).cpu().float().eval().fuse(verbose=False)
        head = model.model[-1]
        head.export, head.format, head.dynamic = True, "onnx", True
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        example = torch.zeros(1, 3, 256, 320)
        model(example)  # builds the grid
        torch.onnx.export(
            model,
            (example,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["output0"],
            dynamic_axes={"images": {0: "batch", 2: "height", 3: "width"}, "output0": {0: "batch", 2: "anchors"}},
        )

    def learning_parameters(self) -> int:
        """How many of them were allowed to change."""
        return sum(each.numel() for each in self.model.parameters() if each.requires_grad)

    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def is_ours(folder: Path) -> bool:
    """Whether a model folder holds the network of the embedded detector, which was trained on drawn scenes.

    Raises:
        TrainingError: Ultralytics is missing.
    """
    weights = {each.name: tuple(each.dims) for each in onnx.load(str(folder / MODEL_FILE)).graph.initializer}
    model = _build(str(NETWORK_FILE), classes=1).eval().fuse(verbose=False)
    return all(weights.get(name) == tuple(value.shape) for name, value in model.state_dict().items())


def teach(
    network: Network,
    sampler: Sampling,
    *,
    schedule: Schedule,
    seed: int,
    report: Callable[[Progress], None],
    pace: Pace = FROM_NOTHING,
    report_every_s: float = 30.0,
) -> Taught:
    """Train until the schedule is done; the network holds the running mean of its weights afterwards.

    Raises:
        TrainingError: the loss is not a number any more.
    """
    started = time.monotonic()
    told = multiprocessing.get_context("fork").Value("d", 0.0)
    criterion = network.model.init_criterion()
    averaged = deepcopy(network.model).eval()
    model = network.model.train().to(memory_format=torch.channels_last)
    _freeze(model, pace.frozen_share)
    optimizer = torch.optim.AdamW(_groups(model), lr=pace.learning_rate, betas=(0.9, 0.999))
    precision = _precision(network.device)
    done = samples = 0
    losses: list[NDArray[np.float64]] = []
    reported_at = started
    reported_samples = 0
    for batch in _batches(sampler, schedule.steps, told, seed, pace):
        share = (time.monotonic() - started) / schedule.seconds if schedule.steps is None else done / schedule.steps
        told.value = share
        if share >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = pace.learning_rate * _rate(done, share, pace.warm_up_steps)
        pictures = batch["img"].to(network.device).float().div(255)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast(network.device.type, dtype=precision, enabled=precision != torch.float32):
            answers = model(pictures)
        # Distances and overlaps lose too much in 16 bits.
        answers = {
            name: [each.float() for each in value] if isinstance(value, (list, tuple)) else value.float()
            for name, value in answers.items()
        }
        parts = criterion(answers, batch)[0] / len(pictures)
        loss = parts.sum()
        if not torch.isfinite(loss):
            raise TrainingError(f"training: the loss is {loss.item()} at step {done}; no model was written")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), _LONGEST_GRADIENT)
        optimizer.step()
        _average(averaged, model, min(_AVERAGE_DECAY, (1 + done) / (10 + done)))
        done += 1
        samples += len(pictures)
        losses.append(parts.detach().double().cpu().numpy())
        now = time.monotonic()
        if now - reported_at >= report_every_s or done == 1:
            samples_per_s = (samples - reported_samples) / max(now - reported_at, 1e-9)
            mean = np.mean(losses, axis=0)
            by_part = {name: float(each) for name, each in zip(LOSSES, mean, strict=True)}
            report(Progress(done, share, float(mean.sum()), by_part, samples, samples_per_s))
            reported_at, reported_samples, losses = now, samples, []
    network.model = averaged
    return Taught(
        done,
        samples,
        time.monotonic() - started,
        str(network.device),
        str(precision).removeprefix("torch."),
        gpu_memory_mb(network.device),
    )


def gpu_name() -> str | None:
    """Name of the GPU that a training would use; None without one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def gpu_memory_mb(device: torch.device) -> float | None:
    """Most memory of a GPU that was in use by now; None on a processor."""
    return round(torch.cuda.max_memory_allocated(device) / 1e6, 1) if device.type == "cuda" else None


def _rate(done: int, share: float, warm_up_steps: int) -> float:
    """Of the full learning rate: up over the first steps, then down along half a cosine."""
    cosine = _LEAST_LEARNING_RATE + (1 - _LEAST_LEARNING_RATE) * (1 + float(np.cos(np.pi * share))) / 2
    return cosine * min(1.0, (done + 1) / warm_up_steps)


class _Batches(torch.utils.data.IterableDataset):  # type: ignore[misc]  # torch is not followed
    """Endless batches; which sizes they have depends on how far the training is.

    Args:
        steps: of the whole training; None when time decides.
        told: how far it is then, in [0, 1]; shared with the training process.
    """

    def __init__(self, sampler: Sampling, steps: int | None, told: Any, seed: int, pace: Pace) -> None:  # noqa: ANN401
        self._pace = pace
        self._sampler = sampler
        self._steps = steps
        self._told = told
        self._seed = seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        import cv2  # noqa: PLC0415

        cv2.setNumThreads(0)  # beside the training, more threads only get in each other's way
        worker = torch.utils.data.get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        while True:
            yield self._batch(number)
            number += workers

    def _batch(self, number: int) -> dict[str, torch.Tensor]:
        rng = np.random.Generator(np.random.PCG64([self._seed, number]))
        # By number where it can be told: batches are made ahead, how far depends on the machine's mood.
        done = self._told.value if self._steps is None else number / self._steps
        plain = done >= self._pace.whole_since and rng.random() < self._pace.whole_share
        sizes = self._pace.whole_sizes_px if plain else self._pace.crop_sizes_px
        height, width = sizes[int(rng.integers(len(sizes)))]
        count = max(4, round(self._pace.pixels_per_batch / (height * width)))
        pictures = np.empty((count, 3, height, width), np.uint8)
        boxes, owners = [], []
        for index in range(count):
            sample = self._sampler.sample(rng, height, width, plain=plain)
            pictures[index] = sample.picture[:, :, ::-1].transpose(2, 0, 1)
            boxes.append(sample.boxes_px)
            owners.append(np.full(len(sample.boxes_px), index, np.float32))
        x0, y0, x1, y1 = np.concatenate(boxes).T
        shares = np.stack(
            ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height), axis=1
        )
        return {
            "img": torch.from_numpy(pictures),
            "cls": torch.zeros(len(shares), 1),
            "bboxes": torch.from_numpy(shares.astype(np.float32)),
            "batch_idx": torch.from_numpy(np.concatenate(owners)),
        }


def _batches(
    sampler: Sampling,
    steps: int | None,
    told: Any,  # noqa: ANN401  a shared number
    seed: int,
    pace: Pace,
) -> Iterator[dict[str, torch.Tensor]]:
    cores = os.cpu_count() or 1
    loader = torch.utils.data.DataLoader(
        _Batches(sampler, steps, told, seed, pace),
        batch_size=None,
        num_workers=max(1, min(12, cores - 1)),
        prefetch_factor=4,
        multiprocessing_context="fork",
        # Libraries in the workers mix the loader's seed into theirs; without one of its own it is another each time.
        generator=torch.Generator().manual_seed(seed),
    )
    yield from loader


def _build(network: str, *, classes: int) -> Any:  # noqa: ANN401  Ultralytics has no types
    with _quiet_settings():
        try:
            from ultralytics.cfg import get_cfg  # noqa: PLC0415
            from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415
        except ImportError as error:
            raise TrainingError(
                f"training needs Ultralytics ({error}); expected the `retrain` extra: `make setup-retrain`"
            ) from None
        model = DetectionModel(network, ch=3, nc=classes, verbose=False)
        model.args = get_cfg()
    model.names = {0: "person"}
    return model


def _fit(weights: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> bool:
    return all(name in weights and weights[name].shape == shape for name, shape in shapes.items())


def _keep_class(model: Any, index: int) -> None:  # noqa: ANN401
    """Let the head answer for one class only."""
    head = model.model[-1]
    for branch in head.cv3:
        last = branch[-1]
        smaller = nn.Conv2d(last.in_channels, 1, 1)
        smaller.weight.data = last.weight.data[index : index + 1].clone()
        smaller.bias.data = last.bias.data[index : index + 1].clone()
        branch[-1] = smaller
    head.nc, head.no = 1, 1 + 4 * head.reg_max
    model.nc = 1


def _freeze(model: Any, share: float) -> None:  # noqa: ANN401
    """Let the first layers as they are; everything after them learns, also what was fused."""
    bound = round(share * len(model.model))
    for number, layer in enumerate(model.model):
        for name, parameter in layer.named_parameters():
            # The sum over a distribution of distances is no weight to learn.
            parameter.requires_grad_(number >= bound and not name.startswith("dfl."))


def _groups(model: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Weights that decay (of convolutions), and those that must not (biases, normalisation)."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": _WEIGHT_DECAY},
        {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0},
    ]


def _average(averaged: Any, model: Any, decay: float) -> None:  # noqa: ANN401
    with torch.no_grad():
        new = model.state_dict()
        for name, value in averaged.state_dict().items():
            if value.dtype.is_floating_point:
                value.lerp_(new[name].to(value.dtype), 1 - decay)
            else:
                value.copy_(new[name])


def _device(wanted: Device) -> torch.device:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device 'cuda': PyTorch sees no such device; expected a driver and a CUDA build of PyTorch")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _precision(device: torch.device) -> torch.dtype:
    """16 bits where the hardware computes with them, 32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.bfloat16 if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16") else torch.float32


@contextlib.contextmanager
def _quiet_settings() -> Iterator[None]:
    """Keep Ultralytics from writing its settings into the home folder."""
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="footfall-") as folder:
        before = os.environ.get("YOLO_CONFIG_DIR")
        os.environ["YOLO_CONFIG_DIR"] = before or folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["YOLO_CONFIG_DIR"]
