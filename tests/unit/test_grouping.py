"""The rule by which faces gather, as a table and as properties."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facerec.faces import Model
from facerec.identity import face_id
from facerec.services.grouping import (
    AGREEING,
    CLOSE,
    FEW,
    FOUNDING,
    LEAST_CONFIDENCE,
    MARGIN,
    NEAREST,
    RADIUS,
    REACH,
    Board,
    Neighbour,
    agrees,
    is_grouped,
)


class Line(Board):
    """A board of faces on a line; each in a picture of its own, unless two are said to share one."""

    def __init__(self, places: Sequence[float], pictures: Sequence[int] | None = None) -> None:
        self.ids = [face_id((pictures or range(len(places)))[n] + 1, n) for n in range(len(places))]
        near = {
            face: sorted(
                Neighbour(round(abs(place - other), 9), id_)
                for other, id_ in zip(places, self.ids, strict=True)
                if id_ != face and round(abs(place - other), 9) <= RADIUS
            )
            for face, place in zip(self.ids, places, strict=True)
        }
        super().__init__(near=near)

    def all_arrive(self) -> Line:
        for face in self.ids:
            self.arrive(face)
        return self

    @property
    def people(self) -> list[int | None]:
        """The person of each face, numbered by first appearance."""
        numbers: dict[int, int] = {}
        return [
            None if (person := self.persons[face]) is None else numbers.setdefault(person, len(numbers))
            for face in self.ids
        ]


FAR = FOUNDING + 0.01
# What a line of faces becomes: places in the order of arrival, and the persons.
TABLE = {
    "one face stays alone": ([0.0], [None]),
    "two near faces found a person": ([0.0, FOUNDING], [0, 0]),
    "two that are less near do not": ([0.0, FAR], [None, None]),
    "one face is enough when it is very near": ([0.0, 0.4, -AGREEING[0]], [0, 0, 0]),
    "two must be nearer than one that stands alone": ([0.0, 0.02, AGREEING[1] + 0.01], [0, 0, None]),
    "two agree": ([0.0, 0.02, AGREEING[1]], [0, 0, 0]),
    "nobody is founded close to a person": ([0.0, 0.02, 0.53, 0.9], [0, 0, None, None]),
    "beyond that somebody is": ([0.0, 0.02, 0.58, 0.9], [0, 0, 1, 1]),
    "who waited joins when somebody comes between": ([0.0, 0.02, 0.55, 0.3], [0, 0, 0, 0]),
    "who is between two people belongs to neither": ([0.0, 0.1, 0.9, 0.8, 0.45], [0, 0, 1, 1, None]),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_rule_by_example(case: str) -> None:
    places, people = TABLE[case]
    assert Line(places).all_arrive().people == people


def test_the_limits_fit_together() -> None:
    assert list(AGREEING) == sorted(AGREEING)
    assert FOUNDING < REACH <= CLOSE < RADIUS
    assert MARGIN > 0
    assert FEW > 1


def test_faces_of_one_picture_found_nobody_and_never_share_a_person() -> None:
    assert Line([0.0, 0.1], pictures=[0, 0]).all_arrive().people == [None, None]
    assert Line([0.0, 0.1, 0.05], pictures=[0, 0, 1]).all_arrive().people == [0, None, 0]


def test_a_face_that_is_said_not_to_be_somebody_does_not_join() -> None:
    line = Line([0.0, 0.1, 0.05])
    for face in line.ids[:2]:
        line.arrive(face)
    line.forbidden = {line.ids[2]: frozenset({line.persons[line.ids[0]] or 0})}
    line.arrive(line.ids[2])
    assert line.people == [0, 0, None]


def test_what_has_not_arrived_counts_for_nothing() -> None:
    line = Line([0.0, 0.1, 0.05])
    line.arrive(line.ids[2])
    assert line.placed == {line.ids[2]: None}


def test_only_the_nearest_are_looked_at() -> None:
    crowd = [0.0001 * n for n in range(NEAREST + 1)]
    line = Line([0.5, 0.55, *crowd, 0.2])
    line.all_arrive()
    assert line.people[-1] == line.people[2]


@pytest.mark.parametrize(
    ("distances", "expected"),
    [
        ([0.42], True),
        ([0.43], False),
        ([0.49, 0.5], True),
        ([0.51] * 2, False),
        ([0.52] * 3, True),
        ([0.54] * 4, False),
    ],
)
def test_the_more_agree_the_farther_they_may_be(distances: list[float], expected: bool) -> None:
    assert agrees(distances) is expected


@pytest.mark.parametrize("model", Model)
def test_doubtful_and_marked_faces_take_no_part(model: Model) -> None:
    least = LEAST_CONFIDENCE.get(model, 0.0)
    assert is_grouped(model, least + 0.01, comparable=True)
    assert is_grouped(model, 0.0, comparable=True), "nobody judged it"
    assert not is_grouped(model, least + 1, comparable=False)
    assert model is Model.REFERENCE or not is_grouped(model, least - 0.01, comparable=True)


places_on_a_line = st.lists(st.floats(0, 8).map(lambda place: round(place, 3)), max_size=40)


@given(places_on_a_line, st.integers(0, 5))
def test_who_has_a_person_keeps_it(places: list[float], pictures: int) -> None:
    line = Line(places, [n // (pictures + 1) for n in range(len(places))])
    before: dict[int, int | None] = {}
    for face in line.ids:
        line.arrive(face)
        kept = {known: person for known, person in before.items() if person is not None}
        assert {known: line.persons[known] for known in kept} == kept
        before = dict(line.persons)
    assert line.placed == line.persons
    members: dict[int, list[int]] = {}
    for face, person in line.persons.items():
        if person is not None:
            members.setdefault(person, []).append(face)
    assert {person: len(faces) for person, faces in members.items()} == line.sizes
    assert all(len(faces) > 1 for faces in members.values())
    assert all(len({face // 4096 for face in faces}) == len(faces) for faces in members.values())


@given(places_on_a_line, st.randoms(use_true_random=False))
def test_a_board_set_up_in_the_middle_goes_on_the_same(places: list[float], draw: random.Random) -> None:
    whole = Line(places).all_arrive()
    cut = draw.randrange(len(places) + 1)
    first = Line(places)
    for face in first.ids[:cut]:
        first.arrive(face)
    second = Board(persons=dict(first.persons), sizes=dict(first.sizes), near=first.near)
    second._founded = first._founded
    for face in first.ids[cut:]:
        second.arrive(face)
    assert second.persons == whole.persons
