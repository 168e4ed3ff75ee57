"""The limit of a token over several front doors, one of them with several processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from facerec.adapters.redis import RedisDatabases, RedisTokens
from facerec.config import RabbitSettings, RedisSettings
from facerec.local.ports import free_port
from tests.client import wait_until
from tests.stack import Process, Stack

BURST = 12
LIMIT = {"RATE_LIMIT": "0.001", "RATE_BURST": str(BURST)}


@pytest.fixture
def doors(redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path) -> Iterator[list[str]]:
    """The addresses of two front doors, as of two pods."""
    port = free_port()
    with Stack(redis_settings, rabbit_settings, tmp_path, workers=0, REST_PROCESSES="2", **LIMIT) as stack:
        second = Process("rest", stack.environment | {"REST_PORT": str(port)}, tmp_path / "second.log")
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: serves(url), "the second front door serves", stack.log_tails)
            yield [stack.url, url]
        finally:
            second.stop()


def serves(url: str) -> bool:
    try:
        return status(url, "/healthz") == 200
    except requests.ConnectionError:
        return False


def status(url: str, path: str, token: str = "") -> int:
    """Of one request on a connection of its own, so that any process may take it."""
    headers = {"Connection": "close"} | ({"x-api-key": token} if token else {})
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url + path, headers=headers, timeout=30).status_code


def test_a_token_has_one_limit_at_all_doors(doors: list[str], databases: RedisDatabases) -> None:
    tokens = RedisTokens(databases)
    mine, other = tokens.create("default"), tokens.create("default")

    counts = [Counter(status(url, "/images", mine) for _ in range(BURST)) for url in doors]

    assert sum(counts, Counter()) == {200: BURST, 429: BURST}
    assert all(status(url, "/images", mine) == 429 for url in doors)
    assert all(status(url, "/images", other) == 200 for url in doors)
    assert all(status(url, "/healthz") == 200 for url in doors)
