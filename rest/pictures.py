"""The pictures that are kept: original, preview, with boxes, face by face.

An original is a stranger's file. It is sent as the type that its first bytes prove it to be, never to be sniffed, and in a
sandbox in which nothing runs.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, request

from facerec.engine.headers import format_of
from facerec.errors import BadParam, NotFound
from facerec.identity import check_hash, image_hash
from facerec.services.pictures import ORIGINAL, PREVIEW, SMALL
from rest.auth import authenticate
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.overlay import overlay_svg
from rest.params import no_query

SANDBOX = "default-src 'none'; img-src data:; sandbox; frame-ancestors 'none'"
_ERRORS = (400, 401, 403, 404, 503)
_TYPES = {
    "JPEG": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "GIF": ("image/gif", "gif"),
    "WEBP": ("image/webp", "webp"),
    "HEIF": ("image/heic", "heic"),
    "TIFF": ("image/tiff", "tif"),
    "BMP": ("image/bmp", "bmp"),
}


def register_pictures(app: Flask) -> None:
    pictures = Blueprint("pictures", __name__)
    pictures.before_request(authenticate)
    pictures.get("/images/<image>/original")(get_original)
    pictures.get("/images/<image>/preview")(get_preview)
    pictures.get("/images/<image>/small")(get_small)
    pictures.get("/images/<image>/overlay")(get_overlay)
    pictures.get("/faces/<face>/thumbnail")(get_thumbnail)
    app.register_blueprint(pictures)


@describes(Operation("The picture as it was sent", media="image/*", errors=_ERRORS))
def get_original(image: str) -> Response:
    original = _picture(image, ORIGINAL)
    kind, ending = _TYPES[format_of(original)]  # whatever the limits were when it was accepted
    response = _answer(original, kind, image)
    response.headers["Content-Disposition"] = f'inline; filename="{image[:16]}.{ending}"'
    return response


@describes(
    Operation("The upright picture as JPEG, 1280 pixels at most, without metadata", media="image/jpeg", errors=_ERRORS)
)
def get_preview(image: str) -> Response:
    return _answer(_picture(image, PREVIEW), "image/jpeg")


@describes(Operation("The same, 320 pixels at most", media="image/jpeg", errors=_ERRORS))
def get_small(image: str) -> Response:
    return _answer(_picture(image, SMALL), "image/jpeg")


@describes(Operation("The picture with boxes drawn", media="image/svg+xml", errors=_ERRORS))
def get_overlay(image: str) -> Response:
    document = services().admissions.image(owner(), check_hash(image))
    preview = _picture(image, PREVIEW)
    if document is None or document["state"] != "done":
        raise NotFound("there is no such image, or it is not finished")
    return _answer(overlay_svg(document, preview).encode(), "image/svg+xml")


@describes(Operation("A face, 160 x 160 pixels", media="image/jpeg", errors=_ERRORS))
def get_thumbnail(face: str) -> Response:
    no_query(request)
    if not face.isascii() or not face.isdecimal() or len(face) > 19:
        raise BadParam("face", "a face id is a number", face[:100])
    picture = services().pictures.thumbnail(owner(), int(face))
    if picture is None:
        raise NotFound("there is no such face, or no picture of it is kept")
    return _answer(picture, "image/jpeg")


def thumbnail_path(face: dict[str, Any]) -> str | None:
    """Where the face can be seen, None when no pictures are kept."""
    return None if services().pictures.store.kind == "none" else f"/faces/{face['id']}/thumbnail"


def _picture(image: str, name: str) -> bytes:
    no_query(request)
    picture = services().pictures.of_image(owner(), check_hash(image), name)
    if picture is None:
        raise NotFound("there is no such image, or no picture of it is kept")
    return picture


def _answer(content: bytes, kind: str, digest: str | None = None) -> Response:
    """Browsers may keep it, but ask every time whether it is still there, and the same: an erased picture must not be shown.

    ``digest`` is that of the content when it is known.
    """
    response = Response(content, content_type=kind)
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(digest or image_hash(content))
    response.make_conditional(request)
    return response
