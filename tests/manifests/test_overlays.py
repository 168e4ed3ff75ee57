"""What an overlay promises: who may reach whom, who is there twice, which names and certificates fit together."""

from __future__ import annotations

import re
from itertools import product

import pytest

from tests.manifests.rendering import (
    K8S,
    OVERLAYS,
    Manifest,
    has_kubectl,
    named,
    of_kind,
    pods,
    render,
    render_with,
    variables,
)

pytestmark = pytest.mark.skipif(not has_kubectl(), reason="kubectl, which renders the manifests, is not installed")
NAME = "app.kubernetes.io/name"
SCRIPT = (K8S / "make-secrets.sh").read_text(encoding="utf-8")
WORLD, KEDA, MONITORING = "the world", "keda", "monitoring"
CLIENTS = ("rest", "worker", "logs")
ALLOWED = {
    *product(("rest", "worker"), ["redis"], (6379, 26379)),
    *product(CLIENTS, ["rabbitmq"], (5671, 5672)),
    *product(["redis"], ["redis"], (6379, 26379)),
    *product(["rabbitmq"], ["rabbitmq"], (4369, 25672, 35672)),
    *product([KEDA], ["rabbitmq"], (15671, 15672)),
    (MONITORING, "rabbitmq", 15692),
    (MONITORING, "worker", 9100),
    *product([WORLD, KEDA, MONITORING, *CLIENTS, "redis", "rabbitmq"], ["rest"], [5000]),
}
"""Whose call is taken, at which port. REST takes everybody's; of ours nobody may make one to it."""


def test_rest_in_a_pod_is_told_its_address_where_it_is_known() -> None:
    for overlay in OVERLAYS:
        manifests = render(K8S / "overlays" / overlay)
        (container,) = named(manifests, "Deployment", "rest")["spec"]["template"]["spec"]["containers"]
        (told,) = [each["valueFrom"]["configMapKeyRef"] for each in container["env"] if each["name"] == "PUBLIC_URL"]
        assert told == {"name": "facerec-public", "key": "url", "optional": True}
    assert named(render(K8S / "overlays" / "local"), "ConfigMap", "facerec-public")["data"] == {
        "url": "http://127.0.0.1:5000"
    }


