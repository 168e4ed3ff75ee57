"""A small service that keeps the core contract in memory, counts what reaches it, and can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any, Self
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from tests.unit.cli.stub_people import Answer, StubPeople, error

TOKEN = "the token of the tests"


@dataclass
class Image:
    """``state`` is what a scan ends with at once; queued stays until `StubService.finish`."""

    hash: str
    names: list[str] = field(default_factory=list)
    state: str = "done"
    reason: str | None = None
    detail: str | None = None

    def document(self, *, whole: bool) -> dict[str, Any]:
        document: dict[str, Any] = {
            "hash": self.hash,
            "state": self.state,
            "reason": self.reason,
            "detail": self.detail,
            "names": self.names,
            "width": 640,
            "height": 480,
            "model": "hog",
            "queued_at": "2026-01-01T00:00:00+00:00",
            "done_at": None,
            "attempts": 1,
        }
        return document | ({"faces": [FACE], "matches": [MATCH]} if whole else {})


FACE = {
    "id": 4096,
    "box": {"top": 1, "right": 4, "bottom": 3, "left": 2},
    "landmarks": [{"x": 2, "y": 2}],
    "confidence": 0.9,
    "marks": [],
    "thumbnail": None,
}
MATCH = {"hash": "b" * 64, "names": ["other.png"], "distance": 0.25, "face": 4096, "matched_face": 8192}
NEAR = {"face": 4096, "distance": 0.25, "hash": "b" * 64, "names": ["other.png"], "thumbnail": None}
IDENTIFIED = {
    "width": 640,
    "height": 480,
    "tolerance": 0.5,
    "preset": "strict",
    "known_faces": 9,
    "faces": [
        {"box": FACE["box"], "confidence": 0.9, "marks": [], "unknown": False, "candidates": [NEAR]},
        {"box": FACE["box"], "confidence": 0.8, "marks": [], "unknown": True, "candidates": []},
    ],
}


def letter(image_hash: str, name: str) -> dict[str, Any]:
    """A job that was given up."""
    return {
        "hash": image_hash,
        "name": name,
        "code": "CHILD_DIED",
        "reason": "the child died",
        "attempts": 5,
        "buried_at": "2026-01-01T00:00:00+00:00",
        "bytes": 7,
    }


class StubService:
    """``with StubService() as service``: listens on `url`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.images: dict[str, Image] = {}
        self.uploads: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.next_answers: deque[Answer] = deque()
        self.state = "done"
        self.needs_token = False
        self.ready = True
        self.events = False
        self.letters: list[dict[str, Any]] = []
        self.people = StubPeople()
        self.refused: Callable[[str], Answer | None] = lambda name: None
        self._streams: list[SimpleQueue[str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.put(None)
        self._server.shutdown()
        self._server.server_close()

    # -- what tests tell it -----------------------------------------------------------------------------------------------

    def fail_next(self, *answers: Answer) -> None:
        self.next_answers.extend(answers)

    def finish(self, image_hash: str, state: str = "done", reason: str | None = None) -> None:
        with self.lock:
            image = self.images[image_hash]
            image.state, image.reason, image.detail = state, reason, reason and "told by the test"
            self.tell(image_hash, state)

    def tell(self, image_hash: str, state: str) -> None:
        for stream in self._streams:
            stream.put(f"event: state\ndata: {json.dumps({'hash': image_hash, 'state': state})}\n\n")

    def cut_streams(self) -> None:
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.put(None)

    def open_stream(self) -> SimpleQueue[str | None]:
        stream: SimpleQueue[str | None] = SimpleQueue()
        stream.put(": hello\nretry: 10\n\nevent: ready\ndata: {}\n\n")
        self._streams.append(stream)
        return stream

    @property
    def streams(self) -> int:
        return len(self._streams)

    # -- what clients ask -------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> Answer:
        with self.lock:
            if self.next_answers:
                return self.next_answers.popleft()
            if path.startswith(("/people", "/faces")):
                return self.people.answer(method, path, query, json.loads(body or b"null"))
            return self._route(method, path, query, body)

    def _route(self, method: str, path: str, query: dict[str, str], body: bytes) -> Answer:
        _, first, *rest = path.split("/")
        if method == "POST":
            return self._post(path, body)
        if path == "/images":
            return self._list(query)
        if first == "images" and len(rest) == 1 and rest[0] in self.images:
            return self._image(method, rest[0])
        if path in {"/dead", "/status"}:
            return 200, {"results": self.letters} if path == "/dead" else self._status(), {}
        if first == "match":
            return 200, ["other.png", "ä.png"] if rest[0] in self.images else [], {}
        return error(404, "NOT_FOUND")

    def _post(self, path: str, body: bytes) -> Answer:
        if path.startswith("/scan/image/"):
            return self._scan(unquote_to_bytes(path.removeprefix("/scan/image/")).decode(), body)
        if path == "/scan/url":
            url = json.loads(body)["url"]
            return self._scan(url, url.encode())
        if path == "/images/states":
            return 200, {"results": self._documents(json.loads(body)["hashes"])}, {}
        if path in {"/dead/redrive", "/dead/drop"}:
            return self._pick(body)
        if path == "/identify":
            return 200, IDENTIFIED, {}
        return error(404, "NOT_FOUND")

    def _documents(self, hashes: list[str]) -> list[dict[str, Any]]:
        return [self.images[each].document(whole=False) for each in hashes if each in self.images]

    def _scan(self, name: str, body: bytes) -> Answer:
        refusal = self.refused(name)
        if refusal:
            return refusal
        image = self.images.setdefault(sha256(body).hexdigest(), Image(sha256(body).hexdigest(), state=self.state))
        if name not in image.names:
            image.names.append(name)
        if image.state == "failed":
            image.state = self.state
        self.uploads.append(name)
        self.tell(image.hash, image.state)
        return 202, {"hash": image.hash}, {"Location": f"/images/{image.hash}"}

    def _list(self, query: dict[str, str]) -> Answer:
        found = [
            image.document(whole=False)
            for image in self.images.values()
            if query.get("state", image.state) == image.state
            and any(name.startswith(query.get("name", "")) for name in image.names)
        ]
        limit, start = int(query.get("limit", 50)), int(query.get("cursor", 0))
        more = start + limit < len(found)
        following = f"/images?limit={limit}&cursor={start + limit}" if more else None
        return 200, {"results": found[start : start + limit], "next_page": following}, {}

    def _image(self, method: str, image_hash: str) -> Answer:
        if method == "DELETE":
            image = self.images.pop(image_hash)
            self.tell(image_hash, "erased")
            return 200, {"hash": image_hash, "names": image.names, "removed": {"database 1": 1}}, {}
        return 200, self.images[image_hash].document(whole=True), {}

    def _status(self) -> dict[str, Any]:
        part = {"ok": self.ready, "reason": None if self.ready else "it is away", "reads": self.ready}
        return {
            "parts": {"broker": part},
            "images": {"queued": 1, "processing": 2, "done": 3, "failed": 4} if self.ready else None,
            "waiting": 5 if self.ready else None,
            "dead": len(self.letters),
            "workers": [{"name": "w1", "model": "hog", "device": "cpu", "processes": 2, "faces": 9, "jobs": 0}],
        }

    def _pick(self, body: bytes) -> Answer:
        which = json.loads(body)
        picked = [each for each in self.letters if which.get("all") or each["hash"] in which["hashes"]]
        self.letters = [each for each in self.letters if each not in picked]
        return 200, {"count": len(picked), "hashes": sorted({each["hash"] for each in picked})}, {}


def _handler_of(service: StubService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            with service.lock:
                service.calls.append((self.command, self.path))
                service.bodies.append(body)
                service.headers.append(dict(self.headers))
            if service.needs_token and self.headers.get("Authorization") != f"Token {TOKEN}":
                self._send(error(401, "AUTH_FAILED"))
            elif parts.path == "/events" and service.events:
                self._stream()
            else:
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                self._send(service.answer(self.command, parts.path, query, body))

        do_GET = do_POST = do_DELETE = do_PATCH = _any  # noqa: N815

        def _send(self, answer: Answer) -> None:
            status, document, headers = answer
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            with service.lock:
                stream = service.open_stream()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while (text := stream.get()) is not None:
                piece = text.encode()
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing: tests look at `StubService.calls`."""

    return Handler
