"""Clients that write down every answer, and the balance at the end: what `benchmarks.ledger` does, for one fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from benchmarks.ledger.balance import balance
from benchmarks.ledger.clients import Book, Client
from facerec.adapters.redis import RedisAudit, RedisDatabases, RedisJournal, RedisRepairs
from facerec.config import RedisSettings, Settings
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from tests.client import wait_until
from tests.stack import Stack

CLIENTS = 3
RATE = 4.0
"""Pictures a second of each client."""
SETTLING = 60.0
LIMITS = {
    "ENGINE": "fake",
    "WORKERS": "1",
    "RABBITMQ_TIMEOUT": "2",
    "RABBITMQ_HEARTBEAT": "2",
    "REDIS_TIMEOUT": "2",
    "JOB_TIME_LIMIT": "2",
    "RETRY_BASE": "0.2",
    "LOST_AFTER": "60",
    "GRACE": "5",
}


@contextmanager
def under_load(stack: Stack, seed: int = 1) -> Iterator[Book]:
    """Pictures come all the time."""
    book = Book()
    clients = [Client(stack.url, book, 10 * seed + number, seed, RATE) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: len(book.answered(202)) >= 10, "pictures are accepted", stack.log_tails)
        yield book
    finally:
        for client in clients:
            client.stop()
        for client in clients:
            client.join()


def accepts_more(stack: Stack, book: Book, count: int = 10) -> None:
    """Wait until so many more pictures were accepted."""
    before = len(book.answered(202))
    wait_until(lambda: len(book.answered(202)) >= before + count, "pictures are accepted again", stack.log_tails)


def check_nothing_is_lost(stack: Stack, book: Book, settings: RedisSettings) -> None:
    """Every accepted picture ends as done or failed, nothing is there that should not be, and every invariant holds."""
    # On a machine that is busy with other tests an answer may take long; how long is not what is asked here.
    databases = RedisDatabases(replace(settings, timeout=SETTLING))
    try:
        open_hashes = {entry.hash for entry in book.answered(202)}

        def ended() -> bool:
            client = databases.client()
            states = {key: client.hget(f"image:{key}", "state") for key in open_hashes}
            open_hashes.difference_update(key for key, state in states.items() if state in {b"done", b"failed"})
            return not open_hashes

        wait_until(ended, "all accepted pictures ended", stack.log_tails, SETTLING)
        # A picture whose answer was lost may be on its way, too, or be known without a message: then it waits for LOST_AFTER.
        others = {key.decode() for key in databases.client().zrange("images", 0, -1)}
        open_hashes |= others & {entry.hash for entry in book.entries}
        wait_until(ended, "all others ended", stack.log_tails, SETTLING + 2 * float(LIMITS["LOST_AFTER"]))
        found = balance(book, databases)
        assert (found.lost, found.unexpected) == ([], []), found
        assert found.done + found.failed == found.accepted
        audit = RedisAudit(databases)
        links = LinkCheck(audit, RedisJournal(databases), Settings().tolerance)
        report = Fsck(audit, RedisRepairs(databases), links).run()
        assert report.clean, report.document()
    finally:
        databases.close()
