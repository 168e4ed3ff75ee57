"""gunicorn, run from here: threads that no slow client can hold, and errors in the shape of the contract."""

from __future__ import annotations

import errno
import json
import logging
import select
import shutil
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.util import close_graceful, write
from gunicorn.workers.gthread import TConn, ThreadWorker

from facerec.config import RestSettings
from facerec.errors import BadParam
from rest.context import EXTENSION
from rest.errors import answer
from rest.metrics import forget_process

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

log = logging.getLogger(__name__)

KEEPALIVE = 75
GRACE = 5.0
"""Seconds beyond the longest answer that a stopping process waits for its requests."""
LINGER = 5.0
LINGER_BYTES = 64 * 1024 * 1024
"""How long, and for how many bytes, a client that was answered early may go on sending."""
STAY = 0.02
"""Seconds for which a thread waits for the next request of its connection, when nobody waits for the thread."""
_NO_TIME = 1e-6
"""A timeout that is over at once; nought would mean not to wait, and is another error."""
MAX_REQUEST_LINE = 8190
"""The longest that gunicorn allows: 1024 characters of a name take up to 12 bytes each when URL-encoded, most far fewer."""


class PatientSocket(socket.socket):
    """A client's connection that gives up on it when a request comes too slowly, or an answer is read too slowly.

    gunicorn sets no limit, so a handful of clients that send a byte now and then, or that never read what they asked for, could
    hold every thread. Each request, and each piece of an answer, may take FIRST seconds and one more for every RATE bytes that
    have come or gone; then the connection looks closed.
    """

    FIRST = 20.0
    RATE = 16 * 1024
    _until = float("inf")

    def expect_request(self) -> None:
        """A request begins now."""
        self._until = time.monotonic() + self.FIRST

    def recv(self, size: int, flags: int = 0) -> bytes:
        if flags:
            return super().recv(size, flags)
        before = self.gettimeout()
        left = self._until - time.monotonic()
        if left <= 0:
            return b""
        self.settimeout(left if before is None else min(left, before))
        try:
            received = super().recv(size)
        except TimeoutError:
            if before is not None and before < left:
                raise
            return b""
        finally:
            self.settimeout(before)
        self._until += len(received) / self.RATE
        return received

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        until = time.monotonic() + self.FIRST
        rest = memoryview(data)
        while rest:
            sent = self._send_before(until, rest, flags)
            until += sent / self.RATE
            rest = rest[sent:]

    def _send_before(self, until: float, data: memoryview, flags: int) -> int:
        before = self.gettimeout()
        try:
            self.settimeout(max(until - time.monotonic(), _NO_TIME))
            return self.send(data, flags)
        except TimeoutError as error:
            raise BrokenPipeError(errno.EPIPE, "the client does not read its answer") from error
        finally:
            self.settimeout(before)


class _Threads(ThreadPoolExecutor):
    """The threads that serve requests."""

    @property
    def is_wanted(self) -> bool:
        """Whether a request waits for a thread."""
        return not self._work_queue.empty()


class FrontWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker with patient sockets and errors in our shape."""

    def get_thread_pool(self) -> _Threads:
        return _Threads(max_workers=self.cfg.threads)

    def handle(self, conn: TConn) -> Any:
        if not isinstance(conn.sock, PatientSocket):
            plain = conn.sock
            conn.sock = PatientSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        conn.sock.expect_request()
        kept = super().handle(conn)
        while kept is True and self._goes_on(conn.sock):
            conn.sock.expect_request()
            kept = super().handle(conn)
        if kept is False:
            # Many clients read an early answer only after they have sent everything, and closing a connection with unread
            # bytes resets it before they can. gunicorn would wait for them in the thread that accepts, and for 64 KiB only.
            close_graceful(conn.sock, LINGER, LINGER_BYTES)
        return kept

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """The answer has said whether the connection is kept. gunicorn would close it all the same when more than 64 KiB of a body
        were refused unread, as of every upload beyond a limit of rate, and the client's next request would be lost."""
        until = time.monotonic() + LINGER
        return keepalive and bool(conn.parser.finish_body(deadline=until, max_bytes=LINGER_BYTES))

    def finish_request(self, conn: TConn, served: Future[Any]) -> None:
        """gunicorn would close a closed connection again, fail, and count it as two that are gone: with fewer than none left it
        stops without waiting for the requests that it still serves."""
        if conn.sock.fileno() < 0:
            self.nr_conns -= 1
        else:
            super().finish_request(conn, served)

    def _goes_on(self, client: socket.socket) -> bool:
        """Whether the next request is there, or comes at once, as those of a bulk client do.

        The way of a connection back to the thread that waits for all of them, and from there to a thread of the pool, makes the
        threads wait for each other.
        """
        if not self.alive or self.tpool.is_wanted:
            return False
        readable = select.poll()
        readable.register(client, select.POLLIN)
        return bool(readable.poll(1000 * STAY))

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._end_streams()
        super().handle_exit(sig, frame)

    def is_parent_alive(self) -> bool:
        """When the server was killed, this process ends as if it had been told to."""
        if not super().is_parent_alive():
            self.alive = False
            self._end_streams()
        return bool(self.alive)

    def set_accept_enabled(self, enabled: bool) -> None:
        """A process that ends serves who has come, and leaves the port to the next server at once: who comes now is refused, and
        does not wait for an answer that nobody will give."""
        super().set_accept_enabled(enabled)
        while self.sockets and not self.alive:
            listener = self.sockets.pop()
            self._take_waiting(listener)
            listener.close()

    def _take_waiting(self, listener: socket.socket) -> None:
        """The connections that the system has made already."""
        before = -1
        while before < self.nr_conns:
            before = self.nr_conns
            self.accept(listener)

    def _end_streams(self) -> None:
        """Streams of events would keep a stopping process for as long as their clients listen."""
        app = getattr(self, "wsgi", None)
        if isinstance(app, Flask):
            app.extensions[EXTENSION].hub.end()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:  # noqa: ARG002 - gunicorn's
        """Answer what never became a request, or what broke outside the app."""
        if isinstance(exc, ParseException):
            status, document = 400, {"code": "BAD_PARAM", "reason": _complaint(exc), "param": "request"}
            log.info("a client sent no proper request: %s", exc, extra={"action": "bad_request"})
        else:
            status, document = 500, {"code": "INTERNAL", "reason": "an error of ours"}
            log.error("a request failed outside the app", exc_info=exc)
        body = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {status} {'Bad Request' if status == 400 else 'Internal Server Error'}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            write(client, head.encode() + body)
        except OSError as error:
            log.debug("the client did not wait for its error: %s", error)


def _complaint(error: ParseException) -> str:
    if isinstance(error, LimitRequestLine):
        return f"the request line is longer than {MAX_REQUEST_LINE} bytes"
    if isinstance(error, LimitRequestHeaders):
        return "the headers are too many or too long"
    return "this is no proper HTTP request"


def _answer_broken_body(_: ParseException) -> Response:
    return answer(BadParam("body", "the chunks of the body are broken"))


class PlainLogger(Logger):  # type: ignore[misc]
    """gunicorn's own records go where all others go. Calls are logged by `rest.calls`."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)
        self.cfg = cfg


Make = Callable[[], tuple[Flask, Callable[[], None]]]


class FrontServer(BaseApplication):  # type: ignore[misc]
    """Processes that each make the app for themselves: no connection is shared across a fork.

    ``make`` gives the app of one process and what closes it; it is called after the fork. ``metrics_folder`` is removed at
    the end.
    """

    def __init__(self, settings: RestSettings, make: Make, metrics_folder: Path | None = None) -> None:
        self._settings = settings
        self._make = make
        self._metrics_folder = metrics_folder
        self._close: Callable[[], None] | None = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        app, self._close = self._make()
        app.register_error_handler(ParseException, _answer_broken_body)
        return app

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return {
            "bind": f"{host}:{settings.port}",
            "worker_class": FrontWorker,
            "workers": settings.processes,
            "threads": settings.threads + settings.event_streams,
            "keepalive": KEEPALIVE,
            "graceful_timeout": int(max(settings.interactive_timeout, settings.fetch_total_timeout) + GRACE),
            "limit_request_line": MAX_REQUEST_LINE,
            # Of what a proxy may say only this is believed: gunicorn would also take the path itself from a header.
            "forwarded_allow_ips": ",".join(map(str, settings.trusted_proxies)),
            "secure_scheme_headers": {"X-FORWARDED-PROTO": "https"},
            "forwarder_headers": "",
            # The system would send files past the patience of our sockets.
            "sendfile": False,
            "control_socket_disable": True,
            "logger_class": PlainLogger,
            "proc_name": "facerec-rest",
            "worker_exit": self._on_worker_exit,
            "child_exit": self._on_child_exit,
            "on_exit": self._on_exit,
        }

    def _on_worker_exit(self, _server: Any, _worker: Any) -> None:
        if self._close is not None:
            self._close()

    def _on_child_exit(self, _server: Any, worker: Any) -> None:
        if self._metrics_folder is not None:
            forget_process(worker.pid, self._metrics_folder)

    def _on_exit(self, _server: Any) -> None:
        if self._metrics_folder is not None:
            shutil.rmtree(self._metrics_folder, ignore_errors=True)
