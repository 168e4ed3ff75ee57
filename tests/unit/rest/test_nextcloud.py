"""The external model of the Nextcloud app, over a requester that makes faces up."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from facerec import __version__
from facerec.errors import BrokerUnavailable, DeadlineExceeded
from facerec.faces import Model
from facerec.jobs import Reply
from facerec.values import Secret
from rest.nextcloud import client_gone
from tests.front import API_KEY, OTHER_TOKEN, Front, made_up_encoding, picture
from tests.services_client import ServicesClient

KEY = {"x-api-key": API_KEY}
IMAGE = picture(100, 100)
FACE = {"left": 12, "top": 10, "right": 60, "bottom": 55, "detection_confidence": 1.1}


def form(image: bytes = IMAGE, **fields: str) -> dict[str, Any]:
    return {"file": (io.BytesIO(image), "temp_ü.jpg"), **fields}


def test_welcome_and_health_need_no_key(client: FlaskClient) -> None:
    assert client.get("/welcome").get_json() == {
        "facerecognition-external-model": "welcome",
        "version": __version__,
        "model": 3,
    }
    assert client.get("/health").text == "ok"


def test_welcome_says_which_model_files_are_missing(client: FlaskClient, front: Front) -> None:
    front.workers.states = {"w": {"problem": "a file is missing; install it so"}}
    assert client.get("/welcome").get_json()["facerecognition-external-model"] == "a file is missing; install it so"

    front.workers.states["v"] = {}
    assert client.get("/welcome").get_json()["facerecognition-external-model"] == "welcome"


def test_open(client: FlaskClient) -> None:
    answer = client.get("/open", headers=KEY)

    assert answer.get_json() == {"preferred_mimetype": "image/jpeg", "maximum_area": 10_000}


def test_detect(client: FlaskClient, front: Front) -> None:
    answer = client.post("/detect", headers=KEY, data=form())

    document = answer.get_json()
    assert answer.status_code == 200
    assert (document["filename"], document["faces-count"], len(document["faces"])) == ("temp_ü.jpg", 2, 2)
    face = document["faces"][0]
    assert face["descriptor"] == made_up_encoding(IMAGE, (10, 60, 55, 12))
    assert face["landmarks"][0] == {"x": 12, "y": 10}
    assert {name: face[name] for name in FACE} == FACE
    [asked] = front.requester.requests
    assert (asked.verb, asked.owner, asked.parameters) == ("analyse", "default", {"model": "hog", "boxes": None})
    assert asked.deadline == 1_700_000_000.0 + front.settings.rest.interactive_timeout


def test_compute_of_a_detected_box_gives_the_same_face(client: FlaskClient, front: Front) -> None:
    [first, _] = client.post("/detect", headers=KEY, data=form()).get_json()["faces"]

    document = client.post("/compute", headers=KEY, data=form(face=json.dumps(FACE))).get_json()

    assert document == {"filename": "temp_ü.jpg", "face": first}
    assert front.requester.requests[1].parameters["boxes"] == [[10, 60, 55, 12]]


def test_compute_fills_the_face_that_was_sent(front: Front) -> None:
    front.settings = replace(front.settings, model=Model.CNN)
    sent = FACE | {
        "detection_confidence": 0.9375,
        "id": 7,
        "note": {"of": ["the", "client"]},
        "landmarks": [],
        "descriptor": None,
    }

    answer = ServicesClient(front.services).post("/compute", headers=KEY, data=form(face=json.dumps(sent)))

    face = answer.get_json()["face"]
    assert {name: face[name] for name in ("detection_confidence", "id", "note")} == {
        "detection_confidence": 0.9375,
        "id": 7,
        "note": {"of": ["the", "client"]},
    }
    assert face["descriptor"] == made_up_encoding(IMAGE, (10, 60, 55, 12))
    assert len(face["landmarks"]) == 5
    assert face.keys() == sent.keys()


@pytest.mark.parametrize(
    ("model", "confidence", "number", "asked"),
    [
        (Model.CNN, 0.75, 1, "cnn"),
        (Model.CNN_68, 0.75, 2, "cnn_68"),
        (Model.HOG, 1.1, 3, "hog"),
        (Model.CNN_HOG, 0.75, 4, "cnn_hog"),
        (Model.REFERENCE, 1.1, 3, "reference"),
    ],
)
def test_models(front: Front, model: Model, confidence: float, number: int, asked: str) -> None:
    front.settings = replace(front.settings, model=model)
    client = ServicesClient(front.services)

    [face, _] = client.post("/detect", headers=KEY, data=form()).get_json()["faces"]

    assert face["detection_confidence"] == confidence
    assert client.get("/welcome").get_json()["model"] == number
    assert front.requester.requests[0].parameters["model"] == asked


@pytest.mark.parametrize(("wanted", "asked"), [("1", "cnn"), ("4", "cnn_hog"), ("reference", "reference")])
def test_a_request_may_ask_for_a_model(client: FlaskClient, front: Front, wanted: str, asked: str) -> None:
    assert client.post("/detect", headers=KEY, data=form(model=wanted)).status_code == 200
    assert front.requester.requests[0].parameters["model"] == asked


def test_a_model_that_does_not_exist_is_named(client: FlaskClient) -> None:
    answer = client.post("/detect", headers=KEY, data=form(model="9"))
    assert (answer.status_code, answer.get_json()["param"]) == (400, "model")


@pytest.mark.parametrize("path", ["/detect", "/compute"])
@pytest.mark.parametrize("sizes", [(101, 100), (2000, 1000)])
def test_a_picture_over_the_area_is_412(client: FlaskClient, front: Front, path: str, sizes: tuple[int, int]) -> None:
    answer = client.post(path, headers=KEY, data=form(picture(*sizes), face=json.dumps(FACE)))

    assert answer.status_code == 412
    assert answer.get_json()["code"] == "AREA_TOO_LARGE"
    assert front.requester.requests == []


@pytest.mark.parametrize("path", ["/open", "/detect", "/compute"])
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": ""}, {"x-api-key": "\xff"}])
def test_without_the_right_key_nothing_is_answered(
    client: FlaskClient, front: Front, path: str, headers: dict[str, str]
) -> None:
    answer = client.open(path, method="GET" if path == "/open" else "POST", headers=headers)

    assert answer.status_code == 401
    assert answer.get_json()["code"] == "AUTH_FAILED"


def test_without_a_configured_key_there_is_no_default_one(front: Front) -> None:
    front.settings = replace(front.settings, rest=replace(front.settings.rest, api_key=Secret("")))
    client = ServicesClient(front.services)

    for headers in ({}, {"x-api-key": ""}, {"x-api-key": "Secret"}):
        assert client.get("/open", headers=headers).status_code == 401
    assert "FACE_MODEL_API_KEY" in client.get("/open").get_json()["reason"]


def test_a_key_may_hold_any_character(front: Front) -> None:
    front.settings = replace(front.settings, rest=replace(front.settings.rest, api_key=Secret("schlüssel")))
    client = ServicesClient(front.services)

    sent = "schlüssel".encode().decode("latin-1")
    assert client.get("/open", headers={"x-api-key": sent}).status_code == 200


def test_an_ordinary_token_is_as_good(guarded_client: FlaskClient, guarded: Front) -> None:
    assert guarded_client.post("/detect", headers={"x-api-key": OTHER_TOKEN}, data=form()).status_code == 200
    assert guarded.requester.requests[0].owner == "other"


@pytest.mark.parametrize(
    ("data", "status", "param"),
    [
        ({"face": json.dumps(FACE)}, 400, "file"),
        (form(), 400, "face"),
        (form(face="{"), 400, None),
        (form(face=json.dumps({"left": 1})), 400, "top"),
        (form(face=json.dumps(FACE | {"left": "x"})), 400, "left"),
        (form(face=json.dumps(FACE | {"left": 1e30})), 400, "left"),
        (form(face=json.dumps(FACE | {"note": [float("nan")]})), 400, "face"),
        (form(b"text", face=json.dumps(FACE)), 415, None),
        (form(b"", face=json.dumps(FACE)), 415, None),
    ],
)
def test_bad_forms(client: FlaskClient, data: dict[str, Any], status: int, param: str | None) -> None:
    answer = client.post("/compute", headers=KEY, data=data, content_type="multipart/form-data")

    assert answer.status_code == status
    assert answer.get_json().get("param") == param


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({"code": "UNREADABLE_IMAGE", "reason": "cut off"}, 422, "UNREADABLE_IMAGE"),
        ({"code": "UNSUPPORTED_IMAGE", "reason": "no picture"}, 415, "UNSUPPORTED_IMAGE"),
        ({"code": "TOO_LARGE", "reason": "big"}, 413, "TOO_LARGE"),
        ({"code": "BAD_PARAM", "reason": "wrong", "param": "boxes"}, 400, "BAD_PARAM"),
        ({"code": "CHILD_DIED", "reason": "died"}, 500, "CHILD_DIED"),
        ({"code": "ENGINE_FAILURE", "reason": "broke"}, 500, "ENGINE_FAILURE"),
        ({"code": "TIME_LIMIT", "reason": "slow"}, 504, "TIME_LIMIT"),
        ({"code": "TIMEOUT", "reason": "slow"}, 504, "TIMEOUT"),
        ({"code": "MODEL_MISSING", "reason": "get it so"}, 503, "MODEL_MISSING"),
        ({"code": "SERVICE_UNAVAILABLE", "reason": "away"}, 503, "SERVICE_UNAVAILABLE"),
        ({"code": "BACKPRESSURE", "reason": "busy"}, 429, "BACKPRESSURE"),
        ({"code": "MALFORMED_JOB", "reason": "versions"}, 500, "INTERNAL"),
        ({"code": "WHAT", "reason": "?"}, 500, "INTERNAL"),
        ({}, 500, "INTERNAL"),
    ],
)
def test_a_workers_error_is_raised_again(
    client: FlaskClient, front: Front, document: dict[str, Any], status: int, code: str
) -> None:
    front.requester.answer = lambda _: Reply(False, document)

    answer = client.post("/detect", headers=KEY, data=form())

    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_out_of_time(client: FlaskClient, front: Front) -> None:
    front.requester.failures["call"] = DeadlineExceeded("30 seconds have passed")
    assert client.post("/detect", headers=KEY, data=form()).status_code == 504


def test_no_broker(client: FlaskClient, front: Front) -> None:
    front.requester.failures["call"] = BrokerUnavailable("RabbitMQ: away")
    answer = client.post("/detect", headers=KEY, data=form())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_client_that_hangs_up_is_noticed() -> None:
    """That the server tells is tried in tests/integration/rest/test_server.py."""
    assert client_gone({"waitress.client_disconnected": lambda: True})()
    assert not client_gone({})()
