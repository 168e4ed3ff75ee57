"""Free TCP ports of 127.0.0.1 for private servers."""

from __future__ import annotations

import random
import socket

LOW, HIGH = 10_000, 32_000
"""Below the range from which kernels take the source ports of outgoing connections (32768 on Linux, 49152 elsewhere).

A port inside that range can be taken by any outgoing connection while its server is down, and a client that tries to
reconnect to such a port can even connect to itself.
"""


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of 127.0.0.1 now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on now; a random one, so that several processes asking at once get different ones."""
    for port in random.SystemRandom().sample(range(LOW, HIGH), 100):
        if is_free(port):
            return port
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether something listens on ``port`` of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
