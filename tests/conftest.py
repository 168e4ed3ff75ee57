"""Fixtures for all tests: a clean environment, and real Redis and RabbitMQ servers of our own.

A missing server program skips the tests that need it on a laptop and fails them in CI.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import redis

from facerec.adapters.redis import RedisDatabases
from facerec.config import RabbitSettings, RedisSettings, known_names
from facerec.local.servers import RabbitServer, RedisServer, ServerMissing
from facerec.values import Secret
from tests import pictures

TESTS = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
"""Those of this machine; none where a process cannot keep to one."""
SLOW_FILES = (
    "images/test_images.py",
    "local/test_deploy_native.py",
    "faults/test_every_step.py",
    "integration/test_service.py",
    "e2e/test_access.py",
    "faults/test_ledger.py",
    "failover/test_rabbitmq.py",
    "integration/cli/test_scan.py",
    "integration/test_regenerate.py",
    "parity/test_memory.py",
    "e2e/test_many.py",
    "failover/test_redis.py",
    "contract/test_many_names.py",
    "e2e/test_safety.py",
    "contract/nextcloud/test_php_client.py",
    "faults/test_service.py",
    "integration/test_export.py",
    "e2e/test_newcomer.py",
    "parity/test_encoder.py",
    "integration/test_grouping.py",
    "integration/findface/test_findface_openapi.py",
    "e2e/test_add.py",
    "unit/engine/test_damaged_pictures.py",
    "integration/test_export_live.py",
)
"""The files that take longer than a minute, in the order in which they begin."""


def pytest_configure() -> None:
    """A shell starts what runs in the background with SIGINT ignored, and the programs under test would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _share_the_cores()


def _share_the_cores() -> None:
    """Where there are as many test processes as cores, or more, each keeps to one core, and so do the programs that it starts.

    Programs that talk to each other wake each other all the time. To wake one on another core costs a virtual machine more than
    the work itself: a RabbitMQ starts in half the time on one core of two.
    """
    number = os.environ.get("PYTEST_XDIST_WORKER", "")
    if number and int(os.environ["PYTEST_XDIST_WORKER_COUNT"]) >= len(CORES) > 0:
        os.sched_setaffinity(0, {CORES[int(number.removeprefix("gw")) % len(CORES)]})


@contextlib.contextmanager
def on_every_core() -> Iterator[None]:
    """What starts inside, and this process meanwhile, may run on every core."""
    if not CORES:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture
def every_core() -> Iterator[None]:
    """For a test whose programs need more than one core."""
    with on_every_core():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins, so that no process waits at the end for what another still has to do."""
    places = {name: place for place, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: places.get(item.path.relative_to(TESTS).as_posix(), len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the shared broker and the test's own processes complained of is part of the report of a test that failed."""
    report = yield
    if report.failed:
        given = getattr(item, "funcargs", {})
        server, folder = given.get("rabbit_server"), given.get("tmp_path")
        if isinstance(server, RabbitServer):
            complaints = [line for line in _lines(server.log) if "[error]" in line]
            report.sections.append(("RabbitMQ's last errors", "\n".join(complaints[-20:])))
        for log in sorted(folder.glob("*.log")) if isinstance(folder, Path) else ():
            report.sections.append((f"the end of {log.name}", "\n".join(_lines(log)[-20:])))
    return report


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def setting_names() -> frozenset[str]:
    """The name of every environment variable of the project, but those that the tests read."""
    return known_names() - {"FACEREC_CLUSTER", "FACEREC_FACES"}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on what the developer's shell has set, or on a service that runs in the folder of the project."""
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FACEREC_SERVICE_FILE", "none")


def absent(error: ServerMissing) -> NoReturn:
    """Skip the test that needs it, or fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def archive() -> dict[str, Path]:
    """The pictures inside the archive of face_recognition: skipped without network here, a failure in CI."""
    try:
        return pictures.archive_pictures()
    except pictures.NoPictures as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One private Redis for the whole session. Tests take `redis_url` or `redis_settings`, which empty it first."""
    yield from _redis(tmp_path_factory.mktemp("redis"))


