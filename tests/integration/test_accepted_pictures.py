"""An accepted picture is neither lost nor falsely said to be, in every order of jobs, requests, erasures and broken clocks.

The store is a real Redis, the parts of the worker are its own; the broker, the engine and time are the test's.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisAudit,
    RedisChanges,
    RedisCommits,
    RedisDatabases,
    RedisJournal,
    RedisRepairs,
    RedisWebhooks,
)
from facerec.adapters.redis.layout import OWN
from facerec.errors import FacerecError, TooLarge
from facerec.faces import Analysis
from facerec.identity import DEFAULT_OWNER, FACES_PER_IMAGE, image_hash
from facerec.jobs import ScanJob
from facerec.ports import Change, Delivery, Lost, Start
from facerec.rule import ScanRule, to_scanned
from facerec.selection import joined
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from facerec.topology import SCAN_QUEUE
from facerec.wire import Task
from tests.client import wait_until
from tests.faces import analysis, scan_job, unique_bytes
from worker.child import analyse
from worker.committer import Committer
from worker.flights import Flight, Flights
from worker.intake import Intake
from worker.patience import Patience

CLAIM = 600.0
Done = Callable[[Analysis | FacerecError], None]


class World:
    """A store with a front end and what a worker does; ``now`` is what the clock of the claims shows."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.databases = databases
        self.now = time.time()
        self.admissions = RedisAdmissions(databases)
        self.commits = RedisCommits(databases, clock=lambda: self.now, claim=CLAIM)
        self.rule = ScanRule(self.commits, RedisJournal(databases), 0.6)
        self.rule.load()

    def upload(self, body: bytes, name: str = "a.jpg") -> ScanJob:
        return scan_job(self.admissions, name, body)

    def post(self, body: bytes, name: str = "posted.jpg") -> ScanJob:
        """A photo for which a person waits: nothing is announced."""
        key = image_hash(body)
        ticket = self.admissions.admit(DEFAULT_OWNER, key, name).ticket
        return ScanJob(DEFAULT_OWNER, key, name, ticket, self.now, body)

    def begin(self, job: ScanJob, *, person_waits: bool = False) -> Start:
        return self.commits.begin([job], person_waits=person_waits)[0]

    def finish(self, job: ScanJob, *places: float) -> bool:
        """Whether it was written."""
        ticket = self.begin(job).image_ticket
        self.rule.catch_up()
        return bool(self.rule.finish([to_scanned(job, ticket, analysis(*places))]).written)

    def document(self, job: ScanJob) -> dict[str, Any]:
        found = self.admissions.image(job.owner, job.hash)
        assert found is not None
        return found

    def state(self, job: ScanJob) -> str:
        return str(self.document(job)["state"])

    def lost(self) -> Lost:
        return self.commits.lost(CLAIM, self.commits.lost(CLAIM).suspects)


@pytest.fixture
def world(databases: RedisDatabases) -> World:
    return World(databases)


# -- erased and sent again while the first job runs ---------------------------------------------------------------------------


class Worker:
    """Intake, flights and committer; the engine answers when the test says so."""

    def __init__(self, world: World) -> None:
        self.acknowledged: set[int] = set()
        self.engine: dict[int, Done] = {}
        self._taken = 0
        flights, patience = Flights(), Patience()
        consumer = Mock(ack=lambda deliveries: self.acknowledged.update(each.token for each in deliveries))
        self.committer = Committer(
            rule=world.rule,
            consumer=consumer,
            flights=flights,
            patience=patience,
            batch=32,
            again=self._again,
            failed=Mock(side_effect=AssertionError),
            crashed=Mock(),
        )
        self.intake = Intake(
            consumer=consumer,
            commits=RedisCommits(world.databases),
            pool=Mock(submit=self._submit),
            flights=flights,
            patience=patience,
            undertaker=Mock(),
            interactive=Mock(),
            keeper=Mock(keeps=False, finished=self.committer.finished, erased=lambda _flight, done: done()),
            regenerate=Mock(),
            model=lambda: None,
            received=Mock(),
            crashed=Mock(),
        )
        self.committer.start()
        self.intake.start()

    def take(self, job: ScanJob) -> None:
        """Deliver a job and wait until it is begun or found to be in no need of work."""
        self._taken = job.ticket
        self.intake.take(Delivery(SCAN_QUEUE, job.headers, job.body, redelivered=False, token=job.ticket))
        wait_until(lambda: job.ticket in self.engine or job.ticket in self.acknowledged, "the job is begun or ended")

    def answer(self, *jobs: ScanJob) -> None:
        """The engine is done with these; those in work meet in one batch, and each is acknowledged."""
        gate = threading.Event()
        self.committer.ask(lambda _index: gate.wait() and None)
        for job in jobs:
            if answer := self.engine.pop(job.ticket, None):
                answer(analysis(0.0))
        gate.set()
        wait_until(lambda: {job.ticket for job in jobs} <= self.acknowledged, "all are acknowledged")

    def close(self) -> None:
        self.intake.close()
        self.committer.close()

    def _again(self, flights: Sequence[Flight]) -> None:
        self.intake.begin(flights)

    def _submit(self, _task: Task, done: Done, **_: object) -> None:
        self.engine[self._taken] = done


