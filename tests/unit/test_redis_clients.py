"""The clients of a Redis, made when they are first asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.config import RedisSettings


def test_threads_that_ask_first_at_once_get_the_same_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one would be let go, and closes its connections then: the command of its thread would break off."""
    together = Barrier(2)
    make = RedisDatabases._connect

    def connect(self: RedisDatabases, database: int) -> Any:
        together.wait(30)
        return make(self, database)

    monkeypatch.setattr(RedisDatabases, "_connect", connect)
    databases = RedisDatabases(RedisSettings())
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(databases.client, (0, 0))
    assert one is other
    databases.close()
