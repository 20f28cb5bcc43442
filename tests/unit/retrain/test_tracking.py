"""What MLflow is told of a run, in real stores, of files and of SQLite: once, whole, and at no run's cost."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from footfall.errors import SettingsError
from retrain import tracking
from retrain.run import Outcome

RUN = "0123456789abcdef" * 2
SAMPLE = "fedcba9876543210" * 2
SCORES: dict[str, Any] = {"f1": 0.8, "precision": 0.9, "recall": 0.7, "ap50": None, "frames": 28, "people": 130}
FIGURES = {
    "parts": {"all": SCORES, "camera gate": SCORES},
    "curve": [
        {"threshold": 0.05, "precision": 0.5, "recall": 0.9},
        {"threshold": 0.95, "precision": None, "recall": 0.0},
    ],
}
STAGES: dict[str, dict[str, Any]] = {
    "01-plan": {
        "seconds": 90.0,
        "job": {
            "request_id": RUN,
            "site": "mall",
            "cause": "fog",
            "cameras": [],
            "new_since": "2026-03-01T12:00:00+00:00",
            "options": {"seed": 1, "steps": None},
        },
        "record": {"footfall": "0.1.0", "champion": "ab" * 32, "teacher": None, "packages": []},
    },
    "02-collect": {"frames": [{"id": SAMPLE, "boxes": [[1, 2, 3, 4]]}]},
    "05-technique": {"choice": {"technique": "frozen", "steps": 20}},
    "07-train": {"curve": [{"step": 1, "loss": 3.0, "box": 2.0}, {"step": 20, "loss": 1.5, "box": 1.0}]},
    "09-evaluate": {"figures": {"champion": FIGURES, "challenger": FIGURES}, "stress": [], "clips": [SAMPLE]},
    "10-gates": {"promote": True, "gates": [{"name": "G1 new", "passed": True}, {"name": "G7", "passed": None}]},
}
PROMOTED = Outcome("promoted", "fog-0123 is the champion")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "export/model").mkdir(parents=True)
    (folder / "export/model/model.onnx").write_bytes(b"weights")
    (folder / "labels").mkdir()
    (folder / "labels/contact-sheet.jpg").write_bytes(b"people")
    for name, content in STAGES.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """Folder of a store, which the environment names: of files, or of SQLite with artefacts beside it."""
    folder = tmp_path / "store"
    folder.mkdir()
    is_sqlite = getattr(request, "param", "files") == "sqlite"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db" if is_sqlite else folder.as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.chdir(folder)  # where `mlruns` comes to be
    return folder


EVERY_STORE = pytest.mark.parametrize(
    "store",
    ["files", pytest.param("sqlite", marks=pytest.mark.filterwarnings("default"))],  # MLflow warns of its own tables
    indirect=True,
)


def told() -> list[Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("footfall")
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def fail(line: str) -> None:
    raise AssertionError(line)


@EVERY_STORE
def test_a_run_is_told_once_with_parameters_curves_and_model(run: Path, store: Path) -> None:
    from mlflow.tracking import MlflowClient

    for _ in range(2):
        tracking.track(run, RUN, PROMOTED, warn=fail)
    (kept,) = told()
    assert (kept.info.status, kept.info.run_name) == ("FINISHED", "fog-0123456789ab")
    assert kept.data.tags["footfall.run"] == RUN
    assert kept.data.tags["footfall.outcome"] == "promoted"
    assert kept.data.params["technique.technique"] == "frozen"
    assert (kept.data.params["cameras"], kept.data.params["options.seed"]) == ("all", "1")
    assert kept.data.metrics["challenger/camera gate/f1"] == 0.8
    assert kept.data.metrics["gates/G1 new"] == 1.0
    assert "gates/G7" not in kept.data.metrics
    assert "challenger/all/ap50" not in kept.data.metrics
    client = MlflowClient()
    losses = client.get_metric_history(kept.info.run_id, "loss")
    assert [(each.step, each.value) for each in losses] == [(1, 3.0), (20, 1.5)]
    boxes = client.get_metric_history(kept.info.run_id, "losses/box")
    assert [(each.step, each.value) for each in boxes] == [(1, 2.0), (20, 1.0)]
    curve = client.get_metric_history(kept.info.run_id, "challenger/curve/precision")
    assert [(each.step, each.value) for each in curve] == [(50, 0.5)]
    names = {each.path for each in client.list_artifacts(kept.info.run_id)}
    assert names == {"plan.json", "technique.json", "gates.json", "figures.json", "model"}


def test_nothing_of_a_single_picture_goes_there(run: Path, store: Path) -> None:
    tracking.track(run, RUN, PROMOTED, warn=fail)
    files = [path for path in store.rglob("*") if path.is_file()]
    assert any(path.name == "model.onnx" for path in files)
    assert not [path for path in files if path.suffix == ".jpg" or SAMPLE.encode() in path.read_bytes()]


def test_a_run_that_failed_is_told_so_and_in_full_when_it_has_ended(run: Path, store: Path) -> None:
    (run / "10-gates.json").rename(run / "kept")
    tracking.track(run, RUN, None, warn=fail)
    (failed,) = told()
    assert (failed.info.status, failed.data.tags["footfall.outcome"]) == ("FAILED", "failed")
    assert not [name for name in failed.data.metrics if name.startswith("gates/")]
    (run / "kept").rename(run / "10-gates.json")
    tracking.track(run, RUN, PROMOTED, warn=fail)
    (ended,) = told()
    assert (ended.info.status, ended.data.metrics["gates/G1 new"]) == ("FINISHED", 1.0)


def test_a_store_that_is_away_costs_a_line_that_holds_no_password(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ana:geheim@127.0.0.1:9/")
    lines: list[str] = []
    tracking.track(run, RUN, PROMOTED, warn=lines.append)
    (line,) = lines
    assert line.startswith("MLflow at http://***@127.0.0.1:9/ was not told (")
    assert "geheim" not in line


def test_where_nobody_wants_it_nothing_is_loaded(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(tracking, "_track", lambda *_: fail("was told"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    tracking.check()
    tracking.track(run, RUN, PROMOTED, warn=fail)


def test_wanted_without_its_library_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracking.check()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"MLFLOW_TRACKING_URI is set, but .* pip install footfall\[mlflow\]"):
        tracking.check()


def test_its_makers_are_told_nothing(run: Path, store: Path) -> None:
    tracking.track(run, RUN, PROMOTED, warn=fail)
    from mlflow.telemetry.client import get_telemetry_client

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == os.environ["DO_NOT_TRACK"] == "true"
    assert get_telemetry_client() is None
