"""The command `footfall-retrain`: registers the commands and turns expected errors into one line."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from footfall import __version__
from footfall.config import Settings, read_settings
from footfall.errors import FootfallError, SettingsError, StoreError, TrainingError

if TYPE_CHECKING:
    from retrain.cleaning import Cleaned
    from retrain.job import Options
    from retrain.train import Device
    from retrain.wiring import Stores

EXIT_FAILED = 1
EXIT_BAD_SETTINGS = 2
EXIT_OF_OUTCOME = {"promoted": 0, "rejected": 42, "insufficient_labels": 43}
"""As docs/retrain-requests.md tells launchers."""
_TOLD_OTHERWISE = frozenset({"at", "stage", "what", "number", "of", "step", "steps", "left_s"})
"""Parts of a line of progress that people on a terminal read in other words."""

app = typer.Typer(
    help="Makes better detectors for Footfall: from a site's own labelled frames, or from nothing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
RequestOption = Annotated[
    str | None,
    typer.Option(help="File with the request, or its id; without it FOOTFALL_RETRAIN_REQUEST of the environment."),
]
TeacherOption = Annotated[
    Path | None,
    typer.Option(help="YOLO .onnx or .pt file that labels real pictures; drawn ones alone are used without it."),
]
DataOption = Annotated[
    Path | None, typer.Option(help="Folder of sequences (docs/evaluation.md) to measure on; never trained on.")
]


def _show_version(wanted: bool) -> None:  # noqa: FBT001  Typer's callback
    if wanted:
        typer.echo(f"footfall-retrain {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Options of every command."""
    del version


