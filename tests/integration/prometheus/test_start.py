"""`make grafana`: what it writes is what Prometheus, Grafana and the compose file understand."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.served import ROOT

TOKEN = "0123456789abcdef0123456789abcdef"
COMPOSE = ROOT / "deploy/grafana/compose.yaml"


def start(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    environment |= {"FOOTFALL_DATA_DIR": str(folder), **settings}
    return subprocess.run(
        [sys.executable, str(ROOT / "grafana/start.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("token", [None, TOKEN])
def test_prometheus_takes_the_configuration_and_the_rules(tmp_path: Path, token: str | None) -> None:
    settings = {"FOOTFALL_PORT": "8700"} | ({} if token is None else {"FOOTFALL_API_TOKEN": token})
    ended = start(tmp_path, **settings)
    assert ended.returncode == 0, ended.stderr
    config = tmp_path / "grafana/config"
    for rules in (ROOT / "grafana/alerts").glob("*.yaml"):
        (config / "rules" / rules.name).write_bytes(rules.read_bytes())  # where the compose file mounts them
    checked = subprocess.run(
        ["promtool", "check", "config", str(config / "prometheus.yaml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    content: dict[str, Any] = yaml.safe_load((config / "prometheus.yaml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in content["scrape_configs"]}
    assert targets == {"footfall": ["127.0.0.1:8700"], "footfall-monitor": ["127.0.0.1:8601"]}
    assert all(("authorization" in job) == (token is not None) for job in content["scrape_configs"])
    if token is not None:
        assert (config / "token").read_text() == token
        assert stat.S_IMODE((config / "token").stat().st_mode) == 0o600
        assert token not in ended.stdout + ended.stderr + (config / "prometheus.yaml").read_text()


def test_a_setting_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    ended = start(tmp_path, FOOTFALL_PORT="99999")
    assert ended.returncode == 2
    assert "port" in ended.stderr
    assert not (tmp_path / "grafana").exists()


def test_the_compose_file_mounts_what_is_there_and_is_reached_from_this_machine_only(tmp_path: Path) -> None:
    ended = start(tmp_path)
    answers = dict(line.split("=", 1) for line in (tmp_path / "grafana/compose.env").read_text().splitlines())
    text = COMPOSE.read_text()
    for name, value in answers.items():
        for end in ("}", ":?run `make grafana`}"):
            text = text.replace(f"${{{name}{end}", value)
    assert "FOOTFALL_" not in text.split("services:")[1]
    services = yaml.safe_load(text)["services"]
    for service in services.values():
        assert service["network_mode"] == "host"
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            if source not in yaml.safe_load(text)["volumes"]:
                assert (COMPOSE.parent / source).exists(), mount
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/footfall.yaml").read_text())["providers"][0]
    assert any(mount.split(":")[1] == provider["options"]["path"] for mount in services["grafana"]["volumes"])
    source = yaml.safe_load((ROOT / "grafana/provisioning/datasources/footfall.yaml").read_text())["datasources"][0]
    assert source["url"] == "http://127.0.0.1:9090"
    assert str(COMPOSE.relative_to(ROOT)) in ended.stdout
