"""Asking: match, one image, pages of images, erasing."""

from __future__ import annotations

from flask.testing import FlaskClient

from rest import models
from tests.front import DOCUMENT, HASH, SUMMARY, Front


def test_match_gives_names(client: FlaskClient) -> None:
    assert client.get(f"/match/{HASH}").get_json() == ["b.jpg"]


def test_match_of_an_unknown_image_is_empty(client: FlaskClient) -> None:
    answer = client.get(f"/match/{'0' * 64}")

    assert answer.status_code == 200
    assert answer.get_json() == []


def test_a_page_of_a_match_leads_to_the_next(client: FlaskClient, front: Front) -> None:
    front.admissions.documents["default", HASH] = DOCUMENT | {"matches": [{"names": ["ü b", "a&1", "c"]}]}
    path, names = f"/match/{HASH}?limit=2", []
    while path:
        answer = client.get(path)
        names.append(answer.get_json())
        path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")

    assert names == [["a&1", "c"], ["ü b"]]
    assert client.get(f"/match/{HASH}?cursor=a").get_json()["param"] == "cursor"
    assert client.get(f"/match/{HASH}?limit=0").get_json()["param"] == "limit"


def test_an_image_is_asked_for_more_of_its_matches(client: FlaskClient, front: Front) -> None:
    client.get(f"/images/{HASH}")
    client.get(f"/images/{HASH}?limit=3&cursor=0.5:1")

    assert front.admissions.pages == [(1000, ""), (3, "0.5:1")]


def test_an_image_has_the_documented_form(client: FlaskClient) -> None:
    document = client.get(f"/images/{HASH}").get_json()

    models.Image.model_validate(document, strict=True)
    assert document == DOCUMENT | {"faces": [DOCUMENT["faces"][0] | {"thumbnail": None}]}


def test_a_page_of_images(client: FlaskClient, front: Front) -> None:
    answer = client.get("/images").get_json()

    models.Images.model_validate(answer, strict=True)
    assert answer == {"results": [SUMMARY], "next_page": None}
    assert front.admissions.asked == [("default", None, None, 50, "")]


def test_the_next_page_asks_for_the_same(client: FlaskClient, front: Front) -> None:
    front.admissions.next_cursor = "7/ü"

    path = client.get("/images?state=done&name=a%20b%26&limit=2").get_json()["next_page"]
    front.admissions.next_cursor = ""
    last = client.get(path).get_json()

    assert front.admissions.asked == [("default", "done", "a b&", 2, ""), ("default", "done", "a b&", 2, "7/ü")]
    assert last["next_page"] is None


def test_an_erased_image_is_gone(client: FlaskClient) -> None:
    assert client.delete(f"/images/{HASH}").get_json()["hash"] == HASH
    assert client.get(f"/images/{HASH}").status_code == 404
