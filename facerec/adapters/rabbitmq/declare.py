"""Declares the topology: asynchronously for the long-lived connections, blockingly for the short ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel
from pika.connection import Connection

from facerec.topology import EXCHANGES, queues


def declare(connection: Connection, done: Callable[[], None], failed: Callable[[Exception], None]) -> None:
    """Declare everything on a channel of its own, which a refusal closes; then call ``done`` or ``failed``."""
    _Declaration(connection, done, failed)


def declare_now(channel: BlockingChannel) -> None:
    """Declare everything and return when the broker has it."""
    _declare_on(channel)


def _declare_on(channel: Any) -> None:
    for exchange in EXCHANGES:
        channel.exchange_declare(exchange.name, exchange.kind, durable=True)
    for queue in queues():
        channel.queue_declare(queue.name, durable=True, arguments=queue.arguments)
        for exchange_name, key in queue.bindings:
            channel.queue_bind(queue.name, exchange_name, key)


class _Declaration:
    def __init__(self, connection: Connection, done: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        self._done = done
        self._failed = failed
        self._finished = False
        connection.channel(on_open_callback=self._opened).add_on_close_callback(self._closed)

    def _opened(self, channel: Channel) -> None:
        """pika sends each declaration when the one before was answered, so the last answer says that all were good."""
        _declare_on(channel)
        channel.basic_qos(prefetch_count=1, callback=lambda _frame: self._finish(channel))

    def _finish(self, channel: Channel) -> None:
        self._finished = True
        channel.close()
        self._done()

    def _closed(self, _channel: Channel, reason: Exception) -> None:
        if not self._finished:
            self._failed(reason)
