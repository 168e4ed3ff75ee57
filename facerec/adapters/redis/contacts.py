"""Contacts in Redis. All keys are in database 0; ``{p}`` is the owner's beginning (`facerec.adapters.redis.layout`).

===============================  ======  ===============================================================================
key                              type    holds
===============================  ======  ===============================================================================
{p}contact:<user>:<contact>      hash    face_id -> the face: id, url, external_id, score, image hash, face of the core
{p}contacts:list:<user>          set     the user's contacts; each has at least one face
{p}contacts:leaders:<user>       hash    contact -> face_ids of the representatives of its clusters
{p}contacts:stale:<user>         set     contacts that lost a face by an erasure: their clusters are made anew before use
{p}contacts:version:<user>       string  counts changes
{p}contacts:set:<user>           string  value of contacts:sets when the clusters of all contacts were made, but for the stale ones
contacts:sets                    string  how often databases 3 and 4 were exchanged for those of another model; then every
                                         cluster of every user is made anew before use
{p}contacts:turn:<user>          string  token of the call that may change the user; expires
{p}contacts:done:<user>          string  name of the last write, which may be sent twice; expires
{p}contacts:of:<face>            set     "user contact face_id" of the contact faces that are this face of the core
{p}contacts:loose:<user>         set     image hashes that a call of this user brought and that may be without a contact face
contacts:unsettled               set     {p}<user> of the users that have loose images, while a call has the turn or after it died
{p}contacts:image:<hash>         hash    ``brought``: ticket under which contacts brought the image; ``name <url>``: ticket of a
                                         name from contacts; ``expected <user>``: a call of that user is about to use it
{p}contacts:persons              hash    "user contact" -> the person (`facerec.adapters.redis.people`) that the contact is
{p}person:<id>:contacts          set     the other way round
{p}contacts:answer:<id>          hash    an answer: user, at, url, candidates, count, feedback
{p}contacts:answers[:<user>]     zset    ids of the answers
{p}contacts:counts[:<user>]      hash    recognize_calls, true_positives, false_positives
contacts:face, contacts:answer   string  the newest ids of all owners: when they were given, in microseconds since 2026, or one
                                         more than the last
===============================  ======  ===============================================================================

A user's version, turn and last write stay when the user goes: they keep late writers out. A person that a contact founded has
the field ``founded``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facerec.adapters.redis.commits import pairs
from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors
from facerec.adapters.redis.documents import removed_field
from facerec.adapters.redis.layout import FACES, OWN, owner_and_rest, prefix
from facerec.adapters.redis.names import erase_image
from facerec.errors import BadParam, Conflict, NotFound
from facerec.ports import Admission
from facerec.services.contacts_faces import ContactFace
from facerec.services.contacts_store import Change, Contact, Known, LeaseLost, Snapshot, Turn


class RedisContacts:
    """The contacts themselves: all of `facerec.services.contacts_store.ContactStore` but the answers."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def take_turn(self, turn: Turn, seconds: float) -> bool:
        return self._turn(turn, "take", seconds)

    def keep_turn(self, turn: Turn, seconds: float) -> bool:
        return self._turn(turn, "keep", seconds)

    def end_turn(self, turn: Turn) -> None:
        self._turn(turn, "end", 0)

    def _turn(self, turn: Turn, what: str, seconds: float) -> bool:
        return bool(self._databases.call("contacts_turn", *_who(turn), what, int(seconds * 1000)))

    def read(self, owner: str, user_id: int, contact_ids: Sequence[int] | None, *, records: bool) -> Snapshot:
        which: tuple[str | int, ...] = ("all",) if contact_ids is None else ("some", *contact_ids)
        reply = self._databases.read("contacts_read", prefix(owner), user_id, int(records), *which)
        version, stale, *rest = reply
        contacts = {}
        for contact, flat, found in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            if flat:
                contacts[int(contact)] = _contact(user_id, int(contact), pairs(flat), found)
        return Snapshot(version.decode(), contacts, frozenset(map(int, stale)))

    def known(self, owner: str, user_id: int, version: str | None) -> Known | None:
        asked = "" if version is None else version
        current, *rest = self._databases.call("contacts_known", prefix(owner), user_id, asked)
        if not rest:
            return None
        stale, *rows = rest
        faces = [
            ContactFace.of(user_id, int(contact), int(number), text)
            for contact, number, text in zip(rows[::4], rows[1::4], rows[2::4], strict=True)
        ]
        return Known(current.decode(), int(stale) > 0, faces, rows[3::4])

    def write(self, turn: Turn, call: str, version: str, changes: Sequence[Change], *, leaves: bool = False) -> bool:
        arguments: list[Argument] = [*_who(turn), call, version, int(leaves)]
        for change in changes:
            arguments += _change_arguments(change)
        outcome = self._databases.call("contacts_write", *arguments)
        if outcome == b"lost":
            raise LeaseLost("this call was away for too long, and another has the turn")
        return bool(outcome == b"written")

    def new_ids(self, count: int) -> range:
        first = int(self._databases.call("contacts_ids", count)) if count else 0
        return range(first, first + count)

    def expect(self, turn: Turn, image: str, url: str) -> Admission:
        reply = self._databases.call("contacts_expect", *_who(turn), image, url)
        if not reply:
            raise LeaseLost("this call was away for too long, and another has the turn")
        state, ticket = reply
        return Admission(state.decode(), int(ticket))

    def unsettled(self, limit: int) -> list[tuple[str, int]]:
        with mapped_errors():
            found = self._databases.client(OWN).srandmember("contacts:unsettled", limit)
        return [(owner, int(user)) for owner, user in (owner_and_rest(each.decode()) for each in found)]

    def loose(self, turn: Turn) -> list[str]:
        with mapped_errors():
            found = self._databases.client(OWN).smembers(f"{prefix(turn.owner)}contacts:loose:{turn.user_id}")
        return sorted(image.decode() for image in found)

    def discard(self, turn: Turn, image: str) -> bool:
        return erase_image(self._databases, turn.owner, image, turn.user_id, turn.token) is not None

    def records(self, owner: str, image: str) -> list[bytes] | None:
        p = prefix(owner)
        with mapped_errors():
            records = self._databases.client(FACES).lrange(p + image, 0, -1)
            # Records are written before the image is done and vanish with it, so these are whole if it is done now.
            state = None if records else self._databases.client(OWN).hget(f"{p}image:{image}", "state")
        return list(records) if records or state == b"done" else None

    def removed_faces(self, owner: str, image: str) -> str:
        return removed_field(self._databases, owner, image)

    def failure(self, owner: str, image: str) -> tuple[str, str] | None:
        with mapped_errors():
            key = f"{prefix(owner)}image:{image}"
            state, code, reason = self._databases.client(OWN).hmget(key, "state", "code", "reason")
        if state is None:
            return Conflict.code, "the image was erased while it was looked at"
        return (code.decode(), reason.decode()) if state == b"failed" else None


