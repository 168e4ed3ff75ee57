""" "Is this also X?": faces and groups near a person, for somebody to answer. Nothing is ever placed by this."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from facerec.faces import Model
from facerec.services.grouping import RADIUS, person_distance
from facerec.services.people import People, Standing

PROBES = 16
"""Faces of the person to compare with."""
LOOKED_AT = 200
"""Nearest known faces to look at for each of them; most are the person's own."""

Search = Callable[[Model, int, float, bytes], Iterable[Iterable[tuple[int, float]]]]
"""The nearest known faces of the owner for each probe: model, how many, how far at most, float32 rows; ids and distances."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A face that may be the person, or the nearest face of a group that may be: ``person`` None means no group.

    ``faces`` is how many faces of the group were found near, ``distance`` the mean of the nearest distances.
    """

    face: int
    person: int | None
    name: str | None
    faces: int
    distance: float


def suggest(people: People, owner: str, person: int, search: Search, limit: int) -> list[Suggestion]:
    """The ``limit`` nearest, nearest first. Raises NotFound, StoreUnavailable, and what ``search`` raises.

    Left out are hidden people, whoever has another name, and what somebody said is not the person.
    """
    name = people.person(owner, person)["name"]
    distances = _distances(people, owner, person, search)
    faces = sorted(distances)
    groups: dict[int | str, list[tuple[float, int]]] = {}
    standing_of: dict[int, Standing] = {}
    for face, standing in zip(faces, people.standings(owner, person, faces), strict=True):
        if standing is None or not _is_open(standing, name):
            continue
        standing_of[face] = standing
        key = standing.person if standing.person is not None else f"face {face}"
        groups.setdefault(key, []).append((person_distance(sorted(distances[face])), face))
    found = [_suggestion(sorted(near), standing_of) for near in groups.values()]
    return sorted(found, key=lambda each: (each.distance, each.face))[:limit]


def _distances(people: People, owner: str, person: int, search: Search) -> dict[int, list[float]]:
    """Faces that are not the person's -> how far they are from its faces."""
    sample = people.sample(owner, person, PROBES)
    found: dict[int, list[float]] = {}
    for model, rows in sample.encodings.items():
        for hits in search(Model(model), LOOKED_AT, RADIUS, rows):
            for face, distance in hits:
                if face not in sample.faces:
                    found.setdefault(face, []).append(distance)
    return found


def _is_open(standing: Standing, name: str | None) -> bool:
    return not standing.hidden and (standing.name is None or name is None or standing.name == name)


def _suggestion(near: list[tuple[float, int]], standing_of: dict[int, Standing]) -> Suggestion:
    distance, face = near[0]
    standing = standing_of[face]
    return Suggestion(face, standing.person, standing.name, len(near), distance)
