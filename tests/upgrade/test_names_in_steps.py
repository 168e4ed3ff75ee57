"""An image of very many names is being finished or erased by this release, and meanwhile names change by either release.

Whoever is at it is slow and goes on afterwards, or died and somebody else does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisErrands
from facerec.adapters.redis.connection import Argument
from facerec.adapters.redis.layout import HASH_TO_NAMES, NAME_TO_HASH, OWN
from facerec.config import RedisSettings
from facerec.jobs import ScanJob
from facerec.ports import Written
from facerec.rule import to_scanned
from tests.contract.test_many_names import NAMES, die_at, finish, finished, sent, unfinished
from tests.faces import analysis, scan_job
from tests.integration.test_fsck import Shop
from tests.upgrade.release_before import DatabasesBefore

BODY = b"often sent"
SENT = 600
"""Names of the image. Up to 512 Redis tells in one step, whatever it is asked for; from there on it takes several."""
HAD, ELSE = NAMES[5], NAMES[SENT]
"""A name that the image had, and one that it had not."""
Names = Mapping[str, str]
"""Name -> hash of the image that it leads to."""


class Release:
    """Front door and worker of one release, on the shop's Redis."""

    def __init__(self, shop: Shop, databases: RedisDatabases) -> None:
        self.shop = shop
        self.admissions = RedisAdmissions(databases)
        self.commits = RedisCommits(databases)

    def scan(self, name: str, body: bytes) -> ScanJob:
        job = scan_job(self.admissions, name, body)
        self.finish(job)
        return job

    def finish(self, job: ScanJob) -> None:
        """What a worker does with a job."""
        start = self.commits.begin([job])[0]
        if start.verdict == "go":
            self.shop.rule.catch_up()
            image = to_scanned(job, start.image_ticket, analysis())
            assert isinstance(self.commits.commit([image], self.shop.rule.index.position), Written)


Deed = Callable[[Release, ScanJob], Names]
"""Done meanwhile; the names that lead to images in the end, of those in NAMES."""


@pytest.fixture
def shop(databases: RedisDatabases) -> Shop:
    return Shop(databases)


@pytest.fixture(params=["before", "this"])
def release(request: pytest.FixtureRequest, shop: Shop, redis_settings: RedisSettings) -> Release:
    """The one that does something meanwhile."""
    is_before = request.param == "before"
    return Release(shop, DatabasesBefore(redis_settings) if is_before else RedisDatabases(redis_settings))


End = Callable[[Shop], None]


def by_itself(_: Shop) -> None:
    """Whoever was at it was only slow."""


def by_a_worker(shop: Shop) -> None:
    RedisErrands(shop.databases).finish(10, after=0.0)


def by_fsck(shop: Shop) -> None:
    assert shop.check(fix=True).left == []
    assert shop.check().found == []
    # Who was to finish it finds nothing to do.
    by_a_worker(shop)


