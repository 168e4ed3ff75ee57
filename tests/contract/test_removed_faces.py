"""A face that was removed comes back to its image under its id, with exactly the links that it should have."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisAudit, RedisCommits, RedisDatabases, RedisJournal, RedisRepairs
from facerec.adapters.redis.findface import RedisFaceBook
from facerec.adapters.redis.layout import FACES, LINKS, OWN
from facerec.enrolment import Enrolment, Wish
from facerec.errors import InternalError
from facerec.faces import Box
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.jobs import ScanJob
from facerec.loading import load_index
from facerec.removed import Removed, removed_of, restored
from facerec.rule import Outcome, ScanRule, to_scanned
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from facerec.services.matches import WorkerMatches
from tests.faces import analysis, face, scan_job
from tests.known import IndexRequester

OWNER = DEFAULT_OWNER
TOLERANCE = 0.6
KEPT = 3


class House:
    """A store that keeps few links, two workers, and a plain memory of where the faces of each image are."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.databases = databases
        self.book = RedisFaceBook(databases)
        self.rules = [
            ScanRule(RedisCommits(databases, links_kept=KEPT), RedisJournal(databases), TOLERANCE) for _ in range(2)
        ]
        for rule in self.rules:
            rule.load()
        asked = self.rules[1]
        self.admissions = RedisAdmissions(databases, WorkerMatches(IndexRequester(asked, TOLERANCE), 10.0))
        self.faces: dict[str, dict[int, float]] = {}
        self.jobs: dict[str, tuple[ScanJob, int]] = {}

    def scan(self, name: str, *places: float, wish: Wish | None = None, worker: int = 0) -> list[int]:
        job = scan_job(self.admissions, name)
        ticket = RedisCommits(self.databases).begin([job])[0].image_ticket
        faces = [face_id(ticket, number) for number in range(len(places))]
        enrolment = Enrolment(wish, (faces[0],)) if wish else None
        assert self.rules[worker].finish([to_scanned(job, ticket, analysis(*places), enrolment)]).written
        self.faces[name] = dict(zip(faces, places, strict=True))
        self.jobs[name] = job, ticket
        return faces

    def drop(self, name: str, face: int) -> float:
        assert self.book.drop(OWNER, face, TOLERANCE)
        return self.faces[name].pop(face)

    def bring_back(self, name: str, face: int, at: float, wish: Wish | None = None, worker: int = 0) -> Outcome:
        job, ticket = self.jobs[name]
        job = replace(job, ticket=self.admissions.admit(OWNER, job.hash, name).ticket)
        enrolment = Enrolment(wish or Wish(), (face,))
        outcome = self.rules[worker].finish([to_scanned(job, ticket, analysis(at), enrolment, restores=(face,))])
        if outcome.written:
            self.faces[name][face] = at
        return outcome

    def expected(self, name: str) -> list[str]:
        mine = self.faces[name].values()
        return sorted(
            other
            for other, theirs in self.faces.items()
            if other != name and any(abs(one - two) <= TOLERANCE for one in mine for two in theirs.values())
        )

    def assert_sound(self) -> None:
        for name, (job, _) in self.jobs.items():
            document = self.admissions.image(OWNER, job.hash)
            assert document
            assert [each["id"] for each in document["faces"]] == sorted(self.faces[name])
            assert self.admissions.matching_names(OWNER, job.hash) == self.expected(name)
            assert self.databases.client(LINKS).scard(job.hash) <= KEPT
        journal = RedisJournal(self.databases)
        loaded = load_index(journal)
        for rule in self.rules:
            assert rule.catch_up()
            assert rule.index.digest() == loaded.digest()
        audit = RedisAudit(self.databases)
        links = LinkCheck(audit, journal, TOLERANCE)
        assert [fault.detail for fault in Fsck(audit, RedisRepairs(self.databases), links).run().found] == []


@pytest.fixture
def house(databases: RedisDatabases) -> House:
    return House(databases)


def removed(house: House, name: str) -> list[Removed]:
    return removed_of(house.book.removed_faces(OWNER, house.jobs[name][0].hash), [])


def test_the_document_tells_where_a_removed_face_was_and_nothing_of_who_it_is(house: House) -> None:
    faces = house.scan("a.jpg", 0.0, 5.0)
    house.drop("a.jpg", faces[1])
    assert removed(house, "a.jpg") == [Removed(faces[1], face(0).box)]
    house.drop("a.jpg", faces[0])
    assert [each.id for each in removed(house, "a.jpg")] == [faces[1], faces[0]]
    house.bring_back("a.jpg", faces[1], 5.0)
    assert [each.id for each in removed(house, "a.jpg")] == [faces[0]]
    house.bring_back("a.jpg", faces[0], 0.0)
    assert house.databases.client(OWN).hget(f"image:{house.jobs['a.jpg'][0].hash}", "removed") is None
    house.assert_sound()


def test_a_face_that_comes_back_is_linked_by_the_rule(house: House) -> None:
    faces = house.scan("group.jpg", 0.0, 5.0)
    house.scan("near.jpg", 0.3)
    house.drop("group.jpg", faces[0])
    house.assert_sound()
    # Written by another worker, and not known to the one that brings the face back.
    house.scan("news.jpg", 0.2, worker=1)
    assert house.bring_back("group.jpg", faces[0], 0.0).written
    assert house.expected("group.jpg") == ["near.jpg", "news.jpg"]
    house.assert_sound()
    house.scan("later.jpg", -0.4, worker=1)
    house.assert_sound()


