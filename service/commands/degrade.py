"""`footfall degrade`: a film as a camera in fog, at night, out of focus, … would give it."""

from __future__ import annotations

import math
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from footfall.errors import NotFoundError, SettingsError, SourceError
from footfall.simulation import PICTURE_KINDS, SCENE_KINDS, Degradation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from footfall.vision.degradation.films import DegradedFilm


def degrade(  # noqa: PLR0917  Typer's way
    source: Annotated[Path, typer.Argument(metavar="IN", help="Film, or evaluation folder with video.mp4 and gt/.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Film to write (.mp4), or folder that is not there.")],
    kind: Annotated[list[str], typer.Option(help=f"What goes wrong; repeatable: {', '.join(PICTURE_KINDS)}.")],
    severity: Annotated[list[int], typer.Option(help="1 (hardly seen) to 5 (hardly anything is left); one a kind.")],
    at: Annotated[float, typer.Option(metavar="S", help="Second of the film in which it begins.")] = 0.0,
    ramp: Annotated[float, typer.Option(metavar="S", help="Seconds until it has grown to its severity.")] = 0.0,
    until: Annotated[float | None, typer.Option(metavar="S", help="Second in which it ends; never without it.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same film.")] = 1,
) -> None:
    """Degrade a film, and its ground truth with it, for stress tests."""
    degradations = read_degradations(kind, severity, at_s=at, ramp_s=ramp, until_s=until)
    check_places(source, target)
    from footfall.vision.degradation.films import degrade_film, degrade_sequence  # noqa: PLC0415  heavy

    with unfinished(target) as place, _progress() as on_picture:
        if source.is_dir():
            place.mkdir()
            done = degrade_sequence(source, place, degradations, seed=seed, on_picture=on_picture)
        else:
            done = degrade_film(source, place, degradations, seed=seed, on_picture=on_picture)
    typer.echo(_as_text(target, degradations, done))


def read_degradations(
    kinds: list[str], severities: list[int], *, at_s: float, ramp_s: float, until_s: float | None
) -> tuple[Degradation, ...]:
    """Pair kinds with severities.

    Raises:
        SettingsError: names the option, the value met and what is expected.
    """
    if len(kinds) != len(severities):
        raise SettingsError(f"--kind is given {len(kinds)} times and --severity {len(severities)}; expected one a kind")
    for name, seconds in (("--at", at_s), ("--ramp", ramp_s), ("--until", until_s)):
        if seconds is not None and not math.isfinite(seconds):
            raise SettingsError(f"{name} {seconds}: expected a number of seconds")
    for kind in kinds:
        if kind in SCENE_KINDS:
            raise SettingsError(
                f"--kind {kind}: only a drawn scene can do that (sim:mall?{kind}=3); a film can have "
                f"{', '.join(PICTURE_KINDS)}"
            )
        if kind not in PICTURE_KINDS:
            raise SettingsError(f"--kind {kind!r} is not known; expected one of {', '.join(PICTURE_KINDS)}")
    try:
        return tuple(
            Degradation(kind, severity, at_s=at_s, ramp_s=ramp_s, until_s=until_s)
            for kind, severity in zip(kinds, severities, strict=True)
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None


def check_places(source: Path, target: Path) -> None:
    """Check where the film comes from and goes to, before the work is done.

    Raises:
        NotFoundError: there is no `source`.
        SettingsError: `target` cannot become what is asked for.
    """
    if not source.exists():
        raise NotFoundError(f"film {str(source)!r}: there is no such file or folder")
    if not target.parent.is_dir():
        raise SettingsError(f"OUT {str(target)!r}: there is no folder {str(target.parent)!r} to write into")
    if target.exists() and target.resolve() == source.resolve():
        raise SettingsError(f"OUT {str(target)!r}: is IN; expected another name")
    if source.is_dir():
        if target.exists():
            raise SettingsError(f"OUT {str(target)!r}: is there already; IN is a folder, so a new one is written")
    elif target.suffix.lower() != ".mp4" or target.is_dir():
        raise SettingsError(f"OUT {str(target)!r}: expected the name of a film that ends in .mp4")


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Give a place to write to; what was written there gets its name only when all went well."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise SourceError(f"OUT {str(target)!r}: cannot be written ({error.strerror})") from None
    try:
        yield folder / target.name
        (folder / target.name).replace(target)
    except OSError as error:
        raise SourceError(f"OUT {str(target)!r}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    from rich.console import Console  # noqa: PLC0415  heavy: not for `--help`
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)  # standard output belongs to the answer
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("degrading", total=None)
        yield lambda pictures: progress.update(task, completed=pictures)


def _as_text(target: Path, degradations: tuple[Degradation, ...], done: DegradedFilm) -> str:
    kinds = ", ".join(f"{each.kind} {each.severity}" for each in degradations)
    return f"{target}: {kinds}; {len(done.shown_s)} of {done.pictures} pictures shown"
