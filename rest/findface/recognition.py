"""Detect, verify, identify."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, jsonify, request

from facerec.confidence import DEFAULT_THRESHOLD, confidence, threshold_of
from facerec.encodings import euclidean
from facerec.errors import NoFaces, NotFound
from facerec.faces import Box, Encoding, Model
from facerec.selection import SELECTORS
from facerec.services.analyser import NAMES
from facerec.services.identify import MAX_COUNT, Question
from facerec.services.lookup import Seen
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.findface import models
from rest.findface.answers import box_document, box_key, face_document, is_v0, known_gallery
from rest.findface.params import Params, box_of, given, read_params
from rest.findface.photos import read_photo
from rest.nextcloud import client_gone

_PHOTO_ERRORS = (400, 401, 403, 413, 415, 422, 502, 503, 504)
Probe = tuple[Box, Encoding, Model | None]


@describes(Operation("Find faces", body=models.Detect, answer=models.Detected, errors=(*_PHOTO_ERRORS, 500)))
def post_detect() -> Response:
    params = read_params(request, 1, services().settings.rest.max_upload_bytes)
    wanted = wanted_attributes(params)
    photo = read_photo(params)
    boxes = [face.box for face in services().lookup.all_faces(owner(), photo.body, client_gone(request.environ))]
    told = services().attributing.of_faces(photo.body, boxes, wanted)
    faces = [box_document(box) | more for box, more in zip(boxes, told, strict=True)]
    return jsonify({"faces": faces, "orientation": 1})


def wanted_attributes(params: Params) -> tuple[str, ...]:
    """Which of gender, age and emotions are asked for. /v0 never knew them. Raises NoAnalyser, BadParam."""
    wanted = () if is_v0() else tuple(name for name in NAMES if params.flag(name))
    services().attributing.check(wanted)
    return wanted


@describes(
    Operation("Do two photos show one person?", body=models.Verify, answer=models.Verified, errors=_PHOTO_ERRORS)
)
def post_verify() -> Response:
    params = read_params(request, 2, services().settings.rest.max_upload_bytes)
    threshold = _threshold(params)
    first, second = (_seen(params, f"photo{number}", f"bbox{number}") for number in (1, 2))
    results = [_pair(one, other, threshold) for one in first for other in second]
    if threshold is None:
        return jsonify({"results": results})
    rows = [results[start : start + len(second)] for start in range(0, len(results), len(second))]
    return jsonify({"results": results, "verified": all(any(pair["verified"] for pair in row) for row in rows)})


def _seen(params: Params, photo: str, bbox: str) -> list[Seen]:
    selector = params.one_of("mf_selector", SELECTORS, "biggest")
    boxes = params.boxes(bbox)
    body = read_photo(params, photo).body
    try:
        with box_of(bbox):
            return services().lookup.faces(owner(), body, selector, boxes, client_gone(request.environ))
    except NoFaces as error:
        raise NoFaces(f"{photo}: {error.reason}") from error


def _pair(one: Seen, other: Seen, threshold: float | None) -> dict[str, Any]:
    found = confidence(euclidean(one.encoding, other.encoding))
    pair = {"bbox1": box_document(one.box), "bbox2": box_document(other.box), "confidence": found}
    return pair if threshold is None else pair | {"verified": found >= threshold}


def _threshold(params: Params) -> float | None:
    return threshold_of(given(params.values.get("threshold"), DEFAULT_THRESHOLD))


@describes(
    Operation(
        "Who is this?",
        path=models.GalleryPath,
        body=models.Identify,
        answer=models.IdentifyResult,
        errors=(*_PHOTO_ERRORS, 404),
    )
)
def post_identify(gallery: str | None = None) -> Response:
    params = read_params(request, 1, services().settings.rest.max_upload_bytes)
    threshold = given(_threshold(params), 0.0)
    count = given(params.whole("n", 1, MAX_COUNT), 1)
    since = services().identification.now()
    question = Question(known_gallery(gallery), threshold, count, strict=params.flag("strict"), since=since)
    probes = _probes(params)
    encodings = [encoding for _, encoding, _ in probes]
    question = replace(question, model=probes[0][2] if probes else None)
    found = services().identification.identify(owner(), encodings, question, client_gone(request.environ))
    results = {
        box_key(box): [{"confidence": hit.confidence, "face": face_document(hit.face)} for hit in row]
        for (box, _, _), row in zip(probes, found.rows, strict=True)
    }
    services().hooks.after_identify(owner(), results)
    live, total = found.servers.live, found.servers.total
    response = jsonify({"results": results, "live_servers": live, "total_servers": total})
    response.headers["X-Live-Servers"] = f"{live}/{total}"
    return response


def _probes(params: Params) -> list[Probe]:
    """The faces of the photo that are meant, or a stored face."""
    known = params.face_id("face_id")
    if known is not None:
        stored = services().findface.faces(owner(), [known])[0]
        if stored is None:
            raise NotFound("there is no such face")
        return [(stored.box, stored.face.encoding, stored.face.model)]
    selector = params.one_of("mf_selector", SELECTORS, "biggest")
    boxes = params.boxes("bbox") or params.corners()
    body = read_photo(params).body
    with box_of("bbox"):
        seen = services().lookup.faces(owner(), body, selector, boxes, client_gone(request.environ))
    return [(face.box, face.encoding, face.model) for face in seen]
