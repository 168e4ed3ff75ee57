"""Changes of state, counts and sessions: on a real Redis."""

from __future__ import annotations

import pytest
import redis

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisChanges,
    RedisCommits,
    RedisDatabases,
    RedisJournal,
    RedisOverview,
    RedisSessions,
    RedisTokens,
)
from facerec.errors import StoreUnavailable
from facerec.local.servers import RedisServer
from facerec.ports import Change
from facerec.rule import ScanRule, to_scanned
from tests.conftest import redis_settings_of
from tests.faces import analysis, scan_job


@pytest.fixture
def admissions(databases: RedisDatabases) -> RedisAdmissions:
    return RedisAdmissions(databases)


def test_every_change_after_subscribing_is_told(databases: RedisDatabases, admissions: RedisAdmissions) -> None:
    commits = RedisCommits(databases)
    rule = ScanRule(commits, RedisJournal(databases), 0.6)
    rule.load()
    subscription = RedisChanges(databases).subscribe()

    job = scan_job(admissions, "a.jpg", owner="alice")
    rule.finish([to_scanned(job, commits.begin([job])[0].image_ticket, analysis(1.0))])
    admissions.erase("alice", job.hash)

    told = [subscription.next(10) for _ in range(4)]
    assert told == [Change("alice", job.hash, state) for state in ("queued", "processing", "done", "erased")]
    assert subscription.next(0.01) is None
    subscription.close()


@pytest.mark.parametrize("text", ["hello", "[1]", "{}", '{"owner": 1, "hash": [], "state": null}', b"\xff"])
def test_what_another_program_says_on_the_channel_is_no_change(
    databases: RedisDatabases, admissions: RedisAdmissions, text: str | bytes
) -> None:
    """Channels belong to the server, not to a database."""
    subscription = RedisChanges(databases).subscribe()
    databases.client().publish("events", text)
    job = scan_job(admissions, "a.jpg", owner="alice")

    assert [subscription.next(10) for _ in range(2)] == [None, Change("alice", job.hash, "queued")]
    subscription.close()


def test_a_subscription_that_was_cut_says_so(databases: RedisDatabases, admissions: RedisAdmissions) -> None:
    subscription = RedisChanges(databases).subscribe()
    client: redis.Redis = databases.client()
    client.client_kill_filter(_type="pubsub")

    with pytest.raises(StoreUnavailable):
        subscription.next(10)
    subscription.close()


def test_no_subscription_without_redis(own_redis: RedisServer) -> None:
    databases = RedisDatabases(redis_settings_of(own_redis))
    own_redis.kill()

    with pytest.raises(StoreUnavailable):
        RedisChanges(databases).subscribe()
    databases.close()


def test_counts_and_summaries(databases: RedisDatabases, admissions: RedisAdmissions) -> None:
    commits = RedisCommits(databases)
    rule = ScanRule(commits, RedisJournal(databases), 0.6)
    rule.load()
    done, started, failed, queued = (scan_job(admissions, f"{n}.jpg") for n in range(4))
    rule.finish([to_scanned(done, commits.begin([done])[0].image_ticket, analysis(1.0))])
    commits.begin([started, failed])
    commits.fail(failed, "CHILD_DIED", "it died")
    scan_job(admissions, "other.jpg", owner="other")

    overview = RedisOverview(databases)

    assert overview.counts("default") == {"queued": 1, "processing": 1, "failed": 1, "done": 1}
    assert overview.counts("nobody") == {"queued": 0, "processing": 0, "failed": 0, "done": 0}
    found = overview.summaries("default", [failed.hash, "0" * 64, queued.hash])
    assert [(entry["hash"], entry["state"], entry["reason"]) for entry in found] == [
        (failed.hash, "failed", "CHILD_DIED"),
        (queued.hash, "queued", None),
    ]
    assert overview.summaries("other", [queued.hash]) == []


def test_every_face_has_its_own_matches(databases: RedisDatabases, admissions: RedisAdmissions) -> None:
    commits = RedisCommits(databases)
    rule = ScanRule(commits, RedisJournal(databases), 0.6)
    rule.load()

    def scan(name: str, *places: float, owner: str = "default") -> str:
        job = scan_job(admissions, name, owner=owner)
        rule.finish([to_scanned(job, commits.begin([job])[0].image_ticket, analysis(*places))])
        return job.hash

    both = scan("both.jpg", 1.0, 5.0)
    one, two = scan("one.jpg", 1.25), scan("two.jpg", 5.5, 1.125)
    scan("other.jpg", 1.0, owner="other")
    scan("far.jpg", 9.0)
    overview = RedisOverview(databases)

    found = overview.face_matches("default", both, 0.6, 10)

    assert found is not None
    first, second = found.values()
    assert [(match["names"], match["distance"]) for match in first] == [(["two.jpg"], 0.125), (["one.jpg"], 0.25)]
    assert [(match["hash"], match["distance"]) for match in second] == [(two, 0.5)]
    assert overview.face_matches("default", both, 0.2, 10) == {
        face: [match for match in matches if match["distance"] <= 0.2] for face, matches in found.items()
    }
    limited = overview.face_matches("default", both, 0.6, 1)
    assert limited is not None
    assert [len(matches) for matches in limited.values()] == [1, 1]
    assert overview.face_matches("other", both, 0.6, 10) is None
    alone = overview.face_matches("default", one, 0.6, 10)
    assert alone is not None
    assert [match["hash"] for match in next(iter(alone.values()))] == [two, both]


def test_sessions(databases: RedisDatabases) -> None:
    tokens = RedisTokens(databases)
    sessions = RedisSessions(databases, tokens)
    token = tokens.create("alice")

    assert sessions.open("wrong", 60) is None
    secret = sessions.open(token, 60)
    assert secret
    assert sessions.owner_of(secret) == "alice"
    assert sessions.owner_of("wrong") is None
    (key,) = databases.client().keys("session:*")
    assert secret.encode() not in key + databases.client().get(key)

    sessions.close(secret)
    assert sessions.owner_of(secret) is None


def test_a_session_expires_and_ends_with_its_token(databases: RedisDatabases) -> None:
    tokens = RedisTokens(databases)
    sessions = RedisSessions(databases, tokens)
    secret = sessions.open(tokens.create("alice"), 60)
    assert secret
    (key,) = databases.client().keys("session:*")
    assert 0 < databases.client().pttl(key) <= 60_000

    (digest,) = tokens.list()
    tokens.revoke(digest)

    assert sessions.owner_of(secret) is None