def orders() -> Iterator[tuple[str, ...]]:
    """Of a job, the erasure of its image and the next upload of it, every order that can be."""
    steps = ("take first", "answer first", "erase", "upload", "take second", "answer second")
    for order in itertools.permutations(steps):
        at = {step: order.index(step) for step in steps}
        first = at["take first"] < at["answer first"]
        second = at["erase"] < at["upload"] < at["take second"] < at["answer second"]
        if first and second:
            yield order


@pytest.fixture
def worker(world: World) -> Iterator[Worker]:
    made = Worker(world)
    yield made
    made.close()


@pytest.mark.parametrize("order", list(orders()), ids=" - ".join)
def test_an_image_erased_and_sent_again_is_done_and_both_jobs_end(
    world: World, worker: Worker, order: tuple[str, ...]
) -> None:
    jobs = {"first": world.upload(unique_bytes())}
    waiting: list[ScanJob] = []
    for step, following in itertools.pairwise([*order, "end"]):
        what, _, which = step.partition(" ")
        if what == "erase":
            world.admissions.erase(DEFAULT_OWNER, jobs["first"].hash)
        elif what == "upload":
            jobs["second"] = world.upload(jobs["first"].body)
        elif what == "take":
            worker.take(jobs[which])
        elif what == "answer":
            waiting.append(jobs[which])
            if not following.startswith("answer"):
                worker.answer(*waiting)
                waiting.clear()
    document = world.document(jobs["second"])
    assert (document["state"], len(document["faces"])) == ("done", 1)
    assert world.databases.client(OWN).zcard("state:processing") == 0


# -- a job and a person's request for one image -------------------------------------------------------------------------------


def test_no_job_relies_on_the_request_of_a_person(world: World) -> None:
    body = unique_bytes()
    posted = world.post(body)
    assert world.begin(posted, person_waits=True).verdict == "go"
    job = world.upload(body)
    assert world.begin(job).verdict == "go"
    world.commits.fail(posted, "CHILD_DIED", "it died", person_waits=True)
    assert world.state(job) == "processing"
    assert world.finish(job, 0.0)
    assert world.document(job)["names"] == ["a.jpg", "posted.jpg"]


def test_a_request_that_fails_leaves_its_image_to_the_job_that_waits(world: World) -> None:
    body = unique_bytes()
    posted = world.post(body)
    world.begin(posted, person_waits=True)
    job = world.upload(body)
    world.commits.fail(posted, "CHILD_DIED", "it died", person_waits=True)
    assert world.state(job) == "queued"
    assert world.finish(job, 0.0)


@pytest.mark.parametrize("state", ["queued", "processing", "failed"])
def test_a_request_for_an_image_that_is_sent_already_changes_nothing_until_it_is_written(
    world: World, state: str
) -> None:
    body = unique_bytes()
    job = world.upload(body)
    if state != "queued":
        world.begin(job)
    if state == "failed":
        world.commits.fail(job, "UNREADABLE_IMAGE", "no picture")
    posted = world.post(body)
    verdict = world.begin(posted, person_waits=True).verdict
    assert verdict == ("claimed" if state == "processing" else "go")
    assert world.state(job) == state
    world.commits.fail(posted, "CHILD_DIED", "it died", person_waits=True)
    assert world.state(job) == state


