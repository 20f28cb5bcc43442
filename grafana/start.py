"""Writes a configuration for a Prometheus beside Footfall and tells how to start it with Grafana: `make grafana`.

The ports and, if one is set, the token are those of Footfall's own settings.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from footfall.config import Settings, read_settings
from footfall.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "deploy/grafana/compose.yaml"
ENGINES = ("docker", "podman")


def prometheus_config(settings: Settings, *, token_file: str | None) -> dict[str, Any]:
    """Return what Prometheus reads: both programs as jobs, our rules, and the token where it lies for Prometheus."""
    proof = {} if token_file is None else {"authorization": {"credentials_file": token_file}}
    targets = {"footfall": settings.port, "footfall-monitor": settings.monitor_port}
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["rules/*.yaml"],
        "scrape_configs": [
            {"job_name": job, **proof, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for job, port in targets.items()
        ],
    }


def write(folder: Path, settings: Settings) -> Path:
    """Write the configuration, the token for its owner only, and what the compose file asks for; returns that file."""
    config = folder / "config"
    for part in (config / "rules", folder / "data"):
        part.mkdir(parents=True, exist_ok=True)
    token = settings.api_token
    if token is not None:
        descriptor = os.open(config / "token", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(token.get_secret_value())
    wanted = prometheus_config(settings, token_file=None if token is None else "token")
    (config / "prometheus.yaml").write_text(yaml.safe_dump(wanted, sort_keys=False), encoding="utf-8")
    answers = folder / "compose.env"
    answers.write_text(
        f"FOOTFALL_GRAFANA_DIR={folder}\nFOOTFALL_GRAFANA_USER={os.getuid()}:{os.getgid()}\n", encoding="utf-8"
    )
    return answers


def main() -> int:
    """Write and tell; 2 when a setting cannot be used."""
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.stderr.write(f"grafana: {error}\n")
        return 2
    answers = write(settings.data_dir.resolve() / "grafana", settings)
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    say = sys.stdout.write
    say(f"Prometheus is set up in {answers.parent}: Footfall at port {settings.port}, ")
    say(f"its monitor at {settings.monitor_port}.\n\n")
    if engine is None:
        say(f"No container engine ({' or '.join(ENGINES)}) is installed here. Where there is one:\n\n")
    say(f"  GRAFANA_PASSWORD=… {engine or ENGINES[0]} compose --env-file {answers} \\\n")
    say(f"    --file {COMPOSE.relative_to(ROOT)} up --detach\n\n")
    say("starts Prometheus and Grafana. Open http://127.0.0.1:3000/dashboards (user admin, the password you chose).\n")
    say("For a Grafana and a Prometheus of your own: docs/runbook.md, grafana/provisioning/, grafana/dashboards/.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
