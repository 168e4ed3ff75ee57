"""Two releases side by side under load, REST and workers of both: nothing is lost, nothing is misread."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

from facerec.adapters.rabbitmq import RabbitDeadLetters
from facerec.config import RabbitSettings, RedisSettings
from tests.client import wait_until
from tests.failover.books import LIMITS, accepts_more, check_nothing_is_lost, under_load
from tests.stack import Process, Stack

NEXT = "tests.upgrade.next_release"


class NextRelease(Stack):
    """REST and workers of the next release on the same servers."""

    def __enter__(self) -> Self:
        self.rest = Process(f"{NEXT} rest", self.environment, self.folder / "next-rest.log")
        wait_until(self.serves, "the new REST serves", self.log_tails)
        return self

    def start_worker(self, **environment: str) -> Process:
        log = self.folder / "next-worker.log"
        self.workers.append(Process(f"{NEXT} worker", self.environment | environment, log))
        wait_until(lambda: "index_ready" in log.read_text(), "the new worker is ready", self.log_tails)
        return self.workers[-1]


def test_releases_overlap_without_a_loss(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    servers = redis_settings, rabbit_settings, tmp_path
    with Stack(*servers, **LIMITS) as old, NextRelease(*servers, **LIMITS) as new:
        with under_load(old, 1) as book, under_load(new, 2) as newer:
            # The worst order: newer messages come while the only worker is the old one. It leaves them to others.
            wait_until(lambda: '"newer"' in (tmp_path / "worker0.log").read_text(), "it met one", old.log_tails)
            accepts_more(old, book)
            new.start_worker()
            accepts_more(new, newer)
            stopping = threading.Thread(target=old.workers[0].stop)
            stopping.start()
            accepts_more(new, newer)
            stopping.join()
        book.entries.extend(newer.entries)
        check_nothing_is_lost(new, book, redis_settings)
        letters = RabbitDeadLetters(rabbit_settings).list(1000)
        assert not [letter for letter in letters if letter.code in {"MALFORMED_JOB", "NEWER_MESSAGE"}]
