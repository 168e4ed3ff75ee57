"""The broker's ports in memory. All adapters made by one `MemoryBroker` talk to each other."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from facerec.adapters.memory.dead_letters import MemoryDeadLetters
from facerec.adapters.memory.queues import MemoryQueues, Message, decode_headers, encode_headers
from facerec.errors import DeadlineExceeded
from facerec.jobs import RegenerateJob, Reply, Request, ScanJob
from facerec.letters import buried_headers
from facerec.ports import Delivery, QueueState
from facerec.topology import (
    ABANDONED_QUEUE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    INTERACTIVE_KEY,
    INTERACTIVE_QUEUE,
    RETRY_EXCHANGE,
    SCAN_KEY,
    SCAN_QUEUE,
    WORK_EXCHANGE,
    job_queues,
    retry_queue,
    retry_step,
)

ABANDONED_PREFETCH = 10
LOOK_UP = 0.05


class MemoryBroker:
    """``queues`` has the faults: `go_down`, `come_up`, `cut`."""

    def __init__(self) -> None:
        self.queues = MemoryQueues()

    def publisher(self) -> MemoryJobPublisher:
        return MemoryJobPublisher(self.queues)

    def consumer(self, prefetch: int, interactive_prefetch: int = 1) -> MemoryConsumer:
        return MemoryConsumer(self.queues, prefetch, interactive_prefetch)

    def requester(self) -> MemoryRequester:
        return MemoryRequester(self.queues)

    def dead_letters(self) -> MemoryDeadLetters:
        return MemoryDeadLetters(self.queues)


class MemoryJobPublisher:
    """`facerec.ports.JobPublisher`."""

    def __init__(self, queues: MemoryQueues) -> None:
        self._queues = queues

    def publish(self, job: ScanJob | RegenerateJob) -> None:
        self._queues.publish(WORK_EXCHANGE, SCAN_KEY, Message(encode_headers(job.headers), job.body))

    def retry(self, job: ScanJob, delay: float) -> None:
        self.delay(job.headers, job.body, delay)

    def delay(self, headers: Mapping[str, Any], body: bytes, delay: float) -> None:
        message = Message(encode_headers(headers), body)
        message.age(max(delay, 0.0))
        self._queues.publish(RETRY_EXCHANGE, retry_queue(retry_step(delay)), message)

    def bury(self, headers: Mapping[str, Any], body: bytes, code: str, reason: str) -> None:
        message = Message(encode_headers(buried_headers(headers, code, reason)), body)
        self._queues.publish(DEAD_EXCHANGE, DEAD_QUEUE, message)

    def depth(self) -> int:
        with self._queues.reached():
            return self._queues.count(SCAN_QUEUE)

    def queue_state(self) -> QueueState:
        with self._queues.reached():
            return QueueState(sum(map(self._queues.count, job_queues())), self._queues.consumers)

    def ping(self) -> None:
        self.depth()

    def close(self) -> None:
        """Nothing is on its way."""


class MemoryConsumer:
    """`facerec.ports.Consumer`. A token is the connection's generation and a number."""

    def __init__(self, queues: MemoryQueues, prefetch: int, interactive_prefetch: int) -> None:
        self._queues = queues
        self._limits = {
            INTERACTIVE_QUEUE: interactive_prefetch,
            SCAN_QUEUE: prefetch,
            ABANDONED_QUEUE: ABANDONED_PREFETCH,
        }
        self._held: dict[tuple[int, int], tuple[str, Message]] = {}
        self._generation = queues.generation
        self._number = 0
        self._running = self._stopped = self._closed = False

    def run(self, handle: Callable[[Delivery], None]) -> None:
        self._running = True
        with self._queues.changed:
            self._queues.consumers += 1
        try:
            while (delivery := self._next()) is not None:
                handle(delivery)
        finally:
            self._running = False
            with self._queues.changed:
                self._queues.consumers -= 1
                self._lose()

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        with self._queues.changed:
            self._reconnect()
            for delivery in deliveries:
                self._held.pop(delivery.token, None)
            self._queues.changed.notify_all()

    def reply(self, delivery: Delivery, reply: Reply) -> None:
        body = json.dumps({"ok": reply.ok, "document": reply.document}).encode()
        if delivery.token[0] == self._queues.generation:
            self._queues.replies.deliver(delivery.reply_to, body)

    def is_awaited(self, delivery: Delivery) -> bool:
        return delivery.token[0] == self._queues.generation and self._queues.replies.exists(delivery.reply_to)

    def stop(self) -> None:
        with self._queues.changed:
            self._stopped = True
            self._queues.changed.notify_all()

    def close(self) -> None:
        with self._queues.changed:
            self._stopped = self._closed = True
            self._queues.changed.notify_all()

    @property
    def connected(self) -> bool:
        return self._running and self._queues.up and not self._stopped

    def _next(self) -> Delivery | None:
        with self._queues.changed:
            while not self._closed:
                self._reconnect()
                if self._queues.up and not self._stopped and (delivery := self._take()):
                    return delivery
                self._queues.changed.wait(self._queues.next_expiry())
        return None

    def _take(self) -> Delivery | None:
        for name, limit in self._limits.items():
            held = sum(1 for queue, _message in self._held.values() if queue == name)
            message = self._queues.take(name) if held < limit else None
            if message is not None:
                return self._deliver(name, message)
        return None

    def _deliver(self, name: str, message: Message) -> Delivery:
        self._number += 1
        token = (self._generation, self._number)
        self._held[token] = (name, message)
        return Delivery(
            queue=name,
            headers=decode_headers(message.headers),
            body=message.body,
            redelivered=message.deliveries > 1,
            token=token,
            reply_to=message.reply_to,
            correlation_id=message.correlation_id,
        )

    def _reconnect(self) -> None:
        if self._generation != self._queues.generation:
            self._lose()
            self._generation = self._queues.generation

    def _lose(self) -> None:
        """What was held goes back, the last first, so that the order stays."""
        held, self._held = self._held, {}
        for name, message in reversed(held.values()):
            self._queues.give_back(name, message)


class MemoryRequester:
    """`facerec.ports.Requester`."""

    def __init__(self, queues: MemoryQueues) -> None:
        self._queues = queues

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        left = request.deadline - time.time()
        if left <= 0:
            raise DeadlineExceeded("there was no time left to ask a worker")
        address, answer = self._queues.replies.open()
        message = Message(encode_headers(request.headers_with(left)), request.body, None, address, uuid.uuid4().hex)
        message.age(left)
        try:
            self._queues.publish(WORK_EXCHANGE, INTERACTIVE_KEY, message)
            return self._wait(request, answer, is_gone)
        finally:
            self._queues.replies.close(address)

    def close(self) -> None:
        """Nothing is on its way."""

    @staticmethod
    def _wait(request: Request, answer: Future[bytes], is_gone: Callable[[], bool]) -> Reply:
        while True:
            try:
                document = json.loads(answer.result(LOOK_UP))
                return Reply(ok=document["ok"], document=document["document"])
            except TimeoutError:
                if time.time() >= request.deadline:
                    raise DeadlineExceeded("no worker answered in time") from None
                if is_gone():
                    raise DeadlineExceeded("nobody waits for the answer any more") from None
