"""Log records as JSON lines, and which of them go to the topic by which key."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facerec.cli.logs import readable
from facerec.logs import OUR_LOGGERS, set_up_logs, short_hostname


class Topic:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, key: str, make_line: Callable[[], str]) -> None:
        self.sent.append((key, make_line()))


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    names = ("", "pika", *OUR_LOGGERS)
    before = [
        (logging.getLogger(name), logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in names
    ]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_line_has_a_sentence_and_stable_fields() -> None:
    stream = io.StringIO()
    set_up_logs("worker", stream=stream)
    logging.getLogger("worker.app").info("image %s done", "ab", extra={"action": "image_done", "attempt": 2})
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert record["message"] == "image ab done"
    assert (record["action"], record["attempt"], record["level"]) == ("image_done", 2, "INFO")
    assert (record["process"], record["host"]) == ("worker", short_hostname())
    assert record["time"].endswith("+00:00")


def test_odd_fields_are_written_as_plain_json() -> None:
    stream = io.StringIO()
    set_up_logs("rest", stream=stream)
    logging.getLogger("rest").warning("odd", extra={"path": Path("/a"), "tags": {1}, "raw": b"\xff", "message_": "ü"})
    record = json.loads(stream.getvalue())
    assert record["tags"] == [1]
    assert record["message_"] == "ü"
    assert "py/object" not in stream.getvalue()


def test_exception_is_one_line() -> None:
    stream = io.StringIO()
    set_up_logs("rest", stream=stream)
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        logging.getLogger("rest").exception("it broke")
    (line,) = stream.getvalue().splitlines()
    assert "ZeroDivisionError: by zero" in json.loads(line)["error"]


def test_keys_and_levels_of_the_topic() -> None:
    topic, stream = Topic(), io.StringIO()
    set_up_logs("worker", "WARNING", topic, stream)
    log = logging.getLogger("worker.step")
    log.debug("a step")
    log.info("done")
    log.error("bad")
    logging.getLogger("elsewhere").info("not ours")
    host = short_hostname()
    assert [key for key, _line in topic.sent] == [f"{host}.worker.debug", f"{host}.worker.info", f"{host}.worker.info"]
    assert [json.loads(line)["message"] for _key, line in topic.sent] == ["a step", "done", "bad"]
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["bad"]


def test_wrong_record_does_not_stop_the_topic(capsys: pytest.CaptureFixture[str]) -> None:
    topic = Topic()
    set_up_logs("worker", "CRITICAL", topic, io.StringIO())
    logging.getLogger("worker").info("%d", "no number")
    logging.getLogger("worker").info("fine")
    assert "could not be written" in topic.sent[0][1]
    assert "no number" in capsys.readouterr().err
    assert json.loads(topic.sent[1][1])["message"] == "fine"


def test_readable_line() -> None:
    line = json.dumps(
        {"time": "T", "level": "ERROR", "host": "h", "process": "rest", "message": "no\x1b[31m", "action": "x"}
    )
    assert readable("h.rest.info", line) == "T h.rest.info no\\x1b[31m [ERROR] action=x"
    assert readable("k", "no json\n\x1b[31m") == r"k no json\n\x1b[31m"
    assert readable("k", "[1]") == "k [1]"
