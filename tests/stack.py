"""The whole service as processes: a front door, some workers, over the servers that a test gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import requests

from facerec.config import RabbitSettings, RedisSettings
from facerec.local.ports import free_port

ROOT = Path(__file__).parents[1]
LONGEST = 90.0


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


class Stack:
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
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.environment = stack_environment(redis, rabbit, REST_PORT=str(self.port), **environment)
        self.rest: Process | None = None
        self.workers: list[Process] = []
        self._wanted = workers
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Token {token}"

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
        return worker

    def close(self) -> None:
        self.session.close()
        for process in [*self.workers, self.rest]:
            if process and process.running:
                process.kill()

    # ------------------------------------------------------------ asking

    def serves(self) -> bool:
        try:
            return self.session.get(f"{self.url}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def readiness(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.session.get(f"{self.url}/readyz", timeout=30).json()
        return answer

    def wait_ready(self) -> None:
        """Until broker, Redis and as many workers as were started answer."""

        def ready() -> bool:
            self._fail_if_dead()
            return self.session.get(f"{self.url}/readyz", timeout=30).ok and self.count_workers() >= len(
                [worker for worker in self.workers if worker.running]
            )

        wait_until(ready, "the stack is ready", self.log_tails)

    def count_workers(self) -> int:
        document = self.session.get(f"{self.url}/", headers={"Accept": "application/json"}, timeout=30).json()
        return len(document["workers"])

    def post(self, body: bytes, name: str) -> requests.Response:
        return self.session.post(f"{self.url}/scan/image/{quote(name)}", data=body, timeout=60)

    def scan(self, body: bytes, name: str) -> str:
        """The hash of an image that was accepted."""
        answer = self.post(body, name)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["hash"])

    def image(self, image_hash: str) -> dict[str, Any]:
        answer = self.session.get(f"{self.url}/images/{image_hash}", timeout=60)
        assert answer.ok, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def match(self, image_hash: str) -> list[str]:
        names: list[str] = self.session.get(f"{self.url}/match/{image_hash}", timeout=60).json()
        return names

    def wait_ended(self, hashes: Iterable[str], seconds: float = LONGEST) -> dict[str, str]:
        """The end state of each image, once all have one."""
        states: dict[str, str] = {}
        open_hashes = set(hashes)

        def ended() -> bool:
            for image_hash in list(open_hashes):
                states[image_hash] = self.image(image_hash)["state"]
                if states[image_hash] not in {"done", "failed"}:
                    return False
                open_hashes.discard(image_hash)
            return True

        wait_until(ended, "all images ended", self.log_tails, seconds)
        return states

    def log_tails(self) -> str:
        return "\n".join(f"--- {log.name}\n{tail(log)}" for log in sorted(self.folder.glob("*.log")))

    def _fail_if_dead(self) -> None:
        dead = [worker for worker in self.workers if not worker.running]
        assert not dead, f"a worker ended\n{self.log_tails()}"


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
        **more,
    }


def wait_until(
    condition: Callable[[], bool], what: str, evidence: Callable[[], str] = lambda: "", seconds: float = LONGEST
) -> None:
    """Ask again and again, a little apart, until ``condition`` holds; with ``evidence`` in the failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{evidence()}"
        time.sleep(0.05)


def tail(log: Path, lines: int = 25) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
