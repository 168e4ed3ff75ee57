"""The rule: how finished pictures are compared with every known face and written, so that no pair is missed or counted twice.

1. The engine has found the faces of some pictures.
2. They are compared with the index, which knows every face up to journal position P, and with each other.
3. One atomic step writes them to all databases if the journal still ends at P. If it does not, nothing is written; the
   pictures are compared with what came after P, and with that alone, and the step is tried again.
4. Only then are their jobs acknowledged.

Whatever the interleaving of workers, the later of two commits has compared with the earlier, so every pair is compared
exactly once. A crash before step 3 leaves nothing behind, a crash after it leaves everything; a job that is delivered again
is told so by the store (`Obsolete`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from facerec.encodings import stack_encodings
from facerec.enrolment import MAX_CANDIDATES, Enrolment
from facerec.errors import InternalError
from facerec.faces import Analysis, Model
from facerec.identity import FACES_PER_IMAGE, face_id, ticket_of
from facerec.index import FaceIndex
from facerec.jobs import ScanJob
from facerec.loading import Progress, load_sets
from facerec.ports import Commits, Held, Image, JournalEntry, JournalGap, Moved, Obsolete, Scanned, Split, Written
from facerec.records import encoding_of, face_id_of, is_comparable, model_of, records_of
from facerec.regeneration import AsideCommits, Remade
from facerec.sets import Sets, SetsJournal, is_switch

log = logging.getLogger(__name__)
LINKS_AT_ONCE = 1000
"""Links of one batch: what keeps the atomic step short."""


class HasRecords(Protocol):
    """An owner's image with its face records."""

    @property
    def owner(self) -> str: ...

    @property
    def records(self) -> tuple[bytes, ...]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of a batch: the images that are written now, and those that turned out to be finished or erased.

    Nothing became of others yet: ``stale`` are of another model than the current set, so they must be looked at again;
    ``held`` wait until the sets are switched.
    """

    written: tuple[Scanned, ...]
    obsolete: frozenset[Image]
    stale: frozenset[Image] = frozenset()
    held: frozenset[Image] = frozenset()


def to_scanned(
    job: ScanJob,
    image_ticket: int,
    analysis: Analysis,
    enrolment: Enrolment | None = None,
    restores: Sequence[int] = (),
) -> Scanned:
    """An analysis as it will be written, not yet compared with anything. ``restores``: its faces come back under these ids."""
    return Scanned(
        owner=job.owner,
        hash=job.hash,
        image_ticket=image_ticket,
        job_ticket=job.ticket,
        width=analysis.width,
        height=analysis.height,
        model=analysis.model,
        records=records_of(analysis.faces, restores or (face_id(image_ticket, n) for n in range(len(analysis.faces)))),
        links=frozenset(),
        enrolment=enrolment,
        restored=bool(restores),
    )


class ScanRule:
    """Compares and commits. For use by one thread; it owns the index."""

    def __init__(self, commits: Commits, journal: SetsJournal, tolerance: float) -> None:
        self._commits = commits
        self._journal = journal
        self._tolerance = tolerance
        self.sets = Sets()
        self.loaded = (0, 0)
        """The journal position up to which the current set was read last, and its digest then."""
        self.loading: Progress | None = None
        """How far `load` is, while it runs. Any thread may read it."""

    @property
    def index(self) -> FaceIndex:
        """The current set of known faces."""
        return self.sets.current

    def load(self) -> None:
        """Build the index from the store and follow the journal to its end. Raises StoreUnavailable."""
        if self.index.position:
            self._journal.overtake(self.index.position)
        try:
            while True:
                self.sets = load_sets(self._journal, self._note_progress)
                if self.catch_up():
                    self.loaded = (self.index.position, self.index.digest())
                    return
        finally:
            self.loading = None

    def _note_progress(self, progress: Progress) -> None:
        self.loading = progress

    def catch_up(self) -> bool:
        """Follow the journal to its end; False when it was trimmed too far. Raises StoreUnavailable."""
        while True:
            entries = self._journal.since(self.index.position)
            if isinstance(entries, JournalGap):
                return False
            for entry in entries:
                self.sets.apply(entry)
            if not entries:
                return True

    def finish(self, batch: Sequence[Scanned]) -> Outcome:
        """Compare and write a batch. Raises StoreUnavailable; what was written then is told by the store at the next try."""
        written: list[Scanned] = []
        obsolete: frozenset[Image] = frozenset()
        held: frozenset[Image] = frozenset()
        waiting = compare(self.index, [image for image in batch if self.sets.takes(image.model)], self._tolerance)
        at_once = len(waiting)
        while waiting:
            some = _few_links(waiting[:at_once])
            match self._commits.commit(self._ready(some), self.index.position):
                case Written(position):
                    written += some
                    waiting = follow(waiting[len(some) :], self._know(some, position), self._tolerance)
                case Moved(entries):
                    waiting = self._moved(waiting, entries)
                case Obsolete(images):
                    obsolete |= images
                    waiting = [image for image in waiting if (image.owner, image.hash) not in images]
                case Split():
                    at_once = 1
                case Held():
                    held, waiting = _names(waiting), []
                case JournalGap():
                    log.warning("the journal was trimmed beyond this index: loading anew")
                    self.load()
                    waiting = self._compared_anew(waiting)
        stale = _names(batch) - _names(written) - obsolete - held
        return Outcome(tuple(written), obsolete, stale, held)

    def put_aside(self, commits: AsideCommits, images: Sequence[Remade]) -> list[bool]:
        """Compare images with the set aside and write them there, by the same rule. Of each whether it is written: it is not when
        it, or the regeneration, is no longer what it was made of. Raises StoreUnavailable."""
        done = dict.fromkeys(range(len(images)), False)
        waiting = list(done)
        if not all(self._has_aside(image.wanted.model) for image in images) and not self.catch_up():
            self.load()
        while waiting := [place for place in waiting if self._has_aside(images[place].wanted.model)]:
            compared = self._compared_aside([images[place] for place in waiting])
            replies = commits.set_aside(compared, self.index.position)
            # There are fewer replies than images when one was not written.
            for place, image, reply in zip(waiting[:], compared, replies, strict=False):
                match reply:
                    case Written(position):
                        self.sets.apply(_aside_entry(image, position))
                        done[place] = True
                        waiting.remove(place)
                    case Obsolete():
                        waiting.remove(place)
                    case Moved(entries):
                        for entry in entries:
                            self.sets.apply(entry)
                    case JournalGap():
                        self.load()
        return list(done.values())

    def _has_aside(self, model: Model) -> bool:
        return self.sets.aside is not None and self.sets.aside_model is model

    def _compared_aside(self, images: Sequence[Remade]) -> list[Remade]:
        """As many of the first as may be written at once, linked with the set aside as it is when those before are written."""
        if self.sets.aside is None:
            return []
        scanned = _few_links(compare(self.sets.aside, [_scanned_aside(image) for image in images], self._tolerance))
        return [
            replace(image, links=linked.links)
            for image, linked in zip(images, link_in_order(scanned, self._tolerance), strict=False)
        ]

    def _moved(self, waiting: Sequence[Scanned], entries: Sequence[JournalEntry]) -> list[Scanned]:
        """Follow the journal, and those that wait with their links as they are then."""
        followed = follow(waiting, entries, self._tolerance)
        for entry in entries:
            self.sets.apply(entry)
        return self._compared_anew(followed) if is_switch(entries) else followed

    def _compared_anew(self, images: Iterable[Scanned]) -> list[Scanned]:
        """Those of the model of the current set, after it was read or switched."""
        fitting = [replace(image, links=frozenset()) for image in images if self.sets.takes(image.model)]
        return compare(self.index, fitting, self._tolerance)

    def _ready(self, compared: Sequence[Scanned]) -> list[Scanned]:
        """The batch as it is written: linked among itself, with the faces that decide whose a posted face is."""
        return with_candidates(self.index, link_each_other(compared, self._tolerance))

    def _know(self, written: Iterable[Scanned], position: int) -> list[JournalEntry]:
        """Follow our own commit; the entries that it wrote."""
        entries = [
            JournalEntry(number, "add", image.owner, image.hash, image.image_ticket, image.records)
            for number, image in enumerate((image for image in written if image.records), self.index.position + 1)
        ]
        for entry in entries:
            self.sets.apply(entry)
        if self.index.position != position:
            raise InternalError(f"journal at {position}, index at {self.index.position}")
        return entries


def _names(images: Iterable[Scanned]) -> frozenset[Image]:
    return frozenset((image.owner, image.hash) for image in images)


def _few_links(batch: Sequence[Scanned]) -> list[Scanned]:
    """As many of the first as have no more than LINKS_AT_ONCE links together, and at least one."""
    total = 0
    for count, image in enumerate(batch):
        total += len(image.links)
        if count and total > LINKS_AT_ONCE:
            return list(batch[:count])
    return list(batch)


def compare(index: FaceIndex, batch: Sequence[Scanned], tolerance: float) -> list[Scanned]:
    """The batch with links to the images of ``index`` that have a matching face; never to itself."""
    links: list[set[int]] = [set() for _ in batch]
    for (owner, model), probes in by_partition(batch).items():
        places = np.array([place for place, _ in probes])
        rows, face_ids = index.near(owner, model, stack_encodings([record for _, record in probes]), tolerance)
        near = np.unique(np.stack((places[rows], face_ids // FACES_PER_IMAGE)), axis=1)
        for place in np.unique(places):
            links[place].update(near[1, near[0] == place].tolist())
    return [
        replace(image, links=image.links | (near - {image.image_ticket}))
        for image, near in zip(batch, links, strict=True)
    ]


def link_each_other(batch: Sequence[Scanned], tolerance: float) -> list[Scanned]:
    """The batch with links among its own images."""
    if len(batch) < 2:
        return list(batch)
    own = FaceIndex()
    for image in batch:
        own.add(image.owner, image.records)
    return compare(own, batch, tolerance)


def link_in_order(batch: Sequence[Scanned], tolerance: float) -> list[Scanned]:
    """The batch with links as they are when each is written after those before it, which may have been known by other faces."""
    before: set[int] = set()
    linked = []
    for image, among in zip(
        batch, link_each_other([replace(each, links=frozenset()) for each in batch], tolerance), strict=True
    ):
        linked.append(replace(image, links=(image.links - before) | (among.links & before)))
        before.add(image.image_ticket)
    return linked


def _scanned_aside(image: Remade) -> Scanned:
    wanted = image.wanted
    return Scanned(wanted.owner, wanted.hash, wanted.ticket, 0, 0, 0, wanted.model, image.made.records, frozenset())


def _aside_entry(image: Remade, position: int) -> JournalEntry:
    wanted = image.wanted
    return JournalEntry(position, "aside", wanted.owner, wanted.hash, wanted.ticket, image.made.records)


def follow(batch: Sequence[Scanned], entries: Sequence[JournalEntry], tolerance: float) -> list[Scanned]:
    """The batch with its links as they are after these journal entries."""
    if not entries:
        return list(batch)
    news = FaceIndex(entries[0].position - 1)
    for entry in entries:
        news.apply(entry)
    gone = frozenset(entry.image_ticket for entry in entries if entry.operation == "remove")
    # An image that lost a face was removed and added again, so the old links go first.
    return compare(news, [replace(image, links=image.links - gone) for image in batch], tolerance)


def with_candidates(index: FaceIndex, batch: Sequence[Scanned]) -> list[Scanned]:
    """The batch with the known faces near each posted face that needs a person, and those before it in the batch."""
    known = [image for image in batch if image.enrolment and image.enrolment.wish.persons]
    if not known:
        return list(batch)
    own = FaceIndex()
    for image in batch:
        own.add(image.owner, image.records)
    return [replace(image, candidates=_candidates((index, own), image)) for image in batch]


def _candidates(indexes: Sequence[FaceIndex], image: Scanned) -> dict[int, tuple[int, ...]]:
    if not image.enrolment or not image.enrolment.wish.persons:
        return {}
    limit = image.enrolment.wish.persons.limit
    found = {}
    for record in image.records:
        face = face_id_of(record)
        if face in image.enrolment.faces and is_comparable(record):
            model, probe = model_of(record), encoding_of(record)
            near = [
                (hit.distance, hit.face_id)
                for index in indexes
                for hit in index.nearest(image.owner, model, probe, MAX_CANDIDATES, limit)
                if ticket_of(hit.face_id) != image.image_ticket
            ]
            found[face] = tuple(other for _, other in sorted(near)[:MAX_CANDIDATES])
    return found


def by_partition(batch: Sequence[HasRecords]) -> dict[tuple[str, Model], list[tuple[int, bytes]]]:
    """Owner and model -> pairs of a place in the batch and a comparable face record of the image there."""
    groups: dict[tuple[str, Model], list[tuple[int, bytes]]] = {}
    for place, image in enumerate(batch):
        for record in image.records:
            if is_comparable(record):
                groups.setdefault((image.owner, model_of(record)), []).append((place, record))
    return groups
