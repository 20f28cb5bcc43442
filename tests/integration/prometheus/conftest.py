"""A real Prometheus with our rules, on a service that counts a drawn scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.prometheus import running
from support.served import ROOT, Served

CAMERA = {
    "id": "gate",
    "url": "sim:corridor?people=4&size=160x120",
    "lines": [{"name": "door", "start": [0.0, 0.6], "end": [1.0, 0.6]}],
    "zones": [{"name": "hall", "polygon": [[0.0, 0.4], [1.0, 0.4], [1.0, 1.0], [0.0, 1.0]]}],
}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, figure_model: Path) -> Iterator[str]:
    """Its address. Rules look at minutes where a test has seconds: their windows are shortened."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = (ROOT / "grafana/alerts/footfall.rules.yaml").read_text()
    rules = rules.replace("interval: 30s", "interval: 1s").replace("[5m]", "[15s]")
    with (
        Served(folder / "service", [CAMERA], figure_model) as served,
        running(folder, served.url.removeprefix("http://"), rules) as url,
    ):
        yield url
