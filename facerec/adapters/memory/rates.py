"""Rates of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FORGET_AT = 10_000
"""Callers that are remembered before the full buckets among them are forgotten."""
_ROUNDING = 1e-9


class MemoryRates:
    """`facerec.ports.Rates` over a dictionary: for each caller the time at which its bucket is full again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at: dict[str, float] = {}

    def take(self, caller: str, rate: float, burst: int) -> float:
        with self._lock:
            now = self._clock()
            if len(self._full_at) >= FORGET_AT:
                self._full_at = {name: full_at for name, full_at in self._full_at.items() if full_at > now}
            full_at = max(now, self._full_at.get(caller, now)) + 1 / rate
            wait = full_at - now - burst / rate
            if wait > _ROUNDING:
                return wait
            self._full_at[caller] = full_at
            return 0.0
