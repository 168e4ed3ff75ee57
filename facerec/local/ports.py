"""Free TCP ports of 127.0.0.1 for private servers.

A server binds its port some seconds after the port was chosen. So that two that look for ports at once never choose the same one,
whoever chooses it binds the UDP port of that number, which stands in no server's way and which no two can have; the system takes
it back when the process ends. A program that is none of ours does not know that: `listens` tells whether the server got its port.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path

LOW, HIGH = 10_000, 32_000
"""Below the range from which kernels take the source ports of outgoing connections (32768 on Linux, 49152 elsewhere).

A port inside that range can be taken by any outgoing connection while its server is down, and a client that tries to
reconnect to such a port can even connect to itself.
"""
SHARES = 16
"""Processes that look for ports side by side, as those of a test run do, look among different ones, mostly."""

KEPT = 64
"""So many of the newest claims are held; the servers of older ones have long been started."""

_given: set[int] = set()
_claims: deque[int] = deque()
"""Descriptors, which need nobody to close them."""


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


def claim(port: int) -> bool:
    """Choose ``port`` for a server to be started; False when somebody else has or chose it."""
    claimed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claimed.bind(("127.0.0.1", port))
    except OSError:
        claimed.close()
        return False
    if not is_free(port):
        claimed.close()
        return False
    _claims.append(claimed.detach())
    if len(_claims) > KEPT:
        os.close(_claims.popleft())
    return True


def free_port() -> int:
    """A port that nobody listens on now, and that this process was not given before.

    A server takes its port some time after it was found, and leaves it for a while when it is started anew: in that time the
    port looks free. Hence a random one of those that are this process' own to give.
    """
    share = os.getpid() % SHARES
    unused = [port for port in range(LOW, HIGH) if port % SHARES == share and port not in _given]
    for port in random.SystemRandom().sample(unused, min(100, len(unused))):
        if claim(port):
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


def listens(group: int, port: int) -> bool:
    """Whether a process of the process group ``group``, and not somebody else's, listens on the TCP port."""
    if sys.platform != "linux":
        command = ["/usr/sbin/lsof", "-nP", "-a", "-t", "-g", str(group), f"-iTCP:{port}", "-sTCP:LISTEN"]
        return bool(subprocess.run(command, capture_output=True, check=False).stdout.strip())  # noqa: S603
    sockets = _listeners(port)
    return any(_opened(folder) & sockets for folder in Path("/proc").glob("[0-9]*") if _group_of(folder) == group)


def _listeners(port: int) -> set[str]:
    """What links in /proc/<pid>/fd say of the sockets that listen on the port; proc(5) tells of the columns."""
    found = set()
    for table in ("tcp", "tcp6"):
        file = Path("/proc/net") / table
        for line in file.read_text(encoding="ascii").splitlines()[1:] if file.exists() else ():
            _, local, _, state, *rest = line.split()
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                found.add(f"socket:[{rest[5]}]")
    return found


def _group_of(folder: Path) -> int | None:
    try:
        return os.getpgid(int(folder.name))
    except ProcessLookupError:
        return None


def _opened(folder: Path) -> set[str]:
    """What the files are that a process has open; nothing of one that ended meanwhile."""
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for link in (folder / "fd").iterdir():
            found.add(str(link.readlink()))
    return found
