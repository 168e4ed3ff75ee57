"""Clusters, representatives and confidence."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facerec.services.contacts_rule import LIKE, MIDDLE, Ranked, confidence, nearest_contacts, representatives
from tests.faces import encoding


def ranked(number: int, at: float, score: float = 0.5, group: int = 3) -> Ranked:
    return Ranked(number, score, group, encoding(at))


def test_no_faces_no_clusters() -> None:
    assert representatives([]) == {}


def test_faces_of_like_appearance_are_represented_by_the_best_of_them() -> None:
    faces = [ranked(1, 0.0, 0.1), ranked(2, 0.3, 0.9), ranked(3, 0.6, 0.5), ranked(4, 2.0, 0.0)]
    assert representatives(faces) == {2: 2, 3: 2, 1: 2, 4: 4}


def test_ties_go_to_the_lowest_id() -> None:
    assert representatives([ranked(9, 0.0), ranked(4, 0.1), ranked(7, 0.2)]) == {4: 4, 7: 4, 9: 4}


def test_the_limit_is_inclusive() -> None:
    assert representatives([ranked(1, 0.0), ranked(2, float(np.float32(LIKE)) - 1e-6)])[2] == 1
    assert representatives([ranked(1, 0.0), ranked(2, LIKE + 1e-5)])[2] == 2


def test_encodings_of_two_models_are_never_compared() -> None:
    assert representatives([ranked(1, 0.0, group=1), ranked(2, 0.0, group=3)]) == {1: 1, 2: 2}


def test_the_order_in_which_faces_came_does_not_matter() -> None:
    faces = [ranked(1, 0.0, 0.3), ranked(2, 0.35, 0.2), ranked(3, 0.7, 0.1), ranked(4, 0.5, 0.3)]
    assert len({tuple(sorted(representatives(order).items())) for order in permutations(faces)}) == 1


@given(st.lists(st.tuples(st.floats(0, 3, width=32), st.sampled_from([0.0, 0.5, 1.0])), max_size=12))
def test_every_face_is_near_a_representative_that_is_at_least_as_good(rows: list[tuple[float, float]]) -> None:
    faces = {number: ranked(number, at, score) for number, (at, score) in enumerate(rows)}
    leaders = representatives(list(faces.values()))
    assert leaders.keys() == faces.keys()
    for number, leader in leaders.items():
        one, best = faces[number], faces[leader]
        assert leaders[leader] == leader
        assert np.linalg.norm(one.encoding - best.encoding) <= LIKE + 1e-6
        assert (-best.score, best.id) <= (-one.score, one.id)
    own = [faces[number] for number in set(leaders.values())]
    assert all(np.linalg.norm(a.encoding - b.encoding) > LIKE - 1e-6 for a in own for b in own if a is not b)


def test_confidence_falls_strictly_and_is_a_half_at_the_deciding_distance() -> None:
    values = [confidence(distance) for distance in np.arange(0.0, 1.3, 0.01)]
    assert all(one > other for one, other in pairwise(values))
    assert confidence(MIDDLE) == 0.5
    assert all(0 < value < 1 for value in values)


@pytest.mark.parametrize(("distance", "expected"), [(0.4, 0.98), (0.45, 0.92), (0.6, 0.22), (0.75, 0.01)])
def test_the_curve_is_the_documented_one(distance: float, expected: float) -> None:
    assert confidence(distance) == pytest.approx(expected, abs=0.005)


def test_each_contact_answers_once_with_its_nearest_face() -> None:
    places = [0.9, 0.2, 0.3, 0.5, 0.1, 0.7]
    contacts = [1, 1, 2, 3, 2, 4]
    rows = np.stack([encoding(at) for at in places])
    found = nearest_contacts(encoding(0.0), rows, contacts)
    assert [(contacts[each.place], each.place) for each in found] == [(2, 4), (1, 1), (3, 3)]
    assert [each.distance for each in found] == pytest.approx([0.1, 0.2, 0.5])


def test_equally_near_contacts_come_by_number() -> None:
    rows = np.stack([encoding(0.1)] * 5)
    found = nearest_contacts(encoding(0.0), rows, [9, 4, 7, 1, 5])
    assert [each.place for each in found] == [3, 1, 4]


def test_without_faces_there_is_no_answer() -> None:
    assert nearest_contacts(encoding(0.0), np.empty((0, 128), np.float32), []) == []
