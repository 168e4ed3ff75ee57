"""Persons: look at them, name them, correct them, and take it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import BaseModel

from facerec.errors import BadParam, NotFound
from facerec.faces import Model
from facerec.jobs import Request
from facerec.services.people_suggestions import suggest
from rest import people_models as models
from rest.auth import authenticate
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.nextcloud import client_gone
from rest.params import no_query, read_json, read_query
from rest.pictures import thumbnail_path
from rest.replies import document_of

JSON_LIMIT = 256 * 1024
_READ = (400, 401, 403, 404, 503)
_CHANGE = (400, 401, 403, 404, 413, 503)
_MOST = 1 << 53


def register_people(app: Flask) -> None:
    people = Blueprint("people", __name__)
    people.before_request(authenticate)
    people.get("/people")(get_people)
    people.get("/people/undo")(get_history)
    people.post("/people/undo")(post_undo)
    people.get("/people/<person>")(get_person)
    people.patch("/people/<person>")(patch_person)
    people.post("/people/<person>/merge")(post_merge)
    people.post("/people/<person>/split")(post_split)
    people.post("/people/<person>/not")(post_not)
    people.get("/people/<person>/suggestions")(get_suggestions)
    people.get("/faces")(get_faces)
    people.post("/faces/<face>/person")(post_face_person)
    app.register_blueprint(people)


# ---------------------------------------------------------------- looking


@describes(
    Operation("Persons, most faces first", query=models.PeopleQuery, answer=models.People, errors=(400, 401, 403, 503))
)
def get_people() -> Response:
    query = read_query(request, models.PeopleQuery)
    found, cursor = services().people.people(
        owner(), named=query.named, hidden=query.hidden, name=query.name, limit=query.limit, cursor=query.cursor
    )
    return jsonify({"results": [_person(each) for each in found], "next_page": _next_page("/people", query, cursor)})


@describes(Operation("A person with its faces", query=models.PersonQuery, answer=models.PersonWithFaces, errors=_READ))
def get_person(person: str) -> Response:
    query = read_query(request, models.PersonQuery)
    number = _id("person", person)
    document = services().people.person(owner(), number)
    faces, cursor = services().people.faces(owner(), number, query.limit, query.cursor)
    following = _next_page(f"/people/{number}", query, cursor)
    page = {"results": [_face(face) for face in faces], "next_page": following}
    return jsonify(_person(document) | {"page": page})


@describes(
    Operation("Faces that nobody named", query=models.FacesQuery, answer=models.Faces, errors=(400, 401, 403, 503))
)
def get_faces() -> Response:
    if "person" not in request.args:
        raise BadParam("person", "say which faces: person=none gives those that nobody named")
    query = read_query(request, models.FacesQuery)
    found, cursor = services().people.unknown(owner(), query.order, query.limit, query.cursor)
    return jsonify({"results": [_face(face) for face in found], "next_page": _next_page("/faces", query, cursor)})


@describes(
    Operation(
        "Faces and groups that may be the same person; nothing is changed",
        query=models.SuggestionsQuery,
        answer=models.Suggestions,
        errors=(*_READ, 504),
    )
)
def get_suggestions(person: str) -> Response:
    query = read_query(request, models.SuggestionsQuery)
    found = suggest(services().people, owner(), _id("person", person), _search, query.limit)
    results = [
        {
            "face": each.face,
            "thumbnail": thumbnail_path({"id": each.face}),
            "person": each.person,
            "name": each.name,
            "faces": each.faces,
            "distance": each.distance,
        }
        for each in found
    ]
    return jsonify({"results": results})


def _search(model: Model, count: int, limit: float, rows: bytes) -> Iterator[list[tuple[int, float]]]:
    seconds = services().settings.rest.interactive_timeout
    parameters = {"model": model.name.lower(), "count": count, "limit": limit}
    call = Request("search", owner(), services().clock() + seconds, parameters, rows)
    reply = document_of(services().requester.call(call, client_gone(request.environ)))
    for hits in reply["probes"]:
        yield [(hit["face_id"], hit["distance"]) for hit in hits]


# ---------------------------------------------------------------- changing


@describes(Operation("Name, hide, choose the cover", body=models.PersonChange, answer=models.Person, errors=_CHANGE))
def patch_person(person: str) -> Response:
    no_query(request)
    number = _id("person", person)
    change = read_json(request, models.PersonChange, JSON_LIMIT)
    if not change.model_fields_set:
        raise BadParam("body", "nothing is said that could be changed")
    name = (change.name or "") if "name" in change.model_fields_set else None
    before = services().people.person(owner(), number) if name == "" else None
    services().people.edit(owner(), number, name=name, hidden=change.hidden, cover=change.cover)
    try:
        after = services().people.person(owner(), number)
    except NotFound:
        if before is None:
            raise
        after = before | {"name": None, "same_name": []}  # the name was all that there was of this person
    return jsonify(_person(after))


@describes(
    Operation("All faces become another person's", body=models.MergeInto, answer=models.Merged, errors=(*_CHANGE, 409))
)
def post_merge(person: str) -> Response:
    no_query(request)
    wish = read_json(request, models.MergeInto, JSON_LIMIT)
    contradicted = services().people.merge(owner(), _id("person", person), wish.into, wish.name)
    return jsonify(_person(services().people.person(owner(), wish.into)) | {"contradicted": contradicted})


@describes(
    Operation("Some faces become a new person", body=models.SomeFaces, answer=models.Person, status=201, errors=_CHANGE)
)
def post_split(person: str) -> Response:
    no_query(request)
    faces = read_json(request, models.SomeFaces, JSON_LIMIT).faces
    new = services().people.split(owner(), _id("person", person), faces)
    response = jsonify(_person(services().people.person(owner(), new)))
    response.status_code = 201
    response.headers["Location"] = f"/people/{new}"
    return response


@describes(
    Operation("Some faces are not this person, and never will be", body=models.SomeFaces, status=204, errors=_CHANGE)
)
def post_not(person: str) -> Response:
    no_query(request)
    faces = read_json(request, models.SomeFaces, JSON_LIMIT).faces
    services().people.reject(owner(), _id("person", person), faces)
    return Response(status=204)


@describes(Operation("Say whose face it is", body=models.FacePerson, answer=models.WhoseFace, errors=_CHANGE))
def post_face_person(face: str) -> Response:
    no_query(request)
    number = _id("face", face)
    wish = read_json(request, models.FacePerson, JSON_LIMIT).person
    person = None if isinstance(wish, str) else wish
    found = services().people.move(owner(), [number], person, new=wish == "new")
    return jsonify({"face": number, "person": found})


@describes(Operation("What can be undone", answer=models.History, errors=(400, 401, 403, 503)))
def get_history() -> Response:
    no_query(request)
    return jsonify({"results": services().people.history(owner())})


@describes(Operation("Take back the newest operation", answer=models.Undone, errors=(400, 401, 403, 404, 409, 503)))
def post_undo() -> Response:
    no_query(request)
    return jsonify(services().people.undo(owner()))


# ---------------------------------------------------------------- words


def _id(param: str, text: str) -> int:
    """Raises BadParam."""
    if not text.isascii() or not text.isdecimal() or len(text) > 16 or int(text) > _MOST:
        raise BadParam(param, f"the id of a {param} is a number", text[:100])
    return int(text)


def _person(document: dict[str, Any]) -> dict[str, Any]:
    cover = document["cover"]
    return document | {"thumbnail": None if cover is None else thumbnail_path({"id": cover})}


def _face(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"thumbnail": thumbnail_path(document)}


def _next_page(path: str, query: BaseModel, cursor: str) -> str | None:
    if not cursor:
        return None
    asked = query.model_dump(exclude_defaults=True, exclude_none=True) | {"cursor": cursor}
    return f"{path}?" + urlencode(
        {name: str(value).lower() if isinstance(value, bool) else value for name, value in asked.items()}
    )
