"""A regeneration, over Redis. Keys in database 0, ``{p}`` as in `facerec.adapters.redis.layout`:

======================  ======  ========================================================================================
key                     type    holds
======================  ======  ========================================================================================
regenerate              hash    the run: run (its number), open (1 until its set is dropped), state, model (to move to),
                                base (moved from), aside_model (of databases 5 and 6 now), parts, shares, skip, workers, keep,
                                walked, settle, counted, batch (number of the one taken last),
                                cursor_owner and cursor_ticket (how far a walk is), counters, times
regenerate:pending      zset    {p}<hash> of finished images that the set aside lacks, by the time when they are due (again)
regenerate:unsent       zset    {p}<hash> of the batch taken last, while nobody told that its jobs are published
regenerate:notes        hash    {p}<hash> -> what the report says of the image, JSON
regenerate:tries        hash    {p}<hash> -> how often its picture stopped an engine
regenerate:switched     string  databases 3 and 4 hold the new set, 5 and 6 the old one
regenerate:barrier      string  the sets are about to be switched: commits wait; expires
regenerate:conductor    string  the worker that hands out the jobs; expires
regenerate:runs         string  counter of runs
regenerate:last         string  report of the run that ended last, JSON
{p}crowd:aside          zset    the crowd of databases 5 and 6
======================  ======  ========================================================================================

Databases 5 and 6 hold what 3 and 4 hold, of the other model. The cut-over is one script: SWAPDB exchanges them, the crowds are
renamed, and the journal says ``switch``. An image document has, while the image is in both sets, its model, faces and position
twice: as other_model ... in the set of ``model``, plain in the set of ``base``; so nothing of it changes at the cut-over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from facerec.adapters.redis.commits import moved, pairs
from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors
from facerec.adapters.redis.crowd import Crowd
from facerec.adapters.redis.layout import (
    ASIDE_FACES,
    ASIDE_LINKS,
    FACES,
    JOURNAL_LENGTH,
    LINKS_KEPT,
    OWN,
    owner_and_rest,
    prefix,
)
from facerec.errors import Conflict, InternalError, StoreUnavailable
from facerec.faces import Model
from facerec.jobs import RegenerateJob
from facerec.ports import JournalGap, Moved, Obsolete, Scanned, Written
from facerec.records import is_sound
from facerec.regenerate import Share, Skip, Wanted, shares_of, shares_text
from facerec.regeneration import Batch, Remade, Run

_RUN, _PENDING, _NOTES = "regenerate", "regenerate:pending", "regenerate:notes"
_PARKED = 9_000_000_000_000
_PAGE = 500
SWITCH_SECONDS = 60
"""For how long uploads may wait behind a switch that cannot be made."""
_COUNTS = ("moved", "kept", "unmoved", "found", "gained", "lost")


class RedisRegeneration:
    """`facerec.regeneration.Regenerations` and `Steps` over Redis. ``clock`` gives seconds since the epoch."""

    def __init__(self, databases: RedisDatabases, clock: Callable[[], float] = time.time) -> None:
        self._databases = databases
        self._clock = clock

    # ------------------------------------------------------------ what people ask for

    def current(self) -> Run | None:
        reply = self._databases.read("regenerate_current", _PARKED)
        if not reply:
            return None
        flat, switched, waiting, parked, total = reply
        fields = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
        try:
            return _run_of(fields, bool(switched), total, waiting, parked)
        except (KeyError, ValueError) as error:
            raise InternalError(f"the hash {_RUN} is damaged: {error!r}") from error

    def start(
        self, model: Model, base: Model, parts: Sequence[str], share: Share, skip: Skip, workers: int, keep: float
    ) -> tuple[bool, int]:
        kind, what = self._databases.call(
            "regenerate_start",
            *(self._now(), JOURNAL_LENGTH, model.value, base.value, ",".join(parts)),
            *(shares_text([share]), skip.text(), workers, keep),
        )
        if kind == b"other":
            raise Conflict(what.decode())
        return kind == b"started", int(what)

    def act(self, action: str) -> None:
        reply = self._databases.call("regenerate_act", action, self._now(), JOURNAL_LENGTH, SWITCH_SECONDS)
        if reply != b"ok":
            raise Conflict(reply.decode())

    def notes(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        with mapped_errors():
            for member, note in self._databases.client(OWN).hscan_iter(_NOTES, count=_PAGE):
                yield *owner_and_rest(member.decode()), _read_note(member, note)

    def last(self) -> dict[str, Any] | None:
        with mapped_errors():
            found = self._databases.client(OWN).get("regenerate:last")
        return None if found is None else dict(json.loads(found))

    def records(self) -> Iterator[Sequence[bytes]]:
        client, cursor = self._databases.client(FACES), 0
        while True:
            with mapped_errors():
                cursor, keys = client.scan(cursor, count=_PAGE)
                with client.pipeline(transaction=False) as pipeline:
                    for key in dict.fromkeys(keys):
                        pipeline.lrange(key, 0, -1)
                    lists = pipeline.execute()
            yield from lists
            if not cursor:
                return

    def model(self) -> Model | None:
        """The model of the current set, None while no regeneration has fixed it."""
        with mapped_errors():
            found = self._databases.client(OWN).get("model")
        return None if found is None else Model(int(found))

    # ------------------------------------------------------------ what the conductor does

    def turn(self, worker: str, seconds: float) -> bool:
        key, client = "regenerate:conductor", self._databases.client(OWN)
        with mapped_errors():
            if client.set(key, worker, px=int(seconds * 1000), nx=True):
                return True
            # Two that believe to conduct do no harm: every step stands by itself.
            return bool(client.get(key) == worker.encode() and client.pexpire(key, int(seconds * 1000)))

    def walk(self, run: int, what: str, limit: int) -> bool:
        return bool(self._databases.call("regenerate_walk", run, what, limit) == b"more")

    def take(self, run: int, at_once: int, again: float, published: int) -> Batch:
        now = self._clock()
        number, *members = self._databases.call(
            "regenerate_take", run, f"{now:.6f}", at_once, f"{now + again:.6f}", published
        )
        return Batch(int(number), tuple(owner_and_rest(member.decode()) for member in members))

    def switch(self, run: int) -> str:
        return str(self._databases.call("regenerate_switch", run, self._now(), JOURNAL_LENGTH).decode())

    def settle(self, run: int, limit: int) -> bool:
        """Of the images that have a note: others have the same faces in both sets."""
        client = self._databases.client(OWN)
        with mapped_errors():
            cursor = client.hget(_RUN, "settle")
            if cursor is None:
                return False
            following, found = client.hscan(_NOTES, int(cursor), count=limit)
        calls = [
            (run, prefix(owner), image_hash) for owner, image_hash in (owner_and_rest(each.decode()) for each in found)
        ]
        if calls:
            self._databases.call_many("regenerate_settle", calls)
        with mapped_errors():
            if following:
                client.hset(_RUN, "settle", following)
            else:
                client.hdel(_RUN, "settle")
        return bool(following)

    def end(self, run: int, report: Mapping[str, Any]) -> bool:
        text = json.dumps(report)
        if self._databases.call("regenerate_end", run, text) != b"not empty":
            return True
        # What belongs to no image; fsck would call it stray.
        for database in (ASIDE_FACES, ASIDE_LINKS):
            client = self._databases.client(database)
            with mapped_errors():
                _, keys = client.scan(0, count=_PAGE)
                if keys:
                    client.unlink(*keys)
        return False

    def _now(self) -> str:
        return f"{self._clock():.6f}"


class RedisAside:
    """The worker's side: what is to be made of an image, and where it goes. For use by one thread.

    `facerec.regeneration.AsideCommits` over Redis; ``links_kept`` as in `facerec.adapters.redis.commits.RedisCommits`.
    """

    def __init__(
        self, databases: RedisDatabases, clock: Callable[[], float] = time.time, links_kept: int = LINKS_KEPT
    ) -> None:
        self._databases = databases
        self._clock = clock
        self._links_kept = links_kept
        self._crowd = Crowd(databases, links_kept, aside=True)

    def begin(self, run: int, owner: str, image_hash: str) -> Wanted | None:
        """What is to be done with an image; None when nothing is, or no longer. Raises StoreUnavailable. Any thread may call."""
        return self.begin_many([RegenerateJob(owner, image_hash, run)])[0]

    def begin_many(self, jobs: Sequence[RegenerateJob]) -> list[Wanted | None]:
        """`begin` for each of some jobs, in one round trip."""
        calls = [(job.run, prefix(job.owner), job.hash) for job in jobs]
        replies = self._databases.call_many("regenerate_begin", calls)
        return [_wanted_of(job, reply) for job, reply in zip(jobs, replies, strict=True)]

    def later(self, run: int, owner: str, image_hash: str, delay: float, *, blamed: bool) -> int:
        """Try again in ``delay`` seconds; how often the image was to blame. Raises StoreUnavailable. Any thread may call."""
        due = f"{self._clock() + delay:.6f}"
        return int(self._databases.call("regenerate_later", run, prefix(owner), image_hash, due, int(blamed)))

    def set_aside(self, images: Sequence[Remade], position: int) -> list[Written | Moved | Obsolete | JournalGap]:
        prepared = [self._prepared(image) for image in images]
        while True:
            arguments = [argument for image, joins in prepared for argument in _arguments(image, joins)]
            replies = self._databases.call("regenerate_commit", position, JOURNAL_LENGTH, self._links_kept, *arguments)
            if replies[0][0] != b"full":
                return [
                    _outcome(images[place], reply, position)
                    for place, reply in enumerate(replies)
                    if reply[0] != b"full"
                ]
            self._crowd.join([(p.decode(), key.decode()) for p, key in pairs(replies[0][1:])])

    def _prepared(self, image: Remade) -> tuple[Remade, bool]:
        """The image with the links that are to be kept, and whether it joins the crowd."""
        wanted = image.wanted
        kept, joins = self._crowd.prepared(
            Scanned(wanted.owner, wanted.hash, wanted.ticket, 0, 0, 0, wanted.model, image.made.records, image.links)
        )
        return replace(image, links=kept.links), joins


def _outcome(image: Remade, reply: Sequence[Any], position: int) -> Written | Moved | Obsolete | JournalGap:
    """What `regenerate_commit` says of an image."""
    match reply:
        case [b"written", written]:
            return Written(int(written))
        case [b"moved", entries]:
            return moved(entries, position)
        case [b"obsolete"]:
            return Obsolete(frozenset({(image.wanted.owner, image.wanted.hash)}))
        case [b"gap"]:
            return JournalGap()
        case [b"importing"]:
            raise StoreUnavailable("an import is running, or was cut off and waits to be done anew")
    raise InternalError(f"the index knows a face of an image that the store does not: {reply[1:]}")


def _wanted_of(job: RegenerateJob, reply: Sequence[Any]) -> Wanted | None:
    """What `regenerate_begin` says of a job's image. Raises InternalError when it is damaged."""
    if not reply:
        return None
    try:
        return _read_wanted(job, reply)
    except ValueError as error:
        raise InternalError(f"the document of {job.hash} is damaged ({error}): run facerec fsck --fix") from error


