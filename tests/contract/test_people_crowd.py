"""Persons of very many faces: no step takes longer for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.errands import RedisErrands
from facerec.adapters.redis.layout import OWN
from facerec.adapters.redis.people import RedisPeople
from facerec.adapters.redis.people_check import check_people
from facerec.errors import BadParam, NotFound, StoreUnavailable
from facerec.identity import DEFAULT_OWNER as ME
from facerec.local.servers import RedisServer
from facerec.services.people import MAX_FACES
from tests.conftest import redis_settings_of

MANY, FEW = 20_000, 1000


@pytest.fixture
def databases(own_redis: RedisServer) -> Iterator[RedisDatabases]:
    opened = RedisDatabases(redis_settings_of(own_redis))
    yield opened
    opened.close()


@pytest.fixture
def people(databases: RedisDatabases) -> RedisPeople:
    return RedisPeople(databases)


@pytest.fixture
def client(databases: RedisDatabases) -> Any:
    return databases.client(OWN)


class Steps:
    """How long each script keeps Redis, in seconds of its thread's CPU time: others on this machine are not in it."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._call, self._client = databases.call, databases.client(OWN)
        self._taken: list[float] = []
        databases.call = self._timed  # type: ignore[method-assign]

    def longest(self) -> float:
        """Since this was asked last."""
        taken, self._taken = self._taken, []
        return max(taken)

    def _timed(self, script: str, *arguments: Any) -> Any:
        before = self._cpu()
        reply = self._call(script, *arguments)
        self._taken.append(self._cpu() - before)
        return reply

    def _cpu(self) -> float:
        used = self._client.info("cpu")
        return float(used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"])


@pytest.fixture
def steps(databases: RedisDatabases) -> Steps:
    return Steps(databases)


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


def sizes(client: Any) -> dict[bytes, int]:
    return {key: client.zcard(key) for key in client.scan_iter(match="person:*:faces")}


def of_few(people: RedisPeople, client: Any, steps: Steps) -> float:
    """How long the longest step takes when two persons of few faces are merged."""
    make(client, 1, FEW)
    make(client, 2, FEW)
    people.merge(ME, 1, 2)
    people.undo(ME)
    steps.longest()
    people.merge(ME, 1, 2)
    return steps.longest()


def test_no_step_of_a_merger_is_longer_for_a_person_of_very_many_faces(
    people: RedisPeople, client: Any, steps: Steps
) -> None:
    limit = 8 * of_few(people, client, steps)
    make(client, 3, MANY)
    make(client, 4, MANY)
    people.merge(ME, 3, 4)
    assert steps.longest() < limit, "it was some twenty times as long"
    assert sizes(client) == {b"person:2:faces": 2 * FEW, b"person:4:faces": 2 * MANY}
    assert [(entry["operation"], entry["faces"]) for entry in people.history(ME)[:2]] == [
        ("merge", MANY),
        ("merge", FEW),
    ]

    assert people.undo(ME) == {"operation": "merge", "persons": [3, 4], "faces": MANY}
    assert steps.longest() < limit
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


def unknown(client: Any, person: int) -> int:
    """How many of its faces are shown among the unknown ones."""
    return int(client.zcount("faces:unknown", person * 100_000 * 4096, (person + 1) * 100_000 * 4096 - 1))


def test_no_step_of_naming_or_hiding_is_longer_for_a_person_of_very_many_faces(
    people: RedisPeople, client: Any, steps: Steps
) -> None:
    limit = 8 * of_few(people, client, steps)
    make(client, 3, MANY)
    for fields in ({"name": "Ann"}, {"hidden": True}):
        people.edit(ME, 3, **fields)  # type: ignore[arg-type]
        assert unknown(client, 3) == 0
        people.undo(ME)
        assert unknown(client, 3) == MANY
    people.edit(ME, 3, name="Ann")
    make(client, 4, 2 * MANY)
    people.merge(ME, 3, 4)
    assert unknown(client, 4) == 0, "they have the name now"
    assert steps.longest() < limit
    assert not client.exists("people:showing", "unfinished")


def said_of_unknown(databases: RedisDatabases) -> list[str]:
    return [fault for fault in check_people(databases) if "among the unknown" in fault]


def test_naming_that_was_cut_off_is_finished_by_a_worker(
    databases: RedisDatabases, people: RedisPeople, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sadd("owners", ME)
    make(client, 1, 3 * FEW)
    monkeypatch.setattr("facerec.adapters.redis.people.finish_showing", lambda *_: None)
    people.edit(ME, 1, name="Ann")
    assert unknown(client, 1) == 2 * FEW
    assert said_of_unknown(databases) == [], "what is on its way is no fault"
    people.edit(ME, 1, hidden=True)
    people.edit(ME, 1, name="", hidden=False)
    assert said_of_unknown(databases) == []
    RedisErrands(databases).finish(10, 0.0)
    assert unknown(client, 1) == 3 * FEW
    people.edit(ME, 1, name="Ann")
    RedisErrands(databases).finish(10, 0.0)
    assert unknown(client, 1) == 0
    assert said_of_unknown(databases) == []
    assert not client.exists("people:showing", "unfinished")


def of(person: int, start: int, end: int) -> list[int]:
    return [(person * 100_000 + number) * 4096 for number in range(start, end)]


def test_no_step_is_longer_for_the_most_faces_that_may_be_given_at_once(
    people: RedisPeople, client: Any, steps: Steps
) -> None:
    limit = 8 * of_few(people, client, steps)
    make(client, 3, MANY)
    new = people.split(ME, 3, of(3, 0, MAX_FACES))
    assert sizes(client)[f"person:{new}:faces".encode()] == MAX_FACES
    assert people.undo(ME) == {"operation": "split", "persons": [new, 3], "faces": MAX_FACES}
    assert people.move(ME, of(3, 0, MAX_FACES), 2) == 2
    for start in range(MAX_FACES, MANY, MAX_FACES):
        people.reject(ME, 3, of(3, start + 1, start + MAX_FACES))
    assert people.history(ME)[0]["faces"] == MAX_FACES - 1
    assert client.scard("person:3:not") == 3 * (MAX_FACES - 1)
    people.merge(ME, 3, 2)
    assert client.scard("person:2:not") == 3 * (MAX_FACES - 1)
    assert people.undo(ME)["operation"] == "merge"
    assert (client.scard("person:2:not"), client.scard("person:3:not")) == (0, 3 * (MAX_FACES - 1))
    assert steps.longest() < limit


def test_faces_that_cannot_all_be_given_stay_where_they_are(people: RedisPeople, client: Any) -> None:
    make(client, 1, 2 * FEW)
    make(client, 2, 2 * FEW)
    before = sizes(client)
    for faces, error, reason in (
        (of(1, 0, 2 * FEW), BadParam, "nothing would be left"),
        ([*of(1, 0, FEW), *of(2, 0, 1)], BadParam, "is not one of person 1"),
        ([*of(1, 0, FEW), 1], NotFound, "there is no face 1"),
    ):
        with pytest.raises(error, match=reason):
            people.split(ME, 1, faces)
    assert sizes(client) == before
    assert people.history(ME) == []
