"""The broker's exchanges and queues: names and arguments, declared alike by every process that uses them.

Quorum queues keep a confirmed message through the death of a minority of nodes. RabbitMQ 3.10 has no delivery limit unless
it is set, and loses a message on its way to the dead letters unless the strategy is at-least-once, which wants
``reject-publish``. Interactive work has a queue of its own because quorum queues know no priorities in 3.10.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

WORK_EXCHANGE = "toWorker"
SCAN_KEY = "scan"
INTERACTIVE_KEY = "interactive"
SCAN_QUEUE = "toWorker.scan"
INTERACTIVE_QUEUE = "toWorker.interactive"

DEAD_EXCHANGE = "toWorker.dead"
DEAD_QUEUE = "toWorker.dead"
"""Where jobs rest that were given up, with the reason in their headers."""
DEAD_LOCK = "toWorker.dead.lock"
"""An exclusive queue, which is its connection's alone and goes with it: whoever has it looks through the dead letters. Letters that
are looked at are hidden from others, who would take them for gone."""
ABANDONED_KEY = "abandoned"
ABANDONED_QUEUE = "toWorker.abandoned"
"""Where the broker puts a job that was delivered too often; a worker marks its image as failed and moves it on to the dead."""

RETRY_EXCHANGE = "toWorker.retry"
RETRY_DELAYS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper limits in seconds of the retry queues; a message waits its own, shorter, expiration in the shortest queue that fits.

One queue for all delays would let a long wait at the head hold up the short ones behind it.
"""

LOGS_EXCHANGE = "logs"
DELIVERY_LIMIT = 20
"""Deliveries without an answer after which the broker gives a job up: a worker that dies takes the blame for all that it
held, so this is far above what a rolling upgrade or a broken network needs."""
NO_DELIVERY_LIMIT = 1_000_000_000
"""RabbitMQ 4 drops a message after 20 deliveries unless told otherwise, and 3.10 does not know its -1 for none. Looking at
dead letters delivers and returns them."""


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue; ``bindings`` are pairs of exchange and routing key."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    bindings: tuple[tuple[str, str], ...] = ()


EXCHANGES = (
    Exchange(WORK_EXCHANGE, "direct"),
    Exchange(DEAD_EXCHANGE, "direct"),
    Exchange(RETRY_EXCHANGE, "direct"),
    Exchange(LOGS_EXCHANGE, "topic"),
)


def job_queues() -> tuple[str, ...]:
    """The queues in which a job may wait before it is done or given up."""
    return (SCAN_QUEUE, ABANDONED_QUEUE, *map(retry_queue, RETRY_DELAYS))


def retry_queue(delay: int) -> str:
    """The name of the retry queue for waits of at most ``delay`` seconds; also its routing key."""
    return f"toWorker.retry.{delay}"


def retry_step(delay: float) -> int:
    """The shortest of RETRY_DELAYS that a wait of ``delay`` seconds fits in."""
    return next((step for step in RETRY_DELAYS if delay <= step), RETRY_DELAYS[-1])


def queues() -> tuple[Queue, ...]:
    """All queues. A queue that exists with other arguments makes the declaration fail, loudly."""
    scan = _dead_letters_to(DEAD_EXCHANGE, ABANDONED_KEY) | {"x-delivery-limit": DELIVERY_LIMIT}
    return (
        Queue(SCAN_QUEUE, scan, ((WORK_EXCHANGE, SCAN_KEY),)),
        Queue(
            INTERACTIVE_QUEUE,
            {"x-queue-type": "quorum", "x-delivery-limit": 2},
            ((WORK_EXCHANGE, INTERACTIVE_KEY),),
        ),
        Queue(ABANDONED_QUEUE, _kept_for_ever(), ((DEAD_EXCHANGE, ABANDONED_KEY),)),
        Queue(DEAD_QUEUE, _kept_for_ever(), ((DEAD_EXCHANGE, DEAD_QUEUE),)),
        *(_retry(delay) for delay in RETRY_DELAYS),
    )


def _retry(delay: int) -> Queue:
    arguments = _dead_letters_to(WORK_EXCHANGE, SCAN_KEY) | {"x-message-ttl": delay * 1000}
    return Queue(retry_queue(delay), arguments, ((RETRY_EXCHANGE, retry_queue(delay)),))


def _kept_for_ever() -> dict[str, Any]:
    return {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT}


def _dead_letters_to(exchange: str, key: str) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-routing-key": key,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
