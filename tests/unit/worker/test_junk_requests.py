"""Requests that say what cannot be: each gets an answer, and no thread ends by it."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from facerec.enrolment import PersonRule, Wish
from facerec.errors import MalformedJob
from facerec.faces import Model
from facerec.identity import face_id
from facerec.index import FaceIndex
from facerec.jobs import Reply, Request
from facerec.records import pack_face
from tests.faces import encoding, face
from worker.enroller import wish_and_job
from worker.interactive import Interactive

PROBES = encoding(0.0).tobytes()
SEARCH: dict[str, Any] = {"count": 10, "limit": 1.0}
MATCHES: dict[str, Any] = {"order": "distance", "count": 10, "after": [-1.0, 0], "but": 1}
HUGE = 1 << 70


def index() -> FaceIndex:
    made = FaceIndex()
    made.add("default", [pack_face(face_id(2, 0), face(0.1))])
    return made


def answer(verb: str, headers: dict[str, Any], body: bytes) -> Reply:
    consumer, committer = Mock(), Mock(model=Model.HOG)
    committer.ask.side_effect = lambda question, _model: question(index())
    committer.parts.return_value = []
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
    sent = Request(verb, "default", 10.0, {}, body).headers | headers
    interactive.handle(Mock(headers=sent, body=body))
    consumer.ack.assert_called_once()
    reply: Reply = consumer.reply.call_args.args[1]
    return reply


@pytest.mark.parametrize("verb", ["search", "matches"])
def test_sound_ones_are_answered(verb: str) -> None:
    parameters = SEARCH | {"among": [face_id(2, 0)]} if verb == "search" else MATCHES
    assert answer(verb, {"parameters": json.dumps(parameters)}, PROBES).ok


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        *(
            ("search", {"among": among})
            for among in (["x"], [None], [[1]], [1.5], [True], [HUGE], [-1], "12", {"a": 1})
        ),
        *(("search", {"beyond": beyond}) for beyond in ([0.1, HUGE], [HUGE, 1], ["x", 1], [0.1], "x", [0.1, 1.5])),
        *(("search", {"count": count}) for count in ("x", HUGE, None, [], True)),
        *(("search", {"position": position}) for position in ("x", HUGE, None, -1)),
        *(("matches", {"after": after}) for after in ([0.1, HUGE], [-HUGE, 1], None, {}, [[], 1])),
        *(("matches", {"but": but}) for but in ("x", HUGE, None, {})),
        *(
            ("analyse", {"boxes": boxes})
            for boxes in ([[1, 2, 3]], ["x"], 7, [[1, 2, 3, HUGE]], [[1, 2, 3, {}]], {"a": 1})
        ),
    ],
)
def test_parameters_that_cannot_be_are_refused(verb: str, change: dict[str, Any]) -> None:
    parameters = {"search": SEARCH, "matches": MATCHES, "analyse": {}}[verb] | change
    reply = answer(verb, {"parameters": json.dumps(parameters)}, PROBES)
    assert not reply.ok
    assert reply.document["code"] == "BAD_PARAM"


@pytest.mark.parametrize(
    "headers",
    [
        {"parameters": '{"count": NaN, "limit": 1}'},
        {"parameters": '{"count": 1, "limit": Infinity}'},
        {"parameters": '{"count": 1, "limit": 1e400}'},
        {"parameters": "[1]"},
        {"parameters": "[" * 100_000},
        {"parameters": {"a": "dict"}},
        {"deadline": "nan"},
        {"deadline": "1e400"},
        {"deadline": ["x"]},
        {"verb": {"a": "dict"}},
        {"owner": 7},
    ],
)
def test_messages_that_are_no_requests_are_refused(headers: dict[str, Any]) -> None:
    reply = answer("search", {"parameters": json.dumps(SEARCH)} | headers, PROBES)
    assert (reply.ok, reply.document["code"]) == (False, "MALFORMED_JOB")


@pytest.mark.parametrize(
    "body", [b"", b"x", np.full(128, np.nan, "<f4").tobytes(), np.full(128, np.inf, "<f4").tobytes()]
)
def test_probes_that_are_none_are_refused(body: bytes) -> None:
    assert not answer("search", {"parameters": json.dumps(SEARCH)}, body).ok


WISH = Wish(boxes=((1, 2, 3, 0),), now=5.0, persons=PersonRule(0.5, True, 0.0, 3)).document()


def enrol(wish: object, **parameters: Any) -> Request:
    return Request("enroll", "default", 10.0, {"wish": wish, "name": "a.jpg", "ticket": 3} | parameters, b"photo")


def test_a_sound_wish_is_read() -> None:
    assert wish_and_job(enrol(json.loads(json.dumps(WISH))))[0] == Wish(
        boxes=((1, 2, 3, 0),), now=5.0, persons=PersonRule(0.5, True, 0.0, 3)
    )


@pytest.mark.parametrize(
    "wish",
    [
        None,
        [],
        "x",
        {},
        *(WISH | {"selector": selector} for selector in (None, 7, [])),
        *(
            WISH | {"boxes": boxes}
            for boxes in (None, "x", [[1, 2, 3]], [[1, 2, 3, "x"]], [[1, 2, 3, HUGE]], [[1, 2, 3, 1.5]])
        ),
        *(WISH | {"meta": meta} for meta in (7, [], {})),
        *(WISH | {"fields": fields} for fields in (None, 7, "x", {"a": 7}, {"a": {}})),
        *(WISH | {"galleries": galleries} for galleries in (None, 7, [7], [{}])),
        *(WISH | {"now": now} for now in (None, "x", HUGE, float("nan"), float("inf"), -1)),
        *(WISH | {"persons": persons} for persons in ("x", 7, [1], {"limit": 1}, {**WISH["persons"], "limit": "x"})),
    ],
)
def test_a_wish_that_cannot_be_is_malformed(wish: object) -> None:
    with pytest.raises(MalformedJob):
        wish_and_job(enrol(wish))


@pytest.mark.parametrize("verb", ["search", "matches"])
def test_a_question_that_breaks_is_answered(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that commits asks it."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(FaceIndex, "nearest", broken)
    monkeypatch.setattr(FaceIndex, "matches", broken)
    reply = answer(verb, {"parameters": json.dumps(SEARCH if verb == "search" else MATCHES)}, PROBES)
    assert (reply.ok, reply.document["code"]) == (False, "INTERNAL")
