"""Whether a worker grows: its memory after many images against that after the first thousand, and what an image costs in Redis.

    python -m benchmarks.soak [--images N] [--early N] [--engine onnx|fake]

Memory is the resident size of the worker and all its engine processes, measured when everything posted until then is done. Redis is
measured as what each image added to ``used_memory``, with one face an image where the pictures allow.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.common import post_all, print_json, print_table, private_servers
from benchmarks.ledger.world import children_of
from benchmarks.pipeline import some_photos
from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import FACES, HASH_TO_NAMES, OWN
from facerec.local.servers import RabbitServer, RedisServer
from tests.client import wait_until
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.drawings import showing
from tests.stack import Stack
from worker.metrics import memory

CLIENTS = 16
AT_ONCE = 500
LONGEST = 1800.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--early", type=int, default=1_000)
    parser.add_argument("--engine", choices=("onnx", "fake"), default="onnx")
    options = parser.parse_args()
    with private_servers() as (redis, rabbit, folder):
        early, late, cost = soak(redis, rabbit, folder, options)
    print_table(
        [
            (f"worker's memory after {options.early} images", f"{early / 1e6:.1f} MB"),
            (f"worker's memory after {options.images} images", f"{late / 1e6:.1f} MB"),
            ("late / early", f"{late / early:.4f}"),
            *((name.replace("_", " "), f"{value:.0f}") for name, value in cost.items()),
        ],
        ("what", ""),
    )
    print_json({"memory_ratio": round(late / early, 4), **{name: round(value, 1) for name, value in cost.items()}})


def soak(
    redis: RedisServer, rabbit: RabbitServer, folder: Path, options: argparse.Namespace
) -> tuple[int, int, dict[str, float]]:
    """Bytes of memory early and late, and what Redis holds for each image and face."""
    databases = RedisDatabases(redis_settings_of(redis))
    photos = some_photos() if options.engine == "onnx" else []
    settings = {"ENGINE": options.engine, "LOG_LEVEL": "WARNING"}
    with Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, **settings) as stack:
        empty = databases.client(OWN).info("memory")["used_memory"]
        post(stack, databases, photos, 0, options.early)
        early = worker_memory(stack)
        post(stack, databases, photos, options.early, options.images)
        late = worker_memory(stack)
    used = databases.client(OWN).info("memory")["used_memory"] - empty
    faces = sum(databases.client(FACES).llen(key) for key in databases.client(FACES).scan_iter(count=1000))
    return early, late, {"redis_bytes_per_image": used / options.images, "redis_bytes_per_face": used / max(1, faces)}


def post(stack: Stack, databases: RedisDatabases, photos: list[bytes], first: int, last: int) -> None:
    """Scan images ``first`` to ``last`` and wait until they are done."""
    names = databases.client(HASH_TO_NAMES)
    for start in range(first, last, AT_ONCE):
        end = min(start + AT_ONCE, last)
        todo = [(f"{n}.jpg", picture(photos, n)) for n in range(start, end)]
        assert set(post_all(stack.port, todo, CLIENTS)) == {202}
        wait_until(lambda end=end: names.dbsize() >= end, f"{end} are done", stack.log_tails, LONGEST)  # type: ignore[misc]


def picture(photos: list[bytes], number: int) -> bytes:
    """A picture unlike all others; a comment behind the end of a photo makes it another image with the same faces."""
    return photos[number % len(photos)] + b"\n%d" % number if photos else showing(f"person {number // 3}")


def worker_memory(stack: Stack) -> int:
    """Resident bytes of the worker and its children."""
    (worker,) = stack.workers
    return memory([worker.pid, *children_of(worker.pid)])


if __name__ == "__main__":
    main()
