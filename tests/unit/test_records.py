from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facerec.errors import InternalError
from facerec.faces import Box, Face, Mark, Model, Point
from facerec.records import (
    MAX_RECORD,
    PackedFaces,
    encoding_of,
    face_id_of,
    is_comparable,
    join_records,
    model_of,
    pack_face,
    records_of,
    split_records,
    unpack_face,
)

sides = st.integers(-(2**20), 2**20)
boxes = st.builds(Box, sides, sides, sides, sides)


def a_face(box: Box, points: list[tuple[int, int]], marks: frozenset[Mark] = frozenset()) -> Face:
    encoding = np.random.default_rng(1).normal(size=128).astype(np.float32)
    return Face(box, tuple(Point(x, y) for x, y in points), 0.5, encoding, Model.CNN, marks)


@given(boxes, st.lists(st.tuples(sides, sides), min_size=5, max_size=5), st.sets(st.sampled_from(Mark)))
def test_a_face_with_five_points_survives(box: Box, points: list[tuple[int, int]], marks: set[Mark]) -> None:
    face = a_face(box, points, frozenset(marks))
    record = pack_face(2**62 + 5, face)
    face_id, back = unpack_face(record)
    assert (face_id, back.box, back.landmarks, back.confidence) == (2**62 + 5, face.box, face.landmarks, 0.5)
    assert (back.model, back.marks) == (face.model, face.marks)
    assert back.encoding.tobytes() == face.encoding.tobytes()
    assert len(record) <= MAX_RECORD


def test_the_parts_can_be_read_alone() -> None:
    face = a_face(Box(1, 2, 3, 4), [(5, 6)] * 5, frozenset({Mark.SMALL}))
    record = pack_face(77, face)
    assert face_id_of(record) == 77
    assert model_of(record) is Model.CNN
    assert not is_comparable(record)
    assert encoding_of(record).tolist() == face.encoding.tolist()


def test_sixty_eight_points_of_a_large_face_stay_exact_and_small() -> None:
    points = [(int(500 + 400 * np.cos(n / 11)), int(500 + 400 * np.sin(n / 11))) for n in range(68)]
    face = a_face(Box(100, 900, 900, 100), points)
    record = pack_face(1, face)
    assert len(record) <= MAX_RECORD
    assert unpack_face(record)[1].landmarks == face.landmarks


@given(st.lists(st.tuples(sides, sides), min_size=68, max_size=68))
def test_even_absurd_points_keep_the_record_small(points: list[tuple[int, int]]) -> None:
    record = pack_face(1, a_face(Box(0, 10, 10, 0), points))
    assert len(record) <= MAX_RECORD
    landmarks = unpack_face(record)[1].landmarks
    step = 1 << record[3]
    assert all(abs(a.x - x) < step and abs(a.y - y) < step for a, (x, y) in zip(landmarks, points, strict=True))


@given(st.lists(st.binary()))
def test_lists_of_records_survive(records: list[bytes]) -> None:
    assert list(split_records(join_records(records))) == records


@pytest.mark.parametrize("damaged", [b"", b"\x01" * 100, b"\x02" * 600])
def test_damage_is_noticed(damaged: bytes) -> None:
    with pytest.raises(InternalError):
        unpack_face(damaged)


@pytest.mark.parametrize("cut", [b"\x01", b"\x05\x00\x00\x00ab"])
def test_a_cut_list_is_noticed(cut: bytes) -> None:
    with pytest.raises(InternalError):
        list(split_records(cut))


faces = st.builds(
    a_face,
    boxes,
    st.sampled_from((5, 68)).flatmap(lambda n: st.lists(st.tuples(sides, sides), min_size=n, max_size=n)),
    st.frozensets(st.sampled_from(Mark)),
)


@given(st.lists(faces, max_size=3), st.integers(0, 2**40))
def test_packed_faces_are_written_as_others_are(some: list[Face], first: int) -> None:
    ids = range(first, first + len(some))
    packed = PackedFaces(pack_face(number, face) for number, face in enumerate(some))
    assert records_of(packed, ids) == records_of(tuple(packed), ids)
    assert [face.box for face in packed] == [face.box for face in some]
    assert [face.marks for face in packed[1:]] == [face.marks for face in some[1:]]


@given(faces, st.integers(0, 800), st.binary(max_size=40))
def test_a_damaged_record_is_refused_or_can_be_read(face: Face, place: int, damage: bytes) -> None:
    record = pack_face(1, face)
    broken = record[:place] + damage + record[place + len(damage) :]
    try:
        packed = PackedFaces([broken])
    except InternalError:
        return
    assert packed[0].box
    assert len(records_of(tuple(packed), [1])[0]) <= MAX_RECORD


@pytest.mark.parametrize("place", [0, 1, 2, 3, -1])
def test_a_record_with_a_wrong_byte_is_refused(place: int) -> None:
    record = bytearray(pack_face(1, a_face(Box(1, 2, 3, 4), [(5, 6)] * 5)))
    record[place] = 0xFF
    with pytest.raises(InternalError):
        PackedFaces([bytes(record)])
