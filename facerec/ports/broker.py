"""The doors to the broker: jobs, requests of people who wait, dead letters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from facerec.identity import DEFAULT_OWNER, is_hash, is_owner
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
    """A job that was given up: which (empty where the message was no job), why, when (seconds since the epoch), how big.

    ``mark`` names a message that is no job; those of jobs are named by their tickets.
    """

    hash: str
    owner: str
    name: str
    ticket: int
    code: str
    reason: str
    attempts: int
    buried_at: float
    size: int
    mark: str = ""

    @property
    def id(self) -> str:
        """Unique among the letters of an owner; begins with the image's hash and a colon."""
        return f"{self.hash if is_hash(self.hash) else '-'}:{self.mark or self.ticket}"

    @property
    def seen_by(self) -> str:
        """The owner whose it is: of a message that names none, the default one."""
        return self.owner if is_owner(self.owner) else DEFAULT_OWNER


class DeadLetterBox(Protocol):
    """Where given up jobs rest. Every method may raise BrokerUnavailable.

    Only one caller at a time looks through the letters; others wait for their turn. With ``expected`` the look ends when so many
    were picked; until then it goes on for a while at the end, as a release before this one may hold some.
    """

    def count(self) -> int:
        """How many lie there and are looked at by nobody."""

    def list(self, limit: int) -> list[DeadLetter]:
        """The oldest ``limit`` letters."""

    def redrive(
        self,
        predicate: Callable[[DeadLetter], bool],
        prepare: Callable[[DeadLetter], Mapping[str, Any]] = lambda _letter: {},
        expected: int | None = None,
    ) -> Sequence[DeadLetter]:
        """Put the jobs of the letters that ``predicate`` picks on the scan queue again, as first attempts; returns those.

        ``prepare`` is called just before and returns headers to be changed, for example a new ``ticket``.
        """

    def drop(self, predicate: Callable[[DeadLetter], bool], expected: int | None = None) -> Sequence[DeadLetter]:
        """Throw away the letters that ``predicate`` picks; returns those."""


class LetterIndex(Protocol):
    """What is known of the letters in the box without looking there. Every method may raise StoreUnavailable.

    A letter is noted before it is laid into the box: it may be noted and not be there, and one that a release before this one
    laid there may not be noted (`facerec.services.dead.DeadLetters.catch_up`).
    """

    def add(self, letter: DeadLetter) -> bool:
        """Note a letter, unless it is noted; False, and nothing is done, when its image was erased."""

    def forget(self, letters: Iterable[DeadLetter]) -> None: ...

    def count(self) -> int:
        """How many there are of all owners."""

    def of(self, owner: str, hashes: Collection[str] | None) -> list[DeadLetter]:
        """Those that ``owner`` sees of these images, or all."""

    def page(self, owner: str, limit: int, cursor: str) -> tuple[list[DeadLetter], str]:
        """The oldest that ``owner`` sees after ``cursor``, and the next cursor, empty at the end. Raises BadParam."""

    def besides(self, seen: Collection[tuple[str, str]]) -> list[DeadLetter]:
        """Those of all owners whose `DeadLetter.seen_by` and `DeadLetter.id` are not among ``seen``."""

    def has_erased(self) -> bool:
        """Whether the image of any was erased."""
