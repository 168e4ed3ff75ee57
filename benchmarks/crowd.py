"""One person in very many pictures: ``python -m benchmarks.crowd [--images N]``.

Writes N images of one person, then one image that matches N strangers, through the rule into a private Redis, and measures
what that does to commits, to Redis, and to the answers about matches; beside it the same, for fewer images, with every link
kept. The last line is JSON.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import print_json, print_table, timed
from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisJournal
from facerec.adapters.redis.layout import LINKS_KEPT, OWN
from facerec.config import RedisSettings
from facerec.encodings import Encodings
from facerec.faces import Analysis, Box, Encoding, Face, Model, Point
from facerec.identity import DEFAULT_OWNER, FACES_PER_IMAGE, image_hash
from facerec.jobs import ScanJob
from facerec.local.servers import RedisServer
from facerec.ports import Scanned
from facerec.records import HEAD
from facerec.rule import ScanRule, to_scanned
from facerec.services.matches import WorkerMatches
from facerec.values import Secret
from tests.known import IndexRequester

TOLERANCE = 0.6
LENGTH = 1.4
"""Of a typical encoding of dlib's network."""
EVERY_LINK = 10**9
PAGE = 1000
SLOW = 50_000
"""Microseconds that no command may take, because every other job waits for it."""


@dataclass(frozen=True)
class Outcome:
    """What some images did. Times in milliseconds, memory in bytes per image."""

    what: str
    images: int
    commit_median: float
    commit_worst: float
    redis_worst: float
    slow: int
    redis_bytes: float
    match: float
    match_names: int
    document: float


def directions(count: int, seed: int) -> Encodings:
    """Random unit vectors."""
    rows = np.random.default_rng(seed).standard_normal((count, 128)).astype(np.float32)
    unit: Encodings = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def one_person(count: int) -> Encodings:
    """Encodings of which any two are about 0.4 apart."""
    return directions(1, 1) * np.float32(LENGTH) + directions(count, 2) * np.float32(0.28)


def strangers_around(count: int) -> tuple[Encoding, Encodings]:
    """An encoding, and others 0.55 from it that are about 0.78 from each other."""
    middle = directions(1, 3)[0] * np.float32(LENGTH)
    return middle, middle + directions(count, 4) * np.float32(0.55)


class Store:
    """A private Redis with a worker's rule and a front door over it."""

    def __init__(self, databases: RedisDatabases, links_kept: int) -> None:
        self.databases = databases
        self.commits = RedisCommits(databases, links_kept=links_kept)
        self.rule = ScanRule(self.commits, RedisJournal(databases), TOLERANCE)
        self.rule.load()
        self.admissions = RedisAdmissions(databases, WorkerMatches(IndexRequester(self.rule, TOLERANCE), 60.0))
        self._number = 0

    def begun(self, encoding: Encoding) -> tuple[ScanJob, Scanned]:
        """A job whose faces are found."""
        self._number += 1
        name = f"holiday/2019/picture {self._number:06}.jpg"
        key = image_hash(name.encode())
        job = ScanJob(DEFAULT_OWNER, key, name, self.admissions.admit(DEFAULT_OWNER, key, name).ticket, 0.0, b"")
        self.admissions.queued(job)
        landmarks = tuple(Point(10 + n, 20 + n) for n in range(5))
        face = Face(Box(10, 90, 80, 5), landmarks, 0.75, encoding, Model.HOG)
        return job, to_scanned(job, self.commits.begin([job])[0].image_ticket, Analysis(100, 100, Model.HOG, (face,)))

    def scan(self, encoding: Encoding) -> tuple[ScanJob, float]:
        """The job, and seconds of comparing and committing."""
        job, scanned = self.begun(encoding)
        return job, timed(lambda: self.rule.finish([scanned]))

    def know(self, encodings: Encodings) -> None:
        """Faces that the worker has in its index beforehand, of no image that Redis knows; for strangers alone."""
        rows = np.zeros(len(encodings), HEAD)
        rows["version"], rows["model"], rows["encoding"] = 1, Model.HOG.value, encodings
        rows["id"] = (2**40 + np.arange(len(encodings))) * FACES_PER_IMAGE
        self.rule.index.add_heads(DEFAULT_OWNER, rows)

    def memory(self) -> int:
        return int(self.databases.client(OWN).info("memory")["used_memory"])

    def forget_times(self) -> None:
        self.databases.client(OWN).config_set("latency-tracking-info-percentiles", "100")
        self.databases.client(OWN).config_resetstat()
        self.databases.client(OWN).config_set("slowlog-log-slower-than", SLOW)
        self.databases.client(OWN).slowlog_reset()

    def longest_command(self) -> float:
        """Milliseconds in Redis of the slowest command since."""
        found: dict[str, Any] = self.databases.client(OWN).info("latencystats")
        return max(float(times["p100"]) for times in found.values()) / 1000

    def slow_commands(self) -> int:
        """How many commands since then took Redis longer than SLOW, by its own SLOWLOG."""
        return int(self.databases.client(OWN).slowlog_len())


