"""The description of this interface: for programs at /v1/openapi.json, for people at /docs as all of the service."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, jsonify

from facerec.errors import NotFound
from rest.docs import Operation, describes, openapi_of


def register_description(app: Flask) -> None:
    """No token is needed here."""
    docs = Blueprint("findface_docs", __name__)
    for version in ("v1", "v0"):
        docs.get(f"/{version}/openapi.json", endpoint=f"{version}_openapi", strict_slashes=False)(_described(version))
        docs.get(f"/{version}/docs/<version>", endpoint=f"{version}_version", strict_slashes=False)(get_version)
        docs.get(f"/{version}/docs", endpoint=f"{version}_docs", strict_slashes=False)(get_versions)
    docs.get("/v1/docs/<version>/overview.html", endpoint="overview")(get_version)
    app.register_blueprint(docs)


def _described(version: str) -> Any:
    @describes(Operation(f"Description of /{version}", answer=dict[str, Any], public=True))
    def get_description() -> Response:
        return openapi_of(f"/{version}/")

    return get_description


@describes(Operation("Versions of this interface", answer=dict[str, Any], public=True))
def get_versions() -> Response:
    return jsonify({"results": ["v0", "v1"]})


@describes(Operation("Description of a version", answer=dict[str, Any], errors=(404,), public=True))
def get_version(version: str) -> Response:
    if version not in {"v0", "v1"}:
        raise NotFound("there is no such version")
    return openapi_of(f"/{version}/")
