"""What is copied out of a store at work makes, copied in, a store without faults."""

from __future__ import annotations

import threading
import time

import pytest

from facerec.adapters.redis import (
    RedisArchive,
    RedisAudit,
    RedisDatabases,
    RedisJournal,
    RedisRepairs,
    RedisRestoration,
)
from facerec.adapters.redis.layout import OWN
from facerec.adapters.redis.people_notes import PeopleNotes
from facerec.errors import StoreUnavailable
from facerec.services.export import Copied, export_lines, import_lines
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from tests.client import wait_until
from tests.live_work import LiveWork
from tests.people_stage import Stage

ROUNDS = 3


def copied(databases: RedisDatabases, slowly: bool = False) -> list[bytes]:
    copied = Copied()
    lines = []
    for line in export_lines(RedisArchive(databases), copied):
        lines.append(line.encode())
        # Others have their turn between any two lines, as when an archive takes long.
        time.sleep(0.004 if slowly else 0)
    assert copied.damaged == []
    return lines


def faults(databases: RedisDatabases) -> list[str]:
    audit = RedisAudit(databases)
    links = LinkCheck(audit, RedisJournal(databases), 0.6)
    return [fault.detail for fault in Fsck(audit, RedisRepairs(databases), links, ()).run().found]


def test_a_copy_of_a_store_at_work_has_no_faults(databases: RedisDatabases, other: RedisDatabases) -> None:
    with LiveWork(databases) as work:
        wait_until(lambda: work.done.get("correct", 0) > 100 and work.done.get("upload", 0) > 100, "there is some work")
        archives = [copied(databases) for _ in range(ROUNDS)]
        done = dict(work.done)
    assert all(done[kind] > 100 for kind in ("upload", "correct", "enrol", "contact")), done
    for archive in archives:
        other.client(OWN).flushall()
        assert import_lines(archive, RedisRestoration(other)).damaged == []
        assert faults(other) == []


def test_the_people_of_a_copy_are_those_of_one_moment(
    databases: RedisDatabases, other: RedisDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person is parted in two and made whole again, without pause: a copy has the one or the other, never a mixture."""
    # As if there were so many faces that their persons are read in parts.
    monkeypatch.setattr("facerec.adapters.redis.archive._PAGE", 8)
    setting = "hash-max-listpack-entries"
    kept = databases.client(OWN).config_get(setting)[setting]
    databases.client(OWN).config_set(setting, 8)
    stage = Stage(databases)
    for number in range(100):
        stage.scan(number / 1000)
    stage.group()
    [faces] = stage.groups()
    odd, even = faces[::2], faces[1::2]
    stage.people.edit("default", 1, name="Ann")
    changes = 0
    stop = threading.Event()

    def change() -> None:
        nonlocal changes
        while not stop.is_set():
            new = stage.people.split("default", 1, odd)
            stage.people.edit("default", new, name="Bea")
            stage.people.merge("default", new, 1, "Ann")
            changes += 1

    changing = threading.Thread(target=change)
    changing.start()
    try:
        wait_until(lambda: changes > 10, "it changes")
        archives = [copied(databases, slowly=True) for _ in range(3)]
    finally:
        stop.set()
        changing.join(30)
        databases.client(OWN).config_set(setting, kept)

    for archive in archives:
        other.client(OWN).flushall()
        assert import_lines(archive, RedisRestoration(other)).damaged == []
        assert faults(other) == []
        copy = Stage(other)
        persons = copy.people.people("default", named=None, hidden=False, name=None, limit=9, cursor="")[0]
        found = tuple(sorted(((person["name"], person["faces"]) for person in persons), key=str))
        assert found in {(("Ann", 100),), (("Ann", 50), (None, 50)), (("Ann", 50), ("Bea", 50))}
        assert copy.groups() == ([faces] if len(found) == 1 else sorted([odd, even]))
    assert not [key for key in databases.client(OWN).scan_iter() if b"people:before" in key or b"people:copies" in key]


def test_a_copy_that_is_given_up_leaves_nothing(databases: RedisDatabases) -> None:
    stage = Stage(databases)
    stage.scan(0.0)
    lines = export_lines(RedisArchive(databases), Copied())
    next(lines)
    assert databases.client(OWN).exists("people:copies")
    lines.close()
    assert not [key for key in databases.client(OWN).scan_iter() if b"people:before" in key or b"people:copies" in key]


def test_notes_for_a_copy_that_died_are_made_no_more(databases: RedisDatabases) -> None:
    stage = Stage(databases)
    stage.scan(0.0)
    notes = PeopleNotes(databases, ["default"])
    notes.begin()
    (key,) = databases.client(OWN).scan_iter(match="people:before:*")
    assert 0 < databases.client(OWN).ttl(key) <= 600
    databases.client(OWN).delete(key)

    stage.group()

    assert not databases.client(OWN).exists(key, "people:copies")
    with pytest.raises(StoreUnavailable, match="begin anew"):
        list(notes.end())
