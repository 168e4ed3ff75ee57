"""Webhooks of the whole service: called, signed, tried again, never to where fetches may not go."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.config import RabbitSettings, RedisSettings
from facerec.local.servers import RabbitServer
from facerec.services.webhooks import signature
from tests.client import wait_until
from tests.drawings import drawing, showing
from tests.stack import Stack, own_stack


class Receiver:
    """A service that is called; ``answers`` are its next statuses, then 200."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self) -> dict[str, str]:
        """Hash -> event."""
        documents = [json.loads(body) for _, body in self.calls]
        return {told["image"]["hash"]: told["event"] for told in documents if "image" in told}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole_stack(rabbit_server: RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    more = {"ENGINE": "fake", "ALLOW_FETCH_FROM": "127.0.0.1/32", "ATTEMPTS": "1"}
    with own_stack(rabbit_server, tmp_path_factory.mktemp("stack"), **more) as found:
        yield found


@pytest.fixture
def stack(whole_stack: Stack) -> Stack:
    whole_stack.empty()
    return whole_stack


def set_webhook(stack: Stack, url: str) -> str:
    answer = stack.session.put(f"{stack.url}/webhook", json={"url": url}, timeout=30)
    assert answer.ok, answer.text
    return str(answer.json()["secret"])


def webhook(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.session.get(f"{stack.url}/webhook", timeout=30).json()
    return found


def test_done_and_failed_are_told_and_signed(stack: Stack, receiver: Receiver) -> None:
    secret = set_webhook(stack, receiver.url)
    assert stack.session.post(f"{stack.url}/webhook/test", timeout=30).json() == {"status": 200, "error": None}
    good, bad = stack.scan(showing("ann"), "good.png"), stack.scan(drawing(b"BROKEN"), "bad.png")

    wait_until(lambda: receiver.told() == {good: "image.done", bad: "image.failed"}, "both are told", stack.log_tails)

    for headers, body in receiver.calls:
        assert headers["X-Facerec-Signature"] == signature(secret, int(headers["X-Facerec-Timestamp"]), body)
    (failed,) = (json.loads(body)["image"] for _, body in receiver.calls if b"image.failed" in body)
    assert (failed["reason"], failed["names"]) == ("UNREADABLE_IMAGE", ["bad.png"])
    wait_until(lambda: webhook(stack)["last_status"] == 200, "the last call is shown", stack.log_tails)


@pytest.fixture
def databases(stack: Stack) -> Iterator[RedisDatabases]:
    with closing(RedisDatabases(stack.redis)) as opened:
        yield opened


def test_a_receiver_that_fails_is_called_again(stack: Stack, receiver: Receiver, databases: RedisDatabases) -> None:
    receiver.answers = [500, 503]
    set_webhook(stack, receiver.url)
    image_hash = stack.scan(drawing(), "a.png")

    for tries in (1, 2, 3):
        wait_until(lambda n=tries: len(receiver.calls) == n, f"try {tries}", stack.log_tails)  # type: ignore[misc]
        wait_until(lambda: webhook(stack)["last_status"] is not None, "it is noted")
        # Half a minute and more would pass by itself.
        wait_until(lambda: hurried(databases, image_hash), "its next try is made due", seconds=10)
    wait_until(lambda: webhook(stack)["last_error"] is None, "it was taken in the end", stack.log_tails)
    assert databases.client().exists("webhooks:due", "webhook:calls", "webhooks:waiting") == 0


def hurried(databases: RedisDatabases, image_hash: str) -> bool:
    """Make a postponed notice due; True when that is done, or when there is none any more."""
    client = databases.client()
    member = f"done:{image_hash}"
    score = client.zscore("webhook:calls", member)
    seconds, _ = client.time()
    if score is None:
        return not client.exists("webhooks:due")
    if not seconds < score < seconds + 120:  # a claim's lease is longer than a first delay
        return False
    client.zadd("webhook:calls", {member: 0})
    client.zadd("webhooks:waiting", {"": 0})
    return True


def test_a_worker_that_dies_leaves_its_notices_to_others(stack: Stack, receiver: Receiver) -> None:
    set_webhook(stack, receiver.url)
    stack.workers[0].kill()
    stack.workers.clear()
    hashes = [stack.scan(drawing(), f"{n}.png") for n in range(10)]

    stack.start_worker()

    wait_until(lambda: receiver.told().keys() == set(hashes), "all are told", stack.log_tails)


def test_what_may_not_be_fetched_is_not_called(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path, receiver: Receiver
) -> None:
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake") as stack:
        set_webhook(stack, receiver.url)
        tried = stack.session.post(f"{stack.url}/webhook/test", timeout=30).json()
        assert "must not be fetched" in tried["error"]

        stack.wait_ended([stack.scan(drawing(), "a.png")])

        wait_until(lambda: "must not be" in (webhook(stack)["last_error"] or ""), "the worker refuses", stack.log_tails)
        assert receiver.calls == []
