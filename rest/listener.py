"""The port of one process: whose connections are taken, how many, and what waits for a thread."""

from __future__ import annotations

import logging
import resource
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from facerec.config import RestSettings
from rest.connections import Busy, Connection
from rest.threads import FairThreads

log = logging.getLogger(__name__)

CONNECTIONS = 2000
"""Of one process."""
PATIENCE = 20.0
"""Seconds in which a request's headers come, and a body or an answer goes on, beside what `rest.connections.RATE` gives."""
HEADERS = 32 * 1024
"""Bytes of a request's first line and headers: 1024 characters of a name take up to 12 bytes each when URL-encoded."""
BODY = 64 * 1024 * 1024
"""Bytes of the largest body that any route may take, or four times those of an upload; each route has its own limit below."""
HELD = 256 * 1024 * 1024
"""Bytes of requests that come, and answers that leave, of one peer. They are on disk when they are many."""
WAITING = 256
"""Requests that wait for a thread."""
PROBES = frozenset({"/healthz", "/readyz", "/health", "/welcome", "/metrics"})
"""What orchestrators ask for, on threads that nobody else takes."""
_PROBE_THREADS = 2
_ACCEPTED = 100
"""Connections that are taken before those that are there have their turn."""
_ROUND = 1.0
"""Seconds between two looks at the deadlines."""


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """One port, all its connections in one event loop, and the threads that answer."""

    channel_class = Connection

    def __init__(self, app: Callable[..., Any], sock: socket.socket, settings: RestSettings, patience: float) -> None:
        self.patience = patience
        self.is_ending = False
        self._proxies = settings.trusted_proxies
        self._connections = _descriptors(CONNECTIONS)
        self._next_look = 0.0
        self._refused: deque[Connection] = deque()
        self._requests = FairThreads(settings.threads + settings.event_streams, WAITING, "request")
        self._probes = FairThreads(_PROBE_THREADS, WAITING, "probe")
        super().__init__(
            app,
            {},
            _sock=sock,
            dispatcher=self,
            adj=_adjustments(max(BODY, 4 * settings.max_upload_bytes)),
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            bind_socket=False,
        )

    def turn(self, seconds: float = _ROUND) -> None:
        """One turn of the event loop."""
        wasyncore.loop(timeout=0 if self._refused else seconds, use_poll=True, map=self._map, count=1)
        for _ in range(len(self._refused)):
            self._refused.popleft().service()

    def add_task(self, channel: Connection) -> None:
        """Called by the event loop: the request of a connection has come."""
        if channel.requests[0].error is None:
            threads = self._probes if channel.requests[0].path in PROBES else self._requests
            dropped = threads.add(channel)
            if not isinstance(dropped, Connection):
                return
            dropped.requests[0].error = Busy("too many requests wait to be answered; come again later")
            channel = dropped
        # Not here: the connection is locked.
        self._refused.append(channel)

    def refusal_of(self, connection: Connection, coming: int) -> Busy | None:
        """Why a body of so many bytes cannot be taken now; nothing is known of one in chunks."""
        held = sum(other.held for other in self._of(connection.peer))
        if held + coming > HELD and not connection.is_proxy:
            return Busy("your requests and unread answers are too large together; come again later")
        return None

    def is_proxy(self, host: str) -> bool:
        """Whether the peer speaks for others."""
        if not self._proxies:
            return False
        address = ip_address(host.partition("%")[0])
        return any(address in network for network in self._proxies)

    def _of(self, peer: str) -> list[Connection]:
        return [connection for connection in self.active_channels.values() if connection.peer == peer]

    # Who may connect

    def handle_accept(self) -> None:
        """Take who waits. While connections are many a peer may have another only while more are free than it has."""
        for _ in range(_ACCEPTED):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                return
            self._make_room(next(reversed(self.active_channels.values())))

    def _make_room(self, newest: Connection) -> None:
        free = self._connections - len(self.active_channels)
        own = self._of(newest.peer)
        if free > 0 and (newest.is_proxy or len(own) <= free):
            return
        if free <= 0:
            ((most, _),) = Counter(connection.peer for connection in self.active_channels.values()).most_common(1)
            own = self._of(most)
        dispensable = [connection for connection in own if connection.is_dispensable and connection is not newest]
        oldest = min(dispensable, key=lambda connection: connection.until, default=None)
        if oldest is not None:
            oldest.handle_close()
        else:
            newest.turn_away()

    # Deadlines, and the end

    def readable(self) -> bool:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _ROUND
            for connection in list(self.active_channels.values()):
                connection.check(now)
        return bool(self.accepting)

    def end(self) -> None:
        """Take no more connections than are made already, and end each when it has its answer."""
        self.is_ending = True
        self.handle_accept()
        self.accepting = False
        self.del_channel(self._map)
        self.socket.close()
        self.turn(0)

    @property
    def is_busy(self) -> bool:
        """Whether there is a request to answer still. Connections without one are closed."""
        for connection in list(self.active_channels.values()):
            if connection.is_dispensable and connection.request is None:
                connection.handle_close()
        return bool(self.active_channels)

    def shut_down(self) -> None:
        for connection in list(self.active_channels.values()):
            connection.handle_close()
        self._requests.shut_down(0)
        self._probes.shut_down(0)
        self.trigger.close()


def _descriptors(connections: int) -> int:
    """How many of so many ``connections`` the system's limit of open files allows, each with a file for its body and its answer."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), hard))
    return min(connections, allowed // 4)


def _adjustments(body: int) -> Adjustments:
    return Adjustments(
        listen="127.0.0.1:0",
        ident="facerec",
        max_request_header_size=HEADERS,
        max_request_body_size=body,
        # An answer is taken whole from the thread; what a client does not read in its time is thrown away.
        outbuf_high_watermark=2**62,
        log_socket_errors=False,
        clear_untrusted_proxy_headers=False,
    )
