"""What is wrong with stored people is found and told; what is right is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import FACES, OWN, prefix
from facerec.adapters.redis.people_check import check_people, mend_people, people_faults
from tests.people_stage import BEFORE, SECOND, THIRD, Stage
from tests.people_stage import FIRST as FACE

P = prefix("bob")
Break = Callable[[Any], Any]

WRONGS: dict[str, Break] = {
    f"face {FACE} is said to be of person 1, who does not have it": lambda db: db.zrem(f"{P}person:1:faces", FACE),
    f"person 1 has face {FACE}, which is said to be elsewhere": lambda db: db.hset(f"{P}faces:person", FACE, 2),
    f"person 1 has face {SECOND}, which is said to be elsewhere": lambda db: db.hdel(f"{P}faces:person", SECOND),
    f"person nobody has face {FACE}": lambda db: db.zadd(f"{P}faces:strays", {str(FACE): FACE}),
    f"face {FACE} is wrongly among the unknown": lambda db: db.zadd(f"{P}faces:unknown", {str(FACE): FACE}),
    f"face {THIRD} is not among the unknown": lambda db: db.zrem(f"{P}faces:unknown", THIRD),
    "person 1 has faces and does not exist": lambda db: db.delete(f"{P}person:1"),
    "person 9 has neither name nor faces": lambda db: db.hset(f"{P}person:9", "created_at", "1"),
    "the cover of person 1 is not one of its faces": lambda db: db.hset(f"{P}person:1", "cover", THIRD),
    "0000000002:0000000000000001 is not in the list of named": lambda db: db.delete(f"{P}people:named"),
    "is wrongly in the list of hidden": lambda db: db.zadd(f"{P}people:hidden", {"0000000002:0000000000000001": 0}),
    "the name Ann of person 1 is not listed": lambda db: db.delete(f"{P}people:names"),
    "the name Bea of person 1 is wrongly listed": lambda db: db.zadd(f"{P}people:names", {"Bea\x1f1": 0}),
    f"that face {THIRD} is not person 1 is known to one of them": lambda db: db.sadd(f"{P}face:{THIRD}:not", 1),
    f"face {THIRD} is said not to be person 7, who does not exist": lambda db: (
        db.sadd(f"{P}face:{THIRD}:not", 7),
        db.sadd(f"{P}person:7:not", THIRD),
    ),
    f"face {FACE} is said not to be person 1, who has it": lambda db: (
        db.sadd(f"{P}face:{FACE}:not", 1),
        db.sadd(f"{P}person:1:not", FACE),
    ),
}


@pytest.fixture
def stage(databases: RedisDatabases) -> Stage:
    """Bob has person 1, Ann, with two faces, and a stray."""
    stage = Stage(databases, before=BEFORE)
    for place in (0.0, 0.1, 9.0):
        stage.scan(place, owner="bob")
    stage.scan(0.0)
    stage.group()
    stage.people.edit("bob", 1, name="Ann")
    assert list(check_people(databases)) == []
    return stage


@pytest.mark.parametrize("wrong", WRONGS)
def test_every_broken_invariant_is_told(stage: Stage, wrong: str) -> None:
    WRONGS[wrong](stage.databases.client(OWN))
    found = list(check_people(stage.databases))
    assert any(wrong in problem for problem in found), found
    assert all(problem.startswith("owner bob: ") for problem in found)


def test_a_face_whose_record_is_gone_is_told(stage: Stage) -> None:
    client = stage.databases.client(FACES)
    client.delete(*(key for key in client.scan_iter() if key.startswith(P.encode())))
    found = list(check_people(stage.databases))
    assert sum("is on no finished image" in problem for problem in found) == 3


@pytest.mark.parametrize("wrong", WRONGS)
def test_every_broken_invariant_is_repaired(stage: Stage, wrong: str) -> None:
    WRONGS[wrong](stage.databases.client(OWN))
    mend_all(stage.databases)
    assert set(stage.placed("bob")) == {FACE, SECOND, THIRD}, "no face is lost"


def test_a_face_whose_record_is_gone_is_forgotten(stage: Stage) -> None:
    stage.people.reject("bob", 1, [FACE])
    client = stage.databases.client(FACES)
    client.delete(*(key for key in client.scan_iter() if key.startswith(P.encode())))
    mend_all(stage.databases)
    assert stage.placed("bob") == {}
    assert stage.people.person("bob", 1)["faces"] == 0, "one with a name stays"


def test_a_person_that_was_merged_leaves_its_faces_to_whom_it_was_merged_into(stage: Stage) -> None:
    client = stage.databases.client(OWN)
    stage.people.merge("bob", 1, stage.people.move("bob", [THIRD], None, new=True) or 0)
    client.hset(f"{P}faces:person", FACE, 1)
    mend_all(stage.databases)
    assert len(stage.groups("bob")) == 1
    assert len(stage.groups("bob")[0]) == 3


def mend_all(databases: RedisDatabases) -> None:
    """As `facerec fsck --fix` does it."""
    for _ in range(4):
        for fault in list(people_faults(databases)):
            mend_people(databases, fault)
    assert list(check_people(databases)) == []
