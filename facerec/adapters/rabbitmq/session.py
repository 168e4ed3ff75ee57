"""One connection from its first packet to its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from pika import SelectConnection
from pika.adapters.select_connection import IOLoop
from pika.connection import Connection
from pika.exceptions import ChannelClosedByBroker

from facerec.adapters.rabbitmq.connection import abort, connection_parameters
from facerec.adapters.rabbitmq.declare import declare
from facerec.adapters.rabbitmq.errors import PRECONDITION_FAILED, is_closed_with, lost, unavailable, wrong_topology
from facerec.config import RabbitSettings
from facerec.errors import FacerecError

if TYPE_CHECKING:
    from facerec.adapters.rabbitmq.confirms import Confirms

log = logging.getLogger(__name__)
UNSENT = 32 * 1024 * 1024
"""Bytes that may wait in memory for the broker to take them when another message is added."""


class Session:
    """Connects, declares the topology, calls ``on_ready``, and at the end, whatever the way, ``on_end`` once.

    Everything here runs in the thread that runs ``loop``. ``blocked`` is the broker's reason while an alarm stops
    publishers; ``progress`` counts its answers, so that one can tell a slow broker from one that is gone.
    """

    def __init__(
        self,
        settings: RabbitSettings,
        name: str,
        loop: IOLoop,
        *,
        on_ready: Callable[[], None],
        on_end: Callable[[FacerecError], None],
        on_blocked: Callable[[], None] = lambda: None,
    ) -> None:
        self.began = monotonic()
        self.ready = False
        self.blocked = ""
        self.progress = 0
        self.confirms: Confirms | None = None
        self._settings = settings
        self._name = name
        self._loop = loop
        self._on_ready = on_ready
        self._on_end = on_end
        self._on_blocked = on_blocked
        self._error: FacerecError | None = None
        self._was_ready = False
        self._timer = loop.call_later(2 * settings.timeout, lambda: self.abort("it did not become ready in time"))
        self._untried = connection_parameters(settings, name)
        self.connection = self._connect()

    def _connect(self) -> SelectConnection:
        self._node = self._untried.pop()
        return SelectConnection(
            self._node,
            on_open_callback=self._opened,
            on_open_error_callback=self._not_opened,
            on_close_callback=self._ended,
            custom_ioloop=self._loop,
        )

    @property
    def is_clogged(self) -> bool:
        """Whether so much waits for the broker to take it that no more messages should be added.

        Those whose senders wait no longer are among it: pika cannot take back what it was given. In public it does not tell.
        """
        transport = self.connection._transport
        return transport is not None and transport.get_write_buffer_size() > UNSENT

    def redeclare(self, done: Callable[[], None]) -> None:
        """Declare the topology again, then call ``done``; the session ends when that is refused."""
        declare(self.connection, done, self._refused)

    def close(self) -> None:
        """Send what is to be sent, say goodbye and end, in ``settings.timeout`` at most."""
        if self.connection.is_closed or self.connection.is_closing:
            return
        if not self.connection.is_open:
            self.abort("not wanted any more")
            return
        self.ready = False
        self._restart_timer(self._settings.timeout, "it did not say goodbye")
        self.connection.close()

    def abort(self, why: str) -> None:
        """End at once."""
        self.ready = False
        self._untried.clear()
        abort(self.connection, why)

    def _not_opened(self, connection: Connection, reason: BaseException) -> None:
        """A node is away: the next one, or the end."""
        if self._untried:
            log.info("%s:%d is away", self._node.host, self._node.port, extra=self._fields("broker_node_down"))
            self.connection = self._connect()
        else:
            self._ended(connection, reason)

    def _opened(self, connection: Connection) -> None:
        connection.add_on_connection_blocked_callback(self._block)
        connection.add_on_connection_unblocked_callback(self._unblock)
        self.redeclare(self._declared)

    def _declared(self) -> None:
        self._loop.remove_timeout(self._timer)
        self.ready = self._was_ready = True
        log.info("connected to RabbitMQ at %s:%d", self._node.host, self._node.port, extra=self._fields("broker_up"))
        self._on_ready()

    def _refused(self, reason: Exception) -> None:
        if isinstance(reason, ChannelClosedByBroker) and is_closed_with(reason, PRECONDITION_FAILED):
            self._error = wrong_topology(reason)
        if self.connection.is_open:
            self.abort(str(reason))

    def _block(self, _connection: Connection, frame: Any) -> None:
        self.blocked = frame.method.reason or "alarm"
        log.warning("RabbitMQ blocks publishers: %s", self.blocked, extra=self._fields("broker_blocked"))
        self._on_blocked()

    def _unblock(self, _connection: Connection, _frame: Any) -> None:
        self.blocked = ""
        log.info("RabbitMQ takes messages again", extra=self._fields("broker_unblocked"))

    def _ended(self, _connection: Connection, reason: BaseException) -> None:
        self._loop.remove_timeout(self._timer)
        error = self._error or (lost(reason) if self._was_ready else unavailable(reason))
        self.ready = False
        self._on_end(error)

    def _restart_timer(self, seconds: float, why: str) -> None:
        self._loop.remove_timeout(self._timer)
        self._timer = self._loop.call_later(seconds, lambda: self.abort(why))

    def _fields(self, action: str) -> dict[str, str]:
        return {"action": action, "connection": self._name}
