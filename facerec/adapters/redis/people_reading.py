"""What can be read of persons: documents and pages. A cursor names the last one seen, so that changes shift nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.documents import face_document
from facerec.adapters.redis.layout import OWN, prefix
from facerec.errors import BadParam
from facerec.records import unpack_face
from facerec.services.people import Document

_AT_ONCE = 200
_STRAYS = "-"
Located = tuple[str, bytes, int | None]
"""Image hash, face record and person of a face."""


class PeopleReading:
    """Reads over the keys of `facerec.adapters.redis.people`."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def documents(self, owner: str, persons: Sequence[int]) -> list[Document]:
        """The persons that there are of these. Raises StoreUnavailable."""
        p = prefix(owner)
        with mapped_errors(), self._databases.client(OWN).pipeline(transaction=False) as pipeline:
            for person in persons:
                pipeline.hgetall(f"{p}person:{person}")
                pipeline.zcard(f"{p}person:{person}:faces")
                pipeline.smembers(f"{p}person:{person}:contacts")
            found = pipeline.execute()
        documents = [
            person_document(person, {name.decode(): value.decode() for name, value in fields.items()}, size, contacts)
            for person, fields, size, contacts in zip(persons, found[::3], found[1::3], found[2::3], strict=True)
            if fields
        ]
        self._add_namesakes(p, documents)
        return documents

    def _add_namesakes(self, p: str, documents: Sequence[Document]) -> None:
        named = [document for document in documents if document["name"] is not None]
        with mapped_errors(), self._databases.client(OWN).pipeline(transaction=False) as pipeline:
            for document in named:
                name = document["name"].encode()
                pipeline.zrangebylex(f"{p}people:names", b"[" + name + b"\x1f", b"(" + name + b"\x20")
            found = pipeline.execute() if named else []
        for document, same in zip(named, found, strict=True):
            persons = [int(entry.rpartition(b"\x1f")[2]) for entry in same]
            document["same_name"] = [person for person in persons if person != document["id"]]

    # ------------------------------------------------------------ pages of persons

    def by_size(self, owner: str, lists: Sequence[str], limit: int, cursor: str) -> tuple[list[Document], str]:
        """Most faces first. Raises BadParam."""
        if cursor and not _is_place(cursor):
            raise BadParam("cursor", "is none of ours", cursor[:100])
        top = f"({cursor}".encode() if cursor else b"+"
        with mapped_errors(), self._databases.client(OWN).pipeline(transaction=False) as pipeline:
            for name in lists:
                pipeline.zrevrangebylex(f"{prefix(owner)}people:{name}", top, "-", 0, limit + 1)
            found = pipeline.execute()
        places = list(islice(merge(*found, reverse=True), limit + 1))
        shown = places[:limit]
        documents = self.documents(owner, [_person_at(place) for place in shown])
        return documents, shown[-1].decode() if len(places) > limit else ""

    def by_name(self, owner: str, name: str, limit: int, cursor: str, *, hidden: bool) -> tuple[list[Document], str]:
        """Those whose name begins so, by name. Raises BadParam."""
        beginning = name.encode()
        last = _unquoted(cursor)
        if last and not last.startswith(beginning):
            raise BadParam("cursor", "is none of ours", cursor[:100])
        page: list[tuple[bytes, Document]] = []
        for entries in self._names(owner, beginning, last):
            documents = self.documents(owner, [int(entry.rpartition(b"\x1f")[2]) for entry in entries])
            at = {int(entry.rpartition(b"\x1f")[2]): entry for entry in entries}
            page += [(at[document["id"]], document) for document in documents if document["hidden"] == hidden]
            if len(page) > limit:
                return [document for _, document in page[:limit]], page[limit - 1][0].hex()
        return [document for _, document in page], ""

    def _names(self, owner: str, beginning: bytes, last: bytes) -> Iterator[list[bytes]]:
        start = b"(" + last if last else b"[" + beginning
        while True:
            with mapped_errors():
                entries = self._databases.client(OWN).zrangebylex(
                    f"{prefix(owner)}people:names", start, b"[" + beginning + b"\xff", 0, _AT_ONCE
                )
            yield entries
            if len(entries) < _AT_ONCE:
                return
            start = b"(" + entries[-1]

    # ------------------------------------------------------------ pages of faces

    def faces(self, owner: str, key: str, limit: int, cursor: str) -> tuple[list[Document], str]:
        """The faces in a sorted set of the owner's, newest picture first. Raises BadParam."""
        found = self._newest(owner, key, limit + 1, cursor)
        shown = found[:limit]
        return self.face_documents(owner, shown), str(shown[-1]) if len(found) > limit else ""

    def by_group(self, owner: str, limit: int, cursor: str) -> tuple[list[Document], str]:
        """Unknown faces, those of the largest group first, strays last. Raises BadParam."""
        steps = list(islice(self._grouped(owner, cursor), limit + 1))
        shown = steps[:limit]
        sizes = {face: size for _, size, face in shown}
        documents = self.face_documents(owner, [face for _, _, face in shown])
        for document in documents:
            document["group_size"] = sizes[document["id"]]
        place, _, face = shown[-1] if shown else ("", 0, 0)
        return documents, f"{place}/{face}" if len(steps) > limit else ""

    def _grouped(self, owner: str, cursor: str) -> Iterator[tuple[str, int, int]]:
        """Place of the group in its list, its size, and a face of it."""
        place, _, face = cursor.partition("/")
        if cursor and not ((place == _STRAYS or _is_place(place)) and face.isdecimal()):
            raise BadParam("cursor", "is none of ours", cursor[:100])
        if place != _STRAYS:
            for group in self._groups(owner, place):
                key = f"person:{_person_at(group)}:faces"
                size = int(group.partition(b":")[0])
                first = face if group.decode() == place else ""
                yield from ((group.decode(), size, each) for each in self._all(owner, key, first))
        yield from ((_STRAYS, 1, each) for each in self._all(owner, "faces:strays", face if place == _STRAYS else ""))

    def _groups(self, owner: str, place: str) -> Iterator[bytes]:
        top = f"[{place}".encode() if place else b"+"
        while True:
            with mapped_errors():
                found = self._databases.client(OWN).zrevrangebylex(
                    f"{prefix(owner)}people:unnamed", top, "-", 0, _AT_ONCE
                )
            yield from found
            if len(found) < _AT_ONCE:
                return
            top = b"(" + found[-1]

    def _all(self, owner: str, key: str, cursor: str) -> Iterator[int]:
        while found := self._newest(owner, key, _AT_ONCE, cursor):
            yield from found
            if len(found) < _AT_ONCE:
                return
            cursor = str(found[-1])

    def _newest(self, owner: str, key: str, count: int, cursor: str) -> list[int]:
        if cursor and not (cursor.isascii() and cursor.isdecimal()):
            raise BadParam("cursor", "is none of ours", cursor[:100])
        with mapped_errors():
            found = self._databases.client(OWN).zrevrangebyscore(
                prefix(owner) + key, f"({cursor}" if cursor else "+inf", "-inf", 0, count
            )
        return [int(face) for face in found]

    def face_documents(self, owner: str, faces: Sequence[int]) -> list[Document]:
        """The faces that there are of these, each with its image and person."""
        return [
            face_document(*unpack_face(record)) | {"person": person, "image": image}
            for image, record, person in self.records(owner, faces)
        ]

    def records(self, owner: str, faces: Sequence[int]) -> Iterator[Located]:
        """The faces that there are of these. Raises StoreUnavailable."""
        for first in range(0, len(faces), _AT_ONCE):
            some = faces[first : first + _AT_ONCE]
            found = self._databases.read("people_faces", prefix(owner), *some)
            for located in found:
                if located:
                    image, record, person = located
                    yield image.decode(), record, int(person) if person else None


