"""Faces, persons and pages as the contract shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, jsonify, request

from facerec.errors import BadParam, NotFound
from facerec.faces import Box
from facerec.galleries import Bounds, Page, StoredFace, check_gallery
from facerec.services.analyser import document_of as attributes_of
from rest.addresses import address_of
from rest.context import owner, services
from rest.findface.params import Params, whole_number

PAGE = 30
MAX_PAGE = 1000
_PLACES = {"max_id", "min_id", "after"}
"""Parameters that say where a page begins."""
Document = dict[str, Any]


def face_document(face: StoredFace) -> Document:
    """A face; picture addresses are empty when no pictures are kept."""
    url = address_of(f"/v1/face/id/{face.id}") if services().settings.image_store != "none" else ""
    pictures = {kind: f"{url}/{kind}" if url else "" for kind in ("photo", "thumbnail", "normalized")}
    return {
        "id": face.id,
        "timestamp": iso(face.timestamp),
        **pictures,
        "photo_hash": face.image,
        **box_document(face.box),
        "meta": face.meta,
        "galleries": list(face.galleries),
        **_more(face),
        **({} if is_v0() else attributes_of(face.attributes)),
    }


def is_v0() -> bool:
    """Whether the call is to /v0, which knows no gender, age and emotions."""
    return request.path.startswith("/v0/")


def _more(face: StoredFace) -> Document:
    said = face.attributes
    more: Document = {}
    if face.person is not None:
        more["person_id"] = face.person
    if "friend" in said:
        more["friend"] = said["friend"] == "1"
    if "cam_id" in said:
        more["cam_id"] = said["cam_id"]
    if "detector" in said:
        more["detectorParams"] = json.loads(said["detector"])
    return more


def box_document(box: Box) -> Document:
    return {"x1": box.left, "y1": box.top, "x2": box.right, "y2": box.bottom}


def box_key(box: Box) -> str:
    """A box as a key of a map."""
    return f"[{box.left}, {box.top}, {box.right}, {box.bottom}]"


def iso(seconds: float) -> str:
    """UTC with microseconds and without a zone."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def seconds_of(params: Params, name: str) -> float | None:
    """A time in ISO 8601, UTC when it names no zone, in seconds since the epoch. Raises BadParam."""
    text = params.text(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise params.bad(name, "must be a time as 2024-12-31T23:59:59") from error


def stored_face(text: str) -> StoredFace:
    """The owner's face with this id. Raises BadParam, NotFound."""
    found = services().findface.faces(owner(), [id_of(text)])[0]
    if found is None:
        raise NotFound("there is no such face")
    return found


def id_of(text: str) -> int:
    """An id of a path. Raises BadParam, NotFound."""
    number = whole_number(text)
    if number is None:
        raise BadParam("id", "must be a whole number", text[:100])
    if not 0 <= number < 1 << 63:
        raise NotFound("there is nothing of this id")
    return number


def known_gallery(name: str | None) -> str:
    """The gallery of a path, ``default`` for none. Raises BadParam, NotFound."""
    if name is None:
        return "default"
    if not services().findface.has_gallery(owner(), check_gallery(name)):
        raise NotFound(f"there is no gallery {name}")
    return name


def page_of(params: Params, gallery: str, meta: str | None = None) -> Response:
    """A page of faces, newest first, with the addresses of its neighbours."""
    limit = params.whole("limit", 1, MAX_PAGE) or PAGE
    bounds = Bounds(params.face_id("max_id"), params.face_id("min_id"))
    page = services().findface.page(owner(), gallery, bounds, limit, meta)
    found = [face_document(face) for face in services().findface.faces(owner(), page.ids) if face]
    older, newer = _neighbours(page, bounds, limit)
    return jsonify({"results": found, "next_page": older, "prev_page": newer})


def _neighbours(page: Page, bounds: Bounds, limit: int) -> tuple[str | None, str | None]:
    size = {} if limit == PAGE else {"limit": limit}
    between = {} if bounds.above is None or bounds.is_rising else {"min_id": bounds.above}
    older = path_with(max_id=page.ids[-1], **between, **size) if page.older and page.ids else None
    newer = path_with(min_id=page.ids[0], **size) if page.newer and page.ids else None
    return older, newer


def path_with(**parameters: Any) -> str:
    """The path of this call with its query, and another place to go on from."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in {*_PLACES, *parameters}]
    return f"{quote(request.script_root + request.path)}?{urlencode([*kept, *parameters.items()])}"


def nothing() -> Response:
    """204."""
    return Response(status=204)
