"""Buckets of requests: in memory and on a real Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from facerec.adapters.memory.rates import FORGET_AT, MemoryRates
from facerec.adapters.redis import RedisDatabases, RedisRates
from facerec.errors import StoreUnavailable
from facerec.local.servers import RedisServer
from facerec.ports import Rates
from tests.client import wait_until
from tests.conftest import redis_settings_of

HOUR = 1 / 3600
"""A rate at which nothing comes back while a test runs."""


@pytest.fixture(params=["memory", "redis"])
def rates(request: pytest.FixtureRequest) -> Rates:
    if request.param == "memory":
        return MemoryRates()
    return RedisRates(request.getfixturevalue("databases"), MemoryRates())


def test_a_bucket_empties(rates: Rates) -> None:
    assert [rates.take("a", HOUR, 3) for _ in range(3)] == [0, 0, 0]
    assert 3500 < rates.take("a", HOUR, 3) <= 3600
    assert 3500 < rates.take("a", HOUR, 3) <= 3600


def test_every_caller_has_its_own(rates: Rates) -> None:
    assert rates.take("a", HOUR, 1) == 0
    assert rates.take("a", HOUR, 1) > 0
    assert rates.take("b", HOUR, 1) == 0


def test_a_bucket_fills_again(rates: Rates) -> None:
    while rates.take("a", 10, 2) == 0:
        pass
    wait_until(lambda: rates.take("a", 10, 2) == 0, "a token has come back", seconds=10)


def test_many_at_once_get_no_more(rates: Rates) -> None:
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: rates.take("a", HOUR, 25), range(100)))
    assert waits.count(0) == 25


@pytest.fixture
def front_doors(databases: RedisDatabases) -> Iterator[tuple[Rates, Rates]]:
    """Those of two processes."""
    other = RedisDatabases(databases._settings)
    yield RedisRates(databases, MemoryRates()), RedisRates(other, MemoryRates())
    other.close()


def test_all_front_doors_share_a_bucket(front_doors: tuple[Rates, Rates]) -> None:
    one, other = front_doors
    assert [each.take("a", HOUR, 4) == 0 for _ in range(3) for each in (one, other)] == [True] * 4 + [False] * 2


def test_a_full_bucket_is_no_key(databases: RedisDatabases) -> None:
    assert RedisRates(databases, MemoryRates()).take("a", 1000, 1) == 0
    wait_until(lambda: not databases.client().exists("rate:a"), "the key is gone", seconds=10)


def test_one_round_trip(databases: RedisDatabases) -> None:
    rates = RedisRates(databases, MemoryRates())
    rates.take("a", HOUR, 9)
    count: Callable[[], int] = lambda: databases.client().info("stats")["total_commands_processed"]  # noqa: E731
    before = count()
    rates.take("a", HOUR, 9)
    # The script itself, the three commands in it, and the INFO before.
    assert count() - before == 5


def test_no_replica_is_waited_for(databases: RedisDatabases) -> None:
    lonely = RedisDatabases(replace(databases._settings, replicas=1))
    assert RedisRates(lonely, MemoryRates()).take("a", HOUR, 1) == 0
    lonely.close()


def test_the_limit_holds_while_redis_takes_no_writes(own_redis: RedisServer) -> None:
    databases = RedisDatabases(redis_settings_of(own_redis))
    rates = RedisRates(databases, MemoryRates())
    assert rates.take("a", HOUR, 2) == 0
    databases.client().config_set("maxmemory", "1")
    assert [rates.take("b", HOUR, 2) == 0 for _ in range(4)] == [True, True, False, False]
    databases.client().config_set("maxmemory", "0")
    assert rates.take("a", HOUR, 2) == 0
    assert rates.take("a", HOUR, 2) > 0
    databases.close()


def test_nobody_is_counted_without_redis(own_redis: RedisServer) -> None:
    databases = RedisDatabases(redis_settings_of(own_redis))
    own_redis.kill()
    with pytest.raises(StoreUnavailable):
        RedisRates(databases, MemoryRates()).take("a", 1, 1)


def test_callers_who_ask_no_more_are_forgotten_in_memory() -> None:
    now = [0.0]
    rates = MemoryRates(lambda: now[0])
    for number in range(FORGET_AT):
        rates.take(str(number), 1, 2)
    now[0] = 10.0
    rates.take("new", 1, 2)
    assert len(rates._full_at) == 1


def test_a_waiter_comes_in_when_he_was_told_to() -> None:
    now = [0.0]
    rates = MemoryRates(lambda: now[0])
    for _ in range(3):
        assert rates.take("a", 0.5, 3) == 0
    assert rates.take("a", 0.5, 3) == 2
    now[0] = 1.9
    assert rates.take("a", 0.5, 3) > 0
    now[0] = 2.0
    assert rates.take("a", 0.5, 3) == 0
    # A long rest fills the bucket to its edge and not over it.
    now[0] = 1e6
    assert [rates.take("a", 0.5, 3) == 0 for _ in range(4)] == [True, True, True, False]
