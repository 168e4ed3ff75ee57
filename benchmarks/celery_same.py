"""All of our work as a Celery user would write it: what `celery_app` does, and what makes pictures findable by their faces.

The view refuses what is no picture and what has no fit name, and notes that the picture is queued. The task makes as many
encodings of as many numbers as our quick engine, compares them with all that are known, and writes the four databases in one
transaction. Both log a line for each step to a topic exchange. What our service does beside is left out: a journal and its
followers, groups of persons, owners, events, retries and dead letters, metrics.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
import redis
from flask import jsonify, request
from kombu import Connection, Exchange
from kombu.pools import producers
from numpy.typing import NDArray
from PIL import Image

from benchmarks.celery_app import RESULTS, make_app, make_front

NAME_TO_HASH, HASH_TO_NAMES, FACES, LINKS = 0, RESULTS, 2, 3
STATE = 4
TOLERANCE = 0.6
LONGEST_NAME = 1024
MAX_PIXELS = 100_000_000
LOGS = Exchange("celery_logs", type="topic", durable=True)

app = make_app()
front = make_front()
store = redis.Redis.from_url(os.environ.get("CELERY_REDIS", "redis://127.0.0.1:1"), db=STATE)


class Known:
    """Every encoding that this worker has written, as one matrix that doubles when it is full."""

    def __init__(self) -> None:
        self.count = 0
        self._encodings = np.empty((1024, 128), np.float32)
        self._keys: list[str] = []

    def near(self, encoding: NDArray[np.float32]) -> set[str]:
        """The hashes of the pictures with a face within the tolerance."""
        known = self._encodings[: self.count]
        squared = ((known - encoding) ** 2).sum(axis=1)
        return {self._keys[row] for row in np.flatnonzero(squared <= TOLERANCE**2)}

    def add(self, key: str, encoding: NDArray[np.float32]) -> None:
        if self.count == len(self._encodings):
            self._encodings = np.concatenate((self._encodings, np.empty_like(self._encodings)))
        self._encodings[self.count] = encoding
        self._keys.append(key)
        self.count += 1


known = Known()
broker = Connection(os.environ.get("CELERY_BROKER", "memory://"))


@front.post("/scan/image/<path:name>")
def scan(name: str) -> tuple[object, int]:
    """Refuse what is no picture, note that it is queued, send it to a worker."""
    body = request.get_data()
    if len(name) > LONGEST_NAME:
        return jsonify({"code": "BAD_PARAM"}), 400
    with Image.open(io.BytesIO(body)) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            return jsonify({"code": "TOO_LARGE"}), 413
    key = hashlib.sha256(body).hexdigest()
    store.hset(f"image:{key}", mapping={"state": "queued", "since": datetime.now(UTC).isoformat()})
    write.delay(key, name, body)
    note("info", "request", key)
    return jsonify({"hash": key}), 202


@app.task
def write(key: str, name: str, body: bytes) -> None:
    """Encode, compare, write."""
    note("debug", "received", key)
    encodings = encode(body)
    note("debug", "encoded", key)
    matches = {other for encoding in encodings for other in known.near(encoding)} - {key}
    with store.pipeline(transaction=True) as step:
        step.hset(f"image:{key}", mapping={"state": "done", "faces": len(encodings)})
        into(step, NAME_TO_HASH).set(name, key)
        into(step, HASH_TO_NAMES).sadd(key, name)
        if encodings:
            into(step, FACES).rpush(key, *(encoding.tobytes() for encoding in encodings))
        if matches:
            into(step, LINKS).sadd(key, *matches)
            for other in matches:
                step.sadd(other, key)
        into(step, STATE)
        step.execute()
    for encoding in encodings:
        known.add(key, encoding)
    note("info", "done", key)


def into(step: Any, database: int) -> Any:
    """What follows in the transaction goes to this database."""
    step.execute_command("SELECT", database)
    return step


def encode(body: bytes) -> list[NDArray[np.float32]]:
    """As many faces as our quick engine finds, with encodings that follow from the bytes."""
    digest = hashlib.sha256(body).digest()
    count = digest[0] % 4
    return [
        np.random.default_rng(struct.unpack("<Q", digest[at : at + 8])[0]).normal(0, 0.13, 128).astype(np.float32)
        for at in range(count)
    ]


def note(level: str, action: str, key: str) -> None:
    """A line of the log to the topic, without a confirm, as ours are."""
    line = {
        "time": datetime.now(UTC).isoformat(),
        "level": level,
        "pid": os.getpid(),
        "action": action,
        "image_hash": key,
    }
    with producers[broker].acquire(block=True) as producer:
        producer.publish(
            json.dumps(line),
            routing_key=f"host.celery.{level}",
            exchange=LOGS,
            declare=[LOGS],
            content_type="application/json",
            delivery_mode=1,
        )
