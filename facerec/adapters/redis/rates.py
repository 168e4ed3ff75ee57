"""How fast callers ask, counted for all processes of all front doors together."""

from __future__ import annotations

from facerec.adapters.redis.connection import RedisDatabases


class RedisRates:
    """`facerec.ports.Rates` over keys that expire, by the clock of Redis: one step and one round trip.

    Nothing waits for replicas: a fail-over may forget the requests of a moment. A request whose answer was lost with its
    connection is counted twice.
    """

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def take(self, caller: str, rate: float, burst: int) -> float:
        return float(self._databases.call_forgettable("rate", f"rate:{caller}", 1 / rate, burst / rate))
