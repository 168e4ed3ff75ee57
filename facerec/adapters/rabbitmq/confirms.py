"""A channel on which the broker confirms every message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pika import BasicProperties
from pika.channel import Channel

from facerec.adapters.rabbitmq.errors import ConnectionLost, Unroutable
from facerec.adapters.rabbitmq.link import Operation
from facerec.adapters.rabbitmq.session import Session
from facerec.errors import BrokerUnavailable


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """What to publish, and where."""

    exchange: str
    key: str
    properties: BasicProperties
    body: bytes


class Publish(Operation[None]):
    """Publish a message; done when the broker has confirmed it. Fails with Unroutable, ConnectionLost, BrokerUnavailable."""

    def __init__(self, message: Message) -> None:
        super().__init__()
        self.message = message

    def start(self, session: Session) -> None:
        if session.confirms is None:
            session.confirms = Confirms(session)
        session.confirms.publish(self)


class Confirms:
    """Numbers the messages as the broker does and matches its answers with them.

    A message that no queue takes comes back before its confirm; it is known by where it went and its message id.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tag = 0
        self._waiting: list[Publish] | None = []
        self._unconfirmed: dict[int, Publish] = {}
        self._returned: Counter[tuple[str, str, str]] = Counter()
        self._channel = session.connection.channel(on_open_callback=self._opened)
        self._channel.add_on_close_callback(self._closed)

    def publish(self, operation: Publish) -> None:
        if self._waiting is not None:
            self._waiting.append(operation)
            return
        message = operation.message
        self._channel.basic_publish(message.exchange, message.key, message.body, message.properties, mandatory=True)
        self._tag += 1
        self._unconfirmed[self._tag] = operation

    def _opened(self, channel: Channel) -> None:
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _frame: self._selected())

    def _selected(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for operation in waiting:
            self.publish(operation)

    def _on_return(self, _channel: Channel, method: Any, properties: BasicProperties, _body: bytes) -> None:
        self._returned[method.exchange, method.routing_key, properties.message_id or ""] += 1

    def _on_confirm(self, frame: Any) -> None:
        self._session.progress += 1
        refused = frame.method.NAME == "Basic.Nack"
        for tag in self._tags(frame.method.delivery_tag, frame.method.multiple):
            self._answer(self._unconfirmed.pop(tag), refused)

    def _tags(self, last: int, multiple: bool) -> list[int]:
        """A confirm for many is for all up to ``last``; the dictionary keeps their order."""
        if not multiple:
            return [last] if last in self._unconfirmed else []
        tags = []
        for tag in self._unconfirmed:
            if tag > last:
                break
            tags.append(tag)
        return tags

    def _answer(self, operation: Publish, refused: bool) -> None:
        message = operation.message
        place = (message.exchange, message.key, message.properties.message_id or "")
        if self._returned and self._returned[place]:
            self._returned -= Counter([place])
            operation.fail(Unroutable(f"RabbitMQ has no queue for {message.key!r}: unroutable"))
        elif refused:
            operation.fail(BrokerUnavailable("RabbitMQ refused the message"))
        else:
            operation.finish(None)

    def _closed(self, _channel: Channel, reason: Exception) -> None:
        """Without its channel the session is of no use; the next one declares everything anew."""
        for operation in self._unconfirmed.values():
            operation.fail(ConnectionLost(f"RabbitMQ closed the channel: {reason}"))
        self._unconfirmed.clear()
        if self._session.connection.is_open:
            self._session.abort(str(reason))
