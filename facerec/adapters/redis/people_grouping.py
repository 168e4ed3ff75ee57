"""The grouping's side of the store; the keys are told in `facerec.adapters.redis.people`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import FACES, OWN, prefix
from facerec.adapters.redis.owners import known_owners
from facerec.adapters.redis.people_reading import PeopleReading
from facerec.errors import InternalError
from facerec.records import face_id_of, is_whole
from facerec.services.grouping import Person
from facerec.services.grouping_follower import Picture, Placing, Turn, View

log = logging.getLogger(__name__)
_AT_ONCE = 500


class RedisGrouping:
    """`facerec.services.grouping_follower.GroupingStore` over Redis. ``clock`` gives seconds since the epoch."""

    def __init__(self, databases: RedisDatabases, clock: Callable[[], float] = time.time) -> None:
        self._databases = databases
        self._clock = clock
        self._reading = PeopleReading(databases)

    def take_turn(self, worker: str, seconds: float) -> Turn:
        ours, position, journal = self._databases.call("people_lead", worker, int(seconds * 1000))
        with _numbers():
            return Turn(bool(ours), int(position), int(journal))

    def resign(self, worker: str) -> None:
        self._databases.call("people_resign", worker)

    def look(
        self, owner: str, images: Sequence[tuple[str, int]], faces: Sequence[int], subjects: Sequence[int]
    ) -> View:
        asked: list[Argument] = [len(images), *(part for image in images for part in image), len(faces), *faces]
        version, there, persons, sizes, nots, mates = self._databases.call(
            "people_look", prefix(owner), *asked, *subjects
        )
        with _numbers():
            return View(
                version=int(version),
                gone=frozenset(ticket for (_, ticket), here in zip(images, there, strict=True) if not here),
                dropped=frozenset(subject for subject, them in zip(subjects, nots, strict=True) if them is None),
                persons={face: _person(who) for face, who in zip(faces, persons, strict=True) if who is not None},
                sizes={int(person): int(size) for person, size in _pairs(sizes)},
                forbidden={
                    subject: frozenset(map(int, them)) for subject, them in zip(subjects, nots, strict=True) if them
                },
                mates={int(face): _person(who) for face, who in _pairs(mates)},
            )

    def records(self, owner: str, faces: Sequence[int]) -> dict[int, bytes]:
        found = self._reading.records(owner, faces)
        return {face_id_of(record): record for _, record, _ in found if is_whole(record)}

    def place(self, position: int, following: int, placings: Sequence[Placing]) -> bool:
        arguments: list[Argument] = [position, following, f"{self._clock():.6f}"]
        some = [placing for placing in placings if placing.faces]
        arguments.append(len(some))
        for placing in some:
            arguments += [prefix(placing.owner), placing.version, len(placing.faces)]
            for face, person in placing.faces.items():
                arguments += [face, "" if person is None else person]
        (kind, *_) = self._databases.call("people_place", *arguments)
        return bool(kind == b"written")

    def pictures(self) -> Iterator[Picture]:
        for owner in known_owners(self._databases):
            yield from self._pictures_of(owner)

    def _pictures_of(self, owner: str) -> Iterator[Picture]:
        p, above = prefix(owner), "-inf"
        while True:
            with mapped_errors():
                found = self._databases.client(OWN).zrangebyscore(
                    f"{p}images", above, "+inf", 0, _AT_ONCE, withscores=True
                )
                with self._databases.client(FACES).pipeline(transaction=False) as pipeline:
                    for image_hash, _ in found:
                        pipeline.lrange(p + image_hash.decode(), 0, -1)
                    lists = [_list_or_nothing(reply) for reply in pipeline.execute(raise_on_error=False)]
            for (image_hash, ticket), records in zip(found, lists, strict=True):
                if whole := _whole_records(owner, image_hash.decode(), records):
                    yield Picture(owner, image_hash.decode(), int(ticket), whole)
            if len(found) < _AT_ONCE:
                return
            above = f"({found[-1][1]:.0f}"


@contextmanager
def _numbers() -> Iterator[None]:
    """What is no number where one should be was written by another hand. Raises InternalError then."""
    try:
        yield
    except ValueError as error:
        raise InternalError(f"the keys of people are damaged ({error}): run facerec fsck") from error


def _list_or_nothing(reply: Any) -> list[bytes] | None:
    """A list that was read, None when what is there is of another type."""
    if not isinstance(reply, Exception):
        return list(reply)
    if "WRONGTYPE" in str(reply):
        return None
    raise reply


def _whole_records(owner: str, image_hash: str, records: Sequence[bytes] | None) -> list[bytes]:
    """Those of an image's face records that can be read."""
    whole = [record for record in records or () if is_whole(record)]
    if records is None or len(whole) < len(records):
        log.error(
            "damaged face records of %s are grouped into no person: run facerec fsck --fix",
            image_hash,
            extra={"action": "damaged_records", "owner": owner, "image_hash": image_hash},
        )
    return whole


def _person(text: bytes) -> Person:
    return int(text) if text else None


def _pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)
