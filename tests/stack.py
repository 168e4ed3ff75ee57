"""The whole service as processes: a front door, some workers, over the servers that a test gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import OWN
from facerec.config import RabbitSettings, RedisSettings
from facerec.local.ports import free_port
from facerec.local.servers import RabbitServer
from tests.brokers import empty_queues
from tests.client import LONGEST, Client, wait_until
from tests.conftest import own_room, redis_settings_of

ROOT = Path(__file__).parents[1]


class Process:
    """One of our programs, with its log in a file. ``module`` may be followed by arguments."""

    def __init__(self, module: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module.split()], env=environment, cwd=ROOT, stdout=output, stderr=output
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = LONGEST) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, as an operator does; its exit status."""
        self._process.terminate()
        try:
            return self._process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Stack(Client):
    """``with Stack(redis_settings, rabbit_settings, tmp_path) as stack``: REST and workers, ready to serve.

    ``environment`` adds settings, as ``ENGINE=fake`` for pictures that need no faces.
    """

    def __init__(
        self,
        redis: RedisSettings,
        rabbit: RabbitSettings,
        folder: Path,
        *,
        workers: int = 1,
        token: str = "",
        **environment: str,
    ) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}", token)
        self.folder = folder
        self.redis, self.rabbit = redis, rabbit
        self.environment = stack_environment(redis, rabbit, REST_PORT=str(self.port), **environment)
        self.rest: Process | None = None
        self.workers: list[Process] = []
        self._wanted = workers
        self._are_plain = True

    def __enter__(self) -> Self:
        try:
            self.start_rest()
            for _ in range(self._wanted):
                self.start_worker()
            if self._wanted:
                self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start_rest(self) -> Process:
        self.rest = Process("rest", self.environment, self.folder / "rest.log")
        wait_until(self.serves, "REST serves", self.log_tails)
        return self.rest

    def start_worker(self, **environment: str) -> Process:
        worker = Process("worker", self.environment | environment, self.folder / f"worker{len(self.workers)}.log")
        self.workers.append(worker)
        self._are_plain = self._are_plain and not environment
        return worker

    def empty(self) -> None:
        """Throw away whatever the servers hold, for the next test of a module; its workers are those that it began with."""
        running = [worker for worker in self.workers if worker.running]
        if len(running) != self._wanted or not self._are_plain:
            for worker in running:
                worker.kill()
            running = []
        self.workers, self._are_plain = running, True
        empty_queues(self.rabbit)
        with closing(RedisDatabases(self.redis)) as databases:
            databases.client(OWN).flushall()
        if self.rest is None or not self.rest.running:
            self.start_rest()
        while len(self.workers) < self._wanted:
            self.start_worker()
        self.wait_ready()

    def close(self) -> None:
        self.session.close()
        for process in [*self.workers, self.rest]:
            if process and process.running:
                process.kill()

    def wait_ready(self) -> None:
        """Until broker, Redis and as many workers as were started answer."""

        def ready() -> bool:
            self._fail_if_dead()
            return self.session.get(f"{self.url}/readyz", timeout=30).ok and self.count_workers() >= len(
                [worker for worker in self.workers if worker.running]
            )

        wait_until(ready, "the stack is ready", self.log_tails)

    def log_tails(self) -> str:
        return "\n".join(f"--- {log.name}\n{tail(log)}" for log in sorted(self.folder.glob("*.log")))

    def _fail_if_dead(self) -> None:
        dead = [worker for worker in self.workers if not worker.running]
        assert not dead, f"a worker ended\n{self.log_tails()}"


@contextmanager
def own_stack(rabbit_server: RabbitServer, folder: Path, **environment: str) -> Iterator[Stack]:
    """A service for one module of tests, with a Redis and a virtual host of its own; each test begins with `Stack.empty`."""
    with (
        own_room(folder, rabbit_server) as (redis, rabbit),
        Stack(redis_settings_of(redis), rabbit, folder, **environment) as stack,
    ):
        yield stack


def stack_environment(redis: RedisSettings, rabbit: RabbitSettings, **more: str) -> dict[str, str]:
    """The environment of our processes."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "CI") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "REDIS_HOST": redis.host,
        "REDIS_PORT": str(redis.port),
        "REDIS_PASSWORD": redis.password.reveal(),
        "RABBITMQ_HOST": rabbit.host,
        "RABBITMQ_PORT": str(rabbit.port),
        "RABBITMQ_USER": rabbit.user,
        "RABBITMQ_PASSWORD": rabbit.password.reveal(),
        "RABBITMQ_VHOST": rabbit.vhost,
        "MODEL_CACHE": str(ROOT / ".cache" / "models"),
        # One child for bulk work suffices where the engine costs nothing; to start another takes half a second of a core.
        **({"WORKERS": "1"} if more.get("ENGINE") == "fake" else {}),
        **more,
    }


def tail(log: Path, lines: int = 25) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
