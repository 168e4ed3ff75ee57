"""``python -m tests.integration.rest.fake_front PORT [THREADS] [FIRST]``: the real server over the fakes.

FIRST is how many seconds a request may take to begin and, with the rate of `rest.connections`, to come; and its answer to be
read. THREADS serve all, because nobody listens to events.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

from flask import Flask

from facerec.errors import DeadlineExceeded, ServiceUnavailable
from facerec.jobs import Reply, Request
from rest.app import create_app
from rest.listener import PATIENCE
from rest.server import FrontServer
from tests.front import FakeRequester, Front


class PatientRequester(FakeRequester):
    """Waits with the answer to a picture that ends in WAIT until its sender is gone."""

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        if not request.body.endswith(b"WAIT"):
            return super().call(request, is_gone)
        until = time.monotonic() + 20
        while not is_gone() and time.monotonic() < until:
            time.sleep(0.02)
        raise DeadlineExceeded("nobody waits any more" if is_gone() else "somebody waits still")


def main(port: int, threads: int = 4, first: float = PATIENCE) -> None:
    front = Front()
    settings = replace(front.settings.rest, port=port, threads=threads, event_streams=0)
    front.settings = replace(front.settings, rest=settings)

    front.requester = PatientRequester()

    def make() -> tuple[Flask, Callable[[], None]]:
        return create_app(front.services), close

    def close() -> None:
        front.publisher.failures["publish"] = ServiceUnavailable("the services are closed")

    FrontServer(settings, make, patience=first).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), *(int(number) for number in sys.argv[2:3]), *(float(number) for number in sys.argv[3:4]))
