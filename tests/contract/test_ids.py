"""Ids that clients see: they rise, and tell an owner nothing of what others do."""

from __future__ import annotations

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisContactAnswers, RedisDatabases, RedisFaceBook
from facerec.adapters.redis.layout import OWN
from facerec.identity import FACES_PER_IMAGE

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


@pytest.mark.parametrize("others", [0, 50])
def test_how_many_pictures_others_send_is_in_no_id_of_a_face(databases: RedisDatabases, others: int) -> None:
    admissions = RedisAdmissions(databases)
    sent = [admissions.admit("bob", f"{n:064x}", "b.jpg").ticket for n in range(1 + others)]
    assert sent == sorted(set(sent))
    before = max(now(databases) // 1000, sent[-1] + 1)
    mine = admissions.announce("default", "f" * 64, "a.jpg", 1.0).ticket
    assert before <= mine <= max(before, now(databases) // 1000)
    assert (mine + 1) * FACES_PER_IMAGE < 2**53, "a client whose numbers are floats has the same ids"


def test_tickets_go_on_where_a_job_was_ahead_of_the_clock(databases: RedisDatabases) -> None:
    databases.client(OWN).set("ticket", 1 << 41)
    assert RedisAdmissions(databases).admit("default", "f" * 64, "a.jpg").ticket == (1 << 41) + 1


def test_persons_of_others_are_in_no_id_of_a_person(databases: RedisDatabases) -> None:
    book = RedisFaceBook(databases)
    assert [book.add_person("bob", "Bob") for _ in range(3)] == [1, 2, 3]
    assert book.add_person("default", "Ann") == 1
    assert book.add_person("bob", "Bea") == 4


def test_beside_the_release_before_no_number_of_a_person_comes_twice(databases: RedisDatabases) -> None:
    book, client = RedisFaceBook(databases), databases.client(OWN)

    def by_the_release_before() -> int:
        person = int(client.incr("person"))
        client.hset(f"person:{person}", "name", "Old")
        client.incr("people:version")
        return person

    old = [by_the_release_before() for _ in range(3)]
    given = [*old]
    for _ in range(5):
        given += [book.add_person("default", "New"), by_the_release_before(), book.add_person("default", "New")]
        book.add_person("bob", "Bob")
    assert len(set(given)) == len(given)
    assert min(set(given) - set(old)) > max(old)
