"""Many faces: pages while others are added, and identify against brute force over what is stored."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisFaceBook, RedisJournal
from facerec.confidence import confidence
from facerec.config import RabbitSettings, load_settings
from facerec.encodings import distances
from facerec.enrolment import Enrolment, Wish
from facerec.faces import Analysis, Box, Face, Model
from facerec.galleries import StoredFace
from facerec.identity import face_id
from facerec.local.servers import RedisServer
from facerec.plugins.faces import Faces, Hits
from facerec.rule import ScanRule, to_scanned
from rest.wsgi import build_services
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
def databases(servers: tuple[RedisServer, RabbitSettings], stack: Stack) -> Iterator[RedisDatabases]:
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


def test_filters_come_before_the_limit_however_many_they_turn_away(
    client: Client, databases: RedisDatabases, stack: Stack
) -> None:
    """A plugin's identify over the stored faces equals brute force: n faces are found when n exist."""
    filler, rows = Filler(databases), random_rows(3000, 5).reshape(15, 200, 128)
    near = rows[0, :1] + np.linspace(1e-4, 2e-3, 1200, dtype=np.float32)[:, None]
    known: dict[str, ROWS] = {"": {}, "few": {}}
    for some in rows:
        known[""] |= filler.fill(client.owner, some)
    known[""] |= filler.fill(client.owner, near)
    few = (rows[0, :1] + 3e-3 * np.arange(1, 31)[:, None]).astype(np.float32)
    known["few"] = filler.fill(client.owner, few, Wish(meta="few"))
    probe = rows[0, 0]
    with faces_of_plugins(stack, databases) as faces:
        for threshold, count in itertools.product((0.0, 0.75), (1, 100)):
            for filters, some in (({"meta": "few"}, known["few"]), (None, known[""] | known["few"])):
                hits = finished(faces.identify(client.owner, "default", probe, count, threshold, filters))
                assert (hits.live_servers, hits.total_servers) == (1, 1)
                assert [(hit.face.id, hit.confidence) for hit in hits] == brute_force(some, probe, threshold, count)
            odd = {face: row for face, row in known[""].items() if face % 2}
            hits = finished(faces.identify(client.owner, "default", probe, count, threshold, is_odd_and_unnamed))
            assert [(hit.face.id, hit.confidence) for hit in hits] == brute_force(odd, probe, threshold, count)


def finished(call: Coroutine[Any, Any, Hits]) -> Hits:
    """Run in a thread of its own: the browser of other tests keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, call).result()


def is_odd_and_unnamed(face: StoredFace) -> bool:
    return face.id % 2 == 1 and not face.meta


@contextmanager
def faces_of_plugins(stack: Stack, databases: RedisDatabases) -> Iterator[Faces]:
    """``ctx.faces`` as a plugin of the stack has it."""
    services = build_services(load_settings(stack.environment), databases)
    yield Faces(
        book=services.findface,
        enrolments=services.enrolments,
        identification=services.identification,
        persons=services.persons,
        removal=services.removal,
        lookup=services.lookup,
        uploads=services.uploads,
        pictures=services.pictures,
    )
    services.close()


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
