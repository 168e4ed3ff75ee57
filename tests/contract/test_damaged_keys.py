"""What a foreign hand damaged is named, and keeps nothing else waiting: each test has something sound beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisAside,
    RedisCommits,
    RedisDatabases,
    RedisErrands,
    RedisGrouping,
    RedisJournal,
    RedisRegeneration,
    RedisWebhooks,
)
from facerec.adapters.redis.layout import FACES, OWN, prefix
from facerec.errors import InternalError
from facerec.faces import Model
from facerec.index import FaceIndex
from facerec.jobs import RegenerateJob, ScanJob
from facerec.loading import load_index
from facerec.records import face_id_of
from facerec.regenerate import Share, Skip
from facerec.rule import ScanRule, to_scanned
from facerec.services.grouping_follower import Follower, search_in
from tests.faces import analysis, scan_job

ABSENT = "f" * 64
LATER = 10_000_000_000.0
Damage = Callable[[Any, ScanJob], None]


class Shop:
    """A store with a worker, and two images of one person."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.databases = databases
        self.admissions = RedisAdmissions(databases)
        self.commits = RedisCommits(databases)
        self.rule = ScanRule(self.commits, RedisJournal(databases), 0.6)
        self.rule.load()
        self.one, self.two = self.scan("one.jpg", 0.0), self.scan("two.jpg", 0.1)

    def scan(self, name: str, *places: float) -> ScanJob:
        job = scan_job(self.admissions, name)
        (start,) = self.commits.begin([job])
        if not self.rule.catch_up():
            self.rule.load()
        outcome = self.rule.finish([to_scanned(job, start.image_ticket, analysis(*places))])
        assert len(outcome.written) == 1
        return job

    def db(self, number: int = OWN) -> Any:
        return self.databases.client(number)


@pytest.fixture
def shop(databases: RedisDatabases) -> Shop:
    return Shop(databases)


def without_document(client: Any, job: ScanJob) -> None:
    client.delete(f"image:{job.hash}")


def without_ticket(client: Any, job: ScanJob) -> None:
    client.hdel(f"image:{job.hash}", "ticket")


def without_time(client: Any, job: ScanJob) -> None:
    client.hset(f"image:{job.hash}", "queued_at", "yesterday")


def of_another_type(client: Any, job: ScanJob) -> None:
    client.delete(f"image:{job.hash}")
    client.set(f"image:{job.hash}", "?")