def test_a_face_comes_back_once(house: House) -> None:
    faces = house.scan("a.jpg", 0.0)
    house.drop("a.jpg", faces[0])
    assert house.bring_back("a.jpg", faces[0], 0.0).written
    for worker in range(2):
        assert house.bring_back("a.jpg", faces[0], 0.0, worker=worker).obsolete
    house.assert_sound()


def test_no_face_comes_back_to_an_image_that_was_erased(house: House) -> None:
    faces = house.scan("a.jpg", 0.0)
    house.drop("a.jpg", faces[0])
    job, ticket = house.jobs["a.jpg"]
    late = replace(job, ticket=house.admissions.admit(OWNER, job.hash, "a.jpg").ticket)
    house.admissions.erase(OWNER, job.hash)
    house.scan("other.jpg", 9.0)
    again = ScanJob(
        OWNER, job.hash, "a.jpg", house.admissions.announce(OWNER, job.hash, "a.jpg", 1.0).ticket, 1.0, job.body
    )
    for _ in range(2):
        for ticket_of_job in (late, again):
            scanned = to_scanned(ticket_of_job, ticket, analysis(0.0), restores=(faces[0],))
            assert house.rules[0].finish([scanned]).obsolete
        # The second time it was scanned anew.
        started = RedisCommits(house.databases).begin([again])[0]
        if started.verdict == "go":
            assert house.rules[0].finish([to_scanned(again, started.image_ticket, analysis(0.0))]).written
    assert house.databases.client(FACES).llen(job.hash) == 1


def test_what_is_said_of_it_is_said_and_a_scanned_image_is_none_that_was_posted(house: House) -> None:
    house.book.add_gallery(OWNER, "staff")
    faces = house.scan("a.jpg", 0.0, 5.0)
    house.drop("a.jpg", faces[0])
    house.bring_back("a.jpg", faces[0], 0.0, Wish(meta="Ann", galleries=("staff",)))
    (stored,) = house.book.faces(OWNER, [faces[0]])
    assert stored
    assert (stored.meta, stored.galleries) == ("Ann", ("default", "staff"))
    assert not house.databases.client(OWN).hexists(f"image:{house.jobs['a.jpg'][0].hash}", "posted")
    house.assert_sound()


@pytest.mark.parametrize("seed", range(6))
def test_in_every_order_and_within_a_crowd(house: House, seed: int) -> None:
    """Links are kept for KEPT matches alone; here there are many more."""
    chance = random.Random(seed)
    gone: list[tuple[str, int, float]] = []
    for number in range(25):
        name, places = f"{number}.jpg", [chance.choice((0.0, 0.3, 0.5, 5.0, 5.4)) for _ in range(chance.randint(1, 3))]
        house.scan(name, *places, worker=chance.randrange(2))
        for _ in range(chance.randint(0, 2) if number else 0):
            name = chance.choice([each for each, faces in house.faces.items() if faces])
            lost = chance.choice(list(house.faces[name]))
            gone.append((name, lost, house.drop(name, lost)))
        if gone and chance.random() < 0.8:
            assert house.bring_back(*gone.pop(chance.randrange(len(gone))), worker=chance.randrange(2)).written
        if number % 6 == 5:
            house.assert_sound()
    while gone:
        assert house.bring_back(*gone.pop()).written
    house.assert_sound()


def test_several_come_back_at_once(house: House) -> None:
    names = [f"{number}.jpg" for number in range(4)]
    lost = {name: house.scan(name, 0.0, 5.0)[0] for name in names}
    for name, each in lost.items():
        house.drop(name, each)
    batch = []
    for name, each in lost.items():
        job, ticket = house.jobs[name]
        job = replace(job, ticket=house.admissions.admit(OWNER, job.hash, name).ticket)
        batch.append(to_scanned(job, ticket, analysis(0.1), restores=(each,)))
    assert len(house.rules[0].finish(batch).written) == len(names)
    for name, each in lost.items():
        house.faces[name][each] = 0.1
    house.assert_sound()


def test_faces_that_were_found_anew_do_not_come_back_twice() -> None:
    box, other = Box(0, 10, 10, 0), Box(100, 110, 110, 100)
    assert removed_of("5:0:10:10:0,6:100:110:110:100", [(9, Box(0, 11, 10, 0)), (6, Box(0, 1, 1, 0))]) == []
    assert removed_of("5:0:10:10:0,6:100:110:110:100", []) == [Removed(5, box), Removed(6, other)]
    with pytest.raises(InternalError):
        removed_of("5:0:10", [])


@pytest.mark.parametrize(
    "document", [[[1, 2, 3]], [[4096, 0, 1, 1, 0], [8192, 0, 1, 1, 0]], 2 * [[4096, 0, 1, 1, 0]], 5]
)
def test_a_request_asks_for_different_faces_of_one_image(document: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        restored(document)
    assert restored([Removed(4096, Box(0, 1, 1, 0)).document]) == (Removed(4096, Box(0, 1, 1, 0)),)
