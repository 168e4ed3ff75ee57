"""Requests for which a person waits: analyse a picture, search the known faces, enroll a photo."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from facerec.encodings import Encodings
from facerec.errors import BadParam, FacerecError, InternalError, MalformedJob
from facerec.faces import ENCODING_LENGTH, Analysis, Box, Face, Model
from facerec.hits import Among, Pairs, nearest_of_images
from facerec.identity import FACES_PER_IMAGE
from facerec.index import FaceIndex
from facerec.jobs import Reply, Request
from facerec.model import parse_model
from facerec.ports import Consumer, Delivery
from facerec.wire import Task
from worker.committer import Committer
from worker.enroller import Enroller
from worker.members import Members
from worker.pool import EnginePool, Result
from worker.replies import error_document

log = logging.getLogger(__name__)
MAX_COUNT = 10_000
MAX_MATCHES = 50_000


class Interactive:
    """Answers requests. One whose deadline has passed, or whose sender is gone, is dropped without work."""

    def __init__(
        self,
        *,
        consumer: Consumer,
        pool: EnginePool,
        committer: Committer,
        model: Model,
        tolerance: float,
        members: Members,
        enroller: Enroller,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._consumer = consumer
        self._pool = pool
        self._committer = committer
        self._model = model
        self._tolerance = tolerance
        self._members = members
        self._enroller = enroller
        self._clock = clock

    def handle(self, delivery: Delivery) -> None:
        """Start on a request; returns at once. A request is acknowledged when it is answered or dropped."""
        try:
            request = Request.from_message(delivery.headers, delivery.body, self._clock())
            if request.verb == "analyse":
                self._analyse(delivery, request)
            elif request.verb == "search":
                self._search(delivery, request)
            elif request.verb == "matches":
                self._matches(delivery, request)
            elif request.verb == "enroll":
                self._enroller.enroll(delivery, request)
            else:
                raise MalformedJob(f"unknown verb {request.verb[:50]!r}")
        except Exception as error:  # noqa: BLE001 - what one request causes must not end the thread that reads all
            self._answer(delivery, _refusal(error))

    def _ask(
        self, delivery: Delivery, request: Request, answer: Callable[[FaceIndex], Reply], of: Model | None
    ) -> None:
        """Have the committer's thread make the answer, if it is still wanted then."""

        def ask(index: FaceIndex) -> None:
            if not self._is_wanted(delivery, request):
                return
            try:
                reply = answer(index)
            except Exception as error:  # noqa: BLE001 - as above, and that thread commits
                reply = _refusal(error)
            self._answer(delivery, reply)

        self._committer.ask(ask, of)

    def _analyse(self, delivery: Delivery, request: Request) -> None:
        chips = bool(request.parameters.get("chips"))
        thumbnails = bool(request.parameters.get("thumbnails"))
        model = model_of(request.parameters) or self._committer.model
        task = Task(request.body, model, boxes_of(request.parameters), pictures=chips or thumbnails)
        self._pool.submit(
            task,
            lambda result: self._answer(delivery, analysis_reply(result, thumbnails=thumbnails)),
            urgent=True,
            is_wanted=lambda: self._is_wanted(delivery, request),
        )

    def _search(self, delivery: Delivery, request: Request) -> None:
        probes = probes_of(request.body)
        asked, of = model_of(request.parameters), set_of(request.parameters)
        count = number_of(request.parameters, "count", 1, MAX_COUNT)
        limit = number_of(request.parameters, "limit", 0, 4)
        since = number_of({"position": 0, **request.parameters}, "position", 0, 1 << 62)
        allowed = self._among(request)
        beyond = None if request.parameters.get("beyond") is None else pair_of(request.parameters, "beyond")

        def answer(index: FaceIndex) -> Reply:
            model = asked or self._committer.model or self._model
            found = [index.nearest(request.owner, model, probe, int(count), limit, allowed, beyond) for probe in probes]
            rows = [[{"face_id": hit.face_id, "distance": hit.distance} for hit in hits] for hits in found]
            parts = [part.document() for part in self._committer.parts(model, int(since))]
            told = {"known_faces": index.count(request.owner, model), "position": index.position, "parts": parts}
            return Reply(True, {"probes": rows} | told)

        self._ask(delivery, request, answer, of)

    def _matches(self, delivery: Delivery, request: Request) -> None:
        probes = probes_of(request.body)
        of = set_of(request.parameters)
        models_of(request.parameters, len(probes), self._model)

        def answer(index: FaceIndex) -> Reply:
            models = models_of(request.parameters, len(probes), self._committer.model or self._model)
            pairs = matches_in(index, request.owner, models, probes, self._tolerance)
            return Reply(True, matches_document(pairs, request.parameters))

        self._ask(delivery, request, answer, of)

    def _among(self, request: Request) -> Among | None:
        """``among`` are face ids, ``gallery`` is the name of a gallery; both may be missing. Raises StoreUnavailable."""
        among, gallery = request.parameters.get("among"), request.parameters.get("gallery")
        if among is not None:
            return Among(np.unique(np.array(face_ids_of(among), np.int64)), inside=True)
        return None if gallery is None else self._members.among(request.owner, str(gallery))

    def _is_wanted(self, delivery: Delivery, request: Request) -> bool:
        if self._clock() < request.deadline and self._consumer.is_awaited(delivery):
            return True
        self._consumer.ack([delivery])
        return False

    def _answer(self, delivery: Delivery, reply: Reply) -> None:
        self._consumer.reply(delivery, reply)
        self._consumer.ack([delivery])


