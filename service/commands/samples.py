"""`footfall samples`: what pictures are kept for review, take them to other tools and back, delete them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003  Typer reads the annotation
from typing import TYPE_CHECKING, Annotated

import typer

from footfall.config import read_settings
from footfall.stores.samples import each_sample
from service.labelsets import LabelFormat, export_frames, import_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from footfall.config import Settings
    from footfall.domain import Sample
    from footfall.stores.blobs import BlobStore
    from footfall.stores.database import Database
    from footfall.stores.samples import SampleStore

samples_app = typer.Typer(
    help="Tell what pictures are kept for review, export and import their labels, delete them.", no_args_is_help=True
)

_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ"]
_TOLD = 20
"""Names of skipped images that are printed."""

FormatOption = Annotated[LabelFormat, typer.Option("--format", help="How labels are written.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class _Stores:
    settings: Settings
    database: Database
    samples: SampleStore
    blobs: BlobStore


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a camera; `purpose` None: it has no leave, or is gone."""

    camera: str
    is_there: bool
    purpose: str | None
    pictures: int
    megabytes: float
    oldest: str | None
    labelled: int
    unlabelled: int


@samples_app.command("list")
def list_command(*, as_json: JsonOption = False) -> None:
    """Show by camera why pictures are kept and how many, also of cameras that are gone."""
    with _stores() as stores:
        kept = _kept(stores)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in kept], ensure_ascii=False, indent=2))
        return
    for each in kept:
        leave = f"purpose: {each.purpose}" if each.purpose is not None else "no leave any more"
        typer.echo(f"{each.camera}  {leave}{'' if each.is_there else ' (the camera is gone)'}")
        if each.pictures:
            typer.echo(
                f"  {each.pictures} pictures, {each.megabytes:.1f} MB, oldest {each.oldest}; "
                f"{each.labelled} labelled, {each.unlabelled} not"
            )
        else:
            typer.echo("  no picture yet")
    if not kept:
        typer.echo("No camera has leave, and no picture is kept.", err=True)


@samples_app.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Empty or new folder.")],
    *,
    label_format: FormatOption = "coco",
    camera: Annotated[list[str] | None, typer.Option(help="Only of this camera; may be given more than once.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=_MOMENTS, help="Taken at or after this; UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_MOMENTS, help="Taken before this; UTC.")] = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Also frames without a label, with the system's boxes.")
    ] = False,
) -> None:
    """Write frames with their labels as a data set that CVAT and Label Studio read."""
    with _stores() as stores:
        written = export_frames(
            stores.samples,
            stores.blobs,
            folder,
            format=label_format,
            camera_ids=camera or None,
            since=None if since is None else since.replace(tzinfo=UTC),
            until=None if until is None else until.replace(tzinfo=UTC),
            with_unlabelled=unlabelled,
        )
    typer.echo(
        f"wrote {written.frames} frames ({written.labelled} labelled) with {written.boxes} boxes into {folder}; "
        "no retention reaches them there"
    )
    if written.missing:
        typer.echo(f"{written.missing} frames left out: their picture is gone or cannot be read", err=True)


@samples_app.command("import")
def import_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the set; pictures need not be in it.")],
    *,
    reviewer: Annotated[str, typer.Option(help="Who says it.")],
    label_format: FormatOption = "coco",
) -> None:
    """Take over the labels of a data set; one that cannot be read adds nothing."""
    with _stores() as stores:
        taken = import_frames(stores.samples, folder, format=label_format, reviewer=reviewer, at=datetime.now(UTC))
    typer.echo(f"{taken.added} labels added, {taken.unchanged} frames unchanged, {len(taken.skipped)} images skipped")
    for each in taken.skipped[:_TOLD]:
        typer.echo(f"  {each.name}: {each.why}", err=True)
    if len(taken.skipped) > _TOLD:
        typer.echo(f"  and {len(taken.skipped) - _TOLD} more", err=True)
    for name, boxes in taken.ignored.items():
        typer.echo(f"  {boxes} boxes of {name}: not of people", err=True)


@samples_app.command("delete")
def delete_command(
    *,
    camera: Annotated[str, typer.Option(help="Id of the camera; it may be gone already.")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day in UTC, such as 2026-03-01.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a camera's samples of a day with pictures and all that was said of them; that it was done stays."""
    from service.metrics import Metrics  # noqa: PLC0415  heavy: not for `--help`
    from service.sampling import SampleKeeper  # noqa: PLC0415

    begin = day.replace(tzinfo=UTC)
    with _stores() as stores:
        found = sum(
            1 for _ in each_sample(stores.samples, since=begin, until=begin + timedelta(days=1), camera_ids=[camera])
        )
        if not found:
            typer.echo(f"camera {camera!r} has no samples of {begin:%Y-%m-%d}; nothing was deleted")
            return
        if not yes:
            asked = f"Delete {found} samples of camera {camera!r} of {begin:%Y-%m-%d}, with pictures and labels?"
            typer.confirm(asked, abort=True)
        keeper = SampleKeeper(
            stores.samples,
            stores.blobs,
            Metrics(),
            most_bytes=round(stores.settings.samples_max_mb * 1e6),
            runs=stores.settings.runs_dir,
        )
        deleted = keeper.delete(camera, begin, actor="command", now=datetime.now(UTC))
    typer.echo(f"deleted {deleted} samples of camera {camera!r} of {begin:%Y-%m-%d}")


@samples_app.command("trail")
def trail_command(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show what was deleted, newest first."""
    with _stores() as stores:
        entries = stores.samples.deletions(limit=limit)
    if as_json:
        rows = [{**asdict(entry), "at": entry.at.isoformat()} for entry in entries]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for entry in entries:
        size = f"{entry.size_bytes / 1e6:.1f} MB"
        typer.echo(
            f"{entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.camera_id}  {entry.samples} samples, {size}  "
            f"{entry.reason}  by {entry.actor}"
        )
    if not entries:
        typer.echo("Nothing was deleted yet.", err=True)


@contextmanager
def _stores() -> Iterator[_Stores]:
    from footfall.stores.blobs import BlobStore  # noqa: PLC0415  heavy: not for `--help`
    from footfall.stores.database import Database  # noqa: PLC0415
    from footfall.stores.samples import SampleStore  # noqa: PLC0415

    settings = read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.sqlalchemy_url)
    try:
        database.migrate()
        yield _Stores(settings, database, SampleStore(database), BlobStore(settings.blobs_place))
    finally:
        database.close()


def _kept(stores: _Stores) -> list[_Kept]:
    cameras = {camera.id: camera for camera in stores.database.cameras()}
    with_leave = {camera.id for camera in cameras.values() if camera.sampling is not None}
    kept = []
    for camera_id in sorted(with_leave | set(stores.samples.camera_ids())):
        there: list[Sample] = [
            sample
            for sample in each_sample(stores.samples, camera_ids=[camera_id])
            if sample.picture_deleted_at is None
        ]
        labelled = len({label.sample_id for label in stores.samples.labels([sample.id for sample in there])})
        camera = cameras.get(camera_id)
        leave = None if camera is None else camera.sampling
        kept.append(
            _Kept(
                camera=camera_id,
                is_there=camera is not None,
                purpose=None if leave is None else leave.purpose,
                pictures=len(there),
                megabytes=round(sum(sample.size_bytes for sample in there) / 1e6, 3),
                oldest=f"{there[0].taken_at:%Y-%m-%d %H:%M} UTC" if there else None,
                labelled=labelled,
                unlabelled=len(there) - labelled,
            )
        )
    return kept
