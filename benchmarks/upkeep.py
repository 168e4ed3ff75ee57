"""What looking after many pictures costs: ``python -m benchmarks.upkeep [--images 200000]``.

Commits pictures of one face each (every tenth person is in ten of them) into a private Redis, then loads the index, checks
everything with ``facerec fsck`` and copies everything out with ``facerec export``, by the code of those commands. Then, in
another Redis, what is large by itself: a picture under very many names, a name of very many pictures, and a gallery of very
many faces. While each runs, Redis notes its slowest command, and a second client pings it every few milliseconds and notes
the longest wait. The last line is JSON.
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
from facerec.adapters.redis import RedisArchive, RedisAudit, RedisDatabases, RedisFaceBook, RedisJournal, RedisRepairs
from facerec.adapters.redis.layout import HASH_TO_NAMES, LINKS, OWN
from facerec.adapters.redis.names import repair_name
from facerec.identity import DEFAULT_OWNER, FACES_PER_IMAGE
from facerec.index import Encodings
from facerec.loading import load_index
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
    """A picture under so many names: finished, shown, checked, copied out and erased."""
    databases, admissions = known.databases, known.admissions
    job, scanned = known.begun(directions(1, 3)[0])
    names = [f"holiday/2019/again/picture {number:06}.jpg" for number in range(count)]
    for some in _parts(names):
        databases.client(OWN).hset(f"names:{job.hash}", mapping=dict.fromkeys(some, job.ticket))
    return [
        chore("finish a picture of many names", known, lambda: known.rule.finish([scanned])),
        chore("show it", known, lambda: admissions.image(job.owner, job.hash)),
        chore("check it", known, lambda: RedisAudit(databases).inspect(job.owner, [job.hash])),
        chore("copy it out", known, lambda: list(RedisArchive(databases).images(job.ticket))),
        chore("erase it", known, lambda: admissions.erase(job.owner, job.hash)),
    ]


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


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), 1000):
        yield items[start : start + 1000]


def large(names: int, faces: int) -> list[Chore]:
    with store() as known:
        return [*names_chores(known, names), holders_chore(known, names), gallery_chore(known, faces)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upkeep", description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--names", type=int, default=100_000, help="of one picture, and pictures of one name")
    parser.add_argument("--gallery", type=int, default=1_000_000, help="faces of the gallery that is removed")
    arguments = parser.parse_args()
    images = arguments.images
    with store() as known:
        begun = time.perf_counter()
        fill(known, images)
        print(f"committing {images} pictures took {time.perf_counter() - begun:.0f} s", flush=True)
        used = known.memory()
        done = chores(known)
        linked = known.databases.client(LINKS).dbsize()
    done += large(arguments.names, arguments.gallery)
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
            "redis_bytes_per_image": round(used / images),
            "slowest_ms": round(max(each.slowest for each in done), 1),
            "slow_commands": sum(each.slow for each in done),
            "seconds": {each.name: round(each.seconds, 1) for each in done},
        }
    )


if __name__ == "__main__":
    main()
