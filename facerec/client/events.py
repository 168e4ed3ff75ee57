"""Server-sent events, as far as we need them: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """An image changed its state."""

    hash: str
    state: str


def events_in(pieces: Iterable[bytes]) -> Iterator[Event | None]:
    """The events in a stream of bytes; None for each sign of life that is none, such as a comment."""
    data: list[str] = []
    for line in _lines(pieces):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            yield _event("\n".join(data))
            data = []
        elif not field:
            yield None


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def _event(text: str) -> Event | None:
    """An event of another kind is None: newer services may send more kinds."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(document, dict) and isinstance(document.get("hash"), str) and isinstance(document.get("state"), str):
        return Event(document["hash"], document["state"])
    return None
