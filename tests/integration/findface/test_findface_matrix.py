"""Every method of the contract with its answer and its errors, as one table. A method without a row here fails."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from rest.findface import _ROUTES, VERSIONS
from tests.drawings import drawing, showing
from tests.integration.findface.conftest import TIMEOUT, Client
from tests.stack import Stack

CONTRACT = {
    1: "POST /detect",
    2: "POST /verify",
    3: "POST /identify",
    4: "POST /face",
    5: "GET /face/id/<face>",
    6: "PUT /face/id/<face>",
    7: "DELETE /face/id/<face>",
    8: "GET /face/meta/<name:meta>",
    9: "GET /faces",
    10: "GET /faces/gallery/<gallery>",
    11: "GET /meta",
    12: "GET /galleries",
    13: "POST /galleries/<gallery>",
    14: "DELETE /galleries/<gallery>",
    15: "GET /persons",
    16: "GET /person/id/<person>",
    17: "GET /person/history/id/<person>",
    18: "POST /history/search",
    19: "POST /camera",
    20: "GET /camera",
    21: "GET /camera/<camera>",
    22: "PUT /camera/<camera>",
    23: "DELETE /camera/<camera>",
}
"""The table of the contract; its number 24, the documentation, needs no token and has a test of its own."""
BESIDE = {
    "POST /faces/gallery/<gallery>/identify",
    "GET /face/gallery/<gallery>/meta/<name:meta>",
    "GET /meta/gallery/<gallery>",
    "DELETE /face/meta/<name:meta>",
    "POST /galleries",
    "GET /faces/gallery/<gallery>/meta/<name:meta>",
    "GET /face/id/<face>/<kind>",
}
"""Variants of a gallery, aliases, and the pictures behind a face's addresses."""
Refusal = tuple[dict[str, str], dict[str, Any], int, str]
"""What is changed in the path and in the body, and the status and code that come of it."""
NOBODY = "7"
FACE_KEYS = {
    *("id", "timestamp", "photo", "thumbnail", "normalized", "photo_hash", "x1", "y1", "x2", "y2", "meta", "galleries"),
    *("person_id", "friend", "cam_id"),
}
CAMERA_KEYS = {"id", "meta", "url", "detector", "enabled", "rot", "roi"}


@dataclass(frozen=True)
class Row:
    """``answer`` is the keys of the answer, or of an entry of its ``results``, its list or its map."""

    route: str
    answer: set[str] = field(default_factory=set)
    body: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    refused: tuple[Refusal, ...] = ()
    path: dict[str, str] = field(default_factory=dict)


def no(what: str, name: str = NOBODY, code: str = "NOT_FOUND", status: int = 404) -> Refusal:
    return {what: name}, {}, status, code


def bad(*bodies: dict[str, Any], code: str = "BAD_PARAM", status: int = 400) -> tuple[Refusal, ...]:
    return tuple(({}, body, status, code) for body in bodies)


