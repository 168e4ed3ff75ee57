"""Who is let in, and as whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from facerec.adapters.redis.tokens import read_token_file
from facerec.config import RestSettings, Settings
from facerec.errors import ConfigError, StoreUnavailable
from rest.__main__ import check_exposure, is_loopback
from tests.front import HASH, OTHER_TOKEN, TOKEN, FakeTokens, Front, picture


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Token {TOKEN}"},
        {"Authorization": f"token {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}"},
        {"x-api-key": TOKEN},
    ],
)
def test_a_token_in_each_of_its_places(guarded_client: FlaskClient, headers: dict[str, str]) -> None:
    assert guarded_client.get(f"/images/{HASH}", headers=headers).status_code == 200


def test_owners_see_their_own_alone(guarded_client: FlaskClient, guarded: Front) -> None:
    other = {"Authorization": f"Token {OTHER_TOKEN}"}

    assert guarded_client.get(f"/images/{HASH}", headers=other).status_code == 404
    assert guarded_client.get(f"/match/{HASH}", headers=other).get_json() == []
    assert guarded_client.delete(f"/images/{HASH}", headers=other).status_code == 404
    guarded_client.post("/scan/image/a", data=picture(), headers=other)
    guarded_client.get("/images", headers=other)

    assert guarded.publisher.jobs[0].owner == "other"
    assert guarded.admissions.names[0][0] == "other"
    assert guarded.admissions.asked[0][0] == "other"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/openapi.json", "/welcome", "/health"])
def test_what_is_public_needs_no_token(guarded_client: FlaskClient, path: str) -> None:
    assert guarded_client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/images", f"/images/{HASH}", f"/match/{HASH}", "/metrics", "/open"])
def test_what_is_not_public_needs_one(guarded_client: FlaskClient, path: str) -> None:
    assert guarded_client.get(path).status_code == 401


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "LOCALHOST"])
def test_without_tokens_this_machine_is_let_in(client: FlaskClient, address: str, host: str) -> None:
    answer = client.get("/images", environ_base={"REMOTE_ADDR": address}, headers={"Host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize("address", ["192.168.1.2", "10.0.0.1", "::ffff:10.0.0.1", "1270.0.0.1", "2001:db8::1", ""])
def test_without_tokens_no_other_machine_is(client: FlaskClient, address: str) -> None:
    assert client.get("/images", environ_base={"REMOTE_ADDR": address}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:5000"},
        {"Host": "localhost@evil.example"},
        {"Host": "[::1"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
    ],
)
def test_without_tokens_no_page_and_no_proxy_drives_this_machine(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/scan/image/a.jpg", data=picture(), headers=headers)

    assert answer.status_code == 403
    assert answer.get_json()["code"] == "FORBIDDEN"


def test_our_own_page_is_no_stranger(client: FlaskClient) -> None:
    headers = {"Host": "localhost:5000", "Origin": "http://localhost:5000", "Sec-Fetch-Site": "same-origin"}

    assert client.post("/scan/image/a.jpg", data=picture(), headers=headers).status_code == 202


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_without_tokens_the_service_starts_on_loopback(host: str) -> None:
    check_exposure(Settings(rest=RestSettings(host=host)), FakeTokens({}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "facerec.example", "localhost.example"])
def test_without_tokens_it_starts_nowhere_else(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match="REST_HOST"):
        check_exposure(Settings(rest=RestSettings(host=host)), FakeTokens({}))


def test_with_tokens_it_starts_anywhere() -> None:
    check_exposure(Settings(rest=RestSettings(host="0.0.0.0")), FakeTokens({TOKEN: "default"}))


def test_when_the_store_cannot_tell_it_does_not_start() -> None:
    tokens = FakeTokens({})
    tokens.failures["any"] = StoreUnavailable("Redis: away")
    with pytest.raises(StoreUnavailable):
        check_exposure(Settings(rest=RestSettings(host="0.0.0.0")), tokens)


def test_a_file_of_tokens(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# those of the house\n\nanna:{'ab' * 32}\nbert:{'CD' * 32}\n", encoding="utf-8")
    assert read_token_file(file) == {"ab" * 32: "anna", "cd" * 32: "bert"}


@pytest.mark.parametrize(
    "line",
    [
        b"anna",
        b"anna:abc",
        b"anna:" + b"x" * 64,
        b"anna:" + "é".encode() * 64,
        b"An Na:" + b"ab" * 32,
        b"\xff:" + b"ab" * 32,
    ],
)
def test_a_file_of_tokens_with_a_wrong_line_is_named_at_the_start(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(line + b"\n")
    with pytest.raises(ConfigError, match=r"TOKENS_FILE=.*tokens"):
        read_token_file(file)
