"""A front end over fakes, as a process."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

LONGEST = 30.0


class Server:
    """A front end over fakes in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        module = "tests.integration.rest.fake_front"
        self.process = subprocess.Popen([sys.executable, "-m", module, str(self.port), *arguments])

    def wait(self) -> None:
        until = time.monotonic() + LONGEST
        while True:
            with contextlib.suppress(OSError):
                self.connect().close()
                return
            assert self.process.poll() is None
            assert time.monotonic() < until
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), LONGEST)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(LONGEST)


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Server]:
    server = Server(*arguments)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
