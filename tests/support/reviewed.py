"""Samples that people judged, put into real stores."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from footfall.domain import Population, Sample, SampleLabel
from footfall.stores.database import Database
from footfall.stores.samples import SampleStore

MODEL = "0123456789ab"


class Reviewed:
    """Stores samples of a camera, each in the hours before `now`, with what a reviewer says of it."""

    def __init__(self, database: Database, now: datetime, camera_id: str = "gate") -> None:
        self.store = SampleStore(database)
        self._hour_at = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        self._camera_id = camera_id
        self.said_at = now - timedelta(minutes=1)

    def population(self, count: int, stratum: str = "4", unit: Any = "track", model: str = MODEL) -> None:
        self.store.add_populations([Population(self._camera_id, self._hour_at, unit, stratum, model, count)])

    def sample(self, content: dict[str, Any] | None, *, hours_ago: int = 0, **changes: Any) -> Sample:
        """One sample, and what is said of it, if anything."""
        hour_at = self._hour_at - timedelta(hours=hours_ago)
        values: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "camera_id": self._camera_id,
            "unit": "track",
            "queue": "random",
            "hour_at": hour_at,
            "stratum": "4",
            "model": MODEL,
            "taken_at": hour_at + timedelta(minutes=30),
            "probability": 0.5,
            "blob_key": "samples/none.jpg",
            "media_type": "image/jpeg",
            "width_px": 640,
            "height_px": 360,
            "size_bytes": 4,
            "detail": {"score": 0.9, "views": []},
        }
        sample = Sample(**(values | changes))
        self.store.add(sample)
        if content is not None:
            self.store.add_label(SampleLabel(sample.id, "Ada", self.said_at, "reviewer", content))
        return sample

    def tracks(self, right: int, wrong: int, **changes: Any) -> None:
        for verdict, count in (("right", right), ("wrong", wrong)):
            for _ in range(count):
                self.sample({"verdict": verdict}, **changes)

    def taught(self) -> None:
        """A teacher finds everybody that the system found, in every track and on every frame."""
        day = timedelta(days=1)
        for sample in self.store.samples(since=self.said_at - day, until=self.said_at + day, queue="random"):
            if sample.unit == "clip":
                continue
            content: dict[str, Any] = {"agrees": 1.0}
            if sample.unit == "frame":
                content = {"boxes": [box[:4] for box in sample.detail["boxes"]]}
            self.store.add_label(SampleLabel(sample.id, "yolo11x", self.said_at, "teacher", content))

    def frame(
        self, truth: list[list[float]], found: list[list[float]], *, hours_ago: int, probability: float = 0.5
    ) -> Sample:
        detail = {"threshold": 0.3, "boxes": [[*box, 0.8] for box in found]}
        return self.sample(
            {"boxes": truth},
            hours_ago=hours_ago,
            unit="frame",
            stratum="people",
            detail=detail,
            probability=probability,
        )

    def clip(self, truth: tuple[int, int], counted: tuple[int, int], *, line: str = "door", hours_ago: int = 0) -> None:
        detail = {"line": line, "counted": dict(zip(("in", "out"), counted, strict=True)), "crossings": []}
        said = {"in": truth[0], "out": truth[1], "presses": []}
        self.sample(said, hours_ago=hours_ago, unit="clip", stratum=line, detail=detail, media_type="video/mp4")
