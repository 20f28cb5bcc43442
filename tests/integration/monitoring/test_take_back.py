"""Service and monitor as real processes: a bad promotion that somebody forced is taken back by nobody's hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.figures import walk, write_broken_model, write_figure_model, write_film
from support.monitored import monitored
from support.registered import make_registry
from support.served import Served

from footfall.stores.database import Database


@pytest.mark.slow
def test_a_forced_bad_promotion_is_refused_by_the_service_and_rolled_back_by_the_monitor(tmp_path: Path) -> None:
    data = tmp_path / "service" / "data"
    data.mkdir(parents=True)
    database = Database(f"sqlite:///{data / 'footfall.db'}")
    database.migrate()
    registry = make_registry(data, database)
    now = datetime.now(UTC)
    good = registry.add(write_figure_model(tmp_path / "good"), origin="imported", by="ana", at=now)
    bad = registry.add(
        write_broken_model(tmp_path / "bad"),
        origin="retrained",
        by="retrain",
        at=now,
        gates={"gates": [{"name": "G1", "passed": False, "detail": "finds nobody"}]},
        is_rejected=True,
    )
    registry.promote(good.sha256, actor="ana", why="to begin with", at=now)
    film = write_film(tmp_path / "film.mp4", [walk((20, 300), (600, 300), begins_s=0.5, lasts_s=3)], lasts_s=4)
    cameras = [{"id": "gate", "url": str(film), "loop": True}]
    with Served(tmp_path / "service", cameras, None, models_interval_s=0.2) as service, monitored(data):
        asked = {"by": "ana", "why": "I know better", "model": "bad", "force": True}
        assert service.post("/api/v1/models/promote", **asked)["champion"] == bad.sha256
        service.wait_for(lambda: registry.log(limit=1)[0].action == "rolled_back", 60)
        change = registry.log(limit=1)[0]
        assert (change.actor, change.before, change.model) == ("monitor", bad.sha256, good.sha256)
        assert "a service could not use it: model 'bad': output holds NaN" in change.why
        service.wait_for(lambda: service.get("/api/v1/models")["running"]["follows"], 60)
        analysed = service.live("gate")["frames"]["analysed"]
        service.wait_for(lambda: service.live("gate")["frames"]["analysed"] > analysed + 5, 60)
        assert service.get("/api/v1/models")["running"]["champion"] == good.sha256
    database.close()
