"""A gallery is removed in steps, and whoever does it may die between any two of them, while others go on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisCommits,
    RedisDatabases,
    RedisErrands,
    RedisFaceBook,
    RedisJournal,
)
from facerec.adapters.redis.connection import call_token
from facerec.adapters.redis.findface_sets import RedisGallerySets
from facerec.adapters.redis.galleries_check import gallery_faults
from facerec.adapters.redis.layout import OWN
from facerec.enrolment import Candidates, Enrolment, Wish
from facerec.errors import BadParam, NotFound
from facerec.galleries import Bounds, Change, StoredFace
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.rule import ScanRule, to_scanned
from tests.faces import analysis, scan_job
from worker.members import Members

OWNER = DEFAULT_OWNER
FACES = 5


class House:
    """An image with some faces, all of them in the gallery ``one``; removals stop where the test wants it."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.databases = databases
        self.book = RedisFaceBook(databases)
        self.admissions = RedisAdmissions(databases)
        rule = ScanRule(RedisCommits(databases), RedisJournal(databases), 0.6)
        rule.load()
        self.job = scan_job(self.admissions, "a.jpg")
        ticket = RedisCommits(databases).begin([self.job])[0].image_ticket
        assert rule.finish([to_scanned(self.job, ticket, analysis(*(5.0 * n for n in range(FACES))))]).written
        self.faces = [face_id(ticket, number) for number in range(FACES)]
        self.book.add_gallery(OWNER, "one")
        for face in self.faces:
            self.change(face, "add", "one")

    def change(self, face: int, how: str, *names: str) -> None:
        self.book.change(OWNER, face, Change(galleries=(how, names)))

    def begin(self, gallery: str = "one") -> bytes:
        """The first step of a removal."""
        reply: bytes = self.databases.call("findface_gallery", "", "remove", gallery, call_token())
        return reply

    def go_on(self, gallery: str = "one", faces: int = 2) -> int:
        """Another step; how many faces are left."""
        return int(self.databases.call("findface_unlist", "", gallery, faces))

    def face(self, face: int) -> StoredFace:
        found = self.book.faces(OWNER, [face])[0]
        assert found
        return found

    def galleries(self) -> list[tuple[str, ...]]:
        return [self.face(face).galleries[1:] for face in self.faces]

    def fields(self) -> list[bytes]:
        """What the stored fields name, of galleries that are being removed, too."""
        found = [self.databases.client(OWN).hget(f"face:{face}", "galleries") for face in self.faces]
        return [each or b"" for each in found]

    def members(self, gallery: str = "one") -> tuple[int, ...]:
        return tuple(sorted(self.book.page(OWNER, gallery, Bounds(), 99).ids))

    def faults(self) -> list[str]:
        return [fault.detail for fault in gallery_faults(self.databases, [OWNER])]


@pytest.fixture
def house(databases: RedisDatabases) -> House:
    return House(databases)


def test_the_first_step_takes_it_from_everybody(house: House) -> None:
    sets = RedisGallerySets(house.databases)
    members = Members(sets)
    version, ids = sets.members(OWNER, "one")
    known = members.among(OWNER, "one")
    assert known
    assert known.ids.tolist() == ids.tolist() == house.faces

    assert house.begin() == b"ok"

    assert house.fields() == [b"one"] * FACES
    assert house.galleries() == [()] * FACES
    assert "one" not in "".join(house.face(house.faces[0]).attributes.values())
    assert house.book.galleries(OWNER) == ["default"]
    assert not house.book.has_gallery(OWNER, "one")
    assert house.members() == ()
    assert house.book.metas(OWNER, "one", None, 9) == ([], False)
    with pytest.raises(BadParam):
        house.change(house.faces[0], "add", "one")
    assert sets.changes(OWNER, "one", version) is None
    left = members.among(OWNER, "one")
    assert left
    assert left.ids.tolist() == []


def add_it_again(house: House) -> None:
    house.book.add_gallery(OWNER, "one")


def wait_for_the_errand_of_a_worker(house: House) -> None:
    RedisErrands(house.databases).finish(10, after=0.0)


def remove_it_again(house: House) -> None:
    with pytest.raises(NotFound):
        house.book.remove_gallery(OWNER, "one")


@pytest.mark.parametrize("call", [add_it_again, remove_it_again, wait_for_the_errand_of_a_worker])
@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_the_next_call_about_the_name_or_a_worker_finishes_what_was_begun(
    house: House, steps: int, call: Callable[[House], None]
) -> None:
    house.begin()
    for _ in range(steps):
        house.go_on()
    call(house)
    assert not house.databases.client(OWN).exists("unfinished")
    assert house.fields() == [b""] * FACES
    assert house.faults() == []


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_gallery_made_meanwhile_keeps_its_own_faces(house: House, steps: int) -> None:
    """It is made when everybody has left the old one; who began to remove that wakes up late, and finds nothing to do."""
    house.begin()
    for _ in range(steps):
        house.go_on()
    house.book.add_gallery(OWNER, "one")
    assert house.galleries() == [()] * FACES
    house.change(house.faces[0], "add", "one")
    house.change(house.faces[3], "add", "one")

    assert house.go_on() == 0

    assert house.galleries() == [("one",), (), (), ("one",), ()]
    assert house.members() == (house.faces[0], house.faces[3])
    assert house.faults() == []


