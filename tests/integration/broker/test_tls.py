"""TLS: the certificate is checked against the system's authorities and the host's name."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from facerec.adapters.rabbitmq import RabbitJobPublisher
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from tests.brokers import scan_job


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of 127.0.0.1 in one file, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    file = tmp_path / "both.pem"
    subject = ["-subj", "/CN=facerec test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    file.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    return file


@pytest.fixture
def encrypted(direct: RabbitSettings, certificate: Path) -> Iterator[RabbitSettings]:
    """RabbitMQ behind something that speaks TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context, direct.port), daemon=True).start()
        yield dataclasses.replace(direct, port=listener.getsockname()[1], tls=True)
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, context: ssl.SSLContext, target: int) -> None:
    while True:
        try:
            client, _address = listener.accept()
        except OSError:
            return
        try:
            secure = context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            continue
        server = socket.create_connection(("127.0.0.1", target))
        for source, sink in ((secure, server), (server, secure)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for side in (source, sink):
            side.close()


def test_publish_over_tls(encrypted: RabbitSettings, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    publisher = RabbitJobPublisher(encrypted)
    publisher.publish(scan_job(b"x" * 300_000))
    publisher.close()


def test_unknown_authority_is_refused(encrypted: RabbitSettings) -> None:
    publisher = RabbitJobPublisher(encrypted)
    with pytest.raises(BrokerUnavailable, match="certificate"):
        publisher.publish(scan_job())
    publisher.close()


def test_certificate_of_another_host_is_refused(
    encrypted: RabbitSettings, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    publisher = RabbitJobPublisher(dataclasses.replace(encrypted, host="localhost"))
    with pytest.raises(BrokerUnavailable, match="certificate"):
        publisher.publish(scan_job())
    publisher.close()
