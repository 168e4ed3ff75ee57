"""Who is this? Presets, tolerances, unknown faces; nothing is kept."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from flask.testing import FlaskClient

from facerec.errors import BrokerUnavailable, DeadlineExceeded
from facerec.jobs import Reply, Request
from facerec.services.people import Standing
from rest.identify import Identification
from tests.front import HASH, Front, analysis_of_request, picture

NEAR = {"face_id": 4096, "distance": 0.25}
GONE = {"face_id": 999_999, "distance": 0.3}


class KnownPeople:
    """Face 4096 is Ann's."""

    def standings(self, owner: str, person: int, faces: Sequence[int]) -> list[Standing]:
        return [Standing(7, "Ann") if face == 4096 else Standing(None) for face in faces]


@pytest.fixture
def front() -> Front:
    return Front(people=KnownPeople())


def ask(client: FlaskClient, **fields: str) -> Any:
    form: dict[str, Any] = {"file": (io.BytesIO(picture()), "who.jpg"), **fields}
    return client.post("/identify", data=form, content_type="multipart/form-data")


def answering(front: Front, *hits: list[dict[str, Any]]) -> None:
    """Workers that find two faces, and these known ones near them."""

    def answer(call: Request) -> Reply:
        if call.verb == "analyse":
            return analysis_of_request(call)
        return Reply(True, {"probes": list(hits), "known_faces": 7})

    front.requester.answer = answer


def test_known_and_unknown(client: FlaskClient, front: Front) -> None:
    answering(front, [NEAR], [])

    answer = ask(client).get_json()

    Identification.model_validate(answer, strict=True)
    assert [face["unknown"] for face in answer["faces"]] == [False, True]
    candidate = answer["faces"][0]["candidates"][0]
    assert candidate.pop("person") == {"id": 7, "name": "Ann"}
    assert candidate == {"face": 4096, "distance": 0.25, "hash": HASH, "names": ["a.jpg"], "thumbnail": None}
    assert (answer["preset"], answer["tolerance"], answer["known_faces"]) == ("medium", 0.55, 7)


@pytest.mark.parametrize(
    ("fields", "tolerance", "count"),
    [
        ({}, 0.55, 5),
        ({"preset": "strict"}, 0.5, 5),
        ({"preset": "low", "n": "2"}, 0.6, 2),
        ({"tolerance": "0.42"}, 0.42, 5),
        ({"tolerance": "0"}, 0.0, 5),
    ],
)
def test_the_index_is_asked_with_the_tolerance(
    client: FlaskClient, front: Front, fields: dict[str, str], tolerance: float, count: int
) -> None:
    answering(front, [], [])

    assert ask(client, **fields).get_json()["tolerance"] == tolerance

    analyse, search = front.requester.requests
    assert analyse.body == picture()
    assert search.parameters == {"count": count, "limit": tolerance, "model": "hog"}
    faces = analysis_of_request(analyse).document["faces"]
    assert search.body == b"".join(struct.pack("<128f", *face["encoding"]) for face in faces)


def test_nothing_is_kept(client: FlaskClient, front: Front) -> None:
    answering(front, [], [])
    ask(client)

    assert front.admissions.names == []
    assert front.publisher.jobs == []


def test_no_face_is_no_error(client: FlaskClient, front: Front) -> None:
    front.requester.answer = lambda _: Reply(True, {"width": 1, "height": 1, "model": 3, "faces": []})

    assert ask(client).get_json()["faces"] == []
    assert len(front.requester.requests) == 1


def test_an_image_erased_in_this_moment_is_left_out(client: FlaskClient, front: Front) -> None:
    answering(front, [GONE], [GONE, NEAR])

    faces = ask(client).get_json()["faces"]

    assert [face["unknown"] for face in faces] == [True, False]
    assert [candidate["face"] for candidate in faces[1]["candidates"]] == [4096]


@pytest.mark.parametrize(
    "fields",
    [
        {"preset": "paranoid"},
        {"tolerance": "3"},
        {"tolerance": "x"},
        {"n": "0"},
        {"threshold": "0.5"},
        {"preset": "low", "tolerance": "0.5"},
    ],
)
def test_wrong_fields_are_named(client: FlaskClient, fields: dict[str, str]) -> None:
    answer = ask(client, **fields)

    assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_PARAM")


def test_what_is_no_picture_is_refused(client: FlaskClient, front: Front) -> None:
    form = {"file": (io.BytesIO(b"text"), "who.jpg")}

    assert client.post("/identify", data=form, content_type="multipart/form-data").status_code == 415
    assert client.post("/identify", data={"preset": "low"}, content_type="multipart/form-data").status_code == 400
    assert front.requester.requests == []


@pytest.mark.parametrize(("error", "status"), [(DeadlineExceeded("slow"), 504), (BrokerUnavailable("away"), 503)])
def test_a_service_that_cannot_answer_says_so(client: FlaskClient, front: Front, error: Any, status: int) -> None:
    front.requester.failures["call"] = error

    assert ask(client).status_code == status
