"""Who is who: the rule by which faces gather into persons.

Faces arrive one by one, in the order of the journal. A face joins a person, founds one together with a face that no person
has yet, or stays alone for now. What is placed never moves by itself: groups grow, they are never reshuffled, and two
persons never become one. Every decision looks at the nearest faces that arrived before:

- A face **joins** a person when some of that person's faces agree: one at most AGREEING[0] away, or two at most
  AGREEING[1], and so on. The more agree, the farther they may be: a single near face can be chance or a sibling. The next
  best person must be MARGIN farther, else nobody can tell.
- Two faces that no person has **found** one when they are at most FOUNDING apart and neither is CLOSE to a person that it
  could not join. A wrong founding would split somebody in two for ever, while waiting costs nothing.
- A face that stayed alone is asked again whenever a face within REACH of it has been placed; then it may join.

Two faces of one picture are two people, and whoever said "not this person" of a face is believed: such persons do not
count for it. The limits are measured by ``benchmarks/people.py``, on real pictures in random orders and on made-up
crowds; docs/people.md has the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from facerec.faces import Model
from facerec.identity import ticket_of

AGREEING = (0.42, 0.50, 0.52, 0.53, 0.54)
"""Greatest distance of a person's nearest, second nearest ... face for a face to join."""
REACH = AGREEING[-1]
MARGIN = 0.05
SCORED = 3
"""A person's distance is the mean of that many of its nearest faces."""
FOUNDING = 0.45
CLOSE = 0.54
FEW = 3
"""A person of fewer faces is close when one of them is, any other when two are."""
RADIUS = 0.6
"""Faces farther away are not looked at."""
NEAREST = 64
"""So many of the nearest faces are looked at."""
LEAST_CONFIDENCE = {Model.HOG: 0.3, Model.CNN: 0.6, Model.CNN_68: 0.6, Model.CNN_HOG: 0.6}
"""Detections below this score are not grouped, those of the quality filter. The reference model tells no score."""

Person = int | None
"""The id of a person, negative while it is being founded, or None: this face has none."""


@dataclass(frozen=True, slots=True, order=True)
class Neighbour:
    """A known face near another; ``distance`` is Euclidean."""

    distance: float
    face_id: int


def is_grouped(model: Model, confidence: float, *, comparable: bool) -> bool:
    """Whether a face takes part. ``confidence`` 0 means that nobody judged it."""
    return comparable and not 0 < confidence < LEAST_CONFIDENCE.get(model, 0.0)


@dataclass(slots=True)
class Board:
    """The people of one owner as far as some faces are concerned, while those are placed one by one.

    ``persons`` has every face that arrived before; ``sizes`` the number of faces of each person in it; ``forbidden`` the
    persons that a face is said not to be; ``near`` the faces around each face that may be asked, nearest first, at most
    RADIUS away. Faces in ``near`` that have not arrived are passed over.
    """

    persons: dict[int, Person] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    forbidden: dict[int, frozenset[int]] = field(default_factory=dict)
    near: Mapping[int, Sequence[Neighbour]] = field(default_factory=dict)
    placed: dict[int, Person] = field(default_factory=dict)
    """What was decided, in order: the faces that arrived, and those that were alone before and are not any more."""
    _taken: dict[int, set[int]] = field(default_factory=dict)
    """The persons on each picture, by its ticket."""
    _founded: int = 0

    def __post_init__(self) -> None:
        for face, person in self.persons.items():
            if person is not None:
                self._taken.setdefault(ticket_of(face), set()).add(person)

    def arrive(self, face: int) -> None:
        """Place a new face, and whoever waited for it."""
        self.persons[face] = self.placed[face] = None
        around = self._around(face)
        person = best_person(around)
        if person is not None:
            self._put(person, face)
        elif (partner := self._partner(face, around)) is not None:
            self._founded += 1
            self._put(-self._founded, face, partner)
        if self.persons[face] is not None:
            self._ask_again(face)

    def _ask_again(self, face: int) -> None:
        for neighbour in self.near[face]:
            alone = neighbour.face_id
            if neighbour.distance <= REACH and alone in self.persons and self.persons[alone] is None:
                person = best_person(self._around(alone))
                if person is not None:
                    self._put(person, alone)

    def _partner(self, face: int, around: _Around) -> int | None:
        """The nearest face without a person with which ``face`` may found one."""
        if is_crowded(around, self.sizes):
            return None
        for distance, other in around.alone:
            if distance > FOUNDING:
                return None
            if ticket_of(other) != ticket_of(face) and not is_crowded(self._around(other), self.sizes):
                return other
        return None

    def _around(self, face: int) -> _Around:
        known = [near for near in self.near[face] if near.face_id in self.persons and near.face_id != face]
        kept_out = self.forbidden.get(face, frozenset()) | self._taken.get(ticket_of(face), set())
        around = _Around()
        for near in known[:NEAREST]:
            person = self.persons[near.face_id]
            if person is None:
                around.alone.append((near.distance, near.face_id))
            elif person not in kept_out:
                around.persons.setdefault(person, []).append(near.distance)
        return around

    def _put(self, person: int, *faces: int) -> None:
        for face in faces:
            self.persons[face] = self.placed[face] = person
            self._taken.setdefault(ticket_of(face), set()).add(person)
        self.sizes[person] = self.sizes.get(person, 0) + len(faces)


@dataclass(slots=True)
class _Around:
    """What surrounds a face: distances of each person's faces, and the faces that no person has; nearest first."""

    persons: dict[int, list[float]] = field(default_factory=dict)
    alone: list[tuple[float, int]] = field(default_factory=list)


def best_person(around: _Around) -> int | None:
    """The person that a face joins, or None."""
    ranked = sorted((person_distance(far), person) for person, far in around.persons.items())
    if not ranked:
        return None
    score, person = ranked[0]
    if len(ranked) > 1 and ranked[1][0] - score < MARGIN:
        return None
    return person if agrees(around.persons[person]) else None


def person_distance(distances: Sequence[float]) -> float:
    """How far a person is, from the distances of its faces, nearest first."""
    nearest = distances[:SCORED]
    return sum(nearest) / len(nearest)


def agrees(distances: Sequence[float]) -> bool:
    """Whether enough of a person's faces, nearest first, are near enough."""
    return any(distance <= limit for distance, limit in zip(distances, AGREEING, strict=False))


def is_crowded(around: _Around, sizes: Mapping[int, int]) -> bool:
    """Whether a person is so close that nobody new should be founded here."""
    return any(
        (sizes[person] < FEW and distances[0] <= CLOSE) or (len(distances) > 1 and distances[1] <= CLOSE)
        for person, distances in around.persons.items()
    )
