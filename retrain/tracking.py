"""Tells MLflow of a run that has ended, where MLFLOW_TRACKING_URI names a store; the only file that knows MLflow.

Numbers, settings and the model go there; no picture, no box and no id of one: nobody could delete them there.
"""

from __future__ import annotations

import importlib.util
import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

from footfall.errors import SettingsError
from footfall.redaction import redact_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from retrain.run import Outcome

ENVIRONMENT: Final = "MLFLOW_TRACKING_URI"
EXPERIMENT: Final = "footfall"
RUN_TAG: Final = "footfall.run"
_AT_ONCE: Final = 500
_SCORES: Final = ("f1", "precision", "recall", "ap50")
_MODEL: Final = "export/model"
_QUIET: Final = {
    # It reports its use to its makers unless these are set before it is loaded.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # A server that is away costs seconds, not the half hour of its own bounds.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}


def check() -> None:
    """See whether MLflow is wanted and can be told.

    Raises:
        SettingsError: it is wanted, and its library is missing.
    """
    if _uri() is not None and importlib.util.find_spec("mlflow") is None:
        raise SettingsError(
            f"{ENVIRONMENT} is set, but MLflow's client is not installed; expected the extra: pip install "
            f"footfall[mlflow], or {ENVIRONMENT} unset. Nothing was trained"
        )


def track(folder: Path, request_id: str, ended: Outcome | None, *, warn: Callable[[str], None]) -> None:
    """Tell MLflow of a run; nothing where it is not wanted, and nothing twice. A store that is away costs a line.

    Args:
        folder: of the run.
        ended: None where it failed; told again once it has ended.
    """
    uri = _uri()
    if uri is None:
        return
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        _track(uri, folder, request_id, ended)
    except Exception as error:  # noqa: BLE001  of HTTP, databases and MLflow alike: no store of others ends a run
        # Not its text: it may hold the address with its password.
        warn(f"MLflow at {redact_url(uri)} was not told ({type(error).__name__}); the run is what it is without it")


def _uri() -> str | None:
    return os.environ.get(ENVIRONMENT) or None


def _track(uri: str, folder: Path, request_id: str, ended: Outcome | None) -> None:
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415  seconds to load, and an extra
    from mlflow.tracking import MlflowClient  # noqa: PLC0415

    client = MlflowClient(tracking_uri=uri)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    found = client.get_experiment_by_name(name)
    experiment = client.create_experiment(name) if found is None else found.experiment_id
    for known in client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{request_id}'"):
        if known.info.status == "FINISHED":
            return
        client.delete_run(known.info.run_id)  # of a try that failed, or that could not be told to its end
    done = _artefacts(folder)
    run = client.create_run(experiment, run_name=f"{_job(done).get('cause', 'retrain')}-{request_id[:12]}").info.run_id
    tags = {RUN_TAG: request_id, "footfall.outcome": "failed" if ended is None else ended.outcome}
    if ended is not None:
        tags["mlflow.note.content"] = ended.note
    client.log_batch(
        run,
        params=[Param(name, str(value)) for name, value in params_of(done).items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    now_ms = int(time.time() * 1000)
    metrics = [Metric(name, value, now_ms, step) for name, value, step in metrics_of(done)]
    for begin in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run, metrics=metrics[begin : begin + _AT_ONCE])
    for name, content in documents_of(done).items():
        client.log_dict(run, content, f"{name}.json")
    if (folder / _MODEL).is_dir():
        client.log_artifacts(run, str(folder / _MODEL), "model")
    client.set_terminated(run, "FAILED" if ended is None else "FINISHED")


def _artefacts(folder: Path) -> dict[str, Any]:
    """Stage → what it told, of those that are done."""
    return {
        path.stem.partition("-")[2]: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[0-9][0-9]-*.json"))
    }


def _job(done: Mapping[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = done.get("plan", {}).get("job", {})
    return job


def params_of(done: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for and decided, of the stages that are done."""
    job, record = _job(done), done.get("plan", {}).get("record", {})
    choice = done.get("technique", {}).get("choice", {})
    split, exported = done.get("split", {}), done.get("export", {})
    told: dict[str, Any] = {name: job[name] for name in ("site", "cause", "new_since") if name in job}
    if "cameras" in job:
        told["cameras"] = ",".join(job["cameras"]) or "all"
    told |= {f"options.{name}": value for name, value in job.get("options", {}).items()}
    told |= {name: record[name] for name in ("footfall", "champion", "teacher") if name in record}
    told |= {f"technique.{name}": value for name, value in choice.items()}
    told |= {name: split[name] for name in ("digest", "test_digest", "stretch") if name in split}
    return told | {name: exported[name] for name in ("artefact", "threshold", "sha256") if name in exported}


def metrics_of(done: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    """Tell name, value and step of every number: loss by step, the curve by threshold in thousandths, others at 0."""
    for point in done.get("train", {}).get("curve", ()):
        for name, value in point.items():
            if name != "step":
                yield "loss" if name == "loss" else f"losses/{name}", float(value), int(point["step"])
    for model, figures in done.get("evaluate", {}).get("figures", {}).items():
        yield from _figures_of(model, figures)
    for gate in done.get("gates", {}).get("gates", ()):
        if gate["passed"] is not None:
            yield f"gates/{gate['name']}", float(gate["passed"]), 0


def _figures_of(model: str, figures: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    for part, scores in figures["parts"].items():
        for name in _SCORES:
            if scores[name] is not None:
                yield f"{model}/{part}/{name}", float(scores[name]), 0
    for point in figures["curve"]:
        for name in ("precision", "recall"):
            if point[name] is not None:
                yield f"{model}/curve/{name}", float(point[name]), round(point["threshold"] * 1000)


def documents_of(done: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept as files, by name: nothing that tells of a single picture."""
    documents = {name: done[name] for name in ("plan", "technique", "export", "gates") if name in done}
    if "evaluate" in done:
        documents["figures"] = {name: done["evaluate"][name] for name in ("figures", "stress")}
    return documents
