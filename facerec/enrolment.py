"""What somebody says of the faces of a photo while posting it; written in the same step as the faces themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Self

_BEYOND = 1 << 40
"""No number of a wish is larger."""
MAX_CANDIDATES = 1000
"""Known faces that are looked at when a face is given to a person: the nearest within the limit."""


@dataclass(frozen=True, slots=True)
class PersonRule:
    """Dynamic persons: a face gets the person of the nearest face at most ``limit`` away that has one, or a new person.

    Unless ``everywhere`` only faces of the same camera count. A person is a friend of a camera that saw it on ``friend_days``
    different days since ``friend_since`` (seconds since the epoch).
    """

    limit: float
    everywhere: bool
    friend_since: float
    friend_days: int


@dataclass(frozen=True, slots=True)
class Wish:
    """The faces that are meant: those at ``boxes`` (top, right, bottom, left), else by ``selector``; and what is said of them.

    ``selector`` is ``biggest``, ``all`` or ``reject``. ``meta`` None leaves the meta of a known face alone. ``fields`` are
    attributes as they are stored, all texts.
    """

    selector: str = "biggest"
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    meta: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    galleries: tuple[str, ...] = ()
    now: float = 0.0
    persons: PersonRule | None = None

    def document(self) -> dict[str, Any]:
        """JSON-like, for a request to a worker."""
        return asdict(self) | {"fields": dict(self.fields)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """The wish in a request. Raises ValueError, TypeError, KeyError when it is none."""
        persons, meta, fields = document["persons"], document["meta"], document["fields"]
        return cls(
            selector=_text(document["selector"]),
            boxes=tuple(
                (_whole(top), _whole(right), _whole(bottom), _whole(left))
                for top, right, bottom, left in document["boxes"]
            ),
            meta=None if meta is None else _text(meta),
            fields={_text(name): _text(value) for name, value in dict(fields).items()},
            galleries=tuple(map(_text, document["galleries"])),
            now=_number(document["now"]),
            persons=_person_rule(**persons) if persons else None,
        )


def _person_rule(limit: object, everywhere: object, friend_since: object, friend_days: object) -> PersonRule:
    """Raises TypeError, ValueError."""
    return PersonRule(_number(limit), bool(everywhere), _number(friend_since), _whole(friend_days))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is wanted")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _BEYOND:
        raise TypeError("a number is wanted")
    return float(value)


def _whole(value: object) -> int:
    if _number(value) != int(_number(value)):
        raise TypeError("a whole number is wanted")
    return int(_number(value))


def fields_at(at: float, zone: tzinfo) -> dict[str, str]:
    """What is stored of the time of a face: seconds since the epoch, and the calendar day in a zone.

    Raises ValueError for a time that is not within the years 1 to 9999, in UTC and in the zone: nobody could be told it.
    """
    try:
        day = datetime.fromtimestamp(at, UTC).astimezone(zone).date()
    except (OverflowError, OSError) as error:
        raise ValueError("a time is within the years 1 to 9999") from error
    return {"timestamp": f"{at:.6f}", "day": day.isoformat()}


@dataclass(frozen=True, slots=True)
class Candidates:
    """For each face that needs a person the near known faces, nearest first; ``position`` is where the journal stood then.

    Without a position nothing was looked for.
    """

    faces: Mapping[int, Sequence[int]] = field(default_factory=dict)
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A wish and the faces that it chose, by id."""

    wish: Wish
    faces: tuple[int, ...]

    def text(self, candidates: Mapping[int, Sequence[int]]) -> str:
        """As the store takes it. ``candidates`` has for each face the near known faces, nearest first; ids travel as texts."""
        wish = self.wish
        faces = [
            {
                "id": str(face),
                "fields": dict(wish.fields),
                "candidates": [str(near) for near in candidates.get(face, ())],
                **({} if wish.meta is None else {"meta": wish.meta}),
            }
            for face in self.faces
        ]
        document: dict[str, Any] = {"faces": faces, "galleries": list(wish.galleries), "now": f"{wish.now:.6f}"}
        if wish.persons:
            rule = wish.persons
            document |= {"persons": True, "everywhere": rule.everywhere}
            document |= {"friend_since": f"{rule.friend_since:.6f}", "friend_days": rule.friend_days}
        return json.dumps(document)
