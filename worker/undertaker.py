"""What becomes of jobs that cannot be finished: later, or never. A thread of its own, because it waits for the broker."""

from __future__ import annotations

import logging
import queue
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from facerec.errors import FacerecError, InternalError, MalformedJob, NewerMessage
from facerec.jobs import ScanJob
from facerec.letters import buried_headers, dead_letter, marked_headers, without_brokers
from facerec.outcome import Dead, Retry, decide
from facerec.ports import Commits, Consumer, DeadLetter, Delivery, JobPublisher, LetterIndex
from worker.flights import Flight, Flights, Waiting
from worker.guard import guarded_thread
from worker.patience import Patience, Stopping

log = logging.getLogger(__name__)
DELIVERY_LIMIT_CODE = "DELIVERY_LIMIT"
DELIVERY_LIMIT_REASON = "delivered too often without an answer"
NEWER_DELAY = 4.0
"""Seconds after which a message of a newer release is offered again, perhaps to a worker that knows it."""


class Undertaker:
    """Retries and buries. The state is written first, then the message is laid where it belongs, then it is acknowledged."""

    def __init__(
        self,
        *,
        consumer: Consumer,
        publisher: JobPublisher,
        commits: Commits,
        letters: LetterIndex,
        flights: Flights,
        patience: Patience,
        attempts: int,
        base: float,
        counted: Callable[[str], None],
        crashed: Callable[[], None],
    ) -> None:
        self._consumer = consumer
        self._publisher = publisher
        self._commits = commits
        self._letters = letters
        self._flights = flights
        self._patience = patience
        self._attempts = attempts
        self._base = base
        self._counted = counted
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = guarded_thread(self._run, "undertaker", crashed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._inbox.put(None)
        self._thread.join()

    def failed(self, flight: Flight, error: FacerecError) -> None:
        """The job ended with ``error``: try again later, or give up."""
        self._inbox.put(lambda: self._decide(flight, error))

    def bury_again(self, flight: Flight, code: str, reason: str) -> None:
        """The job was given up before, and perhaps not laid to the dead letters."""
        self._inbox.put(lambda: self._bury(flight, Dead(code, reason)))

    def bury_message(self, delivery: Delivery, error: MalformedJob) -> None:
        """A message that is no job, or none that this release knows."""
        if isinstance(error, NewerMessage):
            self._inbox.put(lambda: self._leave_to_newer(delivery, error))
            return
        self._inbox.put(lambda: self._bury_message(delivery, error))

    def abandoned(self, delivery: Delivery) -> None:
        """A message that the broker gave up."""
        self._inbox.put(lambda: self._abandoned(delivery))

    def _run(self) -> None:
        while (step := self._inbox.get()) is not None:
            try:
                step()
            except Stopping:
                return

    def _note(self, write: Callable[[], None]) -> None:
        """Write the state. A store that refuses must not keep the job from the dead letters, where people look."""
        try:
            self._patience.insist(write)
        except InternalError as error:
            log.error("the state of a job was not written: %s", error.reason, extra={"action": "state_refused"})

    def _decide(self, flight: Flight, error: FacerecError) -> None:
        if flight.waiting:
            self._disappoint(flight, flight.waiting, error)
            return
        # Jitter only spreads the retries; nothing is protected by it.
        decision = decide(error, flight.job.attempt, self._attempts, self._base, random.random())  # noqa: S311
        if isinstance(decision, Retry):
            self._retry(flight, decision, error)
        else:
            self._bury(flight, decision)

    def _disappoint(self, flight: Flight, waiting: Waiting, error: FacerecError) -> None:
        """A person waits: tell at once; whether to try again is for the person to say."""
        self._note(lambda: self._commits.fail(flight.job, error.code, error.reason, person_waits=True))
        deliveries = self._flights.land(flight, "failed")
        waiting.failed(deliveries, error)
        self._consumer.ack(deliveries)
        _log("enrolment_failed", flight.job, error.code, error.reason)

    def _retry(self, flight: Flight, decision: Retry, error: FacerecError) -> None:
        job = replace(flight.job, attempt=flight.job.attempt + int(decision.counted))
        self._note(lambda: self._commits.retrying(job, decision.delay, error.code, error.reason))
        self._patience.insist(lambda: self._publisher.retry(job, decision.delay))
        self._consumer.ack(self._flights.land(flight, "retry"))
        _log("job_retry", flight.job, error.code, error.reason)

    def _bury(self, flight: Flight, dead: Dead) -> None:
        job = flight.job
        self._note(lambda: self._commits.fail(job, dead.code, dead.reason))
        self._lay(job.headers, job.body, dead.code, dead.reason)
        self._consumer.ack(self._flights.land(flight, "failed"))
        _log("job_failed", job, dead.code, dead.reason)

    def _lay(self, headers: Mapping[str, Any], body: bytes, code: str, reason: str) -> None:
        """Among the dead letters, unless the image was erased. It is noted first: an erasure finds what is noted."""
        letter = dead_letter(buried_headers(headers, code, reason), len(body))
        erased: list[DeadLetter] = []
        self._note(lambda: None if self._letters.add(letter) else erased.append(letter))
        if not erased:
            self._patience.insist(lambda: self._publisher.bury(headers, body, code, reason))

    def _bury_message(self, delivery: Delivery, error: MalformedJob) -> None:
        self._lay(marked_headers(delivery.headers), delivery.body, error.code, error.reason)
        self._consumer.ack([delivery])
        self._counted("malformed")
        log.warning("no job: %s", error.reason, extra={"action": "malformed", "code": error.code})

    def _leave_to_newer(self, delivery: Delivery, error: NewerMessage) -> None:
        """In the midst of an upgrade: it waits for a worker that knows it, however long."""
        headers = without_brokers(delivery.headers)
        self._patience.insist(lambda: self._publisher.delay(headers, delivery.body, NEWER_DELAY))
        self._consumer.ack([delivery])
        self._counted("newer")
        log.warning("left to a newer worker: %s", error.reason, extra={"action": "newer", "code": error.code})

    def _abandoned(self, delivery: Delivery) -> None:
        try:
            job = ScanJob.from_message(delivery.headers, delivery.body)
        except NewerMessage as error:
            self._leave_to_newer(delivery, error)
            return
        except MalformedJob as error:
            self._bury_message(delivery, error)
            return
        self._note(lambda: self._commits.fail(job, DELIVERY_LIMIT_CODE, DELIVERY_LIMIT_REASON))
        self._lay(job.headers, job.body, DELIVERY_LIMIT_CODE, DELIVERY_LIMIT_REASON)
        self._consumer.ack([delivery])
        self._counted("abandoned")
        _log("job_failed", job, DELIVERY_LIMIT_CODE, DELIVERY_LIMIT_REASON)


def _log(action: str, job: ScanJob, code: str, reason: str) -> None:
    log.info(
        "%s: %s (%s: %s)",
        action,
        job.hash,
        code,
        reason,
        extra={"action": action, "image_hash": job.hash, "owner": job.owner, "attempt": job.attempt, "code": code},
    )
