from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facerec import partition
from facerec.encodings import distances, euclidean
from facerec.errors import InternalError
from facerec.faces import Box, Face, Mark, Model
from facerec.identity import face_id
from facerec.index import FaceIndex
from facerec.partition import BLOCK_ROWS
from facerec.ports import JournalEntry
from facerec.records import pack_face
from tests.faces import encoding, face

OWNER = "default"


def record(ticket: int, at: float, number: int = 0, model: Model = Model.HOG) -> bytes:
    return pack_face(face_id(ticket, number), face(at, model))


def records_of(matrix: NDArray[np.float32]) -> list[bytes]:
    box = Box(0, 1, 1, 0)
    return [pack_face(face_id(n + 1, 0), Face(box, (), 1.0, row, Model.HOG)) for n, row in enumerate(matrix)]


def test_the_tolerance_is_inclusive() -> None:
    index = FaceIndex()
    index.add(OWNER, [record(1, 0.5), record(2, 0.500001)])
    hits = index.within(OWNER, Model.HOG, encoding(0)[None], 0.5)
    assert [(hit.face_id, hit.distance) for hit in hits] == [(face_id(1, 0), 0.5)]


def test_owners_models_and_marked_faces_are_kept_apart() -> None:
    index = FaceIndex()
    index.add("bob", [record(1, 0)])
    index.add(
        OWNER, [record(2, 0, model=Model.CNN), pack_face(face_id(3, 0), face(0, marks=frozenset({Mark.BLURRED})))]
    )
    assert index.within(OWNER, Model.HOG, encoding(0)[None], 0.6) == []
    assert len(index.within("bob", Model.HOG, encoding(0)[None], 0.6)) == 1
    assert [index.count(owner, Model.HOG) for owner in (OWNER, "bob", "nobody")] == [0, 1, 0]
    assert (index.count(OWNER, Model.CNN), len(index)) == (1, 2)


def test_search_equals_brute_force_over_several_blocks() -> None:
    random = np.random.default_rng(7)
    centres = random.normal(0, 0.09, (300, 128))
    known = (
        centres[random.integers(300, size=BLOCK_ROWS + 3000)] + random.normal(0, 0.035, (BLOCK_ROWS + 3000, 128))
    ).astype(np.float32)
    probes = known[::2500] + random.normal(0, 0.02, (len(known[::2500]), 128)).astype(np.float32)
    index = FaceIndex()
    index.add(OWNER, records_of(known))
    for probe in probes:
        exact = np.linalg.norm(known.astype(np.float64) - probe.astype(np.float64), axis=1)
        hits = index.within(OWNER, Model.HOG, probe[None], 0.6)
        assert sorted(hit.face_id for hit in hits) == [face_id(n + 1, 0) for n in np.flatnonzero(exact <= 0.6)]
        nearest = index.nearest(OWNER, Model.HOG, probe, 5, 2.0)
        assert [hit.face_id for hit in nearest] == [face_id(n + 1, 0) for n in np.argsort(exact, kind="stable")[:5]]


def test_removal_forgets_all_faces_of_an_image_and_no_other() -> None:
    index = FaceIndex()
    index.add(OWNER, [record(1, 0.0, 0), record(1, 0.1, 1), record(2, 0.2)])
    index.remove(OWNER, 1)
    assert index.face_ids(OWNER, Model.HOG).tolist() == [face_id(2, 0)]
    index.remove(OWNER, 2)
    assert len(index) == 0


def test_nearest_keeps_to_the_faces_asked_for() -> None:
    index = FaceIndex()
    index.add(OWNER, [record(ticket, ticket / 10) for ticket in range(1, 6)])
    among = np.array([face_id(4, 0), face_id(5, 0)], np.int64)
    hits = index.nearest(OWNER, Model.HOG, encoding(0), 1, 1.0, among)
    assert [hit.face_id for hit in hits] == [face_id(4, 0)]


def test_a_search_goes_on_where_another_ended() -> None:
    random = np.random.default_rng(8)
    known = random.normal(0, 0.09, (BLOCK_ROWS + 40, 128)).astype(np.float32)
    known[100:130] = known[7]  # equally far from every probe
    known[BLOCK_ROWS + 3] = known[7]
    index = FaceIndex()
    index.add(OWNER, records_of(known))
    probe = known[7] + np.float32(0.01)
    whole = index.nearest(OWNER, Model.HOG, probe, 60, 2.0)
    paged = index.nearest(OWNER, Model.HOG, probe, 7, 2.0)
    while len(paged) < len(whole):
        last = paged[-1]
        paged += index.nearest(OWNER, Model.HOG, probe, 7, 2.0, beyond=(last.distance, last.face_id))
    assert paged[: len(whole)] == whole


