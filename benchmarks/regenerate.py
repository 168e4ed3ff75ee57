"""Moving a collection to another model and back while it serves, and what it costs.

    python -m benchmarks.regenerate [--faces N] [--people N] [--only cost|move]

``cost``: N stored pictures of ten people (of one, where there is no ``lfw100``) get new encodings, made of their normalized
faces; the time on the clock with one engine process is compared with what the engine itself needs for the same chips: one by
one, and as many at once as its network takes best, which is how the regeneration asks. Medians of some rounds.

``move``: the pictures of ``lfw100`` and ``portraits`` (or of the archive of face_recognition, where there are none) move from
HOG to CNN and back to HOG under uploads and queries; every answer is checked, and the state after each cut-over is compared
with that of a fresh scan with that model.
"""

from __future__ import annotations

import argparse
import io
import statistics
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import requests
from PIL import Image

from benchmarks.common import is_grouped, post_all, print_json, print_table, private_servers, timed
from facerec.adapters.redis import RedisAudit, RedisDatabases, RedisJournal, RedisRepairs
from facerec.adapters.redis.layout import FACES, OWN
from facerec.config import RedisSettings
from facerec.engine import EngineOptions, FaceEngine, open_engine
from facerec.faces import Face, Model
from facerec.identity import image_hash
from facerec.records import unpack_face
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from tests import pictures
from tests.client import wait_until
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.stack import ROOT, Stack

