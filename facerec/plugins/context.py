"""What a plugin gets: ``ctx``. Its methods are async, as those of the product whose plugins these are like.

``user`` is the owner on whose behalf a call is made, as `BaseHandler.user` has it; nothing of other owners is found unless
`ALL_USERS` is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from facerec.confidence import FARTHEST, confidence, distance_of
from facerec.enrolment import Wish
from facerec.errors import NotFound
from facerec.faces import Encoding
from facerec.galleries import Bounds, Change, FaceBook, StoredFace, check_gallery
from facerec.plugins.hooks import Hooks
from facerec.services.enrolment import Enrolments
from facerec.services.lookup import Lookup, Seen

_AT_ONCE = 500
_FIRST = 100


class _AllUsers:
    def __repr__(self) -> str:
        return "ALL_USERS"


ALL_USERS: Final = _AllUsers()
"""Given as ``user``: the data of every owner."""
User = str | _AllUsers
Filter = Callable[[StoredFace], bool]


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored face and how sure it is that it shows the probe's person."""

    face: StoredFace
    confidence: float


class Hits(list[Hit]):
    """Hits by falling confidence; how many parts of the index answered."""

    live_servers = 1
    total_servers = 1


class Faces:
    def __init__(self, book: FaceBook, lookup: Lookup, enrolments: Enrolments) -> None:
        self._book = book
        self._lookup = lookup
        self._enrolments = enrolments

    async def find(self, user: User, gallery: str = "default", meta: str | None = None) -> list[StoredFace]:
        """All faces of a gallery, newest first, with this meta only when it is given."""
        return [face for owner in _owners(self._book, user) for face in self._walk(owner, gallery, meta)]

    async def find_one(self, user: User, face_id: int) -> StoredFace | None:
        for owner in _owners(self._book, user):
            if found := self._book.faces(owner, [face_id])[0]:
                return found
        return None

    async def count(self, user: User, gallery: str = "default") -> int:
        return len(await self.find(user, gallery))

    async def add(self, user: str, photo: bytes, name: str, wish: Wish) -> list[StoredFace]:
        """Store faces of a photo, as POST /face does."""
        return self._enrolments.post(user, photo, name, wish)

    async def update_one(
        self, user: str, face_id: int, *, meta: str | None = None, person_id: int | None = None
    ) -> StoredFace | None:
        """None when there is none."""
        try:
            self._book.change(user, face_id, Change(meta=meta, person=person_id))
        except NotFound:
            return None
        return await self.find_one(user, face_id)

    async def remove_one(self, user: str, face_id: int, tolerance: float = 0.6) -> bool | None:
        """True, or None when there is none."""
        return True if self._book.drop(user, face_id, tolerance) else None

    async def add_to_galleries(self, user: str, face: StoredFace, names: Sequence[str]) -> None:
        """Raises NotFound, BadParam. A face that is in one of them stays there."""
        self._book.change(user, face.id, Change(galleries=("add", tuple(names))))

    async def del_from_galleries(self, user: str, face: StoredFace, names: Sequence[str]) -> None:
        """Raises NotFound. A face that is in none of them stays as it is."""
        self._book.change(user, face.id, Change(galleries=("del", tuple(names))))

    async def identify(
        self,
        user: str,
        gallery: str,
        face: StoredFace | Seen | Encoding,
        limit: int = 1,
        threshold: float = 0.75,
        filters: Filter | Mapping[str, Any] | None = None,
    ) -> Hits:
        """At most ``limit`` faces that pass the filters, by falling confidence: filters come before the limit.

        ``filters`` is a function, or attributes of `StoredFace` and their values.
        """
        probe = (
            face.face.encoding if isinstance(face, StoredFace) else face.encoding if isinstance(face, Seen) else face
        )
        reach = min(FARTHEST, distance_of(threshold) + 1e-9)
        passes = _filter(filters)
        count = limit if filters is None else max(limit, _FIRST)
        while True:
            near = self._lookup.search(user, [probe], gallery, reach, min(count, 10_000)).probes[0]
            stored = self._book.faces(user, [each.face for each in near])
            hits = Hits(
                Hit(known, confidence(each.distance))
                for each, known in zip(near, stored, strict=True)
                if known and passes(known) and confidence(each.distance) >= threshold
            )
            if len(hits) >= limit or len(near) < count or count >= 10_000:
                return Hits(hits[:limit])
            count *= 10

    def _walk(self, owner: str, gallery: str, meta: str | None) -> Iterator[StoredFace]:
        bounds = Bounds()
        while ids := self._book.page(owner, gallery, bounds, _AT_ONCE, meta).ids:
            yield from (face for face in self._book.faces(owner, ids) if face)
            bounds = Bounds(below=ids[-1])


