"""Which place the pictures of an image or a face have."""

from __future__ import annotations

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN, prefix
from facerec.identity import ticket_of
from facerec.ports import Place


class RedisWhereabouts:
    """`facerec.ports.Whereabouts` over Redis. What belongs to another owner is not found."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def of_image(self, owner: str, image_hash: str) -> Place | None:
        with mapped_errors():
            ticket = self._databases.client(OWN).hget(f"{prefix(owner)}image:{image_hash}", "ticket")
        return None if ticket is None else Place(owner, image_hash, int(ticket))

    def of_face(self, owner: str, face_id: int) -> Place | None:
        ticket = ticket_of(face_id)
        with mapped_errors():
            found = self._databases.client(OWN).zrangebyscore(f"{prefix(owner)}images", ticket, ticket, 0, 1)
        return Place(owner, found[0].decode(), ticket) if found else None
