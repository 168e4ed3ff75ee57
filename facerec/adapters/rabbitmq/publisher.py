"""The way to the scan queue, with the broker's confirm for every message."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from time import monotonic
from typing import Any

from pika import BasicProperties
from pika.channel import Channel

from facerec.adapters.rabbitmq.confirms import Message, Publish
from facerec.adapters.rabbitmq.errors import NOT_FOUND, ConnectionLost, Refused, Unroutable, is_closed_with, lost
from facerec.adapters.rabbitmq.link import Declare, Link, Operation
from facerec.adapters.rabbitmq.session import Session
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from facerec.jobs import RegenerateJob, ScanJob
from facerec.letters import buried_headers, message_id
from facerec.ports import QueueState
from facerec.topology import (
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    RETRY_EXCHANGE,
    SCAN_KEY,
    SCAN_QUEUE,
    WORK_EXCHANGE,
    job_queues,
    retry_queue,
    retry_step,
)

TRIES = 3
"""One on a connection that turns out to be dead, one that is refused or for which queues were missing, one that ought to work."""
DEPTH_AGE = 1.0
PERSISTENT = 2


class RabbitJobPublisher:
    """`facerec.ports.JobPublisher` on one connection per process, owned by one thread."""

    def __init__(self, settings: RabbitSettings, name: str = "facerec publisher") -> None:
        self._timeout = settings.timeout
        self._link = Link(settings, name)
        self._depth = _Remembered(self._ask_depth)

    def publish(self, job: ScanJob | RegenerateJob) -> None:
        self._confirmed(Message(WORK_EXCHANGE, SCAN_KEY, _properties(job.headers), job.body))

    def retry(self, job: ScanJob, delay: float) -> None:
        self.delay(job.headers, job.body, delay)

    def delay(self, headers: Mapping[str, Any], body: bytes, delay: float) -> None:
        step = retry_step(delay)
        milliseconds = round(min(max(delay, 0.0), step) * 1000)
        properties = _properties(headers, expiration=str(milliseconds))
        self._confirmed(Message(RETRY_EXCHANGE, retry_queue(step), properties, body))

    def bury(self, headers: Mapping[str, Any], body: bytes, code: str, reason: str) -> None:
        self._confirmed(Message(DEAD_EXCHANGE, DEAD_QUEUE, _properties(buried_headers(headers, code, reason)), body))

    def depth(self) -> int:
        return self._depth.get()

    def ping(self) -> None:
        self._depth.get()

    def close(self) -> None:
        """Wait for the confirms of what is on its way, then disconnect."""
        self._link.close()

    def queue_state(self) -> QueueState:
        asked = [self._ask(queue) for queue in job_queues()]
        return QueueState(sum(each.waiting for each in asked), asked[0].consumers)

    def _ask_depth(self) -> int:
        return self._ask(SCAN_QUEUE).waiting

    def _ask(self, queue: str) -> QueueState:
        return self._link.call(_Ask(queue), monotonic() + self._timeout)

    def _confirmed(self, message: Message) -> None:
        deadline = monotonic() + self._timeout
        for tries_left in reversed(range(TRIES)):
            try:
                return self._link.call(Publish(message), deadline)
            except (ConnectionLost, Refused):
                if not tries_left:
                    raise
            except Unroutable:
                if not tries_left:
                    raise
                self._link.call(Declare(), deadline)
        return None


def _properties(headers: Mapping[str, Any], expiration: str | None = None) -> BasicProperties:
    return BasicProperties(
        headers=dict(headers),
        message_id=message_id(headers),
        timestamp=int(time.time()),
        content_type="application/octet-stream",
        delivery_mode=PERSISTENT,
        expiration=expiration,
    )


class _Ask(Operation[QueueState]):
    """How it stands with one queue. One that is gone holds nothing; the next publish declares it again."""

    def __init__(self, queue: str) -> None:
        super().__init__()
        self._queue = queue

    def start(self, session: Session) -> None:
        self._session = session
        session.connection.channel(on_open_callback=self._opened).add_on_close_callback(self._closed)

    def _opened(self, channel: Channel) -> None:
        channel.queue_declare(self._queue, passive=True, callback=lambda frame: self._counted(channel, frame))

    def _counted(self, channel: Channel, frame: Any) -> None:
        self._session.progress += 1
        self.finish(QueueState(frame.method.message_count, frame.method.consumer_count))
        channel.close()

    def _closed(self, _channel: Channel, reason: Exception) -> None:
        if is_closed_with(reason, NOT_FOUND):
            self.finish(QueueState(0, 0))
        else:
            self.fail(lost(reason))


class _Remembered:
    """The queue's depth, asked at most once in DEPTH_AGE seconds whatever the number of threads; a failure counts, too."""

    def __init__(self, ask: Any) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._until = 0.0
        self._depth = 0
        self._failure: BrokerUnavailable | None = None

    def get(self) -> int:
        with self._lock:
            if monotonic() >= self._until:
                self._renew()
            if self._failure is not None:
                raise BrokerUnavailable(self._failure.reason, self._failure.retry_after) from self._failure
            return self._depth

    def _renew(self) -> None:
        try:
            self._depth, self._failure = self._ask(), None
        except BrokerUnavailable as error:
            self._failure = error
        self._until = monotonic() + DEPTH_AGE
