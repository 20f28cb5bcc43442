"""The parts of a service that keep samples, on real stores in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from footfall.stores.quality import QualityStore
from footfall.stores.retrains import RetrainStore
from footfall.stores.samples import SampleStore
from service.metrics import Metrics
from service.sampling import SampleKeeper


def sample_parts(folder: Path, metrics: Metrics, database: Database | None = None) -> dict[str, Any]:
    """What `Services` wants of them; without a database, one of its own."""
    if database is None:
        database = Database(f"sqlite:///{folder / 'samples.db'}")
        database.migrate()
    store, blobs = SampleStore(database), BlobStore(str(folder / "blobs"))
    return {
        "samples": store,
        "blobs": blobs,
        "quality": QualityStore(database),
        "retrains": RetrainStore(database),
        "drift": DriftStore(database),
        "keeper": SampleKeeper(store, blobs, metrics, most_bytes=10_000_000),
    }
