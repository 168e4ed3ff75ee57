"""Which links there should be, according to an index that follows the journal exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facerec.audit import Audit, Fault, Inspection
from facerec.encodings import stack_encodings
from facerec.faces import Model
from facerec.identity import FACES_PER_IMAGE
from facerec.index import FaceIndex
from facerec.loading import load_index
from facerec.ports import Journal, JournalGap
from facerec.records import face_id_of, is_comparable
from facerec.rule import by_partition
from facerec.sets import is_switch

Tickets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Expected:
    """Tickets to which there must be a link, and to which there may be one: within the crowd links may be on their way out."""

    must: set[int]
    may: set[int]
    is_indexed: bool
    """Whether the index has all comparable faces of the image."""


class LinkCheck:
    """Holds inspected images against an index. For use by one thread."""

    def __init__(self, audit: Audit, journal: Journal, tolerance: float) -> None:
        self._audit = audit
        self._journal = journal
        self._tolerance = tolerance
        self._crowds: dict[str, frozenset[int]] = {}
        self.index = FaceIndex()

    def load(self) -> None:
        """Build the index from the store. Raises StoreUnavailable."""
        self.index = load_index(self._journal)

    def faults(self, inspections: Sequence[Inspection]) -> Iterator[Fault]:
        """What is wrong with the links of these images of one owner, and with their faces in the index.

        A suspicion may only mean that the index has seen more than the inspection, or less: it is looked at again with both
        at one journal position.
        """
        self._follow(max((inspection.position for inspection in inspections), default=0))
        for inspection in self._suspicious(inspections):
            again = self.inspect_exactly(inspection.owner, inspection.hash)
            for suspect in self._suspicious([again]):
                yield from self._faults_of(suspect)

    def inspect_exactly(self, owner: str, image_hash: str) -> Inspection:
        """An inspection at just the position of the index. Raises StoreUnavailable."""
        while True:
            (inspection,) = self._audit.inspect(owner, [image_hash])
            self._follow(inspection.position)
            if self.index.position == inspection.position or inspection.state != "done":
                return inspection

    def should_be_linked(self, one: Inspection, other: str) -> bool:
        """Whether ``one``, which was inspected exactly, matches the image with hash ``other``."""
        (expected,) = self._expected([one])
        return other in self._audit.hashes(one.owner, sorted(expected.may)).values()

    def still_indexed(self, owner: str, model: Model, tickets: Iterable[int]) -> set[int]:
        """Those of ``tickets`` with faces in the index once it has followed all that is written. Raises StoreUnavailable."""
        self._follow(self._journal.position())
        return set(tickets) & set((self.index.face_ids(owner, model) // FACES_PER_IMAGE).tolist())

    def _follow(self, position: int) -> None:
        """Bring the index to ``position``, when it is not there or beyond."""
        while self.index.position < position:
            entries = self._journal.since(self.index.position)
            if isinstance(entries, JournalGap) or is_switch(entries):
                self.load()
                continue
            for entry in entries:
                if entry.position <= position:
                    self.index.apply(entry)

    def _suspicious(self, inspections: Sequence[Inspection]) -> list[Inspection]:
        done = [inspection for inspection in inspections if inspection.comparable]
        return [
            inspection
            for inspection, expected in zip(done, self._expected(done), strict=True)
            if not expected.is_indexed or not expected.must <= set(inspection.links.values()) <= expected.may
        ]

    def _faults_of(self, inspection: Inspection) -> Iterator[Fault]:
        def fault(invariant: str, kind: str, subject: str, detail: str) -> Fault:
            return Fault(invariant, kind, inspection.owner, inspection.hash, subject, detail)

        (expected,) = self._expected([inspection])
        if not expected.is_indexed:
            yield fault("index", "index", inspection.hash, "what a worker loads is not what database 3 holds")
        missing = sorted(expected.must - set(inspection.links.values()))
        hashes = self._audit.hashes(inspection.owner, missing)
        for ticket in missing:
            other = hashes.get(ticket, "")
            yield fault(
                "links", "link", other, f"it matches {other or f'the image of ticket {ticket}'}, but is not linked"
            )
        for other, ticket in inspection.links.items():
            if ticket not in expected.may:
                yield fault("links", "link", other, f"it is linked to {other}, but does not match it")

    def _expected(self, inspections: Sequence[Inspection]) -> list[_Expected]:
        near: list[list[Tickets]] = [[] for _ in inspections]
        indexed = np.zeros(len(inspections), np.int64)
        for (owner, model), probes in by_partition(inspections).items():
            places = np.array([place for place, _ in probes])
            own = np.array([face_id_of(record) for _, record in probes])
            rows, ids = self.index.near(
                owner, model, stack_encodings([record for _, record in probes]), self._tolerance
            )
            np.add.at(indexed, places[rows[ids == own[rows]]], 1)
            pairs = np.unique(np.stack((places[rows], ids // FACES_PER_IMAGE)), axis=1)
            for place in np.unique(places):
                begin, end = np.searchsorted(pairs[0], (place, place + 1))
                near[place].append(pairs[1, begin:end])
        return [
            self._expectation(inspection, tickets, int(count))
            for inspection, tickets, count in zip(inspections, near, indexed, strict=True)
        ]

    def _expectation(self, inspection: Inspection, near: Sequence[Tickets], indexed: int) -> _Expected:
        may = {ticket for tickets in near for ticket in tickets.tolist()} - {inspection.ticket}
        must = may
        if inspection.crowded:
            missing = may - set(inspection.links.values())
            if not missing <= self._crowds.get(inspection.owner, frozenset()):
                self._crowds[inspection.owner] = frozenset(self._audit.crowded(inspection.owner))
            must = may - self._crowds.get(inspection.owner, frozenset())
        return _Expected(must, may, indexed == sum(map(is_comparable, inspection.records)))
