"""Detect, verify, identify."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request

from facerec.confidence import DEFAULT_THRESHOLD, FARTHEST, confidence, distance_of, threshold_of
from facerec.errors import BadParam, NotFound
from facerec.faces import Box, Encoding
from facerec.galleries import StoredFace
from facerec.index import euclidean
from facerec.selection import SELECTORS
from facerec.services.lookup import Near, Seen
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.findface import models
from rest.findface.answers import box_document, box_key, face_document, known_gallery
from rest.findface.params import Params, given, read_params
from rest.findface.photos import read_photo
from rest.nextcloud import client_gone

_PHOTO_ERRORS = (400, 401, 403, 413, 415, 422, 502, 503, 504)
MAX_N = 10_000
ROUNDING = 1e-9
"""Added to the limit of a search; the confidence itself decides afterwards."""
Probe = tuple[Box, Encoding]


@describes(Operation("Find faces", body=models.Detect, answer=models.Detected, errors=_PHOTO_ERRORS))
def post_detect() -> Response:
    params = read_params(request, 1, services().settings.rest.max_upload_bytes)
    check_analyser(params)
    photo = read_photo(params)
    found = services().lookup.all_faces(owner(), photo.body, client_gone(request.environ))
    return jsonify({"faces": [box_document(face.box) for face in found], "orientation": 1})


def check_analyser(params: Params) -> None:
    """Age, gender and emotions need an analyser, of which there is none unless a plugin brings one. /v0 never knew them."""
    for name in ("gender", "age", "emotions"):
        if not request.path.startswith("/v0/") and params.flag(name):
            raise BadParam(name, "this service has no analyser of age, gender and emotions", value=True)


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
    return services().lookup.faces(owner(), body, selector, boxes, client_gone(request.environ))


def _pair(one: Seen, other: Seen, threshold: float | None) -> dict[str, Any]:
    found = confidence(euclidean(one.encoding, other.encoding))
    pair = {"bbox1": box_document(one.box), "bbox2": box_document(other.box), "confidence": found}
    return pair if threshold is None else pair | {"verified": found >= threshold}


def _threshold(params: Params) -> float | None:
    return threshold_of(given(params.values.get("threshold"), DEFAULT_THRESHOLD))


@describes(Operation("Who is this?", body=models.Identify, answer=models.IdentifyResult, errors=(*_PHOTO_ERRORS, 404)))
def post_identify(gallery: str | None = None) -> Response:
    params = read_params(request, 1, services().settings.rest.max_upload_bytes)
    threshold = given(_threshold(params), 0.0)
    count = given(params.whole("n", 1, MAX_N), 1)
    params.flag("strict")  # one worker knows the whole index: it answers for all of it, or there is an error
    where = known_gallery(gallery)
    probes = _probes(params)
    limit = min(FARTHEST, distance_of(threshold) + ROUNDING)
    encodings = [encoding for _, encoding in probes]
    found = services().lookup.search(owner(), encodings, where, limit, count, client_gone(request.environ))
    faces = _faces([near.face for row in found.probes for near in row])
    results = {
        box_key(box): _matches(row, faces, threshold) for (box, _), row in zip(probes, found.probes, strict=True)
    }
    services().hooks.after_identify(owner(), results)
    response = jsonify({"results": results, "live_servers": 1, "total_servers": 1})
    response.headers["X-Live-Servers"] = "1/1"
    return response


def _probes(params: Params) -> list[Probe]:
    """The faces of the photo that are meant, or a stored face."""
    known = params.face_id("face_id")
    if known is not None:
        stored = services().findface.faces(owner(), [known])[0]
        if stored is None:
            raise NotFound("there is no such face")
        return [(stored.box, stored.face.encoding)]
    selector = params.one_of("mf_selector", SELECTORS, "biggest")
    boxes = params.boxes("bbox") or params.corners()
    body = read_photo(params).body
    seen = services().lookup.faces(owner(), body, selector, boxes, client_gone(request.environ))
    return [(face.box, face.encoding) for face in seen]


def _faces(ids: list[int]) -> dict[int, StoredFace]:
    unique = list(dict.fromkeys(ids))
    return {face.id: face for face in services().findface.faces(owner(), unique) if face}


def _matches(row: tuple[Near, ...], faces: dict[int, StoredFace], threshold: float) -> list[dict[str, Any]]:
    """Those that are still there; one that was removed since the search is nobody's match."""
    return [
        {"confidence": confidence(near.distance), "face": face_document(faces[near.face])}
        for near in row
        if near.face in faces and confidence(near.distance) >= threshold
    ]
