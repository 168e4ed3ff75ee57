"""The worker's side of the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from facerec.adapters.redis.connection import Argument, RedisDatabases
from facerec.adapters.redis.crowd import Crowd
from facerec.adapters.redis.journal import decode_entries
from facerec.adapters.redis.layout import JOURNAL_LENGTH, LINKS_KEPT, prefix
from facerec.adapters.redis.names import publish_names
from facerec.adapters.redis.owners import known_owners
from facerec.errors import InternalError, StoreUnavailable
from facerec.jobs import ScanJob
from facerec.ports import Held, Image, JournalGap, Lost, Moved, Obsolete, Scanned, Split, Start, Written

log = logging.getLogger(__name__)
LOST_CODE = "JOB_LOST"
LOST_REASON = "the broker lost this job; send the image again"
LOOK_AT = 1000
_REFUSALS: dict[bytes, type[JournalGap] | type[Split] | type[Held]] = {
    b"gap": JournalGap,
    b"split": Split,
    b"held": Held,
}


class RedisCommits:
    """`facerec.ports.Commits` over Redis. ``clock`` gives seconds since the epoch; without one the server's clock counts, on
    which workers whose own are apart agree.

    ``links_kept`` is the most links that are kept for one image. For use by one thread.
    ``claim`` is for how many seconds a claim outlives a job of which nothing is heard. It is renewed meanwhile, so it is only
    ever left behind when the broker itself lost the message.
    """

    def __init__(
        self,
        databases: RedisDatabases,
        clock: Callable[[], float] | None = None,
        claim: float = 600.0,
        links_kept: int = LINKS_KEPT,
    ) -> None:
        self._claim = claim
        self._databases = databases
        self._clock = clock
        self._links_kept = links_kept
        self._crowd = Crowd(databases, links_kept)

    def _now(self) -> str:
        """For a script: empty when it is to look at the server's clock."""
        return f"{self._clock():.6f}" if self._clock else ""

    def begin(self, jobs: Sequence[ScanJob], *, person_waits: bool = False) -> list[Start]:
        claim = (self._now(), self._claim, int(person_waits))
        calls = [(*_who(job), job.name, job.ticket, f"{job.queued_at:.6f}", *claim) for job in jobs]
        replies = self._databases.call_many("begin", calls) if calls else []
        return [self._start(job, reply) for job, reply in zip(jobs, replies, strict=True)]

    def renew(self, jobs: Sequence[ScanJob]) -> None:
        claim = (self._now(), self._claim)
        if jobs:
            self._databases.call_many("renew", [(*_who(job), job.ticket, *claim) for job in jobs])

    def _start(self, job: ScanJob, reply: list[bytes]) -> Start:
        try:
            verdict, *rest = (part.decode() for part in reply)
            start = Start(verdict, int(rest[0]) if rest else 0, *rest[1:])
        except ValueError as error:
            raise InternalError(f"the document of {job.hash} is damaged ({error}): run facerec fsck --fix") from error
        if verdict != "unpublished":
            return start
        publish_names(self._databases, job.owner, job.hash)
        return Start("done", start.image_ticket)

    def commit(self, batch: Sequence[Scanned], position: int) -> Written | Moved | Obsolete | JournalGap | Split | Held:
        if len(batch) > 1 and any(len(image.links) > self._links_kept for image in batch):
            return Split()
        while True:
            kind, *rest = self._try_to_commit(batch, position)
            match kind:
                case b"written":
                    self._publish(pairs(rest[1:]))
                    return Written(int(rest[0]))
                case b"moved":
                    return moved(rest[0], position)
                case b"obsolete":
                    # Perhaps by this very commit, whose answer was lost.
                    self._publish(pairs(rest))
                    return Obsolete(frozenset((owner.decode(), key.decode()) for owner, key in pairs(rest)))
                case b"gap" | b"split" | b"held":
                    return _REFUSALS[kind]()
                case b"importing":
                    raise StoreUnavailable("an import is running, or was cut off and waits to be done anew")
                case b"full":
                    self._crowd.join([(p.decode(), key.decode()) for p, key in pairs(rest)])
                case _:
                    raise InternalError(f"the index knows a face of an image that the store does not: {rest}")

    def _try_to_commit(self, batch: Sequence[Scanned], position: int) -> list[Any]:
        arguments: list[Argument] = [position, self._now(), JOURNAL_LENGTH, self._links_kept, len(batch)]
        for image in batch:
            arguments += _commit_arguments(*self._crowd.prepared(image))
        reply: list[Any] = self._databases.call("commit", *arguments)
        return reply

    def _publish(self, images: Sequence[tuple[bytes, bytes]]) -> None:
        for owner, key in images:
            publish_names(self._databases, owner.decode(), key.decode())

    def retrying(self, job: ScanJob, delay: float, code: str, reason: str) -> None:
        claim = (self._now(), delay + self._claim)
        self._databases.call("retrying", *_who(job), job.ticket, *claim, code, reason)

    def fail(self, job: ScanJob, code: str, reason: str, *, person_waits: bool = False) -> None:
        self._databases.call("fail", *_who(job), job.ticket, self._now(), code, reason, int(person_waits))

    def lost(self, seconds: float, suspects: Collection[Image] = ()) -> Lost:
        looks = [
            self._lost_of(owner, seconds, [key for of, key in suspects if of == owner])
            for owner in known_owners(self._databases)
        ]
        return Lost(
            frozenset().union(*(look.lost for look in looks)), frozenset().union(*(look.suspects for look in looks))
        )

    def oldest_wait(self) -> float:
        found = self._databases.call("oldest_wait")
        return max(0.0, float(found[1]) - float(found[0])) if found else 0.0

    def _lost_of(self, owner: str, seconds: float, suspects: Sequence[str]) -> Lost:
        """What is damaged of one image or owner keeps no other from being looked at."""
        limits = (seconds, self._now(), LOOK_AT, LOST_CODE, LOST_REASON)
        try:
            lost, damaged, suspected = self._databases.call("lost", owner, prefix(owner), *limits, *suspects)
        except InternalError as error:
            _log_damage(owner, f"lost jobs of {owner} are not looked for: {error.reason}")
            return Lost()
        for image_hash in damaged:
            _log_damage(
                owner,
                f"the document of {image_hash.decode(errors='replace')} is damaged, so nobody knows whether its job is lost",
            )
        return Lost(_images(owner, lost), _images(owner, suspected))


