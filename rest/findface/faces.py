"""POST /face and everything about one face or all."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from flask import Response, jsonify, request

from facerec.enrolment import Wish, fields_at
from facerec.errors import BadParam, NotFound
from facerec.galleries import MAX_META, Change, StoredFace, check_gallery
from facerec.selection import SELECTORS
from facerec.services.analyser import texts_of
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.findface import models
from rest.findface.answers import face_document, id_of, known_gallery, nothing, page_of, seconds_of, stored_face
from rest.findface.params import Params, box_of, read_params
from rest.findface.photos import read_photo
from rest.findface.recognition import wanted_attributes
from rest.nextcloud import client_gone


@describes(
    Operation(
        "Store faces of a photo",
        body=models.FacePost,
        answer=models.FaceList,
        errors=(400, 401, 403, 409, 413, 415, 422, 429, 500, 502, 503, 504),
    )
)
def post_face() -> Response:
    params = read_params(request, 1, services().settings.rest.max_upload_bytes)
    wanted = wanted_attributes(params)
    wish = services().hooks.before_store(owner(), _wish(params))
    photo = read_photo(params)
    with box_of("bbox"):
        found = services().enrolments.post(owner(), photo.body, photo.name, wish, client_gone(request.environ))
    if wanted:
        found = _with_attributes(photo.body, found, wanted)
    services().hooks.after_store(owner(), found)
    return jsonify({"results": [face_document(face) for face in found]})


def _with_attributes(photo: bytes, faces: list[StoredFace], wanted: tuple[str, ...]) -> list[StoredFace]:
    """The faces, which are stored already, with what the analyser says of them; it is stored as well.

    When the analyser fails the faces stay without, and the same post again adds it.
    """
    told = services().attributing.of_faces(photo, [face.box for face in faces], wanted)
    for face, document in zip(faces, told, strict=True):
        with suppress(NotFound):  # removed in this moment: nothing is left to be said of it
            services().findface.change(owner(), face.id, Change(fields=texts_of(document)))
    return [face for face in services().findface.faces(owner(), [face.id for face in faces]) if face]


def _wish(params: Params) -> Wish:
    now = services().clock()
    timestamp = seconds_of(params, "timestamp")
    at = now if timestamp is None else timestamp
    try:
        fields = fields_at(at, services().settings.findface.friend_timezone)
    except ValueError as error:
        raise params.bad("timestamp", "must be within the years 1 to 9999") from error
    camera = params.text("cam_id")
    if camera:
        if services().findface.camera(owner(), camera) is None:
            raise params.bad("cam_id", "there is no such camera")
        fields["cam_id"] = camera
    detector = params.nested("detectorParams")
    if detector is not None:
        fields["detector"] = json.dumps(_detector(params, detector))
    boxes = params.boxes("bbox") or params.corners()
    return Wish(
        selector=params.one_of("mf_selector", SELECTORS, "biggest"),
        boxes=tuple((box.top, box.right, box.bottom, box.left) for box in boxes),
        meta=_meta(params),
        fields=fields,
        galleries=tuple(_galleries(params)),
        now=now,
        persons=services().persons.rule_of_posts(),
    )


def _detector(params: Params, value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise params.bad("detectorParams", "must be an object")
    known = {name: value[name] for name in ("score", "direction_score") if name in value}
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in known.values()):
        raise params.bad("detectorParams", "scores are numbers")
    return known


def _meta(params: Params) -> str | None:
    meta = params.text("meta")
    if meta is not None and len(meta) > MAX_META:
        raise params.bad("meta", f"at most {MAX_META} characters")
    return meta


def _galleries(params: Params) -> list[str]:
    names = [check_gallery(name, "galleries") for name in params.names("galleries") or []]
    for name in names:
        if not services().findface.has_gallery(owner(), name):
            raise BadParam("galleries", "there is no such gallery", name)
    return names


@describes(Operation("One face", path=models.FacePath, answer=models.KnownFace, errors=(400, 401, 403, 404, 503)))
def get_face(face: str) -> Response:
    return jsonify(face_document(stored_face(face)))


@describes(
    Operation(
        "Change meta, person or galleries of a face",
        body=models.FaceChange,
        body_optional=True,
        path=models.FacePath,
        answer=models.KnownFace,
        errors=(400, 401, 403, 404, 413, 503),
    )
)
def put_face(face: str) -> Response:
    number = id_of(face)
    params = read_params(request, 0, services().settings.rest.max_upload_bytes)
    rule = services().persons.rule_of_posts()
    change = Change(
        meta=_meta(params),
        person=params.whole("person_id", 0, (1 << 63) - 1),
        galleries=_gallery_change(params),
        friend_since=rule.friend_since if rule else 0.0,
        friend_days=rule.friend_days if rule else 0,
    )
    services().findface.change(owner(), number, change)
    return jsonify(face_document(stored_face(face)))


def _gallery_change(params: Params) -> tuple[str, tuple[str, ...]] | None:
    value = params.nested("galleries")
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"add", "del", "set"}:
        raise params.bad("galleries", "must be an object with one of add, del, set")
    ((how, names),) = value.items()
    if not isinstance(names, list):
        raise params.bad("galleries", f"{how} must be a list")
    return how, tuple(check_gallery(name, "galleries") for name in names)


@describes(
    Operation(
        "Remove a face", path=models.FacePath, answer=None, media="", status=204, errors=(400, 401, 403, 404, 503)
    )
)
def delete_face(face: str) -> Response:
    if not services().removal.remove(owner(), id_of(face)):
        raise NotFound("there is no such face")
    return nothing()


@describes(
    Operation(
        "Faces, newest first",
        path=models.GalleryPath,
        query=models.PageQuery,
        answer=models.FacePage,
        errors=(400, 401, 403, 404, 503),
    )
)
def get_faces(gallery: str | None = None) -> Response:
    params = read_params(request, 0, services().settings.rest.max_upload_bytes)
    return page_of(params, known_gallery(gallery))
