"""Dashboards: made from code, of metrics that exist, and every query of every panel finds something."""

from __future__ import annotations

import importlib.util
import json
import re
import time
from types import ModuleType
from typing import Any

import pytest
import yaml
from support.prometheus import ask
from support.served import ROOT

from monitoring.metrics import DRIFT_METRICS, RETRAIN_METRICS, MonitorMetrics, quality_metrics
from service.metrics import Metrics

FOLDER = ROOT / "grafana/dashboards"
BOARDS = sorted(FOLDER.glob("*.json"))
VALUES = {
    "$__rate_interval": "15s",
    "$__range_s": "30",
    "$__range": "30s",
    '=~"$camera"': '=~".*"',
    '"$camera"': '"gate"',
}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for panel in board["panels"] for each in (panel, *panel.get("panels", []))]


def queries() -> list[Any]:
    return [
        pytest.param(target["expr"], id=f"{path.stem}: {panel['title']}: {number}")
        for path in BOARDS
        for panel in panels(json.loads(path.read_text()))
        for number, target in enumerate(panel.get("targets", []))
    ]


def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grafana_build", ROOT / "grafana/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_the_code_makes() -> None:
    made = build().dashboards()
    assert sorted(made) == sorted(path.name for path in BOARDS)
    for name, content in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == content, f"{name}: run python grafana/build.py"


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_provisioned(path: Any) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == f"footfall-{path.stem}"
    assert board.get("id") is None
    assert "footfall" in board["tags"]
    sources = {panel["datasource"]["uid"] for panel in panels(board)}
    assert sources == {"${source}"}  # whatever the Prometheus is called there
    titles = [panel["title"] for panel in panels(board)]
    assert len(titles) == len(set(titles))
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/footfall.yaml").read_text())
    assert provider["providers"][0]["options"]["path"]


def links(board: dict[str, Any]) -> list[str]:
    found = [link["url"] for link in board["links"] if link.get("url")]
    for panel in panels(board):
        config = panel["fieldConfig"]
        found += [link["url"] for link in config["defaults"].get("links") or []]
        for override in config.get("overrides") or []:
            found += [link["url"] for each in override["properties"] if each["id"] == "links" for link in each["value"]]
    return found


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_links_lead_to_dashboards_that_exist_with_variables_that_they_have(path: Any) -> None:
    boards = {board["uid"]: board for board in (json.loads(each.read_text()) for each in BOARDS)}
    mine = {variable["name"] for variable in json.loads(path.read_text())["templating"]["list"]}
    for address in links(json.loads(path.read_text())):
        if address.startswith("/d/"):
            uid, _, rest = address.removeprefix("/d/").partition("?")
            theirs = {variable["name"] for variable in boards[uid]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)=", rest)) <= theirs
            assert "${__url_time_range}" in rest
        else:
            assert address in {"${page}/cameras/${camera}", "${page}/drift?camera=${camera}"}
            assert {"page", "camera"} <= mine


@pytest.mark.parametrize("name", ["operations", "footfall", "quality", "drift"])
def test_who_sees_a_camera_can_go_to_it(name: str) -> None:
    """Every graph with a line for each camera, and every table, leads to the dashboard of the camera."""
    for panel in panels(json.loads((FOLDER / f"{name}.json").read_text())):
        legends = [target.get("legendFormat", "") for target in panel["targets"]]
        if panel["type"] == "table" or any("{{camera}}" in legend for legend in legends):
            assert any("footfall-camera?var-camera=" in address for address in links({"links": [], "panels": [panel]}))


def test_with_fifty_cameras_no_graph_has_more_than_ten_of_them() -> None:
    for path in BOARDS:
        for panel in panels(json.loads(path.read_text())):
            for target in panel["targets"]:
                if panel["type"] == "timeseries" and "{{camera}}" in target["legendFormat"]:
                    assert re.search(r"(top|bottom)k\(10,", target["expr"]), f"{path.stem}: {panel['title']}"


def test_queries_use_only_metrics_that_exist() -> None:
    exist = {
        metric._name + suffix
        for metric in [*vars(Metrics()).values(), *vars(MonitorMetrics(target=0.95)).values()]
        if hasattr(metric, "_name")
        for suffix in ("", "_total", "_bucket", "_sum", "_count", "_info")
    } | {*quality_metrics(), *DRIFT_METRICS, *RETRAIN_METRICS}
    rules = yaml.safe_load((ROOT / "grafana/alerts/footfall.rules.yaml").read_text())["groups"]
    exist |= {rule["record"] for group in rules for rule in group["rules"] if "record" in rule}
    for query in queries():
        assert set(re.findall(r"[a-z_:]*footfall_[a-z0-9_:]+", query.values[0])) <= exist


@pytest.mark.parametrize("expression", queries())
def test_every_query_of_every_panel_finds_something(expression: str, prometheus: str) -> None:
    for variable, value in VALUES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    deadline_s = time.monotonic() + 45
    while True:
        try:
            found = ask(prometheus, "/api/v1/query", query=expression)["result"]
            if any(sample["value"][1] != "NaN" for sample in found):
                return
        except OSError:  # still starting
            pass
        assert time.monotonic() < deadline_s, f"finds nothing: {expression}"
        time.sleep(1)


def test_real_people_are_counted_while_the_queries_run(prometheus: str) -> None:
    deadline_s = time.monotonic() + 90
    while True:
        found = ask(prometheus, "/api/v1/query", query="sum(footfall_people_crossed_total)")["result"]
        if found and float(found[0]["value"][1]) > 0:
            return
        assert time.monotonic() < deadline_s, "nobody was counted"
        time.sleep(1)
