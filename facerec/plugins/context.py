"""What a plugin gets: ``ctx``. Its methods are async, as those of the product whose plugins these are like.

``user`` is the owner on whose behalf a call is made, as `BaseHandler.user` has it; nothing of other owners is found unless
`ALL_USERS` is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from facerec.confidence import DEFAULT_THRESHOLD
from facerec.errors import BadParam, InternalError, NotFound
from facerec.galleries import FaceBook, StoredFace, check_gallery
from facerec.plugins.documents import Document, Store
from facerec.plugins.faces import ExtractionFace, Extractor, Faces, Hits, Probe, encoding_of, filter_of
from facerec.plugins.hooks import Hooks
from facerec.plugins.owners import ALL_USERS, AllUsers, User, owners_of
from facerec.ports import Tokens
from facerec.services import cameras
from facerec.services.analyser import Attributing
from facerec.services.enrolment import Enrolments, Filter
from facerec.services.erasure import FaceRemoval
from facerec.services.identify import Hit, Identification
from facerec.services.lookup import Lookup
from facerec.services.persons import Persons as PersonService
from facerec.services.pictures import Pictures
from facerec.services.uploads import Uploads


class Galleries(Store):
    def __init__(self, book: FaceBook) -> None:
        self._book = book

    async def find(self, user: User) -> list[str]:
        return [name for owner in owners_of(self._book, user) for name in self._book.galleries(owner)]

    async def find_one(self, user: str, name: str) -> str | None:
        return name if self._book.has_gallery(user, name) else None

    async def count(self, user: User) -> int:
        return len(await self.find(user))

    async def add(self, user: str, gallery: Mapping[str, str]) -> None:
        """``gallery`` is ``{"name"}``. Raises ValueError for a bad name, Conflict."""
        try:
            name = check_gallery(gallery.get("name"))
        except BadParam as error:
            raise ValueError(error.reason) from error
        self._book.add_gallery(user, name)

    async def remove_one(self, user: str, name: str) -> bool | None:
        """True, or None when there is none."""
        try:
            self._book.remove_gallery(user, name)
        except NotFound:
            return None
        return True


class Persons(Store):
    def __init__(self, book: FaceBook, persons: PersonService) -> None:
        self._book = book
        self._persons = persons

    async def find(self, user: User) -> list[Document]:
        return [Document(person) for owner in owners_of(self._book, user) for person in self._persons.all(owner)]

    async def find_one(self, user: str, person_id: int) -> Document | None:
        try:
            return Document(self._persons.one(user, person_id))
        except NotFound:
            return None

    async def count(self, user: User) -> int:
        return len(await self.find(user))

    async def faces(self, user: str, person_id: int) -> list[int]:
        """Ids of the person's faces, newest first."""
        return self._book.person_faces(user, person_id)

    async def add(self, user: str, person: Mapping[str, str]) -> Document:
        """``person`` is ``{"meta"}``, its name: a person without name and face is none. Raises ValueError."""
        try:
            return Document(self._persons.add(user, person.get("meta", "")))
        except BadParam as error:
            raise ValueError(error.reason) from error

    async def update_one(self, user: str, person_id: int, *, meta: str) -> Document | None:
        """None when there is none. Raises BadParam."""
        try:
            return Document(self._persons.rename(user, person_id, meta))
        except NotFound:
            return None

    async def identify(
        self,
        user: str,
        face: Probe,
        gallery: str = "default",
        threshold: float = DEFAULT_THRESHOLD,
        create: bool = False,
        filters: Filter | Mapping[str, Any] | None = None,
    ) -> int | None:
        """The person of the nearest face of a gallery that has one; None for nobody.

        With ``create`` somebody unknown becomes a new person, and the face is this person's in the same atomic step, so that
        two who ask at once make one person. For that the face must be stored: raises ValueError for another. NotFound when
        it was removed.
        """
        passes = None if filters is None else filter_of(filters)
        person = self._persons.identify(user, encoding_of(face), gallery, threshold, passes)
        if person is not None or not create:
            return person
        if not isinstance(face, StoredFace):
            raise ValueError("a person is made of stored faces: add the face first")
        return self._persons.of_face(user, face, gallery, threshold, passes or _anybody)

    async def is_friend(self, user: str, person_id: int | None, cam_id: str | None) -> bool:
        """Whether the camera saw the person on enough different days lately."""
        return self._persons.is_friend(user, person_id, cam_id)


