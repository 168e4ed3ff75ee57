"""Check the whole store against the invariants of `facerec.audit`, while others work on it, and repair what can be."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

import numpy as np

from facerec.audit import INVARIANTS, Audit, Fault, Inspection, Repairs
from facerec.encodings import FaceIds
from facerec.errors import FacerecError, InternalError
from facerec.faces import Model
from facerec.identity import ticket_of
from facerec.records import face_id_of
from facerec.rule import by_partition
from facerec.services.links import LinkCheck

log = logging.getLogger(__name__)
_AT_ONCE = 256
_ROUNDS = 4
"""Repairs may uncover what was hidden behind a fault; more rounds than this never helped."""
_SHOWN = 1000
_TURNS = {"gallery": 1, "link": 2}
"""When each kind is repaired, 0 first: which face is in which gallery, and who matches whom, is clear when the faces are."""


@dataclass(slots=True)
class Report:
    """What was looked at and found. ``left`` are the faults that are still there after the repairs."""

    images: int = 0
    faces: int = 0
    crowded: int = 0
    position: int = 0
    seconds: float = 0.0
    distances: bool = True
    found: list[Fault] = field(default_factory=list)
    left: list[Fault] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.left

    def document(self) -> dict[str, Any]:
        """JSON-like; at most 1000 faults are listed, all are counted."""
        found, left = (Counter(fault.invariant for fault in faults) for faults in (self.found, self.left))
        remaining = set(self.left)
        return {
            "clean": self.clean,
            "images": self.images,
            "faces": self.faces,
            "crowded": self.crowded,
            "position": self.position,
            "distances_checked": self.distances,
            "seconds": round(self.seconds, 3),
            "invariants": {
                name: {"faults": found[name], "repaired": max(0, found[name] - left[name]), "left": left[name]}
                for name in INVARIANTS
            },
            "faults": [{**_fault_document(fault), "repaired": fault not in remaining} for fault in self.found[:_SHOWN]],
        }


class Fsck:
    """``links`` None leaves out what needs distances, which takes by far the longest."""

    def __init__(self, audit: Audit, repairs: Repairs, links: LinkCheck | None) -> None:
        self._audit = audit
        self._repairs = repairs
        self._wished = links
        self._links = links

    def run(self, fix: bool = False, clock: Callable[[], float] = time.monotonic) -> Report:
        """Raises StoreUnavailable."""
        begun = clock()
        report = Report(distances=self._wished is not None)
        report.found = report.left = self._check(report)
        for _ in range(_ROUNDS):
            if not fix or not report.left:
                break
            for fault in sorted(report.left, key=lambda fault: _TURNS.get(fault.kind, 0)):
                self._repair(fault)
            before, report.left = set(report.left), self._check(report)
            report.found += [fault for fault in report.left if fault not in report.found]
            if set(report.left) == before:
                break
        report.seconds = clock() - begun
        return report

    def _check(self, report: Report) -> list[Fault]:
        report.images = report.faces = report.crowded = 0
        self._links = self._loaded_links()
        faults: dict[Fault, None] = {}
        audit = self._audit
        for fault in chain(audit.journal_faults(), self._image_faults(report), audit.strays(), self._other_faults()):
            faults[fault] = None
        report.position = self._links.index.position if self._links else 0
        return list(faults)

    def _loaded_links(self) -> LinkCheck | None:
        """None when no index can be made of what is stored: the rest is checked all the same, and repaired first."""
        if self._wished:
            try:
                self._wished.load()
            except FacerecError as error:
                log.error("distances are not checked: %s", error.reason, extra={"action": "fsck"})
                return None
        return self._wished

    def _other_faults(self) -> Iterator[Fault]:
        return chain(self._audit.people_faults(), self._audit.gallery_faults(), self._audit.contact_faults())

    def _image_faults(self, report: Report) -> Iterator[Fault]:
        seen = _SeenFaces()
        for owner in self._audit.owners():
            last: Sequence[tuple[str, int]] = ()
            for page in self._pages(owner):
                yield from _shared_tickets(owner, (*last, *page))
                last = page[-1:]
                inspections = self._audit.inspect(owner, [image_hash for image_hash, _ in page])
                for inspection in inspections:
                    yield from inspection.faults
                if self._links:
                    yield from self._links.faults(inspections)
                seen.note(inspections)
                _count(report, inspections)
        if self._links:
            yield from self._faces_without_image(self._links, seen)

    def _pages(self, owner: str) -> Iterator[Sequence[tuple[str, int]]]:
        for page in self._audit.images(owner):
            for start in range(0, len(page), _AT_ONCE):
                yield page[start : start + _AT_ONCE]

    def _faces_without_image(self, links: LinkCheck, seen: _SeenFaces) -> Iterator[Fault]:
        """Faces that a worker loads and that were not seen in any image: they came meanwhile, or nobody knows whence."""
        for owner, model in links.index.partitions():
            unseen = seen.others(owner, model, links.index.face_ids(owner, model))
            tickets = sorted({ticket_of(int(face)) for face in unseen})
            hashes = self._audit.hashes(owner, tickets)
            for image_hash in hashes.values():
                yield from links.faults([links.inspect_exactly(owner, image_hash)])
            # An image that was erased since the index was last asked is no longer there for a worker either.
            unknown = [ticket for ticket in tickets if ticket not in hashes]
            for ticket in sorted(links.still_indexed(owner, model, unknown)) if unknown else ():
                yield Fault("index", "index", owner, "", str(ticket), "a worker loads faces of an unknown image")

    def _repair(self, fault: Fault) -> None:
        try:
            done = self._repair_link(fault) if fault.kind == "link" else self._repairs.repair(fault)
        except (InternalError, ValueError) as error:
            log.warning("%s: could not be repaired: %s", fault.subject, error, extra={"action": "fsck_repair"})
            return
        log.info(
            "%s %s: %s", fault.kind, fault.subject, "repaired" if done else "no repair", extra={"action": "fsck_repair"}
        )

    def _repair_link(self, fault: Fault) -> bool:
        links = self._links
        if links is None or not fault.subject:
            return False
        while True:
            one = links.inspect_exactly(fault.owner, fault.hash)
            wanted = one.comparable and links.should_be_linked(one, fault.subject)
            if self._repairs.set_link(fault.owner, fault.hash, fault.subject, wanted, one.position):
                return True


class _SeenFaces:
    """The ids of the faces that went by."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, Model], list[FaceIds]] = {}

    def note(self, inspections: Sequence[Inspection]) -> None:
        for partition, probes in by_partition(inspections).items():
            self._ids.setdefault(partition, []).append(np.array([face_id_of(record) for _, record in probes]))

    def others(self, owner: str, model: Model, ids: FaceIds) -> FaceIds:
        """Those of ``ids`` that were not noted."""
        noted = self._ids.get((owner, model), [])
        return np.setdiff1d(ids, np.concatenate(noted)) if noted else ids


def _shared_tickets(owner: str, page: Sequence[tuple[str, int]]) -> Iterator[Fault]:
    for (one, ticket), (other, following) in pairwise(page):
        if ticket == following and one != other:
            yield Fault("documents", "ticket", owner, other, one, f"it shares ticket {ticket} with {one}")


def _count(report: Report, inspections: Sequence[Inspection]) -> None:
    before = report.images
    report.images += len(inspections)
    report.faces += sum(len(inspection.records) for inspection in inspections)
    report.crowded += sum(inspection.crowded for inspection in inspections)
    if before // 100_000 != report.images // 100_000:
        log.info("%d images checked", report.images, extra={"action": "fsck_progress"})


def _fault_document(fault: Fault) -> dict[str, str]:
    return {
        "invariant": fault.invariant,
        "owner": fault.owner,
        "hash": fault.hash,
        "subject": fault.subject,
        "detail": fault.detail,
    }
