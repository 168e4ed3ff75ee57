"""Sessions of browsers: the cookie, the CSRF token, and what pages of other origins cannot do."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from rest.cookies import COOKIE, CSRF_HEADER
from tests.front import HASH, OTHER_TOKEN, TOKEN, Front


def sign_in(client: FlaskClient, token: str = TOKEN) -> str:
    """The CSRF token of a new session, whose cookie ``client`` has from now on."""
    answer = client.post("/session", json={"token": token})
    assert answer.status_code == 200, answer.text
    return str(answer.get_json()["csrf"])


def test_a_token_opens_a_session(guarded_client: FlaskClient) -> None:
    csrf = sign_in(guarded_client)

    assert guarded_client.get("/session").get_json() == {"owner": "default", "csrf": csrf}
    assert guarded_client.get(f"/images/{HASH}").status_code == 200


def test_no_script_can_read_the_cookie_and_no_other_site_send_it(guarded_client: FlaskClient) -> None:
    cookie = guarded_client.post("/session", json={"token": TOKEN}).headers["Set-Cookie"]

    parts = {part.strip() for part in cookie.split(";")}
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= parts
    assert TOKEN not in cookie


def test_the_cookie_keeps_to_https_where_there_is_https(guarded_client: FlaskClient) -> None:
    for extra in ({"base_url": "https://localhost"}, {"headers": {"X-Forwarded-Proto": "https"}}):
        answer = guarded_client.post("/session", json={"token": TOKEN}, **extra)  # type: ignore[arg-type]
        assert "Secure" in answer.headers["Set-Cookie"]


def test_a_session_is_its_owners(guarded_client: FlaskClient) -> None:
    sign_in(guarded_client, OTHER_TOKEN)

    assert guarded_client.get("/session").get_json()["owner"] == "other"
    assert guarded_client.get(f"/images/{HASH}").status_code == 404


def test_a_wrong_token_opens_nothing(guarded_client: FlaskClient) -> None:
    answer = guarded_client.post("/session", json={"token": "wrong"})

    assert (answer.status_code, answer.get_json()["code"]) == (401, "AUTH_FAILED")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("body", [{}, {"token": 1}, {"token": "x", "more": 1}])
def test_a_wrong_form_is_named(guarded_client: FlaskClient, body: object) -> None:
    assert guarded_client.post("/session", json=body).get_json()["code"] == "BAD_PARAM"


def test_what_changes_something_needs_the_csrf_token(guarded_client: FlaskClient) -> None:
    csrf = sign_in(guarded_client)

    for headers in ({}, {CSRF_HEADER: "wrong"}, {CSRF_HEADER: "w\u00fcrg"}):
        refused = guarded_client.delete(f"/images/{HASH}", headers=headers)
        assert (refused.status_code, refused.get_json()["code"]) == (403, "FORBIDDEN")
    assert guarded_client.delete(f"/images/{HASH}", headers={CSRF_HEADER: csrf}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_is_refused(guarded_client: FlaskClient, headers: dict[str, str]) -> None:
    csrf = sign_in(guarded_client)

    assert guarded_client.delete(f"/images/{HASH}", headers={CSRF_HEADER: csrf} | headers).status_code == 403
    assert guarded_client.post("/session", json={"token": TOKEN}, headers=headers).status_code == 403


def test_a_token_needs_no_csrf_token(guarded_client: FlaskClient) -> None:
    sign_in(guarded_client, OTHER_TOKEN)

    answer = guarded_client.delete(f"/images/{HASH}", headers={"Authorization": f"Token {TOKEN}"})

    assert answer.status_code == 200, "the token counts, not the cookie"


def test_signing_out_ends_the_session(guarded_client: FlaskClient) -> None:
    csrf = sign_in(guarded_client)
    cookie = guarded_client.get_cookie(COOKIE)
    assert cookie is not None

    assert guarded_client.delete("/session", headers={CSRF_HEADER: csrf}).get_json() == {"closed": True}

    guarded_client.set_cookie(COOKIE, cookie.value)
    assert guarded_client.get("/session").status_code == 401


def test_a_session_ends_with_its_token(guarded_client: FlaskClient, guarded: Front) -> None:
    sign_in(guarded_client)
    del guarded.tokens.tokens[TOKEN]

    assert guarded_client.get("/session").status_code == 401


def test_without_tokens_nobody_signs_in(client: FlaskClient) -> None:
    assert client.get("/session").get_json() == {"owner": "default", "csrf": None}
    assert client.post("/session", json={"token": TOKEN}).status_code == 401
