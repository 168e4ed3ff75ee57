"""Pages of images: newest first, or by the letters of their names."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import NAME_TO_HASH, OWN, STATES, prefix
from facerec.errors import BadParam, InternalError

log = logging.getLogger(__name__)
_AT_ONCE = 500
Step = tuple[str, str]
"""An image hash, and the cursor that goes on behind it."""


class ImageListing:
    """Finds which images are on a page; a cursor names the last one seen, so images that come or go shift nothing."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def page(self, owner: str, state: str | None, name: str | None, limit: int, cursor: str) -> tuple[list[str], str]:
        """Hashes of at most ``limit`` images and the cursor of the next page, '' on the last. Raises BadParam."""
        if state is not None and state not in STATES:
            raise BadParam("state", f"must be one of {', '.join(STATES)}", state)
        steps = self._by_name(owner, name, cursor) if name else self._by_time(owner, state, cursor)
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

    def _by_name(self, owner: str, name: str, cursor: str) -> Iterator[Step]:
        p = prefix(owner)
        start = f"({cursor}".encode() if cursor else f"[{name}".encode()
        if cursor and not cursor.startswith(name):
            raise BadParam("cursor", "is none of ours", cursor[:100])
        while True:
            with mapped_errors():
                names = self._databases.client(OWN).zrangebylex(
                    f"{p}names", start, b"[" + name.encode() + b"\xff", 0, _AT_ONCE
                )
                hashes = (
                    self._databases.client(NAME_TO_HASH).mget([p.encode() + each for each in names]) if names else []
                )
            for each, image_hash in zip(names, hashes, strict=True):
                if image_hash:
                    yield image_hash.decode(errors="replace"), each.decode(errors="replace")
            if len(names) < _AT_ONCE:
                return
            start = b"(" + names[-1]
