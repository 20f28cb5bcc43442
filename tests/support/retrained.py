"""A site of drawn cameras that went into fog, its frames labelled by the truth, in real stores."""

from __future__ import annotations

import hashlib
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2

from footfall.domain import Sample, SampleLabel
from footfall.simulation import parse_simulation_url
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.samples import SampleStore
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.truth import LEAST_VISIBLE

DRIFT_AT = datetime(2026, 3, 10, tzinfo=UTC)
REQUEST = "0123456789abcdef0123456789abcdef"


class Drifted:
    """A data folder with labelled frames of before and after a drift.

    Args:
        frames: of each camera, before and after each; one every two hours.
    """

    def __init__(
        self, folder: Path, *, cameras: int = 3, frames: int = 16, size: str = "320x180", wrong: str = "fog=4"
    ) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder / 'footfall.db'}")
        self.database.migrate()
        self.samples = SampleStore(self.database)
        self.blobs = BlobStore(str(folder / "blobs"))
        for camera in range(cameras):
            for is_new in (False, True):
                url = f"sim:mall?people=8&seed={900_100 + camera}&fps=0.2&size={size}&start=20"
                self.film(f"c{camera}", f"{url}&{wrong}" if is_new else url, frames, is_new=is_new)

    def film(self, camera_id: str, url: str, frames: int, *, is_new: bool) -> None:
        shown = itertools.islice(Simulator(parse_simulation_url(url)).frames(), frames)
        for number, each in enumerate(shown):
            hours = timedelta(hours=2 * number)
            at = DRIFT_AT + hours if is_new else DRIFT_AT - timedelta(days=9) + hours
            people = each.people.boxes_px[each.people.visible >= LEAST_VISIBLE]
            self.add(camera_id, at, each.picture, people.round(1).tolist())

    def add(self, camera_id: str, at: datetime, picture: Any, boxes: list[list[float]] | None) -> str:
        """Keep a frame with what a reviewer says of it; None: nobody said anything."""
        identity = hashlib.sha256(f"{camera_id}{at}".encode()).hexdigest()[:32]
        key = f"samples/{camera_id}/{identity}.jpg"
        content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        self.blobs.put(key, content)
        self.samples.add(
            Sample(
                id=identity,
                camera_id=camera_id,
                unit="frame",
                queue="random",
                hour_at=at.replace(minute=0, second=0, microsecond=0),
                stratum="people",
                model="0123456789ab",
                taken_at=at,
                probability=0.5,
                blob_key=key,
                media_type="image/jpeg",
                width_px=picture.shape[1],
                height_px=picture.shape[0],
                size_bytes=len(content),
                detail={"threshold": 0.3, "boxes": []},
            )
        )
        if boxes is not None:
            self.samples.add_label(SampleLabel(identity, "Ada", at, "reviewer", {"boxes": boxes}))
        return identity

    def request(self, **changes: Any) -> Path:
        """A request as the launcher of processes writes it."""
        content = {
            "id": REQUEST,
            "site": "site",
            "cause": "fog",
            "cameras": [],
            "champion": "",
            "reason": "people are missed in fog",
            "since": DRIFT_AT.isoformat(),
        }
        path = self.folder / "request.json"
        path.write_text(json.dumps(content | changes), encoding="utf-8")
        return path
