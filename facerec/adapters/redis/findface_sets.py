"""Which faces a gallery holds, as workers follow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN, prefix
from facerec.encodings import FaceIds
from facerec.galleries import HIDDEN

_AT_ONCE = 1000
_PAGE = 10_000


def gallery_key(p: str, gallery: str) -> str:
    """Where the face ids of a gallery, or of the bystanders, are."""
    return f"{p}hidden" if gallery == HIDDEN else f"{p}gallery:{gallery}"


def number_of(databases: RedisDatabases, owner: str, gallery: str) -> float | None:
    """Negative when the gallery is being removed, None when there is none. Raises StoreUnavailable."""
    with mapped_errors():
        number: float | None = databases.client(OWN).zscore(f"{prefix(owner)}galleries", gallery)
    return number


class RedisGallerySets:
    """`facerec.galleries.GallerySets` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def version(self, owner: str, gallery: str) -> int:
        with mapped_errors():
            return int(self._databases.client(OWN).hget(f"{prefix(owner)}gallery:versions", gallery) or 0)

    def members(self, owner: str, gallery: str) -> tuple[int, FaceIds]:
        version = self.version(owner, gallery)
        is_going = (number_of(self._databases, owner, gallery) or 0) < 0
        pages = [] if is_going else list(self._pages(gallery_key(prefix(owner), gallery)))
        return version, np.concatenate([np.empty(0, np.int64), *pages])

    def _pages(self, key: str) -> Iterator[FaceIds]:
        """The members, some at a time; what changes meanwhile is told by the log of changes, as the version is older."""
        last = "-inf"
        while True:
            with mapped_errors():
                found = self._databases.client(OWN).zrangebyscore(key, last, "+inf", 0, _PAGE)
            yield np.array([int(face) for face in found], np.int64)
            if len(found) < _PAGE:
                return
            last = f"({int(found[-1])}"

    def changes(self, owner: str, gallery: str, version: int) -> Sequence[tuple[int, bool, int]] | None:
        key = f"{prefix(owner)}gallery:{gallery}:log"
        with mapped_errors():
            found = self._databases.client(OWN).xrange(key, min=f"{version + 1}-0", count=_AT_ONCE)
        if not found:
            return () if self.version(owner, gallery) == version else None
        changes = []
        for entry, fields in found:
            sign, face = next(iter(fields.items()))
            changes.append((int(entry.partition(b"-")[0]), sign == b"+", int(face)))
        return changes if changes[0][0] == version + 1 else None
