"""Which workers live."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN
from facerec.nesting import parse_shallow_json

log = logging.getLogger(__name__)
_NAMES = "workers"
_TEXTS = ("model", "device", "loading", "problem")
_COUNTS = ("processes", "faces", "jobs", "position")
_UNREADABLE = "what it says of itself cannot be read"


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
            names = sorted(client.smembers(_NAMES))
            values = client.mget([b"worker:" + name for name in names]) if names else []
        return {
            name.decode(errors="replace"): _state(name, value)
            for name, value in zip(names, values, strict=True)
            if value
        }


def _state(name: bytes, value: bytes) -> dict[str, Any]:
    """What a worker says of itself; of one that says what cannot be, that alone."""
    try:
        state = parse_shallow_json(value.decode())
        if not isinstance(state, dict):
            raise ValueError("it is no object")
        for field in state.keys() & {*_TEXTS, *_COUNTS}:
            _check(field, state[field])
    except ValueError as error:
        log.error("worker:%s: %s", name.decode(errors="replace"), error, extra={"action": "damaged_worker"})
        return {"problem": _UNREADABLE}
    return state


def _check(field: str, value: object) -> None:
    """Raises ValueError."""
    wanted = str if field in _TEXTS else int
    if type(value) is not wanted or (isinstance(value, int) and not 0 <= value < 1 << 53):
        raise ValueError(f"{field} is none")