def _read_wanted(job: RegenerateJob, reply: Sequence[Any]) -> Wanted:
    """Raises ValueError, InternalError."""
    ticket, old, model, parts, shares, skip, seen, records, aside = reply
    if not all(map(is_sound, (*records, *aside))):
        raise InternalError(f"{job.hash} has a damaged face record: run facerec fsck --fix")
    return Wanted(
        run=job.run,
        owner=job.owner,
        hash=job.hash,
        ticket=int(ticket),
        old=Model(int(old)),
        model=Model(int(model)),
        parts=tuple(parts.decode().split(",")),
        shares=shares_of(shares.decode()),
        skip=Skip.of(skip.decode()),
        seen=seen.decode(),
        records=tuple(records),
        aside=tuple(aside),
    )


def _arguments(image: Remade, joins: bool) -> list[Argument]:
    wanted, made = image.wanted, image.made
    return [
        wanted.run,
        wanted.owner,
        prefix(wanted.owner),
        wanted.hash,
        wanted.ticket,
        wanted.model.value,
        wanted.seen,
        int(joins),
        int(made.complete),
        made.counts(),
        made.note(),
        len(made.records),
        *made.records,
        len(image.links),
        *sorted(image.links),
    ]


def _read_note(member: bytes, note: bytes) -> Mapping[str, Any]:
    """Raises InternalError when it is damaged."""
    try:
        return dict(json.loads(note))
    except (TypeError, ValueError) as error:
        raise InternalError(f"what the hash {_NOTES} says of {member!r} is damaged: {error}") from error


def _run_of(fields: Mapping[str, str], switched: bool, total: int, waiting: int, parked: int) -> Run:
    def time_of(name: str) -> float | None:
        return float(fields[name]) if name in fields else None

    counts = {name: int(fields.get(name, 0)) for name in _COUNTS}
    # Each link was counted at both of its ends.
    counts |= {name: counts[name] // 2 for name in ("gained", "lost")}
    return Run(
        run=int(fields["run"]),
        state=fields["state"],
        switched=switched,
        model=Model(int(fields["model"])),
        base=Model(int(fields["base"])),
        aside_model=Model(int(fields["aside_model"])),
        parts=tuple(fields["parts"].split(",")),
        shares=shares_of(fields["shares"]),
        workers=int(fields["workers"]),
        walked=fields["walked"] == "1",
        settling="settle" in fields,
        counted="counted" in fields,
        total=total,
        done=int(fields.get("images", 0)),
        waiting=waiting,
        parked=parked,
        started_at=float(fields["started_at"]),
        switched_at=time_of("switched_at"),
        until=time_of("until"),
        trouble=fields.get("trouble", ""),
        **counts,
    )
