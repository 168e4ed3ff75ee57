"""The dead letters: what was given up and why; once more, or away with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import BaseModel, Field

from facerec.errors import BadParam
from facerec.ports import DeadLetter
from rest.auth import authenticate
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.models import Strict
from rest.params import no_query, read_json, read_query

_BODY_LIMIT = 1024 * 1024
_ERRORS = (400, 401, 403, 503)


class LettersQuery(Strict):
    limit: int = Field(1000, ge=1, le=1000)
    cursor: str = Field("", description="from the previous page's next_page")


class WhichLetters(Strict):
    """Those of some images, or all."""

    hashes: list[str] | None = Field(None, max_length=1000)
    all: bool = False


class Letter(BaseModel):
    hash: str = Field(description="empty when the message was no job")
    name: str
    code: str
    reason: str
    attempts: int
    buried_at: str = Field(description="ISO 8601")
    bytes: int


class Letters(BaseModel):
    results: list[Letter] = Field(description="oldest first")
    next_page: str | None


class Picked(BaseModel):
    count: int
    hashes: list[str]


def register_dead(app: Flask) -> None:
    dead = Blueprint("dead", __name__)
    dead.before_request(authenticate)
    dead.get("/dead")(get_dead)
    dead.post("/dead/redrive")(post_redrive)
    dead.post("/dead/drop")(post_drop)
    app.register_blueprint(dead)


@describes(Operation("Jobs that were given up", query=LettersQuery, answer=Letters, errors=_ERRORS))
def get_dead() -> Response:
    query = read_query(request, LettersQuery)
    letters, cursor = services().dead.page(owner(), query.limit, query.cursor)
    following = f"/dead?{urlencode({'limit': query.limit, 'cursor': cursor})}" if cursor else None
    return jsonify({"results": [_letter(letter) for letter in letters], "next_page": following})


@describes(Operation("Queue given up jobs once more", body=WhichLetters, answer=Picked, errors=_ERRORS))
def post_redrive() -> Response:
    return _picked(services().dead.redrive(owner(), _which()))


@describes(Operation("Throw given up jobs away", body=WhichLetters, answer=Picked, errors=_ERRORS))
def post_drop() -> Response:
    return _picked(services().dead.drop(owner(), _which()))


def _which() -> frozenset[str] | None:
    """The hashes that are meant, None for all."""
    no_query(request)
    which = read_json(request, WhichLetters, _BODY_LIMIT)
    if which.all == (which.hashes is not None):
        raise BadParam("hashes", "either hashes, or all: true")
    return None if which.hashes is None else frozenset(which.hashes)


def _letter(letter: DeadLetter) -> dict[str, object]:
    return {
        "hash": letter.hash,
        "name": letter.name,
        "code": letter.code,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "buried_at": datetime.fromtimestamp(letter.buried_at, UTC).isoformat(),
        "bytes": letter.size,
    }


def _picked(letters: Sequence[DeadLetter]) -> Response:
    return jsonify({"count": len(letters), "hashes": sorted({letter.hash for letter in letters})})
