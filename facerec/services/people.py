"""Persons: groups of faces that people name, merge, split and correct. One truth for every door of the service.

What the grouping (`facerec.services.grouping`) places is a suggestion that a person may overrule; what a person decides is
kept and honoured by the grouping from then on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from facerec.errors import BadParam

MAX_PERSON_NAME = 200
MAX_FACES = 5000
"""Faces that one operation may be given by name."""
Order = Literal["group", "time"]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some faces of a person to compare with: ids, and by model number their encodings as raw float32 rows."""

    faces: frozenset[int]
    encodings: Mapping[int, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a face stands: its person or None, that person's name and whether it is hidden."""

    person: int | None
    name: str | None = None
    hidden: bool = False


class People(Protocol):
    """The persons of each owner. Every change can be undone, and is one atomic step, but a merging of very many faces.

    That goes step by step, so that nobody waits for it; when it is cut off some faces have moved, and it can be undone or
    done again.

    All methods may raise StoreUnavailable; those with a person or faces raise NotFound for what the owner does not have.
    """

    def edit(
        self, owner: str, person: int, *, name: str | None = None, hidden: bool | None = None, cover: int | None = None
    ) -> None:
        """Change what is given; name ``""`` removes it. An unnamed person without faces vanishes. Raises BadParam."""

    def merge(self, owner: str, person: int, into: int, name: str | None = None) -> list[int]:
        """All faces of ``person`` are ``into``'s from now on; ``person`` is gone.

        A name is kept. When both have one and they differ, ``name`` must say which: else Conflict. Returns the faces of
        which somebody had said that they are not the other; they are now.
        """

    def split(self, owner: str, person: int, faces: Collection[int]) -> int:
        """These faces of the person are a new one, whose id is returned. Raises BadParam when nothing would be left."""

    def move(self, owner: str, faces: Collection[int], person: int | None, *, new: bool = False) -> int | None:
        """These faces are ``person``'s, or nobody's, or a ``new`` person's, whose id is returned."""

    def reject(self, owner: str, person: int, faces: Collection[int]) -> None:
        """These faces of the person are not it, and will never be placed there again by themselves. Raises BadParam."""

    def undo(self, owner: str) -> Document:
        """Take back the newest operation: what it was. Raises NotFound when there is none, Conflict when it cannot be."""

    def history(self, owner: str) -> list[Document]:
        """The operations that can be undone, newest first."""

    def person(self, owner: str, person: int) -> Document:
        """One person."""

    def people(
        self, owner: str, *, named: bool | None, hidden: bool, name: str | None, limit: int, cursor: str
    ) -> tuple[list[Document], str]:
        """A page of persons, most faces first, or those whose name begins with ``name``, by name; and the next cursor.

        ``hidden`` gives the hidden ones and no others. Raises BadParam for a cursor that is not ours.
        """

    def faces(self, owner: str, person: int, limit: int, cursor: str) -> tuple[list[Document], str]:
        """A page of a person's faces, newest picture first, and the next cursor."""

    def unknown(self, owner: str, order: Order, limit: int, cursor: str) -> tuple[list[Document], str]:
        """A page of the faces that nobody named: largest group first, or newest picture first; and the next cursor."""

    def sample(self, owner: str, person: int, count: int) -> Sample:
        """At most ``count`` faces of the person, spread over time."""

    def standings(self, owner: str, person: int, faces: Sequence[int]) -> list[Standing | None]:
        """Where faces stand; None for one that is gone, or that somebody said is not ``person``."""


def person_name(text: str) -> str:
    """A name, or the beginning of one, as names are stored and searched: in composed form (NFC), a space for any white space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def check_person_name(text: str) -> str:
    """``text`` as names are stored (`person_name`), when it can be the name of a person. Raises BadParam."""
    name = person_name(text)
    if not name or len(name) > MAX_PERSON_NAME:
        raise BadParam("name", f"the name of a person has 1 to {MAX_PERSON_NAME} characters", text[:100])
    if any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in text.strip()):
        raise BadParam("name", "the name of a person has no control characters", text[:100])
    return name


def check_faces(faces: Collection[int]) -> list[int]:
    """``faces`` in order, each once. Raises BadParam when there is none or too many."""
    if not 0 < len(faces) <= MAX_FACES:
        raise BadParam("faces", f"1 to {MAX_FACES} faces are needed")
    return sorted(set(faces))
