"""What everybody logs, as it happens."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from random import random
from threading import Event
from time import monotonic

from pika import BlockingConnection
from pika.adapters.blocking_connection import BlockingChannel

from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.rabbitmq.errors import broker_errors
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from facerec.outcome import backoff
from facerec.topology import LOGS_EXCHANGE

LOOK_UP = 0.25
"""Seconds after which to look whether to stop."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

log = logging.getLogger(__name__)


class LogReader:
    """Reads the topic exchange from a queue of its own, which ends with the connection.

    ``patience``: seconds for which a broker that is away is waited for, at the start and after each interruption.
    """

    def __init__(self, settings: RabbitSettings, patterns: Sequence[str] = ("#",), patience: float = math.inf) -> None:
        self._settings = settings
        self._patterns = patterns
        self._patience = patience

    def lines(self, stop: Event, alive: Callable[[], None] = lambda: None) -> Iterator[tuple[str, str]]:
        """Routing key and line of every log record from now on until ``stop`` is set; connects again by itself.

        ``alive`` is called several times a second, or after each try to connect, as long as this works.
        Raises BrokerUnavailable when the patience ends.
        """
        failures, away_since = 0, 0.0
        while not stop.is_set():
            try:
                with (
                    broker_errors(),
                    BlockingConnection(connection_parameters(self._settings, "facerec log reader")) as connection,
                ):
                    channel = connection.channel()
                    queue = self._bind(channel)
                    failures = 0
                    yield from _consume(channel, queue, stop, alive)
            except BrokerUnavailable as error:
                if not failures:
                    away_since = monotonic()
                failures += 1
                alive()
                pause = self._pause(failures, monotonic() - away_since, error)
                log.warning("%s; next try in %.1f s", error, pause, extra={"action": "broker_down"})
                stop.wait(pause)

    def _pause(self, failures: int, away: float, error: BrokerUnavailable) -> float:
        """Seconds until the next try. Raises BrokerUnavailable when there shall be none."""
        left = self._patience - away
        if left <= 0:
            where = ", ".join(f"{host}:{port}" for host, port in self._settings.nodes)
            tried = f", for {away:.0f} seconds" if away >= 1 else ""
            raise BrokerUnavailable(f"{error.reason} (at {where}{tried})") from error
        return min(LONGEST_PAUSE, left, backoff(failures, FIRST_PAUSE, random()))  # noqa: S311 - spreads the load only

    def _bind(self, channel: BlockingChannel) -> str:
        channel.exchange_declare(LOGS_EXCHANGE, "topic", durable=True)
        queue = str(channel.queue_declare("", exclusive=True).method.queue)
        for pattern in self._patterns:
            channel.queue_bind(queue, LOGS_EXCHANGE, pattern)
        log.info("reading logs by the keys %s", " ".join(self._patterns), extra={"action": "logs_reading"})
        return queue


def _consume(channel: BlockingChannel, queue: str, stop: Event, alive: Callable[[], None]) -> Iterator[tuple[str, str]]:
    for method, _properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=LOOK_UP):
        alive()
        if method is not None:
            yield method.routing_key, body.decode("utf-8", "replace")
        if stop.is_set():
            return
