"""Pictures at the front door: the right type, nothing that runs, nobody else's."""

from __future__ import annotations

from uuid import uuid4
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from facerec.adapters.imagestore import open_image_store
from facerec.errors import ImageStoreUnavailable, StoreUnavailable
from facerec.ports import DeadLetter, Place
from tests.front import DOCUMENT, HASH, OTHER_TOKEN, TOKEN, Front, picture
from tests.services_client import ServicesClient

PLACE = Place("default", HASH, 1)
JPEG = picture(40, 30)
PICTURES = {"original": JPEG, "preview.jpg": b"preview", "small.jpg": b"small", "face-0.jpg": b"face"}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def keeping() -> Front:
    front = Front(images=open_image_store(f"memory://{uuid4().hex}"))
    front.images.put(PLACE, PICTURES)
    return front


@pytest.fixture
def client(keeping: Front) -> FlaskClient:
    return ServicesClient(keeping.services)


@pytest.mark.parametrize(
    ("path", "kind", "content"),
    [
        (f"/images/{HASH}/original", "image/jpeg", JPEG),
        (f"/images/{HASH}/preview", "image/jpeg", b"preview"),
        (f"/images/{HASH}/small", "image/jpeg", b"small"),
        ("/faces/4096/thumbnail", "image/jpeg", b"face"),
    ],
)
def test_pictures_are_sent_to_be_looked_at_only(client: FlaskClient, path: str, kind: str, content: bytes) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.content_type, answer.data) == (200, kind, content)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers.getlist("Content-Security-Policy")
    assert len(policy) == 1
    assert "sandbox" in policy[0]
    assert "default-src 'none'" in policy[0]
    assert answer.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("kind", "media", "ending"),
    [
        ("PNG", "image/png", "png"),
        ("GIF", "image/gif", "gif"),
        ("WEBP", "image/webp", "webp"),
        ("TIFF", "image/tiff", "tif"),
        ("BMP", "image/bmp", "bmp"),
    ],
)
def test_the_type_is_what_the_bytes_are(
    keeping: Front, client: FlaskClient, kind: str, media: str, ending: str
) -> None:
    keeping.images.put(PLACE, {"original": picture(kind=kind)})

    answer = client.get(f"/images/{HASH}/original")

    assert answer.content_type == media
    assert answer.headers["Content-Disposition"] == f'inline; filename="{HASH[:16]}.{ending}"'


def test_an_unchanged_picture_is_not_sent_again(client: FlaskClient) -> None:
    tag = client.get(f"/images/{HASH}/small").headers["ETag"]

    again = client.get(f"/images/{HASH}/small", headers={"If-None-Match": tag})

    assert (again.status_code, again.data) == (304, b"")


def test_an_erased_picture_is_gone_even_for_who_has_it(client: FlaskClient) -> None:
    tag = client.get(f"/images/{HASH}/small").headers["ETag"]
    client.delete(f"/images/{HASH}")

    assert client.get(f"/images/{HASH}/small", headers={"If-None-Match": tag}).status_code == 404


def test_the_overlay_frames_every_face(keeping: Front, client: FlaskClient) -> None:
    keeping.admissions.documents["default", HASH] = DOCUMENT | {"names": ["<script>alert(1)</script> & Co"]}

    answer = client.get(f"/images/{HASH}/overlay")
    drawing = ElementTree.fromstring(answer.data)

    assert answer.content_type.startswith("image/svg+xml")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert drawing.get("viewBox") == "0 0 10 20"
    assert drawing.findtext(f"{SVG}title") == "<script>alert(1)</script> & Co"
    frame = drawing.find(f"{SVG}g/{SVG}rect")
    assert frame is not None
    assert [frame.get(name) for name in ("x", "y", "width", "height")] == ["0", "1", "2", "2"]
    assert {element.tag.removeprefix(SVG) for element in drawing.iter()} == {"svg", "title", "image", "g", "rect"}


def test_a_name_with_what_xml_has_not_leaves_the_overlay_whole(keeping: Front, client: FlaskClient) -> None:
    keeping.admissions.documents["default", HASH] = DOCUMENT | {"names": ["a\ufffe\uffff.jpg"]}

    drawing = ElementTree.fromstring(client.get(f"/images/{HASH}/overlay").data)

    assert drawing.findtext(f"{SVG}title") == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}.jpg"


