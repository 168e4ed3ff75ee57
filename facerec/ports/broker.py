"""The doors to the broker: jobs, requests of people who wait, dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from facerec.jobs import RegenerateJob, Reply, Request, ScanJob


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many scan jobs wait anywhere in the broker, for a try or for the next one, and how many consumers take them.

    A job that was delivered and not yet acknowledged is not counted: its consumer has it.
    """

    waiting: int
    consumers: int


class JobPublisher(Protocol):
    """The way to the scan queue. Safe for use by many threads; connects lazily and again after a failure."""

    def publish(self, job: ScanJob | RegenerateJob) -> None:
        """Returns when the broker has confirmed the job. Raises BrokerUnavailable when that did not happen in time."""

    def retry(self, job: ScanJob, delay: float) -> None:
        """Put the job on the scan queue again after ``delay`` seconds. Returns and raises as `publish` does."""

    def delay(self, headers: Mapping[str, Any], body: bytes, delay: float) -> None:
        """Put a message that nobody here can read on the scan queue again as it is. Returns and raises as `publish` does."""

    def bury(self, headers: Mapping[str, Any], body: bytes, code: str, reason: str) -> None:
        """Lay a message to the dead letters, with why. Returns and raises as `publish` does."""

    def depth(self) -> int:
        """How many scan jobs wait for a worker, not older than a second. Raises BrokerUnavailable."""

    def queue_state(self) -> QueueState:
        """Raises BrokerUnavailable."""

    def ping(self) -> None:
        """Raises BrokerUnavailable unless the broker answers."""

    def close(self) -> None: ...


class Requester(Protocol):
    """The way to a worker for which a person waits. Safe for use by many threads."""

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        """The worker's reply. Raises DeadlineExceeded, BrokerUnavailable.

        ``is_gone`` is asked now and then whether the person still waits; when not, the request is withdrawn and
        DeadlineExceeded raised.
        """

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message that must be acknowledged once. ``token`` is the consumer's own and says which connection it came by."""

    queue: str
    headers: Mapping[str, Any]
    body: bytes = field(repr=False)
    redelivered: bool
    token: Any
    reply_to: str = ""
    correlation_id: str = ""


class Consumer(Protocol):
    """The receiving side of a worker. One thread of its own runs `run`; all other methods may be called by any thread."""

    def run(self, handle: Callable[[Delivery], None]) -> None:
        """Call ``handle`` with each message until `stop` and `close`; connects, declares and reconnects by itself.

        ``handle`` must return at once: the connection's heartbeat waits for it.
        """

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        """The messages are done with. Those of a dead connection are dropped: the broker delivers them again."""

    def reply(self, delivery: Delivery, reply: Reply) -> None:
        """Answer a request. An answer for someone who is gone is dropped."""

    def is_awaited(self, delivery: Delivery) -> bool:
        """Whether whoever sent the request still waits for the answer."""

    def stop(self) -> None:
        """Take no more messages; those that were delivered can still be acknowledged."""

    def close(self) -> None:
        """End `run` after what was acknowledged has been sent."""

    @property
    def connected(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up: which (empty where the message was no job), why, when (seconds since the epoch), how big."""

    hash: str
    owner: str
    name: str
    ticket: int
    code: str
    reason: str
    attempts: int
    buried_at: float
    size: int


class DeadLetterBox(Protocol):
    """Where given up jobs rest. Every method may raise BrokerUnavailable.

    While one caller looks through the letters another sees only those that the first has not reached.
    """

    def count(self) -> int: ...

    def list(self, limit: int) -> list[DeadLetter]:
        """The oldest ``limit`` letters."""

    def redrive(
        self,
        predicate: Callable[[DeadLetter], bool],
        prepare: Callable[[DeadLetter], Mapping[str, Any]] = lambda _letter: {},
    ) -> Sequence[DeadLetter]:
        """Put the jobs of the letters that ``predicate`` picks on the scan queue again, as first attempts; returns those.

        ``prepare`` is called just before and returns headers to be changed, for example a new ``ticket``.
        """

    def drop(self, predicate: Callable[[DeadLetter], bool]) -> Sequence[DeadLetter]:
        """Throw away the letters that ``predicate`` picks; returns those."""
