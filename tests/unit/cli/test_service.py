"""Which service the command calls: the one that was started in this folder or above it, unless something says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from facerec import service_file
from facerec.local.ports import free_port
from tests.unit.cli.running import Facerec
from tests.unit.cli.stub import TOKEN, StubService

HASH = "a" * 64


@pytest.fixture
def file(facerec: Facerec, service: StubService, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `up` makes it. The service wants the token that is in it, and the environment says nothing."""
    monkeypatch.delenv("FACEREC_URL")
    monkeypatch.delenv("FACEREC_SERVICE_FILE")
    service.needs_token = True
    path = facerec.folder / service_file.PLACE
    path.parent.mkdir()
    service_file.write(path, {"FACEREC_URL": service.url, "FACEREC_TOKEN": TOKEN})
    return path


def test_the_service_of_the_folder_is_found_from_below(
    facerec: Facerec, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = facerec.folder / "pictures/2024"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    facerec("match", HASH)


def test_the_environment_and_the_command_line_come_first(
    facerec: Facerec, file: Path, service: StubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    service_file.write(file, {"FACEREC_URL": url, "FACEREC_TOKEN": TOKEN})
    facerec("match", HASH, "--url", service.url, "--token", TOKEN)
    assert facerec("match", HASH, "--url", service.url, status=2), "the token of another service is not shown to it"
    monkeypatch.setenv("FACEREC_URL", service.url)
    facerec("match", HASH, status=2)
    monkeypatch.setenv("FACEREC_TOKEN", TOKEN)
    facerec("match", HASH)


def test_who_is_away_is_told_with_what_named_it(facerec: Facerec, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    service_file.write(file, {"FACEREC_URL": url, "REDIS_PORT": str(free_port()), "RABBITMQ_PORT": str(free_port())})
    for arguments in (("match", HASH), ("token", "list"), ("logs", "--patience", "0")):
        said = facerec(*arguments, status=3).err
        assert f"(where it is: {file}; whether that service runs: ./deploy-local-dev.sh status)" in said
    assert str(file) in facerec("match", "--json", HASH, status=3).document["reason"]

    monkeypatch.setenv("FACEREC_URL", url)
    monkeypatch.setenv("REDIS_PORT", str(free_port()))
    assert str(file) in facerec("match", HASH, status=3).err, "both say the same"
    assert "(where it is: REDIS_PORT of the environment)" in facerec("token", "list", status=3).err
    monkeypatch.setenv("FACEREC_URL", f"http://127.0.0.1:{free_port()}")
    assert "(where it is: FACEREC_URL of the environment)" in facerec("match", HASH, status=3).err
    assert "where it is" not in facerec("match", "--url", url, HASH, status=3).err

    monkeypatch.delenv("REDIS_PORT")
    monkeypatch.setenv("FACEREC_SERVICE_FILE", "none")
    monkeypatch.setattr("facerec.config.RedisSettings.port", free_port())
    assert (
        "the default, as neither REDIS_HOST nor a .facerec/service.env here or above"
        in facerec("token", "list", status=3).err
    )


def test_a_refused_token_is_told_with_what_named_the_service(
    facerec: Facerec, file: Path, service: StubService
) -> None:
    service_file.write(file, {"FACEREC_URL": service.url, "FACEREC_TOKEN": "wrong"})
    assert str(file) in facerec("match", HASH, status=2).err


def test_what_others_can_read_is_not_used(facerec: Facerec, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.chmod(0o644)
    for command in ("status", "fsck"):
        assert "others than you can read" in facerec(command, "--json", status=2).document["reason"]
    monkeypatch.setenv("FACEREC_SERVICE_FILE", "none")
    facerec("match", HASH, "--token", "x", "--url", "http://127.0.0.1:1", status=3)


def test_where_redis_is_out_of_reach_it_is_said(facerec: Facerec, file: Path) -> None:
    for command in (["fsck"], ["token", "list"], ["export"], ["logs"]):
        assert "'./deploy-local-dev.sh facerec' runs the command beside" in facerec(*command, status=2).err


def test_a_misspelt_setting_is_refused(facerec: Facerec, service: StubService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEREC_TOKEN_FLIE", "token")
    assert (
        "FACEREC_TOKEN_FLIE: there is no such setting; FACEREC_TOKEN_FILE is meant?" in facerec("status", status=2).err
    )
    assert service.calls == []
