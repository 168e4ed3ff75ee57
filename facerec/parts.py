"""The parts of an index, and which of them answered a search.

An engine may spread its faces over parts and ask all of them: each answer then tells of every part. Ours has one: a worker holds
all faces in one piece, and whoever takes the search searches all of them. More workers are more copies of that part, not more
parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

WHOLE = "whole"
"""The name of the only part."""


@dataclass(frozen=True, slots=True)
class Part:
    """``answered``: it was searched, had all of its faces, and knew all that was written before the question."""

    name: str
    answered: bool

    def document(self) -> dict[str, Any]:
        """JSON-like, for a reply."""
        return {"name": self.name, "answered": self.answered}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """The part in a reply."""
        return cls(str(document["name"]), bool(document["answered"]))


Parts = tuple[Part, ...]


def silent(known: Parts) -> Parts:
    """When nobody answered: none of the ``known`` parts did, and an index has one at least."""
    return tuple(Part(name, answered=False) for name in [part.name for part in known] or [WHOLE])


def together(rounds: Sequence[Parts]) -> Parts:
    """Of several searches that make one answer: a part answered it when it answered each of them."""
    answered: dict[str, bool] = {}
    for parts in rounds:
        for part in parts:
            answered[part.name] = answered.get(part.name, True) and part.answered
    return tuple(Part(name, every) for name, every in answered.items())
