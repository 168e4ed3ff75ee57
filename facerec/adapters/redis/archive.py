"""Copying the store out: every image as it is at one moment, and the other keys of database 0 in parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from facerec.adapters.redis.commits import pairs
from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN, SEPARATOR, owner_and_rest, prefix
from facerec.adapters.redis.names import names_of
from facerec.adapters.redis.owners import known_owners
from facerec.adapters.redis.people_notes import PeopleNotes
from facerec.archive import Before, Counters, DamagedImage, StoredImage, StoredKey
from facerec.errors import InternalError
from facerec.identity import DEFAULT_OWNER

_IMAGES_AT_ONCE = 32
_PAGE = 1000
_OF_IMAGES = ("image:", "names:", "holders:", "state:")
_NOT_COPIED = (
    "journal",
    "ticket",
    "images",
    "names",
    "crowd",
    "tokens",
    "workers",
    "import",
    "regenerate",
    "unfinished",
    "dead",
)
_SHORT_LIVED = (
    "journal:",
    "worker:",
    "workers:",
    "session:",
    "errand:",
    "regenerate:",
    "crowd:",
    "withdrawn:",
    "unfinished:",
    "dead:",
    # There are as many as operations of some minutes: a copy that is slower than who makes them would not come to an end.
    "people:done:",
    "people:copies",
    "people:before:",
)


class RedisArchive:
    """`facerec.archive.Archive` over Redis. ``clock`` gives seconds since the epoch."""

    def __init__(self, databases: RedisDatabases, clock: Callable[[], float] = time.time) -> None:
        self._databases = databases
        self._clock = clock
        self._notes: PeopleNotes | None = None
        self._prefixes: frozenset[str] = frozenset()

    def begin(self) -> None:
        owners = {*known_owners(self._databases), DEFAULT_OWNER}
        self._prefixes = frozenset(map(prefix, owners))
        self._notes = PeopleNotes(self._databases, sorted(owners))
        self._notes.begin()

    def forget(self) -> None:
        if self._notes:
            self._notes.forget()

    def before(self) -> Iterator[Before]:
        return self._notes.end() if self._notes else iter(())

    def count(self) -> int:
        with mapped_errors(), self._databases.client(OWN).pipeline(transaction=False) as pipeline:
            for owner in known_owners(self._databases):
                pipeline.zcard(f"{prefix(owner)}images")
            return sum(pipeline.execute())

    def images(self, newest: int) -> Iterator[StoredImage | DamagedImage]:
        for owner in known_owners(self._databases):
            for hashes in self._pages(owner, newest):
                self._go_on()
                yield from self._images(owner, hashes)

    def _images(self, owner: str, hashes: Sequence[str]) -> Iterator[StoredImage | DamagedImage]:
        calls = [(owner, prefix(owner), image_hash) for image_hash in hashes]
        try:
            replies = self._databases.read_many("archive_image", calls)
        except InternalError as error:
            if len(hashes) == 1:
                yield DamagedImage(owner, hashes[0], error.reason)
                return
            for image_hash in hashes:
                yield from self._images(owner, [image_hash])
            return
        for image_hash, reply in zip(hashes, replies, strict=True):
            if reply:
                yield self._read(owner, image_hash, reply)

    def _read(self, owner: str, image_hash: str, reply: Sequence[Any]) -> StoredImage | DamagedImage:
        try:
            return self._image(owner, image_hash, reply)
        except (InternalError, ValueError) as error:
            return DamagedImage(owner, image_hash, str(error))

    def _image(self, owner: str, image_hash: str, reply: Sequence[Any]) -> StoredImage:
        document, flat, records, links = reply
        names = names_of(self._databases, owner, image_hash) if flat is None else dict(pairs(flat))
        return StoredImage(
            owner=owner,
            hash=image_hash,
            document={name.decode(): value.decode() for name, value in pairs(document)},
            names={name.decode(): int(ticket) for name, ticket in names.items()},
            records=tuple(records),
            links=tuple(link.decode() for link in links),
        )

    def crowd(self) -> Iterator[tuple[str, str]]:
        for owner in known_owners(self._databases):
            with mapped_errors():
                for image_hash, _ in self._databases.client(OWN).zscan_iter(f"{prefix(owner)}crowd", count=_PAGE):
                    yield owner, image_hash.decode()

    def others(self) -> Iterator[StoredKey]:
        client = self._databases.client(OWN)
        cursor = 0
        while True:
            with mapped_errors():
                cursor, keys = client.scan(cursor, count=_PAGE)
            self._go_on()
            for key in keys:
                # The scan may show a key twice: then it is copied twice.
                if is_copied(key) and self._was_there(key):
                    yield from self._parts(client, key)
            if cursor == 0:
                return

    def _go_on(self) -> None:
        if self._notes:
            self._notes.keep()

    def _was_there(self, key: bytes) -> bool:
        """Of an owner who came after the copy began there is no image in it, so nothing else is either."""
        owner, separator, _ = key.decode(errors="replace").rpartition(SEPARATOR)
        return not self._notes or owner + separator in self._prefixes

    def counters(self) -> Counters:
        with mapped_errors():
            ticket, position = self._databases.client(OWN).mget("ticket", "journal:position")
        return Counters(int(ticket or 0), int(position or 0))

    def _pages(self, owner: str, newest: int) -> Iterator[list[str]]:
        above = "-inf"
        while True:
            with mapped_errors():
                found = self._databases.client(OWN).zrangebyscore(
                    f"{prefix(owner)}images", above, newest, 0, _IMAGES_AT_ONCE, withscores=True
                )
            if not found:
                return
            yield [image_hash.decode() for image_hash, _ in found]
            above = f"({found[-1][1]:.0f}"

    def _parts(self, client: Any, key: bytes) -> Iterator[StoredKey]:
        with mapped_errors():
            kind, left = client.type(key).decode(), client.pttl(key)
            expires_at = self._clock() + left / 1000 if left >= 0 else None
            begins = True
            for part in _items(client, kind, key):
                yield StoredKey(key, kind, tuple(part), begins, expires_at)
                begins = False


def is_copied(key: bytes) -> bool:
    """Whether a key of database 0 is in an archive as such."""
    owner_free = owner_and_rest(key.decode(errors="replace"))[1]
    return not owner_free.startswith((*_OF_IMAGES, *_SHORT_LIVED)) and owner_free not in _NOT_COPIED


def _items(client: Any, kind: str, key: bytes) -> Iterator[list[tuple[bytes, ...]]]:
    """The value of a key in parts of bounded size."""
    match kind:
        case "string":
            value = client.get(key)
            if value is not None:
                yield [(value,)]
        case _ if (found := _at_once(client, kind, key)) is not None:
            yield from _chunks(iter(found))
        case "hash":
            yield from _chunks(client.hscan_iter(key, count=_PAGE))
        case "set":
            yield from _chunks((member,) for member in client.sscan_iter(key, count=_PAGE))
        case "zset":
            yield from _chunks((member, repr(score).encode()) for member, score in client.zscan_iter(key, count=_PAGE))
        case "list":
            yield from _chunks((item,) for item in _list(client, key))
        case "stream":
            yield from _chunks(_stream(client, key))


def _at_once(client: Any, kind: str, key: bytes) -> list[tuple[bytes, ...]] | None:
    """A key that is small enough to be read in one step, and so at one moment; None for others."""
    commands = {"hash": (client.hlen, client.hgetall), "set": (client.scard, client.smembers)}
    if kind not in commands:
        return None
    size, read = commands[kind]
    if size(key) > _PAGE:
        return None
    found = read(key)
    return list(found.items()) if kind == "hash" else [(member,) for member in found]


def _list(client: Any, key: bytes) -> Iterator[bytes]:
    start = 0
    while found := client.lrange(key, start, start + _PAGE - 1):
        yield from found
        start += len(found)


def _stream(client: Any, key: bytes) -> Iterator[tuple[bytes, ...]]:
    last = b"-"
    while found := client.xrange(key, min=last, count=_PAGE):
        for entry, fields in found:
            yield entry, *(part for pair in fields.items() for part in pair)
        last = b"(" + found[-1][0]


def _chunks(items: Iterator[tuple[bytes, ...]]) -> Iterator[list[tuple[bytes, ...]]]:
    part: list[tuple[bytes, ...]] = []
    for item in items:
        part.append(item)
        if len(part) == _PAGE:
            yield part
            part = []
    if part:
        yield part
