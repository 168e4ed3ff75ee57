"""The journal of changes, and everything known at one moment."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import ASIDE_FACES, FACES, JOURNAL_LENGTH, SEPARATOR
from facerec.adapters.redis.schema import RedisSchema
from facerec.errors import InternalError, StoreUnavailable
from facerec.faces import Model
from facerec.identity import DEFAULT_OWNER
from facerec.ports import JournalEntry, JournalGap, KnownFaces
from facerec.records import HEAD, is_whole, split_records
from facerec.services.migration import check_schema
from facerec.sets import SetsState, models_of

log = logging.getLogger(__name__)
_AT_ONCE = 1000
BYTES_AT_ONCE = 250_000
"""Of face records that one step of loading puts together; it may go beyond by one image."""
RELOAD = "reload"
T = TypeVar("T")
StreamEntry = tuple[bytes, Mapping[bytes, bytes]]


class RedisJournal:
    """`facerec.ports.Journal` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def position(self) -> int:
        """Where the journal ends."""
        text = self._databases.settled("GET", "journal:position")
        return 0 if text is None else position_of(text)

    def count(self) -> int:
        """How many images with faces there are, for progress while loading."""
        with mapped_errors():
            return int(self._databases.client(FACES).dbsize())

    def load(self) -> tuple[int, Iterator[KnownFaces]]:
        check_schema(RedisSchema(self._databases).schema())
        history = self._databases.history()
        return self.position(), self._of_one_history(history, self._all_faces(FACES))

    def state(self) -> SetsState:
        position, model, is_open, aside = self._databases.call("regenerate_state")
        return SetsState(position_of(position), _model(model), bool(is_open), _model(aside))

    def load_aside(self) -> Iterator[KnownFaces]:
        return self._of_one_history(self._databases.history(), self._all_faces(ASIDE_FACES))

    def reload(self, position: int) -> int | None:
        """Have every worker load its index anew, if the journal still ends at ``position``: where they do, else None."""
        told = self._databases.call("reload", JOURNAL_LENGTH, position)
        return int(told) if told else None

    def overtake(self, position: int) -> None:
        self._databases.call("journal_overtake", JOURNAL_LENGTH, position)

    def since(self, position: int) -> tuple[JournalEntry, ...] | JournalGap:
        last = self.position()
        if last == position:
            return ()
        found = self._databases.settled("XRANGE", "journal", f"{position + 1}-0", "+", "COUNT", _AT_ONCE)
        if last < position or not found:
            return JournalGap()
        return decode_entries(found, position)

    def _of_one_history(self, history: str, known: Iterator[T]) -> Iterator[T]:
        """All that is known, unless another primary took over meanwhile: then some of it may never have been."""
        yield from known
        if self._databases.history() != history:
            raise StoreUnavailable("another Redis took over while everything was read")

    def _all_faces(self, database: int) -> Iterator[KnownFaces]:
        faces = self._databases.client(database)
        cursor = 0
        while True:
            with mapped_errors():
                cursor, found = faces.scan(cursor, count=_AT_ONCE)
            for owner, keys in _by_owner(found).items():
                yield from self._faces_of(database, owner, keys)
            if cursor == 0:
                return

    def _faces_of(self, database: int, owner: str, keys: Sequence[bytes]) -> Iterator[KnownFaces]:
        """Of as many images at a time as keep Redis busy for some milliseconds."""
        while keys:
            joined, *counts = self._databases.call("faces_at_once", database, BYTES_AT_ONCE, HEAD.itemsize, *keys)
            yield KnownFaces(owner, np.array(counts, np.int64), np.frombuffer(joined, HEAD))
            keys = keys[len(counts) :]


def _by_owner(keys: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Keys of database 3 or 5 by their owners; each once, though a scan may show one twice."""
    groups: dict[str, list[bytes]] = {}
    for key in dict.fromkeys(keys):
        groups.setdefault(owner_of_key(key), []).append(key)
    return groups


def position_of(text: bytes) -> int:
    """What ``journal:position`` holds. Raises StoreUnavailable for no number: no picture is to blame, and once it is repaired
    everything goes on."""
    if not (text.isdigit() and len(text) < 19):
        raise StoreUnavailable("the key journal:position holds no number: run facerec fsck --fix")
    return int(text)


def _model(text: bytes) -> Model | None:
    """Raises StoreUnavailable, as `position_of`."""
    try:
        return Model(int(text)) if text else None
    except ValueError as error:
        raise StoreUnavailable("a key that names a model holds none: run facerec fsck") from error


def decode_entries(found: Sequence[StreamEntry], position: int) -> tuple[JournalEntry, ...] | JournalGap:
    """Stream entries as journal entries that follow ``position`` without a gap, or the gap.

    An entry that says ``reload`` counts as one: a repair has changed faces that a worker may know already. So does one that is
    damaged: what it told is in the other databases.
    """
    try:
        entries = tuple(_readable_entry(entry_id, fields) for entry_id, fields in found)
    except (KeyError, ValueError, InternalError) as error:
        log.error(
            "a damaged entry of the journal (%s), so all faces are loaded anew: run facerec fsck --fix",
            error,
            extra={"action": "damaged_records"},
        )
        return JournalGap()
    if entries[0].position != position + 1 or any(entry.operation == RELOAD for entry in entries):
        return JournalGap()
    return entries


def _readable_entry(entry_id: bytes, fields: Mapping[bytes, bytes]) -> JournalEntry:
    """One entry that an index can follow. Raises KeyError, ValueError, InternalError."""
    entry = decode_entry(entry_id, fields)
    if not all(map(is_whole, entry.records)):
        raise InternalError(f"entry {entry.position} has a damaged face record")
    if entry.operation in {"open", "switch"}:
        models_of(entry)
    return entry


def owner_of_key(key: bytes) -> str:
    """The owner whose key in databases 1 to 4 this is."""
    owner, separator, _ = key.decode().rpartition(SEPARATOR)
    return owner if separator else DEFAULT_OWNER


def decode_entry(entry_id: bytes, fields: Mapping[bytes, bytes]) -> JournalEntry:
    """One entry, whatever it says. Raises KeyError, ValueError, InternalError when it is damaged."""
    return JournalEntry(
        position=int(entry_id.partition(b"-")[0]),
        operation=fields[b"op"].decode(),
        owner=fields[b"owner"].decode(),
        hash=fields[b"hash"].decode(),
        image_ticket=int(fields[b"ticket"]),
        records=tuple(split_records(fields[b"records"])),
    )
