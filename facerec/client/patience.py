"""When to come again: as the service says, together, and not for ever."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from facerec.client.errors import ClientError, ServiceAway

T = TypeVar("T")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
"""Seconds between tries when the service does not say how long: doubled from the first to the longest."""
LONGEST_TOLD = 300.0
"""A service that says to come again later than this is asked again after this many seconds."""


def pause_before(attempt: int, told: float | None, chance: float) -> float:
    """Seconds to wait before the next try, ``attempt`` being how many were made (at least 1), ``chance`` from 0 to 1.

    What the service told is never cut short; a quarter is added by chance, so that many clients do not come back as one.
    """
    wished = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 16)) if told is None else min(told, LONGEST_TOLD)
    return wished * (1 + chance / 4)


class Patience:
    """Repeats calls that met a busy or absent service, for at most ``limit`` seconds each; safe for many threads.

    What one thread is told, all heed: none of them calls before the time has come.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._closed_until = float("-inf")
        self._ended = threading.Event()

    def call(self, action: Callable[[], T], repeated: tuple[type[ClientError], ...]) -> T:
        """What ``action`` gives, which is called again after the errors in ``repeated``.

        Raises ServiceAway when patience (or the client) comes to its end.
        """
        deadline = self._clock() + self._limit
        attempt = 0
        while True:
            self._wait_for_opening(deadline)
            attempt += 1
            try:
                return action()
            except repeated as error:
                # No pause by chance protects a secret here.
                pause = pause_before(attempt, getattr(error, "retry_after", None), random.random())  # noqa: S311
                if self._limit <= 0:
                    raise
                if self._ended.is_set() or self._clock() + pause > deadline:
                    raise ServiceAway(f"given up after {self._limit:g} s: {error}") from error
                self._close(pause)

    def end(self) -> None:
        """Nobody waits any longer: calls that would have to wait raise ServiceAway."""
        self._ended.set()

    def _close(self, seconds: float) -> None:
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def _wait_for_opening(self, deadline: float) -> None:
        while (seconds := self._closed_until - self._clock()) > 0:
            if self._clock() + seconds > deadline:
                raise ServiceAway(
                    f"given up: the service asks to wait {seconds:.0f} s, longer than the patience allows"
                )
            if self._ended.wait(seconds):
                raise ServiceAway("given up: the client was told to end")
