"""Contacts without a broker and a web: pictures by URL in memory, a worker in this process, the real Redis."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisContactAnswers, RedisDatabases, RedisJournal
from facerec.engine import FaceEngine
from facerec.engine.fake import FakeEngine
from facerec.errors import FacerecError, FetchFailed
from facerec.faces import Analysis
from facerec.identity import image_hash
from facerec.jobs import Reply, Request, ScanJob
from facerec.rule import ScanRule, to_scanned
from facerec.services.contacts import ContactBooks
from facerec.services.contacts_scans import WorkerScans


def face_url(*people: str, **more: Any) -> str:
    """A URL whose picture shows these people to the fake engine (`Pages`). ``tag`` makes pictures differ."""
    faces = [{"person": person, **more.get("each", {})} for person in people]
    return "http://faces.test/" + json.dumps({"faces": faces, "tag": more.get("tag", "")}).replace(" ", "%20")


class Pages:
    """A web of pictures: what follows the host in a URL of `face_url` is the picture; ``bodies`` are others."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.before: Callable[[str], None] = lambda _url: None

    def fetch(self, url: str) -> bytes:
        self.before(url)
        self.fetched.append(url)
        if url in self.bodies:
            return self.bodies[url]
        if not url.startswith("http://faces.test/{"):
            raise FetchFailed("the server answered 404")
        return b"FACES:" + url.removeprefix("http://faces.test/").replace("%20", " ").encode()


class OwnWorker:
    """`facerec.ports.Requester` whose worker is this process: what the engine finds is written by the rule at once."""

    def __init__(self, databases: RedisDatabases, engine: FaceEngine | None = None) -> None:
        self._engine = engine or FakeEngine()
        self._commits = RedisCommits(databases)
        self._rule = ScanRule(self._commits, RedisJournal(databases), 0.6)
        self._lock = threading.Lock()
        self.calls: list[str] = []

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        request = Request.from_message(request.headers, request.body, 0.0)
        self.calls.append(request.verb)
        try:
            with self._lock:
                analysis = self._engine.faces(request.body)
                document = self._enroll(request, analysis) if request.verb == "enroll" else analysis_document(analysis)
        except FacerecError as error:
            return Reply(False, {"code": error.code, "reason": error.reason})
        return Reply(True, document) if document else Reply(False, {"code": "NO_FACES", "reason": "no face was found"})

    def close(self) -> None:
        pass

    def _enroll(self, request: Request, analysis: Analysis) -> dict[str, Any] | None:
        if not analysis.faces:
            return None
        name, ticket = request.parameters["name"], request.parameters["ticket"]
        job = ScanJob(request.owner, image_hash(request.body), name, ticket, time.time(), request.body)
        start = self._commits.begin([job])[0]
        if start.verdict != "go":
            return {"state": start.verdict}
        if not self._rule.catch_up():
            self._rule.load()
        outcome = self._rule.finish([to_scanned(job, start.image_ticket, analysis)])
        return {"state": "written" if outcome.written else "done"}


def analysis_document(analysis: Analysis) -> dict[str, Any]:
    faces = [
        {
            "box": {"top": face.box.top, "right": face.box.right, "bottom": face.box.bottom, "left": face.box.left},
            "marks": sorted(mark.name.lower() for mark in face.marks),
            "encoding": [float(number) for number in face.encoding],
        }
        for face in analysis.faces
    ]
    return {"model": analysis.model.value, "faces": faces}


def open_books(
    databases: RedisDatabases, pages: Any, *, worker: Any = None, lease: float = 15.0, parallel: int = 8
) -> ContactBooks:
    """Contacts over the real Redis."""
    store = RedisContactAnswers(databases)
    scans = WorkerScans(
        admissions=RedisAdmissions(databases),
        records=store,
        fetcher=pages,
        probe=lambda _picture, _pixels: None,
        requester=worker or OwnWorker(databases),
        max_pixels=1_000_000,
    )
    return ContactBooks(store, scans, parallel=parallel, lease=lease)


@contextmanager
def web(bodies: Mapping[str, bytes]) -> Iterator[str]:
    """A web server with these pictures by name; its address."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies.get(self.path[1:])
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def face(
    user_id: int, contact_id: int, face_id: int, url: str, score: float = 0.5, external_id: int | None = None
) -> dict[str, Any]:
    """A face structure as a caller makes it."""
    return {
        "user_id": user_id,
        "contact_id": contact_id,
        "face_id": face_id,
        "face_url": url,
        "external_id": external_id,
        "score": score,
    }
