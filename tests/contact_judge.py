"""Whether what many callers were told, and what is there in the end, is what some order of their calls gives.

The search for an order follows Wing and Gong, "Testing and verifying concurrent objects" (1993): an operation may be next when it
began before every other that is left ended, and its answer must be the one that the state gives. States that were reached before
with the same operations left are not tried again. A call without an answer (its process was killed, or it raised) may have
happened at any time after it began, or never.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from facerec.adapters.redis import RedisAdmissions, RedisContactAnswers, RedisDatabases
from facerec.adapters.redis.contacts_check import contact_faults
from facerec.adapters.redis.layout import prefix
from facerec.adapters.redis.people_check import check_people
from facerec.encodings import stack_encodings
from facerec.engine.fake import fake_encoding
from facerec.faces import Encoding
from facerec.records import encoding_of, face_id_of, model_of
from facerec.services.contacts_rule import Ranked, confidence, nearest_contacts, representatives
from facerec.services.contacts_store import Snapshot
from tests.contact_player import FACES, known_face

UNKNOWN = -1
"""The id of a face that was added by a call of which nobody heard the answer."""
Key = tuple[int, int]
State = tuple[tuple[Key, int], ...]
"""Pairs of (contact, face_id) and id, sorted."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A call from ``begin`` to ``end``; ``answer`` is None when nobody heard it."""

    call: dict[str, Any]
    begin: float
    end: float
    answer: Any


def read_logs(logs: Iterable[Path]) -> list[Operation]:
    """Operations in the order in which they began."""
    begun: dict[str, dict[str, Any]] = {}
    ended: dict[str, dict[str, Any]] = {}
    for log in logs:
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            (begun if "does" in entry else ended)[entry["call"]] = entry
    operations = []
    for name, call in begun.items():
        end = ended.get(name)
        answered = end is not None and "answer" in end
        operations.append(
            Operation(
                call, call["at"], end["at"] if answered and end else inf, end["answer"] if answered and end else None
            )
        )
    return sorted(operations, key=lambda operation: operation.begin)


def order_of(operations: list[Operation]) -> list[Operation] | None:
    """An order that explains every answer, without the unanswered calls that did not happen; None when there is none."""
    sys.setrecursionlimit(100_000)
    refuted: set[tuple[frozenset[int], State]] = set()

    def search(left: frozenset[int], state: State) -> list[Operation] | None:
        if all(operations[n].answer is None for n in left):
            return []
        if (left, state) in refuted:
            return None
        first_end = min(operations[n].end for n in left)
        for n in sorted(left, key=lambda n: (operations[n].end, n)):
            operation = operations[n]
            if operation.begin > first_end:
                continue
            for after in outcomes(state, operation):
                rest = search(left - {n}, after)
                if rest is not None:
                    return [operation, *rest]
        refuted.add((left, state))
        return None

    return search(frozenset(range(len(operations))), ())


def outcomes(state: State, operation: Operation) -> Iterator[State]:
    """The states after the operation, if its answer can be true of ``state``."""
    call, answer = operation.call, operation.answer
    match call["does"]:
        case "add_faces":
            yield from _added(dict(state), call["contact"], call["numbers"], answer)
        case "delete_faces":
            keys = [(call["contact"], number) for number in call["numbers"]]
            yield from _deleted(dict(state), keys, answer)
        case "delete_contact":
            yield from _deleted(dict(state), [key for key, _ in state if key[0] == call["contact"]], answer)
        case "get_faces":
            if answer is None:
                return
            bound = _bound(dict(state), answer)
            if bound is not None and sorted(bound) == sorted(_key(each) for each in answer):
                yield _frozen(bound)
        case "recognize_face":
            if answer is not None and _recognized(dict(state), call, answer):
                bound = _bound(dict(state), answer)
                if bound is not None:
                    yield _frozen(bound)


def _added(state: dict[Key, int], contact: int, numbers: list[int], answer: Any) -> Iterator[State]:
    new = [(contact, number) for number in numbers if (contact, number) not in state]
    if answer is None:
        yield _frozen(state | dict.fromkeys(new, UNKNOWN))
        return
    if answer["error"] or answer["deleted"] or sorted(_key(each) for each in answer["added"]) != sorted(new):
        return
    bound = _bound(state, answer["not_found"])
    if bound is not None and len(answer["not_found"]) == len(numbers) - len(new):
        yield _frozen(bound | {_key(each): each["id"] for each in answer["added"]})


def _deleted(state: dict[Key, int], keys: list[Key], answer: Any) -> Iterator[State]:
    gone = [key for key in keys if key in state]
    after = {key: number for key, number in state.items() if key not in gone}
    if answer is None:
        yield _frozen(after)
        return
    wrong = answer["error"] or answer["added"] or sorted(_key(each) for each in answer["deleted"]) != sorted(gone)
    if not wrong and len(answer["not_found"]) == len(keys) - len(gone) and _bound(state, answer["deleted"]) is not None:
        yield _frozen(after)


