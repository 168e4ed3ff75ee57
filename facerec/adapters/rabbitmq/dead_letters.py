"""The dead letters' queue, looked through message by message: AMQP can neither search nor read without taking."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pika import BasicProperties, BlockingConnection
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.rabbitmq.declare import declare_now
from facerec.adapters.rabbitmq.errors import RESOURCE_LOCKED, broker_errors, is_closed_with
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from facerec.letters import dead_letter, message_id, redriven_headers
from facerec.ports import DeadLetter
from facerec.topology import DEAD_LOCK, DEAD_QUEUE, SCAN_KEY, WORK_EXCHANGE

PERSISTENT = 2
TURN = 10.0
"""Seconds that a caller waits until others have looked through the letters."""
HIDDEN = 3.0
"""Seconds that a caller waits for letters that he knows of and did not meet: a release before this one hides them while it looks,
and RabbitMQ needs a moment to take back what a look has left there."""
_PAUSE = 0.2
"""Seconds between two questions; RabbitMQ notes an error for each caller who asks for a turn that somebody has."""
Taken = tuple[DeadLetter, int, BasicProperties, bytes]


class RabbitDeadLetters:
    """`facerec.ports.DeadLetterBox`, with a short connection for each call.

    Letters are taken without acknowledgement; when the connection closes, those that were not acknowledged are back at
    their places. So none is lost whatever dies, and as the lock is the connection's, no letter is hidden without it.
    """

    def __init__(self, settings: RabbitSettings) -> None:
        self._settings = settings
        self._turns = threading.Lock()

    def count(self) -> int:
        with self._connection() as connection:
            return _count(_channel(connection))

    def list(self, limit: int) -> list[DeadLetter]:
        with self._turn() as channel:
            return [letter for letter, _tag, _properties, _body in _take(channel, limit)]

    def redrive(
        self,
        predicate: Callable[[DeadLetter], bool],
        prepare: Callable[[DeadLetter], Mapping[str, Any]] = lambda _letter: {},
        expected: int | None = None,
    ) -> Sequence[DeadLetter]:
        """Each is acknowledged after its job was confirmed: a crash between makes a job twice, never none."""
        with self._turn() as channel:
            channel.confirm_delivery()

            def publish(letter: DeadLetter, properties: BasicProperties, body: bytes) -> None:
                headers = redriven_headers(properties.headers or {}, prepare(letter))
                channel.basic_publish(WORK_EXCHANGE, SCAN_KEY, body, _job_properties(headers), mandatory=True)

            return _sift(channel, predicate, publish, expected)

    def drop(self, predicate: Callable[[DeadLetter], bool], expected: int | None = None) -> Sequence[DeadLetter]:
        with self._turn() as channel:
            return _sift(channel, predicate, lambda *_: None, expected)

    @contextmanager
    def _connection(self) -> Iterator[BlockingConnection]:
        parameters = connection_parameters(self._settings, "facerec dead letters", self._settings.timeout)
        with broker_errors(), BlockingConnection(parameters) as connection:
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[BlockingChannel]:
        """Wait for the others of this process, then for other processes. Raises BrokerUnavailable."""
        if not self._turns.acquire(timeout=TURN):
            raise _others_look()
        try:
            with self._connection() as connection:
                _wait_for_turn(connection)
                yield _channel(connection)
        finally:
            self._turns.release()


def _channel(connection: BlockingConnection) -> BlockingChannel:
    channel = connection.channel()
    declare_now(channel)
    return channel


def _wait_for_turn(connection: BlockingConnection) -> None:
    """The broker tells nobody that an exclusive queue is free: it is asked again and again. Raises BrokerUnavailable."""
    until = time.monotonic() + TURN
    while not _has_turn(connection):
        if time.monotonic() >= until:
            raise _others_look()
        connection.sleep(_PAUSE)


def _others_look() -> BrokerUnavailable:
    return BrokerUnavailable("somebody else looks through the dead letters")


def _has_turn(connection: BlockingConnection) -> bool:
    try:
        connection.channel().queue_declare(DEAD_LOCK, exclusive=True)
    except ChannelClosedByBroker as error:
        if is_closed_with(error, RESOURCE_LOCKED):
            return False
        raise
    return True


def _count(channel: BlockingChannel) -> int:
    return int(channel.queue_declare(DEAD_QUEUE, passive=True).method.message_count)


def _sift(
    channel: BlockingChannel,
    predicate: Callable[[DeadLetter], bool],
    use: Callable[[DeadLetter, BasicProperties, bytes], None],
    expected: int | None,
) -> list[DeadLetter]:
    """Take out the letters that ``predicate`` picks, after ``use`` of each."""
    picked: list[DeadLetter] = []
    for letter, tag, properties, body in _take(channel, _count(channel)) if expected is None else _await(channel):
        if predicate(letter):
            use(letter, properties, body)
            channel.basic_ack(tag)
            picked.append(letter)
        if len(picked) == expected:
            break
    return picked


def _take(channel: BlockingChannel, limit: int) -> Iterator[Taken]:
    for _ in range(limit):
        taken = _next(channel)
        if taken is None:
            return
        yield taken


def _await(channel: BlockingChannel) -> Iterator[Taken]:
    """Letters until there was none for a while: some may be hidden."""
    until = time.monotonic() + HIDDEN
    while time.monotonic() < until:
        taken = _next(channel)
        if taken is None:
            channel.connection.sleep(_PAUSE)
            continue
        yield taken
        until = time.monotonic() + HIDDEN


def _next(channel: BlockingChannel) -> Taken | None:
    method, properties, body = channel.basic_get(DEAD_QUEUE)
    if method is None:
        return None
    return dead_letter(properties.headers or {}, len(body)), method.delivery_tag, properties, body


def _job_properties(headers: dict[str, Any]) -> BasicProperties:
    return BasicProperties(
        headers=headers,
        message_id=message_id(headers),
        content_type="application/octet-stream",
        delivery_mode=PERSISTENT,
    )
