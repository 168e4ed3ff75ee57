"""Requests for which a person waits: direct reply-to, with a channel for each.

RabbitMQ's direct reply-to needs no queue of replies. Its address lives as long as the channel, so closing the channel takes
the request back: a worker that asks whether the address exists learns that nobody waits.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from pika import BasicProperties
from pika.channel import Channel
from pika.exceptions import ChannelClosedByClient

from facerec.adapters.rabbitmq.errors import ConnectionLost, Refused, Unroutable, lost, too_slow
from facerec.adapters.rabbitmq.link import Declare, Link, Operation
from facerec.adapters.rabbitmq.session import Session
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable, DeadlineExceeded, InternalError
from facerec.jobs import Reply, Request
from facerec.nesting import parse_shallow_json
from facerec.topology import INTERACTIVE_KEY, WORK_EXCHANGE

REPLY_ADDRESS = "amq.rabbitmq.reply-to"
LOOK_UP = 0.25
"""Seconds after which to ask again whether the person still waits."""
TRIES = 3


class RabbitRequester:
    """`facerec.ports.Requester` on one connection, owned by one thread."""

    def __init__(self, settings: RabbitSettings, name: str = "facerec requester") -> None:
        self._timeout = settings.timeout
        self._link = Link(settings, name)

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        accept_until = time.monotonic() + self._timeout
        for tries_left in reversed(range(TRIES)):
            operation = _Call(request)
            try:
                return self._answer(operation, request, is_gone, accept_until)
            except (ConnectionLost, Refused):
                if not tries_left:
                    raise
                if operation.accepted:
                    accept_until = time.monotonic() + self._timeout
            except Unroutable:
                if not tries_left:
                    raise
                self._link.call(Declare(), time.monotonic() + min(self._timeout, _left(request)))
        raise InternalError("there is no way out of the loop but return and raise")

    def close(self) -> None:
        """Wait for the answers that are on their way, the broker's timeout at most; then disconnect."""
        self._link.close()

    def _answer(self, operation: _Call, request: Request, is_gone: Callable[[], bool], accept_until: float) -> Reply:
        if _left(request) <= 0:
            raise DeadlineExceeded("there was no time left to ask a worker")
        self._link.submit(operation)
        while True:
            try:
                return operation.future.result(max(0.0, min(LOOK_UP, _left(request))))
            except TimeoutError:
                self._check(operation, request, is_gone, accept_until)

    def _check(self, operation: _Call, request: Request, is_gone: Callable[[], bool], accept_until: float) -> None:
        """Withdraw the request when its time is over, its person gone, or the broker away."""
        if not operation.accepted and time.monotonic() > accept_until:
            self._link.give_up(operation)
            raise BrokerUnavailable("RabbitMQ did not answer in time")
        if _left(request) <= 0:
            self._link.withdraw(operation)
            raise DeadlineExceeded("no worker answered in time")
        if is_gone():
            self._link.withdraw(operation)
            raise DeadlineExceeded("nobody waits for the answer any more")


def _left(request: Request) -> float:
    return request.deadline - time.time()


class _Call(Operation[Reply]):
    """``accepted`` becomes true when the broker has confirmed the request; from then on it is the worker that is awaited."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.accepted = False
        self._request = request
        self._correlation_id = uuid.uuid4().hex
        self._channel: Channel | None = None
        self._abandoned = False

    def start(self, session: Session) -> None:
        self._session = session
        self._channel = session.connection.channel(on_open_callback=self._opened)
        self._channel.add_on_close_callback(self._closed)

    def abandon(self) -> None:
        self._abandoned = True
        self._hang_up()

    def _opened(self, channel: Channel) -> None:
        if self._abandoned:
            channel.close()
            return
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _frame: self._listen(channel))

    def _listen(self, channel: Channel) -> None:
        self._session.progress += 1
        if not self._abandoned and channel.is_open:
            channel.basic_consume(
                REPLY_ADDRESS, self._on_reply, auto_ack=True, callback=lambda _frame: self._ask(channel)
            )

    def _ask(self, channel: Channel) -> None:
        self._session.progress += 1
        if self._abandoned or not channel.is_open:
            return
        if self._session.is_clogged:
            self.fail(too_slow())
            self._hang_up()
            return
        properties = BasicProperties(
            headers=self._request.headers_with(_left(self._request)),
            reply_to=REPLY_ADDRESS,
            correlation_id=self._correlation_id,
            expiration=str(max(1, round(_left(self._request) * 1000))),
            content_type="application/octet-stream",
        )
        channel.basic_publish(WORK_EXCHANGE, INTERACTIVE_KEY, self._request.body, properties, mandatory=True)

    def _on_confirm(self, frame: Any) -> None:
        self._session.progress += 1
        if frame.method.NAME == "Basic.Nack":
            self.fail(Refused("RabbitMQ refused a request"))
            self._hang_up()
        else:
            self.accepted = True

    def _on_reply(self, _channel: Channel, _method: Any, properties: BasicProperties, body: bytes) -> None:
        if properties.correlation_id != self._correlation_id:
            return
        try:
            self.finish(decode_reply(body))
        except InternalError as error:
            self.fail(error)
        self._hang_up()

    def _on_return(self, *_: Any) -> None:
        self.fail(Unroutable("RabbitMQ has no queue for requests: unroutable"))
        self._hang_up()

    def _closed(self, _channel: Channel, reason: Exception) -> None:
        if not isinstance(reason, ChannelClosedByClient):
            self.fail(lost(reason))

    def _hang_up(self) -> None:
        if self._channel is not None and self._channel.is_open:
            self._channel.close()


def decode_reply(body: bytes) -> Reply:
    """The reply in a message's body. Raises InternalError."""
    try:
        answer = parse_shallow_json(body.decode())
        return Reply(ok=bool(answer["ok"]), document=dict(answer["document"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError(f"the worker's answer cannot be read: {error}") from error
