"""The invariants of people: what `facerec fsck` checks of them.

Reads key by key with scans, so that Redis is never blocked; an owner whose people change meanwhile (their version tells) is
looked at again, and after TRIES as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import FACES, OWN, prefix
from facerec.adapters.redis.owners import known_owners
from facerec.identity import ticket_of
from facerec.records import face_id_of

TRIES = 3
_AT_ONCE = 1000
_LISTS = ("named", "unnamed", "hidden")
_OURS = re.compile(rb"((?:[^\x1f]*\x1f)?)(person|face):(\d+)(?::(faces|not))?")
_Key = tuple[str, str, str]


@dataclass
class _People:
    """All that is stored of one owner's people."""

    persons: dict[str, dict[str, str]] = field(default_factory=dict)
    faces: dict[str, set[str]] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    lists: dict[str, set[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    not_faces: dict[str, set[str]] = field(default_factory=dict)
    not_persons: dict[str, set[str]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


def check_people(databases: RedisDatabases) -> Iterator[str]:
    """What is wrong with the people of every owner, each in words; nothing when all is well. Raises StoreUnavailable."""
    with mapped_errors():
        keys = _keys(databases)
    for owner in known_owners(databases):
        reader = _Reader(databases, prefix(owner))
        problems: list[str] = []
        found = keys.get(prefix(owner), [])
        for _ in range(TRIES):
            version = reader.version()
            problems = list(_problems(reader.read(found)))
            if not problems or reader.version() == version:
                break
            found = _keys(databases).get(prefix(owner), [])
        yield from (f"owner {owner}: {problem}" for problem in problems)


def _keys(databases: RedisDatabases) -> dict[str, list[_Key]]:
    """By the owner's prefix: the keys of persons and of faces, each as kind, number and part."""
    found: dict[str, list[_Key]] = {}
    for key in databases.client(OWN).scan_iter(count=_AT_ONCE):
        match = _OURS.fullmatch(key)
        if match:
            p, kind, number, part = (group.decode(errors="replace") for group in match.groups(b""))
            found.setdefault(p, []).append((kind, number, part))
    return found


def _problems(people: _People) -> Iterator[str]:
    yield from _wrong_faces(people)
    yield from _wrong_persons(people)
    yield from _wrong_lists(people)
    yield from _wrong_links(people)


def _wrong_faces(people: _People) -> Iterator[str]:
    for face in sorted(people.lost):
        yield f"face {face} has a place among the people and is on no finished image"
    for face, person in people.mapping.items():
        home = people.faces.get(person, set()) if person else people.strays
        if face not in home:
            yield f"face {face} is said to be of person {person or 'nobody'}, who does not have it"
    for person, faces in (*people.faces.items(), ("", people.strays)):
        for face in faces:
            if people.mapping.get(face) != person:
                yield f"person {person or 'nobody'} has face {face}, which is said to be elsewhere"
    if people.unknown != (expected := _unknown(people)):
        for face in sorted(people.unknown ^ expected):
            yield f"face {face} is {'wrongly' if face in people.unknown else 'not'} among the unknown ones"


def _unknown(people: _People) -> set[str]:
    unnamed = (
        people.faces.get(person, set())
        for person, fields in people.persons.items()
        if not {"name", "hidden"} & fields.keys()
    )
    return people.strays.union(*unnamed)


def _wrong_persons(people: _People) -> Iterator[str]:
    for person in sorted(people.faces.keys() - people.persons.keys()):
        yield f"person {person} has faces and does not exist"
    for person, fields in people.persons.items():
        faces = people.faces.get(person, set())
        if not faces and "name" not in fields:
            yield f"person {person} has neither name nor faces"
        if (fields.get("cover") in faces) != bool(faces):
            yield f"the cover of person {person} is not one of its faces"


def _wrong_lists(people: _People) -> Iterator[str]:
    expected: dict[str, set[str]] = {name: set() for name in _LISTS}
    for person, fields in people.persons.items():
        name = "hidden" if "hidden" in fields else "named" if "name" in fields else "unnamed"
        expected[name].add(f"{len(people.faces.get(person, set())):010}:{int(person):016}")
    for name in _LISTS:
        for entry in sorted(people.lists[name] ^ expected[name]):
            yield f"{entry} is {'wrongly' if entry in people.lists[name] else 'not'} in the list of {name} people"
    names = {f"{fields['name']}\x1f{person}" for person, fields in people.persons.items() if "name" in fields}
    for entry in sorted(people.names ^ names):
        yield f"the name {entry.replace(chr(31), ' of person ')} is {'wrongly' if entry in people.names else 'not'} listed"


def _wrong_links(people: _People) -> Iterator[str]:
    one = {(face, person) for person, faces in people.not_faces.items() for face in faces}
    other = {(face, person) for face, persons in people.not_persons.items() for person in persons}
    for face, person in sorted(one ^ other):
        yield f"that face {face} is not person {person} is known to one of them alone"
    for face, person in sorted(one | other):
        if person not in people.persons:
            yield f"face {face} is said not to be person {person}, who does not exist"
        if people.mapping.get(face) == person:
            yield f"face {face} is said not to be person {person}, who has it"


class _Reader:
    """Reads all keys of one owner's people."""

    def __init__(self, databases: RedisDatabases, p: str) -> None:
        self._databases = databases
        self._client = databases.client(OWN)
        self._p = p

    def version(self) -> Any:
        with mapped_errors():
            return self._client.get(f"{self._p}people:version")

    def read(self, keys: Iterable[_Key]) -> _People:
        people = _People()
        with mapped_errors():
            for kind, number, part in keys:
                self._read_key(people, kind, number, part)
            people.mapping = {
                face.decode(errors="replace"): who.decode(errors="replace")
                for face, who in self._scan("hscan_iter", "faces:person")
            }
            people.strays = self._members("faces:strays")
            people.unknown = self._members("faces:unknown")
            people.lists = {name: self._members(f"people:{name}") for name in _LISTS}
            people.names = self._members("people:names")
            people.lost = set(self._lost(sorted(people.mapping, key=int)))
        return people

    def _read_key(self, people: _People, kind: str, number: str, part: str) -> None:
        if kind == "face":
            people.not_persons[number] = self._set(f"face:{number}:not")
        elif part == "not":
            people.not_faces[number] = self._set(f"person:{number}:not")
        elif part == "faces":
            people.faces[number] = self._members(f"person:{number}:faces")
        else:
            fields = self._client.hgetall(f"{self._p}person:{number}")
            if fields:
                people.persons[number] = {
                    name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()
                }

    def _set(self, key: str) -> set[str]:
        return {each.decode(errors="replace") for each in self._client.sscan_iter(self._p + key, count=_AT_ONCE)}

    def _members(self, key: str) -> set[str]:
        return {member.decode(errors="replace") for member, _ in self._scan("zscan_iter", key)}

    def _scan(self, command: str, key: str) -> Iterator[tuple[bytes, Any]]:
        found: Iterator[tuple[bytes, Any]] = getattr(self._client, command)(self._p + key, count=_AT_ONCE)
        return found

    def _lost(self, faces: list[str]) -> Iterator[str]:
        """Those of the faces that are in no record of a finished image."""
        for first in range(0, len(faces), _AT_ONCE):
            some = faces[first : first + _AT_ONCE]
            known = self._recorded(sorted({ticket_of(int(face)) for face in some}))
            yield from (face for face in some if int(face) not in known)

    def _recorded(self, tickets: list[int]) -> set[int]:
        with self._client.pipeline(transaction=False) as pipeline:
            for ticket in tickets:
                pipeline.zrangebyscore(f"{self._p}images", ticket, ticket)
            hashes = [found[0].decode(errors="replace") for found in pipeline.execute() if found]
        with self._databases.client(FACES).pipeline(transaction=False) as pipeline:
            for image_hash in hashes:
                pipeline.lrange(self._p + image_hash, 0, -1)
            return {face_id_of(record) for records in pipeline.execute() for record in records}
