"""What only Linux has is left out elsewhere, or done in another way: here on Linux that says it is macOS."""

from __future__ import annotations

import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from facerec.adapters.imagestore import open_image_store
from facerec.adapters.rabbitmq import connection
from facerec.local import ports
from facerec.local.process import Identity, wait_until
from facerec.services.write_check import write_checks
from worker.__main__ import cores
from worker.metrics import WorkerMetrics


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    for module, name in ((os, "sched_getaffinity"), (os, "memfd_create"), (socket, "TCP_KEEPIDLE")):
        monkeypatch.delattr(module, name)


@pytest.fixture
def ps(macos: None) -> None:
    if not os.access("/bin/ps", os.X_OK):
        pytest.skip("needs /bin/ps (Debian: apt-get install procps)")


def test_a_process_is_known_by_ps_whatever_the_language_and_the_time_zone(
    ps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = Identity.of(os.getpid())
    assert identity
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert Identity.of(os.getpid()) == identity
    assert identity.alive


def test_a_zombie_and_nobody_do_not_run_for_ps(ps: None) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        assert Identity.of(child.pid)
        os.kill(child.pid, signal.SIGKILL)
        assert wait_until(lambda: Identity.of(child.pid) is None, 10)
    assert Identity.of(child.pid) is None


def test_a_worker_counts_the_cores_of_the_machine(macos: None) -> None:
    assert cores() == os.cpu_count()


def test_the_detector_is_kept_in_a_file_that_goes_with_it(
    macos: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dlibs = pytest.importorskip("facerec.engine.dlibs")
    np = pytest.importorskip("numpy")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    detector = dlibs.HogDetector()
    assert [path.name.startswith("hog-detector-") for path in tmp_path.iterdir()] == [True]
    large = np.zeros((800, 800, 3), np.uint8)
    assert detector.find(large) == detector.find(large) == []
    del detector
    assert list(tmp_path.iterdir()) == []


def test_memory_that_nobody_can_tell_is_no_number(macos: None) -> None:
    metrics = WorkerMetrics()
    writes = write_checks(lambda: None, open_image_store("none"))
    metrics.watch(index=_Nothing(), jobs=int, children=tuple, waiting=int, oldest=float, dead=int, writes=writes)
    text = generate_latest(metrics.registry).decode()
    assert "facerec_index_faces 0.0" in text
    assert "facerec_engine_memory_bytes" not in text


class _Nothing:
    known_faces = 0
    position = 0


def test_pika_is_asked_for_no_option_that_it_does_not_know(macos: None) -> None:
    assert runpy.run_path(connection.__file__)["KEEPALIVE"] == {}


class _BsdSocket(socket.socket):
    """A socket whose address nobody else has for as long as theirs is not exactly the same."""

    def bind(self, address: object) -> None:
        pass


def test_a_port_that_another_program_has_at_all_addresses_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr("facerec.local.ports.socket.socket", _BsdSocket)
        assert not ports.is_free(port)
