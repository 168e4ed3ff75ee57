"""Persons of very many faces: no step takes longer for them."""

from __future__ import annotations

from typing import Any

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import OWN
from facerec.adapters.redis.people import RedisPeople
from facerec.errors import StoreUnavailable
from facerec.identity import DEFAULT_OWNER as ME
from facerec.local.servers import RedisServer
from tests.conftest import redis_settings_of

MANY, FEW = 20_000, 1000


@pytest.fixture
def people(own_redis: RedisServer) -> Any:
    databases = RedisDatabases(redis_settings_of(own_redis))
    yield RedisPeople(databases)
    databases.close()


@pytest.fixture
def client(own_redis: RedisServer) -> Any:
    databases = RedisDatabases(redis_settings_of(own_redis))
    opened = databases.client(OWN)
    opened.config_set("slowlog-log-slower-than", 0)
    opened.config_set("slowlog-max-len", 10_000)
    yield opened
    databases.close()


def make(client: Any, person: int, count: int) -> None:
    """A person without name, as the grouping would have made it."""
    faces = [(person * 100_000 + number) * 4096 for number in range(count)]
    for start in range(0, count, 1000):
        scored = {str(face): face for face in faces[start : start + 1000]}
        client.hset("faces:person", mapping=dict.fromkeys(scored, person))
        client.zadd(f"person:{person}:faces", scored)
        client.zadd("faces:unknown", scored)
    place = f"{count:010}:{person:016}"
    fields = {"created_at": 1, "changed_at": 1, "cover": faces[0], "listed": f"unnamed {place}"}
    client.hset(f"person:{person}", mapping=fields)
    client.zadd("people:unnamed", {place: 0})
    client.set("people:last", 100)


def longest_step(client: Any) -> int:
    """Microseconds of the longest script since this was asked last."""
    entries = client.slowlog_get(10_000)
    client.slowlog_reset()
    return max(int(entry["duration"]) for entry in entries if entry["command"].startswith(b"EVALSHA"))


def sizes(client: Any) -> dict[bytes, int]:
    return {key: client.zcard(key) for key in client.scan_iter(match="person:*:faces")}


def test_no_step_of_a_merger_is_longer_for_a_person_of_very_many_faces(people: RedisPeople, client: Any) -> None:
    for person, count in ((1, FEW), (2, FEW), (3, MANY), (4, MANY)):
        make(client, person, count)
    people.merge(ME, 1, 2)
    people.undo(ME)
    longest_step(client)
    people.merge(ME, 1, 2)
    of_few = longest_step(client)

    people.merge(ME, 3, 4)

    assert longest_step(client) < 5 * of_few, "it was some twenty times as long"
    assert sizes(client) == {b"person:2:faces": 2 * FEW, b"person:4:faces": 2 * MANY}
    assert [(entry["operation"], entry["faces"]) for entry in people.history(ME)[:2]] == [
        ("merge", MANY),
        ("merge", FEW),
    ]

    assert people.undo(ME) == {"operation": "merge", "persons": [3, 4], "faces": MANY}
    assert longest_step(client) < 5 * of_few
    assert sizes(client) == {b"person:2:faces": 2 * FEW, b"person:3:faces": MANY, b"person:4:faces": MANY}


def test_a_merger_that_was_cut_off_is_taken_back_or_gone_on_with(
    people: RedisPeople, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(client, 1, 3 * FEW)
    make(client, 2, FEW)
    step, steps = people._step, []

    def dying(*arguments: Any) -> Any:
        if len(steps) == 2:
            raise StoreUnavailable("Redis: away")
        steps.append(arguments)
        return step(*arguments)

    for go_on in (False, True):
        steps.clear()
        monkeypatch.setattr(people, "_step", dying)
        with pytest.raises(StoreUnavailable):
            people.merge(ME, 1, 2)
        monkeypatch.setattr(people, "_step", step)
        assert sizes(client) == {b"person:1:faces": FEW, b"person:2:faces": 3 * FEW}
        if go_on:
            people.merge(ME, 1, 2)
            assert sizes(client) == {b"person:2:faces": 4 * FEW}
        else:
            people.undo(ME)
            assert sizes(client) == {b"person:1:faces": 3 * FEW, b"person:2:faces": FEW}
