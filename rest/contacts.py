"""The contacts contract over REST: the same functions and structures as the Python module `facerec.contacts`."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import BaseModel, Field, RootModel

from facerec.errors import BadParam
from facerec.services.contacts import LONGEST_TIMEOUT, Contacts
from rest.auth import authenticate
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.models import Strict
from rest.params import no_query, read_json, read_query

BODY_LIMIT = 32 * 1024 * 1024
_ERRORS = (400, 401, 403, 503, 504)
_NUMBER = re.compile(r"-?[0-9]{1,19}")


class ContactTimeLimit(Strict):
    timeout: float | None = Field(
        None, ge=0, le=LONGEST_TIMEOUT, description="seconds after which what is not finished is listed as error"
    )


class ContactAnswersQuery(Strict):
    limit: int = Field(1000, ge=1, le=10_000, description="the newest so many")


class ContactFacesBody(Strict):
    faces: list[Any] = Field(description="face structures: user_id, contact_id, face_id, face_url, external_id, score")


class ContactProbe(Strict):
    face_url: Any = Field(description="a URL of at most 2048 characters")


class ContactFeedback(Strict):
    result: Any = Field(description="which of the faces was right, 1 to 3, or null when none was")


class ContactFace(BaseModel):
    user_id: int
    contact_id: int
    face_id: int
    face_url: str
    external_id: int | None
    score: float
    id: int = Field(description="unique over the whole system")
    is_face: bool = Field(description="false: no face was found; never used to recognise")


class ContactCandidate(ContactFace):
    recognition_confidence: float = Field(description="0 to 1; 0.5 is the point to decide at")
    recognize_id: int = Field(description="for feedback; also in the header X-Recognize-Id")


class ContactFaces(RootModel[list[ContactFace]]):
    """By contact_id and face_id."""


class ContactCandidates(RootModel[list[ContactCandidate] | None]):
    """Surest first; null when no face is found."""


class ContactResult(BaseModel):
    added: list[ContactFace]
    deleted: list[ContactFace]
    not_found: list[dict[str, Any]] = Field(description="nothing was done, because it was so already")
    error: list[dict[str, Any]] = Field(description="faces as they came, with code and reason")


class ContactCounts(BaseModel):
    recognize_calls: int
    feedback_calls: int
    true_positives: int
    false_positives: int


def register_contacts(app: Flask) -> None:
    contacts = Blueprint("contacts", __name__)
    contacts.before_request(authenticate)
    contacts.post("/users/<user_id>/contacts/<contact_id>/faces")(add_faces)
    contacts.delete("/users/<user_id>/contacts/<contact_id>/faces")(delete_faces)
    contacts.get("/users/<user_id>/contacts/<contact_id>/faces")(get_faces)
    contacts.delete("/users/<user_id>/contacts/<contact_id>")(delete_contact)
    contacts.get("/users/<user_id>/faces")(get_all_faces)
    contacts.delete("/users/<user_id>")(delete_user)
    contacts.post("/users/<user_id>/recognize")(recognize_face)
    contacts.get("/users/<user_id>/recognitions")(get_user_recognitions)
    contacts.get("/users/<user_id>/recognitions/stats")(get_user_stats)
    contacts.get("/recognitions")(get_recognitions)
    contacts.get("/recognitions/stats")(get_stats)
    contacts.put("/recognitions/<recognize_id>/feedback")(put_feedback)
    app.register_blueprint(contacts)


@describes(
    Operation(
        "Faces identify a contact from now on",
        answer=ContactResult,
        query=ContactTimeLimit,
        body=ContactFacesBody,
        errors=_ERRORS,
    )
)
def add_faces(user_id: str, contact_id: str) -> Response:
    limit, faces = read_query(request, ContactTimeLimit).timeout, read_json(request, ContactFacesBody, BODY_LIMIT).faces
    return jsonify(_contacts().add_faces(_user(user_id), _contact(contact_id), faces, limit))


@describes(
    Operation(
        "Faces count no longer", answer=ContactResult, query=ContactTimeLimit, body=ContactFacesBody, errors=_ERRORS
    )
)
def delete_faces(user_id: str, contact_id: str) -> Response:
    limit, faces = read_query(request, ContactTimeLimit).timeout, read_json(request, ContactFacesBody, BODY_LIMIT).faces
    return jsonify(_contacts().delete_faces(_user(user_id), _contact(contact_id), faces, limit))


@describes(Operation("The faces of a contact", answer=ContactFaces, errors=_ERRORS))
def get_faces(user_id: str, contact_id: str) -> Response:
    no_query(request)
    return jsonify(_contacts().get_faces(_user(user_id), _contact(contact_id)))


@describes(
    Operation("Delete a contact with all its faces", answer=ContactResult, query=ContactTimeLimit, errors=_ERRORS)
)
def delete_contact(user_id: str, contact_id: str) -> Response:
    limit = read_query(request, ContactTimeLimit).timeout
    return jsonify(_contacts().delete_contact(_user(user_id), _contact(contact_id), limit))


@describes(Operation("The faces of all contacts of a user", answer=ContactFaces, errors=_ERRORS))
def get_all_faces(user_id: str) -> Response:
    no_query(request)
    return jsonify(_contacts().get_faces(_user(user_id)))


@describes(
    Operation("Delete a user with all contacts and faces", answer=ContactResult, query=ContactTimeLimit, errors=_ERRORS)
)
def delete_user(user_id: str) -> Response:
    limit = read_query(request, ContactTimeLimit).timeout
    return jsonify(_contacts().delete_user(_user(user_id), limit))


@describes(
    Operation(
        "Which contacts is this? null when no face is found, else 0 to 3 faces of different contacts, surest first",
        answer=ContactCandidates,
        query=ContactTimeLimit,
        body=ContactProbe,
        errors=(*_ERRORS, 413, 415, 422, 500, 502),
    )
)
def recognize_face(user_id: str) -> Response:
    limit, wanted = read_query(request, ContactTimeLimit).timeout, read_json(request, ContactProbe, BODY_LIMIT)
    found = _contacts().recognize_face(_user(user_id), wanted.face_url, limit)
    response = jsonify(found)
    if found is not None:
        response.headers["X-Recognize-Id"] = str(found.recognize_id)
    return response


@describes(Operation("Which face of an answer was right", status=204, body=ContactFeedback, errors=(*_ERRORS, 404)))
def put_feedback(recognize_id: str) -> Response:
    no_query(request)
    said = read_json(request, ContactFeedback, BODY_LIMIT).result
    _contacts().recognition_feedback(_number("recognize_id", recognize_id), said)
    return Response(status=204)


@describes(Operation("How often a user's answers were right", answer=ContactCounts, errors=_ERRORS))
def get_user_stats(user_id: str) -> Response:
    no_query(request)
    return jsonify(_contacts().recognition_stats(_user(user_id)))


@describes(Operation("How often the answers to all users were right", answer=ContactCounts, errors=_ERRORS))
def get_stats() -> Response:
    no_query(request)
    return jsonify(_contacts().recognition_stats())


@describes(
    Operation("Answers to a user, newest first", answer=list[dict[str, Any]], query=ContactAnswersQuery, errors=_ERRORS)
)
def get_user_recognitions(user_id: str) -> Response:
    limit = read_query(request, ContactAnswersQuery).limit
    return jsonify(_contacts().recognition_stat_details(_user(user_id), limit))


@describes(
    Operation(
        "Answers to all users, newest first", answer=list[dict[str, Any]], query=ContactAnswersQuery, errors=_ERRORS
    )
)
def get_recognitions() -> Response:
    return jsonify(_contacts().recognition_stat_details(None, read_query(request, ContactAnswersQuery).limit))


def _contacts() -> Contacts:
    return services().contacts.of(owner())


def _user(text: str) -> int:
    return _number("user_id", text)


def _contact(text: str) -> int:
    return _number("contact_id", text)


def _number(name: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise BadParam(name, f"{name} must be an integer of at most 64 bits", text[:100])
    return int(text)
