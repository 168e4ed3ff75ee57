"""The invariants of people: what `facerec fsck` checks of them, and the way to mend them.

Each look is part of a short script, so what it finds is true although others write.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN, owner_and_rest, prefix
from facerec.adapters.redis.owners import known_owners
from facerec.audit import Fault
from facerec.errors import InternalError

_PAGE = 1000
_IN_A_SCRIPT = 100
_LISTS = ("named", "unnamed", "hidden")
_KEY = re.compile(r"(person|face):(\d+)(?::(faces|not))?")
Look = tuple[str, str, str]
"""What is looked at (``face``, ``person``, ``entry``, ``name``, ``not``), and which one."""


def check_people(databases: RedisDatabases) -> Iterator[str]:
    """What is wrong with the people of every owner, each in words; nothing when all is well. Raises StoreUnavailable."""
    # Several looks find the same.
    return iter([f"owner {fault.owner}: {fault.detail}" for fault in dict.fromkeys(people_faults(databases))])


def people_faults(databases: RedisDatabases) -> Iterator[Fault]:
    """Goes through all keys of people, of every owner. Raises StoreUnavailable."""
    for owner in known_owners(databases):
        yield from _of_owner(databases, owner, _listed(databases, prefix(owner)))
    with mapped_errors():
        for key in databases.client(OWN).scan_iter(count=_PAGE):
            owner, rest = owner_and_rest(key.decode(errors="replace"))
            match = _KEY.fullmatch(rest)
            if match:
                yield from _of_owner(databases, owner, _of_key(databases, key, *match.groups("")))


def people_faults_again(databases: RedisDatabases, faults: Iterable[Fault]) -> Iterator[Fault]:
    """What the looks find now that had found these faults. Raises StoreUnavailable."""
    for fault in faults:
        what, one, other = fault.evidence
        yield from _found(databases, fault.owner, [(what, one, other)])


def mend_people(databases: RedisDatabases, fault: Fault) -> None:
    """Repair what `people_faults` found, if it is still so. Raises StoreUnavailable, InternalError."""
    databases.call("repair_people", prefix(fault.owner), f"{time.time():.6f}", *fault.evidence)


def _of_owner(databases: RedisDatabases, owner: str, looks: Iterator[Look]) -> Iterator[Fault]:
    while some := list(islice(looks, _IN_A_SCRIPT)):
        yield from _found(databases, owner, some)


def _found(databases: RedisDatabases, owner: str, looks: Sequence[Look]) -> Iterator[Fault]:
    arguments: list[Argument] = [part for look in looks for part in look]
    try:
        replies = databases.read("people_check", prefix(owner), *arguments)
    except InternalError as error:
        # A key of a wrong type stops the script: find out which.
        if len(looks) == 1:
            subject = " ".join(looks[0])
            yield Fault("types", "type", owner, "", subject, f"cannot be looked at: {error.reason}", looks[0])
            return
        for look in looks:
            yield from _found(databases, owner, [look])
        return
    for look, problems in zip(looks, replies, strict=True):
        for problem in problems:
            detail = problem.decode(errors="replace")
            yield Fault("people", "people", owner, "", look[1], detail, look)


def _listed(databases: RedisDatabases, p: str) -> Iterator[Look]:
    """Looks at what the keys have of which there is one for each owner."""
    client = databases.client(OWN)
    with mapped_errors():
        for face, _ in client.hscan_iter(f"{p}faces:person", count=_PAGE):
            yield "face", _text(face), "-"
        for face, _ in client.zscan_iter(f"{p}faces:strays", count=_PAGE):
            yield "face", _text(face), ""
        for face, _ in client.zscan_iter(f"{p}faces:unknown", count=_PAGE):
            yield "face", _text(face), "-"
        for name in _LISTS:
            for entry, _ in client.zscan_iter(f"{p}people:{name}", count=_PAGE):
                yield "entry", _text(entry), name
        for entry, _ in client.zscan_iter(f"{p}people:names", count=_PAGE):
            yield "name", _text(entry), ""


def _of_key(databases: RedisDatabases, key: bytes, kind: str, number: str, part: str) -> Iterator[Look]:
    client = databases.client(OWN)
    if part == "faces" and kind == "person":
        for face, _ in client.zscan_iter(key, count=_PAGE):
            yield "face", _text(face), number
    elif part == "not":
        for each in client.sscan_iter(key, count=_PAGE):
            yield ("not", number, _text(each)) if kind == "face" else ("not", _text(each), number)
    if kind == "person":
        # Behind its faces: when those are elsewhere, it may be nobody.
        yield "person", number, ""


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")
