"""Log records: a sentence for people and stable fields for programs, as JSON lines on stderr and on the topic `logs`.

Log with ``log.info("sentence", extra={"action": "image_done", "image_hash": ...})``. ``action`` names what happened, from a
small vocabulary; fields are words of the field, never Python's own attribute names (`logging` refuses those).

A record goes to the topic with the routing key ``<hostname>.<process>.debug`` or, from INFO upward,
``<hostname>.<process>.info``. The host name is cut at its first dot, because a dot divides the words of a routing key.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

import jsonpickle

OUR_LOGGERS = ("facerec", "rest", "worker")
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogTopic(Protocol):
    """The way to the topic exchange."""

    def send(self, key: str, make_line: Callable[[], str]) -> None:
        """Publish what ``make_line`` gives, soon and by another thread. Never waits, never raises; may drop the line."""


def set_up_logs(process: str, level: str = "INFO", topic: LogTopic | None = None, stream: TextIO | None = None) -> None:
    """Set up logging for the whole process, called ``process`` in its records (``rest``, ``worker``, ``logs`` ...).

    ``level`` is what goes to ``stream`` (default: stderr) as JSON lines. With a ``topic``, records of our own loggers go
    there from DEBUG upward. pika's own messages are left out below CRITICAL: every error of it reaches us as an exception,
    which is logged once where it is dealt with.
    """
    formatter = JsonFormatter(process)
    plain = logging.StreamHandler(stream or sys.stderr)
    plain.setFormatter(formatter)
    plain.setLevel(level)
    root = logging.getLogger()
    root.handlers[:] = [plain]
    root.setLevel(level)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    handler = TopicHandler(topic, formatter) if topic is not None else None
    for name in OUR_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler] if handler else []
        logger.setLevel(logging.DEBUG if handler else logging.NOTSET)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON. Fields may hold anything: jsonpickle only ever writes them, nothing reads types back."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process
        self.host = short_hostname()

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "host": self.host,
            "process": self.process,
            "pid": record.process or os.getpid(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _OWN_ATTRIBUTES:
                line.setdefault(name, value)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return to_json(line)


class TopicHandler(logging.Handler):
    """Hands records to the topic."""

    def __init__(self, topic: LogTopic, formatter: JsonFormatter) -> None:
        super().__init__()
        self._topic = topic
        self._formatter = formatter
        self._prefix = f"{formatter.host}.{formatter.process}"

    def emit(self, record: logging.LogRecord) -> None:
        level = "info" if record.levelno >= logging.INFO else "debug"
        self._topic.send(f"{self._prefix}.{level}", lambda: self._line(record))

    def _line(self, record: logging.LogRecord) -> str:
        """Called by the topic's thread, which must outlive a record with, say, wrong arguments."""
        try:
            return self._formatter.format(record)
        except Exception as error:  # noqa: BLE001 - as logging's own handlers do: it is told on stderr
            self.handleError(record)
            return to_json({"message": f"a log record could not be written: {error}"})


def to_json(line: dict[str, Any]) -> str:
    """One line of JSON. What JSON has no word for goes to jsonpickle, and only that, because it takes ten times as long."""
    try:
        return json.dumps(line)
    except (TypeError, ValueError):
        # ``keys`` is what jsonpickle 5 will do and 4 warns about; our own keys are text either way.
        return str(jsonpickle.encode(line, unpicklable=False, keys=True))


def short_hostname() -> str:
    """The host's name up to its first dot."""
    return socket.gethostname().split(".")[0] or "localhost"