def test_a_request_that_is_written_first_ends_the_job_as_done(world: World) -> None:
    body = unique_bytes()
    job, posted = world.upload(body), world.post(body)
    start = world.begin(posted, person_waits=True)
    assert world.rule.finish([to_scanned(posted, start.image_ticket, analysis(0.0))]).written
    assert world.begin(job).verdict == "done"


def test_a_photo_that_only_a_person_sent_fails_with_its_reason(world: World) -> None:
    posted = world.post(unique_bytes())
    world.begin(posted, person_waits=True)
    assert world.begin(posted, person_waits=True).verdict == "go", "its own redelivery"
    world.commits.fail(posted, "UNREADABLE_IMAGE", "no picture", person_waits=True)
    assert (world.state(posted), world.document(posted)["reason"]) == ("failed", "UNREADABLE_IMAGE")


def test_a_request_waits_for_no_job_that_the_broker_refused(world: World) -> None:
    body = unique_bytes()
    posted = world.post(body)
    world.begin(posted, person_waits=True)
    refused = world.upload(body)
    world.admissions.withdraw(refused)
    world.commits.fail(posted, "CHILD_DIED", "it died", person_waits=True)
    assert world.state(posted) == "failed"


def test_a_request_waits_for_no_job_that_was_given_up(world: World) -> None:
    body = unique_bytes()
    posted = world.post(body)
    world.begin(posted, person_waits=True)
    given_up = world.upload(body)
    world.commits.fail(given_up, "DELIVERY_LIMIT", "delivered too often")
    world.commits.fail(posted, "CHILD_DIED", "it died", person_waits=True)
    assert world.state(posted) == "failed"


# -- lost jobs ----------------------------------------------------------------------------------------------------------------


def test_clocks_of_workers_that_are_apart_lose_no_job(world: World, databases: RedisDatabases) -> None:
    """Without a clock of its own a worker goes by that of the store; here the one that begins is an hour behind."""
    job = replace(world.upload(unique_bytes()), queued_at=world.now - 3600)
    world.admissions.queued(job)
    fresh = RedisCommits(databases, claim=CLAIM)
    assert fresh.begin([job])[0].verdict == "go"
    fresh.renew([job])
    assert fresh.lost(CLAIM) == Lost()
    fresh.retrying(job, 30.0, "CHILD_DIED", "it died")
    assert fresh.lost(CLAIM) == Lost()


def test_a_picture_called_lost_that_is_done_after_all_is_told_to_clients_and_webhooks(
    world: World, databases: RedisDatabases
) -> None:
    webhooks = RedisWebhooks(databases)
    webhooks.set(DEFAULT_OWNER, "https://example.org/hook", "secret")
    job = world.upload(unique_bytes())
    world.now += 2 * CLAIM
    subscription = RedisChanges(databases).subscribe()
    assert world.lost().lost == {(DEFAULT_OWNER, job.hash)}
    assert [notice.state for notice in webhooks.due(10, 60)] == ["failed"]
    assert world.finish(job, 0.0)
    told = [subscription.next(10) for _ in range(3)]
    assert told == [Change(DEFAULT_OWNER, job.hash, state) for state in ("failed", "processing", "done")]
    assert [notice.state for notice in webhooks.due(10, 60)] == ["done"]
    subscription.close()


# -- a store that was emptied, or restored from an older backup, while jobs wait ------------------------------------------------


def emptied(world: World) -> None:
    for database in range(7):
        world.databases.client(database).flushdb()
    world.rule.load()


def test_the_counter_is_never_below_what_a_job_carries(world: World) -> None:
    waiting = [world.upload(unique_bytes(), f"{n}.jpg") for n in range(5)]
    emptied(world)
    assert world.finish(waiting[-1], 0.0)
    assert world.upload(unique_bytes()).ticket > waiting[-1].ticket


