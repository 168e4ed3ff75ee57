"""POST /scan/image and /scan/url through HTTP, over fakes."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from facerec.errors import BrokerUnavailable, StoreUnavailable
from facerec.identity import image_hash
from tests.front import Front, picture
from tests.services_client import ServicesClient

IMAGE = picture()
HASH = image_hash(IMAGE)


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/x-www-form-urlencoded", "text/plain", ""])
def test_a_body_of_any_type_is_queued(client: FlaskClient, front: Front, content_type: str) -> None:
    answer = client.post("/scan/image/a.jpg", data=IMAGE, content_type=content_type)

    assert answer.status_code == 202
    assert answer.get_json() == {"hash": HASH}
    assert answer.headers["Location"] == f"/images/{HASH}"
    [job] = front.publisher.jobs
    assert (job.owner, job.hash, job.name, job.body, job.ticket) == ("default", HASH, "a.jpg", IMAGE, 1)
    assert front.admissions.told == [replace(job, body=b"")]


def test_a_multipart_file_is_queued(client: FlaskClient, front: Front) -> None:
    answer = client.post("/scan/image/a.jpg", data={"file": (io.BytesIO(IMAGE), "other.jpg")})

    assert answer.get_json() == {"hash": HASH}
    assert front.publisher.jobs[0].name == "a.jpg"


def test_of_two_files_in_a_form_none_is_overlooked(client: FlaskClient, front: Front) -> None:
    answer = client.post(
        "/scan/image/a.jpg", data={"file": [(io.BytesIO(IMAGE), "a.jpg"), (io.BytesIO(IMAGE), "b.jpg")]}
    )

    assert (answer.status_code, answer.get_json()["code"], answer.get_json()["param"]) == (400, "BAD_PARAM", "file")
    assert front.publisher.jobs == []


def test_a_large_file_is_no_matter_whole_or_as_a_part(front: Front) -> None:
    front.settings = replace(front.settings, rest=replace(front.settings.rest, max_upload_bytes=500_000))
    client = ServicesClient(front.services)
    image = picture() + b"\r\n--a line, nearly a boundary" * 10_000

    for data in (image, {"file": (io.BytesIO(image), "a")}):
        assert client.post("/scan/image/a", data=data).get_json() == {"hash": image_hash(image)}


def test_a_form_of_many_parts_is_refused(client: FlaskClient) -> None:
    data = {f"field{number}": "x" for number in range(20)}

    answer = client.post("/scan/image/a", data=data, content_type="multipart/form-data")

    assert (answer.status_code, answer.get_json()["code"]) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    "name",
    [
        "a b.jpg",
        "holiday/2024/a.jpg",
        "/absolute/a.jpg",
        "a//b.jpg",
        "ünï/😀.jpg",
        "https://example.org/a.jpg",
        "50%.jpg",
        "?#&=+.jpg",
        "e" * 1024,
    ],
)
def test_a_name_may_be_nearly_anything(client: FlaskClient, front: Front, name: str) -> None:
    answer = client.post(f"/scan/image/{quote(name, safe='')}", data=IMAGE)

    assert answer.status_code == 202
    assert front.publisher.jobs[0].name == name


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "%2E%2E/a.jpg",
        "a/..%2Fb.jpg",
        "a%00.jpg",
        "a%0A.jpg",
        "a.jpg%0A",
        "%0Aa.jpg",
        "a%1Fb.jpg",
        "x" * 5000,
        "a%E2%80%A8b",
    ],
)
def test_a_bad_name_is_named(client: FlaskClient, front: Front, path: str) -> None:
    answer = client.post(f"/scan/image/{path}", data=IMAGE)

    assert answer.status_code == 400
    assert answer.get_json()["code"] == "BAD_PARAM"
    assert answer.get_json()["param"] == "name"
    assert front.publisher.jobs == []


@pytest.mark.parametrize("name", ["\xff\xfe.jpg", "\xed\xa0\x80.jpg"])
def test_a_name_in_another_encoding_is_refused(client: FlaskClient, front: Front, name: str) -> None:
    path = {"PATH_INFO": f"/scan/image/{name}"}  # bytes as Latin-1, as WSGI has it

    answer = client.post("/scan/image/a", data=IMAGE, environ_overrides=path)

    assert (answer.status_code, answer.get_json()["param"]) == (400, "name")
    assert front.publisher.jobs == []


def test_an_image_that_is_done_gets_a_name_and_no_job(client: FlaskClient, front: Front) -> None:
    front.admissions.states["default", HASH] = "done"

    answer = client.post("/scan/image/again.jpg", data=IMAGE)

    assert answer.status_code == 202
    assert front.admissions.names == [("default", HASH, "again.jpg")]
    assert front.publisher.jobs == []


@pytest.mark.parametrize("state", ["queued", "processing", "failed"])
def test_an_image_that_is_not_done_gets_another_job(client: FlaskClient, front: Front, state: str) -> None:
    front.admissions.states["default", HASH] = state

    assert client.post("/scan/image/again.jpg", data=IMAGE).status_code == 202
    assert len(front.publisher.jobs) == 1


def test_a_job_that_leaves_no_trace_in_the_store_is_not_published(client: FlaskClient, front: Front) -> None:
    front.admissions.failures["queued"] = StoreUnavailable("Redis: away")

    answer = client.post("/scan/image/a.jpg", data=IMAGE)

    assert answer.status_code == 503
    assert front.publisher.jobs == []


def test_when_broker_and_store_both_fail_the_answer_is_still_that_of_the_broker(
    client: FlaskClient, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    front.publisher.failures["publish"] = BrokerUnavailable("RabbitMQ: away", retry_after=7)
    front.admissions.failures["withdraw"] = StoreUnavailable("Redis: away")

    answer = client.post("/scan/image/a.jpg", data=IMAGE)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert any(HASH in record.getMessage() for record in caplog.records if record.levelname == "WARNING")


@pytest.mark.parametrize("method", ["depth", "publish"])
def test_without_the_broker_there_is_no_promise(client: FlaskClient, front: Front, method: str) -> None:
    front.publisher.failures[method] = BrokerUnavailable("RabbitMQ: away", retry_after=7)

    answer = client.post("/scan/image/a.jpg", data=IMAGE)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "7"
    assert front.admissions.told == []


def test_a_bad_picture_is_refused_before_anything_is_asked(client: FlaskClient, front: Front) -> None:
    front.publisher.failures["depth"] = BrokerUnavailable("RabbitMQ: away")
    front.admissions.failures["admit"] = StoreUnavailable("Redis: away")

    assert client.post("/scan/image/a.jpg", data=b"text").status_code == 415


def test_a_full_queue_is_seen_before_the_store_is_asked(client: FlaskClient, front: Front) -> None:
    front.publisher.waiting = front.settings.rest.queue_limit

    answer = client.post("/scan/image/a.jpg", data=IMAGE)

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert front.admissions.names == []


URL = "https://example.org/a/../b.jpg?x=" + "1" * 1500


def test_a_url_is_fetched_and_queued(client: FlaskClient, front: Front) -> None:
    front.fetcher.pages[URL] = IMAGE

    answer = client.post("/scan/url", json={"url": URL})

    assert answer.status_code == 202
    assert answer.get_json() == {"hash": HASH}
    assert answer.headers["Location"] == f"/images/{HASH}"
    assert front.publisher.jobs[0].name == URL


def test_a_url_that_was_scanned_to_the_end_is_not_fetched_again(client: FlaskClient, front: Front) -> None:
    front.admissions.urls["default", URL] = HASH

    answer = client.post("/scan/url", json={"url": URL})

    assert answer.status_code == 202
    assert answer.get_json() == {"hash": HASH}
    assert front.fetcher.fetched == []
    assert front.publisher.jobs == []


def test_with_a_full_queue_no_url_is_fetched(client: FlaskClient, front: Front) -> None:
    front.publisher.waiting = front.settings.rest.queue_limit

    assert client.post("/scan/url", json={"url": URL}).status_code == 429
    assert front.fetcher.fetched == []


def test_what_a_url_gives_must_be_a_picture(client: FlaskClient, front: Front) -> None:
    front.fetcher.pages[URL] = b"<html>"

    assert client.post("/scan/url", json={"url": URL}).status_code == 415
    assert front.publisher.jobs == []


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/scan/url", "application/json"),
        ("/v1/detect", "application/json"),
        ("/identify", "multipart/form-data; boundary=x"),
    ],
)
def test_a_body_that_is_compressed_is_told_so(client: FlaskClient, path: str, content_type: str) -> None:
    answer = client.post(path, data=gzip.compress(b'{"url": "http://x"}'), content_type=content_type)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "BAD_PARAM")
    assert answer.get_json()["reason"] == "the body is compressed with gzip: send it as it is"


def test_an_empty_or_compressed_picture_is_told_so(client: FlaskClient) -> None:
    for body, cause in ((b"", "it is empty"), (gzip.compress(IMAGE), "it is compressed with gzip")):
        for data in ({"data": body}, {"data": {"file": (io.BytesIO(body), "a.jpg")}}):
            answer = client.post("/scan/image/a.jpg", **data)
            assert (answer.status_code, answer.get_json()["code"]) == (415, "UNSUPPORTED_IMAGE")
            assert cause in answer.get_json()["reason"]
