"""What workers have to do to finish what others began, and whose turn it is."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.findface_removal import finish_removal
from facerec.adapters.redis.layout import OWN, owner_and_rest, prefix
from facerec.adapters.redis.names import finish_names
from facerec.adapters.redis.people_showing import finish_showing
from facerec.errors import BadParam, InternalError
from facerec.identity import check_hash, check_owner
from facerec.ports import Place

log = logging.getLogger(__name__)
_ERASED = "pictures:erased"
_FINISH = {"names": finish_names, "gallery": finish_removal, "people": finish_showing}


class RedisErrands:
    """`facerec.ports.Errands` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def turn(self, errand: str, seconds: float) -> bool:
        with mapped_errors():
            return bool(self._databases.client(OWN).set(f"errand:{errand}", "begun", px=int(seconds * 1000), nx=True))

    def finish(self, limit: int, after: float) -> None:
        client = self._databases.client(OWN)
        with mapped_errors():
            seconds, microseconds = client.time()
            now = seconds + microseconds / 1e6
            found = client.zrangebyscore("unfinished", "-inf", now - after, 0, limit)
        for member in map(bytes.decode, found):
            owner, rest = owner_and_rest(member)
            kind, _, subject = rest.partition(":")
            if kind not in _FINISH:
                continue  # a newer release's, whose workers know what to do
            try:
                _FINISH[kind](self._databases, owner, subject)
            except InternalError as error:
                # A key of a wrong type, say, which is for `facerec fsck`. Meanwhile it must not stand before others.
                log.error("%s is not finished: %s", rest, error.reason, extra={"action": "unfinished", "owner": owner})
                with mapped_errors():
                    client.zadd("unfinished", {member: now}, xx=True)

    def erasure(self, owner: str, image_hash: str) -> Place | None:
        with mapped_errors():
            ticket = self._databases.client(OWN).hget(_ERASED, prefix(owner) + image_hash)
        return None if ticket is None else Place(owner, image_hash, int(ticket))

    def erasures(self, limit: int) -> Sequence[Place]:
        with mapped_errors():
            _, found = self._databases.client(OWN).hscan(_ERASED, 0, count=limit)
        return [place for field, ticket in found.items() if (place := _place(field, ticket))]

    def settle(self, erased: Place) -> None:
        self._databases.call("settle", prefix(erased.owner) + erased.hash, erased.ticket)


def _place(field: bytes, ticket: bytes) -> Place | None:
    """The erased image, None when nobody can tell which one."""
    try:
        owner, image_hash = owner_and_rest(field.decode())
        return Place(check_owner(owner), check_hash(image_hash), int(ticket))
    except (ValueError, BadParam) as error:
        log.error(
            "what the hash %s has under %r is not ours and is for nobody to do: remove it (%s)",
            _ERASED,
            field,
            error,
            extra={"action": "damaged_records"},
        )
        return None
