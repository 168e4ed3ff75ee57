"""One connection of a consumer, with a channel for each queue.

A channel each, because the broker punishes by closing the channel (an acknowledgement that came too late, a queue with a
fault), and then the others go on.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from pika import BasicProperties
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from facerec.adapters.rabbitmq.errors import NOT_FOUND
from facerec.adapters.rabbitmq.session import Session
from facerec.adapters.rabbitmq.subscription import Lane, Share, Subscription, Tag
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from facerec.ports import Delivery

Handler = Callable[[Delivery], None]
log = logging.getLogger(__name__)


class Intake:
    """All methods but `post` and `acknowledge` run in the thread that called `run`."""

    def __init__(self, settings: RabbitSettings, name: str, shares: Sequence[Share], handle: Handler) -> None:
        self.loop = IOLoop()
        self._handle = handle
        self._fault: Exception | None = None
        self.cancelled = False
        self._acks: deque[Sequence[Tag]] = deque()
        self._scheduled = False
        self.ended = False
        self._error: Exception = BrokerUnavailable("the connection to RabbitMQ has been closed")
        self._was_ready = False
        self._replies: Channel | None = None
        self._subscriptions = [Subscription(self, share) for share in shares]
        self.session = Session(settings, name, self.loop, on_ready=self._on_ready, on_end=self._on_end)

    def run(self) -> tuple[bool, Exception]:
        """Consume until the connection ends; whether it had been good, and why it ended. Raises what ``handle`` raises."""
        self.loop.start()
        self._flush()
        self.loop.close()
        if self._fault is not None:
            raise self._fault
        return self._was_ready, self._error

    def deliver(self, delivery: Delivery) -> None:
        """pika would take a fault of the handler for one of the connection."""
        try:
            self._handle(delivery)
        except Exception as fault:  # noqa: BLE001 - raised again by `run`
            self._fault = fault
            self.session.abort("the consumer failed")

    @property
    def consuming(self) -> bool:
        return all(subscription.consuming for subscription in self._subscriptions)

    def post(self, action: Callable[[], None]) -> None:
        """Have ``action`` called by the thread that owns the connection. Any thread may call this."""
        self.loop.add_callback_threadsafe(action)

    def acknowledge(self, tags: Sequence[Tag]) -> None:
        """Any thread may call this. What several threads bring at once goes in one hop."""
        self._acks.append(tags)
        if not self._scheduled:
            self._scheduled = True
            self.post(self._flush)

    def cancel(self) -> None:
        """Take no more messages."""
        self.cancelled = True
        for subscription in self._subscriptions:
            subscription.cancel()

    def close(self) -> None:
        """Acknowledge what is to be acknowledged, then end."""
        self._flush()
        self.cancelled = True
        self.session.close()

    def reply(self, reply_to: str, correlation_id: str, body: bytes) -> None:
        """Publish an answer; the broker drops it when nobody waits."""
        if self.ended or self._replies is None or not self._replies.is_open:
            log.warning("dropped an answer: its connection is gone", extra={"action": "reply_dropped"})
            return
        properties = BasicProperties(correlation_id=correlation_id, content_type="application/json")
        self._replies.basic_publish("", reply_to, body, properties)

    def probe(self, reply_to: str, answer: Future[bool]) -> None:
        """Whether the reply queue exists; a channel of its own, because the broker's no closes it. A broker that has other troubles
        does not say that nobody waits."""
        if self.ended or not self.session.connection.is_open:
            answer.set_result(False)
            return

        def found(channel: Channel) -> None:
            answer.set_result(True)
            channel.close()

        def closed(_channel: Channel, reason: Exception) -> None:
            if not answer.done():
                answer.set_result(isinstance(reason, ChannelClosedByBroker) and reason.reply_code != NOT_FOUND)

        def opened(channel: Channel) -> None:
            channel.queue_declare(reply_to, passive=True, callback=lambda _frame: found(channel))

        self.session.connection.channel(on_open_callback=opened).add_on_close_callback(closed)

    def _on_ready(self) -> None:
        self._was_ready = True
        self._open_replies()
        for subscription in self._subscriptions:
            subscription.open()

    def _open_replies(self) -> None:
        self._replies = self.session.connection.channel()
        self._replies.add_on_close_callback(self._replies_closed)

    def _replies_closed(self, _channel: Channel, reason: Exception) -> None:
        if self.session.connection.is_open:
            log.warning("RabbitMQ closed the channel of answers: %s", reason, extra={"action": "channel_closed"})
            self._open_replies()

    def _on_end(self, error: Exception) -> None:
        self.ended = True
        self._error = error
        for subscription in self._subscriptions:
            subscription.consuming = False
        self.loop.stop()

    def _flush(self) -> None:
        self._scheduled = False
        numbers: defaultdict[Lane, list[int]] = defaultdict(list)
        while self._acks:
            for tag in self._acks.popleft():
                numbers[tag.lane].append(tag.number)
        dropped = sum(len(lost) for lane, lost in numbers.items() if not lane.channel.is_open)
        for lane, done in numbers.items():
            if lane.channel.is_open:
                lane.acknowledge(done)
        if dropped:
            log.warning(
                "dropped %d acknowledgements: their connection is gone", dropped, extra={"action": "ack_dropped"}
            )
