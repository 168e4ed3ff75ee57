"""Identify, 1:N: the known faces near a probe, for /v1 and for plugins. Exact, filtered before it is limited.

Every worker holds the whole index, so one worker's answer is all of it. What users of a sharded index watch is still told:
`Servers` counts the workers that hold the index now and those that should; ``strict`` makes a missing one an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facerec.confidence import FARTHEST, confidence, distance_of
from facerec.errors import ServiceUnavailable
from facerec.faces import Encoding, Model
from facerec.galleries import FaceBook, StoredFace
from facerec.ports import Workers
from facerec.services.enrolment import Filter
from facerec.services.lookup import IsGone, Lookup, Near

MAX_COUNT = 10_000
"""Faces of one search."""
FIRST = 100
"""Faces to begin with where a filter may turn some away."""
ROUNDING = 1e-9
"""Added to the limit of a search; the confidence itself decides afterwards."""
MISSED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored face and how sure it is that it shows the probe's person."""

    face: StoredFace
    confidence: float


@dataclass(frozen=True, slots=True)
class Servers:
    """Workers that hold the whole index, and how many should."""

    live: int
    total: int


@dataclass(frozen=True, slots=True)
class Identified:
    """Hits of each probe by falling confidence."""

    rows: tuple[tuple[Hit, ...], ...]
    servers: Servers


@dataclass(frozen=True, slots=True)
class Question:
    """At most ``count`` faces of ``gallery`` with at least this confidence that ``passes`` lets through.

    ``strict`` None means what the service is set to.
    """

    gallery: str
    threshold: float
    count: int = 1
    passes: Filter | None = None
    strict: bool | None = None
    model: Model | None = None
    """Of the probes; None for that of the known faces."""


@dataclass(frozen=True, slots=True)
class Identification:
    """``servers`` is how many workers there should be, 0 for those that are there or fell silent within MISSED_SECONDS."""

    book: FaceBook
    lookup: Lookup
    workers: Workers
    strict: bool = False
    servers: int = 0

    def identify(
        self, owner: str, probes: Sequence[Encoding], question: Question, is_gone: IsGone = lambda: False
    ) -> Identified:
        """Who is near each probe. Raises ServiceUnavailable when ``strict`` and a worker is missing, DeadlineExceeded."""
        servers = self._census()
        strict = self.strict if question.strict is None else question.strict
        if strict and servers.live < servers.total:
            raise ServiceUnavailable(
                f"{servers.live} of {servers.total} workers hold the index, and strict asks for all"
            )
        asked = min(MAX_COUNT, question.count if question.passes is None else max(question.count, FIRST))
        limit = min(FARTHEST, distance_of(question.threshold) + ROUNDING)

        def search(some: Sequence[Encoding], count: int, beyond: Near | None) -> tuple[tuple[Near, ...], ...]:
            return self.lookup.search(
                owner, some, question.gallery, limit, count, is_gone, beyond, question.model
            ).probes

        rows = []
        for probe, near in zip(probes, search(probes, asked, None), strict=True):
            hits, last, size = self._kept(owner, near, question), near, asked
            while len(hits) < question.count and len(last) == size:
                size = min(MAX_COUNT, size * 10)
                (last,) = search([probe], size, last[-1])
                hits += self._kept(owner, last, question)
            rows.append(tuple(hits[: question.count]))
        return Identified(tuple(rows), servers)

    def _kept(self, owner: str, near: Sequence[Near], question: Question) -> list[Hit]:
        """Those that are still there; one that was removed since the search is nobody's match."""
        stored = self.book.faces(owner, [each.face for each in near])
        hits = [Hit(face, confidence(each.distance)) for each, face in zip(near, stored, strict=True) if face]
        passes = question.passes or _anybody
        return [hit for hit in hits if hit.confidence >= question.threshold and passes(hit.face)]

    def _census(self) -> Servers:
        found = self.workers.census(MISSED_SECONDS)
        # Who is about to answer lives, even if it has not said so yet.
        live = max(1, found.live)
        return Servers(live, max(live + found.missing, self.servers))


def _anybody(_face: StoredFace) -> bool:
    return True
