"""Model folders whose bytes are no model, for what never loads one; and a registry in a folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.registry import Registry


def model_folder(place: Path, name: str, *, content: bytes | None = None, **card: Any) -> Path:
    """Write `place/name` with a card that fits its bytes."""
    folder = place / name
    folder.mkdir(parents=True)
    content = name.encode() if content is None else content
    (folder / "model.onnx").write_bytes(content)
    said = {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "threshold": 0.25, "licence": "none", **card}
    (folder / "model.json").write_text(json.dumps(said))
    return folder


def make_registry(folder: Path, database: Database | None = None) -> Registry:
    """A registry on real stores; without a database, one of its own."""
    if database is None:
        database = Database(f"sqlite:///{folder / 'models.db'}")
        database.migrate()
    return Registry(database, BlobStore(str(folder / "blobs")))
