"""`facerec scan` against the whole service: killed and resumed, and while the broker is away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import NAME_TO_HASH
from facerec.config import RabbitSettings, RedisSettings
from facerec.local.servers import RabbitServer
from tests.client import wait_until
from tests.conftest import rabbit_settings_of
from tests.drawings import drawing
from tests.stack import Stack

COUNT = 1000


class Command:
    """A `facerec` process with its job file."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.folder = folder
        self.job_file = folder / "job.jsonl"
        self._environment = stack.environment | {"FACEREC_URL": stack.url, "XDG_STATE_HOME": str(folder / "state")}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "facerec", *arguments]
        with (self.folder / "stderr.log").open("a") as errors:
            return subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def scan(self, *arguments: str) -> subprocess.Popen[str]:
        return self.start("scan", "--json", "--job-file", str(self.job_file), *arguments, "pictures")

    def finish(self, process: subprocess.Popen[str], seconds: float = 60) -> tuple[int, list[dict[str, Any]]]:
        """Exit status and the JSON lines of a process that ends by itself."""
        out, _ = process.communicate(timeout=seconds)
        return process.returncode, [json.loads(line) for line in out.splitlines()]

    def noted(self, event: str) -> list[str]:
        """The names in the whole lines of the job file that tell of ``event``."""
        if not self.job_file.exists():
            return []
        lines = self.job_file.read_bytes().rpartition(b"\n")[0].splitlines()
        return [line["name"] for line in map(json.loads, lines) if line["event"] == event]

    def wait_sent(self, count: int) -> None:
        """Until the job file tells of so many promises."""
        wait_until(lambda: len(self.noted("sent")) >= count, f"{count} are sent", self.evidence)

    def evidence(self) -> str:
        return (self.folder / "stderr.log").read_text()


def generate(folder: Path, count: int) -> set[str]:
    """Pictures in two folders; their names."""
    names = set()
    for number in range(count):
        name = f"pictures/{number % 2}/ä {number}.png"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawing())
        names.add(name)
    return names


def known_names(redis: RedisSettings) -> set[str]:
    """The names of all finished images."""
    with closing(RedisDatabases(redis)) as databases:
        return {key.decode() for key in databases.client(NAME_TO_HASH).scan_iter(count=1000)}


def uploads(stack: Stack) -> int:
    """How many uploads the front end has taken."""
    lines = [json.loads(line) for line in (stack.folder / "rest.log").read_text().splitlines() if '"request"' in line]
    return sum(line["method"] == "POST" and line["status"] == 202 for line in lines)


def test_killed_and_resumed_sends_each_once_and_misses_none(
    stack: Stack, stack_redis: RedisSettings, tmp_path: Path
) -> None:
    names = generate(tmp_path, COUNT)
    known, uploaded = known_names(stack_redis), uploads(stack)
    command = Command(stack, tmp_path)
    for kills, enough in enumerate((COUNT // 5, COUNT // 2, COUNT * 4 // 5)):
        process = command.scan("--recursive", *(["--resume"] if kills else []))
        command.wait_sent(enough)
        assert process.poll() is None, "killed too late to prove anything"
        process.kill()
        process.communicate()

    status, lines = command.finish(command.scan("--recursive", "--resume"))

    assert status == 0, command.evidence()
    assert lines[-1]["summary"] == {"done": COUNT}
    assert known_names(stack_redis) - known == names
    assert uploads(stack) - uploaded == COUNT
    assert Counter(command.noted("sent")) == Counter(names)


def test_interrupted_from_the_keyboard_it_says_how_to_go_on(stack: Stack, tmp_path: Path) -> None:
    generate(tmp_path, 20)
    command = Command(stack, tmp_path)
    stack.workers[0].send(signal.SIGSTOP)
    process = command.scan("--recursive")
    command.wait_sent(20)
    process.send_signal(signal.SIGINT)
    status, lines = command.finish(process)
    stack.workers[0].send(signal.SIGCONT)
    assert status == 130
    assert lines[-1]["summary"] == {"sent": 20}
    assert "--resume goes on" in command.evidence()
    status, lines = command.finish(command.scan("--recursive", "--resume"))
    assert status == 0
    assert lines[-1]["summary"] == {"done": 20}


def test_a_broker_that_is_away_for_a_minute_delays_and_loses_nothing(
    redis_settings: RedisSettings, own_rabbit: RabbitServer, tmp_path: Path
) -> None:
    names = generate(tmp_path, 200)
    with Stack(redis_settings, rabbit_settings_of(own_rabbit), tmp_path, ENGINE="fake") as stack:
        command = Command(stack, tmp_path)
        process = command.scan("--recursive", "--jobs", "2")
        command.wait_sent(20)
        own_rabbit.stop()
        sent = len(command.noted("sent"))
        assert sent < len(names)
        # For a minute, nothing is accepted, and nothing is given up.
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert stack.post(drawing(), "probe").status_code == 503
            assert process.poll() is None, command.evidence()
            time.sleep(0.5)
        own_rabbit.start()
        status, lines = command.finish(process, 90)

    assert status == 0, command.evidence()
    assert lines[-1]["summary"] == {"done": len(names)}
    assert known_names(redis_settings) == names
    assert Counter(command.noted("sent")) == Counter(names)


def test_a_service_that_is_away_for_too_long_ends_the_scan_and_can_be_resumed(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    generate(tmp_path, 3)
    with Stack(redis_settings, rabbit_settings, tmp_path, workers=0) as stack:
        command = Command(stack, tmp_path)
        assert stack.rest is not None
        stack.rest.kill()
        status, lines = command.finish(command.scan("--recursive", "--patience", "1"))
        assert status == 3
        assert lines[-1]["code"] == "SERVICE_AWAY"
        stack.start_rest()
        status, lines = command.finish(command.scan("--recursive", "--resume", "--no-wait"))
    assert status == 0
    assert lines[-1]["summary"] == {"sent": 3}
