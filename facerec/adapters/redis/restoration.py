"""Copying an archive into an empty store, each image in one atomic step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from facerec.adapters.redis.archive import is_copied
from facerec.adapters.redis.audit import RedisAudit
from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors
from facerec.adapters.redis.contacts_check import contact_faults
from facerec.adapters.redis.galleries_check import gallery_faults
from facerec.adapters.redis.layout import OWN, owner_and_rest, prefix
from facerec.adapters.redis.names import erase_image, publish_names
from facerec.adapters.redis.people_check import people_faults
from facerec.adapters.redis.repairs import RedisRepairs
from facerec.archive import Before, Counters, StoredImage, StoredKey
from facerec.audit import Fault
from facerec.errors import BadParam, Conflict

_ERASED = "erased:"
_NAMES_AT_ONCE = 200
_ROUNDS = 4
"""A repair may uncover what was hidden behind a fault."""


class RedisRestoration:
    """`facerec.archive.Restoration` over Redis. ``clock`` gives seconds since the epoch."""

    def __init__(self, databases: RedisDatabases, clock: Callable[[], float] = time.time) -> None:
        self._databases = databases
        self._clock = clock

    def begin(self, ticket: int) -> None:
        if self._databases.call("import_begin", ticket) != b"ok":
            raise Conflict("the databases hold images: import into empty ones")

    def add(self, images: Sequence[StoredImage]) -> list[bool]:
        # Names before their image: when it is there, they are, so an import that was cut off can be done again.
        for image in images:
            for names in _chunks(image.names, _NAMES_AT_ONCE, first=_NAMES_AT_ONCE):
                self._databases.call("import_names", prefix(image.owner), image.hash, *names)
        replies = self._databases.call_many("import_image", [_arguments(each) for each in images])
        for image in images:
            if len(image.names) > _NAMES_AT_ONCE:
                publish_names(self._databases, image.owner, image.hash)
        return [bool(reply) for reply in replies]

    def join_crowd(self, owner: str, image_hash: str) -> None:
        self._databases.call("crowd", prefix(owner), image_hash)

    def set(self, key: StoredKey) -> None:
        if not is_copied(key.key):
            raise BadParam("key", "is not one that is copied as such", key.key.decode(errors="replace")[:100])
        if _is_erasure(key) and not key.value[0][0].isdigit():
            raise BadParam("value", "is no ticket", key.value[0][0].decode(errors="replace")[:100])
        left = None if key.expires_at is None else int((key.expires_at - self._clock()) * 1000)
        if left is not None and left <= 0:
            return
        with mapped_errors(), self._databases.client(OWN).pipeline() as pipeline:
            # The other types take the same items twice; what came meanwhile stays.
            if key.begins and key.type in {"list", "stream"}:
                pipeline.delete(key.key)
            _write(pipeline, key)
            if left is not None:
                pipeline.pexpire(key.key, left)
            pipeline.execute()
        self._take_out_erased(key)

    def finish(self, counters: Counters) -> None:
        self._mend()
        self._databases.call("import_finish", counters.ticket, counters.position)

    def set_before(self, before: Before) -> None:
        with mapped_errors(), self._databases.client(OWN).pipeline() as pipeline:
            if before.whole:
                pipeline.delete(before.key)
            for item in before.value:
                pipeline.execute_command({"hash": "HSET", "set": "SADD"}[before.type], before.key, *item)
            if before.without:
                pipeline.execute_command({"hash": "HDEL", "set": "SREM"}[before.type], before.key, *before.without)
            pipeline.execute()

    def _mend(self) -> None:
        """Other keys are copied one after the other, behind the images: they may name faces of images that came later or went,
        or whose line was damaged, and each other as of another moment. What hangs on something else is made to fit it."""
        repairs = RedisRepairs(self._databases, self._clock)
        for _ in range(_ROUNDS):
            found = list(dict.fromkeys(self._misfits()))
            for fault in found:
                repairs.repair(fault)
            if not found:
                return

    def _misfits(self) -> Iterator[Fault]:
        yield from people_faults(self._databases)
        yield from gallery_faults(self._databases, RedisAudit(self._databases).owners())
        yield from contact_faults(self._databases)

    def _take_out_erased(self, key: StoredKey) -> None:
        if not _is_erasure(key):
            return
        owner, rest = owner_and_rest(key.key.decode(errors="replace"))
        image_hash = rest.removeprefix(_ERASED)
        with mapped_errors():
            ticket = self._databases.client(OWN).hget(f"{prefix(owner)}image:{image_hash}", "ticket")
        if ticket is not None and int(ticket) <= int(key.value[0][0]):
            erase_image(self._databases, owner, image_hash)


def _is_erasure(key: StoredKey) -> bool:
    """Whether it is the mark of an erasure."""
    return key.type == "string" and owner_and_rest(key.key.decode(errors="replace"))[1].startswith(_ERASED)


def _chunks(names: Mapping[str, int], size: int, first: int = 0) -> Iterator[list[Argument]]:
    """Names and tickets by turns, ``size`` names at a time, from the ``first`` on."""
    pairs = list(names.items())
    for start in range(first, len(pairs), size):
        yield [part for pair in pairs[start : start + size] for part in pair]


def _arguments(image: StoredImage) -> list[Argument]:
    document = [part for field in image.document.items() for part in field]
    names = next(_chunks(image.names, _NAMES_AT_ONCE), [])
    return [
        image.owner,
        prefix(image.owner),
        image.hash,
        image.document["ticket"],
        len(image.document),
        *document,
        len(names) // 2,
        *names,
        len(image.records),
        *image.records,
        len(image.links),
        *image.links,
    ]


def _write(pipeline: object, key: StoredKey) -> None:
    execute = pipeline.execute_command  # type: ignore[attr-defined]
    commands = {"hash": "HSET", "set": "SADD", "list": "RPUSH"}
    match key.type:
        case "string":
            execute("SET", key.key, key.value[0][0])
        case "zset":
            execute("ZADD", key.key, *(part for member, score in key.value for part in (score, member)))
        case "stream":
            for entry, *fields in key.value:
                execute("XADD", key.key, entry, *fields)
        case kind if kind in commands:
            execute(commands[kind], key.key, *(part for item in key.value for part in item))
        case _:
            raise BadParam("type", "is none that is copied", key.type)
