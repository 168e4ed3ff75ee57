"""The whole service, as processes, on real servers and real pictures."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote, unquote

import pytest

from benchmarks.ledger.world import children_of
from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import FACES, HASH_TO_NAMES, LINKS, OWN
from facerec.config import RabbitSettings, RedisSettings
from facerec.identity import face_id
from facerec.local.servers import RabbitServer, RedisServer
from tests import pictures
from tests.client import wait_until
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.drawings import drawing, showing
from tests.plain import plain_matches
from tests.stack import Stack


@pytest.fixture
def fake_stack(redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path) -> Iterator[Stack]:
    """Two children, so that jobs run side by side."""
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", WORKERS="2") as stack:
        yield stack


def test_tickets_may_be_large(fake_stack: Stack, databases: RedisDatabases) -> None:
    for newest in (2**36, 2**40):
        databases.client(OWN).set("ticket", newest)
        image, broken = fake_stack.scan(showing("ann"), "a.png"), fake_stack.scan(drawing(b"BROKEN"), "b.png")
        assert fake_stack.wait_ended([image, broken]) == {image: "done", broken: "failed"}
        assert fake_stack.image(broken)["reason"] == "UNREADABLE_IMAGE"
        assert fake_stack.image(image)["faces"][0]["id"] == face_id(newest + 1, 0)


@contextmanager
def served(paths: dict[str, Path]) -> Iterator[str]:
    """A web server with these pictures; its address."""

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = paths[unquote(self.path[1:])].read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def scan_url(stack: Stack, url: str) -> str:
    answer = stack.session.post(f"{stack.url}/scan/url", json={"url": url}, timeout=60)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["hash"])


@pytest.mark.usefixtures("every_core")
def test_matches_are_those_of_plain_face_recognition(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    paths = pictures.portraits() or pictures.archive_pictures()
    by_url = sorted(paths)[::2]
    allowed = {"ALLOW_FETCH_FROM": "127.0.0.0/8"}
    with served(paths) as web, Stack(redis_settings, rabbit_settings, tmp_path, **allowed) as stack:
        names = {name: f"{web}/{quote(name)}" if name in by_url else name for name in paths}
        hashes = {
            name: scan_url(stack, names[name]) if name in by_url else stack.scan(path.read_bytes(), name)
            for name, path in paths.items()
        }
        states = stack.wait_ended(hashes.values())
        assert set(states.values()) == {"done"}
        found = {name: set(stack.match(image_hash)) for name, image_hash in hashes.items()}
    expected = plain_matches(paths)
    # Pictures with the same bytes are one image with several names, and an image's own names are not in its matches.
    own = {name: {other for other in hashes if hashes[other] == hashes[name]} for name in hashes}
    assert found == {name: {names[other] for other in expected[name] - own[name]} for name in hashes}


@pytest.mark.usefixtures("every_core")
def test_a_worker_killed_in_the_middle_loses_nothing(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, databases: RedisDatabases, tmp_path: Path
) -> None:
    people = pictures.lfw100()
    if not people:
        pytest.skip("needs the pictures of lfw100; FACEREC_FACES names the folder that holds them")
    paths = {f"{person}/{path.name}": path for person, group in people.items() for path in group}
    with Stack(redis_settings, rabbit_settings, tmp_path, workers=2, WORKERS="1") as stack:
        with ThreadPoolExecutor(16) as clients:
            hashes = dict(
                zip(paths, clients.map(lambda name: stack.scan(paths[name].read_bytes(), name), paths), strict=True)
            )
        wait_until(lambda: databases.client(OWN).get("journal:position") not in {None, b"0"}, "some are done")
        stack.workers[0].kill()
        assert int(databases.client(OWN).get("journal:position")) < len(paths), "killed in the middle"
        states = stack.wait_ended(hashes.values())
    assert set(states.values()) == {"done"}
    expected = plain_matches(paths)
    names = {image_hash: name for name, image_hash in hashes.items()}
    stored = {
        name: {names[other.decode()] for other in databases.client(LINKS).smembers(image_hash)}
        for name, image_hash in hashes.items()
    }
    assert stored == expected


def test_the_same_bytes_from_fifty_clients_are_encoded_once(fake_stack: Stack, databases: RedisDatabases) -> None:
    body = drawing()
    with ThreadPoolExecutor(50) as clients:
        hashes = set(clients.map(lambda n: fake_stack.scan(body, f"copy {n}.png"), range(50)))
    assert hashes == {hashlib.sha256(body).hexdigest()}
    (image_hash,) = hashes
    fake_stack.wait_ended(hashes)
    wait_until(lambda: databases.client(HASH_TO_NAMES).scard(image_hash) == 50, "all names are recorded")
    assert fake_stack.image(image_hash)["attempts"] == 1
    assert databases.client(FACES).llen(image_hash) == len(fake_stack.image(image_hash)["faces"])


def test_the_front_door_survives_the_broker(
    redis_settings: RedisSettings, own_rabbit: RabbitServer, tmp_path: Path
) -> None:
    with Stack(redis_settings, rabbit_settings_of(own_rabbit), tmp_path, ENGINE="fake", RABBITMQ_TIMEOUT="2") as stack:
        stack.wait_ended([stack.scan(drawing(), "before.png")])
        own_rabbit.stop()
        refused = stack.post(drawing(), "during.png")
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.json()["code"] == "SERVICE_UNAVAILABLE"
        assert refused.elapsed.total_seconds() < 10
        assert stack.readiness()["parts"]["broker"]["ok"] is False
        own_rabbit.start()
        wait_until(lambda: stack.post(drawing(), "after.png").status_code == 202, "the next POST works")
        assert stack.wait_ended([stack.scan(drawing(), "later.png")], seconds=60).popitem()[1] == "done"
        assert stack.rest is not None
        assert stack.rest.running


def test_the_front_door_survives_the_store(
    own_redis: RedisServer, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    with Stack(redis_settings_of(own_redis), rabbit_settings, tmp_path, ENGINE="fake", REDIS_TIMEOUT="2") as stack:
        before = stack.scan(drawing(), "before.png")
        stack.wait_ended([before])
        own_redis.kill()
        refused = stack.post(drawing(), "during.png")
        assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert int(refused.headers["Retry-After"]) > 0
        own_redis.start()
        wait_until(lambda: stack.post(drawing(), "after.png").status_code == 202, "the next POST works")
        later = stack.scan(drawing(), "later.png")
        assert stack.wait_ended([before, later]) == {before: "done", later: "done"}


def test_a_job_that_kills_its_child_fails_and_its_neighbours_do_not(fake_stack: Stack) -> None:
    bad = fake_stack.scan(drawing(b"CRASH"), "bad.png")
    good = [fake_stack.scan(drawing(), f"good {n}.png") for n in range(10)]
    states = fake_stack.wait_ended([bad, *good])
    assert states[bad] == "failed"
    assert fake_stack.image(bad)["reason"] == "CHILD_DIED"
    assert {states[image_hash] for image_hash in good} == {"done"}


def test_sigterm_finishes_what_runs_and_gives_the_rest_back(fake_stack: Stack) -> None:
    hashes = [fake_stack.scan(drawing(), f"{n}.png") for n in range(200)]
    assert fake_stack.workers[0].stop() == 0
    fake_stack.workers.clear()
    fake_stack.start_worker()
    assert set(fake_stack.wait_ended(hashes).values()) == {"done"}


def test_sigterm_while_a_job_hangs_ends_within_the_grace_time(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", GRACE="1", WORKERS="1") as stack:
        hanging = stack.scan(drawing(b"HANG"), "hang.png")
        wait_until(lambda: stack.image(hanging)["state"] == "processing", "it hangs")
        stack.workers[0].send(signal.SIGTERM)
        assert stack.workers[0].wait(20) == 0
        assert stack.image(hanging)["state"] == "processing", "the job went back to the broker"


def test_a_killed_worker_leaves_no_engine_behind_not_even_one_that_hangs(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", WORKERS="1") as stack:
        hanging = stack.scan(drawing(b"HANG"), "hang.png")
        wait_until(lambda: stack.image(hanging)["state"] == "processing", "it hangs")
        engines = children_of(stack.workers[0].pid)
        assert len(engines) == 2
        stack.workers[0].kill()
        wait_until(lambda: not any(Path(f"/proc/{engine}").exists() for engine in engines), "they are gone")


def test_owners_see_their_own_alone(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, databases: RedisDatabases, tmp_path: Path
) -> None:
    from facerec.adapters.redis import RedisTokens

    tokens = {owner: RedisTokens(databases).create(owner) for owner in ("alice", "bob")}
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", token=tokens["alice"]) as stack:
        mine = stack.scan(showing("ann"), "mine.png")
        stack.wait_ended([mine])
        stack.session.headers["Authorization"] = f"Token {tokens['bob']}"
        assert stack.session.get(f"{stack.url}/images/{mine}", timeout=30).status_code == 404
        theirs = stack.scan(showing("ann"), "theirs.png")
        stack.wait_ended([theirs])
        assert stack.match(theirs) == []
        stack.session.headers.pop("Authorization")
        assert stack.session.get(f"{stack.url}/images", timeout=30).status_code == 401
