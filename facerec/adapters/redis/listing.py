"""Pages of images: newest first, or by the letters of their names."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from heapq import merge

from facerec.adapters.redis.commits import pairs
from facerec.adapters.redis.connection import RedisDatabases, mapped_errors, pages_of_members
from facerec.adapters.redis.layout import NAME_TO_HASH, OWN, SEPARATOR, STATES, prefix
from facerec.errors import BadParam, InternalError

log = logging.getLogger(__name__)
_AT_ONCE = 500
Step = tuple[str, str]
"""An image hash, and the cursor that goes on behind it."""
Borne = tuple[str, str]
"""A name, and the hash of an image that bears it."""


class ImageListing:
    """Finds which images are on a page; a cursor names the last one seen, so images that come or go shift nothing."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def page(self, owner: str, state: str | None, name: str | None, limit: int, cursor: str) -> tuple[list[str], str]:
        """Hashes of at most ``limit`` images and the cursor of the next page, '' on the last. Raises BadParam."""
        if state is not None and state not in STATES:
            raise BadParam("state", f"must be one of {', '.join(STATES)}", state)
        steps = self._by_name(owner, state, name, cursor) if name else self._by_time(owner, state, cursor)
        page: list[Step] = []
        seen: set[str] = set()
        for step in steps:
            if step[0] in seen or not self._fits(owner, step[0], state):
                continue
            if len(page) == limit:
                return [image_hash for image_hash, _ in page], page[-1][1]
            seen.add(step[0])
            page.append(step)
        return [image_hash for image_hash, _ in page], ""

    def _fits(self, owner: str, image_hash: str, state: str | None) -> bool:
        if state is None:
            return True
        try:
            with mapped_errors():
                found = self._databases.client(OWN).hget(f"{prefix(owner)}image:{image_hash}", "state")
        except InternalError as error:
            log.error("%s: %s: run facerec fsck", image_hash, error.reason, extra={"action": "damaged_document"})
            return False
        return bool(found == state.encode())

    def _by_time(self, owner: str, state: str | None, cursor: str) -> Iterator[Step]:
        if cursor and not (cursor.isascii() and cursor.isdecimal()):
            raise BadParam("cursor", "is none of ours", cursor[:100])
        key = f"{prefix(owner)}images" if state in (None, "done") else f"{prefix(owner)}state:{state}"
        below = f"({cursor}" if cursor else "+inf"
        while True:
            with mapped_errors():
                found = self._databases.client(OWN).zrevrangebyscore(key, below, "-inf", 0, _AT_ONCE, withscores=True)
            for image_hash, ticket in found:
                yield image_hash.decode(errors="replace"), f"{ticket:.0f}"
            if len(found) < _AT_ONCE:
                return
            below = f"({found[-1][1]:.0f}"

    def _by_name(self, owner: str, state: str | None, name: str, cursor: str) -> Iterator[Step]:
        """A cursor is a name, and the hash of one of the images that bear it; an earlier release leaves out the hash."""
        if cursor and not cursor.startswith(name):
            raise BadParam("cursor", "is none of ours", cursor[:100])
        walks = []
        if state in (None, "done"):
            walks.append(self._finished(owner, name, cursor))
        if state != "done":
            walks.append(self._unfinished(owner, name, cursor))
        for each, image_hash in merge(*walks):
            yield image_hash, f"{each}{SEPARATOR}{image_hash}"

    def _finished(self, owner: str, beginning: str, cursor: str) -> Iterator[Borne]:
        """Of each name the images that bear it, not the newest alone."""
        last, separator, image_hash = cursor.partition(SEPARATOR)
        start = (f"{'[' if separator else '('}{last}" if cursor else f"[{beginning}").encode()
        while True:
            names = self._names(owner, start, beginning)
            for name, bearers in self._bearers(owner, names):
                yield from ((name, bearer) for bearer in bearers if (name, bearer) > (last, image_hash))
            if len(names) < _AT_ONCE:
                return
            start = b"(" + names[-1]

    def _names(self, owner: str, start: bytes, beginning: str) -> list[bytes]:
        end = b"[" + beginning.encode() + b"\xff"
        with mapped_errors():
            found: list[bytes] = self._databases.client(OWN).zrangebylex(
                f"{prefix(owner)}names", start, end, 0, _AT_ONCE
            )
        return found

    def _bearers(self, owner: str, names: Sequence[bytes]) -> Iterator[tuple[str, list[str]]]:
        if not names:
            return
        p = prefix(owner).encode()
        own = self._databases.client(OWN)
        with mapped_errors(), own.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.exists(p + b"holders:" + name)
            shared = pipeline.execute()
            newest = self._databases.client(NAME_TO_HASH).mget([p + name for name in names])
        for name, is_shared, image_hash in zip(names, shared, newest, strict=True):
            bearers = {image_hash} if image_hash else set()
            if is_shared:
                pages = pages_of_members(own, p + b"holders:" + name, _AT_ONCE)
                bearers |= {bearer for page in pages for bearer in page}
            yield name.decode(errors="replace"), sorted(bearer.decode(errors="replace") for bearer in bearers)

    def _unfinished(self, owner: str, beginning: str, cursor: str) -> Iterator[Borne]:
        behind = cursor.encode() if SEPARATOR in cursor else f"{cursor}{SEPARATOR}".encode() + b"\xff"
        start = b"(" + behind if cursor else b"[" + beginning.encode()
        while True:
            end = b"[" + beginning.encode() + b"\xff"
            last, *flat = self._databases.read("names_open", prefix(owner), start, end, _AT_ONCE)
            yield from ((name.decode(errors="replace"), image_hash.decode()) for name, image_hash in pairs(flat))
            if not last:
                return
            start = b"(" + last
