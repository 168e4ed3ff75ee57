"""Images are found by the beginning of a name, in whatever state they are, and whoever else bears the name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisJournal
from facerec.adapters.redis.connection import RedisDatabases as Databases
from facerec.adapters.redis.layout import OWN, prefix
from facerec.identity import DEFAULT_OWNER
from facerec.jobs import ScanJob
from facerec.rule import ScanRule, to_scanned
from tests.faces import analysis, scan_job

OWNER = DEFAULT_OWNER


class Shop:
    def __init__(self, databases: RedisDatabases) -> None:
        self.databases = databases
        self.admissions = RedisAdmissions(databases)
        self.commits = RedisCommits(databases)

    def queued(self, name: str, owner: str = OWNER) -> ScanJob:
        return scan_job(self.admissions, name, owner=owner)

    def processing(self, name: str) -> ScanJob:
        job = self.queued(name)
        assert self.commits.begin([job])[0].verdict == "go"
        return job

    def failed(self, name: str) -> ScanJob:
        job = self.processing(name)
        self.commits.fail(job, "UNREADABLE_IMAGE", "broken")
        return job

    def done(self, name: str, job: ScanJob | None = None) -> ScanJob:
        job = job or self.queued(name)
        ticket = self.commits.begin([job])[0].image_ticket
        rule = ScanRule(self.commits, RedisJournal(self.databases), 0.6)
        rule.load()
        assert rule.finish([to_scanned(job, ticket, analysis())]).written
        return job

    def pages(self, name: str, state: str | None = None, limit: int = 50) -> Iterator[list[str]]:
        cursor = ""
        while True:
            images, cursor = self.admissions.images(OWNER, state, name, limit, cursor)
            yield [image["hash"] for image in images]
            if not cursor:
                return

    def found(self, name: str, state: str | None = None, limit: int = 50) -> list[str]:
        return [image for page in self.pages(name, state, limit) for image in page]

    def open_names(self, owner: str = OWNER) -> int:
        return int(self.databases.client(OWN).zcard(f"{prefix(owner)}unfinished:names"))


@pytest.fixture
def shop(databases: RedisDatabases) -> Shop:
    return Shop(databases)


def test_in_every_state(shop: Shop) -> None:
    makers: dict[str, Callable[[str], ScanJob]] = {
        "queued": shop.queued,
        "processing": shop.processing,
        "failed": shop.failed,
        "done": shop.done,
    }
    jobs = {state: make(f"trip/{state}.jpg") for state, make in makers.items()}
    shop.queued("other.jpg")
    shop.queued("trip/theirs.jpg", owner="bob")
    by_name = [jobs[state].hash for state in sorted(jobs)]
    assert shop.found("trip/") == by_name
    assert [page[0] for page in shop.pages("trip/", limit=1)] == by_name
    for state, job in jobs.items():
        assert shop.found("trip/", state) == [job.hash]
        assert shop.found(f"trip/{state}") == [job.hash]
    assert shop.found("nowhere") == []


def test_all_that_bear_one_name(shop: Shop) -> None:
    jobs = [make("IMG_0001.jpg") for make in (shop.done, shop.done, shop.done, shop.queued, shop.failed)]
    later = shop.done("IMG_0002.jpg")
    finished = sorted(job.hash for job in jobs[:3])
    assert shop.found("IMG_0001", "done") == finished
    assert sorted(shop.found("IMG_0001")) == sorted(job.hash for job in jobs)
    for limit in range(1, 8):
        assert shop.found("IMG_", limit=limit) == [*sorted(job.hash for job in jobs), later.hash]
    # As an earlier release gives it: the name alone.
    assert shop.admissions.images(OWNER, None, "IMG_", 9, "IMG_0001.jpg")[0][0]["hash"] == later.hash


def test_what_is_finished_or_gone_is_in_the_list_no_more(shop: Shop) -> None:
    finished, erased, refused = shop.queued("a.jpg"), shop.failed("b.jpg"), shop.queued("c.jpg")
    assert shop.open_names() == 3
    shop.done("a.jpg", finished)
    shop.admissions.erase(OWNER, erased.hash)
    shop.admissions.withdraw(refused)
    assert shop.open_names() == 0
    assert shop.found("a.jpg") == [finished.hash]
    assert shop.found("b.jpg") == shop.found("c.jpg") == []


def test_an_upload_under_another_name_is_found_by_both(shop: Shop) -> None:
    job = shop.processing("first.jpg")
    again = replace(job, name="second.jpg", ticket=shop.admissions.announce(OWNER, job.hash, "second.jpg", 1.0).ticket)
    assert shop.commits.begin([again])[0].verdict == "claimed"
    assert shop.found("first") == shop.found("second") == [job.hash]
    shop.done("first.jpg", job)
    assert shop.found("first") == shop.found("second") == [job.hash]
    assert shop.open_names() == 0


def test_what_an_earlier_release_left_there_is_not_believed(shop: Shop) -> None:
    """It finishes and erases images without knowing of the list."""
    done = shop.done("done.jpg")
    own = shop.databases.client(OWN)
    own.zadd("unfinished:names", {"done and nothing of ours": 0})
    own.zadd("unfinished:names", {f"done.jpg\x1f{done.hash}": 0, f"gone.jpg\x1f{'0' * 64}": 0})
    assert shop.found("done") == [done.hash]
    assert shop.found("gone") == []


def test_more_names_than_are_read_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facerec.adapters.redis.listing._AT_ONCE", 2)
    jobs = [(shop.done if n % 3 else shop.queued)(f"{n}.jpg") for n in range(9)]
    assert shop.found("", limit=4) != []
    for limit in (1, 4, 9):
        found = [image for n in range(9) for image in shop.found(f"{n}", limit=limit)]
        assert found == [job.hash for job in jobs]
    many = [shop.queued(f"many {n}.jpg").hash for n in range(7)]
    assert shop.found("many", limit=3) == many


def test_a_walk_takes_one_call_a_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand images that wait are not looked through for a name that none of them bears."""
    for n in range(50):
        shop.queued(f"waiting {n}.jpg")
    calls: list[str] = []
    read = Databases.read
    monkeypatch.setattr(Databases, "read", lambda self, name, *more: (calls.append(name), read(self, name, *more))[1])
    assert shop.found("nobody") == []
    assert calls == ["names_open"]
