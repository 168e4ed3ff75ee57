"""The invariants of contacts: what `facerec fsck` checks of them, and the way to mend them.

Every look at a key is one short script, so what it finds is true although others write. What a call has in hand is no fault;
what it left when it died is one, until the worker's sweeper or the next call of its user has settled it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.contacts import RedisContactAnswers
from facerec.adapters.redis.layout import OWN, owner_and_rest, prefix
from facerec.audit import Fault
from facerec.errors import InternalError
from facerec.services.contacts_changes import changed
from facerec.services.contacts_faces import ContactFace
from facerec.services.contacts_store import Contact
from facerec.services.contacts_sweep import Sweeper

_AT_ONCE = 1000
_IN_A_ROUND = 64
_KEYS = (
    re.compile(r"(contact):(-?\d+:-?\d+)"),
    re.compile(r"contacts:(list|stale|leaders|loose|of|image):(.+)"),
    re.compile(r"(person):(\d+):contacts"),
)
_Look = tuple[str, str, str]
"""Owner, kind of key and the rest of it."""


def contact_faults(databases: RedisDatabases) -> Iterator[Fault]:
    """Goes through all keys of contacts, of every owner. Raises StoreUnavailable."""
    looks = _looks(databases)
    while some := list(islice(looks, _IN_A_ROUND)):
        yield from _faults(databases, some)


def _looks(databases: RedisDatabases) -> Iterator[_Look]:
    client = databases.client(OWN)
    with mapped_errors():
        for key in client.scan_iter(match="*contact*", count=_AT_ONCE):
            owner, rest = owner_and_rest(key.decode(errors="replace"))
            found = next((match for pattern in _KEYS if (match := pattern.fullmatch(rest))), None)
            if found is not None:
                yield owner, found[1], found[2]
            elif rest == "contacts:persons":
                yield from (
                    (owner, "bond", contact.decode(errors="replace"))
                    for contact, _ in client.hscan_iter(key, count=_AT_ONCE)
                )


def _faults(databases: RedisDatabases, looks: Sequence[_Look]) -> Iterator[Fault]:
    try:
        replies = databases.read_many(
            "contacts_inspect", [(prefix(owner), kind, subject) for owner, kind, subject in looks]
        )
    except InternalError as error:
        # A key of a wrong type stops the script: find out which, and leave it alone.
        if len(looks) == 1:
            owner, kind, subject = looks[0]
            yield Fault("types", "type", owner, "", f"{kind} {subject}", f"cannot be read: {error.reason}")
            return
        for look in looks:
            yield from _faults(databases, [look])
        return
    for (owner, kind, subject), (problems, found) in zip(looks, replies, strict=True):
        details = [problem.decode(errors="replace") for problem in problems]
        if found and not details:
            details += _wrong_clusters(subject, *found)
        for detail in details:
            yield Fault("contacts", "contacts", owner, "", f"{kind} {subject}", detail, (kind, subject))


def _wrong_clusters(subject: str, leaders: bytes, *faces: bytes) -> Sequence[str]:
    user, contact = map(int, subject.split(":"))
    known, records = {}, {}
    for number, text, record in zip(faces[::3], faces[1::3], faces[2::3], strict=True):
        known[int(number)] = ContactFace.of(user, contact, int(number), text)
        records[int(number)] = record
    expected = changed(Contact(contact, known, records)).representatives
    if sorted(map(int, leaders.split())) == list(expected):
        return ()
    return (
        f"its representatives are {leaders.decode(errors='replace') or 'none'} and should be {' '.join(map(str, expected))}",
    )


def mend_contacts(databases: RedisDatabases, fault: Fault) -> None:
    """Repair what `contact_faults` found, if it is still so. Raises StoreUnavailable."""
    kind, subject = fault.evidence
    databases.call("repair_contacts", prefix(fault.owner), kind, subject)
    if kind == "loose":
        Sweeper(RedisContactAnswers(databases)).sweep_user(fault.owner, int(subject))
