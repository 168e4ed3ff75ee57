"""What a worker reads when it starts: every face once, from whatever pages the store gives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from facerec.adapters.redis import RedisDatabases, RedisJournal, journal
from facerec.adapters.redis.layout import FACES, prefix
from facerec.faces import Mark, Model
from facerec.loading import Progress, load_index
from facerec.ports import KnownFaces
from facerec.records import pack_face
from tests.faces import encoding, face

FACE = 4096
OWNERS = ("default", "other")


def fill(databases: RedisDatabases, images: int) -> dict[tuple[str, Model], list[int]]:
    """Images of two owners with 1 to 3 faces of some models each; the comparable faces."""
    known: dict[tuple[str, Model], list[int]] = {}
    for ticket in range(1, images + 1):
        owner, model = OWNERS[ticket % 2], (Model.HOG, Model.CNN)[ticket % 3 == 0]
        for number in range(ticket % 3 + 1):
            marks = frozenset({Mark.BLURRED} if number == 2 else ())
            record = pack_face(FACE * ticket + number, face(FACE * ticket + number, model, marks))
            databases.client(FACES).rpush(f"{prefix(owner)}{ticket:064x}", record)
            if not marks:
                known.setdefault((owner, model), []).append(FACE * ticket + number)
    return known


@pytest.mark.parametrize("at_once", [1, 2000, journal.BYTES_AT_ONCE])
def test_every_face_is_known_once(databases: RedisDatabases, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    known = fill(databases, 50)
    monkeypatch.setattr(journal, "BYTES_AT_ONCE", at_once)
    heard: list[Progress] = []

    index = load_index(RedisJournal(databases), heard.append)

    assert {partition: index.face_ids(*partition).tolist() for partition in index.partitions()} == known
    for (owner, model), faces in known.items():
        (hit,) = index.within(owner, model, encoding(faces[-1])[None, :], 0.5)
        assert (hit.face_id, hit.distance) == (faces[-1], 0.0)
    assert (heard[0], heard[-1]) == (Progress(0, 50), Progress(50, 50))
    assert heard[-1].percent == 100


def test_damaged_records_are_left_out(databases: RedisDatabases) -> None:
    known = fill(databases, 3)
    whole = pack_face(9 * FACE, face(9.0))
    for record in (b"", b"\x01\x03", b"\x02" + whole[1:], whole[:1] + b"\x63" + whole[2:], whole[:-20]):
        databases.client(FACES).rpush("f" * 64, record)

    index = load_index(RedisJournal(databases))

    assert len(index) == sum(map(len, known.values()))


def test_an_image_that_is_told_twice_is_known_once(databases: RedisDatabases) -> None:
    class Twice(RedisJournal):
        def load(self) -> tuple[int, Iterator[KnownFaces]]:
            position, pages = super().load()
            found = list(pages)
            return position, iter(found + found)

    known = fill(databases, 20)

    index = load_index(Twice(databases))

    assert len(index) == sum(map(len, known.values()))
    assert all(np.all(np.diff(index.face_ids(*partition)) > 0) for partition in index.partitions())