LONG = 3600.0
ROUNDS = 3
ENCODER_TAKES = 8
"""Faces in one run of the encoder's network on a CPU."""
LATE = "late"
"""How the names of pictures begin that are uploaded meanwhile."""
SAME = 1e-4
"""Two computations of one encoding differ by less."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--people", type=int, default=10, help="whose pictures there are for the cost")
    parser.add_argument("--only", choices=("cost", "move"))
    options = parser.parse_args()
    result: dict[str, Any] = {}
    if options.only != "move":
        result |= cost(options.faces, options.people)
    if options.only != "cost":
        result |= move()
    print_table([(name, value) for name, value in result.items()], ("what", ""))
    print_json(result)


def cost(faces: int, people: int) -> dict[str, Any]:
    photos = portraits(people)
    # A comment behind the end of a picture makes it another image with the same face.
    todo = [(f"{n}.jpg", photos[n % len(photos)] + b"\n%d" % n) for n in range(faces)]
    with private_servers() as (redis, rabbit, folder):
        store = folder / "pictures"
        more = {"WORKERS": "1", "INTERACTIVE_PROCESSES": "0", "LOG_LEVEL": "WARNING", "IMAGE_STORE": store.as_uri()}
        with Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, **more) as stack:
            assert set(post_all(stack.port, todo, 8)) == {202}
            wait_until(lambda: done_images(stack) == faces, "all are scanned", stack.log_tails, LONG)
            chips = [path.read_bytes() for path in store.rglob("chip-*.png")]
            assert len(chips) >= faces
            engine = open_engine(Model.HOG, EngineOptions(), ROOT / ".cache" / "models", "cpu")
            engine.encode_chips(chips[:ENCODER_TAKES])
            rounds = [one_round(stack, engine, chips) for _ in range(ROUNDS)]
    median = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    return {"faces": len(chips)} | {name: round(value, 3) for name, value in median.items()}


def one_round(stack: Stack, engine: FaceEngine, chips: Sequence[bytes]) -> dict[str, float]:
    """The engine right before and right after a regeneration, because a machine that others use is not always as fast."""
    before, before_in_batches = alone(engine, chips, 1), alone(engine, chips, ENCODER_TAKES)
    seconds = timed(lambda: regenerated(stack, {}))
    in_batches = (before_in_batches + alone(engine, chips, ENCODER_TAKES)) / 2
    one_by_one = (before + alone(engine, chips, 1)) / 2
    post(stack, "/cancel")
    wait_phase(stack, "none")
    return {
        "regenerate_seconds": seconds,
        "engine_seconds": one_by_one,
        "engine_in_batches_seconds": in_batches,
        "regenerate_over_engine": seconds / one_by_one,
        "regenerate_over_engine_in_batches": seconds / in_batches,
    }


def alone(engine: FaceEngine, chips: Sequence[bytes], at_once: int) -> float:
    """Seconds that the engine needs for the chips in runs of ``at_once``."""
    return timed(
        lambda: [engine.encode_chips(chips[start : start + at_once]) for start in range(0, len(chips), at_once)]
    )


def portraits(people: int) -> list[bytes]:
    """Photos of people, most with one face, small, because scanning them is not what is measured."""
    found = [path.read_bytes() for group in list(pictures.lfw100().values())[:people] for path in group]
    return found or [small(pictures.archive_pictures()["obama.jpg"])]


def small(path: Path) -> bytes:
    with Image.open(path) as photo:
        photo.thumbnail((400, 400))
        body = io.BytesIO()
        photo.convert("RGB").save(body, "JPEG", quality=90)
    return body.getvalue()


def move() -> dict[str, Any]:
    groups = [*pictures.lfw100().values(), list(pictures.portraits().values())]
    paths = [path for group in groups for path in group] or list(pictures.archive_pictures().values())
    todo = {image_hash(path.read_bytes()): path for path in paths}
    fresh = {model: scanned(todo, model) for model in ("hog", "cnn")}
    with private_servers() as (redis, rabbit, folder):
        settings = redis_settings_of(redis)
        more = {"LOG_LEVEL": "WARNING", "IMAGE_STORE": (folder / "pictures").as_uri(), "MODEL": "hog"}
        with Stack(settings, rabbit_settings_of(rabbit), folder, workers=2, **more) as stack:
            stack.wait_ended([stack.scan(path.read_bytes(), path.name) for path in todo.values()], LONG)
            wait_grouped(stack, settings)
            return {"pictures": len(todo)} | moved_there_and_back(stack, settings, todo, fresh)


def moved_there_and_back(
    stack: Stack, settings: RedisSettings, todo: dict[str, Path], fresh: dict[str, dict[str, list[Face]]]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    before = kept_of(stack, settings, todo)
    matching = [matches(stack, todo)]
    clients = Clients(stack, todo)
    clients.start()
    for model in ("cnn", "hog"):
        started = time.monotonic()
        regenerated(stack, {"model": model})
        post(stack, "/cut-over")
        wait_phase(stack, "cut over")
        matching.append(matches(stack, todo))
        found = told(stack) | {"seconds": round(time.monotonic() - started, 1)}
        found |= compared(fresh[model], known(settings, todo), report(stack))
        found["changed_names_ids_persons"] = changed(before, kept_of(stack, settings, todo))
        result |= {f"to_{model}_{name}": value for name, value in found.items()}
        post(stack, "/finish")
        wait_phase(stack, "none")
    result |= clients.stop()
    result["mixed_answers"] = sum(
        answer not in [each[image] for each in matching]
        for image, answers in clients.answers.items()
        for answer in answers
    )
    return result | {"fsck": checked(settings)}


def wait_grouped(stack: Stack, settings: RedisSettings) -> None:
    databases = RedisDatabases(settings)
    wait_until(lambda: is_grouped(databases), "all are grouped", stack.log_tails, LONG)
    databases.close()


def kept_of(stack: Stack, settings: RedisSettings, todo: dict[str, Path]) -> dict[str, set[tuple[str, Any]]]:
    """Of each image its names, its faces by id, and the persons of those that have one: who is alone may find others."""
    databases = RedisDatabases(settings)
    persons = {int(face): person for face, person in databases.client(OWN).hgetall("faces:person").items()}
    databases.close()
    documents = {image: stack.image(image) for image in todo}
    return {
        image: {("name", name) for name in document["names"]}
        | {("face", each["id"]) for each in document["faces"]}
        | {
            ("person", (each["id"], persons[int(each["id"])]))
            for each in document["faces"]
            if persons.get(int(each["id"]))
        }
        for image, document in documents.items()
    }


def changed(before: dict[str, set[tuple[str, Any]]], after: dict[str, set[tuple[str, Any]]]) -> int:
    """Images that lack a name or a face, or have a face in another person. New faces change nothing."""
    return sum(not old <= after[image] for image, old in before.items())


def matches(stack: Stack, todo: dict[str, Path]) -> dict[str, frozenset[str]]:
    return {image: without_late(stack.match(image)) for image in todo}


def without_late(names: Iterable[str]) -> frozenset[str]:
    """Names of pictures that were there from the beginning."""
    return frozenset(name for name in names if not name.startswith(LATE))


class Clients:
    """Upload, ask for matches and identify, without pause; whatever fails is counted."""

    def __init__(self, stack: Stack, todo: dict[str, Path]) -> None:
        self._stack = stack
        self._todo = list(todo.items())
        self._end = threading.Event()
        self._counts = {"uploads": 0, "queries": 0, "failed": 0}
        self.answers: dict[str, set[frozenset[str]]] = {image: set() for image in todo}
        """To the question for the matches of each picture, all that differed."""
        self._threads = [threading.Thread(target=work) for work in (self._uploads, self._queries, self._identifies)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> dict[str, Any]:
        self._end.set()
        for thread in self._threads:
            thread.join()
        return self._counts

    def _call(self, kind: str, method: str, path: str, **more: Any) -> requests.Response:
        answer = self._stack.session.request(method, f"{self._stack.url}{path}", timeout=60, **more)
        self._counts[kind] += 1
        self._counts["failed"] += not answer.ok
        return answer

    def _uploads(self) -> None:
        photo = self._todo[0][1].read_bytes()
        while not self._end.wait(0.5):
            body = photo + b"\n%d" % self._counts["uploads"]
            self._call("uploads", "POST", f"/scan/image/{LATE}{self._counts['uploads']}.jpg", data=body)

    def _queries(self) -> None:
        while not self._end.wait(0.05):
            image, _ = self._todo[self._counts["queries"] % len(self._todo)]
            answer = self._call("queries", "GET", f"/match/{image}")
            if answer.ok:
                self.answers[image].add(without_late(answer.json()))

    def _identifies(self) -> None:
        photo = self._todo[0][1].read_bytes()
        while not self._end.wait(0.2):
            self._call("queries", "POST", "/identify", files={"file": ("probe.jpg", photo)})


def scanned(todo: dict[str, Path], model: str) -> dict[str, list[Face]]:
    """What a fresh scan with a model finds."""
    with private_servers() as (redis, rabbit, folder):
        settings = redis_settings_of(redis)
        with Stack(settings, rabbit_settings_of(rabbit), folder, MODEL=model, LOG_LEVEL="WARNING") as stack:
            stack.wait_ended([stack.scan(path.read_bytes(), path.name) for path in todo.values()], LONG)
            return known(settings, todo)


def known(settings: RedisSettings, todo: dict[str, Path]) -> dict[str, list[Face]]:
    databases = RedisDatabases(settings)
    client = databases.client(FACES)
    found = {image: [unpack_face(record)[1] for record in client.lrange(image, 0, -1)] for image in todo}
    databases.close()
    return found


def compared(fresh: dict[str, list[Face]], moved: dict[str, list[Face]], told: dict[str, Any]) -> dict[str, Any]:
    """How many faces of the fresh scan are there with the same box and encoding, how many lack, and how many are more: those that
    were not found again and are kept, which the report lists, and others."""
    same = sum(
        any(face.box == other.box and np.abs(face.encoding - other.encoding).max() < SAME for other in moved[image])
        for image, faces in fresh.items()
        for face in faces
    )
    total = sum(map(len, fresh.values()))
    listed = sum(len(note.get("not_found_again", ())) for note in told["notes"] if note["hash"] in moved)
    more = sum(map(len, moved.values())) - total
    return {"as_fresh": same, "not_as_fresh": total - same, "kept": listed, "more_and_not_listed": more - listed}


def checked(settings: RedisSettings) -> str:
    databases = RedisDatabases(settings)
    audit = RedisAudit(databases)
    report = Fsck(audit, RedisRepairs(databases), LinkCheck(audit, RedisJournal(databases), 0.6)).run()
    databases.close()
    return "clean" if report.clean else f"{len(report.left)} faults"


def done_images(stack: Stack) -> int:
    return int(stack.session.get(f"{stack.url}/status", timeout=60).json()["images"]["done"])


def post(stack: Stack, path: str, wishes: dict[str, Any] | None = None) -> None:
    answer = stack.session.post(f"{stack.url}/regenerate{path}", json=wishes, timeout=60)
    assert answer.ok, answer.text


def report(stack: Stack) -> dict[str, Any]:
    document: dict[str, Any] = stack.session.get(f"{stack.url}/regenerate/report", timeout=60).json()
    return document


def phase(stack: Stack) -> dict[str, Any]:
    document: dict[str, Any] = stack.session.get(f"{stack.url}/regenerate", timeout=60).json()
    return document


def wait_phase(stack: Stack, wished: str) -> None:
    wait_until(lambda: phase(stack)["phase"] == wished, f"the phase is {wished}", stack.log_tails, LONG)


def regenerated(stack: Stack, wishes: dict[str, Any]) -> None:
    """Start, and wait until nothing waits but perhaps what was uploaded in this moment."""
    post(stack, "", wishes)

    def nearly_done() -> bool:
        found = phase(stack)
        return bool(found["looked_at"] and found["waiting"] <= 2 and found["done"])

    wait_until(nearly_done, "it is done", stack.log_tails, LONG)


def told(stack: Stack) -> dict[str, Any]:
    found = phase(stack)
    return {name: found[name] for name in ("moved", "not_found_again", "newly_found", "not_encoded")}


if __name__ == "__main__":
    main()
