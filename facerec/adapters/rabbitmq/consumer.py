"""The receiving side of a worker: one thread owns the connection, all others hand their answers to it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from random import random

from facerec.adapters.rabbitmq.intake import Handler, Intake
from facerec.adapters.rabbitmq.subscription import Share, Tag
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable, ConfigError
from facerec.jobs import Reply
from facerec.outcome import backoff
from facerec.ports import Delivery
from facerec.topology import ABANDONED_QUEUE, INTERACTIVE_QUEUE, SCAN_QUEUE

ABANDONED_PREFETCH = 10
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
"""Seconds between two tries to connect."""

log = logging.getLogger(__name__)


class RabbitConsumer:
    """`facerec.ports.Consumer`. ``prefetch`` and ``interactive_prefetch`` are how many messages are held unacknowledged."""

    def __init__(
        self,
        settings: RabbitSettings,
        prefetch: int,
        interactive_prefetch: int = 1,
        name: str = "facerec worker",
    ) -> None:
        self._settings = settings
        self._name = name
        self._shares = (
            Share(INTERACTIVE_QUEUE, interactive_prefetch),
            Share(SCAN_QUEUE, prefetch),
            Share(ABANDONED_QUEUE, ABANDONED_PREFETCH),
        )
        self._stopped = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._intake: Intake | None = None

    def run(self, handle: Callable[[Delivery], None]) -> None:
        """As the port says. Raises ConfigError when the broker has queues with other arguments than ours."""
        failures = 0
        while not self._closed.is_set():
            if self._stopped:
                self._closed.wait()
                return
            was_ready, error = self._run_once(handle)
            if self._closed.is_set():
                return
            if isinstance(error, ConfigError):
                raise error
            failures = 1 if was_ready else failures + 1
            self._pause(failures, error)

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        tags: list[Tag] = [delivery.token for delivery in deliveries]
        intake = self._intake
        if intake is not None:
            intake.acknowledge(tags)
        elif tags:
            log.warning("dropped %d acknowledgements: no connection", len(tags), extra={"action": "ack_dropped"})

    def reply(self, delivery: Delivery, reply: Reply) -> None:
        body = json.dumps({"ok": reply.ok, "document": reply.document}).encode()
        tag: Tag = delivery.token
        if tag.intake.ended:
            log.warning("dropped an answer: its connection is gone", extra={"action": "reply_dropped"})
            return
        tag.intake.post(lambda: tag.intake.reply(delivery.reply_to, delivery.correlation_id, body))

    def is_awaited(self, delivery: Delivery) -> bool:
        """Asks the broker; must not be called by ``handle``. A broker that does not answer in time gets a yes."""
        tag: Tag = delivery.token
        if not delivery.reply_to or tag.intake.ended:
            return False
        answer: Future[bool] = Future()
        tag.intake.post(lambda: tag.intake.probe(delivery.reply_to, answer))
        try:
            return answer.result(self._settings.timeout)
        except TimeoutError:
            return True

    def stop(self) -> None:
        self._stopped = True
        if (intake := self._intake) is not None:
            intake.post(intake.cancel)

    def close(self) -> None:
        self._stopped = True
        self._closed.set()
        with self._lock:
            if self._intake is not None:
                self._intake.post(self._intake.close)

    @property
    def connected(self) -> bool:
        intake = self._intake
        return intake is not None and intake.consuming

    def _run_once(self, handle: Handler) -> tuple[bool, Exception]:
        with self._lock:
            if self._closed.is_set():
                return False, BrokerUnavailable("closed")
            intake = self._intake = Intake(self._settings, self._name, self._shares, handle)
        try:
            if self._stopped:
                intake.post(intake.cancel)
            return intake.run()
        finally:
            with self._lock:
                self._intake = None

    def _pause(self, failures: int, error: Exception) -> None:
        seconds = min(LONGEST_PAUSE, backoff(failures, FIRST_PAUSE, random()))  # noqa: S311 - spreads the load only
        log.warning("%s; next try in %.1f s", error, seconds, extra={"action": "broker_down", "connection": self._name})
        self._closed.wait(seconds)
