"""What the documents say is what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from footfall.config import CameraSettings, LineSettings, Settings, SiteFile, ZoneSettings
from footfall.vision.statistics import STATISTIC_NAMES
from monitoring.metrics import DRIFT_METRICS, RETRAIN_METRICS, MonitorMetrics, quality_metrics
from service.metrics import RECONNECT_REASONS, Metrics

ROOT = Path(__file__).resolve().parents[3]
DOCS = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SUFFIX = {"counter": "_total", "info": "_info"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(document: str, title: str) -> str:
    return document.partition(title)[2].partition("\n#")[0]


def first_cells(table: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


def test_every_setting_is_documented_with_its_default_and_no_other() -> None:
    documented = section(text("docs/configuration.md"), "## Settings")
    assert first_cells(documented) == {f"FOOTFALL_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        default = "–" if field.default is None else f"`{field.default}`"
        assert f"| `FOOTFALL_{name.upper()}` | {default} | {field.description} |" in documented


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("## Site file", SiteFile),
        ("### cameras[]\n", CameraSettings),
        ("### cameras[].lines[]", LineSettings),
        ("### cameras[].zones[]", ZoneSettings),
    ],
)
def test_every_key_of_a_site_file_is_documented_and_no_other(title: str, model: type) -> None:
    assert first_cells(section(text("docs/configuration.md"), title)) == set(model.model_fields)  # type: ignore[attr-defined]


def commands(group: typer.Typer, prefix: str) -> set[str]:
    found = {
        f"{prefix} {command.name or command.callback.__name__.strip('_').replace('_', '-')}"  # type: ignore[union-attr]
        for command in group.registered_commands
    }
    for each in group.registered_groups:
        assert each.typer_instance is not None
        found |= commands(each.typer_instance, f"{prefix} {each.name}")
    return found


def test_every_command_is_documented_and_no_other() -> None:
    from monitoring.__main__ import app as monitor_app
    from retrain.__main__ import app as retrain_app
    from service.__main__ import app

    expected = commands(app, "footfall") | commands(monitor_app, "footfall-monitor")
    expected |= commands(retrain_app, "footfall-retrain")
    assert first_cells(section(text("docs/configuration.md"), "## Commands")) == expected


def test_every_metric_is_documented_with_type_and_labels_and_no_other() -> None:
    document = text("docs/metrics.md")
    metrics = {name: value for name, value in vars(Metrics()).items() if name != "registry"}
    names = {metric._name + SUFFIX.get(metric._type, "") for metric in metrics.values()}
    table = document.partition("## The monitor")[0]
    assert first_cells(table) == names
    for metric in metrics.values():
        labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "–"
        name = metric._name + SUFFIX.get(metric._type, "")
        assert f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |" in table
    for reason in RECONNECT_REASONS:
        assert f"`{reason}`" in table


def test_every_metric_of_the_monitor_is_documented_and_no_other() -> None:
    table = section(text("docs/metrics.md"), "## The monitor")
    own = {name: value for name, value in vars(MonitorMetrics(target=0.95)).items() if hasattr(value, "_name")}
    names = {metric._name + SUFFIX.get(metric._type, "") for metric in own.values()}
    made = quality_metrics() | DRIFT_METRICS | RETRAIN_METRICS
    assert first_cells(table) == names | set(made)
    for name, about in made.items():
        assert f"| `{name}` | {about} |" in table


def test_every_statistic_is_documented_and_no_other() -> None:
    assert first_cells(text("docs/metrics.md").partition("## Input statistics")[2]) == set(STATISTIC_NAMES)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[\[<>=!~;, ]", each)[0].lower() for each in wanted}
    documented = set(
        re.findall(
            r"[a-z][a-z0-9-]+", " ".join(re.findall(r"^\| ([^|]+) \|", text("docs/dependencies.md"), re.MULTILINE))
        )
    )
    assert names <= documented


@pytest.mark.parametrize("name", ["serve.txt", "retrain.txt", "cluster.txt", "dev.txt"])
def test_compiled_requirements_have_hashes_and_no_address(name: str) -> None:
    content = text(f"requirements/{name}")
    assert "://" not in content
    assert "--index-url" not in content
    pinned = re.findall(r"^[a-z0-9][^ =]*==", content, re.MULTILINE)
    assert len(pinned) > 20
    assert content.count("--hash=sha256:") >= len(pinned)
    assert not re.search(r"^torch(vision)?==", content, re.MULTILINE)


def test_serving_needs_neither_torch_nor_pandas_nor_evidently() -> None:
    content = text("requirements/serve.txt")
    for name in ("torch", "pandas", "evidently", "ultralytics", "opencv-python-headless"):
        assert not re.search(rf"^{name}==", content, re.MULTILINE)
