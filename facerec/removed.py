"""Faces that somebody removed from their image. Each comes back, the same one, when its photo is posted again and it is meant.

Only where it was is kept, in the field ``removed`` of the image document (``<id>:<top>:<right>:<bottom>:<left>``, comma between):
nothing that tells who it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from facerec.errors import InternalError
from facerec.faces import Box
from facerec.identity import ticket_of
from facerec.selection import SAME, overlap


@dataclass(frozen=True, slots=True)
class Removed:
    """A removed face: the id that it had and gets again, and its box in pixels of the upright original."""

    id: int
    box: Box

    @property
    def document(self) -> list[int]:
        """For a request to a worker."""
        return [self.id, self.box.top, self.box.right, self.box.bottom, self.box.left]

    @classmethod
    def of(cls, document: Iterable[Any]) -> Self:
        """Raises ValueError, TypeError."""
        face, *sides = map(int, document)
        return cls(face, Box(*sides))


def removed_of(field: str, stored: Sequence[tuple[int, Box]]) -> list[Removed]:
    """What the field of a document says, without faces that are ``stored`` (ids and boxes), found anew by a regeneration perhaps.

    Raises InternalError when the field is damaged.
    """
    try:
        found = [Removed.of(entry.split(":")) for entry in field.split(",") if entry]
    except (TypeError, ValueError) as error:
        raise InternalError(f"nobody knows which faces were removed from an image: {error}") from error
    return [face for face in found if all(face.id != other and overlap(face.box, box) < SAME for other, box in stored)]


def restored(document: Any) -> tuple[Removed, ...]:
    """The faces of one image that a request wants back. Raises ValueError, TypeError."""
    faces = tuple(Removed.of(each) for each in document)
    if len({ticket_of(face.id) for face in faces}) > 1 or len({face.id for face in faces}) < len(faces):
        raise ValueError("faces that come back are different ones of one image")
    return faces