def policies(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {found["metadata"]["name"]: found["spec"] for found in of_kind(manifests, "NetworkPolicy")}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_has_a_policy_of_its_own_for_both_directions(overlay: str) -> None:
    manifests = render(K8S / "overlays" / overlay)
    known = policies(manifests)
    assert known["deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, _ in pods(manifests):
        pod = name.partition("/")[2]
        assert known[pod]["podSelector"] == {"matchLabels": {NAME: pod}}
        assert set(known[pod]["policyTypes"]) == {"Ingress", "Egress"}


def _selected(selector: Manifest, name: str) -> bool:
    labels = {NAME: name}
    fits = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return fits and all(labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", []))


def _peer(peer: Manifest, name: str) -> bool:
    if "podSelector" in peer:
        return name not in {WORLD, KEDA, MONITORING} and _selected(peer["podSelector"], name)
    if "namespaceSelector" in peer:
        return peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == name
    return name == WORLD


def _may(rules: list[Manifest], side: str, other: str, port: int) -> bool:
    """A rule without peers is for everybody."""
    return any(
        (side not in rule or any(_peer(peer, other) for peer in rule[side]))
        and port in {entry["port"] for entry in rule["ports"]}
        for rule in rules
    )


def test_only_what_each_service_needs_is_allowed() -> None:
    known = policies(render(K8S / "overlays" / "production"))
    callers = (WORLD, KEDA, MONITORING, *CLIENTS, "redis", "rabbitmq")
    ports = {port for _, _, port in ALLOWED}
    allowed = {
        (caller, called, port)
        for caller, called, port in product(callers, (*CLIENTS, "redis", "rabbitmq"), ports)
        if _may(known[called].get("ingress", []), "from", caller, port)
    }
    assert allowed == ALLOWED
    for caller, called, port in ALLOWED:
        if caller in known and called != "rest":
            assert _may(known[caller]["egress"], "to", called, port), f"{caller} may not call {called}:{port}"
    for caller in ("redis", "rabbitmq", "logs"):
        assert not any(_may(known[caller]["egress"], "to", WORLD, port) for port in (80, 443))
        assert not _may(known[caller]["egress"], "to", "rest", 5000)


def test_the_public_web_may_be_called_and_no_private_network() -> None:
    known = policies(render(K8S / "overlays" / "production"))
    for caller in ("rest", "worker"):
        blocks = [peer["ipBlock"] for rule in known[caller]["egress"] for peer in rule["to"] if "ipBlock" in peer]
        assert {block["cidr"] for block in blocks} == {"0.0.0.0/0", "::/0"}
        private = {network for block in blocks for network in block["except"]}
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7"} <= private


def test_production_survives_the_loss_of_a_node() -> None:
    manifests = render(K8S / "overlays" / "production")
    budgets = {found["metadata"]["name"]: found["spec"] for found in of_kind(manifests, "PodDisruptionBudget")}
    classes = {found["metadata"]["name"]: found["value"] for found in of_kind(manifests, "PriorityClass")}
    for manifest in of_kind(manifests, "Deployment") + of_kind(manifests, "StatefulSet"):
        name, spec = manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
        assert spec["priorityClassName"] in classes
        if name == "logs":
            continue
        assert manifest["spec"]["replicas"] >= 3
        assert budgets[name]["selector"]["matchLabels"] == {NAME: name}
        spread = {rule["topologyKey"]: rule for rule in spec["topologySpreadConstraints"]}
        assert all(rule["labelSelector"]["matchLabels"] == {NAME: name} for rule in spread.values())
        if manifest["kind"] == "StatefulSet":
            assert spread["kubernetes.io/hostname"]["whenUnsatisfiable"] == "DoNotSchedule"
            assert budgets[name]["maxUnavailable"] == 1
    assert classes["facerec-stores"] > classes["facerec-front"] > classes["facerec-worker"]


def _hosts(manifests: list[Manifest]) -> set[str]:
    """Every host that our programs are told to call."""
    found = set()
    for _, pod in pods(manifests):
        given = variables(pod["containers"][0])
        for name in ("REDIS_HOST", "REDIS_SENTINELS", "RABBITMQ_HOST", "RABBITMQ_HOSTS"):
            found |= {part.partition(":")[0] for part in (given.get(name) or "").split(",") if part}
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_hosts_that_are_called_have_a_service(overlay: str) -> None:
    manifests = render(K8S / "overlays" / overlay)
    names = {found["metadata"]["name"] for found in of_kind(manifests, "Service")}
    for found in of_kind(manifests, "StatefulSet"):
        nodes = found["spec"]["serviceName"]
        assert nodes in names
        names |= {f"{found['metadata']['name']}-{number}.{nodes}" for number in range(found["spec"]["replicas"])}
    assert _hosts(manifests) <= names


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_with_tls_everybody_speaks_it_and_the_certificate_has_every_name(overlay: str) -> None:
    manifests = render_with(f"overlays/{overlay}", ("tls",))
    ports = {port["name"]: port["port"] for port in named(manifests, "Service", "rabbitmq")["spec"]["ports"]}
    for name in CLIENTS:
        given = variables(named(manifests, "Deployment", name)["spec"]["template"]["spec"]["containers"][0])
        assert (given["RABBITMQ_TLS"], given["RABBITMQ_PORT"]) == ("true", str(ports["amqp"]))
        assert given["RABBITMQ_CA_FILE"] == "/run/secrets/ca/ca.crt"
        assert name == "logs" or given["REDIS_TLS"] == "true"
    assert "listeners.tcp = none" in named(manifests, "ConfigMap", "rabbitmq")["data"]["tls-more.conf"]
    assert "port 0" in named(manifests, "ConfigMap", "redis")["data"]["tls.conf"]
    for host in _hosts(manifests):
        plain = re.sub(r"-\d\.", "-%s.", host)
        assert f"DNS:{plain}" in SCRIPT, f"the certificate lacks {host}"
    stores = named(manifests, "StatefulSet", "redis")["spec"]["template"]["spec"]["containers"]
    for container in [
        *stores,
        named(manifests, "StatefulSet", "rabbitmq")["spec"]["template"]["spec"]["containers"][0],
    ]:
        assert "/run/secrets/tls" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_the_namespace_takes_restricted_pods_alone() -> None:
    (namespace,) = render(K8S / "namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
