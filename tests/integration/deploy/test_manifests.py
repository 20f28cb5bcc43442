"""What `kubectl kustomize` makes of deploy/k8s/ is valid, refers to what exists, and says what other files say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from support.requests import make_request
from support.served import ROOT

from footfall.config import Settings
from monitoring.launchers.kubernetes import TEMPLATE, job_of, read_template, with_image

K8S = ROOT / "deploy/k8s"
PLACES = ["base", "overlays/single-node", "overlays/cluster"]
VERSIONS = ("1.31", "1.34")
OLDEST = (1, 21)
"""First kubectl with a kustomize newer than 2.0."""
OF_OPERATORS = {"ServiceMonitor", "PrometheusRule"}
"""Kinds whose schemas come with an operator: nobody here knows them, so they are compared by hand."""
RULES = ROOT / "grafana/alerts/footfall.rules.yaml"
COMPONENT = "app.kubernetes.io/component"


@cache
def rendered(place: str) -> list[dict[str, Any]]:
    kubectl = shutil.which("kubectl")
    assert kubectl is not None, "kubectl is not installed; `make setup-test` installs it"
    about = subprocess.run(
        [kubectl, "version", "--client", "--output=json"], capture_output=True, text=True, check=True
    )
    version = json.loads(about.stdout)["clientVersion"]
    if (int(version["major"]), int(re.sub(r"\D.*", "", version["minor"]))) < OLDEST:
        pytest.skip(
            f"kubectl {version['gitVersion']} builds with kustomize 2.0, as Debian 12 does, and knows neither "
            "`labels` nor `components`; these files were made with 1.32"
        )
    done = subprocess.run([kubectl, "kustomize", str(K8S / place)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(place: str, kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in rendered(place) if each["kind"] == kind}


def job(place: str) -> dict[str, Any]:
    """The Job that the monitor of a place makes: of its template, with its image."""
    (template,) = [
        each["data"]["retrain-job.yaml"]
        for each in of_kind(place, "ConfigMap").values()
        if "retrain-job.yaml" in each["data"]
    ]
    image = environment(pod_of(place, "monitor"))["FOOTFALL_RETRAIN_KUBERNETES_IMAGE"]
    return job_of(make_request(), with_image(yaml.safe_load(template), image), deadline_s=3600)


def pods(place: str) -> dict[str, dict[str, Any]]:
    """Component → pod template, that of a retraining's Job too."""
    found = {
        each["spec"]["template"]["metadata"]["labels"][COMPONENT]: each["spec"]["template"]
        for each in of_kind(place, "Deployment").values()
    }
    return found | {"retrain": job(place)["spec"]["template"]}


def pod_of(place: str, component: str) -> dict[str, Any]:
    (found,) = [
        each["spec"]["template"]
        for each in of_kind(place, "Deployment").values()
        if each["spec"]["template"]["metadata"]["labels"][COMPONENT] == component
    ]
    return dict(found)


