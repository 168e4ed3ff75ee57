"""Which dead letters there are; their jobs, with the pictures, lie in RabbitMQ.

================  ====  ============================================================================================
key               type  holds
================  ====  ============================================================================================
dead              zset  {p}<id> of every letter, all of score 0
{p}dead:when      zset  those that an owner sees, <when><id>, all of score 0: oldest first
{p}dead:letters   hash  id -> <when> and the letter, JSON
================  ====  ============================================================================================

An id is ``<hash>:<ticket>``, or ``<hash or ->:<mark>`` of a message that was no job. ``<when>`` is when the job was given
up, in microseconds with 20 digits.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors, pages_of_members
from facerec.adapters.redis.layout import OWN, owner_and_rest, prefix
from facerec.errors import BadParam
from facerec.identity import is_hash
from facerec.ports import DeadLetter

log = logging.getLogger(__name__)
_ALL = "dead"
_DIGITS = 20
_AT_ONCE = 1000
_CURSOR = re.compile(r"[0-9]{20}[-:0-9a-f]{1,200}")


class RedisLetterIndex:
    """`facerec.ports.LetterIndex` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def add(self, letter: DeadLetter) -> bool:
        image_hash = letter.hash if is_hash(letter.hash) else ""
        who = prefix(letter.seen_by), image_hash, letter.ticket, letter.id
        document = json.dumps(asdict(letter))
        return bool(self._databases.call("dead_add", *who, f"{letter.buried_at * 1e6:0{_DIGITS}.0f}", document))

    def forget(self, letters: Iterable[DeadLetter]) -> None:
        calls = [(prefix(letter.seen_by), letter.id) for letter in letters]
        for begin in range(0, len(calls), _AT_ONCE):
            self._databases.call_many("dead_forget", calls[begin : begin + _AT_ONCE])

    def count(self) -> int:
        with mapped_errors():
            return int(self._client.zcard(_ALL))

    def of(self, owner: str, hashes: Collection[str] | None) -> list[DeadLetter]:
        p = prefix(owner)
        if hashes is None:
            with mapped_errors():
                noted = list(self._client.hscan_iter(f"{p}dead:letters", count=_AT_ONCE))
            return self._letters(p, noted)
        with mapped_errors(), self._client.pipeline(transaction=False) as pipeline:
            for image_hash in hashes:
                # ; comes after : among the characters
                pipeline.zrangebylex(_ALL, f"[{p}{image_hash}:", f"({p}{image_hash};")
            found = [owner_and_rest(member.decode())[1] for members in pipeline.execute() for member in members]
        return self._get(owner, found)

    def page(self, owner: str, limit: int, cursor: str) -> tuple[list[DeadLetter], str]:
        if cursor and not _CURSOR.fullmatch(cursor):
            raise BadParam("cursor", "no cursor of ours", cursor[:100])
        with mapped_errors():
            begin = f"({cursor}" if cursor else "-"
            found = self._client.zrangebylex(f"{prefix(owner)}dead:when", begin, "+", 0, limit + 1)
        members = [member.decode() for member in found]
        page = self._get(owner, [member[_DIGITS:] for member in members[:limit]])
        return page, members[limit - 1] if len(members) > limit else ""

    def besides(self, seen: Collection[tuple[str, str]]) -> list[DeadLetter]:
        others: dict[str, list[str]] = {}
        for owner, letter_id in self._keys():
            if (owner, letter_id) not in seen:
                others.setdefault(owner, []).append(letter_id)
        return [letter for owner, ids in others.items() for letter in self._get(owner, ids)]

    def has_erased(self) -> bool:
        for members in pages_of_members(self._client, _ALL, _AT_ONCE):
            if members and self._databases.read("dead_erased", *members):
                return True
        return False

    @property
    def _client(self) -> Any:
        return self._databases.client(OWN)

    def _keys(self) -> Iterator[tuple[str, str]]:
        for members in pages_of_members(self._client, _ALL, _AT_ONCE):
            yield from (owner_and_rest(member.decode()) for member in members)

    def _get(self, owner: str, ids: list[str]) -> list[DeadLetter]:
        """Those that are still noted."""
        found: list[bytes | None] = []
        with mapped_errors():
            for begin in range(0, len(ids), _AT_ONCE):
                found += self._client.hmget(f"{prefix(owner)}dead:letters", ids[begin : begin + _AT_ONCE])
        return self._letters(prefix(owner), zip(ids, found, strict=True))

    def _letters(self, p: str, noted: Iterable[tuple[bytes | str, bytes | None]]) -> list[DeadLetter]:
        """What a foreign hand has damaged is forgotten: the letter itself is in the box, and is noted anew."""
        letters = []
        for letter_id, document in noted:
            try:
                letters += [] if document is None else [DeadLetter(**json.loads(document[_DIGITS:]))]
            except (ValueError, TypeError) as error:
                log.error("a noted dead letter is damaged (%s)", error, extra={"action": "damaged_records"})
                self._databases.call("dead_forget", p, letter_id)
        return letters
