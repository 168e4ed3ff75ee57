"""The pictures behind the addresses in a face."""

from __future__ import annotations

from flask import Response

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
    if kind == "photo":
        media = f"image/{services().probe(picture, 1 << 62).format.lower()}"
    response = Response(picture, content_type=media)
    response.headers["Content-Security-Policy"] = SANDBOX
    return response
