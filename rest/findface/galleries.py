"""Galleries."""

from __future__ import annotations

from flask import Response, jsonify, request

from facerec.errors import Conflict
from facerec.galleries import DEFAULT_GALLERY, check_gallery
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.findface import models
from rest.findface.answers import nothing
from rest.findface.params import read_params

_ERRORS = (400, 401, 403, 503)


@describes(Operation("Names of the galleries", answer=models.GalleryNames, errors=_ERRORS))
def get_galleries() -> Response:
    return jsonify({"results": services().findface.galleries(owner())})


@describes(
    Operation(
        "Make a gallery", body=models.GalleryPost, answer=models.GalleryEntry, status=201, errors=(*_ERRORS, 409, 413)
    )
)
def post_named_gallery() -> Response:
    return _made(read_params(request, 0, services().settings.rest.max_upload_bytes).text("name"))


@describes(
    Operation(
        "Make a gallery of this name",
        path=models.GalleryPath,
        answer=models.GalleryEntry,
        status=201,
        errors=(*_ERRORS, 409, 413),
    )
)
def post_gallery(gallery: str) -> Response:
    read_params(request, 0, services().settings.rest.max_upload_bytes)
    return _made(gallery)


def _made(wanted: str | None) -> Response:
    name = check_gallery(wanted, "name")
    if name == DEFAULT_GALLERY:
        raise Conflict("there is a gallery default already")
    services().findface.add_gallery(owner(), name)
    response = jsonify({"name": name})
    response.status_code = 201
    return response


@describes(
    Operation(
        "Remove a gallery", path=models.GalleryPath, answer=None, media="", status=204, errors=(*_ERRORS, 404, 409)
    )
)
def delete_gallery(gallery: str) -> Response:
    if check_gallery(gallery) == DEFAULT_GALLERY:
        raise Conflict("the gallery default is always there")
    services().findface.remove_gallery(owner(), gallery)
    return nothing()
