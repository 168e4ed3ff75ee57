from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facerec.client import Client
from tests.unit.cli.running import Facerec
from tests.unit.cli.stub import StubService


@pytest.fixture
def service() -> Iterator[StubService]:
    with StubService() as service:
        yield service


@pytest.fixture
def client(service: StubService) -> Iterator[Client]:
    with Client(service.url) as client:
        yield client


@pytest.fixture
def facerec(service: StubService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Facerec:
    """The command in a folder of its own, with the stub as its service."""
    monkeypatch.chdir(tmp_path)
    for name in ("FACEREC_TOKEN", "FACEREC_TOKEN_FILE", "FACEREC_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FACEREC_URL", service.url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Facerec(tmp_path)
