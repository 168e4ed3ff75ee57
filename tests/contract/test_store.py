"""What the store promises to the front door and to the workers, on a real Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisCommits,
    RedisDatabases,
    RedisJournal,
    RedisTokens,
    RedisWorkers,
)
from facerec.adapters.redis.layout import FACES, HASH_TO_NAMES, LINKS, NAME_TO_HASH, OWN, prefix
from facerec.adapters.redis.tokens import ANY_AGE
from facerec.errors import BadParam, InternalError
from facerec.faces import Model
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.jobs import ScanJob
from facerec.ports import Image, JournalGap, Lost, Obsolete, Scanned, Written
from facerec.records import encoding_of, unpack_face
from facerec.rule import ScanRule, to_scanned
from tests.faces import analysis, encoding, scan_job

Scan = Callable[..., ScanJob]


@pytest.fixture
def admissions(databases: RedisDatabases) -> RedisAdmissions:
    return RedisAdmissions(databases)


@pytest.fixture
def commits(databases: RedisDatabases) -> RedisCommits:
    return RedisCommits(databases)


@pytest.fixture
def rule(databases: RedisDatabases) -> ScanRule:
    loaded = ScanRule(RedisCommits(databases), RedisJournal(databases), 0.6)
    loaded.load()
    return loaded


@pytest.fixture
def scan(admissions: RedisAdmissions, commits: RedisCommits, rule: ScanRule) -> Scan:
    """Scan one image to the end; its faces lie at the places given."""

    def run(name: str, *places: float, owner: str = DEFAULT_OWNER, body: bytes | None = None) -> ScanJob:
        job = scan_job(admissions, name, body, owner)
        start = commits.begin([job])[0]
        if start.verdict == "go":
            rule.catch_up()
            rule.finish([to_scanned(job, start.image_ticket, analysis(*places))])
        return job

    return run


def document(admissions: RedisAdmissions, job: ScanJob) -> dict[str, object]:
    found = admissions.image(job.owner, job.hash)
    assert found is not None
    return found


def lost_at_two_looks(commits: RedisCommits) -> frozenset[Image]:
    return commits.lost(300, commits.lost(300).suspects).lost


def test_the_life_of_an_image(admissions: RedisAdmissions, commits: RedisCommits, rule: ScanRule) -> None:
    job = scan_job(admissions, "a.jpg")
    assert document(admissions, job)["state"] == "queued"
    start = commits.begin([job])[0]
    assert (start.verdict, start.image_ticket) == ("go", job.ticket)
    assert document(admissions, job)["state"] == "processing"
    outcome = rule.finish([to_scanned(job, start.image_ticket, analysis(0.0))])
    assert len(outcome.written) == 1
    done = document(admissions, job)
    assert (done["state"], done["width"], done["model"], done["attempts"]) == ("done", 100, "hog", 1)
    assert admissions.admit(job.owner, job.hash, "a.jpg").state == "done"


def test_the_public_layout(databases: RedisDatabases, scan: Scan) -> None:
    one, other = scan("a.jpg", 0.0), scan("b.jpg", 0.5, 9.0)
    assert databases.client(NAME_TO_HASH).get("a.jpg") == one.hash.encode()
    assert databases.client(HASH_TO_NAMES).smembers(one.hash) == {b"a.jpg"}
    records = databases.client(FACES).lrange(other.hash, 0, -1)
    assert [len(record) <= 700 for record in records] == [True, True]
    assert encoding_of(records[0]).tobytes() == encoding(0.5).astype("<f4").tobytes()
    assert [unpack_face(record)[0] for record in records] == [face_id(other.ticket, 0), face_id(other.ticket, 1)]
    assert databases.client(LINKS).smembers(one.hash) == {other.hash.encode()}
    assert databases.client(LINKS).smembers(other.hash) == {one.hash.encode()}
    assert databases.client(OWN).get("journal:position") == b"2"


def test_another_owners_keys_carry_a_prefix_and_never_match(
    databases: RedisDatabases, admissions: RedisAdmissions, scan: Scan
) -> None:
    scan("a.jpg", 0.0)
    theirs = scan("a.jpg", 0.0, owner="bob")
    assert databases.client(NAME_TO_HASH).get(prefix("bob") + "a.jpg") == theirs.hash.encode()
    assert admissions.matching_names("bob", theirs.hash) == []
    assert admissions.image(DEFAULT_OWNER, theirs.hash) is None
    assert admissions.erase(DEFAULT_OWNER, theirs.hash) is None


def test_matching_names_are_sorted_without_the_image_itself(admissions: RedisAdmissions, scan: Scan) -> None:
    probe = scan("z.jpg", 0.0)
    scan("another name.jpg", body=probe.body)
    scan("b.jpg", 0.2)
    scan("a.jpg", 0.3)
    scan("far.jpg", 3.0)
    assert admissions.matching_names(DEFAULT_OWNER, probe.hash) == ["a.jpg", "b.jpg"]
    assert admissions.matching_names(DEFAULT_OWNER, "0" * 64) == []


def test_another_image_of_the_same_name_matches_like_any_other(admissions: RedisAdmissions, scan: Scan) -> None:
    one, another = scan("IMG_0001.jpg", 0.0), scan("IMG_0001.jpg", 0.1)
    for job in (one, another):
        assert admissions.matching_names(DEFAULT_OWNER, job.hash) == ["IMG_0001.jpg"]
        assert admissions.matching_page(DEFAULT_OWNER, job.hash, 1, "") == (["IMG_0001.jpg"], "")


def test_the_document_lists_matches_nearest_first(admissions: RedisAdmissions, scan: Scan) -> None:
    probe = scan("p.jpg", 0.0)
    far, near = scan("far.jpg", 5.0, 0.5), scan("near.jpg", 0.25)
    found = document(admissions, probe)
    assert found["matches"] == [
        {
            "hash": near.hash,
            "names": ["near.jpg"],
            "distance": 0.25,
            "face": face_id(probe.ticket, 0),
            "matched_face": face_id(near.ticket, 0),
        },
        {
            "hash": far.hash,
            "names": ["far.jpg"],
            "distance": 0.5,
            "face": face_id(probe.ticket, 0),
            "matched_face": face_id(far.ticket, 1),
        },
    ]


def test_no_face_is_a_normal_end(databases: RedisDatabases, admissions: RedisAdmissions, scan: Scan) -> None:
    job = scan("landscape.jpg")
    done = document(admissions, job)
    assert (done["state"], done["faces"], done["matches"]) == ("done", [], [])
    assert databases.client(NAME_TO_HASH).get("landscape.jpg") == job.hash.encode()


def test_the_same_bytes_get_one_more_name(databases: RedisDatabases, commits: RedisCommits, scan: Scan) -> None:
    first = scan("one.jpg", 0.0)
    again = scan("two.jpg", 0.0, body=first.body)
    assert again.hash == first.hash
    assert databases.client(HASH_TO_NAMES).smembers(first.hash) == {b"one.jpg", b"two.jpg"}
    assert databases.client(FACES).llen(first.hash) == 1
    assert commits.begin([again])[0].verdict == "done"


def test_a_name_belongs_to_the_newest_upload_whichever_finished_first(
    databases: RedisDatabases, admissions: RedisAdmissions, commits: RedisCommits, rule: ScanRule
) -> None:
    older, newer = scan_job(admissions, "cam.jpg"), scan_job(admissions, "cam.jpg")
    for job in (newer, older):
        rule.finish([to_scanned(job, commits.begin([job])[0].image_ticket, analysis(0.0))])
    assert databases.client(NAME_TO_HASH).get("cam.jpg") == newer.hash.encode()
    assert databases.client(HASH_TO_NAMES).smembers(older.hash) == {b"cam.jpg"}
    assert admissions.matching_names(DEFAULT_OWNER, older.hash) == ["cam.jpg"]


def test_erasing_the_newest_gives_the_name_back_to_the_one_before(
    databases: RedisDatabases, admissions: RedisAdmissions, scan: Scan
) -> None:
    jobs = [scan("cam.jpg", float(n)) for n in range(3)]
    for job, heir in ((jobs[2], jobs[1]), (jobs[1], jobs[0])):
        admissions.erase(DEFAULT_OWNER, job.hash)
        assert databases.client(NAME_TO_HASH).get("cam.jpg") == heir.hash.encode()
    admissions.erase(DEFAULT_OWNER, jobs[0].hash)
    assert databases.client(NAME_TO_HASH).get("cam.jpg") is None
    assert databases.client(OWN).exists("holders:cam.jpg") == 0


def test_an_image_is_claimed_by_one_job_until_its_end(admissions: RedisAdmissions, commits: RedisCommits) -> None:
    first = scan_job(admissions, "a.jpg")
    second = scan_job(admissions, "b.jpg", first.body)
    assert [start.verdict for start in commits.begin([first, second])] == ["go", "claimed"]
    assert commits.begin([first])[0].verdict == "go", "its own redelivery takes the claim over"
    commits.fail(first, "UNREADABLE_IMAGE", "no picture")
    assert commits.begin([first])[0].verdict == "failed"
    assert commits.begin([second])[0].verdict == "go", "a later upload is a new try"


def test_a_claim_of_which_nothing_is_heard_expires(databases: RedisDatabases, admissions: RedisAdmissions) -> None:
    now = [1000.0]
    commits = RedisCommits(databases, clock=lambda: now[0])
    first = scan_job(admissions, "a.jpg")
    second = scan_job(admissions, "b.jpg", first.body)
    commits.begin([first])
    now[0] += 3600
    assert commits.begin([second])[0].verdict == "go"


def test_a_job_that_the_broker_lost_fails_and_is_done_should_it_turn_up(
    databases: RedisDatabases, admissions: RedisAdmissions
) -> None:
    now = [time.time()]
    commits = RedisCommits(databases, clock=lambda: now[0])
    waiting, claimed = scan_job(admissions, "a.jpg"), scan_job(admissions, "b.jpg", owner="bob")
    commits.begin([claimed])
    assert commits.lost(300) == Lost()
    now[0] += 400
    suspected = Lost(suspects=frozenset({(DEFAULT_OWNER, waiting.hash)}))
    assert commits.lost(300) == suspected, "at one look it may be on its way to a worker"
    assert commits.lost(300, suspected.suspects) == Lost(lost=suspected.suspects)
    now[0] += 400
    assert lost_at_two_looks(commits) == {("bob", claimed.hash)}
    assert document(admissions, waiting)["reason"] == "JOB_LOST"
    assert commits.begin([waiting])[0].verdict == "go"


def test_a_job_that_waits_in_a_worker_for_long_is_not_lost(
    databases: RedisDatabases, admissions: RedisAdmissions
) -> None:
    now = [time.time()]
    commits = RedisCommits(databases, clock=lambda: now[0])
    waiting, other = scan_job(admissions, "a.jpg"), scan_job(admissions, "b.jpg")
    commits.begin([waiting, other])
    for _ in range(4):
        now[0] += 400
        commits.renew([waiting])
    assert lost_at_two_looks(commits) == {(other.owner, other.hash)}
    assert commits.begin([scan_job(admissions, "c.jpg", waiting.body)])[0].verdict == "claimed"


def test_only_the_job_that_has_the_claim_renews_it(databases: RedisDatabases, admissions: RedisAdmissions) -> None:
    now = [time.time()]
    commits = RedisCommits(databases, clock=lambda: now[0])
    late, fresh = scan_job(admissions, "a.jpg"), scan_job(admissions, "b.jpg")
    admissions.erase(late.owner, late.hash)
    commits.begin([fresh])
    now[0] += 700
    commits.renew([late, replace(fresh, ticket=fresh.ticket + 1)])
    assert document(admissions, fresh)["state"] == "processing"
    assert lost_at_two_looks(commits) == {(fresh.owner, fresh.hash)}
    assert admissions.image(late.owner, late.hash) is None


def test_a_job_of_an_image_that_was_erased_fails_no_newer_one(
    commits: RedisCommits, admissions: RedisAdmissions
) -> None:
    old = scan_job(admissions, "a.jpg")
    commits.begin([old])
    admissions.erase(old.owner, old.hash)
    again = scan_job(admissions, "a.jpg", old.body)
    commits.fail(old, "ENGINE_FAILURE", "the engine process ended")
    assert document(admissions, again)["state"] == "queued"
    assert commits.begin([again])[0].verdict == "go"


def test_an_image_that_failed_and_was_sent_again_has_as_long_as_a_new_one(
    databases: RedisDatabases, admissions: RedisAdmissions
) -> None:
    now = [time.time() + 400]
    commits = RedisCommits(databases, clock=lambda: now[0])
    first = scan_job(admissions, "a.jpg")
    commits.begin([first])
    commits.fail(first, "BAD", "no picture")
    again = admissions.announce(first.owner, first.hash, "a.jpg", now[0])
    assert again.state == "failed"
    assert commits.lost(300) == Lost()
    now[0] += 400
    assert lost_at_two_looks(commits) == {(first.owner, first.hash)}


def test_the_oldest_wait_is_that_of_an_image_that_no_worker_has(
    databases: RedisDatabases, admissions: RedisAdmissions, commits: RedisCommits
) -> None:
    assert commits.oldest_wait() == 0.0
    old, erased, fresh = (
        scan_job(admissions, f"{n}.jpg", owner=owner) for n, owner in enumerate(("bob", "bob", "default"))
    )
    for job, seconds in ((old, 1000), (erased, 2000), (fresh, 10)):
        databases.client(OWN).zadd("images:queued", {prefix(job.owner) + job.hash: time.time() - seconds})
    admissions.erase(erased.owner, erased.hash)
    assert 1000 <= commits.oldest_wait() < 1060
    commits.begin([old])
    assert 10 <= commits.oldest_wait() < 70
    commits.retrying(old, 5.0, "CHILD_DIED", "it died")
    commits.begin([fresh])
    assert commits.oldest_wait() < 60
    commits.fail(old, "CHILD_DIED", "it died")
    assert commits.oldest_wait() == 0.0
    assert not databases.client(OWN).exists("images:queued")


def test_fifty_names_wait_for_one_claim(admissions: RedisAdmissions, commits: RedisCommits, rule: ScanRule) -> None:
    first = scan_job(admissions, "0.jpg")
    start = commits.begin([first])[0]
    for n in range(1, 50):
        commits.begin([scan_job(admissions, f"{n}.jpg", first.body)])
    rule.finish([to_scanned(first, start.image_ticket, analysis(0.0))])
    assert len(document(admissions, first)["names"]) == 50  # type: ignore[arg-type]


def test_a_failed_image_tells_why_and_can_be_sent_again(admissions: RedisAdmissions, commits: RedisCommits) -> None:
    job = scan_job(admissions, "a.jpg")
    commits.begin([job])
    commits.fail(job, "UNREADABLE_IMAGE", "no picture")
    failed = document(admissions, job)
    assert (failed["state"], failed["reason"], failed["detail"]) == ("failed", "UNREADABLE_IMAGE", "no picture")
    scan_job(admissions, "a.jpg", job.body)
    assert document(admissions, job)["state"] == "queued"


def test_the_front_doors_word_that_a_job_is_queued_never_undoes_a_workers(
    admissions: RedisAdmissions, commits: RedisCommits
) -> None:
    job = scan_job(admissions, "a.jpg")
    commits.begin([job])
    commits.fail(job, "UNREADABLE_IMAGE", "no picture")
    admissions.queued(job)
    assert document(admissions, job)["state"] == "failed"


def test_an_announcement_says_what_was_true_before_it(
    admissions: RedisAdmissions, commits: RedisCommits, rule: ScanRule
) -> None:
    job = scan_job(admissions, "a.jpg")
    again = admissions.announce(job.owner, job.hash, "b.jpg", job.queued_at)
    assert (again.state, again.ticket > job.ticket) == ("queued", True)
    start = commits.begin([job])[0]
    rule.finish([to_scanned(job, start.image_ticket, analysis(0.0))])
    assert admissions.announce(job.owner, job.hash, "c.jpg", job.queued_at).state == "done"
    assert document(admissions, job)["names"] == ["a.jpg", "b.jpg", "c.jpg"]


def test_an_announcement_is_withdrawn_without_a_trace(databases: RedisDatabases, admissions: RedisAdmissions) -> None:
    job = scan_job(admissions, "a.jpg")
    admissions.withdraw(job)
    assert admissions.image(job.owner, job.hash) is None
    assert [key for key in databases.client(OWN).scan_iter() if job.hash in key.decode()] == []


def test_a_withdrawal_harms_neither_a_job_in_work_nor_a_later_upload(
    admissions: RedisAdmissions, commits: RedisCommits
) -> None:
    job = scan_job(admissions, "a.jpg")
    later = scan_job(admissions, "b.jpg", job.body)
    admissions.withdraw(job)
    assert document(admissions, job)["state"] == "queued"
    commits.begin([later])
    admissions.withdraw(later)
    assert document(admissions, later)["state"] == "processing"


def test_a_failed_image_whose_new_upload_is_withdrawn_has_failed_again(
    admissions: RedisAdmissions, commits: RedisCommits
) -> None:
    job = scan_job(admissions, "a.jpg")
    commits.begin([job])
    commits.fail(job, "UNREADABLE_IMAGE", "no picture")
    again = scan_job(admissions, "b.jpg", job.body)
    admissions.withdraw(again)
    found = document(admissions, job)
    assert (found["state"], found["reason"], found["names"]) == ("failed", "SERVICE_UNAVAILABLE", ["a.jpg"])
    assert commits.begin([scan_job(admissions, "c.jpg", job.body)])[0].verdict == "go"


def test_a_job_that_waits_for_its_next_try_is_queued(admissions: RedisAdmissions, commits: RedisCommits) -> None:
    job = scan_job(admissions, "a.jpg")
    commits.begin([job])
    commits.retrying(job, 4.0, "CHILD_DIED", "signal SIGKILL")
    waiting = document(admissions, job)
    assert (waiting["state"], waiting["reason"]) == ("queued", "CHILD_DIED")
    assert commits.begin([replace(job, attempt=2)])[0].verdict == "go"
    assert document(admissions, job)["attempts"] == 2


def test_jobs_older_than_the_erasure_are_dropped_and_newer_ones_are_not(
    admissions: RedisAdmissions, commits: RedisCommits, rule: ScanRule
) -> None:
    job = scan_job(admissions, "a.jpg")
    start = commits.begin([job])[0]
    receipt = admissions.erase(DEFAULT_OWNER, job.hash)
    assert receipt is not None
    assert receipt["names"] == ["a.jpg"]
    late = to_scanned(job, start.image_ticket, analysis(0.0))
    assert rule.finish([late]).obsolete == {(DEFAULT_OWNER, job.hash)}
    assert commits.begin([job])[0].verdict == "erased"
    again = scan_job(admissions, "a.jpg", job.body)
    assert commits.begin([again])[0].verdict == "go"


def test_erasure_leaves_no_trace_but_its_own_mark(
    databases: RedisDatabases, admissions: RedisAdmissions, scan: Scan
) -> None:
    job, other = scan("a.jpg", 0.0), scan("b.jpg", 0.1)
    admissions.erase(DEFAULT_OWNER, job.hash)
    assert admissions.matching_names(DEFAULT_OWNER, other.hash) == []
    for database in range(5):
        client = databases.client(database)
        keys = [key.decode() for key in client.scan_iter(count=1000) if job.hash in key.decode()]
        assert keys == ([f"erased:{job.hash}"] if database == OWN else [])
    assert job.hash.encode() not in databases.client(OWN).zrange("images", 0, -1)
    assert databases.client(LINKS).exists(other.hash) == 0


def test_a_commit_writes_nothing_when_the_journal_moved(
    databases: RedisDatabases, commits: RedisCommits, scan: Scan
) -> None:
    scan("a.jpg", 0.0)
    job = scan_job(RedisAdmissions(databases), "b.jpg")
    start = commits.begin([job])[0]
    before = databases.client(OWN).dbsize(), databases.client(FACES).dbsize()
    moved = commits.commit([to_scanned(job, start.image_ticket, analysis(0.1))], 0)
    assert [entry.position for entry in moved.entries] == [1]  # type: ignore[union-attr]
    assert (databases.client(OWN).dbsize(), databases.client(FACES).dbsize()) == before


def test_a_batch_is_written_whole_or_not_at_all(databases: RedisDatabases, commits: RedisCommits) -> None:
    admissions = RedisAdmissions(databases)
    jobs = [scan_job(admissions, f"{n}.jpg") for n in range(3)]
    batch = [
        to_scanned(job, start.image_ticket, analysis(5.0 * n))
        for n, (job, start) in enumerate(zip(jobs, commits.begin(jobs), strict=True))
    ]
    admissions.erase(DEFAULT_OWNER, jobs[1].hash)
    assert commits.commit(batch, 0) == Obsolete(frozenset({(DEFAULT_OWNER, jobs[1].hash)}))
    assert databases.client(FACES).dbsize() == 0
    assert commits.commit([batch[0], batch[2]], 0) == Written(2)


def test_a_link_to_an_image_that_is_not_there_is_refused(databases: RedisDatabases, commits: RedisCommits) -> None:
    job = scan_job(RedisAdmissions(databases), "a.jpg")
    ghost = replace(to_scanned(job, commits.begin([job])[0].image_ticket, analysis(0.0)), links=frozenset({999}))
    with pytest.raises(InternalError, match="999"):
        commits.commit([ghost], 0)
    assert databases.client(FACES).dbsize() == 0


def test_an_image_with_more_faces_and_links_than_one_command_takes(databases: RedisDatabases) -> None:
    admissions, commits = RedisAdmissions(databases), RedisCommits(databases, links_kept=10_000)
    jobs = [scan_job(admissions, f"{n}.jpg") for n in range(2500)]
    starts = commits.begin(jobs)
    position = 0
    for first in range(0, len(jobs), 500):
        batch: list[Scanned] = [
            to_scanned(job, start.image_ticket, analysis(0.0))
            for job, start in zip(jobs[first : first + 500], starts[first : first + 500], strict=True)
        ]
        written = commits.commit(batch, position)
        assert isinstance(written, Written)
        position = written.position
    crowd = scan_job(admissions, "crowd.jpg")
    places = np.arange(2100) * 2.0
    scanned = to_scanned(crowd, commits.begin([crowd])[0].image_ticket, analysis(*places))
    commits.commit([replace(scanned, links=frozenset(start.image_ticket for start in starts))], position)
    assert databases.client(FACES).llen(crowd.hash) == 2100
    assert len(admissions.matching_names(DEFAULT_OWNER, crowd.hash)) == 2500


def test_an_index_that_fell_too_far_behind_is_told(databases: RedisDatabases, scan: Scan) -> None:
    for n in range(5):
        scan(f"{n}.jpg", n * 3.0)
    databases.client(OWN).xtrim("journal", maxlen=2, approximate=False)
    journal = RedisJournal(databases)
    assert isinstance(journal.since(0), JournalGap)
    assert [entry.position for entry in journal.since(3)] == [4, 5]  # type: ignore[union-attr]
    assert isinstance(journal.since(9), JournalGap), "a store that lost its data is behind the index"


def test_a_rule_behind_a_trimmed_journal_loads_anew(databases: RedisDatabases, scan: Scan) -> None:
    late = ScanRule(RedisCommits(databases), RedisJournal(databases), 0.6)
    late.load()
    for n in range(5):
        scan(f"{n}.jpg", n * 3.0)
    databases.client(OWN).xtrim("journal", maxlen=1, approximate=False)
    job = scan_job(RedisAdmissions(databases), "new.jpg")
    start = RedisCommits(databases).begin([job])[0]
    outcome = late.finish([to_scanned(job, start.image_ticket, analysis(3.1))])
    assert len(outcome.written[0].links) == 1
    assert late.index.face_ids(DEFAULT_OWNER, Model.HOG).size == 6


def test_pages_of_images(admissions: RedisAdmissions, scan: Scan) -> None:
    jobs = [scan(f"holiday/{n:02}.jpg", 3.0 * n) for n in range(7)]
    newest_first = [job.hash for job in reversed(jobs)]
    seen, cursor = [], ""
    while True:
        page, cursor = admissions.images(DEFAULT_OWNER, None, None, 3, cursor)
        seen += [image["hash"] for image in page]
        if not cursor:
            break
        scan("later.jpg", -3.0 * len(seen))
    assert seen == newest_first
    page, cursor = admissions.images(DEFAULT_OWNER, "done", "holiday/0", 4, "")
    assert [image["names"] for image in page] == [[f"holiday/{n:02}.jpg"] for n in range(4)]
    page, cursor = admissions.images(DEFAULT_OWNER, "done", "holiday/0", 4, cursor)
    assert ([image["names"][0] for image in page], cursor) == (
        ["holiday/04.jpg", "holiday/05.jpg", "holiday/06.jpg"],
        "",
    )
    assert admissions.images(DEFAULT_OWNER, "failed", None, 5, "") == ([], "")
    for state, name, wrong in (("lost", None, ""), (None, None, "x"), (None, None, "١"), (None, "holiday", "x")):
        with pytest.raises(BadParam):
            admissions.images(DEFAULT_OWNER, state, name, 5, wrong)


def test_urls_that_were_scanned_are_known(admissions: RedisAdmissions, scan: Scan) -> None:
    job = scan("https://example.org/a.jpg", 0.0)
    assert admissions.known_url(DEFAULT_OWNER, "https://example.org/a.jpg") == job.hash
    assert admissions.known_url(DEFAULT_OWNER, "https://example.org/b.jpg") is None
    assert admissions.known_url("bob", "https://example.org/a.jpg") is None


def test_every_change_of_state_is_announced(databases: RedisDatabases, scan: Scan) -> None:
    with databases.client(OWN).pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("events")
        listener.get_message(timeout=5)
        job = scan("a.jpg", 0.0)
        states = [json.loads(listener.get_message(timeout=5)["data"]) for _ in range(3)]
    assert [state["state"] for state in states] == ["queued", "processing", "done"]
    assert {(state["owner"], state["hash"]) for state in states} == {(DEFAULT_OWNER, job.hash)}


def test_scripts_are_loaded_again_after_a_restart(databases: RedisDatabases, admissions: RedisAdmissions) -> None:
    admissions.admit(DEFAULT_OWNER, "0" * 64, "a.jpg")
    databases.client(OWN).script_flush()
    assert admissions.admit(DEFAULT_OWNER, "0" * 64, "a.jpg").state == "new"


def test_tokens_belong_to_owners_and_only_their_hashes_are_kept(databases: RedisDatabases) -> None:
    tokens = RedisTokens(databases)
    assert not tokens.any()
    token = tokens.create("bob", "laptop")
    assert tokens.any()
    assert (tokens.owner_of(token), tokens.owner_of(token + "x"), tokens.owner_of("")) == ("bob", None, None)
    assert token.encode() not in str(databases.client(OWN).hgetall("tokens")).encode()
    (digest,) = tokens.list()
    assert tokens.revoke(digest[:12])
    assert not tokens.any()


def test_the_first_token_of_another_process_is_seen_within_a_second(
    databases: RedisDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("facerec.adapters.redis.tokens.monotonic", lambda: now)
    front, command = RedisTokens(databases), RedisTokens(databases)
    assert not front.any()
    command.create("bob")
    now += ANY_AGE
    assert front.any()
    command.revoke(*command.list())
    now += ANY_AGE
    assert not front.any()


def test_a_worker_is_known_until_it_goes_or_is_silent(databases: RedisDatabases) -> None:
    workers = RedisWorkers(databases)
    workers.alive("one", {"faces": 3}, 60)
    workers.alive("two", {}, 60)
    workers.alive("ill", {"problem": "no model"}, 60)
    workers.alive("new", {"loading": "3 of 9"}, 60)
    assert workers.workers() == {
        "one": {"faces": 3},
        "two": {},
        "ill": {"problem": "no model"},
        "new": {"loading": "3 of 9"},
    }
    for name in ("two", "ill", "new"):
        workers.gone(name)
    databases.client(OWN).delete("worker:one")
    assert workers.workers() == {}
    workers.alive("next", {}, 60)
    assert databases.client(OWN).smembers("workers") == {b"next"}
