"""A call that can be killed in the middle: ``python -m tests.contact_victim PORT PASSWORD fetched|announced|written``.

It adds one face and says so on its output when it has come that far; then it waits to be killed.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

from facerec.adapters.redis import RedisDatabases
from facerec.config import RedisSettings
from facerec.jobs import Reply, Request
from facerec.values import Secret
from tests.contact_worlds import OwnWorker, Pages, face, face_url, open_books

USER, CONTACT = 5, 6
URL = face_url("victim")


def stay(where: str) -> None:
    sys.stdout.write(where + "\n")
    sys.stdout.flush()
    signal.pause()


class Stopping(OwnWorker):
    """Stays before or after the picture is written."""

    stage = ""

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        if self.stage == "announced":
            stay(self.stage)
        reply = super().call(request, is_gone)
        if self.stage == "written":
            stay(self.stage)
        return reply


def main() -> None:
    port, password, stage = sys.argv[1:]
    databases = RedisDatabases(RedisSettings(port=int(port), password=Secret(password)))
    pages, worker = Pages(), Stopping(databases)
    worker.stage = stage

    def before(_url: str) -> Any:
        return stay(stage) if stage == "fetched" else None

    pages.before = before
    books = open_books(databases, pages, worker=worker, lease=1.0)
    books.of("default").add_faces(USER, CONTACT, [face(USER, CONTACT, 1, URL)])


if __name__ == "__main__":
    main()