def test_nothing_is_made_or_removed_while_a_removal_of_that_name_is_unfinished(house: House) -> None:
    house.begin()
    assert house.begin() == b"unfinished"
    assert house.databases.call("findface_gallery", "", "add", "one", call_token()) == b"unfinished"
    assert house.book.galleries(OWNER) == ["default"]
    assert house.fields() == [b"one"] * FACES


def test_a_worker_follows_a_gallery_that_is_removed_and_made_anew(house: House) -> None:
    sets = RedisGallerySets(house.databases)
    member, newcomer = Members(sets), Members(sets)

    def known() -> list[list[int]]:
        found = [each.among(OWNER, "one") for each in (member, newcomer)]
        return [[] if each is None else each.ids.tolist() for each in found]

    assert known() == [house.faces] * 2
    house.begin()
    assert known() == [[]] * 2
    while house.go_on():
        assert known() == [[]] * 2
    house.book.add_gallery(OWNER, "one")
    house.change(house.faces[0], "add", "one")
    assert known() == [[house.faces[0]]] * 2


def test_a_face_that_changes_meanwhile_is_written_without_it(house: House) -> None:
    house.begin()
    house.book.add_gallery(OWNER, "two")
    house.change(house.faces[0], "add", "two")
    house.book.change(OWNER, house.faces[1], Change(meta="Ann"))
    wish = Enrolment(Wish(meta="Bob", galleries=("two",)), (house.faces[2],))
    assert house.book.enrol(OWNER, house.job.hash, wish, Candidates({}, None)) is True

    assert house.galleries() == [("two",), (), ("two",), (), ()]
    assert house.members() == ()
    assert house.book.metas(OWNER, "one", None, 9) == ([], False)
    assert house.go_on(faces=FACES) == 0
    assert house.fields() == [b"two", b"", b"two", b"", b""]
    assert house.faults() == []


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_a_face_that_goes_meanwhile_leaves_nothing(house: House, is_made_anew: bool) -> None:
    house.begin()
    if is_made_anew:
        house.book.add_gallery(OWNER, "one")
        house.change(house.faces[1], "add", "one")
    assert house.book.drop(OWNER, house.faces[0], 0.6)
    assert house.admissions.erase(OWNER, house.job.hash)
    client = house.databases.client(OWN)
    assert client.keys("face:*") == []
    assert house.go_on() == 0
    assert bool(client.exists("gallery:one:log")) == is_made_anew
    assert not client.exists("gallery:one", "gallery:one:metas")
    assert house.members() == ()
    assert house.faults() == []


def test_an_empty_gallery_is_removed(house: House) -> None:
    house.book.add_gallery(OWNER, "none")
    house.book.remove_gallery(OWNER, "none")
    assert house.book.galleries(OWNER) == ["default", "one"]
    assert house.faults() == []
    with pytest.raises(NotFound):
        house.book.remove_gallery(OWNER, "none")


def test_a_removal_ends_though_a_face_does_not_say_that_it_is_in_the_gallery(house: House) -> None:
    house.databases.client(OWN).hdel(f"face:{house.faces[0]}", "galleries")
    house.book.remove_gallery(OWNER, "one")
    assert house.fields() == [b""] * FACES
    assert house.faults() == []


class Expected:
    """What a plain dictionary says after each of the calls and steps that are chosen."""

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.choose = random.Random(seed)
        self.listed = {"one"}
        self.wanted: dict[int, set[str]] = {face: {"one"} for face in house.faces}
        self.metas: dict[int, str] = dict.fromkeys(house.faces, "")

    def turn(self) -> None:
        name, face = self.choose.choice(("one", "two")), self.choose.choice(self.house.faces)
        turns = (self.remove, self.change) if name in self.listed else (self.add,)
        if self.choose.random() < 0.3:
            self.house.go_on(name, self.choose.randint(1, 3))
        self.choose.choice((*turns, self.tell))(name, face)

    def remove(self, name: str, _face: int) -> None:
        if self.house.begin(name) == b"ok":
            self.listed.remove(name)
            self.wanted = {face: galleries - {name} for face, galleries in self.wanted.items()}

    def add(self, name: str, _face: int) -> None:
        if self.house.databases.call("findface_gallery", "", "add", name, call_token()) == b"ok":
            self.listed.add(name)

    def change(self, name: str, face: int) -> None:
        how = self.choose.choice(("add", "del", "set"))
        self.house.change(face, how, name)
        had = self.wanted[face]
        self.wanted[face] = {"add": had | {name}, "del": had - {name}, "set": {name}}[how]

    def tell(self, _name: str, face: int) -> None:
        self.metas[face] = self.choose.choice(("", "Ann", "Bob"))
        self.house.book.change(OWNER, face, Change(meta=self.metas[face]))

    def check(self) -> None:
        assert [set(galleries) for galleries in self.house.galleries()] == list(self.wanted.values())
        for name in self.listed:
            inside = [face for face in self.house.faces if name in self.wanted[face]]
            assert self.house.members(name) == tuple(inside)
            counts = {row.meta: row.count for row in self.house.book.metas(OWNER, name, None, 9)[0]}
            assert counts == Counter(self.metas[face] for face in inside)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_between_the_steps(house: House, seed: int) -> None:
    expected = Expected(house, seed)
    for _ in range(60):
        expected.turn()
        expected.check()
    for name in ("one", "two"):
        while house.go_on(name):
            pass
    assert [set(field.decode().split(",")) - {""} for field in house.fields()] == list(expected.wanted.values())
    assert house.faults() == []
