"""`python -m facerec logs`: prints what every process logs, until it is told to end."""

from __future__ import annotations

import json
import os
import signal
import sys
from threading import Event

from facerec.adapters.rabbitmq.log_reader import LogReader
from facerec.cli.output import printable
from facerec.config import load_command_settings
from facerec.logs import set_up_logs

IN_FRONT = {"time", "level", "message"}
SAID_BY_THE_KEY = {"host", "process", "pid", "logger"}


def print_logs(patterns: list[str], raw: bool, patience: float) -> int:
    """Print the lines whose routing key matches a pattern; returns the exit status.

    Raises ConfigError, and BrokerUnavailable when RabbitMQ is away for longer than ``patience`` seconds.
    """
    settings = load_command_settings()
    set_up_logs("logs", settings.log_level)
    stop = Event()
    health_file = settings.worker.health_file

    def alive() -> None:
        if health_file:
            health_file.touch()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        for key, line in LogReader(settings.rabbitmq, patterns, patience).lines(stop, alive):
            sys.stdout.write((line if raw else readable(key, line)) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def readable(key: str, line: str) -> str:
    """For people: time, key, sentence, fields, an error's lines below. What is no JSON object of ours is shown whole."""
    try:
        record = json.loads(line)
        head = f"{record['time']} {key} {record['message']}"
    except (ValueError, KeyError, TypeError):
        return printable(f"{key} {line}")
    level = record.get("level", "INFO")
    if level not in {"INFO", "DEBUG"}:
        head = f"{head} [{level}]"
    hidden = IN_FRONT | SAID_BY_THE_KEY | {"error"}
    fields = [f"{name}={value}" for name, value in record.items() if name not in hidden]
    error = str(record.get("error", "")).splitlines()
    return "\n".join(map(printable, [" ".join([head, *fields]), *error]))
