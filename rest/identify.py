"""POST /identify: who is this? The picture is looked at and forgotten."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Literal

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import BaseModel, Field

from facerec.errors import BadParam
from facerec.faces import Model
from facerec.jobs import Request
from facerec.presets import DEFAULT_PRESET, PRESETS, tolerance_of
from facerec.services.people import Standing
from rest.auth import authenticate
from rest.bodies import read_form, the_file
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.models import Box, Hash, Strict
from rest.nextcloud import client_gone
from rest.params import no_query, parse_fields
from rest.pictures import thumbnail_path
from rest.replies import document_of

_ERRORS = (400, 401, 403, 413, 415, 422, 503, 504)


class IdentifyForm(Strict):
    """Either a preset or a tolerance; both decide how far a known face may be to count."""

    preset: Literal["strict", "medium", "low"] | None = Field(
        None, description=", ".join(f"{name}: {preset.tolerance}" for name, preset in PRESETS.items())
    )
    tolerance: float | None = Field(None, ge=0, le=2, description="Euclidean distance, inclusive")
    n: int = Field(5, ge=1, le=100, description="known faces to show for each face found")


class Upload(IdentifyForm):
    file: bytes


class Who(BaseModel):
    id: int
    name: str | None


class Candidate(BaseModel):
    """A known face within the tolerance."""

    face: int
    person: Who | None = Field(description="whose face it is, as far as that is known")
    distance: float = Field(description="Euclidean, smaller is closer")
    hash: str = Hash
    names: list[str]
    thumbnail: str | None


class Identified(BaseModel):
    """A face of the picture. ``unknown``: no known face is within the tolerance; then there are no candidates."""

    box: Box
    confidence: float
    marks: list[str]
    unknown: bool
    candidates: list[Candidate] = Field(description="nearest first")


class Identification(BaseModel):
    width: int
    height: int
    tolerance: float
    preset: str | None
    known_faces: int
    faces: list[Identified]


def register_identify(app: Flask) -> None:
    identify = Blueprint("identify", __name__)
    identify.before_request(authenticate)
    identify.post("/identify")(post_identify)
    app.register_blueprint(identify)


@describes(Operation("Who is this? Nothing of the picture is kept", answer=Identification, form=Upload, errors=_ERRORS))
def post_identify() -> Response:
    no_query(request)
    fields, files = read_form(request, services().settings.rest.max_upload_bytes)
    form = parse_fields(fields, IdentifyForm)
    if form.preset is not None and form.tolerance is not None:
        raise BadParam("tolerance", "either a preset or a tolerance, not both", form.tolerance)
    preset = None if form.tolerance is not None else form.preset or DEFAULT_PRESET
    tolerance = tolerance_of(preset) if preset else float(form.tolerance or 0.0)
    _, image = the_file(files)
    services().probe(image, services().settings.max_pixels)
    found = _ask("analyse", {"model": None, "boxes": None}, image)
    known, hits = _nearest(found, form.n, tolerance)
    faces = [_identified(face, near) for face, near in zip(found["faces"], hits, strict=True)]
    size = {"width": found["width"], "height": found["height"]}
    return jsonify(size | {"tolerance": tolerance, "preset": preset, "known_faces": known, "faces": faces})


def _nearest(analysis: Mapping[str, Any], count: int, tolerance: float) -> tuple[int, list[list[Mapping[str, Any]]]]:
    """How many faces are known, and for each face of a worker's analysis those within the tolerance."""
    encodings = [face["encoding"] for face in analysis["faces"]]
    probes = b"".join(struct.pack(f"<{len(encoding)}f", *encoding) for encoding in encodings)
    if not probes:
        return 0, []
    # The model of the known faces may change between the two questions: these are compared with those of their own.
    found = _ask("search", {"count": count, "limit": tolerance, "model": Model(analysis["model"]).name.lower()}, probes)
    return found["known_faces"], found["probes"]


def _ask(verb: str, parameters: Mapping[str, Any], body: bytes) -> Mapping[str, Any]:
    seconds = services().settings.rest.interactive_timeout
    call = Request(verb, owner(), services().clock() + seconds, parameters, body)
    return document_of(services().requester.call(call, client_gone(request.environ)))


def _identified(face: Mapping[str, Any], hits: list[Mapping[str, Any]]) -> dict[str, Any]:
    standings = services().people.standings(owner(), 0, [hit["face_id"] for hit in hits])
    candidates = [
        candidate
        for hit, standing in zip(hits, standings, strict=True)
        if standing and (candidate := _candidate(hit, standing))
    ]
    told = {name: face[name] for name in ("box", "confidence", "marks")}
    return told | {"unknown": not candidates, "candidates": candidates}


def _candidate(hit: Mapping[str, Any], standing: Standing) -> dict[str, Any] | None:
    """A known face for a person to look at; None when it was erased in this moment."""
    place = services().whereabouts.of_face(owner(), hit["face_id"])
    summaries = services().overview.summaries(owner(), [place.hash]) if place else []
    if not summaries:
        return None
    return {
        "face": hit["face_id"],
        "person": None if standing.person is None else {"id": standing.person, "name": standing.name},
        "distance": hit["distance"],
        "hash": summaries[0]["hash"],
        "names": summaries[0]["names"],
        "thumbnail": thumbnail_path({"id": hit["face_id"]}),
    }
