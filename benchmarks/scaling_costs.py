"""What one picture costs each part of the service: ``python -m benchmarks.scaling_costs``; the last line is JSON.

CPU seconds from /proc, of pictures of one megapixel for the engine, and of pictures as large as those, with the engine that
returns at once, for everything else. The journal is read by a worker's own code.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.batches import prepared, strangers
from benchmarks.common import all_cpu, cpu_seconds, post_all, print_json, print_table, private_servers
from benchmarks.crowd import Store
from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import HASH_TO_NAMES, LINKS_KEPT
from facerec.engine import open_engine
from facerec.engine.options import EngineOptions
from facerec.faces import Model
from facerec.local.servers import RedisServer
from tests import pictures
from tests.client import wait_until
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.drawings import drawing
from tests.stack import Process, Stack

AREA = 1_000_000
UPLOADS = 400
COMMITS = 2048
BATCH = 32
FOLLOWED = 1000


def photos() -> list[bytes]:
    """Portraits of about one megapixel, as JPEG."""
    made = []
    for path in list(pictures.archive_pictures().values())[:6]:
        picture = Image.open(path).convert("RGB")
        factor = (AREA / (picture.width * picture.height)) ** 0.5
        out = io.BytesIO()
        picture.resize((round(picture.width * factor), round(picture.height * factor))).save(out, "JPEG", quality=90)
        made.append(out.getvalue())
    return made


def scan_seconds(bodies: list[bytes]) -> float:
    """CPU of one scan; the best of two rounds."""
    engine = open_engine(Model.HOG, EngineOptions(), Path(".cache/models"), "cpu")
    rounds = []
    for _ in range(2):
        start = time.process_time()
        for body in bodies:
            engine.faces(body)
        rounds.append((time.process_time() - start) / len(bodies))
    return min(rounds)


def passage(size: int) -> dict[str, float]:
    """CPU of REST, RabbitMQ and the worker's own process for a picture of ``size`` bytes; and how long a worker starts."""
    padding = os.urandom(size)
    with private_servers() as (redis, rabbit, folder):
        settings = {"ENGINE": "fake", "WORKERS": "1", "LOG_LEVEL": "WARNING"}
        with Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, **settings) as stack:
            assert stack.rest is not None
            assert rabbit.identity is not None
            parts = {"rest": stack.rest.pid, "broker": rabbit.identity.pid, "worker": stack.workers[0].pid}
            before = {name: all_cpu(pid) for name, pid in parts.items()}
            todo = [(f"{number}.png", drawing() + padding) for number in range(UPLOADS)]
            assert set(post_all(stack.port, todo, 8)) == {202}
            databases = RedisDatabases(redis_settings_of(redis))
            names = databases.client(HASH_TO_NAMES)
            wait_until(lambda: names.dbsize() >= UPLOADS, "all are done", stack.log_tails)
            found = {name: (all_cpu(pid) - before[name]) / UPLOADS for name, pid in parts.items()}
            databases.close()
            return found | {"start": start_seconds(stack)}


def start_seconds(stack: Stack) -> float:
    """From the start of a worker to its readiness, without pulling its image."""
    count = stack.count_workers()
    start = time.monotonic()
    worker: Process = stack.start_worker(ENGINE="onnx")
    wait_until(lambda: stack.count_workers() > count, "it is ready", stack.log_tails)
    seconds = time.monotonic() - start
    worker.stop()
    return seconds


def store_seconds() -> dict[str, float]:
    """CPU of Redis for a commit in batches, and for one journal entry that a worker follows; bytes of an entry."""
    with private_servers() as (redis, _, _):
        databases = RedisDatabases(redis_settings_of(redis))
        known = Store(databases, LINKS_KEPT)
        known.know(strangers(2000, 1))
        waiting = prepared(known, list(strangers(COMMITS, 2)))
        commit = redis_cpu(redis, lambda: [known.rule.finish(waiting[n : n + BATCH]) for n in range(0, COMMITS, BATCH)])
        client = databases.client()
        size = client.memory_usage("journal", samples=0) / max(1, client.xlen("journal"))
        rounds = 200
        follow = redis_cpu(redis, lambda: [client.xrange("journal", count=FOLLOWED) for _ in range(rounds)])
        databases.close()
        return {"commit": commit / COMMITS, "follow": follow / FOLLOWED / rounds, "entry_bytes": size}


def redis_cpu(redis: RedisServer, work: Callable[[], object]) -> float:
    assert redis.identity is not None
    before = cpu_seconds(redis.identity.pid)
    work()
    return cpu_seconds(redis.identity.pid) - before


def measured() -> dict[str, float]:
    """The fields of `benchmarks.scaling.Costs`."""
    bodies = photos()
    size = float(np.mean([len(body) for body in bodies]))
    scan = scan_seconds(bodies)
    through = passage(int(size))
    costs = {
        "scan": scan + through["worker"],
        "rest": through["rest"],
        "broker": through["broker"],
        **store_seconds(),
        "picture_bytes": size,
        "start": through["start"] + PULL,
    }
    print_table([(name, f"{value:.6g}") for name, value in costs.items()], ("cost", "measured"))
    return costs


PULL = 20.0
"""Seconds, assumed: a node has the image of a worker, and Kubernetes and the probes take their time."""


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m benchmarks.scaling_costs", description=__doc__).parse_args()
    print_json(measured())
