"""The parts of a service that keep samples, on real stores in a folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from footfall.stores.quality import QualityStore
from footfall.stores.registry import Registry
from footfall.stores.retrains import RetrainStore
from footfall.stores.samples import SampleStore
from service.metrics import Metrics
from service.rollout import RolloutStatus
from service.sampling import SampleKeeper
from service.shadow import Comparison


class FollowsAtOnce:
    """In the place of a rollout: what the registry wants runs at once, what is in `broken` is refused."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.pinned: str | None = None
        self.broken: set[str | None] = set()

    @property
    def status(self) -> RolloutStatus:
        now = self.registry.aliases()
        runs = now.champion if now.champion not in self.broken else now.previous
        return RolloutStatus(
            self.pinned, runs or "ab" * 32, now.challenger, now.canaries, follows=now.champion not in self.broken
        )


def sample_parts(folder: Path, metrics: Metrics, database: Database | None = None) -> dict[str, Any]:
    """What `Services` wants of them; without a database, one of its own."""
    if database is None:
        database = Database(f"sqlite:///{folder / 'samples.db'}")
        database.migrate()
    store, blobs = SampleStore(database), BlobStore(str(folder / "blobs"))
    registry = Registry(database, blobs)
    return {
        "samples": store,
        "blobs": blobs,
        "quality": QualityStore(database),
        "retrains": RetrainStore(database),
        "drift": DriftStore(database),
        "registry": registry,
        "rollout": FollowsAtOnce(registry),
        "shadow": SimpleNamespace(so_far=lambda _: Comparison(40, both=90, champion=3, challenger=7)),
        "keeper": SampleKeeper(store, blobs, metrics, most_bytes=10_000_000),
    }
