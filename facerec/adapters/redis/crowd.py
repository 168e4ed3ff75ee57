"""Images with more matches than links are kept for.

One person in ten thousand pictures would make a hundred million links, which take more than ten gigabytes. So at most
`layout.LINKS_KEPT` links are kept for an image; one with more joins the crowd, and who its matches are the index tells
(`facerec.ports.Matches`). A link is kept unless both images are in the crowd, so what is kept for an image outside of it is
complete. Who is in the crowd stays there until it is erased, unless a regeneration exchanges the crowd or the image is repaired;
``crowd:since`` changes then. To join it early does no harm, so images are made to join in
short steps before the commit that needs it, and the commit itself never writes more than LINKS_KEPT links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facerec.adapters.redis.connection import RedisDatabases
from facerec.adapters.redis.layout import prefix
from facerec.ports import Scanned

_TICKETS_AT_ONCE = 1000
_JOINS_AT_ONCE = 8
Tickets = NDArray[np.int64]


class Crowd:
    """Makes images join the crowd. For use by one thread. ``kept``: the most links that are kept for an image.

    ``aside``: the crowd of the set aside.
    """

    def __init__(self, databases: RedisDatabases, kept: int, *, aside: bool = False) -> None:
        self._databases = databases
        self._kept = kept
        self._key = "crowd:aside" if aside else "crowd"
        self._set = ("aside",) if aside else ()
        self._members: dict[str, Tickets] = {}
        """By owner, sorted: those that are known to be in the crowd. They stay there while `_since` is the same."""
        self._since = b""

    def join(self, members: Sequence[tuple[str, str]]) -> None:
        """Have images (prefix of the owner, hash) join. Raises StoreUnavailable."""
        for start in range(0, len(members), _JOINS_AT_ONCE):
            some = members[start : start + _JOINS_AT_ONCE]
            self._databases.call_many("crowd", [(*member, *self._set) for member in some])

    def prepared(self, image: Scanned) -> tuple[Scanned, bool]:
        """``image`` with the links that are to be kept, and whether it joins the crowd. Raises StoreUnavailable.

        Of an image that does, the links to images outside the crowd are kept; where they are too many, some of those join.
        """
        if len(image.links) <= self._kept:
            return image, False
        outside = self._outside(image.owner, np.array(sorted(image.links), np.int64))
        self.join([(prefix(image.owner), image_hash) for _, image_hash in outside[self._kept :]])
        return replace(image, links=frozenset(ticket for ticket, _ in outside[: self._kept])), True

    def _outside(self, owner: str, tickets: Tickets) -> list[tuple[int, str]]:
        """Tickets and hashes of those that are not in the crowd."""
        since, *_ = self._databases.call("not_crowded", prefix(owner), self._key)
        if since != self._since:
            self._since, self._members = since, {}
        known = self._members.get(owner, np.empty(0, np.int64))
        asked = np.setdiff1d(tickets, known, assume_unique=True)
        outside = []
        for start in range(0, len(asked), _TICKETS_AT_ONCE):
            some = asked[start : start + _TICKETS_AT_ONCE].tolist()
            _, *hashes = self._databases.call("not_crowded", prefix(owner), self._key, *some)
            outside += [(ticket, found.decode()) for ticket, found in zip(some, hashes, strict=True) if found]
        inside = np.setdiff1d(asked, np.array([ticket for ticket, _ in outside], np.int64), assume_unique=True)
        if len(inside):
            self._members[owner] = np.union1d(known, inside)
        return outside
