"""Who is this face among very many? ``python -m benchmarks.match [--sizes 1000,100000,1000000,5000000]``.

Searches the index for all faces within the tolerance of one face, beside two usual ways on the same encodings:
``face_recognition.compare_faces`` over the list that its users keep, and reading Redis key by key and comparing each. Half of
it needs a real Redis, which is filled with as many images of one face each as the largest size up to a million; only
database 3 is filled, because a worker that loads reads nothing else. Loading is the worker's own code, over a socket.
Every way must find the same faces. The last line is JSON.

A size for which the free memory does not suffice is left out, and said so. Like a worker it computes in one thread of BLAS;
OPENBLAS_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import worker  # isort: skip  # noqa: F401 - first, because it says how many threads numpy may have

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import face_recognition
import numpy as np

from benchmarks.common import print_json, print_table, timed
from benchmarks.crowd import LENGTH, directions
from facerec.adapters.redis import RedisDatabases, RedisJournal
from facerec.adapters.redis.layout import FACES
from facerec.encodings import Encodings
from facerec.faces import Box, Encoding, Face, Model, Point
from facerec.identity import DEFAULT_OWNER, FACES_PER_IMAGE, image_hash
from facerec.index import FaceIndex
from facerec.loading import load_index
from facerec.local.servers import RedisServer
from facerec.records import HEAD, encoding_of, pack_face
from tests.conftest import redis_settings_of
from worker.metrics import memory

TOLERANCE = 0.6
APART, SPREAD = 0.772, 0.067
"""Mean and deviation of the distance of two strangers, as docs/accuracy.md has them: one pair in two hundred is within 0.6."""
AXES = round((APART / SPREAD) ** 2 / 2)
"""Random numbers of one size on so many axes have distances that spread like this."""
MILLION = 1_000_000
WITHIN, NEAR = "facerec, with distances", "facerec, which alone"
CHUNK = 100_000
PROBES = 30
KEYS_READ = 20_000
LIST_BYTES = 5_500
"""Of memory for each face while ``compare_faces`` works on a list: the arrays, their matrix, and what is computed of it."""
FILL = "redis.call('SELECT', 3) for i = 1, #ARGV, 2 do redis.call('RPUSH', ARGV[i], ARGV[i + 1]) end"


@dataclass(frozen=True)
class Way:
    """How long one way of searching took for one size, in milliseconds; ``note`` says how it was measured."""

    name: str
    faces: int
    milliseconds: float
    note: str = ""


def strangers(count: int, seed: int) -> Encodings:
    """Encodings as those of strangers: of usual length, as far apart as real ones."""
    size = APART / (2 * AXES) ** 0.5
    rows: Encodings = np.repeat(directions(1, 0) * np.float32((LENGTH**2 - APART**2 / 2) ** 0.5), count, axis=0)
    rows[:, :AXES] += np.random.default_rng(seed).standard_normal((count, AXES), np.float32) * np.float32(size)
    return rows


def chunks(count: int) -> list[tuple[int, int]]:
    """The first face and the number of faces of each part."""
    return [(start, min(CHUNK, count - start)) for start in range(0, count, CHUNK)]


def encodings_of(count: int) -> Encodings:
    return np.concatenate([strangers(many, start + 1) for start, many in chunks(count)])


def rows_of(first: int, encodings: Encodings) -> np.ndarray:
    """Face records without landmarks; each face is on an image of its own."""
    rows = np.zeros(len(encodings), HEAD)
    rows["version"], rows["model"], rows["encoding"] = 1, Model.HOG.value, encodings
    rows["id"] = np.arange(first + 1, first + 1 + len(encodings)) * FACES_PER_IMAGE
    return rows


def index_of(count: int) -> FaceIndex:
    index = FaceIndex()
    for start, many in chunks(count):
        index.add_heads(DEFAULT_OWNER, rows_of(start, strangers(many, start + 1)))
    return index


def fill(databases: RedisDatabases, count: int) -> None:
    """Images of one face each, with five landmarks."""
    landmarks = tuple(Point(110 + 7 * n, 120 + 3 * n) for n in range(5))
    face = Face(Box(100, 190, 180, 105), landmarks, 0.75, np.zeros(128, np.float32), Model.HOG)
    tail = pack_face(0, face)[HEAD.itemsize :]
    script = databases.client(FACES).register_script(FILL)
    for start, many in chunks(count):
        rows = rows_of(start, strangers(many, start + 1)).tobytes()
        for begin in range(start, start + many, 1000):
            arguments: list[str | bytes] = []
            for number in range(begin, min(begin + 1000, start + many)):
                place = (number - start) * HEAD.itemsize
                arguments += [image_hash(b"%d" % number), rows[place : place + HEAD.itemsize] + tail]
            script(args=arguments)


def median_ms(search: Callable[[Encoding], object], probes: Encodings) -> float:
    return 1000 * statistics.median(timed(lambda probe=probe: search(probe)) for probe in probes)  # type: ignore[misc]


def by_index(index: FaceIndex, probes: Encodings) -> list[Way]:
    """Which faces are near and how far they are; and which alone, as a commit asks."""
    hits = [len(index.within(DEFAULT_OWNER, Model.HOG, probe[None, :], TOLERANCE)) for probe in probes]
    note = f"median of {len(probes)}; {statistics.median(hits):.0f} faces found"

    def within(probe: Encoding) -> object:
        return index.within(DEFAULT_OWNER, Model.HOG, probe[None, :], TOLERANCE)

    def near(probe: Encoding) -> object:
        return index.near(DEFAULT_OWNER, Model.HOG, probe[None, :], TOLERANCE)

    return [
        Way(WITHIN, len(index), median_ms(within, probes), note),
        Way(NEAR, len(index), median_ms(near, probes), note),
    ]


def by_compare_faces(encodings: Encodings, index: FaceIndex, probes: Encodings) -> list[Way]:
    """With a list of arrays, as the functions of face_recognition give and take them, and with one array."""
    array = encodings.astype(np.float64)
    known = [row.copy() for row in array]
    ways = []
    for name, held in (("compare_faces, list", known), ("compare_faces, array", array)):
        for probe in probes[:2]:
            found = np.flatnonzero(face_recognition.compare_faces(held, probe, TOLERANCE)) + 1
            hits = index.within(DEFAULT_OWNER, Model.HOG, probe[None, :], TOLERANCE)
            assert sorted(found) == sorted(hit.face_id // FACES_PER_IMAGE for hit in hits)
        took = median_ms(lambda probe, held=held: face_recognition.compare_faces(held, probe, TOLERANCE), probes[:3])  # type: ignore[misc]
        ways.append(Way(name, len(array), took, "median of 3"))
    return ways


def by_redis(databases: RedisDatabases, count: int, probe: Encoding) -> Way:
    """Read every key, then its faces, and compare each: measured on KEYS_READ keys, scaled to ``count``."""
    client = databases.client(FACES)
    read = 0

    def scan() -> None:
        nonlocal read
        for key in client.scan_iter(count=1000):
            for record in client.lrange(key, 0, -1):
                face_recognition.compare_faces([encoding_of(record)], probe, TOLERANCE)
            read += 1
            if read == min(count, KEYS_READ):
                return

    took = timed(scan)
    return Way("Redis key by key", count, 1000 * took * count / read, f"{read} keys in {took:.1f} s, scaled linearly")


def available_memory() -> int:
    """Bytes that programs can have without swapping."""
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def measure(databases: RedisDatabases, sizes: Sequence[int]) -> tuple[list[Way], dict[str, float]]:
    """All ways for each size that fits, and what loading the largest from Redis took."""
    in_redis = max((size for size in sizes if size <= MILLION), default=MILLION)
    print(f"filling Redis with {in_redis} faces took {timed(lambda: fill(databases, in_redis)):.0f} s", flush=True)
    loaded: list[FaceIndex] = []
    before = memory([os.getpid()])
    seconds = timed(lambda: loaded.append(load_index(RedisJournal(databases))))
    index = loaded.pop()
    facts = {
        "load_seconds": seconds,
        "bytes_per_face": index.nbytes / len(index),
        "process_bytes_per_face": (memory([os.getpid()]) - before) / len(index),
    }
    assert len(index) == in_redis
    ways: list[Way] = []
    probes = strangers(PROBES, 0)
    for size in sizes:
        if available_memory() < size * 2 * index.nbytes // len(index):
            print(f"{size} faces are left out: only {available_memory() / 1e9:.1f} GB of memory are free")
            continue
        known = index if size == in_redis else index_of(size)
        ways += by_index(known, probes)
        if available_memory() >= size * LIST_BYTES and size <= MILLION:
            ways += by_compare_faces(encodings_of(size), known, probes)
        if size <= in_redis:
            ways.append(by_redis(databases, size, probes[0]))
    return ways, facts


def summary(ways: Sequence[Way], facts: dict[str, float]) -> dict[str, Any]:
    """Of the largest size that every way was measured at."""
    size = max(way.faces for way in ways if way.name == "Redis key by key")
    took = {way.name: way.milliseconds for way in ways if way.faces == size}
    within = took[WITHIN]
    return {
        "faces": size,
        "within_ms": round(within, 2),
        "near_ms": round(took[NEAR], 2),
        "vs_compare_faces": round(took["compare_faces, list"] / within),
        "vs_compare_faces_array": round(took["compare_faces, array"] / within),
        "vs_redis_scan": round(took["Redis key by key"] / within),
        "bytes_per_face": round(facts["bytes_per_face"], 1),
        "process_bytes_per_face": round(facts["process_bytes_per_face"], 1),
        "load_seconds": round(facts["load_seconds"], 1),
        "within_ms_by_faces": {way.faces: round(way.milliseconds, 3) for way in ways if way.name == WITHIN},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.match", description=__doc__)
    parser.add_argument("--sizes", default="1000,100000,1000000,5000000", help="numbers of faces, with commas between")
    sizes = sorted(int(text) for text in parser.parse_args().sizes.split(","))
    with (
        tempfile.TemporaryDirectory(prefix="facerec-benchmark-") as folder,
        RedisServer(Path(folder), password=os.urandom(8).hex(), appendfsync="no") as server,
    ):
        databases = RedisDatabases(redis_settings_of(server))
        ways, facts = measure(databases, sizes)
        databases.close()
    print_table(
        [(way.name, f"{way.faces:,}", f"{way.milliseconds:,.3f}", way.note) for way in ways],
        ("way", "faces", "ms", "how measured"),
    )
    print(
        f"loading {max(way.faces for way in ways if way.name == 'Redis key by key'):,} faces from Redis: "
        f"{facts['load_seconds']:.1f} s; {facts['bytes_per_face']:.0f} bytes a face in the index, "
        f"{facts['process_bytes_per_face']:.0f} of the process"
    )
    print_json(summary(ways, facts))


if __name__ == "__main__":
    main()
