"""Opening and closing the session of a browser."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, g, jsonify, request
from pydantic import BaseModel, Field

from facerec.errors import AuthFailed
from rest.auth import authenticate
from rest.context import owner, services
from rest.cookies import COOKIE, check_same_origin, csrf_of
from rest.docs import Operation, describes
from rest.models import Strict
from rest.params import no_query, read_json

SESSION_SECONDS = 12 * 3600
_BODY_LIMIT = 4096


class Login(Strict):
    token: str


class Session(BaseModel):
    owner: str
    csrf: str | None = Field(
        description="goes into X-CSRF-Token of requests that change something; null without session"
    )


def register_login(app: Flask) -> None:
    public = Blueprint("login", __name__)
    public.post("/session")(post_session)
    private = Blueprint("session", __name__)
    private.before_request(authenticate)
    private.get("/session")(get_session)
    private.delete("/session")(delete_session)
    app.register_blueprint(public)
    app.register_blueprint(private)


@describes(
    Operation("Open a session for a browser", body=Login, answer=Session, errors=(400, 401, 403, 503), public=True)
)
def post_session() -> Response:
    no_query(request)
    check_same_origin(request)
    secret = services().sessions.open(read_json(request, Login, _BODY_LIMIT).token, SESSION_SECONDS)
    owner_name = services().sessions.owner_of(secret) if secret else None
    if secret is None or owner_name is None:
        raise AuthFailed("nobody has this token")
    response = jsonify({"owner": owner_name, "csrf": csrf_of(secret)})
    secure = request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
    response.set_cookie(COOKIE, secret, max_age=SESSION_SECONDS, httponly=True, secure=secure, samesite="Strict")
    return response


@describes(Operation("Who uses the page", answer=Session, errors=(401, 403, 503)))
def get_session() -> Response:
    no_query(request)
    return jsonify({"owner": owner(), "csrf": csrf_of(g.session) if "session" in g else None})


@describes(Operation("Close the session", answer=dict[str, bool], errors=(401, 403, 503)))
def delete_session() -> Response:
    no_query(request)
    closed = "session" in g
    if closed:
        services().sessions.close(g.session)
    response = jsonify({"closed": closed})
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
    return response
