"""Identify, 1:N: the known faces near a probe, for /v1 and for plugins. Exact, filtered before it is limited.

Every answer says which parts of the index it comes from (`facerec.parts`). ``strict`` makes it an error when one is missing;
otherwise what the others found is answered, and when nobody answers nothing is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facerec.confidence import FARTHEST, confidence, distance_of
from facerec.errors import DeadlineExceeded, IndexIncomplete, ServiceUnavailable
from facerec.faces import Encoding, Model
from facerec.galleries import FaceBook, StoredFace
from facerec.parts import Parts, silent, together
from facerec.ports import JournalEnd
from facerec.services.enrolment import Filter
from facerec.services.lookup import Found, IsGone, Lookup, Near

MAX_COUNT = 10_000
"""Faces of one search."""
FIRST = 100
"""Faces to begin with where a filter may turn some away."""
ROUNDING = 1e-9
"""Added to the limit of a search; the confidence itself decides afterwards."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored face and how sure it is that it shows the probe's person."""

    face: StoredFace
    confidence: float


@dataclass(frozen=True, slots=True)
class Servers:
    """How many parts of the index answered, of how many."""

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

    ``strict`` None means what the service is set to. ``since`` is where the journal stood when the caller was asked (see
    `Identification.now`), None for now.
    """

    gallery: str
    threshold: float
    count: int = 1
    passes: Filter | None = None
    strict: bool | None = None
    model: Model | None = None
    """Of the probes; None for that of the known faces."""
    since: int | None = None

    @property
    def at_once(self) -> int:
        """How many faces the first search asks for."""
        return min(MAX_COUNT, self.count if self.passes is None else max(self.count, FIRST))


@dataclass(frozen=True, slots=True)
class Identification:
    """``strict`` is for questions that do not say."""

    book: FaceBook
    lookup: Lookup
    journal: JournalEnd
    strict: bool = True

    def now(self) -> int:
        """What a part of the index must know from now on to count as answering: all that was written until now."""
        return self.journal.position()

    def identify(
        self, owner: str, probes: Sequence[Encoding], question: Question, is_gone: IsGone = lambda: False
    ) -> Identified:
        """Who is near each probe. Raises ServiceUnavailable when ``strict`` and a part of the index did not answer."""
        search = self._search(owner, question, is_gone)
        rows = []
        for probe, near in zip(probes, search.ask(probes, question.at_once, None), strict=True):
            hits, last, size = self._kept(owner, near, question), near, question.at_once
            while len(hits) < question.count and len(last) == size:
                size = min(MAX_COUNT, size * 10)
                (last,) = search.ask([probe], size, last[-1])
                hits += self._kept(owner, last, question)
            rows.append(tuple(hits[: question.count]))
        return Identified(tuple(rows), search.servers)

    def _search(self, owner: str, question: Question, is_gone: IsGone) -> _Search:
        strict = self.strict if question.strict is None else question.strict
        since = self.now() if question.since is None else question.since
        return _Search(self.lookup, owner, question, strict=strict, since=since, is_gone=is_gone)

    def _kept(self, owner: str, near: Sequence[Near], question: Question) -> list[Hit]:
        """Those that are still there; one that was removed since the search is nobody's match."""
        stored = self.book.faces(owner, [each.face for each in near])
        hits = [Hit(face, confidence(each.distance)) for each, face in zip(near, stored, strict=True) if face]
        passes = question.passes or _anybody
        return [hit for hit in hits if hit.confidence >= question.threshold and passes(hit.face)]


@dataclass(slots=True)
class _Search:
    """The searches that make one answer, and the parts of the index that answered them."""

    lookup: Lookup
    owner: str
    question: Question
    strict: bool
    since: int
    is_gone: IsGone
    rounds: list[Parts] = field(default_factory=list)

    @property
    def servers(self) -> Servers:
        parts = together(self.rounds)
        return Servers(sum(part.answered for part in parts), len(parts))

    def ask(self, probes: Sequence[Encoding], count: int, beyond: Near | None) -> tuple[tuple[Near, ...], ...]:
        """The nearest faces of each probe. Raises IndexIncomplete."""
        try:
            found = self._found(probes, count, beyond)
        except (DeadlineExceeded, ServiceUnavailable) as error:
            if self.is_gone():
                raise
            self.rounds.append(silent(together(self.rounds)))
            if self.strict:
                raise self._incomplete(error.reason) from error
            return ((),) * len(probes)
        self.rounds.append(found.parts)
        if self.strict and self.servers.live < self.servers.total:
            raise self._incomplete("some do not know yet what was written before the call")
        return found.probes

    def _found(self, probes: Sequence[Encoding], count: int, beyond: Near | None) -> Found:
        question = self.question
        limit = min(FARTHEST, distance_of(question.threshold) + ROUNDING)
        return self.lookup.search(
            self.owner, probes, question.gallery, limit, count, self.is_gone, beyond, question.model, self.since
        )

    def _incomplete(self, why: str) -> IndexIncomplete:
        return IndexIncomplete(self.servers.live, self.servers.total, why)


def _anybody(_face: StoredFace) -> bool:
    return True
