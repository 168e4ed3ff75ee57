"""The grouper asks the index in pieces, so that a person's question is never behind all faces of many pictures."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest

from facerec.encodings import distances
from facerec.faces import Box, Face, Model
from facerec.index import FaceIndex
from facerec.records import pack_face
from facerec.services.grouping import RADIUS
from facerec.services.grouping_follower import search_in
from worker.grouper import FACES_AT_ONCE, Grouper

OWNER = "default"
COUNT = 3 * FACES_AT_ONCE + 1
LONGEST = 30.0
Question = Callable[[FaceIndex], None]


class Line:
    """Stands for a committer: one thread that answers questions in the order in which they came."""

    def __init__(self, index: FaceIndex) -> None:
        self._index = index
        self._questions: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def ask(self, question: Question, _model: Model | None = None) -> None:
        self._questions.put(question)

    def close(self) -> None:
        self._questions.put(None)
        self._thread.join(LONGEST)

    def _run(self) -> None:
        while (question := self._questions.get()) is not None:
            question(self._index)


@pytest.fixture
def rows() -> np.ndarray:
    return (np.random.default_rng(1).standard_normal((COUNT, 128)) * 0.03).astype(np.float32)


@pytest.fixture
def index(rows: np.ndarray) -> FaceIndex:
    index = FaceIndex()
    faces = [Face(Box(1, 30, 30, 1), (), 1.0, row, Model.HOG) for row in rows]
    index.add(OWNER, [pack_face(4096 + number, face) for number, face in enumerate(faces)])
    return index


@pytest.fixture
def line(index: FaceIndex) -> Iterator[Line]:
    line = Line(index)
    yield line
    line.close()


def grouper_of(committer: Any) -> Grouper:
    none = cast(Any, None)
    return Grouper("w", store=none, journal=none, committer=committer, crashed=lambda: None)


def test_the_pieces_together_find_what_one_question_finds(line: Line, index: FaceIndex, rows: np.ndarray) -> None:
    faces = list(range(4096, 4096 + COUNT))
    found = grouper_of(line)._search(OWNER, Model.HOG, faces, rows, None)
    assert len(found) == COUNT
    assert any(found)
    assert found == search_in(index, OWNER, Model.HOG, faces, rows, None)


def test_the_nearest_come_first_and_no_face_is_its_own_neighbour(index: FaceIndex, rows: np.ndarray) -> None:
    faces = list(range(4096, 4096 + COUNT))
    found = search_in(index, OWNER, Model.HOG, faces, rows, None)
    for probe, around in enumerate(found):
        far = distances(rows[probe : probe + 1], rows)
        expected = [(float(far[n]), faces[n]) for n in range(COUNT) if far[n] <= RADIUS and n != probe]
        assert [(each.distance, each.face_id) for each in around] == sorted(expected)
    assert search_in(index, OWNER, Model.HOG, faces, rows, 2) == [around[:2] for around in found]
    assert search_in(index, "nobody", Model.HOG, faces, rows, 2) == [[]] * COUNT


def test_another_question_is_answered_between_two_pieces(line: Line, rows: np.ndarray) -> None:
    """It comes while the first piece is asked, and waits for no other."""
    told: list[str] = []

    class Crowded:
        def ask(self, question: Question, model: Model | None = None) -> None:
            line.ask(lambda index: (told.append("piece"), question(index))[1], model)
            if told.count("person") == 0:
                line.ask(lambda _: told.append("person"))

    with ThreadPoolExecutor(1) as thread:
        thread.submit(grouper_of(Crowded())._search, OWNER, Model.HOG, list(range(COUNT)), rows, None).result(LONGEST)
    assert told[:2] == ["piece", "person"]
    assert told.count("piece") == 4


def test_a_question_that_breaks_is_told_to_who_asked(
    line: Line, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("worker.grouper.search_in", broken)
        with pytest.raises(ZeroDivisionError):
            grouper_of(line)._search(OWNER, Model.HOG, [1], rows[:1], None)
    assert grouper_of(line)._search(OWNER, Model.HOG, [4096], rows[:1], None)
