"""Persons in Redis: operations, each one script, and what can be read of them.

All in database 0; ``{p}`` is the owner's prefix (`facerec.adapters.redis.layout`). A person id is a number below 2**53 that no
other person of the owner has, or had; a face id is as everywhere.

========================  ======  ======================================================================================
key                       type    holds
========================  ======  ======================================================================================
{p}people:last            string  the newest number of a person
person                    string  the greatest of them: what the release before goes on from
{p}person:<id>            hash    name, hidden (``1``), cover (face id), created_at, changed_at (seconds); ``listed``: the list
                                  it is in and its place there; founded (``1``) when a contact made it
{p}person:<id>:faces      zset    its faces, each scored by itself: the newest picture is last
{p}person:<id>:not        set     faces that somebody said are not this person
{p}person:<id>:contacts   set     the contacts that it is: see `facerec.adapters.redis.contacts`
{p}face:<id>:not          set     the other way round: persons that the face is not
{p}faces:person           hash    face id -> person id, or nothing: no person yet. A face that takes no part in the grouping
                                  (marked, or found with little confidence) is not in it until somebody gives it to a person
{p}faces:strays           zset    the faces of it that have no person, each scored by itself
{p}faces:unknown          zset    strays, and the faces of persons that are neither named nor hidden, in the same way
{p}people:named           zset    ``<number of faces, 10 digits>:<id, 16 digits>`` of every named person that is not hidden
{p}people:unnamed         zset    the same of those without a name
{p}people:hidden          zset    the same of the hidden ones, named or not
{p}people:names           zset    name, 0x1F, id; in the order of their letters. Two persons may have one name
{p}people:showing         hash    id of a person that is being named or hidden -> ``(`` and the face up to which that was done
                                  (`facerec.adapters.redis.people_showing`)
{p}people:merged          hash    id of a person that is gone -> into whom it was merged
{p}people:history         list    the last 100 operations, newest first, as JSON: what undo needs; a merging of many faces has an
                                  entry for each step, which have the same ``chain`` and are taken back together. A release
                                  that does not know it takes back one step at a time
{p}people:version         string  counts changes, so that the grouping sees that it looked at something else
{p}people:done:<token>    string  the answer to an operation, for the case that it is sent twice; expires
grouping:position         string  the journal is grouped up to here
grouping:leader           string  the worker whose turn it is; expires
========================  ======  ======================================================================================

A person without a name vanishes with its last face; a named one stays, empty, until its name is removed. Erasing an image
takes its faces from all of these keys in the same step. The history knows faces by their ids alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from facerec.adapters.redis.connection import Argument, RedisDatabases, call_token, mapped_errors
from facerec.adapters.redis.layout import OWN, prefix
from facerec.adapters.redis.people_reading import PeopleReading, text_of
from facerec.adapters.redis.people_showing import finish_showing
from facerec.encodings import stack_encodings
from facerec.errors import BadParam, Conflict, InternalError, NotFound
from facerec.records import is_comparable, model_of
from facerec.services.people import Document, Order, Sample, Standing, check_faces, check_person_name, person_name

_NEW = "new"
_NOBODY = ""
_MOVED_AT_ONCE = 1000
"""Faces that one step takes: some milliseconds, in which Redis serves nobody else."""


class RedisPeople:
    """`facerec.services.people.People` over Redis. ``clock`` gives seconds since the epoch."""

    def __init__(self, databases: RedisDatabases, clock: Callable[[], float] = time.time) -> None:
        self._databases = databases
        self._clock = clock
        self._reading = PeopleReading(databases)

    # ------------------------------------------------------------ operations

    def edit(
        self, owner: str, person: int, *, name: str | None = None, hidden: bool | None = None, cover: int | None = None
    ) -> None:
        fields: list[Argument] = []
        if name is not None:
            fields += ["name", check_person_name(name) if name else ""]
        if hidden is not None:
            fields += ["hidden", "1" if hidden else ""]
        if cover is not None:
            fields += ["cover", cover]
        self._change("edit", owner, person, *fields)

    def merge(self, owner: str, person: int, into: int, name: str | None = None) -> list[int]:
        choice = "" if name is None else "=" + check_person_name(name)
        contradicted: list[int] = []
        for faces, *_ in self._steps("merge", owner, person, into, choice, _MOVED_AT_ONCE, call_token()):
            contradicted += map(int, faces)
        return contradicted

    def split(self, owner: str, person: int, faces: Collection[int]) -> int:
        return int(self._give(owner, "split", person, _NEW, check_faces(faces)))

    def move(self, owner: str, faces: Collection[int], person: int | None, *, new: bool = False) -> int | None:
        target: Argument = _NEW if new else _NOBODY if person is None else person
        got = self._give(owner, "move", "", target, check_faces(faces))
        return int(got) if got else None

    def reject(self, owner: str, person: int, faces: Collection[int]) -> None:
        self._give(owner, "not", person, _NOBODY, check_faces(faces))

    def undo(self, owner: str) -> Document:
        steps = list(self._steps("undo", owner))
        operation, persons, _ = steps[0]
        return {
            "operation": operation.decode(),
            "persons": [int(person) for person in persons],
            "faces": sum(int(count) for *_, count in steps),
        }

    def _give(self, owner: str, op: str, source: Argument, target: Argument, faces: Sequence[int]) -> Argument:
        """Give faces to ``target`` in steps that are taken back together; returns whose they are. Raises NotFound, BadParam."""
        pieces = [faces[start : start + _MOVED_AT_ONCE] for start in range(0, len(faces), _MOVED_AT_ONCE)]
        chain = call_token() if len(pieces) > 1 else ""
        if chain:
            for piece in pieces:
                self._change("move", owner, "try", op, source, target, chain, len(faces), *piece)
        left = len(faces)
        for piece in pieces:
            (given,) = self._change("move", owner, "give", op, source, target, chain, left, *piece)
            target, left = given.decode(), left - len(piece)
        return target

    def _change(self, script: str, owner: str, *arguments: Argument) -> list[Any]:
        """Run an operation of one step. Raises NotFound, BadParam, Conflict."""
        (answer,) = self._steps(script, owner, *arguments)
        return answer

    def _steps(self, script: str, owner: str, *arguments: Argument) -> Iterator[list[Any]]:
        """Run an operation of several steps; each leaves what is sound. Raises NotFound, BadParam, Conflict."""
        while True:
            more, answer = self._step(script, owner, *arguments)
            yield answer
            if not more:
                return finish_showing(self._databases, owner)

    def _step(self, script: str, owner: str, *arguments: Argument) -> tuple[bool, list[Any]]:
        token = call_token()
        reply: list[Any] = self._databases.call(
            f"people_{script}", prefix(owner), token, f"{self._clock():.6f}", *[str(each) for each in arguments]
        )
        kind, rest = reply[0], reply[1:]
        match kind:
            case b"ok" | b"more":
                return kind == b"more", rest
            case b"not_found":
                raise NotFound(rest[0].decode())
            case b"bad":
                raise BadParam(rest[0].decode(), rest[1].decode())
            case b"names":
                one, other = rest[0].decode(), rest[1].decode()
                raise Conflict(f"they are named {one!r} and {other!r}: say which name to keep")
            case b"nothing":
                raise NotFound("there is nothing to undo")
            case b"refused":
                raise Conflict(f"the last operation ({rest[1].decode()}) cannot be undone: {rest[0].decode()}")
        raise InternalError(f"people_{script} answered {kind!r}")

    # ------------------------------------------------------------ reading

    def history(self, owner: str) -> list[Document]:
        with mapped_errors():
            entries = self._databases.client(OWN).lrange(f"{prefix(owner)}people:history", 0, -1)
        past: dict[str, Document] = {}
        for number, entry in enumerate(map(json.loads, entries)):
            # The steps of one operation are told as one, by the newest.
            told = past.setdefault(entry.get("chain") or str(number), _past(entry) | {"faces": 0})
            told["faces"] += int(entry.get("count", 0))
        return list(past.values())

    def person(self, owner: str, person: int) -> Document:
        found = self._reading.documents(owner, [person])
        if found:
            return found[0]
        with mapped_errors():
            into = self._databases.client(OWN).hget(f"{prefix(owner)}people:merged", str(person))
        raise NotFound(f"there is no person {person}" + (f" any more: merged into {into.decode()}" if into else ""))

    def people(
        self, owner: str, *, named: bool | None, hidden: bool, name: str | None, limit: int, cursor: str
    ) -> tuple[list[Document], str]:
        if name and (beginning := person_name(name)):
            return self._reading.by_name(owner, beginning, limit, cursor, hidden=hidden)
        lists = ["hidden"] if hidden else {None: ["named", "unnamed"], True: ["named"], False: ["unnamed"]}[named]
        return self._reading.by_size(owner, lists, limit, cursor)

    def faces(self, owner: str, person: int, limit: int, cursor: str) -> tuple[list[Document], str]:
        self.person(owner, person)
        return self._reading.faces(owner, f"person:{person}:faces", limit, cursor)

    def unknown(self, owner: str, order: Order, limit: int, cursor: str) -> tuple[list[Document], str]:
        if order == "time":
            return self._reading.faces(owner, "faces:unknown", limit, cursor)
        return self._reading.by_group(owner, limit, cursor)

    def sample(self, owner: str, person: int, count: int) -> Sample:
        self.person(owner, person)
        with mapped_errors():
            faces = self._databases.client(OWN).zrange(f"{prefix(owner)}person:{person}:faces", 0, -1)
        chosen = [int(faces[n * len(faces) // count]) for n in range(count)] if len(faces) > count else map(int, faces)
        records: dict[int, list[bytes]] = {}
        found = [record for _, record, _ in self._reading.records(owner, list(chosen)) if is_comparable(record)]
        for record in found:
            records.setdefault(model_of(record).value, []).append(record)
        return Sample(
            faces=frozenset(int(face) for face in faces),
            encodings={model: stack_encodings(some).tobytes() for model, some in records.items()},
        )

    def standings(self, owner: str, person: int, faces: Sequence[int]) -> list[Standing | None]:
        p = prefix(owner)
        if not faces:
            return []
        with mapped_errors(), self._databases.client(OWN).pipeline(transaction=False) as pipeline:
            pipeline.hmget(f"{p}faces:person", faces)
            pipeline.smembers(f"{p}person:{person}:not")
            persons, rejected = pipeline.execute()
        known = {int(one["id"]): one for one in self._reading.documents(owner, sorted({int(i) for i in persons if i}))}
        return [
            None if str(face).encode() in rejected else _standing(int(current) if current else None, known)
            for face, current in zip(faces, persons, strict=True)
        ]


def _standing(person: int | None, known: dict[int, Document]) -> Standing:
    document = known.get(person) if person else None
    return Standing(person, document["name"], document["hidden"]) if document else Standing(None)


def _past(entry: dict[str, Any]) -> Document:
    return {
        "operation": entry["op"],
        "at": text_of(entry["at"]),
        "persons": [int(person) for person in entry["persons"]],
        "faces": int(entry.get("count", 0)),
    }
