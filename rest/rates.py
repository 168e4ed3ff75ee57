"""How fast one caller may ask: a bucket of tokens for each, which fills again at a steady rate."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from facerec.errors import Backpressure

FORGET_AT = 10_000
"""Callers that are remembered before the full buckets among them are forgotten."""


class Rates:
    """The callers of one process; safe for many threads. Only who has shown a good token has a bucket, so they stay few."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: str, rate: float, burst: int) -> None:
        """One request; ``rate`` a second may come for ever, ``burst`` at once. Raises Backpressure."""
        with self._lock:
            now = self._clock()
            if len(self._buckets) >= FORGET_AT:
                self._forget(now, rate, burst)
            level, since = self._buckets.get(caller, (float(burst), now))
            level = min(burst, level + (now - since) * rate)
            if level < 1:
                self._buckets[caller] = level, now
                raise Backpressure("more requests than this token may make", math.ceil((1 - level) / rate))
            self._buckets[caller] = level - 1, now

    def _forget(self, now: float, rate: float, burst: int) -> None:
        self._buckets = {
            caller: (level, since)
            for caller, (level, since) in self._buckets.items()
            if level + (now - since) * rate < burst
        }
