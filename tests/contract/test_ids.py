"""Ids that clients of contacts see: they rise, and tell an owner nothing of what others do."""

from __future__ import annotations

import pytest

from facerec.adapters.redis import RedisContactAnswers, RedisDatabases
from facerec.adapters.redis.layout import OWN

SINCE = 1767225600
"""The first moment of 2026, in seconds since the epoch."""


@pytest.fixture
def store(databases: RedisDatabases) -> RedisContactAnswers:
    return RedisContactAnswers(databases)


def now(databases: RedisDatabases) -> int:
    """The server's time in microseconds since 2026."""
    seconds, microseconds = databases.client(OWN).time()
    return int((seconds - SINCE) * 1_000_000 + microseconds)


@pytest.mark.parametrize("others", [0, 50])
def test_how_many_faces_others_add_is_in_no_id(
    databases: RedisDatabases, store: RedisContactAnswers, others: int
) -> None:
    (first,) = store.new_ids(1)
    last = max([first, *(store.new_ids(1)[0] for _ in range(others))])
    before = now(databases)
    assert last < before, "the counter is not ahead of the clock"
    (later,) = store.new_ids(1)
    assert before <= later <= now(databases) < 2**53


def test_how_many_answers_others_get_is_in_no_id(databases: RedisDatabases) -> None:
    before = now(databases)
    answers = [int(databases.call("contacts_answer", "", "1", f"call{n}", "0", "url", "[]", 0, 9)) for n in range(9)]
    assert answers == sorted(set(answers))
    assert before <= answers[0] <= answers[-1] <= now(databases)


def test_beside_a_release_that_counts_no_id_comes_twice(databases: RedisDatabases, store: RedisContactAnswers) -> None:
    given: list[int] = []
    for _ in range(20):
        last = databases.client(OWN).incrby("contacts:face", 3)
        given += [*store.new_ids(2), *range(last - 2, last + 1)]
    assert len(set(given)) == len(given)


def test_ids_go_on_where_the_counter_is_ahead_of_the_clock(
    databases: RedisDatabases, store: RedisContactAnswers
) -> None:
    """As when the clock was set back."""
    databases.client(OWN).set("contacts:face", 1 << 52)
    assert list(store.new_ids(2)) == [(1 << 52) + 1, (1 << 52) + 2]
    assert store.new_ids(0) == range(0)
    assert list(store.new_ids(1)) == [(1 << 52) + 3]