@app.command()
def embedded(
    *,
    out: Annotated[Path, typer.Option(help="Model folder to write; must be new or empty.")],
    teacher: TeacherOption = None,
    clip: Annotated[
        Path | None, typer.Option(help="Film of one still camera that may be used; needs --teacher.")
    ] = None,
    data: DataOption = None,
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="Time for everything.")] = 70.0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Exact number of training steps instead of as many as there is time for.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another training.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train the detector that ships with Footfall, from nothing to model and card."""
    from retrain.embedded import Recipe, make_embedded  # noqa: PLC0415  loads PyTorch: not for `--help`

    recipe = Recipe(
        teacher=_existing("teacher", teacher),
        clip=_existing("clip", clip),
        footage=_existing("data", data),
        minutes=minutes,
        seed=seed,
        steps=steps,
        device=_checked_device(device),
        command=_told_command(),
    )
    model = make_embedded(recipe, out, report=_report)
    typer.echo(f"{out}: {model.name}, threshold {model.threshold:g}, sha256 {model.sha256[:12]}")
    typer.echo(f"to serve with it: footfall models import {shlex.quote(str(out))}")


@app.command()
def card(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Model folder that `footfall-retrain embedded` wrote.")],
    teacher: TeacherOption = None,
    data: DataOption = None,
    seconds: Annotated[float, typer.Option(min=5, help="Length of each drawn film.")] = 60.0,
) -> None:
    """Measure a model anew and rewrite its card."""
    from retrain.embedded import write_figures  # noqa: PLC0415

    write_figures(folder, _existing("teacher", teacher), _existing("data", data), seconds=seconds, report=_report)
    typer.echo(f"{folder}: card written")


@app.command()
def run(
    *,
    request: RequestOption = None,
    technique: Annotated[
        str | None, typer.Option(help="frozen, full or distil, whatever the rule says.", show_default="by the rule")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of training; by the number of frames without it.")] = None,
    drawn: Annotated[int, typer.Option(min=0, help="Drawn frames for replay, for a model that began on them.")] = 600,
    stress_frames: Annotated[int, typer.Option(min=0, help="Frames of the test that are worsened in every way.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another training.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Mirror pictures too: no line or perspective matters.")
    ] = False,
    open_seal: Annotated[bool, typer.Option("--open-seal", help="Judge by the sealed half of the test too.")] = False,
    int8: Annotated[bool, typer.Option(help="Try 8 bits, and keep them where they lose little and are faster.")] = True,
) -> None:
    """Run a request for a better model, or go on with it: exit 0 promoted, 42 rejected, 43 too few labels."""
    from retrain import tracking  # noqa: PLC0415
    from retrain.job import from_json  # noqa: PLC0415
    from retrain.progress import Teller  # noqa: PLC0415
    from retrain.run import Run  # noqa: PLC0415  not for `--help`
    from retrain.wiring import job_of, open_stores, run_folder, workshop_of  # noqa: PLC0415

    tracking.check()  # before anything is spent
    settings = read_settings()
    options = _options(
        settings,
        technique=technique,
        steps=steps,
        drawn=drawn,
        stress_frames=stress_frames,
        seed=seed,
        device=_checked_device(device),
        may_mirror=mirror,
        open_seal=open_seal,
        with_int8=int8,
    )
    with open_stores(settings) as stores:
        job = job_of(settings, stores, request)
        folder = run_folder(settings, job.request_id)
        teller = Teller(
            _tell,
            lambda progress: stores.retrains.note_progress(job.request_id, progress),
            lambda: one.artefact("plan", 1),
            warn=_report,
            clock_s=time.monotonic,
            now=lambda: datetime.now(UTC),
        )
        one = Run(folder, tell=teller)
        ended = one.outcome()
        planned = one.artefact("plan", 1)
        if planned is not None and "job" in planned:  # as it began, so it goes on
            job, options = from_json(planned["job"])
        if ended is None:
            from retrain.stages import stages_of  # noqa: PLC0415  loads PyTorch

            stages = stages_of(workshop_of(settings, stores, job, options), one)
            try:
                ended = one.go(stages)
            except TrainingError:
                tracking.track(folder, job.request_id, None, warn=_report)
                raise
        tracking.track(folder, job.request_id, ended, warn=_report)
        # What stays of pictures are digests, figures and two sheets.
        one.drop("collect")
        try:
            _clean(settings, stores)
        except (StoreError, OSError) as error:  # the next run does it
            _report(f"what is old could not be removed ({error}); the run is what it is")
    typer.echo(f"{ended.outcome}: {ended.note}")
    raise typer.Exit(EXIT_OF_OUTCOME[ended.outcome])


@app.command()
def plan(
    *,
    request: RequestOption = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of training; by the number of frames without it.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what a retraining would take, by real steps of the model in use on this machine; nothing is kept."""
    from retrain import plan as plans  # noqa: PLC0415
    from retrain.job import ENVIRONMENT, Job  # noqa: PLC0415
    from retrain.stages import count_available  # noqa: PLC0415
    from retrain.wiring import job_of, open_stores, workshop_of  # noqa: PLC0415

    settings = read_settings()
    options = _options(settings, steps=steps, device=_checked_device(device))
    with open_stores(settings) as stores:
        if request is None and ENVIRONMENT not in os.environ:
            since = datetime.now(UTC) - timedelta(days=settings.retrain_new_days)
            job = Job("0" * 32, "site", "asked", (), "", "a plan", since)
        else:
            job = job_of(settings, stores, request)
        shop = workshop_of(settings, stores, job, options)
        available, _ = count_available(shop)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        planned = plans.make_plan(
            shop.base,
            available,
            options,
            settings.data_dir,
            deadline_s=shop.deadline_s,
            price_per_hour=shop.price_per_hour,
            has_teacher=shop.teacher is not None,
            candidates=len(shop.candidates),
        )
    typer.echo(json.dumps(planned.as_json()) if as_json else plans.told(planned))


