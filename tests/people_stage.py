"""A small stage for tests of people: scans with faces at chosen places, a follower that groups them, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisJournal
from facerec.adapters.redis.layout import OWN, prefix
from facerec.adapters.redis.people import RedisPeople
from facerec.adapters.redis.people_grouping import RedisGrouping
from facerec.encodings import Encodings
from facerec.faces import Analysis, Model
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.rule import ScanRule, to_scanned
from facerec.services.grouping import Neighbour
from facerec.services.grouping_follower import Follower, search_in
from tests.faces import analysis, scan_job

BEFORE = 2**40
"""The newest ticket before a test that must know its ids: they follow it, as long as it is ahead of the time."""
FIRST, SECOND, THIRD = (face_id(BEFORE + number, 0) for number in (1, 2, 3))


@dataclass(frozen=True)
class Scene:
    """A scanned picture: its hash and the ids of its faces."""

    hash: str
    faces: list[int]


class Stage:
    """Over one empty Redis, whose newest ticket is ``before``. ``people`` are the operations, `scan` and `group` make faces."""

    def __init__(self, databases: RedisDatabases, worker: str = "worker-1", *, before: int | None = None) -> None:
        self.databases = databases
        if before is not None:
            databases.client(OWN).set("ticket", before)
        self.admissions = RedisAdmissions(databases)
        self.commits = RedisCommits(databases)
        self.people = RedisPeople(databases)
        self.rule = ScanRule(self.commits, RedisJournal(databases), 0.6)
        self.rule.load()
        self.follower = Follower(worker, RedisGrouping(databases), RedisJournal(databases), self.search)

    def search(self, owner: str, model: Model, faces: Any, rows: Encodings, most: int | None) -> list[list[Neighbour]]:
        self.rule.catch_up()
        return search_in(self.rule.index, owner, model, faces, rows, most)

    def scan(self, *places: float, owner: str = DEFAULT_OWNER, faces: Analysis | None = None) -> Scene:
        """Scan a new picture to the end; its faces lie at the places given."""
        job = scan_job(self.admissions, "picture.jpg", owner=owner)
        start = self.commits.begin([job])[0]
        found = faces or analysis(*places)
        self.rule.catch_up()
        self.rule.finish([to_scanned(job, start.image_ticket, found)])
        return Scene(job.hash, [face_id(start.image_ticket, n) for n in range(len(found.faces))])

    def group(self) -> None:
        """Group until nothing is left to do."""
        while self.follower.step():
            pass

    def erase(self, scene: Scene, owner: str = DEFAULT_OWNER) -> None:
        self.admissions.erase(owner, scene.hash)

    def placed(self, owner: str = DEFAULT_OWNER) -> dict[int, int | None]:
        """Every face that was asked, and its person."""
        found = self.databases.client(OWN).hgetall(f"{prefix(owner)}faces:person")
        return {int(face): int(person) if person else None for face, person in found.items()}

    def groups(self, owner: str = DEFAULT_OWNER) -> list[list[int]]:
        """The faces of each person, in order."""
        persons: dict[int, list[int]] = {}
        for face, person in sorted(self.placed(owner).items()):
            if person is not None:
                persons.setdefault(person, []).append(face)
        return sorted(persons.values())

    def person_of(self, scene: Scene, number: int = 0, owner: str = DEFAULT_OWNER) -> int:
        """The person of a face; it must have one."""
        person = self.placed(owner)[scene.faces[number]]
        assert person is not None
        return person
