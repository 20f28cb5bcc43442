"""Model folders on disk: import a bare YOLO file, list them, find the one in use; runs no training code.

The model `embedded` ships with the package and serves until another one is imported.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from footfall.domain import ModelVersion
from footfall.errors import ModelError
from footfall.vision.detector import CARD_FILE, MODEL_FILE, ModelCard, check_onnx, load_detector, read_card, sha256_of

_IN_USE_FILE: Final = "in-use"
EMBEDDED: Final = "embedded"
EMBEDDED_FOLDER: Final = Path(__file__).parents[1] / "models" / EMBEDDED
_PERSON_NAMES: Final = frozenset({"person", "people", "pedestrian", "human", "head"})
_COCO_CLASSES: Final = 80


def import_model(source: Path, models_dir: Path, *, name: str | None = None) -> Path:
    """Make a model folder from a model folder, a bare YOLO `.onnx`, or a `.pt` file (needs the `retrain` extra).

    The folder appears whole or not at all.

    Returns:
        The new folder, `models_dir / name`.

    Raises:
        ModelError: the file cannot be trusted or understood, or the name is taken by another model.
    """
    if not source.exists():
        raise ModelError(f"model {str(source)!r}: there is no such file or folder; expected a .onnx or .pt file")
    name = name or re.sub(r"[^A-Za-z0-9_.-]", "-", source.stem)
    if name == EMBEDDED:
        raise ModelError(f"model {name!r}: is the name of the model that ships with Footfall; give one with --name")
    models_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models_dir, prefix=".import-") as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        if source.is_dir():
            card = read_card(source)
            shutil.copyfile(source / MODEL_FILE, folder / MODEL_FILE)
        else:
            onnx = _export(source, Path(scratch)) if source.suffix == ".pt" else source
            shutil.copyfile(onnx, folder / MODEL_FILE)
            card = describe_onnx(folder / MODEL_FILE, name=name, source=source.name)
        card = card.model_copy(update={"name": name})
        (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        load_detector(folder)  # a folder that cannot serve is never shown
        target = models_dir / name
        if target.exists():
            if read_card(target).sha256 == card.sha256:
                return target
            raise ModelError(f"model {name!r}: another model has this name already; give one with --name")
        folder.replace(target)
    return target


def describe_onnx(path: Path, *, name: str, source: str) -> ModelCard:
    """Read what a bare YOLO ONNX file says of itself.

    Raises:
        ModelError: not ONNX, no input of a picture, or nothing in it is a person.
    """
    import onnxruntime  # noqa: PLC0415  0.2 s that listing models does not need

    content = path.read_bytes()
    check_onnx(content, name=name)
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  the runtime's own exceptions have no common base
        raise ModelError(f"model {name!r}: ONNX Runtime cannot load it ({str(error)[:160]}); it is refused") from None
    metadata = session.get_modelmeta().custom_metadata_map
    outputs = session.get_outputs()[0].shape
    rows = outputs[1] if len(outputs) == 3 and isinstance(outputs[1], int) else None
    class_names = _class_names(metadata.get("names"), None if rows is None else rows - 4)
    person_classes = [index for index, label in enumerate(class_names) if label.lower() in _PERSON_NAMES]
    if not person_classes:
        raise ModelError(
            f"model {name!r}: none of its {len(class_names)} classes is a person ({', '.join(class_names[:5])} …); "
            f"expected a class named one of {', '.join(sorted(_PERSON_NAMES))}"
        )
    return ModelCard(
        name=name,
        description=metadata.get("description", ""),
        sha256=sha256_of(path),
        input_name=session.get_inputs()[0].name,
        stride=int(metadata.get("stride", 32)),
        class_names=class_names,
        person_classes=person_classes,
        licence=metadata.get("license", "unknown"),
        source=source,
    )


def list_models(models_dir: Path) -> list[ModelVersion]:
    """Return the imported models by name; empty when there are none. Broken folders are left out."""
    if not models_dir.is_dir():
        return []
    folders = [each for each in sorted(models_dir.iterdir()) if each.is_dir() and not each.name.startswith(".")]
    return [version for folder in folders if (version := _version(folder)) is not None]


def embedded_model(folder: Path = EMBEDDED_FOLDER) -> ModelVersion | None:
    """Return the model that ships with Footfall; None in an installation without it."""
    return _version(folder)


def _version(folder: Path) -> ModelVersion | None:
    try:
        card = read_card(folder)
    except ModelError:
        return None
    return ModelVersion(folder.name, card.sha256, card.threshold, card.licence, card.description)


def model_in_use(models_dir: Path, *, embedded: Path = EMBEDDED_FOLDER) -> str | None:
    """Return what serves where nothing was ever promoted: the only imported model, else the embedded one.

    Footfall 0.1 before it had a registry kept what people had chosen in a file, which holds until there is a champion.
    None when several were imported and none was chosen, or when there is no model at all.
    """
    try:
        return (models_dir / _IN_USE_FILE).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        names = [model.name for model in list_models(models_dir)]
        if not names and embedded_model(embedded) is not None:
            return EMBEDDED
        return names[0] if len(names) == 1 else None


def resolve_model(model: str | None, models_dir: Path, *, embedded: Path = EMBEDDED_FOLDER) -> Path:
    """Find the model folder to serve with.

    Args:
        model: a name in `models_dir`, `embedded`, a model folder, a bare YOLO `.onnx` file (imported on the way), or
            None for the one in use.
        embedded: folder of the model that ships with Footfall.

    Raises:
        ModelError: nothing fits; says how to get a model.
    """
    chosen = model or model_in_use(models_dir, embedded=embedded)
    known = ", ".join(each.name for each in list_models(models_dir))
    if chosen is None and known:
        raise ModelError(
            f"no detector: several models were imported ({known}) and none was promoted; choose one with "
            "`footfall models use NAME`, or name one with --model or FOOTFALL_MODEL"
        )
    if chosen is None:
        raise ModelError(
            f"no detector: no model was imported into {models_dir}; import one with `footfall models import FILE` "
            "(a YOLO .onnx or .pt file), or name one with --model or FOOTFALL_MODEL"
        )
    if re.fullmatch(r"[A-Za-z0-9_.-]+", chosen) and (models_dir / chosen / CARD_FILE).is_file():
        return models_dir / chosen
    if chosen == EMBEDDED and embedded_model(embedded) is not None:
        return embedded
    path = Path(chosen)
    if (path / CARD_FILE).is_file():
        return path
    if path.is_file():
        name = f"{path.stem}-{sha256_of(path)[:12]}"
        try:
            return import_model(path, models_dir, name=name)
        except OSError as error:
            raise ModelError(
                f"model {chosen!r}: a bare file is imported before it is used, and {models_dir} cannot be written "
                f"({error.strerror}); set FOOTFALL_DATA_DIR to a folder of yours"
            ) from None
    raise ModelError(
        f"model {chosen!r}: neither an imported model ({known or 'there are none'}), nor a model folder, nor a .onnx "
        "file"
    )


def _class_names(text: str | None, count: int | None) -> list[str]:
    """Names in the order of the output rows; files without names and with 80 classes are taken for COCO."""
    if text:
        try:
            names: Any = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            names = json.loads(text)
        if isinstance(names, dict):
            return [str(names[key]) for key in sorted(names, key=int)]
        return [str(each) for each in names]
    if count == 1:
        return ["person"]
    if count == _COCO_CLASSES:
        return ["person", *(f"class-{index}" for index in range(1, _COCO_CLASSES))]
    raise ModelError(
        f"the ONNX file names no classes and has {count} of them, so which one is a person is unknown; export it with "
        "its class names in the metadata (`names`), as Ultralytics does"
    )


def _export(source: Path, scratch: Path) -> Path:
    """Convert a `.pt` checkpoint with Ultralytics; only weights and layers that it knows are read, no code is run.

    Raises:
        ModelError: it holds anything else, or PyTorch or Ultralytics cannot read it so.
    """
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "true"  # read when it is loaded
    try:
        from ultralytics import YOLO  # noqa: PLC0415  the `retrain` extra
        from ultralytics.nn import tasks  # noqa: PLC0415
    except ImportError:
        raise ModelError(
            f"model {source.name!r}: a .pt file needs the `retrain` extra (`pip install footfall[retrain]`); or "
            "convert it elsewhere and import the .onnx file"
        ) from None
    copy = scratch / source.name
    shutil.copyfile(source, copy)  # Ultralytics writes beside its input
    if not tasks._SafeLoad.SUPPORTED:  # noqa: SLF001  it would quietly load what may be code
        raise ModelError(f"model {source.name!r}: PyTorch is older than 2.6 and cannot read weights alone; not opened")
    try:
        # Also where it was loaded before, without the setting: these bytes are what is read again below.
        tasks.torch_safe_load(str(copy), safe_only=True)
    except Exception as error:  # noqa: BLE001  unpicklers raise what they like
        told = str(error).strip().partition("\n")[0][:160]
        raise ModelError(
            f"model {source.name!r}: cannot be read as weights alone ({type(error).__name__}: {told}); no code of it "
            "was run. Convert it to .onnx where you trust it, and import that"
        ) from None
    return Path(YOLO(str(copy)).export(format="onnx", dynamic=True, simplify=False))
