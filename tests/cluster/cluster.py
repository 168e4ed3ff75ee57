"""A namespace of its own in a real cluster, driven by kubectl as an operator does it.

The tests touch a cluster only when FACEREC_CLUSTER names the context that kubectl is set to: any cluster that holds the images
``facerec-rest:0.1.0`` and ``facerec-worker:0.1.0`` and has volumes to give (kind, minikube, Docker Desktop).
"""

from __future__ import annotations

import copy
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import yaml

from facerec.local.ports import free_port
from tests.client import Client, wait_until
from tests.manifests.rendering import NOT_OF_KUBERNETES, Manifest, containers, pods

ROOT = Path(__file__).parents[2]
MINUTES = 300.0


def why_not() -> str:
    """Why no cluster is used; empty when one is."""
    wanted = os.environ.get("FACEREC_CLUSTER")
    if not wanted:
        return "no cluster is used: FACEREC_CLUSTER must name the context that kubectl is set to"
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
    found = subprocess.run(["kubectl", "config", "current-context"], capture_output=True, text=True, check=False)
    context = found.stdout.strip()
    return "" if context == wanted else f"kubectl is set to {context!r}, and FACEREC_CLUSTER says {wanted!r}"


class Cluster:
    """``with Cluster(tmp_path) as cluster``: a new namespace, and a kubeconfig that is set to it."""

    def __init__(self, folder: Path) -> None:
        self.namespace = f"facerec-test-{secrets.token_hex(4)}"
        self.config = folder / "kubeconfig"
        self.config.write_text(_run(["kubectl", "config", "view", "--raw", "--minify", "--flatten"]), encoding="utf-8")
        self.config.chmod(0o600)
        self.token = ""
        told = json.loads(self.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
        self.version = int(told.split(".")[1])

    def __enter__(self) -> Cluster:
        self.kubectl("create", "namespace", self.namespace)
        self.kubectl("label", "namespace", self.namespace, "pod-security.kubernetes.io/enforce=restricted")
        self.kubectl("config", "set-context", "--current", "--namespace", self.namespace)
        return self

    def __exit__(self, *_: object) -> None:
        self.kubectl("delete", "namespace", self.namespace, "--wait=false")

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.config)}

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        return _run(["kubectl", *arguments], self.environment, given)

    def make_secrets(self) -> None:
        said = _run([str(ROOT / "k8s/make-secrets.sh")], self.environment)
        found = re.search(r"shown this once: (\w+)", said)
        assert found, said
        self.token = found[1]

    def apply(self, manifests: list[Manifest], *options: str) -> None:
        """Apply them all, but for those of extensions that are not installed and what this server is too old for."""
        taken = [self._older(each) for each in manifests if self._is_for(each["apiVersion"])]
        self.kubectl("apply", *options, "-f", "-", given=yaml.safe_dump_all(taken))

    def _is_for(self, api_version: str) -> bool:
        if api_version in NOT_OF_KUBERNETES:
            return api_version in self.kubectl("api-versions").split()
        return api_version != "autoscaling/v2" or self.version >= 23

    def _older(self, manifest: Manifest) -> Manifest:
        """A server before 1.25 wants policies under their older name and knows no range of ports; ours are for newer ones."""
        if self.version >= 25:
            return manifest
        older = copy.deepcopy(manifest)
        if older["apiVersion"] == "policy/v1":
            older["apiVersion"] = "policy/v1beta1"
        if older["kind"] == "NetworkPolicy":
            for rule in [*older["spec"].get("egress", []), *older["spec"].get("ingress", [])]:
                for port in rule.get("ports", []):
                    port.pop("endPort", None)
        return older

    def wait_rolled_out(self) -> None:
        """Until every pod of everything is ready."""
        for name in self.kubectl("get", "statefulset,deployment", "-o", "name").split():
            try:
                self.kubectl("rollout", "status", name, f"--timeout={MINUTES:g}s")
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.evidence()}") from None

    def pods(self, name: str) -> list[str]:
        """Those of one part that are not on their way out."""
        listed = json.loads(self.kubectl("get", "pods", "-l", f"app.kubernetes.io/name={name}", "-o", "json"))
        return [
            pod["metadata"]["name"]
            for pod in listed["items"]
            if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
        ]

    def kill(self, pod: str) -> None:
        """At once, as when its machine is lost."""
        self.kubectl("delete", "pod", pod, "--grace-period=0", "--force")

    def evidence(self) -> str:
        wide = self.kubectl("get", "pods", "-o", "wide")
        events = self.kubectl("get", "events", "--field-selector", "type=Warning", "--sort-by=.lastTimestamp")
        logs = self.kubectl(
            "logs", "-l", "app.kubernetes.io/part-of=facerec", "--tail=8", "--prefix", "--all-containers"
        )
        return f"{wide}\n{events[-3000:]}\n{logs[-6000:]}"

    def fsck(self) -> Any:
        """The report of ``facerec fsck``, run where an operator runs it: in a worker's pod."""
        return json.loads(
            self.kubectl("exec", self.pods("worker")[0], "--", "python", "-m", "facerec", "fsck", "--json")
        )

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client of REST by way of ``kubectl port-forward``, which is started anew when its pod goes."""
        port, ended = free_port(), Event()
        command = ["kubectl", "port-forward", "service/rest", f"{port}:80"]

        def forward() -> None:
            while not ended.is_set():
                with subprocess.Popen(
                    command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                ) as process:
                    assert process.stderr is not None
                    _end_when_it_complains(process, ended)

        thread = Thread(target=forward, daemon=True)
        thread.start()
        client = Client(f"http://127.0.0.1:{port}", self.token)
        try:
            wait_until(client.serves, "REST answers through the port-forward", self.evidence)
            yield client
        finally:
            ended.set()
            client.session.close()
            thread.join(30)


def _end_when_it_complains(process: subprocess.Popen[str], ended: Event) -> None:
    """A port-forward lives on after its pod is gone and tells of it on stderr; this ends it then, or when all is ended."""

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if "lost connection" in line or "error" in line.lower():
                process.terminate()

    Thread(target=listen, daemon=True).start()
    while process.poll() is None and not ended.wait(0.2):
        pass
    process.terminate()


def small(manifests: list[Manifest]) -> list[Manifest]:
    """The same for a machine of two cores: nothing reserves more than a sliver of them."""
    found = copy.deepcopy(manifests)
    for _, pod in pods(found):
        for container in containers(pod):
            container["resources"]["requests"].update(cpu="10m", memory="64Mi")
    return found


def _run(command: list[str], environment: dict[str, str] | None = None, given: str | None = None) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        input=given,
        timeout=2 * MINUTES,
        cwd=ROOT,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    return done.stdout
