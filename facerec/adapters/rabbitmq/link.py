"""A connection that many threads may use: each hands its operation to the one thread that owns the connection.

The thread is made when it is first needed and again after a fork; it connects when there is something to do.
"""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Generic, TypeVar

from pika.adapters.select_connection import IOLoop

from facerec.adapters.rabbitmq.errors import CLIENT_ERRORS, ConnectionLost, unavailable
from facerec.adapters.rabbitmq.session import Session
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable

ALARM_RETRY_AFTER = 10
"""Seconds after which to ask a broker again that had an alarm: it needs a while to get rid of messages."""
CONNECTING_SHARE = 0.9
"""A connection that is being made for this share of the time limit, while an operation ran out of it, is given up too."""
DRAIN_STEP = 0.02

T = TypeVar("T")


class Operation(ABC, Generic[T]):
    """Something to be done on the connection by the thread that owns it, and the future result."""

    def __init__(self) -> None:
        self.future: Future[T] = Future()
        self.session: Session | None = None
        self.progress = 0
        self.saw_connecting = False

    @abstractmethod
    def start(self, session: Session) -> None:
        """Begin. The session is ready; `finish` or `fail` follow now or later, in the same thread."""

    def finish(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def abandon(self) -> None:
        """Nobody waits for the result any more; called in the connection's thread."""


class Declare(Operation[None]):
    """Declare the topology again, because a queue is missing."""

    def start(self, session: Session) -> None:
        session.redeclare(lambda: self.finish(None))


class Link:
    """The threads' side. ``name`` is what the broker's listings call the connection."""

    def __init__(self, settings: RabbitSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._closed = False
        self._lock = threading.Lock()
        self._running: _Owner | None = None
        forget = weakref.WeakMethod(self._forget_parent)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def call(self, operation: Operation[T], deadline: float) -> T:
        """The operation's result; ``deadline`` on the monotonic clock. Raises BrokerUnavailable."""
        owner = self._owner()
        owner.submit(operation)
        try:
            return operation.future.result(max(0.0, deadline - monotonic()))
        except TimeoutError:
            owner.give_up(operation)
            raise BrokerUnavailable("RabbitMQ did not answer in time") from None

    def submit(self, operation: Operation[T]) -> None:
        """Begin the operation without waiting for it."""
        self._owner().submit(operation)

    def give_up(self, operation: Operation[T]) -> None:
        """No result came in time: a broker that answered nothing at all meanwhile is taken for gone."""
        self._owner().give_up(operation)

    def withdraw(self, operation: Operation[T]) -> None:
        """The result is not wanted any more."""
        self._owner().give_up(operation, withdrawn=True)

    def close(self) -> None:
        """Wait, ``settings.timeout`` at most, for what has begun; then disconnect. Nothing more is taken."""
        with self._lock:
            self._closed = True
            owner, self._running = self._running, None
        if owner is not None:
            owner.close()

    def _owner(self) -> _Owner:
        with self._lock:
            if self._closed:
                raise BrokerUnavailable("the connection to RabbitMQ has been closed")
            if self._running is None or not self._running.is_alive():
                self._running = _Owner(self._settings, self._name)
                self._running.start()
            return self._running

    def _forget_parent(self) -> None:
        """A forked child has neither its parent's threads nor a right to its sockets."""
        self._lock = threading.Lock()
        self._running = None


class _Owner(threading.Thread):
    """The thread that owns the connection."""

    def __init__(self, settings: RabbitSettings, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._settings = settings
        self._loop = IOLoop()
        self._session: Session | None = None
        self._inbox: deque[Operation[object]] = deque()
        self._begun: set[Operation[object]] = set()
        self._woken = False
        self._closing = False

    def submit(self, operation: Operation[T]) -> None:
        self._inbox.append(operation)  # type: ignore[arg-type]
        if not self._woken:
            self._woken = True
            self._loop.add_callback_threadsafe(self._pump)

    def give_up(self, operation: Operation[T], withdrawn: bool = False) -> None:
        """Nobody waits for the operation any more; ``withdrawn``: not for want of an answer."""
        operation.future.cancel()
        self._loop.add_callback_threadsafe(lambda: self._given_up(operation, withdrawn))

    def close(self) -> None:
        self._loop.add_callback_threadsafe(lambda: self._drain(monotonic() + self._settings.timeout))
        self.join(3 * self._settings.timeout)

    def run(self) -> None:
        try:
            self._loop.start()
        finally:
            self._fail_all(BrokerUnavailable("the connection to RabbitMQ has been closed"))
            self._loop.close()

    def _pump(self) -> None:
        self._woken = False
        if self._session is None and self._inbox and not self._closing:
            self._session = Session(
                self._settings,
                self.name,
                self._loop,
                on_ready=self._pump,
                on_end=self._on_end,
                on_blocked=self._on_blocked,
            )
            for operation in self._inbox:
                operation.saw_connecting = True
        while self._session and self._session.ready and self._inbox:
            self._begin(self._session, self._inbox.popleft())

    def _begin(self, session: Session, operation: Operation[object]) -> None:
        if not operation.future.set_running_or_notify_cancel():
            return
        if session.blocked:
            operation.fail(_blocked(session.blocked))
            return
        operation.session, operation.progress = session, session.progress
        self._begun.add(operation)
        operation.future.add_done_callback(lambda _future: self._begun.discard(operation))
        try:
            operation.start(session)
        except CLIENT_ERRORS as error:
            operation.fail(unavailable(error))

    def _given_up(self, operation: Operation[T], withdrawn: bool) -> None:
        """A broker that answered nothing at all since the operation began is taken for gone."""
        self._begun.discard(operation)
        operation.abandon()
        session = self._session
        if session is None or withdrawn:
            return
        if operation.session is session:
            silent = session.progress == operation.progress
        else:
            silent = not session.ready and monotonic() - session.began > CONNECTING_SHARE * self._settings.timeout
        if silent:
            session.abort("no answer")

    def _on_blocked(self) -> None:
        if self._session:
            reason = self._session.blocked
            self._fail_begun(lambda: _blocked(reason))

    def _on_end(self, error: Exception) -> None:
        """What had begun may be tried again; what saw a whole try to connect fail fails too, what came later waits for the next."""
        self._session = None
        self._fail_begun(lambda: _again(error, ConnectionLost))
        if not isinstance(error, ConnectionLost):
            for _ in range(len(self._inbox)):
                self._fail_or_keep(self._inbox.popleft(), error)
        self._pump()
        if self._closing and self._session is None:
            self._loop.stop()

    def _fail_or_keep(self, operation: Operation[object], error: Exception) -> None:
        if operation.saw_connecting:
            _fail_unbegun(operation, _again(error, BrokerUnavailable))
        else:
            self._inbox.append(operation)

    def _fail_begun(self, make_error: Callable[[], BrokerUnavailable]) -> None:
        for operation in list(self._begun):
            operation.fail(make_error())
        self._begun.clear()

    def _fail_all(self, error: BrokerUnavailable) -> None:
        self._fail_begun(lambda: error)
        while self._inbox:
            _fail_unbegun(self._inbox.popleft(), error)

    def _drain(self, deadline: float) -> None:
        self._closing = True
        if (self._begun or (self._inbox and self._session)) and monotonic() < deadline:
            self._loop.call_later(DRAIN_STEP, lambda: self._drain(deadline))
        elif self._session:
            self._session.close()
        else:
            self._loop.stop()


def _fail_unbegun(operation: Operation[object], error: BrokerUnavailable) -> None:
    if operation.future.set_running_or_notify_cancel():
        operation.fail(error)


def _blocked(reason: str) -> BrokerUnavailable:
    return BrokerUnavailable(f"RabbitMQ takes no messages at the moment: {reason}", ALARM_RETRY_AFTER)


def _again(error: Exception, kind: type[BrokerUnavailable]) -> BrokerUnavailable:
    """A fresh exception for each waiting thread: a shared one would collect all their tracebacks."""
    mine = kind(str(error))
    mine.__cause__ = error.__cause__
    return mine
