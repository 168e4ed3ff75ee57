"""From an error of the tree to an HTTP answer: one table, one shape.

``{"code": "CAPS_CODE", "reason": "text for a person", "param": optional, "value": optional}``
"""

from __future__ import annotations

import logging
import uuid
from typing import Any, ClassVar

from flask import Flask, Response, g, jsonify
from werkzeug.exceptions import HTTPException

from facerec.errors import BadParam, FacerecError, IndexIncomplete, TooLarge, TooManyFaces

log = logging.getLogger(__name__)

STATUS = {
    "MALFORMED_JSON": 400,
    "BAD_PARAM": 400,
    "NO_ANALYSER": 400,
    "NO_FACES": 400,
    "TOO_MANY_FACES": 400,
    "AUTH_FAILED": 401,
    "FORBIDDEN": 403,
    "FORBIDDEN_URL": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "AREA_TOO_LARGE": 412,
    "TOO_LARGE": 413,
    "UNSUPPORTED_IMAGE": 415,
    "UNREADABLE_IMAGE": 422,
    "BACKPRESSURE": 429,
    "INTERNAL": 500,
    "CONFIG": 500,
    "ENGINE_FAILURE": 500,
    "CHILD_DIED": 500,
    "MALFORMED_JOB": 500,
    "NEWER_MESSAGE": 500,
    "FETCH_FAILED": 502,
    "SERVICE_UNAVAILABLE": 503,
    "MODEL_MISSING": 503,
    "TIMEOUT": 504,
    "TIME_LIMIT": 504,
}
"""Status of every code. A malformed *job* is our own fault: what users send is checked before it becomes one."""

_SILENT = {"INTERNAL", "CONFIG", "MALFORMED_JOB", "NEWER_MESSAGE"}
"""Codes whose reason may tell of our insides; it goes to the log, and the caller gets a request id to ask for it by."""

_HTTP_CODES = {400: "BAD_PARAM", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}


class AreaTooLarge(TooLarge):
    """More pixels than the Nextcloud contract lets through."""

    code: ClassVar[str] = "AREA_TOO_LARGE"


def register_errors(app: Flask) -> None:
    app.register_error_handler(FacerecError, answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def answer(error: FacerecError) -> Response:
    """The HTTP answer to an error of ours."""
    if error.code in _SILENT:
        return _answer_unexpected(error)
    document: dict[str, Any] = {"code": error.code, "reason": error.reason}
    if isinstance(error, BadParam):
        document |= {"param": error.param, "value": error.value}
    if isinstance(error, TooManyFaces):
        document["faces"] = [{"x1": box.left, "y1": box.top, "x2": box.right, "y2": box.bottom} for box in error.boxes]
    response = _response(STATUS[error.code], document)
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if isinstance(error, IndexIncomplete):
        response.headers["X-Live-Servers"] = f"{error.live}/{error.total}"
    if error.code == "AUTH_FAILED":
        response.headers["WWW-Authenticate"] = "Token"
    return response


def _answer_http(error: HTTPException) -> Response | HTTPException:
    status = error.code or 500
    if status < 400:
        return error
    code = _HTTP_CODES.get(status, "INTERNAL" if status >= 500 else "BAD_PARAM")
    response = _response(status, {"code": code, "reason": error.description or error.name})
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _answer_unexpected(error: Exception) -> Response:
    request_id = uuid.uuid4().hex
    log.error("request %s failed unexpectedly", request_id, exc_info=error)
    return _response(500, {"code": "INTERNAL", "reason": f"an error of ours, logged as request {request_id}"})


def _response(status: int, document: dict[str, Any]) -> Response:
    g.outcome, g.reason = document["code"], document["reason"]
    response = jsonify(document)
    response.status_code = status
    return response
