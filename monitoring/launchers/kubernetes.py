"""Runs retrainings in Kubernetes: a `batch/v1` Job for each request, made from the operator's template."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from footfall.errors import SettingsError
from monitoring.launchers import Ended, LaunchError, ended_with, told_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from footfall.domain import RetrainRequest

TEMPLATE: Final = Path(__file__).with_name("retrain-job.yaml")
REQUEST_LABEL: Final = "footfall/retrain-request"
_CONTAINER: Final = "retrain"
_TIMEOUT_S: Final = 10.0


def read_template(path: Path) -> dict[str, Any]:
    """Read the Job that requests are put into.

    Raises:
        SettingsError: cannot be read, or is no Job with a container named `retrain` and `restartPolicy: Never`.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        spec = content["spec"]["template"]["spec"]
        is_job = (content["apiVersion"], content["kind"]) == ("batch/v1", "Job")
        names = [container["name"] for container in spec["containers"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise SettingsError(
            f"retrain_kubernetes_template: {path} cannot be read or is no Job ({type(error).__name__})"
        ) from None
    if not is_job or _CONTAINER not in names or spec.get("restartPolicy") != "Never":
        raise SettingsError(
            f"retrain_kubernetes_template: {path}: expected a batch/v1 Job with restartPolicy Never and a container "
            f"named {_CONTAINER!r}"
        )
    job: dict[str, Any] = content
    return job


def job_of(request: RetrainRequest, template: Mapping[str, Any], *, deadline_s: float) -> dict[str, Any]:
    """Return the Job of a request; of the request only checked values go into it, and into no command."""
    job: dict[str, Any] = copy.deepcopy(dict(template))
    metadata = job.setdefault("metadata", {})
    metadata["name"] = job_name(request)
    for labelled in (metadata, job["spec"]["template"].setdefault("metadata", {})):
        labelled.setdefault("labels", {})[REQUEST_LABEL] = request.id
    job["spec"]["activeDeadlineSeconds"] = int(deadline_s)
    for container in job["spec"]["template"]["spec"]["containers"]:
        if container["name"] == _CONTAINER:
            about = json.dumps(told_of(request))
            container.setdefault("env", []).append({"name": "FOOTFALL_RETRAIN_REQUEST", "value": about})
    return job


def with_image(template: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    """Return the Job with another image of its retraining container; None: with its own."""
    job: dict[str, Any] = copy.deepcopy(dict(template))
    for container in job["spec"]["template"]["spec"]["containers"]:
        if container["name"] == _CONTAINER and image is not None:
            container["image"] = image
    return job


def job_name(request: RetrainRequest) -> str:
    """Return the same name for the same request: a second Job cannot be made."""
    return f"footfall-retrain-{request.id[:12]}"


class KubernetesLauncher:
    """Makes Jobs in one namespace. Needs there: create, get, delete of jobs, and list of pods.

    Args:
        api: None: that of the cluster it runs in, or of the usual kubeconfig.

    Raises:
        SettingsError: neither of them is there.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        namespace: str,
        *,
        deadline_s: float,
        api: client.ApiClient | None = None,
    ) -> None:
        if api is None:
            try:
                config.load_config()  # type: ignore[no-untyped-call]  # the client has no types here
            except ConfigException:
                raise SettingsError(
                    "retrain_launcher: `kubernetes` finds neither a service account nor a kubeconfig"
                ) from None
            api = client.ApiClient()
        self._jobs = client.BatchV1Api(api)
        self._pods = client.CoreV1Api(api)
        self._template = template
        self._namespace = namespace
        self._deadline_s = deadline_s

    def launch(self, request: RetrainRequest) -> Mapping[str, Any]:
        """Create the Job; that it is there already is what was wanted."""
        job = job_of(request, self._template, deadline_s=self._deadline_s)
        try:
            # The client takes what JSON has as well as its own types.
            self._jobs.create_namespaced_job(self._namespace, cast("Any", job), _request_timeout=_TIMEOUT_S)
        except ApiException as error:
            if error.status != 409:
                raise _fault(request, "created", error) from None
        except HTTPError as error:
            raise _fault(request, "created", error) from None
        return {"job": job_name(request), "namespace": self._namespace}

    def poll(self, request: RetrainRequest) -> Ended | None:
        """Read the Job's conditions, and of a failed one its container's exit status."""
        try:
            job = self._jobs.read_namespaced_job(job_name(request), self._namespace, _request_timeout=_TIMEOUT_S)
        except ApiException as error:
            if error.status != 404:
                raise _fault(request, "read", error) from None
            if request.cancel_at is not None:
                return Ended("cancelled", "as somebody wanted")
            return Ended("failed", "its Job is gone; somebody deleted it")
        except HTTPError as error:
            raise _fault(request, "read", error) from None
        for condition in job.status.conditions or [] if job.status else []:
            if condition.status == "True" and condition.type == "Complete":
                return ended_with(0)
            if condition.status == "True" and condition.type == "Failed":
                status = self._exit_status(request)
                if status is None:
                    return Ended("failed", f"{condition.reason}: {condition.message}"[:500])
                return ended_with(status)
        return None

    def cancel(self, request: RetrainRequest) -> None:
        """Delete the Job with its pods."""
        try:
            self._jobs.delete_namespaced_job(
                job_name(request), self._namespace, propagation_policy="Background", _request_timeout=_TIMEOUT_S
            )
        except ApiException as error:
            if error.status != 404:
                raise _fault(request, "deleted", error) from None
        except HTTPError as error:
            raise _fault(request, "deleted", error) from None

    def _exit_status(self, request: RetrainRequest) -> int | None:
        try:
            pods = self._pods.list_namespaced_pod(
                self._namespace, label_selector=f"{REQUEST_LABEL}={request.id}", _request_timeout=_TIMEOUT_S
            )
        except (ApiException, HTTPError) as error:
            raise _fault(request, "read", error) from None
        found = [
            container.state.terminated.exit_code
            for pod in pods.items
            for container in (pod.status.container_statuses or [] if pod.status else [])
            if container.name == _CONTAINER and container.state and container.state.terminated
        ]
        return int(found[-1]) if found else None


def _fault(request: RetrainRequest, what: str, error: Exception) -> LaunchError:
    reason = f"the API answered {error.status}" if isinstance(error, ApiException) else type(error).__name__
    return LaunchError(f"retraining {request.id}: its Job could not be {what} ({reason})")
