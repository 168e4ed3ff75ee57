"""Does it help to commit several pictures in one step? ``python -m benchmarks.batches [--images 4000] [--known 100000]``.

Commits pictures of one face each, through the rule, into a private Redis that writes every step to its disk before it answers,
as ours does; with some faces known before. Finding the faces is not measured. The last line is JSON.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import print_json, print_table, timed
from benchmarks.crowd import LENGTH, Store, directions
from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import LINKS_KEPT
from facerec.config import RedisSettings
from facerec.encodings import Encodings
from facerec.faces import Encoding
from facerec.local.servers import RedisServer
from facerec.ports import Scanned
from facerec.values import Secret

SIZES = (1, 2, 4, 8, 16, 32, 64)


def strangers(count: int, seed: int) -> Encodings:
    """Encodings of which no two match."""
    return directions(count, seed) * np.float32(LENGTH)


def prepared(known: Store, encodings: list[Encoding]) -> list[Scanned]:
    """Pictures as a worker has them when their faces are found."""
    return [known.begun(encoding)[1] for encoding in encodings]


def per_second(known: Store, waiting: list[Scanned], size: int) -> float:
    """Pictures in a second, committed ``size`` at a time."""

    def commit() -> None:
        for start in range(0, len(waiting), size):
            known.rule.finish(waiting[start : start + size])

    return len(waiting) / timed(commit)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--known", type=int, default=100_000)
    wanted = parser.parse_args()
    rates: dict[int, float] = {}
    with (
        tempfile.TemporaryDirectory(prefix="facerec-benchmark-") as folder,
        RedisServer(Path(folder), password=os.urandom(8).hex(), appendfsync="always") as server,
    ):
        databases = RedisDatabases(RedisSettings(port=server.port, password=Secret(server.password), timeout=60.0))
        known = Store(databases, LINKS_KEPT)
        known.know(strangers(wanted.known, 1))
        for number, size in enumerate(SIZES, 2):
            waiting = prepared(known, list(strangers(wanted.images, number)))
            rates[size] = per_second(known, waiting, size)
        databases.close()
    print_table(
        [(size, f"{rate:.0f}", f"{rate / rates[1]:.2f}") for size, rate in rates.items()],
        ("pictures in a step", "pictures a second", "against one by one"),
    )
    print_json({"known": wanted.known, "per_second": {size: round(rate) for size, rate in rates.items()}})


if __name__ == "__main__":
    main()