@pytest.fixture(scope="session")
def rabbit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """One private RabbitMQ for the whole session. Tests take `rabbit_url` or `rabbit_settings`, a virtual host each."""
    yield from _rabbit(tmp_path_factory.mktemp("rabbit"))


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL (without database number) of a Redis that holds nothing."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def redis_settings(redis_url: str, redis_server: RedisServer) -> RedisSettings:
    """Settings for a Redis that holds nothing."""
    return redis_settings_of(redis_server)


@pytest.fixture
def databases(redis_settings: RedisSettings) -> Iterator[RedisDatabases]:
    """The databases of a Redis that holds nothing."""
    opened = RedisDatabases(redis_settings)
    yield opened
    opened.close()


@pytest.fixture
def rabbit_vhost(rabbit_server: RabbitServer) -> str:
    """The name of a new virtual host, which stays.

    RabbitMQ 3.10 bears no deletion while a process that is about to end still declares its queues there: what carries the dead
    letters of a queue that is gone is started anew a thousand times a second, until its supervisor gives up for good.
    """
    name = f"test-{secrets.token_hex(6)}"
    rabbit_server.add_vhost(name)
    return name


@pytest.fixture
def rabbit_url(rabbit_server: RabbitServer, rabbit_vhost: str) -> str:
    """The AMQP URL of a virtual host of the test's own."""
    return f"{rabbit_server.url}/{rabbit_vhost}"


@pytest.fixture
def rabbit_settings(rabbit_server: RabbitServer, rabbit_vhost: str) -> RabbitSettings:
    """Settings for a virtual host of the test's own."""
    return rabbit_settings_of(rabbit_server, rabbit_vhost)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for one test alone, which may kill, pause and restart it."""
    yield from _redis(tmp_path / "redis")


@pytest.fixture
def own_rabbit(tmp_path: Path) -> Iterator[RabbitServer]:
    """A RabbitMQ for one test alone, which may kill, pause and restart it."""
    yield from _rabbit(tmp_path / "rabbit")


def redis_settings_of(server: RedisServer) -> RedisSettings:
    """How a client reaches ``server``."""
    return RedisSettings(port=server.port, password=Secret(server.password))


def rabbit_settings_of(server: RabbitServer, vhost: str = "/") -> RabbitSettings:
    """How a client reaches ``vhost`` of ``server``."""
    return RabbitSettings(port=server.port, user=server.user, password=Secret(server.password), vhost=vhost)


def _redis(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder, password=secrets.token_hex(8))
    with _started(server):
        yield server


def _rabbit(folder: Path) -> Iterator[RabbitServer]:
    server = RabbitServer(folder, management=False)
    with _started(server):
        yield server


@contextlib.contextmanager
def _started(server: RedisServer | RabbitServer) -> Iterator[None]:
    try:
        server.start()
    except ServerMissing as error:
        absent(error)
    try:
        yield
    finally:
        server.close()


@contextlib.contextmanager
def own_servers(folder: Path) -> Iterator[tuple[RedisServer, RabbitServer]]:
    """A Redis and a RabbitMQ for one module of tests, which may kill, pause and restart them."""
    redis_server = RedisServer(folder / "redis", password=secrets.token_hex(8))
    rabbit_server = RabbitServer(folder / "rabbit", management=False)
    with _started(redis_server), _started(rabbit_server):
        yield redis_server, rabbit_server
    rabbit_server.close()


@contextlib.contextmanager
def own_room(folder: Path, rabbit: RabbitServer) -> Iterator[tuple[RedisServer, RabbitSettings]]:
    """A Redis and a virtual host of ``rabbit`` for one module of tests, which leaves the broker alone: it takes long to start."""
    redis_server = RedisServer(folder / "redis", password=secrets.token_hex(8))
    vhost = f"module-{secrets.token_hex(6)}"
    with _started(redis_server):
        rabbit.add_vhost(vhost)
        yield redis_server, rabbit_settings_of(rabbit, vhost)
