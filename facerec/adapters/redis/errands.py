"""What workers have to do to finish erasures, and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN, owner_and_rest, prefix
from facerec.adapters.redis.names import withdraw_names
from facerec.ports import Place

_ERASED = "pictures:erased"


class RedisErrands:
    """`facerec.ports.Errands` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def turn(self, errand: str, seconds: float) -> bool:
        with mapped_errors():
            return bool(self._databases.client(OWN).set(f"errand:{errand}", "begun", px=int(seconds * 1000), nx=True))

    def erasure(self, owner: str, image_hash: str) -> Place | None:
        with mapped_errors():
            ticket = self._databases.client(OWN).hget(_ERASED, prefix(owner) + image_hash)
        return None if ticket is None else Place(owner, image_hash, int(ticket))

    def erasures(self, limit: int) -> Sequence[Place]:
        with mapped_errors():
            _, found = self._databases.client(OWN).hscan(_ERASED, 0, count=limit)
        return [Place(*owner_and_rest(field.decode()), int(ticket)) for field, ticket in found.items()]

    def settle(self, erased: Place) -> None:
        withdraw_names(self._databases, erased.owner, erased.hash)
        self._databases.call("settle", prefix(erased.owner) + erased.hash, erased.ticket)
