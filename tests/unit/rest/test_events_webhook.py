"""The webhook at the front door: set, look at, try, remove; each owner its own."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient

from facerec.errors import Backpressure, ForbiddenUrl
from facerec.services.webhooks import signature
from rest.webhook import NewWebhook, Tried, Webhook
from tests.front import OTHER_TOKEN, TOKEN, Front

URL = "https://example.org/hook"


def test_set_look_and_remove(client: FlaskClient, front: Front) -> None:
    assert client.get("/webhook").status_code == 404
    made = client.put("/webhook", json={"url": URL}).get_json()
    NewWebhook.model_validate(made, strict=True)

    shown = client.get("/webhook").get_json()
    Webhook.model_validate(shown, strict=True)
    assert shown == {"url": URL, "attempts": 8, "last_at": None, "last_status": None, "last_error": None}
    assert made["secret"] not in json.dumps(shown)

    assert client.delete("/webhook").get_json() == {"removed": True}
    assert client.delete("/webhook").status_code == 404


def test_the_last_call_is_shown(client: FlaskClient, front: Front) -> None:
    client.put("/webhook", json={"url": URL})
    front.webhooks.hooks["default"] |= {
        "last_at": "2024-01-01T00:00:00+00:00",
        "last_status": "500",
        "last_error": "no",
    }

    shown = client.get("/webhook").get_json()

    Webhook.model_validate(shown, strict=True)
    assert (shown["last_status"], shown["last_error"]) == (500, "no")


def test_setting_it_again_makes_a_new_secret(client: FlaskClient) -> None:
    secrets = {client.put("/webhook", json={"url": URL}).get_json()["secret"] for _ in range(3)}

    assert len(secrets) == 3


@pytest.mark.parametrize(
    "body", [{}, {"url": "ftp://x"}, {"url": "http://x:99999/"}, {"url": "http://x:y/"}, {"url": URL, "secret": "mine"}]
)
def test_wrong_bodies_are_named(client: FlaskClient, body: object) -> None:
    assert client.put("/webhook", json=body).get_json()["code"] == "BAD_PARAM"


def test_a_test_call_is_made_now_and_signed(client: FlaskClient, front: Front) -> None:
    secret = client.put("/webhook", json={"url": URL}).get_json()["secret"]

    answer = client.post("/webhook/test").get_json()

    Tried.model_validate(answer, strict=True)
    assert answer == {"status": 204, "error": None}
    url, body, headers = front.fetcher.posted[0]
    assert (url, json.loads(body)) == (URL, {"event": "test", "owner": "default"})
    assert headers["X-Facerec-Signature"] == signature(secret, 1_700_000_000, body)


def test_a_test_call_that_fails_says_why(client: FlaskClient, front: Front) -> None:
    assert client.post("/webhook/test").status_code == 404
    client.put("/webhook", json={"url": URL})
    front.fetcher.failures["post"] = ForbiddenUrl("leads to an address that must not be fetched from")

    assert client.post("/webhook/test").get_json() == {
        "status": None,
        "error": "leads to an address that must not be fetched from",
    }


def test_too_many_test_calls_at_once_are_refused(client: FlaskClient, front: Front) -> None:
    client.put("/webhook", json={"url": URL})
    front.fetcher.failures["post"] = Backpressure("too many URLs are being fetched; come again later", 5)

    answer = client.post("/webhook/test")

    assert (answer.status_code, answer.get_json()["code"], answer.headers["Retry-After"]) == (429, "BACKPRESSURE", "5")


def test_each_owner_has_its_own(guarded_client: FlaskClient) -> None:
    mine, theirs = {"x-api-key": TOKEN}, {"x-api-key": OTHER_TOKEN}
    guarded_client.put("/webhook", json={"url": URL}, headers=mine)

    assert guarded_client.get("/webhook", headers=theirs).status_code == 404
    assert guarded_client.delete("/webhook", headers=theirs).status_code == 404
    assert guarded_client.get("/webhook", headers=mine).status_code == 200
    assert guarded_client.get("/webhook").status_code == 401
