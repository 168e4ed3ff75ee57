"""Many faces: pages while others are added, and identify against brute force over what is stored."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisFaceBook, RedisJournal
from facerec.confidence import confidence
from facerec.enrolment import Enrolment, Wish
from facerec.faces import Analysis, Box, Face, Model
from facerec.identity import face_id
from facerec.index import distances
from facerec.local.servers import RabbitServer, RedisServer
from facerec.rule import ScanRule, to_scanned
from tests.conftest import redis_settings_of
from tests.drawings import showing
from tests.faces import scan_job
from tests.integration.findface.conftest import Client
from tests.stack import Stack

ROWS = dict[int, np.ndarray]


class Filler:
    """Writes made-up faces by the rule, without a worker; many images are far apart, so few links are kept."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.admissions, self.commits = RedisAdmissions(databases), RedisCommits(databases)
        self.rule = ScanRule(self.commits, RedisJournal(databases), 0.0)
        self.rule.load()

    def fill(self, owner: str, rows: np.ndarray, wish: Wish | None = None, hidden: int = 0) -> ROWS:
        """One image with these faces; the last ``hidden`` are bystanders."""
        job = scan_job(self.admissions, "many.jpg", owner=owner)
        ticket = self.commits.begin([job])[0].image_ticket
        faces = tuple(Face(Box(1, 30, 30, 1), (), 1.0, row, Model.HOG) for row in rows)
        ids = tuple(face_id(ticket, number) for number in range(len(rows)))
        enrolment = Enrolment(wish or Wish(), ids[: len(ids) - hidden]) if wish or hidden else None
        analysis = Analysis(9, 9, Model.HOG, faces)
        assert self.rule.finish([to_scanned(job, ticket, analysis, enrolment)]).written
        return dict(zip(ids[: len(ids) - hidden], rows, strict=False))


@pytest.fixture
def databases(servers: tuple[RedisServer, RabbitServer], stack: Stack) -> Iterator[RedisDatabases]:
    opened = RedisDatabases(redis_settings_of(servers[0]))
    yield opened
    opened.close()


def random_rows(count: int, seed: int) -> np.ndarray:
    """Encodings about as far apart as real ones."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((count // 10 + 1, 128)) * 0.055
    rows = centres[generator.integers(0, len(centres), count)] + generator.standard_normal((count, 128)) * 0.028
    return rows.astype(np.float32)


def test_identify_equals_brute_force_on_10_000_faces(client: Client, databases: RedisDatabases) -> None:
    book, filler = RedisFaceBook(databases), Filler(databases)
    for gallery in ("odd", "few"):
        book.add_gallery(client.owner, gallery)
    known: dict[str, ROWS] = {"default": {}, "odd": {}, "few": {}}
    rows = random_rows(10_000, 1).reshape(50, 200, 128)
    for number, some in enumerate(rows):
        galleries = ("odd",) * (number % 2) + ("few",) * (number == 7)
        found = filler.fill(client.owner, some, Wish(galleries=galleries) if galleries else None, 5 * (number % 3 == 1))
        for gallery in ("default", *galleries):
            known[gallery] |= found
    filler.fill("somebody-else", rows[0])
    generator = np.random.default_rng(2)
    for probe in generator.choice(list(known["default"]), 5).tolist():
        for gallery, threshold, count in itertools.product(known, (0.0, 0.5, 0.75, 0.9), (1, 10, 500)):
            path = f"/faces/gallery/{gallery}/identify"
            asked = {"face_id": str(probe), "n": count, "threshold": threshold}
            ((_, row),) = client.call("POST", path, json=asked)["results"].items()
            got = [(each["face"]["id"], each["confidence"]) for each in row]
            assert got == brute_force(known[gallery], known["default"][probe], threshold, count), (gallery, threshold)


def brute_force(known: ROWS, probe: np.ndarray, threshold: float, count: int) -> list[tuple[int, float]]:
    far = distances(probe[None, :], np.stack(list(known.values())))
    pairs = sorted((float(distance), face) for distance, face in zip(far, known, strict=True))
    return [(face, confidence(distance)) for distance, face in pairs if confidence(distance) >= threshold][:count]


def test_pages_over_1_000_faces_while_others_are_added(client: Client, databases: RedisDatabases) -> None:
    filler = Filler(databases)
    old = [face for seed in range(11) for face in filler.fill(client.owner, random_rows(100, seed + 10))]
    seen: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(lambda: [client.post_face(showing(f"new {n}")) for n in range(20)])
        path = "/faces?limit=37"
        first = None
        while path:
            page = client.call("GET", path)
            first = first or page
            seen += [face["id"] for face in page["results"]]
            path = page["next_page"]
        assert len(adding.result()) == 20

    assert [face for face in seen if face in set(old)] == sorted(old, reverse=True)
    assert len(set(seen)) == len(seen)
    back = client.call("GET", f"/faces?limit=37&min_id={first['results'][0]['id']}") if first else {}
    assert back["next_page"]


def test_a_worker_follows_a_gallery_that_changes(client: Client) -> None:
    client.call("POST", "/galleries/g", 201)
    faces = [client.post_face(showing("ann"))[0]["id"] for _ in range(4)]

    def found() -> set[int]:
        asked = {"face_id": faces[0], "n": 9}
        ((_, row),) = client.call("POST", "/faces/gallery/g/identify", json=asked)["results"].items()
        return {each["face"]["id"] for each in row}

    assert found() == set()
    for face in faces:
        client.call("PUT", f"/face/id/{face}", json={"galleries": {"add": ["g"]}})
        assert found() == set(faces[: faces.index(face) + 1])
    client.call("PUT", f"/face/id/{faces[1]}", json={"galleries": {"set": []}})
    client.call("DELETE", f"/face/id/{faces[2]}", 204)
    assert found() == {faces[0], faces[3]}
    client.call("DELETE", "/galleries/g", 204)
    client.call("POST", "/galleries/g", 201)
    assert found() == set()
