"""Notices of finished and failed images: none lost, each claimed by one; on a real Redis."""

from __future__ import annotations

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisJournal, RedisWebhooks
from facerec.jobs import ScanJob
from facerec.rule import ScanRule, to_scanned
from tests.client import wait_until
from tests.faces import analysis, scan_job

URL = "https://example.org/hook"


@pytest.fixture
def webhooks(databases: RedisDatabases) -> RedisWebhooks:
    return RedisWebhooks(databases)


@pytest.fixture
def commits(databases: RedisDatabases) -> RedisCommits:
    return RedisCommits(databases)


class Scanner:
    """Brings images to an end."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.admissions = RedisAdmissions(databases)
        self._commits = RedisCommits(databases)
        self._rule = ScanRule(self._commits, RedisJournal(databases), 0.6)
        self._rule.load()

    def done(self, name: str, owner: str = "default") -> ScanJob:
        job = scan_job(self.admissions, name, owner=owner)
        self._rule.finish([to_scanned(job, self._commits.begin([job])[0].image_ticket, analysis(1.0))])
        return job

    def failed(self, name: str, owner: str = "default", body: bytes | None = None) -> ScanJob:
        job = scan_job(self.admissions, name, body, owner)
        self._commits.begin([job])
        self._commits.fail(job, "CHILD_DIED", "it died")
        return job


@pytest.fixture
def scanner(databases: RedisDatabases) -> Scanner:
    return Scanner(databases)


def test_set_get_remove(webhooks: RedisWebhooks) -> None:
    assert webhooks.get("alice") is None
    webhooks.set("alice", URL, "secret")
    assert webhooks.get("alice") == {"url": URL, "secret": "secret"}
    assert webhooks.get("default") is None
    assert webhooks.remove("alice")
    assert not webhooks.remove("alice")


@pytest.mark.parametrize("owner", ["default", "alice"])
def test_done_and_failed_are_due_for_who_wants_to_know(webhooks: RedisWebhooks, scanner: Scanner, owner: str) -> None:
    scanner.done("before.jpg", owner)
    webhooks.set(owner, URL, "secret")
    done, failed = scanner.done("a.jpg", owner), scanner.failed("b.jpg", owner)
    scanner.done("c.jpg", "nobody")

    due = webhooks.due(10, 60)

    assert [(notice.hash, notice.state) for notice in due] == [(done.hash, "done"), (failed.hash, "failed")]
    assert {(notice.owner, notice.attempt, notice.url, notice.secret) for notice in due} == {(owner, 1, URL, "secret")}


def test_what_is_claimed_is_not_due(webhooks: RedisWebhooks, scanner: Scanner) -> None:
    webhooks.set("default", URL, "secret")
    for number in range(5):
        scanner.done(f"{number}.jpg")

    assert [len(webhooks.due(2, 60)) for _ in range(4)] == [2, 2, 1, 0]


def test_a_claim_that_nobody_settles_is_due_again(webhooks: RedisWebhooks, scanner: Scanner) -> None:
    webhooks.set("default", URL, "secret")
    scanner.done("a.jpg")

    (first,) = webhooks.due(10, 0.0)
    (second,) = webhooks.due(10, 60)

    assert (first.attempt, second.attempt) == (1, 2)
    webhooks.settle(first, 200, "")
    assert webhooks.get("default") is not None
    webhooks.postpone(second, 0.0, 500, "no")
    assert [notice.attempt for notice in webhooks.due(10, 60)] == [3], "the late first call settled nothing"


def test_what_is_settled_is_gone(databases: RedisDatabases, webhooks: RedisWebhooks, scanner: Scanner) -> None:
    webhooks.set("default", URL, "secret")
    scanner.done("a.jpg"), scanner.done("b.jpg")
    first, second = webhooks.due(10, 0.0)

    webhooks.settle(first, 204, "")
    webhooks.skip(second)

    assert list(webhooks.due(10, 60)) == []
    assert sorted(databases.client().keys("webhook*")) == [b"webhook", b"webhooks:claims"]
    kept = webhooks.get("default")
    assert kept is not None
    assert (kept["last_status"], kept["last_error"]) == ("204", "")


def test_what_is_postponed_comes_again(webhooks: RedisWebhooks, scanner: Scanner) -> None:
    webhooks.set("default", URL, "secret")
    scanner.done("a.jpg")
    (first,) = webhooks.due(10, 60)

    webhooks.postpone(first, 0.05, None, "no connection")

    wait_until(lambda: bool(webhooks.due(10, 0.0)), "it is due again", seconds=10)
    kept = webhooks.get("default")
    assert kept is not None
    assert (kept["last_status"], kept["last_error"]) == ("", "no connection")


def test_a_second_failure_in_mid_call_is_told_too(webhooks: RedisWebhooks, scanner: Scanner) -> None:
    webhooks.set("default", URL, "secret")
    body = scanner.failed("a.jpg").body
    (first,) = webhooks.due(10, 60)

    scanner.failed("a.jpg", body=body)
    webhooks.settle(first, 200, "")

    assert [notice.attempt for notice in webhooks.due(10, 60)] == [1]


def test_a_removed_webhook_is_not_called(databases: RedisDatabases, webhooks: RedisWebhooks, scanner: Scanner) -> None:
    webhooks.set("default", URL, "secret")
    scanner.done("a.jpg")
    webhooks.remove("default")

    assert list(webhooks.due(10, 60)) == []
    assert databases.client().keys("webhook*") == []


def test_an_owner_of_very_many_keeps_no_other_waiting(webhooks: RedisWebhooks, scanner: Scanner) -> None:
    for owner in ("alice", "bob", "carol"):
        webhooks.set(owner, URL, "secret")
    for number in range(12):
        scanner.done(f"{number}.jpg", "alice")
    scanner.done("b.jpg", "bob")
    scanner.done("c.jpg", "carol")

    assert [notice.owner for notice in webhooks.due(8, 60, 4)] == [*4 * ["alice"], "bob", "carol"]
    assert list(webhooks.due(8, 60, 4, {"alice": 4})) == []
    assert [notice.owner for notice in webhooks.due(8, 60, 4, {"alice": 1})] == 3 * ["alice"]
    scanner.done("d.jpg", "carol")
    assert [notice.owner for notice in webhooks.due(1, 60, 4, {"alice": 4})] == ["carol"]


def test_owners_have_their_turns(webhooks: RedisWebhooks, scanner: Scanner) -> None:
    """Not the one of the oldest notices again and again."""
    for owner in ("alice", "bob", "carol"):
        webhooks.set(owner, URL, "secret")
        for number in range(3):
            scanner.done(f"{number}.jpg", owner)

    told = [notice.owner for _ in range(9) for notice in webhooks.due(1, 60, 4)]

    assert [sorted(told[start : start + 3]) for start in (0, 3, 6)] == 3 * [["alice", "bob", "carol"]]


def test_a_notice_of_later_is_due_beside_one_that_was_put_off_for_long(
    webhooks: RedisWebhooks, scanner: Scanner
) -> None:
    webhooks.set("alice", URL, "secret")
    scanner.done("a.jpg", "alice")
    (first,) = webhooks.due(10, 60)
    webhooks.postpone(first, 3600.0, 500, "no")
    assert list(webhooks.due(10, 60)) == []

    later = scanner.done("b.jpg", "alice")

    assert [notice.hash for notice in webhooks.due(10, 60)] == [later.hash]


def test_what_a_worker_of_the_release_before_has_in_hand_is_left_to_it(
    databases: RedisDatabases, webhooks: RedisWebhooks, scanner: Scanner
) -> None:
    """It knows one list for all owners, where what it claimed is due again when its lease ends."""
    webhooks.set("alice", URL, "secret")
    job = scanner.done("a.jpg", "alice")
    member = f"alice\x1fdone:{job.hash}"
    seconds, _ = databases.client().time()
    databases.client().zadd("webhooks:due", {member: seconds + 600})
    databases.client().hset("webhooks:tries", member, "1 1")
    assert list(webhooks.due(10, 60)) == []

    databases.client().zadd("webhooks:due", {member: seconds - 1})

    assert [notice.attempt for notice in webhooks.due(10, 60)] == [2]


def test_those_of_an_owner_without_a_webhook_are_forgotten_beside_others(
    databases: RedisDatabases, webhooks: RedisWebhooks, scanner: Scanner
) -> None:
    for owner in ("alice", "bob"):
        webhooks.set(owner, URL, "secret")
        for number in range(5):
            scanner.done(f"{number}.jpg", owner)
    webhooks.due(4, 0.0, 2)
    webhooks.remove("alice")

    found = [notice for _ in range(5) for notice in webhooks.due(2, 60, 1)]

    assert [notice.owner for notice in found] == 5 * ["bob"]
    assert databases.client().keys("alice*webhook*") == []
    assert not any(b"alice" in member for member in databases.client().hkeys("webhooks:tries"))
