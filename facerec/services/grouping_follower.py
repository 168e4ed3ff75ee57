"""Follows the journal and places the faces of each image, in its order, whoever wrote them and whenever.

One worker at a time has the turn, and a step counts only if nobody else made it first: it names the position it starts
from, and each owner's version of people that it looked at. So two workers that both believe to have the turn, a worker
that dies, or a person who merges two people meanwhile can do no harm; at worst a step is done again.

When the journal was trimmed beyond the position, all images are gone through once, oldest upload first, and those faces
are placed that nobody asked yet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice, pairwise
from typing import Protocol

import numpy as np

from facerec.encodings import Encodings, Rows, stack_encodings
from facerec.faces import Model
from facerec.hits import Pairs
from facerec.identity import ticket_of
from facerec.index import FaceIndex
from facerec.ports import Journal, JournalEntry, JournalGap
from facerec.records import confidence_of, face_id_of, is_comparable, model_of
from facerec.services.grouping import NEAREST, RADIUS, REACH, Board, Neighbour, Person, is_grouped
from facerec.sets import is_switch

log = logging.getLogger(__name__)
IMAGES_AT_ONCE = 32
TURN_SECONDS = 4.0
"""A worker that is not heard of for so long has lost its turn."""
LOOKED_AT = 4 * NEAREST
"""Neighbours of a face asked about at first. Few of them are unknown: those that were written after the step's images."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether it is this worker's turn; how far the journal is grouped; where it ends."""

    ours: bool
    position: int
    journal: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A finished image with its face records."""

    owner: str
    hash: str
    ticket: int
    records: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What was true of an owner's people at one moment.

    ``gone``: tickets of asked images that are erased. ``dropped``: subjects that are on no image any more. ``persons``: asked
    faces that are known. ``forbidden``: persons that a subject is said not to be. ``mates``: known faces in the subjects'
    pictures.
    """

    version: int
    gone: frozenset[int]
    dropped: frozenset[int]
    persons: Mapping[int, Person]
    sizes: Mapping[int, int]
    forbidden: Mapping[int, frozenset[int]]
    mates: Mapping[int, Person]


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """Where faces of an owner go, if its people still are at ``version``: a person, None, or -1, -2 ... for new ones."""

    owner: str
    version: int
    faces: Mapping[int, Person]


class GroupingStore(Protocol):
    """What the grouping needs of the store. Every method is one atomic step and may raise StoreUnavailable."""

    def take_turn(self, worker: str, seconds: float) -> Turn:
        """Have the turn for the next seconds, if nobody else has it."""

    def resign(self, worker: str) -> None:
        """Give the turn away."""

    def look(
        self, owner: str, images: Sequence[tuple[str, int]], faces: Sequence[int], subjects: Sequence[int]
    ) -> View: ...

    def records(self, owner: str, faces: Sequence[int]) -> dict[int, bytes]:
        """The records of those faces that there are."""

    def place(self, position: int, following: int, placings: Sequence[Placing]) -> bool:
        """Write, if the journal is grouped up to ``position`` and every owner's people are at their version."""

    def pictures(self) -> Iterator[Picture]:
        """All finished images with faces, of each owner the oldest upload first."""


Search = Callable[[str, Model, Sequence[int], Encodings, int | None], list[list[Neighbour]]]
"""The neighbours within RADIUS of each face of an owner (ids and encodings), nearest first, at most so many of each (None: all),
itself not among them, in an index that knows at least all that the journal holds now."""
Near = dict[int, Sequence[Neighbour]]


