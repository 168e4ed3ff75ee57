"""Every fault at every step of the rule: two pictures of one person end linked both ways, once, and nothing is left over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import FACES, LINKS, OWN
from facerec.local.servers import RabbitServer, RedisServer
from facerec.topology import DEAD_QUEUE, SCAN_QUEUE
from tests.brokers import empty_queues
from tests.client import wait_until
from tests.conftest import own_servers, rabbit_settings_of, redis_settings_of
from tests.drawings import showing
from tests.proxy import Proxy
from tests.stack import Process, Stack
from tests.stepped_worker import STEPS

QUICK = {
    "ENGINE": "fake",
    "WORKERS": "1",
    "REDIS_TIMEOUT": "1",
    "RABBITMQ_TIMEOUT": "2",
    "RABBITMQ_HEARTBEAT": "2",
    "RETRY_BASE": "0.1",
}


class Scene:
    """A front door that is left in peace, and workers behind proxies."""

    def __init__(self, redis: RedisServer, rabbit: RabbitServer, folder: Path) -> None:
        self.redis, self.rabbit = redis, rabbit
        self.redis_proxy, self.rabbit_proxy = Proxy(redis.port), Proxy(rabbit.port)
        self.databases = RedisDatabases(redis_settings_of(redis))
        # Not in a hurry: on a busy machine even a Redis in good health may take a second, and then the door says so.
        self.stack = Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, workers=0, ENGINE="fake")
        self._behind = Stack(
            replace(redis_settings_of(redis), port=self.redis_proxy.port),
            replace(rabbit_settings_of(rabbit), port=self.rabbit_proxy.port),
            folder,
            workers=0,
            **QUICK,
        ).environment
        self._folder = folder
        self._workers: list[Process] = []

    def close(self) -> None:
        self.end_workers()
        self.stack.close()
        self.redis_proxy.close()
        self.rabbit_proxy.close()
        self.databases.close()

    def stepped_worker(self, step: str, folder: Path) -> Process:
        return self._start("tests.stepped_worker", {"STEP_AT": step, "STEP_FOLDER": str(folder)})

    def plain_worker(self) -> Process:
        return self._start("worker", {})

    def end_workers(self) -> None:
        for worker in self._workers:
            if worker.running:
                worker.kill()
        self._workers.clear()

    def _start(self, module: str, environment: dict[str, str]) -> Process:
        log = self._folder / f"worker{len(list(self._folder.glob('worker*.log')))}.log"
        worker = Process(module, self._behind | environment, log)
        self._workers.append(worker)
        return worker


@pytest.fixture(scope="module")
def whole_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("every-step")
    with own_servers(folder) as (redis, rabbit):
        built = Scene(redis, rabbit, folder)
        try:
            built.stack.start_rest()
            yield built
        finally:
            built.close()


@pytest.fixture
def scene(whole_scene: Scene) -> Iterator[Scene]:
    """Empty, and without workers afterwards: one that outlived a test that failed would take the pictures of the next."""
    empty_queues(rabbit_settings_of(whole_scene.rabbit))
    whole_scene.databases.client(OWN).flushall()
    yield whole_scene
    whole_scene.end_workers()


Fault = Callable[[Scene, Process, Callable[[], None]], None]
"""Does its harm, calls the third argument to let the worker go on, and mends what it did."""


def worker_killed(scene: Scene, worker: Process, go_on: Callable[[], None]) -> None:
    worker.kill()
    go_on()
    scene.plain_worker()


def redis_killed(scene: Scene, _: Process, go_on: Callable[[], None]) -> None:
    scene.redis.kill()
    go_on()
    scene.redis.start()


def redis_hangs(scene: Scene, _: Process, go_on: Callable[[], None]) -> None:
    with scene.redis_proxy.black_hole(upstream=True, downstream=True):
        go_on()
        # Longer than REDIS_TIMEOUT: the worker gives this connection up and makes another.
        assert scene.redis_proxy.accepted.acquire(timeout=30)


def redis_cut(scene: Scene, _: Process, go_on: Callable[[], None]) -> None:
    scene.redis_proxy.down()
    go_on()
    scene.redis_proxy.up()


def broker_cut(scene: Scene, _: Process, go_on: Callable[[], None]) -> None:
    scene.rabbit_proxy.down()
    go_on()
    scene.rabbit_proxy.up()


def broker_hears_nothing(scene: Scene, _: Process, go_on: Callable[[], None]) -> None:
    drain(scene.rabbit_proxy)
    with scene.rabbit_proxy.black_hole(upstream=True):
        go_on()
        # The heartbeat finds out, and the worker connects anew.
        assert scene.rabbit_proxy.accepted.acquire(timeout=60)


def broker_says_nothing(scene: Scene, _: Process, go_on: Callable[[], None]) -> None:
    drain(scene.rabbit_proxy)
    with scene.rabbit_proxy.black_hole(downstream=True):
        go_on()
        assert scene.rabbit_proxy.accepted.acquire(timeout=60)


def broker_killed(scene: Scene, _: Process, go_on: Callable[[], None]) -> None:
    scene.rabbit.kill()
    go_on()
    scene.rabbit.start()


def drain(proxy: Proxy) -> None:
    """Forget the connections taken until now."""
    while proxy.accepted.acquire(blocking=False):
        pass


EVERY = [(fault, step) for fault in (worker_killed, redis_killed) for step in STEPS]
SOME = [
    *((redis_hangs, step) for step in ("before begin", "before commit")),
    *((redis_cut, step) for step in ("after begin", "before commit", "after commit")),
    *((broker_cut, step) for step in ("after begin", "before commit", "before ack")),
    (broker_hears_nothing, "before ack"),
    (broker_says_nothing, "before commit"),
    (broker_killed, "before ack"),
]


@pytest.mark.parametrize(
    ("fault", "step"),
    [*EVERY, *SOME],
    ids=[f"{fault.__name__}-{step}".replace(" ", "-") for fault, step in [*EVERY, *SOME]],
)
def test_nothing_is_lost_or_done_twice(scene: Scene, tmp_path: Path, fault: Fault, step: str) -> None:
    worker = scene.stepped_worker(step, tmp_path)
    hashes = [scene.stack.scan(showing("ann"), f"{n}.png") for n in range(2)]
    wait_until((tmp_path / "reached").exists, f"the worker is at {step}", scene.stack.log_tails)
    drain(scene.redis_proxy)
    fault(scene, worker, (tmp_path / "go").touch)
    assert set(scene.stack.wait_ended(hashes).values()) == {"done"}
    assert_linked_once(scene.databases, *hashes)
    wait_until(lambda: is_empty(scene.rabbit), "no message is left", seconds=30)


def is_empty(rabbit: RabbitServer) -> bool:
    """Neither waits a message nor is one held."""
    messages = rabbit.messages()
    return messages[SCAN_QUEUE] == messages[DEAD_QUEUE] == (0, 0)


def assert_linked_once(databases: RedisDatabases, one: str, other: str) -> None:
    links = databases.client(LINKS)
    assert links.smembers(one) == {other.encode()}
    assert links.smembers(other) == {one.encode()}
    assert [databases.client(FACES).llen(image_hash) for image_hash in (one, other)] == [1, 1]
    entries = databases.client(OWN).xrange("journal")
    assert sorted(fields[b"hash"].decode() for _, fields in entries) == sorted((one, other))