PHOTO_ERRORS = (
    *bad({"photo": None}, {"photo": "no photo"}, {"mf_selector": "first"}, {"bbox": [[1, 2]]}),
    *bad({"photo": "NO FACE"}, code="NO_FACES"),
    *bad({"photo": "TWO", "mf_selector": "reject"}, code="TOO_MANY_FACES"),
    *bad({"photo": "BROKEN"}, code="UNREADABLE_IMAGE", status=422),
    *bad({"photo": "dGV4dA=="}, code="UNSUPPORTED_IMAGE", status=415),
    *bad({"photo": "http://127.0.0.1:1/"}, code="FORBIDDEN_URL", status=403),
    *bad({"photo": "http://127.0.0.2:1/"}, code="FETCH_FAILED", status=502),
)
SEARCH_ERRORS = (*bad({"threshold": 2}, {"n": 0}, {"strict": "perhaps"}), *bad({"face_id": "x"}))
WRONG_GALLERY = (no("gallery", "none"), no("gallery", "a.b", "BAD_PARAM", 400))
WRONG_PAGE = bad({"max_id": "x"}, {"limit": 0}, {"min_id": -2})
WRONG_ID = (no("face"), no("face", "x", "BAD_PARAM", 400), no("face", "9" * 19))
WRONG_PERSON = (no("person", "999999"), no("person", "x", "BAD_PARAM", 400))
WRONG_TIMES = bad({"start": "x"}, {"cam_ids": 5})
WRONG_CAMERA = bad({"rot": [1]}, {"roi": "x"}, {"enabled": "perhaps"}, {"meta": {}})
PHOTO = {"photo": "SHOWING"}
ROWS = (
    Row(
        "POST /detect",
        {"x1", "y1", "x2", "y2"},
        PHOTO,
        refused=(
            *bad({"photo": None}, {"age": "perhaps"}),
            *bad({"age": True}, {"gender": True}, {"emotions": True}, code="NO_ANALYSER"),
            *bad({"photo": "BROKEN"}, code="UNREADABLE_IMAGE", status=422),
        ),
    ),
    Row(
        "POST /verify",
        {"bbox1", "bbox2", "confidence", "verified"},
        {"photo1": "SHOWING", "photo2": "SHOWING"},
        refused=(
            *bad({"photo1": None}, {"photo2": 5}, {"bbox2": "x"}, {"threshold": "x"}),
            *bad({"photo2": "NO FACE"}, code="NO_FACES"),
        ),
    ),
    Row("POST /identify", {"confidence", "face"}, PHOTO, refused=(*PHOTO_ERRORS, *SEARCH_ERRORS)),
    Row(
        "POST /faces/gallery/<gallery>/identify",
        {"confidence", "face"},
        PHOTO,
        refused=(*PHOTO_ERRORS[:2], *SEARCH_ERRORS, *WRONG_GALLERY),
    ),
    Row(
        "POST /face",
        FACE_KEYS,
        PHOTO | {"cam_id": "CAMERA"},
        refused=(
            *PHOTO_ERRORS,
            *bad({"meta": "x" * 5000}, {"galleries": ["none"]}, {"galleries": 5}, {"cam_id": "none"}),
            *bad({"timestamp": "x"}, {"detectorParams": 5}),
        ),
    ),
    Row("GET /face/id/<face>", FACE_KEYS, refused=WRONG_ID),
    Row("GET /face/id/<face>/<kind>", refused=(*WRONG_ID, no("kind"))),
    Row(
        "PUT /face/id/<face>",
        FACE_KEYS,
        {"meta": "new", "galleries": {"add": ["g"]}},
        refused=(
            *WRONG_ID,
            *bad({"galleries": {"add": ["none"]}}, {"galleries": {"add": [], "del": []}}, {"galleries": ["g"]}),
            *bad({"person_id": 999_999}, {"person_id": "x"}, {"meta": "x" * 5000}),
        ),
    ),
    Row("DELETE /face/id/<face>", status=204, refused=WRONG_ID),
    Row("GET /face/meta/<name:meta>", FACE_KEYS, refused=WRONG_PAGE),
    Row("GET /face/gallery/<gallery>/meta/<name:meta>", FACE_KEYS, refused=(*WRONG_PAGE, *WRONG_GALLERY)),
    Row("GET /faces/gallery/<gallery>/meta/<name:meta>", FACE_KEYS, refused=(*WRONG_PAGE, *WRONG_GALLERY)),
    Row("DELETE /face/meta/<name:meta>", status=204),
    Row("GET /faces", FACE_KEYS, refused=WRONG_PAGE),
    Row("GET /faces/gallery/<gallery>", FACE_KEYS, refused=(*WRONG_PAGE, *WRONG_GALLERY)),
    Row("GET /meta", {"meta", "count", "face"}, refused=bad({"limit": 0})),
    Row("GET /meta/gallery/<gallery>", {"meta", "count", "face"}, refused=(*bad({"limit": 0}), *WRONG_GALLERY)),
    Row("GET /galleries"),
    Row("POST /galleries", {"name"}, {"name": "new"}, 201, (*bad({"name": "a b"}), *bad({"name": None}))),
    Row(
        "POST /galleries/<gallery>",
        {"name"},
        status=201,
        path={"gallery": "new"},
        refused=(no("gallery", "g", "CONFLICT", 409), no("gallery", "x" * 49, "BAD_PARAM", 400)),
    ),
    Row(
        "DELETE /galleries/<gallery>",
        status=204,
        refused=(no("gallery", "none"), no("gallery", "default", "CONFLICT", 409)),
    ),
    Row("GET /persons", {"id", "meta"}),
    Row("GET /person/id/<person>", {"id", "meta"}, refused=WRONG_PERSON),
    Row(
        "GET /person/history/id/<person>",
        {"person_id", "face_id", "cam_id", "meta", "screenshot", "timestamp"},
        refused=(*WRONG_PERSON, *WRONG_TIMES),
    ),
    Row(
        "POST /history/search",
        FACE_KEYS,
        refused=(*WRONG_TIMES, *bad({"limit": -1}, {"friend": "perhaps"}, {"person_id": "x"})),
    ),
    Row("POST /camera", CAMERA_KEYS, {"meta": "new", "rot": [1, 2, 3, 4]}, 201, WRONG_CAMERA),
    Row("GET /camera", CAMERA_KEYS),
    Row("GET /camera/<camera>", CAMERA_KEYS, refused=(no("camera"),)),
    Row("PUT /camera/<camera>", CAMERA_KEYS, {"url": "new"}, refused=(no("camera"), *WRONG_CAMERA)),
    Row("DELETE /camera/<camera>", status=204, refused=(no("camera"),)),
)
READS_NOTHING = {
    *("GET /face/id/<face>", "GET /face/id/<face>/<kind>", "DELETE /face/id/<face>", "DELETE /face/meta/<name:meta>"),
    *("GET /galleries", "DELETE /galleries/<gallery>", "GET /persons", "GET /person/id/<person>"),
    *("GET /camera/<camera>", "DELETE /camera/<camera>"),
}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"PERSON_IDENTIFY": "true", "INTERACTIVE_TIMEOUT": "5"}


