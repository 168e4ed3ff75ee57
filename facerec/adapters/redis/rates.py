"""How fast callers ask, counted for all processes of all front doors together."""

from __future__ import annotations

from facerec.adapters.redis.connection import RedisDatabases
from facerec.ports import Rates


class RedisRates:
    """`facerec.ports.Rates` over keys that expire, by the clock of Redis: one step and one round trip.

    Nothing waits for replicas: a fail-over may forget the requests of a moment. A request whose answer was lost with its
    connection is counted twice. While the server takes no writes, which keeps nobody from reading, ``alone`` counts the requests
    of this process.
    """

    def __init__(self, databases: RedisDatabases, alone: Rates) -> None:
        self._databases = databases
        self._alone = alone

    def take(self, caller: str, rate: float, burst: int) -> float:
        wait = self._databases.call_forgettable("rate", f"rate:{caller}", 1 / rate, burst / rate)
        return float(wait) if wait else self._alone.take(caller, rate, burst)
