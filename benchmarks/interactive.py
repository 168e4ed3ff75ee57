"""How long a person waits while a bulk load is under way.

    python -m benchmarks.interactive [--bulk N] [--asks N]

``/detect`` is asked again and again while N scans wait in the queue. Its median is compared with the time of one scan in the same
minutes: what an engine process needs for a picture under that load, which is processes * seconds / scans.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

import requests

from benchmarks.common import post_all, print_json, print_table, private_servers, timed
from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import HASH_TO_NAMES
from facerec.config import RabbitSettings, RedisSettings
from tests import pictures
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.stack import Stack

KEY = "a key for this run alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bulk", type=int, default=500)
    parser.add_argument("--asks", type=int, default=25)
    options = parser.parse_args()
    with private_servers() as (redis, rabbit, folder):
        result = measure(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, options.bulk, options.asks)
    print_table([(name, f"{value:.3f}") for name, value in result.items()], ("what", ""))
    print_json({name: round(value, 4) for name, value in result.items()})


def measure(redis: RedisSettings, rabbit: RabbitSettings, folder: Path, bulk: int, asks: int) -> dict[str, float]:
    """Seconds of one scan, the median of ``asks`` answers of /detect under load, their ratio, and how many scans waited."""
    photo = pictures.archive_pictures()["obama.jpg"].read_bytes()
    todo = [(f"{n}.jpg", photo + b"\n%d" % n) for n in range(bulk)]
    processes = len(os.sched_getaffinity(0))
    with Stack(redis, rabbit, folder, FACE_MODEL_API_KEY=KEY, LOG_LEVEL="WARNING") as stack:
        assert set(post_all(stack.port, todo, 16)) == {202}
        names = RedisDatabases(redis).client(HASH_TO_NAMES)
        before = names.dbsize()
        waits: list[float] = []
        elapsed = timed(lambda: waits.extend(ask(stack, photo) for _ in range(asks)))
        done = names.dbsize() - before
        left = bulk - names.dbsize()
        assert left > 0, "the bulk load ended too soon"
    scan = processes * elapsed / (done + asks)
    median = statistics.median(waits)
    return {
        "scan_seconds": scan,
        "detect_seconds": median,
        "detect_over_scan": median / scan,
        "still_waiting": float(left),
    }


def ask(stack: Stack, photo: bytes) -> float:
    """Seconds until /detect has answered."""

    def post() -> None:
        answer = requests.post(
            f"{stack.url}/detect", files={"file": ("a.jpg", photo)}, headers={"x-api-key": KEY}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["faces-count"] == 1

    return timed(post)


if __name__ == "__main__":
    main()