@contextmanager
def store(links_kept: int = LINKS_KEPT) -> Iterator[Store]:
    """An empty one; gone afterwards. Nothing is written to disk, so that only the work itself is measured."""
    with (
        tempfile.TemporaryDirectory(prefix="facerec-benchmark-") as folder,
        RedisServer(Path(folder), password=os.urandom(8).hex(), appendfsync="no") as server,
    ):
        databases = RedisDatabases(RedisSettings(port=server.port, password=Secret(server.password), timeout=60.0))
        yield Store(databases, links_kept)
        databases.close()


def best(work: Callable[[], object], times: int = 5) -> float:
    """Milliseconds of the quickest of some tries."""
    return min(timed(work) for _ in range(times)) * 1000


def paged(admissions: RedisAdmissions, job: ScanJob) -> list[str]:
    """All names of a match, page by page."""
    names, cursor = admissions.matching_page(job.owner, job.hash, PAGE, "")
    while cursor:
        more, cursor = admissions.matching_page(job.owner, job.hash, PAGE, cursor)
        names += more
    return names


def measured(what: str, known: Store, encodings: Sequence[Encoding], last: int) -> Outcome:
    """Scan all; the times are of the ``last`` images, when the others are there."""
    before = known.memory()
    for encoding in encodings[: len(encodings) - last]:
        known.scan(encoding)
    known.forget_times()
    scans = [known.scan(encoding) for encoding in encodings[len(encodings) - last :]]
    job = scans[-1][0]
    names = known.admissions.matching_names(job.owner, job.hash)
    match_time = best(lambda: known.admissions.matching_names(job.owner, job.hash))
    document_time = best(lambda: known.admissions.image(job.owner, job.hash))
    assert paged(known.admissions, job) == names, "the pages are complete"
    seconds = np.array([seconds for _, seconds in scans]) * 1000
    return Outcome(
        what=what,
        images=len(encodings),
        commit_median=float(np.median(seconds)),
        commit_worst=float(seconds.max()),
        redis_worst=known.longest_command(),
        slow=known.slow_commands(),
        redis_bytes=(known.memory() - before) / len(encodings),
        match=match_time,
        match_names=len(names),
        document=document_time,
    )


def run(images: int, images_all_links: int) -> list[Outcome]:
    outcomes = []
    with store() as known:
        outcomes.append(measured("one person", known, list(one_person(images)), images))
    with store() as known:
        middle, others = strangers_around(images)
        outcomes.append(measured("a match of strangers", known, [*others, middle], 1))
    with store(EVERY_LINK) as known:
        some = list(one_person(images_all_links))
        outcomes.append(measured("one person, every link kept", known, some, images_all_links))
    with store(EVERY_LINK) as known:
        middle, others = strangers_around(images)
        outcomes.append(measured("a match of strangers, every link kept", known, [*others, middle], 1))
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd", description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--images-all-links", type=int, default=2_000)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    outcomes = run(arguments.images, arguments.images_all_links)
    print_table(
        [
            (
                each.what,
                each.images,
                f"{each.commit_median:.1f}",
                f"{each.commit_worst:.1f}",
                f"{each.redis_worst:.1f}",
                each.slow,
                f"{each.redis_bytes:.0f}",
                f"{each.match:.1f}",
                each.match_names,
                f"{each.document:.1f}",
            )
            for each in outcomes
        ],
        (
            "what",
            "images",
            "commit ms",
            "worst",
            "Redis worst ms",
            "over 50 ms",
            "bytes/image",
            "/match ms",
            "names",
            "document ms",
        ),
    )
    print(f"{time.perf_counter() - begun:.0f} s; the last two keep every link, as if there were no limit")
    person, strangers, *_ = outcomes
    print_json(
        {
            "links_kept": LINKS_KEPT,
            "images": person.images,
            "commit_ms": round(person.commit_median, 2),
            "redis_worst_ms": round(max(person.redis_worst, strangers.redis_worst), 2),
            "slow_commands": person.slow + strangers.slow,
            "redis_bytes_per_image": round(person.redis_bytes),
            "match_ms": round(person.match, 1),
            "document_ms": round(person.document, 1),
            "strangers_commit_ms": round(strangers.commit_median, 1),
        }
    )


if __name__ == "__main__":
    main()
