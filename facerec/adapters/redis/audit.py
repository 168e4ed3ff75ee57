"""Checking the store on Redis, online: every look is a short script, so it sees what is, and blocks nobody."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from math import isfinite

from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors
from facerec.adapters.redis.contacts_check import contact_faults
from facerec.adapters.redis.galleries_check import gallery_faults
from facerec.adapters.redis.inspection import faults_of, inspection_of, refused_inspection
from facerec.adapters.redis.journal_audit import journal_faults
from facerec.adapters.redis.layout import LINKS_KEPT, OWN, STATES, prefix
from facerec.adapters.redis.owners import known_owners
from facerec.adapters.redis.people_check import people_faults, people_faults_again
from facerec.adapters.redis.strays import stray_faults
from facerec.audit import Fault, Inspection
from facerec.errors import InternalError

log = logging.getLogger(__name__)
_PAGE = 1000
_BEYOND = 1 << 53
"""No ticket is so large."""
_SCRIPTS_AT_ONCE = 32
"""Redis serves what it has read of a pipeline before it turns to other clients."""


class RedisAudit:
    """`facerec.audit.Audit` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def owners(self) -> list[str]:
        return known_owners(self._databases)

    def images(self, owner: str) -> Iterator[list[tuple[str, int]]]:
        seen: set[str] = set()
        lowest = "-inf"
        while True:
            with mapped_errors():
                found = self._databases.client(OWN).zrangebyscore(
                    f"{prefix(owner)}images", lowest, "+inf", 0, _PAGE, withscores=True
                )
            # A page begins with the ticket that the last one ended with: two images may wrongly share it.
            page = [(key.decode(errors="replace"), _ticket(score)) for key, score in found]
            yield [image for image in page if image[0] not in seen]
            if len(found) < _PAGE:
                return
            lowest = str(page[-1][1])
            seen = {key for key, ticket in page if ticket == page[-1][1]}

    def inspect(self, owner: str, hashes: Sequence[str]) -> list[Inspection]:
        found = []
        for start in range(0, len(hashes), _SCRIPTS_AT_ONCE):
            found += self._inspect_some(owner, hashes[start : start + _SCRIPTS_AT_ONCE])
        return found

    def crowded(self, owner: str) -> set[int]:
        with mapped_errors():
            found = self._databases.client(OWN).zscan_iter(f"{prefix(owner)}crowd", count=_PAGE)
            return {int(ticket) for _, ticket in found}

    def hashes(self, owner: str, tickets: Sequence[int]) -> dict[int, str]:
        found = []
        for start in range(0, len(tickets), _PAGE):
            with mapped_errors(), self._databases.client(OWN).pipeline(transaction=False) as pipeline:
                for ticket in tickets[start : start + _PAGE]:
                    pipeline.zrangebyscore(f"{prefix(owner)}images", ticket, ticket, 0, 1)
                found += pipeline.execute()
        return {ticket: hashes[0].decode() for ticket, hashes in zip(tickets, found, strict=True) if hashes}

    def strays(self) -> Iterator[Fault]:
        yield from stray_faults(self._databases)
        for owner in self.owners():
            for name in (*(f"state:{state}" for state in STATES if state != "done"), "crowd"):
                yield from self._faults_of_members(owner, f"{prefix(owner)}{name}")

    def journal_faults(self) -> Iterator[Fault]:
        return journal_faults(self._databases)

    def people_faults(self) -> Iterator[Fault]:
        return people_faults(self._databases)

    def people_faults_again(self, faults: Sequence[Fault]) -> Iterator[Fault]:
        return people_faults_again(self._databases, faults)

    def gallery_faults(self) -> Iterator[Fault]:
        return gallery_faults(self._databases, self.owners())

    def contact_faults(self) -> Iterator[Fault]:
        return contact_faults(self._databases)

    def _faults_of_members(self, owner: str, key: str) -> Iterator[Fault]:
        """Of images that are in a list, though perhaps not in the list of all images."""
        with mapped_errors():
            members = [member.decode() for member, _ in self._databases.client(OWN).zscan_iter(key, count=_PAGE)]
        for start in range(0, len(members), _PAGE):
            for inspection in self.inspect(owner, members[start : start + _PAGE]):
                yield from inspection.faults

    def _inspect_some(self, owner: str, hashes: Sequence[str]) -> list[Inspection]:
        calls: list[tuple[Argument, ...]] = [(owner, prefix(owner), key, LINKS_KEPT) for key in hashes]
        try:
            return [
                inspection_of(owner, key, reply, self._faults_of_names(owner, key) if reply[-1] else ())
                for key, reply in zip(hashes, self._databases.read_many("inspect", calls), strict=True)
            ]
        except (InternalError, ValueError) as error:
            # A key of a wrong type stops the script: find out whose it is.
            if len(hashes) == 1:
                return [refused_inspection(owner, hashes[0], str(error))]
            return [inspection for key in hashes for inspection in self._inspect_some(owner, [key])]

    def _faults_of_names(self, owner: str, image_hash: str) -> Iterator[Fault]:
        """Of an image that was sent under very many names."""
        for which in ("known", "in two"):
            cursor = b"0"
            while True:
                cursor, found = self._databases.read("inspect_names", prefix(owner), image_hash, which, cursor)
                yield from faults_of(owner, image_hash, found)
                if cursor == b"0":
                    break


def _ticket(score: float) -> int:
    return int(score) if isfinite(score) else _BEYOND