def _recognized(state: dict[Key, int], call: dict[str, Any], answer: Any) -> bool:
    expected = []
    places = [key for contact in sorted({key[0] for key in state}) for key in leaders(frozenset(state), contact)]
    if places:
        rows = [_encoding(*key) for key in places]
        probe = fake_encoding(f"contact {call['contact']} {call['look']}")
        found = nearest_contacts(probe, _stacked(rows), [contact for contact, _ in places])
        expected = [(places[each.place], confidence(each.distance)) for each in found]
    told = [(_key(each), each["recognition_confidence"]) for each in answer]
    return [key for key, _ in told] == [key for key, _ in expected] and all(
        abs(one - other) < 1e-9 for (_, one), (_, other) in zip(told, expected, strict=True)
    )


def leaders(present: frozenset[Key], contact: int) -> list[Key]:
    """Who represents the clusters of a contact that has these faces."""
    numbers = [number for of, number in present if of == contact]
    ranked = [Ranked(number, known_face(contact, number)["score"], 0, _encoding(contact, number)) for number in numbers]
    return sorted((contact, leader) for leader in set(representatives(ranked).values()))


@cache
def _encoding(contact: int, number: int) -> Encoding:
    return fake_encoding(f"contact {contact} {number % 2}", number / 20)


def _stacked(rows: list[Encoding]) -> Any:
    import numpy as np

    return np.stack(rows)


def _bound(state: dict[Key, int], faces: Iterable[dict[str, Any]]) -> dict[Key, int] | None:
    """The state with the ids that an answer shows; None when it cannot be of that state."""
    after = dict(state)
    for each in faces:
        key = _key(each)
        if state.get(key) not in {each["id"], UNKNOWN}:
            return None
        after[key] = each["id"]
    return after


def _key(found: dict[str, Any]) -> Key:
    return found["contact_id"], found["face_id"]


def _frozen(state: dict[Key, int]) -> State:
    return tuple(sorted(state.items()))


# ---------------------------------------------------------------- what is there


def flaws(databases: RedisDatabases, user: int, owner: str = "default") -> list[str]:
    """Everything about the stored contacts of an only user that is not as it must be."""
    store, client, p = RedisContactAnswers(databases), databases.client(), prefix(owner)
    snapshot = store.read(owner, user, None, records=True)
    known = store.known(owner, user, None)
    assert known is not None
    found: list[str] = []
    wanted, bearers, images = set(), set(), set()
    for contact in snapshot.contacts.values():
        ranked = [
            Ranked(face.id, face.given.score, model_of(record).value, encoding_of(record))
            for number, face in contact.faces.items()
            if (record := contact.records.get(number))
        ]
        wanted |= set(representatives(ranked).values())
        for number, face in contact.faces.items():
            if face.is_face and number not in contact.records:
                found.append(f"face {number} of contact {contact.contact_id} has no record in the core")
            bearers.add((f"{p}contacts:of:{face.face}", f"{user} {contact.contact_id} {number}"))
            images.add(face.image)
    if {face.id for face in known.faces} != wanted:
        found.append(f"representatives {sorted(face.id for face in known.faces)} instead of {sorted(wanted)}")
    stored = {
        (key.decode(), bearer.decode()) for key in client.keys(f"{p}contacts:of:*") for bearer in client.smembers(key)
    }
    if stored != bearers:
        found.append(f"bearers differ by {stored ^ bearers}")
    listed = {int(each) for each in client.smembers(f"{p}contacts:list:{user}")}
    if listed != set(snapshot.contacts):
        found.append(f"listed are {listed}, there are {set(snapshot.contacts)}")
    there = {image["hash"] for image in RedisAdmissions(databases).images(owner, None, None, 500, "")[0]}
    if there != images:
        found.append(f"images differ by {there ^ images}")
    if snapshot.stale or client.exists(f"{p}contacts:loose:{user}", f"{p}contacts:turn:{user}", "contacts:unsettled"):
        found.append("something was left to be done")
    found += _wrong_persons(client, p, snapshot)
    found += list(check_people(databases)) + [fault.detail for fault in contact_faults(databases)]
    assert all(face_id_of(record) for record in known.records)
    assert len(stack_encodings(known.records)) == len(known.faces) <= FACES * len(snapshot.contacts)
    return found


def _wrong_persons(client: Any, p: str, snapshot: Snapshot) -> Iterator[str]:
    """Contacts that are not the person with exactly their faces."""
    for contact in snapshot.contacts.values():
        faces = {face.face for face in contact.faces.values() if face.face is not None}
        user = next(iter(contact.faces.values())).given.user_id
        person = client.hget(f"{p}contacts:persons", f"{user} {contact.contact_id}")
        shown = {int(face) for face in client.zrange(f"{p}person:{int(person or 0)}:faces", 0, -1)}
        if shown != faces:
            yield f"contact {contact.contact_id} is person {person} with {shown} instead of {faces}"