def test_what_a_browser_keeps_is_sent_again_when_it_has_changed(keeping: Front, client: FlaskClient) -> None:
    overlay, thumbnail = f"/images/{HASH}/overlay", "/faces/4096/thumbnail"
    kept = {path: {"If-None-Match": client.get(path).headers["ETag"]} for path in (overlay, thumbnail)}
    assert [client.get(path, headers=headers).status_code for path, headers in kept.items()] == [304, 304]

    keeping.admissions.documents["default", HASH] = DOCUMENT | {"faces": []}
    keeping.images.put(PLACE, {"face-0.jpg": b"another"})

    assert [client.get(path, headers=headers).status_code for path, headers in kept.items()] == [200, 200]


@pytest.mark.parametrize(
    "path",
    [
        f"/images/{'0' * 64}/original",
        f"/images/{'0' * 64}/overlay",
        "/faces/4097/thumbnail",
        "/faces/8192/thumbnail",
        "/faces/0/thumbnail",
    ],
)
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert (client.get(path).status_code, client.get(path).get_json()["code"]) == (404, "NOT_FOUND")


def test_without_a_store_there_are_no_pictures() -> None:
    client = ServicesClient(Front().services)

    for path in (f"/images/{HASH}/original", f"/images/{HASH}/overlay", "/faces/4096/thumbnail"):
        assert client.get(path).status_code == 404
    assert client.get(f"/images/{HASH}").get_json()["faces"][0]["thumbnail"] is None


def test_documents_tell_where_faces_can_be_seen(client: FlaskClient) -> None:
    assert client.get(f"/images/{HASH}").get_json()["faces"][0]["thumbnail"] == "/faces/4096/thumbnail"


@pytest.mark.parametrize("face", ["x", "-1", "1.5", "٣", "9" * 20])
def test_a_face_id_is_a_number(client: FlaskClient, face: str) -> None:
    assert client.get(f"/faces/{face}/thumbnail").status_code == 400


def test_another_owner_sees_nothing() -> None:
    front = Front(with_tokens=True, images=open_image_store(f"memory://{uuid4().hex}"))
    front.images.put(PLACE, PICTURES)
    client = ServicesClient(front.services)
    paths = [f"/images/{HASH}/original", f"/images/{HASH}/overlay", "/faces/4096/thumbnail"]

    for path in paths:
        assert client.get(path, headers={"x-api-key": TOKEN}).status_code == 200
        assert client.get(path, headers={"x-api-key": OTHER_TOKEN}).status_code == 404
        assert client.get(path).status_code == 401


def test_a_store_that_is_away_is_said(keeping: Front, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ImageStoreUnavailable("the image store: away")

    monkeypatch.setattr(keeping.images, "get", away)
    assert client.get(f"/images/{HASH}/small").status_code == 503


def test_the_receipt_tells_of_the_pictures(keeping: Front, client: FlaskClient) -> None:
    receipt = client.delete(f"/images/{HASH}").get_json()

    assert receipt["pictures"] == {"store": "memory", "removed": len(PICTURES), "pending": None}
    assert receipt["dead_letters"] == 0
    assert keeping.errands.settled == [Place("default", HASH, 9)]
    assert keeping.images.get(PLACE, "original") is None


def test_pictures_that_cannot_be_removed_now_stay_on_the_list(
    keeping: Front, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> int:
        raise ImageStoreUnavailable("the image store: away")

    monkeypatch.setattr(keeping.images, "erase", away)
    receipt = client.delete(f"/images/{HASH}").get_json()

    assert receipt["pictures"] == {"store": "memory", "removed": None, "pending": "the image store: away"}
    assert keeping.errands.settled == []


def test_a_failed_image_takes_its_dead_letter_along(keeping: Front, client: FlaskClient) -> None:
    keeping.admissions.documents["default", HASH] = DOCUMENT | {"state": "failed"}
    others = [
        DeadLetter(HASH, "other", "a.jpg", 1, "CHILD_DIED", "", 3, 0.0, 10),
        DeadLetter("cd" * 32, "default", "b.jpg", 2, "CHILD_DIED", "", 3, 0.0, 10),
    ]
    keeping.letters.letters = [DeadLetter(HASH, "default", "a.jpg", 1, "CHILD_DIED", "", 3, 0.0, 10), *others]

    assert client.delete(f"/images/{HASH}").get_json()["dead_letters"] == 1
    assert keeping.letters.letters == others


def test_nothing_is_erased_when_the_letters_cannot_be_reached(keeping: Front, client: FlaskClient) -> None:
    keeping.admissions.documents["default", HASH] = DOCUMENT | {"state": "failed"}
    keeping.letters.letters = [DeadLetter(HASH, "default", "a.jpg", 1, "CHILD_DIED", "", 3, 0.0, 10)]
    keeping.letters.failures["drop"] = StoreUnavailable("away")

    assert client.delete(f"/images/{HASH}").status_code == 503
    assert ("default", HASH) in keeping.admissions.documents