class RedisContactAnswers(RedisContacts):
    """`facerec.services.contacts_store.ContactStore` over Redis. ``keep`` answers of each user are kept."""

    def __init__(self, databases: RedisDatabases, clock: Callable[[], float] = time.time, keep: int = 10_000) -> None:
        super().__init__(databases)
        self._clock = clock
        self._keep = keep

    def recognized(self, owner: str, user_id: int, call: str, url: str, candidates: Sequence[Mapping[str, Any]]) -> int:
        short = [{name: face[name] for name in ("id", "contact_id", "recognition_confidence")} for face in candidates]
        at = f"{self._clock():.6f}"
        written = (call, at, url, json.dumps(short), len(short), self._keep)
        return int(self._databases.call("contacts_answer", prefix(owner), user_id, *written))

    def feedback(self, owner: str, recognize_id: int, rank: int | None) -> None:
        said = "" if rank is None else rank
        outcome = self._databases.call("contacts_feedback", prefix(owner), recognize_id, said)
        if outcome == b"unknown":
            raise NotFound("there is no such answer")
        if outcome == b"rank":
            raise BadParam("result", "that answer has fewer faces", rank)

    def statistics(self, owner: str, user_id: int | None) -> dict[str, int]:
        with mapped_errors():
            found = self._databases.client(OWN).hgetall(_of(f"{prefix(owner)}contacts:counts", user_id))
        counts = {name.decode(): int(count) for name, count in found.items()}
        right, wrong = counts.get("true_positives", 0), counts.get("false_positives", 0)
        calls = counts.get("recognize_calls", 0)
        return {
            "recognize_calls": calls,
            "feedback_calls": right + wrong,
            "true_positives": right,
            "false_positives": wrong,
        }

    def recognitions(self, owner: str, user_id: int | None, limit: int) -> list[dict[str, Any]]:
        p = prefix(owner)
        with mapped_errors():
            client = self._databases.client(OWN)
            ids = client.zrevrange(_of(f"{p}contacts:answers", user_id), 0, limit - 1)
            with client.pipeline(transaction=False) as pipeline:
                for each in ids:
                    pipeline.hgetall(f"{p}contacts:answer:{each.decode()}")
                found = pipeline.execute() if ids else []
        return [_answer(int(each), answer) for each, answer in zip(ids, found, strict=True) if answer]


def _who(turn: Turn) -> tuple[str, int, str]:
    return prefix(turn.owner), turn.user_id, turn.token


def _of(key: str, user_id: int | None) -> str:
    return key if user_id is None else f"{key}:{user_id}"


def _contact(user_id: int, contact: int, faces: Sequence[tuple[bytes, bytes]], records: Sequence[bytes]) -> Contact:
    known = {int(number): ContactFace.of(user_id, contact, int(number), text) for number, text in faces}
    found = {number: record for number, record in zip(known, records, strict=bool(records)) if record}
    return Contact(contact, known, found)


def _change_arguments(change: Change) -> list[Argument]:
    arguments: list[Argument] = [change.contact_id, " ".join(map(str, change.representatives))]
    arguments += [len(change.added), len(change.deleted)]
    for face in change.added:
        arguments += [face.given.face_id, face.text()]
    return arguments + [face.given.face_id for face in change.deleted]


def _answer(number: int, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    answer = {name.decode(): text.decode() for name, text in fields.items()}
    feedback = answer.get("feedback")
    return {
        "recognize_id": number,
        "user_id": int(answer["user"]),
        "face_url": answer["url"],
        "candidates": json.loads(answer["candidates"]),
        "feedback_received": feedback is not None,
        "recognized": None if feedback is None else feedback != "",
        "feedback_result": int(feedback) if feedback else None,
    }
