"""From a URL to a face of the core: fetched, looked at and written by a worker at once, because a person waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from facerec.encodings import Encodings
from facerec.enrolment import Wish
from facerec.errors import Backpressure, DeadlineExceeded, FacerecError, ServiceUnavailable, error_for
from facerec.faces import Model
from facerec.identity import image_hash
from facerec.jobs import Request
from facerec.ports import Admission, Admissions, Requester
from facerec.records import encoding_of, face_id_of, is_comparable, model_of, unpack_face
from facerec.removed import Removed, removed_of

PAUSE = 0.05
"""Seconds before looking again for what somebody else is about to finish."""
NO_FACES = "NO_FACES"
Expect = Callable[[str], Admission]
"""Admits an image, by its hash, before it is written."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """The face that counts in a picture: its image, its face record; both None when there is none."""

    image: str | None = None
    record: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A face to be recognised."""

    model: Model
    encoding: Encodings


class Scans(Protocol):
    """Every method raises the errors of fetching and of the engine, DeadlineExceeded, BrokerUnavailable, StoreUnavailable."""

    def portrait(self, owner: str, url: str, deadline: float, expect: Expect) -> Portrait:
        """Have the picture at ``url`` written into the core; ``deadline`` is in seconds since the epoch."""

    def probe(self, owner: str, url: str, deadline: float) -> Probe | None:
        """Only look at the picture at ``url``; None when it shows no face."""


class Fetcher(Protocol):
    def fetch(self, url: str) -> bytes: ...


class Records(Protocol):
    def records(self, owner: str, image: str) -> list[bytes] | None: ...

    def removed_faces(self, owner: str, image: str) -> str: ...

    def failure(self, owner: str, image: str) -> tuple[str, str] | None: ...


def the_face(records: Sequence[bytes]) -> bytes | None:
    """The largest face of a picture, ties: the first; None when there is none or the quality filter marked it."""
    largest = max(records, key=lambda record: unpack_face(record)[1].box.area, default=None)
    return largest if largest is not None and is_comparable(largest) else None


class WorkerScans:
    """`Scans` through the interactive queue. A URL that was scanned to the end before is not fetched again."""

    def __init__(
        self,
        *,
        admissions: Admissions,
        records: Records,
        fetcher: Fetcher,
        probe: Callable[[bytes, int], object],
        requester: Requester,
        max_pixels: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._admissions = admissions
        self._records = records
        self._fetcher = fetcher
        self._check = probe
        self._requester = requester
        self._max_pixels = max_pixels
        self._clock = clock
        self._pausing = threading.Event()

    def portrait(self, owner: str, url: str, deadline: float, expect: Expect) -> Portrait:
        known = self._known(owner, url)
        if known is None or self._gone(owner, *known):
            known = self._look_at_all(owner, url, deadline, expect)
        record = None if known is None else the_face(known[1])
        return Portrait() if known is None or record is None else Portrait(known[0], record)

    def probe(self, owner: str, url: str, deadline: float) -> Probe | None:
        known = self._known(owner, url)
        if known is None or self._gone(owner, *known):
            return self._look(owner, self._fetch(url, deadline), deadline)
        record = the_face(known[1])
        return None if record is None else Probe(model_of(record), encoding_of(record))

    def _known(self, owner: str, url: str) -> tuple[str, list[bytes]] | None:
        image = self._admissions.known_url(owner, url)
        records = None if image is None else self._records.records(owner, image)
        return None if image is None or records is None else (image, records)

    def _fetch(self, url: str, deadline: float) -> bytes:
        while True:
            self._check_time(deadline)
            try:
                picture = self._fetcher.fetch(url)
            except Backpressure:
                self._pausing.wait(PAUSE)
                continue
            self._check(picture, self._max_pixels)
            return picture

    def _look_at_all(self, owner: str, url: str, deadline: float, expect: Expect) -> tuple[str, list[bytes]] | None:
        """The image at ``url`` and its records, written now unless it is known, with the face that counts if that was removed.

        None when it shows no face.
        """
        picture = self._fetch(url, deadline)
        image = image_hash(picture)
        admission = expect(image)
        if admission.state != "done" and not self._enroll(owner, url, picture, admission.ticket, deadline):
            return None
        while True:
            records = self._finished(owner, image, deadline)
            gone = self._gone(owner, image, records)
            if gone is None:
                return image, records
            self._enroll(owner, url, picture, admission.ticket, deadline, [gone.document])
            self._pausing.wait(PAUSE)

    def _gone(self, owner: str, image: str, records: Sequence[bytes]) -> Removed | None:
        """The face that would count in the picture, were it not removed."""
        stored = [(face_id_of(record), unpack_face(record)[1].box) for record in records]
        removed = removed_of(self._records.removed_faces(owner, image), stored)
        faces = [*stored, *((face.id, face.box) for face in removed)]
        largest = max(faces, key=lambda face: (face[1].area, -face[0]), default=None)
        return next((face for face in removed if largest and face.id == largest[0]), None)

    def _enroll(
        self, owner: str, url: str, picture: bytes, ticket: int, deadline: float, restore: Sequence[list[int]] = ()
    ) -> bool:
        """False when the picture shows no face; nothing of it is written then."""
        wish = Wish(selector="biggest", now=self._clock()).document()
        parameters = {"wish": wish, "name": url, "ticket": ticket} | ({"restore": restore} if restore else {})
        return self._ask("enroll", owner, deadline, parameters, picture) is not None

    def _finished(self, owner: str, image: str, deadline: float) -> list[bytes]:
        """The records of an image that this or somebody else's job finishes. Raises the error by which that job was given up."""
        while (records := self._records.records(owner, image)) is None:
            failure = self._records.failure(owner, image)
            if failure is not None:
                raise _error_of(*failure)
            self._check_time(deadline)
            self._pausing.wait(PAUSE)
        return records

    def _look(self, owner: str, picture: bytes, deadline: float) -> Probe | None:
        document = self._ask("analyse", owner, deadline, {}, picture)
        faces = document["faces"] if document else []
        largest = max(faces, key=lambda face: _area(face["box"]), default=None)
        if document is None or largest is None or largest["marks"]:
            return None
        return Probe(Model(document["model"]), np.asarray(largest["encoding"], np.float32))

    def _ask(
        self, verb: str, owner: str, deadline: float, parameters: dict[str, Any], picture: bytes
    ) -> dict[str, Any] | None:
        """The document of a worker's reply; None when the picture shows no face."""
        self._check_time(deadline)
        reply = self._requester.call(Request(verb, owner, deadline, parameters, picture))
        if reply.ok:
            return dict(reply.document)
        if reply.document.get("code") == NO_FACES:
            return None
        raise _error_of(str(reply.document.get("code")), str(reply.document.get("reason", "")))

    def _check_time(self, deadline: float) -> None:
        if self._clock() >= deadline:
            raise DeadlineExceeded("the time of the call is over")


def _error_of(code: str, reason: str) -> FacerecError:
    return ServiceUnavailable(reason) if code == ServiceUnavailable.code else error_for(code, reason)


def _area(box: dict[str, int]) -> int:
    return max(0, box["right"] - box["left"]) * max(0, box["bottom"] - box["top"])
