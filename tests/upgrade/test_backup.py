"""What docs/operations.md says of backup and restore: RabbitMQ's folder first, then `facerec export`; back on new servers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from facerec.local.servers import RabbitServer, RedisServer
from tests.conftest import own_servers, rabbit_settings_of, redis_settings_of
from tests.drawings import showing
from tests.failover.books import LIMITS
from tests.stack import ROOT, Stack, stack_environment


def facerec(redis: RedisServer, rabbit: RabbitServer, *arguments: str) -> str:
    """What the command prints; it must succeed."""
    environment = stack_environment(redis_settings_of(redis), rabbit_settings_of(rabbit))
    command = [sys.executable, "-m", "facerec", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(180)
def test_both_stores_come_back_with_what_was_done_and_what_waits(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with own_servers(tmp_path / "servers") as (redis, rabbit):
        settings = redis_settings_of(redis), rabbit_settings_of(rabbit)
        with Stack(*settings, tmp_path / "first", **LIMITS) as stack:
            done = [stack.scan(showing("ann"), f"done {number}.png") for number in range(5)]
            stack.wait_ended(done)
            stack.workers[0].stop()
            waiting = [stack.scan(showing("ann"), f"waits {number}.png") for number in range(5)]
        data, backup = rabbit.folder / "data", tmp_path / "backup"
        rabbit.stop()
        shutil.copytree(data, backup / "rabbitmq")
        facerec(redis, rabbit, "export", str(backup / "redis.jsonl"))

        # Everything is gone. RabbitMQ notes where its files are, so they come back to the same place.
        shutil.rmtree(data)
        shutil.copytree(backup / "rabbitmq", data)
        rabbit.start()
        with RedisServer(tmp_path / "new-redis", password="another") as empty:
            facerec(empty, rabbit, "import", str(backup / "redis.jsonl"))
            with Stack(redis_settings_of(empty), settings[1], tmp_path / "second", **LIMITS) as stack:
                assert set(stack.wait_ended([*done, *waiting]).values()) == {"done"}
                assert len(stack.match(done[0])) == len(done) + len(waiting) - 1
            assert "clean" in facerec(empty, rabbit, "fsck")
