"""What the server refuses only for a while is waited for: it is the fault of no job, and no promise of ours is broken."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from facerec.adapters.redis import RedisAdmissions, RedisDatabases, RedisOverview
from facerec.errors import StoreUnavailable
from facerec.local.servers import RedisServer
from tests.client import wait_until
from tests.conftest import redis_settings_of

HASH = "ab" * 32
LONGEST = 30.0
LONG_SCRIPT = "for _ = 1, 3e9 do end"
"""Some ten seconds; it is killed, and ends by itself should the test not come so far."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    started = RedisServer(tmp_path / "redis")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    with redis.Redis.from_url(server.url) as connected:
        yield connected


@pytest.fixture
def databases(server: RedisServer) -> Iterator[RedisDatabases]:
    opened = RedisDatabases(redis_settings_of(server))
    yield opened
    opened.close()


def test_a_server_that_cannot_save_takes_no_writes_for_now(
    server: RedisServer, client: Any, databases: RedisDatabases
) -> None:
    """As one that makes snapshots on a disk that is full."""
    client.config_set("appendonly", "no")
    client.config_set("save", "3600 1")
    in_the_way = server.folder / "dump.rdb"
    in_the_way.mkdir()
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the snapshot failed")

    with pytest.raises(StoreUnavailable, match="MISCONF"):
        RedisAdmissions(databases).announce("default", HASH, "a.jpg", 1.0)

    in_the_way.rmdir()
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok", "the snapshot is made")
    assert RedisAdmissions(databases).announce("default", HASH, "a.jpg", 1.0).ticket


def test_a_server_that_a_script_holds_up_is_busy_for_now(client: Any, databases: RedisDatabases) -> None:
    client.config_set("busy-reply-threshold", "1")

    def hold() -> None:
        with contextlib.suppress(redis.ResponseError):
            client.eval(LONG_SCRIPT, 0)

    def ask_until_it_refuses() -> None:
        while holding.is_alive():
            RedisOverview(databases).summaries("default", [HASH])

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        with pytest.raises(StoreUnavailable, match="BUSY"):
            ask_until_it_refuses()
    finally:
        client.script_kill()
        holding.join(LONGEST)
