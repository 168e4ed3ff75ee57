"""A client's connection: the event loop takes a request whole and sends its answer; a thread has it only in between.

waitress does the work. What is added: a deadline for each part of a request and for its answer, so that no client that is slow or
silent stays for long; one request at a time, so that who never reads an answer is not served another; errors in our shape.
"""

from __future__ import annotations

import json
import logging
import math
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge, RequestHeaderFieldsTooLarge

from rest.context import AUTHENTICATED
from rest.peers import is_proxy, peer_of

if TYPE_CHECKING:
    from rest.listener import Listener

log = logging.getLogger(__name__)

RATE = 16 * 1024
"""Bytes a second that a client sends or reads at least."""
KEEPALIVE = 75.0
"""Seconds for which a connection waits for its next request."""
LINGER = 5.0
LINGER_BYTES = 64 * 1024 * 1024
"""How long, and for how many bytes, a client that was answered early may go on sending."""
QUIET = 1.0
"""Seconds after which a connection without a request may have to make room for another."""
_LOGIN = "in the body"
"""Stands for such a key, whatever it is: it is never noted as right."""
_NO_LINGER = struct.pack("ii", 1, 0)
_PIECE = 256 * 1024
_PIPELINED = 8 * 1024
"""Bytes that are read at once: while a body is expected, and else, when they may be many requests in a row."""


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses what two programs could read in two ways, also where waitress would choose one."""

    is_admitted = False

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.version not in {"1.0", "1.1"}:
            raise ParsingError("the version is neither HTTP/1.0 nor HTTP/1.1")
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("a length and chunks are named both")

    def close(self) -> None:
        if self.body_rcv is not None:
            super().close()


class Refusal(ErrorTask):  # type: ignore[misc]
    """Answers what never became a request."""

    def execute(self) -> None:
        error = self.request.error
        document = _document(error)
        body = json.dumps(document).encode()
        status = error.code if error.code in {413, 500} else 400
        self.status = f"{status} {error.reason if status == error.code else 'Bad Request'}"
        self.response_headers += [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]
        log.info("a request was refused: %s", document["reason"], extra={"action": "bad_request"})
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _document(error: Error) -> dict[str, str]:
    if isinstance(error, RequestEntityTooLarge):
        return {"code": "TOO_LARGE", "reason": "the body is larger than any that is taken here"}
    if error.code == 500:
        return {"code": "INTERNAL", "reason": "an error of ours"}
    if isinstance(error, RequestHeaderFieldsTooLarge):
        return {"code": "BAD_PARAM", "reason": "the request line and headers are too long", "param": "request"}
    return {"code": "BAD_PARAM", "reason": f"this is no proper HTTP request: {error.body}", "param": "request"}


class AppTask(WSGITask):  # type: ignore[misc]
    """A request that the app answers."""

    def build_response_header(self) -> bytes:
        if self.channel.server.is_ending:
            self.set_close_on_finish()
        self.channel.judged(self.status, is_right=self._environ.get(AUTHENTICATED, False))
        return bytes(super().build_response_header())

    def set_close_on_finish(self) -> None:
        """waitress would close a connection after every answer that has no body."""
        if self.has_body or self.channel.server.is_ending or self.request.connection_close:
            super().set_close_on_finish()

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        # Of what a proxy may say only this is believed.
        if self.channel.is_proxy and environ.get("HTTP_X_FORWARDED_PROTO") == "https":
            environ["wsgi.url_scheme"] = "https"
        self._environ = environ
        return environ


class Connection(HTTPChannel):  # type: ignore[misc]
    """One client's connection, read and written by the thread of the event loop."""

    task_class = AppTask
    error_task_class = Refusal
    parser_class = Parser
    server: Listener
    requests: list[Parser]
    request: Parser | None

    def __init__(self, server: Listener, sock: socket.socket, addr: tuple[Any, ...], adj: Any, map: Any = None) -> None:  # noqa: A002 - waitress's
        self.peer = peer_of(addr[0])
        self.is_proxy = is_proxy(addr[0], server.proxies)
        self._first = server.patience
        self.until = time.monotonic() + self._first
        """When the client's time is over, by time.monotonic(); infinite while it is we who keep it waiting."""
        self.receives_for: tuple[str, str] | None = None
        """Whose body comes."""
        self._active = time.monotonic()
        self._is_kept = False
        self._ahead = b""
        self._is_answered = False
        self._lingers = False
        self._left = LINGER_BYTES
        super().__init__(server, sock, addr, adj, map=map)

    def add_channel(self, map: Any = None) -> None:  # noqa: A002 - waitress's
        super().add_channel(map)
        self.server.by_peer.setdefault(self.peer, set()).add(self)

    def del_channel(self, map: Any = None) -> None:  # noqa: A002 - waitress's
        super().del_channel(map)
        self._has_received()
        of_peer = self.server.by_peer.get(self.peer, set())
        of_peer.discard(self)
        if not of_peer:
            self.server.by_peer.pop(self.peer, None)

    # What the threads and the listener ask

    @property
    def caller(self) -> tuple[str, str]:
        request = self.requests[0] if self.requests else self.request
        headers = request.headers if request else {}
        return self.peer, headers.get("X_API_KEY") or headers.get("AUTHORIZATION") or headers.get("COOKIE") or ""

    @property
    def _key(self) -> str:
        """What may be guessed: the key of the request, or the word for one that comes in the body; nothing where none comes."""
        request = self.requests[0] if self.requests else self.request
        return _LOGIN if request and (request.command, request.path) == ("POST", "/session") else self.caller[1]

    @property
    def body_size(self) -> int:
        return self.requests[0].body_bytes_received if self.requests else 0

    @property
    def held(self) -> int:
        """Bytes of its request, as far as it has said them, and of its answer."""
        come = self.requests[0].body_bytes_received if self.requests else 0
        coming = max(self.request.content_length, self.request.body_bytes_received) if self.request else 0
        return int(self.total_outbufs_len) + come + coming

    def is_idle(self, now: float = math.inf) -> bool:
        """Whether it can be closed: no request of it has come, none is answered, and it has done nothing for a while."""
        if self.requests or self.total_outbufs_len or (self.request and self.request.headers_finished):
            return False
        is_kept = self._is_kept and self.request is None
        return is_kept or self._lingers or now - self._active > QUIET

    def judged(self, status: str, *, is_right: bool) -> None:
        """The app has looked at the request's key."""
        if is_right or status.startswith("401"):
            self.server.refusals.judged(self.peer, self._key, is_right=is_right)

    def check_client_disconnected(self) -> bool:
        """Whether the client has hung up. The event loop does not read while a request is served."""
        client: socket.socket | None = self.socket
        try:
            return client is None or client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    # What comes

    def readable(self) -> bool:
        return bool(self._lingers or (not self._ahead and super().readable()))

    def handle_read(self) -> None:
        takes_body = self.request is not None and self.request.headers_finished
        try:
            data = self.socket.recv(_PIECE if self._lingers or takes_body else _PIPELINED)
        except BlockingIOError:
            return
        except OSError:
            self.handle_close()
            return
        if self._lingers:
            self._left -= len(data)
            if not data or self._left < 0:
                self.handle_close()
        elif data:
            self.received(data)
        elif takes_body:
            self.refuse(BadRequest("the body ended too early"))
        else:
            self.handle_close()

    def received(self, data: bytes) -> bool:
        """Take what has come of one request; the next one is looked at when this one's answer has left."""
        with self.requests_lock:
            if self.will_close or self.close_when_flushed:
                return False
            if self.request is None:
                self.request = self.parser_class(self.adj)
                self.until = time.monotonic() + self._first
            self._active = time.monotonic()
            self.until += len(data) / RATE
            while data and self.request is not None and not self.request.completed:
                data = data[self.request.received(data) :]
                self._admit(self.request)
            self._ahead = data
            if self.request is not None and self.request.completed:
                self._take()
        return True

    def _admit(self, request: Parser) -> None:
        """When the headers have come: whether the body may."""
        if not request.headers_finished or request.error or request.is_admitted:
            return
        request.is_admitted = True
        is_guessing = not self.is_proxy and self.server.refusals.is_guessing(self.peer, self._key)
        if is_guessing or self.server.is_busy_for(self, request):
            self.request, self.requests, request.completed = None, [], True
            self.turn_away(is_guessing=is_guessing)
        elif request.expect_continue:
            self.send_continue()

    def _take(self) -> None:
        request, self.request = self.request, None
        self._has_received()
        if request is not None and not request.empty:
            self.sent_continue = False
            self.until = math.inf
            self.requests.append(request)
            self.server.add_task(self)

    def _has_received(self) -> None:
        caller, self.receives_for = self.receives_for, None
        if caller is not None:
            self.server.receiving[caller] -= 1
            if not self.server.receiving[caller]:
                del self.server.receiving[caller]

    def refuse(self, error: Error) -> None:
        """Answer the request that is coming with an error."""
        with self.requests_lock:
            if self.request is not None:
                self.request.error, self.request.completed = error, True
                self._take()

    def turn_away(self, *, is_guessing: bool = False) -> None:
        """Called by the event loop: there is no time for its request."""
        self.requests = []
        self._has_received()
        try:
            self.socket.send(self.server.refusals.answer(guessing=is_guessing))
        except OSError:
            self.handle_close()
        else:
            self._linger()

    # What goes

    def writable(self) -> bool:
        if self._lingers:
            return False
        return bool(super().writable() or (self._ahead and not self.requests))

    def handle_write(self) -> None:
        if not self.requests:
            self._flush_exception(self._flush_some)
        elif self.total_outbufs_len:
            self._flush_exception(self._flush_some_if_lockable)
        if not self.connected:
            return
        if self.will_close:
            self.handle_close()
        elif self.close_when_flushed and not self.total_outbufs_len:
            self._linger()
        elif self._ahead and not self.requests and not self.total_outbufs_len:
            data, self._ahead = self._ahead, b""
            self.received(data)

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent = int(super().send(data, do_close=do_close))
        if sent:
            self._active = time.monotonic()
            self.until += sent / RATE
        return sent

    def _flush_some(self, do_close: bool = True) -> bool:
        flushed = bool(super()._flush_some(do_close=do_close))
        if not self.total_outbufs_len:
            self._is_answered, self._is_kept = False, True
            if self.request is None:
                self.until = math.inf
        return flushed

    def _linger(self) -> None:
        """Many clients read an early answer only after they have sent everything, and closing a connection with unread bytes
        resets it before they can."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()
            return
        self._lingers = True
        self.until = time.monotonic() + LINGER

    # When time is over

    def check(self, now: float, late: float) -> None:
        """Called now and then: whether the client still has time. ``late``: seconds for which nobody has read what he sent."""
        self.until += late
        self._active += late
        if self._lingers:
            pass
        elif self.total_outbufs_len:
            if not self._is_answered:
                self._is_answered, self._active, self.until = True, now, now + self._first
            # The system's buffers take megabytes from us at once, whether or not the client reads.
            self.until = min(self.until, self._active + self._first)
        elif self.requests:
            self.until = math.inf
        elif self._ahead:
            # The next request waits for the client to read the answer to the last, of which the system has the rest.
            self.until = self._active + self._first
        elif math.isinf(self.until):
            self.until = now + KEEPALIVE
        if now > self.until:
            self._expire()

    def _expire(self) -> None:
        if self.request is not None and self.request.headers_finished and not self.total_outbufs_len:
            self.refuse(BadRequest("the body came too slowly"))
            return
        if self.total_outbufs_len or self._ahead:
            # The system would go on trying to send what the client does not read.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.handle_close()
