"""Keys that belong to no image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors, pages_of_members
from facerec.adapters.redis.inspection import fault_of
from facerec.adapters.redis.layout import (
    ASIDE_FACES,
    ASIDE_LINKS,
    FACES,
    HASH_TO_NAMES,
    LINKS,
    NAME_TO_HASH,
    OWN,
    owner_and_rest,
)
from facerec.audit import Fault

_AT_ONCE = 500
_IN_A_SCRIPT = 100


def stray_faults(databases: RedisDatabases) -> Iterator[Fault]:
    """Goes through the keys of all databases, and through the lists of names. Raises StoreUnavailable."""
    lists = set()
    for database in (OWN, NAME_TO_HASH, HASH_TO_NAMES, FACES, LINKS, ASIDE_FACES, ASIDE_LINKS):
        for keys in _pages_of_keys(databases.client(database)):
            yield from _check(databases, str(database), [(key,) for key in keys])
            lists |= {key for key in keys if database == OWN and owner_and_rest(key.decode())[1] == "names"}
    for key in sorted(lists):
        p = key[: -len(b"names")]
        for names in pages_of_members(databases.client(OWN), key, _AT_ONCE):
            yield from _check(databases, "names", [(p, name) for name in names])


def _check(databases: RedisDatabases, what: str, items: Sequence[tuple[bytes, ...]]) -> Iterator[Fault]:
    for start in range(0, len(items), _IN_A_SCRIPT):
        arguments: list[Argument] = [part for item in items[start : start + _IN_A_SCRIPT] for part in item]
        for kind, key, subject, detail in databases.read("strays", what, *arguments):
            if kind == b"many":
                yield from _faults_of_holders(databases, key)
                continue
            owner, _ = owner_and_rest(key.decode())
            image_hash = subject.decode() if kind == b"document" else ""
            evidence = (what,) if kind == b"stray" else ()
            yield fault_of(owner, image_hash, kind.decode(), subject.decode(), detail.decode(), evidence)


def _faults_of_holders(databases: RedisDatabases, key: bytes) -> Iterator[Fault]:
    """Of a name that very many images bear."""
    for members in pages_of_members(databases.client(OWN), key, _AT_ONCE):
        yield from _check(databases, "holders", [(key, member) for member in members])


def _pages_of_keys(client: Any) -> Iterator[list[bytes]]:
    cursor = 0
    while True:
        with mapped_errors():
            cursor, keys = client.scan(cursor, count=_AT_ONCE)
        yield keys
        if cursor == 0:
            return
