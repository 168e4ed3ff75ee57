"""Pictures that would cost much: each way in looks at the header alone, and answers from it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pillow_heif
import pytest
from flask.testing import FlaskClient
from PIL import ImageFile
from werkzeug.test import TestResponse

from facerec.adapters.imagestore import open_image_store
from facerec.config import RestSettings, Secret, Settings
from facerec.jobs import Reply
from facerec.ports import Place
from tests.front import API_KEY, DOCUMENT, HASH, Front
from tests.services_client import ServicesClient
from tests.unit.engine.hostile import exif_of, hostile, png
from tests.unit.engine.scenes import every_format, saved, scene

HOSTILE, SOUND = hostile(400_000), every_format()
URL = "https://example.org/picture"
KEY = {"x-api-key": API_KEY}
FACE = b'{"left": 1, "top": 1, "right": 9, "bottom": 9}'
LARGE = png(side=200)
"""More pixels than `/detect` takes here, and fewer than others do."""
TURNED = saved(scene().resize((200, 100)), "PNG", exif=exif_of(6))


@pytest.fixture(autouse=True)
def _nothing_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("a decoder is asked")

    monkeypatch.setattr(ImageFile.ImageFile, "__init__", refuse)
    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)
    monkeypatch.setattr(pillow_heif.HeifFile, "__init__", refuse)


@pytest.fixture
def front() -> Front:
    rest = RestSettings(max_upload_bytes=15 << 20, maximum_area=10_000, api_key=Secret(API_KEY))
    settings = Settings(rest=rest, max_pixels=1_000_000)
    return Front(settings=settings, images=open_image_store(f"memory://{uuid4().hex}"))


@pytest.fixture
def client(front: Front) -> FlaskClient:
    return ServicesClient(front.services)


def through(way: str, image: bytes, front: Front, client: FlaskClient) -> TestResponse:
    """The answer to the picture that comes in this way."""
    if way == "scan/image":
        return client.post("/scan/image/x.png", data=image)
    if way == "scan/url":
        front.fetcher.pages[URL] = image
        return client.post("/scan/url", json={"url": URL})
    face = part('name="face"', FACE) if way == "compute" else b""
    body = face + part('name="file"; filename="x.png"', image) + b"--limit--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=limit"} | ({} if way == "identify" else KEY)
    return client.post(f"/{way}", data=body, headers=headers)


def part(name: str, content: bytes) -> bytes:
    return f"--limit\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode() + content + b"\r\n"


WAYS = ("scan/image", "scan/url", "detect", "compute", "identify")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_from_its_header(way: str, name: str, front: Front, client: FlaskClient) -> None:
    answer = through(way, HOSTILE[name], front, client)

    expected = (422, 412 if way in ("detect", "compute") else 413)[name.startswith("BMP")]
    assert (answer.status_code, front.publisher.jobs, front.requester.requests) == (expected, [], [])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_one_is_passed_on(way: str, kind: str, front: Front, client: FlaskClient) -> None:
    if way == "identify":
        front.requester.answer = lambda _: Reply(True, {"width": 64, "height": 48, "model": 3, "faces": []})

    answer = through(way, SOUND[kind], front, client)

    assert answer.status_code == (202 if way.startswith("scan") else 200)
    assert len(front.publisher.jobs) + len(front.requester.requests) > 0


def test_the_area_is_looked_at_before_anything_else(front: Front, client: FlaskClient) -> None:
    assert [through("detect", image, front, client).status_code for image in (LARGE, TURNED)] == [412, 412]
    assert front.requester.requests == []


@pytest.mark.parametrize("image", [*HOSTILE.values(), *SOUND.values(), LARGE])
def test_an_original_is_sent_as_its_first_bytes_say(image: bytes, front: Front, client: FlaskClient) -> None:
    """Whatever it was accepted by, an earlier release as well."""
    front.images.put(Place("default", HASH, 1), {"original": image})
    front.admissions.documents["default", HASH] = DOCUMENT

    answer = client.get(f"/images/{HASH}/original")

    assert (answer.status_code, answer.data) == (200, image)
    assert answer.content_type.startswith("image/")
