"""Removing a gallery of any size in steps that are each short.

The gallery is gone for everybody with the first step. What is left is to take its name out of the fields of its faces, some
at a time; whoever began that may die meanwhile, so it is gone on with by the next call about a gallery of that name, and by
`facerec fsck --fix`.
"""

from __future__ import annotations

from facerec.adapters.redis.connection import RedisDatabases
from facerec.adapters.redis.layout import prefix
from facerec.errors import NotFound

_FACES_AT_ONCE = 250
"""A step of so many faces takes a few milliseconds."""


def remove_gallery(databases: RedisDatabases, owner: str, gallery: str) -> None:
    """Raises NotFound, StoreUnavailable."""
    while (reply := databases.call("findface_gallery", prefix(owner), "remove", gallery)) == b"unfinished":
        finish_removal(databases, owner, gallery)
    if reply == b"unknown":
        raise NotFound(f"there is no gallery {gallery}")
    finish_removal(databases, owner, gallery)


def finish_removal(databases: RedisDatabases, owner: str, gallery: str) -> None:
    """Take the name of a removed gallery out of the fields of all its faces that still have it. Raises StoreUnavailable."""
    while databases.call("findface_unlist", prefix(owner), gallery, _FACES_AT_ONCE):
        pass
