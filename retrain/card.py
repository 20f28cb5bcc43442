"""Writes the model card: what a model was trained on, by which command, how right it is, what it is not for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from footfall.errors import ModelError
from retrain.dataset import Source, SourceTotals
from retrain.figures import Cost, Figures, SetFigures

if TYPE_CHECKING:
    from pathlib import Path

    from footfall.vision.detector import ModelCard

MODEL_CARD_FILE: Final = "MODEL_CARD.md"
TRAINING_FILE: Final = "training.json"


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """How a model came to be: `training.json` beside it.

    Attributes:
        threshold_f1: on the held-out pictures on which the threshold was chosen.
    """

    command: str
    seed: int
    steps: int
    samples: int
    minutes: float
    device: str
    precision: str
    parameters: int
    packages: dict[str, str]
    teacher: str
    sources: tuple[SourceTotals, ...]
    threshold_f1: float
    figures: Figures


def write_training(folder: Path, record: TrainingRecord) -> None:
    """Write or replace `training.json`."""
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False)
    (folder / TRAINING_FILE).write_text(text + "\n", encoding="utf-8")


def read_training(folder: Path) -> TrainingRecord:
    """Read `training.json`.

    Raises:
        ModelError: it is missing or not understood.
    """
    try:
        content: dict[str, Any] = json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8"))
        figures = content.pop("figures")
        sources = content.pop("sources")
        return TrainingRecord(
            **content,
            sources=tuple(SourceTotals(**{**each, "source": Source(**each["source"])}) for each in sources),
            figures=Figures(
                tuple(SetFigures(**each) for each in figures["sets"]), tuple(Cost(**each) for each in figures["costs"])
            ),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"model {folder.name!r}: {TRAINING_FILE} cannot be read ({type(error).__name__}); expected a folder that "
            "`footfall-retrain embedded` wrote"
        ) from None


def write_card(folder: Path, model: ModelCard, record: TrainingRecord) -> None:
    """Write or replace `MODEL_CARD.md`."""
    size_mb = (folder / "model.onnx").stat().st_size / 1e6
    parts = [
        f"# {model.name}: a small people detector\n",
        f"{model.description}\n",
        "| | |\n|---|---|",
        f"| file | `model.onnx`, {size_mb:.1f} MB, sha256 `{model.sha256}` |",
        "| input | `images`, N × 3 × H × W, RGB in [0, 1]; H and W multiples of 32 |",
        "| output | N × 5 × anchors: center x, center y, width, height in input pixels, confidence |",
        f"| network | slim YOLO11, one class, {record.parameters / 1e6:.2f} million parameters |",
        f"| threshold | {model.threshold:g}; best F1 ({record.threshold_f1:.3f}) on held-out pictures |",
        f"| licence of the weights | {model.licence} |",
        f"| data digest | `{model.data_digest}` |\n",
        "## Made by\n",
        f"```sh\n{record.command}\n```\n",
        f"Seed {record.seed}; {record.steps} steps, {record.samples} samples, {record.minutes:.0f} minutes on "
        f"{record.device} in {record.precision}; teacher: {record.teacher}. With "
        + ", ".join(f"{name} {version}" for name, version in sorted(record.packages.items()))
        + ". The weights start at random; the teacher gave labels, no weights.\n",
        "## Trained on\n",
        "| source | pictures | people | cut-out people | labels | licence | attribution |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {each.source.name} | {each.frames} | {each.boxes} | {each.cutouts} | {each.source.labels} | "
            f"{each.source.licence} | {each.source.attribution or '–'} |"
            for each in record.sources
        ),
        "\nNo picture of these is part of the model folder.\n",
        "## How right it is\n",
        _figures(record.figures),
        _USE,
    ]
    (folder / MODEL_CARD_FILE).write_text("\n".join(parts), encoding="utf-8")


_USE: Final = """## Use

For counting people on fixed cameras out of the box, and where the processor is weak. A stronger detector is one command
away (`footfall models import yolo11n.pt`), and on crowded or distant views it should be taken.

Not for: finding people in danger, watching single persons, access control, evidence, or any decision about a person;
counts that somebody is paid or punished by without an audit of the camera (docs/evaluation.md); views straight from
above, thermal cameras, moving cameras. It has seen drawn people above all and few real ones: how well it finds people
of every skin colour, age, size, dress and in wheelchairs was not measured on real pictures.
"""


_HOW_MEASURED: Final = """Input size 640; detection at IoU 0.5 and each model's own threshold; counting: 1 − errors /
true crossings, all frames. Sets that begin with `sim:` are drawn scenes whose seeds no training has used. The threshold
was chosen on other drawn scenes and on the last quarter of the clip. Counting on many more drawn films, by input size,
frame rate and crowd: docs/evaluation.md.
"""


def _figures(figures: Figures) -> str:
    if not figures.sets:
        return "Not measured.\n"
    lines = [
        _HOW_MEASURED,
        "| set | detector | frames | AP50 | precision | recall | counting | event F1 | stays found / true |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in figures.sets:
        note = " (its first three quarters are training material)" if each.name.startswith("one-by-one") else ""
        stays = "–" if each.visits_true is None else f"{each.visits_found} / {each.visits_true}"
        numbers = (each.ap50, each.precision, each.recall, each.counting, each.event_f1)
        shown = " | ".join("–" if number is None else f"{number:.3f}" for number in numbers)
        lines.append(f"| {each.name}{note} | {each.detector} | {each.frames} | {shown} | {stays} |")
    if figures.costs:
        lines += [
            "\nCPU time per picture, one thread, scaling and decoding included:\n",
            "| input size | camera's picture | this model | the other | ratio |",
            "|---|---|---|---|---|",
            *(
                f"| {cost.input_size} | {cost.picture} | {cost.embedded_ms:.1f} ms | {cost.teacher_ms:.1f} ms | "
                f"{cost.ratio:.2f} |"
                for cost in figures.costs
            ),
        ]
    return "\n".join(lines) + "\n"
