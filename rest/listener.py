"""The port of one process: whose connections are taken, how many, and what waits for a thread."""

from __future__ import annotations

import logging
import resource
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from facerec.config import RestSettings
from rest.connections import Connection, Parser
from rest.peers import is_proxy, peer_of
from rest.refusals import Refusals
from rest.threads import FairThreads

log = logging.getLogger(__name__)

CONNECTIONS = 4000
"""Of one process."""
PATIENCE = 20.0
"""Seconds in which a request's headers come, and a body or an answer goes on, beside what `rest.connections.RATE` gives."""
HEADERS = 32 * 1024
"""Bytes of a request's first line and headers: 1024 characters of a name take up to 12 bytes each when URL-encoded."""
BODY = 64 * 1024 * 1024
"""Bytes of the largest body that any route may take, or four times those of an upload; each route has its own limit below."""
HELD = 256 * 1024 * 1024
"""Bytes of requests that come, and answers that leave, of one peer. They are on disk when they are many."""
WAITING = 64
"""Requests that wait for a thread, and of one caller requests whose bodies come."""
PROBES = frozenset({"/healthz", "/readyz", "/health", "/welcome", "/metrics"})
"""What orchestrators ask for, on threads that nobody else takes."""
_PROBE_THREADS = 2
STREAMS = "/events"
"""What lasts for minutes, on threads of its own, too."""
_BACKLOG = 4096
"""Connections that the system may make before they are taken: one that it drops comes again after seconds only."""
LATE = 0.1
RUNNING_WHEN_LATE = 2
"""A turn of the event loop that takes longer, in seconds, and how many requests run until it is quick again."""
_SEND_BUFFER = 256 * 1024
"""Bytes of answers that the system keeps for each connection; by itself it would take megabytes."""
_ROUND = 1.0
"""Seconds between two looks at the deadlines."""


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """One port, all its connections in one event loop, and the threads that answer. ``beat`` is called while it lives."""

    channel_class = Connection

    def __init__(
        self,
        app: Callable[..., Any],
        sock: socket.socket,
        settings: RestSettings,
        patience: float,
        beat: Callable[[], None],
        refusals: Refusals,
    ) -> None:
        self.patience = patience
        self._settings = settings
        self._beat = beat
        self.refusals = refusals
        self.is_ending = False
        self.proxies = settings.trusted_proxies
        self.receiving: Counter[tuple[str, str]] = Counter()
        """By caller, how many bodies come."""
        self.by_peer: dict[str, set[Connection]] = {}
        self._connections = _descriptors(CONNECTIONS)
        self._lived = 0.0
        self._looked = self._polled = time.monotonic()
        self._held: Counter[str] = Counter()
        self._refused: deque[Connection] = deque()
        self._parting: deque[socket.socket] = deque()
        self._parted = 0
        self._requests = FairThreads(request_threads(settings), WAITING, "request")
        self._requests.let_run(settings.threads)
        self._probes = FairThreads(_PROBE_THREADS, WAITING, "probe")
        # Who may listen is known when a request is served, and who may not needs a thread to be told.
        self._streams = FairThreads(2 * settings.event_streams + 2, WAITING, "stream")
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
        """One turn of the event loop, which waits so long at most for something to do."""
        poll = select.poll()
        for number, each in list(self._map.items()):
            flags = (each.readable() and select.POLLIN) | (each.writable() and select.POLLOUT)
            if flags:
                poll.register(number, flags)
        events = poll.poll(0 if self._refused else int(1000 * seconds))
        begun = self._polled = time.monotonic()
        for number, flags in events:
            if number in self._map:
                wasyncore.readwrite(self._map[number], flags)
            self._live()
        for _ in range(len(self._refused)):
            self._refused.popleft().service()
        self._check()
        # The loop has the threads wait when it is late: Python runs one of them at a time, and the loop is how all are answered.
        is_late = time.monotonic() - begun > LATE
        self._requests.let_run(RUNNING_WHEN_LATE if is_late else self._settings.threads)

    def add_task(self, channel: Connection) -> None:
        """Called by the event loop: the request of a connection has come."""
        if channel.requests[0].error is None:
            dropped = self._threads_for(channel.requests[0].path).add(channel)
            if isinstance(dropped, Connection):
                dropped.turn_away()
        else:
            # Not here: the connection is locked.
            self._refused.append(channel)

    def _threads_for(self, path: str) -> FairThreads:
        if path in PROBES:
            return self._probes
        return self._streams if path == STREAMS else self._requests

    def is_busy_for(self, connection: Connection, request: Parser) -> bool:
        """Whether a request whose headers have come cannot be taken now."""
        caller = connection.caller
        if request.content_length or request.chunked:
            if self.receiving[caller] >= WAITING or self._threads_for(request.path).is_full_for(caller):
                return True
            connection.receives_for = caller
            self.receiving[caller] += 1
            self._held[connection.peer] += request.content_length
            return self._held[connection.peer] > HELD and not connection.is_proxy
        return self._held[connection.peer] > 2 * HELD and not connection.is_proxy

    def set_socket_options(self, conn: socket.socket) -> None:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    # Who may connect

    def handle_accept(self) -> None:
        """Take who waits, as far as there is room."""
        for _ in range(_BACKLOG):
            try:
                accepted = self.accept()
            except OSError as error:
                # Too many open files, perhaps: the others are served, and then there is room.
                log.warning("a connection could not be taken: %s", error, extra={"action": "accept_failed"})
                return
            if accepted is None:
                return
            client, address = accepted
            if self._has_room(address[0]):
                self.set_socket_options(client)
                self.channel_class(self, client, address, self.adj, map=self._map)
            else:
                self._part_with(client)
            self._live()

    def _has_room(self, host: str) -> bool:
        """While connections are many a peer may have another only while more are free than it has, or in place of one of its own
        that is idle."""
        free = self._connections - len(self.active_channels)
        own = self.by_peer.get(peer_of(host), set())
        if free > 0 and (len(own) < free or is_proxy(host, self.proxies)):
            return True
        if free <= 0:
            own = max(self.by_peer.values(), key=len, default=set())
        now = time.monotonic()
        idle = next((connection for connection in own if connection.is_idle(now)), None)
        if idle is not None:
            idle.handle_close()
        return idle is not None

    def _part_with(self, client: socket.socket) -> None:
        """Turn a client away, and close the connection when it has had time to read that."""
        self._parting.append(client)
        client.setblocking(False)
        try:
            client.send(self.refusals.answer())
            client.shutdown(socket.SHUT_WR)
        except OSError as error:
            log.debug("a client that is turned away is gone: %s", error)
        if len(self._parting) > self._connections:
            self._parting.popleft().close()

    # Deadlines, and the end

    def readable(self) -> bool:
        return bool(self.accepting)

    def _live(self) -> None:
        """Now and then, also in a turn that takes long."""
        now = time.monotonic()
        if now >= self._lived + _ROUND:
            self._lived = now
            self._beat()

    def _check(self) -> None:
        """Now and then, when all is read that had come before the turn: whose time is over."""
        self._live()
        now = time.monotonic()
        if now < self._looked + _ROUND:
            return
        # What clients have sent since the system was asked last is not read yet: that is not their fault.
        late = now - max(self._looked, self._polled)
        self._looked = now
        self._held.clear()
        for connection in list(self.active_channels.values()):
            self._held[connection.peer] += connection.held
            connection.check(now, late)
        for _ in range(min(self._parted, len(self._parting))):
            self._parting.popleft().close()
        self._parted = len(self._parting)
        self.refusals.tell()

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
            if connection.is_idle() and connection.request is None:
                connection.handle_close()
        return bool(self.active_channels)

    def shut_down(self) -> None:
        for connection in list(self.active_channels.values()):
            connection.handle_close()
        for client in self._parting:
            client.close()
        for threads in (self._requests, self._probes, self._streams):
            threads.shut_down(0)
        self.trigger.close()


def request_threads(settings: RestSettings) -> int:
    """Threads of one process for what is neither a probe nor a stream; most of them wait for a worker when they are many."""
    return settings.threads + settings.event_streams


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
        inbuf_overflow=512 * 1024,
        outbuf_overflow=256 * 1024,
        backlog=_BACKLOG,
        # An answer is taken whole from the thread; what a client does not read in its time is thrown away.
        outbuf_high_watermark=2**62,
        log_socket_errors=False,
        clear_untrusted_proxy_headers=False,
    )
