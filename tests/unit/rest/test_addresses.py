"""Addresses in answers: whatever a request calls this service, they say what settings say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from facerec.config import RestSettings
from rest.addresses import address_of
from rest.app import create_app
from tests.front import Front

CALLED = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}


def app_with(rest: RestSettings) -> Flask:
    front = Front()
    front.settings = replace(front.settings, rest=rest)
    return create_app(front.services)


@pytest.mark.parametrize(
    ("rest", "address"),
    [
        (RestSettings(), "http://127.0.0.1:5000/a"),
        (RestSettings(host="::1", port=80), "http://[::1]:80/a"),
        (RestSettings(host="photos.example.org"), "http://photos.example.org:5000/a"),
        (RestSettings(host="0.0.0.0"), "/a"),
        (RestSettings(host="::"), "/a"),
        (RestSettings(host="0.0.0.0", public_url="https://example.org/faces"), "https://example.org/faces/a"),
    ],
)
def test_an_address_comes_from_settings_whatever_host_a_request_names(rest: RestSettings, address: str) -> None:
    with app_with(rest).test_request_context("/", headers=CALLED):
        assert address_of("/a") == address


@pytest.mark.parametrize(
    ("path", "query", "place"),
    [("", "", "/"), ("/added", "", "/added/"), ("/added", "a=b%2F", "/added/?a=b%2F"), ("//added", "", "/added/")],
)
def test_a_redirect_names_no_host(path: str, query: str, place: str) -> None:
    app = app_with(RestSettings())
    app.add_url_rule("/added/", "added", lambda: "")  # as plugins may; no path of ours ends with a slash
    sent = {"PATH_INFO": path, "QUERY_STRING": query}
    answer = app.test_client().get("/", headers=CALLED, environ_overrides=sent)
    assert (answer.status_code, answer.headers["Location"]) == (308, place)
    assert b"evil.example" not in answer.data


def test_a_redirect_to_two_slashes_is_none_to_a_host() -> None:
    app = app_with(RestSettings())
    app.add_url_rule("/<path:place>/", "any", lambda place: place)
    sent = {"PATH_INFO": "//evil.example/x", "QUERY_STRING": ""}
    answer = app.test_client().get("/", environ_overrides=sent)
    assert not answer.headers.get("Location", "/").startswith("//")
