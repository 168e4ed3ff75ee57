"""The names of images. The same bytes may be sent under very many names, and one name may be borne by very many images: each
step here takes some of them, so that none grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import ERASED_SECONDS, JOURNAL_LENGTH, OWN, prefix

_AT_ONCE = 200


def publish_names(databases: RedisDatabases, owner: str, image_hash: str) -> None:
    """Write the names of a finished image to databases 1 and 2, those that are not there yet. Raises StoreUnavailable."""
    cursor = b"0"
    while True:
        cursor = databases.call("publish", prefix(owner), image_hash, cursor)
        if cursor == b"0":
            return


def erase_image(databases: RedisDatabases, owner: str, image_hash: str) -> tuple[list[bytes], int, int, str] | None:
    """The names, faces, links and state that an image had; None when unknown. Raises StoreUnavailable.

    Many names go first, some at a time. Who is cut off meanwhile leaves an image that is sound and has fewer names.
    """
    gone: list[bytes] = []
    while True:
        reply = databases.call("erase", owner, prefix(owner), image_hash, ERASED_SECONDS, JOURNAL_LENGTH)
        if not reply:
            return None
        names, *rest = reply
        gone += names
        if rest:
            faces, links, state = rest
            return gone, int(faces), int(links), state.decode()


def repair_name(databases: RedisDatabases, owner: str, name: str, bearers: Sequence[str]) -> None:
    """Make a name lead to the newest finished image that bears it, and back. Raises StoreUnavailable.

    ``bearers`` are images that may bear it besides those that are known to.
    """
    for holders in _holders(databases, f"{prefix(owner)}holders:{name}"):
        databases.call("repair_name", prefix(owner), name, *bearers, *holders)


def _holders(databases: RedisDatabases, key: str) -> Iterator[list[bytes]]:
    """In parts; one that is empty when there are none."""
    client: Any = databases.client(OWN)
    cursor = 0
    while True:
        with mapped_errors():
            cursor, found = client.zscan(key, cursor, count=_AT_ONCE)
        yield [member for member, _ in found]
        if cursor == 0:
            return
