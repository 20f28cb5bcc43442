"""Builds everything that does I/O for a retraining; nothing else does, and nobody imports it but `__main__`."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from footfall.agreement import drawn_for_two
from footfall.domain import LabelBatch
from footfall.errors import ModelError, UnknownRecordError
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from footfall.stores.registry import Registry
from footfall.stores.retrains import RetrainStore
from footfall.stores.runs import examples_key
from footfall.stores.samples import SampleStore
from footfall.vision.detector import read_card
from footfall.vision.models import EMBEDDED, EMBEDDED_FOLDER, resolve_model
from retrain.job import read_job
from retrain.lineage import Ancestor, Step, ancestors
from retrain.run import begun_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from footfall.config import Settings
    from footfall.domain import DriftEpisode, RetrainCause
    from retrain.job import Job, Options
    from retrain.stages import Workshop

_MOST_CANDIDATES: Final = 8


@dataclass(frozen=True, slots=True)
class Stores:
    """The records."""

    database: Database
    samples: SampleStore
    blobs: BlobStore
    retrains: RetrainStore
    drift: DriftStore
    registry: Registry


@contextlib.contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """Open the records, and close them.

    Raises:
        StoreError: they cannot be reached.
    """
    database = Database(settings.sqlalchemy_url)
    try:
        database.migrate()
        blobs = BlobStore(settings.blobs or str(settings.data_dir / "blobs"))
        yield Stores(
            database,
            SampleStore(database),
            blobs,
            RetrainStore(database),
            DriftStore(database),
            Registry(database, blobs),
        )
    finally:
        database.close()


def job_of(settings: Settings, stores: Stores, request: str | None) -> Job:
    """Read the request; see `read_job`."""

    def began(cause: RetrainCause, cameras: Sequence[str]) -> datetime | None:
        return min(
            (each.since_at for each in open_episodes(stores.drift, cameras) if each.cause == cause), default=None
        )

    return read_job(request, stores.retrains.request, began, now=datetime.now(UTC), new_days=settings.retrain_new_days)


def open_episodes(drift: DriftStore, cameras: Sequence[str]) -> list[DriftEpisode]:
    """Return what cameras drift now; without cameras, those of the whole site."""
    found = drift.episodes(since=datetime.now(UTC), camera_ids=list(cameras) or None)
    return [each for each in found if each.closed_at is None]


def run_folder(settings: Settings, request_id: str) -> Path:
    """Where a request's run is; beside it is what the launcher writes of the request."""
    return settings.runs_dir / request_id / "run"


def champion_of(settings: Settings, registry: Registry) -> Path:
    """Return the folder of the model in use.

    Raises:
        ModelError: there is none, or it is not what was registered.
    """
    models_dir = settings.models_dir
    sha256 = registry.aliases().champion
    if settings.model is None and sha256 is not None:
        return registry.fetch(registry.model(sha256), models_dir, also=(EMBEDDED_FOLDER,))
    return resolve_model(settings.model, models_dir)


def champion_by(sha256: str, settings: Settings, registry: Registry) -> Path:
    """Return the folder of the model with this digest, wherever it is.

    Raises:
        UnknownRecordError: it is neither registered nor on this machine.
    """
    folders = (EMBEDDED_FOLDER, *(path.parent for path in settings.models_dir.glob("*/model.json")))
    for folder in folders:
        with contextlib.suppress(ModelError):  # a broken folder is none that anybody looks for
            if read_card(folder).sha256 == sha256:
                return folder
    return registry.fetch(registry.model(sha256), settings.models_dir)


def base_of(champion: Path, settings: Settings, registry: Registry) -> Path:
    """Return the folder of the model with floats that the one in use was made of; often that is itself.

    Raises:
        ModelError: its files are gone.
        UnknownRecordError: it is not registered.
    """
    from retrain.quantise import INT8  # noqa: PLC0415  heavy

    name = read_card(champion).name
    if not name.endswith(INT8):
        return champion
    return registry.fetch(registry.find(name.removesuffix(INT8)), settings.models_dir)


