"""`facerec fsck`, `export` and `import` on a real Redis."""

from __future__ import annotations

import pytest

from facerec.config import RedisSettings
from facerec.local.ports import free_port
from tests.unit.cli.running import Facerec


@pytest.fixture
def facerec(redis_settings: RedisSettings, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Facerec:
    monkeypatch.setenv("REDIS_PORT", str(redis_settings.port))
    monkeypatch.setenv("REDIS_PASSWORD", redis_settings.password.reveal())
    return Facerec(tmp_path)


def test_an_empty_store_is_clean(facerec: Facerec) -> None:
    assert "clean" in facerec("fsck").out
    assert facerec("fsck", "--json", "--fix", "--quick").document["clean"] is True


def test_a_store_of_this_release_needs_no_migration(facerec: Facerec) -> None:
    assert facerec("migrate").out == "schema 1, 0 steps done\n"
    assert facerec("migrate", "--json").document == {"schema": 1, "steps": 0}


def test_without_redis_it_says_so(facerec: Facerec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PORT", str(free_port()))
    assert facerec("fsck", "--json", status=3).document["code"] == "SERVICE_UNAVAILABLE"


def test_out_and_in_again(facerec: Facerec, redis_settings: RedisSettings) -> None:
    archive = facerec.folder / "all.jsonl"
    assert facerec("export", "--json", str(archive)).document["images"] == 0
    assert facerec("import", "--json", str(archive)).document["images"] == 0
    assert facerec("export", "--json", "/nowhere/all.jsonl", status=1).document["code"] == "FILE"
    assert facerec("import", "--json", "nowhere.jsonl", status=1).document["code"] == "FILE"
