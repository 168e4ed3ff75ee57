"""What identify makes of the parts that answered: of an engine with several parts, of one that falls silent in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from facerec.errors import BrokerUnavailable, DeadlineExceeded, FacerecError, IndexIncomplete
from facerec.faces import Box, Face, Model
from facerec.galleries import StoredFace
from facerec.jobs import Reply, Request
from facerec.services.identify import Identification, Question, Servers
from facerec.services.lookup import Lookup

PROBE = np.zeros(128, np.float32)


class Book:
    """Every face is there."""

    def faces(self, _owner: str, ids: Sequence[int]) -> list[StoredFace]:
        face = Face(Box(0, 9, 9, 0), (), 1.0, PROBE, Model.HOG)
        return [StoredFace(each, "h", face, b"", 0.0, "", (), None, {}) for each in ids]


class Journal:
    def position(self) -> int:
        return 7


class Engine:
    """Gives its answers in turn; an error is raised."""

    def __init__(self, *answers: dict[str, Any] | FacerecError) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    def call(self, request: Request, *_: Any) -> Reply:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, FacerecError):
            raise answer
        return Reply(True, answer)

    def close(self) -> None:
        pass


def found(count: int, **parts: bool) -> dict[str, Any]:
    rows = [[{"face_id": number, "distance": 0.001 * number} for number in range(count)]]
    return {
        "probes": rows,
        "position": 7,
        "parts": [{"name": name, "answered": answered} for name, answered in parts.items()],
    }


def identification(engine: Engine, *, strict: bool = True) -> Identification:
    lookup = Lookup(engine, 9.0, lambda: 0.0)
    return Identification(cast(Any, Book()), lookup, Journal(), strict)


def test_parts_are_counted_as_the_engine_tells_them() -> None:
    engine = Engine(found(1, a=True, b=True, c=True))
    answer = identification(engine).identify("o", [PROBE], Question("default", 0.5))
    assert answer.servers == Servers(3, 3)
    assert engine.asked[0].parameters["position"] == 7


@pytest.mark.parametrize("strict", [None, False])
def test_what_some_parts_found_is_answered(strict: bool | None) -> None:
    engine = Engine(found(2, a=True, b=False, c=True))
    question = Question("default", 0.5, 5, strict=strict)
    answer = identification(engine, strict=False).identify("o", [PROBE], question)
    assert [hit.face.id for hit in answer.rows[0]] == [0, 1]
    assert answer.servers == Servers(2, 3)


@pytest.mark.parametrize("strict", [None, True])
def test_strict_asks_for_all_parts(strict: bool | None) -> None:
    engine = Engine(found(2, a=True, b=False, c=True))
    with pytest.raises(IndexIncomplete) as caught:
        identification(engine).identify("o", [PROBE], Question("default", 0.5, strict=strict))
    assert (caught.value.live, caught.value.total) == (2, 3)


@pytest.mark.parametrize("error", [DeadlineExceeded("late"), BrokerUnavailable("away")])
def test_nobody_answers(error: FacerecError) -> None:
    lenient = Question("default", 0.5, strict=False)
    answer = identification(Engine(error)).identify("o", [PROBE, PROBE], lenient)
    assert (answer.rows, answer.servers) == (((), ()), Servers(0, 1))
    with pytest.raises(IndexIncomplete, match="0 of 1 parts"):
        identification(Engine(error)).identify("o", [PROBE], Question("default", 0.5))


def test_who_is_gone_is_not_answered() -> None:
    with pytest.raises(DeadlineExceeded):
        identification(Engine(DeadlineExceeded("gone"))).identify(
            "o", [PROBE], Question("default", 0.5, strict=False), lambda: True
        )


def test_a_part_that_falls_silent_between_two_searches_is_missed() -> None:
    """A filter turned so many away that more were asked for."""
    answers = found(100, a=True, b=True), DeadlineExceeded("late")
    picky = Question("default", 0.5, 5, lambda face: face.id in {3, 50}, strict=False)
    answer = identification(Engine(*answers)).identify("o", [PROBE], picky)
    assert [hit.face.id for hit in answer.rows[0]] == [3, 50]
    assert answer.servers == Servers(0, 2)


def test_a_worker_of_an_earlier_release_answers_for_all_faces() -> None:
    answer = found(1)
    del answer["parts"]
    assert identification(Engine(answer)).identify("o", [PROBE], Question("default", 0.5)).servers == Servers(1, 1)
