"""Messages that no program of ours has sent, on every queue: each is set aside, what lies behind them is done, and nothing ends."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika.data
import pytest
from pika import BasicProperties, BlockingConnection

from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.redis import RedisDatabases
from facerec.config import RabbitSettings, RedisSettings
from facerec.identity import image_hash
from facerec.topology import (
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    INTERACTIVE_KEY,
    SCAN_KEY,
    WORK_EXCHANGE,
)
from tests.client import wait_until
from tests.drawings import drawing
from tests.stack import Stack

BODY = b"no picture"
JOB: dict[str, Any] = {
    "facerec-version": 1,
    "owner": "default",
    "hash": image_hash(BODY),
    "name": "junk.png",
    "ticket": 7,
    "queued-at": "5.0",
    "attempt": 1,
}
REQUEST: dict[str, Any] = {
    "facerec-version": 1,
    "verb": "search",
    "owner": "default",
    "deadline": "9999999999.0",
    "parameters": json.dumps({"count": 1, "limit": 1.0}),
}
PROBE = bytes(4 * 128)


class Raw:
    """A header value as it goes over the wire, which pika itself would not write."""

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(pieces: list[bytes], value: Any) -> int:
        if isinstance(value, Raw):
            pieces.append(value.encoded)
            return len(value.encoded)
        return int(original(pieces, value))

    original = pika.data.encode_value
    monkeypatch.setattr(pika.data, "encode_value", encode)


def nested(depth: int) -> Raw:
    """Lists in lists."""
    value = b"V"
    for _ in range(depth):
        value = b"A" + struct.pack(">I", len(value)) + value
    return Raw(value)


SCANS: list[dict[str, Any]] = [
    {},
    *(JOB | {"queued-at": text} for text in ("nan", "inf", "1e400", "-1", "soon", {"a": "dict"}, ["x"], None)),
    *(JOB | {name: {"a": "dict"}} for name in JOB),
    JOB | {"queued-at": Raw(b"T" + struct.pack(">Q", 1 << 60))},
    JOB | {"more": nested(5000), "queued-at": "nan"},
    JOB | {"queued-at": "nan", "much": "x" * 120_000},
    JOB | {"queued-at": "nan", "hash": "é" * 64},
    {"kind": "regenerate"},
    {"kind": {"a": "dict"}},
    {"kind": "regenerate", **JOB, "run": "x"},
]
REQUESTS: list[dict[str, Any]] = [
    {},
    *(REQUEST | {"parameters": text} for text in ("[" * 100_000, "nan", '{"count": NaN}', {"a": "dict"})),
    *(
        REQUEST | {"parameters": json.dumps({"count": 1, "limit": 1.0} | change)}
        for change in (
            {"among": ["x"]},
            {"among": [1 << 70]},
            {"beyond": [0.5, 1 << 70]},
            {"position": "x"},
            {"gallery": {}},
        )
    ),
    *(REQUEST | {"deadline": text} for text in ("nan", "inf", "1e400", {"a": "dict"})),
    REQUEST | {"verb": "enroll"},
    REQUEST
    | {"verb": "enroll", "parameters": json.dumps({"wish": {"persons": {"limit": "x"}}, "name": [], "ticket": {}})},
    REQUEST | {"verb": "analyse", "parameters": json.dumps({"boxes": [[1, 2, 3, 1 << 70]]})},
]
LETTERS: list[dict[str, Any]] = [
    {},
    *(JOB | {"buried-at": text} for text in ("nan", "inf", "1e400", "1e15", {"a": "dict"}, 7)),
    *(JOB | {name: {"a": "dict"}} for name in ("name", "hash", "ticket", "attempt")),
    JOB | {"code": {"a": "dict"}, "reason": ["x"], "attempts": "x"},
    JOB | {"buried-at": Raw(b"T" + struct.pack(">Q", 1 << 60))},
]


@pytest.fixture
def stack(redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path) -> Iterator[Stack]:
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", WORKERS="1", RETRY_BASE="0.1") as running:
        yield running


@pytest.mark.usefixtures("raw")
def test_junk_on_every_queue_ends_nothing(
    stack: Stack, rabbit_settings: RabbitSettings, databases: RedisDatabases
) -> None:
    with BlockingConnection(connection_parameters(rabbit_settings, "junk", 5)) as connection:
        channel = connection.channel()
        for headers in SCANS:
            channel.basic_publish(WORK_EXCHANGE, SCAN_KEY, BODY, BasicProperties(headers=headers))
        for headers in REQUESTS:
            # Replies go to a queue that is ours, so that the requests count as wanted.
            properties = BasicProperties(headers=headers, reply_to=DEAD_QUEUE, correlation_id="x")
            channel.basic_publish(WORK_EXCHANGE, INTERACTIVE_KEY, PROBE, properties)
        for headers in LETTERS:
            channel.basic_publish(DEAD_EXCHANGE, DEAD_QUEUE, BODY, BasicProperties(headers=headers))
        behind = [stack.scan(drawing(), f"{n}.png") for n in range(3)]

        assert set(stack.wait_ended(behind).values()) == {"done"}
        wait_until(
            lambda: channel.queue_declare("toWorker.interactive", passive=True).method.message_count == 0,
            "all answered",
        )

    for path in ("/", "/status", "/images", "/dead"):
        assert stack.session.get(stack.url + path, timeout=30).ok, path
    letters = stack.session.get(f"{stack.url}/dead", timeout=30).json()["results"]
    assert {letter["code"] for letter in letters} >= {"MALFORMED_JOB"}
    assert stack.readiness()["ready"]
    assert [worker.running for worker in stack.workers] == [True]
    log = (stack.folder / "worker0.log").read_text()
    assert "crashed" not in log
    assert "next try in" not in log, "no connection was lost"