def _refusal(error: Exception) -> Reply:
    """What is no error of ours is a bug: the log has it, and whoever asked is told that there was one."""
    if not isinstance(error, FacerecError):
        log.error("a request broke", exc_info=error, extra={"action": "request_broke"})
        error = InternalError(f"an error of ours: {type(error).__name__}")
    return Reply(False, error_document(error))


def analysis_reply(result: Result, *, thumbnails: bool = False) -> Reply:
    """An analysis, or the error in its place, as a reply; with the faces as JPEG in base64 when they are asked for."""
    if isinstance(result, FacerecError):
        return Reply(False, error_document(result))
    faces = result.renderings.thumbnails if thumbnails and result.renderings else ()
    more = {"thumbnails": [base64.b64encode(face).decode() for face in faces]} if thumbnails else {}
    return Reply(True, analysis_document(result) | more)


def analysis_document(analysis: Analysis) -> dict[str, Any]:
    """``{"width", "height", "model", "faces": [{"box", "landmarks", "confidence", "marks", "encoding"}], "chips"}``.

    ``chips`` are aligned faces as PNG in base64, as many as there are faces when they were asked for, else none.
    """
    return {
        "width": analysis.width,
        "height": analysis.height,
        "model": analysis.model.value,
        "faces": [face_document(face) for face in analysis.faces],
        "chips": [base64.b64encode(chip).decode() for chip in analysis.chips],
    }


def face_document(face: Face) -> dict[str, Any]:
    box = face.box
    return {
        "box": {"top": box.top, "right": box.right, "bottom": box.bottom, "left": box.left},
        "landmarks": [{"x": point.x, "y": point.y} for point in face.landmarks],
        "confidence": float(face.confidence),
        "marks": sorted(mark.name.lower() for mark in face.marks),
        "encoding": [float(number) for number in face.encoding],
    }


def matches_in(index: FaceIndex, owner: str, models: Sequence[Model], probes: Encodings, tolerance: float) -> Pairs:
    """As `FaceIndex.matches`, of probes each of which has its own model."""
    found = []
    for model in dict.fromkeys(models):
        rows = np.flatnonzero([of is model for of in models])
        pairs = index.matches(owner, model, probes[rows], tolerance)
        found.append(Pairs(rows[pairs.rows], pairs.face_ids, pairs.distances))
    if len(found) == 1:
        return found[0]
    # An image may match by faces of several models.
    return nearest_of_images(
        Pairs(
            np.concatenate([pairs.rows for pairs in found]),
            np.concatenate([pairs.face_ids for pairs in found]),
            np.concatenate([pairs.distances for pairs in found]),
        )
    )


