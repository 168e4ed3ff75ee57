"""The names of images. The same bytes may be sent under very many names, and one name may be borne by very many images: each
step here takes some of them, so that none grows."""

from __future__ import annotations

from collections.abc import Sequence

from facerec.adapters.redis.connection import Argument, RedisDatabases, call_token, mapped_errors, pages_of_members
from facerec.adapters.redis.layout import ERASED_SECONDS, HASH_TO_NAMES, JOURNAL_LENGTH, OWN, prefix

_AT_ONCE = 200
_READ = 1000


def names_of(databases: RedisDatabases, owner: str, image_hash: str) -> dict[bytes, bytes]:
    """All names under which an image was sent, with the tickets of the newest uploads. Raises StoreUnavailable."""
    with mapped_errors():
        return dict(databases.client(OWN).hscan_iter(f"{prefix(owner)}names:{image_hash}", count=_READ))


def published_names(databases: RedisDatabases, owner: str, image_hash: str) -> set[bytes]:
    """All names of a finished image. Raises StoreUnavailable."""
    with mapped_errors():
        return set(databases.client(HASH_TO_NAMES).sscan_iter(prefix(owner) + image_hash, count=_READ))


def publish_names(databases: RedisDatabases, owner: str, image_hash: str) -> None:
    """Write the names of a finished image to databases 1 and 2, those that are not there yet. Raises StoreUnavailable."""
    cursor = b"0"
    while True:
        cursor = databases.call("publish", prefix(owner), image_hash, cursor)
        if cursor == b"0":
            return


def erase_image(
    databases: RedisDatabases, owner: str, image_hash: str, *turn: Argument
) -> tuple[list[bytes], int, int, str] | None:
    """The names, faces, links and state that an image had; None when unknown. Raises StoreUnavailable.

    The image is gone at once. ``turn`` is that of contacts, see the script.
    """
    how = (ERASED_SECONDS, JOURNAL_LENGTH, call_token())
    while True:
        reply = databases.call("erase", owner, prefix(owner), image_hash, *how, *turn)
        if reply != [b"unfinished"]:
            break
        withdraw_names(databases, owner, image_hash)
    if not reply:
        return None
    names, faces, links, state = reply
    return [*names, *withdraw_names(databases, owner, image_hash)], int(faces), int(links), state.decode()


def withdraw_names(databases: RedisDatabases, owner: str, image_hash: str) -> list[bytes]:
    """Finish the erasure, or the repair, of an image that had very many names; returns those that led to it.

    Raises StoreUnavailable. Until then they lead to an image that is not there, which nobody takes for an answer.
    """
    gone: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, names = databases.call("withdraw_names", prefix(owner), image_hash, cursor)
        gone += names
        if cursor == b"0":
            return gone


def finish_names(databases: RedisDatabases, owner: str, image_hash: str) -> None:
    """Go on with the erasure of an image of very many names, or with their publishing. Raises StoreUnavailable."""
    withdraw_names(databases, owner, image_hash)
    publish_names(databases, owner, image_hash)


def repair_name(databases: RedisDatabases, owner: str, name: str, bearers: Sequence[str]) -> None:
    """Make a name lead to the newest finished image that bears it, and back. Raises StoreUnavailable.

    ``bearers`` are images that may bear it besides those that are known to.
    """
    for holders in pages_of_members(databases.client(OWN), f"{prefix(owner)}holders:{name}", _AT_ONCE):
        databases.call("repair_name", prefix(owner), name, *bearers, *holders)
