"""On real stores: a retraining is asked for once enough frames have a label that can be learned from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.reviewed import Reviewed

from footfall.domain import Camera, DriftEpisode, LabelBatch, QualityEstimate, SampleLabel
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from footfall.stores.quality import QualityStore
from footfall.stores.retrains import RetrainStore
from footfall.stores.samples import SampleStore
from monitoring.asker import DriftAsker
from monitoring.policy import PolicySettings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = PolicySettings(target=0.95, estimate_for=24 * HOUR, fleet_share=0.2, fleet_for=48 * HOUR, least_labels=3)
HARM = QualityEstimate(
    "precision_reviewed", "camera", "gate", "", "0" * 12, NOW, NOW, NOW, NOW, 0.88, 0.84, 0.92, 300, 0, 4000, ""
)


def test_a_frame_in_dispute_is_no_labelled_one_until_a_third_has_spoken(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'footfall.db'}")
    database.migrate()
    database.put_camera(Camera("gate", "sim:mall"))
    drift, quality, samples, retrains = (
        kind(database) for kind in (DriftStore, QualityStore, SampleStore, RetrainStore)
    )
    drift.open_episode(DriftEpisode("e" * 32, "gate", "fog", NOW - 9 * HOUR, NOW - 5 * HOUR, NOW))
    quality.put([HARM])
    asker = DriftAsker(
        database,
        drift=drift,
        quality=quality,
        samples=samples,
        retrains=retrains,
        settings=SETTINGS,
        site=lambda: "site",
        champion=lambda: "0" * 12,
        cooldown=timedelta(0),
    )
    reviewed, boxes = Reviewed(database, NOW), [[10.0, 10.0, 40.0, 90.0]]
    frames = [
        reviewed.sample({"boxes": boxes}, unit="frame", stratum="people", detail={"boxes": []}).id for _ in range(3)
    ]

    def say(reviewer: str, said: list[list[float]]) -> None:
        samples.add_label(SampleLabel(frames[0], reviewer, NOW, "reviewer", {"boxes": said}))

    retrains.open_batch(LabelBatch("b" * 32, NOW, "fog", 3, tuple(frames), (frames[0],)))
    say("Ben", [])
    decision, answer = asker.consider(NOW)
    assert (decision.cause, answer) == (None, None)
    assert decision.reason.endswith("2 of 3 labelled frames")
    say("Cai", boxes)
    decision, answer = asker.consider(NOW)
    assert (decision.cause, answer) == ("fog", "created")
    database.close()
