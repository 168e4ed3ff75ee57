"""Waiting for a part of the system that is away, until it answers or this worker stops."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from facerec.errors import FacerecError, ServiceUnavailable

log = logging.getLogger(__name__)
T = TypeVar("T")
LONGEST = 2.0


class Stopping(FacerecError):
    """This worker stops; what it holds goes back to the broker."""

    code = "STOPPING"


class Patience:
    """Calls again while a service is away, and says so in the log when the reason is another. `give_up` ends all waiting."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    @property
    def ended(self) -> bool:
        return self._stop.is_set()

    def give_up(self) -> None:
        self._stop.set()

    def insist(self, call: Callable[[], T], seconds: float = math.inf) -> T:
        """What ``call`` returns once it no longer raises ServiceUnavailable. Raises Stopping after `give_up`, and
        ServiceUnavailable when ``seconds`` are over."""
        pause, told = 0.05, ""
        until = time.monotonic() + seconds
        while True:
            try:
                return call()
            except ServiceUnavailable as error:
                if error.reason != told:
                    log.warning("waiting: %s", error.reason, extra={"action": "waiting"})
                told = error.reason
                if time.monotonic() >= until:
                    raise
            if self._stop.wait(pause):
                raise Stopping("this worker stops")
            pause = min(LONGEST, pause * 2)