@pytest.mark.parametrize("damage", [without_document, without_ticket, without_time, of_another_type])
def test_a_job_is_found_lost_beside_a_damaged_document(
    shop: Shop, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    damaged, lost = (scan_job(shop.admissions, f"{name}.jpg") for name in ("damaged", "lost"))
    damage(shop.db(), damaged)

    commits = RedisCommits(shop.databases, clock=lambda: LATER)
    suspects = commits.lost(600.0).suspects
    caplog.clear()

    assert suspects == {("default", lost.hash)}
    assert commits.lost(600.0, suspects).lost == suspects
    assert [(record.levelno, damaged.hash in record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, True)
    ]
    assert "facerec fsck" in caplog.text


def test_a_job_is_found_lost_beside_a_damaged_list_of_another_owner(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    lost = scan_job(shop.admissions, "lost.jpg")
    shop.db().sadd("owners", "bob")
    shop.db().set(f"{prefix('bob')}state:queued", "?")

    assert RedisCommits(shop.databases, clock=lambda: LATER).lost(600.0).suspects == {("default", lost.hash)}
    assert "bob" in caplog.text
    assert "facerec fsck" in caplog.text


def test_an_erasure_is_done_beside_a_damaged_one(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.admissions.erase("default", shop.one.hash)
    odd: dict[str | bytes, str] = {ABSENT: "?", "../x": "1", "A B\x1f" + ABSENT: "1", b"\xff": "1"}
    shop.db().hset("pictures:erased", mapping=odd)

    (erased,) = RedisErrands(shop.databases).erasures(100)

    assert (erased.owner, erased.hash) == ("default", shop.one.hash)
    assert ABSENT in caplog.text
    assert len(caplog.records) == len(odd)


@pytest.mark.parametrize("key", ["webhook", "webhook:calls"])
def test_others_are_told_beside_an_owner_whose_webhook_is_damaged(
    shop: Shop, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    webhooks = RedisWebhooks(shop.databases)
    for owner in ("alice", "bob"):
        webhooks.set(owner, "https://example.org/hook", "secret")
        job = scan_job(shop.admissions, "a.jpg", owner=owner)
        (start,) = shop.commits.begin([job])
        assert shop.rule.catch_up()
        shop.rule.finish([to_scanned(job, start.image_ticket, analysis(0.0))])
    shop.db().delete(prefix("alice") + key)
    shop.db().set(prefix("alice") + key, "?")

    assert [notice.owner for notice in webhooks.due(10, 60.0)] == ["bob"]

    assert "alice" in caplog.text
    shop.db().delete(prefix("alice") + key)
    if key == "webhook":
        webhooks.set("alice", "https://example.org/hook", "secret")
        shop.db().zadd("webhooks:waiting", {prefix("alice"): 0})
        assert [notice.owner for notice in webhooks.due(10, 60.0)] == ["alice"]


def damaged_record(client: Any, job: ScanJob) -> None:
    client.lset(job.hash, 0, b"")


def record_of_no_model(client: Any, job: ScanJob) -> None:
    record = client.lindex(job.hash, 0)
    client.lset(job.hash, 0, record[:1] + b"\x63" + record[2:])


def no_list(client: Any, job: ScanJob) -> None:
    client.delete(job.hash)
    client.set(job.hash, "?")


RECORDS = [damaged_record, record_of_no_model, no_list]


@pytest.mark.parametrize("damage", RECORDS)
def test_the_faces_of_other_images_are_loaded(shop: Shop, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    damage(shop.db(FACES), shop.one)

    index = load_index(RedisJournal(shop.databases))

    assert len(index) == 1
    assert "facerec fsck" in caplog.text


@pytest.mark.parametrize("damage", RECORDS)
def test_a_regeneration_says_which_image_is_damaged(shop: Shop, damage: Damage) -> None:
    steps = RedisRegeneration(shop.databases)
    _, run = steps.start(Model.CNN, Model.HOG, ("encodings",), Share(), Skip(), 0, LATER)
    steps.walk(run, "owe", 10)
    damage(shop.db(FACES), shop.one)
    aside = RedisAside(shop.databases)

    assert aside.begin(run, "default", shop.two.hash) is not None
    with pytest.raises(InternalError):
        aside.begin_many([RegenerateJob("default", each.hash, run) for each in (shop.one, shop.two)])


def test_a_damaged_document_is_no_job_of_a_regeneration(shop: Shop) -> None:
    steps = RedisRegeneration(shop.databases)
    _, run = steps.start(Model.CNN, Model.HOG, ("encodings",), Share(), Skip(), 0, LATER)
    steps.walk(run, "owe", 10)
    shop.db().hset(f"image:{shop.one.hash}", "model", "?")

    with pytest.raises(InternalError, match=shop.one.hash):
        RedisAside(shop.databases).begin(run, "default", shop.one.hash)


def add_to_journal(shop: Shop, **changed: Any) -> None:
    """An entry as a worker writes it, but for what is changed; None leaves it out."""
    position = shop.db().incr("journal:position")
    fields = {"op": "add", "owner": "default", "hash": ABSENT, "ticket": 77, "records": b""} | changed
    shop.db().xadd("journal", {name: it for name, it in fields.items() if it is not None}, id=f"{position}-0")


ENTRIES: list[dict[str, Any]] = [
    {"records": None},
    {"ticket": "?"},
    {"records": b"\x05\x00\x00\x00ab"},
    {"records": b"\x02\x00\x00\x00ab"},
    {"op": "switch", "ticket": 99 * 256},
]


@pytest.mark.parametrize("changed", ENTRIES)
def test_who_cannot_read_the_journal_loads_everything_anew(shop: Shop, changed: dict[str, Any]) -> None:
    add_to_journal(shop, **changed)

    assert not shop.rule.catch_up()
    shop.scan("three.jpg", 0.2)

    assert len(shop.rule.index) == 3
    assert len(load_index(RedisJournal(shop.databases))) == 3


@pytest.mark.parametrize("changed", ENTRIES)
def test_a_commit_goes_on_behind_what_it_cannot_read(shop: Shop, changed: dict[str, Any]) -> None:
    job = scan_job(shop.admissions, "three.jpg")
    (start,) = shop.commits.begin([job])
    add_to_journal(shop, **changed)

    outcome = shop.rule.finish([to_scanned(job, start.image_ticket, analysis(0.2))])

    assert [len(image.links) for image in outcome.written] == [2]


def follower(shop: Shop) -> Follower:
    def search(owner: str, model: Model, faces: Any, rows: Any, most: int | None) -> Any:
        index: FaceIndex = load_index(RedisJournal(shop.databases))
        return search_in(index, owner, model, faces, rows, most)

    return Follower("w", RedisGrouping(shop.databases), RedisJournal(shop.databases), search)


def follow_to_the_end(shop: Shop) -> None:
    follow = follower(shop)
    while follow.step():
        pass


def test_people_are_grouped_behind_a_damaged_entry(shop: Shop) -> None:
    add_to_journal(shop, ticket="?")
    third = shop.scan("three.jpg", 0.2)
    follow_to_the_end(shop)
    asked = shop.db().hkeys("faces:person")
    assert b"%d" % face_id_of(shop.db(FACES).lindex(third.hash, 0)) in asked
    assert len(asked) == 3


@pytest.mark.parametrize("damage", RECORDS)
def test_people_of_other_images_are_grouped(shop: Shop, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    damage(shop.db(FACES), shop.one)

    pictures = list(RedisGrouping(shop.databases).pictures())

    assert [picture.hash for picture in pictures] == [shop.two.hash]
    assert shop.one.hash in caplog.text


def test_a_sound_record_beside_a_damaged_one_is_grouped(shop: Shop) -> None:
    shop.db(FACES).rpush(shop.one.hash, b"?")
    first = shop.db(FACES).lindex(shop.one.hash, 0)

    found = {picture.hash: list(picture.records) for picture in RedisGrouping(shop.databases).pictures()}

    assert found[shop.one.hash] == [first]


def person_that_is_none(shop: Shop) -> None:
    shop.db().hset("faces:person", face_id_of(shop.db(FACES).lindex(shop.one.hash, 0)), "Ann")


def position_that_is_none(shop: Shop) -> None:
    shop.db().set("grouping:position", "?")


def not_a_person_that_is_none(shop: Shop) -> None:
    face = face_id_of(shop.db(FACES).lindex(shop.one.hash, 0))
    shop.db().sadd(f"face:{face}:not", "Ann")


@pytest.mark.parametrize("damage", [person_that_is_none, position_that_is_none, not_a_person_that_is_none])
def test_grouping_fails_as_a_broken_promise_and_ends_no_worker(shop: Shop, damage: Callable[[Shop], None]) -> None:
    """The grouper goes on with everything else when it is told so."""
    damage(shop)
    with pytest.raises(InternalError, match="facerec fsck"):
        follow_to_the_end(shop)
