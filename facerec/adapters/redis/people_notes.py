"""The people of one moment, though they are copied while they change: the first change of each thing notes what it was before.

========================  ======  ======================================================================================
key                       type    holds
========================  ======  ======================================================================================
{p}people:copies          set     tokens of the copies that are being made of the owner's people
{p}people:before:<token>  hash    what changed since the copy began, as it was then: ``face <id>`` -> person, nothing for
                                  nobody, ``-`` for none; ``person <id>`` -> its fields and values as JSON, nothing when it
                                  was not there; ``not <face> <person>`` -> 1 or 0; ``contact <user> <contact>`` -> person,
                                  nothing for none. Expires when the copy has died
========================  ======  ======================================================================================

Scripts of a release that does not know it note nothing: what they change meanwhile is copied as of two moments, and mended when it
is copied in.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator

from facerec.adapters.redis.connection import RedisDatabases, call_token, mapped_errors
from facerec.adapters.redis.layout import OWN, prefix
from facerec.archive import Before
from facerec.errors import StoreRefusesWrites, StoreUnavailable

_SECONDS = 600
"""For which notes stay unless the copy goes on."""
_PAGE = 1000


class PeopleNotes:
    """The notes for one copy of these owners' people. A server that takes no writes needs none: nobody changes anything."""

    def __init__(
        self, databases: RedisDatabases, owners: Iterable[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = databases.client(OWN)
        self._token = call_token()
        self._prefixes = [prefix(owner) for owner in owners]
        self._begun: list[str] = []
        self._clock = clock
        self._kept = clock()

    def begin(self) -> None:
        """Raises StoreUnavailable."""
        try:
            for p in self._prefixes:
                self._begin(p)
        except StoreRefusesWrites:
            self._prefixes = self._begun

    def _begin(self, p: str) -> None:
        with mapped_errors(), self._client.pipeline(transaction=True) as pipeline:
            pipeline.hset(self._key(p), "begun", "1")
            pipeline.expire(self._key(p), _SECONDS)
            pipeline.sadd(f"{p}people:copies", self._token)
            pipeline.execute()
        self._begun.append(p)

    def keep(self) -> None:
        """The copy goes on. Raises StoreUnavailable, also when notes were lost because it had stood still for too long."""
        if self._clock() < self._kept + _SECONDS / 10:
            return
        self._kept = self._clock()
        with mapped_errors(), self._client.pipeline(transaction=False) as pipeline:
            for p in self._begun:
                pipeline.expire(self._key(p), _SECONDS)
            kept = pipeline.execute()
        if not all(kept):
            raise StoreUnavailable(
                "the copy stood still for so long that what changed meanwhile is forgotten: begin anew"
            )

    def end(self) -> Iterator[Before]:
        """What was noted; from now on nothing is. Raises StoreUnavailable."""
        self._kept = -math.inf
        self.keep()
        for p in self._begun:
            with mapped_errors():
                self._client.srem(f"{p}people:copies", self._token)
        for p in self._begun:
            with mapped_errors():
                for field, value in self._client.hscan_iter(self._key(p), count=_PAGE):
                    yield from _before(p, field.decode(), value.decode())
        self.forget()

    def forget(self) -> None:
        """The copy is done, or given up. Raises StoreUnavailable."""
        with mapped_errors(), self._client.pipeline(transaction=False) as pipeline:
            for p in self._begun:
                pipeline.srem(f"{p}people:copies", self._token)
                pipeline.unlink(self._key(p))
            pipeline.execute()
        self._begun = []

    def _key(self, p: str) -> str:
        return f"{p}people:before:{self._token}"


def _before(p: str, field: str, value: str) -> Iterator[Before]:
    kind, _, rest = field.partition(" ")
    match kind:
        case "face":
            yield _field(f"{p}faces:person", rest, None if value == "-" else value)
        case "person":
            flat = json.loads(value) if value else []
            yield Before(f"{p}person:{rest}", "hash", tuple(zip(flat[::2], flat[1::2], strict=True)), whole=True)
        case "not":
            face, person = rest.split(" ")
            yield _member(f"{p}face:{face}:not", person, value == "1")
            yield _member(f"{p}person:{person}:not", face, value == "1")
        case "contact":
            yield _field(f"{p}contacts:persons", rest, value or None)


def _field(key: str, field: str, value: str | None) -> Before:
    return Before(key, "hash", () if value is None else ((field, value),), without=(field,) if value is None else ())


def _member(key: str, member: str, there: bool) -> Before:
    return Before(key, "set", ((member,),) if there else (), without=() if there else (member,))
