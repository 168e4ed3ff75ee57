from __future__ import annotations

import os
from pathlib import Path

import pytest

from facerec import service_file
from facerec.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / service_file.PLACE
    path.parent.mkdir()
    service_file.write(path, {"FACEREC_URL": "http://127.0.0.1:5001", "REDIS_PASSWORD": " a=b \udcff"})
    return path


def test_what_was_written_is_read_and_nobody_else_can(file: Path) -> None:
    assert service_file.read(file) == {"FACEREC_URL": "http://127.0.0.1:5001", "REDIS_PASSWORD": " a=b \udcff"}
    assert file.stat().st_mode & 0o777 == 0o600
    service_file.write(file, {"REDIS_HOST": "b"})
    assert service_file.read(file) == {"REDIS_HOST": "b"}
    assert [path.name for path in file.parent.iterdir()] == ["service.env"]


def test_it_is_found_from_every_folder_below_and_the_nearest_counts(file: Path, tmp_path: Path) -> None:
    inner = tmp_path / "a/b/c"
    inner.mkdir(parents=True)
    assert service_file.find(inner) == service_file.find(tmp_path) == file
    nearer = tmp_path / "a" / service_file.PLACE
    nearer.parent.mkdir()
    nearer.symlink_to("nowhere")
    assert service_file.find(inner) == nearer, "a broken one is not passed over"
    assert service_file.find(tmp_path) == file


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_what_others_can_read_or_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError, match=r"others than you can read or change it.*chmod 600"):
        service_file.read(file)


def test_what_belongs_to_another_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(ConfigError, match="belongs to another user"):
        service_file.read(file)


def test_what_is_no_file_is_refused(file: Path, tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    os.mkfifo(pipe, 0o600)
    for path in (link, pipe, tmp_path, tmp_path / "nothing"):
        with pytest.raises(ConfigError, match=str(path)):
            service_file.read(path)


def test_a_line_that_is_none_is_named(file: Path) -> None:
    file.write_text("# remark\n\nREDIS_HOST=a\nREDIS PORT=1\n")
    with pytest.raises(ConfigError, match="line 4: must be NAME=VALUE"):
        service_file.read(file)


def test_a_value_of_two_lines_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="REDIS_PASSWORD: must be one line"):
        service_file.write(file, {"REDIS_PASSWORD": "a\nREDIS_HOST=elsewhere"})


def test_the_environment_comes_first_and_another_server_gets_no_password() -> None:
    said = {
        "REDIS_HOST": "a",
        "REDIS_PORT": "1",
        "REDIS_PASSWORD": "hush",
        "FACEREC_URL": "http://a",
        "FACEREC_TOKEN": "t",
    }
    assert service_file.under({}, said) == said
    assert service_file.under({"REDIS_TIMEOUT": "1", "REDIS_HOST": ""}, said) == said | {"REDIS_TIMEOUT": "1"}
    assert service_file.under({"REDIS_HOST": "a", "REDIS_PORT": "1"}, said) == said
    assert "REDIS_PASSWORD" not in service_file.under({"REDIS_PORT": "2"}, said)
    assert service_file.under({"FACEREC_URL": "http://b"}, said).keys() == said.keys() - {"FACEREC_TOKEN"}
