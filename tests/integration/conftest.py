"""What several tests of the whole service need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import OWN
from facerec.local.servers import RedisServer
from tests.conftest import redis_settings_of


@pytest.fixture(scope="module")
def other_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("other-redis"), password="other") as server:
        yield server


@pytest.fixture
def other(other_server: RedisServer) -> Iterator[RedisDatabases]:
    """The databases of another, empty Redis."""
    opened = RedisDatabases(redis_settings_of(other_server))
    opened.client(OWN).flushall()
    yield opened
    opened.close()
