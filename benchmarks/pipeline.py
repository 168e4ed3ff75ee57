"""How much passes through the whole service, and whether it slows down with what is known.

    python -m benchmarks.pipeline [--jobs N] [--photos N] [--known N] [--rounds N]

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import celery_app
from benchmarks.common import is_grouped, post_all, print_json, print_table, private_servers, timed
from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases
from facerec.adapters.redis.layout import FACES, HASH_TO_NAMES, OWN
from facerec.faces import Analysis, Box, Face, Model, Point
from facerec.identity import DEFAULT_OWNER, image_hash
from facerec.jobs import ScanJob
from facerec.local.servers import RabbitServer, RedisServer
from facerec.ports import Written
from facerec.rule import to_scanned
from tests import pictures
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.drawings import drawing
from tests.stack import ROOT, Stack, free_port, wait_until

CLIENTS = 16
SAME, BARE = "benchmarks.celery_same", "benchmarks.celery_app"
LONGEST = 120.0
GROUPING = 600.0
"""Seconds that the strangers may take to be grouped: they were written behind the service's back, all at once."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--known", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ours, same, bare = measure_jobs(options.jobs, options.rounds)
    empty, full = measure_photos(options.photos, options.known, options.rounds)
    print_table(
        [
            ("jobs a second, facerec", f"{ours:.0f}"),
            ("jobs a second, Celery doing the same work", f"{same:.0f}"),
            ("jobs a second, Celery writing once", f"{bare:.0f}"),
            ("photos a second, nobody known", f"{empty:.2f}"),
            (f"photos a second, {options.known} faces known", f"{full:.2f}"),
        ],
        ("what", "best of rounds"),
    )
    print_json(
        {
            "photos_ratio": round(full / empty, 3),
            "jobs_per_s": round(ours, 1),
            "celery_jobs_per_s": round(same, 1),
            "celery_bare_jobs_per_s": round(bare, 1),
            "photos_per_s": round(full, 2),
        }
    )


def measure_jobs(count: int, rounds: int) -> tuple[float, float, float]:
    """Best jobs a second of us, of Celery doing the same work, and of Celery writing once."""
    best = dict.fromkeys(("facerec", SAME, BARE), 0.0)
    with private_servers() as (redis, rabbit, folder):
        for number in range(rounds):
            rates = {"facerec": our_jobs(redis, rabbit, folder / f"ours{number}", count)}
            for module in (SAME, BARE):
                rates[module] = celery_jobs(redis, rabbit, folder / f"{module}{number}", count, module)
            said = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
            print(f"round {number + 1}: {said} jobs a second", flush=True)
            best = {name: max(best[name], rate) for name, rate in rates.items()}
    return best["facerec"], best[SAME], best[BARE]


def our_jobs(redis: RedisServer, rabbit: RabbitServer, folder: Path, count: int) -> float:
    """Jobs a second from the first POST to the last image in the databases."""
    folder.mkdir()
    databases = clean(redis)
    todo = [(f"{n}.png", drawing()) for n in range(count)]
    quick = {"ENGINE": "fake", "WORKERS": "1", "LOG_LEVEL": "WARNING"}
    with Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, **quick) as stack:

        def run() -> None:
            assert set(post_all(stack.port, todo, CLIENTS)) == {202}
            names = databases.client(HASH_TO_NAMES)
            wait_until(lambda: names.dbsize() >= count, "all jobs done", stack.log_tails, LONGEST)

        return count / timed(run)


def celery_jobs(redis: RedisServer, rabbit: RabbitServer, folder: Path, count: int, module: str) -> float:
    """The same for an application of Celery."""
    folder.mkdir()
    databases = clean(redis)
    todo = [(f"{n}.png", drawing()) for n in range(count)]
    with celery_stack(redis, rabbit, folder, module) as port:

        def run() -> None:
            assert set(post_all(port, todo, CLIENTS)) == {202}
            results = databases.client(celery_app.RESULTS)
            wait_until(lambda: results.dbsize() >= count, "all tasks done", lambda: "", LONGEST)

        return count / timed(run)


def clean(redis: RedisServer) -> RedisDatabases:
    databases = RedisDatabases(redis_settings_of(redis))
    databases.client(OWN).flushall()
    return databases


@contextmanager
def celery_stack(redis: RedisServer, rabbit: RabbitServer, folder: Path, module: str) -> Iterator[int]:
    """Flask under gunicorn that sends Celery tasks, and a Celery worker; the port of the former."""
    port = free_port()
    environment = os.environ | {
        "C_FORCE_ROOT": "1",  # pickle carries bytes as they are, which is to Celery's advantage
        "PYTHONPATH": str(ROOT),
        "CELERY_BROKER": f"amqp://{rabbit.user}:{rabbit.password}@127.0.0.1:{rabbit.port}//",
        "CELERY_REDIS": f"redis://:{redis.password}@127.0.0.1:{redis.port}/{celery_app.RESULTS}",
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
            yield port
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
