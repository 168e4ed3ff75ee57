"""The store and two workers against a plain dictionary, by Hypothesis: any order of uploads, work, crashes, erasures,
redeliveries, restarts, trimmed journals and moves to another store gives what the dictionary says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisArchive,
    RedisAudit,
    RedisCommits,
    RedisDatabases,
    RedisJournal,
    RedisRepairs,
    RedisRestoration,
)
from facerec.adapters.redis.layout import LINKS, NAME_TO_HASH, OWN, prefix
from facerec.identity import image_hash
from facerec.jobs import ScanJob
from facerec.rule import ScanRule, to_scanned
from facerec.services.export import Copied, export_lines, import_lines
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from facerec.services.matches import WorkerMatches
from tests.faces import analysis
from tests.known import IndexRequester

TOLERANCE = 0.6
KEPT = 2
OWNERS = ("default", "bob")
NAMES = ("a.jpg", "b.jpg", "c d/é.jpg", "http://example.org/e?f")
PLACES: tuple[tuple[float, ...], ...] = ((0.0,), (0.25,), (0.5, 8.0), (0.75,), (1.0,), (8.25, 1.25), (), (16.0,))
"""Where the faces lie of the pictures with the bytes 0, 1, 2 ..."""
UPLOADS = st.tuples(
    st.sampled_from(("default", "default", "default", "bob")),
    st.sampled_from(NAMES),
    st.integers(0, len(PLACES) - 1),
)
Image = tuple[str, int]
"""Owner and number of the bytes."""


@dataclass
class Known:
    """What the dictionary knows of an image."""

    state: str = ""
    claim: int = 0
    failed_ticket: int = 0
    names: dict[str, int] = field(default_factory=dict)


def hash_of(number: int) -> str:
    return image_hash(bytes([number]))


class Machine(RuleBasedStateMachine):
    """``databases`` is set by the test."""

    databases: RedisDatabases

    @initialize()
    def begin(self) -> None:
        self.databases.client(OWN).flushall()
        self.workers = [self.new_worker() for _ in range(2)]
        self.commits = RedisCommits(self.databases, links_kept=KEPT)
        matches = WorkerMatches(IndexRequester(self.new_worker(), TOLERANCE), 10.0)
        self.admissions = RedisAdmissions(self.databases, matches)
        self.images: dict[Image, Known] = {}
        self.erased: dict[Image, int] = {}
        self.queue: list[ScanJob] = []
        self.acknowledged: list[ScanJob] = []
        self.ticket = 0

    def new_worker(self) -> ScanRule:
        worker = ScanRule(RedisCommits(self.databases, links_kept=KEPT), RedisJournal(self.databases), TOLERANCE)
        worker.load()
        return worker

    # ------------------------------------------------------------ what can happen

    @rule(worker=st.integers(0, 1), uploads=st.lists(UPLOADS, min_size=1, max_size=4))
    def scan(self, worker: int, uploads: list[tuple[str, str, int]]) -> None:
        """Uploads, and a worker that does all of them that it may in one batch."""
        before = len(self.queue)
        for owner, name, number in uploads:
            self.upload(owner, name, number)
        self.do(worker, self.queue[before:], "done")

    @rule(upload=UPLOADS)
    def send(self, upload: tuple[str, str, int]) -> None:
        self.upload(*upload)

    def upload(self, owner: str, name: str, number: int) -> None:
        admission = self.admissions.admit(owner, hash_of(number), name)
        known = self.images.get((owner, number))
        assert admission.ticket > self.ticket
        self.ticket = admission.ticket
        assert admission.state == (known.state if known else "new")
        if known and known.state == "done":
            known.names[name] = self.ticket
            return
        job = ScanJob(owner, hash_of(number), name, admission.ticket, time.time(), bytes([number]))
        self.queue.append(job)
        self.admissions.queued(job)
        known = self.announced(job)
        if not known.state or (known.state == "failed" and known.failed_ticket < job.ticket):
            known.state = "queued"

    @precondition(lambda self: self.queue)
    @rule(
        data=st.data(),
        worker=st.integers(0, 1),
        many=st.integers(1, 4),
        end=st.sampled_from(("done", "done", "done", "crash before", "crash after", "given up")),
    )
    def work(self, data: st.DataObject, worker: int, many: int, end: str) -> None:
        places = data.draw(st.lists(st.integers(0, len(self.queue) - 1), min_size=1, max_size=many, unique=True))
        self.do(worker, [self.queue[place] for place in places], end)

    def do(self, worker: int, jobs: list[ScanJob], end: str) -> None:
        goes = []
        for job, start in zip(jobs, self.commits.begin(jobs), strict=True):
            assert start.verdict == self.expected_verdict(job)
            if start.verdict == "go":
                goes.append((job, start.image_ticket))
            else:
                self.acknowledge(job)
        if end == "given up":
            self.give_up([job for job, _ in goes])
        elif end != "crash before" and goes:
            self.finish(self.workers[worker], goes)
            if end == "done":
                for job, _ in goes:
                    self.acknowledge(job)

    @precondition(lambda self: self.acknowledged)
    @rule(data=st.data())
    def redeliver(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.acknowledged))
        if job not in self.queue:
            self.queue.append(job)

    @precondition(lambda self: self.images)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        owner, number = data.draw(st.sampled_from(sorted(self.images)))
        receipt = self.admissions.erase(owner, hash_of(number))
        known = self.images.pop((owner, number))
        assert receipt is not None
        assert receipt["names"] == sorted(known.names)
        self.erased[owner, number] = self.ticket

    @rule(length=st.integers(0, 3))
    def trim_the_journal(self, length: int) -> None:
        self.databases.client(OWN).xtrim("journal", maxlen=length, approximate=False)

    @rule(worker=st.integers(0, 1))
    def restart(self, worker: int) -> None:
        self.workers[worker] = self.new_worker()

    @rule()
    def move_to_another_store(self) -> None:
        copied = Copied()
        lines = [line.encode() for line in export_lines(RedisArchive(self.databases), copied)]
        self.databases.client(OWN).flushall()
        result = import_lines(lines, RedisRestoration(self.databases))
        assert (result.damaged, result.skipped, result.images) == ([], 0, len(self.images))

    # ------------------------------------------------------------ what follows from it

    def announced(self, job: ScanJob) -> Known:
        known = self.images.setdefault((job.owner, job.body[0]), Known())
        known.names[job.name] = max(job.ticket, known.names.get(job.name, 0))
        return known

    def expected_verdict(self, job: ScanJob) -> str:
        image = (job.owner, job.body[0])
        if self.erased.get(image, 0) >= job.ticket:
            return "erased"
        known = self.announced(job)
        if known.state == "done":
            return "done"
        if known.state == "failed" and known.failed_ticket == job.ticket:
            return "failed"
        if known.claim not in {0, job.ticket}:
            return "claimed"
        known.claim = job.ticket
        known.state = "processing"
        return "go"

    def finish(self, worker: ScanRule, goes: list[tuple[ScanJob, int]]) -> None:
        outcome = worker.finish([to_scanned(job, ticket, analysis(*PLACES[job.body[0]])) for job, ticket in goes])
        assert len(outcome.written) == len(goes)
        for job, _ in goes:
            known = self.images[job.owner, job.body[0]]
            known.state, known.claim, known.failed_ticket = "done", 0, 0

    def give_up(self, jobs: list[ScanJob]) -> None:
        for job in jobs:
            self.commits.fail(job, "UNREADABLE_IMAGE", "no picture")
            known = self.images[job.owner, job.body[0]]
            known.state, known.claim, known.failed_ticket = "failed", 0, job.ticket
            self.acknowledge(job)

    def acknowledge(self, job: ScanJob) -> None:
        self.queue.remove(job)
        if job not in self.acknowledged:
            self.acknowledged.append(job)

    # ------------------------------------------------------------ what must be

    @invariant()
    def everything_is_as_the_dictionary_says(self) -> None:
        for owner in OWNERS:
            found, _ = self.admissions.images(owner, None, None, 100, "")
            known = {hash_of(number): image for (of, number), image in self.images.items() if of == owner}
            assert {image["hash"]: (image["state"], image["names"]) for image in found} == {
                key: (image.state, sorted(image.names)) for key, image in known.items()
            }
            for name in NAMES:
                listed, _ = self.admissions.images(owner, None, name, 100, "")
                bearers = {key for key, image in known.items() if any(each.startswith(name) for each in image.names)}
                assert {image["hash"] for image in listed} == bearers
            for key, image in known.items():
                assert image.state == "done" or self.admissions.matching_names(owner, key) == []

    @invariant()
    def names_lead_to_the_newest_image(self) -> None:
        for owner in OWNERS:
            for name in NAMES:
                bearers = [
                    (image.names[name], hash_of(number))
                    for (of, number), image in self.images.items()
                    if of == owner and image.state == "done" and name in image.names
                ]
                found = self.databases.client(NAME_TO_HASH).get(prefix(owner) + name)
                assert (found.decode() if found else None) == max(bearers, default=(0, None))[1]

    @invariant()
    def matches_are_complete(self) -> None:
        for (owner, number), image in self.images.items():
            if image.state == "done":
                document = self.admissions.image(owner, hash_of(number))
                assert document is not None
                assert len(document["faces"]) == len(PLACES[number])
                expected = self.expected_matches(owner, number)
                assert {match["hash"]: match["distance"] for match in document["matches"]} == expected
                assert self.databases.client(LINKS).scard(prefix(owner) + hash_of(number)) <= KEPT

    def expected_matches(self, owner: str, number: int) -> dict[str, float]:
        found = {}
        for (of, other), image in self.images.items():
            distances = [abs(one - two) for one in PLACES[number] for two in PLACES[other]]
            if (of, image.state) == (owner, "done") and other != number and min(distances, default=9) <= TOLERANCE:
                found[hash_of(other)] = min(distances)
        return found

    def teardown(self) -> None:
        if not hasattr(self, "admissions"):
            return
        for owner, number in self.images:
            names = {
                name
                for (of, other), image in self.images.items()
                if of == owner and hash_of(other) in self.expected_matches(owner, number)
                for name in image.names
            }
            if self.images[owner, number].state == "done":
                found = self.admissions.matching_names(owner, hash_of(number))
                assert found == sorted(names)
        audit = RedisAudit(self.databases)
        links = LinkCheck(audit, RedisJournal(self.databases), TOLERANCE)
        report = Fsck(audit, RedisRepairs(self.databases), links).run()
        assert [(fault.invariant, fault.detail) for fault in report.found] == []


def test_the_store_is_what_a_dictionary_says(databases: RedisDatabases) -> None:
    def machine() -> Any:
        Machine.databases = databases
        return Machine()

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