def line_of(champion: Path, settings: Settings, registry: Registry) -> tuple[Ancestor, ...]:
    """Return the model in use and those that it was learned on from, newest first, as far as there are records.

    The last one is a model that no retraining made: an imported one, which is taken to know nothing of this site, or
    the embedded one where the line breaks off.
    """
    steps: list[Step] = []
    sha256 = read_card(champion).sha256
    folder = champion
    while True:
        try:
            known = registry.model(sha256)
        except UnknownRecordError:  # of a folder that somebody named: nobody made it here
            known = None
        if known is None or known.origin != "retrained":
            return ancestors([*steps, Step(folder, None, datetime.min.replace(tzinfo=UTC))], is_whole=True)
        run = run_folder(settings, known.run)
        steps.append(Step(folder, run, known.added_at))
        begun = begun_with(run)
        with contextlib.suppress(OSError, UnknownRecordError, ModelError):
            if begun is not None:
                folder, sha256 = champion_by(begun, settings, registry), begun
                continue
        # The line breaks off.
        return (*ancestors(steps, is_whole=False), Ancestor(EMBEDDED_FOLDER))


def canaries_of(database: Database, share: float) -> tuple[str, ...]:
    """Choose cameras that try a model out, the same ones each time; none for share 0, else at least one.

    Not more than all but one: somebody must show what the champion makes of it.
    """
    cameras = [each.id for each in database.cameras() if each.enabled]
    count = min(math.ceil(share * len(cameras)), len(cameras) - 1)
    by_chance = sorted(cameras, key=lambda name: hashlib.sha256(name.encode()).digest())
    return tuple(sorted(by_chance[: max(0, count)]))


def workshop_of(
    settings: Settings, stores: Stores, job: Job, options: Options, *, champion: Path | None = None
) -> Workshop:
    """Return all that the stages need.

    Args:
        champion: of a run that is done again; None for the model in use.

    Raises:
        ModelError: the model in use or the teacher cannot be used.
    """
    from retrain.baselines import distinct, folders_below  # noqa: PLC0415
    from retrain.gates import Bounds  # noqa: PLC0415  loads PyTorch: not for a run that is over
    from retrain.promote import hand_over  # noqa: PLC0415
    from retrain.stages import Workshop  # noqa: PLC0415

    models_dir = settings.models_dir
    champion = champion or champion_of(settings, stores.registry)
    sha256 = read_card(champion).sha256
    others = {read_card(champion).name: champion, EMBEDDED: EMBEDDED_FOLDER, **folders_below(models_dir)}

    def promote(
        challenger: Path,
        floats: Path | None,
        report: Mapping[str, Any],
        passed: bool,  # noqa: FBT001
    ) -> dict[str, Any]:
        # Apart from the report, which is for ever: of a deleted picture nothing may stay.
        stores.blobs.put(examples_key(job.request_id), json.dumps(report["examples"]).encode())
        return hand_over(
            stores.registry,
            challenger,
            {name: each for name, each in report.items() if name != "examples"},
            passed=passed,
            run=job.request_id,
            champion=sha256,
            at=datetime.now(UTC),
            floats=floats,
            canaries=canaries_of(stores.database, settings.retrain_canary_share),
        )

    def batch(wanted: int, frames: Sequence[str]) -> None:
        for_two = drawn_for_two(frames, settings.retrain_double_share, seed=job.request_id)
        stores.retrains.open_batch(
            LabelBatch(job.request_id, datetime.now(UTC), job.cause, wanted, tuple(frames), for_two)
        )
        until = datetime.now(UTC) + timedelta(hours=settings.drift_batch_h)
        for episode in open_episodes(stores.drift, job.cameras):
            stores.drift.open_batch(episode.id, until=until)  # more pictures are drawn to be labelled

    return Workshop(
        job=job,
        options=options,
        database=stores.database,
        samples=stores.samples,
        blobs=stores.blobs,
        for_two=stores.retrains.for_two(),
        champion=champion,
        base=base_of(champion, settings, stores.registry),
        ancestors=line_of(champion, settings, stores.registry),
        candidates=dict(itertools.islice(distinct(others).items(), _MOST_CANDIDATES)),
        teacher=None if settings.teacher_model is None else resolve_model(settings.teacher_model, models_dir),
        bounds=Bounds(precision_target=settings.precision_target, may_lose=settings.retrain_may_lose),
        deadline_s=settings.retrain_deadline_h * 3600,
        price_per_hour=settings.retrain_price_per_hour,
        promote=promote,
        batch=batch,
    )
