"""The removal of a gallery is unfinished while processes of the release before, which know nothing of that, go on.

To them the gallery is there until the last step. So they can neither make another of its name nor meet a face that says it is in
a gallery which it is not in; after each step everything is as they would have left it themselves.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from facerec.adapters.redis import RedisAudit, RedisCommits, RedisDatabases, RedisJournal, RedisRepairs
from facerec.adapters.redis.galleries_check import gallery_faults
from facerec.adapters.redis.layout import OWN
from facerec.config import RedisSettings
from facerec.enrolment import Candidates, Enrolment, Wish
from facerec.errors import BadParam, Conflict, NotFound
from facerec.galleries import Bounds, Change
from facerec.identity import face_id
from facerec.rule import ScanRule, to_scanned
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from tests.contract.test_findface_removal import FACES, OWNER, House
from tests.faces import analysis, scan_job
from tests.upgrade.release_before import BookBefore, DatabasesBefore

STEPS = 3
"""Of a removal that takes out two faces at a time, so that the last one is the third."""
CUT_OFF = pytest.mark.parametrize("steps", range(STEPS))


class Both(House):
    """This release and the one before on the same Redis. Each face has a meta of its own, and is of one person."""

    def __init__(self, databases: RedisDatabases, before: DatabasesBefore) -> None:
        super().__init__(databases)
        self.before = before
        self.old = BookBefore(before)
        self.person = self.book.add_person(OWNER, "Ann")
        for number, face in enumerate(self.faces):
            self.book.change(OWNER, face, Change(person=self.person, meta=f"face {number}"))

    def cut_off(self, steps: int) -> None:
        """A removal by this release whose process died after so many steps besides the first."""
        assert self.begin() == b"ok"
        for _ in range(steps):
            assert self.go_on()

    def finish(self) -> None:
        while self.go_on():
            pass

    def old_change(self, face: int, how: str, *names: str) -> None:
        self.old.change(OWNER, face, Change(galleries=(how, names)))

    def old_members(self) -> tuple[int, ...]:
        return tuple(sorted(self.old.page(OWNER, "one", Bounds(), 99).ids))

    def counts(self, gallery: str = "one") -> dict[str, int]:
        return {row.meta: row.count for row in self.book.metas(OWNER, gallery, None, 99)[0]}

    def check(self) -> None:
        """Nothing is wrong but that a removal is unfinished, in the eyes of either release."""
        for databases in (self.databases, self.before):
            assert {fault.kind for fault in gallery_faults(databases, [OWNER])} <= {"removal"}

    def check_all(self) -> None:
        """What ``facerec fsck`` says at the end; and the person has lost nobody."""
        audit = RedisAudit(self.databases)
        links = LinkCheck(audit, RedisJournal(self.databases), 0.6)
        assert Fsck(audit, RedisRepairs(self.databases), links).run().found == []
        assert self.book.person_faces(OWNER, self.person) == self.faces[::-1]


@pytest.fixture
def both(databases: RedisDatabases, redis_settings: RedisSettings) -> Both:
    return Both(databases, DatabasesBefore(redis_settings))


@CUT_OFF
def test_each_release_sees_one_gallery(both: Both, steps: int) -> None:
    both.cut_off(steps)
    assert both.book.galleries(OWNER) == ["default"]
    assert both.members() == ()
    assert both.galleries() == [()] * FACES
    assert both.old.galleries(OWNER) == ["default", "one"]
    assert both.old_members() == tuple(both.faces[2 * steps :])
    both.check()


@CUT_OFF
def test_it_is_not_made_anew_by_the_release_before_while_unfinished(both: Both, steps: int) -> None:
    both.cut_off(steps)
    with pytest.raises(Conflict):
        both.old.add_gallery(OWNER, "one")
    both.finish()
    both.old.add_gallery(OWNER, "one")
    both.old_change(both.faces[3], "add", "one")

    assert both.go_on() == 0

    assert both.members() == (both.faces[3],)
    assert both.galleries() == [(), (), (), ("one",), ()]
    assert both.counts() == {"face 3": 1}
    both.check_all()


@CUT_OFF
def test_made_anew_by_this_release_it_is_another_for_both(both: Both, steps: int) -> None:
    both.cut_off(steps)
    both.book.add_gallery(OWNER, "one")
    both.old_change(both.faces[1], "add", "one")
    both.change(both.faces[4], "set", "one")
    both.old.add_gallery(OWNER, "two")
    both.old_change(both.faces[0], "add", "two")

    assert both.go_on() == 0

    assert both.galleries() == [("two",), ("one",), (), (), ("one",)]
    assert both.members() == (both.faces[1], both.faces[4])
    assert both.counts() == {"face 1": 1, "face 4": 1}
    both.check_all()


@CUT_OFF
def test_the_release_before_removes_what_is_left_of_it(both: Both, steps: int) -> None:
    """Whoever began it is only slow, and finds another gallery under the name."""
    both.cut_off(steps)
    both.old.remove_gallery(OWNER, "one")
    assert both.fields() == [b""] * FACES
    both.old.add_gallery(OWNER, "one")
    both.old_change(both.faces[2], "add", "one")

    assert both.go_on() == 0

    assert both.members() == (both.faces[2],)
    assert both.counts() == {"face 2": 1}
    both.check_all()


def puts_a_face_in(both: Both) -> None:
    for face in both.faces:
        both.old_change(face, "add", "one")


def puts_faces_into_another(both: Both) -> None:
    both.old.add_gallery(OWNER, "two")
    for face in both.faces:
        both.old_change(face, "add", "two")


def takes_a_face_out(both: Both) -> None:
    both.old_change(both.faces[4], "del", "one")


def says_another_meta(both: Both) -> None:
    for face in both.faces:
        both.old.change(OWNER, face, Change(meta="Bob"))


def posts_the_photo_again(both: Both) -> None:
    wish = Enrolment(Wish(meta="Bob", galleries=("one",)), tuple(both.faces))
    assert both.old.enrol(OWNER, both.job.hash, wish, Candidates({}, None)) is True


def repairs(both: Both) -> None:
    for face in both.faces:
        both.before.call("repair_gallery", "", face, both.job.ticket, "one")


def tries_to_make_it(both: Both) -> None:
    with suppress(Conflict):
        both.old.add_gallery(OWNER, "one")


DEEDS = [
    puts_a_face_in,
    puts_faces_into_another,
    takes_a_face_out,
    says_another_meta,
    posts_the_photo_again,
    repairs,
    tries_to_make_it,
]


@CUT_OFF
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_what_the_release_before_does_meanwhile_brings_no_face_into_a_new_gallery(
    both: Both, steps: int, deed: Callable[[Both], None]
) -> None:
    both.cut_off(steps)
    deed(both)
    both.check()
    assert both.members() == ()
    both.book.add_gallery(OWNER, "one")
    assert both.members() == both.old_members() == ()
    assert both.counts() == {}
    assert {b"one"}.isdisjoint(both.fields())
    both.check_all()


@CUT_OFF
def test_a_photo_that_a_worker_of_the_release_before_finishes_meanwhile(both: Both, steps: int) -> None:
    """It was posted before, for this gallery: its face goes with the others."""
    both.cut_off(steps)
    # Its scripts were told the time.
    commits = RedisCommits(both.before, clock=time.time)
    rule = ScanRule(commits, RedisJournal(both.before), 0.6)
    rule.load()
    job = scan_job(both.admissions, "b.jpg")
    ticket = commits.begin([job])[0].image_ticket
    face = face_id(ticket, 0)
    wish = Enrolment(Wish(meta="Cid", galleries=("one",)), (face,))
    assert rule.finish([to_scanned(job, ticket, analysis(99.0), wish)]).written
    both.check()
    assert both.face(face).galleries == ("default",)

    both.book.add_gallery(OWNER, "one")

    assert both.members() == ()
    assert both.face(face).meta == "Cid"
    both.check_all()


@CUT_OFF
def test_a_face_that_the_release_before_removes_meanwhile_leaves_nothing(both: Both, steps: int) -> None:
    both.cut_off(steps)
    gone = both.faces.pop()
    assert both.old.drop(OWNER, gone, 0.6)
    both.check()
    both.finish()
    assert both.databases.client(OWN).keys("gallery:one*") == []
    both.check_all()


class Expected:
    """What plain dictionaries say after each of the calls and steps that are chosen, of either release."""

    def __init__(self, both: Both, seed: int) -> None:
        self.both = both
        self.choose = random.Random(seed)
        self.listed, self.going = {"one"}, set[str]()
        self.wanted: dict[int, set[str]] = {face: {"one"} for face in both.faces}
        self.metas = {face: f"face {number}" for number, face in enumerate(both.faces)}

    def turn(self) -> None:
        turns = (self.begin, self.go_on, self.add, self.old_add, self.old_remove, *[self.change, self.old_change] * 2)
        self.choose.choice((*turns, self.tell))(self.choose.choice(("one", "two")))

    def begin(self, name: str) -> None:
        answer = self.both.begin(name)
        assert answer == (b"ok" if name in self.listed else b"unfinished" if name in self.going else b"unknown")
        if name in self.listed:
            self.listed.remove(name)
            self.going.add(name)

    def go_on(self, name: str) -> None:
        self.both.go_on(name)
        if name in self.going:
            inside = self.inside(name)
            self.without(name, inside[:2])
            if len(inside) <= 2:
                self.going.remove(name)

    def inside(self, name: str) -> list[int]:
        return [face for face in self.both.faces if name in self.wanted[face]]

    def without(self, name: str, faces: list[int]) -> None:
        for face in faces:
            self.wanted[face].remove(name)

    def add(self, name: str) -> None:
        """By a call of this release, which finishes what is unfinished."""
        if name in self.listed:
            with pytest.raises(Conflict):
                self.both.book.add_gallery(OWNER, name)
            return
        self.both.book.add_gallery(OWNER, name)
        self.without(name, self.inside(name))
        self.going.discard(name)
        self.listed.add(name)

    def old_add(self, name: str) -> None:
        if name in self.listed | self.going:
            with pytest.raises(Conflict):
                self.both.old.add_gallery(OWNER, name)
            return
        self.both.old.add_gallery(OWNER, name)
        self.listed.add(name)

    def old_remove(self, name: str) -> None:
        if name not in self.listed | self.going:
            with pytest.raises(NotFound):
                self.both.old.remove_gallery(OWNER, name)
            return
        self.both.old.remove_gallery(OWNER, name)
        self.without(name, self.inside(name))
        self.listed.discard(name)
        self.going.discard(name)

    def change(self, name: str) -> None:
        """A face that this release changes leaves the galleries that are being removed at once."""
        self._change(name, self.both.change, self.listed)

    def old_change(self, name: str) -> None:
        self._change(name, self.both.old_change, self.listed | self.going)

    def _change(self, name: str, change: Callable[[int, str, str], None], there: set[str]) -> None:
        face, how = self.choose.choice(self.both.faces), self.choose.choice(("add", "del", "set"))
        if name not in there and how != "del":
            with pytest.raises(BadParam):
                change(face, how, name)
            return
        change(face, how, name)
        had = self.wanted[face]
        self.wanted[face] = {"add": had | {name}, "del": had - {name}, "set": {name}}[how] & there

    def tell(self, _name: str) -> None:
        face = self.choose.choice(self.both.faces)
        self.metas[face] = self.choose.choice(("", "Ann", "Bob"))
        book = self.choose.choice((self.both.book, self.both.old))
        book.change(OWNER, face, Change(meta=self.metas[face]))

    def check(self) -> None:
        assert [set(each.decode().split(",")) - {""} for each in self.both.fields()] == list(self.wanted.values())
        for name in self.listed:
            assert list(self.both.members(name)) == self.inside(name)
            assert self.both.counts(name) == Counter(self.metas[face] for face in self.inside(name))
        self.both.check()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_both_releases_do_between_the_steps(both: Both, seed: int) -> None:
    expected = Expected(both, seed)
    for _ in range(80):
        expected.turn()
        expected.check()
    for name in ("one", "two"):
        both.book.add_gallery(OWNER, name) if name not in expected.listed else None
    both.check_all()
