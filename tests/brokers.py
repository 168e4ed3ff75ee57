"""Broker fixtures: one set of adapters in memory and one over RabbitMQ behind a proxy, with the same handles."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pika
import pytest

from facerec.adapters.memory.broker import MemoryBroker
from facerec.adapters.rabbitmq import RabbitConsumer, RabbitDeadLetters, RabbitJobPublisher, RabbitRequester
from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.rabbitmq.declare import declare_now
from facerec.config import RabbitSettings
from facerec.identity import image_hash
from facerec.jobs import Request, ScanJob
from facerec.local.servers import RabbitServer
from facerec.ports import Consumer, DeadLetterBox, Delivery, JobPublisher, Requester
from facerec.topology import queues
from facerec.values import Secret
from tests.proxy import Proxy

PATIENCE = 30.0
"""Seconds after which a test that waits for something gives up."""
TIMEOUT = 3.0
"""The broker's time limit in tests, in seconds."""


def scan_job(body: bytes = b"image", ticket: int = 1, **changes: Any) -> ScanJob:
    job = ScanJob("default", image_hash(body), f"{ticket}.jpg", ticket, time.time(), body)
    return dataclasses.replace(job, **changes)


def request(body: bytes = b"image", seconds: float = PATIENCE) -> Request:
    return Request("analyse", "default", time.time() + seconds, {"model": "hog"}, body)


class Inbox:
    """What a consumer handed over; `take` waits for it. ``keep`` is called with each delivery first."""

    def __init__(self, on_delivery: Callable[[Delivery], None] = lambda _delivery: None) -> None:
        self._on_delivery = on_delivery
        self._changed = threading.Condition()
        self._deliveries: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        self._on_delivery(delivery)
        with self._changed:
            self._deliveries.append(delivery)
            self._changed.notify_all()

    def take(self, count: int = 1, seconds: float = PATIENCE) -> list[Delivery]:
        with self._changed:
            there = self._changed.wait_for(lambda: len(self._deliveries) >= count, seconds)
            assert there, f"{len(self._deliveries)} of {count} messages came"
            taken, self._deliveries = self._deliveries[:count], self._deliveries[count:]
            return taken

    def take_one(self, seconds: float = PATIENCE) -> Delivery:
        return self.take(1, seconds)[0]

    def stays_empty(self, seconds: float) -> bool:
        with self._changed:
            return not self._changed.wait_for(lambda: self._deliveries, seconds)


class Running:
    """A consumer that runs in a thread of its own."""

    def __init__(self, consumer: Consumer, handle: Callable[[Delivery], None] | None = None) -> None:
        self.consumer = consumer
        self.inbox = Inbox()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(handle or self.inbox,), daemon=True)
        self._thread.start()

    def _run(self, handle: Callable[[Delivery], None]) -> None:
        try:
            self.consumer.run(handle)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def ack(self, *deliveries: Delivery) -> None:
        self.consumer.ack(deliveries)

    def wait_connected(self) -> None:
        until(lambda: self.consumer.connected)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def end(self) -> None:
        self.consumer.stop()
        self.consumer.close()
        self.join()


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for something that sends no signal."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        pause.wait(0.01)


class Broker:
    """The adapters of one broker, made as the test wants them and closed at its end."""

    def __init__(self) -> None:
        self._ends: list[Callable[[], None]] = []

    def publisher(self) -> JobPublisher:
        raise NotImplementedError

    def consumer(self, prefetch: int, interactive_prefetch: int) -> Consumer:
        raise NotImplementedError

    def requester(self) -> Requester:
        raise NotImplementedError

    def dead_letters(self) -> DeadLetterBox:
        raise NotImplementedError

    def cut(self) -> None:
        """Every connection is lost."""
        raise NotImplementedError

    def run(self, prefetch: int = 10, interactive_prefetch: int = 2) -> Running:
        running = Running(self.consumer(prefetch, interactive_prefetch))
        self._ends.append(running.end)
        running.wait_connected()
        return running

    def close(self) -> None:
        for end in reversed(self._ends):
            end()


class InMemory(Broker):
    def __init__(self) -> None:
        super().__init__()
        self._broker = MemoryBroker()
        self.dead_letters = self._broker.dead_letters
        self.publisher = self._broker.publisher
        self.requester = self._broker.requester
        self.consumer = self._broker.consumer
        self.cut = self._broker.queues.cut


class OverRabbit(Broker):
    def __init__(self, settings: RabbitSettings, proxy: Proxy) -> None:
        super().__init__()
        self.proxy = proxy
        self.settings = dataclasses.replace(settings, port=proxy.port)

    def publisher(self) -> RabbitJobPublisher:
        publisher = RabbitJobPublisher(self.settings)
        self._ends.append(publisher.close)
        return publisher

    def requester(self) -> RabbitRequester:
        requester = RabbitRequester(self.settings)
        self._ends.append(requester.close)
        return requester

    def consumer(self, prefetch: int, interactive_prefetch: int) -> RabbitConsumer:
        return RabbitConsumer(self.settings, prefetch, interactive_prefetch)

    def dead_letters(self) -> RabbitDeadLetters:
        return RabbitDeadLetters(self.settings)

    def cut(self) -> None:
        self.proxy.cut()


def empty_queues(settings: RabbitSettings) -> None:
    """Declare what is missing, throw away every message. A virtual host for each test would take a second each."""
    with pika.BlockingConnection(connection_parameters(settings, "test")) as connection:
        channel = connection.channel()
        declare_now(channel)
        for queue in queues():
            channel.queue_purge(queue.name)


@pytest.fixture
def direct(rabbit_server: RabbitServer) -> RabbitSettings:
    """Settings for the way around the proxy to RabbitMQ, whose queues are empty."""
    settings = RabbitSettings(
        port=rabbit_server.port,
        user=rabbit_server.user,
        password=Secret(rabbit_server.password),
        timeout=TIMEOUT,
        heartbeat=1,
    )
    empty_queues(settings)
    return settings


@pytest.fixture
def proxy(direct: RabbitSettings) -> Iterator[Proxy]:
    """A proxy before RabbitMQ."""
    with Proxy(direct.port) as proxy:
        yield proxy


@pytest.fixture
def rabbit(direct: RabbitSettings, proxy: Proxy) -> Iterator[OverRabbit]:
    """RabbitMQ behind the proxy, with a heartbeat of one second."""
    broker = OverRabbit(direct, proxy)
    yield broker
    broker.close()


@pytest.fixture(params=["memory", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The broker in memory, then the real one."""
    if request.param == "rabbitmq":
        yield request.getfixturevalue("rabbit")
        return
    memory = InMemory()
    yield memory
    memory.close()
