"""Rules and alerts: each tested by Prometheus itself, explained to operators, evaluated on a service that counts."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.prometheus import ask
from support.served import ROOT

from monitoring.metrics import DRIFT_METRICS, RETRAIN_METRICS, MonitorMetrics, quality_metrics
from service.metrics import Metrics

RULES = ROOT / "grafana/alerts/footfall.rules.yaml"
TESTS = Path(__file__).with_name("rules.test.yaml")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


ALERTS = sorted(rule["alert"] for rule in rules() if "alert" in rule)


def test_prometheus_runs_the_rules_tests() -> None:
    ended = subprocess.run(["promtool", "test", "rules", str(TESTS)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "SUCCESS" in ended.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_both_ways_and_has_its_place_in_the_runbook(alert: str) -> None:
    cases = [
        case
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == alert
    ]
    assert any(case["exp_alerts"] for case in cases), "no test in which it fires"
    assert any(not case["exp_alerts"] for case in cases), "no test in which it is silent"
    (rule,) = [rule for rule in rules() if rule.get("alert") == alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor == alert.lower()
    assert alert in headings


def test_the_runbook_explains_no_alert_that_does_not_exist() -> None:
    headings = re.findall(r"^## (Footfall\w+)$", (ROOT / "docs/runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == ALERTS


def test_rules_use_only_metrics_that_exist() -> None:
    exist = {
        sample + suffix
        for metric in [*vars(Metrics()).values(), *vars(MonitorMetrics(target=0.95)).values()]
        if hasattr(metric, "_name")
        for sample in [metric._name]
        for suffix in ("", "_total", "_bucket", "_sum", "_count", "_info")
    } | {*quality_metrics(), *DRIFT_METRICS, *RETRAIN_METRICS}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        used = set(re.findall(r"[a-z_:]*footfall_[a-z0-9_:]+", rule["expr"]))
        assert used <= exist | recorded, rule


def test_every_rule_can_be_evaluated_on_a_service_that_counts(prometheus: str) -> None:
    deadline_s = time.monotonic() + 60
    recorded = sorted(rule["record"] for rule in rules() if "record" in rule)
    wanted = [name for name in recorded if "people_crossed" not in name and "balance" not in name]
    found: dict[str, Any] = {}
    while time.monotonic() < deadline_s and len(found) < len(wanted):
        time.sleep(1)
        try:
            found = {
                name: result for name in wanted if (result := ask(prometheus, "/api/v1/query", query=name)["result"])
            }
        except OSError:
            continue  # still starting
    assert sorted(found) == wanted, "recorded nothing"
    of_cameras = [sample for name, result in found.items() for sample in result if not name.startswith("fleet:")]
    assert {sample["metric"]["camera"] for sample in of_cameras} == {"gate"}
    groups = ask(prometheus, "/api/v1/rules")["groups"]
    evaluated = [rule for group in groups for rule in group["rules"]]
    assert len(evaluated) == len(rules())
    assert {rule["health"] for rule in evaluated} == {"ok"}, [rule.get("lastError") for rule in evaluated]
    firing = [rule["name"] for rule in evaluated if rule.get("state") == "firing"]
    assert firing == []
