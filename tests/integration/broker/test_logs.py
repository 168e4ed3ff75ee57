"""Logs through a real topic exchange, and the command that prints them."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from facerec.adapters.rabbitmq import TopicLogs, log_reader
from facerec.adapters.rabbitmq.log_reader import LogReader
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from facerec.local.servers import RabbitServer
from tests.brokers import PATIENCE, OverRabbit, until
from tests.stopwatch import stopwatch


class Printed:
    """Reads the topic in a thread."""

    def __init__(
        self, settings: RabbitSettings, patterns: tuple[str, ...] = ("#",), patience: float = math.inf
    ) -> None:
        self.lines: list[tuple[str, str]] = []
        self._stop = threading.Event()
        self._reader = LogReader(settings, patterns, patience)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._reader.lines(self._stop):
            self.lines.append(line)

    def has(self, text: str) -> Callable[[], bool]:
        return lambda: any(line == text for _key, line in self.lines)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@contextmanager
def logs(settings: RabbitSettings) -> Iterator[TopicLogs]:
    topic = TopicLogs(settings)
    yield topic
    topic.close()


def wait_for_reader(topic: TopicLogs, printed: Printed, key: str = "h.rest.info") -> None:
    """A line that is sent before the reader is bound reaches nobody."""

    def arrived() -> bool:
        topic.send(key, lambda: "are you there")
        return printed.has("are you there")()

    until(arrived)


def test_lines_arrive_in_order_by_their_keys(direct: RabbitSettings) -> None:
    all_lines, some = Printed(direct), Printed(direct, ("*.worker.info", "*.rest.info"))
    with logs(direct) as topic:
        wait_for_reader(topic, all_lines)
        wait_for_reader(topic, some)
        for number in range(200):
            topic.send("h.worker.debug" if number % 2 else "h.worker.info", lambda number=number: str(number))  # type: ignore[misc]
        until(all_lines.has("199"))
        until(some.has("198"))
    assert [line for _key, line in all_lines.lines if line.isdigit()] == [str(number) for number in range(200)]
    assert [line for _key, line in some.lines if line.isdigit()] == [str(number) for number in range(0, 200, 2)]
    assert topic.dropped == 0
    all_lines.end()
    some.end()


def test_close_sends_what_is_left(direct: RabbitSettings) -> None:
    printed = Printed(direct)
    with logs(direct) as topic:
        wait_for_reader(topic, printed)
        topic.send("h.rest.info", lambda: "last words")
    until(printed.has("last words"))
    printed.end()


def test_broker_away_costs_nothing_and_lines_beyond_the_capacity_are_dropped(rabbit: OverRabbit) -> None:
    rabbit.proxy.down()
    topic = TopicLogs(rabbit.settings, capacity=100)
    with stopwatch() as watch:
        for number in range(10_000):
            topic.send("h.rest.info", lambda number=number: str(number))  # type: ignore[misc]
    assert watch.seconds < 1
    assert topic.dropped >= 9_900
    printed = Printed(dataclasses.replace(rabbit.settings))
    rabbit.proxy.up()
    wait_for_reader(topic, printed)
    topic.close()
    printed.end()


def test_black_hole_costs_nothing(rabbit: OverRabbit) -> None:
    topic = TopicLogs(rabbit.settings, capacity=100)
    topic.send("h.rest.info", lambda: "before")
    with rabbit.proxy.black_hole(upstream=True, downstream=True):
        with stopwatch() as watch:
            for _ in range(10_000):
                topic.send("h.rest.info", lambda: "x" * 1000)
        assert watch.seconds < 1
        assert topic.dropped > 0
        topic.close()


def test_memory_alarm_costs_nothing(direct: RabbitSettings, rabbit_server: RabbitServer) -> None:
    with rabbit_server.memory_alarm(), logs(direct) as topic:
        with stopwatch() as watch:
            for _ in range(1000):
                topic.send("h.rest.info", lambda: "x")
        assert watch.seconds < 1


def test_reader_comes_back(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    printed = Printed(rabbit.settings)
    with logs(direct) as topic:
        wait_for_reader(topic, printed)
        rabbit.proxy.cut()
        printed.lines.clear()
        wait_for_reader(topic, printed)
    printed.end()


def test_forked_child_sends_its_own_lines_and_no_others(direct: RabbitSettings) -> None:
    printed = Printed(direct)
    with logs(direct) as topic:
        wait_for_reader(topic, printed)
        topic.send("h.rest.info", lambda: "parent")
        child = os.fork()
        if child == 0:
            try:
                topic.send("h.rest.info", lambda: "child")
                topic.close()
                os._exit(0)
            finally:
                os._exit(1)
        _pid, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        until(printed.has("child"))
        until(printed.has("parent"))
    assert [line for _key, line in printed.lines].count("parent") == 1
    printed.end()


def test_closed_topic_drops(direct: RabbitSettings) -> None:
    topic = TopicLogs(direct)
    topic.close()
    topic.send("h.rest.info", lambda: "late")
    assert topic.dropped == 1


def test_reader_gives_up_when_its_patience_ends(rabbit: OverRabbit) -> None:
    rabbit.proxy.down()
    tries: list[None] = []
    reader = LogReader(rabbit.settings, patience=0.5)
    with stopwatch() as watch, pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{rabbit.proxy.port}"):
        list(reader.lines(threading.Event(), lambda: tries.append(None)))
    assert watch.seconds < 5
    assert len(tries) > 1


def test_patience_begins_anew_with_each_interruption(
    rabbit: OverRabbit, direct: RabbitSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr(log_reader, "monotonic", lambda: time.monotonic() + passed[0])
    printed = Printed(rabbit.settings, patience=60)
    with logs(direct) as topic:
        for _ in range(2):
            wait_for_reader(topic, printed)
            passed[0] += 3600
            rabbit.proxy.cut()
            printed.lines.clear()
        wait_for_reader(topic, printed)
    printed.end()


def command_over(settings: RabbitSettings, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "RABBITMQ_PORT": str(settings.port),
        "RABBITMQ_USER": settings.user,
        "RABBITMQ_PASSWORD": settings.password.reveal(),
        "RABBITMQ_VHOST": settings.vhost,
    }
    command = [sys.executable, "-m", "facerec", "logs", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_command_ends_when_there_is_no_broker(rabbit: OverRabbit) -> None:
    rabbit.proxy.down()
    with command_over(rabbit.settings, "--patience", "0.3") as process:
        said, remarks = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert said == ""
    assert remarks.splitlines()[-1].startswith("facerec: RabbitMQ is not available: ")


def test_command_ends_when_the_broker_goes_away_for_good(rabbit: OverRabbit) -> None:
    with command_over(rabbit.settings, "--json", "--patience", "0.3") as process:
        assert process.stderr is not None
        assert "logs_reading" in process.stderr.readline()
        rabbit.proxy.down()
        said, _remarks = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert json.loads(said)["code"] == "SERVICE_UNAVAILABLE"


def test_command_waits_for_ever_when_it_is_told_to(rabbit: OverRabbit) -> None:
    rabbit.proxy.down()
    with command_over(rabbit.settings, "--patience", "inf") as process:
        assert process.stderr is not None
        for _ in range(3):
            assert "broker_down" in process.stderr.readline()
        rabbit.proxy.up()
        assert any("logs_reading" in line for line in process.stderr)
        process.terminate()
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_prints_until_it_is_told_to_end(direct: RabbitSettings, number: signal.Signals) -> None:
    with command_over(direct, "--key", "*.rest.info") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "logs_reading" in process.stderr.readline()
        with logs(direct) as topic:
            topic.send("h.worker.info", lambda: "not asked for")
            topic.send("h.rest.info", lambda: '{"time": "T", "level": "INFO", "message": "hello", "action": "greet"}')
            assert process.stdout.readline() == "T h.rest.info hello action=greet\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0


def test_command_names_a_wrong_setting() -> None:
    command = [sys.executable, "-m", "facerec", "logs"]
    done = subprocess.run(command, env=os.environ | {"RABBITMQ_PORT": "x"}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "RABBITMQ_PORT" in done.stderr
