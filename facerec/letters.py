"""The headers of dead letters: what they say beside the job's own, and how a job is made of a letter again."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

from facerec.errors import MalformedJob
from facerec.identity import MAX_NAME, is_hash
from facerec.jobs import LATEST
from facerec.nesting import finite
from facerec.ports import DeadLetter

MAX_REASON = 1000
MAX_HEADERS = 60_000
"""Characters; all headers of a message go in one frame, which has 131 072 bytes."""
_HASH = re.compile(r"[0-9a-f]{1,64}")
_OF_JOBS = ("facerec-version", "owner", "hash", "name", "ticket", "queued-at", "attempt")
_MARK = "letter"
_OF_LETTERS = ("code", "reason", "buried-at", "attempts", _MARK)
_IS_MARK = re.compile(r"[0-9a-f]{32}")


def message_id(headers: Mapping[str, Any]) -> str:
    """``<hash>:<ticket>`` for a job of ours, something new for a message that is none."""
    image_hash, ticket = headers.get("hash"), headers.get("ticket")
    if isinstance(image_hash, str) and _HASH.fullmatch(image_hash) and isinstance(ticket, int):
        return f"{image_hash}:{ticket}"
    return uuid.uuid4().hex


def marked_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a message that is no job, with a mark that tells its letter from others."""
    return dict(headers) | {_MARK: uuid.uuid4().hex}


def buried_headers(headers: Mapping[str, Any], code: str, reason: str) -> dict[str, Any]:
    """Those of the message without the broker's own (``x-``), and why, when and after how many attempts it was given up."""
    return _fitting(without_brokers(headers)) | {
        "code": code,
        "reason": reason[:MAX_REASON].encode(errors="replace").decode(),
        "buried-at": f"{time.time():.6f}",
        "attempts": _number(headers.get("attempt")),
    }


def redriven_headers(headers: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the job that lies in the letter, as a first attempt, with ``changes``; ``redriven`` counts how often."""
    kept = {name: value for name, value in without_brokers(headers).items() if name not in _OF_LETTERS}
    return kept | {"attempt": 1, "redriven": _number(headers.get("redriven")) + 1} | dict(changes)


def dead_letter(headers: Mapping[str, Any], size: int) -> DeadLetter:
    """The letter that a message of the dead letters' queue is; wrong or missing headers count as empty."""
    code, ticket = _text(headers.get("code")), _number(headers.get("ticket"))
    is_job = ticket > 0 and is_hash(_text(headers.get("hash"))) and code != MalformedJob.code
    return DeadLetter(
        hash=_text(headers.get("hash")),
        owner=_text(headers.get("owner")),
        name=_text(headers.get("name")),
        ticket=ticket,
        code=code,
        reason=_text(headers.get("reason")),
        attempts=_number(headers.get("attempts")),
        buried_at=_seconds(headers.get("buried-at")),
        size=size,
        mark="" if is_job else _mark_of(headers),
    )


def _mark_of(headers: Mapping[str, Any]) -> str:
    """The mark of a message that is no job; a release before this one gave none, then what all headers say is as good."""
    mark = _text(headers.get(_MARK))
    if _IS_MARK.fullmatch(mark):
        return mark
    return hashlib.sha256(repr(sorted(without_brokers(headers).items())).encode(errors="replace")).hexdigest()[:32]


def without_brokers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Without those either whose names are no texts, which pika gives as bytes."""
    return {name: value for name, value in headers.items() if isinstance(name, str) and not name.startswith("x-")}


def _fitting(headers: Mapping[str, Any]) -> dict[str, Any]:
    """All headers; of a message that has so many that no more would fit, those of a job of ours, as far as they can be."""
    if len(repr(headers)) <= MAX_HEADERS:
        return dict(headers)
    return {
        name: headers[name]
        for name in (*_OF_JOBS, _MARK)
        if name in headers and len(repr(headers[name])) <= MAX_NAME * 12
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _seconds(value: object) -> float:
    try:
        seconds = finite(value) if isinstance(value, str) else 0.0
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < LATEST else 0.0
