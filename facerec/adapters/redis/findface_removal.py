"""Removing a gallery of any size in steps that are each short.

The gallery is gone for everybody with the first step, which makes its number negative. What is left is to take its faces out,
some at a time; whoever began that may die meanwhile, so it is gone on with by the next call about a gallery of that name, by an
errand of the workers, and by `facerec fsck --fix`.

Until the last step no gallery of that name is made: what is said of a face names galleries, and a name that stood for two of
them would be misread, above all by processes of the release before during an upgrade. To those the gallery is there until the
last step, and after each step everything is as they would have left it.
"""

from __future__ import annotations

from facerec.adapters.redis.connection import RedisDatabases, call_token
from facerec.adapters.redis.layout import prefix
from facerec.errors import Conflict, NotFound

_FACES_AT_ONCE = 250
"""A step of so many faces takes a few milliseconds."""


def add_gallery(databases: RedisDatabases, owner: str, gallery: str) -> None:
    """Raises Conflict, StoreUnavailable."""
    if _asked(databases, owner, "add", gallery) == b"exists":
        raise Conflict(f"there is a gallery {gallery} already")


def remove_gallery(databases: RedisDatabases, owner: str, gallery: str) -> None:
    """Raises NotFound, StoreUnavailable."""
    if _asked(databases, owner, "remove", gallery) == b"unknown":
        raise NotFound(f"there is no gallery {gallery}")
    finish_removal(databases, owner, gallery)


def _asked(databases: RedisDatabases, owner: str, what: str, gallery: str) -> bytes:
    """The answer when no removal of a gallery of that name is unfinished."""
    token = call_token()
    while True:
        reply: bytes = databases.call("findface_gallery", prefix(owner), what, gallery, token)
        if reply != b"unfinished":
            return reply
        finish_removal(databases, owner, gallery)


def finish_removal(databases: RedisDatabases, owner: str, gallery: str) -> None:
    """Take all faces out of a gallery that is being removed, if it is. Raises StoreUnavailable."""
    while databases.call("findface_unlist", prefix(owner), gallery, _FACES_AT_ONCE):
        pass