def test_the_ticket_of_a_foreign_message_does_not_end_the_counter(world: World) -> None:
    foreign = replace(world.upload(unique_bytes()), ticket=(1 << 51) - 1)
    world.begin(foreign)
    assert world.upload(unique_bytes()).ticket < 1 << 40


@pytest.mark.parametrize("old_first", [True, False])
def test_images_of_jobs_that_waited_and_of_new_ones_share_no_face_ids(world: World, old_first: bool) -> None:
    waiting = [world.upload(unique_bytes(), f"{n}.jpg") for n in range(5)]
    emptied(world)
    fresh = [] if old_first else [world.upload(unique_bytes(), f"new {n}.jpg") for n in range(5)]
    for n, job in enumerate(waiting):
        assert world.finish(job, 10.0 * n)
    fresh = fresh or [world.upload(unique_bytes(), f"new {n}.jpg") for n in range(5)]
    for n, job in enumerate(fresh):
        assert world.finish(job, 10.0 * n + 0.1)
    ids = [face["id"] for job in (*waiting, *fresh) for face in world.document(job)["faces"]]
    assert len(set(ids)) == len(ids) == 10
    for old, new in zip(waiting, fresh, strict=True):
        assert world.admissions.matching_names(DEFAULT_OWNER, old.hash) == [new.name]


def test_no_index_of_before_is_believed_however_far_the_journal_went_since(
    world: World, databases: RedisDatabases
) -> None:
    slow = ScanRule(world.commits, RedisJournal(databases), 0.6)
    for n in range(3):
        assert world.finish(world.upload(unique_bytes(), f"{n}.jpg"), 10.0 * n)
    slow.load()
    for database in range(7):
        databases.client(database).flushdb()
    # The other worker notices; it goes on to where the slow one stands, and beyond.
    jobs = [world.upload(unique_bytes(), f"new {n}.jpg") for n in range(5)]
    for n, job in enumerate(jobs):
        ticket = world.begin(job).image_ticket
        assert world.rule.finish([to_scanned(job, ticket, analysis(100.0 + 10.0 * n))]).written
    late = world.upload(unique_bytes(), "late.jpg")
    late_ticket = world.begin(late).image_ticket
    assert slow.finish([to_scanned(late, late_ticket, analysis(10.0))]).written
    assert world.admissions.matching_names(DEFAULT_OWNER, late.hash) == []
    assert len(slow.index) == 6
    assert (
        Fsck(
            RedisAudit(databases),
            RedisRepairs(databases),
            LinkCheck(RedisAudit(databases), RedisJournal(databases), 0.6),
        )
        .run()
        .clean
    )


def test_a_new_upload_of_the_same_picture_with_an_old_jobs_ticket_keeps_both_names(world: World) -> None:
    before = 2**40  # ahead of the time, so that the next ticket is the same twice
    world.databases.client(OWN).set("ticket", before)
    old = world.upload(unique_bytes(), "old.jpg")
    emptied(world)
    world.databases.client(OWN).set("ticket", before)
    new = world.upload(old.body, "new.jpg")
    assert new.ticket == old.ticket
    flights = Flights()
    deliveries = [Delivery(SCAN_QUEUE, job.headers, job.body, redelivered=False, token=0) for job in (old, new)]
    assert all(flights.board(job, each) for job, each in zip((old, new), deliveries, strict=True))
    for job in (new, old):
        world.begin(job)
    world.finish(new, 0.0)
    assert world.document(new)["names"] == ["new.jpg", "old.jpg"]


# -- more faces than an image can have ------------------------------------------------------------------------------------------


def test_a_picture_with_more_faces_than_ids_fails_with_its_reason() -> None:
    """Those that a child finds, and those that it finds in boxes that somebody gives besides."""
    crowd = analysis(*(FACES_PER_IMAGE + 1) * [0.0])
    engines = Mock(get=Mock(return_value=Mock(faces=Mock(return_value=crowd))))
    for found in (
        lambda: analyse(engines, Task(b"")),
        lambda: joined(analysis(*FACES_PER_IMAGE * [0.0]), analysis(1.0)),
    ):
        with pytest.raises(TooLarge, match=str(FACES_PER_IMAGE)):
            found()
