"""Moving a collection to another model while the service runs: real processes, pictures for the fake engine."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facerec.adapters.redis import RedisAudit, RedisDatabases, RedisJournal, RedisRepairs, RedisWorkers
from facerec.adapters.redis.layout import ASIDE_FACES, ASIDE_LINKS, FACES, OWN
from facerec.config import RabbitSettings, RedisSettings
from facerec.engine.fake import fake_encoding
from facerec.faces import Model
from facerec.records import face_id_of, model_of, unpack_face
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from facerec.services.reindex import Reindex
from tests.client import wait_until
from tests.contact_worlds import face as contact_face
from tests.contact_worlds import web
from tests.drawings import drawing
from tests.stack import ROOT, Stack
from worker.conductor import LEASE

LEFT, NEAR_LEFT, RIGHT, FAR = [0, 100, 100, 0], [4, 104, 104, 4], [0, 300, 100, 200], [300, 600, 400, 500]


def scene(hog: dict[str, list[int]], cnn: dict[str, list[int]]) -> bytes:
    """A picture in which HOG sees these people in these boxes, and CNN those. Each model knows people by vectors of its own."""

    def faces(model: str, boxes: dict[str, list[int]]) -> list[dict[str, Any]]:
        return [{"person": f"{person} for {model}", "box": box} for person, box in boxes.items()]

    models = {name: {"faces": faces(name, boxes)} for name, boxes in (("hog", hog), ("cnn", cnn))}
    return drawing(b"FACES:" + json.dumps({"models": models}).encode())


def both(*people: str) -> bytes:
    """A picture in which both models see the same people, in boxes that are a little apart."""
    boxes = [(LEFT, NEAR_LEFT), (FAR, FAR)]
    pairs = list(zip(people, boxes, strict=False))
    return scene({who: hog for who, (hog, _) in pairs}, {who: cnn for who, (_, cnn) in pairs})


@pytest.fixture
def stack(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path, every_core: None
) -> Iterator[Stack]:
    """On every core: clients without pause leave nothing of one to engines that give way."""
    store = (tmp_path / "pictures").as_uri()
    with Stack(
        redis_settings,
        rabbit_settings,
        tmp_path,
        workers=2,
        ENGINE="fake",
        WORKERS="1",
        IMAGE_STORE=store,
        ALLOW_FETCH_FROM="127.0.0.0/8",
    ) as found:
        yield found


def call(stack: Stack, what: str = "", **wishes: object) -> dict[str, Any]:
    answer = stack.session.post(f"{stack.url}/regenerate{what}", json=None if what else wishes, timeout=60)
    assert answer.ok, answer.text
    document: dict[str, Any] = answer.json()
    return document


def status(stack: Stack) -> dict[str, Any]:
    document: dict[str, Any] = stack.session.get(f"{stack.url}/regenerate", timeout=60).json()
    return document


def report(stack: Stack) -> dict[str, Any]:
    document: dict[str, Any] = stack.session.get(f"{stack.url}/regenerate/report", timeout=60).json()
    return document


def wait_phase(stack: Stack, *phases: str, seconds: float = 60) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def reached() -> bool:
        found.update(status(stack))
        return found["phase"] in phases

    wait_until(reached, f"the regeneration is {' or '.join(phases)}", lambda: f"{found}\n{stack.log_tails()}", seconds)
    return found


def regenerate(stack: Stack, **wishes: object) -> dict[str, Any]:
    call(stack, **wishes)
    return wait_phase(stack, "ready")


def cut_over(stack: Stack) -> None:
    call(stack, "/cut-over")
    wait_phase(stack, "cut over")


def records(databases: RedisDatabases, database: int = FACES) -> dict[str, list[bytes]]:
    client = databases.client(database)
    return {key.decode(): client.lrange(key, 0, -1) for key in client.scan_iter()}


def models(databases: RedisDatabases) -> set[Model]:
    return {model_of(record) for each in records(databases).values() for record in each}


def assert_sound(databases: RedisDatabases) -> None:
    audit = RedisAudit(databases)
    found = Fsck(audit, RedisRepairs(databases), LinkCheck(audit, RedisJournal(databases), 0.6)).run()
    assert found.clean, found.left
    assert Reindex(RedisJournal(databases), RedisWorkers(databases), patience=30).run()["ok"]


def test_there_and_back_under_uploads_and_queries(stack: Stack, databases: RedisDatabases) -> None:
    """No answer fails or mixes models, and ids, names, galleries, contacts, persons and meta are what they were."""
    first = [stack.scan(both(f"person {n % 5}", f"other {n % 3}"), f"{n}.png") for n in range(30)]
    stack.wait_ended(first)
    wait_until(lambda: len(databases.client(OWN).keys("person:*:faces")) == 8, "eight persons", stack.log_tails)
    register = Register(stack)
    entered = register.enter()
    before = keys_of_people(databases)
    matching = {image: stack.match(image) for image in first}
    clients = Clients(stack, first, matching)
    clients.start()
    try:
        regenerate(stack, model="cnn")
        cut_over(stack)
        assert Model.HOG not in {model_of(r) for key in first for r in records(databases)[key]}
        assert register.read() == entered
        call(stack, "/roll-back")
        wait_phase(stack, "ready")
        assert register.read() == entered
        cut_over(stack)
        assert register.read() == entered
        call(stack, "/finish")
        wait_phase(stack, "none")
        regenerate(stack, model="hog")
        cut_over(stack)
    finally:
        uploaded = clients.stop()
    assert uploaded
    assert register.read() == entered
    stack.wait_ended(uploaded)
    assert clients.faults == []
    assert models(databases) == {Model.HOG}
    after = keys_of_people(databases)
    assert {name: value for name, value in after.items() if name in before} == before
    assert {
        image: [n for n in stack.match(image) if n in set().union(*matching.values())] for image in first
    } == matching
    wait_until(lambda: status(stack)["waiting"] == 0, "both sets are complete", stack.log_tails)
    assert_sound(databases)
    told = report(stack)
    assert (told["not_found_again"], told["newly_found"], told["not_encoded"]) == (0, 0, 0)
    assert told["moved"] == sum(map(len, records(databases).values()))


class Register:
    """Faces with meta in a gallery, and contacts of a user; what the service says of them, but for what a model decides."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._faces: list[int] = []
        self._pages = {f"{name}.png": both(name) for name in ("ann", "bob")}

    def enter(self) -> dict[str, Any]:
        self._ask("POST", "/v1/galleries/staff")
        for name in ("Eve", "Fay"):
            posted = self._ask(
                "POST",
                "/v1/face",
                files={"photo": ("photo.png", both(f"staff {name}"))},
                data={"meta": f"this is {name}", "galleries": "staff"},
            )
            self._faces += [each["id"] for each in posted["results"]]
        with web(self._pages) as address:
            for contact, name in ((1, "ann"), (2, "bob")):
                face = contact_face(7, contact, contact, f"{address}{name}.png")
                answer = self._ask("POST", f"/users/7/contacts/{contact}/faces", json={"faces": [face]})
                assert [each["is_face"] for each in answer["added"]] == [True]
        return self.read()

    def read(self) -> dict[str, Any]:
        with web(self._pages) as address:
            recognized = self._ask("POST", "/users/7/recognize", json={"face_url": f"{address}ann.png"})
        kept = ("id", "meta", "galleries", "photo_hash", "timestamp")
        faces = [self._ask("GET", f"/v1/face/id/{face}") for face in self._faces]
        assert {(each["contact_id"], each["recognition_confidence"] > 0.99) for each in recognized[:1]} == {(1, True)}
        return {
            "galleries": self._ask("GET", "/v1/galleries")["results"],
            "staff": sorted(each["id"] for each in self._ask("GET", "/v1/faces/gallery/staff")["results"]),
            "faces": [{name: each[name] for name in kept} for each in faces],
            "contacts": self._ask("GET", "/users/7/faces"),
        }

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self._stack.session.request(method, f"{self._stack.url}{path}", timeout=60, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def keys_of_people(databases: RedisDatabases) -> dict[str, object]:
    """Whose the faces of the first images are, and what was said of them."""
    client = databases.client(OWN)
    persons = {k.decode(): v for k, v in client.hgetall("faces:person").items()}
    return {f"person of {face}": person for face, person in persons.items()}


class Clients:
    """Some clients that upload and ask without pause, and write down whatever is not as it should be."""

    def __init__(self, stack: Stack, known: list[str], matching: dict[str, list[str]]) -> None:
        self._stack = stack
        self._known = known
        self._matching = matching
        self._end = threading.Event()
        self._uploaded: list[str] = []
        self.faults: list[str] = []
        jobs = (self._upload, self._ask, self._identify)
        self._threads = [threading.Thread(target=self._guarded, args=(job,), daemon=True) for job in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[str]:
        self._end.set()
        for thread in self._threads:
            thread.join(60)
        return self._uploaded

    def _guarded(self, job: Any) -> None:
        number = 0
        while not self._end.wait(0.02):
            try:
                job(number)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault of the service
                self.faults.append(repr(error))
            number += 1

    def _upload(self, number: int) -> None:
        """Not faster than the workers are: on a busy machine the regeneration would never catch up."""
        self._uploaded.append(self._stack.scan(both(f"late {number % 3}"), f"late{number}.png"))
        self._stack.wait_ended(self._uploaded[-1:])
        self._end.wait(0.1)

    def _ask(self, number: int) -> None:
        image = self._known[number % len(self._known)]
        names = self._stack.match(image)
        if names != self._matching[image]:
            self.faults.append(f"match of {image}: {names}")

    def _identify(self, number: int) -> None:
        answer = self._stack.session.post(
            f"{self._stack.url}/identify",
            files={"file": ("probe.png", both(f"person {number % 5}"))},
            data={"tolerance": "0.1", "n": "100"},
            timeout=60,
        )
        (face,) = answer.json()["faces"]
        names = {name for candidate in face["candidates"] for name in candidate["names"]}
        if names != {f"{n}.png" for n in range(30) if n % 5 == number % 5}:
            self.faults.append(f"identify: {answer.text[:300]}")


def test_faces_not_found_again_or_newly_found_and_originals_that_are_gone(
    stack: Stack, databases: RedisDatabases, tmp_path: Path
) -> None:
    lost = stack.scan(scene({"ann": LEFT, "bob": FAR}, {"ann": NEAR_LEFT}), "lost.png")
    found = stack.scan(scene({"ann": LEFT}, {"ann": NEAR_LEFT, "cid": RIGHT}), "found.png")
    empty = stack.scan(scene({}, {"cid": RIGHT}), "empty.png")
    missing, changed = (stack.scan(both("ann"), f"{name}.png") for name in ("missing", "changed"))
    gone = stack.scan(scene({"eve": LEFT}, {"eve": LEFT}), "gone.png")
    stack.wait_ended([lost, found, empty, missing, changed, gone])
    pictures = tmp_path / "pictures" / "default"
    for image in (missing, gone):
        (folder,) = (pictures / image[:2] / image).iterdir()
        (folder / "original").unlink()
        if image == gone:
            shutil.rmtree(folder)
    (folder,) = (pictures / changed[:2] / changed).iterdir()
    (folder / "original").write_bytes(b"another picture")
    before = records(databases)

    regenerate(stack, model="cnn")
    cut_over(stack)
    told = report(stack)
    after = records(databases)
    for image, old in before.items():
        assert {face_id_of(record) for record in old} <= {face_id_of(record) for record in after[image]}
    # The chips are there: those faces are encoded anew at their old boxes, though their originals are not.
    assert told["missing_originals"] == sorted([missing, gone])
    assert told["changed_originals"] == [changed]
    assert (told["moved"], told["not_found_again"], told["newly_found"], told["not_encoded"]) == (2, 3, 2, 1)
    assert model_of(after[gone][0]) is Model.HOG
    bob = unpack_face(after[lost][1])[1]
    assert [bob.box.top, bob.box.right, bob.box.bottom, bob.box.left] == FAR
    assert bob.model is Model.CNN
    # cid is known by two pictures now, and nobody takes eve for anybody.
    assert stack.match(empty) == ["found.png"]
    assert stack.match(gone) == []
    assert stack.match(found) == ["empty.png", "lost.png"]
    listed = stack.session.get(f"{stack.url}/images/{found}", timeout=60).json()["faces"]
    assert stack.session.get(f"{stack.url}/faces/{listed[1]['id']}/thumbnail", timeout=60).status_code in {200, 404}
    assert_sound(databases)


def test_killed_at_random_points_it_ends_the_same(
    stack: Stack, databases: RedisDatabases, redis_settings: RedisSettings
) -> None:
    """Twenty times a worker is killed; also by --every-other from two machines each face is done once."""
    images = [stack.scan(both(f"person {n % 7}", f"other {n % 4}"), f"{n}.png") for n in range(40)]
    stack.wait_ended(images)
    call(stack, model="cnn", every_other=2, every_other_offset=0)
    call(stack, model="cnn", every_other=2, every_other_offset=1)
    dice = random.Random(8)
    for _ in range(20):
        threading.Event().wait(dice.random() * 0.3)
        victim = dice.choice([worker for worker in stack.workers if worker.running])
        victim.kill()
        stack.start_worker()
    stack.workers = [worker for worker in stack.workers if worker.running]
    # What a conductor took and was killed before it published, the next one publishes; nothing waits for the end of a lease.
    found = wait_phase(stack, "ready", seconds=LEASE / 2)
    assert found["moved"] == 80
    aside = records(databases, ASIDE_FACES)
    assert aside.keys() == records(databases).keys()
    for image, each in aside.items():
        assert [face_id_of(record) for record in each] == [face_id_of(r) for r in records(databases)[image]]
        assert {model_of(record) for record in each} == {Model.CNN}
    links = {key: stack.match(key) for key in images}
    cut_over(stack)
    assert {key: stack.match(key) for key in images} == links
    assert_sound(databases)
    call(stack, "/finish")
    wait_phase(stack, "none")
    assert databases.client(ASIDE_FACES).dbsize() == databases.client(ASIDE_LINKS).dbsize() == 0
    assert_sound(databases)


def command(stack: Stack, folder: Path, *arguments: str) -> dict[str, Any]:
    """What `facerec` says; it finds Redis by a file of settings."""
    config = folder / "settings"
    config.write_text("\n".join(f"{n}={v}" for n, v in stack.environment.items() if n.startswith("REDIS")))
    ran = subprocess.run(
        [sys.executable, "-m", "facerec", *arguments, "--config", str(config), "--json"],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def test_encodings_alone_are_made_of_the_normalized_faces(
    stack: Stack, databases: RedisDatabases, tmp_path: Path
) -> None:
    images = [stack.scan(both("ann"), f"{n}.png") for n in range(5)]
    stack.wait_ended(images)
    for original in (tmp_path / "pictures").rglob("original"):
        original.unlink()
    before = records(databases)
    counted = command(stack, tmp_path, "regenerate", "--dry-run")
    assert (counted["images"], counted["faces"], counted["images_to_detect"]) == (5, 5, 0)
    found = command(stack, tmp_path, "regenerate")
    assert (found["model"], found["moved"], found["not_encoded"]) == ("hog", 5, 0)
    assert command(stack, tmp_path, "regenerate", "report")["missing_originals"] == []
    assert records(databases, ASIDE_FACES) == before
    assert command(stack, tmp_path, "regenerate", "cancel")["phase"] == "none"
    assert report(stack)["moved"] == 5
    assert command(stack, tmp_path, "reindex")["ok"]
    assert np.allclose(unpack_face(before[images[0]][0])[1].encoding, fake_encoding("ann for hog"))
    assert_sound(databases)


def test_pictures_of_faces_are_made_anew_when_asked_for(
    stack: Stack, databases: RedisDatabases, tmp_path: Path
) -> None:
    images = [stack.scan(both("ann", "bob"), f"{n}.png") for n in range(3)]
    stack.wait_ended(images)
    kept = {path: path.read_bytes() for path in (tmp_path / "pictures").rglob("*") if path.is_file()}
    chips, thumbnails = ({path for path in kept if path.name.startswith(kind)} for kind in ("chip-", "face-"))
    assert (len(chips), len(thumbnails)) == (6, 6)
    before = records(databases)
    for parts, gone in (
        ("thumbnails", thumbnails),
        ("normalized", chips),
        ("normalized,thumbnails", chips | thumbnails),
    ):
        for path in gone:
            path.unlink()
        regenerate(stack, regenerate=parts)
        assert {path: path.read_bytes() for path in kept} == kept
        assert records(databases, ASIDE_FACES).keys() == before.keys()
        call(stack, "/cancel")
        wait_phase(stack, "none")
    assert records(databases) == before
    assert_sound(databases)
