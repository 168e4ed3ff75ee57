"""A TCP proxy of our own that stands before a server and fails like networks do: down, cut, black holes, slow."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK = 65536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class Direction:
    """One way through the proxy. While ``open`` is not set bytes are held back, as lost packets are sent again later."""

    open: threading.Event = field(default_factory=threading.Event)
    delay: float = 0.0

    def __post_init__(self) -> None:
        self.open.set()


class Proxy:
    """Listens on ``port`` of 127.0.0.1 and passes everything on to ``target`` on 127.0.0.1.

    ``upstream`` is the way from the client to the server, ``downstream`` the way back.
    """

    def __init__(self, target: int) -> None:
        self.upstream = Direction()
        self.downstream = Direction()
        self.accepted = threading.Semaphore(0)
        """Released for every connection taken."""
        self._target = target
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.up()

    def up(self) -> None:
        """Take connections (again)."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(100)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections and cut those that are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):  # shutdown wakes accept; not every system can do that to a listener
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def cut(self) -> int:
        """Reset every connection; new ones are taken. Returns how many there were."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.end()
        return len(links)

    @contextlib.contextmanager
    def black_hole(self, *, upstream: bool = False, downstream: bool = False) -> Iterator[None]:
        """Inside, nothing passes in the given directions; nobody is told."""
        chosen = [way for way, wanted in ((self.upstream, upstream), (self.downstream, downstream)) if wanted]
        for way in chosen:
            way.open.clear()
        try:
            yield
        finally:
            for way in chosen:
                way.open.set()

    @contextlib.contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Inside, every packet is late by ``seconds`` each way."""
        self.upstream.delay = self.downstream.delay = seconds
        try:
            yield
        finally:
            self.upstream.delay = self.downstream.delay = 0.0

    def close(self) -> None:
        self.down()
        self.upstream.open.set()
        self.downstream.open.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            for side in (client, server):
                side.settimeout(None)
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client, server)
            with self._lock:
                self._links.append(link)
            link.start(self.upstream, self.downstream)
            self.accepted.release()


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client = client
        self._server = server
        self._ended = threading.Event()
        self._open_ends = 2
        self._lock = threading.Lock()

    def start(self, upstream: Direction, downstream: Direction) -> None:
        for source, target, way in ((self._client, self._server, upstream), (self._server, self._client, downstream)):
            threading.Thread(target=self._pump, args=(source, target, way), daemon=True).start()

    def end(self) -> None:
        """Reset both sides."""
        self._ended.set()
        for side in (self._client, self._server):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                side.shutdown(socket.SHUT_RDWR)

    def _pump(self, source: socket.socket, target: socket.socket, way: Direction) -> None:
        try:
            while data := source.recv(CHUNK):
                self._wait(way)
                target.sendall(data)
            self._wait(way)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            self.end()
        finally:
            self._close_when_last()

    def _wait(self, way: Direction) -> None:
        while not way.open.wait(0.05):
            if self._ended.is_set():
                raise ConnectionResetError
        if way.delay and self._ended.wait(way.delay):
            raise ConnectionResetError

    def _close_when_last(self) -> None:
        with self._lock:
            self._open_ends -= 1
            last = self._open_ends == 0
        if last:
            self._client.close()
            self._server.close()
