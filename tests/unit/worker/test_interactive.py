"""Which set and which models a question for matches is about."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from facerec.faces import Model
from facerec.identity import face_id
from facerec.index import FaceIndex
from facerec.jobs import Reply, Request
from facerec.records import pack_face
from tests.faces import encoding, face
from worker.interactive import Interactive

PARAMETERS: dict[str, Any] = {"order": "distance", "count": 10, "after": [-1.0, 0], "but": 1}
PROBES = np.stack([encoding(0.0), encoding(50.0)]).tobytes()


def index() -> FaceIndex:
    """Image 2 is near the first probe as CNN and near the second as HOG, image 3 near the second as CNN."""
    made = FaceIndex()
    places = ((2, 0, 0.3, Model.CNN), (2, 1, 50.1, Model.HOG), (3, 0, 50.2, Model.CNN))
    made.add("default", [pack_face(face_id(ticket, n), face(at, model)) for ticket, n, at, model in places])
    return made


def ask(**parameters: Any) -> tuple[Reply, Model | None]:
    """The answer, and the model of the set that was asked for."""
    consumer, committer = Mock(), Mock(model=Model.CNN)
    committer.ask.side_effect = lambda question, _model: question(index())
    interactive = Interactive(
        consumer=consumer,
        pool=Mock(),
        committer=committer,
        model=Model.HOG,
        tolerance=0.6,
        members=Mock(),
        enroller=Mock(),
        clock=lambda: 0.0,
    )
    request = Request("matches", "default", 10.0, PARAMETERS | parameters, PROBES)
    interactive.handle(Mock(headers=request.headers, body=request.body))
    asked = committer.ask.call_args
    return consumer.reply.call_args.args[1], asked.args[1] if asked else None


@pytest.mark.parametrize(
    ("parameters", "of", "expected"),
    [
        ({"model": "cnn"}, Model.CNN, [(0.2, 1, 3), (0.3, 0, 2)]),
        ({"model": "hog"}, Model.HOG, [(0.1, 1, 2)]),
        ({"model": "hog", "set": "cnn"}, Model.CNN, [(0.1, 1, 2)]),
        ({"model": "cnn", "set": "cnn", "models": ["cnn", "hog"]}, Model.CNN, [(0.1, 1, 2)]),
        ({"model": "cnn", "set": "cnn", "models": ["hog", "cnn"]}, Model.CNN, [(0.2, 1, 3)]),
        ({}, None, [(0.2, 1, 3), (0.3, 0, 2)]),
    ],
)
def test_each_probe_is_compared_with_its_own_model_and_each_image_is_told_once(
    parameters: dict[str, Any], of: Model | None, expected: list[tuple[float, int, int]]
) -> None:
    reply, asked = ask(**parameters)
    assert asked is of
    told = [(round(distance, 3), probe, face // 4096) for distance, probe, face in reply.document["matches"]]
    assert told == expected
    assert reply.document["total"] == len(expected)


@pytest.mark.parametrize("models", [["cnn"], ["cnn", "?"], "cnn", [1, 2, 3]])
def test_models_that_are_not_those_of_the_probes_are_refused(models: object) -> None:
    reply, _ = ask(models=models)
    assert not reply.ok
    assert reply.document["code"] == "BAD_PARAM"
