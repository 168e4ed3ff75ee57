"""Free TCP ports of 127.0.0.1 for private servers."""

from __future__ import annotations

import os
import random
import socket

LOW, HIGH = 10_000, 32_000
"""Below the range from which kernels take the source ports of outgoing connections (32768 on Linux, 49152 elsewhere).

A port inside that range can be taken by any outgoing connection while its server is down, and a client that tries to
reconnect to such a port can even connect to itself.
"""
SHARES = 16
"""Processes that look for ports side by side, as those of a test run do, look among different ones, mostly."""

_given: set[int] = set()


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of 127.0.0.1 now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    # Of two servers BSD lets one have the port at all addresses, as AirPlay has 5000, and the other at 127.0.0.1.
    return not accepts(port)


def free_port() -> int:
    """A port that nobody listens on now, and that this process was not given before.

    A server takes its port some time after it was found, and leaves it for a while when it is started anew: in that time the
    port looks free. Hence a random one of those that are this process' own to give.
    """
    share = os.getpid() % SHARES
    unused = [port for port in range(LOW, HIGH) if port % SHARES == share and port not in _given]
    for port in random.SystemRandom().sample(unused, min(100, len(unused))):
        if is_free(port):
            _given.add(port)
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
