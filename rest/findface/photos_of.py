"""The pictures behind the addresses in a face."""

from __future__ import annotations

from flask import Response

from facerec.engine.headers import format_of
from facerec.errors import NotFound
from facerec.identity import FACES_PER_IMAGE
from facerec.services.pictures import ORIGINAL, chip_name, thumbnail_name
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.findface import models
from rest.findface.answers import stored_face
from rest.pictures import SANDBOX


@describes(
    Operation(
        "A picture of a face: photo, thumbnail or normalized",
        path=models.PicturePath,
        media="image/*",
        errors=(400, 401, 403, 404, 503),
    )
)
def get_picture(face: str, kind: str) -> Response:
    found = stored_face(face)
    number = found.id % FACES_PER_IMAGE
    kinds = {
        "photo": (ORIGINAL, "application/octet-stream"),
        "thumbnail": (thumbnail_name(number), "image/jpeg"),
        "normalized": (chip_name(number), "image/png"),
    }
    if kind not in kinds:
        raise NotFound("a face has photo, thumbnail and normalized")
    name, media = kinds[kind]
    picture = services().pictures.of_image(owner(), found.image, name)
    if picture is None:
        raise NotFound("no such picture is kept")
    return _answer(picture, media_of(picture) if kind == "photo" else media)


@describes(Operation("A picture that a plugin uploaded", media="image/*", errors=(400, 401, 403, 404, 503)))
def get_upload(user: str, day: str, file: str) -> Response:
    picture = services().uploads.get(owner(), f"{user}/{day}/{file}")
    if picture is None:
        raise NotFound("no such picture is kept")
    return _answer(picture, media_of(picture))


def media_of(picture: bytes) -> str:
    """The type that the first bytes of a picture prove it to be."""
    return f"image/{format_of(picture).lower()}"


def _answer(picture: bytes, media: str) -> Response:
    response = Response(picture, content_type=media)
    response.headers["Content-Security-Policy"] = SANDBOX
    return response
