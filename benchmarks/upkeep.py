"""What looking after many pictures costs: ``python -m benchmarks.upkeep [--images 200000]``.

Commits pictures of one face each (every tenth person is in ten of them) into a private Redis, then loads the index, checks
everything with ``facerec fsck`` and copies everything out with ``facerec export``, by the code of those commands. Then, in
another Redis, what is large by itself: a picture under very many names, a name of very many pictures, a gallery of very many
faces, and persons of very many faces. While each runs, Redis notes its slowest command, and a second client pings it every few
milliseconds and notes the longest wait. The last line is JSON.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.common import print_json, print_table, timed
from benchmarks.crowd import LENGTH, TOLERANCE, Store, directions, store
from facerec.adapters.redis import (
    RedisArchive,
    RedisAudit,
    RedisDatabases,
    RedisFaceBook,
    RedisJournal,
    RedisPeople,
    RedisRepairs,
)
from facerec.adapters.redis.layout import HASH_TO_NAMES, LINKS, OWN
from facerec.adapters.redis.names import repair_name
from facerec.audit import Fault
from facerec.encodings import Encodings
from facerec.identity import DEFAULT_OWNER, FACES_PER_IMAGE
from facerec.jobs import ScanJob
from facerec.loading import load_index
from facerec.ports import Scanned
from facerec.services.export import Copied, export_lines
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck

AT_ONCE = 32
PICTURES = 10
PAUSE = 0.005
Item = TypeVar("Item")


@dataclass(frozen=True)
class Chore:
    """One of the things done: seconds, the slowest command and the longest wait of another client in milliseconds."""

    name: str
    seconds: float
    slowest: float
    slow: int
    waited: float


def encodings_of(count: int) -> Encodings:
    """Of a hundred pictures ten in a row show one person; the others are of strangers."""
    rows = directions(count, 1) * np.float32(LENGTH)
    number = np.arange(count)
    members = number % (PICTURES * PICTURES) < PICTURES
    rows[members] = rows[(number - number % PICTURES)[members]]
    rows[members] += directions(int(members.sum()), 2) * np.float32(0.28)
    return rows


def fill(known: Store, count: int) -> None:
    encodings = encodings_of(count)
    for start in range(0, count, AT_ONCE):
        known.rule.finish([known.begun(row)[1] for row in encodings[start : start + AT_ONCE]])


@contextmanager
def pinging(databases: RedisDatabases) -> Iterator[list[float]]:
    """The longest wait for a PING so far, in milliseconds."""
    longest, ended = [0.0], threading.Event()

    def ping() -> None:
        while not ended.wait(PAUSE):
            longest[0] = max(longest[0], 1000 * timed(databases.ping))

    thread = threading.Thread(target=ping)
    thread.start()
    yield longest
    ended.set()
    thread.join()


def chore(name: str, known: Store, work: Callable[[], object]) -> Chore:
    known.forget_times()
    with pinging(known.databases) as longest:
        seconds = timed(work)
    return Chore(name, seconds, known.longest_command(), known.slow_commands(), longest[0])


def chores(known: Store) -> list[Chore]:
    databases = known.databases

    def check() -> None:
        audit = RedisAudit(databases)
        report = Fsck(audit, RedisRepairs(databases), LinkCheck(audit, RedisJournal(databases), TOLERANCE)).run()
        assert report.clean, report.document()

    def export() -> None:
        copied = Copied()
        assert sum(1 for _ in export_lines(RedisArchive(databases), copied)) > copied.images > 0

    return [
        chore("load the index", known, lambda: load_index(RedisJournal(databases))),
        chore("fsck", known, check),
        chore("export", known, export),
    ]


def names_chores(known: Store, count: int) -> list[Chore]:
    """A picture under so many names: finished, shown, checked, copied out and erased; and another, found to be damaged."""
    databases, admissions = known.databases, known.admissions
    job, scanned = sent_often(known, count, seed=3)
    other, scanned_too = sent_often(known, count, seed=4)
    fault = Fault("documents", "document", other.owner, other.hash, other.hash, "its state is not known")

    def damage() -> None:
        known.rule.finish([scanned_too])
        databases.client(OWN).hset(f"image:{other.hash}", "state", "odd")

    done = [
        chore("finish a picture of many names", known, lambda: known.rule.finish([scanned])),
        chore("show it", known, lambda: admissions.image(job.owner, job.hash)),
        chore("check it", known, lambda: RedisAudit(databases).inspect(job.owner, [job.hash])),
        chore("copy it out", known, lambda: list(RedisArchive(databases).images(job.ticket))),
        chore("erase it", known, lambda: admissions.erase(job.owner, job.hash)),
    ]
    damage()
    return [*done, chore("take out a damaged one", known, lambda: RedisRepairs(databases).repair(fault))]


def sent_often(known: Store, count: int, seed: int) -> tuple[ScanJob, Scanned]:
    """A picture of one face that was sent under so many names, and is not finished."""
    job, scanned = known.begun(directions(1, seed)[0])
    for some in _parts([f"holiday/{seed}/again/picture {number:06}.jpg" for number in range(count)]):
        known.databases.client(OWN).hset(f"names:{job.hash}", mapping=dict.fromkeys(some, job.ticket))
    return job, scanned


def holders_chore(known: Store, count: int) -> Chore:
    """A name of so many pictures, of which only what bears on names is there."""
    name = "photo.jpg"
    for some in _parts([f"{number:064x}" for number in range(count)]):
        with (
            known.databases.client(OWN).pipeline(transaction=False) as own,
            known.databases.client(HASH_TO_NAMES).pipeline(transaction=False) as hash_to_names,
        ):
            for key in some:
                own.hset(f"image:{key}", mapping={"state": "done", "ticket": int(key, 16) + 1})
                own.hset(f"names:{key}", name, int(key, 16) + 1)
                own.zadd(f"holders:{name}", {key: int(key, 16) + 1})
                hash_to_names.sadd(key, name)
            own.execute()
            hash_to_names.execute()
    return chore("repair a name of many pictures", known, lambda: repair_name(known.databases, DEFAULT_OWNER, name, []))


def gallery_chore(known: Store, count: int) -> Chore:
    """A gallery of so many faces, each with a meta of its own and in another gallery, too."""
    book = RedisFaceBook(known.databases)
    book.add_gallery(DEFAULT_OWNER, "large")
    for some in _parts([FACES_PER_IMAGE * number for number in range(1, count + 1)]):
        with known.databases.client(OWN).pipeline(transaction=False) as pipeline:
            for face in some:
                pipeline.hset(f"face:{face}", mapping={"meta": f"m{face}", "galleries": "small,large"})
                pipeline.hset("gallery:large:metas", f"m{face}", 1)
                pipeline.zadd("gallery:large", {str(face): face})
            pipeline.execute()
    return chore("remove a large gallery", known, lambda: book.remove_gallery(DEFAULT_OWNER, "large"))


def people_chores(known: Store, count: int) -> list[Chore]:
    """Two persons of so many faces each, of which only what bears on people is there."""
    people = RedisPeople(known.databases)
    one, other = (person_of_many(known, number, count) for number in (1, 2))
    owner = DEFAULT_OWNER
    return [
        chore("name a person of many faces", known, lambda: people.edit(owner, one, name="Ann")),
        chore("hide it", known, lambda: people.edit(owner, one, hidden=True)),
        chore("take its name away", known, lambda: people.edit(owner, one, name="", hidden=False)),
        chore("merge it into another", known, lambda: people.merge(owner, one, other)),
        chore("take the merging back", known, lambda: people.undo(owner)),
    ]


def person_of_many(known: Store, person: int, count: int) -> int:
    """A person without a name, of so many faces."""
    client = known.databases.client(OWN)
    for some in _parts([FACES_PER_IMAGE * (count * person + number) for number in range(count)]):
        scored = {str(face): face for face in some}
        with client.pipeline(transaction=False) as pipeline:
            pipeline.zadd(f"person:{person}:faces", scored)
            pipeline.zadd("faces:unknown", scored)
            pipeline.hset("faces:person", mapping=dict.fromkeys(scored, str(person)))
            pipeline.execute()
    place = f"{count:010}:{person:016}"
    client.hset(f"person:{person}", mapping={"created_at": 1, "changed_at": 1, "listed": f"unnamed {place}"})
    client.zadd("people:unnamed", {place: 0})
    return person


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), 1000):
        yield items[start : start + 1000]


def large(names: int, faces: int, of_person: int) -> list[Chore]:
    with store() as known:
        return [
            *names_chores(known, names),
            holders_chore(known, names),
            gallery_chore(known, faces),
            *people_chores(known, of_person),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upkeep", description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--names", type=int, default=100_000, help="of one picture, and pictures of one name")
    parser.add_argument("--gallery", type=int, default=1_000_000, help="faces of the gallery that is removed")
    parser.add_argument("--person", type=int, default=100_000, help="faces of each of two persons")
    arguments = parser.parse_args()
    images = arguments.images
    with store() as known:
        begun = time.perf_counter()
        fill(known, images)
        print(f"committing {images} pictures took {time.perf_counter() - begun:.0f} s", flush=True)
        used = known.memory()
        done = chores(known)
        linked = known.databases.client(LINKS).dbsize()
    done += large(arguments.names, arguments.gallery, arguments.person)
    print_table(
        [(each.name, f"{each.seconds:.1f}", f"{each.slowest:.1f}", each.slow, f"{each.waited:.1f}") for each in done],
        ("what", "seconds", "slowest command ms", "over 50 ms", "longest ping ms"),
    )
    print(f"Redis holds {used / 1e6:.0f} MB, {used / images:.0f} bytes a picture; {linked} pictures have matches")
    print_json(
        {
            "images": images,
            "names": arguments.names,
            "gallery": arguments.gallery,
            "person": arguments.person,
            "redis_bytes_per_image": round(used / images),
            "slowest_ms": round(max(each.slowest for each in done), 1),
            "slow_commands": sum(each.slow for each in done),
            "seconds": {each.name: round(each.seconds, 1) for each in done},
        }
    )


if __name__ == "__main__":
    main()
