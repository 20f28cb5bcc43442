"""Retrainings as Jobs: what is sent is valid, made once, and its end is read; from a real HTTP API that keeps state."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kmock import KubernetesEmulator
from kubernetes import client
from support.requests import make_request

from footfall.domain import RetrainRequest
from footfall.errors import SettingsError
from monitoring.launchers import Ended, LaunchError
from monitoring.launchers.kubernetes import TEMPLATE, KubernetesLauncher, job_name, job_of, read_template

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD_IMPORT = pytest.mark.filterwarnings("ignore:read_binary is deprecated")  # in kmock
VERSIONS = ("1.31", "1.34")
HOSTILE = '$(reboot); `id` "quoted"\nline'


class Cluster:
    """Our launcher and, beside it, whoever plays the cluster."""

    def __init__(self, url: str) -> None:
        configuration = client.Configuration()
        configuration.host = url.rstrip("/")
        api = client.ApiClient(configuration)
        self.launcher = KubernetesLauncher(read_template(TEMPLATE), "people", deadline_s=3600, api=api)
        self.jobs, self.pods = client.BatchV1Api(api), client.CoreV1Api(api)

    def finish(self, wanted: RetrainRequest, condition: str, **more: str) -> None:
        status = {"conditions": [{"type": condition, "status": "True", **more}]}
        self.jobs.patch_namespaced_job(job_name(wanted), "people", {"status": status})

    def pod(self, wanted: RetrainRequest, status: int) -> None:
        ended = {"name": "retrain", "state": {"terminated": {"exitCode": status}}, "image": "", "imageID": ""}
        self.pods.create_namespaced_pod(
            "people",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"{job_name(wanted)}-x", "labels": {"footfall/retrain-request": wanted.id}},
                "spec": {"containers": [{"name": "retrain", "image": "x"}]},
                "status": {"containerStatuses": [ended | {"ready": False, "restartCount": 0}]},
            },
        )


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_sent_is_a_job_that_kubernetes_takes(version: str) -> None:
    wanted = make_request(reason=HOSTILE)
    job = job_of(wanted, read_template(TEMPLATE), deadline_s=3600)
    kubernetes_validate.validate(job, version, strict=True)
    assert job["metadata"]["name"] == f"footfall-retrain-{wanted.id[:12]}"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["footfall-retrain", "run"]
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert json.loads(told["FOOTFALL_RETRAIN_REQUEST"])["reason"] == wanted.reason
    assert job["spec"]["activeDeadlineSeconds"] == 3600


def test_a_request_changes_nothing_of_the_template_but_its_place() -> None:
    template = read_template(TEMPLATE)
    before = json.dumps(template)
    job = job_of(make_request(reason=HOSTILE), template, deadline_s=60)
    assert json.dumps(template) == before
    assert "$(reboot)" not in json.dumps(job["spec"]["template"]["spec"]["containers"][0]["command"])


@pytest.mark.parametrize("text", ["kind: Pod", "[", "apiVersion: batch/v1\nkind: Job\nspec: {}"])
def test_a_template_that_is_no_job_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="retrain_kubernetes_template"):
        read_template(path)
    content = yaml.safe_load(TEMPLATE.read_text())
    content["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(SettingsError, match="expected a batch/v1 Job with restartPolicy Never"):
        read_template(path)


@OLD_IMPORT
@pytest.mark.kmock(cls=KubernetesEmulator)
async def test_a_job_is_made_once_and_its_good_end_is_read(kmock: Any) -> None:
    kmock.resources.load_bundled()

    def play() -> None:
        cluster, wanted = Cluster(str(kmock.url)), make_request()
        for _ in range(2):  # the second time it is there already
            assert cluster.launcher.launch(wanted) == {"job": job_name(wanted), "namespace": "people"}
        assert len(cluster.jobs.list_namespaced_job("people").items) == 1
        assert cluster.launcher.poll(wanted) is None
        cluster.finish(wanted, "Complete")
        assert cluster.launcher.poll(wanted) == Ended("promoted", "exit status 0")

    await asyncio.to_thread(play)


@OLD_IMPORT
@pytest.mark.kmock(cls=KubernetesEmulator)
async def test_a_lost_gate_a_deadline_and_a_deleted_job_are_told_apart(kmock: Any) -> None:
    kmock.resources.load_bundled()

    def play() -> None:
        cluster = Cluster(str(kmock.url))
        lost, late, gone, unwanted = (make_request() for _ in range(4))
        for wanted in (lost, late, gone, unwanted):
            cluster.launcher.launch(wanted)
        cluster.finish(late, "Failed", reason="DeadlineExceeded", message="Job was active longer than specified")
        end = cluster.launcher.poll(late)
        assert end == Ended("failed", "DeadlineExceeded: Job was active longer than specified")
        # After that: this API gives all pods, whatever labels are asked for.
        cluster.pod(lost, 42)
        cluster.finish(lost, "Failed", reason="PodFailurePolicy", message="exit code 42")
        assert cluster.launcher.poll(lost) == Ended("rejected", "exit status 42")
        for wanted in (gone, unwanted):
            cluster.launcher.cancel(wanted)
            cluster.launcher.cancel(wanted)
        assert cluster.launcher.poll(gone) == Ended("failed", "its Job is gone; somebody deleted it")
        cancelled = RetrainRequest(**{**vars_of(unwanted), "cancel_at": NOON})
        assert cluster.launcher.poll(cancelled) == Ended("cancelled", "as somebody wanted")

    await asyncio.to_thread(play)


def vars_of(wanted: RetrainRequest) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in RetrainRequest.__dataclass_fields__}


def test_an_api_that_is_away_is_told_and_tried_again() -> None:
    cluster, wanted = Cluster("http://127.0.0.1:1"), make_request()
    with pytest.raises(LaunchError, match=r"its Job could not be created \(MaxRetryError\)"):
        cluster.launcher.launch(wanted)
    with pytest.raises(LaunchError, match=r"its Job could not be read \(MaxRetryError\)"):
        cluster.launcher.poll(wanted)
