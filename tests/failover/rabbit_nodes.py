"""Three RabbitMQ nodes on one machine that make a cluster as the configuration of k8s/overlays/production says."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from facerec.config import RabbitSettings
from facerec.files import write_private
from facerec.local.servers import RabbitServer
from facerec.values import Secret
from tests.manifests.rendering import K8S

NODES = range(3)
CLUSTER = ("cluster_", "queue_leader_locator")
"""How the lines begin that make a cluster; RabbitMQ 3.10 does not know the others."""


def _lines() -> list[str]:
    for manifest in yaml.safe_load_all((K8S / "overlays/production/rabbitmq.yaml").read_text(encoding="utf-8")):
        if manifest["kind"] == "ConfigMap":
            text = str(manifest["data"]["rabbitmq.conf"])
    for number in NODES:
        text = text.replace(f"rabbit@rabbitmq-{number}.rabbitmq-nodes", f"facerec-{number}@localhost")
    return [line for line in text.splitlines() if line.startswith(CLUSTER)]


class Node(RabbitServer):
    """One of three; they share a port mapper, a user and the secret that nodes know each other by."""

    def __init__(self, number: int, folder: Path, password: str, cookie: str, first: Node | None) -> None:
        self.node = f"facerec-{number}@localhost"
        super().__init__(folder / f"rabbit-{number}", user="facerec", password=password, management=False)
        if first is not None:
            self._epmd, self._epmd_port = first._epmd, first._epmd_port
        write_private(self.folder / ".erlang.cookie", cookie)

    def _write_configuration(self) -> None:
        super()._write_configuration()
        file = self.folder / "rabbitmq.conf"
        write_private(file, file.read_text(encoding="utf-8") + "\n".join(_lines()) + "\n")

    def close(self) -> None:
        self._process.kill()


class Nodes:
    """All three. ``settings`` are a client's."""

    def __init__(self, folder: Path) -> None:
        password, cookie = secrets.token_hex(8), secrets.token_hex(16)
        first = Node(0, folder, password, cookie, None)
        self.nodes = [first, *(Node(number, folder, password, cookie, first) for number in NODES[1:])]
        self.settings = RabbitSettings(
            port=first.port,
            other_nodes=tuple(("127.0.0.1", node.port) for node in self.nodes[1:]),
            user="facerec",
            password=Secret(password),
            timeout=2.0,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"RABBITMQ_HOSTS": ",".join(f"{host}:{port}" for host, port in self.settings.nodes)}

    def start(self) -> None:
        """The first brings the port mapper; then all wait for each other."""
        self.nodes[0].start_port_mapper()
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(Node.start, self.nodes))

    def close(self) -> None:
        for node in self.nodes:
            node.close()
        self.nodes[0].stop()

    def leader(self, queue: str, vhost: str) -> Node:
        """The node that orders what comes into ``queue``."""
        told = self.nodes[0].ctl("list_queues", "--vhost", vhost, "name", "leader")
        leaders = dict(line.split() for line in told.splitlines())
        return next(node for node in self.nodes if node.node == leaders[queue])

    def tails(self) -> str:
        return "\n".join(node._process.tail(12) for node in self.nodes)
