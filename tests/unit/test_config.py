from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facerec.config import Settings, child_environment, load_settings
from facerec.errors import ConfigError
from facerec.faces import Model
from facerec.values import Secret


def test_nothing_set_gives_the_defaults() -> None:
    assert load_settings({}).model is Model.HOG
    assert load_settings({"REDIS_HOST": ""}).redis.host == Settings().redis.host


def test_values_are_parsed() -> None:
    settings = load_settings(
        {
            "REDIS_PORT": "7000",
            "REDIS_TLS": "yes",
            "MODEL": "cnn",
            "ALLOW_FETCH_FROM": "10.0.0.0/8, ::1",
            "WORKERS": "auto",
        }
    )
    assert (settings.redis.port, settings.redis.tls, settings.model) == (7000, True, Model.CNN)
    assert [str(network) for network in settings.rest.allow_fetch_from] == ["10.0.0.0/8", "::1/128"]
    assert settings.worker.processes == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_PORT", "many"),
        ("REDIS_PORT", "70000"),
        ("REDIS_TLS", "perhaps"),
        ("MODEL", "9"),
        ("TOLERANCE", "-1"),
        ("ENGINE", "magic"),
        ("LOG_LEVEL", "loud"),
        ("REDIS_HOST", "a b"),
        ("MAX_UPLOAD_BYTES", "0"),
        ("ALLOW_FETCH_FROM", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "*"),
        ("PUBLIC_URL", "photos.example.org"),
        ("PUBLIC_URL", "ftp://photos.example.org"),
        ("PUBLIC_URL", "https:///only/a/path"),
        ("PUBLIC_URL", "https://photos.example.org/?a=b"),
        ("PUBLIC_URL", "https://photos.example.org/#a"),
        ("PUBLIC_URL", "https://anna:secret@photos.example.org"),
        ("PUBLIC_URL", "https://photos.example.org:70000"),
        ("PUBLIC_URL", "https://photos.example.org/a b"),
        ("REDIS_SENTINELS", ","),
        ("REDIS_SENTINELS", "a:b"),
        ("RABBITMQ_HOSTS", "a b:5672"),
        ("REDIS_REPLICAS", "-1"),
    ],
)
def test_a_wrong_value_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load_settings({name: value})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://photos.example.org", "https://photos.example.org"),
        ("http://[::1]:5000/", "http://[::1]:5000"),
        ("https://example.org/facerec/", "https://example.org/facerec"),
    ],
)
def test_what_addresses_in_answers_begin_with(text: str, found: str) -> None:
    assert load_settings({"PUBLIC_URL": text}).rest.public_url == found


def test_several_hosts_are_listed() -> None:
    settings = load_settings(
        {"RABBITMQ_HOSTS": "a, b:5673,[::1],[::2]:1", "RABBITMQ_PORT": "5671", "RABBITMQ_HOST": "z"}
    )
    assert settings.rabbitmq.nodes == (("a", 5671), ("b", 5673), ("::1", 5671), ("::2", 1))
    assert load_settings({"RABBITMQ_HOST": "z"}).rabbitmq.nodes == (("z", 5672),)
    redis = load_settings({"REDIS_SENTINELS": "a,b:1"}).redis
    assert (redis.sentinels, redis.replicas) == ((("a", 26379), ("b", 1)), 1)
    assert load_settings({}).redis.replicas == 0


def test_secrets_come_from_a_file_first_and_never_show(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from file\n", encoding="utf-8")
    settings = load_settings({"REDIS_PASSWORD": "plain", "REDIS_PASSWORD_FILE": str(file), "RABBITMQ_PASSWORD": "hush"})
    assert settings.redis.password.reveal() == "from file"
    assert "from file" not in repr(settings)
    assert "hush" not in repr(settings)
    assert not Secret("")


def test_a_missing_secret_file_is_an_error() -> None:
    with pytest.raises(ConfigError, match="REDIS_PASSWORD_FILE"):
        load_settings({"REDIS_PASSWORD_FILE": "/nowhere/at/all"})


def test_a_secret_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"REDIS_PASSWORD_FILE=.*secret"):
        load_settings({"REDIS_PASSWORD_FILE": str(file)})


def test_children_get_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "hush")
    assert "hush" not in child_environment().values()


def test_numpy_computes_in_one_thread_in_a_worker() -> None:
    """It must be said before numpy is imported."""
    code = "import worker, os, sys; print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1"]
