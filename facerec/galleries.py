"""Faces in galleries, persons, cameras: what the FindFace interface and plugins stand on, and the port to where it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from facerec.encodings import FaceIds
from facerec.enrolment import Candidates, Enrolment
from facerec.errors import BadParam
from facerec.faces import Box, Face
from facerec.ports import JournalGap, Moved

DEFAULT_GALLERY = "default"
HIDDEN = "*hidden"
"""The set of the bystanders of posted photos: they belong to their image and to no gallery."""
MAX_META = 4096
_GALLERY = re.compile(r"[a-zA-Z0-9_-]{1,48}")


@dataclass(frozen=True, slots=True, eq=False)
class StoredFace:
    """A face with all that was said of it. ``timestamp`` is in seconds since the epoch, ``galleries`` begin with ``default``."""

    id: int
    image: str
    face: Face
    record: bytes = field(repr=False)
    timestamp: float
    meta: str
    galleries: tuple[str, ...]
    person: int | None
    attributes: Mapping[str, str]

    @property
    def box(self) -> Box:
        return self.face.box


@dataclass(frozen=True, slots=True)
class Page:
    """Some face ids, newest first, and whether there are newer and older ones."""

    ids: tuple[int, ...]
    newer: bool
    older: bool


@dataclass(frozen=True, slots=True)
class MetaCount:
    meta: str
    count: int
    newest: int


@dataclass(frozen=True, slots=True)
class Change:
    """What shall become of a face: None leaves alone. ``galleries`` is (``add``, ``del`` or ``set``, names).

    ``fields`` are attributes to set, all texts.
    """

    meta: str | None = None
    person: int | None = None
    galleries: tuple[str, tuple[str, ...]] | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    friend_since: float = 0.0
    friend_days: int = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """The image that a face was removed from. ``last``: of a posted photo it would have been the last, and nothing was removed.

    The photo is to be erased then, which takes the face with it in one step: were the face removed first, a front end that died
    between the two would leave a photo that nobody asks for any more.
    """

    image: str
    last: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """Ids strictly below ``below`` and strictly above ``above``."""

    below: int | None = None
    above: int | None = None

    @property
    def is_rising(self) -> bool:
        """Whether those next to ``above`` are wanted, and not the newest."""
        return self.above is not None and self.below is None


class GallerySets(Protocol):
    """Which faces a gallery holds, as a worker asks. May raise StoreUnavailable."""

    def version(self, owner: str, gallery: str) -> int:
        """Rises with each change of the gallery."""

    def members(self, owner: str, gallery: str) -> tuple[int, FaceIds]:
        """A version, and the sorted ids of all faces of the gallery then or a little later."""

    def changes(self, owner: str, gallery: str, version: int) -> Sequence[tuple[int, bool, int]] | None:
        """What happened after ``version``: version, whether it came (else it left), face id. None when that was forgotten."""


class FaceBook(Protocol):
    """The store as the FindFace interface sees it: each change is one atomic step. May raise StoreUnavailable."""

    def faces(self, owner: str, ids: Sequence[int], *, hidden: bool = False) -> list[StoredFace | None]: ...

    def faces_of_image(self, owner: str, image_hash: str) -> list[StoredFace] | None:
        """All faces of a finished image, bystanders too; None when there is none."""

    def removed_faces(self, owner: str, image_hash: str) -> str:
        """The field of the image document that says which faces were removed (`facerec.removed`); '' for none."""

    def enrol(
        self, owner: str, image_hash: str, enrolment: Enrolment, candidates: Candidates
    ) -> bool | Moved | JournalGap:
        """Faces of a finished image were posted again; False when they are gone.

        Nothing is written, and what came is returned, when the journal went on since the candidates were looked for.
        """

    def change(self, owner: str, face: int, change: Change) -> None:
        """Raises NotFound, BadParam."""

    def drop(self, owner: str, face: int, tolerance: float) -> Dropped | None:
        """Remove a face from its image and from everywhere, unless it is the last; None when there is none."""

    def page(self, owner: str, gallery: str, bounds: Bounds, limit: int, meta: str | None = None) -> Page:
        """A page of a gallery, of the faces with this meta only when it is given."""

    def metas(self, owner: str, gallery: str, after: str | None, limit: int) -> tuple[list[MetaCount], bool]:
        """Metas in alphabetical order, and whether there are more."""

    def galleries(self, owner: str) -> list[str]: ...

    def has_gallery(self, owner: str, gallery: str) -> bool: ...

    def add_gallery(self, owner: str, gallery: str) -> None:
        """Raises Conflict."""

    def remove_gallery(self, owner: str, gallery: str) -> None:
        """It is gone at once for everybody, before its faces are told in further steps. They stay in ``default``.

        Raises NotFound.
        """

    def add_person(self, owner: str, name: str) -> int:
        """A new person without faces; its id. Raises BadParam."""

    def seen_days(self, owner: str, person: int, camera: str, since: float) -> int:
        """On how many different days since then (seconds since the epoch) a camera saw a person."""

    def person_faces(self, owner: str, person: int) -> list[int]:
        """Newest first."""

    def owners(self) -> list[str]:
        """Everybody who has images."""

    def count(self, name: str) -> int:
        """The next number of a counter, from 1."""

    def cameras(self, owner: str) -> list[dict[str, Any]]: ...

    def camera(self, owner: str, camera: str) -> dict[str, Any] | None: ...

    def put_camera(self, owner: str, camera: str, fields: Mapping[str, Any], *, new: bool) -> None:
        """Raises NotFound unless ``new``."""

    def remove_camera(self, owner: str, camera: str) -> bool: ...


def check_gallery(name: object, param: str = "gallery") -> str:
    """``name`` when it can be a gallery's. Raises BadParam."""
    if not isinstance(name, str) or not _GALLERY.fullmatch(name):
        shown = name[:100] if isinstance(name, str) else None
        raise BadParam(param, "a gallery has 1 to 48 characters of a-z, A-Z, 0-9, _ and -", shown)
    return name
