"""The index of the dead letters, on a real Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisDatabases, RedisLetterIndex
from facerec.adapters.redis.layout import OWN
from facerec.errors import BadParam
from facerec.identity import image_hash
from facerec.ports import DeadLetter

FIRST = DeadLetter(image_hash(b"1"), "default", "1.jpg", 1, "CHILD_DIED", "it died", 3, 100.0, 10)
SECOND = DeadLetter(image_hash(b"2"), "default", "2.jpg", 2, "TIME_LIMIT", "too long", 3, 101.5, 10)
OTHERS = replace(FIRST, owner="ann", ticket=3)
POISON = DeadLetter("", "../..", "\ud800", 0, "MALFORMED_JOB", "no job", 0, 0.0, 3, mark="ab" * 16)
ALL = (SECOND, FIRST, OTHERS, POISON)


@pytest.fixture
def index(databases: RedisDatabases) -> RedisLetterIndex:
    found = RedisLetterIndex(databases)
    for letter in ALL:
        assert found.add(letter)
    return found


def test_an_owner_sees_its_own_oldest_first_page_after_page(index: RedisLetterIndex) -> None:
    assert index.count() == 4
    assert index.page("default", 10, "") == ([POISON, FIRST, SECOND], "")
    page, cursor = index.page("default", 2, "")
    assert page == [POISON, FIRST]
    index.forget([FIRST])
    assert index.page("default", 2, cursor) == ([SECOND], "")
    assert index.page("ann", 10, "") == ([OTHERS], "")
    assert index.page("nobody", 10, "") == ([], "")
    with pytest.raises(BadParam):
        index.page("default", 10, "nonsense")


def test_letters_are_found_by_owner_and_hash(index: RedisLetterIndex) -> None:
    again = replace(FIRST, ticket=9)
    index.add(again)
    assert index.of("default", [FIRST.hash]) == [FIRST, again]
    assert index.of("ann", [FIRST.hash, SECOND.hash]) == [OTHERS]
    assert {letter.id for letter in index.of("default", None)} == {each.id for each in (POISON, FIRST, SECOND, again)}


def test_what_is_noted_twice_is_one(index: RedisLetterIndex) -> None:
    assert index.add(replace(FIRST, buried_at=300.0))
    assert index.count() == 4
    assert index.of("default", [FIRST.hash]) == [FIRST]


def test_those_that_were_not_seen(index: RedisLetterIndex) -> None:
    seen = {(letter.seen_by, letter.id) for letter in (FIRST, POISON)}
    assert sorted(index.besides(seen), key=lambda letter: letter.ticket) == [SECOND, OTHERS]


def test_nothing_stays_of_what_is_forgotten(index: RedisLetterIndex, databases: RedisDatabases) -> None:
    index.forget(ALL)
    index.forget(ALL)
    assert index.count() == 0
    assert [key for key in databases.client(OWN).keys("*") if b"dead" in key.split(b":")] == []


def test_what_a_foreign_hand_has_damaged_is_noted_anew(index: RedisLetterIndex, databases: RedisDatabases) -> None:
    for damaged in (b"", b"?", b"%020d[]" % 0, b'%020d{"hash": 1}' % 0):
        databases.client(OWN).hset("dead:letters", FIRST.id, damaged)
        assert index.of("default", [FIRST.hash]) == []
        assert index.add(FIRST)
        assert index.of("default", [FIRST.hash]) == [FIRST]
        assert index.page("default", 2, "") == ([POISON, FIRST], index.page("default", 2, "")[1])


def test_no_letter_of_an_erased_image_is_noted(index: RedisLetterIndex, databases: RedisDatabases) -> None:
    admissions = RedisAdmissions(databases)
    ticket = admissions.announce("ann", FIRST.hash, "a.jpg", 0.0).ticket
    letter = replace(OTHERS, ticket=ticket)
    assert not index.has_erased()
    assert index.add(letter)
    admissions.erase("ann", FIRST.hash)
    assert index.has_erased()
    index.forget([letter, OTHERS])
    assert not index.has_erased()
    assert not index.add(letter)
    assert index.add(replace(letter, ticket=ticket + 1)), "it was sent again"