def _images(owner: str, hashes: Sequence[bytes]) -> frozenset[Image]:
    return frozenset((owner, image_hash.decode(errors="replace")) for image_hash in hashes)


def _log_damage(owner: str, what: str) -> None:
    log.error("%s: run facerec fsck --fix", what, extra={"action": "damaged_records", "owner": owner})


def _who(job: ScanJob) -> tuple[str, str, str]:
    return job.owner, prefix(job.owner), job.hash


def _commit_arguments(image: Scanned, joins_crowd: bool) -> list[Argument]:
    return [
        image.owner,
        prefix(image.owner),
        image.hash,
        image.image_ticket,
        image.job_ticket,
        image.width,
        image.height,
        image.model.value,
        int(joins_crowd) + 2 * int(image.restored),
        len(image.records),
        *image.records,
        len(image.links),
        *sorted(image.links),
        image.enrolment.text(image.candidates) if image.enrolment else "",
    ]


def moved(raw: list[tuple[bytes, list[bytes]]], position: int) -> Moved | JournalGap:
    """What came after ``position``, as a script returns it."""
    entries = decode_entries([(entry, dict(pairs(fields))) for entry, fields in raw], position)
    return entries if isinstance(entries, JournalGap) else Moved(entries)


def pairs(flat: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Two by two."""
    return list(zip(flat[::2], flat[1::2], strict=True))
