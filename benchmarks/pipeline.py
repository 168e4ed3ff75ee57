"""How much passes through the whole service, and whether it slows down with what is known.

    python -m benchmarks.pipeline [--jobs N] [--photos N] [--known N] [--rounds N] [--only jobs|photos]

*Jobs* go through REST, broker, worker and Redis with an engine that returns at once; everything, the client included, shares
the machine. The same goes through Celery at the same durability (durable messages, confirmed publish, late acknowledgement),
sent by a small Flask front end under gunicorn, like ours: once all of the work (`benchmarks.celery_same`), and once the least
that there can be, a task that writes to Redis once (`benchmarks.celery_app`). *Photos* are drawn, decoded, detected and encoded
by the real engine, with nobody and with many known faces. Rounds of all sides alternate, and the best of each counts, because
the machine is shared and noisy.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import celery_app, celery_same
from benchmarks.common import all_cpu, is_grouped, post_all, print_json, print_table, private_servers, timed
from benchmarks.ledger.world import children_of
from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases
from facerec.adapters.redis.layout import FACES, HASH_TO_NAMES, OWN
from facerec.faces import Analysis, Box, Face, Model, Point
from facerec.identity import DEFAULT_OWNER, image_hash
from facerec.jobs import ScanJob
from facerec.local.servers import RabbitServer, RedisServer
from facerec.ports import Written
from facerec.rule import to_scanned
from tests import pictures
from tests.client import wait_until
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.drawings import drawing
from tests.stack import ROOT, Stack, free_port

CLIENTS = 16
SIDES = {"": "facerec", "celery_": "Celery doing the same work", "celery_bare_": "Celery writing once"}
"""What stands before the names of each side's numbers in the JSON."""
MODULES = {"celery_": "benchmarks.celery_same", "celery_bare_": "benchmarks.celery_app"}
LONGEST = 120.0
GROUPING = 600.0
"""Seconds that the strangers may take to be grouped: they were written behind the service's back, all at once."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--known", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("jobs", "photos"))
    options = parser.parse_args()
    rows: list[tuple[str, str]] = []
    result: dict[str, float] = {}
    if options.only != "jobs":
        empty, full = measure_photos(options.photos, options.known, options.rounds)
        rows.append(("photos a second, nobody known", f"{empty:.2f}"))
        rows.append((f"photos a second, {options.known} faces known", f"{full:.2f}"))
        result |= {"photos_ratio": round(full / empty, 3), "photos_per_s": round(full, 2)}
    if options.only != "photos":
        for name, rate in measure_jobs(options.jobs, options.rounds).items():
            rows.append((f"jobs a second, {SIDES[name]}; CPU a job", f"{rate.a_second:.0f}; {rate.cpu_ms:.1f} ms"))
            result |= {f"{name}jobs_per_s": round(rate.a_second, 1), f"{name}cpu_ms_a_job": round(rate.cpu_ms, 2)}
        result["vs_celery"] = round(result["jobs_per_s"] / result["celery_jobs_per_s"], 2)
    print_table(rows, ("what", "best of rounds"))
    print_json(result)


@dataclass(frozen=True)
class Rate:
    """Jobs a second, and the CPU of one in all processes, servers and client included."""

    a_second: float
    cpu_ms: float


def measure_jobs(count: int, rounds: int) -> dict[str, Rate]:
    """The best round of each side."""
    best: dict[str, Rate] = {}
    with private_servers() as (redis, rabbit, folder):
        for number in range(rounds):
            for name, said in SIDES.items():
                rate = jobs_of(name, redis, rabbit, folder / f"{name}{number}", count)
                print(f"round {number + 1}, {said}: {rate.a_second:.0f} jobs a second", flush=True)
                best[name] = max(best.get(name, rate), rate, key=lambda each: each.a_second)
    return best


def jobs_of(name: str, redis: RedisServer, rabbit: RabbitServer, folder: Path, count: int) -> Rate:
    """From the first POST to the last image in the databases."""
    folder.mkdir()
    databases = clean(redis)
    todo = [(f"{n}.png", drawing()) for n in range(count)]
    done = databases.client(celery_app.RESULTS if name else HASH_TO_NAMES)
    with our_stack(redis, rabbit, folder) if not name else celery_stack(redis, rabbit, folder, MODULES[name]) as side:

        def run() -> None:
            assert set(post_all(side.port, todo, CLIENTS)) == {202}
            wait_until(lambda: done.dbsize() >= count, "all jobs done", side.evidence, LONGEST)

        # What is counted must come of the work, and of nothing that is done before it.
        assert done.dbsize() == 0
        processes = [
            os.getpid(),
            *side.processes,
            *(server.identity.pid for server in (redis, rabbit) if server.identity),
        ]
        rate = rate_of(run, count, processes)
    assert done_in(databases, name) in {None, count}
    return rate


def done_in(databases: RedisDatabases, name: str) -> int | None:
    """How many pictures a side's own documents call done; None where it keeps none."""
    if name == "celery_bare_":
        return None
    documents = databases.client(celery_same.STATE if name else OWN)
    keys = list(documents.scan_iter("image:*", count=1000))
    with documents.pipeline(transaction=False) as asked:
        for key in keys:
            asked.hget(key, "state")
        return asked.execute().count(b"done")


def rate_of(run: Callable[[], None], count: int, processes: Sequence[int]) -> Rate:
    """``processes`` may lie below each other."""
    alone = {process for process in processes if not any(process in below(other) for other in processes)}
    before = {process: all_cpu(process) for process in alone}
    seconds = timed(run)
    spent = sum(all_cpu(process) - before[process] for process in alone)
    return Rate(count / seconds, 1000 * spent / count)


