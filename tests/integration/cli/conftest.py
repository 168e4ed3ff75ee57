"""One service for all tests of the command that do not harm it. They must not need an empty store."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
import redis

from facerec.config import RedisSettings
from facerec.local.servers import RabbitServer, RedisServer
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.stack import Stack


@pytest.fixture(scope="module")
def stack_redis(redis_server: RedisServer) -> RedisSettings:
    """The Redis of `stack`, empty in the beginning."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_settings_of(redis_server)


@pytest.fixture(scope="module")
def stack(
    stack_redis: RedisSettings, rabbit_server: RabbitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """REST and a worker with the fake engine. A test that takes `redis_settings` as well would empty its store."""
    vhost = f"command-{secrets.token_hex(6)}"
    rabbit_server.add_vhost(vhost)
    settings = rabbit_settings_of(rabbit_server, vhost)
    with Stack(stack_redis, settings, tmp_path_factory.mktemp("stack"), ENGINE="fake") as stack:
        yield stack
