"""What a plugin asks on behalf of nobody, or of what is no owner, is an error, never the data of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisDatabases, RedisFaceBook, RedisPeople, RedisTokens
from facerec.errors import BadParam
from facerec.plugins.context import ALL_USERS, Cameras, Galleries, Persons, Users
from facerec.plugins.faces import Faces
from facerec.services.persons import Persons as PersonService
from tests.faces import scan_job

NO_OWNERS = [None, {}, {"_id": "alice"}, [], 5, "", "*", "ali*", "alice\x1f", "Alice", "default\x1f"]
Ask = Callable[[Any], Awaitable[object]]


@pytest.fixture
def asks(databases: RedisDatabases) -> Mapping[str, Ask]:
    """Every question of a plugin's stores that names on whose behalf it is asked."""
    scan_job(RedisAdmissions(databases), "a.jpg", owner="alice")
    book = RedisFaceBook(databases)
    book.add_gallery("alice", "friends")
    service = PersonService(RedisPeople(databases), book, Mock(), Mock(), Mock(), lambda: 0.0)
    galleries, cameras, persons = Galleries(book), Cameras(book), Persons(book, service)
    unused = dict.fromkeys(("enrolments", "identification", "removal", "lookup", "uploads", "pictures"), Mock())
    faces = Faces(book=book, persons=service, **unused)
    return {
        "galleries.find": galleries.find,
        "galleries.count": galleries.count,
        "galleries.find_one": lambda user: galleries.find_one(user, "friends"),
        "galleries.add": lambda user: galleries.add(user, {"name": "more"}),
        "galleries.remove_one": lambda user: galleries.remove_one(user, "friends"),
        "persons.find": persons.find,
        "persons.count": persons.count,
        "persons.find_one": lambda user: persons.find_one(user, 1),
        "persons.faces": lambda user: persons.faces(user, 1),
        "cameras.find": cameras.find,
        "cameras.count": cameras.count,
        "cameras.find_one": lambda user: cameras.find_one(user, "a"),
        "cameras.remove_one": lambda user: cameras.remove_one(user, "a"),
        "faces.find": faces.find,
        "faces.count": faces.count,
        "faces.find_one": lambda user: faces.find_one(user, 1),
        "faces.update_one": lambda user: faces.update_one(user, 1, meta="x"),
        "users.find": Users(book, RedisTokens(databases)).find,
        "users.count": Users(book, RedisTokens(databases)).count,
    }


@pytest.mark.parametrize("user", NO_OWNERS, ids=repr)
def test_what_is_no_owner_is_an_error(asks: Mapping[str, Ask], user: object) -> None:
    for ask in asks.values():
        with pytest.raises((BadParam, ValueError)):
            answer_of(ask, user)


def test_all_users_are_told_when_they_are_asked_for(asks: Mapping[str, Ask]) -> None:
    assert answer_of(asks["users.find"], ALL_USERS) == ["alice"]
    assert answer_of(asks["galleries.count"], ALL_USERS) == 2
    with pytest.raises(BadParam):
        answer_of(asks["users.find"], "alice")


def answer_of(ask: Ask, user: object) -> object:
    """In a thread of its own: the browser of other tests may have a loop of events in this one."""

    async def awaited() -> object:
        return await ask(user)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(awaited())).result()