def below(process: int) -> set[int]:
    children = set(children_of(process))
    return children.union(*map(below, children))


@dataclass(frozen=True)
class Side:
    """A service that runs: where it takes pictures, its processes, and what it has to say when it fails."""

    port: int
    processes: Sequence[int]
    evidence: Callable[[], str]


@contextmanager
def our_stack(redis: RedisServer, rabbit: RabbitServer, folder: Path) -> Iterator[Side]:
    quick = {"ENGINE": "fake", "WORKERS": "1", "LOG_LEVEL": "WARNING"}
    with Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, **quick) as stack:
        yield Side(stack.port, [each.pid for each in (stack.rest, *stack.workers) if each], stack.log_tails)


def clean(redis: RedisServer) -> RedisDatabases:
    databases = RedisDatabases(redis_settings_of(redis))
    databases.client(OWN).flushall()
    return databases


@contextmanager
def celery_stack(redis: RedisServer, rabbit: RabbitServer, folder: Path, module: str) -> Iterator[Side]:
    """Flask under gunicorn that sends Celery tasks, and a Celery worker."""
    port = free_port()
    environment = os.environ | {
        "C_FORCE_ROOT": "1",  # pickle carries bytes as they are, which is to Celery's advantage
        "PYTHONPATH": str(ROOT),
        "CELERY_BROKER": f"amqp://{rabbit.user}:{rabbit.password}@127.0.0.1:{rabbit.port}//",
        # Without a database: one in the address would win over the one that a side asks for.
        "CELERY_REDIS": f"redis://:{redis.password}@127.0.0.1:{redis.port}",
    }
    front = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "16"]
    back = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        module,
        "worker",
        "--concurrency",
        "1",
        "-l",
        "WARNING",
    ]
    with (folder / "front.log").open("wb") as front_log, (folder / "back.log").open("wb") as back_log:
        processes = [
            subprocess.Popen([*front, f"{module}:front"], env=environment, stdout=front_log, stderr=front_log),
            subprocess.Popen(back, env=environment, stdout=back_log, stderr=back_log),
        ]
        try:
            wait_until(lambda: celery_app.serves(port), "Celery's front end serves")
            yield Side(port, [process.pid for process in processes], lambda: "")
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)


def measure_photos(count: int, known: int, rounds: int) -> tuple[float, float]:
    """Best photos a second with nobody and with ``known`` faces known."""
    empty: list[float] = []
    full: list[float] = []
    photos = some_photos()
    with private_servers() as (redis, rabbit, folder):
        for number in range(rounds):
            empty.append(our_photos(redis, rabbit, folder / f"empty{number}", photos, count, 0))
            full.append(our_photos(redis, rabbit, folder / f"full{number}", photos, count, known))
            print(f"round {number + 1}: {empty[-1]:.2f} and {full[-1]:.2f} photos a second", flush=True)
    return max(empty), max(full)


def some_photos() -> list[bytes]:
    paths = [path for group in pictures.lfw100().values() for path in group]
    paths = paths or list(pictures.archive_pictures().values())
    return [path.read_bytes() for path in paths]


def our_photos(
    redis: RedisServer, rabbit: RabbitServer, folder: Path, photos: list[bytes], count: int, known: int
) -> float:
    folder.mkdir()
    databases = clean(redis)
    enroll_strangers(databases, known)
    # A comment behind the end of a picture makes it another image with the same faces.
    todo = [(f"{n}.jpg", photos[n % len(photos)] + b"\n%d" % n) for n in range(count)]
    with Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, LOG_LEVEL="WARNING") as stack:
        warm = stack.scan(photos[0], "warm.jpg")
        stack.wait_ended([warm])
        wait_until(lambda: is_grouped(databases), "the known faces are grouped", stack.log_tails, GROUPING)
        before = databases.client(HASH_TO_NAMES).dbsize()

        def run() -> None:
            assert set(post_all(stack.port, todo, CLIENTS)) == {202}
            names = databases.client(HASH_TO_NAMES)
            wait_until(lambda: names.dbsize() >= before + count, "all photos done", stack.log_tails, LONGEST)

        return count / timed(run)


def enroll_strangers(databases: RedisDatabases, count: int) -> None:
    """Fill the store with ``count`` images of one random face each, far from everybody."""
    random = np.random.default_rng(5)
    admissions, commits = RedisAdmissions(databases), RedisCommits(databases)
    position = 0
    for first in range(0, count, 500):
        jobs = []
        for n in range(first, min(first + 500, count)):
            key = image_hash(b"stranger %d" % n)
            jobs.append(
                ScanJob(DEFAULT_OWNER, key, f"stranger {n}", admissions.admit(DEFAULT_OWNER, key, "x").ticket, 0.0, b"")
            )
        starts = commits.begin(jobs)
        batch = [to_scanned(job, start.image_ticket, stranger(random)) for job, start in zip(jobs, starts, strict=True)]
        written = commits.commit(batch, position)
        assert isinstance(written, Written)
        position = written.position
    assert databases.client(FACES).dbsize() == count


def stranger(random: np.random.Generator) -> Analysis:
    encoding = random.normal(0, 0.13, 128).astype(np.float32)
    face = Face(Box(10, 90, 90, 10), tuple(Point(n, n) for n in range(5)), 0.8, encoding, Model.HOG)
    return Analysis(100, 100, Model.HOG, (face,))


if __name__ == "__main__":
    main()
