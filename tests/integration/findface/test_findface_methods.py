"""Every method of the FindFace interface, on the real stack."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from facerec.confidence import confidence
from tests.drawings import drawing, showing
from tests.integration.findface.conftest import TIMEOUT, Client
from tests.stack import Stack


def photo_of(*people: tuple[str, float], **more: Any) -> bytes:
    """A photo of people, each at a distance from their own encoding; the second face is the bigger one."""
    faces = [
        {"person": person, "distance": distance, "box": [10, 100 * n + 60 + 5 * n, 60 + 5 * n, 100 * n + 10]}
        for n, (person, distance) in enumerate(people)
    ]
    return drawing(b"FACES:" + json.dumps({"faces": faces, **more}).encode())


def as_base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


# ---------------------------------------------------------------- photos and parameters


def test_detect_takes_a_photo_in_every_form(client: Client, photo_site: Callable[[bytes], Any]) -> None:
    body = photo_of(("a", 0), ("b", 0))
    faces = [{"x1": 10, "y1": 10, "x2": 60, "y2": 60}, {"x1": 110, "y1": 10, "x2": 165, "y2": 65}]
    with photo_site(body) as site:
        url = f"http://127.0.0.2:{site.port}/p.png"
        ways: list[dict[str, Any]] = [
            {"files": {"photo": ("p.png", body)}},
            {"json": {"photo": as_base64(body)}},
            {"json": {"photo": "data:image/png;base64," + as_base64(body)}},
            {"data": {"photo": as_base64(body)}},
            {"data": json.dumps({"photo": url}), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {"json": {"photo": url}},
            {"files": {"photo": (None, url)}},
            {"params": {"photo": url}},
        ]
        for way in ways:
            assert client.call("POST", "/detect", **way) == {"faces": faces, "orientation": 1}, way
    for path in ("/v1/detect/", "/v0/detect", "/v0/detect/"):
        assert client.call("POST", path, json={"photo": as_base64(body)})["faces"] == faces
    assert client.call("POST", "/detect", json={"photo": as_base64(photo_of())})["faces"] == []


def test_verify_compares_pairs(client: Client) -> None:
    one, near, far = photo_of(("ann", 0)), photo_of(("ann", 0.3)), photo_of(("ann", 0.57))
    answer = client.call("POST", "/verify", files={"photo1": one, "photo2": near})
    assert answer["verified"] is True
    assert answer["results"][0]["confidence"] == pytest.approx(confidence(0.3), abs=1e-6)
    assert answer["results"][0]["bbox1"] == {"x1": 10, "y1": 10, "x2": 60, "y2": 60}
    photos = {"photo1": as_base64(one), "photo2": as_base64(far)}
    assert client.call("POST", "/verify", json=photos)["verified"] is False
    for threshold, verified in (("strict", False), ("medium", False), ("low", True), (0.5, True), ("0.9", False)):
        assert client.call("POST", "/verify", json=photos | {"threshold": threshold})["verified"] is verified
    answer = client.call("POST", "/verify", json=photos | {"threshold": "none"})
    assert "verified" not in answer
    assert "verified" not in answer["results"][0]
    both = {
        "photo1": as_base64(photo_of(("ann", 0), ("bob", 0))),
        "photo2": as_base64(photo_of(("bob", 0), ("ann", 0))),
    }
    answer = client.call("POST", "/verify", json=both | {"mf_selector": "all"})
    assert len(answer["results"]) == 4
    assert answer["verified"] is True
    assert client.call("POST", "/verify", json=both)["verified"] is False
    boxed = both | {"bbox1": [[10, 10, 60, 60]], "bbox2": [{"x1": 110, "y1": 10, "x2": 165, "y2": 65}]}
    assert client.call("POST", "/verify", json=boxed)["verified"] is True
    elsewhere = client.call("POST", "/verify", json=both | {"bbox1": [[300, 300, 380, 380]]})
    assert elsewhere["results"][0]["bbox1"] == {"x1": 300, "y1": 300, "x2": 380, "y2": 380}


# ---------------------------------------------------------------- faces


def test_a_posted_face_is_an_image_of_the_core(client: Client) -> None:
    body = photo_of(("ann", 0), ("bob", 0))
    face = client.post_face(body, meta="Bob")[0]
    assert (face["x1"], face["meta"], face["galleries"]) == (110, "Bob", ["default"])
    assert 0 < face["id"] < 1 << 63
    assert client.call("GET", f"/face/id/{face['id']}") == face
    for kind in ("photo", "normalized"):
        picture = client.session.get(face[kind], timeout=TIMEOUT)
        assert picture.ok, picture.text
    assert client.session.get(face["photo"], timeout=TIMEOUT).content == body

    image = client.call("GET", f"/images/{face['photo_hash']}")
    assert (image["state"], image["names"], len(image["faces"])) == ("done", ["p.png"], 2)
    queued = client.call("POST", "/scan/image/bob.png", 202, data=photo_of(("bob", 0.2)))
    _wait_done(client, queued["hash"])
    assert client.call("GET", f"/match/{face['photo_hash']}") == ["bob.png"]
    listed = client.call("GET", "/faces")["results"]
    assert [(each["meta"], each["photo_hash"]) for each in listed] == [
        ("", queued["hash"]),
        ("Bob", face["photo_hash"]),
    ]

    client.call("DELETE", f"/images/{face['photo_hash']}")
    client.call("GET", f"/face/id/{face['id']}", 404)
    assert len(client.call("GET", "/faces")["results"]) == 1


def _wait_done(client: Client, image: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while client.call("GET", f"/images/{image}")["state"] != "done":
        assert time.monotonic() < deadline


def test_all_faces_one_photo_and_boxes(client: Client) -> None:
    body = photo_of(("ann", 0), ("bob", 0))
    both = client.call("POST", "/face", json={"photo": as_base64(body), "mf_selector": "all", "meta": "both"})[
        "results"
    ]
    assert [face["meta"] for face in both] == ["both", "both"]
    other = photo_of(("ann", 0), ("bob", 0))
    for box in ([[10, 10, 60, 60]], [{"x1": 12.5, "y1": 11, "x2": 61, "y2": 58}], [10, 10, 60, 60]):
        found = client.call("POST", "/face", json={"photo": as_base64(other), "bbox": box})["results"]
        assert [face["x1"] for face in found] == [10]
    # The box of the second face of the same photo, which nobody meant before.
    found = client.call("POST", "/face/", data={"photo": as_base64(other), "bbox": "[[110, 10, 165, 65]]"})["results"]
    assert [face["x1"] for face in found] == [110]
    assert len(client.call("GET", "/faces")["results"]) == 4
    where_none_is = {"photo": as_base64(photo_of()), "bbox": [[5, 5, 80, 80]]}
    assert client.call("POST", "/face", json=where_none_is)["results"][0]["x2"] == 80


def test_the_same_photo_again_is_the_same_face(client: Client) -> None:
    client.call("POST", "/galleries/g1", 201)
    body = photo_of(("ann", 0))
    first = client.post_face(body, meta="Ann")[0]
    again = client.post_face(body, galleries="g1")[0]
    assert (again["id"], again["meta"], again["galleries"]) == (first["id"], "Ann", ["default", "g1"])
    assert client.post_face(body, meta="Anna")[0]["meta"] == "Anna"
    assert len(client.call("GET", "/faces")["results"]) == 1


def test_ids_as_strings_and_numbers(client: Client) -> None:
    faces = [client.post_face(photo_of((str(n), 0)))[0] for n in range(3)]
    for value in (faces[1]["id"], str(faces[1]["id"])):
        page = client.call("GET", "/faces", json={"max_id": value})["results"]
        assert [face["id"] for face in page] == [faces[0]["id"]]
        found = client.call("POST", "/identify", json={"face_id": value})["results"]
        assert next(iter(found.values()))[0]["face"]["id"] == faces[1]["id"]


def test_put_and_delete_a_face(client: Client) -> None:
    for name in ("g1", "g2"):
        client.call("POST", f"/galleries/{name}", 201)
    body = photo_of(("ann", 0))
    face = client.post_face(body, meta="Ann")[0]
    path = f"/face/id/{face['id']}"
    assert client.call("PUT", path, json={"meta": "Änn 😀", "galleries": {"add": ["g1"]}})["meta"] == "Änn 😀"
    assert client.call("PUT", path, data={"galleries": '{"set": ["g2"]}'})["galleries"] == ["default", "g2"]
    assert client.call("PUT", path + "/", params={"galleries": '{"del": ["g2"]}'})["galleries"] == ["default"]
    client.call("PUT", path, 400, json={"galleries": {"add": ["nowhere"]}})
    client.call("PUT", path, 400, json={"galleries": {"add": [], "del": []}})
    client.call("PUT", path, 400, json={"person_id": 5})
    client.call("DELETE", path, 204)
    client.call("DELETE", path, 404)
    client.call("GET", path, 404)
    # The last face of a posted photo takes the photo with it.
    client.call("GET", f"/images/{face['photo_hash']}", 404)
    assert client.post_face(body)[0]["id"] > face["id"]


def test_metas(client: Client) -> None:
    client.call("POST", "/galleries/g1", 201)
    for number, (meta, gallery) in enumerate((("Bob B", "g1"), ("Bob B", ""), ("a/b", "g1"), ("x", ""))):
        client.post_face(photo_of((str(number), 0)), meta=meta, galleries=gallery)
    assert len(client.call("GET", f"/face/meta/{quote('Bob B')}")["results"]) == 2
    assert len(client.call("GET", "/face/meta/Bob%20B/")["results"]) == 2
    assert client.call("GET", "/face/meta/bob%20b")["results"] == []
    assert len(client.call("GET", "/face/gallery/g1/meta/Bob%20B")["results"]) == 1
    assert len(client.call("GET", "/faces/gallery/g1/meta/a/b")["results"]) == 1
    counts = {each["meta"]: each["count"] for each in client.call("GET", "/meta")["results"]}
    assert counts == {"Bob B": 2, "a/b": 1, "x": 1}
    first = client.call("GET", "/meta/gallery/g1?limit=1")
    assert [each["meta"] for each in first["results"]] == ["Bob B"]
    assert [each["meta"] for each in client.call("GET", first["next_page"])["results"]] == ["a/b"]
    client.call("DELETE", "/face/meta/Bob%20B", 204)
    assert len(client.call("GET", "/faces")["results"]) == 2


def test_pages_of_a_meta_that_a_path_has_to_quote(client: Client) -> None:
    meta = "a b?c&d/e#f%41é"
    posted = [client.post_face(photo_of((str(number), 0)), meta=meta)[0]["id"] for number in range(3)]
    newest = client.call("GET", f"/face/meta/{quote(meta, safe='')}?limit=2")
    oldest = client.call("GET", newest["next_page"])
    assert [face["id"] for page in (newest, oldest) for face in page["results"]] == posted[::-1]
    assert newest["next_page"].isascii()
    assert client.call("GET", oldest["prev_page"]) == newest
    assert client.call("GET", client.call("GET", "/faces?limit=2&more=?")["next_page"])["results"] == oldest["results"]


def test_galleries(client: Client) -> None:
    assert client.call("GET", "/galleries")["results"] == ["default"]
    assert client.call("POST", "/galleries/one", 201) == {"name": "one"}
    client.call("POST", "/galleries/", 201, json={"name": "two"})
    assert client.call("POST", "/galleries/one", 409)["code"] == "CONFLICT"
    assert client.call("POST", "/galleries/default", 409)["code"] == "CONFLICT"
    for bad in ("a" * 49, "a.b", "%C3%A4"):
        assert client.call("POST", f"/galleries/{bad}", 400)["code"] == "BAD_PARAM"
    face = client.post_face(photo_of(("ann", 0)), galleries='["one", "two"]')[0]
    assert face["galleries"] == ["default", "one", "two"]
    assert len(client.call("GET", "/faces/gallery/one")["results"]) == 1
    client.call("DELETE", "/galleries/one", 204)
    client.call("DELETE", "/galleries/one", 404)
    client.call("DELETE", "/galleries/default", 409)
    client.call("GET", "/faces/gallery/one", 404)
    assert client.call("GET", "/galleries")["results"] == ["default", "two"]
    assert client.call("GET", f"/face/id/{face['id']}")["galleries"] == ["default", "two"]


def test_identify(client: Client) -> None:
    client.call("POST", "/galleries/g1", 201)
    near = client.post_face(photo_of(("ann", 0.2)), meta="near", galleries="g1")[0]
    nearer = client.post_face(photo_of(("ann", 0.1)), meta="nearer")[0]
    client.post_face(photo_of(("zoe", 0), ("ann", 0)))  # ann is the bigger one, zoe a bystander
    probe = {"photo": as_base64(photo_of(("ann", 0)))}

    answer = client.session.post(f"{client.url}/v1/identify", json=probe | {"n": 5}, timeout=TIMEOUT)
    assert answer.headers["X-Live-Servers"] == "1/1"
    document = answer.json()
    assert (document["live_servers"], document["total_servers"]) == (1, 1)
    assert list(document["results"]) == ["[10, 10, 60, 60]"]
    row = document["results"]["[10, 10, 60, 60]"]
    assert [each["confidence"] for each in row] == pytest.approx([1, confidence(0.1), confidence(0.2)], abs=1e-6)
    assert [each["face"]["id"] for each in row][1:] == [nearer["id"], near["id"]]
    assert len(next(iter(client.call("POST", "/identify", json=probe)["results"].values()))) == 1
    scoped = client.call("POST", "/faces/gallery/g1/identify", json=probe | {"n": 9, "strict": True})["results"]
    assert [each["face"]["id"] for each in next(iter(scoped.values()))] == [near["id"]]
    stranger = {"photo": as_base64(photo_of(("nobody", 0), ("zoe", 0))), "mf_selector": "all", "threshold": "low"}
    results = client.call("POST", "/identify/", json=stranger)["results"]
    assert results == {"[10, 10, 60, 60]": [], "[110, 10, 165, 65]": []}
    everything = client.call("POST", "/v0/identify", json=stranger | {"threshold": "none", "n": 10})["results"]
    assert [len(row) for row in everything.values()] == [3, 3]
    boxed = stranger | {"x1": 10, "y1": 10, "x2": 60, "y2": 60}
    assert list(client.call("POST", "/identify", json=boxed)["results"]) == ["[10, 10, 60, 60]"]


def test_whoever_is_no_trusted_proxy_does_not_say_how_addresses_begin(client: Client) -> None:
    client.session.headers["X-Forwarded-Proto"] = "https"
    assert client.post_face(showing("ann"))[0]["photo"].startswith(f"{client.url}/")


def test_no_answer_holds_the_host_that_a_request_names(client: Client) -> None:
    client.session.headers.update({"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    face = client.post_face(showing("ann"), meta="ann")[0]
    client.post_face(showing("bob"), meta="bob")
    assert face["photo"] == f"{client.url}/v1/face/id/{face['id']}/photo"
    probe = {"face_id": face["id"]}
    for method, path, more in (
        ("GET", f"/face/id/{face['id']}", {}),
        ("GET", "/faces?limit=1", {}),
        ("GET", "/meta?limit=1", {}),
        ("POST", "/history/search", {"json": {"limit": 1}}),
        ("POST", "/identify", {"json": probe}),
        ("GET", "/docs", {}),
        ("GET", "/openapi.json", {}),
    ):
        answer = client.session.request(method, f"{client.url}/v1{path}", timeout=TIMEOUT, **more)
        assert answer.status_code == 200, path
        assert "evil.example" not in answer.text + str(answer.headers), path


def test_a_known_photo_without_faces_is_looked_at_anew_once_it_is_erased(client: Client) -> None:
    body = showing()
    image = client.call("POST", "/scan/image/nobody.png", 202, data=body)["hash"]
    client.wait_until(lambda: client.call("GET", f"/images/{image}")["state"] == "done")

    refused = client.call("POST", "/face", 400, files={"photo": ("ann.png", body)})

    assert refused["code"] == "NO_FACES"
    assert "this photo is known" in refused["reason"]
    assert "erase the image" in refused["reason"]
    client.call("DELETE", f"/images/{image}")
    refused = client.call("POST", "/face", 400, files={"photo": ("nobody.png", body)})
    assert refused["reason"] == "no face was found in the photo"


def test_what_is_given_several_times_counts_as_a_list_or_is_refused(client: Client) -> None:
    for name in ("one", "two"):
        client.call("POST", f"/galleries/{name}", 201)
    photo = {"photo": as_base64(showing("ann"))}
    files = {"photo": ("p.png", showing("bob"))}
    for sent in (
        {"params": {"galleries": ["one", "two"]}, "json": photo},
        {"data": photo | {"galleries": ["one", "two"]}},
        {"data": {"galleries": ["one", "two"]}, "files": files},
    ):
        assert client.call("POST", "/face", **sent)["results"][0]["galleries"] == ["default", "one", "two"]
    assert len(client.call("GET", "/faces/gallery/two")["results"]) == 2
    for name in ("meta", "bbox", "mf_selector", "timestamp"):
        for sent in ({"data": photo | {name: ["1", "2"]}}, {"data": {name: ["1", "2"]}, "files": files}):
            assert client.call("POST", "/face", 400, **sent)["param"] == name
    two = [("photo", ("a.png", showing("ann"))), ("photo", ("b.png", showing("bob")))]
    assert client.call("POST", "/face", 400, files=two)["param"] == "photo"
    assert client.call("GET", "/faces?limit=1&limit=2", 400)["param"] == "limit"


def test_cameras(client: Client) -> None:
    made = client.call("POST", "/camera", 201, json={"meta": "door", "detector": "d1", "rot": [1, 2, 3, 4], "url": "u"})
    assert (made["meta"], made["enabled"], made["rot"], made["roi"]) == ("door", True, [1, 2, 3, 4], None)
    path = f"/camera/{made['id']}"
    assert client.call("GET", path) == made
    other = client.call("POST", "/camera", 201, data={"enabled": "false", "roi": "[5, 6, 7, 8]"})
    assert (other["enabled"], other["roi"]) == (False, [5, 6, 7, 8])
    assert client.call("GET", "/camera") == [made, other]
    assert client.call("GET", "/camera?detector=d1") == [made]
    assert client.call("PUT", path, json={"meta": "gate", "rot": []}) == made | {"meta": "gate", "rot": None}
    face = client.post_face(
        showing("ann"), cam_id=made["id"], detectorParams='{"score": 1.5}', timestamp="2020-01-02T03:04:05"
    )
    assert (face[0]["cam_id"], face[0]["timestamp"]) == (made["id"], "2020-01-02T03:04:05.000000")
    assert face[0]["detectorParams"] == {"score": 1.5}
    client.call("DELETE", path, 204)
    for method in ("GET", "PUT", "DELETE"):
        client.call(method, path, 404)
    client.call("POST", "/camera", 400, json={"rot": [1, 2]})


def test_persons_are_empty_unless_switched_on(client: Client) -> None:
    assert "person_id" not in client.post_face(showing("ann"))[0]
    assert client.call("GET", "/persons") == {"results": []}
    client.call("GET", "/person/id/1", 404)
    client.call("GET", "/person/history/id/1", 404)
    assert client.call("POST", "/history/search", json={}) == {"results": []}


def test_docs_need_no_token(stack: Stack) -> None:
    for path in (
        "/v1/docs",
        "/v0/docs/",
        "/v1/docs/v1",
        "/v0/docs/v0",
        "/v1/docs/v1/overview.html",
        "/v1/openapi.json",
    ):
        assert requests.get(stack.url + path, timeout=TIMEOUT).status_code == 200, path


# ---------------------------------------------------------------- errors


def test_errors_of_parameters(client: Client) -> None:
    photo = as_base64(photo_of(("ann", 0), ("bob", 0)))
    for method, path, body, param in (
        ("POST", "/detect", {}, "photo"),
        ("POST", "/detect", {"photo": "no base64!"}, "photo"),
        ("POST", "/detect", {"photo": 5}, "photo"),
        ("POST", "/detect", {"photo": photo, "age": "maybe"}, "age"),
        ("POST", "/face", {"photo": photo, "mf_selector": "best"}, "mf_selector"),
        ("POST", "/face", {"photo": photo, "galleries": ["nowhere"]}, "galleries"),
        ("POST", "/face", {"photo": photo, "galleries": {"a": 1}}, "galleries"),
        ("POST", "/face", {"photo": photo, "cam_id": "none"}, "cam_id"),
        ("POST", "/face", {"photo": photo, "bbox": "{"}, "bbox"),
        ("POST", "/face", {"photo": photo, "bbox": [[1, 2, 3]]}, "bbox"),
        ("POST", "/face", {"photo": photo, "bbox": [[5, 5, 1, 1]]}, "bbox"),
        ("POST", "/face", {"photo": photo, "timestamp": "yesterday"}, "timestamp"),
        ("POST", "/face", {"photo": photo, "timestamp": "9999-12-31T23:59:59-01:00"}, "timestamp"),
        ("POST", "/face", {"photo": photo, "timestamp": "9999-12-31T23:59:59.999999"}, "timestamp"),
        ("POST", "/face", {"photo": photo, "timestamp": "0001-01-01T00:00:00+01:00"}, "timestamp"),
        ("POST", "/face", {"photo": photo, "detectorParams": {"score": "x"}}, "detectorParams"),
        ("POST", "/identify", {"photo": photo, "threshold": 1.5}, "threshold"),
        ("POST", "/identify", {"photo": photo, "threshold": "high"}, "threshold"),
        ("POST", "/identify", {"photo": photo, "threshold": 10**400}, "threshold"),
        ("POST", "/identify", {"photo": photo, "n": 0}, "n"),
        ("POST", "/identify", {"photo": photo, "n": "two"}, "n"),
        ("GET", "/faces", {"max_id": "x"}, "max_id"),
        ("GET", "/faces", {"meta": 5, "min_id": "y"}, "min_id"),
        ("GET", "/faces", {"limit": 100000}, "limit"),
        ("GET", "/face/id/abc", {}, "id"),
        ("POST", "/history/search", {"start": "x"}, "start"),
    ):
        answer = client.call(method, path, 400, json=body)
        assert (answer["code"], answer["param"]) == ("BAD_PARAM", param), (path, body, answer)
        assert answer["reason"]


def test_a_number_beyond_all_numbers_is_never_stored(client: Client) -> None:
    photo, score = as_base64(photo_of(("ann", 0))), '{"score": 1e400}'
    answer = client.call("POST", "/face", 400, data=f'{{"photo": "{photo}", "detectorParams": {score}}}')
    assert answer["code"] == "MALFORMED_JSON"
    answer = client.call("POST", "/face", 400, json={"photo": photo, "detectorParams": score})
    assert (answer["code"], answer["param"]) == ("BAD_PARAM", "detectorParams")
    assert client.call("GET", "/faces")["results"] == []


def test_a_box_beside_the_photo_is_a_wrong_parameter(client: Client) -> None:
    photo, beside = as_base64(photo_of(("ann", 0))), [[5000, 5000, 5060, 5060]]
    for path, body, param in (
        ("/face", {"photo": photo, "bbox": beside}, "bbox"),
        ("/identify", {"photo": photo, "bbox": beside}, "bbox"),
        ("/verify", {"photo1": photo, "photo2": photo, "bbox2": beside}, "bbox2"),
    ):
        answer = client.call("POST", path, 400, json=body)
        assert (answer["code"], answer["param"]) == ("BAD_PARAM", param), (path, answer)
        assert answer["reason"] == "no face can be there: the box lies outside the picture of 640 x 480 pixels"


def test_errors_of_photos_and_bodies(client: Client) -> None:
    for path, name in itertools.product(("/detect", "/face"), ("gender", "age", "emotions")):
        answer = client.call("POST", path, 400, json={"photo": "x", name: True})
        assert (answer["code"], answer["param"]) == ("NO_ANALYSER", name)
    two, none = as_base64(photo_of(("ann", 0), ("bob", 0))), as_base64(photo_of())
    answer = client.call("POST", "/face", 400, json={"photo": two, "mf_selector": "reject"})
    assert (answer["code"], answer["reason"]) == ("TOO_MANY_FACES", "Too many faces: 2")
    assert answer["faces"][0] == {"x1": 10, "y1": 10, "x2": 60, "y2": 60}
    for path in ("/face", "/identify"):
        assert client.call("POST", path, 400, json={"photo": none})["code"] == "NO_FACES"
    assert client.call("GET", "/images")["results"] == []
    assert client.call("POST", "/detect", 400, data=b"{", headers={"Content-Type": "application/json"})["code"] == (
        "MALFORMED_JSON"
    )
    assert client.call("POST", "/detect", 415, json={"photo": as_base64(b"text")})["code"] == "UNSUPPORTED_IMAGE"
    assert client.call("POST", "/face", 422, files={"photo": drawing(b"BROKEN")})["code"] == "UNREADABLE_IMAGE"
    assert client.call("POST", "/detect", 403, json={"photo": "http://127.0.0.1:1/"})["code"] == "FORBIDDEN_URL"
    assert client.call("POST", "/detect", 502, json={"photo": "http://127.0.0.2:1/"})["code"] == "FETCH_FAILED"
    assert client.call("GET", "/nothing", 404)["code"] == "NOT_FOUND"
    assert client.call("PATCH", "/face", 405)["code"] == "METHOD_NOT_ALLOWED"


def test_errors_of_tokens(stack: Stack) -> None:
    for headers in ({}, {"Authorization": "Token wrong"}, {"Authorization": "Basic x"}):
        answer = requests.get(f"{stack.url}/v1/faces", headers=headers, timeout=TIMEOUT)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_FAILED")


def test_owners_never_meet(client_of: Callable[[], Client]) -> None:
    one, two = client_of(), client_of()
    body = photo_of(("ann", 0))
    faces = {}
    for client in (one, two):
        client.call("POST", "/galleries/staff", 201)
        camera = client.call("POST", "/camera", 201, json={})["id"]
        faces[client.owner] = client.post_face(body, meta="Ann", galleries="staff", cam_id=camera)[0]
    for client, other in ((one, two), (two, one)):
        mine, theirs = faces[client.owner], faces[other.owner]
        client.call("GET", f"/face/id/{theirs['id']}", 404)
        client.call("DELETE", f"/face/id/{theirs['id']}", 404)
        client.call("GET", f"/camera/{theirs['cam_id']}", 404)
        found = client.call("POST", "/identify", json={"photo": as_base64(body), "n": 9, "threshold": "none"})[
            "results"
        ]
        assert [each["face"]["id"] for row in found.values() for each in row] == [mine["id"]]
        for path in ("/faces", "/faces/gallery/staff", "/face/meta/Ann"):
            assert [face["id"] for face in client.call("GET", path)["results"]] == [mine["id"]]
    one.call("DELETE", "/galleries/staff", 204)
    assert len(two.call("GET", "/faces/gallery/staff")["results"]) == 1


def test_an_error_names_the_culprit(client: Client) -> None:
    files = {"photo1": ("a.png", showing("ann")), "photo2": ("b.png", drawing(b'FACES:{"faces": []}'))}
    refused = client.call("POST", "/verify", 400, files=files)
    assert refused == {"code": "NO_FACES", "reason": "photo2: no face was found in the photo"}
    wrong = {"photo": "x", "bbox": [{"x1": 1, "y1": 2}]}
    refused = client.call("POST", "/identify", 400, json=wrong)
    assert (refused["param"], refused["value"]) == ("bbox", '[{"x1": 1, "y1": 2}]')
