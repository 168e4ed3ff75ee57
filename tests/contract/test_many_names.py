"""The same bytes under very many names: whoever writes or erases them may die between any two of the steps that takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from facerec.adapters.redis import RedisCommits, RedisDatabases, RedisErrands, names
from facerec.adapters.redis.connection import Argument
from facerec.adapters.redis.documents import named
from facerec.adapters.redis.layout import HASH_TO_NAMES, LINKS, NAME_TO_HASH, OWN
from facerec.adapters.redis.names import repair_name
from facerec.identity import DEFAULT_OWNER
from facerec.jobs import ScanJob
from facerec.ports import Obsolete, Written
from facerec.rule import to_scanned
from tests.faces import analysis, scan_job
from tests.integration.test_fsck import Shop

MANY = 1000
"""More than one step takes."""
MORE = 6000
"""More than one step reads."""
NAMES = [f"folder/{number:05}.jpg" for number in range(MORE)]


def sent(shop: Shop, number: int = MANY, body: bytes = b"often sent") -> ScanJob:
    """An image that was sent under so many names, not finished yet."""
    job = scan_job(shop.admissions, NAMES[0], body)
    shop.db(OWN).hset(f"names:{job.hash}", mapping=dict.fromkeys(NAMES[:number], job.ticket))
    return job


def finish(shop: Shop, job: ScanJob) -> object:
    """Without a face, so that nobody matches."""
    ticket = shop.commits.begin([job])[0].image_ticket
    if not shop.rule.catch_up():
        shop.rule.load()
    return shop.commits.commit([to_scanned(job, ticket, analysis())], shop.rule.index.position)


def finished(shop: Shop, number: int = MANY) -> ScanJob:
    job = sent(shop, number)
    assert isinstance(finish(shop, job), Written)
    return job


@pytest.fixture
def shop(databases: RedisDatabases) -> Shop:
    return Shop(databases)


class Died(Exception):
    """Instead of the process."""


def die_at(monkeypatch: pytest.MonkeyPatch, script: str, step: int, work: Callable[[], object]) -> None:
    """The process dies before the ``step``-th call of a script, from 0."""
    call, calls = RedisDatabases.call, count()

    def called(self: RedisDatabases, name: str, *arguments: Argument) -> object:
        if name == script and next(calls) == step:
            raise Died
        return call(self, name, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(RedisDatabases, "call", called)
        with pytest.raises(Died):
            work()


def published(shop: Shop, job: ScanJob) -> set[str]:
    """Names that lead to an image and back, and are listed."""
    listed = set(shop.db(OWN).zrange("names", 0, -1))
    leads = dict(zip(NAMES, shop.db(NAME_TO_HASH).mget(NAMES), strict=True))
    back = shop.db(HASH_TO_NAMES).smembers(job.hash)
    return {name for name in NAMES if leads[name] == job.hash.encode() and name.encode() in back & listed}


def test_an_image_is_finished_under_all_its_names(shop: Shop) -> None:
    job = finished(shop)
    assert published(shop, job) == set(NAMES[:MANY])
    assert shop.check().found == []


@pytest.mark.parametrize("step", range(3))
def test_a_redelivered_job_publishes_what_a_dead_worker_left(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    job = sent(shop)
    die_at(monkeypatch, "publish", step, lambda: finish(shop, job))
    assert len(published(shop, job)) < MANY
    assert RedisCommits(shop.databases).begin([job])[0].verdict == "done"
    assert published(shop, job) == set(NAMES[:MANY])
    assert shop.check().found == []


def test_a_commit_whose_answer_was_lost_publishes_when_it_is_tried_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = sent(shop)
    start = shop.commits.begin([job])[0]
    image = to_scanned(job, start.image_ticket, analysis())
    die_at(monkeypatch, "publish", 0, lambda: shop.commits.commit([image], shop.rule.index.position))
    assert isinstance(shop.commits.commit([image], shop.rule.index.position), Obsolete)
    assert published(shop, job) == set(NAMES[:MANY])


@pytest.mark.parametrize("step", range(3))
def test_the_errand_of_a_worker_publishes_the_rest(shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    job = sent(shop)
    die_at(monkeypatch, "publish", step, lambda: finish(shop, job))
    errands = RedisErrands(shop.databases)
    errands.finish(10, after=60.0)
    assert len(published(shop, job)) < MANY
    errands.finish(10, after=0.0)
    assert published(shop, job) == set(NAMES[:MANY])
    assert unfinished(shop) == []
    assert shop.check().found == []


def test_a_key_of_a_wrong_type_holds_up_no_other_errand(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = sent(shop), sent(shop, 300, b"another")
    for job in (bad, good):
        die_at(monkeypatch, "publish", 0, lambda job=job: finish(shop, job))
    shop.db(HASH_TO_NAMES).set(bad.hash, "a text")
    shop.db(OWN).zadd("unfinished", {f"names:{bad.hash}": 1})
    errands = RedisErrands(shop.databases)
    errands.finish(1, after=0.0)
    assert published(shop, good) != set(NAMES[:300])
    assert f"names:{bad.hash} is not finished" in caplog.text
    errands.finish(1, after=0.0)
    assert published(shop, good) == set(NAMES[:300])
    assert unfinished(shop) == [f"names:{bad.hash}"]


def test_what_only_a_newer_release_can_finish_is_left_to_it(shop: Shop) -> None:
    shop.db(OWN).zadd("unfinished", {"poem:the last line": 1})
    RedisErrands(shop.databases).finish(10, after=0.0)
    assert unfinished(shop) == ["poem:the last line"]


def test_fsck_publishes_what_nobody_else_does(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    job = sent(shop)
    die_at(monkeypatch, "publish", 1, lambda: finish(shop, job))
    report = shop.check(fix=True)
    assert {fault.invariant for fault in report.found} == {"names"}
    assert report.left == []
    assert published(shop, job) == set(NAMES[:MANY])


def test_an_erased_image_is_not_published_any_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    job = sent(shop)
    die_at(monkeypatch, "publish", 1, lambda: finish(shop, job))
    shop.admissions.erase(job.owner, job.hash)
    again = sent(shop)
    names.publish_names(shop.databases, job.owner, job.hash)
    assert published(shop, again) == set()
    assert shop.check().found == []


def test_the_receipt_of_an_erasure_has_all_names(shop: Shop) -> None:
    job = finished(shop)
    receipt = shop.admissions.erase(job.owner, job.hash)
    assert receipt
    assert receipt["names"] == NAMES[:MANY]
    assert receipt["removed"]["database 1"] == MANY
    assert left_of(shop, job) == [f"erased:{job.hash}"]
    assert shop.admissions.erase(job.owner, job.hash) is None
    assert shop.check().found == []


def unfinished(shop: Shop) -> list[str]:
    return [what.decode() for what in shop.db(OWN).zrange("unfinished", 0, -1)]


def left_of(shop: Shop, job: ScanJob) -> list[str]:
    """Keys that tell of the image, and names that lead to it."""
    keys = [key.decode() for number in (OWN, HASH_TO_NAMES) for key in shop.db(number).keys(f"*{job.hash}*")]
    leads = zip(NAMES, shop.db(NAME_TO_HASH).mget(NAMES), strict=True)
    listed = [name.decode() for name in shop.db(OWN).zrange("names", 0, -1) if name.decode() in NAMES]
    return keys + [name for name, leads_to in leads if leads_to == job.hash.encode()] + listed


def by_asking_again(shop: Shop, job: ScanJob) -> None:
    assert shop.admissions.erase(job.owner, job.hash) is None


def by_the_errand_of_a_worker(shop: Shop, _: ScanJob) -> None:
    RedisErrands(shop.databases).finish(10, after=0.0)


def by_fsck(shop: Shop, _: ScanJob) -> None:
    report = shop.check(fix=True)
    assert [fault.kind for fault in report.found] == ["withdrawal"]
    assert report.left == []


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("end", [by_asking_again, by_the_errand_of_a_worker, by_fsck])
def test_an_erasure_that_was_cut_off_is_finished(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int, end: Callable[[Shop, ScanJob], None]
) -> None:
    job = finished(shop)
    die_at(monkeypatch, "withdraw_names", step, lambda: shop.admissions.erase(job.owner, job.hash))

    assert shop.admissions.image(job.owner, job.hash) is None
    assert [shop.admissions.known_url(job.owner, name) for name in NAMES[:MANY]] == [None] * MANY
    assert shop.admissions.images(job.owner, None, "folder/", 10, "") == ([], "")
    assert RedisCommits(shop.databases).begin([job])[0].verdict == "erased"

    end(shop, job)

    assert left_of(shop, job) == [f"erased:{job.hash}"]
    assert unfinished(shop) == []
    assert shop.check().found == []


def test_bytes_that_come_again_meanwhile_keep_their_new_names(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    job = finished(shop)
    die_at(monkeypatch, "withdraw_names", 1, lambda: shop.admissions.erase(job.owner, job.hash))
    again = sent(shop, MANY // 2)
    shop.db(OWN).hset(f"names:{job.hash}", NAMES[-1], again.ticket)
    assert isinstance(finish(shop, again), Written)

    names.withdraw_names(shop.databases, job.owner, job.hash)

    assert published(shop, again) == {*NAMES[: MANY // 2], NAMES[-1]}
    assert shop.check().found == []


def test_bytes_that_come_again_are_erased_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    job = finished(shop)
    die_at(monkeypatch, "withdraw_names", 1, lambda: shop.admissions.erase(job.owner, job.hash))
    finished(shop)
    receipt = shop.admissions.erase(job.owner, job.hash)
    assert receipt
    assert receipt["names"] == NAMES[:MANY]
    assert left_of(shop, job) == [f"erased:{job.hash}"]


@pytest.mark.parametrize("step", range(3))
def test_another_image_of_a_name_inherits_it(shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """One that was there before the erasure, and one that came while it was not finished."""
    heir = shop.scan(NAMES[3], 20.0)
    job = finished(shop)
    die_at(monkeypatch, "withdraw_names", step, lambda: shop.admissions.erase(job.owner, job.hash))
    newcomer = shop.scan(NAMES[7], 30.0)
    assert shop.check(fix=True).left == []
    for image, name in ((heir, NAMES[3]), (newcomer, NAMES[7])):
        assert shop.db(NAME_TO_HASH).get(name) == image.hash.encode()
        assert shop.db(HASH_TO_NAMES).smembers(image.hash) == {name.encode()}
        assert not shop.db(OWN).exists(f"holders:{name}")


def test_names_beyond_what_one_step_reads_are_all_told(shop: Shop) -> None:
    job = finished(shop, MORE)
    other = shop.scan("other.jpg", 40.0)
    for one, another in ((job, other), (other, job)):
        shop.db(LINKS).sadd(one.hash, another.hash)
    document = shop.admissions.image(job.owner, job.hash)
    assert document
    assert document["names"] == NAMES
    assert shop.admissions.matching_names(job.owner, job.hash) == ["other.jpg"]
    assert shop.admissions.matching_names(other.owner, other.hash) == NAMES
    (listed,) = [each for each in shop.admissions.images(job.owner, None, None, 9, "")[0] if each["hash"] == job.hash]
    assert listed["names"] == NAMES
    (found,) = named(shop.databases, DEFAULT_OWNER, [job.ticket]).values()
    assert (found[0], sorted(found[1:])) == (job.hash, NAMES)


def test_a_fault_among_very_many_names_is_found(shop: Shop) -> None:
    job = finished(shop)
    shop.db(NAME_TO_HASH).delete(NAMES[700])
    shop.db(HASH_TO_NAMES).sadd(job.hash, "only there.jpg")
    report = shop.check(fix=True)
    assert {fault.subject for fault in report.found} == {NAMES[700], "only there.jpg"}
    assert report.left == []
    assert shop.check().found == []


def damaged(shop: Shop) -> tuple[ScanJob, dict[bytes, bytes]]:
    """A finished image of very many names whose state is not known any more, and the names under which it was sent."""
    job = finished(shop)
    shop.db(OWN).hset(f"image:{job.hash}", "state", "odd")
    return job, shop.db(OWN).hgetall(f"names:{job.hash}")


def assert_taken_out(shop: Shop, job: ScanJob, sent_under: dict[bytes, bytes]) -> None:
    """No name leads to it, and it remembers all of them: sent again it has them again."""
    assert shop.check().found == []
    assert not shop.db(HASH_TO_NAMES).exists(job.hash)
    assert shop.db(NAME_TO_HASH).mget(NAMES) == [None] * MORE
    assert shop.db(OWN).hgetall(f"names:{job.hash}") == sent_under
    assert unfinished(shop) == []
    again = scan_job(shop.admissions, NAMES[0], b"often sent")
    assert isinstance(finish(shop, again), Written)
    assert published(shop, again) == set(NAMES[:MANY])
    assert shop.check().found == []


def test_a_damaged_image_of_very_many_names_is_taken_out(shop: Shop) -> None:
    job, sent_under = damaged(shop)
    assert shop.check(fix=True).left == []
    assert_taken_out(shop, job, sent_under)


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("end", [by_the_errand_of_a_worker, lambda shop, _: shop.check(fix=True)])
def test_a_repair_that_was_cut_off_is_finished(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int, end: Callable[[Shop, ScanJob], object]
) -> None:
    job, sent_under = damaged(shop)
    die_at(monkeypatch, "withdraw_names", step, lambda: shop.check(fix=True))

    end(shop, job)

    assert_taken_out(shop, job, sent_under)


def test_a_damaged_image_that_comes_again_meanwhile_keeps_its_names(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _ = damaged(shop)
    die_at(monkeypatch, "withdraw_names", 1, lambda: shop.check(fix=True))
    again = scan_job(shop.admissions, NAMES[0], b"often sent")
    assert isinstance(finish(shop, again), Written)

    names.withdraw_names(shop.databases, job.owner, job.hash)

    assert published(shop, again) == set(NAMES[:MANY])
    assert unfinished(shop) == []
    assert shop.check().found == []


def test_a_name_of_very_many_images_is_repaired(shop: Shop) -> None:
    """Of those that are said to bear it two do."""
    older, newer = (shop.scan("often.jpg", 50.0 + number) for number in range(2))
    false = {f"{number:064x}": 10**6 + number for number in range(MANY)}
    shop.db(OWN).zadd("holders:often.jpg", false)
    shop.db(NAME_TO_HASH).set("often.jpg", next(iter(false)))

    repair_name(shop.databases, DEFAULT_OWNER, "often.jpg", [])

    assert shop.db(OWN).zrange("holders:often.jpg", 0, -1) == [older.hash.encode(), newer.hash.encode()]
    assert shop.db(NAME_TO_HASH).get("often.jpg") == newer.hash.encode()
    assert shop.check().found == []