def interrupt(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    step: int,
    work: Callable[[], object],
    deed: Callable[[], None],
) -> None:
    """Before the ``step``-th call of a script by the shop, from 0, something else is done; then it goes on."""
    call, calls = RedisDatabases.call, count()

    def called(self: RedisDatabases, name: str, *arguments: Argument) -> object:
        if self is shop.databases and name == script and next(calls) == step:
            deed()
        return call(self, name, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(RedisDatabases, "call", called)
        work()
    assert next(calls) > step


def play(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    step: int,
    work: Callable[[], object],
    deed: Callable[[], Names],
    end: End,
) -> Names:
    """What shall be in the end."""
    if end is not by_itself:
        die_at(monkeypatch, script, step, work)
        names = deed()
        end(shop)
        return names
    found: list[Names] = []
    interrupt(shop, monkeypatch, script, step, work, lambda: found.append(deed()))
    return found[0]


def check(shop: Shop, expected: Names) -> None:
    """Exactly these names lead to images, and the images know it; nothing else is left over."""
    leads = dict(zip(NAMES, shop.db(NAME_TO_HASH).mget(NAMES), strict=True))
    assert {name: found.decode() for name, found in leads.items() if found} == expected
    for name, key in expected.items():
        assert shop.db(HASH_TO_NAMES).sismember(key, name)
    assert {each.decode() for each in shop.db(OWN).zrange("names", 0, -1)} & set(NAMES) == set(expected)
    assert shop.db(OWN).keys("withdrawn:*") == []
    assert unfinished(shop) == []
    assert shop.check().found == []


def it_comes_again_under_a_name_it_had(release: Release, job: ScanJob) -> Names:
    assert release.scan(HAD, BODY).ticket > job.ticket
    return {HAD: job.hash}


def it_comes_again_under_another_name(release: Release, job: ScanJob) -> Names:
    release.scan(ELSE, BODY)
    return {ELSE: job.hash}


def it_comes_again_and_waits(release: Release, job: ScanJob) -> Names:
    scan_job(release.admissions, HAD, BODY)
    return {}


def it_comes_again_and_is_erased_again(release: Release, job: ScanJob) -> Names:
    release.scan(HAD, BODY)
    assert release.admissions.erase(job.owner, job.hash)
    return {}


def its_name_is_given_to_another(release: Release, job: ScanJob) -> Names:
    return {HAD: release.scan(HAD, b"another").hash}


def a_late_job_of_it_comes(release: Release, job: ScanJob) -> Names:
    assert release.commits.begin([job])[0].verdict == "erased"
    return {}


ERASED_MEANWHILE = [
    it_comes_again_under_a_name_it_had,
    it_comes_again_under_another_name,
    it_comes_again_and_waits,
    it_comes_again_and_is_erased_again,
    its_name_is_given_to_another,
    a_late_job_of_it_comes,
]
STEPS = pytest.mark.parametrize("step", [0, 2])
ENDS = pytest.mark.parametrize("end", [by_itself, by_a_worker, by_fsck], ids=lambda end: end.__name__)


@STEPS
@ENDS
@pytest.mark.parametrize("deed", ERASED_MEANWHILE, ids=lambda deed: deed.__name__)
def test_names_change_while_an_image_is_erased(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, release: Release, step: int, end: End, deed: Deed
) -> None:
    job = finished(shop, SENT)

    def erase() -> None:
        shop.admissions.erase(job.owner, job.hash)

    expected = play(shop, monkeypatch, "withdraw_names", step, erase, lambda: deed(release, job), end)

    check(shop, expected)


@STEPS
def test_what_waited_is_finished_by_the_release_before_after_the_erasure(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, redis_settings: RedisSettings, step: int
) -> None:
    before = Release(shop, DatabasesBefore(redis_settings))
    job = finished(shop, SENT)
    die_at(monkeypatch, "withdraw_names", step, lambda: shop.admissions.erase(job.owner, job.hash))
    again = scan_job(before.admissions, HAD, BODY)
    by_a_worker(shop)
    before.finish(again)
    check(shop, {HAD: job.hash})


@STEPS
def test_to_the_front_door_of_the_release_before_a_name_is_known_until_it_is_withdrawn(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """It takes a URL among the names for one that was scanned (docs/operations.md says so); this release does not."""
    job = finished(shop, SENT)
    die_at(monkeypatch, "withdraw_names", step, lambda: shop.admissions.erase(job.owner, job.hash))
    left = [name for name in NAMES[:SENT] if shop.db(NAME_TO_HASH).get(name)]
    assert left
    assert [shop.admissions.known_url(job.owner, name) for name in left] == [None] * len(left)
    by_a_worker(shop)
    check(shop, {})


@STEPS
def test_a_worker_of_the_release_before_sees_to_the_pictures_and_forgets_no_name(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, redis_settings: RedisSettings, step: int
) -> None:
    job = finished(shop, SENT)
    die_at(monkeypatch, "withdraw_names", step, lambda: shop.admissions.erase(job.owner, job.hash))
    before = RedisErrands(DatabasesBefore(redis_settings))
    (erased,) = before.erasures(10)
    before.settle(erased)
    by_a_worker(shop)
    check(shop, {})


def all_names(job: ScanJob) -> dict[str, str]:
    return dict.fromkeys(NAMES[:SENT], job.hash)


def its_job_comes_again(release: Release, job: ScanJob) -> Names:
    assert release.commits.begin([job])[0].verdict == "done"
    return all_names(job)


def it_gets_another_name(release: Release, job: ScanJob) -> Names:
    release.scan(ELSE, BODY)
    return all_names(job) | {ELSE: job.hash}


def another_gets_a_name_of_it(release: Release, job: ScanJob) -> Names:
    return all_names(job) | {HAD: release.scan(HAD, b"another").hash}


def another_gets_a_name_of_it_and_loses_it(release: Release, job: ScanJob) -> Names:
    other = release.scan(HAD, b"another")
    assert release.admissions.erase(other.owner, other.hash)
    return all_names(job)


def it_is_erased(release: Release, job: ScanJob) -> Names:
    assert release.admissions.erase(job.owner, job.hash)
    return {}


def it_is_erased_and_comes_again(release: Release, job: ScanJob) -> Names:
    assert release.admissions.erase(job.owner, job.hash)
    release.scan(ELSE, BODY)
    return {ELSE: job.hash}


def it_is_erased_and_waits(release: Release, job: ScanJob) -> Names:
    assert release.admissions.erase(job.owner, job.hash)
    scan_job(release.admissions, HAD, BODY)
    return {}


FINISHED_MEANWHILE = [
    its_job_comes_again,
    it_gets_another_name,
    another_gets_a_name_of_it,
    another_gets_a_name_of_it_and_loses_it,
    it_is_erased,
    it_is_erased_and_comes_again,
    it_is_erased_and_waits,
]


@STEPS
@ENDS
@pytest.mark.parametrize("deed", FINISHED_MEANWHILE, ids=lambda deed: deed.__name__)
def test_names_change_while_an_image_is_finished(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, release: Release, step: int, end: End, deed: Deed
) -> None:
    job = sent(shop, SENT)

    expected = play(shop, monkeypatch, "publish", step, lambda: finish(shop, job), lambda: deed(release, job), end)

    check(shop, expected)


@STEPS
def test_an_older_image_of_a_name_is_finished_last(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, release: Release, step: int
) -> None:
    """The name leads to what was sent last under it, whichever release finishes which image when."""
    older = scan_job(release.admissions, HAD, b"another")
    job = sent(shop, SENT)
    die_at(monkeypatch, "publish", step, lambda: finish(shop, job))
    release.finish(older)
    by_a_worker(shop)
    check(shop, all_names(job))
    assert shop.db(HASH_TO_NAMES).sismember(older.hash, HAD)
