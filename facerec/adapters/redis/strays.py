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
from facerec.errors import InternalError

_AT_ONCE = 500
_IN_A_SCRIPT = 100


def stray_faults(databases: RedisDatabases) -> Iterator[Fault]:
    """Goes through the keys of all databases, and through the lists of names. Raises StoreUnavailable."""
    lists = set()
    for database in (OWN, NAME_TO_HASH, HASH_TO_NAMES, FACES, LINKS, ASIDE_FACES, ASIDE_LINKS):
        for keys in _pages_of_keys(databases.client(database)):
            yield from _check(databases, str(database), [(key,) for key in keys])
            lists |= {key for key in keys if database == OWN and owner_and_rest(text_of(key))[1] == "names"}
    for key in sorted(lists):
        p = key[: -len(b"names")]
        for names in pages_of_members(databases.client(OWN), key, _AT_ONCE):
            yield from _check(databases, "names", [(p, name) for name in names])


def _check(databases: RedisDatabases, what: str, items: Sequence[tuple[bytes, ...]]) -> Iterator[Fault]:
    for start in range(0, len(items), _IN_A_SCRIPT):
        for kind, key, subject, detail in _found(databases, what, items[start : start + _IN_A_SCRIPT]):
            if kind == b"many":
                yield from _faults_of_holders(databases, key)
                continue
            owner, _ = owner_and_rest(text_of(key))
            image_hash = text_of(subject) if kind == b"document" else ""
            evidence = (what,) if kind == b"stray" else ()
            yield fault_of(owner, image_hash, kind.decode(), text_of(subject), text_of(detail), evidence)


def text_of(stored: bytes) -> str:
    """As it can be told; what is no text is of no key that a repair finds."""
    return stored.decode(errors="replace")


def _found(databases: RedisDatabases, what: str, items: Sequence[tuple[bytes, ...]]) -> Iterator[Sequence[bytes]]:
    arguments: list[Argument] = [part for item in items for part in item]
    try:
        yield from databases.read("strays", what, *arguments)
    except InternalError as error:
        # A key of a wrong type stops the script: find out which.
        if len(items) == 1:
            yield b"type", items[0][0], b"".join(items[0]), f"cannot be looked at: {error.reason}".encode()
            return
        for item in items:
            yield from _found(databases, what, [item])


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
