"""Questions to the workers about faces: what a photo shows, who is near."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facerec.enrolment import Wish
from facerec.errors import (
    Backpressure,
    BadParam,
    FacerecError,
    InternalError,
    ServiceUnavailable,
    TooManyFaces,
    error_for,
)
from facerec.faces import Box, Encoding, Model
from facerec.jobs import Reply, Request
from facerec.parts import WHOLE, Part, Parts
from facerec.ports import Requester
from facerec.removed import Removed
from facerec.selection import choose

_RETRY_AFTER = 5
IsGone = Callable[[], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A face of a photo that is not stored, as ``model`` sees it. ``chip`` is the aligned face as PNG when it was asked for."""

    box: Box
    confidence: float
    encoding: Encoding
    chip: bytes = b""
    model: Model | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """A known face and its Euclidean distance."""

    face: int
    distance: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found for each probe, nearest first; ``position`` is where the journal stood.

    ``parts`` are those of the index, and whether each answered.
    """

    probes: tuple[tuple[Near, ...], ...]
    position: int
    parts: Parts = (Part(WHOLE, answered=True),)


class Lookup:
    """``seconds`` is how long an answer may take. Every method may raise DeadlineExceeded and BrokerUnavailable."""

    def __init__(self, requester: Requester, seconds: float, clock: Callable[[], float]) -> None:
        self._requester = requester
        self._seconds = seconds
        self._clock = clock

    def faces(
        self, owner: str, photo: bytes, selector: str, boxes: Sequence[Box] = (), is_gone: IsGone = lambda: False
    ) -> list[Seen]:
        """The faces of a photo that are meant (`facerec.selection`). Raises NoFaces, TooManyFaces, UnreadableImage."""
        found = self.all_faces(owner, photo, is_gone)
        places, missing = choose([face.box for face in found], selector, boxes)
        more = self._at(owner, photo, missing, is_gone) if missing else []
        return [found[place] for place in places] + more

    def all_faces(
        self, owner: str, photo: bytes, is_gone: IsGone = lambda: False, *, chips: bool = False
    ) -> list[Seen]:
        """Every face of a photo. Chips come only from workers that keep pictures."""
        return _seen(self.ask("analyse", owner, {"model": None, "boxes": None, "chips": chips}, photo, is_gone))

    def thumbnails(self, owner: str, photo: bytes, boxes: Sequence[Box]) -> list[bytes]:
        """The face in each box as those of stored faces are shown: a JPEG. Raises UnreadableImage, InternalError."""
        sides = [[box.top, box.right, box.bottom, box.left] for box in boxes]
        asked = {"model": None, "boxes": sides, "thumbnails": True}
        told = self.ask("analyse", owner, asked, photo, lambda: False).get("thumbnails", ())
        if len(told) != len(boxes):
            raise InternalError("the worker made no thumbnails")
        return [base64.b64decode(face) for face in told]

    def _at(self, owner: str, photo: bytes, boxes: Sequence[Box], is_gone: IsGone) -> list[Seen]:
        sides = [[box.top, box.right, box.bottom, box.left] for box in boxes]
        return _seen(self.ask("analyse", owner, {"model": None, "boxes": sides}, photo, is_gone))

    def search(
        self,
        owner: str,
        probes: Sequence[Encoding],
        gallery: str | None,
        limit: float,
        count: int,
        is_gone: IsGone = lambda: False,
        beyond: Near | None = None,
        model: Model | None = None,
        since: int = 0,
    ) -> Found:
        """The ``count`` nearest faces of a gallery (None: all) at most ``limit`` from each probe, which is of ``model``.

        ``beyond`` is the last that an earlier search found: this one goes on from there. ``since`` is the journal position
        that a part must have reached to count as answering.
        """
        if not probes:
            return Found((), 0)
        body = np.stack(probes).astype("<f4").tobytes()
        name = None if model is None else model.name.lower()
        parameters: dict[str, Any] = {
            "model": name,
            "count": count,
            "limit": limit,
            "gallery": gallery,
            "position": since,
        }
        if beyond is not None:
            parameters["beyond"] = [beyond.distance, beyond.face]
        document = self.ask("search", owner, parameters, body, is_gone)
        rows = tuple(tuple(Near(hit["face_id"], hit["distance"]) for hit in row) for row in document["probes"])
        return Found(rows, document["position"], _parts_in(document))

    def enroll(
        self,
        owner: str,
        photo: bytes,
        name: str,
        ticket: int,
        wish: Wish,
        is_gone: IsGone = lambda: False,
        restore: Sequence[Removed] = (),
    ) -> Mapping[str, Any]:
        """What a worker says of a posted photo: ``{"state", "faces"}`` (`worker.enroller`). ``restore``: faces to bring back."""
        parameters: dict[str, Any] = {"name": name, "ticket": ticket, "wish": wish.document()}
        if restore:
            parameters["restore"] = [face.document for face in restore]
        return self.ask("enroll", owner, parameters, photo, is_gone)

    def ask(
        self, verb: str, owner: str, parameters: Mapping[str, Any], body: bytes, is_gone: IsGone
    ) -> Mapping[str, Any]:
        """The document of a good reply. Raises the error that a bad one names."""
        deadline = self._clock() + self._seconds
        reply = self._requester.call(Request(verb, owner, deadline, parameters, body), is_gone)
        if not reply.ok:
            raise _error_in(reply)
        return reply.document


def _parts_in(document: Mapping[str, Any]) -> Parts:
    """A worker of an earlier release tells of none: it answers from all faces or not at all."""
    told = document.get("parts")
    return (Part(WHOLE, answered=True),) if told is None else tuple(Part.of(part) for part in told)


def _seen(document: Mapping[str, Any]) -> list[Seen]:
    model = Model(document["model"])
    chips = [base64.b64decode(chip) for chip in document.get("chips", ())] or [b""] * len(document["faces"])
    return [
        Seen(Box(**face["box"]), float(face["confidence"]), np.array(face["encoding"], np.float32), chip, model)
        for face, chip in zip(document["faces"], chips, strict=True)
    ]


def _error_in(reply: Reply) -> FacerecError:
    document = reply.document
    code, reason = str(document.get("code")), str(document.get("reason", ""))
    if code == TooManyFaces.code:
        return TooManyFaces(reason, [Box(*sides) for sides in document.get("boxes", [])])
    if code == BadParam.code:
        return BadParam(str(document.get("param", "")), reason)
    if code == Backpressure.code:
        return Backpressure(reason, _RETRY_AFTER)
    if code == ServiceUnavailable.code:
        return ServiceUnavailable(reason)
    error = error_for(code, reason)
    return InternalError(reason) if error.code != code else error
