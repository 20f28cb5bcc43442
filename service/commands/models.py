"""`footfall models`: import, list and choose detectors."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003  Typer reads the annotation
from typing import Annotated

import typer

from footfall.config import read_settings

models_app = typer.Typer(help="Import, list and choose detectors.", no_args_is_help=True)


@models_app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(help="YOLO .onnx file, .pt file (needs the `retrain` extra) or model folder.")
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; the file's name without this.")] = None,
) -> None:
    """Check a model and copy it into the models folder."""
    from footfall.vision.models import import_model, model_in_use  # noqa: PLC0415  heavy: not for `--help`

    settings = read_settings()
    folder = import_model(path, settings.models_dir, name=name)
    typer.echo(f"imported {folder.name} into {folder}")
    if model_in_use(settings.models_dir) != folder.name:
        typer.echo(f"to serve with it: footfall models use {folder.name}")


@models_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002  Typer's way
) -> None:
    """Show the imported models and the one that ships with Footfall; the one in use is marked."""
    from footfall.vision.models import embedded_model, list_models, model_in_use  # noqa: PLC0415

    settings = read_settings()
    in_use = settings.model or model_in_use(settings.models_dir)
    embedded = embedded_model()
    models = [*([] if embedded is None else [embedded]), *list_models(settings.models_dir)]
    if as_json:
        typer.echo(
            json.dumps(
                [
                    {
                        "name": each.name,
                        "in_use": each.name == in_use,
                        "sha256": each.sha256,
                        "threshold": each.threshold,
                        "licence": each.licence,
                    }
                    for each in models
                ],
                indent=2,
            )
        )
        return
    if not models:
        typer.echo(f"no model in {settings.models_dir}; import one with `footfall models import FILE`")
    for each in models:
        mark = "*" if each.name == in_use else " "
        typer.echo(f"{mark} {each.name}  sha256 {each.sha256[:12]}  threshold {each.threshold:g}  {each.licence}")


@models_app.command()
def use(name: Annotated[str, typer.Argument(help="Name of an imported model, or embedded.")]) -> None:
    """Choose the model that serving takes at its next start."""
    from footfall.vision.models import use_model  # noqa: PLC0415

    settings = read_settings()
    use_model(name, settings.models_dir)
    typer.echo(f"{name} is in use from the next start on")
