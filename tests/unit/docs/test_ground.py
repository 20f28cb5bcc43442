"""Set-up, container and demo say the same as pyproject.toml and the settings."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from footfall.config import Settings

ROOT = Path(__file__).resolve().parents[3]
VARIABLES = {f"FOOTFALL_{name.upper()}" for name in Settings.model_fields}

NOT_LOCKED = {"torch", "torchvision"}  # they come in kinds (CPU, CUDA) that only the user can choose


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("serve.txt", ["build"]),
        ("retrain.txt", ["build", "retrain"]),
        ("cluster.txt", ["build", "postgres", "s3", "kubernetes", "monitor", "mlflow"]),
        ("dev.txt", ["build", "dev", "postgres", "s3", "kubernetes", "monitor", "mlflow", "openvino", "retrain"]),
    ],
)
def test_compiled_requirements_hold_what_pyproject_asks_for(name: str, extras: list[str]) -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    pinned: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", text(f"requirements/{name}"), re.MULTILINE):
        pinned.setdefault(package, set()).add(version)
    for requirement in map(Requirement, wanted):
        if requirement.name in NOT_LOCKED:
            continue
        versions = pinned[canonicalize_name(requirement.name)]
        assert all(version in requirement.specifier for version in versions), f"{requirement}: {versions}; make lock"


@pytest.mark.parametrize("name", ["serve.txt", "retrain.txt", "cluster.txt"])
def test_development_has_the_versions_that_serve(name: str) -> None:
    serving = set(re.findall(r"^[a-z0-9._-]+==\S+", text(f"requirements/{name}"), re.MULTILINE))
    assert serving <= set(re.findall(r"^[a-z0-9._-]+==\S+", text("requirements/dev.txt"), re.MULTILINE))


def test_container_runs_as_nobody_special_and_uses_settings_that_exist() -> None:
    dockerfile = text("Dockerfile")
    assert re.search(r"^USER \d{4,}$", dockerfile, re.MULTILINE)
    assert "--require-hashes" in dockerfile
    assert set(re.findall(r"FOOTFALL_[A-Z_]+", dockerfile)) <= VARIABLES
    runtime = re.search(r"^packages=\((.*)\)$", text("scripts/setup.sh"), re.MULTILINE)
    assert runtime is not None
    for package in set(runtime[1].split()) - {"python3-venv"}:  # the image has Python's own
        assert package in dockerfile


def test_containers_are_given_what_they_copy_and_nothing_else() -> None:
    copied = set()
    for recipe in ("Dockerfile", "deploy/k8s/retrain.Dockerfile"):
        for arguments in re.findall(r"^COPY (.+)$", text(recipe), re.MULTILINE):
            *sources, _ = arguments.split()
            copied |= set(sources)
    assert all((ROOT / source).exists() for source in copied)
    ignored = text(".dockerignore").splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def test_the_image_of_retrainings_takes_the_pytorch_that_pyproject_asks_for() -> None:
    recipe = text("deploy/k8s/retrain.Dockerfile")
    (torch,) = re.findall(r'^ARG TORCH="(.+)"$', recipe, re.MULTILINE)
    extra = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]["retrain"]
    assert torch.split() == [each for each in extra if each.startswith("torch")]
    assert (
        re.findall(r"^USER (\d+)$", recipe, re.MULTILINE)[-1]
        == re.findall(r"^USER (\d+)$", text("Dockerfile"), re.MULTILINE)[-1]
    )
    assert "--require-hashes" in recipe


def test_the_operators_rules_are_the_projects() -> None:
    rules = yaml.safe_load(text("grafana/alerts/footfall.rules.yaml"))
    made = yaml.safe_load(text("deploy/k8s/components/prometheus-operator/rules.yaml"))
    assert made["spec"] == rules, "run python grafana/build.py"


def test_compose_file_keeps_the_service_to_this_machine() -> None:
    service = yaml.safe_load(text("deploy/compose.yaml"))["services"]["footfall"]
    assert set(service["environment"]) <= VARIABLES
    assert "FOOTFALL_API_TOKEN_FILE" in service["environment"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("by_environment", [False, True])
def test_make_hands_a_camera_address_on_as_it_stands(*, by_environment: bool) -> None:
    url = "rtsp://user:p$w#(ä)'\"@10.0.4.7/live?channel=1&subtype=0"
    command = ["make", "--silent", "--eval=show: ; @printenv DEMO_SOURCE", "show"]
    environment = os.environ | {"MAKEFLAGS": ""}
    if by_environment:
        environment["ARGS"] = url
    else:
        command.append(f"ARGS={url}")
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=30)
    assert shown.stdout == url + "\n"
