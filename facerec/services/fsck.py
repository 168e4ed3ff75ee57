"""Check the whole store against the invariants of `facerec.audit`, while others work on it, and repair what can be."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

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
_Again = Callable[[Sequence[Fault]], Iterable[Fault]]
"""What is found where these faults were found."""
T = TypeVar("T")
_AT_ONCE = 256
_ROUNDS = 4
"""Repairs may uncover what was hidden behind a fault; more rounds than this never helped."""
PAUSES = (0.2, 0.5, 1.0)
"""Seconds before each further look at what was found: it is a fault when it is the same at all of them."""
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
    """``links`` None leaves out what needs distances, which takes by far the longest.

    Some work takes several steps, and a check reads several keys one after the other: what it finds in between may be what
    somebody is just making. So everything is looked at again, after ``pauses`` (seconds), before it is said or repaired.
    """

    def __init__(
        self,
        audit: Audit,
        repairs: Repairs,
        links: LinkCheck | None,
        pauses: Sequence[float] = PAUSES,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._audit = audit
        self._pauses = pauses
        self._wait = wait
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
        audit = self._audit
        sources: list[tuple[Iterator[Fault], _Again]] = [
            (audit.journal_faults(), lambda _: audit.journal_faults()),
            (self._image_faults(report), self._image_faults_again),
            (audit.strays(), lambda _: audit.strays()),
            (audit.people_faults(), audit.people_faults_again),
            (audit.gallery_faults(), lambda _: audit.gallery_faults()),
            (audit.contact_faults(), lambda _: audit.contact_faults()),
        ]
        found = [(list(dict.fromkeys(faults)), again) for faults, again in sources]
        for pause in self._pauses:
            if any(faults for faults, _ in found):
                self._wait(pause)
                found = [(_standing(faults, again), again) for faults, again in found]
        report.position = self._links.index.position if self._links else 0
        return list(dict.fromkeys(fault for faults, _ in found for fault in faults))

    def _loaded_links(self) -> LinkCheck | None:
        """None when no index can be made of what is stored: the rest is checked all the same, and repaired first."""
        if self._wished:
            try:
                self._wished.load()
            except FacerecError as error:
                log.error("distances are not checked: %s", error.reason, extra={"action": "fsck"})
                return None
        return self._wished

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

    def _image_faults_again(self, faults: Sequence[Fault]) -> Iterator[Fault]:
        """What is wrong now with the images that these faults are of."""
        images: dict[str, dict[str, None]] = {}
        for fault in faults:
            images.setdefault(fault.owner, {}).update({fault.hash: None} if fault.hash else {})
        for owner, hashes in images.items():
            for some in _chunks(list(hashes)):
                inspections = self._audit.inspect(owner, some)
                for inspection in inspections:
                    yield from inspection.faults
                if self._links:
                    yield from self._links.faults(inspections)
        yield from self._shared_tickets_again({fault.owner for fault in faults if fault.kind == "ticket"})
        yield from self._unknown_images_again([fault for fault in faults if not fault.hash])

    def _shared_tickets_again(self, owners: Iterable[str]) -> Iterator[Fault]:
        for owner in owners:
            last: Sequence[tuple[str, int]] = ()
            for page in self._pages(owner):
                yield from _shared_tickets(owner, (*last, *page))
                last = page[-1:]

    def _unknown_images_again(self, faults: Sequence[Fault]) -> Iterator[Fault]:
        """Images that a worker loads, and nobody else knows, by their tickets."""
        if self._links is None or not faults:
            return
        for owner, model in self._links.index.partitions():
            tickets = [int(fault.subject) for fault in faults if fault.owner == owner]
            unknown = [ticket for ticket in tickets if ticket not in self._audit.hashes(owner, tickets)]
            yield from self._still_indexed(self._links, owner, model, unknown)

    def _pages(self, owner: str) -> Iterator[Sequence[tuple[str, int]]]:
        for page in self._audit.images(owner):
            yield from _chunks(page)

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
            yield from self._still_indexed(links, owner, model, unknown)

    def _still_indexed(self, links: LinkCheck, owner: str, model: Model, tickets: Sequence[int]) -> Iterator[Fault]:
        for ticket in sorted(links.still_indexed(owner, model, tickets)) if tickets else ():
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


def _standing(faults: Sequence[Fault], again: _Again) -> list[Fault]:
    """Those of the faults that are found again, unchanged."""
    found = dict.fromkeys(again(faults)) if faults else {}
    return [fault for fault in found if fault in set(faults)]


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


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


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