def person_document(person: int, fields: dict[str, str], size: int, contacts: Collection[bytes]) -> Document:
    """A person as the REST contract shows it; ``contacts`` as "user contact"."""
    return {
        "id": person,
        "name": fields.get("name"),
        "hidden": "hidden" in fields,
        "faces": size,
        "cover": int(fields["cover"]) if "cover" in fields else None,
        "created_at": text_of(fields["created_at"]),
        "changed_at": text_of(fields["changed_at"]),
        "same_name": [],
        "contacts": [
            {"user_id": user, "contact_id": contact}
            for user, contact in sorted(tuple(map(int, each.split())) for each in contacts)
        ],
    }


def text_of(seconds: Any) -> str:
    """Seconds since the epoch in ISO 8601."""
    return datetime.fromtimestamp(float(seconds), UTC).isoformat()


def _is_place(text: str) -> bool:
    size, colon, person = text.partition(":")
    return len(text) == 27 and bool(colon) and size.isdecimal() and person.isdecimal()


def _person_at(place: bytes) -> int:
    return int(place.partition(b":")[2])


def _unquoted(cursor: str) -> bytes:
    try:
        return bytes.fromhex(cursor)
    except ValueError as error:
        raise BadParam("cursor", "is none of ours", cursor[:100]) from error
