"""Which workers live."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN

_NAMES = "workers"


class RedisWorkers:
    """`facerec.ports.Workers` over keys that expire, and a set of their names, so that nobody has to look through all keys."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def alive(self, worker: str, state: Mapping[str, Any], seconds: float) -> None:
        self._databases.call("worker_alive", worker, json.dumps(state), int(seconds * 1000))

    def gone(self, worker: str) -> None:
        with mapped_errors(), self._databases.client(OWN).pipeline() as pipeline:
            pipeline.delete(f"worker:{worker}")
            pipeline.srem(_NAMES, worker)
            pipeline.execute()

    def workers(self) -> dict[str, dict[str, Any]]:
        client = self._databases.client(OWN)
        with mapped_errors():
            names = sorted(name.decode() for name in client.smembers(_NAMES))
            values = client.mget([f"worker:{name}" for name in names]) if names else []
        return {name: json.loads(value) for name, value in zip(names, values, strict=True) if value}
