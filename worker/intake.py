"""From deliveries to work: reads jobs, asks the store whether they need work, hands them to the engine pool."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence
from typing import Protocol

from facerec.errors import FacerecError, InternalError, MalformedJob
from facerec.faces import Model
from facerec.jobs import REGENERATE, ScanJob
from facerec.ports import Commits, Consumer, Delivery, Start
from facerec.topology import ABANDONED_QUEUE, INTERACTIVE_QUEUE
from facerec.wire import Task
from worker.flights import Flight, Flights
from worker.guard import guarded_thread
from worker.patience import Patience, Stopping
from worker.pool import EnginePool, Result

log = logging.getLogger(__name__)
AT_ONCE = 64


class Undertaking(Protocol):
    """Where jobs go that cannot be finished now, or ever."""

    def failed(self, flight: Flight, error: FacerecError) -> None: ...

    def bury_message(self, delivery: Delivery, error: MalformedJob) -> None: ...

    def bury_again(self, flight: Flight, code: str, reason: str) -> None: ...

    def abandoned(self, delivery: Delivery) -> None: ...


class Keeping(Protocol):
    """What happens to pictures before the commit, and after an erasure."""

    @property
    def keeps(self) -> bool: ...

    def finished(self, flight: Flight, result: Result) -> None: ...

    def erased(self, flight: Flight, done: Callable[[], None]) -> None: ...


class Intake:
    """One thread: takes what the consumer received, many at once when many wait."""

    def __init__(
        self,
        *,
        consumer: Consumer,
        commits: Commits,
        pool: EnginePool,
        flights: Flights,
        patience: Patience,
        undertaker: Undertaking,
        interactive: Callable[[Delivery], None],
        keeper: Keeping,
        regenerate: Callable[[Delivery], None],
        model: Callable[[], Model | None],
        received: Callable[[float], None],
        crashed: Callable[[], None],
    ) -> None:
        self._consumer = consumer
        self._commits = commits
        self._pool = pool
        self._flights = flights
        self._patience = patience
        self._undertaker = undertaker
        self._interactive = interactive
        self._keeper = keeper
        self._regenerate = regenerate
        self._model = model
        self._received = received
        self._inbox: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._sorting = 0
        self._thread = guarded_thread(self._run, "intake", crashed)

    def start(self) -> None:
        self._thread.start()

    @property
    def unclaimed(self) -> int:
        """How many deliveries wait until the store is asked about them."""
        return self._sorting + self._inbox.qsize()

    def take(self, delivery: Delivery) -> None:
        """Called by the consumer's thread; returns at once."""
        self._inbox.put(delivery)

    def close(self) -> None:
        self._inbox.put(None)
        self._thread.join()

    def begin(self, flights: Sequence[Flight]) -> None:
        """Ask the store about these flights, and start or end each. Raises Stopping."""
        if not flights:
            return
        try:
            starts = self._patience.insist(lambda: self._commits.begin([flight.job for flight in flights]))
        except InternalError as error:
            self._begin_one_by_one(flights, error)
            return
        for flight, start in zip(flights, starts, strict=True):
            self._start(flight, start)

    def _begin_one_by_one(self, flights: Sequence[Flight], error: InternalError) -> None:
        """The store refused one of these: find which, so that its neighbours do not suffer."""
        if len(flights) == 1:
            self._undertaker.failed(flights[0], error)
            return
        for flight in flights:
            self.begin([flight])

    def _let_go(self, flight: Flight) -> None:
        """Not begun when this worker stops: not acknowledged, so the broker gives it to another."""
        self._flights.land(flight, "returned")

    def _run(self) -> None:
        while (first := self._inbox.get()) is not None:
            batch = [first]
            self._sorting = 1
            while len(batch) < AT_ONCE and not self._inbox.empty():
                following = self._inbox.get()
                if following is None:
                    return
                batch.append(following)
                self._sorting = len(batch)
            try:
                self._sort(batch)
            except Stopping:
                return
            self._sorting = 0

    def _sort(self, batch: Sequence[Delivery]) -> None:
        scans = []
        for delivery in batch:
            if delivery.queue == INTERACTIVE_QUEUE:
                self._interactive(delivery)
            elif delivery.headers.get("kind") == REGENERATE:
                self._regenerate(delivery)
            elif delivery.queue == ABANDONED_QUEUE:
                self._undertaker.abandoned(delivery)
            elif flight := self._board(delivery):
                scans.append(flight)
        self.begin(scans)

    def _board(self, delivery: Delivery) -> Flight | None:
        try:
            job = ScanJob.from_message(delivery.headers, delivery.body)
        except MalformedJob as error:
            self._undertaker.bury_message(delivery, error)
            return None
        self._received(job.queued_at)
        log.debug("received %s", job.hash, extra={"action": "received", "image_hash": job.hash, "attempt": job.attempt})
        return self._flights.board(job, delivery)

    def _start(self, flight: Flight, start: Start) -> None:
        job = flight.job
        log.debug(
            "%s: %s",
            job.hash,
            start.verdict,
            extra={"action": "begin", "image_hash": job.hash, "verdict": start.verdict},
        )
        if start.verdict == "go":
            flight.image_ticket = start.image_ticket
            flight.lap("begin")
            self._pool.submit(
                Task(job.body, self._model(), pictures=self._keeper.keeps),
                lambda result: self._analysed(flight, result),
                dropped=lambda: self._let_go(flight),
            )
        elif start.verdict == "failed":
            self._undertaker.bury_again(flight, start.code, start.reason)
        elif start.verdict == "erased":
            self._keeper.erased(flight, lambda: self._land(flight, "erased"))
        else:
            self._land(flight, "duplicate")

    def _analysed(self, flight: Flight, result: Result) -> None:
        flight.lap("engine")
        self._keeper.finished(flight, result)

    def _land(self, flight: Flight, outcome: str) -> None:
        self._consumer.ack(self._flights.land(flight, outcome))
