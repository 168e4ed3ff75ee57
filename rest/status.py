"""How work goes, for the page and the command: the whole service, many images at a glance, one image face by face."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import BaseModel, Field

from facerec.errors import FacerecError, NotFound, ServiceUnavailable
from facerec.identity import DEFAULT_OWNER, check_hash
from facerec.presets import DEFAULT_PRESET, PRESETS
from rest.auth import authenticate
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.models import Hash, ImageSummary, Part, Strict
from rest.params import no_query, read_json, read_query
from rest.pictures import thumbnail_path
from rest.regenerate import RegenerateStatus

log = logging.getLogger(__name__)
T = TypeVar("T")
_BODY_LIMIT = 256 * 1024
MAX_HASHES = 1000
WELL = {"ok": True, "reason": None, "reads": True}
"""The state of a part that does all that it should."""


class Counts(BaseModel):
    queued: int
    processing: int
    done: int
    failed: int


class Worker(BaseModel):
    """What a worker says of itself."""

    name: str
    model: str | None = None
    device: str | None = None
    processes: int | None = None
    faces: int | None = Field(None, description="known faces in its index")
    jobs: int | None = Field(None, description="jobs that it holds")
    loading: str | None = Field(None, description="while it starts: how much of the known faces it has read")


class Kept(BaseModel):
    """Which pictures are kept: ``store`` is none, file or s3; ``days`` 0 means until they are erased."""

    store: str
    days: float


class PresetEntry(BaseModel):
    """What a preset of /identify means (docs/accuracy.md)."""

    tolerance: float
    found: float = Field(description="part of the pairs of one person that match")
    strangers: int = Field(description="one pair of strangers in that many is expected to match")


class Limits(BaseModel):
    upload_bytes: int
    queue: int


class Status(BaseModel):
    """``images`` are the caller's own; queue, dead letters and workers those of the whole service. Null: nobody answers."""

    parts: dict[str, Part]
    images: Counts | None
    waiting: int | None = Field(description="jobs in the queue")
    dead: int | None = Field(description="dead letters")
    workers: list[Worker] | None
    pictures: Kept
    limits: Limits
    presets: dict[str, PresetEntry]
    default_preset: str
    regeneration: RegenerateStatus | None = Field(description="told to the owner default alone")


class WhichImages(Strict):
    hashes: list[str] = Field(max_length=MAX_HASHES)


class States(BaseModel):
    results: list[ImageSummary] = Field(description="unknown images are left out")


class FaceMatch(BaseModel):
    hash: str = Hash
    names: list[str]
    distance: float = Field(description="Euclidean, smaller is closer")
    face: int = Field(description="the nearest face there")
    thumbnail: str | None


class MatchedFace(BaseModel):
    id: int
    matches: list[FaceMatch] = Field(description="nearest first; an image stands with every face that it matches")


class MatchedFaces(BaseModel):
    faces: list[MatchedFace]


class MatchesQuery(Strict):
    limit: int = Field(6, ge=1, le=100, description="images for each face")


def register_status(app: Flask) -> None:
    status = Blueprint("status", __name__)
    status.before_request(authenticate)
    status.get("/status")(get_status)
    status.post("/images/states")(post_states)
    status.get("/images/<image>/faces")(get_faces)
    app.register_blueprint(status)


@describes(
    Operation("Queue, workers, dead letters, and the state of every part", answer=Status, errors=(401, 403, 503))
)
def get_status() -> Response:
    no_query(request)
    front = services()
    parts: dict[str, dict[str, Any]] = {}
    waiting = _asked(parts, "broker", front.publisher.depth)
    dead = None if waiting is None else _asked(parts, "broker", front.dead.count)
    images = _asked(parts, "redis", lambda: front.overview.counts(owner()))
    workers = None if images is None else _asked(parts, "redis", front.workers.workers)
    regeneration = None if images is None else _asked(parts, "redis", _regeneration)
    if parts["redis"]["ok"]:
        _asked(parts, "redis", front.writes.redis.check)
    _asked(parts, "image_store", front.writes.pictures.check)
    settings = front.settings
    return jsonify(
        {
            "parts": parts | {"workers": workers_part(workers, parts["redis"])},
            "images": images,
            "waiting": waiting,
            "dead": dead,
            "workers": None if workers is None else [{"name": name} | state for name, state in sorted(workers.items())],
            "pictures": {"store": front.pictures.store.kind, "days": settings.image_retention_days},
            "limits": {"upload_bytes": settings.rest.max_upload_bytes, "queue": settings.rest.queue_limit},
            "presets": {name: asdict(preset) for name, preset in PRESETS.items()},
            "default_preset": DEFAULT_PRESET,
            "regeneration": regeneration,
        }
    )


@describes(Operation("The states of many images", body=WhichImages, answer=States, errors=(400, 401, 403, 503)))
def post_states() -> Response:
    no_query(request)
    hashes = [check_hash(text) for text in read_json(request, WhichImages, _BODY_LIMIT).hashes]
    return jsonify({"results": services().overview.summaries(owner(), hashes)})


@describes(
    Operation(
        "Whom each face of an image matches", query=MatchesQuery, answer=MatchedFaces, errors=(400, 401, 403, 404, 503)
    )
)
def get_faces(image: str) -> Response:
    limit = read_query(request, MatchesQuery).limit
    tolerance = services().settings.tolerance
    found = services().overview.face_matches(owner(), check_hash(image), tolerance, limit)
    if found is None:
        raise NotFound("there is no such image")
    faces = [
        {"id": face, "matches": [match | {"thumbnail": thumbnail_path({"id": match["face"]})} for match in matches]}
        for face, matches in found.items()
    ]
    return jsonify({"faces": faces})


def _regeneration() -> dict[str, Any] | None:
    return services().regeneration.status() if owner() == DEFAULT_OWNER else None


def _asked(parts: dict[str, dict[str, Any]], part: str, ask: Callable[[], T]) -> T | None:
    """What ``ask`` gives, None when the part is away; noted in ``parts``."""
    try:
        answer = ask()
    except FacerecError as error:
        parts[part] = part_away(error)
        return None
    parts.setdefault(part, WELL)
    return answer


def part_away(error: FacerecError) -> dict[str, Any]:
    """A part that does not do what it should; what it tells of our insides goes to the log."""
    if isinstance(error, ServiceUnavailable):
        return {"ok": False, "reason": error.reason, "reads": error.reads}
    log.error("a part is damaged: %s", error.reason, extra={"action": "damaged_part", "code": error.code})
    return _not_well("what is stored is damaged: run facerec fsck")


def workers_part(workers: Mapping[str, Mapping[str, Any]] | None, store: Mapping[str, Any]) -> dict[str, Any]:
    """Whether there is a worker that can work, or why not; ``workers`` is None when the store, of this state, does not tell.

    Workers tell that they live by a write: of a store that takes none they fade although they live.
    """
    if workers is None:
        return _not_well("unknown, because Redis does not answer")
    hindrances = [_hindrance(state) for state in workers.values()]
    if "" in hindrances:
        return WELL
    if not hindrances and not store["ok"]:
        return _not_well("unknown, because Redis takes no writes") | {"reads": True}
    return _not_well("; ".join(sorted(set(hindrances))) or "no worker lives")


def _not_well(reason: str) -> dict[str, Any]:
    return {"ok": False, "reason": reason, "reads": False}


def _hindrance(state: Mapping[str, Any]) -> str:
    if state.get("loading"):
        return f"loading {state['loading']}"
    return str(state.get("problem", ""))
