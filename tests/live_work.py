"""Work on a store as many callers do it at once: uploads, erasures, persons merged, split and named, galleries, contacts."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator

from facerec.adapters.redis import RedisCommits, RedisDatabases, RedisFaceBook, RedisJournal
from facerec.errors import BadParam, Conflict, NotFound
from facerec.galleries import Change
from facerec.identity import DEFAULT_OWNER
from facerec.jobs import ScanJob
from facerec.rule import ScanRule, to_scanned
from tests.contact_worlds import OwnWorker, Pages, face, face_url, open_books
from tests.faces import analysis, scan_job
from tests.people_stage import Stage

OWNERS = (DEFAULT_OWNER, "bob")
_GALLERIES = ("staff", "guests")
_MOST_IMAGES = 150
"""Of an owner; beyond it erasures outweigh."""


class LiveWork:
    """Each kind of work in a thread of its own, until it is left; what broke in one is raised then. ``done`` counts."""

    def __init__(self, databases: RedisDatabases, seed: int = 1) -> None:
        self._databases = databases
        self._seed = seed
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self._jobs: list[ScanJob] = []
        self.done: dict[str, int] = {}
        kinds = {
            "upload": self._upload,
            "group": self._group,
            "correct": self._correct,
            "enrol": self._enrol,
            "contact": self._contact,
        }
        self._threads = [threading.Thread(target=self._run, args=kind, name=kind[0]) for kind in kinds.items()]

    def __enter__(self) -> LiveWork:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        if self._errors:
            raise self._errors[0]

    def _run(self, name: str, work: Callable[[random.Random], Iterator[None]]) -> None:
        try:
            for _ in work(random.Random(f"{self._seed} {name}")):
                self.done[name] = self.done.get(name, 0) + 1
                if self._stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self._errors.append(error)

    def _upload(self, chance: random.Random) -> Iterator[None]:
        stage = Stage(self._databases)
        rule = ScanRule(RedisCommits(self._databases, links_kept=12), RedisJournal(self._databases), 0.6)
        rule.load()
        while True:
            if self._jobs and chance.random() < len(self._jobs) / _MOST_IMAGES / 2:
                job = self._jobs.pop(chance.randrange(len(self._jobs)))
                stage.admissions.erase(job.owner, job.hash)
            else:
                self._jobs.append(_scan(stage, rule, chance))
            if chance.random() < 0.2:
                job = chance.choice(self._jobs)
                stage.admissions.announce(job.owner, job.hash, f"again {chance.randrange(9)}.jpg", 1.0)
            yield

    def _group(self, _chance: random.Random) -> Iterator[None]:
        stage = Stage(self._databases)
        while True:
            if not stage.follower.step():
                self._stop.wait(0.005)
            yield

    def _correct(self, chance: random.Random) -> Iterator[None]:
        people = Stage(self._databases).people
        while True:
            owner = chance.choice(OWNERS)
            persons = [
                person["id"]
                for person in people.people(owner, named=None, hidden=False, name=None, limit=30, cursor="")[0]
            ]
            with contextlib.suppress(NotFound, BadParam, Conflict):
                self._correct_once(chance, owner, persons or [1])
            yield

    def _correct_once(self, chance: random.Random, owner: str, persons: list[int]) -> None:
        people = Stage(self._databases).people
        person = chance.choice(persons)
        faces = [face["id"] for face in people.faces(owner, person, 20, "")[0]]
        some = chance.sample(faces, chance.randint(1, len(faces))) if faces else []
        match chance.randrange(8):
            case 0 | 1:
                people.merge(owner, person, chance.choice(persons), "Both")
            case 2 | 3:
                people.split(owner, person, some)
            case 4:
                people.edit(owner, person, name=chance.choice(("Ann", "Bea", "")), hidden=chance.random() < 0.1)
            case 5:
                people.reject(owner, person, some[:3])
            case 6:
                people.move(owner, some[:2], chance.choice(persons))
            case _:
                people.undo(owner)

    def _enrol(self, chance: random.Random) -> Iterator[None]:
        book = RedisFaceBook(self._databases)
        while True:
            owner, gallery = chance.choice(OWNERS), chance.choice(_GALLERIES)
            with contextlib.suppress(NotFound, BadParam, Conflict):
                if chance.random() < 0.1:
                    book.remove_gallery(owner, gallery)
                    book.add_gallery(owner, gallery)
                elif self._jobs:
                    job = chance.choice(self._jobs)
                    for face in book.faces_of_image(job.owner, job.hash) or []:
                        book.change(job.owner, face.id, Change(galleries=(chance.choice(("add", "del")), (gallery,))))
            yield

    def _contact(self, chance: random.Random) -> Iterator[None]:
        books = open_books(self._databases, Pages(), worker=OwnWorker(self._databases))
        try:
            while True:
                book, user, contact = books.of(chance.choice(OWNERS)), chance.randrange(3), chance.randrange(6)
                match chance.randrange(4):
                    case 0:
                        book.delete_contact(user, contact)
                    case 1:
                        book.recognize_face(user, face_url(chance.choice("abc")))
                    case _:
                        number = chance.randrange(9)
                        url = face_url(chance.choice("abcdef"), tag=chance.randrange(12))
                        book.add_faces(user, contact, [face(user, contact, number, url)])
                yield
        finally:
            books.close()


def _scan(stage: Stage, rule: ScanRule, chance: random.Random) -> ScanJob:
    places = [chance.randrange(5) * 3 + chance.random() / 2 for _ in range(chance.randint(0, 3))]
    job = scan_job(stage.admissions, f"{chance.randrange(40)}.jpg", owner=chance.choice(OWNERS))
    start = stage.commits.begin([job])[0]
    if not rule.catch_up():
        rule.load()
    rule.finish([to_scanned(job, start.image_ticket, analysis(*places))])
    return job
