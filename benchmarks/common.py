"""What the benchmarks share: tables, the last line, private servers, and clients that push as hard as they can."""

from __future__ import annotations

import http.client
import json
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.ledger.world import children_of
from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import OWN
from facerec.local.servers import RabbitServer, RedisServer


def print_table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> None:
    """Columns as wide as they need to be."""
    texts = [tuple(head), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(text[column]) for text in texts) for column in range(len(head))]
    for text in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(text, widths, strict=True)).rstrip())


def print_json(result: dict[str, Any]) -> None:
    """The last line."""
    print(json.dumps(result), flush=True)


@contextmanager
def private_servers() -> Iterator[tuple[RedisServer, RabbitServer, Path]]:
    """A Redis and a RabbitMQ of our own, and a folder for the rest; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="facerec-benchmark-") as folder:
        path = Path(folder)
        with (
            RedisServer(path / "redis", password=os.urandom(8).hex()) as redis,
            RabbitServer(path / "rabbit", management=False) as rabbit,
        ):
            yield redis, rabbit, path


def post_all(port: int, pictures: Sequence[tuple[str, bytes]], clients: int) -> dict[int, int]:
    """Scan these names and pictures over ``clients`` connections that are kept open; the number of answers by status."""
    work = iter(pictures)
    lock = threading.Lock()
    answers: dict[int, int] = {}

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                item = next(work, None)
            if item is None:
                break
            connection.request("POST", f"/scan/image/{quote(item[0])}", item[1])
            answer = connection.getresponse()
            answer.read()
            with lock:
                answers[answer.status] = answers.get(answer.status, 0) + 1
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def timed(work: Callable[[], object]) -> float:
    """Seconds on the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cpu_seconds(process: int) -> float:
    """CPU that a process has used until now, its children that ended included."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(int(fields[index]) for index in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def all_cpu(process: int) -> float:
    """CPU of a process and of all below it, in seconds."""
    return cpu_seconds(process) + sum(all_cpu(child) for child in children_of(process))


def own_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def is_grouped(databases: RedisDatabases) -> bool:
    """Whether every known face has been offered to the persons, as in a service that was fed with them one by one."""
    grouped, end = databases.client(OWN).mget("grouping:position", "journal:position")
    return int(grouped or 0) == int(end or 0)
