"""A Redis that refuses everything for a while: what was accepted waits, and no worker ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from facerec.config import RabbitSettings
from facerec.local.servers import RedisServer
from tests.client import wait_until
from tests.conftest import redis_settings_of
from tests.drawings import drawing
from tests.stack import Stack

NOBODY = 9
"""A port on which nothing listens."""


@pytest.fixture
def server(own_redis: RedisServer) -> Iterator[Any]:
    with redis.Redis.from_url(own_redis.url) as client:
        yield client


@pytest.fixture
def stack(own_redis: RedisServer, rabbit_settings: RabbitSettings, tmp_path: Path) -> Iterator[Stack]:
    with Stack(
        redis_settings_of(own_redis),
        rabbit_settings,
        tmp_path,
        workers=0,
        ENGINE="fake",
        ATTEMPTS="1",
        LOST_AFTER="600",
    ) as found:
        yield found


def refuse(server: Any) -> None:
    """MASTERDOWN to every command that reads or writes."""
    server.config_set("replica-serve-stale-data", "no")
    server.execute_command("REPLICAOF", "127.0.0.1", NOBODY)


def serve(server: Any) -> None:
    server.execute_command("REPLICAOF", "NO", "ONE")


def test_accepted_pictures_outlive_it_and_count_one_attempt(stack: Stack, server: Any) -> None:
    before = [stack.scan(drawing(), f"before {n}.png") for n in range(3)]
    refuse(server)
    worker = stack.start_worker()
    log = stack.folder / "worker0.log"
    wait_until(lambda: "MASTERDOWN" in log.read_text(), "it waits", stack.log_tails)
    assert stack.post(drawing(), "refused.png").status_code == 503
    serve(server)
    assert set(stack.wait_ended(before).values()) == {"done"}

    worker.send(signal.SIGSTOP)
    during = [stack.scan(drawing(), f"during {n}.png") for n in range(3)]
    told = log.read_text().count("MASTERDOWN")
    refuse(server)
    worker.send(signal.SIGCONT)
    wait_until(lambda: log.read_text().count("MASTERDOWN") > told, "it waits again", stack.log_tails)
    serve(server)

    assert set(stack.wait_ended(during).values()) == {"done"}
    assert {stack.image(each)["attempts"] for each in (*before, *during)} == {1}
    assert worker.running
