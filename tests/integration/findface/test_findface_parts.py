"""Which parts of the index answered identify: on a stack whose only worker loads, is stopped, and is away."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from facerec.adapters.redis import RedisDatabases, RedisWorkers
from facerec.config import RabbitSettings
from facerec.local.servers import RedisServer
from tests.client import wait_until
from tests.conftest import redis_settings_of
from tests.drawings import showing
from tests.integration.findface.conftest import TIMEOUT, Client
from tests.proxy import Proxy
from tests.stack import Stack


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"INTERACTIVE_TIMEOUT": "2"}


@pytest.fixture
def workers(servers: tuple[RedisServer, RabbitSettings]) -> Iterator[RedisWorkers]:
    databases = RedisDatabases(redis_settings_of(servers[0]))
    yield RedisWorkers(databases)
    databases.close()


@pytest.fixture
def ask(client: Client) -> Callable[..., tuple[int, int, str]]:
    """Asks who a stored face is: how many faces were found, how the answer is coded (200: ok), and which parts answered."""
    asked = {"face_id": client.post_face(showing("ann"))[0]["id"]}

    def identify(**more: Any) -> tuple[int, int, str]:
        answer = client.session.post(f"{client.url}/v1/identify", json=asked | more, timeout=TIMEOUT)
        document, servers = answer.json(), answer.headers["X-Live-Servers"]
        if answer.ok:
            assert f"{document['live_servers']}/{document['total_servers']}" == servers
            (row,) = document["results"].values()
            return 200, len(row), servers
        assert document["code"] == "SERVICE_UNAVAILABLE"
        assert servers in document["reason"].replace(" of ", "/")
        return answer.status_code, 0, servers

    return identify


COMPLETE = (200, 1, "1/1")
NOBODY = (200, 0, "0/1")
REFUSED = (503, 0, "0/1")
Ask = Callable[..., tuple[int, int, str]]


def silence_means_no_part(ask: Ask) -> None:
    assert ask(strict=False) == NOBODY
    assert ask(strict=True) == REFUSED
    assert ask() == REFUSED


def test_more_workers_are_copies_of_one_part(ask: Ask, stack: Stack, workers: RedisWorkers) -> None:
    assert ask(strict=True) == ask(strict=False) == ask() == COMPLETE
    second = stack.start_worker()
    stack.wait_ready()
    assert ask(strict=True) == COMPLETE
    second.kill()
    stack.workers.remove(second)
    wait_until(lambda: ask(strict=False) == COMPLETE, "the other one answers")
    assert ask(strict=True) == ask() == COMPLETE


def test_a_worker_that_hangs_answers_with_no_part(ask: Ask, stack: Stack) -> None:
    (worker,) = stack.workers
    worker.send(signal.SIGSTOP)
    silence_means_no_part(ask)
    worker.send(signal.SIGCONT)
    wait_until(lambda: ask(strict=False) == COMPLETE, "it answers again")
    assert ask() == COMPLETE


def test_a_worker_that_loads_answers_when_it_is_whole(
    ask: Ask, stack: Stack, servers: tuple[RedisServer, RabbitSettings], workers: RedisWorkers
) -> None:
    """Nobody who has read half of the faces says of the rest that it is nobody's."""
    stack.workers.pop().stop()
    silence_means_no_part(ask)
    with Proxy(servers[0].port) as proxy:
        with proxy.slow(0.5):
            stack.start_worker(REDIS_PORT=str(proxy.port))
            wait_until(lambda: any("loading" in state for state in workers.workers().values()), "it loads")
            with proxy.black_hole(downstream=True):
                silence_means_no_part(ask)
        stack.wait_ready()
        wait_until(lambda: ask(strict=False) == COMPLETE, "it has loaded")
        assert ask(strict=True) == ask() == COMPLETE
        stack.workers.pop().stop()
    stack.start_worker()
    stack.wait_ready()


def test_a_photo_that_nobody_looks_at_is_a_time_out(client: Client, stack: Stack) -> None:
    """Parts are of the index: without anybody who finds the faces of the photo there is no question to ask of it."""
    stack.workers.pop().stop()
    files = {"photo": ("p.png", showing("ann"))}
    assert client.call("POST", "/identify", 504, files=files, data={"strict": "false"})["code"] == "TIMEOUT"