@dataclass
class World:
    """One owner with something of everything."""

    client: Client
    known: dict[str, str]

    def call(self, row: Row, version: str = "v1", **more: Any) -> requests.Response:
        method, address = self.address(row, version, more.pop("path", {}))
        headers = more.pop("headers", {})
        if "data" not in more:
            more["json"] = {name: self.filled(value) for name, value in (row.body | more.pop("body", {})).items()}
        return self.client.session.request(method, address, headers=headers, timeout=TIMEOUT, **more)

    def address(self, row: Row, version: str, other: dict[str, str]) -> tuple[str, str]:
        method, _, path = row.route.partition(" ")
        for name, value in (self.known | row.path | other).items():
            path = path.replace(f"<{name}>", value).replace(f"<name:{name}>", value)
        return method, f"{self.client.url}/{version}{path}"

    def filled(self, value: Any) -> Any:
        photos = {
            "SHOWING": lambda: showing("ann"),
            "NO FACE": lambda: drawing(b'FACES:{"faces": []}'),
            "TWO": lambda: showing("ann", "bob"),
            "BROKEN": lambda: drawing(b"BROKEN"),
        }
        if value == "CAMERA":
            return self.known["camera"]
        return base64.b64encode(photos[value]()).decode() if isinstance(value, str) and value in photos else value


def world_of(client: Client) -> World:
    client.call("POST", "/galleries/g", 201)
    camera = client.call("POST", "/camera", 201, json={})["id"]
    face = client.post_face(showing("ann"), meta="Ann", galleries="g", cam_id=camera)[0]
    known = {"face": str(face["id"]), "person": str(face["person_id"]), "camera": camera}
    return World(client, known | {"gallery": "g", "meta": "Ann", "kind": "photo"})


@pytest.fixture
def world(client: Client) -> World:
    return world_of(client)


def test_the_table_has_every_method() -> None:
    rows = {row.route for row in ROWS}
    assert len(rows) == len(ROWS)
    assert rows == {*CONTRACT.values(), *BESIDE}
    assert rows == {f"{method} {path}" for method, path, _ in _ROUTES}


def route_of(row: Row) -> str:
    return row.route


@pytest.mark.parametrize("row", ROWS, ids=route_of)
def test_a_method_answers_as_the_contract_says(row: Row, client_of: Callable[[], Client]) -> None:
    for version in VERSIONS:
        answer = world_of(client_of()).call(row, version)
        assert answer.status_code == row.status, answer.text
        if row.status == 204:
            assert answer.content == b""
        elif row.answer:
            assert row.answer == entry_of(answer.json(), row).keys(), answer.text


def entry_of(document: Any, row: Row) -> dict[str, Any]:
    found = document
    while not isinstance(found, dict) or not row.answer <= found.keys():
        if isinstance(found, list):
            found = found[0]
        elif "results" in found or "faces" in found:
            found = found.get("results", found.get("faces"))
        else:
            (found,) = found.values()
    return found


@pytest.mark.parametrize("row", ROWS, ids=route_of)
def test_a_method_refuses_what_is_wrong(row: Row, world: World, client_of: Callable[[], Client]) -> None:
    for path, body, status, code in row.refused:
        answer = world.call(row, path=path, body=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (path, body, answer.text)
        assert answer.json()["reason"]
        if code == "BAD_PARAM" and body:
            assert answer.json()["param"], answer.text
    answer = world.call(row, headers={"Authorization": "Token nobody-has-this"})
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_FAILED")
    answer = world.call(row, headers={"Content-Type": "application/json"}, data=b"{")
    if row.route not in READS_NOTHING:
        assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_JSON")
    _, address = world.address(row, "v1", {})
    answer = world.client.session.request("PATCH", address, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("row", [row for row in ROWS if "<" in row.route], ids=route_of)
def test_nobody_reaches_what_is_anothers(row: Row, world: World, client_of: Callable[[], Client]) -> None:
    stranger = World(client_of(), world.known)
    answer = stranger.call(row)
    if "meta/<name:meta>" in row.route and "gallery" not in row.route:
        assert not answer.content or answer.json()["results"] == []
    elif row.route == "POST /galleries/<gallery>":
        assert answer.status_code == 201
    else:
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), answer.text
    assert json.loads(world.call(ROWS[5]).text)["meta"] == "Ann"


def test_what_is_away_is_said(client: Client, stack: Stack) -> None:
    """The last test here: without a worker no part of the index answers, and nobody looks at a photo; the service says so."""
    face = client.post_face(showing("ann"))[0]["id"]
    for worker in stack.workers:
        worker.kill()
    answer = client.call("POST", "/identify", 503, json={"face_id": face})
    assert (answer["code"], answer["reason"][:6]) == ("SERVICE_UNAVAILABLE", "0 of 1")
    answer = client.call("POST", "/detect", 504, files={"photo": ("p.png", showing("ann"))})
    assert answer["code"] == "TIMEOUT"
