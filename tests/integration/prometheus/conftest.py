"""A real Prometheus with our rules, on a service that counts real footage and a monitor of what people said of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.drifted import Drifted
from support.monitored import monitored
from support.prometheus import running
from support.registered import make_registry, model_folder
from support.requests import make_request
from support.reviewed import Reviewed
from support.served import FOOTAGE_DIR, ROOT, Served

from footfall.domain import Coverage, Crossing, RetrainProgress, event_id
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from footfall.stores.retrains import RetrainStore
from footfall.vision.models import EMBEDDED_FOLDER

FILM = FOOTAGE_DIR / "PETS09-S2L1-a" / "video.mp4"
CAMERA = {
    "id": "gate",
    # Real people where the footage is; drawn ones elsewhere.
    "url": str(FILM) if FILM.is_file() else "sim:plaza?people=12&seed=3&size=640x360",
    "loop": True,
    "lines": [{"name": "door", "start": [0.5, 0.0], "end": [0.5, 1.0]}],
    "zones": [{"name": "hall", "polygon": [[0.2, 0.2], [0.8, 0.2], [0.8, 1.0], [0.2, 1.0]]}],
}


def review(data_dir: Path) -> None:
    """People judged samples of the camera; it was watched all yesterday, and looks elsewhere since three hours."""
    now = datetime.now(UTC)
    database = Database(f"sqlite:///{data_dir / 'footfall.db'}")
    reviewed = Reviewed(database, now)
    reviewed.population(1000)
    reviewed.tracks(98, 2)
    for _ in range(40):
        reviewed.sample(None)
    boxes = [[100.0 * n, 10.0, 100.0 * n + 40, 110.0] for n in range(5)]
    for hour in range(8):
        reviewed.frame(boxes, boxes[: 4 + hour % 2], hours_ago=hour, probability=0.1)
        reviewed.clip((4, 3), (4, 3 - hour % 2), hours_ago=hour)
    reviewed.taught()
    yesterday = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    database.store(
        [
            *(Coverage("gate", yesterday + timedelta(minutes=n), 60.0, 300) for n in range(1440)),
            *(
                Crossing(event_id("y", "gate", n), "gate", "door", "in" if n % 2 else "out", yesterday, n)
                for n in range(50)
            ),
        ]
    )
    drifted = Drifted(DriftStore(database), now)
    for hour in (-3, -2, -1):
        drifted.verdict("gate", hour, "moved")
    drifted.episode("gate", "moved", since_h=-3, invalidates=True)
    retrain(database, data_dir, now)
    database.close()


def retrain(database: Database, data_dir: Path, now: datetime) -> None:
    """One retraining was promoted the day before, another site's rejected; another one trains since a minute."""
    store = RetrainStore(database)
    over, current = (make_request(site="mall", cause=cause, at=now) for cause in ("dark", "fog"))
    rejected = make_request(site="shop", cause="dark", at=now)
    store.ask(rejected, cooldown=timedelta(0))
    store.ended(rejected.id, "rejected", "", at=now - timedelta(days=1))
    make_registry(data_dir, database).add(
        model_folder(data_dir / "made", "dark"),
        origin="retrained",
        by="footfall-retrain",
        at=now,
        run=rejected.id,
        gates={"gates": [{"name": "G2", "passed": False}]},
        is_rejected=True,
    )
    store.ask(over, cooldown=timedelta(0))
    store.ended(over.id, "promoted", "", at=now - timedelta(days=1))
    store.ask(current, cooldown=timedelta(0))
    store.launched(current.id, {}, at=now - timedelta(minutes=1))
    losses = {"box": 0.6, "cls": 0.5, "dfl": 0.4}
    told = RetrainProgress(now, "train", 7, 11, "", 0.5, 10, 20, 1.5, 600.0, 300.0, 0.5, losses, 2.5, 5.0)
    store.note_progress(current.id, told)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. Rules look at minutes where a test has seconds: their windows are shortened."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = (ROOT / "grafana/alerts/footfall.rules.yaml").read_text()
    rules = rules.replace("interval: 30s", "interval: 1s").replace("[5m]", "[15s]")
    with Served(folder / "service", [CAMERA], EMBEDDED_FOLDER, input_size=320) as served:
        review(folder / "service/data")
        with (
            monitored(folder / "service/data") as monitor,
            running(folder, served.url.removeprefix("http://"), rules, monitor) as url,
        ):
            yield url
