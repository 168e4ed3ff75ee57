"""A Redis and a picture store that take no writes are named so, and a front end that can still be read stays ready."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from facerec.adapters.redis import RedisDatabases, RedisWorkers
from facerec.config import RedisSettings, Settings
from facerec.errors import StoreRefusesWrites, StoreUnavailable
from facerec.local.servers import RedisServer
from rest import models
from rest.status import Status
from rest.wsgi import build_services
from tests.client import wait_until
from tests.conftest import redis_settings_of
from tests.front import FakeLetters, FakePublisher
from tests.services_client import ServicesClient

NOBODY = 9
"""A port on which nothing listens."""
WELL = {"ok": True, "reason": None, "reads": True}


@pytest.fixture
def server(own_redis: RedisServer) -> Iterator[Any]:
    with redis.Redis.from_url(own_redis.url) as client:
        yield client


@pytest.fixture
def redis_settings(own_redis: RedisServer) -> RedisSettings:
    return redis_settings_of(own_redis)


def ask(settings: Settings, path: str) -> Any:
    """What a front end that has just begun answers; its broker is well."""
    databases = RedisDatabases(settings.redis)
    services = replace(build_services(settings, databases), publisher=FakePublisher())
    object.__setattr__(services.dead, "_letters", FakeLetters())
    try:
        return ServicesClient(services).get(path)
    finally:
        services.close()
        databases.close()


def fill_memory(client: Any, _server: RedisServer) -> None:
    client.config_set("maxmemory", "1")


def lose_replicas(client: Any, _server: RedisServer) -> None:
    client.config_set("min-replicas-to-write", "1")


def become_replica(client: Any, _server: RedisServer) -> None:
    client.execute_command("REPLICAOF", "127.0.0.1", NOBODY)


def fail_to_save(client: Any, server: RedisServer) -> None:
    client.config_set("appendonly", "no")
    client.config_set("save", "3600 1")
    (server.folder / "dump.rdb").unlink(missing_ok=True)
    (server.folder / "dump.rdb").mkdir()
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the snapshot failed")


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        (fill_memory, "its memory is full: OOM"),
        (lose_replicas, "too few replicas follow it: NOREPLICAS"),
        (become_replica, "it is a replica: READONLY"),
        (fail_to_save, "it cannot save to its disk: MISCONF"),
    ],
)
def test_a_redis_that_takes_no_writes_is_named_and_read(
    refuse: Callable[[Any, RedisServer], None],
    words: str,
    redis_settings: RedisSettings,
    server: Any,
    own_redis: RedisServer,
) -> None:
    settings = Settings(redis=redis_settings)
    databases = RedisDatabases(redis_settings)
    RedisWorkers(databases).alive("living", {}, 600.0)
    keys = server.dbsize()
    assert ask(settings, "/readyz").get_json() == {
        "ready": True,
        "parts": dict.fromkeys(("broker", "redis", "workers", "image_store"), WELL),
    }
    assert server.dbsize() == keys, "nothing is left behind"

    refuse(server, own_redis)

    ready, status = ask(settings, "/readyz"), ask(settings, "/status")
    models.Ready.model_validate(ready.get_json(), strict=True)
    Status.model_validate(status.get_json(), strict=True)
    assert (ready.status_code, ready.get_json()["ready"], status.status_code) == (200, True, 200)
    for part in (ready.get_json()["parts"]["redis"], status.get_json()["parts"]["redis"]):
        assert (part["ok"], part["reads"]) == (False, True)
        assert words in part["reason"]
    assert status.get_json()["images"] is not None
    with pytest.raises(StoreRefusesWrites):
        databases.check_writes()
    databases.close()


def test_workers_that_cannot_say_that_they_live_are_not_called_dead(redis_settings: RedisSettings, server: Any) -> None:
    settings = Settings(redis=redis_settings)
    assert ask(settings, "/readyz").status_code == 503, "no worker lives"
    fill_memory(server, None)  # type: ignore[arg-type]

    answer = ask(settings, "/readyz")

    assert answer.status_code == 200
    assert answer.get_json()["parts"]["workers"] == {
        "ok": False,
        "reason": "unknown, because Redis takes no writes",
        "reads": True,
    }


def test_too_few_replicas_that_confirm_are_refused_writes(redis_settings: RedisSettings) -> None:
    databases = RedisDatabases(replace(redis_settings, replicas=1, timeout=0.5))
    with pytest.raises(StoreRefusesWrites, match="0 of 1 replicas"):
        databases.check_writes()
    databases.close()


def test_a_redis_that_answers_nobody_is_away(redis_settings: RedisSettings, server: Any) -> None:
    settings = Settings(redis=redis_settings)
    server.config_set("replica-serve-stale-data", "no")
    become_replica(server, None)  # type: ignore[arg-type]

    part = ask(settings, "/readyz")
    assert part.status_code == 503
    assert part.get_json()["parts"]["redis"]["reads"] is False
    with pytest.raises(StoreUnavailable, match="answers nobody, because it is a replica without a primary: MASTERDOWN"):
        RedisDatabases(redis_settings).ping()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 32 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32m", "facerec", folder]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"only who may mount can make a small disk: {mounted.stderr}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def with_worker(redis_settings: RedisSettings) -> Iterator[RedisSettings]:
    databases = RedisDatabases(redis_settings)
    RedisWorkers(databases).alive("living", {}, 600.0)
    yield redis_settings
    databases.close()


def parts_of(settings: Settings) -> list[dict[str, Any]]:
    """The picture store in /readyz, which is ready, and in /status."""
    ready = ask(settings, "/readyz")
    assert (ready.status_code, ready.get_json()["ready"]) == (200, True)
    return [ready.get_json()["parts"]["image_store"], ask(settings, "/status").get_json()["parts"]["image_store"]]


def test_a_picture_store_that_is_full_is_named(with_worker: RedisSettings, small: Path) -> None:
    settings = Settings(redis=with_worker, image_store=small.as_uri())
    assert parts_of(settings) == [WELL, WELL]
    assert list(small.iterdir()) == []

    for room in (40, 20):
        with (small / "filling").open("wb") as file:
            try:
                file.write(bytes(room * 1024 * 1024))
            except OSError:
                assert room == 40, "all of it is filled, or so much that no large picture has room"
        reason = "the image store takes no pictures: No space left on device"
        assert parts_of(settings) == 2 * [{"ok": False, "reason": reason, "reads": True}]
        assert [path.name for path in small.iterdir()] == ["filling"]


def test_a_picture_store_that_is_read_only_is_named(with_worker: RedisSettings, small: Path) -> None:
    settings = Settings(redis=with_worker, image_store=small.as_uri())
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)

    reason = "the image store takes no pictures: Read-only file system"
    assert parts_of(settings) == 2 * [{"ok": False, "reason": reason, "reads": True}]


def test_a_picture_store_whose_folder_is_none_is_named(with_worker: RedisSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    settings = Settings(redis=with_worker, image_store=(tmp_path / "file").as_uri())
    assert [part["ok"] for part in parts_of(settings)] == [False, False]
