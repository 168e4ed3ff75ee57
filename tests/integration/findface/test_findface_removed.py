"""A face that was removed comes back when its photo is posted again, and no other one gets its name."""

from __future__ import annotations

import json
from typing import Any

from tests.drawings import drawing, showing
from tests.integration.findface.conftest import Client

ANN = [300, 500, 500, 300]
BOB = [10, 110, 110, 10]
CYD = [10, 290, 100, 200]


def group() -> bytes:
    """Ann is the biggest."""
    people = {"bob": BOB, "ann": ANN, "cyd": CYD}
    faces = [{"person": person, "box": box} for person, box in people.items()]
    return drawing(b"FACES:" + json.dumps({"faces": faces}).encode())


def scanned(client: Client, name: str, body: bytes) -> dict[str, Any]:
    image = client.call("POST", f"/scan/image/{name}", 202, data=body)["hash"]
    client.wait_until(lambda: client.call("GET", f"/images/{image}")["state"] == "done")
    found: dict[str, Any] = client.call("GET", f"/images/{image}")
    return found


def listed(client: Client) -> dict[int, str]:
    return {face["id"]: face["meta"] for face in client.call("GET", "/faces")["results"]}


def test_the_same_face_of_a_group_photo_comes_back(client: Client) -> None:
    body, other = group(), showing("ann")
    scanned(client, "other.png", other)
    (first,) = client.post_face(body, meta="Ann")
    client.call("DELETE", f"/face/id/{first['id']}", 204)
    assert client.call("GET", f"/match/{first['photo_hash']}") == []

    (again,) = client.post_face(body, meta="Ann")

    assert (again["id"], again["meta"]) == (first["id"], "Ann")
    assert [again[side] for side in ("x1", "y1", "x2", "y2")] == [300, 300, 500, 500]
    assert client.call("GET", f"/match/{first['photo_hash']}") == ["other.png"]
    assert {face: meta for face, meta in listed(client).items() if meta} == {first["id"]: "Ann"}
    (found,) = client.call("POST", "/identify", files={"photo": ("p.png", showing("ann"))}, data={"n": "2"})[
        "results"
    ].values()
    assert first["id"] in [each["face"]["id"] for each in found]
    # Posted once more it is a known face like any other.
    assert client.post_face(body, meta="Ann B.")[0]["id"] == first["id"]
    assert listed(client)[first["id"]] == "Ann B."


def test_the_only_face_of_a_scanned_photo_comes_back(client: Client) -> None:
    body = showing("ann")
    image = scanned(client, "ann.png", body)["hash"]
    (first,) = client.post_face(body, meta="Ann")
    client.call("DELETE", f"/face/id/{first['id']}", 204)
    assert client.call("GET", f"/images/{image}")["faces"] == []
    client.call("POST", "/scan/image/ann.png", 202, data=body)
    assert client.call("GET", f"/images/{image}")["faces"] == [], "a scan of known bytes brings nothing back"

    (again,) = client.post_face(body, meta="Ann")

    assert (again["id"], again["meta"]) == (first["id"], "Ann")
    assert [face["id"] for face in client.call("GET", f"/images/{image}")["faces"]] == [first["id"]]


def test_what_is_meant_is_chosen_as_if_nothing_had_been_removed(client: Client) -> None:
    body = group()
    image = scanned(client, "group.png", body)
    bob, ann, cyd = (face["id"] for face in image["faces"])
    for face in (ann, cyd):
        client.call("DELETE", f"/face/id/{face}", 204)

    assert [face["id"] for face in client.post_face(body, bbox=json.dumps([[10, 10, 110, 110]]))] == [bob]
    refused = client.call("POST", "/face", 400, files={"photo": ("p.png", body)}, data={"mf_selector": "reject"})
    assert refused["code"] == "TOO_MANY_FACES"
    assert listed(client).keys() == {bob}
    assert [face["id"] for face in client.post_face(body, bbox=json.dumps([[205, 15, 285, 95]]))] == [cyd]
    assert listed(client).keys() == {bob, cyd}
    assert [face["id"] for face in client.post_face(body, mf_selector="all", meta="all")] == [bob, ann, cyd]
    assert listed(client) == dict.fromkeys((bob, ann, cyd), "all")