def environment(pod: dict[str, Any]) -> dict[str, str]:
    (container,) = pod["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def selects(wanted: dict[str, str], labels: dict[str, str]) -> bool:
    return wanted.items() <= labels.items()


def port_names(pod: dict[str, Any]) -> set[str]:
    return {port["name"] for each in pod["spec"]["containers"] for port in each.get("ports", [])}


def values_of(content: Any, key: str) -> Iterator[Any]:
    """Whatever is under a key, anywhere."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name == key:
                yield value
            yield from values_of(value, key)
    elif isinstance(content, list):
        for value in content:
            yield from values_of(value, key)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("place", PLACES)
def test_kubernetes_takes_every_object(place: str, version: str) -> None:
    unknown = set()
    for each in [*rendered(place), job(place)]:
        if each["kind"] in OF_OPERATORS:
            unknown.add(each["kind"])
        else:
            kubernetes_validate.validate(each, version, strict=True)
    assert unknown == (OF_OPERATORS if place.endswith("cluster") else set())


@pytest.mark.parametrize("place", PLACES)
def test_services_and_policies_select_pods_that_exist_and_ports_that_they_have(place: str) -> None:
    services = of_kind(place, "Service").values()
    assert len(services) == 2
    for each in services:
        (pod,) = [pod for pod in pods(place).values() if selects(each["spec"]["selector"], pod["metadata"]["labels"])]
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= port_names(pod)
    covered: dict[str, set[str]] = {}
    for name, each in of_kind(place, "NetworkPolicy").items():
        found = {
            component: pod
            for component, pod in pods(place).items()
            if selects(each["spec"]["podSelector"]["matchLabels"], pod["metadata"]["labels"])
        }
        covered[name] = set(found)
        for rule in each["spec"].get("ingress", []):
            named = {port["port"] for port in rule["ports"]}
            assert all(named <= port_names(pod) for pod in found.values())
        assert "ingress" not in each["spec"] or list(found) != ["retrain"]
    assert covered == {
        "footfall": {"service", "monitor", "retrain"},  # and nothing comes in but by the other two
        "footfall-service": {"service"},
        "footfall-monitor": {"monitor"},
    }
    whole = of_kind(place, "NetworkPolicy")["footfall"]["spec"]
    assert (whole["policyTypes"], "ingress" in whole) == (["Ingress", "Egress"], False)


@pytest.mark.parametrize("place", PLACES)
def test_deployments_select_their_own_pods(place: str) -> None:
    for each in of_kind(place, "Deployment").values():
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert selects(each["spec"]["selector"]["matchLabels"], labels)
        others = [pod for pod in pods(place).values() if pod["metadata"]["labels"] != labels]
        assert not any(selects(each["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]) for pod in others)


@pytest.mark.parametrize("place", PLACES)
def test_every_pod_keeps_to_the_restricted_profile_and_says_what_it_takes(place: str) -> None:
    for component, pod in pods(place).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert spec["automountServiceAccountToken"] is (component == "monitor")
        (container,) = spec["containers"]
        context = container["securityContext"]
        assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        writable = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
        assert writable == {"/data", "/tmp"}
        if component != "retrain":
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert container[probe]["httpGet"]["port"] in port_names(pod)
    assert all(
        each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        for each in of_kind(place, "Namespace").values()
    )


@pytest.mark.parametrize("place", PLACES)
def test_what_pods_refer_to_is_there_or_is_a_secret_that_the_page_tells_to_make(place: str) -> None:
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    brought = page.partition("## What you bring")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(footfall-[a-z]+)` \|", brought, re.MULTILINE)
    secrets = set()
    for pod in pods(place).values():
        for each in values_of(pod, "configMapRef"):
            assert each["name"] in of_kind(place, "ConfigMap")
        for each in values_of(pod, "configMap"):
            assert each["name"] in of_kind(place, "ConfigMap")
        for each in values_of(pod, "persistentVolumeClaim"):
            assert each["claimName"] in of_kind(place, "PersistentVolumeClaim")
        secrets |= {each["name"] for each in values_of(pod, "secretRef")}
        secrets |= {each["secretName"] for each in values_of(pod, "secret")}
        (container,) = pod["spec"]["containers"]
        volumes = {each["name"] for each in pod["spec"]["volumes"]}
        assert {each["name"] for each in container["volumeMounts"]} == volumes
    assert sorted(secrets) == sorted(told)
    assert of_kind(place, "Secret") == {}
    # The Job gets no token: it asks nobody's API.
    assert {each["name"] for each in values_of(pods(place)["retrain"], "secretRef")} == {"footfall-store"}
    assert not list(values_of(pods(place)["retrain"], "secret"))


@pytest.mark.parametrize("place", PLACES)
def test_there_is_one_template_of_the_job(place: str) -> None:
    (kept,) = [each for each in of_kind(place, "ConfigMap").values() if "retrain-job.yaml" in each["data"]]
    assert kept["data"]["retrain-job.yaml"] == TEMPLATE.read_text(encoding="utf-8")
    monitor = pod_of(place, "monitor")
    path = Path(environment(monitor)["FOOTFALL_RETRAIN_KUBERNETES_TEMPLATE"])
    (mount,) = [
        each for each in monitor["spec"]["containers"][0]["volumeMounts"] if each["mountPath"] == str(path.parent)
    ]
    (volume,) = [each for each in monitor["spec"]["volumes"] if each["name"] == mount["name"]]
    assert volume["configMap"]["name"] == kept["metadata"]["name"]
    assert path.name in kept["data"]


def test_an_image_that_is_set_is_the_jobs_and_without_one_it_is_the_templates() -> None:
    template = read_template(TEMPLATE)
    assert with_image(template, None) == template
    (container,) = with_image(template, "registry.example/x:1")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/x:1"


@pytest.mark.parametrize("place", PLACES[1:])
def test_an_overlay_says_versions_and_keeps_names(place: str) -> None:
    images = {container["image"] for pod in pods(place).values() for container in pod["spec"]["containers"]}
    assert all(re.search(r":\d+\.\d+\.\d+$", image) for image in images), images
    assert {each["metadata"].get("namespace") for each in rendered(place) if each["kind"] != "Namespace"} == {
        "footfall"
    }


@pytest.mark.parametrize("place", PLACES)
def test_the_monitor_may_do_what_its_launcher_does_and_nothing_else(place: str) -> None:
    (role,) = of_kind(place, "Role").values()
    assert {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    } == {("batch", "jobs"): {"create", "get", "delete"}, ("", "pods"): {"list"}}
    (binding,) = of_kind(place, "RoleBinding").values()
    (subject,) = binding["subjects"]
    monitor = pod_of(place, "monitor")["spec"]
    assert subject["name"] == monitor["serviceAccountName"]
    assert subject["name"] in of_kind(place, "ServiceAccount")
    assert subject.get("namespace") == role["metadata"].get("namespace")
    assert not {"ClusterRole", "ClusterRoleBinding"} & {each["kind"] for each in rendered(place)}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("component", ["service", "monitor", "retrain"])
def test_a_program_takes_the_settings_that_its_pod_gives_it(
    place: str, component: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pods(place)[component]
    told = environment(pod)
    for each in values_of(pod, "configMapRef"):
        told |= of_kind(place, "ConfigMap")[each["name"]]["data"]
    told.pop("FOOTFALL_RETRAIN_REQUEST", None)
    known = {f"FOOTFALL_{name.upper()}" for name in Settings.model_fields}
    assert set(told) <= known
    for name in ("FOOTFALL_API_TOKEN_FILE", "FOOTFALL_VIEWER_TOKEN_FILE"):
        if name in told:
            (tmp_path / name).write_text(f"{name} of a test")
            told[name] = str(tmp_path / name)
    for name, value in told.items():
        monkeypatch.setenv(name, value or "footfall")
    settings = Settings()
    assert str(settings.data_dir) == "/data"
    assert settings.retrain_launcher == ("kubernetes" if component == "monitor" else "off")


# What comes with the Prometheus Operator

CLUSTER = PLACES[2]


def test_prometheus_finds_services_by_their_labels_and_names_jobs_as_the_rules_do() -> None:
    services = of_kind(CLUSTER, "Service")
    found = set()
    for each in of_kind(CLUSTER, "ServiceMonitor").values():
        matching = {
            name: service
            for name, service in services.items()
            if selects(each["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
        }
        ((name, service),) = matching.items()
        found.add(name)  # without `jobLabel` the job is named after the Service
        assert "jobLabel" not in each["spec"]
        (endpoint,) = each["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["path"] == "/metrics"
        (_, component) = name, service["spec"]["selector"][COMPONENT]
        credentials = endpoint["authorization"]["credentials"]
        path = environment(pod_of(CLUSTER, component))["FOOTFALL_VIEWER_TOKEN_FILE"]
        assert credentials == {"name": "footfall-token", "key": Path(path).name}
    wanted = set(re.findall(r'job="([^"]+)"', RULES.read_text(encoding="utf-8")))
    assert found == wanted == {"footfall", "footfall-monitor"}


def test_the_operators_rules_come_with_it() -> None:
    (rule,) = of_kind(CLUSTER, "PrometheusRule").values()
    assert rule["apiVersion"] == "monitoring.coreos.com/v1"
    assert rule["spec"] == yaml.safe_load(RULES.read_text(encoding="utf-8"))


def test_every_dashboard_is_a_config_map_that_grafana_finds() -> None:
    folder = ROOT / "grafana/dashboards"
    kept: dict[str, str] = {}
    for each in of_kind(CLUSTER, "ConfigMap").values():
        if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1":
            kept |= each["data"]
    assert kept == {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert all(len(json.dumps(each)) < 250_000 for each in of_kind(CLUSTER, "ConfigMap").values())  # of kubectl apply
