"""The nearest pairs as numpy finds them are those that plain Python finds, bit for bit, and sooner."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest

from facerec.encodings import euclidean
from facerec.errors import InternalError
from facerec.faces import Box, Face, Mark, Model, Point
from facerec.identity import face_id, ticket_of
from facerec.nearest import nearest_of_each, nearest_pairs
from facerec.ports import Match
from facerec.records import pack_face, unpack_face

POINTS = tuple(Point(n, n) for n in range(5))
Image = list[bytes]


def image(chance: np.random.Generator, ticket: int, faces: int, models: tuple[Model, ...] = (Model.HOG,)) -> Image:
    """With marked faces, faces of several models and equal encodings among them."""
    made = []
    for number in chance.permutation(faces).tolist():
        near = chance.integers(0, 3)
        encoding = (np.full(128, near / 50) if chance.random() < 0.3 else chance.standard_normal(128)).astype(
            np.float32
        )
        marks = frozenset({Mark.SMALL}) if chance.random() < 0.2 else frozenset()
        face = Face(Box(0, 9, 9, 0), POINTS, 1.0, encoding, models[chance.integers(len(models))], marks)
        made.append(pack_face(face_id(ticket, number), face))
    return made


def plain(records: Image, others: Image) -> Match | None:
    pairs = [
        (euclidean(face.encoding, other.encoding), mine, theirs)
        for mine, face in map(unpack_face, records)
        for theirs, other in map(unpack_face, others)
        if face.model is other.model and face.comparable and other.comparable
    ]
    if not pairs:
        return None
    distance, mine, theirs = min(pairs)
    return Match(distance, ticket_of(theirs), mine, theirs)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_pairs_as_one_by_one(seed: int) -> None:
    chance = np.random.default_rng(seed)
    models = (Model.HOG, Model.CNN)[: 1 + seed % 2]
    own = image(chance, 1, int(chance.integers(0, 6)), models)
    others = [image(chance, 2 + n, int(chance.integers(0, 6)), models) for n in range(int(chance.integers(0, 9)))]

    assert nearest_pairs(own, others) == [match for other in others if (match := plain(own, other))]
    for nearest in nearest_of_each(own, others):
        (record,) = [each for each in own if unpack_face(each)[0] == nearest.face]
        for place, other in enumerate(others):
            match = plain([record], other)
            assert nearest.distances[place] == (match.distance if match else np.inf)
            assert not match or nearest.others[place] == match.matched_face


def test_more_faces_than_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(7)
    own, others = image(chance, 1, 4), [image(chance, 2 + n, 5) for n in range(20)]
    at_once = nearest_pairs(own, others)
    monkeypatch.setattr("facerec.nearest._AT_ONCE", 7)
    assert nearest_pairs(own, others) == at_once


def test_a_damaged_record_is_told() -> None:
    chance = np.random.default_rng(0)
    own = image(chance, 1, 2)
    with pytest.raises(InternalError, match="damaged face record of 100 bytes"):
        nearest_pairs(own, [[own[0][:100]]])


def test_group_photos_take_no_seconds() -> None:
    """Fifty of twenty faces each: one by one these are 20 000 calls of numpy, some 0.3 s on a quick machine."""
    chance = np.random.default_rng(1)
    own, others = image(chance, 1, 20), [image(chance, 2 + n, 20) for n in range(50)]
    nearest_pairs(own, others)

    begun = perf_counter()
    found = nearest_pairs(own, others)
    together = perf_counter() - begun
    begun = perf_counter()
    expected = [plain(own, other) for other in others]
    one_by_one = perf_counter() - begun

    assert found == expected
    print(f"{together * 1000:.1f} ms, one by one {one_by_one * 1000:.0f} ms")  # noqa: T201
    assert together < one_by_one / 10
