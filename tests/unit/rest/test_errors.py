"""Every row of the contract's table of errors, with its status, its code and the one shape."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from facerec import errors
from facerec.errors import FacerecError
from rest.errors import STATUS
from tests.front import HASH, TOKEN, Front, claiming_png, picture
from tests.services_client import ServicesClient

URL = "https://example.org/a.jpg"


def tree(root: type[FacerecError]) -> Iterator[type[FacerecError]]:
    yield root
    for branch in root.__subclasses__():
        yield from tree(branch)


def test_every_error_has_a_status() -> None:
    """Every one that can reach the front door, whatever else the whole test run has imported."""
    served = (
        kind
        for kind in tree(FacerecError)
        if not kind.__module__.startswith(("facerec.local", "facerec.services.archive", "worker."))
    )
    assert {kind.code for kind in served} <= STATUS.keys()


def check(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The document of an error answer, after checking its shape."""
    document = answer.get_json()
    assert (answer.status_code, document["code"]) == (status, code), document
    assert answer.content_type == "application/json"
    assert document.keys() <= {"code", "reason", "param", "value"}
    assert isinstance(document["reason"], str)
    assert document["reason"]
    return dict(document)


def post(
    path: str = "/scan/image/a.jpg", body: bytes | None = None, **more: Any
) -> Callable[[FlaskClient], TestResponse]:
    return lambda client: client.post(path, data=picture() if body is None else body, **more)


def get(path: str, **more: Any) -> Callable[[FlaskClient], TestResponse]:
    return lambda client: client.get(path, **more)


def post_url(**more: Any) -> Callable[[FlaskClient], TestResponse]:
    return lambda client: client.post("/scan/url", **more)


@dataclass
class Row:
    status: int
    code: str
    call: Callable[[FlaskClient], TestResponse]
    param: str | None = None
    failure: tuple[str, str, FacerecError] | None = None


