"""From measured harm to one retraining: real Prometheus and Alertmanager, two monitors, one of which is killed."""

from __future__ import annotations

import re
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from support.monitored import start
from support.prometheus import alerting, running
from support.reviewed import MODEL, Reviewed
from support.served import ROOT

from footfall.domain import Camera, Sampling
from footfall.stores.database import Database
from footfall.stores.retrains import RetrainStore


def wait_until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.2)


def asked(address: str, answer: str) -> float:
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
            text = page.read().decode()
    except OSError:  # starting
        return 0.0
    found = re.search(rf'footfall_retrain_asks_total{{answer="{answer}"}} (\S+)', text)
    return float(found[1]) if found else 0.0


def test_an_alert_that_fires_again_and_again_starts_one_retraining(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    database = Database(f"sqlite:///{data / 'footfall.db'}")
    database.migrate()
    database.put_camera(Camera("gate", "film.mp4", sampling=Sampling("audit")))
    database.set_setting("site", "mall")
    reviewed = Reviewed(database, datetime.now(UTC))
    reviewed.population(1000)
    reviewed.tracks(right=160, wrong=40)
    script, ran = tmp_path / "train.py", tmp_path / "ran"
    work = f"import sys, time\nopen({str(ran)!r}, 'a').write('ran ')\ntime.sleep(8)\n"
    script.write_text(work + "print('gate G2: 91 %')\nsys.exit(42)\n")
    settings = {"retrain_launcher": "process", "retrain_command": f"{sys.executable} {script}"}
    monitors = [start(data, **settings) for _ in range(2)]
    addresses = [address for _, address in monitors]
    rules = (ROOT / "grafana/alerts/footfall.rules.yaml").read_text()
    rules = re.sub(r"for: \w+", "for: 1s", rules)
    store = RetrainStore(database)
    try:
        with (
            alerting(tmp_path, [f"http://{address}/v1/alertmanager" for address in addresses]) as alertmanager,
            running(tmp_path, None, rules, *addresses, alertmanager=alertmanager),
        ):
            wait_until(ran.exists)
            killed, address = monitors[0]
            killed.kill()
            killed.wait(10)
            monitors[0] = start(data, int(address.rpartition(":")[2]), **settings)
            wait_until(lambda: all(asked(each, "active") + asked(each, "duplicate") > 0 for each in addresses))
            # Whoever started it may have been killed: the lease of a minute must run out first.
            wait_until(lambda: store.requests()[0].state == "ended", 120)
            wait_until(lambda: all(asked(each, "duplicate") + asked(each, "cooldown") > 3 for each in addresses))
    finally:
        for process, _ in monitors:
            process.kill()
            process.wait(10)
    (request,) = store.requests()
    assert (request.cause, request.site, request.champion) == ("precision", "mall", MODEL)
    assert request.source == "alert"
    assert (request.outcome, request.note) == ("rejected", "exit status 42: gate G2: 91 %")
    assert ran.read_text() == "ran "
    database.close()
