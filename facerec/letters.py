"""The headers of dead letters: what they say beside the job's own, and how a job is made of a letter again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from facerec.jobs import LATEST
from facerec.nesting import finite
from facerec.ports import DeadLetter

MAX_REASON = 1000
_OF_LETTERS = ("code", "reason", "buried-at", "attempts")


def message_id(headers: Mapping[str, Any]) -> str:
    """``<hash>:<ticket>`` for a job of ours, something new for a message that is none."""
    if isinstance(headers.get("hash"), str) and isinstance(headers.get("ticket"), int):
        return f"{headers['hash'][:64]}:{headers['ticket']}"
    return uuid.uuid4().hex


def buried_headers(headers: Mapping[str, Any], code: str, reason: str) -> dict[str, Any]:
    """Those of the message without the broker's own (``x-``), and why, when and after how many attempts it was given up."""
    return without_brokers(headers) | {
        "code": code,
        "reason": reason[:MAX_REASON],
        "buried-at": f"{time.time():.6f}",
        "attempts": _number(headers.get("attempt")),
    }


def redriven_headers(headers: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the job that lies in the letter, as a first attempt, with ``changes``; ``redriven`` counts how often."""
    kept = {name: value for name, value in without_brokers(headers).items() if name not in _OF_LETTERS}
    return kept | {"attempt": 1, "redriven": _number(headers.get("redriven")) + 1} | dict(changes)


def dead_letter(headers: Mapping[str, Any], size: int) -> DeadLetter:
    """The letter that a message of the dead letters' queue is; wrong or missing headers count as empty."""
    return DeadLetter(
        hash=_text(headers.get("hash")),
        owner=_text(headers.get("owner")),
        name=_text(headers.get("name")),
        ticket=_number(headers.get("ticket")),
        code=_text(headers.get("code")),
        reason=_text(headers.get("reason")),
        attempts=_number(headers.get("attempts")),
        buried_at=_seconds(headers.get("buried-at")),
        size=size,
    )


def without_brokers(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if not name.startswith("x-")}


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
