"""A channel on which the broker confirms every message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from pika import BasicProperties
from pika.channel import Channel

from facerec.adapters.rabbitmq.errors import ConnectionLost, Refused, Unroutable, too_slow
from facerec.adapters.rabbitmq.link import Operation
from facerec.adapters.rabbitmq.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """What to publish, and where."""

    exchange: str
    key: str
    properties: BasicProperties
    body: bytes


class Publish(Operation[None]):
    """Publish a message; done when the broker has confirmed it. Fails with one of `errors`."""

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

    A channel on which the broker refused a message is used no more. RabbitMQ 3.10 has each channel remember where a queue's
    leader is. A channel that first publishes after that node died, and before the others have written down whom they elected,
    asks the dead one, refuses the message, remembers nothing new, and would refuse every message after it for as long as the
    node is away (``rabbit_fifo_client:enqueue``). A new channel looks the leader up anew.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tag = 0
        self._waiting: list[Publish] | None = []
        self._unconfirmed: dict[int, Publish] = {}
        self._returned: Counter[tuple[str, str, str]] = Counter()
        self._retired = False
        self._channel = session.connection.channel(on_open_callback=self._opened)
        self._channel.add_on_close_callback(self._closed)

    def publish(self, operation: Publish) -> None:
        if self._waiting is not None:
            self._waiting.append(operation)
            return
        if self._session.is_clogged:
            operation.fail(too_slow())
            return
        message = operation.message
        self._channel.basic_publish(message.exchange, message.key, message.body, message.properties, mandatory=True)
        operation.message = replace(message, body=b"")  # whoever waits no longer would keep it until the broker answers
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
        if refused:
            self._retire()
        for tag in self._tags(frame.method.delivery_tag, frame.method.multiple):
            self._answer(self._unconfirmed.pop(tag), refused)
        if self._retired and not self._unconfirmed and self._channel.is_open:
            self._channel.close()

    def _retire(self) -> None:
        """What comes next goes by a new channel; what went by this one is still answered on it."""
        self._retired = True
        if self._session.confirms is self:
            self._session.confirms = None

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
            operation.fail(Refused(f"RabbitMQ refused a message for {message.key!r}"))
        else:
            operation.finish(None)

    def _closed(self, _channel: Channel, reason: Exception) -> None:
        """Without its channel the session is of no use, unless it has a new one; the next one declares everything anew."""
        for operation in self._unconfirmed.values():
            operation.fail(ConnectionLost(f"RabbitMQ closed the channel: {reason}"))
        self._unconfirmed.clear()
        if not self._retired and self._session.connection.is_open:
            self._session.abort(str(reason))