class Cameras(Store):
    def __init__(self, book: FaceBook) -> None:
        self._book = book

    async def find(self, user: User) -> list[Document]:
        return [Document(camera) for owner in owners_of(self._book, user) for camera in self._book.cameras(owner)]

    async def find_one(self, user: str, camera_id: str) -> Document | None:
        return await self.wrap_in_model(self._book.camera(user, camera_id))

    async def count(self, user: User) -> int:
        return len(await self.find(user))

    async def add(self, user: str, camera: Mapping[str, Any]) -> Document:
        """``camera`` has some of id, meta, url, detector, enabled, rot, roi. Raises BadParam, Conflict."""
        return Document(cameras.add_camera(self._book, user, camera))

    async def update_one(self, user: str, camera_id: str, **fields: Any) -> Document | None:
        """None when there is none. Raises BadParam."""
        checked = cameras.check_camera(fields)
        try:
            self._book.put_camera(user, camera_id, {"id": camera_id} | checked, new=False)
        except NotFound:
            return None
        return await self.find_one(user, camera_id)

    async def remove_one(self, user: str, camera_id: str) -> bool | None:
        """True, or None when there is none."""
        return self._book.remove_camera(user, camera_id) or None


class Users(Store):
    def __init__(self, book: FaceBook, tokens: Tokens) -> None:
        self._book = book
        self._tokens = tokens

    async def find(self, user: AllUsers) -> list[str]:
        """Every owner that has images; asks for `ALL_USERS` so that nobody lists them by accident. Raises BadParam."""
        if not isinstance(user, AllUsers):
            raise BadParam("user", "only ALL_USERS asks for the owners", str(user)[:100])
        return owners_of(self._book, user)

    async def count(self, user: AllUsers) -> int:
        return len(await self.find(user))

    async def add(self, user: Mapping[str, str]) -> None:
        """``user`` is ``{"_id", "token"}``: an owner and what is to let it in, from now on. Only the token's hash is kept.

        Raises ValueError, Conflict for a token that somebody has.
        """
        if not user.get("_id") or not user.get("token"):
            raise ValueError("a user has _id and token")
        try:
            self._tokens.add(user["_id"], user["token"])
        except BadParam as error:
            raise ValueError(error.reason) from error


class Counters:
    def __init__(self, book: FaceBook) -> None:
        self._book = book

    async def next(self, name: str) -> int:
        """The next number of a plugin's counter, from 1. Raises ValueError without a name, TypeError when it is none any more."""
        if not name:
            raise ValueError("a counter has a name")
        try:
            return self._book.count(name)
        except InternalError as error:
            raise TypeError(f"counter {name!r} is no number") from error


@dataclass(frozen=True)
class Context:
    """``hooks`` are the places to be called at."""

    faces: Faces
    galleries: Galleries
    persons: Persons
    cameras: Cameras
    users: Users
    counters: Counters
    extractor: Extractor
    hooks: Hooks = field(default_factory=Hooks)


def make_context(
    *,
    book: FaceBook,
    lookup: Lookup,
    enrolments: Enrolments,
    identification: Identification,
    attributing: Attributing,
    persons: PersonService,
    tokens: Tokens,
    removal: FaceRemoval,
    uploads: Uploads,
    pictures: Pictures,
    hooks: Hooks,
) -> Context:
    return Context(
        faces=Faces(
            book=book,
            enrolments=enrolments,
            identification=identification,
            persons=persons,
            removal=removal,
            lookup=lookup,
            uploads=uploads,
            pictures=pictures,
        ),
        galleries=Galleries(book),
        persons=Persons(book, persons),
        cameras=Cameras(book),
        users=Users(book, tokens),
        counters=Counters(book),
        extractor=Extractor(lookup, attributing),
        hooks=hooks,
    )


def _anybody(_face: StoredFace) -> bool:
    return True


__all__ = ["ALL_USERS", "Context", "ExtractionFace", "Hit", "Hits", "make_context"]
