"""The front door's side of the store."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.documents import ImageDocuments, NoMatches, named, set_of
from facerec.adapters.redis.layout import NAME_TO_HASH, OWN, prefix
from facerec.adapters.redis.listing import ImageListing
from facerec.adapters.redis.names import erase_image, published_names
from facerec.jobs import ScanJob
from facerec.ports import MATCHES_SHOWN, Admission, Matches

REFUSED_CODE = "SERVICE_UNAVAILABLE"
REFUSED_REASON = "the broker did not take the last upload of this image"


class RedisAdmissions:
    """`facerec.ports.Admissions` over Redis. ``matches`` tells those of images in the crowd."""

    def __init__(self, databases: RedisDatabases, matches: Matches | None = None) -> None:
        self._databases = databases
        self._matches = matches or NoMatches()
        self._documents = ImageDocuments(databases, self._matches)
        self._listing = ImageListing(databases)

    def admit(self, owner: str, image_hash: str, name: str) -> Admission:
        state, ticket = self._databases.call("admit", owner, prefix(owner), image_hash, name)
        return Admission(state.decode(), int(ticket))

    def announce(self, owner: str, image_hash: str, name: str, queued_at: float) -> Admission:
        state, ticket = self._databases.call("announce", owner, prefix(owner), image_hash, name, f"{queued_at:.6f}")
        return Admission(state.decode(), int(ticket))

    def queued(self, job: ScanJob) -> None:
        self._databases.call(
            "queued", job.owner, prefix(job.owner), job.hash, job.name, job.ticket, f"{job.queued_at:.6f}"
        )

    def withdraw(self, job: ScanJob) -> None:
        who = job.owner, prefix(job.owner), job.hash, job.name
        self._databases.call("withdraw", *who, job.ticket, f"{job.queued_at:.6f}", REFUSED_CODE, REFUSED_REASON)

    def known_url(self, owner: str, url: str) -> str | None:
        with mapped_errors():
            found = self._databases.client(NAME_TO_HASH).get(prefix(owner) + url)
            if found is None:
                return None
            # An image that was erased may still be named: see facerec.adapters.redis.names.
            is_there = self._databases.client(OWN).exists(f"{prefix(owner)}image:{found.decode()}")
        return found.decode() if is_there else None

    def matching_names(self, owner: str, image_hash: str) -> list[str]:
        found, many, *crowd = self._databases.read("match", owner, prefix(owner), image_hash)
        names = {name.decode() for name in found}
        for key in map(bytes.decode, many):
            names.update(name.decode() for name in published_names(self._databases, owner, key))
        if crowd:
            model, records = crowd
            tickets = self._matches.tickets(owner, set_of({"model": model.decode()}), records)
            names.update(name for image in named(self._databases, owner, tickets).values() for name in image[1:])
        return sorted(names)

    def matching_page(self, owner: str, image_hash: str, limit: int, cursor: str) -> tuple[list[str], str]:
        names = self.matching_names(owner, image_hash)
        begin = bisect_right(names, cursor) if cursor else 0
        page = names[begin : begin + limit]
        return page, page[-1] if begin + limit < len(names) else ""

    def image(self, owner: str, image_hash: str, limit: int = MATCHES_SHOWN, cursor: str = "") -> dict[str, Any] | None:
        return self._documents.image(owner, image_hash, limit, cursor)

    def images(
        self, owner: str, state: str | None, name: str | None, limit: int, cursor: str
    ) -> tuple[list[dict[str, Any]], str]:
        hashes, following = self._listing.page(owner, state, name, limit, cursor)
        return self._documents.summaries(owner, hashes), following

    def erase(self, owner: str, image_hash: str) -> dict[str, Any] | None:
        erased = erase_image(self._databases, owner, image_hash)
        if not erased:
            return None
        names, faces, links, state = erased
        return {
            "hash": image_hash,
            "erased_at": datetime.now(UTC).isoformat(),
            "state": state,
            "names": sorted(name.decode() for name in names),
            "removed": {
                "database 0": "document, journal entry of removal written",
                "database 1": len(names),
                "database 2": len(names),
                "database 3": faces,
                "database 4": 2 * links,
            },
            "open_jobs": "dropped when a worker meets them",
        }

    def ping(self) -> None:
        self._databases.ping()

    def check_writes(self) -> None:
        self._databases.check_writes()