@app.command()
def baselines(
    *,
    out: Annotated[Path, typer.Option(help="Folder for table, chart and JSON; made when it is not there.")],
    model: Annotated[
        list[Path] | None, typer.Option(help="Model folder or YOLO .onnx file to compare as well; may be repeated.")
    ] = None,
    most: Annotated[int, typer.Option(min=20, help="Newest labelled frames to compare on, at most.")] = 200,
    fps: Annotated[float, typer.Option(min=0.1, help="Analyses a second and camera.")] = 5.0,
) -> None:
    """Compare the embedded model, the imported ones and others on this site's own labelled frames."""
    from footfall.vision.models import EMBEDDED_FOLDER, import_model  # noqa: PLC0415
    from retrain import baselines as candidates  # noqa: PLC0415
    from retrain.collect import collect  # noqa: PLC0415
    from retrain.job import Job  # noqa: PLC0415
    from retrain.wiring import open_stores  # noqa: PLC0415

    settings = read_settings()
    everything = Job("0" * 32, "site", "asked", (), "", "baselines", datetime(1970, 1, 1, tzinfo=UTC))
    with open_stores(settings) as stores, tempfile.TemporaryDirectory(prefix="footfall-baselines-") as scratch:
        pictures = Path(scratch) / "pictures"
        pictures.mkdir()
        found = collect(stores.samples, stores.blobs, everything, pictures, most_old=most, most_unlabelled=0, drawn=0)
        models = {"embedded": EMBEDDED_FOLDER, **candidates.folders_below(settings.models_dir)}
        for path in model or []:
            name = path.name.removesuffix(".onnx")
            models[name] = path if path.is_dir() else import_model(path, Path(scratch) / "models", name=name)
        compared = candidates.compare(
            candidates.distinct(models),
            *candidates.halves(found.frames[-most:]),
            pictures,
            input_size=settings.input_size,
            fps=fps,
            report=_report,
        )
    candidates.write(compared, out, frames=len(found.frames[-most:]), input_size=settings.input_size, fps=fps)
    typer.echo(candidates.table(compared), nl=False)
    typer.echo(f"{out}: {candidates.TABLE_FILE}, {candidates.CHART_FILE}, {candidates.JSON_FILE}")


@app.command()
def reproduce(
    request: Annotated[str, typer.Argument(metavar="ID", help="Of the request whose run is done again.")],
) -> None:
    """Do a run again from its record and compare: exit 0 when every F1 is within 2 points, else 1; promotes nothing."""
    from retrain.job import from_json  # noqa: PLC0415
    from retrain.reproduce import TOLERANCE  # noqa: PLC0415
    from retrain.reproduce import reproduce as again  # noqa: PLC0415
    from retrain.run import Run  # noqa: PLC0415
    from retrain.wiring import champion_by, open_stores, run_folder, workshop_of  # noqa: PLC0415

    settings = read_settings()
    first = Run(run_folder(settings, request), tell=_tell)
    planned = first.artefact("plan", 1) if first.folder.is_dir() else None
    if planned is None or "job" not in planned:
        raise SettingsError(f"run {request!r}: there is no record of it in {first.folder.parent}")
    job, options = from_json(planned["job"])
    with open_stores(settings) as stores:
        champion = champion_by(planned["record"]["champion"], settings, stores.registry)
        compared = again(first, workshop_of(settings, stores, job, options, champion=champion))
    for part, difference in compared.differences.items():
        typer.echo(f"F1 on {part} frames: {difference:+.4f} (tolerance {TOLERANCE:g})")
    typer.echo("the same weights, to the last bit" if compared.is_same_model else "other weights")
    if not compared.is_same_code:
        typer.echo("other code than then")
    if compared.libraries:
        typer.echo(f"other libraries than then: {', '.join(compared.libraries)}")
    raise typer.Exit(0 if compared.holds else EXIT_FAILED)


@app.command()
def clean(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell only what would be removed.")] = False,
) -> None:
    """Remove models that retrainings made and nobody uses, and weights in folders of runs, once they are old."""
    from retrain.wiring import open_stores  # noqa: PLC0415

    settings = read_settings()
    with open_stores(settings) as stores:
        cleaned = _clean(settings, stores, is_tried=dry_run)
    would = "would be " if dry_run else ""
    typer.echo(f"models whose files {would or 'were '}removed: {', '.join(cleaned.models) or 'none'}")
    typer.echo(f"runs whose weights {would or 'were '}removed: {', '.join(cleaned.runs) or 'none'}")
    typer.echo(f"{cleaned.freed_bytes / 1e6:.1f} MB {would}freed")


