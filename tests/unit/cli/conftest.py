from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes folders of a name unreadable, for the administrator as well, whom no mode keeps out."""
    scandir = os.scandir

    def lock(name: str) -> None:
        def locked(path: str) -> Any:
            if Path(path).name == name:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", locked)

    return lock
