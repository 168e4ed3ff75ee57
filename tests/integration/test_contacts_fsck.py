"""Contacts broken by hand or by a call that died: fsck names it and mends it, and what was left is swept up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisAudit, RedisContactAnswers, RedisDatabases, RedisRepairs
from facerec.adapters.redis.contacts_check import contact_faults
from facerec.adapters.redis.layout import FACES, prefix
from facerec.engine.fake import FakeEngine, fake_encoding
from facerec.faces import Model
from facerec.identity import image_hash
from facerec.records import face_id_of, pack_face, unpack_face
from facerec.services.contacts import ContactBooks
from facerec.services.contacts_sweep import Sweeper
from facerec.services.fsck import Fsck, Report
from tests import contact_victim as victim
from tests.client import wait_until
from tests.contact_judge import flaws
from tests.contact_worlds import OwnWorker, Pages, face, face_url, open_books
from tests.stack import ROOT

USER, CONTACT, OWNER = 7, 42, "bob"
P = prefix(OWNER)


class Shop:
    """Bob's user 7 has contact 42 with three faces of which two are alike, and contact 43 with one."""

    def __init__(self, databases: RedisDatabases, books: ContactBooks) -> None:
        self.databases = databases
        self.book = books.of(OWNER)
        self.admissions = RedisAdmissions(databases)
        urls = (face_url("ann", tag=1), face_url("ann", tag=2), face_url("ann with a beard"))
        faces = [face(USER, CONTACT, n, url, score=n / 10) for n, url in enumerate(urls)]
        self.stored = self.book.add_faces(USER, CONTACT, faces)["added"]
        self.stored += self.book.add_faces(USER, 43, [face(USER, 43, 1, face_url("bea"))])["added"]
        self.urls = urls

    @property
    def db(self) -> Any:
        return self.databases.client()

    def image(self, number: int) -> str:
        found = self.admissions.known_url(OWNER, self.urls[number])
        assert found
        return found

    def core_face(self, number: int) -> int:
        return face_id_of(self.databases.client(FACES).lindex(P + self.image(number), 0))

    def check(self, fix: bool = False) -> Report:
        return check(self.databases, fix)


def check(databases: RedisDatabases, fix: bool = False) -> Report:
    return Fsck(RedisAudit(databases), RedisRepairs(databases), None, wait=lambda _: None).run(fix)


@pytest.fixture
def books(databases: RedisDatabases) -> Iterator[ContactBooks]:
    opened = open_books(databases, Pages(), worker=OwnWorker(databases))
    yield opened
    opened.close()


@pytest.fixture
def shop(databases: RedisDatabases, books: ContactBooks) -> Shop:
    return Shop(databases, books)


def lose_a_contact_from_the_list(shop: Shop) -> None:
    shop.db.srem(f"{P}contacts:list:7", CONTACT)


def list_nobody(shop: Shop) -> None:
    shop.db.sadd(f"{P}contacts:list:7", 99)
    shop.db.hset(f"{P}contacts:leaders:7", 99, "1")
    shop.db.sadd(f"{P}contacts:stale:7", 98)


def lose_a_representative(shop: Shop) -> None:
    shop.db.hset(f"{P}contacts:leaders:7", CONTACT, "1")


def have_all_faces_represent(shop: Shop) -> None:
    shop.db.hset(f"{P}contacts:leaders:7", CONTACT, "0 1 2")


def lose_all_representatives(shop: Shop) -> None:
    shop.db.delete(f"{P}contacts:leaders:7")


def lose_the_way_back_from_a_face(shop: Shop) -> None:
    shop.db.delete(f"{P}contacts:of:{shop.core_face(0)}")


def say_a_face_is_of_others(shop: Shop) -> None:
    shop.db.sadd(f"{P}contacts:of:{shop.core_face(0)}", "7 42 2", "7 42 77", "8 1 1")


def leave_a_face_of_an_erased_image(shop: Shop) -> None:
    key = f"{P}contact:7:42"
    text = shop.db.hget(key, 0)
    shop.admissions.erase(OWNER, shop.image(0))
    shop.db.hset(key, 0, text)


def lose_a_person(shop: Shop) -> None:
    key = f"{P}person:{person_of(shop)}"
    shop.db.hset(f"{P}contacts:persons", "7 42", 999)
    shop.db.delete(f"{key}:contacts")


def lose_the_contact_of_a_person(shop: Shop) -> None:
    shop.db.hdel(f"{P}contacts:persons", "7 42")


def lose_the_person_of_a_contact(shop: Shop) -> None:
    shop.db.srem(f"{P}person:{person_of(shop)}:contacts", "7 42")


def say_a_person_is_two(shop: Shop) -> None:
    shop.db.sadd(f"{P}person:{person_of(shop)}:contacts", "7 43")


def say_a_contact_without_faces_is_a_person(shop: Shop) -> None:
    shop.db.hset(f"{P}contacts:persons", "7 99", person_of(shop))


def leave_an_image_that_nobody_needs(shop: Shop) -> None:
    shop.db.sadd(f"{P}contacts:loose:7", shop.image(0))


def expect_an_image_for_ever(shop: Shop) -> None:
    shop.db.hset(f"{P}contacts:image:{'e' * 64}", mapping={"expected 7": 1, "brought": 1})


def person_of(shop: Shop) -> int:
    return int(shop.db.hget(f"{P}contacts:persons", "7 42"))