def test_the_journal_must_have_no_gap() -> None:
    index = FaceIndex(position=3)
    index.apply(JournalEntry(4, "add", OWNER, "a", 1, (record(1, 0),)))
    with pytest.raises(InternalError):
        index.apply(JournalEntry(6, "add", OWNER, "b", 2, (record(2, 0),)))


def test_a_face_takes_at_most_560_bytes() -> None:
    index = FaceIndex()
    count = 4 * BLOCK_ROWS
    index.add(OWNER, records_of(np.zeros((count, 128), np.float32)))
    assert index.nbytes / count <= 560


def test_the_index_does_not_grow_while_faces_come_and_as_many_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "BLOCK_ROWS", 64)
    count, random = 600, np.random.default_rng(3)
    index = FaceIndex()
    index.add(OWNER, [record(ticket, ticket / 8) for ticket in range(1, count + 1)])
    before, live = index.nbytes, list(range(1, count + 1))
    for ticket in range(count + 1, 5 * count):
        place = int(random.integers(count))
        index.remove(OWNER, live[place])
        index.add(OWNER, [record(ticket, ticket / 8)])
        live[place] = ticket
    assert index.face_ids(OWNER, Model.HOG).tolist() == [face_id(ticket, 0) for ticket in sorted(live)]
    for ticket in live[::50]:
        (hit,) = index.within(OWNER, Model.HOG, encoding(ticket / 8)[None], 0.05)
        assert hit.face_id == face_id(ticket, 0)
    assert index.nbytes == before


def test_distance_is_symmetric_to_the_last_bit() -> None:
    random = np.random.default_rng(3)
    one, other = random.normal(size=(2, 128)).astype(np.float32)
    assert euclidean(one, other) == euclidean(other, one)


def test_near_finds_the_faces_of_within() -> None:
    generator = np.random.default_rng(5)
    matrix = generator.normal(0, 0.06, (700, 128)).astype(np.float32)
    index = FaceIndex()
    index.add(OWNER, records_of(matrix))
    limit = float(np.median([euclidean(matrix[0], row) for row in matrix]))
    rows, ids = index.near(OWNER, Model.HOG, matrix[:300], limit)
    hits = index.within(OWNER, Model.HOG, matrix[:300], limit)
    assert len(hits) > 1000
    assert sorted(zip(rows.tolist(), ids.tolist(), strict=True)) == sorted((hit.probe, hit.face_id) for hit in hits)
    assert index.near("nobody", Model.HOG, matrix, limit)[0].size == 0


def test_near_measures_what_rounding_could_decide() -> None:
    index = FaceIndex()
    index.add(OWNER, [record(1, 0.5), record(2, 0.500001), record(3, 0.4)])
    rows, ids = index.near(OWNER, Model.HOG, encoding(0)[None], 0.5)
    assert ids.tolist() == [face_id(1, 0), face_id(3, 0)]
    assert rows.tolist() == [0, 0]


def test_a_distance_is_the_same_alone_and_among_many_and_from_either_side() -> None:
    generator = np.random.default_rng(6)
    some, others = generator.normal(0, 0.1, (2, 500, 128)).astype(np.float32)
    together = distances(some, others)
    assert together.tolist() == distances(others, some).tolist()
    assert together.tolist() == [euclidean(one, other) for one, other in zip(some, others, strict=True)]


def test_another_thread_may_count_while_an_owner_comes() -> None:
    """A worker tells others how much it knows, whatever it does meanwhile."""
    index = FaceIndex()
    index.add(OWNER, [record(1, 0.0)])

    class Slow(partition.Partition):
        def __len__(self) -> int:
            index.add(f"owner {len(index.partitions())}", [record(2, 0.0)])
            return super().__len__()

        @property
        def nbytes(self) -> int:
            index.add(f"owner {len(index.partitions())}", [record(2, 0.0)])
            return super().nbytes

    index._partitions["slow", Model.HOG] = Slow()
    assert len(index) == 1
    assert index.nbytes > 0
