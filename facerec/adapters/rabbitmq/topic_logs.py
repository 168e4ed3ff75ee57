"""Log lines to the topic exchange, by a thread and a connection of their own."""

from __future__ import annotations

import logging
import os
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic

from pika import BasicProperties
from pika.channel import Channel
from pika.exceptions import ChannelClosedByClient

from facerec.adapters.rabbitmq.errors import lost
from facerec.adapters.rabbitmq.link import Link, Operation
from facerec.adapters.rabbitmq.session import Session
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from facerec.topology import LOGS_EXCHANGE

CAPACITY = 10_000
"""Lines kept while the broker is away or slow; what comes then is dropped and counted."""
GATHER = 0.05
"""Seconds in which lines are gathered, so that a busy process opens 20 channels a second and not one for each line."""
PAUSE = 1.0
"""Seconds before the next try after a failure."""

Line = tuple[str, Callable[[], str]]
log = logging.getLogger(__name__)


class TopicLogs:
    """`facerec.logs.LogTopic`. ``dropped`` counts the lines that were lost."""

    def __init__(self, settings: RabbitSettings, capacity: int = CAPACITY) -> None:
        self.dropped = 0
        self._reported = 0
        self._timeout = settings.timeout
        self._capacity = capacity
        self._link = Link(settings, "facerec logs")
        self._lines: deque[Line] = deque()
        self._flushing: Future[int] | None = None
        self._not_before = 0.0
        forget = weakref.WeakMethod(self._forget_parent)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def send(self, key: str, make_line: Callable[[], str]) -> None:
        if len(self._lines) >= self._capacity:
            self.dropped += 1
        else:
            self._lines.append((key, make_line))
        flushing = self._flushing
        if (flushing is None or flushing.done()) and monotonic() >= self._not_before:
            self._flush()

    def close(self) -> None:
        """Send what is left, for ``settings.timeout`` at most."""
        flush = _Flush(self._lines, 0.0)
        try:
            self._link.call(flush, monotonic() + self._timeout)
        except BrokerUnavailable:
            self.dropped += flush.taken + len(self._lines)
        self._link.close()

    def _forget_parent(self) -> None:
        """The parent sends its lines itself, and its flush will never end in the child."""
        self._lines.clear()
        self._flushing = None

    def _flush(self) -> None:
        """Several threads may come here at once: then each flush takes a part of the lines."""
        operation = _Flush(self._lines, GATHER)
        self._flushing = operation.future
        operation.future.add_done_callback(lambda future: self._flushed(operation, future))
        try:
            self._link.submit(operation)
        except BrokerUnavailable:
            self.dropped += len(self._lines)
            self._lines.clear()

    def _flushed(self, operation: _Flush, future: Future[int]) -> None:
        """Called by the link's thread."""
        if future.cancelled() or future.exception() is not None:
            self.dropped += operation.taken
            self._not_before = monotonic() + PAUSE
        elif self.dropped > self._reported:
            dropped, self._reported = self.dropped - self._reported, self.dropped
            log.warning("dropped %d log lines: the broker was away or slow", dropped, extra={"action": "logs_dropped"})
        elif self._lines:
            self._flush()


class _Flush(Operation[int]):
    """Publishes the lines that there are; done when the broker has read them all, which its goodbye to the channel tells."""

    def __init__(self, lines: deque[Line], delay: float) -> None:
        super().__init__()
        self.taken = 0
        self._lines = lines
        self._delay = delay

    def start(self, session: Session) -> None:
        session.connection.ioloop.call_later(self._delay, lambda: self._open(session))

    def _open(self, session: Session) -> None:
        if session.connection.is_open:
            session.connection.channel(on_open_callback=self._opened).add_on_close_callback(self._closed)

    def _opened(self, channel: Channel) -> None:
        properties = BasicProperties(content_type="application/json")
        for _ in range(len(self._lines)):
            key, make_line = self._lines.popleft()
            self.taken += 1
            channel.basic_publish(LOGS_EXCHANGE, key, make_line().encode(), properties)
        channel.close()

    def _closed(self, _channel: Channel, reason: Exception) -> None:
        if isinstance(reason, ChannelClosedByClient):
            self.finish(self.taken)
        else:
            self.fail(lost(reason))
