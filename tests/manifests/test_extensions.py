"""What Kubernetes has no schema for: the objects of KEDA, the Prometheus operator and Google, held against what they name."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from facerec.topology import queues
from tests.manifests.rendering import K8S, Manifest, has_kubectl, named, of_kind, render, render_with
from tests.unit.test_dashboard import DASHBOARD, measured

pytestmark = pytest.mark.skipif(not has_kubectl(), reason="kubectl, which renders the manifests, is not installed")
SCRIPT = (K8S / "make-secrets.sh").read_text(encoding="utf-8")
SCALED = [(folder, tls) for folder in ("base", "overlays/gke", "overlays/production") for tls in ((), ("tls",))]


@cache
def production() -> list[Manifest]:
    return render(K8S / "overlays" / "production")


@pytest.mark.parametrize(("folder", "tls"), SCALED, ids=str)
def test_keda_asks_for_queues_that_are_and_scales_a_deployment_that_is(folder: str, tls: tuple[str, ...]) -> None:
    manifests = render_with(folder, ("autoscale/keda", *tls))
    (scaled,) = of_kind(manifests, "ScaledObject")
    target = named(manifests, "Deployment", scaled["spec"]["scaleTargetRef"]["name"])
    assert "replicas" not in target["spec"]
    assert 1 <= scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]
    known = {queue.name for queue in queues()}
    for trigger in scaled["spec"]["triggers"]:
        metadata = trigger["metadata"]
        # Of the two protocols HTTP alone counts what was taken and not yet acknowledged.
        assert (trigger["type"], metadata["protocol"], metadata["mode"]) == ("rabbitmq", "http", "QueueLength")
        assert "excludeUnacknowledged" not in metadata
        assert metadata["queueName"] in known
        assert float(metadata["value"]) > 0
        named(manifests, "TriggerAuthentication", trigger["authenticationRef"]["name"])
    for reference in of_kind(manifests, "TriggerAuthentication")[0]["spec"]["secretTargetRef"]:
        assert f"generic {reference['name']} " in SCRIPT
        assert f"=./{reference['key']}" in SCRIPT


@pytest.mark.parametrize(("folder", "tls"), SCALED, ids=str)
def test_keda_is_sent_to_the_port_where_the_management_api_is(folder: str, tls: tuple[str, ...]) -> None:
    manifests = render_with(folder, ("autoscale/keda", *tls))
    host = of_kind(manifests, "TriggerAuthentication")[0]["spec"]["secretTargetRef"][0]
    (line,) = re.findall(rf"printf '(\S+)' .*>{host['key']}$", SCRIPT, re.MULTILINE)
    ports = {port["name"]: port["port"] for port in named(manifests, "Service", "rabbitmq")["spec"]["ports"]}
    assert line == f"{'https' if tls else 'http'}://facerec:%s@%s:{ports['management']}/"


@pytest.mark.parametrize("component", ["autoscale/keda", "autoscale/hpa"])
def test_autoscalers_set_the_number_of_pods_alone(component: str) -> None:
    manifests = render_with("overlays/production", (component,))
    scalers = of_kind(manifests, "HorizontalPodAutoscaler") + of_kind(manifests, "ScaledObject")
    assert {scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers} == {"rest", "worker"}
    for name in ("rest", "worker"):
        assert "replicas" not in named(manifests, "Deployment", name)["spec"]


def test_prometheus_reads_ports_that_services_have() -> None:
    services = of_kind(production(), "Service")
    for monitor in of_kind(production(), "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = [each for each in services if wanted <= each["metadata"]["labels"].items()]
        for endpoint in monitor["spec"]["endpoints"]:
            assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
            if reference := endpoint.get("authorization", {}).get("credentials"):
                assert f"generic {reference['name']} --from-file=./{reference['key']}" in SCRIPT


def rules() -> list[dict[str, Any]]:
    (found,) = of_kind(production(), "PrometheusRule")
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def test_alerts_are_whole_and_ask_for_numbers_that_are_measured() -> None:
    jobs = {monitor["metadata"]["name"] for monitor in of_kind(production(), "ServiceMonitor")}
    for rule in rules():
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"].endswith(".")
        assert set(re.findall(r"\bfacerec_\w+", rule["expr"])) <= measured()
        assert set(re.findall(r'job="(\w+)"', rule["expr"])) <= jobs
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_the_operator_is_told_what_each_alert_means() -> None:
    document = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(Facerec\w+)` \|", document, re.MULTILINE)) == {rule["alert"] for rule in rules()}


def test_routes_in_alerts_are_routes_of_rest() -> None:
    core = (Path(__file__).parents[2] / "rest" / "core.py").read_text(encoding="utf-8")
    for rule in rules():
        assert all(route in core for route in re.findall(r'route="([^"]+)"', rule["expr"]))


def test_grafana_finds_the_dashboard() -> None:
    found = named(production(), "ConfigMap", "facerec-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    (text,) = found["data"].values()
    assert json.loads(text) == json.loads(DASHBOARD.read_text(encoding="utf-8"))


def test_googles_load_balancer_asks_for_the_page_that_always_answers() -> None:
    manifests = render(K8S / "overlays" / "gke")
    (ingress,) = of_kind(manifests, "Ingress")
    backend = ingress["spec"]["defaultBackend"]["service"]
    service = named(manifests, "Service", backend["name"])
    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    assert ingress["metadata"]["annotations"]["kubernetes.io/ingress.allow-http"] == "false"
    assert f"secret tls {ingress['spec']['tls'][0]['secretName']} " in SCRIPT
    config = json.loads(service["metadata"]["annotations"]["cloud.google.com/backend-config"])
    check = named(manifests, "BackendConfig", config["default"])["spec"]["healthCheck"]
    (container,) = named(manifests, "Deployment", "rest")["spec"]["template"]["spec"]["containers"]
    assert (check["requestPath"], check["port"]) == ("/", container["ports"][0]["containerPort"])
    assert "TRUSTED_PROXIES" in {variable["name"] for variable in container["env"]}, "addresses in answers are https"