ROWS = {
    "no JSON": Row(400, "MALFORMED_JSON", post_url(data=b"{url:")),
    "no UTF-8": Row(400, "MALFORMED_JSON", post_url(data=b'{"url": "\xff"}')),
    "deep JSON": Row(400, "MALFORMED_JSON", post_url(data=b"[" * 60_000)),
    "no body": Row(400, "MALFORMED_JSON", post_url(data=b"")),
    "no object": Row(400, "BAD_PARAM", post_url(json=[URL]), param="body"),
    "no url": Row(400, "BAD_PARAM", post_url(json={}), param="url"),
    "url of another type": Row(400, "BAD_PARAM", post_url(json={"url": 7}), param="url"),
    "half a character": Row(400, "MALFORMED_JSON", post_url(data=b'{"url": "\\ud800"}')),
    "empty url": Row(400, "BAD_PARAM", post_url(json={"url": ""}), param="url"),
    "url with a space": Row(400, "BAD_PARAM", post_url(json={"url": "http://a/ b"}), param="url"),
    "url too long": Row(400, "BAD_PARAM", post_url(json={"url": URL + "a" * 5000}), param="url"),
    "unknown field": Row(400, "BAD_PARAM", post_url(json={"url": URL, "callback": "x"}), param="callback"),
    "unknown parameter": Row(400, "BAD_PARAM", post("/scan/image/a.jpg?model=3"), param="model"),
    "unknown part": Row(
        400,
        "BAD_PARAM",
        lambda client: client.post("/scan/image/a", data={"file": (io.BytesIO(picture()), "a"), "model": "3"}),
        param="model",
    ),
    "no part": Row(
        400,
        "BAD_PARAM",
        lambda client: client.post("/scan/image/a", data={}, content_type="multipart/form-data; boundary=x"),
        param="file",
    ),
    "no boundary": Row(400, "BAD_PARAM", post(content_type="multipart/form-data"), param="body"),
    "hash of another form": Row(400, "BAD_PARAM", get("/images/ABC"), param="hash"),
    "hash in capitals": Row(400, "BAD_PARAM", get(f"/match/{HASH.upper()}"), param="hash"),
    "limit 0": Row(400, "BAD_PARAM", get("/images?limit=0"), param="limit"),
    "limit 501": Row(400, "BAD_PARAM", get("/images?limit=501"), param="limit"),
    "limit twice": Row(400, "BAD_PARAM", get("/images?limit=5&limit=6"), param="limit"),
    "unknown state": Row(400, "BAD_PARAM", get("/images?state=new"), param="state"),
    "unknown filter": Row(400, "BAD_PARAM", get("/images?owner=other"), param="owner"),
    "broken cursor": Row(400, "BAD_PARAM", get("/images?cursor=broken"), param="cursor"),
    "wrong token": Row(401, "AUTH_FAILED", get("/images", headers={"Authorization": "Token wrong"})),
    "wrong key": Row(401, "AUTH_FAILED", get("/images", headers={"x-api-key": "wrong"})),
    "other scheme": Row(401, "AUTH_FAILED", get("/images", headers={"Authorization": "Basic dTpw"})),
    "not this machine": Row(403, "FORBIDDEN", get("/images", environ_base={"REMOTE_ADDR": "192.0.2.1"})),
    "unknown image": Row(404, "NOT_FOUND", get(f"/images/{'0' * 64}")),
    "unknown image to erase": Row(404, "NOT_FOUND", lambda client: client.delete(f"/images/{'0' * 64}")),
    "unknown path": Row(404, "NOT_FOUND", get("/nowhere")),
    "no name": Row(404, "NOT_FOUND", post("/scan/image/")),
    "other method": Row(405, "METHOD_NOT_ALLOWED", get("/scan/url")),
    "too many bytes": Row(413, "TOO_LARGE", post(body=b"\xff" * 50_001)),
    "too many bytes in a part": Row(
        413,
        "TOO_LARGE",
        lambda client: client.post("/scan/image/a", data={"file": (io.BytesIO(b"\xff" * 50_001), "a")}),
    ),
    "too many bytes of JSON": Row(413, "TOO_LARGE", post_url(data=b" " * 70_000)),
    "too many pixels": Row(413, "TOO_LARGE", post(body=claiming_png(60_000, 60_000))),
    "text called jpg": Row(415, "UNSUPPORTED_IMAGE", post(body=b"this is a text")),
    "no bytes": Row(415, "UNSUPPORTED_IMAGE", post(body=b"")),
    "a JPEG cut off in its header": Row(422, "UNREADABLE_IMAGE", post(body=picture()[:30])),
    "file address": Row(
        403,
        "FORBIDDEN_URL",
        post_url(json={"url": "file:///etc/passwd"}),
        failure=("fetcher", "fetch", errors.ForbiddenUrl("only http")),
    ),
    "full queue": Row(429, "BACKPRESSURE", post(), failure=("publisher", "depth", errors.Backpressure("full", 5))),
    "engine broke": Row(500, "ENGINE_FAILURE", post(), failure=("publisher", "depth", errors.EngineFailure("broke"))),
    "our own fault": Row(500, "INTERNAL", post(), failure=("publisher", "depth", errors.InternalError("secret"))),
    "fetch failed": Row(
        502, "FETCH_FAILED", post_url(json={"url": URL}), failure=("fetcher", "fetch", errors.FetchFailed("404"))
    ),
    "fetch too slow": Row(
        504, "TIMEOUT", post_url(json={"url": URL}), failure=("fetcher", "fetch", errors.FetchTimeout("slow"))
    ),
    "fetch too large": Row(
        413, "TOO_LARGE", post_url(json={"url": URL}), failure=("fetcher", "fetch", errors.TooLarge("big"))
    ),
    "broker away": Row(
        503, "SERVICE_UNAVAILABLE", post(), failure=("publisher", "publish", errors.BrokerUnavailable("away"))
    ),
    "store away": Row(
        503, "SERVICE_UNAVAILABLE", post(), failure=("admissions", "admit", errors.StoreUnavailable("away"))
    ),
    "store away for tokens": Row(
        503, "SERVICE_UNAVAILABLE", post(), failure=("tokens", "any", errors.StoreUnavailable("away"))
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_row(client: FlaskClient, front: Front, row: Row) -> None:
    if row.failure:
        part, method, error = row.failure
        getattr(front, part).failures[method] = error

    answer = row.call(client)

    document = check(answer, row.status, row.code)
    assert document.get("param") == row.param
    assert ("Retry-After" in answer.headers) == (row.status in {429, 503})
    assert ("WWW-Authenticate" in answer.headers) == (row.status == 401)
    assert front.publisher.jobs == []


def test_what_went_wrong_inside_is_logged_and_not_shown(
    client: FlaskClient, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    front.publisher.failures["depth"] = ValueError("secret")  # type: ignore[assignment]

    document = check(client.post("/scan/image/a.jpg", data=picture()), 500, "INTERNAL")

    assert "secret" not in document["reason"]
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    request_id = document["reason"].split()[-1]
    assert request_id in record.getMessage()
    assert record.exc_info is not None


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    assert "POST" in client.get("/scan/url").headers["Allow"]


def test_a_body_that_ends_early_is_refused(client: FlaskClient, front: Front) -> None:
    more = {"CONTENT_LENGTH": str(len(picture()) + 1)}

    answer = client.post("/scan/image/a.jpg", data=picture(), environ_overrides=more)

    assert check(answer, 400, "BAD_PARAM")["param"] == "body"
    assert front.publisher.jobs == []


def test_a_token_is_needed_when_there_are_any(guarded: Front) -> None:
    client = ServicesClient(guarded.services)

    check(client.get("/images"), 401, "AUTH_FAILED")
    assert client.get("/images", headers={"Authorization": f"Token {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("number", ["NaN", "1e400", "-Infinity"])
@pytest.mark.parametrize(("path", "param"), [("/scan/url", "url"), ("/images/states", "hashes"), ("/v1/identify", "n")])
def test_a_number_that_is_none_makes_no_answer_that_is_no_json(
    client: FlaskClient, path: str, param: str, number: str
) -> None:
    answer = client.post(path, data=f'{{"{param}": {number}, "photo": "x"}}', content_type="application/json")
    assert answer.status_code == 400
    document = json.loads(answer.text, parse_constant=pytest.fail)
    assert document["code"] in {"BAD_PARAM", "MALFORMED_JSON"}
    assert document.get("value") is None
