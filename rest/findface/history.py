"""Persons, and where they were seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request

from facerec.galleries import Bounds, StoredFace
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.findface import models
from rest.findface.answers import MAX_PAGE, face_document, id_of, iso, path_with, seconds_of
from rest.findface.params import Params, read_params

_ERRORS = (400, 401, 403, 404, 503)
_AT_ONCE = 500
MAX_LIMIT = 1_000_000


@describes(Operation("All persons", answer=models.PersonList, errors=_ERRORS))
def get_persons() -> Response:
    return jsonify({"results": services().persons.all(owner())})


@describes(Operation("One person", path=models.PersonPath, answer=models.PersonEntry, errors=_ERRORS))
def get_person(person: str) -> Response:
    return jsonify(_person(person))


def _person(text: str) -> dict[str, Any]:
    return services().persons.one(owner(), id_of(text))


@describes(
    Operation(
        "Where a person was seen, newest first",
        path=models.PersonPath,
        query=models.HistoryQuery,
        answer=models.PersonHistory,
        errors=_ERRORS,
    )
)
def get_person_history(person: str) -> Response:
    number = _person(person)["id"]
    filters = _filters(read_params(request, 0, services().settings.rest.max_upload_bytes), number)
    seen = [_sighting(face) for face in _faces(filters, None) if filters.fits(face)]
    return jsonify({"results": seen})


def _sighting(face: StoredFace) -> dict[str, Any]:
    document = face_document(face)
    return {
        "person_id": face.person,
        "face_id": face.id,
        "cam_id": document.get("cam_id"),
        "meta": face.meta,
        "screenshot": document["thumbnail"],
        "timestamp": iso(face.timestamp),
    }


@describes(
    Operation(
        "Faces of persons, by who, where and when",
        body=models.HistorySearch,
        body_optional=True,
        answer=models.HistoryFaces,
        errors=(*_ERRORS, 413),
    )
)
def post_search() -> Response:
    params = read_params(request, 0, services().settings.rest.max_upload_bytes)
    filters = _filters(params, params.whole("person_id", 0, (1 << 63) - 1))
    limit = params.whole("limit", 0, MAX_LIMIT) or 0
    found: list[StoredFace] = []
    for face in _faces(filters, params.face_id("max_id")):
        if filters.fits(face):
            found.append(face)
        if limit and len(found) > limit:
            break
    more, found = bool(limit and len(found) > limit), found[: limit or None]
    answer: dict[str, Any] = {"results": [face_document(face) for face in found]}
    if more:
        answer["next_page"] = path_with(max_id=found[-1].id)
    return jsonify(answer)


@dataclass(frozen=True)
class _Filters:
    """None means any."""

    person: int | None
    cameras: tuple[str, ...] | None
    start: float | None
    end: float | None
    friend: bool | None

    def fits(self, face: StoredFace) -> bool:
        said = face.attributes
        return (
            face.person is not None
            and self.person in (None, face.person)
            and (self.cameras is None or said.get("cam_id") in self.cameras)
            and (self.start is None or face.timestamp >= self.start)
            and (self.end is None or face.timestamp <= self.end)
            and (self.friend is None or (said.get("friend") == "1") == self.friend)
        )


def _filters(params: Params, person: int | None) -> _Filters:
    cameras = params.names("cam_ids")
    return _Filters(
        person=person,
        cameras=None if cameras is None else tuple(cameras),
        start=seconds_of(params, "start"),
        end=seconds_of(params, "end"),
        friend=params.flag("friend"),
    )


def _faces(filters: _Filters, below: int | None) -> Iterator[StoredFace]:
    """Faces of the person or of all, newest first, below an id."""
    book = services().findface
    if filters.person is not None:
        ids = [face for face in book.person_faces(owner(), filters.person) if below is None or face < below]
        for start in range(0, len(ids), _AT_ONCE):
            yield from (face for face in book.faces(owner(), ids[start : start + _AT_ONCE]) if face)
        return
    while page := book.page(owner(), "default", Bounds(below=below), MAX_PAGE).ids:
        yield from (face for face in book.faces(owner(), page) if face)
        below = page[-1]
