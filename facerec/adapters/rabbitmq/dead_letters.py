"""The dead letters' queue, looked through message by message: AMQP can neither search nor read without taking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pika import BasicProperties, BlockingConnection
from pika.adapters.blocking_connection import BlockingChannel

from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.rabbitmq.declare import declare_now
from facerec.adapters.rabbitmq.errors import broker_errors
from facerec.config import RabbitSettings
from facerec.letters import dead_letter, message_id, redriven_headers
from facerec.ports import DeadLetter
from facerec.topology import DEAD_QUEUE, SCAN_KEY, WORK_EXCHANGE

PERSISTENT = 2
Taken = tuple[DeadLetter, int, BasicProperties, bytes]


class RabbitDeadLetters:
    """`facerec.ports.DeadLetterBox`, with a short connection for each call.

    Letters are taken without acknowledgement; when the connection closes, those that were not acknowledged are back at
    their places. So none is lost whatever dies.
    """

    def __init__(self, settings: RabbitSettings) -> None:
        self._settings = settings

    def count(self) -> int:
        with self._channel() as channel:
            return _count(channel)

    def list(self, limit: int) -> list[DeadLetter]:
        with self._channel() as channel:
            return [letter for letter, _tag, _properties, _body in _take(channel, limit)]

    def redrive(
        self,
        predicate: Callable[[DeadLetter], bool],
        prepare: Callable[[DeadLetter], Mapping[str, Any]] = lambda _letter: {},
    ) -> Sequence[DeadLetter]:
        """Each is acknowledged after its job was confirmed: a crash between makes a job twice, never none."""
        redriven = []
        with self._channel() as channel:
            channel.confirm_delivery()
            for letter, tag, properties, body in _take(channel, _count(channel)):
                if predicate(letter):
                    headers = redriven_headers(properties.headers or {}, prepare(letter))
                    channel.basic_publish(WORK_EXCHANGE, SCAN_KEY, body, _job_properties(headers), mandatory=True)
                    channel.basic_ack(tag)
                    redriven.append(letter)
        return redriven

    def drop(self, predicate: Callable[[DeadLetter], bool]) -> Sequence[DeadLetter]:
        dropped = []
        with self._channel() as channel:
            for letter, tag, _properties, _body in _take(channel, _count(channel)):
                if predicate(letter):
                    channel.basic_ack(tag)
                    dropped.append(letter)
        return dropped

    @contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        parameters = connection_parameters(self._settings, "facerec dead letters", self._settings.timeout)
        with broker_errors(), BlockingConnection(parameters) as connection:
            channel = connection.channel()
            declare_now(channel)
            yield channel


def _count(channel: BlockingChannel) -> int:
    return int(channel.queue_declare(DEAD_QUEUE, passive=True).method.message_count)


def _take(channel: BlockingChannel, limit: int) -> Iterator[Taken]:
    for _ in range(limit):
        method, properties, body = channel.basic_get(DEAD_QUEUE)
        if method is None:
            return
        yield dead_letter(properties.headers or {}, len(body)), method.delivery_tag, properties, body


def _job_properties(headers: dict[str, Any]) -> BasicProperties:
    return BasicProperties(
        headers=headers,
        message_id=message_id(headers),
        content_type="application/octet-stream",
        delivery_mode=PERSISTENT,
    )