class Follower:
    """For use by one thread. ``worker`` is the name under which it takes its turn."""

    def __init__(self, worker: str, store: GroupingStore, journal: Journal, search: Search) -> None:
        self._worker = worker
        self._store = store
        self._journal = journal
        self._search = search

    def step(self) -> int:
        """Place the faces of some images, if it is our turn; how many entries of the journal are done, IMAGES_AT_ONCE at most.

        0 when it is not our turn, there are none, or people changed while we looked: then try again a little later. Raises
        StoreUnavailable."""
        turn = self._take_turn()
        if not turn.ours or turn.position == turn.journal:
            return 0
        entries = self._journal.since(turn.position)
        if isinstance(entries, JournalGap) or is_switch(entries):
            return IMAGES_AT_ONCE if self._sweep(turn) else 0
        some = entries[:IMAGES_AT_ONCE]
        if not some:
            return 0
        pictures = [_picture(entry) for entry in some if entry.operation == "add"]
        return len(some) if self._place(turn.position, some[-1].position, pictures) else 0

    def resign(self) -> None:
        """Let another worker have the turn. Raises StoreUnavailable."""
        self._store.resign(self._worker)

    def _take_turn(self) -> Turn:
        return self._store.take_turn(self._worker, TURN_SECONDS)

    def _sweep(self, turn: Turn) -> bool:
        """Go through all images. What is written meanwhile comes in the journal after where it ended before."""
        log.warning(
            "trimmed journal or switched sets: grouping goes through all images", extra={"action": "grouping_sweep"}
        )
        for pictures in _in_parts(self._store.pictures()):
            # When people changed while these were looked at, they are looked at again, and not all that came before them.
            while not self._place(turn.position, turn.position, pictures):
                if not self._goes_on(turn):
                    return False
            if not self._goes_on(turn):
                return False
        return self._store.place(turn.position, turn.journal, [])

    def _goes_on(self, turn: Turn) -> bool:
        """Whether it is still ours, and nobody else went on from there."""
        now = self._take_turn()
        return now.ours and now.position == turn.position

    def _place(self, position: int, following: int, pictures: Sequence[Picture]) -> bool:
        by_owner: dict[str, list[Picture]] = {}
        for picture in pictures:
            by_owner.setdefault(picture.owner, []).append(picture)
        placings = [self._decide(owner, some) for owner, some in by_owner.items()]
        decided = [placing for placing in placings if placing is not None]
        return len(decided) == len(placings) and self._store.place(position, following, decided)

    def _decide(self, owner: str, pictures: Sequence[Picture]) -> Placing | None:
        """Where the new faces go, and those that waited for them; None when people changed meanwhile."""
        arriving = {face_id_of(record): record for picture in pictures for record in picture.records if _counts(record)}
        if not arriving:
            return Placing(owner, 0, {})
        view, near = self._look(owner, pictures, arriving)
        gone = {face for face in arriving if ticket_of(face) in view.gone or face in view.dropped}
        arrived = [face for face in arriving if face not in gone and face not in view.persons]
        waiting = self._store.records(owner, sorted(_waiting(arrived, near, view)))
        wider, near_waiting = self._look(owner, [], waiting)
        if wider.version != view.version:
            return None
        board = Board(
            persons={**view.mates, **wider.mates, **view.persons, **wider.persons},
            sizes={**view.sizes, **wider.sizes},
            forbidden={**view.forbidden, **wider.forbidden},
            near=near | near_waiting,
        )
        for face in arrived:
            board.arrive(face)
        return Placing(owner, view.version, board.placed)

    def _look(self, owner: str, pictures: Sequence[Picture], subjects: Mapping[int, bytes]) -> tuple[View, Near]:
        """What is known of the people around the subjects, and the subjects' neighbours as far as they were asked about."""
        images = [(picture.hash, picture.ticket) for picture in pictures]
        found = self._neighbours(owner, subjects, LOOKED_AT + 1)
        near: Near = {face: around[:LOOKED_AT] for face, around in found.items()}
        view = self._store.look(owner, images, _faces_in(subjects, near), list(subjects))
        if any(len(found[face]) > LOOKED_AT and _known(near[face], view) < NEAREST for face in subjects):
            near = self._neighbours(owner, subjects, None)
            view = self._store.look(owner, images, _faces_in(subjects, near), list(subjects))
        return view, near

    def _neighbours(self, owner: str, records: Mapping[int, bytes], most: int | None) -> Near:
        by_model: dict[Model, list[int]] = {}
        for face, record in records.items():
            by_model.setdefault(model_of(record), []).append(face)
        found: Near = {}
        for model, faces in by_model.items():
            rows = stack_encodings([records[face] for face in faces])
            found |= zip(faces, self._search(owner, model, faces, rows, most), strict=True)
        return found


def _waiting(arrived: Sequence[int], near: Near, view: View) -> set[int]:
    """Faces without a person that are near a new one: they may find theirs now."""
    return {
        each.face_id
        for face in arrived
        for each in near[face]
        if each.distance <= REACH and each.face_id in view.persons and view.persons[each.face_id] is None
    }


def _known(around: Sequence[Neighbour], view: View) -> int:
    return sum(each.face_id in view.persons for each in around)


def _faces_in(subjects: Iterable[int], near: Near) -> list[int]:
    return sorted({each.face_id for around in near.values() for each in around} | set(subjects))


def _counts(record: bytes) -> bool:
    return is_grouped(model_of(record), confidence_of(record), comparable=is_comparable(record))


def _picture(entry: JournalEntry) -> Picture:
    return Picture(entry.owner, entry.hash, entry.image_ticket, entry.records)


def _in_parts(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """Some pictures of one owner at a time."""
    for _, own in groupby(pictures, key=lambda picture: picture.owner):
        while some := list(islice(own, IMAGES_AT_ONCE)):
            yield some


def search_in(
    index: FaceIndex, owner: str, model: Model, faces: Sequence[int], rows: Encodings, most: int | None
) -> list[list[Neighbour]]:
    """A `Search` in an index. Only those that are asked for become objects: a person may have ten thousand pictures."""
    pairs = index.pairs(owner, model, rows, RADIUS)
    order = np.lexsort((pairs.face_ids, pairs.distances, pairs.rows))
    order = order[pairs.face_ids[order] != np.array(faces, np.int64)[pairs.rows[order]]]
    bounds = np.searchsorted(pairs.rows[order], np.arange(len(faces) + 1))
    return [_neighbours(pairs, order[start:end][:most]) for start, end in pairwise(bounds)]


def _neighbours(pairs: Pairs, chosen: Rows) -> list[Neighbour]:
    return list(map(Neighbour, pairs.distances[chosen].tolist(), pairs.face_ids[chosen].tolist()))
