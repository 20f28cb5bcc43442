"""`footfall models`: import detectors, choose who serves, try one out, go back, tell who did what."""

from __future__ import annotations

import getpass
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  Typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footfall.config import read_settings
from footfall.errors import UnknownRecordError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from footfall.config import Settings
    from footfall.domain import ModelAliases, ModelChange, ModelVersion, RegisteredModel
    from footfall.stores.database import Database
    from footfall.stores.registry import Outcome, Registry

models_app = typer.Typer(
    help="Import detectors, choose who serves, try one out on some cameras, go back.", no_args_is_help=True
)


NameArgument = Annotated[str, typer.Argument(help="Name of a model, or first digits of its sha256.")]
WhyOption = Annotated[str, typer.Option(help="For the log, one line.")]
ForceOption = Annotated[bool, typer.Option(help="Also if its gates have rejected it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class _Stores:
    settings: Settings
    database: Database
    registry: Registry


@models_app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(help="YOLO .onnx file, .pt file (needs the `retrain` extra) or model folder.")
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; the file's name without this.")] = None,
) -> None:
    """Check a model, copy it into the models folder and make it known to every program."""
    from footfall.vision.models import import_model  # noqa: PLC0415  heavy: not for `--help`

    settings = read_settings()
    folder = import_model(path, settings.models_dir, name=name)
    with _stores() as stores:
        known = stores.registry.add(folder, origin="imported", by=_me(), at=datetime.now(UTC))
        is_champion = stores.registry.aliases().champion == known.sha256
    typer.echo(f"imported {folder.name} into {folder}")
    if known.name != folder.name:
        typer.echo(f"the same model is known as {known.name}")
    if not is_champion:
        typer.echo(f"to serve with it: footfall models use {known.name}")


@models_app.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """Show every model, who is champion, challenger or previous, and what was refused or rejected."""
    with _stores() as stores:
        aliases = stores.registry.aliases()
        rows = _rows(stores, aliases)
        pinned = stores.settings.model
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if pinned is not None:
        typer.echo(f"FOOTFALL_MODEL pins {pinned}: it serves, whatever is promoted")
    if not rows:
        typer.echo("no model; import one with `footfall models import FILE`")
    for row in rows:
        mark = "*" if row["in_use"] else " "
        said = ", ".join(text for text in (row["alias"], row["trouble"]) if text)
        typer.echo(
            f"{mark} {row['name']}  sha256 {row['sha256'][:12]}  threshold {row['threshold']:g}  {row['licence']}"
            + (f"  ({said})" if said else "")
        )


@models_app.command()
def use(name: NameArgument, *, why: WhyOption = "chosen with `footfall models use`") -> None:
    """Make a model the champion: the same as `promote`."""
    _promote(name, why, is_forced=False)


@models_app.command()
def promote(name: NameArgument, *, why: WhyOption = "asked for by command", force: ForceOption = False) -> None:
    """Make a model the champion; a running service swaps within seconds, and counts on."""
    _promote(name, why, is_forced=force)


@models_app.command()
def canary(
    name: Annotated[str | None, typer.Argument(help="Name of a model, or first digits of its sha256.")] = None,
    *,
    camera: Annotated[list[str] | None, typer.Option(help="A camera that it looks at; may be repeated.")] = None,
    end: Annotated[bool, typer.Option("--end", help="Try it out no more.")] = False,
    why: WhyOption = "asked for by command",
    force: ForceOption = False,
) -> None:
    """Try a model out on some cameras; the champion looks at the others."""
    if end == (name is not None):
        raise typer.BadParameter("expected NAME with --camera, or --end")
    with _stores() as stores:
        if name is None:
            _tell(stores, *stores.registry.withdraw(actor=_me(), why=why, at=datetime.now(UTC)))
            return
        known = {each.id for each in stores.database.cameras()}
        for each in camera or []:
            if each not in known:
                raise UnknownRecordError(
                    f"camera {each!r}: is not there ({', '.join(sorted(known)) or 'there is none'})"
                )
        model = _known(stores, name)
        change = stores.registry.try_out(
            model.sha256, camera or [], actor=_me(), why=why, at=datetime.now(UTC), is_forced=force
        )
        _tell(stores, *change)


@models_app.command()
def rollback(*, why: WhyOption = "asked for by command") -> None:
    """Take the last step back: end a canary, or else let the previous champion serve again."""
    with _stores() as stores:
        _tell(stores, *stores.registry.rollback(actor=_me(), why=why, at=datetime.now(UTC)))


@models_app.command()
def log(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many changes.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Tell who changed what, when and why, newest first."""
    with _stores() as stores:
        changes = stores.registry.log(limit=limit)
        names = {each.sha256: each.name for each in stores.registry.models()}
    if as_json:
        typer.echo(json.dumps([asdict(each) | {"at": each.at.isoformat()} for each in changes], indent=2))
        return
    for each in changes:
        typer.echo(f"{each.aliases.number}  {each.at:%Y-%m-%d %H:%M:%S}  {_sentence(each, names)}  {each.why}")
    if not changes:
        typer.echo("nothing was promoted yet", err=True)


def folder_in_use(settings: Settings) -> Path:
    """Return the model folder that serving would take: pinned, the champion, or the usual one.

    Raises:
        FootfallError: there is none, or its files cannot be had.
    """
    from footfall.vision.models import EMBEDDED_FOLDER, resolve_model  # noqa: PLC0415

    has_database = settings.database_url is not None or (settings.data_dir / "footfall.db").exists()
    if settings.model is None and has_database:
        with _stores(settings) as stores:
            champion = stores.registry.aliases().champion
            if champion is not None:
                model = stores.registry.model(champion)
                return stores.registry.fetch(model, settings.models_dir, also=(EMBEDDED_FOLDER,))
    return resolve_model(settings.model, settings.models_dir)


@contextmanager
def _stores(settings: Settings | None = None) -> Iterator[_Stores]:
    from footfall.stores.blobs import BlobStore  # noqa: PLC0415  heavy: not for `--help`
    from footfall.stores.database import Database  # noqa: PLC0415
    from footfall.stores.registry import Registry  # noqa: PLC0415

    settings = settings or read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.sqlalchemy_url)
    try:
        database.migrate()
        yield _Stores(settings, database, Registry(database, BlobStore(settings.blobs_place)))
    finally:
        database.close()


def _promote(name: str, why: str, *, is_forced: bool) -> None:
    from footfall.vision.detector import load_detector  # noqa: PLC0415
    from footfall.vision.models import EMBEDDED_FOLDER  # noqa: PLC0415

    with _stores() as stores:
        model = _known(stores, name)
        load_detector(stores.registry.fetch(model, stores.settings.models_dir, also=(EMBEDDED_FOLDER,)))
        change = stores.registry.promote(model.sha256, actor=_me(), why=why, at=datetime.now(UTC), is_forced=is_forced)
        _tell(stores, *change)


def _known(stores: _Stores, name: str) -> RegisteredModel:
    """The model by what people call it; one in the models folder that is not known yet becomes known."""
    from footfall.vision.models import EMBEDDED, EMBEDDED_FOLDER, list_models  # noqa: PLC0415

    now = datetime.now(UTC)
    if name == EMBEDDED:  # the one that ships now, not an older one
        return stores.registry.add(EMBEDDED_FOLDER, origin="embedded", by=_me(), at=now)
    try:
        return stores.registry.find(name)
    except UnknownRecordError:
        models_dir = stores.settings.models_dir
        if name not in [each.name for each in list_models(models_dir)]:
            raise
        return stores.registry.add(models_dir / name, origin="imported", by=_me(), at=now)


def _tell(stores: _Stores, change: ModelChange, outcome: Outcome) -> None:
    if outcome == "unchanged":
        typer.echo("it is so already; nothing was changed")
    else:
        names = {each.sha256: each.name for each in stores.registry.models()}
        typer.echo(f"change {change.aliases.number}: {_sentence(change, names)}")
    if stores.settings.model is not None:
        typer.echo(
            f"FOOTFALL_MODEL pins {stores.settings.model}: it serves all the same, until that is unset", err=True
        )


def _sentence(change: ModelChange, names: dict[str, str]) -> str:
    def name(sha256: str | None) -> str:
        return "nobody" if sha256 is None else f"{names.get(sha256, '?')} ({sha256[:12]})"

    if change.action == "canary":
        cameras = ", ".join(change.aliases.canaries) or "no camera, only beside the champion"
        what = f"{name(change.model)} is tried out on {cameras}"
    elif change.action == "withdrawn":
        what = f"{name(change.before)} is tried out no more"
    else:
        back = ", back again" if change.action == "rolled_back" else ""
        what = f"{name(change.model)} is the champion{back}, after {name(change.before)}"
    return f"{what}; by {change.actor}"


def _rows(stores: _Stores, aliases: ModelAliases) -> list[dict[str, Any]]:
    from footfall.vision.models import embedded_model, list_models, model_in_use  # noqa: PLC0415

    settings = stores.settings
    known = stores.registry.models()
    in_use = settings.model or (model_in_use(settings.models_dir) if aliases.champion is None else None)
    rows = [
        {
            "name": each.name,
            "in_use": each.name == in_use if in_use is not None else each.sha256 == aliases.champion,
            "sha256": each.sha256,
            "threshold": float(each.card.get("threshold", 0.25)),
            "licence": str(each.card.get("licence", "unknown")),
            "alias": _alias(each.sha256, aliases),
            "trouble": _trouble(each),
        }
        for each in known
    ]
    embedded = embedded_model()
    on_disk: list[ModelVersion] = [*([] if embedded is None else [embedded]), *list_models(settings.models_dir)]
    rows += [
        {
            "name": each.name,
            "in_use": each.name == in_use,
            "sha256": each.sha256,
            "threshold": each.threshold,
            "licence": each.licence,
            "alias": "",
            "trouble": "",
        }
        for each in on_disk
        if each.sha256 not in {model.sha256 for model in known}
    ]
    return rows


def _alias(sha256: str, aliases: ModelAliases) -> str:
    if sha256 == aliases.champion:
        return "champion"
    if sha256 == aliases.challenger:
        return f"challenger on {', '.join(aliases.canaries) or 'no camera'}"
    return "previous" if sha256 == aliases.previous else ""


def _trouble(model: RegisteredModel) -> str:
    if model.files_deleted_at is not None:
        return f"files removed on {model.files_deleted_at:%Y-%m-%d}"
    if model.refused_at is not None:
        return f"refused by the service: {model.refusal}"
    return "rejected by its gates" if model.is_rejected else ""


def _me() -> str:
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"
