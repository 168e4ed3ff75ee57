"""A store at work has no faults, and fsck says so at every look; a fault that is there it finds all the same."""

from __future__ import annotations

from facerec.adapters.redis import RedisAudit, RedisDatabases, RedisJournal, RedisRepairs
from facerec.adapters.redis.layout import LINKS, OWN
from facerec.services.fsck import Fsck, Report
from facerec.services.links import LinkCheck
from tests.client import wait_until
from tests.live_work import LiveWork

LOOKS = 12


def check(databases: RedisDatabases, fix: bool = False) -> Report:
    audit = RedisAudit(databases)
    return Fsck(audit, RedisRepairs(databases), LinkCheck(audit, RedisJournal(databases), 0.6)).run(fix)


def test_a_store_at_work_has_no_faults(databases: RedisDatabases) -> None:
    with LiveWork(databases) as work:
        wait_until(lambda: work.done.get("correct", 0) > 100 and work.done.get("upload", 0) > 100, "there is some work")
        reports = [check(databases, fix=number % 2 == 1) for number in range(LOOKS)]
        done = dict(work.done)
    assert [fault for report in reports for fault in report.found] == []
    assert all(done[kind] > 100 for kind in ("upload", "correct", "enrol", "contact")), done
    assert check(databases).found == []


def test_a_fault_is_found_and_repaired_while_others_work(databases: RedisDatabases) -> None:
    with LiveWork(databases, seed=2) as work:
        wait_until(lambda: work.done.get("correct", 0) > 100 and work.done.get("upload", 0) > 100, "there is some work")
        client = databases.client(OWN)
        client.hset("faces:person", f"{4096 << 30}", "7")
        client.zadd("people:hidden", {"0000000002:0000000000000001": 0})
        databases.client(LINKS).sadd("f" * 64, "e" * 64)

        report = check(databases, fix=True)

        assert {fault.invariant for fault in report.found} == {"people", "strays"}
        assert len(report.found) >= 3
        assert report.left == []
    assert check(databases).found == []
