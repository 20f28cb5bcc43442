"""Runs a real Prometheus and asks it."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def ask(url: str, path: str, **query: str) -> Any:
    """The `data` of an answer of its API."""
    with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode(query)}", timeout=5) as answer:
        return json.load(answer)["data"]


@contextmanager
def alerting(folder: Path, webhooks: list[str]) -> Iterator[str]:
    """An Alertmanager that tells every alert to all webhooks, again and again, its end too; its host:port."""
    receiver = {"name": "all", "webhook_configs": [{"url": url, "send_resolved": True} for url in webhooks]}
    route = {
        "receiver": "all",
        "group_by": ["..."],
        "group_wait": "1s",
        "group_interval": "1s",
        "repeat_interval": "1s",
    }
    (folder / "alertmanager.yml").write_text(yaml.safe_dump({"route": route, "receivers": [receiver]}))
    port = _free_port()
    process = subprocess.Popen(
        [
            "prometheus-alertmanager",
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    folder: Path, target: str | None, rules: str, *monitors: str, alertmanager: str | None = None
) -> Iterator[str]:
    """A Prometheus that scrapes `target` and `monitors` (host:port) and evaluates `rules` every second; its address."""
    (folder / "footfall.rules.yaml").write_text(rules)
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["footfall.rules.yaml"],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": addresses}]}
            for job, addresses in (("footfall", [target] if target else []), ("footfall-monitor", list(monitors)))
        ],
    }
    if alertmanager is not None:
        configuration["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port = _free_port()
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)