def _clean(settings: Settings, stores: Stores, *, is_tried: bool = False) -> Cleaned:
    from retrain.cleaning import clean as remove  # noqa: PLC0415

    keep = timedelta(days=settings.retrain_keep_days)
    return remove(
        settings.runs_dir, stores.registry, settings.models_dir, now=datetime.now(UTC), keep=keep, is_tried=is_tried
    )


def _options(settings: Settings, **chosen: Any) -> Options:  # noqa: ANN401  fields of Options
    from retrain.job import Options  # noqa: PLC0415
    from retrain.technique import TECHNIQUES  # noqa: PLC0415

    if chosen.get("technique") not in {None, *TECHNIQUES}:
        raise SettingsError(f"--technique {chosen['technique']!r}: expected one of {', '.join(TECHNIQUES)}")
    return Options(
        least_frames=settings.drift_least_labels,
        input_size=settings.input_size,
        runtime=_runtime_of_serving(settings),
        **chosen,
    )


def _runtime_of_serving(settings: Settings) -> Literal["onnxruntime", "openvino"]:
    """Settle `auto` once a run, or noise could let two models run in two runtimes; measured with the embedded model."""
    if settings.runtime != "auto":
        return settings.runtime
    from footfall.vision.detector import load_detector  # noqa: PLC0415
    from footfall.vision.models import EMBEDDED_FOLDER  # noqa: PLC0415

    chosen = load_detector(EMBEDDED_FOLDER, runtime="auto", threads=1, input_size=settings.input_size).runtime
    return "openvino" if chosen.startswith("openvino") else "onnxruntime"


def _tell(line: dict[str, Any]) -> None:
    """Progress: a line for people on a terminal, JSON for programs."""
    if not sys.stderr.isatty():
        typer.echo(json.dumps(line), err=True)
        return
    told = "  ".join(f"{name} {value}" for name, value in line.items() if name not in _TOLD_OTHERWISE)
    if "left_s" in line:
        told += f"  about {math.ceil(line['left_s'] / 60)} min left"
    typer.echo(f"{line['stage']:>10}  {line['what']}  {told}".rstrip(), err=True)


def _existing(option: str, path: Path | None) -> Path | None:
    if path is not None and not path.exists():
        raise SettingsError(f"--{option} {str(path)!r}: there is no such file or folder")
    return path


def _checked_device(device: str) -> Device:
    known: tuple[Device, ...] = ("auto", "cpu", "cuda")
    for each in known:
        if each == device:
            return each
    raise SettingsError(f"--device {device!r}: expected auto, cpu or cuda")


def _told_command() -> str:
    """The command as a card tells it: folders of this machine are nobody's business."""
    words = []
    for word in sys.argv[1:]:
        name, equals, value = word.partition("=")
        is_path = "/" in word
        words.append(
            f"{name}={value.rpartition('/')[2]}" if equals and is_path else word.rstrip("/").rpartition("/")[2]
        )
    return shlex.join(["footfall-retrain", *words])


def _report(line: str) -> None:
    typer.echo(line, err=True)


def main() -> None:
    """Run a command; exit 0 done, 1 failed, 2 bad settings."""
    try:
        app()
    except SettingsError as error:
        print(f"footfall-retrain: {error}", file=sys.stderr)  # noqa: T201  the answer of a command
        raise SystemExit(EXIT_BAD_SETTINGS) from None
    except FootfallError as error:
        print(f"footfall-retrain: {error}", file=sys.stderr)  # noqa: T201  the answer of a command
        raise SystemExit(EXIT_FAILED) from None


if __name__ == "__main__":
    main()