DAMAGES: list[Callable[[Shop], None]] = [
    lose_a_contact_from_the_list,
    list_nobody,
    lose_a_representative,
    have_all_faces_represent,
    lose_all_representatives,
    lose_the_way_back_from_a_face,
    say_a_face_is_of_others,
    leave_a_face_of_an_erased_image,
    lose_a_person,
    lose_the_contact_of_a_person,
    lose_the_person_of_a_contact,
    say_a_person_is_two,
    say_a_contact_without_faces_is_a_person,
    leave_an_image_that_nobody_needs,
    expect_an_image_for_ever,
]


def test_sound_contacts_are_clean(shop: Shop) -> None:
    assert shop.check().found == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damage_is_named_and_mended(shop: Shop, damage: Callable[[Shop], None]) -> None:
    damage(shop)
    report = shop.check(fix=True)
    assert {(fault.invariant, fault.owner) for fault in report.found} == {("contacts", OWNER)}
    assert report.left == []
    assert shop.check().found == []
    there = shop.book.get_faces(USER)
    assert there == shop.stored[-len(there) :]
    assert len(there) >= 3
    best = (shop.book.recognize_face(USER, face_url("ann", tag="probe")) or [])[0]
    assert (best["contact_id"], best["face_id"]) == (CONTACT, 1)
    assert shop.check().found == []
    assert flaws(shop.databases, USER, OWNER) == []
    persons = {int(each) for each in shop.db.hvals(f"{P}contacts:persons")}
    assert len(persons) == 2
    shop.book.delete_user(USER)
    assert shop.check().found == []
    left = {key.decode().removeprefix(P).split(":")[1] for key in shop.db.keys("*contact*")}
    assert left <= {"version", "done", "counts", "face", "answer", "answered"}


def test_clusters_follow_when_the_encodings_are_exchanged_for_another_models(shop: Shop) -> None:
    """Ann's two like pictures are unlike to the other model, and her third is like the first."""
    faces = shop.databases.client(FACES)
    for number, person in enumerate(("new ann", "new ann with a hat", "new ann")):
        record = faces.lindex(P + shop.image(number), 0)
        found = replace(unpack_face(record)[1], encoding=fake_encoding(person), model=Model.CNN)
        faces.lset(P + shop.image(number), 0, pack_face(face_id_of(record), found))
    assert shop.book.recognize_face(USER, face_url("ann", tag="probe"))
    shop.db.incr("contacts:sets")
    assert shop.check().found == []
    books = open_books(shop.databases, Pages(), worker=OwnWorker(shop.databases, FakeEngine(Model.CNN)))
    best = (books.of(OWNER).recognize_face(USER, face_url("new ann", tag="probe")) or [])[0]
    assert (best["face_id"], best["recognition_confidence"] > 0.99) == (2, True)
    assert shop.db.hget(f"{P}contacts:leaders:7", CONTACT) == b"1 2"
    assert shop.check().found == []
    books.close()


def test_a_key_of_a_wrong_type_is_named_and_left_alone(shop: Shop) -> None:
    shop.db.set(f"{P}contact:7:1", "not ours")
    report = shop.check(fix=True)
    assert [(fault.invariant, fault.subject) for fault in report.left] == [("types", "contact 7:1")]


def test_nothing_is_reported_while_contacts_change(shop: Shop) -> None:
    def play() -> None:
        for number in range(100):
            contact, url = number % 3, face_url("ann", tag=number % 5)
            shop.book.add_faces(USER, contact, [face(USER, contact, number % 7, url)])
            if number % 4 == 3:
                shop.book.delete_contact(USER, (number + 1) % 3)
            if number % 6 == 5 and (image := shop.admissions.known_url(OWNER, face_url("ann", tag=number % 5))):
                shop.admissions.erase(OWNER, image)

    found, rounds = [], 0
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(play)
        while not playing.done():
            found += list(contact_faults(shop.databases))
            rounds += 1
    playing.result()
    assert (found, rounds > 1) == ([], True)
    assert shop.check().found == []


# ---------------------------------------------------------------- calls that die


@pytest.mark.parametrize("stage", ["fetched", "announced", "written"])
def test_what_a_killed_call_left_is_named_and_swept_up(
    databases: RedisDatabases, redis_server: Any, stage: str
) -> None:
    arguments = [sys.executable, "-m", "tests.contact_victim", str(redis_server.port), redis_server.password, stage]
    call = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert call.stdout
    assert call.stdout.readline() == stage + "\n"
    sweeper, client = Sweeper(RedisContactAnswers(databases)), databases.client()
    assert sweeper.sweep() == 0
    assert check(databases).found == []
    call.kill()
    call.wait()
    call.stdout.close()
    wait_until(lambda: not client.exists(f"contacts:turn:{victim.USER}"), "the lease runs out")
    left = check(databases).found
    assert [fault.subject for fault in left] == ([] if stage == "fetched" else [f"loose {victim.USER}"])
    assert sweeper.sweep() == (1 if stage == "written" else 0)
    assert check(databases).found == []
    assert RedisAdmissions(databases).images("default", None, None, 50, "") == ([], "")
    assert client.scard("contacts:unsettled") == 0
    assert sweeper.sweep() == 0
    if stage == "announced":
        erased = image_hash(Pages().fetch(victim.URL))
        assert client.exists(f"erased:{erased}"), "a job that is still on its way is dropped"
