"""A broker in memory: the exchanges and queues of `facerec.topology` with the rules that RabbitMQ applies to them.

Headers are written and read again, so that what cannot travel is found out; messages are persistent until acknowledged,
come again when a connection is lost, wait in retry queues, and are abandoned after too many deliveries.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from facerec.adapters.memory.replies import Replies
from facerec.errors import BrokerUnavailable, InternalError
from facerec.topology import Queue, queues


@dataclass(slots=True, eq=False)
class Message:
    """``headers`` as JSON; ``expires`` on the monotonic clock."""

    headers: str
    body: bytes
    expires: float | None = None
    reply_to: str = ""
    correlation_id: str = ""
    deliveries: int = 0

    def age(self, seconds: float) -> None:
        """Let the message expire in ``seconds``, unless it does so before."""
        self.expires = min(monotonic() + seconds, self.expires or float("inf"))


@dataclass(slots=True, eq=False)
class _Stored:
    declared: Queue
    messages: deque[Message] = field(default_factory=deque)

    def argument(self, name: str) -> Any:
        return self.declared.arguments.get(name)


class MemoryQueues:
    """What all memory adapters of one broker share. ``changed`` guards everything and tells of every change."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.replies = Replies()
        self.generation = 0
        """Counts the times that all connections were lost."""
        self.consumers = 0
        """That run."""
        self._away = ""
        self._queues = {queue.name: _Stored(queue) for queue in queues()}

    @contextmanager
    def reached(self) -> Iterator[None]:
        """The lock, held; raises BrokerUnavailable while the broker is away."""
        with self.changed:
            if self._away:
                raise BrokerUnavailable(self._away)
            yield

    def go_down(self) -> None:
        """Every connection is lost and refused until `come_up`."""
        with self.changed:
            self._away = "RabbitMQ is not available: down"
            self.cut()

    def come_up(self) -> None:
        with self.changed:
            self._away = ""
            self.changed.notify_all()

    def cut(self) -> None:
        """Every connection is lost; a consumer connects again at once."""
        with self.changed:
            self.generation += 1
            self.changed.notify_all()

    @property
    def up(self) -> bool:
        return not self._away

    def publish(self, exchange: str, key: str, message: Message) -> None:
        """Raises BrokerUnavailable when no queue is bound there."""
        with self.reached():
            targets = [stored for stored in self._queues.values() if (exchange, key) in stored.declared.bindings]
            if not targets:
                raise BrokerUnavailable(f"RabbitMQ has no queue for {key!r}: unroutable")
            for stored in targets:
                self._append(stored, message)

    def take(self, name: str) -> Message | None:
        """The next message of a queue, which the caller must give back or forget; None when there is none."""
        self.promote()
        stored = self._queues[name]
        if not stored.messages:
            return None
        message = stored.messages.popleft()
        message.deliveries += 1
        return message

    def give_back(self, name: str, message: Message) -> None:
        """To its place at the front, or, delivered too often, to the dead-letter exchange of the queue."""
        stored = self._queues[name]
        limit = stored.argument("x-delivery-limit")
        if limit is None or message.deliveries <= limit:
            stored.messages.appendleft(message)
        else:
            self._dead_letter(stored, message)
        self.changed.notify_all()

    def count(self, name: str) -> int:
        self.promote()
        return len(self._queues[name].messages)

    def promote(self) -> None:
        """Move what has waited long enough to where its queue sends the expired; elsewhere they vanish."""
        now = monotonic()
        for stored in self._queues.values():
            due = [message for message in stored.messages if message.expires is not None and message.expires <= now]
            for message in due:
                stored.messages.remove(message)
                self._dead_letter(stored, message)

    def next_expiry(self) -> float | None:
        """Seconds until the next message expires."""
        times = [m.expires for stored in self._queues.values() for m in stored.messages if m.expires is not None]
        return max(0.0, min(times) - monotonic()) if times else None

    def _append(self, stored: _Stored, message: Message) -> None:
        ttl = stored.argument("x-message-ttl")
        if ttl is not None:
            message.age(ttl / 1000)
        stored.messages.append(message)
        self.changed.notify_all()

    def _dead_letter(self, stored: _Stored, message: Message) -> None:
        exchange, key = stored.argument("x-dead-letter-exchange"), stored.argument("x-dead-letter-routing-key")
        if exchange is not None:
            moved = Message(message.headers, message.body)
            self.publish(exchange, key, moved)


def encode_headers(headers: Mapping[str, Any]) -> str:
    """As text. Raises InternalError for what AMQP cannot carry either."""
    for name, value in headers.items():
        if len(name.encode()) > 255 or not isinstance(value, str | int | float | None):
            raise InternalError(f"a header cannot carry {name}={value!r}")
    return json.dumps(dict(headers))


def decode_headers(text: str) -> dict[str, Any]:
    headers: dict[str, Any] = json.loads(text)
    return headers
