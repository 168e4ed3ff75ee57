"""How soon a client is answered while others are slow, silent, greedy or hostile, and how much memory the front door takes.

    python -m benchmarks.frontdoor [--seconds N] [KIND ...]

For each kind of client, as many as are said work for N seconds from a process of their own, while one well-behaved client asks
`/healthz` and another, of another owner, sends a picture to `/identify`, again and again. Shown are the longest answers, how many
asks of the second were refused, and the most memory that the processes of the front door held. `worst_ms` is the longest answer of
all, `peak_mb` the most memory.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import requests

from benchmarks.common import print_json, print_table, private_servers
from benchmarks.ledger.world import children_of
from facerec.adapters.redis import RedisDatabases, RedisTokens
from tests import pictures
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.stack import Stack
from tests.unit.engine.hostile import hostile, png

LONGEST = 60.0
LARGE = 14 * 1024 * 1024


class Attack:
    """What one kind of client does. ``clients`` of them are there at once, from one address."""

    def __init__(self, port: int, token: str, photo: bytes) -> None:
        self.port = port
        self.token = token
        self.photo = photo

    def head(self, method: str, path: str, *more: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"x-api-key: {self.token}", *more]
        return "\r\n".join([*lines, "", ""]).encode()

    def form(self, path: str, content: bytes) -> bytes:
        """A whole request with a file."""
        body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + content + b"\r\n--x--\r\n"
        return self.head(
            "POST", path, "Content-Type: multipart/form-data; boundary=x", f"Content-Length: {len(body)}"
        ) + body  # fmt: skip

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request: bytes) -> None:
        """Send a request and wait for the answer; come again when one is told to."""
        reader, writer = await self.connect()
        writer.write(request)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        told = re.search(rb"\r\nRetry-After: (\d+)", head)
        await asyncio.sleep(int(told[1]) if told else 0)

    async def drip(self, beginning: bytes, drop: bytes) -> None:
        _, writer = await self.connect()
        writer.write(beginning)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.5)

    # The kinds

    async def nobody(self) -> None:
        await asyncio.sleep(LONGEST)

    async def slow_headers(self) -> None:
        await self.drip(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", b"x")

    async def slow_bodies(self) -> None:
        await self.drip(self.head("POST", "/scan/image/a", "Content-Length: 1000000"), b"x")

    async def silent(self) -> None:
        reader, _ = await self.connect()
        await reader.read()

    async def never_read(self) -> None:
        _, writer = await self.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        while True:
            writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
            await writer.drain()

    async def come_and_go(self) -> None:
        while True:
            _, writer = await self.connect()
            writer.close()

    async def listen_unread(self) -> None:
        _, writer = await self.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(self.head("GET", "/events"))
        await asyncio.sleep(LONGEST)

    async def large_uploads(self) -> None:
        while True:
            await self.ask(self.form("/scan/image/a", self.photo + os.urandom(LARGE)))

    async def greedy(self) -> None:
        while True:
            await self.ask(self.form("/identify", self.photo))

    async def wrong_keys(self) -> None:
        while True:
            await self.ask(self.head("GET", "/images").replace(self.token.encode(), base64.b16encode(os.urandom(9))))

    async def hostile_pictures(self) -> None:
        """As many pixels as are allowed in a tenth of a megabyte, and headers that cost much to whoever reads all of them."""
        pictures = [
            png(side=9_900),
            *(picture for kind in ("JPEG", "PNG", "HEIF") for picture in hostile(LARGE, kind).values()),
        ]
        while True:
            for path in ("/scan/image/a", "/identify", "/detect"):
                for picture in pictures:
                    await self.ask(self.form(path, picture))


CLIENTS = {
    "nobody": 1,
    "slow_headers": 60,
    "slow_bodies": 60,
    "never_read": 60,
    "silent": 400,
    "come_and_go": 20,
    "listen_unread": 200,
    "large_uploads": 16,
    "greedy": 1500,
    "wrong_keys": 100,
    "hostile_pictures": 8,
}


async def attack(kind: str, port: int, token: str, photo: bytes) -> None:
    """Until this process is stopped; who is turned away comes again."""
    act: Callable[[], Awaitable[None]] = getattr(Attack(port, token, photo), kind)

    async def client() -> None:
        while True:
            with contextlib.suppress(OSError, EOFError):
                await act()
            await asyncio.sleep(0.5)

    await asyncio.gather(*(client() for _ in range(CLIENTS[kind])))


class Probe(threading.Thread):
    """Asks again and again, and notes how long each answer took, in seconds, and what it was."""

    def __init__(self, ask: Callable[[], requests.Response], pause: float) -> None:
        super().__init__(daemon=True)
        self._ask, self._pause = ask, pause
        self._over = threading.Event()
        self.seconds: list[float] = []
        self.statuses: list[int] = []

    def run(self) -> None:
        while not self._over.wait(self._pause):
            start = time.perf_counter()
            try:
                status = self._ask().status_code
            except requests.RequestException:
                status = 0
            self.seconds.append(time.perf_counter() - start)
            self.statuses.append(status)

    def end(self) -> None:
        self._over.set()
        self.join(LONGEST)

    def count(self, *statuses: int) -> int:
        return sum(status in statuses for status in self.statuses)


def measure(stack: Stack, kind: str, tokens: tuple[str, str], photo: bytes, seconds: float) -> dict[str, float]:
    """With one kind of client: the longest answers in milliseconds, the asks, the memory in MB."""
    processes = children_of(stack.rest.pid) if stack.rest else []
    for process in processes:
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
    command = [sys.executable, "-m", "benchmarks.frontdoor", "--attack", kind, "--port", str(stack.port)]
    attacker = subprocess.Popen(command, env=os.environ | {"TOKEN": tokens[0]})
    health = Probe(lambda: requests.get(f"{stack.url}/healthz", timeout=LONGEST), 0.05)
    identify = Probe(lambda: ask_identify(stack, tokens[1], photo), 0.2)
    health.start()
    identify.start()
    time.sleep(seconds)
    health.end()
    identify.end()
    attacker.kill()
    attacker.wait()
    return {
        "healthz_ms": 1000 * max(health.seconds),
        "healthz_failed": len(health.statuses) - health.count(200),
        "identify_ms": 1000 * max(identify.seconds),
        "identified": identify.count(200),
        "refused": identify.count(429, 503),
        "failed": len(identify.statuses) - identify.count(200, 429, 503),
        "peak_mb": sum(_peak(process) for process in processes),
    }


def ask_identify(stack: Stack, token: str, photo: bytes) -> requests.Response:
    form, headers = {"file": ("a", photo)}, {"x-api-key": token}
    return requests.post(f"{stack.url}/identify", files=form, headers=headers, timeout=LONGEST)


def _peak(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", default=list(CLIENTS), help=", ".join(CLIENTS))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--attack", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    photo = pictures.archive_pictures()["obama.jpg"].read_bytes()
    if options.attack:
        asyncio.run(attack(options.attack, options.port, os.environ["TOKEN"], photo))
        return
    with private_servers() as (redis, rabbit, folder):
        settings = redis_settings_of(redis)
        admin = RedisTokens(RedisDatabases(settings), None)
        tokens = admin.create("attacker"), admin.create("user")
        with Stack(settings, rabbit_settings_of(rabbit), folder, token=tokens[1], LOG_LEVEL="WARNING") as stack:
            for _ in range(5):
                ask_identify(stack, tokens[1], photo).raise_for_status()  # all parts have been used once
            try:
                found = {kind: measure(stack, kind, tokens, photo, options.seconds) for kind in options.kinds}
            except BaseException:
                print(stack.log_tails(), file=sys.stderr)
                raise
    head = ("clients", "", *next(iter(found.values())))
    print_table(
        [(kind, CLIENTS[kind], *(f"{value:.0f}" for value in row.values())) for kind, row in found.items()], head
    )
    print_json(
        {
            "worst_ms": round(max(max(row["healthz_ms"], row["identify_ms"]) for row in found.values())),
            "peak_mb": round(max(row["peak_mb"] for row in found.values())),
            "failed": sum(row["healthz_failed"] + row["failed"] for row in found.values()),
        }
    )


if __name__ == "__main__":
    main()
