"""Consuming one queue over one connection."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pika import BasicProperties
from pika.channel import Channel
from pika.exceptions import ChannelClosedByClient

from facerec.outcome import backoff
from facerec.ports import Delivery

if TYPE_CHECKING:
    from facerec.adapters.rabbitmq.intake import Intake

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
"""Seconds between two tries to consume from a queue."""

RENEW_AFTER = 10.0
"""Seconds without a message after which to subscribe anew.

RabbitMQ tells a consumer that its queue was deleted, but not always: seen with 3.10 when the queue is declared again at
once. Such a consumer would wait for ever for the messages of a queue that is no more.
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Share:
    """How many messages of a queue are held unacknowledged."""

    queue: str
    prefetch: int


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """A delivery's number in the lane it came by."""

    lane: Lane
    number: int

    @property
    def intake(self) -> Intake:
        return self.lane.intake


class Lane:
    """A channel that delivers, and the numbers that it gave and that are not acknowledged. A new channel is a new lane."""

    def __init__(self, intake: Intake, channel: Channel) -> None:
        self.intake = intake
        self.channel = channel
        self._held: dict[int, None] = {}
        self.last = 0
        """The number of the last message."""

    def tag(self, number: int) -> Tag:
        self._held[number] = None
        self.last = number
        return Tag(self, number)

    def is_idle_since(self, number: int) -> bool:
        """Whether nothing is held, and nothing came after ``number``."""
        return not self._held and self.last == number

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """The oldest in one go as far as they are complete, the others one by one.

        A quorum queue takes some 30 answers at a time from a channel and forgets what still waits when the channel closes.
        """
        done = {number for number in numbers if number in self._held}
        complete = list(takewhile(done.__contains__, self._held))
        if complete:
            self.channel.basic_ack(complete[-1], multiple=True)
        for number in sorted(done.difference(complete)):
            self.channel.basic_ack(number)
        for number in done:
            del self._held[number]


class Subscription:
    """Consumes one queue, again after the broker cancelled it (the queue was deleted) or closed the channel."""

    def __init__(self, intake: Intake, share: Share) -> None:
        self.consuming = False
        self._intake = intake
        self._share = share
        self._channel: Channel | None = None
        self._consumer_tag = ""
        self._failures = 0

    def open(self) -> None:
        if self._intake.cancelled or not self._intake.session.connection.is_open:
            return
        self._channel = self._intake.session.connection.channel(on_open_callback=self._opened)
        self._channel.add_on_close_callback(self._closed)

    def cancel(self) -> None:
        """Messages that are on their way already go back to the queue."""
        self.consuming = False
        if self._channel is not None and self._channel.is_open and self._consumer_tag:
            self._channel.basic_cancel(self._consumer_tag)
            self._consumer_tag = ""

    def _opened(self, channel: Channel) -> None:
        if self._intake.cancelled:
            return
        lane = Lane(self._intake, channel)
        self._watch(lane)
        channel.add_on_cancel_callback(self._cancelled)
        channel.basic_qos(prefetch_count=self._share.prefetch)
        self._consumer_tag = channel.basic_consume(
            self._share.queue, lambda _channel, *message: self._deliver(lane, *message), callback=self._consumed
        )

    def _watch(self, lane: Lane) -> None:
        before = lane.last
        self._intake.loop.call_later(RENEW_AFTER, lambda: self._renew_when_idle(lane, before))

    def _renew_when_idle(self, lane: Lane, before: int) -> None:
        current = lane.channel is self._channel
        if not current or not lane.channel.is_open or self._intake.cancelled:
            return
        if lane.is_idle_since(before):
            lane.channel.close()
            self.open()
        else:
            self._watch(lane)

    def _consumed(self, _frame: Any) -> None:
        self.consuming = not self._intake.cancelled

    def _deliver(self, lane: Lane, method: Any, properties: BasicProperties, body: bytes) -> None:
        self._failures = 0
        self._intake.deliver(
            Delivery(
                queue=self._share.queue,
                headers=properties.headers or {},
                body=body,
                redelivered=method.redelivered,
                token=lane.tag(method.delivery_tag),
                reply_to=_text(properties.reply_to),
                correlation_id=_text(properties.correlation_id),
            )
        )

    def _cancelled(self, _frame: Any) -> None:
        """The channel stays open, so that what it delivered can be acknowledged; a new one consumes the new queue."""
        log.warning("RabbitMQ cancelled the consumer of %s", self._share.queue, extra={"action": "consumer_cancelled"})
        self._channel = None
        self._again()

    def _closed(self, channel: Channel, reason: Exception) -> None:
        if channel is not self._channel or isinstance(reason, ChannelClosedByClient):
            return
        if self._intake.session.connection.is_open:
            log.warning(
                "RabbitMQ closed the channel of %s: %s", self._share.queue, reason, extra={"action": "channel_closed"}
            )
            self._again()

    def _again(self) -> None:
        self.consuming = False
        self._consumer_tag = ""
        self._failures += 1
        pause = min(LONGEST_PAUSE, backoff(self._failures, FIRST_PAUSE, 0.0))
        self._intake.loop.call_later(pause, self._redeclare)

    def _redeclare(self) -> None:
        if self._intake.session.connection.is_open and not self._intake.cancelled:
            self._intake.session.redeclare(self.open)


def _text(value: object) -> str:
    """pika gives bytes for what is no text."""
    return value if isinstance(value, str) else ""