class Galleries:
    def __init__(self, book: FaceBook) -> None:
        self._book = book

    async def find(self, user: User) -> list[str]:
        return [name for owner in _owners(self._book, user) for name in self._book.galleries(owner)]

    async def add(self, user: str, gallery: Mapping[str, str]) -> None:
        """``gallery`` is ``{"name"}``. Raises ValueError for a bad name, Conflict."""
        try:
            name = check_gallery(gallery.get("name"))
        except Exception as error:
            raise ValueError(str(error)) from error
        self._book.add_gallery(user, name)

    async def remove_one(self, user: str, name: str) -> bool | None:
        """True, or None when there is none."""
        try:
            self._book.remove_gallery(user, name)
        except NotFound:
            return None
        return True


class Persons:
    def __init__(self, book: FaceBook) -> None:
        self._book = book

    async def find(self, user: User) -> list[dict[str, Any]]:
        return [person for owner in _owners(self._book, user) for person in self._book.persons(owner)]

    async def find_one(self, user: str, person_id: int) -> dict[str, Any] | None:
        return self._book.person(user, person_id)

    async def faces(self, user: str, person_id: int) -> list[int]:
        """Ids of the person's faces, newest first."""
        return self._book.person_faces(user, person_id)

    async def is_friend(self, user: str, face: StoredFace) -> bool:
        """What was found when the face was stored."""
        found = self._book.faces(user, [face.id])[0]
        return bool(found and found.attributes.get("friend") == "1")


class Cameras:
    def __init__(self, book: FaceBook) -> None:
        self._book = book

    async def find(self, user: User) -> list[dict[str, Any]]:
        return [camera for owner in _owners(self._book, user) for camera in self._book.cameras(owner)]

    async def find_one(self, user: str, camera_id: str) -> dict[str, Any] | None:
        return self._book.camera(user, camera_id)


class Users:
    def __init__(self, book: FaceBook) -> None:
        self._book = book

    async def find(self, user: _AllUsers) -> list[str]:
        """Every owner that has images; asks for `ALL_USERS` so that nobody lists them by accident."""
        return _owners(self._book, user)


class Counters:
    def __init__(self, book: FaceBook) -> None:
        self._book = book

    async def next(self, name: str) -> int:
        """The next number of a plugin's counter, from 1."""
        if not name:
            raise ValueError("a counter has a name")
        return self._book.count(name)


class Extractor:
    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def extract(self, user: str, photo: bytes) -> list[Seen]:
        """Every face of a photo, with its encoding; nothing is stored."""
        return self._lookup.all_faces(user, photo)


@dataclass(frozen=True)
class Context:
    """``settings`` are those of the service, ``hooks`` the places to be called at."""

    faces: Faces
    galleries: Galleries
    persons: Persons
    cameras: Cameras
    users: Users
    counters: Counters
    extractor: Extractor
    hooks: Hooks = field(default_factory=Hooks)


def make_context(book: FaceBook, lookup: Lookup, enrolments: Enrolments, hooks: Hooks) -> Context:
    return Context(
        faces=Faces(book, lookup, enrolments),
        galleries=Galleries(book),
        persons=Persons(book),
        cameras=Cameras(book),
        users=Users(book),
        counters=Counters(book),
        extractor=Extractor(lookup),
        hooks=hooks,
    )


def _owners(book: FaceBook, user: User) -> list[str]:
    return [user] if isinstance(user, str) else book.owners()


def _filter(filters: Filter | Mapping[str, Any] | None) -> Filter:
    if filters is None:
        return lambda _face: True
    if callable(filters):
        return filters
    wanted = dict(filters)
    return lambda face: all(getattr(face, name) == value for name, value in wanted.items())
