"""The journal held against its promises: entries that decode and follow each other, up to the position of its end."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.journal import RELOAD, decode_entry, position_of
from facerec.adapters.redis.layout import OWN
from facerec.audit import Fault
from facerec.errors import FacerecError, StoreUnavailable
from facerec.identity import check_hash, check_owner
from facerec.records import unpack_face

_AT_ONCE = 200
_OPERATIONS = {"add", "remove", "aside", "open", "switch", "close", RELOAD}


def journal_faults(databases: RedisDatabases) -> Iterator[Fault]:
    """Goes through the journal as it is, and as it grows meanwhile. Raises StoreUnavailable.

    Entries come at the end and go at the front alone, so one that is missing behind the front was never there.
    """
    client = databases.client(OWN)
    position = 0
    while True:
        with mapped_errors():
            found = client.xrange("journal", min=f"{position + 1}-0", count=_AT_ONCE)
        if not found:
            break
        for entry_id, fields in found:
            here = int(entry_id.partition(b"-")[0])
            if position and here != position + 1 and _front(client) <= position:
                yield _fault(str(here - 1), f"the entries from {position + 1} to {here - 1} are missing")
            position = here
            damage = _damage(entry_id, fields)
            if damage:
                yield _fault(str(position), f"entry {position}: {damage}")
    yield from _fault_of_the_end(databases)


def _front(client: Any) -> int:
    with mapped_errors():
        first = client.xrange("journal", count=1)
    return int(first[0][0].partition(b"-")[0]) if first else 0


def _damage(entry_id: bytes, fields: Mapping[bytes, bytes]) -> str | None:
    try:
        entry = decode_entry(entry_id, fields)
        check_owner(entry.owner)
        check_hash(entry.hash)
        for record in entry.records:
            unpack_face(record)
    except KeyError as error:
        return f"it has no {error}"
    except (FacerecError, ValueError, struct.error) as error:
        return str(error)
    if entry.operation not in _OPERATIONS or (
        entry.operation != "aside" and (entry.operation == "add") != bool(entry.records)
    ):
        return f"{entry.operation} with {len(entry.records)} faces"
    return None


def _fault_of_the_end(databases: RedisDatabases) -> Iterator[Fault]:
    last, told = databases.read("journal_end")
    last = int(last)
    try:
        position = position_of(told)
    except StoreUnavailable:
        yield _fault("end", f"its end should be {told[:50]!r}, which is no number")
        return
    if last and last != position:
        yield _fault("end", f"its last entry is {last}, its end should be {position}")


def _fault(subject: str, detail: str) -> Fault:
    return Fault("journal", "journal", "", "", subject, detail)
