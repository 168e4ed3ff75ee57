"""How long does identify take over HTTP, with a stored face as the probe?

``python -m benchmarks.identify [--faces 100000] [--calls 200]`` writes made-up faces, starts REST and one worker, and
asks. The index search alone is measured here, on the same encodings. Median HTTP shall be at most 3 times that plus 10 ms.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from benchmarks.common import print_json, print_table, private_servers
from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisFaceBook, RedisJournal
from facerec.confidence import distance_of
from facerec.enrolment import Enrolment, Wish
from facerec.faces import Analysis, Box, Face, Model
from facerec.galleries import Bounds
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.index import FaceIndex
from facerec.loading import load_index
from facerec.ports import Written
from facerec.rule import to_scanned
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.faces import scan_job
from tests.stack import Stack

PER_IMAGE = 1000
FACTOR, EXTRA_MS = 3, 10


def fill(databases: RedisDatabases, count: int) -> None:
    """Made-up faces, strangers to each other; every second image is in the gallery ``half``."""
    generator = np.random.default_rng(1)
    RedisFaceBook(databases).add_gallery(DEFAULT_OWNER, "half")
    admissions, commits, position = RedisAdmissions(databases), RedisCommits(databases), 0
    each = min(PER_IMAGE, count // 2)
    for number in range(count // each):
        rows = (generator.standard_normal((each, 128)) * 0.08).astype(np.float32)
        job = scan_job(admissions, f"{number}.jpg")
        ticket = commits.begin([job])[0].image_ticket
        ids = tuple(face_id(ticket, place) for place in range(each))
        enrolment = Enrolment(Wish(galleries=("half",)), ids) if number % 2 else None
        faces = tuple(Face(Box(1, 30, 30, 1), (), 1.0, row, Model.HOG) for row in rows)
        # Strangers match nobody, so the rule has nothing to compare.
        scanned = to_scanned(job, ticket, Analysis(9, 9, Model.HOG, faces), enrolment)
        written = commits.commit([scanned], position)
        assert isinstance(written, Written)
        position = written.position


def search_alone(index: FaceIndex, probes: list[np.ndarray]) -> float:
    """Median milliseconds."""
    limit = distance_of(0.75)
    return median_ms(lambda n: index.nearest(DEFAULT_OWNER, Model.HOG, probes[n % len(probes)], 10, limit), len(probes))


def median_ms(call: object, times: int) -> float:
    taken = []
    for number in range(times):
        started = time.perf_counter()
        call(number)  # type: ignore[operator]
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def over_http(stack: Stack, ids: tuple[int, ...], gallery: str) -> float:
    """Median milliseconds of one client."""

    def ask(number: int) -> None:
        asked = {"face_id": ids[number % len(ids)], "n": 10}
        answer = stack.session.post(f"{stack.url}/v1/faces/gallery/{gallery}/identify", json=asked, timeout=60)
        assert answer.ok, answer.text

    for number in range(10):
        ask(number)
    return median_ms(ask, len(ids))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=100_000, help="at least 2")
    parser.add_argument("--calls", type=int, default=200)
    wanted = parser.parse_args()
    if wanted.faces < 2:
        parser.error("--faces: at least 2")
    with private_servers() as (redis, rabbit, folder):
        databases = RedisDatabases(redis_settings_of(redis))
        fill(databases, wanted.faces)
        book = RedisFaceBook(databases)
        ids = book.page(DEFAULT_OWNER, "default", Bounds(), wanted.calls).ids
        probes = [face.face.encoding for face in book.faces(DEFAULT_OWNER, ids) if face]
        index = load_index(RedisJournal(databases))
        settings = redis_settings_of(redis), rabbit_settings_of(rabbit)
        with Stack(*settings, folder, ENGINE="fake", WORKERS="1") as stack:
            http = {gallery: over_http(stack, ids, gallery) for gallery in ("default", "half")}
        alone = search_alone(index, probes)
        databases.close()
    limit = FACTOR * alone + EXTRA_MS
    rows = [("index search alone", f"{alone:.2f}"), *((f"HTTP, {name}", f"{took:.2f}") for name, took in http.items())]
    print_table([*rows, ("limit", f"{limit:.2f}")], ("what", "median ms"))
    print_json({"faces": wanted.faces, "search_ms": alone, "http_ms": http, "limit_ms": limit})


if __name__ == "__main__":
    main()
