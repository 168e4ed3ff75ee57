"""A small web of our own: servers on loopback addresses that do what a test tells them, and their names."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Behave = Callable[[socket.socket], None]


class Site:
    """A server that reads one request per connection and lets ``behave`` answer. ``requests`` are their heads."""

    def __init__(self, behave: Behave, address: str, context: ssl.SSLContext | None) -> None:
        self._behave = behave
        self._context = context
        self._listener = socket.create_server((address, 0))
        self.port = int(self._listener.getsockname()[1])
        self.requests: list[str] = []
        self._stopping = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopping:
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # a client that hangs up is what many tests are about
            connection.settimeout(20)
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self.requests.append(self._head(connection))
                self._behave(connection)

    @staticmethod
    def _head(connection: socket.socket) -> str:
        read = b""
        while b"\r\n\r\n" not in read:
            piece = connection.recv(65536)
            if not piece:
                break
            read += piece
        return read.decode("latin-1")

    def close(self) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname(), 5).close()
        self._threads[0].join(5)
        self._listener.close()
        for thread in self._threads[1:]:
            thread.join(5)


@contextlib.contextmanager
def site(behave: Behave, address: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> Iterator[Site]:
    found = Site(behave, address, context)
    try:
        yield found
    finally:
        found.close()


def answering(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> Behave:
    """Answer with a body; ``length`` is what the header claims."""

    def behave(connection: socket.socket) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return behave


def redirecting(to: str, status: str = "302 Found", body: bytes = b"") -> Behave:
    """Answer with a redirect."""
    return answering(body, status, f"Location: {to}")