def matches_document(pairs: Pairs, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``{"total", "is_last", "matches": [[distance, probe, face id], ...]}``: some images that match, one pair for each.

    ``but`` is the ticket of an image to leave out. ``order`` is ``distance`` or ``ticket``; the page holds ``count`` images
    and begins behind the image ``after``, which is a distance and a ticket.
    """
    tickets = pairs.face_ids // FACES_PER_IMAGE
    wanted = tickets != int(number_of(parameters, "but", 0, 1 << 51))
    count = int(number_of(parameters, "count", 1, MAX_MATCHES))
    distance, ticket = pair_of(parameters, "after")
    if parameters.get("order") == "ticket":
        behind, order = tickets > ticket, np.argsort(tickets)
    else:
        at = pairs.distances == distance
        behind, order = (pairs.distances > distance) | (at & (tickets > ticket)), np.arange(len(tickets))
    chosen = order[(wanted & behind)[order]]
    page = chosen[:count]
    rows = zip(pairs.distances[page].tolist(), pairs.rows[page].tolist(), pairs.face_ids[page].tolist(), strict=True)
    return {"total": int(wanted.sum()), "is_last": len(chosen) <= count, "matches": [list(row) for row in rows]}


def face_ids_of(among: object) -> list[int]:
    """Raises BadParam."""
    if isinstance(among, list) and all(type(each) is int and 0 <= each < 1 << 63 for each in among):
        return among
    raise BadParam("among", "must be a list of face ids")


def pair_of(parameters: Mapping[str, Any], name: str) -> tuple[float, int]:
    """A distance, and the number of what is so far away. Raises BadParam."""
    match parameters.get(name):
        case [float() | int() as distance, int() as number] if abs(distance) < 1 << 62 and abs(number) < 1 << 62:
            return float(distance), number
    raise BadParam(name, "must be a distance and a number")


def model_of(parameters: Mapping[str, Any]) -> Model | None:
    """Raises BadParam."""
    wanted = parameters.get("model")
    return None if wanted is None else _model("model", wanted)


def set_of(parameters: Mapping[str, Any]) -> Model | None:
    """The model of the set of known faces that is to be searched: that of the probes unless it is told. Raises BadParam."""
    wanted = parameters.get("set")
    return model_of(parameters) if wanted is None else _model("set", wanted)


def models_of(parameters: Mapping[str, Any], count: int, default: Model) -> list[Model]:
    """The model of each of so many probes: ``models``, or ``model`` for all of them. Raises BadParam."""
    wanted = parameters.get("models")
    if wanted is None:
        return count * [model_of(parameters) or default]
    if not isinstance(wanted, list) or len(wanted) != count:
        raise BadParam("models", "must be the model of each probe")
    return [_model("models", each) for each in wanted]


def _model(param: str, wanted: object) -> Model:
    try:
        return parse_model(str(wanted))
    except ValueError as error:
        raise BadParam(param, str(error), wanted) from error


def boxes_of(parameters: Mapping[str, Any]) -> tuple[Box, ...] | None:
    """Raises BadParam."""
    boxes = parameters.get("boxes")
    if boxes is None:
        return None
    try:
        found = tuple(Box(*(int(side) for side in box)) for box in boxes)
        if any(abs(side) >= 1 << 31 for box in found for side in (box.top, box.right, box.bottom, box.left)):
            raise ValueError("a box outside of every picture")
    except (TypeError, ValueError, OverflowError) as error:
        raise BadParam("boxes", "must be lists of top, right, bottom, left") from error
    return found


def number_of(parameters: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """Raises BadParam."""
    value = parameters.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadParam(name, f"must be a number from {low:g} to {high:g}", value)
    return value


def probes_of(body: bytes) -> Encodings:
    """Encodings as rows of shape (n, 128). Raises MalformedJob."""
    if not body or len(body) % (4 * ENCODING_LENGTH):
        raise MalformedJob("the body holds no encodings")
    probes = np.frombuffer(body, dtype="<f4").reshape(-1, ENCODING_LENGTH)
    if not np.isfinite(probes).all():
        raise MalformedJob("the body holds encodings of no numbers")
    return probes
