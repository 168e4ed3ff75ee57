"""Keeps a regeneration going: one worker at a time hands out its jobs, a few at once, and makes its steps.

Every step is atomic and stands by itself, so the conductor may die at any moment, and another goes on where the store says.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from facerec.errors import Conflict, FacerecError, ServiceUnavailable
from facerec.jobs import RegenerateJob
from facerec.ports import JobPublisher, Workers
from facerec.regeneration import Run, Steps
from facerec.services.regeneration import report_document
from worker.committer import Committer
from worker.guard import guarded_thread

log = logging.getLogger(__name__)
TURN_SECONDS = 4.0
IDLE, LOOKING, HANDING, BUSY = 1.0, 0.2, 0.1, 0.02
"""Seconds between two steps: of a worker that does not conduct, while a regeneration may be started any moment, while the workers
have enough in hand, and while they may soon have nothing."""
LEASE = 120.0
"""Seconds after which a job of which nothing was heard is sent again."""
IMAGES_AT_ONCE = 200
JOBS_PER_PROCESS = 16
FEWEST_JOBS = 32
PUBLISHERS = 16
"""Threads that wait for the broker's confirms."""


class Conductor:
    """One thread. ``clock`` gives seconds since the epoch."""

    def __init__(
        self,
        worker: str,
        *,
        steps: Steps,
        publisher: JobPublisher,
        workers: Workers,
        committer: Committer,
        crashed: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._worker = worker
        self._steps = steps
        self._publisher = publisher
        self._workers = workers
        self._committer = committer
        self._clock = clock
        self._published = (0, 0)
        """The run, and its last batch whose jobs the broker has all confirmed to us."""
        self._publishers = ThreadPoolExecutor(PUBLISHERS, "conductor")
        self._stop = threading.Event()
        self._thread = guarded_thread(self._run, "conductor", crashed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._publishers.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        pause, nudged = 0.0, 0.0
        while not self._stop.wait(pause):
            if time.monotonic() - nudged >= IDLE:
                # An index that nobody asks follows the journal, too, so that a switch finds it current.
                self._committer.ask(lambda _index: None)
                nudged = time.monotonic()
            try:
                pause = self.step()
            except ServiceUnavailable as error:
                log.debug("conducting later: %s", error.reason, extra={"action": "conductor"})
                pause = IDLE
            except FacerecError as error:
                log.error("conducting failed: %s", error.reason, extra={"action": "conductor", "code": error.code})
                pause = TURN_SECONDS

    def step(self) -> float:
        """Do what is due; seconds until the next step. Raises StoreUnavailable, BrokerUnavailable, InternalError."""
        if not self._steps.turn(self._worker, TURN_SECONDS):
            return IDLE
        run = self._steps.current()
        if run is None or run.state == "paused":
            return LOOKING
        if run.state == "dropping":
            return self._drop(run)
        if run.settling:
            self._steps.settle(run.run, IMAGES_AT_ONCE)
            return BUSY
        if run.switched and run.until is not None and self._clock() >= run.until and run.state == "running":
            return self._finish()
        if run.state == "switching":
            log.info("switching: %s", self._steps.switch(run.run), extra={"action": "regenerate_switch"})
        return self._go_on(run)

    def _go_on(self, run: Run) -> float:
        if not run.walked:
            self._steps.walk(run.run, "owe", IMAGES_AT_ONCE)
        elif run.complete and not run.counted and run.state == "running":
            self._steps.walk(run.run, "count", IMAGES_AT_ONCE)
            return BUSY
        room = run.workers or self._room()
        handed = self._hand_out(run, room)
        if run.complete:
            return IDLE / 4
        return BUSY if not run.walked or 4 * handed > room else HANDING

    def _hand_out(self, run: Run, room: int) -> int:
        """Put what is due on the scan queue; how many jobs. What another took and did not live to publish is due at once."""
        of_run, published = self._published
        batch = self._steps.take(run.run, room, LEASE, published if of_run == run.run else 0)
        jobs = [RegenerateJob(owner, image_hash, run.run) for owner, image_hash in batch.images]
        for _ in self._publishers.map(self._publisher.publish, jobs):
            pass
        self._published = run.run, batch.number
        return len(jobs)

    def _room(self) -> int:
        """What the workers can have in hand, and a little more so that none of them waits."""
        processes = sum(int(worker.get("processes", 1)) for worker in self._workers.workers().values())
        return max(FEWEST_JOBS, JOBS_PER_PROCESS * processes)

    def _finish(self) -> float:
        try:
            self._steps.act("finish")
        except Conflict as error:
            log.debug("not finished: %s", error.reason, extra={"action": "conductor"})
        return BUSY

    def _drop(self, run: Run) -> float:
        if self._steps.walk(run.run, "drop", IMAGES_AT_ONCE):
            return BUSY
        self._steps.end(run.run, report_document(run, self._steps.notes()))
        log.info("regeneration %d is over", run.run, extra={"action": "regenerate_end"})
        return BUSY
