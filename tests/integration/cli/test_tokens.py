"""`facerec token` on a real Redis."""

from __future__ import annotations

import pytest

from facerec.adapters.redis import RedisDatabases, RedisTokens
from facerec.config import RedisSettings
from facerec.local.ports import free_port
from tests.unit.cli.running import Facerec


@pytest.fixture
def facerec(redis_settings: RedisSettings, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Facerec:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_PORT", str(redis_settings.port))
    monkeypatch.setenv("REDIS_PASSWORD", redis_settings.password.reveal())
    return Facerec(tmp_path)


def test_made_listed_and_revoked(facerec: Facerec, redis_settings: RedisSettings) -> None:
    tokens = RedisTokens(RedisDatabases(redis_settings))
    token = facerec("token", "create", "alice", "--note", "phone").out.strip()
    assert tokens.owner_of(token) == "alice"
    other = facerec("token", "create", "--json").document
    assert tokens.owner_of(other["token"]) == other["owner"] == "default"
    first, second = facerec("token", "list", "--json").document
    assert (first["owner"], first["note"], second["owner"]) == ("alice", "phone", "default")
    assert token not in facerec("token", "list").out
    facerec("token", "revoke", first["hash"][:12])
    assert tokens.owner_of(token) is None
    assert tokens.owner_of(other["token"]) == "default"


def test_what_cannot_be(facerec: Facerec, monkeypatch: pytest.MonkeyPatch) -> None:
    assert facerec("token", "create", "--json", "No Owner", status=2).document["code"] == "BAD_PARAM"
    assert facerec("token", "create", "No Owner", status=2).err.endswith("(owner)\n")
    assert facerec("token", "revoke", "--json", "abc", status=1).document["code"] == "NOT_FOUND"
    monkeypatch.setenv("REDIS_PORT", str(free_port()))
    assert facerec("token", "list", "--json", status=3).document["code"] == "SERVICE_UNAVAILABLE"
    monkeypatch.setenv("REDIS_PORT", "x")
    assert "REDIS_PORT" in facerec("token", "list", status=2).err
