"""RabbitMQ as the component `tls` sets it up: AMQP and the management API over TLS alone, with a certificate that is checked."""

from __future__ import annotations

import dataclasses
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from facerec.adapters.rabbitmq import RabbitJobPublisher
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from facerec.files import write_private
from facerec.local.ports import free_port
from facerec.local.servers import RabbitServer
from tests.brokers import scan_job
from tests.conftest import rabbit_settings_of
from tests.failover.redis_nodes import make_certificate
from tests.manifests.rendering import K8S


class Encrypted(RabbitServer):
    """The component's configuration over ours, in a file of its own, as in the cluster."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        super().__init__(folder)
        self._certificates = certificates

    def _variables(self) -> dict[str, str]:
        return super()._variables() | {"RABBITMQ_CONFIG_FILES": str(self.folder / "*-more.conf")}

    def _write_configuration(self) -> None:
        super()._write_configuration()
        text = yaml.safe_load((K8S / "components/tls/rabbitmq.yaml").read_text(encoding="utf-8"))["data"][
            "tls-more.conf"
        ]
        # Our own main file names one listener and the management's address; in the cluster they are the usual ones.
        main = self.folder / "rabbitmq.conf"
        kept = [line for line in main.read_text().splitlines() if not line.startswith(("listeners", "management"))]
        write_private(main, "\n".join(kept) + "\n")
        for old, new in {
            "/run/secrets/tls": str(self._certificates),
            "5671\nssl": f"{self.port}\nssl",
            "port = 15671": f"port = {self.management_port}",
        }.items():
            assert old in text
            text = text.replace(old, new)
        write_private(self.folder / "tls-more.conf", text)

    def answers(self) -> bool:
        """TLS shakes hands on both ports."""
        context = ssl.create_default_context(cafile=self._certificates / "ca.crt")
        try:
            for port in (self.port, self.management_port):
                with socket.create_connection(("127.0.0.1", port), timeout=1) as plain:
                    context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        except OSError:
            return False
        return True


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[RabbitSettings]:
    make_certificate(tmp_path / "tls")
    server = Encrypted(tmp_path / "rabbit", tmp_path / "tls")
    try:
        server.start()
        yield dataclasses.replace(rabbit_settings_of(server), tls=True, ca_file=tmp_path / "tls" / "ca.crt")
    finally:
        server.close()


def test_jobs_travel_encrypted_and_a_dead_node_is_passed_over(encrypted: RabbitSettings) -> None:
    dead = ("127.0.0.1", free_port())
    for _ in range(3):
        publisher = RabbitJobPublisher(dataclasses.replace(encrypted, other_nodes=(dead, dead)))
        publisher.publish(scan_job())
        publisher.close()
    for wrong in (dataclasses.replace(encrypted, ca_file=None), dataclasses.replace(encrypted, tls=False)):
        publisher = RabbitJobPublisher(dataclasses.replace(wrong, timeout=2.0))
        with pytest.raises(BrokerUnavailable):
            publisher.publish(scan_job())
        publisher.close()
