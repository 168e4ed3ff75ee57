"""The service under test, with a hand on every part of it."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.ledger.volume import Volume
from facerec.adapters.redis import RedisDatabases
from facerec.local.servers import RabbitServer, RedisServer
from tests.client import wait_until
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.proxy import Proxy
from tests.stack import Process, Stack

WORKERS = 2
SETTINGS = {
    "ENGINE": "fake",
    "WORKERS": "1",
    "RABBITMQ_TIMEOUT": "2",
    "RABBITMQ_HEARTBEAT": "2",
    "REDIS_TIMEOUT": "2",
    "JOB_TIME_LIMIT": "2",
    "RETRY_BASE": "0.2",
    "LOST_AFTER": "20",
    "GRACE": "5",
    "LOG_LEVEL": "INFO",
}
"""Short limits, so that minutes hold many faults."""


class World:
    """Redis, RabbitMQ, a proxy before each, REST and workers behind the proxies."""

    def __init__(self, redis: RedisServer, rabbit: RabbitServer, folder: Path, seed: int) -> None:
        self.redis = redis
        self.rabbit = rabbit
        self.redis_proxy = Proxy(redis.port)
        self.rabbit_proxy = Proxy(rabbit.port)
        self.random = random.Random(seed)
        self.databases = RedisDatabases(redis_settings_of(redis))
        # One folder deeper than what is mounted, so that another fault can move it away.
        mounted = folder / "volume"
        mounted.mkdir()
        self.volume = Volume(mounted)
        self.pictures = mounted / "pictures"
        self.pictures.mkdir()
        self.stack = Stack(
            replace(redis_settings_of(redis), port=self.redis_proxy.port),
            replace(rabbit_settings_of(rabbit), port=self.rabbit_proxy.port),
            folder,
            workers=WORKERS,
            **SETTINGS | {"IMAGE_STORE": f"file://{self.pictures}"},
        )

    def __enter__(self) -> World:
        self.stack.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()
        self.redis_proxy.close()
        self.rabbit_proxy.close()
        self.databases.close()
        self.volume.close()

    def a_worker(self) -> Process:
        return self.random.choice([worker for worker in self.stack.workers if worker.running])

    def start_skewed_worker(self, seconds: float) -> None:
        """One whose clock is ahead by so much."""
        log = self.stack.folder / f"worker{len(self.stack.workers)}.log"
        self.stack.workers.append(Process(f"benchmarks.ledger.skewed {seconds}", self.stack.environment, log))

    def replace_worker(self, worker: Process) -> None:
        self.stack.workers.remove(worker)
        self.stack.start_worker()

    def mend(self) -> None:
        """Everything works again, and as many workers as at the start."""
        for worker in [worker for worker in self.stack.workers if not worker.running]:
            self.replace_worker(worker)
        if self.stack.rest is None or not self.stack.rest.running:
            self.stack.start_rest()
        self.stack.wait_ready()


def children_of(process: int) -> list[int]:
    """Process ids of the children of a process."""
    processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [int(entry.name) for entry in processes if _parent(entry) == process]


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return None


def signal_quietly(process: int, number: signal.Signals) -> None:
    """Nothing when it is gone already."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


@contextmanager
def stopped(worker: Process) -> Iterator[None]:
    """SIGSTOP while inside."""
    worker.send(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send(signal.SIGCONT)


def settle(world: World, hashes: set[str], seconds: float) -> set[str]:
    """Wait until these images have ended; those that have not."""
    left = set(hashes)

    def ended() -> bool:
        client = world.databases.client()
        for image_hash in list(left):
            if client.hget(f"image:{image_hash}", "state") in {b"done", b"failed"}:
                left.discard(image_hash)
        return not left

    try:
        wait_until(ended, "all ended", seconds=seconds)
    except AssertionError:
        return left
    return set()
