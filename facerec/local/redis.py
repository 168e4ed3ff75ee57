"""A private Redis."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from facerec.files import write_private
from facerec.local.ports import free_port, is_free
from facerec.local.server import START_LIMIT, STOP_LIMIT, Server, ServerMissing


def redis_program() -> str:
    """The path of redis-server. Raises ServerMissing."""
    found = shutil.which("redis-server")
    if found is None:
        raise ServerMissing(
            "redis-server is not on the PATH (Debian: apt-get install redis-server, macOS: brew install redis)"
        )
    return found


class RedisServer(Server):
    """A Redis whose every acknowledged write is on the disk (``appendfsync="always"``), because an ack to the broker follows it.

    ``password`` None means none for a new folder; ``port`` None means the remembered or a free one.
    """

    program = "redis"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        password: str | None = None,
        appendfsync: str = "always",
        *,
        outlives: bool = False,
    ) -> None:
        super().__init__(folder, outlives=outlives)
        facts = self._remembered()
        self.port = port or int(facts.get("port") or free_port())
        self.password = str(facts.get("password", "")) if password is None else password
        self._appendfsync = appendfsync
        self._remember({"port": self.port, "password": self.password})

    @property
    def url(self) -> str:
        """``redis://`` with the password, without a database number."""
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers. Does nothing when it runs. Raises ServerMissing, ProcessFailed."""
        if self.running:
            return
        self._process.start([redis_program(), str(self._write_configuration())])
        self._process.wait_ready(lambda: self.answers() and self._process.listens(self.port), START_LIMIT)

    def move(self) -> bool:
        if is_free(self.port):
            return False
        self.port = free_port()
        self._remember({"port": self.port, "password": self.password})
        return True

    def stop(self) -> None:
        """Stop in order; the data stay."""
        self._process.stop(STOP_LIMIT)

    def answers(self) -> bool:
        """Whether it answers a PING now (not while it loads its data)."""
        login = f"AUTH {self.password}\r\n" if self.password else ""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"{login}PING\r\nQUIT\r\n".encode())
                return b"+PONG" in _read_all(connection)
        except OSError:
            return False

    def _write_configuration(self) -> Path:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f'dir "{self.folder}"',
            "databases 16",
            "appendonly yes",
            f"appendfsync {self._appendfsync}",
            'save ""',
            "maxmemory-policy noeviction",
            *([f'requirepass "{self.password}"'] if self.password else []),
        ]
        return write_private(self.folder / "redis.conf", "\n".join(lines) + "\n")


def _read_all(connection: socket.socket) -> bytes:
    chunks = []
    while chunk := connection.recv(4096):
        chunks.append(chunk)
    return b"".join(chunks)
