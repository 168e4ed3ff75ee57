"""The number of the store's layout."""

from __future__ import annotations

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN
from facerec.services.migration import Steps

FIRST = 1
"""The layout of stores from before the number was written."""


class RedisSchema:
    """`facerec.services.migration.SchemaStore` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def schema(self) -> int:
        with mapped_errors():
            return int(self._databases.client(OWN).get("schema") or FIRST)

    def advance(self, known: int, to: int) -> bool:
        return bool(self._databases.call("schema", known, to))


def redis_steps(databases: RedisDatabases) -> Steps:  # noqa: ARG001 - there is one layout until now
    """Schema -> what makes the next one of it."""
    return {}
